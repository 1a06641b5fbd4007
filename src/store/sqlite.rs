//! The embedded store: SQLite in write-ahead mode, one writer, as many readers as ask.

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::rows::{self, ENTERPRISE_COLUMNS, RECORD_COLUMNS};
use super::{
    Changed, Counts, Dossier, Outcome, PlanChange, PlanFile, Refusal, Store, StoreError,
    StoredTier, TierRow,
};
use crate::domain::dates::{from_epoch_day, to_epoch_day};
use crate::domain::{Enterprise, EnterpriseId, Epoch, Label, Record};

/// Forward-only migrations; the position plus one is the schema version they lead to.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_register.sql")];

/// The embedded store.
///
/// Synchronous mode is FULL: what a call acknowledged survives a power cut.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl SqliteStore {
    /// Opens the database at `path`, creates it if absent, and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = connect(path)?;
        migrate(&mut connection, path)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(connection),
            readers: Mutex::new(Vec::new()),
        })
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Reads in one transaction: everything that `work` sees is of one instant.
    fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let pooled = lock(&self.readers).pop();
        let mut connection = match pooled {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let transaction = connection.transaction()?;
        let value = work(&transaction);
        drop(transaction);
        lock(&self.readers).push(connection);
        value
    }
}

/// A poisoned lock only says that another caller panicked; SQLite has rolled its transaction back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; PRAGMA foreign_keys = ON;",
    )?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::TooNew {
            path: path.display().to_string(),
            found,
            known,
        });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {known}"))?;
    transaction.commit()?;
    Ok(())
}

impl Store for SqliteStore {
    fn store_id(&self) -> Result<String, StoreError> {
        self.read(|tx| Ok(tx.query_row("SELECT store_id FROM identity", [], |row| row.get(0))?))
    }

