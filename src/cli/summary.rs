//! `risktier summary`: the tiers of the register by a property.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_table, rounded};
use crate::domain::Tier;
use crate::service::{Entropy, SummaryBy};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// The property.
    #[arg(long, value_enum)]
    by: By,
    /// Merge codes up to this level: of divisions 1 province, 2 city, 3 county; of industries 1 section, 2 division,
    /// 3 group, 4 class; default: codes as they are.
    #[arg(long, value_name = "N")]
    level: Option<u8>,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Division,
    Industry,
    Size,
    Kind,
    Tag,
}

impl From<By> for SummaryBy {
    fn from(by: By) -> Self {
        match by {
            By::Division => Self::Division,
            By::Industry => Self::Industry,
            By::Size => Self::Size,
            By::Kind => Self::Kind,
            By::Tag => Self::Tag,
        }
    }
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        let mut table = Table::new(&[
            "group",
            "A",
            "B",
            "C",
            "D",
            "A_percent",
            "B_percent",
            "C_percent",
            "D_percent",
            "stale",
        ]);
        for group in service.tier_summary(arguments.by.into(), arguments.level)? {
            let mut row: Vec<Value> = vec![group.name.clone().into()];
            row.extend(
                Tier::ALL
                    .iter()
                    .map(|tier| Value::from(group.tiers.get(tier).copied().unwrap_or(0))),
            );
            row.extend(
                Tier::ALL
                    .iter()
                    .map(|tier| rounded(group.share(*tier) * 100.0, 2)),
            );
            row.push(group.stale_count.into());
            table.row(row);
        }
        print_table(&table, arguments.format)?;
        Ok(ExitCode::Done)
    })
}
