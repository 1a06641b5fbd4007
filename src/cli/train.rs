//! `risktier train`: a scorecard from a table with outcomes, or from what inspections of the register found.

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use serde_json::Value;
use std::path::PathBuf;
use std::str::FromStr;

use super::compose::{CommonFlags, blocking, enterprise_kind, runtime};
use super::exit::{Ended, ExitCode, Failure};
use super::judging::outcome_rule;
use super::output::{OutputFormat, Table, print_json, print_table, rounded, say};
use super::progress::spinner;
use super::registers::{Registers, judged};
use crate::domain::EnterpriseKind;
use crate::service::training::{
    RegisterRows, RegisterSplit, Roles, RowRules, TableRead, TrainingError, TrainingFolder,
    Unplanned, read_card_rows, read_table, write_roles, write_training,
};
use crate::service::{
    CalibrationMethod, CutoffRule, Fitter, Mapping, Models, Scaling, Scorecard, TrainParams,
    TrainReport, Trained, Validation, train,
};
use crate::telemetry::init_logs;

/// The longest row of a training table.
const MAX_ROW_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Table with features and outcome (CSV, also gzip or zstd, or Parquet).
    #[arg(long, value_name = "FILE", required_unless_present_any = ["edited", "from_register"])]
    table: Option<PathBuf>,
    /// Train on the register instead: what was known on the day before each inspection, and what it found.
    #[arg(long, conflicts_with_all = ["table", "edited", "roles", "outcome"])]
    from_register: bool,
    #[command(flatten)]
    register: RegisterRowFlags,
    /// Roles of the columns (TOML); default: inferred from their names and printed.
    #[arg(long, value_name = "FILE")]
    roles: Option<PathBuf>,
    /// The outcome column, over the roles; default: the one the roles name, or `outcome`, `label` or `target`.
    #[arg(long, value_name = "COLUMN")]
    outcome: Option<String>,
    /// Folder for the card, its report, the card as a table, and SQL.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How the points are fitted; default: auto, the better of both on held-back rows.
    #[arg(long, value_enum, default_value = "auto")]
    fitter: FitterFlag,
    /// First day of the rows that only validate; default: the latest fifth of the rows.
    #[arg(long, value_name = "DATE", conflicts_with = "validate_share")]
    validate_from: Option<Date>,
    /// Share of the rows that only validate, the latest ones where there are days; 0 keeps none back; default: 0.2, from
    /// the register 0.3.
    #[arg(long, value_name = "SHARE")]
    validate_share: Option<f64>,
    /// Days before validation whose rows are used for nothing; default: 0, from the register 30.
    #[arg(long)]
    gap_days: Option<u16>,
    /// Shares of tiers B, C and D among the fitted rows; default: 0.29,0.065,0.025.
    #[arg(long, value_name = "B,C,D", value_parser = numbers::<f64, 3>, conflicts_with_all = ["cutoffs", "problem_rates"])]
    shares: Option<[f64; 3]>,
    /// Least points of tiers B, C and D; default: from the shares.
    #[arg(long, value_name = "B,C,D", value_parser = numbers::<u16, 3>, conflicts_with = "problem_rates")]
    cutoffs: Option<[u16; 3]>,
    /// Least probabilities of a problem in tiers B, C and D; default: from the shares.
    #[arg(long, value_name = "B,C,D", value_parser = numbers::<f64, 3>)]
    problem_rates: Option<[f64; 3]>,
    /// Visits that can be made and enterprises of the register: tiers B, C and D keep the proportion of their shares and
    /// become as large as the visits allow; default: the shares as they are.
    #[arg(long, value_name = "VISITS,ENTERPRISES", value_parser = numbers::<u64, 2>, conflicts_with_all = ["cutoffs", "problem_rates"])]
    capacity: Option<[u64; 2]>,
    /// Yearly rates of visits in tiers A, B, C and D that the capacity is spent at; default: those of general items in
    /// `--policy`, or in the compiled-in policy.
    #[arg(long, value_name = "A,B,C,D", value_parser = numbers::<f64, 4>, requires = "capacity")]
    visit_rates: Option<[f64; 4]>,
    /// Points that double the odds, with points at even odds after a comma; default: the rows fill 0 to 1000.
    #[arg(long, value_name = "PDO,POINTS", value_parser = numbers::<f64, 2>)]
    pdo: Option<[f64; 2]>,
    /// How points become probabilities; default: platt.
    #[arg(long, value_enum, default_value = "platt")]
    calibration: CalibrationFlag,
    /// Most pair terms to look for; 0 keeps the card to single features.
    #[arg(long, default_value_t = 16)]
    pairs: usize,
    /// A pair term to fit, as two columns with a comma; may be repeated; default: pairs are looked for.
    #[arg(long = "pair", value_name = "A,B")]
    declared_pairs: Vec<String>,
    /// Name of the card.
    #[arg(long, default_value = "trained")]
    name: String,
    /// Version of the card.
    #[arg(long, default_value_t = 1)]
    card_version: u32,
    /// Card (JSON) that this one replaces; it is named as the parent; default: none.
    #[arg(long, value_name = "FILE")]
    parent: Option<PathBuf>,
    /// Instead of training: a card edited as a table, checked against --parent and given new test vectors.
    #[arg(
        long,
        value_name = "FILE",
        requires = "parent",
        conflicts_with = "table"
    )]
    edited: Option<PathBuf>,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Train other kinds of models on the same rows too and report them beside the card; default: no.
    #[arg(long)]
    challengers: bool,
    /// End with exit code 1 where a feature runs the wrong way, instead of leaving it out; default: no.
    #[arg(long)]
    strict: bool,
    /// Threads; the card does not depend on them; default: one per core.
    #[arg(long)]
    threads: Option<usize>,
    #[command(flatten)]
    common: CommonFlags,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

