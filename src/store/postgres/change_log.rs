//! The log of tier changes that caches follow.

use super::PostgresStore;
use super::copy::CopyRows;
use super::lock::Lock;
use super::pool::{End, Session, WAITING};
use super::tiers::{signed, whole_tables};
use crate::domain::EnterpriseId;
use crate::store::change_log::{ChangeLog, removed_until, without_gap};
use crate::store::{Changed, StoreError, rows};

impl ChangeLog for PostgresStore {
    fn shorten_log(&self, keep: u64, at_most: u64) -> Result<u64, StoreError> {
        self.pool.write(|tx| {
            let row = tx.one("SELECT coalesce(min(seq), 0) FROM tier_changes", &[])?;
            let first = rows::number(&row, 0, "seq")?;
            let Some(until) = removed_until(first, last_change(tx)?, keep, at_most) else {
                return Ok(End::Keep(0));
            };
            let sql = "DELETE FROM tier_changes WHERE seq <= $1";
            Ok(End::Keep(tx.execute(sql, &[&signed(until)])?))
        })
    }
}

/// Writes changes to the log and gives the number before the first of them. The last step before the commit. In a long
/// transaction they wait for its end, and the number means nothing.
///
/// INVARIANT: numbers become visible in order. The lock is held until the commit is visible, so whoever gives the next
/// numbers sees these, and nobody sees a number while a smaller one is still to come.
pub(super) fn log_changes(
    tx: &mut Session,
    changes: &[(&EnterpriseId, u64)],
) -> Result<u64, StoreError> {
    if tx.logs_later() {
        let mut copied = CopyRows::new(2);
        for (id, revision) in changes {
            copied.row().text(id.as_str()).large(signed(*revision));
        }
        tx.copy_in(WAITING, copied)?;
        return Ok(0);
    }
    let (ids, revisions) = columns(changes);
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

/// Changes as columns of ids and revisions.
pub(super) fn columns<'a>(changes: &[(&'a EnterpriseId, u64)]) -> (Vec<&'a str>, Vec<i64>) {
    let pairs = changes.iter();
    pairs
        .map(|(id, revision)| (id.as_str(), signed(*revision)))
        .unzip()
}

/// Writes what waits to the log, each enterprise once with its last revision. The last step before the commit.
pub(super) fn log_what_waits(tx: &mut Session) -> Result<(), StoreError> {
    tx.log_now();
    whole_tables(tx)?;
    Lock::Changes.take(tx)?;
    tx.batch(&format!(
        "INSERT INTO tier_changes (seq, enterprise_id, revision) \
         SELECT (SELECT coalesce(max(seq), 0) FROM tier_changes) + row_number() OVER (ORDER BY enterprise_id), \
             enterprise_id, max(revision) FROM {WAITING} GROUP BY enterprise_id"
    ))
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
