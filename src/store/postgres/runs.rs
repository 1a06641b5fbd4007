//! Runs: filling the slot that is not live, and the flip.
//!
//! Whoever begins, ends or claims a run holds the lock `Runs`; parts are written side by side and share the row of the
//! run.

use jiff::civil::Date;

use super::copy::{CopyRows, literal};
use super::lock::Lock;
use super::pool::{End, Session};
use super::tiers::{
    LiveLock, NOW, bytes, limited, live, log_in_force, signed, table, whole_tables,
};
use super::{PostgresStore, feed};
use crate::domain::dates::to_epoch_day;
use crate::domain::{EnterpriseId, Epoch};
use crate::store::change_log::unbroken_since;
use crate::store::rows::{self, Row as _};
use crate::store::tier_rows::{self, FINISHED, RUN_COLUMNS, SCANNED};
use crate::store::{
    IdRange, JobKind, LiveTier, NewInForce, NewRun, Run, RunChange, RunPart, RunRow, RunState,
    RunStore, StoreError, StoredTier,
};

impl RunStore for PostgresStore {
    fn request_run(&self, new: &NewRun) -> Result<Run, StoreError> {
        self.pool.write(|tx| {
            Lock::Runs.take(tx)?;
            if let Some(active) = active(tx)? {
                let is_same = active.files_id == new.files_id && active.as_of == new.as_of;
                // A promotion goes through: what it puts in force is reclassified whole.
                if is_same || active.kind != JobKind::Reclassify {
                    return Ok(End::Keep(active));
                }
                end(tx, &active.run_id, RunState::Cancelled, None)?;
            }
            let sql = format!(
                "INSERT INTO runs (run_id, is_active, state, cause, files_id, as_of, phase, requested_at) \
                 VALUES ($1, 1, 'queued', $2, $3, $4, 'scan', {NOW})"
            );
            tx.execute(
                &sql,
                &[
                    &new.run_id,
                    &new.cause.as_str(),
                    &new.files_id,
                    &to_epoch_day(new.as_of),
                ],
            )?;
            Ok(End::Keep(found(tx, &new.run_id)?))
        })
    }

    fn run(&self, run_id: &str) -> Result<Option<Run>, StoreError> {
        if super::unstorable(run_id) {
            return Ok(None);
        }
        self.pool.read(|tx| find(tx, run_id))
    }

    fn runs_before(&self, before: Option<u64>, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.pool.read(|tx| {
            let sql = select("WHERE r.run_no < $1 ORDER BY r.run_no DESC LIMIT $2");
            let before = before.map_or(i64::MAX, signed);
            tx.query(&sql, &[&before, &limited(limit)])?
                .iter()
                .map(tier_rows::run)
                .collect()
        })
    }

    fn claim_run(&self, owner: &str, lease_ms: i64) -> Result<Option<Run>, StoreError> {
        if self.pool.read(active)?.is_none() {
            return Ok(None);
        }
        self.pool.write(|tx| {
            Lock::Runs.take(tx)?;
            // Waits for what the owner before is still writing.
            tx.query("SELECT 1 FROM runs WHERE is_active = 1 FOR UPDATE", &[])?;
            let sql = format!(
                "UPDATE runs SET owner = $1, lease_until = {NOW} + $2 \
                 WHERE is_active = 1 AND (owner IS NULL OR owner = $1 OR lease_until < {NOW})"
            );
            if tx.execute(&sql, &[&owner, &lease_ms])? == 0 {
                return Ok(End::Undo(None));
            }
            Ok(End::Keep(active(tx)?))
        })
    }

    fn renew_run(&self, run_id: &str, owner: &str, lease_ms: i64) -> Result<bool, StoreError> {
        self.pool.write(|tx| {
            let sql = format!(
                "UPDATE runs SET lease_until = {NOW} + $3 WHERE run_id = $1 AND owner = $2 AND is_active = 1"
            );
            Ok(End::Keep(
                tx.execute(&sql, &[&run_id, &owner, &lease_ms])? == 1,
            ))
        })
    }

    fn enterprise_count(&self) -> Result<u64, StoreError> {
        self.pool.read_at_one_instant(|tx| {
            whole_tables(tx)?;
            let row = tx.one("SELECT count(*) FROM enterprises", &[])?;
            rows::number(&row, 0, "count")
        })
    }

