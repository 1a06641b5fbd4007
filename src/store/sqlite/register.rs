//! Enterprises and records.

use jiff::civil::Date;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::domain::dates::to_epoch_day;
use crate::domain::{Enterprise, EnterpriseId, Label, Record};
use crate::store::decide::{self, EnterpriseStep, Held, KnownVersion, RecordStep};
use crate::store::rows::{self, ENTERPRISE_COLUMNS, EnterpriseRow, RECORD_COLUMNS, to_json};
use crate::store::{Changed, Counts, Dossier, Outcome, StoreError};

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
    Ok(enterprise_row(tx, id)?.map(|row| (row.enterprise, row.revision)))
}

pub(super) fn dossier(
    tx: &Transaction<'_>,
    id: &EnterpriseId,
) -> Result<Option<Dossier>, StoreError> {
    let Some(row) = enterprise_row(tx, id)? else {
        return Ok(None);
    };
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {RECORD_COLUMNS} FROM record_versions WHERE enterprise_id = ?1 \
                 ORDER BY source, record_id, known_on"
    ))?;
    let mut found = statement.query([id.as_str()])?;
    let mut versions = Vec::new();
    while let Some(version) = found.next()? {
        versions.push(rows::record(version, 0)?);
    }
    Ok(Some(Dossier::new(row.enterprise, row.revision, versions)))
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
        let row = rows::enterprise(row)?;
        page.push((row.enterprise, row.revision));
    }
    Ok(page)
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
) -> Result<Option<EnterpriseRow>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id = ?1"
    ))?;
    let mut found = statement.query([id.as_str()])?;
    found.next()?.map(rows::enterprise).transpose()
}

fn put_enterprise(
    tx: &Transaction<'_>,
    enterprise: &Enterprise,
    import_no: i64,
) -> Result<Outcome, StoreError> {
    let before = enterprise_row(tx, &enterprise.enterprise_id)?;
    let stored = before.as_ref().map(|row| (&row.enterprise, row.import_no));
    match decide::enterprise(enterprise, stored, import_no) {
        EnterpriseStep::Keep => return Ok(Outcome::Unchanged),
        EnterpriseStep::Note => {
            tx.prepare_cached("UPDATE enterprises SET import_no = ?2 WHERE enterprise_id = ?1")?
                .execute(params![enterprise.enterprise_id.as_str(), import_no])?;
            return Ok(Outcome::Unchanged);
        }
        EnterpriseStep::Refuse(refusal) => return Ok(Outcome::Refused(refusal)),
        EnterpriseStep::Write => {}
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
    let known = match &owner {
        Some(owner) if *owner == record.enterprise_id => version_known_on(
            tx,
            owner,
            &record.source,
            &record.record_id,
            record.known_on,
        )?,
        Some(_) | None => None,
    };
    let held = match &owner {
        Some(owner) if *owner == record.enterprise_id => Held::Version(known.as_ref()),
        Some(owner) => Held::OfOther(owner),
        None if is_registered(tx, &record.enterprise_id)? => Held::Nothing,
        None => Held::NoEnterprise,
    };
    let (record, restated) = match decide::record(record, held, import_no) {
        RecordStep::Keep => return Ok(Outcome::Unchanged),
        RecordStep::Note(stated) => {
            if let Some(known) = &known {
                mark_stated(tx, &known.record, stated)?;
            }
            return Ok(Outcome::Unchanged);
        }
        RecordStep::Refuse(refusal) => return Ok(Outcome::Refused(refusal)),
        RecordStep::Write { record, restated } => (record, restated),
    };
    if owner.is_none() {
        tx.prepare_cached(
            "INSERT INTO record_owners (source, record_id, enterprise_id) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            record.source.as_str(),
            record.record_id,
            record.enterprise_id.as_str()
        ])?;
    }
    write_version(tx, "INSERT OR REPLACE", &record, import_no)?;
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

fn is_registered(tx: &Transaction<'_>, id: &EnterpriseId) -> Result<bool, StoreError> {
    let found: Option<i64> = tx
        .prepare_cached("SELECT 1 FROM enterprises WHERE enterprise_id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    Ok(found.is_some())
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
    found
        .next()?
        .map(|row| rows::known_version(row, 0))
        .transpose()
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
pub(super) fn touch(tx: &Transaction<'_>, id: &EnterpriseId) -> Result<Changed, StoreError> {
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
