//! Rows of check items and of the ledger to values, alike for every store.

use super::StoreError;
use super::ledger::{ItemVersion, LedgerYear, Slot};
use super::rows::{self, Row};
use crate::domain::{CheckItem, ExemptReason, Label, Visit, VisitKind, VisitState, united};

/// Columns of `item_versions` in the order that [`item_version`] reads.
pub(super) const ITEM_COLUMNS: &str = "version, from_on, document";

/// Columns of `visits` in the order that [`visit`] reads.
pub(super) const VISIT_COLUMNS: &str = "visit_no, enterprise_id, year, kind, state, slot, from_on, until_on, \
     visited_on, plan_id, departments, items, reason, note, by_whom, noted_at";

/// Columns of `visits` in the order that [`slot`] reads.
pub(super) const SLOT_COLUMNS: &str = "enterprise_id, year, slot, coalesce(visited_on, from_on), coalesce(visited_on, until_on), plan_id, departments, items";

/// The numbers of a year but for the size of the register, in the order that [`ledger_year`] reads, over the rows of
/// [`BY_ENTERPRISE`].
pub(super) const YEAR_COLUMNS: &str = "CAST(coalesce(sum(general), 0) AS bigint), \
     CAST(coalesce(sum(key), 0) AS bigint), CAST(coalesce(sum(exempt), 0) AS bigint), \
     CAST(coalesce(sum(done), 0) AS bigint), CAST(coalesce(sum(joint), 0) AS bigint), \
     CAST(coalesce(sum(CASE WHEN general + key > 0 THEN 1 ELSE 0 END), 0) AS bigint), \
     CAST(coalesce(sum(CASE WHEN general + key > 1 THEN 1 ELSE 0 END), 0) AS bigint), \
     CAST(coalesce(sum(CASE WHEN general > 0 THEN 1 ELSE 0 END), 0) AS bigint)";

/// The visits of a year that count, by the enterprise that answers for them; the pairs `merged (id, into_id)`, the mark of
/// the year and the grouping follow. Kinds and states stand there by their numbers.
pub(super) const BY_ENTERPRISE: &str = "SELECT coalesce(merged.into_id, visits.enterprise_id) AS answering, \
     sum(CASE WHEN kind = 1 THEN 1 ELSE 0 END) AS general, \
     sum(CASE WHEN kind = 2 THEN 1 ELSE 0 END) AS key, sum(CASE WHEN kind = 3 THEN 1 ELSE 0 END) AS exempt, \
     sum(CASE WHEN state = 2 THEN 1 ELSE 0 END) AS done, \
     sum(CASE WHEN is_joint AND kind < 3 THEN 1 ELSE 0 END) AS joint \
     FROM visits LEFT JOIN ";

/// What follows on the pairs.
pub(super) const IN_YEAR: &str =
    " ON merged.id = visits.enterprise_id WHERE state IN (1, 2) AND year = ";

/// Columns of `visit_shares` in the order that [`share`] reads.
pub(super) const SHARE_COLUMNS: &str = "s.visit_no, s.plan_id, s.departments, s.items";

/// What a plan checks on a visit that several plans need.
pub(super) struct Share {
    visit_no: u64,
    plan_id: String,
    departments: Vec<Label>,
    items: Vec<Label>,
}

/// What is left of a shared visit for the plans that still need it.
pub(super) struct Left {
    pub(super) visit_no: u64,
    /// The first of them.
    pub(super) plan_id: String,
    pub(super) departments: Vec<Label>,
    pub(super) items: Vec<Label>,
}

pub(super) fn share(row: &impl Row) -> Result<Share, StoreError> {
    Ok(Share {
        visit_no: rows::number(row, 0, "visit_no")?,
        plan_id: rows::text(row, 1, "plan_id")?.to_owned(),
        departments: rows::labels(row, 2, "departments")?,
        items: rows::labels(row, 3, "items")?,
    })
}

