//! Computed tiers and what is in force.

use jiff::civil::Date;
use rusqlite::types::ToSql;
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::BTreeSet;

use super::life::successors;
use super::models::follow;
use super::runs::active;
use super::write::touch;
use super::{SqliteStore, feed};
use crate::domain::dates::to_epoch_day;
use crate::domain::{EnterpriseId, Epoch, RecordKind};
use crate::store::rows::{self, Row};
use crate::store::tier_rows::{self, IN_FORCE_COLUMNS, TIER_COLUMNS};
use crate::store::{
    AlertKind, CarriedRun, Changed, InForce, Kept, LinkState, ModelFile, NewInForce, NewTier,
    PastTier, PresentTier, StoreError, TierRow, TierStore,
};

/// The present instant in milliseconds since 1970.
pub(super) const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)";

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

pub(super) fn live(tx: &Transaction<'_>) -> Result<Option<Live>, StoreError> {
    let mut statement = tx.prepare_cached("SELECT slot, number, epoch FROM live WHERE one = 1")?;
    let mut found = statement.query([])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    Ok(Some(Live {
        slot: rows::number(row, 0, "slot")?,
        number: rows::number(row, 1, "number")?,
        epoch: tier_rows::epoch(row, 2)?.ok_or(StoreError::Corrupt { column: "epoch" })?,
    }))
}

impl TierStore for SqliteStore {
    fn in_force(&self) -> Result<Option<InForce>, StoreError> {
        self.read(in_force)
    }

    fn in_force_on(&self, day: Date) -> Result<Option<InForce>, StoreError> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {IN_FORCE_COLUMNS} FROM in_force f \
                 ORDER BY f.from_on <= ?1 DESC, CASE WHEN f.from_on <= ?1 THEN -f.number ELSE f.number END LIMIT 1"
            );
            one(tx, &sql, &[&to_epoch_day(day)], |row| tier_rows::in_force(row))
        })
    }

    fn was_in_force(&self, files_id: &str) -> Result<bool, StoreError> {
        self.read(|tx| {
            let sql = "SELECT EXISTS (SELECT 1 FROM in_force WHERE files_id = ?1)";
            Ok(tx
                .prepare_cached(sql)?
                .query_row([files_id], |row| row.get(0))?)
        })
    }

    fn put_in_force(
        &self,
        instead_of: Option<u64>,
        new: &NewInForce,
        carried: Option<&CarriedRun>,
    ) -> Result<Option<InForce>, StoreError> {
        self.write(|tx| {
            let live = live(tx)?;
            if live.as_ref().map(|live| live.number) != instead_of {
                return Ok(None);
            }
            let old = in_force(tx)?.map(|entry| entry.files_id);
            if let Some(active) = active(tx)? {
                let between = (old.as_deref(), new.files_id.as_str());
                let Some(files_id) = CarriedRun::files_of(&active, between, carried) else {
                    return Ok(None);
                };
                tx.execute(
                    "UPDATE runs SET files_id = ?2 WHERE run_id = ?1",
                    params![active.run_id, files_id],
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
            in_force(tx)
        })
    }

    fn put_model_set(&self, files_id: &str, files: &[ModelFile]) -> Result<(), StoreError> {
        self.write(|tx| {
            for file in files {
                tx.execute(
                    "INSERT OR IGNORE INTO model_files (digest, body) VALUES (?1, ?2)",
                    params![file.digest, file.body],
                )?;
                tx.execute(
                    "INSERT OR IGNORE INTO model_sets (files_id, role, digest) VALUES (?1, ?2, ?3)",
                    params![files_id, file.role, file.digest],
                )?;
            }
            Ok(())
        })
    }

    fn model_set(&self, files_id: &str) -> Result<Vec<ModelFile>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT role, digest, body FROM model_sets JOIN model_files USING (digest) WHERE files_id = ?1 \
                 ORDER BY role",
            )?;
            let mut found = statement.query([files_id])?;
            let mut files = Vec::new();
            while let Some(row) = found.next()? {
                files.push(ModelFile {
                    role: row.get(0)?,
                    digest: row.get(1)?,
                    body: row.get(2)?,
                });
            }
            Ok(files)
        })
    }

    fn model_file(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| {
            let mut statement =
                tx.prepare_cached("SELECT body FROM model_files WHERE digest = ?1")?;
            Ok(statement.query_row([digest], |row| row.get(0)).optional()?)
        })
    }

    fn tier(&self, id: &EnterpriseId) -> Result<Option<TierRow>, StoreError> {
        self.read(|tx| {
            let live = live(tx)?;
            let sql = match &live {
                None => "SELECT revision, NULL FROM enterprises WHERE enterprise_id = ?1".to_owned(),
                Some(live) => format!(
                    "SELECT e.revision, t.revision, t.tier, t.points, t.as_of, t.next_change_on \
                     FROM enterprises e LEFT JOIN {} t USING (enterprise_id) WHERE e.enterprise_id = ?1",
                    table(live.slot)
                ),
            };
            one(tx, &sql, &[&id.as_str()], |row| {
                Ok(TierRow {
                    revision: rows::number(row, 0, "revision")?,
                    epoch: live.as_ref().map(|live| live.epoch),
                    stored: tier_rows::stored_tier(row, 1)?,
                })
            })
        })
    }

    fn put_tiers(&self, epoch: &Epoch, tiers: &[NewTier]) -> Result<Kept, StoreError> {
        if tiers.is_empty() {
            return Ok(Kept::default());
        }
        self.write(|tx| put_tiers(tx, epoch, tiers))
    }

    fn links_of(
        &self,
        epoch: &Epoch,
        ids: &[EnterpriseId],
        day: Date,
    ) -> Result<Vec<(EnterpriseId, LinkState)>, StoreError> {
        self.read(|tx| {
            let Some(live) = live(tx)?.filter(|live| live.epoch == *epoch) else {
                return Ok(Vec::new());
            };
            let sql = format!(
                "SELECT t.enterprise_id, t.link FROM enterprises e JOIN {} t USING (enterprise_id) \
                 WHERE e.enterprise_id = ?1 AND t.revision = e.revision AND t.as_of <= ?2 \
                 AND (t.next_change_on IS NULL OR t.next_change_on > ?2)",
                table(live.slot)
            );
            let day = to_epoch_day(day);
            links(tx, &sql, ids, |id| {
                vec![Box::new(id.as_str().to_owned()), Box::new(day)]
            })
        })
    }

    fn due_tiers(&self, day: Date, limit: usize) -> Result<Vec<EnterpriseId>, StoreError> {
        self.enter_due(day)?;
        self.read(|tx| {
            let Some(live) = live(tx)? else {
                return Ok(Vec::new());
            };
            let sql = format!(
                "SELECT enterprise_id FROM {} WHERE next_change_on IS NOT NULL AND is_open = 0 \
                 AND next_change_on <= ?1 ORDER BY next_change_on LIMIT ?2",
                table(live.slot)
            );
            all(tx, &sql, &[&to_epoch_day(day), &limit], |row| {
                rows::id(row, 0, "enterprise_id")
            })
        })
    }

    fn tier_history(&self, id: &EnterpriseId) -> Result<Vec<PastTier>, StoreError> {
        self.read(|tx| {
            let sql = "SELECT from_on, until_on, tier, points, force_no FROM tier_history \
                       WHERE enterprise_id = ?1 ORDER BY until_on";
            all(tx, sql, &[&id.as_str()], |row| tier_rows::past_tier(row))
        })
    }

    fn present_tier(&self, id: &EnterpriseId) -> Result<Option<PresentTier>, StoreError> {
        self.read(|tx| {
            let Some(live) = live(tx)? else {
                return Ok(None);
            };
            let sql = format!(
                "SELECT from_on, {TIER_COLUMNS} FROM {} WHERE enterprise_id = ?1",
                table(live.slot)
            );
            Ok(one(tx, &sql, &[&id.as_str()], |row| {
                tier_rows::present_tier(row)
            })?
            .flatten())
        })
    }
}

