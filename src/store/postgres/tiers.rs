//! Computed tiers and what is in force.

use jiff::civil::Date;
use postgres::Row;
use std::collections::{BTreeMap, BTreeSet};

use super::PostgresStore;
use super::change_log::log_changes;
use super::feed::{self, From};
use super::life::successors;
use super::lock::Lock;
use super::models::follow;
use super::pool::{End, Session};
use super::runs::active;
use crate::domain::dates::to_epoch_day;
use crate::domain::{EnterpriseId, Epoch, RecordKind};
use crate::store::rows::{self, Row as _};
use crate::store::tier_rows::{self, IN_FORCE_COLUMNS, TIER_COLUMNS};
use crate::store::{
    AlertKind, CarriedRun, Changed, InForce, Kept, LinkState, ModelFile, NewInForce, NewTier,
    PastTier, PresentTier, StoreError, TierRow, TierStore,
};

/// The present instant in milliseconds since 1970.
pub(super) const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// What is live.
pub(super) struct Live {
    /// 0 or 1.
    pub(super) slot: i64,
    pub(super) number: u64,
    pub(super) epoch: Epoch,
}

/// The table of a slot.
pub(super) fn table(slot: i64) -> &'static str {
    if slot == 0 { "tiers_a" } else { "tiers_b" }
}

/// How the live row is read.
#[derive(Clone, Copy)]
pub(super) enum LiveLock {
    /// As it is.
    None,
    /// No flip comes between this and the end of the transaction.
    Stay,
    /// Nobody else writes to the live slot until the end of the transaction.
    Move,
}

pub(super) fn live(tx: &mut Session, lock: LiveLock) -> Result<Option<Live>, StoreError> {
    let lock = match lock {
        LiveLock::None => "",
        LiveLock::Stay => "FOR SHARE",
        LiveLock::Move => "FOR UPDATE",
    };
    let sql = format!("SELECT slot, number, epoch FROM live WHERE one = 1 {lock}");
    tx.optional(&sql, &[])?
        .map(|row| {
            Ok(Live {
                slot: rows::number(&row, 0, "slot")?,
                number: rows::number(&row, 1, "number")?,
                epoch: tier_rows::epoch(&row, 2)?.ok_or(StoreError::Corrupt { column: "epoch" })?,
            })
        })
        .transpose()
}

impl TierStore for PostgresStore {
    fn in_force(&self) -> Result<Option<InForce>, StoreError> {
        self.pool.read(in_force)
    }

    fn in_force_on(&self, day: Date) -> Result<Option<InForce>, StoreError> {
        self.pool.read(|tx| {
            let sql = format!(
                "SELECT {IN_FORCE_COLUMNS} FROM in_force f ORDER BY f.from_on <= $1 DESC, \
                 CASE WHEN f.from_on <= $1 THEN -f.number ELSE f.number END LIMIT 1"
            );
            tx.optional(&sql, &[&to_epoch_day(day)])?
                .as_ref()
                .map(tier_rows::in_force)
                .transpose()
        })
    }

    fn was_in_force(&self, files_id: &str) -> Result<bool, StoreError> {
        self.pool.read(|tx| {
            let sql = "SELECT EXISTS (SELECT 1 FROM in_force WHERE files_id = $1)";
            let row = tx.one(sql, &[&files_id])?;
            Ok(rows::number::<i64>(&row, 0, "exists")? != 0)
        })
    }

    fn put_in_force(
        &self,
        instead_of: Option<u64>,
        new: &NewInForce,
        carried: Option<&CarriedRun>,
    ) -> Result<Option<InForce>, StoreError> {
        self.pool.write(|tx| {
            Lock::Runs.take(tx)?;
            let live = live(tx, LiveLock::Move)?;
            if live.as_ref().map(|live| live.number) != instead_of {
                return Ok(End::Undo(None));
            }
            let old = in_force(tx)?.map(|entry| entry.files_id);
            if let Some(active) = active(tx)? {
                let between = (old.as_deref(), new.files_id.as_str());
                let Some(files_id) = CarriedRun::files_of(&active, between, carried) else {
                    return Ok(End::Undo(None));
                };
                tx.execute(
                    "UPDATE runs SET files_id = $2 WHERE run_id = $1",
                    &[&active.run_id, &files_id],
                )?;
            }
            let slot = match &live {
                Some(live) if live.epoch != new.epoch => {
                    return Err(StoreError::Aborted(
                        "other tiers are put in force by a run alone".into(),
                    ));
                }
                Some(live) => live.slot,
                None => 0,
            };
            let number = live.map_or(0, |live| live.number) + 1;
            log_in_force(tx, number, slot, new, None)?;
            Ok(End::Keep(in_force(tx)?))
        })
    }