    fn begin_import(&self) -> Result<i64, StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO imports (started_at) VALUES (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
                [],
            )?;
            Ok(tx.last_insert_rowid())
        })
    }

    fn put_enterprises(
        &self,
        batch: &[Enterprise],
        import_no: i64,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.write(|tx| {
            batch
                .iter()
                .map(|enterprise| put_enterprise(tx, enterprise, import_no))
                .collect()
        })
    }

    fn put_records(&self, batch: &[Record], import_no: i64) -> Result<Vec<Outcome>, StoreError> {
        self.write(|tx| {
            batch
                .iter()
                .map(|record| put_record(tx, record, import_no))
                .collect()
        })
    }

    fn put_records_or_none(&self, batch: &[Record]) -> Result<Vec<Outcome>, StoreError> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for record in batch {
            let outcome = put_record(&transaction, record, 0)?;
            let refused = matches!(outcome, Outcome::Refused(_));
            outcomes.push(outcome);
            if refused {
                transaction.rollback()?;
                return Ok(outcomes);
            }
        }
        transaction.commit()?;
        Ok(outcomes)
    }

    fn amend_record(
        &self,
        source: &Label,
        record_id: &str,
        day: Date,
        change: &dyn Fn(&mut Record) -> Result<(), String>,
    ) -> Result<Option<Changed>, StoreError> {
        self.write(|tx| {
            let Some(owner) = owner_of(tx, source, record_id)? else {
                return Ok(None);
            };
            let Some(KnownVersion { mut record, .. }) =
                version_known_on(tx, &owner, source, record_id, day)?
            else {
                return Ok(None);
            };
            change(&mut record).map_err(StoreError::Aborted)?;
            record.known_on = day.max(record.known_on);
            write_version(tx, "INSERT OR REPLACE", &record, 0)?;
            touch(tx, &owner).map(Some)
        })
    }

    fn enterprise(&self, id: &EnterpriseId) -> Result<Option<(Enterprise, u64)>, StoreError> {
        self.read(|tx| {
            Ok(enterprise_row(tx, id)?.map(|(enterprise, revision, _)| (enterprise, revision)))
        })
    }

    fn dossier(&self, id: &EnterpriseId) -> Result<Option<Dossier>, StoreError> {
        self.read(|tx| {
            let Some((enterprise, revision, _)) = enterprise_row(tx, id)? else {
                return Ok(None);
            };
            let mut statement = tx.prepare_cached(&format!(
                "SELECT {RECORD_COLUMNS} FROM record_versions WHERE enterprise_id = ?1 \
                 ORDER BY source, record_id, known_on"
            ))?;
            let mut found = statement.query([id.as_str()])?;
            let mut versions = Vec::new();
            while let Some(row) = found.next()? {
                versions.push(rows::record(row)?);
            }
            Ok(Some(Dossier {
                enterprise,
                revision,
                versions,
            }))
        })
    }

    fn enterprises_after(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Enterprise, u64)>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(&format!(
                "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id > ?1 ORDER BY enterprise_id LIMIT ?2"
            ))?;
            let mut found = statement.query(params![after.unwrap_or(""), limit])?;
            let mut page = Vec::new();
            while let Some(row) = found.next()? {
                page.push(rows::enterprise(row)?);
            }
            Ok(page)
        })
    }

    fn each_dossier(&self, visit: &mut dyn FnMut(Dossier)) -> Result<(), StoreError> {
        self.read(|tx| {
            // Both tables are keyed by enterprise, so one walk through each, side by side, reads every page once.
            let mut enterprises =
                tx.prepare(&format!("SELECT {ENTERPRISE_COLUMNS} FROM enterprises ORDER BY enterprise_id"))?;
            let mut records = tx.prepare(&format!(
                "SELECT {RECORD_COLUMNS} FROM record_versions ORDER BY enterprise_id, source, record_id, known_on"
            ))?;
            let mut enterprises = enterprises.query([])?;
            let mut records = records.query([])?;
            let mut pending = records.next()?.map(rows::record).transpose()?;
            while let Some(row) = enterprises.next()? {
                let (enterprise, revision) = rows::enterprise(row)?;
                let mut versions = Vec::new();
                while let Some(record) = pending.take_if(|record| record.enterprise_id == enterprise.enterprise_id) {
                    versions.push(record);
                    pending = records.next()?.map(rows::record).transpose()?;
                }
                visit(Dossier { enterprise, revision, versions });
            }
            Ok(())
        })
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        self.read(|tx| {
            let count = |table: &str| {
                tx.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                    row.get(0)
                })
            };
            Ok(Counts {
                enterprises: count("enterprises")?,
                record_versions: count("record_versions")?,
            })
        })
    }

    fn tier(&self, id: &EnterpriseId) -> Result<Option<TierRow>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT e.revision, t.epoch, t.revision, t.tier, t.points, t.as_of, t.next_change_on \
                 FROM enterprises e LEFT JOIN tiers t USING (enterprise_id) WHERE e.enterprise_id = ?1",
            )?;
            let mut found = statement.query([id.as_str()])?;
            let Some(row) = found.next()? else { return Ok(None) };
            Ok(Some(TierRow { revision: row.get(0)?, stored: rows::stored_tier(row, 1)? }))
        })
    }

    fn put_tiers(
        &self,
        epoch: &Epoch,
        tiers: &[(EnterpriseId, StoredTier)],
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO tiers (enterprise_id, epoch, revision, tier, points, as_of, next_change_on) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (enterprise_id) DO UPDATE SET epoch = excluded.epoch, revision = excluded.revision, \
                 tier = excluded.tier, points = excluded.points, as_of = excluded.as_of, \
                 next_change_on = excluded.next_change_on WHERE excluded.revision >= tiers.revision",
            )?;
            for (id, tier) in tiers {
                statement.execute(params![
                    id.as_str(),
                    epoch.as_str(),
                    tier.revision,
                    tier.tier.code(),
                    tier.points,
                    to_epoch_day(tier.as_of),
                    tier.next_change_on.map(to_epoch_day)
                ])?;
            }
            Ok(())
        })
    }

    fn last_change(&self) -> Result<u64, StoreError> {
        self.read(|tx| {
            Ok(tx.query_row(
                "SELECT coalesce(max(seq), 0) FROM tier_changes",
                [],
                |row| row.get(0),
            )?)
        })
    }

    fn changes_after(&self, seq: u64, limit: usize) -> Result<Vec<Changed>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT seq, enterprise_id, revision FROM tier_changes WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
            let mut found = statement.query(params![seq, limit])?;
            let mut changes = Vec::new();
            while let Some(row) = found.next()? {
                changes.push(Changed {
                    seq: row.get(0)?,
                    enterprise_id: rows::id(row, 1, "enterprise_id")?,
                    revision: row.get(2)?,
                });
            }
            Ok(changes)
        })
    }

    fn put_frame(
        &self,
        frame_id: &str,
        body: &[u8],
        document: &dyn Fn(u64) -> String,
    ) -> Result<u64, StoreError> {
        self.write(|tx| {
            let number: u64 = tx.query_row(
                "SELECT coalesce(max(number), 0) + 1 FROM frames",
                [],
                |row| row.get(0),
            )?;
            tx.execute(
                "INSERT INTO frames (frame_id, number, document, body) VALUES (?1, ?2, ?3, ?4)",
                params![frame_id, number, document(number), body],
            )?;
            Ok(number)
        })
    }

    fn frame(&self, frame_id: &str) -> Result<Option<String>, StoreError> {
        self.text("SELECT document FROM frames WHERE frame_id = ?1", frame_id)
    }

    fn frame_body(&self, frame_id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached("SELECT body FROM frames WHERE frame_id = ?1")?;
            Ok(statement
                .query_row([frame_id], |row| row.get(0))
                .optional()?)
        })
    }

    fn frames_before(&self, before: Option<u64>, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT document FROM frames WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
            )?;
            let before = before
                .and_then(|before| i64::try_from(before).ok())
                .unwrap_or(i64::MAX);
            let found = statement.query_map(params![before, limit], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    fn insert_plan(&self, plan_id: &str, state: &str, document: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO plans (plan_id, state, document) VALUES (?1, ?2, ?3)",
                params![plan_id, state, document],
            )?;
            Ok(())
        })
    }

    fn advance_plan(
        &self,
        plan_id: &str,
        from: &str,
        change: &PlanChange<'_>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            let rows = tx.execute(
                "UPDATE plans SET state = ?3, document = ?4, sample = coalesce(?5, sample) \
                 WHERE plan_id = ?1 AND state = ?2",
                params![plan_id, from, change.state, change.document, change.sample],
            )?;
            Ok(rows == 1)
        })
    }

    fn freeze_plan(
        &self,
        plan_id: &str,
        build: &mut dyn FnMut(u64) -> Result<(String, Vec<u8>), StoreError>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            if plan_state(tx, plan_id)?.as_deref() != Some("draft") {
                return Ok(false);
            }
            let number: u64 = tx.query_row("SELECT coalesce(max(number), 0) + 1 FROM plans", [], |row| row.get(0))?;
            let (document, pool) = build(number)?;
            tx.execute(
                "UPDATE plans SET number = ?2, state = 'frozen', document = ?3, pool = ?4 WHERE plan_id = ?1",
                params![plan_id, number, document, pool],
            )?;
            Ok(true)
        })
    }

    fn plan(&self, plan_id: &str) -> Result<Option<String>, StoreError> {
        self.text("SELECT document FROM plans WHERE plan_id = ?1", plan_id)
    }

    fn plan_file(&self, plan_id: &str, file: PlanFile) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = match file {
            PlanFile::Pool => "SELECT pool FROM plans WHERE plan_id = ?1",
            PlanFile::Sample => "SELECT sample FROM plans WHERE plan_id = ?1",
        };
        self.read(|tx| {
            let mut statement = tx.prepare_cached(sql)?;
            Ok(statement
                .query_row([plan_id], |row| row.get::<_, Option<Vec<u8>>>(0))
                .optional()?
                .flatten())
        })
    }

    fn plans_before(&self, before: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT document FROM plans WHERE ?1 IS NULL OR plan_id < ?1 ORDER BY plan_id DESC LIMIT ?2",
            )?;
            let found = statement.query_map(params![before, limit], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    fn close_plan(
        &self,
        plan_id: &str,
        build: &mut dyn FnMut(Option<String>) -> Result<String, StoreError>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            if plan_state(tx, plan_id)?.as_deref() != Some("drawn") {
                return Ok(false);
            }
            let last = "SELECT document, closed_no FROM plans WHERE closed_no IS NOT NULL ORDER BY closed_no DESC LIMIT 1";
            let previous: Option<(String, i64)> =
                tx.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let closed_no = previous.as_ref().map_or(1, |(_, closed_no)| closed_no + 1);
            let document = build(previous.map(|(document, _)| document))?;
            tx.execute(
                "UPDATE plans SET state = 'closed', closed_no = ?2, document = ?3 WHERE plan_id = ?1",
                params![plan_id, closed_no, document],
            )?;
            Ok(true)
        })
    }

    fn ping(&self) -> Result<(), StoreError> {
        self.read(|tx| {
            tx.query_row("SELECT EXISTS (SELECT 1 FROM enterprises)", [], |_| Ok(()))?;
            Ok(())
        })
    }
}

