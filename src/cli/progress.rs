//! Progress bars on standard error for work that can take more than two seconds.

use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::files::LineError;
use crate::service::{ImportObserver, ImportReport};

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
    let style = ProgressStyle::with_template("{msg:24} {spinner} {pos} {elapsed}");
    spinner.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}

/// Watches an import: a bar over the bytes of its file, and the first faults in words.
pub(super) struct ImportProgress {
    bar: ProgressBar,
    bytes_taken: Arc<AtomicU64>,
    faults: u64,
    /// The error report: every fault as a line of NDJSON.
    report: Option<BufWriter<File>>,
}

impl ImportProgress {
    /// `length` is the size of the file, if it is known.
    pub(super) fn new(
        name: &str,
        length: Option<u64>,
        bytes_taken: Arc<AtomicU64>,
        report: Option<File>,
    ) -> Self {
        let bar = length.map_or_else(|| spinner(name), |length| bar(length, name));
        Self {
            bar,
            bytes_taken,
            faults: 0,
            report: report.map(BufWriter::new),
        }
    }

    /// Ends the bar and completes the error report.
    pub(super) fn finish(self) -> std::io::Result<()> {
        self.bar.finish_and_clear();
        if self.faults > SHOWN_FAULTS {
            eprintln!("… and {} more faults", self.faults - SHOWN_FAULTS);
        }
        match self.report {
            Some(mut report) => report.flush(),
            None => Ok(()),
        }
    }
}

impl ImportObserver for ImportProgress {
    fn progress(&mut self, _report: &ImportReport) {
        self.bar
            .set_position(self.bytes_taken.load(Ordering::Relaxed));
    }

    fn refused(&mut self, error: &LineError) {
        self.faults += 1;
        if self.faults <= SHOWN_FAULTS {
            self.bar.suspend(|| eprintln!("{error}"));
        }
        // A report that cannot be written must not stop the import; its completion tells the failure.
        if let Some(report) = &mut self.report {
            let line = serde_json::to_string(error).unwrap_or_default();
            let _ = writeln!(report, "{line}");
        }
    }
}
