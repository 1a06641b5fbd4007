//! Writing enterprises and records: a batch is read at once, decided in memory row by row, and written at once.

use jiff::civil::Date;
use postgres::Row;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::pool::Session;
use super::register::of;
use super::tiers::{log_changes, signed};
use crate::domain::dates::to_epoch_day;
use crate::domain::{Enterprise, EnterpriseId, Label, Record};
use crate::store::decide::{self, EnterpriseStep, Held, KnownVersion, RecordStep};
use crate::store::rows::{
    self, ENTERPRISE_COLUMNS, EnterpriseRow, RECORD_COLUMNS, Row as _, to_json,
};
use crate::store::{Changed, Outcome, StoreError};

/// Columns of enterprises that a batch hands over, as a table.
const ENTERPRISES: &str = "unnest($1::text[], $2::bigint[], $3::text[], $4::smallint[], $5::text[], $6::text[], \
     $7::text[], $8::integer[], $9::smallint[], $10::smallint[], $11::text[], $12::text[], $13::bigint[])";

static INSERT_ENTERPRISES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO enterprises ({ENTERPRISE_COLUMNS}) SELECT * FROM {ENTERPRISES} \
         ON CONFLICT (enterprise_id) DO NOTHING"
    )
});

static UPDATE_ENTERPRISES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE enterprises e SET {} FROM {ENTERPRISES} AS u({ENTERPRISE_COLUMNS}) \
         WHERE e.enterprise_id = u.enterprise_id",
        assignments("u", ENTERPRISE_COLUMNS, 1)
    )
});

static WRITE_VERSIONS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO record_versions ({RECORD_COLUMNS}) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], \
         $4::integer[], $5::smallint[], $6::integer[], $7::integer[], $8::smallint[], $9::bigint[], $10::bigint[], \
         $11::boolean[], $12::text[], $13::text[], $14::text[], $15::text[], $16::integer[], $17::integer[], \
         $18::text[], $19::bigint[], $20::integer[]) \
         ON CONFLICT (enterprise_id, source, record_id, known_on) DO UPDATE SET {}",
        assignments("excluded", RECORD_COLUMNS, 4)
    )
});

static HELD_RECORDS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT k.place, o.enterprise_id, {} \
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

/// An enterprise as it will be stored.
struct Standing {
    row: EnterpriseRow,
    is_new: bool,
    is_changed: bool,
}

pub(super) fn put_enterprises(
    tx: &mut Session,
    batch: &[Enterprise],
    import_no: i64,
) -> Result<Vec<Outcome>, StoreError> {
    let ids: BTreeSet<&str> = batch.iter().map(|row| row.enterprise_id.as_str()).collect();
    let mut standing = stored_enterprises(tx, &ids)?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for arriving in batch {
        let before = standing.get_mut(&arriving.enterprise_id);
        let stored = before
            .as_ref()
            .map(|of| (&of.row.enterprise, of.row.import_no));
        match decide::enterprise(arriving, stored, import_no) {
            EnterpriseStep::Keep => outcomes.push(Outcome::Unchanged),
            EnterpriseStep::Refuse(refusal) => outcomes.push(Outcome::Refused(refusal)),
            EnterpriseStep::Note => {
                if let Some(before) = before {
                    before.row.import_no = import_no;
                    before.is_changed = true;
                }
                outcomes.push(Outcome::Unchanged);
            }
            EnterpriseStep::Write => {
                let revision = before.as_ref().map_or(1, |of| of.row.revision + 1);
                let row = EnterpriseRow {
                    enterprise: arriving.clone(),
                    revision,
                    import_no,
                };
                let changed = unnumbered(&arriving.enterprise_id, revision);
                if let Some(before) = before {
                    before.row = row;
                    before.is_changed = true;
                    outcomes.push(Outcome::Updated(changed));
                } else {
                    let new = Standing {
                        row,
                        is_new: true,
                        is_changed: true,
                    };
                    standing.insert(arriving.enterprise_id.clone(), new);
                    outcomes.push(Outcome::Created(changed));
                }
            }
        }
    }
    let (new, old): (Vec<_>, Vec<_>) = standing
        .into_values()
        .filter(|of| of.is_changed)
        .partition(|of| of.is_new);
    // Another writer made one of them since we looked: what was decided about it does not hold.
    if write_enterprises(tx, &INSERT_ENTERPRISES, &new)? < new.len() as u64 {
        return Err(StoreError::Contended { attempts: 1 });
    }
    write_enterprises(tx, &UPDATE_ENTERPRISES, &old)?;
    number(tx, &mut outcomes)?;
    Ok(outcomes)
}