impl SqliteStore {
    fn text(&self, sql: &str, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|tx| {
            Ok(tx
                .prepare_cached(sql)?
                .query_row([key], |row| row.get(0))
                .optional()?)
        })
    }
}

fn plan_state(tx: &Transaction<'_>, plan_id: &str) -> Result<Option<String>, StoreError> {
    Ok(tx
        .query_row(
            "SELECT state FROM plans WHERE plan_id = ?1",
            [plan_id],
            |row| row.get(0),
        )
        .optional()?)
}

fn enterprise_row(
    tx: &Transaction<'_>,
    id: &EnterpriseId,
) -> Result<Option<(Enterprise, u64, i64)>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id = ?1"
    ))?;
    let mut found = statement.query([id.as_str()])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    let (enterprise, revision) = rows::enterprise(row)?;
    Ok(Some((enterprise, revision, row.get(12)?)))
}

fn put_enterprise(
    tx: &Transaction<'_>,
    enterprise: &Enterprise,
    import_no: i64,
) -> Result<Outcome, StoreError> {
    let before = enterprise_row(tx, &enterprise.enterprise_id)?;
    match &before {
        Some((stored, _, written_by)) if stored == enterprise => {
            // The row stood in this import: another content for its id further down is a duplicate.
            if import_no != 0 && *written_by != import_no {
                tx.prepare_cached(
                    "UPDATE enterprises SET import_no = ?2 WHERE enterprise_id = ?1",
                )?
                .execute(params![enterprise.enterprise_id.as_str(), import_no])?;
            }
            return Ok(Outcome::Unchanged);
        }
        Some((_, _, written_by)) if import_no != 0 && *written_by == import_no => {
            return Ok(Outcome::Refused(Refusal::DuplicateInImport));
        }
        Some(_) | None => {}
    }
    let mut statement = tx.prepare_cached(&format!(
        "INSERT INTO enterprises ({ENTERPRISE_COLUMNS}) VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
         ON CONFLICT (enterprise_id) DO UPDATE SET name = excluded.name, kind = excluded.kind, \
         owner_id = excluded.owner_id, division = excluded.division, industry = excluded.industry, \
         established_on = excluded.established_on, status = excluded.status, size = excluded.size, \
         tags = excluded.tags, attributes = excluded.attributes, import_no = excluded.import_no"
    ))?;
    statement.execute(params![
        enterprise.enterprise_id.as_str(),
        enterprise.name,
        enterprise.kind.code(),
        enterprise.owner_id.as_ref().map(EnterpriseId::as_str),
        enterprise.division.as_ref().map(Label::as_str),
        enterprise.industry.as_ref().map(Label::as_str),
        enterprise.established_on.map(to_epoch_day),
        enterprise.status.code(),
        enterprise.size.code(),
        to_json(&enterprise.tags)?,
        to_json(&enterprise.attributes)?,
        import_no
    ])?;
    let changed = touch(tx, &enterprise.enterprise_id)?;
    Ok(if before.is_some() {
        Outcome::Updated(changed)
    } else {
        Outcome::Created(changed)
    })
}