pub(super) fn in_force(tx: &Transaction<'_>) -> Result<Option<InForce>, StoreError> {
    let sql = format!(
        "SELECT {IN_FORCE_COLUMNS} FROM live JOIN in_force f USING (number) WHERE live.one = 1"
    );
    one(tx, &sql, &[], |row| tier_rows::in_force(row))
}

/// Adds an entry to the log and makes it the live one.
pub(super) fn log_in_force(
    tx: &Transaction<'_>,
    number: u64,
    slot: i64,
    new: &NewInForce,
    run_id: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(
        &format!(
            "INSERT INTO in_force (number, epoch, files_id, statistics, from_at, from_on, run_id) \
             VALUES (?1, ?2, ?3, ?4, {NOW}, ?5, ?6)"
        ),
        params![
            number,
            new.epoch.as_str(),
            new.files_id,
            new.statistics,
            to_epoch_day(new.from_on),
            run_id
        ],
    )?;
    tx.execute(
        "INSERT INTO live (one, slot, number, epoch) VALUES (1, ?1, ?2, ?3) \
         ON CONFLICT (one) DO UPDATE SET slot = excluded.slot, number = excluded.number, epoch = excluded.epoch",
        params![slot, number, new.epoch.as_str()],
    )?;
    follow(tx, &new.files_id, run_id)
}

fn put_tiers(tx: &Transaction<'_>, epoch: &Epoch, tiers: &[NewTier]) -> Result<Kept, StoreError> {
    let Some(live) = live(tx)?.filter(|live| live.epoch == *epoch) else {
        return Ok(Kept::default());
    };
    let mut kept = Kept {
        is_live: true,
        touched: Vec::new(),
    };
    for new in tiers {
        put_tier(tx, &live, new, &mut kept.touched)?;
    }
    Ok(kept)
}