/// The visits that others still need when a plan leaves them. `shares` come in order of visit and place.
pub(super) fn without(plan_id: &str, shares: Vec<Share>) -> Vec<Left> {
    let mut visits: Vec<Left> = Vec::new();
    for share in shares.into_iter().filter(|share| share.plan_id != plan_id) {
        match visits.last_mut() {
            Some(left) if left.visit_no == share.visit_no => {
                left.departments = united(&left.departments, &share.departments);
                left.items = united(&left.items, &share.items);
            }
            _ => visits.push(Left {
                visit_no: share.visit_no,
                plan_id: share.plan_id,
                departments: share.departments,
                items: share.items,
            }),
        }
    }
    visits
}

pub(super) fn item_version(row: &impl Row) -> Result<ItemVersion, StoreError> {
    let corrupt = StoreError::Corrupt { column: "document" };
    let item: CheckItem =
        serde_json::from_str(rows::text(row, 2, "document")?).map_err(|_| corrupt)?;
    Ok(ItemVersion {
        item,
        version: rows::number(row, 0, "version")?,
        from_on: rows::day(row, 1, "from_on")?,
    })
}

pub(super) fn visit(row: &impl Row) -> Result<Visit, StoreError> {
    Ok(Visit {
        visit_no: rows::number(row, 0, "visit_no")?,
        enterprise_id: rows::id(row, 1, "enterprise_id")?,
        year: rows::number(row, 2, "year")?,
        kind: rows::code(row, 3, "kind", VisitKind::from_code)?,
        state: rows::code(row, 4, "state", VisitState::from_code)?,
        slot: rows::optional_number(row, 5, "slot")?,
        from_on: rows::day(row, 6, "from_on")?,
        until_on: rows::day(row, 7, "until_on")?,
        visited_on: rows::optional_day(row, 8, "visited_on")?,
        plan_id: row.text(9, "plan_id")?.map(str::to_owned),
        departments: rows::labels(row, 10, "departments")?,
        items: rows::labels(row, 11, "items")?,
        reason: rows::optional_number::<u8>(row, 12, "reason")?
            .map(|code| {
                ExemptReason::from_code(code).ok_or(StoreError::Corrupt { column: "reason" })
            })
            .transpose()?,
        note: row.text(13, "note")?.map(str::to_owned),
        by: rows::optional_label(row, 14, "by_whom")?,
        noted_at: rows::text(row, 15, "noted_at")?.to_owned(),
    })
}

pub(super) fn slot(row: &impl Row) -> Result<Slot, StoreError> {
    Ok(Slot {
        enterprise_id: rows::id(row, 0, "enterprise_id")?,
        year: rows::number(row, 1, "year")?,
        slot: rows::number(row, 2, "slot")?,
        window: (
            rows::day(row, 3, "from_on")?,
            rows::day(row, 4, "until_on")?,
        ),
        plan_id: row.text(5, "plan_id")?.unwrap_or_default().to_owned(),
        departments: rows::labels(row, 6, "departments")?,
        items: rows::labels(row, 7, "items")?,
    })
}

pub(super) fn ledger_year(row: &impl Row, object_count: u64) -> Result<LedgerYear, StoreError> {
    let count = |at| rows::number(row, at, "count");
    Ok(LedgerYear {
        general_count: count(0)?,
        key_count: count(1)?,
        exempt_count: count(2)?,
        done_count: count(3)?,
        joint_count: count(4)?,
        visited_count: count(5)?,
        repeat_count: count(6)?,
        general_enterprise_count: count(7)?,
        object_count,
    })
}

/// A changed visit keeps what identifies it.
pub(super) fn keeps_identity(before: &Visit, after: &Visit) -> Result<(), StoreError> {
    let identity = |visit: &Visit| {
        (
            visit.visit_no,
            visit.enterprise_id.clone(),
            visit.year,
            visit.kind,
            visit.plan_id.clone(),
        )
    };
    if identity(before) == identity(after) {
        return Ok(());
    }
    Err(StoreError::Aborted(
        "a visit cannot become another one".to_owned(),
    ))
}
