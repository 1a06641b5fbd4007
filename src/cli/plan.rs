//! `risktier plan`: preview or draw an inspection plan.

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use std::fs;
use std::path::{Path, PathBuf};

use super::compose::{CommonFlags, blocking, runtime, service};
use super::contributions::PlannedFlags;
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table, rounded};
use super::progress::watched;
use crate::domain::Tier;
use crate::domain::digest::HashAlgorithm;
use crate::service::{
    Edition, Entropy, ItemClass, Method, Period, PlanPreview, PlanRequest, PlanView, PoolFilter,
    Rounding, Service, SizeMeasure, label,
};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// Title of the plan.
    #[arg(long, default_value = "inspection plan")]
    title: String,
    /// Number of visits; default: by the policy's rates.
    #[arg(long)]
    visits: Option<u64>,
    /// Class of the check items.
    #[arg(long, value_enum, default_value_t = Class::General)]
    class: Class,
    /// Code of a check item; may be given several times; default: none.
    #[arg(long = "item", value_name = "CODE")]
    items: Vec<String>,
    /// First day of the visits.
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// Last day of the visits.
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// Only objects of this division and what lies below it; default: all.
    #[arg(long)]
    division: Option<String>,
    /// Only objects of this industry and what lies below it; default: all.
    #[arg(long)]
    industry: Option<String>,
    /// Only objects with one of these tags; may be given several times; default: all.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only objects of these tiers; may be given several times; default: all.
    #[arg(long = "tier", value_name = "TIER")]
    tiers: Vec<Tier>,
    /// How objects are selected.
    #[arg(long, value_enum, default_value_t = MethodFlag::Equal)]
    method: MethodFlag,
    /// What an object's size is, for method pareto only; default: rate.
    #[arg(long, value_enum, value_name = "MEASURE")]
    size_measure: Option<SizeFlag>,
    /// Put the whole pool in order instead of drawing by stratum: the same as --method order.
    #[arg(long, conflicts_with_all = ["visits", "method"])]
    order: bool,
    /// How targets become whole numbers of visits; default: systematic, for method pareto largest-remainder.
    #[arg(long, value_enum)]
    rounding: Option<RoundingFlag>,
    /// Round targets by largest remainder: the same as --rounding largest-remainder.
    #[arg(long, conflicts_with = "rounding")]
    largest_remainder: bool,
    /// Share of the visits drawn with equal probability over the whole pool.
    #[arg(long, default_value_t = 0.0)]
    exploration: f64,
    /// Objects that stand by, as a share of each stratum's target.
    #[arg(long, default_value_t = 0.2)]
    reserve: f64,
    /// Hash of the draw.
    #[arg(long, value_enum, default_value_t = Hash::Sha256)]
    hash: Hash,
    #[command(flatten)]
    planned: PlannedFlags,
    /// Coordinated group that the plan belongs to; default: none.
    #[arg(long, value_name = "ID", requires = "draft")]
    group: Option<String>,
    /// Earlier plan, drawn or closed, that this one extends: who was drawn there leaves the pool; default: none.
    #[arg(long, value_name = "PLAN_ID")]
    extends: Option<String>,
    /// Keep the plan as a draft and stop: freeze, draw and close it by `risktier ceremony`; default: all steps at once.
    #[arg(long, conflicts_with_all = ["preview", "out"])]
    draft: bool,
    /// Freeze the register as of this day; default: the present day.
    #[arg(long, value_name = "DATE")]
    frame_day: Option<Date>,
    /// Show what the plan would do and stop: nothing is drawn, no secret is made.
    #[arg(long)]
    preview: bool,
    /// Folder for plan.json, pool.tsv, sample.tsv and the transcripts; default: none, the plan is only kept in the store.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Class {
    /// General items: bounded ratios.
    General,
    /// Key items: not bounded.
    Key,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Hash {
    /// SHA-256.
    Sha256,
    /// SM3 (GB/T 32905).
    Sm3,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MethodFlag {
    /// With one probability in each stratum.
    Equal,
    /// In proportion to size in each stratum.
    Pareto,
    /// No selection: the whole pool in ticket order.
    Order,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SizeFlag {
    /// The visits that the allocation gives an object.
    Rate,
    /// Its points.
    Points,
    /// Its complaint ratio to its peers.
    ComplaintRatio,
}

impl From<SizeFlag> for SizeMeasure {
    fn from(flag: SizeFlag) -> Self {
        match flag {
            SizeFlag::Rate => Self::Rate,
            SizeFlag::Points => Self::Points,
            SizeFlag::ComplaintRatio => Self::ComplaintRatio,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoundingFlag {
    /// At the draw, by one random start over all strata.
    Systematic,
    /// Before the freeze.
    LargestRemainder,
    /// Not at all: the targets are whole already.
    Whole,
}

impl Arguments {
    fn method(&self) -> Method {
        match self.method {
            MethodFlag::Order => Method::Order,
            MethodFlag::Equal | MethodFlag::Pareto if self.order => Method::Order,
            MethodFlag::Equal => Method::Equal,
            MethodFlag::Pareto => Method::Pareto,
        }
    }

    fn rounding(&self) -> Rounding {
        match self.rounding {
            Some(RoundingFlag::Systematic) => Rounding::Systematic,
            Some(RoundingFlag::LargestRemainder) => Rounding::LargestRemainder,
            Some(RoundingFlag::Whole) => Rounding::Whole,
            None if self.largest_remainder || self.method() == Method::Pareto => {
                Rounding::LargestRemainder
            }
            None => Rounding::Systematic,
        }
    }
}

impl From<Hash> for HashAlgorithm {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Self::Sha256,
            Hash::Sm3 => Self::Sm3,
        }
    }
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        // A plan is drawn once: where its files cannot go must show before, not after.
        if let (Some(folder), false) = (&arguments.out, arguments.preview) {
            writable(folder)?;
        }
        let frame = watched("freezing the frame", || {
            service.freeze_frame(arguments.frame_day)
        })?;
        let request = request(&arguments, frame.frame_id)?;
        if arguments.preview {
            let preview = service.preview_plan(&request)?;
            show_preview(&preview, arguments.format)?;
            return Ok(ExitCode::Done);
        }
        if arguments.draft {
            show_plan(&service.draft_plan(request)?, arguments.format)?;
            return Ok(ExitCode::Done);
        }
        let plan = watched("drawing", || service.draw_plan_now(request))?;
        if let Some(folder) = &arguments.out {
            write_files(&service, &plan, folder).inspect_err(|_| {
                eprintln!(
                    "plan `{}` is drawn and kept in the store; fetch its files from the server instead of drawing again",
                    plan.plan_id
                );
            })?;
        }
        show_plan(&plan, arguments.format)?;
        let verification = watched("verifying", || service.verify_plan(&plan.plan_id))?;
        Ok(if verification.is_same() {
            ExitCode::Done
        } else {
            ExitCode::AnswerIsNo
        })
    })
}

fn request(arguments: &Arguments, frame_id: String) -> Result<PlanRequest, Failure> {
    let optional = |field: &str, text: &Option<String>| {
        text.as_deref().map(|text| label(field, text)).transpose()
    };
    Ok(PlanRequest {
        frame_id,
        title: arguments.title.clone(),
        item_class: match arguments.class {
            Class::General => ItemClass::General,
            Class::Key => ItemClass::Key,
        },
        items: arguments.items.clone(),
        period: Period {
            from: arguments.from,
            to: arguments.to,
        },
        filter: PoolFilter {
            division: optional("--division", &arguments.division)?,
            industry: optional("--industry", &arguments.industry)?,
            tags: arguments
                .tags
                .iter()
                .map(|tag| label("--tag", tag))
                .collect::<Result<_, _>>()?,
            tiers: arguments.tiers.clone(),
            ..PoolFilter::default()
        },
        method: arguments.method(),
        size_measure: arguments.size_measure.map(Into::into),
        visits: arguments.visits,
        rounding: arguments.rounding(),
        exploration_share: arguments.exploration,
        reserve_share: arguments.reserve,
        hash: arguments.hash.into(),
        committed: arguments.planned.committed()?,
        public: arguments.planned.public()?,
        public_seed: arguments.planned.public_seed,
        group: arguments.group.clone(),
        extends: arguments.extends.clone(),
    })
}

/// Makes the folder if it is missing, and refuses one that takes no files.
fn writable(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(Failure::at(folder))?;
    let probe = folder.join(format!(".risktier-{}", std::process::id()));
    fs::write(&probe, b"probe")
        .and_then(|()| fs::remove_file(&probe))
        .map_err(Failure::at(folder))
}

/// Writes the files of a closed plan: what a stranger needs to replay it, and the editions for others.
pub(super) fn write_files(
    service: &Service,
    plan: &PlanView,
    folder: &Path,
) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(Failure::at(folder))?;
    let id = &plan.plan_id;
    for (name, bytes) in [
        ("plan.json", service.frozen_plan(id)?),
        ("pool.tsv", service.pool_file(id)?),
        ("sample.tsv", service.sample_file(id)?),
        ("transcript.json", service.transcript(id, Edition::Auditor)?),
        (
            "transcript.internal.json",
            service.transcript(id, Edition::Internal)?,
        ),
        (
            "transcript.public.json",
            service.transcript(id, Edition::Public)?,
        ),
    ] {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(Failure::at(&path))?;
    }
    // In the form of `sha256sum`: whoever keeps this line finds a change of any byte of the transcript.
    let transcript = service.transcript(id, Edition::Auditor)?;
    let digest = HashAlgorithm::Sha256.hash(&[&transcript]);
    let path = folder.join("transcript.json.sha256");
    fs::write(&path, format!("{digest}  transcript.json\n")).map_err(Failure::at(&path))
}

