//! `risktier plan`: preview or draw an inspection plan.

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use std::fs;
use std::path::{Path, PathBuf};

use super::classify::PassingStore;
use super::compose::{CommonFlags, blocking, import_options, runtime, service, service_on};
use super::contributions::PlannedFlags;
use super::exit::{Ended, ExitCode, Failure};
use super::items::must_be_clean;
use super::output::{OutputFormat, Table, print_json, print_table, rounded};
use super::precision::{precision_bound, tell_precision};
use super::progress::watched;
use crate::config::Settings;
use crate::domain::digest::HashAlgorithm;
use crate::domain::{Label, Tier, UnknownCode};
use crate::service::{
    AllocationBy, AllocationRequest, Edition, Entropy, Format, FrameManifest, ItemClass, Method,
    Period, PlanPreview, PlanRequest, PlanView, PoolFilter, PrecisionBound, Rounding, Service,
    Sink, SizeMeasure, Source, StrataBy, StrataByError, StratumRule, default_exploration, label,
    write_sample,
};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    #[command(flatten)]
    plan: PlanFlags,
    /// Coordinated group that the plan belongs to; default: none.
    #[arg(long, value_name = "ID", requires = "draft")]
    group: Option<String>,
    /// Keep the plan as a draft and stop: freeze, draw and close it by `risktier ceremony`; default: all steps at once.
    #[arg(long, conflicts_with_all = ["preview", "out", "sample", "frame"])]
    draft: bool,
    /// Show what the plan would do and stop: nothing is drawn, no secret is made.
    #[arg(long)]
    preview: bool,
    /// Folder for plan.json, pool.tsv, sample.tsv and the transcripts; default: none, the plan is only kept in the store.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the drawn objects to this file: CSV, NDJSON, Parquet or TSV (the normative form) by its name; default: none.
    #[arg(long, value_name = "FILE", conflicts_with = "preview")]
    sample: Option<PathBuf>,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

/// What a plan asks for.
#[derive(Debug, Args)]
pub(super) struct PlanFlags {
    /// Title of the plan.
    #[arg(long, default_value = "inspection plan")]
    title: String,
    /// Number of visits; default: by the policy's rates.
    #[arg(long)]
    visits: Option<u64>,
    /// Inspector-days that there are, in place of a number of visits; default: none.
    #[arg(long, value_name = "DAYS", conflicts_with = "visits")]
    inspector_days: Option<f64>,
    /// Spread the visits where they say most about the problems to be found, instead of by the policy's rates.
    #[arg(long)]
    neyman: bool,
    /// Hold the coefficient of variation of an estimated total to so much, with as few inspector-days as do: such as
    /// cv=0.1, or cv=0.2,each=tier (also each=division, …, and tier=, division=, industry=, kind=, size=, complaint_band=
    /// for part of the plan, of=NAME for a share given by --stratum); may be given several times; default: none.
    #[arg(long, value_name = "BOUND", value_parser = precision_bound,
        conflicts_with_all = ["visits", "inspector_days", "neyman"])]
    precision: Vec<PrecisionBound>,
    /// What holds for some strata, such as tier=D,least=2,most=20,problem=0.4,days=0.5 (also division=, band=, and
    /// share.NAME= for what else is predicted); may be given several times, the later one has the word; default: none.
    #[arg(long = "stratum", value_name = "RULE", value_parser = stratum_rule)]
    strata: Vec<StratumRule>,
    /// What strata are of beside tier, complaint band and rate, such as city,industry: of division, city, province,
    /// industry, kind, size; `none` for nothing; default: division.
    #[arg(long, value_name = "LIST", value_parser = strata_by)]
    strata_by: Option<StrataBy>,
    /// Class of the check items; default: that of the items, and general without any.
    #[arg(long, value_enum)]
    class: Option<Class>,
    /// Code of a check item in the list; may be given several times; default: none.
    #[arg(long = "item", value_name = "CODE")]
    items: Vec<String>,
    /// The department that plans; default: none.
    #[arg(long)]
    department: Option<String>,
    /// Draw from this frame file (CSV, NDJSON or Parquet, also .gz or .zst) without any store; only the columns
    /// enterprise_id and tier are needed; default: freeze the register of the store.
    #[arg(long, value_name = "FILE")]
    frame: Option<PathBuf>,
    /// What is known of the frame file, JSON as `GET /v1/frames/{id}` gives it: the plan names its model, and another frame
    /// is refused; default: the model is not known, and its digest is zeros.
    #[arg(long, value_name = "FILE", requires = "frame")]
    frame_manifest: Option<PathBuf>,
    /// Visits for general items that are booked already, for a plan from a frame file: CSV, NDJSON or Parquet as `risktier
    /// ledger list --format csv` writes it; default: none, caps and gaps then hold within this plan only.
    #[arg(long, value_name = "FILE", requires = "frame")]
    ledger: Option<PathBuf>,
    /// List of check items (CSV, NDJSON or Parquet) for a plan from a frame file; default: none.
    #[arg(long, value_name = "FILE", requires = "frame")]
    item_list: Option<PathBuf>,
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
    /// Share of the visits drawn with equal probability over the whole pool; default: 0.05, and 0 with --order.
    #[arg(long)]
    exploration: Option<f64>,
    /// Objects that stand by, as a share of each stratum's target.
    #[arg(long, default_value_t = 0.2)]
    reserve: f64,
    /// Hash of the draw.
    #[arg(long, value_enum, default_value_t = Hash::Sha256)]
    hash: Hash,
    #[command(flatten)]
    planned: PlannedFlags,
    /// Earlier plan, drawn or closed, that this one extends: who was drawn there leaves the pool; default: none.
    #[arg(long, value_name = "PLAN_ID")]
    extends: Option<String>,
    /// Freeze the register as of this day; default: the present day.
    #[arg(long, value_name = "DATE")]
    frame_day: Option<Date>,
}

