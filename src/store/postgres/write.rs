//! Writing enterprises and records: a batch is read at once, decided in memory row by row, and written at once.
//!
//! New rows are copied in, a few are inserted. If another writer puts one of them there in between, that fails and the
//! transaction is tried again from its beginning; then it finds them.

use jiff::civil::Date;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::change_log::{columns, log_changes};
use super::copy::CopyRows;
use super::life::{lock_with_successors, touch_successors};
use super::lock::Lock;
use super::pool::Session;
use super::register::{dossiers, of};
use super::tiers::signed;
use crate::domain::dates::to_epoch_day;
use crate::domain::{Enterprise, EnterpriseId, Label, Record};
use crate::store::arrivals::{EnterpriseBatch, RecordBatch, Slot, Standing};
use crate::store::decide::KnownVersion;
use crate::store::rows::{
    self, EARLIER_COLUMNS, ENTERPRISE_COLUMNS, EnterpriseRow, RECORD_COLUMNS, Row as _, to_json,
};
use crate::store::stood::Pass;
use crate::store::{Outcome, StoreError, packed};

/// New versions up to which they are inserted; more are copied in.
const FEW: usize = 50;

/// Columns of enterprises that a batch hands over, as a table.
const ENTERPRISES: &str = "unnest($1::text[], $2::bigint[], $3::text[], $4::smallint[], $5::text[], $6::text[], \
     $7::text[], $8::integer[], $9::smallint[], $10::smallint[], $11::text[], $12::text[], $13::bigint[], \
     $14::integer[], $15::bytea[])";

static UPDATE_ENTERPRISES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE enterprises e SET {}, packed = u.packed FROM {ENTERPRISES} AS u({ENTERPRISE_COLUMNS}, packed) \
         WHERE e.enterprise_id = u.enterprise_id",
        assignments("u", ENTERPRISE_COLUMNS, 1)
    )
});

/// Columns of versions that a batch hands over, as a table.
const VERSIONS: &str = "unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::smallint[], $6::integer[], \
     $7::integer[], $8::smallint[], $9::bigint[], $10::bigint[], $11::boolean[], $12::text[], $13::text[], $14::text[], \
     $15::text[], $16::integer[], $17::integer[], $18::text[], $19::bigint[], $20::integer[])";

static WRITE_VERSIONS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO record_versions ({RECORD_COLUMNS}) SELECT * FROM {VERSIONS} \
         ON CONFLICT (enterprise_id, source, record_id, known_on) DO UPDATE SET {}",
        assignments("excluded", RECORD_COLUMNS, 4)
    )
});

static NEW_VERSIONS: LazyLock<String> = LazyLock::new(|| {
    format!("INSERT INTO record_versions ({RECORD_COLUMNS}) SELECT * FROM {VERSIONS}")
});

const NEW_OWNERS: &str = "INSERT INTO record_owners (source, record_id, enterprise_id) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[])";

static HELD_RECORDS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT k.place, o.enterprise_id, EXISTS (SELECT 1 FROM set_aside s WHERE s.enterprise_id = o.enterprise_id), {} \
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(source, record_id, place) \
         JOIN record_owners o ON o.source = k.source AND o.record_id = k.record_id \
         LEFT JOIN record_versions v ON v.enterprise_id = o.enterprise_id AND v.source = o.source \
             AND v.record_id = o.record_id",
        of("v", RECORD_COLUMNS)
    )
});

