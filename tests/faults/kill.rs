//! Kills at random instants of imports, runs and flips: what was acknowledged is there, nothing counts twice, one epoch
//! is in force, tiers are those of a computation from nothing, and in the end the register is an undisturbed one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use risktier::cache::MemoryCache;
use risktier::domain::rng::SeededRng;
use risktier::domain::{EnterpriseId, Epoch, Tier};
use risktier::service::{Clock, Entropy, ImportState, RunState, Service};
use risktier::store::{Counts, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::child::{Event, STEPS, Step, Working, done};
use crate::postgres_server::PostgresServer;
use crate::register::{TODAY, default_models};
use crate::world::{BASE_DAY, Content, Files, Part, Place, imported, reclassified};

/// Kills of each of the [`STEPS`] before it is let go on to its end.
const KILLS: [u32; STEPS.len()] = [2, 2, 6];
/// Enterprises that are looked at after each kill, and all the time by a reader.
const SAMPLE: usize = 40;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn kills_lose_and_double_nothing() {
    let folder = TempDir::new().unwrap();
    let place = Place::Sqlite(folder.path().join("base.db"));
    kills_on(&place, folder.path());
}

#[test]
fn on_postgresql_kills_lose_and_double_nothing() {
    let folder = TempDir::new().unwrap();
    let place = Place::Postgres(PostgresServer::shared().new_database());
    kills_on(&place, folder.path());
}

/// How a register goes from the base to the end when nothing happens to it.
struct Undisturbed {
    /// What is counted when so many rows of a file are noted.
    counts: BTreeMap<(&'static str, u64), Counts>,
    /// How often each kind of event comes, and how long all of them take.
    pace: BTreeMap<Phase, (u64, Duration)>,
    sample: Vec<EnterpriseId>,
    /// The sample's tiers and points before and after the flip, by epoch and the entry of the log.
    answers: BTreeMap<Epoch, (u64, Vec<(Tier, u16)>)>,
    entries_before: u64,
    end: Content,
}

/// Where a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Enterprises,
    Records,
    Scan,
    Finish,
    Flip,
}

impl Phase {
    fn of_step(step: Step) -> &'static [Self] {
        match step {
            Step::Import(Part::AllEnterprises) => &[Self::Enterprises],
            Step::Import(_) => &[Self::Records],
            Step::Reclassify => &[Self::Scan, Self::Finish, Self::Flip],
        }
    }

    /// The phase that an event belongs to: it says that a piece of it is done.
    fn of(step: Step, event: Event) -> Self {
        match event {
            Event::Imported(_) => Self::of_step(step)[0],
            Event::Scanned(_) => Self::Scan,
            Event::Finished(_) => Self::Finish,
            Event::Flipped => Self::Flip,
        }
    }
}

impl Undisturbed {
    fn on(place: &Place, folder: &Path) -> Self {
        let store = place.store();
        let first = store.enterprises_after(None, usize::MAX / 2).unwrap();
        let stride = first.len() / SAMPLE;
        let sample: Vec<EnterpriseId> = first
            .into_iter()
            .map(|(enterprise, _)| enterprise.enterprise_id)
            .step_by(stride)
            .take(SAMPLE)
            .collect();
        let counts = Mutex::new(BTreeMap::new());
        let mut answers = BTreeMap::new();
        let mut pace: BTreeMap<Phase, (u64, Duration)> = BTreeMap::new();
        let entries_before = store.in_force().unwrap().unwrap().number;
        for step in STEPS {
            if step == Step::Reclassify {
                let (epoch, entry) = stored_answers(place, &sample);
                answers.insert(epoch, entry);
            }
            let told = Mutex::new((Instant::now(), Vec::new()));
            done(place, folder, step, |event| {
                let mut told = told.lock().unwrap();
                let elapsed = told.0.elapsed();
                told.1.push((event, elapsed));
                told.0 = Instant::now();
                drop(told);
                if let (Step::Import(part), Event::Imported(rows)) = (step, event) {
                    let now = store.counts().unwrap();
                    counts.lock().unwrap().insert((part.name(), rows), now);
                }
            });
            for (event, elapsed) in told.into_inner().unwrap().1 {
                let of = pace.entry(Phase::of(step, event)).or_default();
                *of = (of.0 + 1, of.1 + elapsed);
            }
        }
        let (epoch, entry) = stored_answers(place, &sample);
        answers.insert(epoch, entry);
        assert_eq!(answers.len(), 2, "the run changed no epoch");
        let service = place.service(TODAY);
        Self {
            counts: counts.into_inner().unwrap(),
            pace,
            sample,
            answers,
            entries_before,
            end: Content::of(&service, store.as_ref()),
        }
    }