    fn begin_run(
        &self,
        run_id: &str,
        owner: &str,
        as_of: Date,
        ranges: &[IdRange],
        total: u64,
    ) -> Result<Run, StoreError> {
        self.pool.write(|tx| {
            Lock::Runs.take(tx)?;
            held(tx, run_id, owner)?;
            let live = live(tx, LiveLock::None)?;
            feed::note_first(tx, run_id)?;
            let slot = 1 - live.map_or(1, |live| live.slot);
            tx.batch(&format!(
                "TRUNCATE {}; TRUNCATE run_ranges; TRUNCATE run_changes; TRUNCATE run_scans",
                table(slot)
            ))?;
            let parts: Vec<i32> = (0..).take(ranges.len()).collect();
            let after: Vec<Option<&str>> =
                ranges.iter().map(|range| range.after.as_deref()).collect();
            let until: Vec<Option<&str>> =
                ranges.iter().map(|range| range.until.as_deref()).collect();
            tx.execute(
                "INSERT INTO run_ranges (part, after_id, until_id, step, row_count) \
                 SELECT u.*, 0, 0 FROM unnest($1::integer[], $2::text[], $3::text[]) u",
                &[&parts, &after, &until],
            )?;
            let sql = format!(
                "UPDATE runs SET state = 'running', phase = 'scan', as_of = $2, slot = $3, total_count = $4, \
                 started_at = coalesce(started_at, {NOW}), statistics = NULL, epoch = NULL, \
                 start_seq = (SELECT coalesce(max(seq), 0) FROM tier_changes) WHERE run_id = $1"
            );
            let slot = i16::try_from(slot).unwrap_or_default();
            tx.execute(
                &sql,
                &[&run_id, &to_epoch_day(as_of), &slot, &signed(total)],
            )?;
            Ok(End::Keep(found(tx, run_id)?))
        })
    }

    fn run_parts(&self, run_id: &str) -> Result<Vec<RunPart>, StoreError> {
        self.pool.read(|tx| {
            tx.query(
                "SELECT part, after_id, until_id, step FROM run_ranges \
                 WHERE EXISTS (SELECT 1 FROM runs WHERE run_id = $1 AND is_active = 1) ORDER BY part",
                &[&run_id],
            )?
            .iter()
            .map(tier_rows::run_part)
            .collect()
        })
    }

    fn live_tiers_in(&self, range: &IdRange) -> Result<Vec<LiveTier>, StoreError> {
        self.pool.read_at_one_instant(|tx| {
            let Some(live) = live(tx, LiveLock::None)? else {
                return Ok(Vec::new());
            };
            let query = within(
                &format!(
                    "SELECT enterprise_id, tier, points, from_on, is_surge FROM {}",
                    table(live.slot)
                ),
                "",
                range,
            );
            let mut tiers = Vec::new();
            tx.copy_out(&query, |row| {
                tiers.push(tier_rows::live_tier(row)?);
                Ok(())
            })?;
            Ok(tiers)
        })
    }

    fn standing_tiers_in(
        &self,
        epoch: &Epoch,
        range: &IdRange,
    ) -> Result<Option<Vec<(EnterpriseId, StoredTier)>>, StoreError> {
        self.pool.read_at_one_instant(|tx| {
            match live(tx, LiveLock::None)?.filter(|live| live.epoch == *epoch) {
                None => Ok(None),
                Some(live) => standing(tx, live.slot, range).map(Some),
            }
        })
    }

    fn run_tiers_in(
        &self,
        run_id: &str,
        range: &IdRange,
    ) -> Result<Vec<(EnterpriseId, StoredTier)>, StoreError> {
        self.pool.read_at_one_instant(|tx| {
            let slot = slot_of(tx, run_id)?;
            standing(tx, slot, range)
        })
    }

    fn put_scanned(
        &self,
        run_id: &str,
        owner: &str,
        part: u32,
        row_count: u64,
        body: &[u8],
    ) -> Result<(), StoreError> {
        self.pool.write(|tx| {
            held(tx, run_id, owner)?;
            // Another owner may be writing the same part: of the two only the first moves it on.
            tx.execute(
                "INSERT INTO run_scans (part, body) VALUES ($1, $2) \
                 ON CONFLICT (part) DO UPDATE SET body = excluded.body",
                &[&numbered(part), &body],
            )?;
            step(tx, part, 0, SCANNED, row_count)?;
            Ok(End::Keep(()))
        })
    }

