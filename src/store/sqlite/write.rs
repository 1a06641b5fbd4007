//! Writing enterprises and records: a batch is read, decided in memory, and written in the order of the keys.

use jiff::civil::Date;
use rusqlite::{OptionalExtension, Transaction, params};
use std::borrow::Cow;

use super::change_log::log_changes;
use super::life::successors;
use super::register::{enterprise_row, versions_of};
use crate::domain::dates::to_epoch_day;
use crate::domain::{Enterprise, EnterpriseId, Label, Record};
use crate::store::arrivals::{EnterpriseBatch, RecordBatch, Slot, Standing, unnumbered};
use crate::store::decide::KnownVersion;
use crate::store::rows::{self, EARLIER_COLUMNS, ENTERPRISE_COLUMNS, RECORD_COLUMNS, to_json};
use crate::store::stood::Pass;
use crate::store::{Changed, Outcome, StoreError, packed};

pub(super) fn put_enterprises(
    tx: &Transaction<'_>,
    rows: &[Enterprise],
    pass: &mut Pass,
    day: Date,
) -> Result<Vec<Outcome>, StoreError> {
    let mut batch = EnterpriseBatch::new(rows);
    for standing in &mut batch.standings {
        standing.before = enterprise_row(tx, standing.id)?;
    }
    let mut outcomes = batch.decide(pass);
    let mut arrived = Vec::new();
    for standing in &batch.standings {
        match (&standing.before, standing.now) {
            (None, Some(_)) => {
                write_enterprise(tx, standing, pass.import_no(), None, &[])?;
                arrived.push(standing.id);
            }
            (Some(before), Some(_)) => {
                // A clock that was set back does not make one version hold before another that it followed.
                let until_on = before.changed_on.map_or(day, |last| last.max(day));
                write_earlier(tx, &before.enterprise, until_on)?;
                let versions = versions_of(tx, standing.id)?;
                write_enterprise(tx, standing, pass.import_no(), Some(until_on), &versions)?;
            }
            (Some(_), None) if standing.is_noted => {
                tx.prepare_cached(
                    "UPDATE enterprises SET import_no = ?2 WHERE enterprise_id = ?1",
                )?
                .execute(params![standing.id.as_str(), pass.import_no()])?;
            }
            (_, None) => {}
        }
    }
    if !arrived.is_empty() {
        tx.prepare_cached("UPDATE register_size SET enterprises = enterprises + ?1")?
            .execute([arrived.len()])?;
        attach(tx, &arrived)?;
    }
    let changes = batch.changes();
    let last = log_changes(tx, &changes)?;
    touch_successors(tx, &changes)?;
    batch.number(&mut outcomes, last);
    Ok(outcomes)
}

/// Writes records. With `all_or_none` it ends at the first refused one, and the caller must undo what was written.
pub(super) fn put_records(
    tx: &Transaction<'_>,
    rows: &[Record],
    pass: &mut Pass,
    all_or_none: bool,
) -> Result<Vec<Outcome>, StoreError> {
    let mut batch = RecordBatch::new(rows);
    let mut stored =
        tx.prepare_cached("SELECT revision, packed FROM enterprises WHERE enterprise_id = ?1")?;
    for subject in &mut batch.subjects {
        let mut found = stored.query([subject.id.as_str()])?;
        if let Some(row) = found.next()? {
            subject.revision = Some(row.get(0)?);
            subject.packed = row.get(1)?;
        }
    }
    claim(tx, &mut batch.slots)?;
    let mut outcomes = batch.decide(pass, all_or_none)?;
    if all_or_none && matches!(outcomes.last(), Some(Outcome::Refused(_))) {
        return Ok(outcomes);
    }
    take(tx, &batch.slots)?;
    let (new, more) = batch.written();
    write_versions(tx, "INSERT", &new)?;
    write_versions(tx, "INSERT OR REPLACE", &more)?;
    let mut set_aside =
        tx.prepare_cached("INSERT OR IGNORE INTO set_aside (enterprise_id) VALUES (?1)")?;
    for id in batch.awaited() {
        set_aside.execute([id.as_str()])?;
    }
    for id in batch.left() {
        tx.prepare_cached(
            "DELETE FROM set_aside WHERE enterprise_id = ?1 \
             AND NOT EXISTS (SELECT 1 FROM record_versions WHERE enterprise_id = ?1)",
        )?
        .execute([id.as_str()])?;
    }
    let changes = batch.changes();
    let mut raise = tx.prepare_cached(
        "UPDATE enterprises SET revision = ?2, packed = ?3 WHERE enterprise_id = ?1",
    )?;
    for ((id, revision), piece) in changes.iter().zip(batch.pieces(&new, &more)?) {
        raise.execute(params![id.as_str(), revision, piece])?;
        if piece.is_none() {
            pack_anew(tx, id)?;
        }
    }
    let last = log_changes(tx, &changes)?;
    touch_successors(tx, &changes)?;
    batch.number(&mut outcomes, last);
    Ok(outcomes)
}

