//! `risktier record`: the life of one record.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use std::path::{Path, PathBuf};

use super::compose::{CommonFlags, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::persons::{SaidFlags, fault};
use crate::domain::{Label, Record, RecordDefaults, RecordDraft};
use crate::service::{Amendment, Entropy, Written, label};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    common: CommonFlags,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Repair a record (信用修复): it may not be used from the day on.
    Repair(Amending),
    /// Withdraw a record that was wrong or annulled: it may not be used from the day on.
    Withdraw(Amending),
    /// End a record: a listing removed, a judgment satisfied, a permit run out.
    End(Amending),
    /// Correct a record: from today on it says what the file says.
    Correct {
        /// Source of the record.
        source: String,
        /// File with the whole record as one line of JSON in our own columns.
        file: PathBuf,
        #[command(flatten)]
        said: SaidFlags,
    },
}

#[derive(Debug, Args)]
struct Amending {
    /// Source of the record.
    source: String,
    /// Id of the record at its source.
    record_id: String,
    /// The day; default: today.
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    #[command(flatten)]
    said: SaidFlags,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let service = service(&settings, Entropy::System)?;
    let runtime = runtime()?;
    let (amendment, amending) = match arguments.what {
        What::Repair(amending) => (Amendment::Repair, amending),
        What::Withdraw(amending) => (Amendment::Withdraw, amending),
        What::End(amending) => (Amendment::End, amending),
        What::Correct { source, file, said } => {
            let content = content(&file, &label("source", &source)?, service.today())?;
            let (record, written) =
                runtime.block_on(service.correct_record(content, said.said(None)?))?;
            let word = match written {
                Written::Created | Written::Updated => "is corrected",
                Written::Unchanged => "says that already",
                Written::SetAside => "waits for its enterprise to be registered",
            };
            eprintln!("record {}/{} {word}", record.source, record.record_id);
            return Ok(ExitCode::Done);
        }
    };
    let Amending {
        source,
        record_id,
        on,
        said,
    } = amending;
    let source = label("source", &source)?;
    let subject = format!("{source}/{record_id}");
    let amended = service.amend_record(source, record_id, amendment, said.said(on)?);
    runtime.block_on(amended)?;
    let word = match amendment {
        Amendment::Repair => "repaired",
        Amendment::Withdraw => "withdrawn",
        Amendment::End => "ended",
    };
    eprintln!("record {subject} is {word}");
    Ok(ExitCode::Done)
}

/// The record in a file of one line, as it is known from today on.
pub(super) fn content(file: &Path, source: &Label, today: Date) -> Result<Record, Failure> {
    let text = std::fs::read_to_string(file).map_err(Failure::at(file))?;
    let draft: RecordDraft = serde_json::from_str(&text)
        .map_err(|error| Failure::Other(format!("`{}`: {error}", file.display())))?;
    let defaults = RecordDefaults {
        source: source.clone(),
        known_on: today,
    };
    Record::parse(draft, &defaults).map_err(fault)
}