/// Reads `city,industry` or `none`.
fn strata_by(text: &str) -> Result<StrataBy, StrataByError> {
    let attributes = match text {
        "none" => Vec::new(),
        list => list
            .split(',')
            .map(|name| name.trim().parse())
            .collect::<Result<_, _>>()?,
    };
    StrataBy::new(&attributes)
}

/// Reads `tier=D,least=2,…`.
fn stratum_rule(text: &str) -> Result<StratumRule, String> {
    let mut rule = StratumRule::default();
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is not of the form NAME=VALUE"))?;
        let wrong = |error: &dyn std::fmt::Display| format!("`{part}`: {error}");
        let whole = |text: &str| text.parse::<u64>().map_err(|error| wrong(&error));
        let number = |text: &str| text.parse::<f64>().map_err(|error| wrong(&error));
        let text = |text: &str| Label::parse(text).map_err(|error| wrong(&error));
        match name.trim() {
            "tier" => rule.tier = Some(value.parse().map_err(|error: UnknownCode| wrong(&error))?),
            "division" => rule.division = Some(text(value)?),
            "band" => rule.complaint_band = Some(text(value)?),
            "least" => rule.least = Some(whole(value)?),
            "most" => rule.most = Some(whole(value)?),
            "problem" => rule.problem_probability = Some(number(value)?),
            "days" => rule.days_per_visit = Some(number(value)?),
            other => {
                let Some(share) = other.strip_prefix("share.") else {
                    return Err(format!(
                        "`{other}` is not one of tier, division, band, least, most, problem, days, share.NAME"
                    ));
                };
                rule.shares.insert(text(share)?, number(value)?);
            }
        }
    }
    Ok(rule)
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Class {
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

impl PlanFlags {
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
        if arguments.plan.frame.is_some()
            && !arguments.preview
            && arguments.out.is_none()
            && arguments.sample.is_none()
        {
            return Err(Failure::Other(
                "a plan from a frame file is kept nowhere; give --out, --sample or --preview"
                    .to_owned(),
            ));
        }
        // A plan is drawn once: where its files cannot go must show before, not after.
        if let (Some(folder), false) = (&arguments.out, arguments.preview) {
            writable(folder)?;
        }
        // The passing store of a plan on files lives as long as this scope.
        let (service, mut request, _passing) = ground(&settings, &arguments.plan)?;
        request.group.clone_from(&arguments.group);
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
            let is_kept = arguments.plan.frame.is_none();
            write_files(&service, &plan, folder).inspect_err(|_| {
                if is_kept {
                    eprintln!(
                        "plan `{}` is drawn and kept in the store; fetch its files from the server instead of drawing again",
                        plan.plan_id
                    );
                }
            })?;
        }
        if let Some(path) = &arguments.sample {
            put_sample(&service, &plan.plan_id, path)?;
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

/// The frame that a plan is about, and what it asks for: on the store, or on files in a passing store, which is removed
/// with the last of what is returned.
pub(super) fn ground(
    settings: &Settings,
    flags: &PlanFlags,
) -> Result<(Service, PlanRequest, Option<PassingStore>), Failure> {
    let Some(file) = &flags.frame else {
        let service = service(settings, Entropy::System)?;
        let frame = watched("freezing the frame", || {
            service.freeze_frame(flags.frame_day)
        })?;
        let request = request(flags, frame.frame_id)?;
        return Ok((service, request, None));
    };
    let passing = PassingStore::new()?;
    let service = service_on(settings, &passing.store(), Entropy::System)?;
    let options = import_options(settings).read;
    if let Some(list) = &flags.item_list {
        let report = service.import_items(Source::open(list, None)?, &options)?;
        must_be_clean(&report)?;
    }
    let source = Source::open(file, None)?;
    let manifest = flags.frame_manifest.as_deref().map(manifest).transpose()?;
    let said = manifest.as_ref().and_then(|manifest| manifest.as_of);
    let day = flags.frame_day.or(said).unwrap_or_else(|| service.today());
    let frame = watched("reading the frame", || {
        service.take_frame(source, &options, day, manifest.as_ref())
    })?;
    let request = request(flags, frame.frame_id)?;
    match &flags.ledger {
        Some(ledger) => {
            let taken = service.take_ledger(ledger)?;
            eprintln!("{taken} visits of the ledger file are kept clear of");
        }
        None => eprintln!(
            "note: a plan from a frame file has no ledger; visits of other plans are not seen (give --ledger FILE)"
        ),
    }
    Ok((service, request, Some(passing)))
}

/// What is known of a frame file.
fn manifest(path: &Path) -> Result<FrameManifest, Failure> {
    let text = fs::read_to_string(path).map_err(Failure::at(path))?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::Other(format!(
            "`{}` is no frame manifest: {error}; it needs at least `model_digest`, 64 lower-case hex characters",
            path.display()
        ))
    })
}