    fn put_model_set(&self, files_id: &str, files: &[ModelFile]) -> Result<(), StoreError> {
        self.pool.write(|tx| {
            for file in files {
                tx.execute(
                    "INSERT INTO model_files (digest, body) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    &[&file.digest, &file.body],
                )?;
                tx.execute(
                    "INSERT INTO model_sets (files_id, role, digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    &[&files_id, &file.role, &file.digest],
                )?;
            }
            Ok(End::Keep(()))
        })
    }

    fn model_set(&self, files_id: &str) -> Result<Vec<ModelFile>, StoreError> {
        self.pool.read(|tx| {
            tx.query(
                "SELECT role, digest, body FROM model_sets JOIN model_files USING (digest) WHERE files_id = $1 \
                 ORDER BY role",
                &[&files_id],
            )?
            .iter()
            .map(|row| {
                Ok(ModelFile {
                    role: rows::text(row, 0, "role")?.to_owned(),
                    digest: rows::text(row, 1, "digest")?.to_owned(),
                    body: bytes(row, 2, "body")?.to_vec(),
                })
            })
            .collect()
        })
    }

    fn model_file(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.pool.read(|tx| {
            tx.optional("SELECT body FROM model_files WHERE digest = $1", &[&digest])?
                .map(|row| Ok(bytes(&row, 0, "body")?.to_vec()))
                .transpose()
        })
    }

    fn tier(&self, id: &EnterpriseId) -> Result<Option<TierRow>, StoreError> {
        // One statement sees one instant: the live row and the slot that it names.
        let sql = "SELECT e.revision, l.epoch, coalesce(a.revision, b.revision), coalesce(a.tier, b.tier), \
                   coalesce(a.points, b.points), coalesce(a.as_of, b.as_of), \
                   CASE WHEN l.slot = 0 THEN a.next_change_on ELSE b.next_change_on END \
                   FROM enterprises e LEFT JOIN live l ON l.one = 1 \
                   LEFT JOIN tiers_a a ON l.slot = 0 AND a.enterprise_id = e.enterprise_id \
                   LEFT JOIN tiers_b b ON l.slot = 1 AND b.enterprise_id = e.enterprise_id \
                   WHERE e.enterprise_id = $1";
        self.pool.read(|tx| {
            tx.optional(sql, &[&id.as_str()])?
                .map(|row| {
                    Ok(TierRow {
                        revision: rows::number(&row, 0, "revision")?,
                        epoch: tier_rows::epoch(&row, 1)?,
                        stored: tier_rows::stored_tier(&row, 2)?,
                    })
                })
                .transpose()
        })
    }

    fn put_tiers(&self, epoch: &Epoch, tiers: &[NewTier]) -> Result<Kept, StoreError> {
        if tiers.is_empty() {
            return Ok(Kept::default());
        }
        self.pool
            .write(|tx| Ok(End::Keep(put_tiers(tx, epoch, tiers)?)))
    }

    fn links_of(
        &self,
        epoch: &Epoch,
        ids: &[EnterpriseId],
        day: Date,
    ) -> Result<Vec<(EnterpriseId, LinkState)>, StoreError> {
        self.pool.read_at_one_instant(|tx| {
            let Some(live) = live(tx, LiveLock::None)?.filter(|live| live.epoch == *epoch) else {
                return Ok(Vec::new());
            };
            let sql = format!(
                "SELECT t.enterprise_id, t.link FROM enterprises e JOIN {} t USING (enterprise_id) \
                 WHERE e.enterprise_id = ANY($1) AND t.revision = e.revision AND t.as_of <= $2 \
                 AND (t.next_change_on IS NULL OR t.next_change_on > $2)",
                table(live.slot)
            );
            links(&tx.query(&sql, &[&texts(ids), &to_epoch_day(day)])?)
        })
    }