/// `column = table.column` for all columns after the first `keys`.
fn assignments(table: &str, columns: &str, keys: usize) -> String {
    columns
        .split(", ")
        .skip(keys)
        .map(|column| format!("{column} = {table}.{column}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Keeps what enterprises are before they are changed; they are locked. A clock that was set back does not make one
/// version hold before another that it followed.
static KEEP_EARLIER: LazyLock<String> = LazyLock::new(|| {
    let said = of("e", EARLIER_COLUMNS).replace("e.until_on", "greatest($2, e.changed_on)");
    format!(
        "INSERT INTO enterprise_versions ({EARLIER_COLUMNS}) \
         SELECT {said} FROM enterprises e WHERE e.enterprise_id = ANY($1) \
         ON CONFLICT (enterprise_id, until_on) DO NOTHING"
    )
});

pub(super) fn put_enterprises(
    tx: &mut Session,
    rows: &[Enterprise],
    pass: &mut Pass,
    day: Date,
) -> Result<Vec<Outcome>, StoreError> {
    let successors = lock_with_successors(tx, rows.iter().map(|row| &row.enterprise_id))?;
    let mut batch = EnterpriseBatch::new(rows);
    read_standings(tx, &mut batch.standings)?;
    let mut outcomes = batch.decide(pass);
    let standings = batch.standings.iter();
    let new: Vec<_> = standings.filter(|of| of.before.is_none()).collect();
    copy_enterprises(tx, &new, pass.import_no())?;
    let standings = batch.standings.iter();
    let changed: Vec<_> = standings
        .filter(|of| of.before.is_some() && of.now.is_some())
        .collect();
    update_enterprises(tx, &changed, pass.import_no(), day)?;
    let noted = batch
        .standings
        .iter()
        .filter(|of| of.is_noted && of.now.is_none());
    let noted: Vec<&str> = noted.map(|of| of.id.as_str()).collect();
    if !noted.is_empty() {
        tx.execute(
            "UPDATE enterprises SET import_no = $2 WHERE enterprise_id = ANY($1)",
            &[&noted, &pass.import_no()],
        )?;
    }
    let changes = batch.changes();
    if !changes.is_empty() {
        let last = log_changes(tx, &changes)?;
        touch_successors(tx, &successors, &changes)?;
        batch.number(&mut outcomes, last);
    }
    Ok(outcomes)
}

/// Reads enterprises and locks them in order of their ids.
fn read_standings(tx: &mut Session, standings: &mut [Standing<'_>]) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id = ANY($1) \
         ORDER BY enterprise_id FOR NO KEY UPDATE"
    );
    let ids: Vec<&str> = standings.iter().map(|of| of.id.as_str()).collect();
    let found = tx.query(&sql, &[&ids])?;
    let mut found = found.iter().map(rows::enterprise);
    let mut next = found.next().transpose()?;
    // Both are in order of ids.
    for standing in standings {
        standing.before = next.take_if(|row| row.enterprise.enterprise_id == *standing.id);
        if standing.before.is_some() {
            next = found.next().transpose()?;
        }
    }
    Ok(())
}

fn copy_enterprises(
    tx: &mut Session,
    new: &[&Standing<'_>],
    import_no: i64,
) -> Result<(), StoreError> {
    let mut copied = CopyRows::new(15);
    for (standing, enterprise) in new.iter().filter_map(|of| Some((of, of.now?))) {
        copied
            .row()
            .text(enterprise.enterprise_id.as_str())
            .large(signed(standing.revision()))
            .text(&enterprise.name)
            .small(enterprise.kind.code())
            .optional_text(enterprise.owner_id.as_ref().map(EnterpriseId::as_str))
            .optional_text(enterprise.division.as_ref().map(Label::as_str))
            .optional_text(enterprise.industry.as_ref().map(Label::as_str))
            .optional_day(enterprise.established_on)
            .small(enterprise.status.code())
            .small(enterprise.size.code())
            .text(&to_json(&enterprise.tags)?)
            .text(&to_json(&enterprise.attributes)?)
            .large(import_no)
            .optional_day(None)
            .bytes(&packed::pack(enterprise, []));
    }
    if copied.is_empty() {
        return Ok(());
    }
    // From here on nobody can take these ids for unknown and set records aside for them.
    Lock::Unregistered.share(tx)?;
    tx.copy_in(
        &format!("enterprises ({ENTERPRISE_COLUMNS}, packed)"),
        copied,
    )?;
    let ids: Vec<&str> = new.iter().map(|of| of.id.as_str()).collect();
    let attached = tx.query(
        "DELETE FROM set_aside WHERE enterprise_id = ANY($1) RETURNING enterprise_id",
        &[&ids],
    )?;
    let attached = attached
        .iter()
        .map(|row| rows::text(row, 0, "enterprise_id"));
    pack_anew(tx, &attached.collect::<Result<Vec<_>, _>>()?)
}

fn update_enterprises(
    tx: &mut Session,
    changed: &[&Standing<'_>],
    import_no: i64,
    day: Date,
) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    let of = || changed.iter().filter_map(|of| of.now);
    let id: Vec<&str> = of().map(|of| of.enterprise_id.as_str()).collect();
    tx.execute(&KEEP_EARLIER, &[&id, &to_epoch_day(day)])?;
    let revision: Vec<i64> = changed.iter().map(|of| signed(of.revision())).collect();
    let name: Vec<&str> = of().map(|of| of.name.as_str()).collect();
    let kind: Vec<i16> = of().map(|of| of.kind.code().into()).collect();
    let owner_id: Vec<_> = of()
        .map(|of| of.owner_id.as_ref().map(EnterpriseId::as_str))
        .collect();
    let division: Vec<_> = of()
        .map(|of| of.division.as_ref().map(Label::as_str))
        .collect();
    let industry: Vec<_> = of()
        .map(|of| of.industry.as_ref().map(Label::as_str))
        .collect();
    let established_on: Vec<_> = of().map(|of| of.established_on.map(to_epoch_day)).collect();
    let status: Vec<i16> = of().map(|of| of.status.code().into()).collect();
    let size: Vec<i16> = of().map(|of| of.size.code().into()).collect();
    let tags = of()
        .map(|of| to_json(&of.tags))
        .collect::<Result<Vec<_>, _>>()?;
    let attributes = of()
        .map(|of| to_json(&of.attributes))
        .collect::<Result<Vec<_>, _>>()?;
    let import_no = vec![import_no; changed.len()];
    let mut stored = dossiers(tx, &id)?.into_iter().peekable();
    // Both are in order of ids.
    let pieces: Vec<Option<Vec<u8>>> = of()
        .map(|of| {
            let dossier =
                stored.next_if(|(row, _)| row.enterprise.enterprise_id == of.enterprise_id);
            dossier.map(|(_, versions)| packed::pack(of, &versions))
        })
        .collect();
    let replaced = |of: &EnterpriseRow| of.changed_on.map_or(day, |last| last.max(day));
    let changed_on: Vec<Option<i32>> = changed
        .iter()
        .map(|of| of.before.as_ref().map(replaced).map(to_epoch_day))
        .collect();
    tx.execute(
        &UPDATE_ENTERPRISES,
        &[
            &id,
            &revision,
            &name,
            &kind,
            &owner_id,
            &division,
            &industry,
            &established_on,
            &status,
            &size,
            &tags,
            &attributes,
            &import_no,
            &changed_on,
            &pieces,
        ],
    )?;
    Ok(())
}

/// Writes records. With `all_or_none` it ends at the first refused one and has written nothing that the caller may keep.
pub(super) fn put_records(
    tx: &mut Session,
    rows: &[Record],
    pass: &mut Pass,
    all_or_none: bool,
) -> Result<Vec<Outcome>, StoreError> {
    let successors = lock_with_successors(tx, rows.iter().map(|row| &row.enterprise_id))?;
    let mut batch = RecordBatch::new(rows);
    let ids = batch.subjects.iter().map(|subject| subject.id).collect();
    let mut stored = locked(tx, ids, "revision, packed", |row| {
        let piece = row.bytes(2, "packed")?.map(<[u8]>::to_vec);
        Ok((rows::number(row, 1, "revision")?, piece))
    })?;
    for subject in &mut batch.subjects {
        if let Some((revision, piece)) = stored.remove(subject.id) {
            subject.revision = Some(revision);
            subject.packed = piece;
        }
    }
    read_slots(tx, &mut batch.slots)?;
    if batch.slots.iter().any(Slot::may_be_taken) {
        // While the lock is held nobody can register those for whom the records wait.
        Lock::Unregistered.take(tx)?;
        batch.slots.iter_mut().for_each(Slot::forget);
        read_slots(tx, &mut batch.slots)?;
    }
    let mut outcomes = batch.decide(pass, all_or_none)?;
    if all_or_none && matches!(outcomes.last(), Some(Outcome::Refused(_))) {
        return Ok(outcomes);
    }
    take(tx, &batch)?;
    let (new, more) = batch.written();
    if new.len() <= FEW {
        // A statement for each table: copying takes several messages more.
        insert_owners(tx, &batch.slots)?;
        write_versions(tx, &NEW_VERSIONS, &new)?;
    } else {
        copy_owners(tx, &batch.slots)?;
        copy_versions(tx, &new)?;
    }
    write_versions(tx, &WRITE_VERSIONS, &more)?;
    let awaited: Vec<&str> = batch.awaited().iter().map(|id| id.as_str()).collect();
    if !awaited.is_empty() {
        tx.execute(
            "INSERT INTO set_aside (enterprise_id) SELECT * FROM unnest($1::text[]) \
             ON CONFLICT (enterprise_id) DO NOTHING",
            &[&awaited],
        )?;
    }
    let left: Vec<&str> = batch.left().iter().map(|id| id.as_str()).collect();
    if !left.is_empty() {
        tx.execute(
            "DELETE FROM set_aside s WHERE enterprise_id = ANY($1) \
             AND NOT EXISTS (SELECT 1 FROM record_versions v WHERE v.enterprise_id = s.enterprise_id)",
            &[&left],
        )?;
    }
    let changes = batch.changes();
    if !changes.is_empty() {
        raise_with_pieces(tx, &changes, &batch.pieces(&new, &more)?)?;
        let last = log_changes(tx, &changes)?;
        touch_successors(tx, &successors, &changes)?;
        batch.number(&mut outcomes, last);
    }
    Ok(outcomes)
}

/// Reads what is stored under the ids of a batch.
fn read_slots(tx: &mut Session, slots: &mut [Slot<'_>]) -> Result<(), StoreError> {
    let sources: Vec<&str> = slots.iter().map(|slot| slot.source.as_str()).collect();
    let record_ids: Vec<&str> = slots.iter().map(|slot| slot.record_id).collect();
    for row in tx.query(&HELD_RECORDS, &[&sources, &record_ids])? {
        let nth: usize = rows::number(&row, 0, "place")?;
        let Some(slot) = slots.get_mut(nth - 1) else {
            continue;
        };
        slot.owner = Some(rows::id(&row, 1, "enterprise_id")?);
        slot.is_set_aside = row.whole(2, "set_aside")? == Some(1);
        if row.text(3, "enterprise_id")?.is_some() {
            slot.stored(rows::known_version(&row, 3)?);
        }
    }
    Ok(())
}

/// Takes records from enterprises for which they have waited.
fn take(tx: &mut Session, batch: &RecordBatch<'_>) -> Result<(), StoreError> {
    for slot in batch.slots.iter() {
        let (source, record_id) = (slot.source.as_str(), slot.record_id);
        if let Some(from) = &slot.taken_from {
            tx.execute(
                "DELETE FROM record_versions WHERE enterprise_id = $1 AND source = $2 AND record_id = $3",
                &[&from.as_str(), &source, &record_id],
            )?;
            tx.execute(
                "UPDATE record_owners SET enterprise_id = $3 WHERE source = $1 AND record_id = $2",
                &[&source, &record_id, &slot.claimant.as_str()],
            )?;
        }
    }
    Ok(())
}

/// Records whose ids are free.
fn free<'s, 'a>(slots: &'s [Slot<'a>]) -> impl Iterator<Item = &'s Slot<'a>> {
    slots
        .iter()
        .filter(|slot| slot.owner.is_none() && slot.taken_from.is_none())
}

/// Notes whose the free ids are.
fn insert_owners(tx: &mut Session, slots: &[Slot<'_>]) -> Result<(), StoreError> {
    let sources: Vec<&str> = free(slots).map(|slot| slot.source.as_str()).collect();
    if sources.is_empty() {
        return Ok(());
    }
    let record_ids: Vec<&str> = free(slots).map(|slot| slot.record_id).collect();
    let owners: Vec<&str> = free(slots).map(|slot| slot.claimant.as_str()).collect();
    tx.insert(NEW_OWNERS, &[&sources, &record_ids, &owners])
}

/// Notes whose the free ids are.
fn copy_owners(tx: &mut Session, slots: &[Slot<'_>]) -> Result<(), StoreError> {
    let mut copied = CopyRows::new(3);
    for slot in free(slots) {
        copied
            .row()
            .text(slot.source.as_str())
            .text(slot.record_id)
            .text(slot.claimant.as_str());
    }
    tx.copy_in("record_owners (source, record_id, enterprise_id)", copied)
}

/// Locks enterprises in order of their ids and gives the revisions of those that are registered. While others are among
/// them, nobody can register those before the transaction ends.
pub(super) fn locked_revisions(
    tx: &mut Session,
    ids: BTreeSet<&EnterpriseId>,
) -> Result<BTreeMap<EnterpriseId, u64>, StoreError> {
    locked(tx, ids, "revision", |row| rows::number(row, 1, "revision"))
}

/// The same with what `read` makes of an id and further columns.
fn locked<T>(
    tx: &mut Session,
    ids: BTreeSet<&EnterpriseId>,
    columns: &str,
    read: impl Fn(&postgres::Row) -> Result<T, StoreError>,
) -> Result<BTreeMap<EnterpriseId, T>, StoreError> {
    let sql = format!(
        "SELECT enterprise_id, {columns} FROM enterprises WHERE enterprise_id = ANY($1) \
         ORDER BY enterprise_id FOR NO KEY UPDATE"
    );
    let registered = |tx: &mut Session, ids: Vec<&str>| {
        tx.query(&sql, &[&ids])?
            .iter()
            .map(|row| Ok((rows::id(row, 0, "enterprise_id")?, read(row)?)))
            .collect::<Result<BTreeMap<_, _>, StoreError>>()
    };
    let mut found = registered(tx, ids.iter().map(|id| id.as_str()).collect())?;
    if found.len() < ids.len() {
        Lock::Unregistered.take(tx)?;
        let others = ids.into_iter().filter(|id| !found.contains_key(*id));
        let arrived_meanwhile = registered(tx, others.map(EnterpriseId::as_str).collect())?;
        found.extend(arrived_meanwhile);
    }
    Ok(found)
}

/// Writes revisions with the pieces that belong to them; those that are missing are put together anew, so the versions
/// must be written before.
fn raise_with_pieces(
    tx: &mut Session,
    changes: &[(&EnterpriseId, u64)],
    pieces: &[Option<Vec<u8>>],
) -> Result<(), StoreError> {
    let (ids, revisions) = columns(changes);
    tx.execute(
        "UPDATE enterprises e SET revision = u.revision, packed = u.packed \
         FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS u(id, revision, packed) WHERE e.enterprise_id = u.id",
        &[&ids, &revisions, &pieces],
    )?;
    let unknown = ids.iter().zip(pieces).filter(|(_, piece)| piece.is_none());
    pack_anew(tx, &unknown.map(|(id, _)| *id).collect::<Vec<_>>())
}

/// Puts the pieces of enterprises together from the columns; nothing for those that are not in the register.
fn pack_anew(tx: &mut Session, ids: &[&str]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let stored = dossiers(tx, ids)?;
    let ids: Vec<&str> = stored
        .iter()
        .map(|(row, _)| row.enterprise.enterprise_id.as_str())
        .collect();
    let pieces: Vec<Vec<u8>> = stored
        .iter()
        .map(|(row, versions)| packed::pack(&row.enterprise, versions))
        .collect();
    tx.execute(
        "UPDATE enterprises e SET packed = u.packed FROM unnest($1::text[], $2::bytea[]) AS u(id, packed) \
         WHERE e.enterprise_id = u.id",
        &[&ids, &pieces],
    )?;
    Ok(())
}

pub(super) fn write_revisions(
    tx: &mut Session,
    changes: &[(&EnterpriseId, u64)],
) -> Result<(), StoreError> {
    let (ids, revisions) = columns(changes);
    tx.execute(
        "UPDATE enterprises e SET revision = u.revision FROM unnest($1::text[], $2::bigint[]) AS u(id, revision) \
         WHERE e.enterprise_id = u.id",
        &[&ids, &revisions],
    )?;
    Ok(())
}

fn copy_versions(tx: &mut Session, versions: &[&KnownVersion<'_>]) -> Result<(), StoreError> {
    let mut copied = CopyRows::new(20);
    for version in versions {
        let record = &*version.record;
        let codes = match record.codes.as_slice() {
            [] => Cow::Borrowed("[]"),
            codes => Cow::Owned(to_json(&codes)?),
        };
        copied
            .row()
            .text(record.enterprise_id.as_str())
            .text(record.source.as_str())
            .text(&record.record_id)
            .day(record.known_on)
            .small(record.kind.code())
            .day(record.occurred_on)
            .optional_day(record.ended_on)
            .optional_small(record.severity.map(|severity| severity.code()))
            .optional_large(record.amount_fen)
            .optional_large(record.count.map(i64::from))
            .optional_truth(record.upheld)
            .text(&codes)
            .optional_text(record.item_code.as_ref().map(Label::as_str))
            .optional_text(record.party.as_ref().map(Label::as_str))
            .optional_text(record.related_id.as_ref().map(EnterpriseId::as_str))
            .optional_day(record.repaired_on)
            .optional_day(record.withdrawn_on)
            .optional_text(record.note.as_deref())
            .large(version.stated.0)
            .day(version.stated.1);
    }
    tx.copy_in(&format!("record_versions ({RECORD_COLUMNS})"), copied)
}

/// Writes one version, in place of one known on the same day, and with it the piece of its enterprise.
pub(super) fn write_version(tx: &mut Session, record: &Record) -> Result<(), StoreError> {
    let stated = (0, record.known_on);
    let record = Cow::Borrowed(record);
    let version = KnownVersion { record, stated };
    write_versions(tx, &WRITE_VERSIONS, &[&version])?;
    pack_anew(tx, &[version.record.enterprise_id.as_str()])
}

/// Writes versions by a statement that takes [`VERSIONS`].
fn write_versions(
    tx: &mut Session,
    sql: &str,
    versions: &[&KnownVersion<'_>],
) -> Result<(), StoreError> {
    if versions.is_empty() {
        return Ok(());
    }
    let of = || versions.iter().map(|version| &*version.record);
    let days = |day: fn(&Record) -> Option<Date>| -> Vec<Option<i32>> {
        of().map(|record| day(record).map(to_epoch_day)).collect()
    };
    let labels = |label: fn(&Record) -> Option<&Label>| -> Vec<Option<&str>> {
        of().map(|record| label(record).map(Label::as_str))
            .collect()
    };
    let enterprise_id: Vec<&str> = of().map(|of| of.enterprise_id.as_str()).collect();
    let source: Vec<&str> = of().map(|of| of.source.as_str()).collect();
    let record_id: Vec<&str> = of().map(|of| of.record_id.as_str()).collect();
    let kind: Vec<i16> = of().map(|of| of.kind.code().into()).collect();
    let severity: Vec<Option<i16>> = of()
        .map(|of| of.severity.map(|severity| severity.code().into()))
        .collect();
    let amount_fen: Vec<Option<i64>> = of().map(|of| of.amount_fen).collect();
    let count: Vec<Option<i64>> = of().map(|of| of.count.map(i64::from)).collect();
    let upheld: Vec<Option<bool>> = of().map(|of| of.upheld).collect();
    let codes = of()
        .map(|of| to_json(&of.codes))
        .collect::<Result<Vec<_>, _>>()?;
    let related_id: Vec<Option<&str>> = of()
        .map(|of| of.related_id.as_ref().map(EnterpriseId::as_str))
        .collect();
    let note: Vec<Option<&str>> = of().map(|of| of.note.as_deref()).collect();
    let import_no: Vec<i64> = versions.iter().map(|version| version.stated.0).collect();
    let stated_on: Vec<i32> = versions
        .iter()
        .map(|version| to_epoch_day(version.stated.1))
        .collect();
    tx.insert(
        sql,
        &[
            &enterprise_id,
            &source,
            &record_id,
            &days(|of| Some(of.known_on)),
            &kind,
            &days(|of| Some(of.occurred_on)),
            &days(|of| of.ended_on),
            &severity,
            &amount_fen,
            &count,
            &upheld,
            &codes,
            &labels(|of| of.item_code.as_ref()),
            &labels(|of| of.party.as_ref()),
            &related_id,
            &days(|of| of.repaired_on),
            &days(|of| of.withdrawn_on),
            &note,
            &import_no,
            &stated_on,
        ],
    )
}
