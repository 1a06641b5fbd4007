//! A register in which everything matters, files that change it, and what is compared of two registers.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::{Date, date};
use risktier::cache::MemoryCache;
use risktier::domain::{EnterpriseId, Tier};
use risktier::service::bench_data::{BenchOptions, FileForm, write_bench_files};
use risktier::service::{
    Clock, Entropy, ImportObserver, ImportOptions, ImportReport, Resume, RunObserver, Service,
    Source, label,
};
use risktier::store::{
    AlertKind, IdRange, LiveTier, PostgresStore, SqliteStore, Store, TierFilter,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::postgres_server::PostgresServer;
use crate::register::{TODAY, default_models};

/// The day on which the base was classified.
pub const BASE_DAY: Date = date(2026, 11, 2);
/// Enterprises that are looked at one by one.
const LOOKED_AT: usize = 2_000;

/// Files of a made-up register: `base` holds nine enterprises of ten and half of the records, `rest` all enterprises
/// and the other records, some of which wait in the base for the enterprises that are missing there.
pub struct Files {
    directory: TempDir,
}

/// One of the files of [`Files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    BaseEnterprises,
    BaseRecords,
    AllEnterprises,
    OtherRecords,
}

impl Part {
    pub fn name(self) -> &'static str {
        match self {
            Self::BaseEnterprises => "base-enterprises.ndjson",
            Self::BaseRecords => "base-records.ndjson",
            Self::AllEnterprises => "enterprises.ndjson",
            Self::OtherRecords => "other-records.ndjson",
        }
    }
}

impl Files {
    pub fn made(enterprises: u64) -> Self {
        let directory = TempDir::new().unwrap();
        let options = BenchOptions {
            enterprise_count: enterprises,
            record_count: None,
            seed: 7,
            as_of: TODAY,
        };
        let form = FileForm::of_ending("ndjson").unwrap();
        write_bench_files(options, directory.path(), form, &mut |_| {}).unwrap();
        let files = Self { directory };
        let lines = |name: &str| {
            BufReader::new(File::open(files.folder().join(name)).unwrap())
                .lines()
                .map(Result::unwrap)
        };
        let into =
            |part: Part| BufWriter::new(File::create(files.folder().join(part.name())).unwrap());
        let mut base = into(Part::BaseEnterprises);
        for (number, line) in lines("enterprises.ndjson").enumerate() {
            if number % 10 != 3 {
                writeln!(base, "{line}").unwrap();
            }
        }
        let mut halves = [into(Part::BaseRecords), into(Part::OtherRecords)];
        for (number, line) in lines("records.ndjson").enumerate() {
            writeln!(halves[number % 2], "{line}").unwrap();
        }
        drop((base, halves));
        fs::remove_file(files.folder().join("records.ndjson")).unwrap();
        files
    }

    pub fn folder(&self) -> &Path {
        self.directory.path()
    }
}

/// Where a register lies: a file, or a database of the server that the tests of this process share.
#[derive(Clone, Debug)]
pub enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Place {
    /// From what [`Place::address`] gave.
    pub fn of(address: &str) -> Self {
        if address.starts_with("postgresql:") {
            Self::Postgres(address.to_owned())
        } else {
            Self::Sqlite(PathBuf::from(address))
        }
    }

    pub fn address(&self) -> String {
        match self {
            Self::Sqlite(path) => path.to_str().unwrap().to_owned(),
            Self::Postgres(url) => url.clone(),
        }
    }

    fn database(url: &str) -> &str {
        url.rsplit('/').next().unwrap()
    }

    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path).unwrap()),
            Self::Postgres(url) => Arc::new(PostgresStore::open(url).unwrap()),
        }
    }

    pub fn service(&self, today: Date) -> Service {
        service_on(self.store(), today)
    }

    /// Waits until nothing works for a process that is gone, and takes its lease away: stands for the seconds after
    /// which that ends by itself.
    pub fn quiet(&self) {
        const FREE: &str = "UPDATE runs SET lease_until = 0";
        match self {
            Self::Sqlite(path) => {
                let file = rusqlite::Connection::open(path).unwrap();
                file.busy_timeout(std::time::Duration::from_secs(30))
                    .unwrap();
                file.execute(FREE, []).unwrap();
            }
            Self::Postgres(url) => {
                let server = PostgresServer::shared();
                server.wait_until_unused(Self::database(url));
                server.run(Self::database(url), FREE);
            }
        }
    }

    /// A copy of a register that nobody uses, in a folder or under a name of its own.
    pub fn copied(&self, folder: &Path, name: &str) -> Self {
        match self {
            Self::Sqlite(path) => {
                let file = rusqlite::Connection::open(path).unwrap();
                file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                    .unwrap();
                drop(file);
                let copy = folder.join(format!("{name}.db"));
                fs::copy(path, &copy).unwrap();
                Self::Sqlite(copy)
            }
            Self::Postgres(url) => {
                let (server, base) = (PostgresServer::shared(), Self::database(url));
                server.wait_until_unused(base);
                server.run(
                    "postgres",
                    &format!("CREATE DATABASE {name} TEMPLATE {base} STRATEGY FILE_COPY"),
                );
                Self::Postgres(server.url(name))
            }
        }
    }

    pub fn removed(self) {
        match self {
            Self::Sqlite(path) => fs::remove_file(path).unwrap(),
            Self::Postgres(url) => PostgresServer::shared().run(
                "postgres",
                &format!("DROP DATABASE {} WITH (FORCE)", Self::database(&url)),
            ),
        }
    }
}

pub fn service_on(store: Arc<dyn Store>, today: Date) -> Service {
    Service::open(
        store,
        Arc::new(MemoryCache::with_capacity(10_000)),
        default_models(),
        Clock::Fixed(today),
        Entropy::System,
    )
    .unwrap()
}

