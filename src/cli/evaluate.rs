//! `risktier evaluate`: how good a model is.

use clap::Args;
use std::path::PathBuf;

use super::compose::{CommonFlags, blocking, runtime};
use super::exit::{Ended, Failure};
use super::judging::{
    OutFlags, RegisterFlags, RoundFlags, ScoreFlags, TableFlags, baseline, ended,
};
use super::judging_tables::{figures, guards, heading, tiers};
use super::output::{OutputFormat, print_json, print_table, say};
use super::registers::{Registers, judged};
use crate::domain::AsOf;
use crate::report;
use crate::service::{Models, evaluate_table};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    table: TableFlags,
    #[command(flatten)]
    scores: ScoreFlags,
    #[command(flatten)]
    register: RegisterFlags,
    #[command(flatten)]
    rounds: RoundFlags,
    #[command(flatten)]
    out: OutFlags,
    /// Also show drift against this table, or with `scorecard` against the rows the scorecard was trained on; default:
    /// none.
    #[arg(long, value_name = "FILE", requires = "table")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    common: CommonFlags,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    let evaluation = blocking(&runtime, {
        let common = arguments.common.clone();
        let rounds = arguments.rounds.settings();
        let line_bytes = settings.limits.line_bytes;
        let scoring = match &arguments.table.table {
            Some(_) => Some(arguments.scores.scoring(common.scorecard.as_ref())?),
            None => None,
        };
        let spec = arguments
            .table
            .table
            .as_deref()
            .map(|table| arguments.table.spec(table, line_bytes));
        let against = arguments.baseline.as_deref().map(baseline);
        let (data, outcome) = (
            arguments.register.data.clone(),
            arguments.register.outcome()?,
        );
        move || {
            if let Some((spec, scoring)) = spec.zip(scoring) {
                let models = Models::load(&common.table_files())?;
                return Ok(evaluate_table(
                    &spec,
                    &scoring,
                    against.as_ref(),
                    rounds,
                    &models,
                )?);
            }
            let (mapping, rule) = outcome;
            let registers = Registers::open(&settings, data.as_deref(), mapping.as_ref())?;
            let service = registers.service(&settings)?;
            let as_of = AsOf::monthly(service.today());
            let models = judged(&service, &settings);
            Ok(service.evaluate_register(&models, as_of, &rule, rounds)?)
        }
    })?;
    if let Some(path) = &arguments.out.report {
        let page = report::evaluation_page(&evaluation, arguments.out.language.of_report());
        std::fs::write(path, page).map_err(Failure::at(path))?;
    }
    match arguments.out.format {
        OutputFormat::Json => print_json(&evaluation)?,
        OutputFormat::Csv => print_table(&figures(&evaluation), OutputFormat::Csv)?,
        OutputFormat::Table => {
            say(&heading(&evaluation))?;
            print_table(&figures(&evaluation), OutputFormat::Table)?;
            if let Some(tiers) = tiers(&evaluation) {
                say(&format!("\n{}", tiers.to_text()))?;
            }
            say(&format!("\n{}", guards(&evaluation.guards).to_text()))?;
        }
    }
    Ok(ended(&evaluation.guards))
}
