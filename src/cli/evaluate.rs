//! `risktier evaluate`, `compare` and `drift`: how good a model is, whether another is better, and whether the world has
//! moved.

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use serde_json::Value;
use std::path::{Path, PathBuf};

use super::compose::{CommonFlags, blocking, runtime};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table, rounded, say};
use super::registers::Registers;
use crate::domain::AsOf;
use crate::report;
use crate::service::figures::{
    Comparison, ComparisonVerdict, Evaluation, Figure, GuardResult, GuardState, Settings,
    Stability, any_broken,
};
use crate::service::{
    Baseline, Mapping, Models, OutcomeRule, Scoring, TableSpec, compare_tables, drift_of_tables,
    evaluate_table,
};
use crate::telemetry::init_logs;

/// A table and the roles of its columns.
#[derive(Debug, Args)]
struct TableFlags {
    /// Evaluate the rows of this CSV file; default: the register.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Column with what was found: 0/1, true/false, yes/no, or a number.
    #[arg(long, value_name = "COLUMN", default_value = "outcome")]
    outcome: String,
    /// Least number in the outcome column that counts as a problem.
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    outcome_from: f64,
    /// Column with the design weight; default: none, every row counts once.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// Column with the day of the inspection; default: none.
    #[arg(long, value_name = "COLUMN")]
    day: Option<String>,
    /// Column with the enterprise; rows of one enterprise are resampled together; default: none.
    #[arg(long, value_name = "COLUMN")]
    enterprise: Option<String>,
    /// Column with the rate at which the policy would visit; default: the policy's rate of the tier.
    #[arg(long, value_name = "COLUMN")]
    rate: Option<String>,
    /// Column to show figures by, such as division or industry; may be given several times; default: none.
    #[arg(long, value_name = "COLUMN")]
    group: Vec<String>,
    /// First day to evaluate, by the day column; default: all.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last day to evaluate, by the day column; default: all.
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
}

/// Columns that hold scores already.
#[derive(Debug, Args)]
struct ScoreFlags {
    /// Column with a score, instead of a scorecard; higher is riskier; default: none.
    #[arg(long, value_name = "COLUMN")]
    score: Option<String>,
    /// Column with the probability that goes with the score; default: none.
    #[arg(long, value_name = "COLUMN")]
    probability: Option<String>,
    /// Column with the tier that goes with the score; default: none.
    #[arg(long, value_name = "COLUMN")]
    tier: Option<String>,
}

/// The register, when no table is given.
#[derive(Debug, Args)]
struct RegisterFlags {
    /// Classify the files of this folder instead of the store; nothing is kept.
    #[arg(long, value_name = "DIR", conflicts_with = "table")]
    data: Option<PathBuf>,
    /// Mapping file (TOML) whose `[demo.outcome]` says which later inspections count and what a problem is; default:
    /// none.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
}

/// How intervals are made.
#[derive(Debug, Args)]
struct RoundFlags {
    /// Resamples behind the headline intervals.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    rounds: u32,
    /// Seed of the resamples.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Days of the windows within which visits are handed out again.
    #[arg(long, value_name = "DAYS", default_value_t = 60)]
    window_days: u32,
}

/// Language of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// Chinese first.
    Zh,
    /// English first.
    En,
}