    fn lacks_scanned(&self, run_id: &str) -> Result<bool, StoreError> {
        self.pool.read(|tx| {
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM run_ranges r, runs WHERE run_id = $1 AND is_active = 1 \
                 AND r.step >= {SCANNED} AND NOT EXISTS (SELECT 1 FROM run_scans s WHERE s.part = r.part))"
            );
            let found = tx.one(&sql, &[&run_id])?;
            Ok(found.whole(0, "exists")? == Some(1))
        })
    }

    fn scanned(&self, run_id: &str, part: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.pool.read_at_one_instant(|tx| {
            slot_of(tx, run_id)?;
            let found = tx.optional(
                "SELECT body FROM run_scans WHERE part = $1",
                &[&numbered(part)],
            )?;
            found
                .map(|row| Ok(bytes(&row, 0, "body")?.to_vec()))
                .transpose()
        })
    }

    fn freeze_run(
        &self,
        run_id: &str,
        owner: &str,
        epoch: &Epoch,
        statistics: Option<(&str, &[u8])>,
    ) -> Result<(), StoreError> {
        self.pool.write(|tx| {
            held(tx, run_id, owner)?;
            if let Some((digest, body)) = statistics {
                tx.execute(
                    "INSERT INTO model_files (digest, body) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    &[&digest, &body],
                )?;
            }
            let digest = statistics.map(|(digest, _)| digest);
            tx.execute(
                "UPDATE runs SET phase = 'finish', epoch = $2, statistics = $3 WHERE run_id = $1",
                &[&run_id, &epoch.as_str(), &digest],
            )?;
            Ok(End::Keep(()))
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
        self.pool.write(|tx| {
            let held = held(tx, run_id, owner)?;
            let into = format!(
                "{} (enterprise_id, revision, tier, points, as_of, next_change_on, from_on, link, is_surge, is_open)",
                table(held.slot)
            );
            let mut copied = CopyRows::new(10);
            for row in rows {
                copied
                    .row()
                    .text(row.enterprise_id.as_str())
                    .large(signed(row.revision))
                    .small(row.tier.code())
                    .whole(row.points.into())
                    .whole(held.as_of)
                    .optional_day(row.next_change_on)
                    .day(row.from_on)
                    .large(row.link.pack())
                    .optional_truth(Some(row.is_surge))
                    .optional_truth(Some(true));
            }
            // Moves the part first: if another owner has done it, nothing is copied twice.
            step(tx, part, SCANNED, FINISHED, 0)?;
            tx.copy_in(&into, copied)?;
            put_changes(tx, changes)?;
            Ok(End::Keep(()))
        })
    }

    fn flip(&self, run_id: &str, owner: &str) -> Result<Run, StoreError> {
        self.pool
            .write(|tx| Ok(End::Keep(flip(tx, run_id, owner)?)))
    }

    fn fail_run(&self, run_id: &str, owner: &str, failure: &str) -> Result<(), StoreError> {
        self.pool.write(|tx| {
            Lock::Runs.take(tx)?;
            held(tx, run_id, owner)?;
            end(tx, run_id, RunState::Failed, Some(failure))?;
            Ok(End::Keep(()))
        })
    }

    fn cancel_run(&self, run_id: &str) -> Result<bool, StoreError> {
        if super::unstorable(run_id) {
            return Ok(false);
        }
        self.pool.write(|tx| {
            Lock::Runs.take(tx)?;
            let Some(open) = find(tx, run_id)?.filter(|run| run.ended_at.is_none()) else {
                return Ok(End::Keep(false));
            };
            // Work beside the runs leaves what the active run has scanned alone.
            if open.kind.is_run() {
                end(tx, run_id, RunState::Cancelled, None)?;
            } else {
                ended(tx, run_id, RunState::Cancelled, None)?;
            }
            Ok(End::Keep(true))
        })
    }

    fn claim_worker(
        &self,
        name: &str,
        owner: &str,
        lease_ms: i64,
    ) -> Result<Option<u64>, StoreError> {
        // Half of a lease may pass before it is written again.
        let holds = self.pool.read(|tx| {
            let sql = format!(
                "SELECT cursor FROM workers WHERE name = $1 AND owner = $2 AND lease_until > {NOW} + $3::bigint / 2"
            );
            tx.optional(&sql, &[&name, &owner, &lease_ms])?
                .map(|row| rows::number(&row, 0, "cursor"))
                .transpose()
        })?;
        if holds.is_some() {
            return Ok(holds);
        }
        self.pool.write(|tx| {
            let sql = format!(
                "UPDATE workers SET owner = $2, lease_until = {NOW} + $3 \
                 WHERE name = $1 AND (owner IS NULL OR owner = $2 OR lease_until < {NOW}) RETURNING cursor"
            );
            let cursor = tx
                .optional(&sql, &[&name, &owner, &lease_ms])?
                .map(|row| rows::number(&row, 0, "cursor"))
                .transpose()?;
            Ok(End::Keep(cursor))
        })
    }

    fn advance_worker(
        &self,
        name: &str,
        owner: &str,
        from: u64,
        to: u64,
    ) -> Result<bool, StoreError> {
        self.pool.write(|tx| {
            let advanced = tx.execute(
                "UPDATE workers SET cursor = $4 WHERE name = $1 AND owner = $2 AND cursor = $3",
                &[&name, &owner, &signed(from), &signed(to)],
            )?;
            Ok(End::Keep(advanced == 1))
        })
    }
}

fn flip(tx: &mut Session, run_id: &str, owner: &str) -> Result<Run, StoreError> {
    Lock::Runs.take(tx)?;
    // From here on nobody writes to the live slot, so what follows sees all that was ever told.
    let live = live(tx, LiveLock::Move)?;
    let held = held(tx, run_id, owner)?;
    let run = found(tx, run_id)?;
    let incomplete = || StoreError::Aborted(format!("run `{run_id}` is not complete"));
    let (Some(epoch), Some(start_seq)) = (run.epoch, run.start_seq) else {
        return Err(incomplete());
    };
    let row = tx.one(
        "SELECT count(*) FROM run_ranges WHERE step < $1",
        &[&i32::try_from(FINISHED).unwrap_or(i32::MAX)],
    )?;
    if rows::number::<i64>(&row, 0, "count")? > 0 {
        return Err(incomplete());
    }
    whole_tables(tx)?;
    let number = live.as_ref().map_or(0, |live| live.number);
    let row = tx.one("SELECT coalesce(min(seq), 0) FROM tier_changes", &[])?;
    unbroken_since(start_seq, rows::number(&row, 0, "seq")?)?;
    if let Some(live) = &live {
        carry_over(tx, table(live.slot), table(held.slot), start_seq)?;
    }
    let day = to_epoch_day(run.as_of);
    tx.execute(
        "INSERT INTO tier_history (enterprise_id, until_on, from_on, tier, points, force_no) \
         SELECT enterprise_id, $1::integer, from_on, tier, points, $2::bigint FROM run_changes \
         WHERE from_on < $1 AND tier > 0 \
         ON CONFLICT DO NOTHING",
        &[&day, &signed(number)],
    )?;
    Lock::Alerts.take(tx)?;
    let sql = format!(
        "INSERT INTO alerts (seq, kind, enterprise_id, on_day, from_tier, tier, points, noted_at) \
         SELECT (SELECT coalesce(max(seq), 0) FROM alerts) \
             + row_number() OVER (ORDER BY k.place, c.enterprise_id), \
             k.kind, c.enterprise_id, $1::integer, c.tier, c.new_tier, c.new_points, {NOW} \
         FROM run_changes c JOIN (VALUES (1, 'worsened'), (2, 'entered_d')) AS k(place, kind) \
             ON c.tier > 0 AND c.new_tier > c.tier AND (k.place = 1 OR c.new_tier = 4)"
    );
    tx.execute(&sql, &[&day])?;
    let changes = tx.one("SELECT count(*) FROM run_changes WHERE tier > 0", &[])?;
    let new = NewInForce {
        epoch,
        files_id: run.files_id,
        statistics: run.statistics,
        from_on: run.as_of,
    };
    log_in_force(tx, number + 1, held.slot, &new, Some(run_id))?;
    // The run has computed all days anew: none has come yet.
    tx.execute("UPDATE live SET entered_until = $1", &[&day])?;
    feed::log_flip(tx, run_id, number + 1, day)?;
    // The run has followed all changes up to its beginning; those since then are computed anew under the new epoch.
    tx.execute(
        "UPDATE workers SET cursor = $1 WHERE name = 'retier'",
        &[&signed(start_seq)],
    )?;
    tx.execute(
        "UPDATE runs SET change_count = $2 WHERE run_id = $1",
        &[&run_id, &rows::number::<i64>(&changes, 0, "count")?],
    )?;
    end(tx, run_id, RunState::Succeeded, None)?;
    found(tx, run_id)
}

/// Lets enterprises that changed after `start_seq` keep their live tier as an outdated row of the new slot. So the next
/// computation compares with the tier that was last told, and writes history and alerts once.
fn carry_over(tx: &mut Session, old: &str, new: &str, start_seq: u64) -> Result<(), StoreError> {
    // By a statement of its own: of how many changes there are a planner knows nothing beforehand, and would go through both
    // slots for a few of them.
    let changed = tx.query(
        "SELECT DISTINCT enterprise_id FROM tier_changes WHERE seq > $1 ORDER BY enterprise_id",
        &[&signed(start_seq)],
    )?;
    let changed = changed
        .iter()
        .map(|row| rows::text(row, 0, "enterprise_id"))
        .collect::<Result<Vec<_>, _>>()?;
    if changed.is_empty() {
        return Ok(());
    }
    tx.execute(
        &format!(
            "UPDATE {new} n SET revision = 0, tier = o.tier, points = o.points, as_of = o.as_of, \
             next_change_on = o.next_change_on, from_on = o.from_on, is_surge = o.is_surge, is_open = false \
             FROM {old} o WHERE o.enterprise_id = n.enterprise_id AND n.enterprise_id = ANY($1)"
        ),
        &[&changed],
    )?;
    tx.execute(
        &format!(
            "INSERT INTO {new} (enterprise_id, revision, tier, points, as_of, next_change_on, from_on, link, is_surge) \
             SELECT o.enterprise_id, 0, o.tier, o.points, o.as_of, o.next_change_on, o.from_on, 0, o.is_surge \
             FROM {old} o WHERE o.enterprise_id = ANY($1) \
             AND NOT EXISTS (SELECT 1 FROM {new} n WHERE n.enterprise_id = o.enterprise_id)"
        ),
        &[&changed],
    )?;
    // What is new has no live tier to keep: it is computed when it is asked for.
    tx.execute(
        &format!(
            "DELETE FROM {new} n WHERE n.enterprise_id = ANY($1) \
             AND NOT EXISTS (SELECT 1 FROM {old} o WHERE o.enterprise_id = n.enterprise_id)"
        ),
        &[&changed],
    )?;
    tx.execute(
        "DELETE FROM run_changes WHERE enterprise_id = ANY($1)",
        &[&changed],
    )?;
    Ok(())
}

fn put_changes(tx: &mut Session, changes: &[RunChange]) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let of = || changes.iter().map(|change| change.before);
    let ids: Vec<&str> = changes
        .iter()
        .map(|change| change.enterprise_id.as_str())
        .collect();
    let codes: Vec<i16> = of()
        .map(|before| before.map_or(0, |(tier, ..)| tier.code().into()))
        .collect();
    let points: Vec<i32> = of()
        .map(|before| before.map_or(0, |(_, points, _)| points.into()))
        .collect();
    let from: Vec<i32> = of()
        .map(|before| to_epoch_day(before.map_or(Date::MAX, |(.., from_on)| from_on)))
        .collect();
    let new_codes: Vec<i16> = changes
        .iter()
        .map(|change| change.tier.code().into())
        .collect();
    let new_points: Vec<i32> = changes.iter().map(|change| change.points.into()).collect();
    tx.execute(
        "INSERT INTO run_changes (enterprise_id, tier, points, from_on, new_tier, new_points) \
         SELECT * FROM unnest($1::text[], $2::smallint[], $3::integer[], $4::integer[], $5::smallint[], $6::integer[]) \
         ON CONFLICT (enterprise_id) DO UPDATE SET tier = excluded.tier, points = excluded.points, \
         from_on = excluded.from_on, new_tier = excluded.new_tier, new_points = excluded.new_points",
        &[&ids, &codes, &points, &from, &new_codes, &new_points],
    )?;
    Ok(())
}