    fn due_tiers(&self, day: Date, limit: usize) -> Result<Vec<EnterpriseId>, StoreError> {
        self.enter_due(day)?;
        self.pool.read_at_one_instant(|tx| {
            let Some(live) = live(tx, LiveLock::None)? else {
                return Ok(Vec::new());
            };
            let sql = format!(
                "SELECT enterprise_id FROM {} WHERE next_change_on IS NOT NULL AND NOT is_open \
                 AND next_change_on <= $1 ORDER BY next_change_on LIMIT $2",
                table(live.slot)
            );
            tx.query(&sql, &[&to_epoch_day(day), &limited(limit)])?
                .iter()
                .map(|row| rows::id(row, 0, "enterprise_id"))
                .collect()
        })
    }

    fn tier_history(&self, id: &EnterpriseId) -> Result<Vec<PastTier>, StoreError> {
        self.pool.read(|tx| {
            tx.query(
                "SELECT from_on, until_on, tier, points, force_no FROM tier_history WHERE enterprise_id = $1 \
                 ORDER BY until_on",
                &[&id.as_str()],
            )?
            .iter()
            .map(tier_rows::past_tier)
            .collect()
        })
    }

    fn present_tier(&self, id: &EnterpriseId) -> Result<Option<PresentTier>, StoreError> {
        self.pool.read_at_one_instant(|tx| {
            let Some(live) = live(tx, LiveLock::None)? else {
                return Ok(None);
            };
            let sql = format!(
                "SELECT from_on, {TIER_COLUMNS} FROM {} WHERE enterprise_id = $1",
                table(live.slot)
            );
            match tx.optional(&sql, &[&id.as_str()])? {
                Some(row) => tier_rows::present_tier(&row),
                None => Ok(None),
            }
        })
    }
}

/// Lets the planner go through whole tables until the end of the transaction.
pub(super) fn whole_tables(tx: &mut Session) -> Result<(), StoreError> {
    tx.batch(
        "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on",
    )
}

pub(super) fn in_force(tx: &mut Session) -> Result<Option<InForce>, StoreError> {
    let sql = format!(
        "SELECT {IN_FORCE_COLUMNS} FROM live JOIN in_force f USING (number) WHERE live.one = 1"
    );
    tx.optional(&sql, &[])?
        .as_ref()
        .map(tier_rows::in_force)
        .transpose()
}

/// Adds an entry to the log and makes it the live one.
pub(super) fn log_in_force(
    tx: &mut Session,
    number: u64,
    slot: i64,
    new: &NewInForce,
    run_id: Option<&str>,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO in_force (number, epoch, files_id, statistics, from_at, from_on, run_id) \
         VALUES ($1, $2, $3, $4, {NOW}, $5, $6)"
    );
    tx.execute(
        &sql,
        &[
            &signed(number),
            &new.epoch.as_str(),
            &new.files_id,
            &new.statistics,
            &to_epoch_day(new.from_on),
            &run_id,
        ],
    )?;
    tx.execute(
        "INSERT INTO live (one, slot, number, epoch) VALUES (1, $1, $2, $3) ON CONFLICT (one) DO UPDATE SET \
         slot = excluded.slot, number = excluded.number, epoch = excluded.epoch",
        &[
            &i16::try_from(slot).unwrap_or_default(),
            &signed(number),
            &new.epoch.as_str(),
        ],
    )?;
    follow(tx, &new.files_id, run_id)
}

/// What lies in the slot of an enterprise before a tier is kept.
struct Before {
    present: PresentTier,
    link: i64,
    is_surge: bool,
}