/// Reads enterprises and locks them in order of their ids.
fn stored_enterprises(
    tx: &mut Session,
    ids: &BTreeSet<&str>,
) -> Result<BTreeMap<EnterpriseId, Standing>, StoreError> {
    let sql = format!(
        "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id = ANY($1) \
         ORDER BY enterprise_id FOR NO KEY UPDATE"
    );
    let ids: Vec<&str> = ids.iter().copied().collect();
    tx.query(&sql, &[&ids])?
        .iter()
        .map(|row| {
            let row = rows::enterprise(row)?;
            let standing = Standing {
                is_new: false,
                is_changed: false,
                row,
            };
            Ok((standing.row.enterprise.enterprise_id.clone(), standing))
        })
        .collect()
}

fn write_enterprises(
    tx: &mut Session,
    sql: &str,
    standing: &[Standing],
) -> Result<u64, StoreError> {
    if standing.is_empty() {
        return Ok(0);
    }
    let of = || standing.iter().map(|of| &of.row.enterprise);
    let id: Vec<&str> = of().map(|of| of.enterprise_id.as_str()).collect();
    let revision: Vec<i64> = standing.iter().map(|of| signed(of.row.revision)).collect();
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
    let import_no: Vec<i64> = standing.iter().map(|of| of.row.import_no).collect();
    tx.execute(
        sql,
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
        ],
    )
}

/// Writes records. With `all_or_none` it ends at the first refused one and has written nothing that the caller may keep.
pub(super) fn put_records(
    tx: &mut Session,
    batch: &[Record],
    import_no: i64,
    all_or_none: bool,
) -> Result<Vec<Outcome>, StoreError> {
    let ids = batch.iter().map(|record| &record.enterprise_id).collect();
    let mut revisions = locked_revisions(tx, ids)?;
    let mut slots = Slots::read(tx, batch, &revisions)?;
    let mut touched = BTreeSet::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for record in batch {
        let Some(slot) = slots.of(record) else {
            continue;
        };
        let revision = revisions.get_mut(&record.enterprise_id);
        let held = match &slot.owner {
            Some(owner) if *owner == record.enterprise_id => {
                Held::Version(slot.known_on(record.known_on))
            }
            Some(owner) => Held::OfOther(owner),
            None if revision.is_some() => Held::Nothing,
            None => Held::NoEnterprise,
        };
        let step = decide::record(record, held, import_no);
        match (step, revision) {
            (RecordStep::Keep, _) => outcomes.push(Outcome::Unchanged),
            (RecordStep::Note(stated), _) => {
                slot.note(record.known_on, stated);
                outcomes.push(Outcome::Unchanged);
            }
            (RecordStep::Refuse(refusal), _) => {
                outcomes.push(Outcome::Refused(refusal));
                if all_or_none {
                    return Ok(outcomes);
                }
            }
            (
                RecordStep::Write {
                    record: written,
                    restated,
                },
                Some(revision),
            ) => {
                slot.write(*written, import_no);
                if let Some(restated) = restated {
                    slot.write_if_absent(*restated, import_no);
                }
                *revision += 1;
                touched.insert(&record.enterprise_id);
                let changed = unnumbered(&record.enterprise_id, *revision);
                let is_new = slot.owner.is_none();
                slot.owner
                    .get_or_insert_with(|| record.enterprise_id.clone());
                outcomes.push(if is_new {
                    Outcome::Created(changed)
                } else {
                    Outcome::Updated(changed)
                });
            }
            // The owner of a record is in the register; nothing removes an enterprise.
            (RecordStep::Write { .. }, None) => {
                return Err(StoreError::Corrupt {
                    column: "enterprise_id",
                });
            }
        }
    }
    write_versions(tx, &slots.changed())?;
    revisions.retain(|id, _| touched.contains(id));
    write_revisions(tx, &revisions)?;
    number(tx, &mut outcomes)?;
    Ok(outcomes)
}

