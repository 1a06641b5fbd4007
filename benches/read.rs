//! How fast files of records become checked rows: by one thread, and by one that cuts with others that parse.
//!
//! ```sh
//! cargo bench --bench read -- 200000
//! ```
//!
//! The argument is the number of enterprises of a made-up register; it has five times as many records.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement stops at the first surprise"
)]

use std::path::Path;
use std::time::Instant;

use jiff::civil::date;
use risktier::domain::{Label, RecordDefaults};
use risktier::files::{ReadOptions, Row, Source, read_records};
use risktier::service::bench_data::{BenchOptions, FileForm, write_bench_files};

const FORMS: [&str; 4] = ["csv", "csv.zst", "ndjson", "parquet"];
const ROUNDS: usize = 5;

fn rows_read(path: &Path, parsers: Option<usize>) -> u64 {
    let defaults = RecordDefaults {
        source: Label::parse("bench").unwrap(),
        known_on: date(2026, 12, 1),
    };
    let source = Source::open(path, None).unwrap();
    let rows = read_records(source, &ReadOptions::default(), defaults).unwrap();
    let rows = match parsers {
        Some(parsers) => rows.in_parallel(parsers),
        None => rows,
    };
    let mut count = 0;
    for row in rows {
        assert!(matches!(row.unwrap(), Row::Good { .. }));
        count += 1;
    }
    count
}

fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let options = BenchOptions {
        enterprise_count: asked.unwrap_or(100_000),
        record_count: None,
        seed: 1,
        as_of: date(2026, 9, 30),
    };
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    println!("form       parsers  million rows a second (median of {ROUNDS})");
    for form in FORMS {
        let folder = tempfile::tempdir().unwrap();
        let file_form = FileForm::of_ending(form).unwrap();
        write_bench_files(options, folder.path(), file_form, &mut |_| {}).unwrap();
        let path = folder.path().join(format!("records.{form}"));
        for parsers in [None, Some(1), Some(cores)] {
            let mut speeds: Vec<f64> = (0..ROUNDS)
                .map(|_| {
                    let start = Instant::now();
                    let count = rows_read(&path, parsers);
                    count as f64 / start.elapsed().as_secs_f64() / 1e6
                })
                .collect();
            speeds.sort_by(f64::total_cmp);
            let by = parsers.map_or("none".to_owned(), |parsers| parsers.to_string());
            let median = speeds.get(ROUNDS / 2).copied().unwrap_or_default();
            println!("{form:10} {by:>7}  {median:.2}");
        }
    }
}
