//! Runs: filling the slot that is not live, and the flip.

use jiff::civil::Date;
use rusqlite::{OptionalExtension, ToSql, Transaction, params};

use super::tiers::{NOW, all, live, log_in_force, one, table};
use super::{SqliteStore, feed, register};
use crate::domain::dates::to_epoch_day;
use crate::domain::{EnterpriseId, Epoch};
use crate::store::change_log::unbroken_since;
use crate::store::rows;
use crate::store::tier_rows::{self, FINISHED, RUN_COLUMNS, SCANNED};
use crate::store::{
    IdRange, JobKind, LiveTier, NewInForce, NewRun, Run, RunChange, RunPart, RunRow, RunState,
    RunStore, StoreError, StoredTier,
};

/// The slot that a run writes to, and the day that it speaks for.
struct Held {
    slot: i64,
    as_of: i32,
}

impl RunStore for SqliteStore {
    fn request_run(&self, new: &NewRun) -> Result<Run, StoreError> {
        self.write(|tx| {
            if let Some(active) = active(tx)? {
                let is_same = active.files_id == new.files_id && active.as_of == new.as_of;
                // A promotion goes through: what it puts in force is reclassified whole.
                if is_same || active.kind != JobKind::Reclassify {
                    return Ok(active);
                }
                end(tx, &active.run_id, RunState::Cancelled, None)?;
            }
            tx.execute(
                &format!(
                    "INSERT INTO runs (run_id, is_active, state, cause, files_id, as_of, phase, requested_at) \
                     VALUES (?1, 1, 'queued', ?2, ?3, ?4, 'scan', {NOW})"
                ),
                params![
                    new.run_id,
                    new.cause.as_str(),
                    new.files_id,
                    to_epoch_day(new.as_of)
                ],
            )?;
            find(tx, &new.run_id)?.ok_or(StoreError::Corrupt { column: "run_id" })
        })
    }

    fn run(&self, run_id: &str) -> Result<Option<Run>, StoreError> {
        self.read(|tx| find(tx, run_id))
    }

    fn runs_before(&self, before: Option<u64>, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.read(|tx| {
            let sql = select("WHERE r.run_no < ?1 ORDER BY r.run_no DESC LIMIT ?2");
            let before =
                before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
            all(tx, &sql, &[&before, &limit], |row| tier_rows::run(row))
        })
    }

    fn claim_run(&self, owner: &str, lease_ms: i64) -> Result<Option<Run>, StoreError> {
        if self.read(active)?.is_none() {
            return Ok(None);
        }
        self.write(|tx| {
            let claimed = tx.execute(
                &format!(
                    "UPDATE runs SET owner = ?1, lease_until = {NOW} + ?2 \
                     WHERE is_active = 1 AND (owner IS NULL OR owner = ?1 OR lease_until < {NOW})"
                ),
                params![owner, lease_ms],
            )?;
            if claimed == 0 {
                return Ok(None);
            }
            active(tx)
        })
    }

    fn renew_run(&self, run_id: &str, owner: &str, lease_ms: i64) -> Result<bool, StoreError> {
        self.write(|tx| {
            let renewed = tx.execute(
                &format!(
                    "UPDATE runs SET lease_until = {NOW} + ?3 WHERE run_id = ?1 AND owner = ?2 AND is_active = 1"
                ),
                params![run_id, owner, lease_ms],
            )?;
            Ok(renewed == 1)
        })
    }

    fn enterprise_count(&self) -> Result<u64, StoreError> {
        self.read(register::enterprise_count)
    }

    fn begin_run(
        &self,
        run_id: &str,
        owner: &str,
        as_of: Date,
        ranges: &[IdRange],
        total: u64,
    ) -> Result<Run, StoreError> {
        self.write(|tx| {
            held(tx, run_id, owner)?;
            let live = live(tx)?;
            feed::note_first(tx, run_id)?;
            let slot = 1 - live.map_or(1, |live| live.slot);
            tx.execute_batch(&format!(
                "DELETE FROM {}; DELETE FROM run_ranges; DELETE FROM run_changes; DELETE FROM run_scans",
                table(slot)
            ))?;
            let mut insert = tx.prepare_cached(
                "INSERT INTO run_ranges (part, after_id, until_id, step, row_count) VALUES (?1, ?2, ?3, 0, 0)",
            )?;
            for (part, range) in ranges.iter().enumerate() {
                insert.execute(params![part, range.after, range.until])?;
            }
            tx.execute(
                &format!(
                    "UPDATE runs SET state = 'running', phase = 'scan', as_of = ?2, slot = ?3, total_count = ?4, \
                     started_at = coalesce(started_at, {NOW}), statistics = NULL, epoch = NULL, \
                     start_seq = (SELECT coalesce(max(seq), 0) FROM tier_changes) WHERE run_id = ?1"
                ),
                params![run_id, to_epoch_day(as_of), slot, total],
            )?;
            find(tx, run_id)?.ok_or(StoreError::Corrupt { column: "run_id" })
        })
    }