/// Moves a part one step on; a part that is not at `from` was done by another owner.
fn step(tx: &mut Session, part: u32, from: i64, to: i64, row_count: u64) -> Result<(), StoreError> {
    let moved = tx.execute(
        "UPDATE run_ranges SET step = $3, row_count = row_count + $4 WHERE part = $1 AND step = $2",
        &[
            &numbered(part),
            &i32::try_from(from).unwrap_or(i32::MAX),
            &i32::try_from(to).unwrap_or(i32::MAX),
            &signed(row_count),
        ],
    )?;
    if moved == 1 {
        Ok(())
    } else {
        Err(StoreError::Aborted(format!(
            "part {part} of the run was done already"
        )))
    }
}

/// A run that is held.
struct Held {
    slot: i64,
    as_of: i32,
}

/// Makes sure that the run is active and held by `owner`, and that it stays so until the end of the transaction.
fn held(tx: &mut Session, run_id: &str, owner: &str) -> Result<Held, StoreError> {
    let found = tx.optional(
        "SELECT coalesce(slot, 0), as_of FROM runs WHERE run_id = $1 AND owner = $2 AND is_active = 1 \
         FOR KEY SHARE",
        &[&run_id, &owner],
    )?;
    match found {
        Some(row) => Ok(Held {
            slot: rows::number(&row, 0, "slot")?,
            as_of: rows::number(&row, 1, "as_of")?,
        }),
        None => Err(StoreError::RunLost {
            run_id: run_id.to_owned(),
        }),
    }
}

