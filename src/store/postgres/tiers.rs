//! Computed tiers, and the log of changes that caches follow.

use std::collections::BTreeMap;

use super::lock::Lock;
use super::pool::Session;
use crate::domain::dates::to_epoch_day;
use crate::domain::{EnterpriseId, Epoch};
use crate::store::change_log::without_gap;
use crate::store::{Changed, StoreError, StoredTier, TierRow, rows};

pub(super) fn tier(tx: &mut Session, id: &EnterpriseId) -> Result<Option<TierRow>, StoreError> {
    let found = tx.optional(
        "SELECT e.revision, t.epoch, t.revision, t.tier, t.points, t.as_of, t.next_change_on \
         FROM enterprises e LEFT JOIN tiers t USING (enterprise_id) WHERE e.enterprise_id = $1",
        &[&id.as_str()],
    )?;
    found
        .map(|row| {
            Ok(TierRow {
                revision: rows::number(&row, 0, "revision")?,
                stored: rows::stored_tier(&row, 1)?,
            })
        })
        .transpose()
}

pub(super) fn put_tiers(
    tx: &mut Session,
    epoch: &Epoch,
    tiers: &[(EnterpriseId, StoredTier)],
) -> Result<(), StoreError> {
    // One row per enterprise, in order of ids so that writers do not wait for each other in a circle.
    let mut last: BTreeMap<&str, StoredTier> = BTreeMap::new();
    for (id, tier) in tiers {
        let kept = last.entry(id.as_str()).or_insert(*tier);
        if tier.revision >= kept.revision {
            *kept = *tier;
        }
    }
    let ids: Vec<&str> = last.keys().copied().collect();
    let revisions: Vec<i64> = last.values().map(|tier| signed(tier.revision)).collect();
    let codes: Vec<i16> = last.values().map(|tier| tier.tier.code().into()).collect();
    let points: Vec<i32> = last.values().map(|tier| tier.points.into()).collect();
    let as_of: Vec<i32> = last.values().map(|tier| to_epoch_day(tier.as_of)).collect();
    let next: Vec<Option<i32>> = last
        .values()
        .map(|tier| tier.next_change_on.map(to_epoch_day))
        .collect();
    tx.execute(
        "INSERT INTO tiers (enterprise_id, epoch, revision, tier, points, as_of, next_change_on) \
         SELECT u.id, $2, u.revision, u.tier, u.points, u.as_of, u.next_change_on \
         FROM unnest($1::text[], $3::bigint[], $4::smallint[], $5::integer[], $6::integer[], $7::integer[]) \
             AS u(id, revision, tier, points, as_of, next_change_on) \
         ON CONFLICT (enterprise_id) DO UPDATE SET epoch = excluded.epoch, revision = excluded.revision, \
         tier = excluded.tier, points = excluded.points, as_of = excluded.as_of, \
         next_change_on = excluded.next_change_on WHERE excluded.revision >= tiers.revision",
        &[&ids, &epoch.as_str(), &revisions, &codes, &points, &as_of, &next],
    )?;
    Ok(())
}

/// Writes changes to the log and gives the number before the first of them. The last step before the commit.
///
/// INVARIANT: numbers become visible in order. The lock is held until the commit is visible, so whoever gives the next
/// numbers sees these, and nobody sees a number while a smaller one is still to come.
pub(super) fn log_changes(
    tx: &mut Session,
    changes: &[(&EnterpriseId, u64)],
) -> Result<u64, StoreError> {
    let ids: Vec<&str> = changes.iter().map(|(id, _)| id.as_str()).collect();
    let revisions: Vec<i64> = changes
        .iter()
        .map(|(_, revision)| signed(*revision))
        .collect();
    Lock::Changes.take(tx)?;
    let row = tx.one(
        "WITH last AS (SELECT coalesce(max(seq), 0) AS seq FROM tier_changes), \
         written AS (INSERT INTO tier_changes (seq, enterprise_id, revision) \
             SELECT last.seq + u.place, u.id, u.revision \
             FROM last, unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS u(id, revision, place)) \
         SELECT seq FROM last",
        &[&ids, &revisions],
    )?;
    rows::number(&row, 0, "seq")
}

pub(super) fn last_change(tx: &mut Session) -> Result<u64, StoreError> {
    let row = tx.one("SELECT coalesce(max(seq), 0) FROM tier_changes", &[])?;
    rows::number(&row, 0, "seq")
}

pub(super) fn changes_after(
    tx: &mut Session,
    seq: u64,
    limit: usize,
) -> Result<Vec<Changed>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let changes: Vec<Changed> = tx.query(
        "SELECT seq, enterprise_id, revision FROM tier_changes WHERE seq > $1 ORDER BY seq LIMIT $2",
        &[&signed(seq), &limit],
    )?
    .iter()
    .map(rows::changed)
    .collect::<Result<_, _>>()?;
    without_gap(seq, changes)
}

/// A number for a column of signed ones; no count of ours comes near the end of them.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
