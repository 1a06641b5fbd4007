//! A process of its own that imports or reclassifies and tells how far it is, so that it can be killed there.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use risktier::service::{ImportObserver, ImportReport, RunObserver};
use tokio::runtime::Runtime;

use crate::register::TODAY;
use crate::world::{Part, Place, import, reclassified};

const PLACE: &str = "RISKTIER_TEST_PLACE";
const FOLDER: &str = "RISKTIER_TEST_FOLDER";
const STEP: &str = "RISKTIER_TEST_STEP";

/// What a process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Import(Part),
    Reclassify,
}

/// The steps in order, from the base to the whole register.
pub const STEPS: [Step; 3] = [
    Step::Import(Part::AllEnterprises),
    Step::Import(Part::OtherRecords),
    Step::Reclassify,
];

/// What a process tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// So many rows are acknowledged.
    Imported(u64),
    /// So many enterprises are scanned.
    Scanned(u64),
    /// So many enterprises are complete.
    Finished(u64),
    /// The flip is acknowledged.
    Flipped,
}

impl Event {
    fn told(self) {
        let (name, count) = match self {
            Self::Imported(rows) => ("imported", rows),
            Self::Scanned(count) => ("scanned", count),
            Self::Finished(count) => ("finished", count),
            Self::Flipped => ("flipped", 0),
        };
        println!("event: {name} {count}");
    }

    fn parsed(line: &str) -> Option<Self> {
        let (name, count) = line.split_once("event: ")?.1.split_once(' ')?;
        let count = count.parse().ok()?;
        match name {
            "imported" => Some(Self::Imported(count)),
            "scanned" => Some(Self::Scanned(count)),
            "finished" => Some(Self::Finished(count)),
            "flipped" => Some(Self::Flipped),
            other => panic!("unknown event `{other}`"),
        }
    }
}

/// Hands on what happens.
pub struct Telling<F: Fn(Event) + Sync>(pub F);

impl<F: Fn(Event) + Sync> ImportObserver for Telling<F> {
    fn progress(&mut self, report: &ImportReport) {
        (self.0)(Event::Imported(report.row_count));
    }
}

impl<F: Fn(Event) + Sync> RunObserver for Telling<F> {
    fn scanned(&self, done: u64, _total: u64) {
        (self.0)(Event::Scanned(done));
    }

    fn finished(&self, done: u64, _total: u64) {
        (self.0)(Event::Finished(done));
    }
}

/// Does a step in this process.
pub fn done(place: &Place, folder: &Path, step: Step, tell: impl Fn(Event) + Sync) {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let service = place.service(TODAY);
    match step {
        Step::Import(part) => {
            let report = import(&service, folder, part, &mut Telling(&tell)).unwrap();
            assert_eq!(report.failure, None);
        }
        Step::Reclassify => {
            reclassified(&service, &Telling(&tell));
            tell(Event::Flipped);
        }
    }
}

/// The process; without a place it does nothing.
#[test]
fn the_child_does_what_it_is_told() {
    let Ok(address) = std::env::var(PLACE) else {
        return;
    };
    let folder = std::env::var(FOLDER).unwrap();
    let step: usize = std::env::var(STEP).unwrap().parse().unwrap();
    done(
        &Place::of(&address),
        Path::new(&folder),
        STEPS[step],
        Event::told,
    );
}

/// A process that does one of the [`STEPS`].
pub struct Working {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Working {
    pub fn on(place: &Place, folder: &Path, step: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "child::the_child_does_what_it_is_told",
                "--nocapture",
            ])
            .env(PLACE, place.address())
            .env(FOLDER, folder)
            .env(STEP, step.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next thing that it tells; `None` when it has ended.
    pub fn next(&mut self) -> Option<Event> {
        loop {
            let line = self.lines.next()?.ok()?;
            if let Some(event) = Event::parsed(&line) {
                return Some(event);
            }
        }
    }

    /// Kills it; whether it was still at work, and what it had told by then.
    pub fn killed(mut self) -> (bool, Vec<Event>) {
        self.child.kill().unwrap();
        let was_at_work = !self.child.wait().unwrap().success();
        (was_at_work, std::iter::from_fn(|| self.next()).collect())
    }

    /// Waits for its end.
    pub fn ended(mut self) {
        while self.next().is_some() {}
        assert!(self.child.wait().unwrap().success());
    }
}
