//! Import of a made-up register against the bulk load of the same rows, and reading it back, in one run.
//!
//! `cargo bench --bench import -- [--enterprises N] [--records M] [--batch ROWS] [--file PATH | --database postgresql://…]`
//!
//! Both sides get the same rows in the same order into the same tables, keys and indexes, chunk by chunk in turns, so
//! that whatever else the machine does falls on both. The bulk load inserts by prepared statements, 100,000 rows in a
//! transaction (SQLite), or copies in binary form (PostgreSQL); it looks nothing up and decides nothing, so rows that say
//! again what is known are left out for it beforehand and count for the import alone, and only the import adds records to
//! the pieces that walks through the register read. Making the rows is not timed, and
//! neither is reading files. A database that is named is measured in place of the embedded store; it must be empty, and
//! its tables are filled twice. A file that is named keeps what was imported, for the benchmark `register`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "benchmark code"
)]

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::civil::{Date, date};
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{ToSql, Type};
use postgres::{Client, NoTls};
use risktier::domain::dates::to_epoch_day;
use risktier::domain::{Enterprise, EnterpriseId, Label, Record};
use risktier::service::bench_data::{BenchOptions, BenchRegister};
use risktier::store::{PostgresStore, SqliteStore, Store, packed_dossier};
use rusqlite::{Connection, params};

const DAY: Date = date(2026, 11, 22);
const BULK_ROWS: usize = 100_000;

fn main() {
    let asked = |name: &str| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name);
        arguments.nth(1)
    };
    let number = |name: &str, default: u64| asked(name).map_or(default, |n| n.parse().unwrap());
    let options = BenchOptions {
        enterprise_count: number("--enterprises", 50_000),
        record_count: Some(number("--records", 200_000)),
        seed: 1,
        as_of: DAY,
    };
    let batch = usize::try_from(number("--batch", 20_000)).unwrap();
    if let Some(url) = asked("--database") {
        let store = PostgresStore::open(&url).unwrap();
        measure(
            "PostgreSQL",
            options,
            batch,
            &store,
            &mut PostgresBulk::new(&url),
        );
        let begun = Instant::now();
        PostgresStore::open(&url).unwrap().ping().unwrap();
        line("PostgreSQL: open until it answers", begun.elapsed(), 1);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ours = asked("--file").map_or(folder.path().join("ours.db"), Into::into);
    let store = SqliteStore::open(&ours).unwrap();
    let mut bulk = SqliteBulk::new(&folder.path().join("bulk.db"));
    measure("embedded", options, batch, &store, &mut bulk);
    drop(store);
    let begun = Instant::now();
    SqliteStore::open(&ours).unwrap().ping().unwrap();
    line("embedded: open until it answers", begun.elapsed(), 1);
}

/// A bulk load into tables like the store's.
trait Bulk {
    fn enterprises(&mut self, rows: &[Enterprise]) -> Duration;
    fn records(&mut self, rows: &Distinct<'_>) -> Duration;
    fn finish(&mut self);
}

/// What there is to load of a chunk: a bulk load knows of no repetition.
struct Distinct<'a> {
    /// A version of each record that was not in an earlier chunk.
    first: Vec<&'a Record>,
    /// The versions, without those that say again what is known.
    versions: Vec<&'a Record>,
}

impl<'a> Distinct<'a> {
    /// Of rows in which the versions of a record follow one another; `last` is the row before them.
    fn of(rows: &'a [Record], last: Option<&'a Record>) -> Self {
        let key = |row: &'a Record| (&row.source, &row.record_id);
        let version = |row: &'a Record| (key(row), row.known_on);
        let before = std::iter::once(last).chain(rows.iter().map(Some));
        let (mut first, mut versions) = (Vec::new(), Vec::new());
        for (row, before) in rows.iter().zip(before) {
            if before.map(key) != Some(key(row)) {
                first.push(row);
            }
            if before.map(version) != Some(version(row)) {
                versions.push(row);
            }
        }
        Self { first, versions }
    }
}

