//! `risktier merge`: ids that go on under another, and what persons did about an enterprise.

use clap::{Args, Subcommand};
use jiff::civil::Date;

use super::compose::{CommonFlags, runtime, service};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_table};
use super::pages::every;
use super::persons::{PersonFlags, fault};
use crate::domain::field;
use crate::service::{Act, Entropy, Merge};
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
    /// Merge an id into its successor.
    Make {
        /// The id that is merged.
        id: String,
        /// Its successor.
        into_id: String,
        /// The first day on which the successor stands for the id; default: today.
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Undo the merge of an id.
    Undo {
        /// The id that was merged.
        id: String,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// List the merges of an id and into it.
    List {
        /// Id of the enterprise.
        id: String,
    },
}

/// `risktier acts`.
#[derive(Debug, Args)]
pub(super) struct ActArguments {
    /// Id of the enterprise.
    id: String,
    #[command(flatten)]
    common: CommonFlags,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let service = service(&settings, Entropy::System)?;
    let runtime = runtime()?;
    let merges = match arguments.what {
        What::Make {
            id,
            into_id,
            on,
            person,
        } => {
            let id = field::enterprise_id("id", &id).map_err(fault)?;
            let into_id = field::enterprise_id("into_id", &into_id).map_err(fault)?;
            let made = service.merge_enterprise(id, into_id, on, person.person()?);
            vec![runtime.block_on(made)?]
        }
        What::Undo { id, person } => {
            let id = field::enterprise_id("id", &id).map_err(fault)?;
            vec![runtime.block_on(service.undo_merge(id, person.person()?))?]
        }
        What::List { id } => service.merges(&field::enterprise_id("id", &id).map_err(fault)?)?,
    };
    print_table(&merge_table(&merges), arguments.format)?;
    Ok(ExitCode::Done)
}

/// Shows what persons did about an enterprise, latest first.
pub(super) fn run_acts(arguments: ActArguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let service = service(&settings, Entropy::System)?;
    let id = field::enterprise_id("id", &arguments.id).map_err(fault)?;
    let all =
        every(|last: Option<&Act>, most| service.acts(&id, last.map(|last| last.act_no), most))?;
    let mut table = Table::new(&["act_no", "on", "what", "subject", "by", "reason", "at"]);
    for act in all {
        table.row(vec![
            act.act_no.into(),
            act.on.to_string().into(),
            act.what.into(),
            act.subject.into(),
            act.by.map(String::from).into(),
            act.reason.into(),
            act.at.into(),
        ]);
    }
    print_table(&table, arguments.format)?;
    Ok(ExitCode::Done)
}

fn merge_table(merges: &[Merge]) -> Table {
    let mut table = Table::new(&[
        "merge_id",
        "enterprise_id",
        "into_id",
        "from_on",
        "undone_on",
        "made_by",
        "reason",
    ]);
    for merge in merges {
        table.row(vec![
            merge.merge_id.clone().into(),
            merge.enterprise_id.to_string().into(),
            merge.into_id.to_string().into(),
            merge.from_on.to_string().into(),
            merge.undone_on().map(|day| day.to_string()).into(),
            merge.made_by.to_string().into(),
            merge.reason.clone().into(),
        ]);
    }
    table
}