    /// What must hold at any time, whatever was killed; says whether the step is done.
    fn holds(&self, place: &Place, step: Step, told: &[Event]) -> bool {
        let store = place.store();
        let service = place.service(TODAY);
        let in_force = store.in_force().unwrap().unwrap();
        let is_done = match step {
            Step::Import(part) => {
                assert_eq!(in_force.number, self.entries_before);
                self.holds_of_import(&service, store.as_ref(), part, told)
            }
            Step::Reclassify => {
                let runs = service.jobs(None, 9).unwrap();
                assert!(runs.len() <= 2, "{runs:?}");
                let has_flipped = runs.len() == 2 && runs[0].run.state == RunState::Succeeded;
                assert!(has_flipped || !told.contains(&Event::Flipped));
                let number = self.entries_before + u64::from(has_flipped);
                assert_eq!(in_force.number, number);
                let (expected, answers) = &self.answers[&in_force.epoch];
                assert_eq!(*expected, number);
                let kept: Vec<_> = self
                    .sample
                    .iter()
                    .map(|id| {
                        let row = store.tier(id).unwrap().unwrap();
                        assert_eq!(row.epoch, Some(in_force.epoch));
                        let tier = row.stored.unwrap();
                        assert_eq!(tier.revision, row.revision);
                        (tier.tier, tier.points)
                    })
                    .collect();
                assert_eq!(kept, *answers);
                has_flipped
            }
        };
        for id in &self.sample {
            let row = store.tier(id).unwrap().unwrap();
            assert_eq!(row.epoch, Some(in_force.epoch));
            let Some(kept) = row.stored.filter(|kept| kept.revision == row.revision) else {
                continue;
            };
            // A tier of an earlier day is good until its day of change.
            if kept.next_change_on.is_some_and(|day| day <= TODAY) {
                continue;
            }
            let computed = service.explain(id, None).unwrap().classification;
            assert_eq!(
                (kept.tier, kept.points),
                (computed.tier, computed.points),
                "{id}"
            );
        }
        is_done
    }

    fn holds_of_import(
        &self,
        service: &Service,
        store: &dyn Store,
        part: Part,
        told: &[Event],
    ) -> bool {
        let noted = service.imports(None, 9).unwrap();
        let noted = noted
            .first()
            .filter(|view| view.summary.file == part.name());
        let acknowledged = told.iter().max().copied();
        let Some(noted) = noted.map(|view| &view.summary) else {
            assert_eq!(acknowledged, None);
            return false;
        };
        assert!(acknowledged.is_none_or(|event| event <= Event::Imported(noted.row_count)));
        let sum = noted.created_count
            + noted.updated_count
            + noted.unchanged_count
            + noted.set_aside_count
            + noted.refused_count;
        assert_eq!(sum, noted.row_count);
        if noted.row_count > 0 {
            assert_eq!(
                store.counts().unwrap(),
                self.counts[&(part.name(), noted.row_count)],
                "{} rows of {} are noted",
                noted.row_count,
                part.name()
            );
        }
        noted.state == ImportState::Finished
    }
}

/// The answers for some enterprises, all stored then, with what is in force.
fn stored_answers(place: &Place, sample: &[EnterpriseId]) -> (Epoch, (u64, Vec<(Tier, u16)>)) {
    let service = place.service(TODAY);
    let runtime = Runtime::new().unwrap();
    let answers = runtime.block_on(service.tiers(sample)).unwrap();
    let number = service.current().number;
    let answers = answers
        .into_iter()
        .map(|answer| {
            let answer = answer.unwrap();
            (answer.tier, answer.points)
        })
        .collect();
    (*service.current().epoch(), (number, answers))
}

