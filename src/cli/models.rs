//! `risktier models`: the registry of models, from draft to live and back.

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

use super::compose::{CommonFlags, blocking, kind_scorecard, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::judging::{Language, outcome_rule};
use super::output::{OutputFormat, Table, print_json, print_table, rounded, say};
use super::pages::every;
use super::persons::{PersonFlags, fault};
use super::progress::spinner;
use super::reclassify::see_through;
use crate::domain::EnterpriseKind;
use crate::report;
use crate::service::figures::{GuardState, Settings};
use crate::service::training::TrainingError;
use crate::service::{
    Entropy, Job, LedgerCheck, Mapping, ModelChange, ModelRow, ModelState, ModelValidation,
    RunState, Scorecard, Scorecards, Service, ValidationAsk, person, reason_of,
};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    common: CommonFlags,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: OutputFormat,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the models, latest first.
    List {
        /// Only those in this state; default: all.
        #[arg(long, value_enum)]
        state: Option<StateFlag>,
    },
    /// Show one model with its gates.
    Show {
        /// Id, its first 8 digits or more, name/version, or `live`.
        model: String,
    },
    /// Register a card as a draft.
    Add {
        /// The card (JSON).
        card: PathBuf,
        /// Card (JSON) for enterprises of one kind, such as individual_business=FILE; may be given for several kinds. The
        /// cards are one model: they are promoted and rolled back together; default: the one card.
        #[arg(long = "kind-card", value_name = "KIND=FILE", value_parser = kind_scorecard)]
        kind_cards: Vec<(EnterpriseKind, PathBuf)>,
        /// Who registers it, and is its author.
        #[arg(long, value_name = "PERSON")]
        by: String,
        /// Why; default: no reason is given.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// What training said of it (`training.json`), to be kept beside it; default: none.
        #[arg(long, value_name = "FILE")]
        training: Option<PathBuf>,
    },
    /// Put a model through the gates.
    Validate(ValidateFlags),
    /// Approve a validated model, as another person than its author.
    Approve {
        /// Id, its first 8 digits or more, or name/version.
        model: String,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Put an approved model beside the live one, and report where they disagree.
    Shadow {
        /// Id, its first 8 digits or more, or name/version.
        model: String,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Make a model live: the register is reclassified, then everything changes over at once.
    Promote {
        /// Id, its first 8 digits or more, or name/version.
        model: String,
        #[command(flatten)]
        person: PersonFlags,
        /// Promote although a guard rail is broken; the reason is kept; default: no.
        #[arg(long)]
        force: bool,
    },
    /// Make the model before live again.
    Rollback {
        /// The model to go back to; default: the one before the present.
        model: Option<String>,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Take a model out of use that is not live.
    Retire {
        /// Id, its first 8 digits or more, or name/version.
        model: String,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Show the live model, or the one that was live at an instant.
    Live {
        /// The instant, such as 2026-11-22T08:00:00Z; default: now.
        #[arg(long, value_name = "INSTANT")]
        at: Option<Timestamp>,
    },
    /// Show every change of one model, or of all.
    History {
        /// Id, its first 8 digits or more, or name/version; default: all models.
        model: Option<String>,
        /// Compute every digest of the ledger anew, and end with exit code 1 where one differs; default: no.
        #[arg(long, conflicts_with = "model")]
        verify: bool,
    },
    /// Write the card about a model: what it is for, what it rests on, how good it is.
    Card {
        /// Id, its first 8 digits or more, name/version, or `live`.
        model: String,
        /// Write it as an HTML page to this file; default: JSON on standard output.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Language that the page opens in; it holds both.
        #[arg(long, value_enum, default_value_t = Language::Zh)]
        language: Language,
    },
    /// Write the report of the last validation as an HTML page.
    Report {
        /// Id, its first 8 digits or more, or name/version.
        model: String,
        /// The file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Language that the page opens in; it holds both.
        #[arg(long, value_enum, default_value_t = Language::Zh)]
        language: Language,
    },
    /// Write the card of a model in canonical form.
    Artefact {
        /// Id, its first 8 digits or more, name/version, or `live`.
        model: String,
        /// The file; `-` is standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Measure drift of the register against the live model's training rows, or show what was measured.
    Drift {
        /// Only show what was measured; default: measure.
        #[arg(long)]
        list: bool,
    },
}

#[derive(Debug, Args)]
struct ValidateFlags {
    /// Id, its first 8 digits or more, or name/version.
    model: String,
    /// Who asks.
    #[arg(long, value_name = "PERSON")]
    by: String,
    /// Why; needed with --force; default: no reason is given.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Override gates that may be overridden; default: no.
    #[arg(long, requires = "reason")]
    force: bool,
    /// The day as of which tiers are judged by later inspections; default: the end of the rows it was fitted on.
    #[arg(long, value_name = "DATE")]
    judged_from: Option<Date>,
    /// What result codes say (TOML); default: that of the mapping, else the codes of the national platform.
    #[arg(long, value_name = "FILE")]
    outcomes: Option<PathBuf>,
    /// Mapping file (TOML) whose `[demo.outcome]` says what a problem is; default: none.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Resamples behind the headline intervals.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    rounds: u32,
    /// Seed of the resamples.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Write the report to this HTML file; default: none.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Where a model stands.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateFlag {
    /// Registered, and nothing shown yet.
    Draft,
    /// It went through the gates.
    Validated,
    /// Another person than its author approved it.
    Approved,
    /// It is scored beside the live model.
    Shadow,
    /// Its tiers are told.
    Live,
    /// It is out of use.
    Retired,
}

impl From<StateFlag> for ModelState {
    fn from(state: StateFlag) -> Self {
        match state {
            StateFlag::Draft => Self::Draft,
            StateFlag::Validated => Self::Validated,
            StateFlag::Approved => Self::Approved,
            StateFlag::Shadow => Self::Shadow,
            StateFlag::Live => Self::Live,
            StateFlag::Retired => Self::Retired,
        }
    }
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        carry_out(&service, arguments.what, arguments.format)
    })
}

fn carry_out(service: &Service, what: What, format: OutputFormat) -> Ended {
    let id = |text: &str| -> Result<String, Failure> { Ok(service.model_named(text)?.model_id) };
    match what {
        What::List { state } => {
            let all = every(|last: Option<&ModelRow>, most| {
                let before = last.map(|row| row.model_no);
                service.models(state.map(Into::into), before, most)
            })?;
            show(&all, format)
        }
        What::Show { model } => show_one(service, &id(&model)?, format),
        What::Add {
            card,
            kind_cards,
            by,
            reason,
            training,
        } => {
            let text = with_kinds(&card, &kind_cards)?;
            let training = training
                .as_deref()
                .map(|path| std::fs::read_to_string(path).map_err(Failure::at(path)))
                .transpose()?;
            if let Some(training) = &training {
                serde_json::from_str::<Value>(training)?;
            }
            let by = person("by", &by).map_err(fault)?;
            let reason = reason
                .as_deref()
                .map(reason_of)
                .transpose()
                .map_err(fault)?;
            let (row, is_new) =
                service.add_model(&text, &by, reason.as_deref(), training.as_deref())?;
            if !is_new {
                eprintln!("it was registered already");
            }
            show(&[row], format)
        }
        What::Validate(flags) => validate(service, &flags, format),
        What::Approve { model, person } => show(
            &[service.approve_model(&id(&model)?, &person.person()?)?],
            format,
        ),
        What::Retire { model, person } => show(
            &[service.retire_model(&id(&model)?, &person.person()?)?],
            format,
        ),
        What::Shadow { model, person } => {
            let (row, job) = service.shadow_model(&id(&model)?, &person.person()?)?;
            let ended = finish_task(service, &job, "comparing the tiers of the register")?;
            show(&[row], format)?;
            Ok(answer(ended.run.state == RunState::Succeeded))
        }
        What::Promote {
            model,
            person,
            force,
        } => {
            let job = service.promote_model(&id(&model)?, &person.person()?, force)?;
            promoted(service, job, format)
        }
        What::Rollback { model, person } => {
            let to = model.as_deref().map(id).transpose()?;
            let job = service.roll_back(to.as_deref(), &person.person()?)?;
            promoted(service, job, format)
        }
        What::Live { at } => {
            let Some(live) = service.live_model(at)? else {
                eprintln!("risktier: no model was live then");
                return Ok(ExitCode::AnswerIsNo);
            };
            let row = service.model(&live.model_id)?;
            let mut table =
                Table::new(&["model_id", "name", "version", "since", "epoch", "files_id"]);
            table.row(vec![
                live.model_id.into(),
                row.name.into(),
                row.version.into(),
                instant(live.since).into(),
                live.epoch.to_string().into(),
                live.files_id.into(),
            ]);
            print_table(&table, format)?;
            Ok(ExitCode::Done)
        }
        What::History { model, verify } => history(service, model.as_deref(), verify, format),
        What::Card {
            model,
            html,
            language,
        } => {
            let card = service.model_card(&id(&model)?)?;
            match html {
                None => print_json(&card)?,
                Some(path) => {
                    let page = report::model_card_page(&card, language.of_report());
                    write(&path, page.as_bytes())?;
                }
            }
            Ok(ExitCode::Done)
        }
        What::Report {
            model,
            out,
            language,
        } => {
            let model_id = id(&model)?;
            let validation = service.model_validation(&model_id)?.ok_or_else(|| {
                Failure::Other(format!("model `{model_id}` has no report yet; validate it"))
            })?;
            let page = report::validation_page(&validation, language.of_report());
            write(&out, page.as_bytes())?;
            Ok(ExitCode::Done)
        }
        What::Artefact { model, out } => {
            let card = service.model_artefact(&id(&model)?)?;
            if out.as_os_str() == "-" {
                say(&String::from_utf8_lossy(&card))?;
            } else {
                write(&out, &card)?;
            }
            Ok(ExitCode::Done)
        }
        What::Drift { list } => drift(service, list, format),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(Failure::at(path))
}

fn answer(yes: bool) -> ExitCode {
    if yes {
        ExitCode::Done
    } else {
        ExitCode::AnswerIsNo
    }
}

fn validate(service: &Service, flags: &ValidateFlags, format: OutputFormat) -> Ended {
    let model_id = service.model_named(&flags.model)?.model_id;
    let mapping = flags.mapping.as_deref().map(Mapping::load).transpose()?;
    let ask = ValidationAsk {
        by: person("by", &flags.by).map_err(fault)?,
        reason: flags
            .reason
            .as_deref()
            .map(reason_of)
            .transpose()
            .map_err(fault)?,
        outcome: outcome_rule(flags.outcomes.as_deref(), mapping.as_ref())?,
        as_of: flags.judged_from,
        settings: Settings {
            rounds: flags.rounds,
            seed: flags.seed,
            ..Settings::default()
        },
        force: flags.force,
    };
    let working = spinner("validating");
    let validation = service.validate_model(&model_id, &ask, &mut |step, _| {
        working.set_message(step.to_owned());
        true
    })?;
    working.finish_and_clear();
    if let Some(path) = &flags.report {
        write(
            path,
            report::validation_page(&validation, report::Language::Zh).as_bytes(),
        )?;
    }
    match format {
        OutputFormat::Json => print_json(&validation)?,
        OutputFormat::Table | OutputFormat::Csv => print_table(&gates(&validation), format)?,
    }
    for gate in validation.broken() {
        eprintln!(
            "risktier: gate `{}` is broken{}: {}",
            gate.gate,
            if validation.forced {
                " and was overridden"
            } else {
                ""
            },
            gate.limit
        );
    }
    Ok(answer(validation.passed || validation.forced))
}

fn gates(validation: &ModelValidation) -> Table {
    let mut table = Table::new(&["gate", "state", "value", "limit"]);
    for gate in &validation.gates {
        let state = match gate.state {
            GuardState::Holds => "holds",
            GuardState::Broken => "broken",
            GuardState::NotEstimable => "not estimable",
        };
        table.row(vec![
            gate.gate.clone().into(),
            state.into(),
            gate.value.map_or(Value::Null, |value| rounded(value, 4)),
            gate.limit.clone().into(),
        ]);
    }
    table
}

/// Sees a promotion through, and shows which model is live then.
fn promoted(service: &Service, job: Job, format: OutputFormat) -> Ended {
    let job = see_through(service, job)?;
    if job.run.state != RunState::Succeeded {
        let why = job.run.failure.as_deref().unwrap_or("it was cancelled");
        eprintln!(
            "risktier: the run {} has {}: {why}",
            job.run.run_id,
            job.run.state.as_str()
        );
        return Ok(ExitCode::AnswerIsNo);
    }
    if format == OutputFormat::Table {
        eprintln!(
            "{} enterprises were classified anew, {} of them changed tier",
            job.run.total_count,
            job.run.change_count.unwrap_or(0)
        );
    }
    let live = service.live_model(None)?;
    let row = live.map(|live| service.model(&live.model_id)).transpose()?;
    show(row.as_slice(), format)
}

/// Carries a job out, or watches the process that does, until it has ended.
fn finish_task(service: &Service, asked: &Job, what: &str) -> Result<Job, Failure> {
    let working = spinner(what);
    loop {
        service.carry_out_task()?;
        let job = service.job(&asked.run.run_id)?;
        if job.has_ended() {
            working.finish_and_clear();
            if let Some(failure) = &job.run.failure {
                eprintln!("risktier: {failure}");
            }
            return Ok(job);
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

fn show(rows: &[ModelRow], format: OutputFormat) -> Ended {
    let mut table = Table::new(&["model_id", "name", "version", "state", "author", "added_at"]);
    for row in rows {
        table.row(vec![
            row.model_id.clone().into(),
            row.name.clone().into(),
            row.version.into(),
            row.state.as_str().into(),
            row.author.clone().into(),
            instant(row.added_at).into(),
        ]);
    }
    print_table(&table, format)?;
    Ok(ExitCode::Done)
}

fn show_one(service: &Service, model_id: &str, format: OutputFormat) -> Ended {
    let detail = service.model_detail(model_id)?;
    if format == OutputFormat::Json {
        print_json(&json!({
            "model_id": detail.row.model_id,
            "name": detail.row.name,
            "version": detail.row.version,
            "state": detail.row.state,
            "author": detail.row.author,
            "added_at": instant(detail.row.added_at),
            "manifest": detail.cards.general.manifest,
            "cards_by_kind": detail.cards.by_kind,
            "validation": detail.validation,
            "training": detail.training,
        }))?;
        return Ok(ExitCode::Done);
    }
    show(std::slice::from_ref(&detail.row), format)?;
    if let Some(validation) = &detail.validation {
        say("")?;
        print_table(&gates(validation), format)?;
    }
    Ok(ExitCode::Done)
}

/// The text of a card, or of one file that holds it with cards for kinds.
fn with_kinds(card: &Path, kinds: &[(EnterpriseKind, PathBuf)]) -> Result<String, Failure> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(Failure::at(path));
    let text = read(card)?;
    if kinds.is_empty() {
        return Ok(text);
    }
    let mut cards = Scorecards::from_json(&text).map_err(TrainingError::from)?;
    for (kind, path) in kinds {
        let card = Scorecard::from_json(&read(path)?).map_err(TrainingError::from)?;
        if cards.by_kind.insert(*kind, card).is_some() {
            return Err(Failure::Other(format!(
                "`{kind}` has two cards; leave one out"
            )));
        }
    }
    let body = cards.to_canonical_json().map_err(TrainingError::from)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Tells what a walk along a chain found, as answer and exit code.
pub(super) fn show_check(check: &LedgerCheck, format: OutputFormat) -> Ended {
    if let Some((row, wrong)) = &check.fault {
        eprintln!("risktier: row {row} of the ledger is wrong: {wrong}");
    }
    let is_intact = check.fault.is_none();
    let mut table = Table::new(&["rows", "head", "is_intact"]);
    table.row(vec![
        check.row_count.into(),
        check.head.clone().into(),
        is_intact.into(),
    ]);
    print_table(&table, format)?;
    Ok(answer(is_intact))
}

fn history(service: &Service, model: Option<&str>, verify: bool, format: OutputFormat) -> Ended {
    if verify {
        return show_check(&service.check_ledger()?, format);
    }
    let model_id = match model {
        Some(text) => Some(service.model_named(text)?.model_id),
        None => None,
    };
    let all = every(|last: Option<&ModelChange>, most| {
        let before = last.map(|row| row.seq);
        service.model_history(model_id.as_deref(), before, most)
    })?;
    let mut table = Table::new(&[
        "seq", "at", "model_id", "what", "state", "by", "forced", "reason",
    ]);
    for row in all {
        table.row(vec![
            row.seq.into(),
            instant(row.at).into(),
            row.model_id.into(),
            row.what.as_str().into(),
            row.to_state.as_str().into(),
            row.by.into(),
            row.is_forced.into(),
            row.reason.into(),
        ]);
    }
    print_table(&table, format)?;
    Ok(ExitCode::Done)
}

fn drift(service: &Service, list: bool, format: OutputFormat) -> Ended {
    if !list {
        let working = spinner("measuring drift");
        let report = service.measure_drift(&mut |_| true)?;
        working.finish_and_clear();
        if format == OutputFormat::Json {
            print_json(&report)?;
            return Ok(answer(!report.is_alert));
        }
    }
    let rows = service.drifts(None, if list { 120 } else { 1 })?;
    let mut table = Table::new(&[
        "number",
        "as_of",
        "model_id",
        "is_alert",
        "enterprises",
        "score_shift",
    ]);
    for row in &rows {
        let report: Value = serde_json::from_str(&row.document)?;
        table.row(vec![
            row.drift_no.into(),
            row.as_of.to_string().into(),
            row.model_id.clone().into(),
            row.is_alert.into(),
            report.get("enterprise_count").cloned().unwrap_or_default(),
            report
                .pointer("/stability/score/index")
                .and_then(Value::as_f64)
                .map_or(Value::Null, |index| rounded(index, 4)),
        ]);
    }
    print_table(&table, format)?;
    Ok(answer(list || rows.iter().all(|row| !row.is_alert)))
}

/// An instant in milliseconds since 1970, as it is written.
pub(super) fn instant(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or_default()
        .to_string()
}