    fn run_parts(&self, run_id: &str) -> Result<Vec<RunPart>, StoreError> {
        self.read(|tx| {
            let sql = "SELECT part, after_id, until_id, step FROM run_ranges \
                       WHERE EXISTS (SELECT 1 FROM runs WHERE run_id = ?1 AND is_active = 1) ORDER BY part";
            all(tx, sql, &[&run_id], |row| tier_rows::run_part(row))
        })
    }

    fn live_tiers_in(&self, range: &IdRange) -> Result<Vec<LiveTier>, StoreError> {
        self.read(|tx| {
            let Some(live) = live(tx)? else {
                return Ok(Vec::new());
            };
            let sql = within(
                &format!(
                    "SELECT enterprise_id, tier, points, from_on, is_surge FROM {}",
                    table(live.slot)
                ),
                "",
                range,
            );
            let (after, until) = ends(range);
            all(tx, &sql, &[&after, &until], |row| tier_rows::live_tier(row))
        })
    }

    fn standing_tiers_in(
        &self,
        epoch: &Epoch,
        range: &IdRange,
    ) -> Result<Option<Vec<(EnterpriseId, StoredTier)>>, StoreError> {
        self.read(|tx| match live(tx)?.filter(|live| live.epoch == *epoch) {
            None => Ok(None),
            Some(live) => standing(tx, live.slot, range).map(Some),
        })
    }

    fn run_tiers_in(
        &self,
        run_id: &str,
        range: &IdRange,
    ) -> Result<Vec<(EnterpriseId, StoredTier)>, StoreError> {
        self.read(|tx| standing(tx, slot_of(tx, run_id)?, range))
    }

    fn put_scanned(
        &self,
        run_id: &str,
        owner: &str,
        part: u32,
        row_count: u64,
        body: &[u8],
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            held(tx, run_id, owner)?;
            tx.prepare_cached("INSERT INTO run_scans (part, body) VALUES (?1, ?2)")?
                .execute(params![part, body])?;
            step(tx, part, 0, SCANNED, row_count)
        })
    }

    fn lacks_scanned(&self, run_id: &str) -> Result<bool, StoreError> {
        self.read(|tx| {
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM run_ranges r, runs WHERE run_id = ?1 AND is_active = 1 \
                 AND r.step >= {SCANNED} AND NOT EXISTS (SELECT 1 FROM run_scans s WHERE s.part = r.part))"
            );
            Ok(tx.query_row(&sql, [run_id], |row| row.get(0))?)
        })
    }

    fn scanned(&self, run_id: &str, part: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| {
            slot_of(tx, run_id)?;
            let mut statement = tx.prepare_cached("SELECT body FROM run_scans WHERE part = ?1")?;
            Ok(statement.query_row([part], |row| row.get(0)).optional()?)
        })
    }

    fn freeze_run(
        &self,
        run_id: &str,
        owner: &str,
        epoch: &Epoch,
        statistics: Option<(&str, &[u8])>,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            held(tx, run_id, owner)?;
            if let Some((digest, body)) = statistics {
                tx.execute(
                    "INSERT OR IGNORE INTO model_files (digest, body) VALUES (?1, ?2)",
                    params![digest, body],
                )?;
            }
            tx.execute(
                "UPDATE runs SET phase = 'finish', epoch = ?2, statistics = ?3 WHERE run_id = ?1",
                params![run_id, epoch.as_str(), statistics.map(|(digest, _)| digest)],
            )?;
            Ok(())
        })
    }

    fn put_finished(
        &self,
        run_id: &str,
        owner: &str,
        part: u32,
        rows: &[RunRow],
        changes: &[RunChange],
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            let held = held(tx, run_id, owner)?;
            put_rows(tx, &held, rows)?;
            put_changes(tx, changes)?;
            step(tx, part, SCANNED, FINISHED, 0)
        })
    }

    fn flip(&self, run_id: &str, owner: &str) -> Result<Run, StoreError> {
        self.write(|tx| flip(tx, run_id, owner))
    }

    fn fail_run(&self, run_id: &str, owner: &str, failure: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            held(tx, run_id, owner)?;
            end(tx, run_id, RunState::Failed, Some(failure))
        })
    }

    fn cancel_run(&self, run_id: &str) -> Result<bool, StoreError> {
        self.write(|tx| {
            let Some(open) = find(tx, run_id)?.filter(|run| run.ended_at.is_none()) else {
                return Ok(false);
            };
            // Work beside the runs leaves what the active run has scanned alone.
            if open.kind.is_run() {
                end(tx, run_id, RunState::Cancelled, None)?;
            } else {
                ended(tx, run_id, RunState::Cancelled, None)?;
            }
            Ok(true)
        })
    }

    fn claim_worker(
        &self,
        name: &str,
        owner: &str,
        lease_ms: i64,
    ) -> Result<Option<u64>, StoreError> {
        // Half of a lease may pass before it is written again.
        let holds = self.read(|tx| {
            let sql = format!(
                "SELECT cursor FROM workers WHERE name = ?1 AND owner = ?2 AND lease_until > {NOW} + ?3 / 2"
            );
            one(tx, &sql, &[&name, &owner, &lease_ms], |row| {
                rows::number(row, 0, "cursor")
            })
        })?;
        if holds.is_some() {
            return Ok(holds);
        }
        self.write(|tx| {
            let sql = format!(
                "UPDATE workers SET owner = ?2, lease_until = {NOW} + ?3 \
                 WHERE name = ?1 AND (owner IS NULL OR owner = ?2 OR lease_until < {NOW}) RETURNING cursor"
            );
            one(tx, &sql, &[&name, &owner, &lease_ms], |row| {
                rows::number(row, 0, "cursor")
            })
        })
    }

    fn advance_worker(
        &self,
        name: &str,
        owner: &str,
        from: u64,
        to: u64,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            let advanced = tx.execute(
                "UPDATE workers SET cursor = ?4 WHERE name = ?1 AND owner = ?2 AND cursor = ?3",
                params![name, owner, from, to],
            )?;
            Ok(advanced == 1)
        })
    }
}