fn put_record(
    tx: &Transaction<'_>,
    record: &Record,
    import_no: i64,
) -> Result<Outcome, StoreError> {
    let owner = owner_of(tx, &record.source, &record.record_id)?;
    let mut restated = None;
    if let Some(owner) = &owner {
        if *owner != record.enterprise_id {
            return Ok(Outcome::Refused(Refusal::OtherEnterprise(owner.clone())));
        }
        let known = version_known_on(
            tx,
            owner,
            &record.source,
            &record.record_id,
            record.known_on,
        )?;
        if let Some(known) = &known {
            // The same content known earlier says nothing new: importing a file again changes nothing.
            let stored = &known.record;
            if *stored
                == (Record {
                    known_on: stored.known_on,
                    ..record.clone()
                })
            {
                let stated = (import_no, record.known_on.max(known.stated.1));
                if known.stated != stated {
                    mark_stated(tx, stored, stated)?;
                }
                return Ok(Outcome::Unchanged);
            }
            if import_no != 0 && known.stated == (import_no, record.known_on) {
                return Ok(Outcome::Refused(Refusal::DuplicateInImport));
            }
        }
        restated = known
            .filter(|known| record.known_on < known.stated.1)
            // A correction of the same day replaces the version with all its repetitions.
            .filter(|known| known.record.known_on < record.known_on)
            .map(|known| Record {
                known_on: known.stated.1,
                ..known.record
            });
    } else {
        let known: Option<i64> = tx
            .prepare_cached("SELECT 1 FROM enterprises WHERE enterprise_id = ?1")?
            .query_row([record.enterprise_id.as_str()], |row| row.get(0))
            .optional()?;
        if known.is_none() {
            return Ok(Outcome::Refused(Refusal::UnknownEnterprise));
        }
        tx.prepare_cached(
            "INSERT INTO record_owners (source, record_id, enterprise_id) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            record.source.as_str(),
            record.record_id,
            record.enterprise_id.as_str()
        ])?;
    }
    write_version(tx, "INSERT OR REPLACE", record, import_no)?;
    // What was said again after this version became known holds from then on, whichever of the two arrived first.
    if let Some(restated) = &restated {
        write_version(tx, "INSERT OR IGNORE", restated, import_no)?;
    }
    let changed = touch(tx, &record.enterprise_id)?;
    Ok(if owner.is_some() {
        Outcome::Updated(changed)
    } else {
        Outcome::Created(changed)
    })
}

