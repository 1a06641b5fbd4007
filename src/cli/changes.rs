//! `risktier changes`: the feed of tier changes.

use clap::Args;
use serde_json::Value;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_table};
use crate::service::{Entropy, MoveKind};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// Show changes behind this number, the last one seen before; default: from the first that is kept.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// Show at most so many.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        let after = match arguments.after {
            Some(after) => after,
            None => service.changes_range()?.0,
        };
        let columns = [
            "number",
            "kind",
            "enterprise_id",
            "from_tier",
            "tier",
            "points",
            "on",
            "epoch",
        ];
        let mut table = Table::new(&columns);
        for change in service.changes(after, arguments.limit)?.moves {
            let (kind, id, from, tier, points) = match change.kind {
                MoveKind::Tier {
                    enterprise_id,
                    from,
                    tier,
                    points,
                } => (
                    "tier",
                    enterprise_id.to_string().into(),
                    from.map_or(Value::Null, |from| from.to_string().into()),
                    tier.to_string().into(),
                    points.into(),
                ),
                MoveKind::Epoch { is_whole: _ } => {
                    ("epoch", Value::Null, Value::Null, Value::Null, Value::Null)
                }
            };
            table.row(vec![
                change.seq.into(),
                kind.into(),
                id,
                from,
                tier,
                points,
                change.on.to_string().into(),
                change.epoch.to_string().into(),
            ]);
        }
        print_table(&table, arguments.format)?;
        Ok(ExitCode::Done)
    })
}
