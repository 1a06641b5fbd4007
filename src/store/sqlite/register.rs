//! Enterprises and records.

use jiff::civil::Date;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::domain::dates::{from_epoch_day, to_epoch_day};
use crate::domain::{Enterprise, EnterpriseId, Label, Record};
use crate::store::rows::{self, ENTERPRISE_COLUMNS, RECORD_COLUMNS};
use crate::store::{Changed, Counts, Dossier, Outcome, Refusal, StoreError};

pub(super) fn store_id(tx: &Transaction<'_>) -> Result<String, StoreError> {
    Ok(tx.query_row("SELECT store_id FROM identity", [], |row| row.get(0))?)
}

pub(super) fn begin_import(tx: &Transaction<'_>) -> Result<i64, StoreError> {
    tx.execute(
        "INSERT INTO imports (started_at) VALUES (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
        [],
    )?;
    Ok(tx.last_insert_rowid())
}

pub(super) fn put_enterprises(
    tx: &Transaction<'_>,
    batch: &[Enterprise],
    import_no: i64,
) -> Result<Vec<Outcome>, StoreError> {
    batch
        .iter()
        .map(|enterprise| put_enterprise(tx, enterprise, import_no))
        .collect()
}

pub(super) fn put_records(
    tx: &Transaction<'_>,
    batch: &[Record],
    import_no: i64,
) -> Result<Vec<Outcome>, StoreError> {
    batch
        .iter()
        .map(|record| put_record(tx, record, import_no))
        .collect()
}

pub(super) fn amend_record(
    tx: &Transaction<'_>,
    source: &Label,
    record_id: &str,
    day: Date,
    change: &dyn Fn(&mut Record) -> Result<(), String>,
) -> Result<Option<Changed>, StoreError> {
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
}

pub(super) fn enterprise(
    tx: &Transaction<'_>,
    id: &EnterpriseId,
) -> Result<Option<(Enterprise, u64)>, StoreError> {
    Ok(enterprise_row(tx, id)?.map(|(enterprise, revision, _)| (enterprise, revision)))
}

pub(super) fn dossier(
    tx: &Transaction<'_>,
    id: &EnterpriseId,
) -> Result<Option<Dossier>, StoreError> {
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
}

pub(super) fn enterprises_after(
    tx: &Transaction<'_>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(Enterprise, u64)>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
                "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id > ?1 ORDER BY enterprise_id LIMIT ?2"
            ))?;
    let mut found = statement.query(params![after.unwrap_or(""), limit])?;
    let mut page = Vec::new();
    while let Some(row) = found.next()? {
        page.push(rows::enterprise(row)?);
    }
    Ok(page)
}

pub(super) fn each_dossier(
    tx: &Transaction<'_>,
    visit: &mut dyn FnMut(Dossier),
) -> Result<(), StoreError> {
    // Both tables are keyed by enterprise, so one walk through each, side by side, reads every page once.
    let mut enterprises = tx.prepare(&format!(
        "SELECT {ENTERPRISE_COLUMNS} FROM enterprises ORDER BY enterprise_id"
    ))?;
    let mut records = tx.prepare(&format!(
                "SELECT {RECORD_COLUMNS} FROM record_versions ORDER BY enterprise_id, source, record_id, known_on"
            ))?;
    let mut enterprises = enterprises.query([])?;
    let mut records = records.query([])?;
    let mut pending = records.next()?.map(rows::record).transpose()?;
    while let Some(row) = enterprises.next()? {
        let (enterprise, revision) = rows::enterprise(row)?;
        let mut versions = Vec::new();
        while let Some(record) =
            pending.take_if(|record| record.enterprise_id == enterprise.enterprise_id)
        {
            versions.push(record);
            pending = records.next()?.map(rows::record).transpose()?;
        }
        visit(Dossier {
            enterprise,
            revision,
            versions,
        });
    }
    Ok(())
}

pub(super) fn counts(tx: &Transaction<'_>) -> Result<Counts, StoreError> {
    let count = |table: &str| {
        tx.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
    };
    Ok(Counts {
        enterprises: count("enterprises")?,
        record_versions: count("record_versions")?,
    })
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

pub(super) fn put_record(
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
