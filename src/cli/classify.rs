//! `risktier classify`: the tiers of a register.

use clap::Args;
use jiff::civil::Date;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

use super::compose::{CommonFlags, blocking, import_options, runtime, service, service_on};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table, rounded};
use super::progress::{ImportProgress, bar};
use crate::domain::{AsOf, EnterpriseId};
use crate::service::{Current, Entropy, Mapping, Service, TierMix, TierWriter};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// Classify the files of this folder instead of the store; nothing is kept.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Mapping file (TOML) of the folder; default: none, the files have our own columns.
    #[arg(long, value_name = "FILE", requires = "data")]
    mapping: Option<PathBuf>,
    /// Write every tier to this file: CSV, NDJSON or Parquet by its name (also with .gz or .zst), `-` is CSV on standard
    /// output; default: only the tier mix is shown.
    #[arg(long, value_name = "FILE")]
    tiers: Option<PathBuf>,
    /// Show one enterprise with every reason instead of the tier mix.
    #[arg(long, value_name = "ID", conflicts_with = "tiers")]
    explain: Option<String>,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        // The folder of a passing register lives as long as this scope.
        let (service, _passing) = match &arguments.data {
            None => (service(&settings, Entropy::System)?, None),
            Some(folder) => {
                let passing = PassingStore::new()?;
                let service = service_on(&settings, &passing.store(), Entropy::System)?;
                let mapping = arguments
                    .mapping
                    .as_deref()
                    .map(Mapping::load)
                    .transpose()?;
                let options = import_options(&settings);
                let mut progress = ImportProgress::new(None)?;
                let report =
                    service.import_folder(folder, mapping.as_ref(), &options, &mut progress)?;
                progress.finish()?;
                if !report.is_clean() {
                    eprintln!("risktier: {} rows were refused", report.refused_count);
                }
                (service, Some(passing))
            }
        };
        let day = service.today();
        // Files that are named are tried out; otherwise those in force on the day speak.
        let models = if settings.models.are_named() {
            Arc::new(service.try_given())
        } else {
            service.logged_on(day)?
        };
        if let Some(id) = &arguments.explain {
            return explain(&service, &models, id, day, arguments.format);
        }
        let to_stdout = arguments
            .tiers
            .as_ref()
            .is_some_and(|path| path.as_os_str() == "-");
        let mix = classify(
            &service,
            &models,
            AsOf::monthly(day),
            arguments.tiers.as_deref(),
        )?;
        if !to_stdout {
            print_table(&mix_table(&mix), arguments.format)?;
        }
        Ok(ExitCode::Done)
    })
}

/// Classifies the register, writes every tier if asked to, and counts.
pub(super) fn classify(
    service: &Service,
    models: &Current,
    as_of: AsOf,
    tiers: Option<&std::path::Path>,
) -> Result<TierMix, Failure> {
    let progress = bar(service.counts()?.enterprises, "classifying");
    let mut mix = TierMix::default();
    let epoch = models.epoch().to_string();
    let mut writer = tiers
        .map(|path| TierWriter::create(path, &epoch))
        .transpose()?;
    let mut failed = None;
    service.classify_under(models, as_of, &mut |enterprise, _, classification| {
        mix.add(classification.tier);
        progress.inc(1);
        if let Some(writer) = &mut writer
            && failed.is_none()
        {
            failed = writer.write(enterprise, classification).err();
        }
    })?;
    progress.finish_and_clear();
    if let Some(error) = failed {
        return Err(error.into());
    }
    if let Some(writer) = writer {
        writer.finish()?;
    }
    Ok(mix)
}

/// Count and share by tier.
pub(super) fn mix_table(mix: &TierMix) -> Table {
    let mut table = Table::new(&["tier", "enterprises", "percent"]);
    for (tier, count) in mix.counts() {
        let percent = count as f64 * 100.0 / mix.total().max(1) as f64;
        table.row(vec![
            tier.to_string().into(),
            count.into(),
            rounded(percent, 2),
        ]);
    }
    table
}

fn explain(
    service: &Service,
    models: &Current,
    id: &str,
    day: Date,
    format: OutputFormat,
) -> Ended {
    let id = EnterpriseId::parse(id).map_err(|error| Failure::Other(format!("`{id}` {error}")))?;
    let explanation = service.explain_under(models, &id, Some(day))?;
    let classification = &explanation.classification;
    if format == OutputFormat::Json {
        print_json(&serde_json::json!({
            "enterprise_id": explanation.enterprise_id,
            "merged_into": explanation.life.merged_into,
            "overrides": explanation.life.overrides,
            "objections": explanation.life.objections,
            "tier": classification.tier,
            "points": classification.points,
            "as_of": classification.as_of.day,
            "next_change_on": classification.next_change_on,
            "epoch": explanation.epoch.as_str(),
            "files": {
                "number": explanation.files.number,
                "from_on": explanation.files.from_on,
                "files_id": explanation.files.files_id,
                "statistics": explanation.files.statistics,
                "why": if explanation.files.is_instead { "first" } else { "in_force" },
            },
            "scorecard": explanation.scorecard,
            "policy": explanation.policy,
            "reasons": classification.reasons,
        }))?;
        return Ok(ExitCode::Done);
    }
    eprintln!(
        "{id}: tier {} with {} points as of {} (scorecard {}, policy {})",
        classification.tier,
        classification.points,
        classification.as_of.day,
        explanation.scorecard,
        explanation.policy
    );
    if explanation.files.is_instead {
        eprintln!(
            "nothing was in force on {day}; the first files speak for it, in force since {}",
            explanation.files.from_on
        );
    }
    if let Some(successor) = &explanation.life.merged_into {
        eprintln!("{id} is merged into {successor}, whose tier this is");
    }
    let mut table = Table::new(&["step", "code", "points", "tier", "reason", "原因"]);
    for reason in &classification.reasons {
        table.row(vec![
            serde_json::to_value(reason.step)?,
            reason.code.clone().into(),
            reason.points.map_or(Value::Null, Value::from),
            reason
                .tier
                .map_or(Value::Null, |tier| tier.to_string().into()),
            reason.text.en.clone().into(),
            reason.text.zh.clone().into(),
        ]);
    }
    print_table(&table, format)?;
    Ok(ExitCode::Done)
}

/// A store that lives as long as one command.
pub(super) struct PassingStore(PathBuf);

impl PassingStore {
    pub(super) fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("risktier-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).map_err(Failure::at(&folder))?;
        Ok(Self(folder))
    }

    pub(super) fn store(&self) -> PathBuf {
        self.0.join("register.db")
    }
}

impl Drop for PassingStore {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