fn slot_of(tx: &mut Session, run_id: &str) -> Result<i64, StoreError> {
    let sql = "SELECT slot FROM runs WHERE run_id = $1 AND is_active = 1 AND slot IS NOT NULL";
    match tx.optional(sql, &[&run_id])? {
        Some(row) => rows::number(&row, 0, "slot"),
        None => Err(StoreError::RunLost {
            run_id: run_id.to_owned(),
        }),
    }
}

/// The tiers of a slot that were computed from their enterprises' present revisions.
fn standing(
    tx: &mut Session,
    slot: i64,
    range: &IdRange,
) -> Result<Vec<(EnterpriseId, StoredTier)>, StoreError> {
    let query = within(
        &format!(
            "SELECT enterprise_id, t.revision, t.tier, t.points, t.as_of, t.next_change_on \
             FROM {} t JOIN enterprises e USING (enterprise_id)",
            table(slot)
        ),
        "AND t.revision = e.revision",
        range,
    );
    let mut tiers = Vec::new();
    tx.copy_out(&query, |row| {
        tiers.push(tier_rows::id_and_tier(row)?);
        Ok(())
    })?;
    Ok(tiers)
}

/// Ends the active run.
pub(super) fn end(
    tx: &mut Session,
    run_id: &str,
    state: RunState,
    failure: Option<&str>,
) -> Result<(), StoreError> {
    ended(tx, run_id, state, failure)?;
    tx.batch("TRUNCATE run_scans")
}

