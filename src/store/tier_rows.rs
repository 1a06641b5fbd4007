//! Stored rows of tiers and runs to values, alike for every store.

use jiff::civil::Date;

use super::rows::{Row, id, number, text};
use super::{
    Alert, AlertKind, IdRange, InForce, JobKind, LinkState, LiveTier, PastTier, PresentTier, Run,
    RunCause, RunPart, RunPhase, RunState, StoreError, StoredTier, SummaryBy,
};
use crate::domain::dates::from_epoch_day;
use crate::domain::{EnterpriseId, EnterpriseKind, EnterpriseSize, Epoch, Tier};

/// Columns of `in_force` in the order that [`in_force`] reads.
pub(super) const IN_FORCE_COLUMNS: &str =
    "f.number, f.epoch, f.files_id, f.statistics, f.from_at, f.from_on, f.run_id";

/// Columns of `runs`, behind which the clock, and the scanned and finished rows follow, in the order that [`run`] reads.
pub(super) const RUN_COLUMNS: &str = "r.run_no, r.run_id, r.state, r.cause, r.files_id, r.as_of, r.phase, \
     r.start_seq, r.total_count, r.statistics, r.epoch, r.change_count, r.requested_at, r.started_at, r.ended_at, \
     r.failure, r.kind, r.step, r.done_percent, CASE WHEN r.result IS NULL THEN 0 ELSE 1 END";

/// Columns of a slot in the order that [`stored_tier`] reads.
pub(super) const TIER_COLUMNS: &str = "revision, tier, points, as_of, next_change_on";

/// Columns of `alerts` in the order that [`alert`] reads.
pub(super) const ALERT_COLUMNS: &str =
    "seq, kind, enterprise_id, on_day, from_tier, tier, points, noted_at";

pub(super) fn in_force(row: &impl Row) -> Result<InForce, StoreError> {
    Ok(InForce {
        number: number(row, 0, "number")?,
        epoch: epoch(row, 1)?.ok_or(StoreError::Corrupt { column: "epoch" })?,
        files_id: text(row, 2, "files_id")?.to_owned(),
        statistics: owned(row, 3, "statistics")?,
        from_at: number(row, 4, "from_at")?,
        from_on: day(row, 5, "from_on")?,
        run_id: owned(row, 6, "run_id")?,
    })
}

pub(super) fn run(row: &impl Row) -> Result<Run, StoreError> {
    let word = |at, column| text(row, at, column);
    Ok(Run {
        run_no: number(row, 0, "run_no")?,
        run_id: word(1, "run_id")?.to_owned(),
        state: RunState::from_text(word(2, "state")?)
            .ok_or(StoreError::Corrupt { column: "state" })?,
        cause: RunCause::from_text(word(3, "cause")?)
            .ok_or(StoreError::Corrupt { column: "cause" })?,
        files_id: word(4, "files_id")?.to_owned(),
        as_of: day(row, 5, "as_of")?,
        phase: RunPhase::from_text(word(6, "phase")?)
            .ok_or(StoreError::Corrupt { column: "phase" })?,
        start_seq: optional(row, 7, "start_seq")?,
        total_count: number(row, 8, "total_count")?,
        statistics: owned(row, 9, "statistics")?,
        epoch: epoch(row, 10)?,
        change_count: optional(row, 11, "change_count")?,
        requested_at: number(row, 12, "requested_at")?,
        started_at: optional(row, 13, "started_at")?,
        ended_at: optional(row, 14, "ended_at")?,
        failure: owned(row, 15, "failure")?,
        kind: JobKind::from_text(word(16, "kind")?)
            .ok_or(StoreError::Corrupt { column: "kind" })?,
        step: owned(row, 17, "step")?,
        done_percent: optional(row, 18, "done_percent")?,
        has_result: number::<i64>(row, 19, "result")? == 1,
        read_at: number(row, 20, "read_at")?,
        scanned_count: number(row, 21, "scanned_count")?,
        finished_count: number(row, 22, "finished_count")?,
    })
}

/// Reads [`TIER_COLUMNS`] from column `at` on; `None` where the row has none.
pub(super) fn stored_tier(row: &impl Row, at: usize) -> Result<Option<StoredTier>, StoreError> {
    let Some(revision) = optional(row, at, "revision")? else {
        return Ok(None);
    };
    Ok(Some(StoredTier {
        revision,
        tier: tier(row, at + 1)?,
        points: number(row, at + 2, "points")?,
        as_of: day(row, at + 3, "as_of")?,
        next_change_on: optional(row, at + 4, "next_change_on")?.map(from_epoch_day),
    }))
}

/// Reads `from_on`, then [`TIER_COLUMNS`].
pub(super) fn present_tier(row: &impl Row) -> Result<Option<PresentTier>, StoreError> {
    let Some(tier) = stored_tier(row, 1)? else {
        return Ok(None);
    };
    Ok(Some(PresentTier {
        from_on: day(row, 0, "from_on")?,
        tier,
    }))
}

