//! `risktier alerts`: what happened to tiers that a supervisor should know.

use clap::Args;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_table};
use super::persons::fault;
use crate::domain::field;
use crate::service::{AlertFilter, AlertKind, Entropy};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// Show alerts behind this number, the last one seen before; default: from the first.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// Only this kind: worsened, entered_d or complaint_surge; default: all.
    #[arg(long, value_parser = kind)]
    kind: Option<AlertKind>,
    /// Only enterprises in this division, a code or prefix; default: all.
    #[arg(long, value_name = "CODE")]
    division: Option<String>,
    /// Show at most so many.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

fn kind(text: &str) -> Result<AlertKind, String> {
    AlertKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| "is none of worsened, entered_d, complaint_surge".to_owned())
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let division = arguments.division.as_deref();
    let filter = AlertFilter {
        kind: arguments.kind,
        division: division
            .map(|text| field::label("division", text))
            .transpose()
            .map_err(fault)?,
    };
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        let mut table = Table::new(&[
            "seq",
            "kind",
            "enterprise_id",
            "on",
            "from_tier",
            "tier",
            "points",
        ]);
        for alert in service.alerts(&filter, arguments.after, arguments.limit)? {
            table.row(vec![
                alert.seq.into(),
                alert.kind.as_str().into(),
                alert.enterprise_id.to_string().into(),
                alert.on.to_string().into(),
                alert.from_tier.to_string().into(),
                alert.tier.to_string().into(),
                alert.points.into(),
            ]);
        }
        print_table(&table, arguments.format)?;
        Ok(ExitCode::Done)
    })
}