fn put_tier(
    tx: &Transaction<'_>,
    live: &Live,
    new: &NewTier,
    touched: &mut Vec<Changed>,
) -> Result<(), StoreError> {
    let slot = table(live.slot);
    let id = &new.enterprise_id;
    let sql = format!(
        "SELECT from_on, {TIER_COLUMNS}, link, is_surge FROM {slot} WHERE enterprise_id = ?1"
    );
    let before = one(tx, &sql, &[&id.as_str()], |row| {
        let present =
            tier_rows::present_tier(row)?.ok_or(StoreError::Corrupt { column: "revision" })?;
        let link: i64 = rows::number(row, 6, "link")?;
        let is_surge = row.whole(7, "is_surge")? == Some(1);
        Ok((present, link, is_surge))
    })?;
    let day = new.tier.as_of;
    let mut from_on = day;
    if let Some((present, _, was_surge)) = &before {
        if present.tier.revision > new.tier.revision {
            return Ok(());
        }
        from_on = present.from_on;
        if present.tier.tier != new.tier.tier {
            from_on = day;
            if present.from_on < day {
                tx.prepare_cached(
                    "INSERT OR IGNORE INTO tier_history (enterprise_id, until_on, from_on, tier, points, force_no) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    id.as_str(),
                    to_epoch_day(day),
                    to_epoch_day(present.from_on),
                    present.tier.tier.code(),
                    present.tier.points,
                    live.number
                ])?;
            }
        }
        let alerts = AlertKind::of(
            (present.tier.tier, *was_surge),
            (new.tier.tier, new.is_surge),
        );
        for kind in alerts {
            tx.prepare_cached(&format!(
                "INSERT INTO alerts (kind, enterprise_id, on_day, from_tier, tier, points, noted_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, {NOW})"
            ))?
            .execute(params![
                kind.as_str(),
                id.as_str(),
                to_epoch_day(day),
                present.tier.tier.code(),
                new.tier.tier.code(),
                new.tier.points
            ])?;
        }
    }
    let from = before.as_ref().map(|(present, ..)| present.tier.tier);
    feed::log_tier(tx, live, from, new)?;
    let link = new.link.pack();
    tx.prepare_cached(&format!(
        "INSERT INTO {slot} (enterprise_id, {TIER_COLUMNS}, from_on, link, is_surge) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT (enterprise_id) DO UPDATE SET revision = excluded.revision, tier = excluded.tier, \
         points = excluded.points, as_of = excluded.as_of, next_change_on = excluded.next_change_on, \
         from_on = excluded.from_on, link = excluded.link, is_surge = excluded.is_surge, \
         is_open = 0, facts = NULL"
    ))?
    .execute(params![
        id.as_str(),
        new.tier.revision,
        new.tier.tier.code(),
        new.tier.points,
        to_epoch_day(day),
        new.tier.next_change_on.map(to_epoch_day),
        to_epoch_day(from_on),
        link,
        new.is_surge
    ])?;
    let link_before = before.map_or(LinkState::UNKNOWN, |(_, link, _)| link);
    if link_before != link {
        let mut dependants = dependants(tx, id)?;
        // What is linked under a merged id counts for its successor.
        dependants.extend(successors(tx, &dependants)?);
        for dependant in dependants.iter().collect::<BTreeSet<_>>() {
            touched.extend(touch(tx, dependant)?);
        }
    }
    Ok(())
}

/// The registered enterprises that have a link, or an owner, which names `id`.
fn dependants(tx: &Transaction<'_>, id: &EnterpriseId) -> Result<Vec<EnterpriseId>, StoreError> {
    let sql = "WITH RECURSIVE named (id) AS (SELECT ?1 \
                   UNION SELECT p.enterprise_id FROM proceedings p JOIN named ON p.related_id = named.id \
                   WHERE p.kind = 3 AND p.is_open = 1) \
               SELECT v.enterprise_id FROM record_versions v JOIN enterprises e USING (enterprise_id) \
               WHERE v.related_id IN (SELECT id FROM named) AND v.kind = ?2 AND v.enterprise_id <> ?1 \
               UNION SELECT enterprise_id FROM enterprises \
               WHERE owner_id IN (SELECT id FROM named) AND enterprise_id <> ?1 ORDER BY 1";
    all(tx, sql, &[&id.as_str(), &RecordKind::Link.code()], |row| {
        rows::id(row, 0, "enterprise_id")
    })
}

/// The first row of a cached statement.
pub(super) fn one<T>(
    tx: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl FnOnce(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = tx.prepare_cached(sql)?;
    let mut found = statement.query(values)?;
    found.next()?.map(read).transpose()
}

/// All rows of a cached statement.
pub(super) fn all<T>(
    tx: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
    mut read: impl FnMut(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = tx.prepare_cached(sql)?;
    let mut found = statement.query(values)?;
    let mut list = Vec::new();
    while let Some(row) = found.next()? {
        list.push(read(row)?);
    }
    Ok(list)
}

/// Link states by a statement that finds one by its id.
pub(super) fn links(
    tx: &Transaction<'_>,
    sql: &str,
    ids: &[EnterpriseId],
    values: impl Fn(&EnterpriseId) -> Vec<Box<dyn ToSql>>,
) -> Result<Vec<(EnterpriseId, LinkState)>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let values = values(id);
        let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
        found.extend(one(tx, sql, &values, |row| tier_rows::link_state(row))?.flatten());
    }
    Ok(found)
}