/// Where results go.
#[derive(Debug, Args)]
struct OutFlags {
    /// Write a report to this HTML file, self-contained, in Chinese and English; default: none.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Language that the report opens in; it holds both.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    language: Language,
    /// Form of the result on standard output; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct EvaluateArguments {
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

#[derive(Debug, Args)]
pub(super) struct CompareArguments {
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

#[derive(Debug, Args)]
pub(super) struct DriftArguments {
    /// The table of now.
    #[arg(long, value_name = "FILE")]
    table: PathBuf,
    /// The table to compare with, or `scorecard` for the rows the scorecard was trained on.
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    #[command(flatten)]
    scores: ScoreFlags,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
    #[command(flatten)]
    common: CommonFlags,
}

impl TableFlags {
    fn spec(&self, table: &Path, max_row_bytes: usize) -> TableSpec {
        TableSpec {
            table: table.to_owned(),
            outcome: self.outcome.clone(),
            outcome_from: self.outcome_from,
            weight: self.weight.clone(),
            day: self.day.clone(),
            enterprise: self.enterprise.clone(),
            rate: self.rate.clone(),
            groups: self.group.clone(),
            from: self.from,
            until: self.until,
            max_row_bytes,
        }
    }
}

impl ScoreFlags {
    fn scoring(&self, card: Option<&PathBuf>) -> Result<Scoring, Failure> {
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
    fn settings(&self) -> Settings {
        Settings {
            rounds: self.rounds,
            seed: self.seed,
            window_days: self.window_days,
        }
    }
}

impl Language {
    fn of_report(self) -> report::Language {
        match self {
            Self::Zh => report::Language::Zh,
            Self::En => report::Language::En,
        }
    }
}

fn baseline(path: &Path) -> Baseline {
    if path.as_os_str() == "scorecard" {
        Baseline::OfScorecard
    } else {
        Baseline::Table(path.to_owned())
    }
}

fn rule(mapping: Option<&Mapping>) -> Result<OutcomeRule, Failure> {
    mapping
        .and_then(Mapping::demo)
        .and_then(|demo| demo.outcome.as_ref())
        .map(OutcomeRule::from)
        .ok_or_else(|| {
            Failure::Other(
                "what counts as a problem is unknown: give `--table`, or a `--mapping` with a `[demo.outcome]` part"
                    .to_owned(),
            )
        })
}

/// Runs `risktier evaluate`.
pub(super) fn run(arguments: EvaluateArguments) -> Ended {
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
        let (data, mapping) = (
            arguments.register.data.clone(),
            arguments.register.mapping.clone(),
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
            let mapping = mapping.as_deref().map(Mapping::load).transpose()?;
            let registers = Registers::open(&settings, data.as_deref(), mapping.as_ref())?;
            let service = registers.service(&settings)?;
            let as_of = AsOf::monthly(service.today());
            Ok(service.evaluate_register(as_of, &rule(mapping.as_ref())?, rounds)?)
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

/// Runs `risktier compare`.
pub(super) fn run_compare(arguments: CompareArguments) -> Ended {
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
        let (data, mapping) = (
            arguments.register.data.clone(),
            arguments.register.mapping.clone(),
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
            let mapping = mapping.as_deref().map(Mapping::load).transpose()?;
            let registers = Registers::open(&settings, data.as_deref(), mapping.as_ref())?;
            let current = registers.service(&settings)?;
            let mut next = settings.clone();
            next.models.scorecard = next_card.or(next.models.scorecard);
            next.models.policy = next_policy.or(next.models.policy);
            let candidate = registers.service(&next)?;
            let as_of = AsOf::monthly(current.today());
            Ok(current.compare_register(&candidate, as_of, &rule(mapping.as_ref())?, rounds)?)
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

/// Runs `risktier drift`.
pub(super) fn run_drift(arguments: DriftArguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let models = Models::load(&arguments.common.table_files())?;
    let scoring = arguments
        .scores
        .scoring(arguments.common.scorecard.as_ref())?;
    let spec = TableSpec {
        table: arguments.table.clone(),
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

fn ended(results: &[GuardResult]) -> ExitCode {
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

fn heading(evaluation: &Evaluation) -> String {
    let data = &evaluation.data;
    format!(
        "{}: {} rows of {} enterprises, {} with a problem ({})",
        evaluation.subject.model, data.rows, data.enterprises, data.found, evaluation.subject.data
    )
}

fn number(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| rounded(value, 4))
}

fn figure_row(name: &str, weighting: Value, figure: &Figure) -> Vec<Value> {
    vec![
        name.into(),
        weighting,
        number(figure.value),
        number(figure.low),
        number(figure.high),
        figure
            .not_estimable
            .clone()
            .map_or(Value::Null, Value::from),
    ]
}

const FIGURE_COLUMNS: [&str; 6] = ["figure", "weighting", "value", "low", "high", "remark"];

fn figures(evaluation: &Evaluation) -> Table {
    let mut table = Table::new(&FIGURE_COLUMNS);
    for view in &evaluation.views {
        let weighting = serde_json::to_value(view.weighting).unwrap_or_default();
        let headline = &view.headline;
        let mut rows = vec![
            ("auc", &headline.auc),
            ("ks", &headline.ks),
            ("gini", &headline.gini),
            ("captured_top_tenth", &headline.captured_top_tenth),
            ("problem_rate", &headline.problem_rate),
        ];
        if let Some(calibration) = &view.calibration {
            rows.extend([
                ("brier", &headline.brier),
                ("log_loss", &headline.log_loss),
                ("observed_to_expected", &headline.observed_to_expected),
                ("calibration_error", &calibration.error),
                ("calibration_error_by_chance", &calibration.error_by_chance),
            ]);
        }
        if let Some(policy) = &view.policy {
            rows.extend([
                ("found_per_visit_policy", &policy.policy),
                ("found_per_visit_uniform", &policy.uniform),
                ("policy_to_uniform", &policy.ratio),
            ]);
        }
        for (name, figure) in rows {
            table.row(figure_row(name, weighting.clone(), figure));
        }
    }
    if let Some(order) = &evaluation.order {
        table.row(figure_row(
            "days_earlier",
            "rows".into(),
            &order.days_earlier,
        ));
        table.row(figure_row("order_skill", "rows".into(), &order.skill));
    }
    if let Some(stability) = &evaluation.stability {
        table.row(figure_row(
            "score_shift",
            "rows".into(),
            &Figure::of(stability.score.index),
        ));
    }
    table
}

fn tiers(evaluation: &Evaluation) -> Option<Table> {
    let tiers = evaluation.views.last()?.tiers.as_ref()?;
    let mut table = Table::new(&[
        "tier",
        "rows",
        "percent",
        "found",
        "rate_percent",
        "from",
        "to",
    ]);
    for row in &tiers.tiers {
        let percent = |value: f64| rounded(value * 100.0, 1);
        table.row(vec![
            row.tier.to_string().into(),
            row.found.rows.into(),
            percent(row.found.share),
            row.found.found.into(),
            row.found.rate.map_or(Value::Null, percent),
            percent(row.found.low),
            percent(row.found.high),
        ]);
    }
    Some(table)
}

fn guards(results: &[GuardResult]) -> Table {
    let mut table = Table::new(&["guard", "value", "limit", "state"]);
    for result in results {
        table.row(vec![
            result.guard.clone().into(),
            number(result.value),
            result.limit.clone().into(),
            serde_json::to_value(result.state).unwrap_or_default(),
        ]);
    }
    table
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