fn request(arguments: &PlanFlags, frame_id: String) -> Result<PlanRequest, Failure> {
    let optional = |field: &str, text: &Option<String>| {
        text.as_deref().map(|text| label(field, text)).transpose()
    };
    Ok(PlanRequest {
        frame_id,
        title: arguments.title.clone(),
        item_class: arguments.class.map(Into::into),
        items: arguments.items.clone(),
        department: optional("--department", &arguments.department)?,
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
        allocation: AllocationRequest {
            by: if !arguments.precision.is_empty() {
                AllocationBy::Precision
            } else if arguments.neyman {
                AllocationBy::Neyman
            } else {
                AllocationBy::Rates
            },
            inspector_days: arguments.inspector_days,
            strata: arguments.strata.clone(),
            strata_by: arguments.strata_by.clone().unwrap_or_default(),
            precision: arguments.precision.clone(),
        },
        rounding: arguments.rounding(),
        exploration_share: arguments
            .exploration
            .unwrap_or_else(|| default_exploration(arguments.method())),
        reserve_share: arguments.reserve,
        hash: arguments.hash.into(),
        committed: arguments.planned.committed()?,
        public: arguments.planned.public()?,
        public_seed: arguments.planned.public_seed,
        group: None,
        extends: arguments.extends.clone(),
    })
}

impl From<Class> for ItemClass {
    fn from(class: Class) -> Self {
        match class {
            Class::General => Self::General,
            Class::Key => Self::Key,
        }
    }
}

/// Writes the drawn objects in the form that the name of the file asks for.
pub(super) fn put_sample(service: &Service, plan_id: &str, path: &Path) -> Result<(), Failure> {
    if path.extension().is_some_and(|ending| ending == "tsv") {
        let file = service.sample_file(plan_id)?;
        return fs::write(path, file).map_err(Failure::at(path));
    }
    let is_stdout = path.as_os_str() == "-";
    let sink = Sink::create(path, is_stdout.then_some(Format::Csv))?;
    write_sample(&service.weighted_sample(plan_id)?, sink)?;
    Ok(())
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
    if let Some(precision) = &preview.precision {
        tell_precision(precision);
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
