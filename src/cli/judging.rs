//! What the verbs that judge models share: the rows, what scores them, where results go, and how they end.

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use std::path::{Path, PathBuf};

use super::exit::{ExitCode, Failure};
use super::output::OutputFormat;
use crate::report;
use crate::service::figures::{GuardResult, GuardState, Settings, any_broken};
use crate::service::{Baseline, Mapping, OutcomeRule, Scoring, TableSpec};

/// A table and the roles of its columns.
#[derive(Debug, Args)]
pub(super) struct TableFlags {
    /// Evaluate the rows of this file (CSV, also gzip or zstd, or Parquet); default: the register.
    #[arg(long, value_name = "FILE")]
    pub(super) table: Option<PathBuf>,
    /// Column with what was found: 0/1, true/false, yes/no, or a number.
    #[arg(long, value_name = "COLUMN", default_value = "outcome")]
    pub(super) outcome: String,
    /// Least number in the outcome column that counts as a problem.
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    pub(super) outcome_from: f64,
    /// Column with the design weight; default: none, every row counts once.
    #[arg(long, value_name = "COLUMN")]
    pub(super) weight: Option<String>,
    /// Column with the day of the inspection; default: none.
    #[arg(long, value_name = "COLUMN")]
    pub(super) day: Option<String>,
    /// Column with the enterprise; rows of one enterprise are resampled together; default: none.
    #[arg(long, value_name = "COLUMN")]
    pub(super) enterprise: Option<String>,
    /// Column with the rate at which the policy would visit; default: the policy's rate of the tier.
    #[arg(long, value_name = "COLUMN")]
    pub(super) rate: Option<String>,
    /// Column to show figures by, such as division or industry; may be given several times; default: none.
    #[arg(long, value_name = "COLUMN")]
    pub(super) group: Vec<String>,
    /// First day to evaluate, by the day column; default: all.
    #[arg(long, value_name = "DATE")]
    pub(super) from: Option<Date>,
    /// Last day to evaluate, by the day column; default: all.
    #[arg(long, value_name = "DATE")]
    pub(super) until: Option<Date>,
}

/// Columns that hold scores already.
#[derive(Debug, Args)]
pub(super) struct ScoreFlags {
    /// Column with a score, instead of a scorecard; higher is riskier; default: none.
    #[arg(long, value_name = "COLUMN")]
    pub(super) score: Option<String>,
    /// Column with the probability that goes with the score; default: none.
    #[arg(long, value_name = "COLUMN")]
    pub(super) probability: Option<String>,
    /// Column with the tier that goes with the score; default: none.
    #[arg(long, value_name = "COLUMN")]
    pub(super) tier: Option<String>,
}

/// The register, when no table is given.
#[derive(Debug, Args)]
pub(super) struct RegisterFlags {
    /// Classify the files of this folder instead of the store; nothing is kept.
    #[arg(long, value_name = "DIR", conflicts_with = "table")]
    pub(super) data: Option<PathBuf>,
    /// Mapping file (TOML) of that folder; its `[demo.outcome]` says which later inspections count and what a problem is
    /// unless `--outcomes` does; default: none.
    #[arg(long, value_name = "FILE")]
    pub(super) mapping: Option<PathBuf>,
    /// What result codes say (TOML); default: that of the mapping, else the codes of the national platform.
    #[arg(long, value_name = "FILE", conflicts_with = "table")]
    pub(super) outcomes: Option<PathBuf>,
}

impl RegisterFlags {
    /// The mapping, and what counts as a problem.
    pub(super) fn outcome(&self) -> Result<(Option<Mapping>, OutcomeRule), Failure> {
        let mapping = self.mapping.as_deref().map(Mapping::load).transpose()?;
        let rule = outcome_rule(self.outcomes.as_deref(), mapping.as_ref())?;
        Ok((mapping, rule))
    }
}

/// How intervals are made.
#[derive(Debug, Args)]
pub(super) struct RoundFlags {
    /// Resamples behind the headline intervals.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub(super) rounds: u32,
    /// Seed of the resamples.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,
    /// Days of the windows within which visits are handed out again.
    #[arg(long, value_name = "DAYS", default_value_t = 60)]
    pub(super) window_days: u32,
}

/// Language of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// Chinese first.
    Zh,
    /// English first.
    En,
}

/// Where results go.
#[derive(Debug, Args)]
pub(super) struct OutFlags {
    /// Write a report to this HTML file, self-contained, in Chinese and English; default: none.
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Language that the report opens in; it holds both.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    pub(super) language: Language,
    /// Form of the result on standard output; default: table.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
}

impl TableFlags {
    pub(super) fn spec(&self, table: &Path, max_row_bytes: usize) -> TableSpec {
        TableSpec {
            table: table.to_owned(),
            outcome: self.outcome.clone(),
            outcome_from: self.outcome_from,
            weight: self.weight.clone(),
            day: self.day.clone(),
            enterprise: self.enterprise.clone(),
            rate: self.rate.clone(),
            groups: self.group.clone(),
            ignore: Vec::new(),
            from: self.from,
            until: self.until,
            max_row_bytes,
        }
    }
}

impl ScoreFlags {
    pub(super) fn scoring(&self, card: Option<&PathBuf>) -> Result<Scoring, Failure> {
        match (&self.score, card) {
            (Some(score), None) => Ok(Scoring::Columns {
                score: score.clone(),
                probability: self.probability.clone(),
                tier: self.tier.clone(),
            }),
            (None, Some(card)) => Ok(Scoring::Card(card.clone())),
            (Some(_), Some(_)) => Err(Failure::Other(
                "`--score` and `--scorecard` both score the rows; keep one".to_owned(),
            )),
            (None, None) => Err(Failure::Other(
                "nothing scores the rows: give `--scorecard`, or `--score` with the column that holds the score".to_owned(),
            )),
        }
    }
}

impl RoundFlags {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            rounds: self.rounds,
            seed: self.seed,
            window_days: self.window_days,
        }
    }
}

impl Language {
    pub(super) fn of_report(self) -> report::Language {
        match self {
            Self::Zh => report::Language::Zh,
            Self::En => report::Language::En,
        }
    }
}

pub(super) fn baseline(path: &Path) -> Baseline {
    if path.as_os_str() == "scorecard" {
        Baseline::OfScorecard
    } else {
        Baseline::Table(path.to_owned())
    }
}

/// What counts as a problem: the rule that is named, else that of the mapping, else the codes of the national platform.
pub(super) fn outcome_rule(
    outcomes: Option<&Path>,
    mapping: Option<&Mapping>,
) -> Result<OutcomeRule, Failure> {
    if let Some(path) = outcomes {
        let text = std::fs::read_to_string(path).map_err(Failure::at(path))?;
        return Ok(OutcomeRule::from_toml(&text)?);
    }
    let demo = mapping.and_then(Mapping::demo);
    match demo.and_then(|demo| demo.outcome.as_ref()) {
        Some(outcome) => Ok(OutcomeRule::from(outcome)),
        None => Ok(OutcomeRule::compiled_in()?),
    }
}

/// Tells broken guards and gives the exit code.
pub(super) fn ended(results: &[GuardResult]) -> ExitCode {
    for broken in results
        .iter()
        .filter(|result| result.state == GuardState::Broken)
    {
        eprintln!(
            "risktier: guard `{}` is broken: {} where {} is asked for",
            broken.guard,
            broken
                .value
                .map_or_else(|| "nothing".to_owned(), |value| format!("{value:.4}")),
            broken.limit
        );
    }
    if any_broken(results) {
        ExitCode::AnswerIsNo
    } else {
        ExitCode::Done
    }
}