fn put_tiers(tx: &mut Session, epoch: &Epoch, tiers: &[NewTier]) -> Result<Kept, StoreError> {
    let Some(live) = live(tx, LiveLock::Stay)?.filter(|live| live.epoch == *epoch) else {
        return Ok(Kept::default());
    };
    // One row per enterprise, in order of ids so that writers do not wait for each other in a circle.
    let mut last: BTreeMap<&EnterpriseId, &NewTier> = BTreeMap::new();
    for new in tiers {
        let kept = last.entry(&new.enterprise_id).or_insert(new);
        if new.tier.revision >= kept.tier.revision {
            *kept = new;
        }
    }
    let before = rows_before(tx, &live, last.keys().map(|id| id.as_str()).collect())?;
    last.retain(|id, new| {
        before
            .get(*id)
            .is_none_or(|before| before.present.tier.revision <= new.tier.revision)
    });
    let written = write_tiers(tx, &live, &last, &before)?;
    write_history(tx, &live, &last, &before)?;
    write_alerts(tx, &last, &before)?;
    let moves: Vec<_> = last
        .iter()
        .filter_map(|(id, new)| {
            let is_new = *written.get(*id)?;
            let from = match before.get(*id) {
                Some(before) => From::Tier(before.present.tier.tier),
                None if is_new => From::Nothing,
                None => From::AnotherWriter,
            };
            Some((*id, from, *new))
        })
        .filter(|(_, from, new)| *from != From::Tier(new.tier.tier))
        .collect();
    feed::log_tiers(tx, &live, &moves)?;
    let seen: Vec<&str> = last
        .iter()
        .filter(|(id, new)| {
            let link = before
                .get(**id)
                .map_or(LinkState::UNKNOWN, |before| before.link);
            link != new.link.pack()
        })
        .map(|(id, _)| id.as_str())
        .collect();
    Ok(Kept {
        is_live: true,
        touched: touch_dependants(tx, &seen)?,
    })
}

fn rows_before(
    tx: &mut Session,
    live: &Live,
    ids: Vec<&str>,
) -> Result<BTreeMap<EnterpriseId, Before>, StoreError> {
    let sql = format!(
        "SELECT from_on, {TIER_COLUMNS}, link, is_surge, enterprise_id FROM {} WHERE enterprise_id = ANY($1) \
         ORDER BY enterprise_id FOR UPDATE",
        table(live.slot)
    );
    tx.query(&sql, &[&ids])?
        .iter()
        .map(|row| {
            let before = Before {
                present: tier_rows::present_tier(row)?
                    .ok_or(StoreError::Corrupt { column: "revision" })?,
                link: rows::number(row, 6, "link")?,
                is_surge: row.whole(7, "is_surge")? == Some(1),
            };
            Ok((rows::id(row, 8, "enterprise_id")?, before))
        })
        .collect()
}

/// Since when a letter holds that is written over `before`.
fn from_on(new: &NewTier, before: Option<&Before>) -> Date {
    match before {
        Some(before) if before.present.tier.tier == new.tier.tier => before.present.from_on,
        Some(_) | None => new.tier.as_of,
    }
}

/// Writes tiers. Gives the enterprises of which another writer has not written a newer one meanwhile, and whether the row
/// is new.
fn write_tiers(
    tx: &mut Session,
    live: &Live,
    last: &BTreeMap<&EnterpriseId, &NewTier>,
    before: &BTreeMap<EnterpriseId, Before>,
) -> Result<BTreeMap<EnterpriseId, bool>, StoreError> {
    let ids: Vec<&str> = last.keys().map(|id| id.as_str()).collect();
    let of = || last.values().map(|new| &new.tier);
    let revisions: Vec<i64> = of().map(|tier| signed(tier.revision)).collect();
    let codes: Vec<i16> = of().map(|tier| tier.tier.code().into()).collect();
    let points: Vec<i32> = of().map(|tier| tier.points.into()).collect();
    let as_of: Vec<i32> = of().map(|tier| to_epoch_day(tier.as_of)).collect();
    let next: Vec<Option<i32>> = of()
        .map(|tier| tier.next_change_on.map(to_epoch_day))
        .collect();
    let from: Vec<i32> = last
        .iter()
        .map(|(id, new)| to_epoch_day(from_on(new, before.get(*id))))
        .collect();
    let links: Vec<i64> = last.values().map(|new| new.link.pack()).collect();
    let surges: Vec<bool> = last.values().map(|new| new.is_surge).collect();
    let slot = table(live.slot);
    let sql = format!(
        "INSERT INTO {slot} (enterprise_id, {TIER_COLUMNS}, from_on, link, is_surge) \
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::integer[], $5::integer[], $6::integer[], \
             $7::integer[], $8::bigint[], $9::boolean[]) \
         ON CONFLICT (enterprise_id) DO UPDATE SET revision = excluded.revision, tier = excluded.tier, \
         points = excluded.points, as_of = excluded.as_of, next_change_on = excluded.next_change_on, \
         from_on = excluded.from_on, link = excluded.link, is_surge = excluded.is_surge, \
         is_open = false, facts = NULL \
         WHERE excluded.revision >= {slot}.revision RETURNING enterprise_id, xmax = 0"
    );
    tx.query(
        &sql,
        &[
            &ids, &revisions, &codes, &points, &as_of, &next, &from, &links, &surges,
        ],
    )?
    .iter()
    .map(|row| {
        let is_new = row.whole(1, "xmax")? == Some(1);
        Ok((rows::id(row, 0, "enterprise_id")?, is_new))
    })
    .collect()
}

