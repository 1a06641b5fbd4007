//! `risktier drift`: whether score and features still spread as they did; no outcome is needed.

use clap::Args;
use std::path::PathBuf;

use super::compose::CommonFlags;
use super::exit::Ended;
use super::judging::{ScoreFlags, baseline, ended};
use super::output::{OutputFormat, Table, print_json, print_table, rounded};
use crate::service::figures::Stability;
use crate::service::{Models, TableSpec, drift_of_tables};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The table of now.
    #[arg(long, value_name = "FILE")]
    table: PathBuf,
    /// The table to compare with, or `scorecard` for the rows the scorecard was trained on.
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    #[command(flatten)]
    scores: ScoreFlags,
    /// Column that is no feature, such as an id or a day; may be given several times; default: none. Without a scorecard
    /// every other column is a feature.
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
    #[command(flatten)]
    common: CommonFlags,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let models = Models::load(&arguments.common.table_files())?;
    let scoring = arguments
        .scores
        .scoring(arguments.common.scorecard.as_ref())?;
    let spec = TableSpec {
        table: arguments.table.clone(),
        ignore: arguments.ignore.clone(),
        max_row_bytes: settings.limits.line_bytes,
        ..TableSpec::default()
    };
    let stability = drift_of_tables(&spec, &scoring, &baseline(&arguments.baseline), &models)?;
    let results = models.guard.judge_drift(&stability);
    match arguments.format {
        OutputFormat::Json => print_json(&serde_json::json!({
            "format": "risktier-drift/1",
            "stability": stability,
            "guards": results,
        }))?,
        format @ (OutputFormat::Table | OutputFormat::Csv) => {
            print_table(&shifts(&stability), format)?
        }
    }
    Ok(ended(&results))
}

fn shifts(stability: &Stability) -> Table {
    let mut table = Table::new(&[
        "column",
        "index",
        "by_chance",
        "verdict",
        "missing_before",
        "missing_now",
        "unseen_now",
    ]);
    for shift in std::iter::once(&stability.score).chain(&stability.features) {
        table.row(vec![
            shift.name.clone().into(),
            rounded(shift.index, 4),
            rounded(shift.by_chance, 4),
            serde_json::to_value(shift.verdict).unwrap_or_default(),
            rounded(shift.missing_before, 4),
            rounded(shift.missing_now, 4),
            rounded(shift.unseen_now, 4),
        ]);
    }
    table
}