/// Which inspections of the register are learned from.
#[derive(Debug, Args)]
struct RegisterRowFlags {
    /// Import this folder into a passing register and train on it; nothing is kept; default: the store.
    #[arg(long, value_name = "DIR", requires = "from_register")]
    data: Option<PathBuf>,
    /// Mapping file (TOML) of that folder; its `[demo.outcome]` says what a problem is unless `--outcomes` does;
    /// default: none.
    #[arg(long, value_name = "FILE", requires = "from_register")]
    mapping: Option<PathBuf>,
    /// What result codes say (TOML); default: the codes of the national platform.
    #[arg(long, value_name = "FILE", requires = "from_register")]
    outcomes: Option<PathBuf>,
    /// First day of the inspections; default: all.
    #[arg(long, value_name = "DATE", requires = "from_register")]
    since: Option<Date>,
    /// Last day of the inspections; default: all.
    #[arg(long, value_name = "DATE", requires = "from_register")]
    until: Option<Date>,
    /// Kind of enterprises whose inspections are learned from, for a card of its own; may be given several times; default:
    /// every kind.
    #[arg(long = "kind", value_name = "KIND", value_parser = enterprise_kind, requires = "from_register")]
    kinds: Vec<EnterpriseKind>,
    /// What becomes of inspections that no plan of this service drew; default: auto.
    #[arg(long, value_enum, requires = "from_register")]
    unplanned: Option<UnplannedFlag>,
    /// What divides the rows; default: day.
    #[arg(long, value_enum, requires = "from_register")]
    split: Option<SplitFlag>,
    /// Keep the rows as a table (CSV), with their roles beside it, so that others can train on them; default: they pass.
    #[arg(long, value_name = "FILE", requires = "from_register")]
    write_table: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnplannedFlag {
    /// Kept apart where plans drew any inspection, otherwise each counts once.
    Auto,
    /// Each counts once.
    Count,
    /// Kept apart.
    Apart,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SplitFlag {
    /// By day, then by owner.
    Day,
    /// By owner.
    Group,
    /// Every row is fitted.
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FitterFlag {
    /// Weights of evidence and logistic regression.
    Woe,
    /// Cyclic boosting with pair terms.
    Boost,
    /// The better of both on held-back rows.
    Auto,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CalibrationFlag {
    /// A logistic curve.
    Platt,
    /// Pool-adjacent-violators.
    Isotonic,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    match train_or_edit(&arguments) {
        Ok(()) => Ok(ExitCode::Done),
        Err(Failure::Training(error)) if error.is_refusal() => {
            eprintln!("risktier: {error}");
            Ok(ExitCode::AnswerIsNo)
        }
        Err(failure) => Err(failure),
    }
}

fn train_or_edit(arguments: &Arguments) -> Result<(), Failure> {
    let parent = match &arguments.parent {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(Failure::at(path))?;
            Some(Scorecard::from_json(&text).map_err(TrainingError::from)?)
        }
        None => None,
    };
    if let (Some(path), Some(parent)) = (&arguments.edited, &parent) {
        return edit(arguments, parent, path);
    }
    if arguments.from_register {
        return register(arguments, parent.as_ref());
    }
    let Some(path) = &arguments.table else {
        return Err(Failure::Other("name a table with --table".to_owned()));
    };
    let mut roles = match &arguments.roles {
        Some(path) => Roles::load(path).map_err(TrainingError::from)?,
        None => Roles::none(),
    };
    if let Some(outcome) = &arguments.outcome {
        roles.outcome = Some(outcome.clone());
    }
    let reading = spinner("reading the table");
    let read = read_table(path, roles, MAX_ROW_BYTES)?;
    reading.finish_and_clear();
    tell_columns(&read);
    let params = TrainParams {
        features: read.roles.feature.clone(),
        validation: validation(arguments),
        ..params(arguments, parent.as_ref())?
    }
    .valid()
    .map_err(TrainingError::from)?;
    let working = spinner("training");
    let trained = train(&read.table, &params, &mut |step| {
        working.set_message(step.to_owned())
    })
    .map_err(TrainingError::from)?;
    working.finish_and_clear();
    let files = write_training(&arguments.out, &trained)?;
    show(arguments, &trained, &files)
}

/// Trains on the register of the settings, or on a folder that is imported for it.
fn register(arguments: &Arguments, parent: Option<&Scorecard>) -> Result<(), Failure> {
    let flags = &arguments.register;
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let mapping = flags.mapping.as_deref().map(Mapping::load).transpose()?;
    let outcome = outcome_rule(flags.outcomes.as_deref(), mapping.as_ref())?;
    let rules = RowRules {
        outcome,
        from: flags.since,
        until: flags.until,
        kinds: flags.kinds.iter().copied().collect(),
        unplanned: match flags.unplanned {
            None | Some(UnplannedFlag::Auto) => Unplanned::Auto,
            Some(UnplannedFlag::Count) => Unplanned::Count,
            Some(UnplannedFlag::Apart) => Unplanned::Apart,
        },
        split: split(arguments),
        seed: arguments.seed,
    };
    let params = params(arguments, parent)?;
    let (data, kept) = (flags.data.clone(), flags.write_table.clone());
    let working = spinner("training");
    let told = working.clone();
    let runtime = runtime()?;
    let trained = blocking(&runtime, move || {
        let registers = Registers::open(&settings, data.as_deref(), mapping.as_ref())?;
        let service = registers.service(&settings)?;
        let models = judged(&service, &settings);
        Ok(
            service.train_on_register(&models, &rules, params, kept.as_deref(), &mut |step| {
                told.set_message(step.to_owned());
            })?,
        )
    })?;
    working.finish_and_clear();
    tell_rows(&trained.rows);
    if let Some(table) = &flags.write_table {
        let roles = table.with_extension("roles.toml");
        write_roles(&trained.roles, &roles)?;
        eprintln!(
            "the rows are in {}; the same card comes from them with --table {} --roles {}{}",
            table.display(),
            table.display(),
            roles.display(),
            retraining(arguments, &trained.rows)
        );
    }
    let files = write_training(&arguments.out, &trained.trained)?;
    let rows = arguments.out.join("rows.json");
    std::fs::write(&rows, serde_json::to_string_pretty(&trained.rows)? + "\n")
        .map_err(Failure::at(&rows))?;
    show(arguments, &trained.trained, &files)
}

/// The flags of division that make the same card from the table.
fn retraining(arguments: &Arguments, rows: &RegisterRows) -> String {
    match (rows.validate_from, rows.gap_days, split(arguments)) {
        (Some(from), Some(gap), _) => format!(" --validate-from {from} --gap-days {gap}"),
        (_, _, RegisterSplit::Group { share }) => format!(" --validate-share {share}"),
        (_, _, RegisterSplit::None | RegisterSplit::Day { .. }) => " --validate-share 0".to_owned(),
    }
}

fn split(arguments: &Arguments) -> RegisterSplit {
    let share = arguments.validate_share.unwrap_or(0.3);
    match arguments.register.split {
        _ if arguments.validate_share == Some(0.0) => RegisterSplit::None,
        Some(SplitFlag::None) => RegisterSplit::None,
        Some(SplitFlag::Group) => RegisterSplit::Group { share },
        None | Some(SplitFlag::Day) => RegisterSplit::Day {
            from: arguments.validate_from,
            share,
            gap_days: arguments.gap_days.unwrap_or(30),
        },
    }
}

/// Says what the rows are and what was left out.
fn tell_rows(rows: &RegisterRows) {
    eprintln!(
        "{} of {} inspections are rows, {} of them with a problem; {} owner groups",
        rows.row_count, rows.visit_count, rows.found_count, rows.group_count
    );
    for (count, found, what) in [
        (
            rows.apart_count,
            Some(rows.apart_found_count),
            "came about for a reason and are kept apart",
        ),
        (
            rows.unplanned_count,
            Some(rows.unplanned_found_count),
            "were drawn by no plan and are kept apart",
        ),
        (rows.silent_count, None, "have codes that say nothing"),
        (
            rows.unfounded_count,
            None,
            "were to what did not exist on the day before",
        ),
        (
            rows.other_kind_count,
            None,
            "were to enterprises of other kinds",
        ),
        (
            rows.purged_count,
            None,
            "are rows that are used for nothing, so that no owner is on both sides",
        ),
    ] {
        if count > 0 {
            let found =
                found.map_or_else(String::new, |found| format!(" ({found} found a problem)"));
            eprintln!("{count} {what}{found}");
        }
    }
    for (code, count) in &rows.unknown_codes {
        eprintln!("result code `{code}` is in no outcome rule: {count} inspections");
    }
    if rows.plan_count == 0 {
        eprintln!(
            "no plan drew any of the inspections, so each counts once: figures speak of the visits made"
        );
    } else {
        eprintln!(
            "{} rows count by the inverse of their probability in {} plans",
            rows.weighted_count, rows.plan_count
        );
    }
    if rows.with_statistics_count < rows.row_count {
        eprintln!(
            "in {} rows nothing was frozen yet, so indicators across the register are missing there",
            rows.row_count - rows.with_statistics_count
        );
    }
}

fn validation(arguments: &Arguments) -> Validation {
    let gap_days = arguments.gap_days.unwrap_or(0);
    match (arguments.validate_from, arguments.validate_share) {
        (Some(day), _) => Validation::From { day, gap_days },
        (None, Some(0.0)) => Validation::None,
        (None, share) => Validation::Share {
            share: share.unwrap_or(0.2),
            gap_days,
        },
    }
}

fn params(arguments: &Arguments, parent: Option<&Scorecard>) -> Result<TrainParams, Failure> {
    let cutoffs = match (
        arguments.capacity,
        arguments.cutoffs,
        arguments.problem_rates,
        arguments.shares,
    ) {
        (Some([visits, enterprises]), _, _, shares) => CutoffRule::Capacity {
            enterprises,
            visits,
            rates: visit_rates(arguments)?,
            shares: shares.unwrap_or(CutoffRule::DEFAULT_SHARES),
        },
        (None, Some([b, c, d]), _, _) => CutoffRule::Fixed { b, c, d },
        (None, None, Some([b, c, d]), _) => CutoffRule::ProblemRate { b, c, d },
        (None, None, None, Some([b, c, d])) => CutoffRule::Shares { b, c, d },
        (None, None, None, None) => CutoffRule::default(),
    };
    let pair = |text: &String| match text.split_once(',') {
        Some((first, second)) => Ok([first.to_owned(), second.to_owned()]),
        None => Err(Failure::Other(format!(
            "`{text}` is not a pair; write two columns with a comma"
        ))),
    };
    Ok(TrainParams {
        name: arguments.name.clone(),
        version: arguments.card_version,
        seed: arguments.seed,
        fitter: match arguments.fitter {
            FitterFlag::Woe => Fitter::Woe,
            FitterFlag::Boost => Fitter::Boost,
            FitterFlag::Auto => Fitter::Auto,
        },
        pairs: arguments.pairs,
        declared_pairs: arguments
            .declared_pairs
            .iter()
            .map(pair)
            .collect::<Result<_, _>>()?,
        scaling: match arguments.pdo {
            Some([pdo, points]) => Scaling::Pdo {
                pdo,
                points,
                odds: 1.0,
            },
            None => Scaling::Band,
        },
        cutoffs,
        calibration: match arguments.calibration {
            CalibrationFlag::Platt => CalibrationMethod::Platt,
            CalibrationFlag::Isotonic => CalibrationMethod::Isotonic,
        },
        challengers: arguments.challengers,
        strict: arguments.strict,
        parent: parent
            .map(|parent| parent.digest().map(|digest| digest.to_string()))
            .transpose()
            .map_err(TrainingError::from)?,
        threads: arguments.threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        }),
        ..TrainParams::default()
    })
}

/// The numbers of one flag, with a comma between.
fn numbers<T: FromStr, const N: usize>(text: &str) -> Result<[T; N], String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let count = parts.len();
    let read: Vec<T> = parts
        .into_iter()
        .map(|part| {
            let number = part.parse();
            number.map_err(|_| format!("`{part}` is not a number that fits here"))
        })
        .collect::<Result<_, _>>()?;
    read.try_into()
        .map_err(|_| format!("{count} numbers; write {N} of them with commas between"))
}

