//! `risktier group`: coordinated groups of plans.

use clap::{Args, Subcommand};

use super::compose::{CommonFlags, service};
use super::contributions::{OpenedFlags, PlannedFlags};
use super::events::{AskerFlags, show_events};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_json, print_table};
use super::pages::every;
use super::plan::Hash;
use crate::service::{Entropy, GroupRequest, GroupView};
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
    /// Make a group; then draft plans with `risktier plan --group ID --draft` and freeze them.
    Make {
        /// Id of the group, never used before.
        group_id: String,
        /// Title of the group.
        #[arg(long, default_value = "coordinated plans")]
        title: String,
        /// Hash of all its plans.
        #[arg(long, value_enum, default_value_t = Hash::Sha256)]
        hash: Hash,
        #[command(flatten)]
        planned: PlannedFlags,
    },
    /// Seal a group whose last plan is frozen.
    Seal {
        /// Id of the group.
        group_id: String,
        #[command(flatten)]
        asker: AskerFlags,
    },
    /// Open the contributions of a sealed group; then draw its plans.
    Open {
        /// Id of the group.
        group_id: String,
        #[command(flatten)]
        opened: OpenedFlags,
        #[command(flatten)]
        asker: AskerFlags,
    },
    /// Give up a group whose plans are all given up.
    Void {
        /// Id of the group.
        group_id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        asker: AskerFlags,
    },
    /// List what happened to a group: every step that was taken and every one that was refused.
    History {
        /// Id of the group.
        group_id: String,
    },
    /// Show a group.
    Show {
        /// Id of the group.
        group_id: String,
    },
    /// List the groups, latest first.
    List,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let service = service(&settings, Entropy::System)?;
    let groups = match arguments.what {
        What::Make {
            group_id,
            title,
            hash,
            planned,
        } => vec![service.create_group(GroupRequest {
            group_id,
            title,
            hash: hash.into(),
            committed: planned.committed()?,
            public: planned.public()?,
            public_seed: planned.public_seed,
        })?],
        What::Seal { group_id, asker } => {
            vec![service.seal_group_by(&group_id, asker.by()?.as_ref())?]
        }
        What::Open {
            group_id,
            opened,
            asker,
        } => vec![service.open_group_by(&group_id, opened.opened()?, asker.by()?.as_ref())?],
        What::Void {
            group_id,
            reason,
            asker,
        } => vec![service.void_group_by(&group_id, &reason, asker.by()?.as_ref())?],
        What::History { group_id } => {
            return show_events(&service.group_events(&group_id)?, arguments.format);
        }
        What::Show { group_id } => vec![service.group(&group_id)?],
        What::List => every(|last: Option<&GroupView>, most| {
            let before = last.map(|last| last.group_id.clone());
            service.groups(before.as_deref(), most)
        })?,
    };
    if arguments.format == OutputFormat::Json {
        print_json(&groups)?;
    } else {
        print_table(&table(&groups), arguments.format)?;
    }
    Ok(ExitCode::Done)
}

fn table(groups: &[GroupView]) -> Table {
    let mut table = Table::new(&[
        "group_id",
        "state",
        "title",
        "created_at",
        "sealed_at",
        "opened_at",
        "plans",
    ]);
    for group in groups {
        table.row(vec![
            group.group_id.clone().into(),
            group.state.as_str().into(),
            group.title.clone().into(),
            group.created_at.clone().into(),
            group.sealed_at.clone().into(),
            group.opened_at.clone().into(),
            group.plans.len().into(),
        ]);
    }
    table
}