pub(super) fn amend_record(
    tx: &mut Session,
    source: &Label,
    record_id: &str,
    day: Date,
    change: &dyn Fn(&mut Record) -> Result<(), String>,
) -> Result<Option<Changed>, StoreError> {
    let found = tx.optional(
        "SELECT enterprise_id FROM record_owners WHERE source = $1 AND record_id = $2",
        &[&source.as_str(), &record_id],
    )?;
    let Some(found) = found else {
        return Ok(None);
    };
    let owner = rows::id(&found, 0, "enterprise_id")?;
    let mut revisions = locked_revisions(tx, BTreeSet::from([&owner]))?;
    let sql = format!(
        "SELECT {RECORD_COLUMNS} FROM record_versions \
         WHERE enterprise_id = $1 AND source = $2 AND record_id = $3 AND known_on <= $4 \
         ORDER BY known_on DESC LIMIT 1"
    );
    let found = tx.optional(
        &sql,
        &[
            &owner.as_str(),
            &source.as_str(),
            &record_id,
            &to_epoch_day(day),
        ],
    )?;
    let (Some(found), Some(revision)) = (found, revisions.get_mut(&owner)) else {
        return Ok(None);
    };
    let mut record = rows::record(&found, 0)?;
    change(&mut record).map_err(StoreError::Aborted)?;
    record.known_on = day.max(record.known_on);
    write_version(tx, record)?;
    *revision += 1;
    let mut changed = unnumbered(&owner, *revision);
    write_revisions(tx, &revisions)?;
    changed.seq = log_changes(tx, &[(&owner, changed.revision)])? + 1;
    Ok(Some(changed))
}

/// The stored versions of the records of a batch, and what becomes of them.
struct Slots<'a> {
    places: BTreeMap<(&'a str, &'a str), usize>,
    slots: Vec<Slot>,
}

/// One record.
#[derive(Default)]
struct Slot {
    owner: Option<EnterpriseId>,
    /// By the day from which it is known; `true` marks what is to be written.
    versions: BTreeMap<Date, (KnownVersion, bool)>,
}

impl<'a> Slots<'a> {
    /// Reads what is stored under the ids of the batch, and makes the free ones ours: no other writer can take them
    /// before this transaction ends.
    fn read(
        tx: &mut Session,
        batch: &'a [Record],
        registered: &BTreeMap<EnterpriseId, u64>,
    ) -> Result<Self, StoreError> {
        let mut owners: BTreeMap<(&str, &str), Option<&EnterpriseId>> = BTreeMap::new();
        for record in batch {
            let owner = owners.entry(key(record)).or_default();
            if owner.is_none() && registered.contains_key(&record.enterprise_id) {
                *owner = Some(&record.enterprise_id);
            }
        }
        let places = owners.keys().copied().zip(0..).collect();
        let mut slots = Vec::new();
        slots.resize_with(owners.len(), Slot::default);
        let mut all = Self { places, slots };
        let claimed = claim(tx, &owners)?;
        let claimed: BTreeSet<(&str, &str)> = claimed
            .iter()
            .map(|row| {
                Ok((
                    rows::text(row, 0, "source")?,
                    rows::text(row, 1, "record_id")?,
                ))
            })
            .collect::<Result<_, StoreError>>()?;
        all.read_others(tx, &claimed)?;
        Ok(all)
    }

    fn read_others(
        &mut self,
        tx: &mut Session,
        claimed: &BTreeSet<(&str, &str)>,
    ) -> Result<(), StoreError> {
        let others: Vec<_> = self
            .places
            .iter()
            .filter(|(key, _)| !claimed.contains(*key))
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        let sources: Vec<&str> = others.iter().map(|((source, _), _)| *source).collect();
        let record_ids: Vec<&str> = others.iter().map(|((_, id), _)| *id).collect();
        for row in tx.query(&HELD_RECORDS, &[&sources, &record_ids])? {
            let nth: usize = rows::number(&row, 0, "place")?;
            let place = others.get(nth - 1).map(|(_, place)| **place);
            let Some(slot) = place.and_then(|place| self.slots.get_mut(place)) else {
                continue;
            };
            slot.owner = Some(rows::id(&row, 1, "enterprise_id")?);
            if row.text(2, "enterprise_id")?.is_some() {
                let version = rows::known_version(&row, 2)?;
                slot.versions
                    .insert(version.record.known_on, (version, false));
            }
        }
        Ok(())
    }

    fn of(&mut self, record: &'a Record) -> Option<&mut Slot> {
        let place = *self.places.get(&key(record))?;
        self.slots.get_mut(place)
    }

    fn changed(&self) -> Vec<&KnownVersion> {
        self.slots
            .iter()
            .flat_map(|slot| slot.versions.values())
            .filter(|(_, is_changed)| *is_changed)
            .map(|(version, _)| version)
            .collect()
    }
}

impl Slot {
    /// The version known on `day`.
    fn known_on(&self, day: Date) -> Option<&KnownVersion> {
        let (_, (version, _)) = self.versions.range(..=day).next_back()?;
        Some(version)
    }