/// Raises the revision of an enterprise and writes the change to the log that caches follow; nothing for one that is not
/// in the register.
pub(super) fn touch(
    tx: &Transaction<'_>,
    id: &EnterpriseId,
) -> Result<Option<Changed>, StoreError> {
    let Some(revision) = revision_of(tx, id)? else {
        return Ok(None);
    };
    let mut changed = unnumbered(id, revision + 1);
    tx.prepare_cached("UPDATE enterprises SET revision = ?2 WHERE enterprise_id = ?1")?
        .execute(params![id.as_str(), changed.revision])?;
    changed.seq = log_changes(tx, &[(id, changed.revision)])? + 1;
    Ok(Some(changed))
}

/// Raises the revisions of those into which changed enterprises are merged: what was written counts for them.
fn touch_successors(
    tx: &Transaction<'_>,
    changes: &[(&EnterpriseId, u64)],
) -> Result<(), StoreError> {
    for id in successors(tx, changes.iter().map(|(id, _)| *id))? {
        touch(tx, &id)?;
    }
    Ok(())
}

fn write_enterprise(
    tx: &Transaction<'_>,
    standing: &Standing<'_>,
    import_no: i64,
    changed_on: Option<Date>,
    versions: &[Record],
) -> Result<(), StoreError> {
    let Some(enterprise) = standing.now else {
        return Ok(());
    };
    let mut statement = tx.prepare_cached(&format!(
        "INSERT OR REPLACE INTO enterprises ({ENTERPRISE_COLUMNS}, packed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    ))?;
    statement.execute(params![
        enterprise.enterprise_id.as_str(),
        standing.revision(),
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
        import_no,
        changed_on.map(to_epoch_day),
        packed::pack(enterprise, versions)
    ])?;
    Ok(())
}

/// Puts the piece of an enterprise together from the columns; nothing for one that is not in the register.
fn pack_anew(tx: &Transaction<'_>, id: &EnterpriseId) -> Result<(), StoreError> {
    if let Some(row) = enterprise_row(tx, id)? {
        let piece = packed::pack(&row.enterprise, &versions_of(tx, id)?);
        tx.prepare_cached("UPDATE enterprises SET packed = ?2 WHERE enterprise_id = ?1")?
            .execute(params![id.as_str(), piece])?;
    }
    Ok(())
}

/// Keeps what an enterprise was until `until_on`, unless something is kept of that day.
fn write_earlier(
    tx: &Transaction<'_>,
    enterprise: &Enterprise,
    until_on: Date,
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "INSERT OR IGNORE INTO enterprise_versions ({EARLIER_COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
    ))?;
    statement.execute(params![
        enterprise.enterprise_id.as_str(),
        to_epoch_day(until_on),
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
    ])?;
    Ok(())
}

/// Lets the records that were set aside for these enterprises count.
fn attach(tx: &Transaction<'_>, arrived: &[&EnterpriseId]) -> Result<(), StoreError> {
    let waits = "SELECT EXISTS (SELECT 1 FROM set_aside)";
    if !tx.query_row(waits, [], |row| row.get(0))? {
        return Ok(());
    }
    let mut statement = tx.prepare_cached("DELETE FROM set_aside WHERE enterprise_id = ?1")?;
    for id in arrived {
        if statement.execute([id.as_str()])? > 0 {
            pack_anew(tx, id)?;
        }
    }
    Ok(())
}