fn flip(tx: &Transaction<'_>, run_id: &str, owner: &str) -> Result<Run, StoreError> {
    let held = held(tx, run_id, owner)?;
    let run = find(tx, run_id)?.ok_or(StoreError::Corrupt { column: "run_id" })?;
    let (Some(epoch), Some(start_seq)) = (run.epoch, run.start_seq) else {
        return Err(StoreError::Aborted(format!(
            "run `{run_id}` is not complete"
        )));
    };
    let open: i64 = tx.query_row(
        "SELECT count(*) FROM run_ranges WHERE step < ?1",
        [FINISHED],
        |row| row.get(0),
    )?;
    if open > 0 {
        return Err(StoreError::Aborted(format!(
            "run `{run_id}` is not complete"
        )));
    }
    let live = live(tx)?;
    let number = live.as_ref().map_or(0, |live| live.number);
    let first: u64 = tx.query_row(
        "SELECT coalesce(min(seq), 0) FROM tier_changes",
        [],
        |row| row.get(0),
    )?;
    unbroken_since(start_seq, first)?;
    if let Some(live) = &live {
        carry_over(tx, table(live.slot), table(held.slot), start_seq)?;
    }
    let day = to_epoch_day(run.as_of);
    tx.execute(
        "INSERT OR IGNORE INTO tier_history (enterprise_id, until_on, from_on, tier, points, force_no) \
         SELECT enterprise_id, ?1, from_on, tier, points, ?2 FROM run_changes WHERE from_on < ?1 AND tier > 0",
        params![day, number],
    )?;
    tx.execute(
        &format!(
            "INSERT INTO alerts (kind, enterprise_id, on_day, from_tier, tier, points, noted_at) \
             SELECT 'worsened', enterprise_id, ?1, tier, new_tier, new_points, {NOW} FROM run_changes \
             WHERE new_tier > tier AND tier > 0 \
             UNION ALL SELECT 'entered_d', enterprise_id, ?1, tier, new_tier, new_points, {NOW} FROM run_changes \
             WHERE new_tier = 4 AND tier BETWEEN 1 AND 3"
        ),
        params![day],
    )?;
    let changes: u64 = tx.query_row(
        "SELECT count(*) FROM run_changes WHERE tier > 0",
        [],
        |row| row.get(0),
    )?;
    let new = NewInForce {
        epoch,
        files_id: run.files_id,
        statistics: run.statistics,
        from_on: run.as_of,
    };
    log_in_force(tx, number + 1, held.slot, &new, Some(run_id))?;
    // The run has computed all days anew: none has come yet.
    tx.execute("UPDATE live SET entered_until = ?1", [day])?;
    feed::log_flip(tx, run_id, number + 1, day)?;
    // The run has followed all changes up to its beginning; those since then are computed anew under the new epoch.
    tx.execute(
        "UPDATE workers SET cursor = ?1 WHERE name = 'retier'",
        [start_seq],
    )?;
    tx.execute(
        "UPDATE runs SET change_count = ?2 WHERE run_id = ?1",
        params![run_id, changes],
    )?;
    end(tx, run_id, RunState::Succeeded, None)?;
    find(tx, run_id)?.ok_or(StoreError::Corrupt { column: "run_id" })
}