/// The rates at which the capacity is spent.
fn visit_rates(arguments: &Arguments) -> Result<[f64; 4], Failure> {
    if let Some(rates) = arguments.visit_rates {
        return Ok(rates);
    }
    let models = Models::load(&arguments.common.table_files())?;
    let rates = &models.sampling.rates.general;
    Ok([rates.a, rates.b, rates.c, rates.d])
}

/// Says which column was taken for what, so that a wrong guess is seen before the card is used.
fn tell_columns(read: &TableRead) {
    for (name, role, holds) in &read.columns {
        let role = serde_json::to_value(role).unwrap_or_default();
        eprintln!(
            "column {name}: {} ({holds})",
            role.as_str().unwrap_or_default()
        );
    }
    if read.without_outcome > 0 {
        eprintln!(
            "{} rows have no outcome and are not used",
            read.without_outcome
        );
    }
    if read.apart > 0 {
        eprintln!("{} rows are set apart and not used", read.apart);
    }
}

fn edit(arguments: &Arguments, parent: &Scorecard, path: &std::path::Path) -> Result<(), Failure> {
    let card = read_card_rows(parent, path)?;
    std::fs::create_dir_all(&arguments.out).map_err(Failure::at(&arguments.out))?;
    let file = arguments.out.join("scorecard.json");
    std::fs::write(
        &file,
        card.to_canonical_json().map_err(TrainingError::from)?,
    )
    .map_err(Failure::at(&file))?;
    let digest = card.digest().map_err(TrainingError::from)?;
    say(&format!(
        "{}: edited card {} version {} with digest {digest}; its probabilities are gone until it is calibrated anew",
        file.display(),
        card.name,
        card.version
    ))
}

