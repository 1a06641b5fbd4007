//! Computed tiers, and the log of changes that caches follow.

use rusqlite::{Transaction, params};

use crate::domain::dates::to_epoch_day;
use crate::domain::{EnterpriseId, Epoch};
use crate::store::change_log::without_gap;
use crate::store::{Changed, StoreError, StoredTier, TierRow, rows};

pub(super) fn tier(tx: &Transaction<'_>, id: &EnterpriseId) -> Result<Option<TierRow>, StoreError> {
    let mut statement = tx.prepare_cached(
                "SELECT e.revision, t.epoch, t.revision, t.tier, t.points, t.as_of, t.next_change_on \
                 FROM enterprises e LEFT JOIN tiers t USING (enterprise_id) WHERE e.enterprise_id = ?1",
            )?;
    let mut found = statement.query([id.as_str()])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    Ok(Some(TierRow {
        revision: rows::number(row, 0, "revision")?,
        stored: rows::stored_tier(row, 1)?,
    }))
}

pub(super) fn put_tiers(
    tx: &Transaction<'_>,
    epoch: &Epoch,
    tiers: &[(EnterpriseId, StoredTier)],
) -> Result<(), StoreError> {
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
}

pub(super) fn last_change(tx: &Transaction<'_>) -> Result<u64, StoreError> {
    Ok(tx.query_row(
        "SELECT coalesce(max(seq), 0) FROM tier_changes",
        [],
        |row| row.get(0),
    )?)
}

pub(super) fn changes_after(
    tx: &Transaction<'_>,
    seq: u64,
    limit: usize,
) -> Result<Vec<Changed>, StoreError> {
    let mut statement = tx.prepare_cached(
                "SELECT seq, enterprise_id, revision FROM tier_changes WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
    let mut found = statement.query(params![seq, limit])?;
    let mut changes = Vec::new();
    while let Some(row) = found.next()? {
        changes.push(rows::changed(row)?);
    }
    without_gap(seq, changes)
}