fn write_history(
    tx: &mut Session,
    live: &Live,
    last: &BTreeMap<&EnterpriseId, &NewTier>,
    before: &BTreeMap<EnterpriseId, Before>,
) -> Result<(), StoreError> {
    let superseded: Vec<_> = last
        .iter()
        .filter_map(|(id, new)| Some((id.as_str(), new.tier.as_of, &before.get(*id)?.present, new)))
        .filter(|(_, day, present, new)| {
            present.tier.tier != new.tier.tier && present.from_on < *day
        })
        .collect();
    if superseded.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = superseded.iter().map(|(id, ..)| *id).collect();
    let until: Vec<i32> = superseded
        .iter()
        .map(|(_, day, ..)| to_epoch_day(*day))
        .collect();
    let of = || superseded.iter().map(|(_, _, present, _)| present);
    let from: Vec<i32> = of().map(|present| to_epoch_day(present.from_on)).collect();
    let codes: Vec<i16> = of()
        .map(|present| present.tier.tier.code().into())
        .collect();
    let points: Vec<i32> = of().map(|present| present.tier.points.into()).collect();
    tx.execute(
        "INSERT INTO tier_history (enterprise_id, until_on, from_on, tier, points, force_no) \
         SELECT u.*, $6 FROM unnest($1::text[], $2::integer[], $3::integer[], $4::smallint[], $5::integer[]) u \
         ON CONFLICT DO NOTHING",
        &[&ids, &until, &from, &codes, &points, &signed(live.number)],
    )?;
    Ok(())
}

fn write_alerts(
    tx: &mut Session,
    last: &BTreeMap<&EnterpriseId, &NewTier>,
    before: &BTreeMap<EnterpriseId, Before>,
) -> Result<(), StoreError> {
    let mut alerts = Vec::new();
    for (id, new) in last {
        let Some(before) = before.get(*id) else {
            continue;
        };
        let from = before.present.tier.tier;
        for kind in AlertKind::of((from, before.is_surge), (new.tier.tier, new.is_surge)) {
            alerts.push((kind, id.as_str(), from, &new.tier));
        }
    }
    if alerts.is_empty() {
        return Ok(());
    }
    Lock::Alerts.take(tx)?;
    let kinds: Vec<&str> = alerts.iter().map(|(kind, ..)| kind.as_str()).collect();
    let ids: Vec<&str> = alerts.iter().map(|(_, id, ..)| *id).collect();
    let from: Vec<i16> = alerts
        .iter()
        .map(|(_, _, from, _)| from.code().into())
        .collect();
    let of = || alerts.iter().map(|(.., tier)| tier);
    let days: Vec<i32> = of().map(|tier| to_epoch_day(tier.as_of)).collect();
    let codes: Vec<i16> = of().map(|tier| tier.tier.code().into()).collect();
    let points: Vec<i32> = of().map(|tier| tier.points.into()).collect();
    let sql = format!(
        "INSERT INTO alerts (seq, kind, enterprise_id, on_day, from_tier, tier, points, noted_at) \
         SELECT (SELECT coalesce(max(seq), 0) FROM alerts) + u.place, u.kind, u.id, u.day, u.from_tier, u.tier, \
             u.points, {NOW} \
         FROM unnest($1::text[], $2::text[], $3::integer[], $4::smallint[], $5::smallint[], $6::integer[]) \
             WITH ORDINALITY AS u(kind, id, day, from_tier, tier, points, place)"
    );
    tx.execute(&sql, &[&kinds, &ids, &days, &from, &codes, &points])?;
    Ok(())
}

