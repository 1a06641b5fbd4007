//! `risktier migrations`: how enterprises went from tier to tier between two days.

use clap::Args;
use jiff::civil::Date;
use serde_json::Value;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_table};
use super::persons::fault;
use crate::domain::{Tier, field};
use crate::service::{Entropy, Migrations, TierFilter};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// The first day.
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// The second day; default: today.
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
    /// Only enterprises in this division, a code or prefix; default: all.
    #[arg(long, value_name = "CODE")]
    division: Option<String>,
    /// Only enterprises in this industry, a code or the beginning of one; default: all.
    #[arg(long, value_name = "CODE")]
    industry: Option<String>,
    /// Only enterprises of this kind, such as individual_business; default: all.
    #[arg(long)]
    kind: Option<String>,
    /// Only enterprises of this size, such as small; default: all.
    #[arg(long)]
    size: Option<String>,
    /// Only enterprises with this tag; default: all.
    #[arg(long)]
    tag: Option<String>,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

impl Arguments {
    fn filter(&self) -> Result<TierFilter, crate::domain::FieldError> {
        let label = |name: &str, text: &Option<String>| {
            text.as_deref()
                .map(|text| field::label(name, text))
                .transpose()
        };
        Ok(TierFilter {
            division: label("division", &self.division)?,
            industry: label("industry", &self.industry)?,
            kind: self
                .kind
                .as_deref()
                .map(|text| field::code("kind", text))
                .transpose()?,
            size: self
                .size
                .as_deref()
                .map(|text| field::code("size", text))
                .transpose()?,
            tag: label("tag", &self.tag)?,
        })
    }
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let filter = arguments.filter().map_err(fault)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        let to = arguments.to.unwrap_or_else(|| service.today());
        let migrations = service.migrations(arguments.from, to, &filter)?;
        print_table(&matrix(&migrations), arguments.format)?;
        Ok(ExitCode::Done)
    })
}

/// Rows by the first day's tier, columns by the second day's.
fn matrix(migrations: &Migrations) -> Table {
    let mut table = Table::new(&["from", "A", "B", "C", "D", "gone"]);
    let gone = |tier: &Tier| migrations.gone.get(tier).copied().unwrap_or(0);
    for from in Tier::ALL {
        let mut row: Vec<Value> = vec![from.to_string().into()];
        row.extend(
            Tier::ALL
                .iter()
                .map(|to| Value::from(migrations.count(*from, *to))),
        );
        row.push(gone(from).into());
        table.row(row);
    }
    let mut row: Vec<Value> = vec!["new".into()];
    row.extend(
        Tier::ALL
            .iter()
            .map(|tier| Value::from(migrations.new.get(tier).copied().unwrap_or(0))),
    );
    row.push(Value::Null);
    table.row(row);
    table
}
