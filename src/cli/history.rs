//! `risktier history`: the tiers of an enterprise over time.

use clap::Args;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_table};
use super::persons::fault;
use crate::domain::field;
use crate::service::{Cause, Entropy};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
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
    let id = field::enterprise_id("id", &arguments.id).map_err(fault)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        // Every spell is one row and there is at most one per day.
        let history = service.tier_history(&id, None, usize::MAX)?;
        let mut table = Table::new(&[
            "from_on",
            "until_on",
            "tier",
            "points",
            "epoch",
            "brought_by",
        ]);
        for spell in &history.spells {
            table.row(vec![
                spell.from_on.to_string().into(),
                spell.until_on.map(|day| day.to_string()).into(),
                spell.tier.to_string().into(),
                spell.points.into(),
                spell.epoch.map(|epoch| epoch.to_string()).into(),
                words(&spell.brought_by).into(),
            ]);
        }
        if arguments.format == OutputFormat::Table {
            eprintln!(
                "{id}: {} overrides, {} objections, {} merges; `risktier acts {id}` lists them",
                history.overrides.len(),
                history.objections.len(),
                history.merges.len()
            );
        }
        print_table(&table, arguments.format)?;
        Ok(ExitCode::Done)
    })
}

fn words(causes: &[Cause]) -> String {
    let word = |cause: &Cause| match &cause.subject {
        Some(subject) => format!("{} {subject}", cause.kind.as_str()),
        None => cause.kind.as_str().to_owned(),
    };
    causes.iter().map(word).collect::<Vec<_>>().join("; ")
}