/// Lets enterprises that changed after `start_seq` keep their live tier as an outdated row of the new slot. So the next
/// computation compares with the tier that was last told, and writes history and alerts once.
fn carry_over(
    tx: &Transaction<'_>,
    old: &str,
    new: &str,
    start_seq: u64,
) -> Result<(), StoreError> {
    let changed = "SELECT enterprise_id FROM tier_changes WHERE seq > ?1";
    tx.execute(
        &format!(
            "UPDATE {new} SET revision = 0, tier = o.tier, points = o.points, as_of = o.as_of, \
             next_change_on = o.next_change_on, from_on = o.from_on, is_surge = o.is_surge, is_open = 0 \
             FROM {old} o WHERE o.enterprise_id = {new}.enterprise_id AND {new}.enterprise_id IN ({changed})"
        ),
        [start_seq],
    )?;
    tx.execute(
        &format!(
            "INSERT INTO {new} (enterprise_id, revision, tier, points, as_of, next_change_on, from_on, link, is_surge) \
             SELECT enterprise_id, 0, tier, points, as_of, next_change_on, from_on, 0, is_surge FROM {old} \
             WHERE enterprise_id IN ({changed}) \
             AND NOT EXISTS (SELECT 1 FROM {new} n WHERE n.enterprise_id = {old}.enterprise_id)"
        ),
        [start_seq],
    )?;
    // What is new has no live tier to keep: it is computed when it is asked for.
    tx.execute(
        &format!(
            "DELETE FROM {new} WHERE enterprise_id IN ({changed}) \
             AND NOT EXISTS (SELECT 1 FROM {old} o WHERE o.enterprise_id = {new}.enterprise_id)"
        ),
        [start_seq],
    )?;
    tx.execute(
        &format!("DELETE FROM run_changes WHERE enterprise_id IN ({changed})"),
        [start_seq],
    )?;
    Ok(())
}

/// Writes rows of tiers, many by one statement: the walk down the table is begun once for all of them.
fn put_rows(tx: &Transaction<'_>, held: &Held, rows: &[RunRow]) -> Result<(), StoreError> {
    const AT_ONCE: usize = 100;
    for rows in rows.chunks(AT_ONCE) {
        let mut insert = tx.prepare_cached(&format!(
            "INSERT INTO {} (enterprise_id, revision, tier, points, as_of, next_change_on, from_on, link, is_surge, \
             is_open) VALUES {}",
            table(held.slot),
            vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"; rows.len()].join(", ")
        ))?;
        let mut places = 1..;
        let mut bind = |value: &dyn ToSql| match places.next() {
            Some(place) => insert.raw_bind_parameter(place, value),
            None => Ok(()),
        };
        for row in rows {
            bind(&row.enterprise_id.as_str())?;
            bind(&row.revision)?;
            bind(&row.tier.code())?;
            bind(&row.points)?;
            bind(&held.as_of)?;
            bind(&row.next_change_on.map(to_epoch_day))?;
            bind(&to_epoch_day(row.from_on))?;
            bind(&row.link.pack())?;
            bind(&row.is_surge)?;
        }
        insert.raw_execute()?;
    }
    Ok(())
}

fn put_changes(tx: &Transaction<'_>, changes: &[RunChange]) -> Result<(), StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT OR REPLACE INTO run_changes (enterprise_id, tier, points, from_on, new_tier, new_points) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for change in changes {
        let before = change.before;
        insert.execute(params![
            change.enterprise_id.as_str(),
            before.map_or(0, |(tier, ..)| tier.code()),
            before.map_or(0, |(_, points, _)| points),
            to_epoch_day(before.map_or(Date::MAX, |(.., from_on)| from_on)),
            change.tier.code(),
            change.points
        ])?;
    }
    Ok(())
}