fn owner_of(
    tx: &Transaction<'_>,
    source: &Label,
    record_id: &str,
) -> Result<Option<EnterpriseId>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT enterprise_id FROM record_owners WHERE source = ?1 AND record_id = ?2",
    )?;
    let mut found = statement.query(params![source.as_str(), record_id])?;
    found
        .next()?
        .map(|row| rows::id(row, 0, "enterprise_id"))
        .transpose()
}

/// A stored version.
struct KnownVersion {
    record: Record,
    /// The last import in which it stood, and the latest day from which it was said to be known.
    stated: (i64, Date),
}

/// Notes that a version stood in an import.
fn mark_stated(
    tx: &Transaction<'_>,
    version: &Record,
    (import_no, stated_on): (i64, Date),
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE record_versions SET import_no = ?5, stated_on = ?6 \
         WHERE enterprise_id = ?1 AND source = ?2 AND record_id = ?3 AND known_on = ?4",
    )?
    .execute(params![
        version.enterprise_id.as_str(),
        version.source.as_str(),
        version.record_id,
        to_epoch_day(version.known_on),
        import_no,
        to_epoch_day(stated_on)
    ])?;
    Ok(())
}

/// The version of a record that was known on `day`.
fn version_known_on(
    tx: &Transaction<'_>,
    owner: &EnterpriseId,
    source: &Label,
    record_id: &str,
    day: Date,
) -> Result<Option<KnownVersion>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {RECORD_COLUMNS} FROM record_versions \
         WHERE enterprise_id = ?1 AND source = ?2 AND record_id = ?3 AND known_on <= ?4 ORDER BY known_on DESC LIMIT 1"
    ))?;
    let mut found = statement.query(params![
        owner.as_str(),
        source.as_str(),
        record_id,
        to_epoch_day(day)
    ])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    Ok(Some(KnownVersion {
        record: rows::record(row)?,
        stated: (row.get(18)?, from_epoch_day(row.get(19)?)),
    }))
}

fn write_version(
    tx: &Transaction<'_>,
    insert: &str,
    record: &Record,
    import_no: i64,
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "{insert} INTO record_versions ({RECORD_COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?4)"
    ))?;
    statement.execute(params![
        record.enterprise_id.as_str(),
        record.source.as_str(),
        record.record_id,
        to_epoch_day(record.known_on),
        record.kind.code(),
        to_epoch_day(record.occurred_on),
        record.ended_on.map(to_epoch_day),
        record.severity.map(|severity| severity.code()),
        record.amount_fen,
        record.count,
        record.upheld,
        to_json(&record.codes)?,
        record.item_code.as_ref().map(Label::as_str),
        record.party.as_ref().map(Label::as_str),
        record.related_id.as_ref().map(EnterpriseId::as_str),
        record.repaired_on.map(to_epoch_day),
        record.withdrawn_on.map(to_epoch_day),
        record.note,
        import_no
    ])?;
    Ok(())
}

/// Raises the revision of an enterprise and writes the change to the log that caches follow.
fn touch(tx: &Transaction<'_>, id: &EnterpriseId) -> Result<Changed, StoreError> {
    let revision: u64 = tx
        .prepare_cached("UPDATE enterprises SET revision = revision + 1 WHERE enterprise_id = ?1 RETURNING revision")?
        .query_row([id.as_str()], |row| row.get(0))?;
    tx.prepare_cached("INSERT INTO tier_changes (enterprise_id, revision) VALUES (?1, ?2)")?
        .execute(params![id.as_str(), revision])?;
    let seq = u64::try_from(tx.last_insert_rowid()).unwrap_or(0);
    Ok(Changed {
        seq,
        enterprise_id: id.clone(),
        revision,
    })
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Aborted(error.to_string()))
}
