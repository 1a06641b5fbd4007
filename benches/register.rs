//! A register at the scale of a province: reclassified as a whole, re-tiered on one new record, started, summed up.
//!
//! ```sh
//! cargo bench --bench register -- --enterprises 5000000 --records 20000000 --file /tmp/province.db
//! cargo bench --bench register -- --enterprises 5000000 --records 20000000 --database postgresql://…
//! ```
//!
//! A store that is empty is filled first, in the way of an import and by the batch sizes of one; one that is not is taken
//! as it is, so that a second call measures only. `--runs N` sets how often the register is reclassified (3). Peak memory
//! is that of this process, which carries the run out; a PostgreSQL server has its own beside it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "benchmark code"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::{Date, date};
use risktier::cache::MemoryCache;
use risktier::domain::Record;
use risktier::domain::rng::SeededRng;
use risktier::service::bench_data::{BenchOptions, BenchRegister};
use risktier::service::{Clock, Entropy, ModelFiles, Models, RunObserver, Service, SummaryBy};
use risktier::store::{PostgresStore, SqliteStore, Store};

const DAY: Date = date(2026, 11, 22);
const BATCH: usize = 20_000;
const SINGLES: usize = 200;

fn main() {
    let asked = |name: &str| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name);
        arguments.nth(1)
    };
    let number = |name: &str, default: u64| asked(name).map_or(default, |n| n.parse().unwrap());
    let options = BenchOptions {
        enterprise_count: number("--enterprises", 100_000),
        record_count: Some(number("--records", 400_000)),
        seed: 1,
        as_of: DAY,
    };
    let runs = number("--runs", 3);
    if let Some(url) = asked("--database") {
        measure("PostgreSQL", options, runs, &|| {
            Arc::new(PostgresStore::open(&url).unwrap())
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = asked("--file").map_or(folder.path().join("register.db"), Into::into);
    measure("embedded", options, runs, &|| {
        Arc::new(SqliteStore::open(Path::new(&path)).unwrap())
    });
}

fn measure(name: &str, options: BenchOptions, runs: u64, open: &dyn Fn() -> Arc<dyn Store>) {
    let store = open();
    if store.enterprise_count().unwrap() == 0 {
        fill(name, options, store.as_ref());
    }
    drop(store);

    let begun = Instant::now();
    let service = served(open());
    let first = BenchRegister::id_at(&options, 0).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(service.tier(&first)).unwrap();
    line(name, "start, until the first answer", begun.elapsed());

    let mut times = Vec::new();
    for nth in 1..=runs {
        service.reclassify().unwrap();
        let phases = Phases(Instant::now(), std::sync::Mutex::default());
        let processor = processor_time();
        let job = service.carry_out_run(&phases).unwrap().unwrap();
        let (whole, processor) = (phases.0.elapsed(), processor_time() - processor);
        let scanned = phases.1.lock().unwrap().unwrap_or_default();
        println!(
            "{name}: run {nth}: {} enterprises, {:.1} s ({:.1} s scan, {:.1} s rest), {:.1} s processor time of this \
             process, {:.2} µs of it each; {} tiers changed; peak {} MiB",
            job.run.total_count,
            whole.as_secs_f64(),
            scanned.as_secs_f64(),
            (whole - scanned).as_secs_f64(),
            processor.as_secs_f64(),
            processor.as_secs_f64() * 1e6 / job.run.total_count as f64,
            job.run.change_count.unwrap_or_default(),
            peak_mib()
        );
        times.push(whole);
    }
    times.sort();
    if let Some(median) = times.get(times.len() / 2) {
        line(name, "reclassify, median", *median);
    }

    singles(name, options, &service, &runtime);

    for by in [SummaryBy::Division, SummaryBy::Tag] {
        let begun = Instant::now();
        std::hint::black_box(service.tier_summary(by, None).unwrap());
        line(name, &format!("summary by {by:?}"), begun.elapsed());
    }
    let begun = Instant::now();
    drop(service);
    let service = served(open());
    runtime.block_on(service.tier(&first)).unwrap();
    line(name, "start again, until the first answer", begun.elapsed());
}

fn served(store: Arc<dyn Store>) -> Service {
    let models = Models::load(&ModelFiles::default()).unwrap();
    let cache = Arc::new(MemoryCache::with_capacity(100_000));
    Service::open(store, cache, models, Clock::Fixed(DAY), Entropy::System).unwrap()
}

fn fill(name: &str, options: BenchOptions, store: &dyn Store) {
    let begun = Instant::now();
    let import = store.begin_import().unwrap();
    let mut batch = Vec::new();
    for made in BenchRegister::new(options).unwrap() {
        batch.push(made.unwrap().enterprise);
        if batch.len() == BATCH {
            store.put_enterprises(&batch, import, DAY).unwrap();
            batch.clear();
        }
    }
    store.put_enterprises(&batch, import, DAY).unwrap();
    store.end_import(import);
    let import = store.begin_import().unwrap();
    let mut batch: Vec<Record> = Vec::new();
    for made in BenchRegister::new(options).unwrap() {
        batch.extend(made.unwrap().records);
        if batch.len() >= BATCH {
            store.put_records(&batch, import).unwrap();
            batch.clear();
        }
    }
    store.put_records(&batch, import).unwrap();
    store.end_import(import);
    line(name, "filled, with making the rows", begun.elapsed());
}

/// One new record in, the new tier out, for enterprises all over the register.
fn singles(
    name: &str,
    options: BenchOptions,
    service: &Service,
    runtime: &tokio::runtime::Runtime,
) {
    let mut rng = SeededRng::new(7, "singles");
    let model = BenchRegister::new(options)
        .unwrap()
        .flat_map(|made| made.unwrap().records)
        .next()
        .unwrap();
    let run = uuid_like();
    let mut times: Vec<Duration> = (0..SINGLES)
        .map(|nth| {
            let mut record = model.clone();
            let index = rng.below(options.enterprise_count);
            record.enterprise_id = BenchRegister::id_at(&options, index).unwrap();
            record.record_id = format!("single-{run}-{nth}");
            let id = record.enterprise_id.clone();
            let begun = Instant::now();
            runtime.block_on(service.put_records(vec![record])).unwrap();
            std::hint::black_box(runtime.block_on(service.tier(&id)).unwrap());
            begun.elapsed()
        })
        .collect();
    times.sort();
    let at = |percent: usize| times.get(SINGLES * percent / 100).copied();
    line(name, "one record in, its tier out, median", at(50).unwrap());
    line(name, "the same, 95th of 100", at(95).unwrap());
}

/// Sets the records of one call apart from those of another.
fn uuid_like() -> u128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos()
}

/// When the scan of a run ended.
struct Phases(Instant, std::sync::Mutex<Option<Duration>>);

impl RunObserver for Phases {
    fn scanned(&self, _done: u64, _total: u64) {
        *self.1.lock().unwrap() = Some(self.0.elapsed());
    }
}

fn line(name: &str, what: &str, time: Duration) {
    println!(
        "{:<55} {:10.2} ms",
        format!("{name}: {what}"),
        time.as_secs_f64() * 1e3
    );
}

/// Processor time of this process and its threads, in user mode and in the kernel.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .into_iter()
        .flat_map(|rest| rest.split_whitespace().skip(11).take(2))
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory that this process has had resident.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}