    fn note(&mut self, day: Date, stated: (i64, Date)) {
        if let Some((_, (version, is_changed))) = self.versions.range_mut(..=day).next_back() {
            version.stated = stated;
            *is_changed = true;
        }
    }

    fn write(&mut self, record: Record, import_no: i64) {
        let (day, stated) = (record.known_on, (import_no, record.known_on));
        self.versions
            .insert(day, (KnownVersion { record, stated }, true));
    }

    fn write_if_absent(&mut self, record: Record, import_no: i64) {
        if !self.versions.contains_key(&record.known_on) {
            self.write(record, import_no);
        }
    }
}

fn key(record: &Record) -> (&str, &str) {
    (record.source.as_str(), &record.record_id)
}

/// Notes whose the free ids are, and gives those that were free.
fn claim(
    tx: &mut Session,
    owners: &BTreeMap<(&str, &str), Option<&EnterpriseId>>,
) -> Result<Vec<Row>, StoreError> {
    let claims = || {
        owners
            .iter()
            .filter_map(|((source, id), owner)| owner.map(|owner| (*source, *id, owner.as_str())))
    };
    let sources: Vec<&str> = claims().map(|(source, _, _)| source).collect();
    let record_ids: Vec<&str> = claims().map(|(_, id, _)| id).collect();
    let ids: Vec<&str> = claims().map(|(_, _, owner)| owner).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    tx.query(
        "INSERT INTO record_owners (source, record_id, enterprise_id) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT (source, record_id) DO NOTHING \
         RETURNING source, record_id",
        &[&sources, &record_ids, &ids],
    )
}

/// Locks enterprises in order of their ids and gives the revisions of those that are registered.
pub(super) fn locked_revisions(
    tx: &mut Session,
    ids: BTreeSet<&EnterpriseId>,
) -> Result<BTreeMap<EnterpriseId, u64>, StoreError> {
    let ids: Vec<&str> = ids.into_iter().map(EnterpriseId::as_str).collect();
    tx.query(
        "SELECT enterprise_id, revision FROM enterprises WHERE enterprise_id = ANY($1) \
         ORDER BY enterprise_id FOR NO KEY UPDATE",
        &[&ids],
    )?
    .iter()
    .map(|row| {
        Ok((
            rows::id(row, 0, "enterprise_id")?,
            rows::number(row, 1, "revision")?,
        ))
    })
    .collect()
}

pub(super) fn write_revisions(
    tx: &mut Session,
    revisions: &BTreeMap<EnterpriseId, u64>,
) -> Result<(), StoreError> {
    if revisions.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = revisions.keys().map(EnterpriseId::as_str).collect();
    let numbers: Vec<i64> = revisions
        .values()
        .map(|revision| signed(*revision))
        .collect();
    tx.execute(
        "UPDATE enterprises e SET revision = u.revision FROM unnest($1::text[], $2::bigint[]) AS u(id, revision) \
         WHERE e.enterprise_id = u.id",
        &[&ids, &numbers],
    )?;
    Ok(())
}

/// Writes one version, in place of one known on the same day.
pub(super) fn write_version(tx: &mut Session, record: Record) -> Result<(), StoreError> {
    let stated = (0, record.known_on);
    write_versions(tx, &[&KnownVersion { record, stated }])
}

fn write_versions(tx: &mut Session, versions: &[&KnownVersion]) -> Result<(), StoreError> {
    if versions.is_empty() {
        return Ok(());
    }
    let of = || versions.iter().map(|version| &version.record);
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
    tx.execute(
        &WRITE_VERSIONS,
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
    )?;
    Ok(())
}

/// A change that has no number in the log yet.
fn unnumbered(id: &EnterpriseId, revision: u64) -> Changed {
    Changed {
        seq: 0,
        enterprise_id: id.clone(),
        revision,
    }
}

/// Writes the changes among outcomes to the log, in order, and tells them their numbers.
fn number(tx: &mut Session, outcomes: &mut [Outcome]) -> Result<(), StoreError> {
    let mut changes: Vec<&mut Changed> = outcomes
        .iter_mut()
        .filter_map(|outcome| match outcome {
            Outcome::Created(changed) | Outcome::Updated(changed) => Some(changed),
            Outcome::Unchanged | Outcome::Refused(_) => None,
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = changes
        .iter()
        .map(|changed| (&changed.enterprise_id, changed.revision))
        .collect();
    let before = log_changes(tx, &rows)?;
    for (changed, seq) in changes.iter_mut().zip(before + 1..) {
        changed.seq = seq;
    }
    Ok(())
}