/// Moves a part one step on; a part that is not at `from` was done by another owner.
fn step(
    tx: &Transaction<'_>,
    part: u32,
    from: i64,
    to: i64,
    row_count: u64,
) -> Result<(), StoreError> {
    let moved = tx.execute(
        "UPDATE run_ranges SET step = ?3, row_count = row_count + ?4 WHERE part = ?1 AND step = ?2",
        params![part, from, to, row_count],
    )?;
    if moved == 1 {
        Ok(())
    } else {
        Err(StoreError::Aborted(format!(
            "part {part} of the run was done already"
        )))
    }
}

/// Makes sure that the run is active and held by `owner`.
fn held(tx: &Transaction<'_>, run_id: &str, owner: &str) -> Result<Held, StoreError> {
    let sql = "SELECT coalesce(slot, 0), as_of FROM runs WHERE run_id = ?1 AND owner = ?2 AND is_active = 1";
    one(tx, sql, &[&run_id, &owner], |row| {
        Ok(Held {
            slot: rows::number(row, 0, "slot")?,
            as_of: rows::number(row, 1, "as_of")?,
        })
    })?
    .ok_or_else(|| StoreError::RunLost {
        run_id: run_id.to_owned(),
    })
}

fn slot_of(tx: &Transaction<'_>, run_id: &str) -> Result<i64, StoreError> {
    let sql = "SELECT slot FROM runs WHERE run_id = ?1 AND is_active = 1 AND slot IS NOT NULL";
    one(tx, sql, &[&run_id], |row| rows::number(row, 0, "slot"))?.ok_or_else(|| {
        StoreError::RunLost {
            run_id: run_id.to_owned(),
        }
    })
}

/// The tiers of a slot that were computed from their enterprises' present revisions.
fn standing(
    tx: &Transaction<'_>,
    slot: i64,
    range: &IdRange,
) -> Result<Vec<(EnterpriseId, StoredTier)>, StoreError> {
    let sql = within(
        &format!(
            "SELECT enterprise_id, t.revision, t.tier, t.points, t.as_of, t.next_change_on \
             FROM {} t JOIN enterprises e USING (enterprise_id)",
            table(slot)
        ),
        "AND t.revision = e.revision",
        range,
    );
    let (after, until) = ends(range);
    all(tx, &sql, &[&after, &until], |row| {
        tier_rows::id_and_tier(row)
    })
}

/// Ends the active run.
pub(super) fn end(
    tx: &Transaction<'_>,
    run_id: &str,
    state: RunState,
    failure: Option<&str>,
) -> Result<(), StoreError> {
    ended(tx, run_id, state, failure)?;
    tx.execute("DELETE FROM run_scans", [])?;
    Ok(())
}

fn ended(
    tx: &Transaction<'_>,
    run_id: &str,
    state: RunState,
    failure: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(
        &format!(
            "UPDATE runs SET state = ?2, failure = ?3, is_active = NULL, owner = NULL, ended_at = {NOW} \
             WHERE run_id = ?1"
        ),
        params![run_id, state.as_str(), failure],
    )?;
    Ok(())
}

pub(super) fn active(tx: &Transaction<'_>) -> Result<Option<Run>, StoreError> {
    one(tx, &select("WHERE r.is_active = 1"), &[], |row| {
        tier_rows::run(row)
    })
}

pub(super) fn find(tx: &Transaction<'_>, run_id: &str) -> Result<Option<Run>, StoreError> {
    one(tx, &select("WHERE r.run_id = ?1"), &[&run_id], |row| {
        tier_rows::run(row)
    })
}

/// Only the active run has parts; of one that succeeded everything is done.
fn select(which: &str) -> String {
    let done = |step: i64| {
        format!(
            "CASE WHEN r.is_active = 1 THEN \
             (SELECT coalesce(sum(row_count), 0) FROM run_ranges WHERE step >= {step} AND r.state = 'running') \
             WHEN r.state = 'succeeded' THEN r.total_count ELSE 0 END"
        )
    };
    format!(
        "SELECT {RUN_COLUMNS}, {NOW}, {}, {} FROM runs r {which}",
        done(SCANNED),
        done(FINISHED)
    )
}

/// A statement over the ids of a range, in order; its values are those of [`ends`].
fn within(select: &str, condition: &str, range: &IdRange) -> String {
    let until = match range.until {
        Some(_) => "enterprise_id <= ?2",
        None => "?2 IS NULL",
    };
    format!("{select} WHERE enterprise_id > ?1 AND {until} {condition} ORDER BY enterprise_id")
}

fn ends(range: &IdRange) -> (&str, Option<&str>) {
    (range.after.as_deref().unwrap_or(""), range.until.as_deref())
}