/// Reads all the time as another replica does, from the store; every answer is of one epoch, whole.
fn read_until(stop: &AtomicBool, place: &Place, undisturbed: &Undisturbed) -> u64 {
    let service = Service::open(
        place.store(),
        Arc::new(MemoryCache::with_capacity(1)),
        default_models(),
        Clock::Fixed(TODAY),
        Entropy::System,
    )
    .unwrap();
    let runtime = Runtime::new().unwrap();
    let mut count = 0;
    loop {
        let answers = runtime
            .block_on(service.tiers(&undisturbed.sample))
            .unwrap();
        let answers: Vec<_> = answers.into_iter().map(Option::unwrap).collect();
        let (_, expected) = &undisturbed.answers[&answers[0].epoch];
        for (answer, expected) in answers.iter().zip(expected) {
            assert_eq!(answer.epoch, answers[0].epoch);
            assert_eq!((answer.tier, answer.points), *expected);
        }
        count += 1;
        if stop.load(Ordering::Relaxed) {
            return count;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kills_on(base: &Place, folder: &Path) {
    let rounds = setting("RISKTIER_KILL_ROUNDS", 10);
    let enterprises = setting("RISKTIER_KILL_ENTERPRISES", 5_000);
    let mut rng = SeededRng::new(setting("RISKTIER_KILL_SEED", 11), "kill");
    let files = Files::made(enterprises);
    {
        let service = base.service(BASE_DAY);
        imported(&service, files.folder(), Part::BaseEnterprises);
        imported(&service, files.folder(), Part::BaseRecords);
        reclassified(&service, &());
    }
    let place = base.copied(folder, "undisturbed");
    let undisturbed = Undisturbed::on(&place, files.folder());
    place.removed();
    assert!(undisturbed.end.enterprises == enterprises && undisturbed.end.record_versions > 0);
    println!("undisturbed: {:?} {:?}", undisturbed.end, undisturbed.pace);

    let (mut killed, mut reads, mut registers) = (BTreeMap::new(), 0, 0);
    while killed.values().sum::<u64>() < rounds {
        registers += 1;
        let place = base.copied(folder, &format!("register{registers}"));
        for number in 0..STEPS.len() {
            if STEPS[number] == Step::Reclassify {
                stored_answers(&place, &undisturbed.sample);
            }
            let mut kills_left = KILLS[number];
            while kills_left > 0 && killed.values().sum::<u64>() < rounds {
                kills_left -= 1;
                let phase = kill(
                    &place,
                    files.folder(),
                    number,
                    &undisturbed,
                    &mut rng,
                    &mut reads,
                );
                if let Some(phase) = phase.killed_in {
                    *killed.entry(phase).or_default() += 1;
                }
                if phase.is_done {
                    break;
                }
            }
            if !undisturbed.holds(&place, STEPS[number], &[]) {
                Working::on(&place, files.folder(), number).ended();
                place.quiet();
                assert!(undisturbed.holds(&place, STEPS[number], &[]));
            }
        }
        let end = Content::of(&place.service(TODAY), place.store().as_ref());
        assert_eq!(end, undisturbed.end);
        println!("killed so far: {killed:?}, in {registers} registers; {reads} readings beside");
        place.quiet();
        place.removed();
    }
    assert!(reads > 0);
}

/// What a kill led to.
struct Killing {
    /// Where it happened, unless the process was quicker.
    killed_in: Option<Phase>,
    /// Whether the step is done all the same.
    is_done: bool,
}

/// Begins or goes on with a step in a process, and kills it at a random instant of a random phase.
fn kill(
    place: &Place,
    folder: &Path,
    number: usize,
    undisturbed: &Undisturbed,
    rng: &mut SeededRng,
    reads: &mut u64,
) -> Killing {
    let step = STEPS[number];
    let phases = Phase::of_step(step);
    let phase = phases[rng.below(phases.len() as u64) as usize];
    let (events, together) = undisturbed.pace[&phase];
    let each = together.as_micros() as u64 / events;
    // So many events of the phase are waited for; the flip begins when all is complete.
    let wanted = rng.below(events);
    // Rather early than late: a process that has ended cannot be killed.
    let at_most = rng.below(each + 1);
    let pause = Duration::from_micros(rng.below(at_most + 1));
    let stop = AtomicBool::new(false);
    let (was_at_work, told) = std::thread::scope(|scope| {
        let reader = (step == Step::Reclassify)
            .then(|| scope.spawn(|| read_until(&stop, place, undisturbed)));
        let mut working = Working::on(place, folder, number);
        let mut told = Vec::new();
        let has_come = |told: &[Event]| match phase {
            Phase::Flip => told.contains(&Event::Finished(undisturbed.end.enterprises)),
            Phase::Enterprises | Phase::Records | Phase::Scan => told.len() as u64 >= wanted,
            Phase::Finish => {
                let scanned = told.contains(&Event::Scanned(undisturbed.end.enterprises));
                let finished = |event: &&Event| matches!(event, Event::Finished(_));
                scanned && told.iter().filter(finished).count() as u64 >= wanted
            }
        };
        while !has_come(&told) {
            match working.next() {
                Some(event) => told.push(event),
                None => break,
            }
        }
        std::thread::sleep(pause);
        let (was_at_work, more) = working.killed();
        told.extend(more);
        stop.store(true, Ordering::Relaxed);
        *reads += reader.map_or(0, |reader| reader.join().unwrap());
        (was_at_work, told)
    });
    place.quiet();
    Killing {
        killed_in: was_at_work.then_some(phase),
        is_done: undisturbed.holds(place, step, &told),
    }
}