fn measure(
    name: &str,
    options: BenchOptions,
    batch: usize,
    store: &dyn Store,
    bulk: &mut dyn Bulk,
) {
    let (mut ours, mut theirs, mut again) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut enterprises, mut records) = (0, 0);
    let import = store.begin_import().unwrap();
    for chunk in chunks(options, batch, |of| vec![of.0]) {
        enterprises += chunk.len();
        ours += timed(|| drop(store.put_enterprises(&chunk, import, DAY).unwrap()));
        theirs += bulk.enterprises(&chunk);
    }
    store.end_import(import);
    println!(
        "{name}: {enterprises} enterprises in, {:.1} s against {:.1} s",
        secs(ours),
        secs(theirs)
    );
    let import = store.begin_import().unwrap();
    let mut last = None;
    for chunk in chunks(options, batch, |of| of.1) {
        records += chunk.len();
        ours += timed(|| drop(store.put_records(&chunk, import).unwrap()));
        theirs += bulk.records(&Distinct::of(&chunk, last.as_ref()));
        last = chunk.into_iter().next_back();
    }
    store.end_import(import);
    theirs += timed(|| bulk.finish());
    line(&format!("{name}: import"), ours, enterprises + records);
    line(&format!("{name}: bulk load"), theirs, enterprises + records);
    println!(
        "{name}: the import has {:.2} of the speed of the bulk load",
        secs(theirs) / secs(ours)
    );
    let import = store.begin_import().unwrap();
    for chunk in chunks(options, batch, |of| of.1) {
        again += timed(|| drop(store.put_records(&chunk, import).unwrap()));
    }
    store.end_import(import);
    line(&format!("{name}: the records again"), again, records);
    for parts in [1, 2] {
        let begun = Instant::now();
        let (ranges, _) = store.parts_of(enterprises.div_ceil(parts) as u64).unwrap();
        let found = begun.elapsed();
        let seen: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = ranges
                .iter()
                .map(|range| {
                    scope.spawn(|| {
                        let mut seen = 0;
                        let mut visit = |dossier: risktier::store::Dossier| {
                            std::hint::black_box(&dossier);
                            seen += 1;
                            ControlFlow::Continue(())
                        };
                        store.each_dossier_in(range, &mut visit).unwrap();
                        seen
                    })
                })
                .collect();
            threads.into_iter().map(|of| of.join().unwrap()).sum()
        });
        assert_eq!(seen, enterprises);
        line(
            &format!("{name}: read all, threads: {parts}"),
            begun.elapsed(),
            enterprises,
        );
        println!("{name}: of that finding the ranges {:.3} s", secs(found));
    }
    let first = BenchRegister::new(options)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut record = first.records.first().cloned().unwrap();
    let id = first.enterprise.enterprise_id;
    let mut singles: Vec<Duration> = (0..200)
        .map(|nth| {
            record.record_id = format!("single-{nth}");
            timed(|| {
                store.put_records(std::slice::from_ref(&record), 0).unwrap();
                std::hint::black_box(store.dossier(&id).unwrap());
            })
        })
        .collect();
    singles.sort();
    line(
        &format!("{name}: one record in, dossier out (median)"),
        singles.get(100).copied().unwrap_or_default(),
        1,
    );
}

