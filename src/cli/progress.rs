//! Progress bars on standard error for work that can take more than two seconds.

use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::exit::Failure;
use crate::service::{ImportObserver, ImportReport, LineError};

const SHOWN_FAULTS: u64 = 10;

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
    faults: u64,
    /// Every fault as a line of NDJSON.
    report: Option<BufWriter<File>>,
}

impl ImportProgress {
    /// `report` is where the error report goes; default: none.
    pub(super) fn new(report: Option<&Path>) -> Result<Self, Failure> {
        let create = |path: &Path| {
            File::create(path)
                .map(BufWriter::new)
                .map_err(Failure::at(path))
        };
        Ok(Self {
            bar: ProgressBar::hidden(),
            bytes_taken: Arc::default(),
            faults: 0,
            report: report.map(create).transpose()?,
        })
    }

    /// Ends the bar and completes the error report.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        if self.faults > SHOWN_FAULTS {
            eprintln!("… and {} more faults", self.faults - SHOWN_FAULTS);
        }
        match self.report {
            Some(mut report) => report.flush().map_err(Failure::Output),
            None => Ok(()),
        }
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
        if let Some(report) = &mut self.report {
            // A report that cannot be written must not stop the import; its completion tells the failure.
            let line = serde_json::to_string(error).unwrap_or_default();
            let _ = writeln!(report, "{line}");
        }
    }
}