fn show(arguments: &Arguments, trained: &Trained, files: &TrainingFolder) -> Result<(), Failure> {
    let report = &trained.report;
    let digest = trained.card.digest().map_err(TrainingError::from)?;
    match arguments.format {
        OutputFormat::Json => {
            return print_json(&serde_json::json!({
                "scorecard": files.scorecard.display().to_string(),
                "digest": digest.to_string(),
                "report": report,
            }));
        }
        OutputFormat::Csv => {}
        OutputFormat::Table => tell(report),
    }
    print_table(&figures_table(report), arguments.format)?;
    if arguments.format == OutputFormat::Table {
        say(&format!(
            "card {} version {}: {} features, {} pair terms, {} test vectors, digest {digest}",
            trained.card.name,
            trained.card.version,
            trained.card.indicators.len(),
            trained.card.pairs.len(),
            trained
                .card
                .vectors
                .as_ref()
                .map_or(0, |vectors| vectors.rows.len())
        ))?;
        for file in [&files.scorecard, &files.report, &files.rows, &files.sql] {
            say(&format!("  {}", file.display()))?;
        }
    }
    Ok(())
}

/// The run in plain words, on standard error.
fn tell(report: &TrainReport) {
    let split = &report.split;
    eprintln!(
        "{} rows fitted, {} held back for validation (split by {}), {} in the gap, {} without weight",
        split.fit_count,
        split.validation_count,
        split.by,
        split.purged_count,
        split.weightless_count
    );
    if split.by == "row" {
        eprintln!("the table has neither days nor groups, so rows were divided one by one");
    }
    eprintln!("fitter: {}", report.why);
    for fitter in &report.fitters {
        if let Some(convergence) = &fitter.convergence {
            eprintln!(
                "logistic regression: {} steps, gradient {:.1e}, condition {:.0}",
                convergence.iterations, convergence.gradient, convergence.condition
            );
        }
        if !fitter.rounds.is_empty() {
            eprintln!("boosting: best rounds {:?}", fitter.rounds);
        }
        for note in &fitter.notes {
            eprintln!("{note}");
        }
    }
    for left in &report.left_out {
        eprintln!("left out `{}`: {}", left.feature, left.reason);
    }
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
}

fn figures_table(report: &TrainReport) -> Table {
    let mut table = Table::new(&[
        "rows",
        "model",
        "row_count",
        "problem_rate",
        "auc",
        "standard_error",
        "log_loss",
        "brier",
        "calibration_error",
    ]);
    let number = |value: Option<f64>| value.map_or(Value::Null, |value| rounded(value, 4));
    let mut row = |rows: &str, model: String, figures: &crate::service::Figures| {
        table.row(vec![
            rows.into(),
            model.into(),
            figures.row_count.into(),
            rounded(figures.problem_rate, 4),
            number(figures.auc),
            number(figures.auc_standard_error),
            number(figures.log_loss),
            number(figures.brier),
            number(figures.calibration_error),
        ]);
    };
    for fitter in &report.fitters {
        let name = serde_json::to_value(fitter.fitter).unwrap_or_default();
        row(
            "held-back folds",
            name.as_str().unwrap_or_default().to_owned(),
            &fitter.held_back,
        );
    }
    row("fitted", "card".to_owned(), &report.fitted);
    if let Some(validation) = &report.validation {
        row("validation", "card".to_owned(), validation);
    }
    for (name, figures) in &report.challengers {
        row("validation", name.clone(), figures);
    }
    table
}
