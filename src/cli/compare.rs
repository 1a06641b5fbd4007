//! `risktier compare`: whether another model is better, where, and who would move.

use clap::Args;
use serde_json::Value;
use std::path::PathBuf;

use super::compose::{CommonFlags, blocking, runtime};
use super::exit::{Ended, Failure};
use super::judging::{OutFlags, RegisterFlags, RoundFlags, ScoreFlags, TableFlags, ended};
use super::judging_tables::{FIGURE_COLUMNS, figure_row, guards, heading};
use super::output::{OutputFormat, Table, print_json, print_table, rounded, say};
use super::registers::{Registers, judged};
use crate::domain::AsOf;
use crate::report;
use crate::service::figures::{Comparison, ComparisonVerdict};
use crate::service::{ModelFiles, Models, compare_tables};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scorecard that might replace the one in force (`--scorecard`, or the compiled-in one).
    #[arg(long, value_name = "FILE")]
    candidate: Option<PathBuf>,
    /// The policy that might replace the one in force; for the register only; default: the same.
    #[arg(long, value_name = "FILE", conflicts_with = "table")]
    candidate_policy: Option<PathBuf>,
    /// Column with the candidate's score, instead of a scorecard; default: none.
    #[arg(long, value_name = "COLUMN", conflicts_with = "candidate")]
    candidate_score: Option<String>,
    /// Column with the probability that goes with the candidate's score; default: none.
    #[arg(long, value_name = "COLUMN")]
    candidate_probability: Option<String>,
    /// Column with the tier that goes with the candidate's score; default: none.
    #[arg(long, value_name = "COLUMN")]
    candidate_tier: Option<String>,
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
    #[command(flatten)]
    common: CommonFlags,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    let comparison = blocking(&runtime, {
        let common = arguments.common.clone();
        let rounds = arguments.rounds.settings();
        let candidate = ScoreFlags {
            score: arguments.candidate_score.clone(),
            probability: arguments.candidate_probability.clone(),
            tier: arguments.candidate_tier.clone(),
        };
        let sides = match &arguments.table.table {
            Some(table) => Some((
                arguments.table.spec(table, settings.limits.line_bytes),
                arguments.scores.scoring(common.scorecard.as_ref())?,
                candidate.scoring(arguments.candidate.as_ref())?,
            )),
            None => None,
        };
        let (data, outcome) = (
            arguments.register.data.clone(),
            arguments.register.outcome()?,
        );
        let (next_card, next_policy) = (
            arguments.candidate.clone(),
            arguments.candidate_policy.clone(),
        );
        move || {
            if let Some((spec, current, candidate)) = sides {
                let models = Models::load(&common.table_files())?;
                return Ok(compare_tables(
                    &spec, &current, &candidate, rounds, &models,
                )?);
            }
            if next_card.is_none() && next_policy.is_none() {
                return Err(Failure::Other(
                    "nothing to compare with: give `--candidate`, `--candidate-policy`, or both"
                        .to_owned(),
                ));
            }
            let (mapping, rule) = outcome;
            let registers = Registers::open(&settings, data.as_deref(), mapping.as_ref())?;
            let service = registers.service(&settings)?;
            let current = judged(&service, &settings);
            let candidate = current.replacing(&ModelFiles {
                scorecard: next_card,
                policy: next_policy,
                ..ModelFiles::default()
            })?;
            let as_of = AsOf::monthly(service.today());
            Ok(service.compare_register(&current, &candidate, as_of, &rule, rounds)?)
        }
    })?;
    if let Some(path) = &arguments.out.report {
        let page = report::comparison_page(&comparison, arguments.out.language.of_report());
        std::fs::write(path, page).map_err(Failure::at(path))?;
    }
    match arguments.out.format {
        OutputFormat::Json => print_json(&comparison)?,
        OutputFormat::Csv => print_table(&differences(&comparison), OutputFormat::Csv)?,
        OutputFormat::Table => {
            say(&heading(&comparison.current))?;
            say(&heading(&comparison.candidate))?;
            print_table(&differences(&comparison), OutputFormat::Table)?;
            if let Some(moves) = moves(&comparison) {
                say(&format!("\n{}", moves.to_text()))?;
            }
            say(&format!(
                "\n{}",
                guards(&comparison.candidate.guards).to_text()
            ))?;
            say(match comparison.verdict {
                ComparisonVerdict::CandidateBetter => "\nThe candidate ranks better.",
                ComparisonVerdict::CurrentBetter => "\nThe model in force ranks better.",
                ComparisonVerdict::NotTold => "\nThe rows do not tell which one ranks better.",
            })?;
        }
    }
    Ok(ended(&comparison.candidate.guards))
}

fn differences(comparison: &Comparison) -> Table {
    let mut table = Table::new(&FIGURE_COLUMNS);
    for differences in &comparison.differences {
        let weighting = serde_json::to_value(differences.weighting).unwrap_or_default();
        for (name, figure) in [
            ("auc", &differences.auc),
            ("auc_delong", &differences.auc_delong),
            ("ks", &differences.ks),
            ("captured_top_tenth", &differences.captured_top_tenth),
            ("brier", &differences.brier),
            ("log_loss", &differences.log_loss),
            ("found_per_visit_policy", &differences.policy_rate),
            ("order_skill", &differences.order_skill),
        ] {
            table.row(figure_row(name, weighting.clone(), figure));
        }
    }
    table
}

fn moves(comparison: &Comparison) -> Option<Table> {
    let mut table = Table::new(&["from", "to", "rows", "found", "rate_percent"]);
    for cell in comparison
        .moves
        .as_ref()?
        .iter()
        .filter(|cell| cell.found.rows > 0)
    {
        table.row(vec![
            cell.from.to_string().into(),
            cell.to.to_string().into(),
            cell.found.rows.into(),
            cell.found.found.into(),
            cell.found
                .rate
                .map_or(Value::Null, |rate| rounded(rate * 100.0, 1)),
        ]);
    }
    Some(table)
}