/// What the register is made of, in the order of the files, in chunks of `size` rows.
fn chunks<T>(
    options: BenchOptions,
    size: usize,
    part: impl Fn((Enterprise, Vec<Record>)) -> Vec<T>,
) -> impl Iterator<Item = Vec<T>> {
    let mut register = BenchRegister::new(options).unwrap();
    let mut left = Vec::new();
    std::iter::from_fn(move || {
        while left.len() < size
            && let Some(made) = register.next()
        {
            let made = made.unwrap();
            left.extend(part((made.enterprise, made.records)));
        }
        let rest = left.split_off(left.len().min(size));
        let chunk = std::mem::replace(&mut left, rest);
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn secs(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn line(name: &str, time: Duration, rows: usize) {
    let each = secs(time) * 1e6 / rows as f64;
    println!("{name:<45} {:9.3} s {each:11.2} µs each", secs(time));
}

fn touched<'a>(rows: &[&'a Record]) -> BTreeSet<&'a EnterpriseId> {
    rows.iter().map(|row| &row.enterprise_id).collect()
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn text(label: Option<&Label>) -> Option<&str> {
    label.map(Label::as_str)
}

struct SqliteBulk {
    connection: Connection,
    open: usize,
}

impl SqliteBulk {
    fn new(path: &Path) -> Self {
        // The store makes the tables, and the settings are its own.
        drop(SqliteStore::open(path).unwrap());
        let connection = Connection::open(path).unwrap();
        connection.set_prepared_statement_cache_capacity(16);
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; BEGIN";
        connection.execute_batch(settings).unwrap();
        Self {
            connection,
            open: 0,
        }
    }

    fn row(&mut self) {
        self.open += 1;
        if self.open == BULK_ROWS {
            self.connection.execute_batch("COMMIT; BEGIN").unwrap();
            self.open = 0;
        }
    }

    fn log(&mut self, id: &EnterpriseId, revision: i64) {
        let sql = "INSERT INTO tier_changes (enterprise_id, revision) VALUES (?1, ?2)";
        let mut log = self.connection.prepare_cached(sql).unwrap();
        log.execute(params![id.as_str(), revision]).unwrap();
        drop(log);
        self.row();
    }
}

impl Bulk for SqliteBulk {
    fn enterprises(&mut self, rows: &[Enterprise]) -> Duration {
        let pieces: Vec<_> = rows.iter().map(|row| packed_dossier(row, [])).collect();
        let begun = Instant::now();
        for (row, piece) in rows.iter().zip(pieces) {
            let sql = "INSERT INTO enterprises VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1, NULL, ?12)";
            let mut insert = self.connection.prepare_cached(sql).unwrap();
            let values = params![
                row.enterprise_id.as_str(),
                row.name,
                row.kind.code(),
                row.owner_id.as_ref().map(EnterpriseId::as_str),
                text(row.division.as_ref()),
                text(row.industry.as_ref()),
                row.established_on.map(to_epoch_day),
                row.status.code(),
                row.size.code(),
                json(&row.tags),
                json(&row.attributes),
                piece
            ];
            insert.execute(values).unwrap();
            drop(insert);
            self.row();
            self.log(&row.enterprise_id, 1);
        }
        begun.elapsed()
    }

    fn records(&mut self, rows: &Distinct<'_>) -> Duration {
        let Distinct { first, versions } = rows;
        let begun = Instant::now();
        for row in first {
            let sql = "INSERT INTO record_owners VALUES (?1, ?2, ?3)";
            let mut insert = self.connection.prepare_cached(sql).unwrap();
            let (source, of) = (row.source.as_str(), row.enterprise_id.as_str());
            insert.execute(params![source, row.record_id, of]).unwrap();
            drop(insert);
            self.row();
        }
        for row in versions {
            let (source, of) = (row.source.as_str(), row.enterprise_id.as_str());
            let sql = "INSERT INTO record_versions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
                 ?15, ?16, ?17, ?18, 1, ?4)";
            let mut insert = self.connection.prepare_cached(sql).unwrap();
            let values = params![
                of,
                source,
                row.record_id,
                to_epoch_day(row.known_on),
                row.kind.code(),
                to_epoch_day(row.occurred_on),
                row.ended_on.map(to_epoch_day),
                row.severity.map(|severity| severity.code()),
                row.amount_fen,
                row.count,
                row.upheld,
                json(&row.codes),
                text(row.item_code.as_ref()),
                text(row.party.as_ref()),
                row.related_id.as_ref().map(EnterpriseId::as_str),
                row.repaired_on.map(to_epoch_day),
                row.withdrawn_on.map(to_epoch_day),
                row.note
            ];
            insert.execute(values).unwrap();
            drop(insert);
            self.row();
        }
        for id in touched(versions) {
            self.log(id, 2);
        }
        begun.elapsed()
    }

    fn finish(&mut self) {
        self.connection.execute_batch("COMMIT").unwrap();
    }
}

struct PostgresBulk {
    client: Client,
    seq: i64,
}

impl PostgresBulk {
    /// Makes tables like the store's in a schema of their own.
    fn new(url: &str) -> Self {
        let mut client = Client::connect(url, NoTls).unwrap();
        let mut sql = String::from("CREATE SCHEMA bulk; SET search_path = bulk;");
        for table in [
            "enterprises",
            "record_owners",
            "record_versions",
            "tier_changes",
        ] {
            sql += &format!("CREATE TABLE {table} (LIKE public.{table} INCLUDING ALL);");
        }
        sql += "ALTER TABLE enterprises SET (fillfactor = 80);";
        client.batch_execute(&sql).unwrap();
        Self { client, seq: 0 }
    }

    fn copy(
        &mut self,
        table: &str,
        types: &[Type],
        rows: impl Iterator<Item = Vec<Box<dyn ToSql + Sync>>>,
    ) {
        let writer = self
            .client
            .copy_in(&format!("COPY {table} FROM STDIN (FORMAT binary)"));
        let mut writer = BinaryCopyInWriter::new(writer.unwrap(), types);
        for row in rows {
            let values: Vec<&(dyn ToSql + Sync)> = row.iter().map(AsRef::as_ref).collect();
            writer.write(&values).unwrap();
        }
        writer.finish().unwrap();
    }

    fn log(&mut self, ids: Vec<String>, revision: i64) {
        let first = self.seq;
        self.seq += i64::try_from(ids.len()).unwrap();
        let rows = ids.into_iter().zip(first + 1..);
        let rows = rows.map(|(id, seq)| -> Vec<Box<dyn ToSql + Sync>> {
            vec![Box::new(seq), Box::new(id), Box::new(revision)]
        });
        self.copy("tier_changes", &[Type::INT8, Type::TEXT, Type::INT8], rows);
    }
}

const E: &[Type] = &[
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::INT2,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::INT2,
    Type::INT2,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::INT4,
    Type::BYTEA,
];
const V: &[Type] = &[
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::INT2,
    Type::INT4,
    Type::INT4,
    Type::INT2,
    Type::INT8,
    Type::INT8,
    Type::BOOL,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::INT4,
    Type::TEXT,
    Type::INT8,
    Type::INT4,
];

impl Bulk for PostgresBulk {
    fn enterprises(&mut self, rows: &[Enterprise]) -> Duration {
        let owned = |label: &Option<Label>| label.as_ref().map(ToString::to_string);
        let values = rows.iter().map(|row| -> Vec<Box<dyn ToSql + Sync>> {
            vec![
                Box::new(row.enterprise_id.to_string()),
                Box::new(1_i64),
                Box::new(row.name.clone()),
                Box::new(i16::from(row.kind.code())),
                Box::new(row.owner_id.as_ref().map(ToString::to_string)),
                Box::new(owned(&row.division)),
                Box::new(owned(&row.industry)),
                Box::new(row.established_on.map(to_epoch_day)),
                Box::new(i16::from(row.status.code())),
                Box::new(i16::from(row.size.code())),
                Box::new(json(&row.tags)),
                Box::new(json(&row.attributes)),
                Box::new(1_i64),
                Box::new(None::<i32>),
                Box::new(packed_dossier(row, [])),
            ]
        });
        // The peer's values are ready before its time begins.
        let values: Vec<_> = values.collect();
        let begun = Instant::now();
        self.client.batch_execute("BEGIN").unwrap();
        self.copy("enterprises", E, values.into_iter());
        self.log(
            rows.iter()
                .map(|row| row.enterprise_id.to_string())
                .collect(),
            1,
        );
        self.client.batch_execute("COMMIT").unwrap();
        begun.elapsed()
    }

    fn records(&mut self, rows: &Distinct<'_>) -> Duration {
        let Distinct { first, versions } = rows;
        let owned = |label: &Option<Label>| label.as_ref().map(ToString::to_string);
        let values = versions.iter().map(|row| -> Vec<Box<dyn ToSql + Sync>> {
            vec![
                Box::new(row.enterprise_id.to_string()),
                Box::new(row.source.to_string()),
                Box::new(row.record_id.clone()),
                Box::new(to_epoch_day(row.known_on)),
                Box::new(i16::from(row.kind.code())),
                Box::new(to_epoch_day(row.occurred_on)),
                Box::new(row.ended_on.map(to_epoch_day)),
                Box::new(row.severity.map(|severity| i16::from(severity.code()))),
                Box::new(row.amount_fen),
                Box::new(row.count.map(i64::from)),
                Box::new(row.upheld),
                Box::new(json(&row.codes)),
                Box::new(owned(&row.item_code)),
                Box::new(owned(&row.party)),
                Box::new(row.related_id.as_ref().map(ToString::to_string)),
                Box::new(row.repaired_on.map(to_epoch_day)),
                Box::new(row.withdrawn_on.map(to_epoch_day)),
                Box::new(row.note.clone()),
                Box::new(1_i64),
                Box::new(to_epoch_day(row.known_on)),
            ]
        });
        let owners = first.iter().map(|row| -> Vec<Box<dyn ToSql + Sync>> {
            vec![
                Box::new(row.source.to_string()),
                Box::new(row.record_id.clone()),
                Box::new(row.enterprise_id.to_string()),
            ]
        });
        let (values, owners): (Vec<_>, Vec<_>) = (values.collect(), owners.collect());
        let begun = Instant::now();
        self.client.batch_execute("BEGIN").unwrap();
        let owner_types = [Type::TEXT, Type::TEXT, Type::TEXT];
        self.copy("record_owners", &owner_types, owners.into_iter());
        self.copy("record_versions", V, values.into_iter());
        self.log(
            touched(versions)
                .into_iter()
                .map(ToString::to_string)
                .collect(),
            2,
        );
        self.client.batch_execute("COMMIT").unwrap();
        begun.elapsed()
    }

    fn finish(&mut self) {}
}
