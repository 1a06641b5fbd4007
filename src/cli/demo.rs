//! `risktier demo`: the whole product at work.

use clap::Args;
use jiff::ToSpan;
use jiff::civil::Date;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bench_data::BENCH_DAY;
use super::classify::{classify, mix_table};
use super::compose::{CommonFlags, blocking, import_options, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{Table, rounded, say};
use super::persons::fault;
use super::plan::{strata_table, write_files};
use super::progress::{ImportProgress, bar, watched};
use super::serve::serve;
use crate::domain::digest::HashAlgorithm;
use crate::domain::{AsOf, CheckItem, ItemDraft};
use crate::service::bench_data::{BenchOptions, FileForm, write_bench_files};
use crate::service::{
    AllocationRequest, Compression, Entropy, Format, ImportOptions, ItemClass, Mapping, Method,
    OutcomeRule, Period, PlanRequest, PoolFilter, Rounding, Service,
};
use crate::telemetry::{Metrics, init_logs};

/// The form of the made-up register.
const PLAIN_CSV: FileForm = FileForm {
    format: Format::Csv,
    compression: Compression::Plain,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Use the files of this folder; default: make a register of a province that does not exist.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Mapping of the folder: a TOML file, or a folder with mapping.toml; files indicators.toml, scorecard.json and
    /// policy.toml beside it are used too, where no flag names others; default: mapping.toml in the data folder, if any.
    #[arg(long, value_name = "PATH", requires = "data")]
    mapping: Option<PathBuf>,
    /// Size of the made-up register.
    #[arg(long, default_value_t = 20_000)]
    enterprises: u64,
    /// Fix the register and every secret, so that two runs give the same bytes; such a plan proves nothing; default: the
    /// register of seed 1 and real secrets.
    #[arg(long)]
    seed: Option<u64>,
    /// Number of visits to draw.
    #[arg(long, default_value_t = 500)]
    visits: u64,
    /// Folder for the results.
    #[arg(long, value_name = "DIR", default_value = "risktier-demo")]
    out: PathBuf,
    /// Exit instead of serving.
    #[arg(long)]
    once: bool,
    /// Address to listen on; default: 127.0.0.1:8080, or a free port where that one is taken.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    common: CommonFlags,
}

pub(super) fn run(mut arguments: Arguments) -> Ended {
    fs::create_dir_all(&arguments.out).map_err(Failure::at(&arguments.out))?;
    if arguments.common.store.is_some() {
        // A demonstration empties its store first; it must never be pointed at a real register.
        return Err(Failure::Other(
            "`--store` does not go with demo, which makes its own store in `--out`".to_owned(),
        ));
    }
    arguments.common.store = Some(arguments.out.join("risktier-demo.db"));
    let mapping = arguments
        .mapping_file()
        .as_deref()
        .map(Mapping::load)
        .transpose()?;
    arguments.take_model_files();
    let day = day(&arguments, mapping.as_ref());
    arguments.common.as_of = Some(day);
    let listen = arguments.listen.unwrap_or_else(free_address);
    let settings = arguments.common.settings(Some(listen))?;
    init_logs(&settings.log)?;
    let metrics = Metrics::install()?;
    fresh(&settings.store.path)?;
    let entropy = arguments.seed.map_or(Entropy::System, Entropy::insecure);
    let service = Arc::new(service(&settings, entropy)?);
    let once = arguments.once;
    let shown = Shown {
        service: Arc::clone(&service),
        arguments,
        mapping,
        day,
        import_options: import_options(&settings),
    };
    let verified = blocking(&runtime()?, move || shown.run())?;
    if !once {
        serve(settings, service, metrics, |address| {
            eprintln!(
                "\nserving on http://{address}; documentation at http://{address}/docs/ (stop with Ctrl-C)"
            );
        })?;
    }
    Ok(if verified {
        ExitCode::Done
    } else {
        ExitCode::AnswerIsNo
    })
}

impl Arguments {
    /// The mapping file that is named, or lies in the data folder.
    fn mapping_file(&self) -> Option<PathBuf> {
        match &self.mapping {
            Some(path) if path.is_dir() => Some(path.join("mapping.toml")),
            Some(path) => Some(path.clone()),
            None => self
                .data
                .as_ref()
                .map(|folder| folder.join("mapping.toml"))
                .filter(|path| path.is_file()),
        }
    }

    /// Takes the model files that lie beside the mapping, where no flag names others.
    fn take_model_files(&mut self) {
        let Some(folder) = self
            .mapping_file()
            .and_then(|path| path.parent().map(Path::to_owned))
        else {
            return;
        };
        let common = &mut self.common;
        for (flag, name) in [
            (&mut common.catalogue, "indicators.toml"),
            (&mut common.scorecard, "scorecard.json"),
            (&mut common.policy, "policy.toml"),
        ] {
            let beside = folder.join(name);
            if flag.is_none() && beside.is_file() {
                *flag = Some(beside);
            }
        }
    }
}

/// The day of the demonstration: as asked for, as the mapping says, or the fixed day of made-up registers.
fn day(arguments: &Arguments, mapping: Option<&Mapping>) -> Date {
    let of_mapping = || mapping.and_then(Mapping::demo).map(|demo| demo.as_of);
    arguments
        .common
        .as_of
        .or_else(of_mapping)
        .unwrap_or(BENCH_DAY)
}

/// The default address, or a free port where it is taken: a demonstration does not fail for that.
fn free_address() -> SocketAddr {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let default = address(8080);
    let free = std::net::TcpListener::bind(default).is_ok();
    if free { default } else { address(0) }
}

/// A demonstration begins with an empty register: what an earlier one left is removed.
fn fresh(store: &Path) -> Result<(), Failure> {
    for suffix in ["", "-wal", "-shm"] {
        let mut path = store.as_os_str().to_owned();
        path.push(suffix);
        let path = PathBuf::from(path);
        if path.exists() {
            fs::remove_file(&path).map_err(Failure::at(&path))?;
        }
    }
    Ok(())
}

/// One demonstration.
struct Shown {
    service: Arc<Service>,
    arguments: Arguments,
    mapping: Option<Mapping>,
    day: Date,
    import_options: ImportOptions,
}

impl Shown {
    /// Shows everything; whether the plan verifies.
    fn run(self) -> Result<bool, Failure> {
        self.import()?;
        self.classify()?;
        let verified = self.plan()?;
        self.outcomes()?;
        let out = self.arguments.out.display();
        say(&format!(
            "\nFiles in {out}: tiers.csv, frame.csv, plan.json, pool.tsv, sample.tsv, transcript.json (auditor, with its digest), \
             transcript.internal.json, transcript.public.json\nVerify again: risktier verify --transcript \
             {out}/transcript.json --pool {out}/pool.tsv --sample {out}/sample.tsv"
        ))?;
        Ok(verified)
    }

    fn import(&self) -> Result<(), Failure> {
        let folder = match &self.arguments.data {
            Some(folder) => folder.clone(),
            None => self.made_up()?,
        };
        let options = self.import_options.clone();
        let mut progress = ImportProgress::new(None)?;
        let report =
            self.service
                .import_folder(&folder, self.mapping.as_ref(), &options, &mut progress)?;
        progress.finish()?;
        if let Some(failure) = &report.failure {
            return Err(Failure::Other(failure.clone()));
        }
        let counts = self.service.counts()?;
        say(&format!(
            "Register as of {}: {} enterprises, {} records, {} rows refused",
            self.day, counts.enterprises, counts.record_versions, report.refused_count
        ))
    }

    fn made_up(&self) -> Result<PathBuf, Failure> {
        let folder = self.arguments.out.join("data");
        fs::create_dir_all(&folder).map_err(Failure::at(&folder))?;
        let options = BenchOptions {
            enterprise_count: self.arguments.enterprises,
            record_count: None,
            seed: self.arguments.seed.unwrap_or(1),
            as_of: self.day,
        };
        let progress = bar(self.arguments.enterprises, "making the register");
        write_bench_files(options, &folder, PLAIN_CSV, &mut |made| {
            progress.set_position(made)
        })?;
        progress.finish_and_clear();
        Ok(folder)
    }

    fn classify(&self) -> Result<(), Failure> {
        let mix = classify(
            &self.service,
            &self.service.current(),
            AsOf::monthly(self.day),
            Some(&self.arguments.out.join("tiers.csv")),
        )?;
        say(&format!("\nTiers\n{}", mix_table(&mix).to_text()))
    }

    fn plan(&self) -> Result<bool, Failure> {
        let service = &self.service;
        let frame = watched("freezing the frame", || service.freeze_frame(None))?;
        let path = self.arguments.out.join("frame.csv");
        fs::write(&path, service.frame_file(&frame.frame_id)?).map_err(Failure::at(&path))?;
        let next_day = self.day.saturating_add(1.day());
        let item = CheckItem::parse(ItemDraft {
            item_code: "DEMO-001".to_owned(),
            name: "demonstration 示例".to_owned(),
            class: ItemClass::General.to_string(),
            published: Some(true),
            ..ItemDraft::default()
        })
        .map_err(fault)?;
        service.put_item(item)?;
        let request = PlanRequest {
            frame_id: frame.frame_id,
            title: "demonstration 示例".to_owned(),
            item_class: None,
            items: vec!["DEMO-001".to_owned()],
            department: None,
            period: Period {
                from: next_day,
                to: next_day.saturating_add(3.months()).saturating_sub(1.day()),
            },
            filter: PoolFilter::default(),
            method: Method::Equal,
            size_measure: None,
            visits: Some(self.arguments.visits),
            allocation: AllocationRequest::default(),
            rounding: Rounding::Systematic,
            exploration_share: 0.0,
            reserve_share: 0.2,
            hash: HashAlgorithm::Sha256,
            committed: Vec::new(),
            public: Vec::new(),
            public_seed: false,
            group: None,
            extends: None,
        };
        let plan = watched("drawing", || service.draw_plan_now(request))?;
        write_files(service, &plan, &self.arguments.out)?;
        let number = plan.frozen.as_ref().map_or(0, |frozen| frozen.number);
        say(&format!(
            "\nPlan {number}: {} visits drawn from a pool of {}, in {} strata\n{}",
            plan.sample_size.unwrap_or(0),
            plan.preview.pool_size,
            plan.preview.strata.len(),
            strata_table(&plan.preview).to_text()
        ))?;
        for warning in &plan.preview.warnings {
            say(&format!("warning: {warning}"))?;
        }
        if self.arguments.seed.is_some() {
            say("insecure: every secret follows from --seed, so this plan proves nothing")?;
        }
        let verification = watched("verifying", || service.verify_plan(&plan.plan_id))?;
        let verified = verification.is_same();
        let verdict = if verified {
            "the plan replays to the byte"
        } else {
            "THE PLAN DIFFERS"
        };
        say(&format!(
            "Verification: {} checks, {verdict}",
            verification.checks.len()
        ))?;
        Ok(verified)
    }

    /// What inspections after the day found, by tier.
    fn outcomes(&self) -> Result<(), Failure> {
        let Some(outcome) = self
            .mapping
            .as_ref()
            .and_then(Mapping::demo)
            .and_then(|demo| demo.outcome.as_ref())
        else {
            return Ok(());
        };
        let rule = OutcomeRule::from(outcome);
        let mut table = Table::new(&["tier", "inspected", "found", "percent", "from", "to"]);
        for row in self
            .service
            .later_outcomes(AsOf::monthly(self.day), &rule)?
        {
            table.row(vec![
                row.tier.to_string().into(),
                row.inspected.into(),
                row.found.into(),
                rounded(row.rate * 100.0, 1),
                rounded(row.interval.0 * 100.0, 1),
                rounded(row.interval.1 * 100.0, 1),
            ]);
        }
        say(&format!(
            "\nWhat the first inspection after {} found, by tier (`{}`; percent with 95 % Wilson interval)\n{}",
            self.day,
            outcome.code,
            table.to_text()
        ))
    }
}