fn ended(
    tx: &mut Session,
    run_id: &str,
    state: RunState,
    failure: Option<&str>,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE runs SET state = $2, failure = $3, is_active = NULL, owner = NULL, ended_at = {NOW} WHERE run_id = $1"
    );
    tx.execute(&sql, &[&run_id, &state.as_str(), &failure])?;
    Ok(())
}

pub(super) fn active(tx: &mut Session) -> Result<Option<Run>, StoreError> {
    tx.optional(&select("WHERE r.is_active = 1"), &[])?
        .as_ref()
        .map(tier_rows::run)
        .transpose()
}

fn find(tx: &mut Session, run_id: &str) -> Result<Option<Run>, StoreError> {
    tx.optional(&select("WHERE r.run_id = $1"), &[&run_id])?
        .as_ref()
        .map(tier_rows::run)
        .transpose()
}

pub(super) fn found(tx: &mut Session, run_id: &str) -> Result<Run, StoreError> {
    find(tx, run_id)?.ok_or(StoreError::Corrupt { column: "run_id" })
}

/// Only the active run has parts; of one that succeeded everything is done.
fn select(which: &str) -> String {
    let done = |step: i64| {
        format!(
            "CASE WHEN r.is_active = 1 THEN (SELECT coalesce(sum(row_count), 0)::bigint FROM run_ranges \
             WHERE step >= {step} AND r.state = 'running') WHEN r.state = 'succeeded' THEN r.total_count ELSE 0 END"
        )
    };
    format!(
        "SELECT {RUN_COLUMNS}, {NOW}, {}, {} FROM runs r {which}",
        done(SCANNED),
        done(FINISHED)
    )
}

fn numbered(part: u32) -> i32 {
    i32::try_from(part).unwrap_or(i32::MAX)
}

/// A query over the ids of a range, in order. Both ends stand in it, so that the walk ends where the range does: as values
/// of a prepared statement an open end would make it go on to the last id.
fn within(select: &str, condition: &str, range: &IdRange) -> String {
    let after = literal(range.after.as_deref().unwrap_or(""));
    let until = range.until.as_deref().map(literal);
    let until = until.map_or_else(String::new, |until| format!("AND enterprise_id <= {until}"));
    format!("{select} WHERE enterprise_id > {after} {until} {condition} ORDER BY enterprise_id")
}