/// Raises the revisions of the registered enterprises that have a link, or an owner, which is one of `ids`.
fn touch_dependants(tx: &mut Session, ids: &[&str]) -> Result<Vec<Changed>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let named = "WITH RECURSIVE named (id) AS (SELECT n COLLATE \"C\" FROM unnest($1::text[]) AS n \
                 UNION SELECT p.enterprise_id FROM proceedings p JOIN named ON p.related_id = named.id \
                 WHERE p.kind = 3 AND p.is_open) SELECT id FROM named";
    let named: Vec<String> = tx
        .query(named, &[&ids])?
        .iter()
        .map(|row| rows::text(row, 0, "id").map(str::to_owned))
        .collect::<Result<_, _>>()?;
    // By a statement of its own: of how many names there are a planner knows nothing beforehand, and would go through all
    // enterprises for a few of them.
    let dependants: BTreeSet<EnterpriseId> = tx
        .query(
            "SELECT v.enterprise_id FROM record_versions v \
             WHERE v.related_id = ANY($1) AND v.kind = $2 AND v.enterprise_id <> v.related_id \
             UNION SELECT enterprise_id FROM enterprises \
             WHERE owner_id = ANY($1) AND enterprise_id <> owner_id",
            &[&named, &i16::from(RecordKind::Link.code())],
        )?
        .iter()
        .map(|row| rows::id(row, 0, "enterprise_id"))
        .collect::<Result<_, _>>()?;
    if dependants.is_empty() {
        return Ok(Vec::new());
    }
    // What is linked under a merged id counts for its successor.
    let mut dependants = dependants;
    dependants.extend(successors(tx, &dependants)?);
    let dependants: Vec<&str> = dependants.iter().map(EnterpriseId::as_str).collect();
    tx.query(
        "SELECT 1 FROM enterprises WHERE enterprise_id = ANY($1) ORDER BY enterprise_id FOR NO KEY UPDATE",
        &[&dependants],
    )?;
    let raised: BTreeMap<EnterpriseId, u64> = tx
        .query(
            "UPDATE enterprises SET revision = revision + 1 WHERE enterprise_id = ANY($1) \
             RETURNING enterprise_id, revision",
            &[&dependants],
        )?
        .iter()
        .map(|row| {
            Ok((
                rows::id(row, 0, "enterprise_id")?,
                rows::number(row, 1, "revision")?,
            ))
        })
        .collect::<Result<_, StoreError>>()?;
    let changes: Vec<(&EnterpriseId, u64)> = raised
        .iter()
        .map(|(id, revision)| (id, *revision))
        .collect();
    let before = log_changes(tx, &changes)?;
    Ok((before + 1..)
        .zip(&raised)
        .map(|(seq, (id, revision))| Changed {
            seq,
            enterprise_id: id.clone(),
            revision: *revision,
        })
        .collect())
}

/// Link states of rows of `enterprise_id, link`.
fn links(found: &[Row]) -> Result<Vec<(EnterpriseId, LinkState)>, StoreError> {
    let mut states = Vec::with_capacity(found.len());
    for row in found {
        states.extend(tier_rows::link_state(row)?);
    }
    Ok(states)
}

pub(super) fn texts(ids: &[EnterpriseId]) -> Vec<&str> {
    ids.iter().map(EnterpriseId::as_str).collect()
}

pub(super) fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn bytes<'a>(
    row: &'a Row,
    at: usize,
    column: &'static str,
) -> Result<&'a [u8], StoreError> {
    row.try_get(at).map_err(|_| StoreError::Corrupt { column })
}

/// A number for a column of signed ones; no count of ours comes near the end of them.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
