//! `risktier import`: files into the register.
//!
//! A file that was broken off, by a kill or a power cut, is gone on with by the same command; standard input is not, for
//! nobody can tell whether it is the same.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

use super::compose::{CommonFlags, blocking, import_options, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table};
use super::progress::ImportProgress;
use crate::service::{Entropy, Format, ImportReport, Mapping, Resume, Source, label};
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
    /// Write every fault to this file: CSV, or NDJSON or Parquet by its name; default: the first ten to standard error.
    #[arg(long, value_name = "FILE", global = true, alias = "error-report")]
    errors: Option<PathBuf>,
    /// Write nothing at all if a single row is refused anywhere; default: good rows go in.
    #[arg(long, global = true)]
    all_or_nothing: bool,
    /// Begin at the first row even if an import of the same file was broken off; default: go on where it stopped.
    #[arg(long, global = true)]
    restart: bool,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: OutputFormat,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Enterprises in our own columns.
    Enterprises {
        /// CSV, NDJSON or Parquet, plain, gzip or zstd; `-` is standard input.
        file: PathBuf,
    },
    /// Records in our own columns.
    Records {
        /// CSV, NDJSON or Parquet, plain, gzip or zstd; `-` is standard input.
        file: PathBuf,
        /// Source of records that name none.
        #[arg(long)]
        source: String,
    },
    /// A folder of files: through a mapping, or enterprises and records as CSV, NDJSON or Parquet.
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
    /// Apache Parquet; from standard input it is kept in a temporary file first.
    Parquet,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let format = arguments.input_format.map(|format| match format {
        InputFormat::Csv => Format::Csv,
        InputFormat::Ndjson => Format::Ndjson,
        InputFormat::Parquet => Format::Parquet,
    });
    let mut options = import_options(&settings);
    options.all_or_nothing = arguments.all_or_nothing;
    options.resume = if arguments.restart {
        Resume::Never
    } else {
        Resume::SameFile
    };
    let mut progress = ImportProgress::new(arguments.errors.as_deref())?;
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
    if report.nothing_written {
        eprintln!("risktier: nothing was written, because not every row could be");
    }
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