fn revision_of(tx: &Transaction<'_>, id: &EnterpriseId) -> Result<Option<u64>, StoreError> {
    Ok(tx
        .prepare_cached("SELECT revision FROM enterprises WHERE enterprise_id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?)
}

/// Makes the free ids of a batch ours, and reads what is stored under the others.
fn claim(tx: &Transaction<'_>, slots: &mut [Slot<'_>]) -> Result<(), StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT OR IGNORE INTO record_owners (source, record_id, enterprise_id) VALUES (?1, ?2, ?3)",
    )?;
    let mut versions = tx.prepare_cached(&format!(
        "SELECT {RECORD_COLUMNS} FROM record_versions \
         WHERE enterprise_id = ?1 AND source = ?2 AND record_id = ?3 ORDER BY known_on"
    ))?;
    for slot in slots {
        let key = params![slot.source.as_str(), slot.record_id, slot.claimant.as_str()];
        if insert.execute(key)? == 1 {
            continue;
        }
        let Some(owner) = owner_of(tx, slot.source, slot.record_id)? else {
            continue;
        };
        let mut found = versions.query(params![
            owner.as_str(),
            slot.source.as_str(),
            slot.record_id
        ])?;
        while let Some(row) = found.next()? {
            slot.stored(rows::known_version(row, 0)?);
        }
        slot.is_set_aside = owner != *slot.claimant && revision_of(tx, &owner)?.is_none();
        slot.owner = Some(owner);
    }
    Ok(())
}

/// Takes records from enterprises for which they have waited.
fn take(tx: &Transaction<'_>, slots: &[Slot<'_>]) -> Result<(), StoreError> {
    for slot in slots {
        let (source, record_id) = (slot.source.as_str(), slot.record_id);
        if let Some(from) = &slot.taken_from {
            tx.prepare_cached(
                "DELETE FROM record_versions WHERE enterprise_id = ?1 AND source = ?2 AND record_id = ?3",
            )?
            .execute(params![from.as_str(), source, record_id])?;
        }
        if slot.is_taken() {
            tx.prepare_cached(
                "UPDATE record_owners SET enterprise_id = ?3 WHERE source = ?1 AND record_id = ?2",
            )?
            .execute(params![source, record_id, slot.claimant.as_str()])?;
        }
    }
    Ok(())
}

pub(super) fn owner_of(
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

/// The version of a record that was known on `day`.
pub(super) fn version_known_on(
    tx: &Transaction<'_>,
    owner: &EnterpriseId,
    source: &Label,
    record_id: &str,
    day: Date,
) -> Result<Option<Record>, StoreError> {
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
    found.next()?.map(|row| rows::record(row, 0)).transpose()
}

/// Writes one version, in place of one known on the same day, and with it the piece of its enterprise.
pub(super) fn write_version(tx: &Transaction<'_>, record: &Record) -> Result<(), StoreError> {
    let stated = (0, record.known_on);
    let record = Cow::Borrowed(record);
    let version = KnownVersion { record, stated };
    write_versions(tx, "INSERT OR REPLACE", &[&version])?;
    pack_anew(tx, &version.record.enterprise_id)
}

fn write_versions(
    tx: &Transaction<'_>,
    insert: &str,
    versions: &[&KnownVersion<'_>],
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "{insert} INTO record_versions ({RECORD_COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
    ))?;
    for version in versions {
        let record = &*version.record;
        let codes = match record.codes.as_slice() {
            [] => Cow::Borrowed("[]"),
            codes => Cow::Owned(to_json(&codes)?),
        };
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
            codes,
            record.item_code.as_ref().map(Label::as_str),
            record.party.as_ref().map(Label::as_str),
            record.related_id.as_ref().map(EnterpriseId::as_str),
            record.repaired_on.map(to_epoch_day),
            record.withdrawn_on.map(to_epoch_day),
            record.note,
            version.stated.0,
            to_epoch_day(version.stated.1)
        ])?;
    }
    Ok(())
}