/// Reads `enterprise_id, tier, points, from_on, is_surge`.
/// Reads an id and [`TIER_COLUMNS`] behind it.
pub(super) fn id_and_tier(row: &impl Row) -> Result<(EnterpriseId, StoredTier), StoreError> {
    let tier = stored_tier(row, 1)?.ok_or(StoreError::Corrupt { column: "revision" })?;
    Ok((id(row, 0, "enterprise_id")?, tier))
}

pub(super) fn live_tier(row: &impl Row) -> Result<LiveTier, StoreError> {
    Ok(LiveTier {
        enterprise_id: id(row, 0, "enterprise_id")?,
        tier: tier(row, 1)?,
        points: number(row, 2, "points")?,
        from_on: day(row, 3, "from_on")?,
        is_surge: number::<i64>(row, 4, "is_surge")? != 0,
    })
}

/// Reads `from_on, until_on, tier, points, force_no`.
pub(super) fn past_tier(row: &impl Row) -> Result<PastTier, StoreError> {
    Ok(PastTier {
        from_on: day(row, 0, "from_on")?,
        until_on: day(row, 1, "until_on")?,
        tier: tier(row, 2)?,
        points: number(row, 3, "points")?,
        force_number: number(row, 4, "force_no")?,
    })
}

pub(super) fn alert(row: &impl Row) -> Result<Alert, StoreError> {
    Ok(Alert {
        seq: number(row, 0, "seq")?,
        kind: AlertKind::from_text(text(row, 1, "kind")?)
            .ok_or(StoreError::Corrupt { column: "kind" })?,
        enterprise_id: id(row, 2, "enterprise_id")?,
        on: day(row, 3, "on_day")?,
        from_tier: tier(row, 4)?,
        tier: tier(row, 5)?,
        points: number(row, 6, "points")?,
        noted_at: number(row, 7, "noted_at")?,
    })
}

/// Reads `part, after_id, until_id, step`.
pub(super) fn run_part(row: &impl Row) -> Result<RunPart, StoreError> {
    let step: i64 = number(row, 3, "step")?;
    Ok(RunPart {
        part: number(row, 0, "part")?,
        range: IdRange {
            after: owned(row, 1, "after_id")?,
            until: owned(row, 2, "until_id")?,
        },
        is_scanned: step >= SCANNED,
        is_finished: step >= FINISHED,
    })
}

/// Steps of a part of a run.
pub(super) const SCANNED: i64 = 1;
/// See [`SCANNED`].
pub(super) const FINISHED: i64 = 2;

/// Reads `enterprise_id` and a packed state.
pub(super) fn link_state(row: &impl Row) -> Result<Option<(EnterpriseId, LinkState)>, StoreError> {
    let enterprise_id = id(row, 0, "enterprise_id")?;
    let packed = number(row, 1, "link")?;
    Ok(LinkState::unpack(packed).map(|state| (enterprise_id, state)))
}

/// Reads a tier's code.
pub(super) fn tier(row: &impl Row, at: usize) -> Result<Tier, StoreError> {
    Tier::from_code(number(row, at, "tier")?).ok_or(StoreError::Corrupt { column: "tier" })
}

/// Reads a tier's code where there may be none.
pub(super) fn optional_tier(row: &impl Row, at: usize) -> Result<Option<Tier>, StoreError> {
    optional::<u8>(row, at, "tier")?
        .map(|code| Tier::from_code(code).ok_or(StoreError::Corrupt { column: "tier" }))
        .transpose()
}

pub(super) fn day(row: &impl Row, at: usize, column: &'static str) -> Result<Date, StoreError> {
    Ok(from_epoch_day(number(row, at, column)?))
}

pub(super) fn epoch(row: &impl Row, at: usize) -> Result<Option<Epoch>, StoreError> {
    row.text(at, "epoch")?
        .map(|text| {
            text.parse()
                .map_err(|_| StoreError::Corrupt { column: "epoch" })
        })
        .transpose()
}

pub(super) fn optional<T: TryFrom<i64>>(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    row.whole(at, column)?
        .map(|number| T::try_from(number).map_err(|_| StoreError::Corrupt { column }))
        .transpose()
}

pub(super) fn owned(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<Option<String>, StoreError> {
    Ok(row.text(at, column)?.map(str::to_owned))
}

/// The name of a group that is kept by its code.
pub(super) fn group_name(by: SummaryBy, text: &str) -> String {
    let code = text.parse::<u8>().ok();
    match by {
        SummaryBy::Size => code
            .and_then(EnterpriseSize::from_code)
            .map_or_else(|| text.to_owned(), |size| size.as_str().to_owned()),
        SummaryBy::Kind => code
            .and_then(EnterpriseKind::from_code)
            .map_or_else(|| text.to_owned(), |kind| kind.as_str().to_owned()),
        SummaryBy::Division | SummaryBy::Industry | SummaryBy::Tag => text.to_owned(),
    }
}
