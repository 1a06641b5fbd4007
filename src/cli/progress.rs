//! Progress bars on standard error for work that can take more than two seconds.

use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::exit::Failure;
use crate::service::{
    ColumnType, ExportWriter, FilesError, Format, ImportObserver, ImportReport, LineError, Sink,
    Value,
};

const SHOWN_FAULTS: u64 = 10;
/// The columns of an error report.
const FAULT_COLUMNS: [(&str, ColumnType); 5] = [
    ("file", ColumnType::Text),
    ("line", ColumnType::Count),
    ("field", ColumnType::Text),
    ("value", ColumnType::Text),
    ("reason", ColumnType::Text),
];

/// A bar over a known number of steps; nothing is shown where standard error is no terminal.
pub(super) fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    let style =
        ProgressStyle::with_template("{msg:24} {wide_bar} {percent:>3} % {elapsed} ({eta} left)");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A spinner for work of unknown length.
pub(super) fn spinner(what: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    let style = ProgressStyle::with_template("{msg:24} {spinner} {elapsed}");
    spinner.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}

/// Shows a spinner while `work` runs.
pub(super) fn watched<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let spinner = spinner(what);
    let done = work();
    spinner.finish_and_clear();
    done
}

/// Watches an import: a bar over the bytes of each file, the first faults in words, and all in the error report.
pub(super) struct ImportProgress {
    bar: ProgressBar,
    bytes_taken: Arc<AtomicU64>,
    file: String,
    faults: u64,
    report: Option<ExportWriter>,
    failure: Option<FilesError>,
}

impl ImportProgress {
    /// `report` is where the error report goes; default: none.
    pub(super) fn new(report: Option<&Path>) -> Result<Self, Failure> {
        let create = |path: &Path| {
            let format = Format::of_path(path).unwrap_or(Format::Csv);
            let sink = Sink::create(path, Some(format))?;
            ExportWriter::open(sink, &FAULT_COLUMNS)
        };
        Ok(Self {
            bar: ProgressBar::hidden(),
            bytes_taken: Arc::default(),
            file: String::new(),
            faults: 0,
            report: report.map(create).transpose()?,
            failure: None,
        })
    }

    /// Ends the bar and completes the error report.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        if self.faults > SHOWN_FAULTS {
            eprintln!("… and {} more faults", self.faults - SHOWN_FAULTS);
        }
        if let Some(failure) = self.failure {
            return Err(failure.into());
        }
        if let Some(report) = self.report {
            report.finish()?;
        }
        Ok(())
    }

    fn report(&mut self, error: &LineError) {
        let Some(report) = &mut self.report else {
            return;
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (field, value) = (text(&error.field), text(&error.value));
        let written = report.row(&[
            Value::Text(error.file.as_deref().unwrap_or(&self.file)),
            u32::try_from(error.line).map_or(Value::Absent, Value::Count),
            Value::Text(&field),
            Value::Text(&value),
            Value::Text(&error.reason),
        ]);
        // A report that cannot be written must not stop the import; its completion tells the failure.
        self.failure = self.failure.take().or(written.err());
    }
}

impl ImportObserver for ImportProgress {
    fn begin(&mut self, file: &str, length: Option<u64>, bytes_taken: Arc<AtomicU64>) {
        self.bar.finish_and_clear();
        let name = Path::new(file)
            .file_name()
            .map_or(file.into(), |name| name.to_string_lossy());
        self.bar = length.map_or_else(|| spinner(&name), |length| bar(length, &name));
        self.bytes_taken = bytes_taken;
        self.file = name.into_owned();
    }

    fn resumed(&mut self, rows_done: u64, kept: &[LineError], dropped_count: u64) {
        let file = &self.file;
        self.bar.suspend(|| {
            eprintln!(
                "going on with an import of {file} that was broken off: its first {rows_done} rows are done (`--restart` begins anew)"
            );
        });
        for error in kept {
            self.report(error);
        }
        if dropped_count > 0 && self.report.is_some() {
            self.bar.suspend(|| {
                eprintln!(
                    "{dropped_count} faults of the earlier run are not in the error report; `--restart` finds them again"
                );
            });
        }
    }

    fn progress(&mut self, _report: &ImportReport) {
        self.bar
            .set_position(self.bytes_taken.load(Ordering::Relaxed));
    }

    fn refused(&mut self, error: &LineError) {
        self.faults += 1;
        if self.faults <= SHOWN_FAULTS {
            self.bar.suspend(|| eprintln!("{error}"));
        }
        self.report(error);
    }
}