fn show_plan(plan: &PlanView, format: OutputFormat) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        return print_json(plan);
    }
    let mut table = Table::new(&[
        "plan_id",
        "number",
        "pool",
        "visits",
        "plan_digest",
        "transcript_digest",
    ]);
    let frozen = plan.frozen.as_ref();
    table.row(vec![
        plan.plan_id.clone().into(),
        frozen.map(|frozen| frozen.number).into(),
        plan.preview.pool_size.into(),
        plan.sample_size.into(),
        frozen.map(|frozen| frozen.plan_digest.to_string()).into(),
        plan.transcript_digest
            .map(|digest| digest.to_string())
            .into(),
    ]);
    print_table(&table, format)
}

fn show_preview(preview: &PlanPreview, format: OutputFormat) -> Result<(), Failure> {
    for warning in &preview.warnings {
        eprintln!("warning: {warning}");
    }
    if format == OutputFormat::Json {
        return print_json(preview);
    }
    print_table(&strata_table(preview), format)
}

/// How the rate moves with tier and complaint band: one row for each pair, over all divisions.
pub(super) fn strata_table(preview: &PlanPreview) -> Table {
    let mut table = Table::new(&[
        "tier",
        "complaint_band",
        "objects",
        "policy_rate_percent",
        "inclusion_percent",
        "expected_visits",
    ]);
    for cell in preview.by_tier_and_band() {
        table.row(vec![
            cell.tier.to_string().into(),
            cell.complaint_band.into(),
            cell.objects.into(),
            rounded(cell.rate * 100.0, 3),
            rounded(cell.inclusion_probability * 100.0, 3),
            rounded(cell.expected_visits, 1),
        ]);
    }
    table
}
