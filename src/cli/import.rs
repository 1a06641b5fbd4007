//! `risktier import`: files into the register.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table};
use super::progress::ImportProgress;
use crate::service::{Entropy, Format, ImportReport, Mapping, ReadOptions, Source, label};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    common: CommonFlags,
    /// Format of the files; default: by their names.
    #[arg(long, value_enum, global = true)]
    input_format: Option<InputFormat>,
    /// Write every fault to this file, one line of NDJSON each; default: the first ten to standard error.
    #[arg(long, value_name = "FILE", global = true)]
    error_report: Option<PathBuf>,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: OutputFormat,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Enterprises in our own columns.
    Enterprises {
        /// CSV or NDJSON, plain or gzip; `-` is standard input.
        file: PathBuf,
    },
    /// Records in our own columns.
    Records {
        /// CSV or NDJSON, plain or gzip; `-` is standard input.
        file: PathBuf,
        /// Source of records that name none.
        #[arg(long)]
        source: String,
    },
    /// A folder of files: through a mapping, or enterprises.csv and records.csv.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Mapping file (TOML); default: none, the files have our own columns.
        #[arg(long, value_name = "FILE")]
        mapping: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum InputFormat {
    /// RFC 4180 with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let format = arguments.input_format.map(|format| match format {
        InputFormat::Csv => Format::Csv,
        InputFormat::Ndjson => Format::Ndjson,
    });
    let options = ReadOptions {
        max_row_bytes: settings.limits.line_bytes,
    };
    let mut progress = ImportProgress::new(arguments.error_report.as_deref())?;
    let runtime = runtime()?;
    let report = blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        let report = match arguments.what {
            What::Enterprises { file } => {
                service.import_enterprises(Source::open(&file, format)?, &options, &mut progress)
            }
            What::Records { file, source } => {
                let source_name = label("--source", &source)?;
                service.import_records(
                    Source::open(&file, format)?,
                    &source_name,
                    &options,
                    &mut progress,
                )
            }
            What::Folder { folder, mapping } => {
                let mapping = mapping.as_deref().map(Mapping::load).transpose()?;
                service.import_folder(&folder, mapping.as_ref(), &options, &mut progress)
            }
        }?;
        progress.finish()?;
        Ok(report)
    })?;
    show(&report, arguments.format)?;
    if let Some(failure) = &report.failure {
        eprintln!("risktier: {failure}");
    }
    Ok(if report.is_clean() {
        ExitCode::Done
    } else {
        ExitCode::AnswerIsNo
    })
}

fn show(report: &ImportReport, format: OutputFormat) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        return print_json(report);
    }
    let mut table = Table::new(&[
        "rows",
        "created",
        "updated",
        "unchanged",
        "set_aside",
        "refused",
    ]);
    let counts = [
        report.row_count,
        report.created_count,
        report.updated_count,
        report.unchanged_count,
        report.set_aside_count,
        report.refused_count,
    ];
    table.row(counts.iter().map(|count| (*count).into()).collect());
    print_table(&table, format)
}
