//! `risktier objection`: objections to records.

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;

use super::compose::{CommonFlags, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_table};
use super::pages::every;
use super::persons::PersonFlags;
use super::records::content;
use crate::service::{Entropy, Objection, ObjectionState, Ruling, label};
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
    /// File an objection to a record.
    File {
        /// Source of the record.
        source: String,
        /// Id of the record at its source.
        record_id: String,
        /// The day on which it was received; default: today.
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Begin the examination: the tier is frozen.
    Examine {
        /// Id of the objection.
        objection_id: String,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Decide: uphold, and withdraw or correct the record, or reject.
    Decide {
        /// Id of the objection.
        objection_id: String,
        /// The decision.
        #[arg(value_enum)]
        outcome: Outcome,
        /// File with the corrected record as one line of JSON; default: an upheld record is withdrawn.
        #[arg(long, value_name = "FILE")]
        correction: Option<std::path::PathBuf>,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Show one objection.
    Show {
        /// Id of the objection.
        objection_id: String,
    },
    /// List objections in the order in which they were filed.
    List {
        /// Only those in this state; default: all.
        #[arg(long, value_enum)]
        state: Option<State>,
        /// Only those whose present time limit has passed.
        #[arg(long)]
        overdue: bool,
    },
}

/// The decision about an objection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Outcome {
    /// The record was wrong.
    Upheld,
    /// The record stands.
    Rejected,
}

/// Where an objection stands.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// It waits for its examination.
    Filed,
    /// It is examined.
    Examined,
    /// It was upheld.
    Upheld,
    /// It was rejected.
    Rejected,
}

impl From<State> for ObjectionState {
    fn from(state: State) -> Self {
        match state {
            State::Filed => Self::Filed,
            State::Examined => Self::Examined,
            State::Upheld => Self::Upheld,
            State::Rejected => Self::Rejected,
        }
    }
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let service = service(&settings, Entropy::System)?;
    let runtime = runtime()?;
    let today = service.today();
    let objections = match arguments.what {
        What::File {
            source,
            record_id,
            on,
            person,
        } => {
            let source = label("source", &source)?;
            let filed = service.file_objection(source, record_id, on, person.person()?);
            vec![runtime.block_on(filed)?]
        }
        What::Examine {
            objection_id,
            person,
        } => vec![runtime.block_on(service.examine_objection(objection_id, person.person()?))?],
        What::Decide {
            objection_id,
            outcome,
            correction,
            person,
        } => {
            let ruling = match (outcome, correction) {
                (Outcome::Rejected, None) => Ruling::Reject,
                (Outcome::Upheld, None) => Ruling::Withdraw,
                (Outcome::Upheld, Some(file)) => {
                    let objection = service.objection(&objection_id)?;
                    Ruling::Correct(Box::new(content(&file, &objection.source, today)?))
                }
                (Outcome::Rejected, Some(_)) => {
                    return Err(Failure::Other(
                        "--correction corrects nothing where the objection is rejected; leave it out"
                            .to_owned(),
                    ));
                }
            };
            let decided = service.decide_objection(objection_id, ruling, person.person()?);
            vec![runtime.block_on(decided)?]
        }
        What::Show { objection_id } => vec![service.objection(&objection_id)?],
        What::List { state, overdue } => {
            let overdue = overdue.then_some(true);
            every(|last: Option<&Objection>, most| {
                let after = last.map(|last| last.objection_id.clone());
                service.objections(state.map(Into::into), overdue, after.as_deref(), most)
            })?
        }
    };
    print_table(&table(&objections, today)?, arguments.format)?;
    Ok(ExitCode::Done)
}

fn table(objections: &[Objection], today: Date) -> Result<Table, Failure> {
    let mut table = Table::new(&[
        "objection_id",
        "state",
        "overdue",
        "source",
        "record_id",
        "enterprise_id",
        "filed_on",
        "accept_by",
        "decide_by",
        "frozen_tier",
        "reason",
    ]);
    for one in objections {
        let examination = one.examination.as_ref();
        table.row(vec![
            one.objection_id.clone().into(),
            serde_json::to_value(one.state())?,
            one.is_overdue_on(today).into(),
            one.source.to_string().into(),
            one.record_id.clone().into(),
            one.enterprise_id.to_string().into(),
            one.filed_on.to_string().into(),
            one.accept_by.to_string().into(),
            examination.map(|one| one.decide_by.to_string()).into(),
            examination.map(|one| one.frozen_tier.to_string()).into(),
            one.reason.clone().into(),
        ]);
    }
    Ok(table)
}