/// Imports a part of the files; an import that was broken off is gone on with. Called within a runtime.
pub fn import(
    service: &Service,
    folder: &Path,
    part: Part,
    observer: &mut dyn ImportObserver,
) -> Result<ImportReport, risktier::service::ServiceError> {
    let options = ImportOptions {
        resume: Resume::SameFile,
        ..ImportOptions::default()
    };
    let source = Source::open(&folder.join(part.name()), None).unwrap();
    match part {
        Part::BaseEnterprises | Part::AllEnterprises => {
            service.import_enterprises(source, &options, observer)
        }
        Part::BaseRecords | Part::OtherRecords => {
            let name = label("source", "court").unwrap();
            service.import_records(source, &name, &options, observer)
        }
    }
}

/// As [`import`], from outside a runtime, to the end.
pub fn imported(service: &Service, folder: &Path, part: Part) -> ImportReport {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let report = import(service, folder, part, &mut ()).unwrap();
    assert_eq!(report.failure, None);
    report
}

/// A run from asking to flip.
pub fn reclassified(service: &Service, observer: &dyn RunObserver) {
    service.reclassify().unwrap();
    let job = service.carry_out_run(observer).unwrap().unwrap();
    assert!(
        job.run.epoch.is_some() && job.run.ended_at.is_some(),
        "{job:?}"
    );
}

/// Everything of a register that two of them are compared by.
#[derive(Debug, PartialEq, Eq)]
pub struct Content {
    pub enterprises: u64,
    pub record_versions: u64,
    pub waiting: usize,
    /// Over all dossiers.
    pub register: String,
    /// Over the live tiers.
    pub tiers: String,
    /// Over the superseded tiers and the alerts.
    pub history: String,
    pub epoch: String,
    pub entries: u64,
}

impl Content {
    /// Reads a whole register after a run; every stored tier must be the one computed from nothing but the dossiers.
    pub fn of(service: &Service, store: &dyn Store) -> Self {
        let mut register = Sha256::new();
        let mut ids: Vec<EnterpriseId> = Vec::new();
        store
            .each_dossier(&mut |dossier| {
                register.update(format!("{dossier:?}"));
                ids.push(dossier.enterprise.enterprise_id);
            })
            .unwrap();
        let everything = IdRange {
            after: None,
            until: None,
        };
        let live = store.live_tiers_in(&everything).unwrap();
        let stored: BTreeMap<&EnterpriseId, &LiveTier> = live
            .iter()
            .map(|tier| (&tier.enterprise_id, tier))
            .collect();
        assert_eq!(stored.len(), live.len(), "a tier is kept twice");
        let (mut tiers, mut history) = (Sha256::new(), Sha256::new());
        tiers.update(format!("{live:?}"));
        // One by one only some, which are others in registers of other sizes.
        for id in ids.iter().step_by(ids.len() / LOOKED_AT + 1) {
            let row = store.tier(id).unwrap().unwrap();
            assert_eq!(row.epoch.as_ref(), Some(service.current().epoch()));
            assert_eq!(row.stored.map(|tier| tier.revision), Some(row.revision));
            tiers.update(format!("{:?}", row.stored));
            history.update(format!("{id} {:?}", store.tier_history(id).unwrap()));
            // A walk has read them in one piece each; here they are read from the columns.
            register.update(format!("{:?}", store.dossier(id).unwrap()));
        }
        let mut walked = ids.iter();
        service
            .classify_register(service.as_of_today(), &mut |enterprise, _, computed| {
                let id = &enterprise.enterprise_id;
                assert_eq!(walked.next(), Some(id));
                let tier = stored[id];
                assert_eq!(
                    (tier.tier, tier.points),
                    (computed.tier, computed.points),
                    "the stored tier of `{id}` is another: {:?}",
                    computed.reasons
                );
            })
            .unwrap();
        assert_eq!((walked.next(), stored.len()), (None, ids.len()));
        let migrations = store
            .tier_migrations((BASE_DAY, TODAY), &TierFilter::default(), &[])
            .unwrap();
        history.update(format!("{migrations:?}"));
        // Which rows of a batch come first is the store's affair.
        let mut alerts: Vec<(EnterpriseId, AlertKind, Date, Tier, Tier, u16)> = Vec::new();
        let mut seq = 0;
        loop {
            let some = store.alerts_after(seq, 1_000).unwrap();
            let Some(last) = some.last() else { break };
            seq = last.seq;
            alerts.extend(some.into_iter().map(|alert| {
                let (from, to) = (alert.from_tier, alert.tier);
                (
                    alert.enterprise_id,
                    alert.kind,
                    alert.on,
                    from,
                    to,
                    alert.points,
                )
            }));
        }
        alerts.sort_by_key(|alert| format!("{alert:?}"));
        history.update(format!("{alerts:?}"));
        let counts = store.counts().unwrap();
        assert_eq!(counts.enterprises, ids.len() as u64);
        Self {
            enterprises: counts.enterprises,
            record_versions: counts.record_versions,
            waiting: waiting(store),
            register: hex::encode(register.finalize()),
            tiers: hex::encode(tiers.finalize()),
            history: hex::encode(history.finalize()),
            epoch: service.current().epoch().to_string(),
            entries: service.current().number,
        }
    }
}

/// Versions of records that wait for their enterprise.
pub fn waiting(store: &dyn Store) -> usize {
    let (mut count, mut after) = (0, None);
    loop {
        let some = store.set_aside_after(after.as_ref(), 10_000).unwrap();
        let Some(last) = some.last() else {
            return count;
        };
        count += some.len();
        after = Some(risktier::store::VersionKey::of(last));
    }
}
