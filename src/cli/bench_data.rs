//! `risktier bench-data`: a made-up register as files.

use clap::Args;
use jiff::civil::Date;
use std::path::PathBuf;

use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_table};
use super::progress::bar;
use crate::service::bench_data::{BenchOptions, FileForm, write_bench_files};
use crate::service::{Compression, Format};

/// The day on which a made-up register is taken unless another is asked for: fixed, so that a seed gives the same bytes
/// on any day.
pub(super) const BENCH_DAY: Date = jiff::civil::date(2026, 9, 30);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder for the files `enterprises` and `records`; it is made if missing.
    #[arg(long, value_name = "DIR", default_value = "risktier-data")]
    out: PathBuf,
    /// Number of enterprises.
    #[arg(long, default_value_t = 20_000)]
    enterprises: u64,
    /// Number of records, as far as possible; default: as many as come about, about five per enterprise.
    #[arg(long)]
    records: Option<u64>,
    /// Same seed, same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The day on which the register is taken.
    #[arg(long, value_name = "DATE", default_value_t = BENCH_DAY)]
    as_of: Date,
    /// Form of the files: csv, ndjson or parquet, the first two also with .gz or .zst.
    #[arg(long, value_name = "FORM", default_value = "csv", value_parser = file_form, conflicts_with = "gzip")]
    files: FileForm,
    /// Compress the files with gzip; the same as `--files csv.gz`.
    #[arg(long)]
    gzip: bool,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

fn file_form(ending: &str) -> Result<FileForm, String> {
    let known = "use csv, csv.gz, csv.zst, ndjson, ndjson.gz, ndjson.zst or parquet";
    FileForm::of_ending(ending)
        .filter(|form| form.format != Format::Parquet || form.compression == Compression::Plain)
        .ok_or_else(|| format!("is not a form of files; {known}"))
}

pub(super) fn run(arguments: Arguments) -> Ended {
    std::fs::create_dir_all(&arguments.out).map_err(Failure::at(&arguments.out))?;
    let options = BenchOptions {
        enterprise_count: arguments.enterprises,
        record_count: arguments.records,
        seed: arguments.seed,
        as_of: arguments.as_of,
    };
    let progress = bar(arguments.enterprises, "making the register");
    let form = if arguments.gzip {
        FileForm {
            compression: Compression::Gzip,
            ..arguments.files
        }
    } else {
        arguments.files
    };
    let counts = write_bench_files(options, &arguments.out, form, &mut |made| {
        progress.set_position(made)
    })?;
    progress.finish_and_clear();
    let mut table = Table::new(&["enterprises", "records", "folder"]);
    table.row(vec![
        counts.enterprise_count.into(),
        counts.record_count.into(),
        arguments.out.display().to_string().into(),
    ]);
    print_table(&table, arguments.format)?;
    Ok(ExitCode::Done)
}
