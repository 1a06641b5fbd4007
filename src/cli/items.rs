//! `risktier items`: the list of check items.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use std::fs;
use std::path::{Path, PathBuf};

use super::compose::{CommonFlags, import_options, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table};
use super::pages::every;
use super::persons::fault;
use crate::domain::{CheckItem, ItemDraft};
use crate::service::{Entropy, ImportReport, ItemOutcome, ItemVersion, Service, Source};
use crate::telemetry::init_logs;

/// Faults told on standard error.
const TOLD_FAULTS: usize = 10;

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
    /// Import items from a file: what changes is a new version that holds from today.
    Import {
        /// CSV, NDJSON or Parquet (also .gz or .zst), or a JSON list of objects in a .json file; `-` is NDJSON on standard
        /// input.
        file: PathBuf,
    },
    /// Show one item.
    Show {
        /// Code of the item.
        item_code: String,
        /// The version that held on this day; default: all versions, latest first.
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
    },
    /// List the items in the order of their codes.
    List {
        /// Only published ones.
        #[arg(long)]
        published: bool,
    },
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let service = service(&settings, Entropy::System)?;
    let items = match arguments.what {
        What::Import { file } => {
            let report = if file.extension().is_some_and(|ending| ending == "json") {
                write_list(&service, &file)?
            } else {
                let is_stdin = file.as_os_str() == "-";
                let format = is_stdin.then_some(crate::service::Format::Ndjson);
                let options = import_options(&settings).read;
                service.import_items(Source::open(&file, format)?, &options)?
            };
            return show_report(&report, arguments.format);
        }
        What::Show {
            item_code,
            on: Some(day),
        } => vec![service.item_on(&item_code, day)?],
        What::Show {
            item_code,
            on: None,
        } => service.item_versions(&item_code)?,
        What::List { published } => {
            let mut all = all_items(&service)?;
            all.retain(|version| version.item.published || !published);
            all
        }
    };
    print_table(&item_table(&items), arguments.format)?;
    Ok(ExitCode::Done)
}

fn all_items(service: &Service) -> Result<Vec<ItemVersion>, Failure> {
    Ok(every(|last: Option<&ItemVersion>, most| {
        let after = last.map(|last| last.item.item_code.to_string());
        service.items(after.as_deref(), most)
    })?)
}

/// Writes a JSON list of items, all or none.
fn write_list(service: &Service, file: &Path) -> Result<ImportReport, Failure> {
    let text = fs::read_to_string(file).map_err(Failure::at(file))?;
    let drafts: Vec<ItemDraft> = serde_json::from_str(&text).map_err(|error| {
        Failure::Other(format!(
            "`{}` is not a list of items: {error}",
            file.display()
        ))
    })?;
    let mut items = Vec::with_capacity(drafts.len());
    for (place, draft) in drafts.into_iter().enumerate() {
        let item = CheckItem::parse(draft).map_err(|mut error| {
            error.field = format!("{place}.{}", error.field);
            fault(error)
        })?;
        items.push(item);
    }
    let mut report = ImportReport {
        row_count: items.len() as u64,
        ..ImportReport::default()
    };
    for outcome in service.put_items(&items)? {
        match outcome {
            ItemOutcome::Created => report.created_count += 1,
            ItemOutcome::Updated => report.updated_count += 1,
            ItemOutcome::Unchanged => report.unchanged_count += 1,
        }
    }
    Ok(report)
}

/// Refuses a list with a wrong row: a plan must not rest on half of it.
pub(super) fn must_be_clean(report: &ImportReport) -> Result<(), Failure> {
    tell(report);
    if report.refused_count == 0 {
        return Ok(());
    }
    Err(Failure::Other(format!(
        "{} rows of the list of check items were refused; correct them first",
        report.refused_count
    )))
}

fn tell(report: &ImportReport) {
    for error in report.errors.iter().take(TOLD_FAULTS) {
        eprintln!("risktier: {error}");
    }
}

fn show_report(report: &ImportReport, format: OutputFormat) -> Ended {
    tell(report);
    if format == OutputFormat::Json {
        print_json(report)?;
    } else {
        let mut table = Table::new(&["rows", "created", "updated", "unchanged", "refused"]);
        let counts = [
            report.row_count,
            report.created_count,
            report.updated_count,
            report.unchanged_count,
            report.refused_count,
        ];
        table.row(counts.iter().map(|count| (*count).into()).collect());
        print_table(&table, format)?;
    }
    Ok(if report.refused_count == 0 {
        ExitCode::Done
    } else {
        ExitCode::AnswerIsNo
    })
}

fn item_table(items: &[ItemVersion]) -> Table {
    let mut table = Table::new(&[
        "item_code",
        "version",
        "from_on",
        "class",
        "published",
        "ratio_cap",
        "visits_per_year",
        "department",
        "name",
    ]);
    for version in items {
        let item = &version.item;
        table.row(vec![
            item.item_code.to_string().into(),
            version.version.into(),
            version.from_on.to_string().into(),
            item.class.as_str().into(),
            item.published.into(),
            item.ratio_cap.into(),
            item.visits_per_year.into(),
            item.department.as_ref().map(ToString::to_string).into(),
            item.name.clone().into(),
        ]);
    }
    table
}
