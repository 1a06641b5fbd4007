//! `risktier set-aside`: records that wait for their enterprise.

use clap::Args;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_table};
use crate::service::{Entropy, set_aside_place};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// Show at most so many, the first in order of enterprise, source and record.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

/// Records read at once.
const PAGE: usize = 10_000;

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        let columns = [
            "enterprise_id",
            "source",
            "record_id",
            "kind",
            "occurred_on",
            "known_on",
        ];
        let mut table = Table::new(&columns);
        let (mut shown, mut after) = (0, None::<String>);
        while shown < arguments.limit {
            let wanted = PAGE.min(arguments.limit - shown);
            let page = service.set_aside(after.as_deref(), wanted)?;
            shown += page.len();
            after = page.last().map(set_aside_place);
            for record in &page {
                table.row(vec![
                    record.enterprise_id.to_string().into(),
                    record.source.to_string().into(),
                    record.record_id.clone().into(),
                    record.kind.to_string().into(),
                    record.occurred_on.to_string().into(),
                    record.known_on.to_string().into(),
                ]);
            }
            if page.len() < wanted {
                break;
            }
        }
        print_table(&table, arguments.format)?;
        Ok(ExitCode::Done)
    })
}
