//! Check items and the ledger of visits.

use jiff::civil::Date;
use rusqlite::types::ToSql;
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};

use super::SqliteStore;
use super::ceremony::replacements;
use super::plans::plan_state;
use super::tiers::all;
use crate::domain::dates::to_epoch_day;
use crate::domain::{CheckItem, EnterpriseId, EnterpriseStatus, Visit, VisitKind, VisitState};
use crate::store::StoreError;
use crate::store::ledger::{
    DrawnPlan, ItemOutcome, ItemStore, ItemVersion, ItemWrite, LedgerAround, LedgerFilter,
    LedgerMoves, LedgerScope, LedgerStore, LedgerYear, Slot,
};
use crate::store::ledger_rows::{
    self, BY_ENTERPRISE, IN_YEAR, ITEM_COLUMNS, SHARE_COLUMNS, SLOT_COLUMNS, VISIT_COLUMNS,
    YEAR_COLUMNS, keeps_identity, without,
};
use crate::store::rows::to_json;

impl ItemStore for SqliteStore {
    fn put_items(&self, batch: &[CheckItem], day: Date) -> Result<Vec<ItemOutcome>, StoreError> {
        self.write(|tx| batch.iter().map(|item| put_item(tx, item, day)).collect())
    }

    fn put_item_if(
        &self,
        item: &CheckItem,
        day: Date,
        condition: &dyn Fn(Option<u64>) -> bool,
    ) -> Result<ItemWrite, StoreError> {
        self.write(|tx| {
            let sql = "SELECT max(version) FROM item_versions WHERE item_code = ?1";
            let version: Option<u64> =
                tx.query_row(sql, [item.item_code.as_str()], |row| row.get(0))?;
            if !condition(version) {
                return Ok(ItemWrite::NotMet(version));
            }
            put_item(tx, item, day).map(ItemWrite::Written)
        })
    }

    fn item_versions(&self, item_code: &str) -> Result<Vec<ItemVersion>, StoreError> {
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM item_versions WHERE item_code = ?1 ORDER BY version DESC"
        );
        self.read(|tx| {
            all(tx, &sql, &[&item_code], |row| {
                ledger_rows::item_version(row)
            })
        })
    }

    fn items_after(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ItemVersion>, StoreError> {
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM item_versions i WHERE item_code > ?1 AND version = \
             (SELECT max(version) FROM item_versions l WHERE l.item_code = i.item_code) \
             ORDER BY item_code LIMIT ?2"
        );
        let after = after.unwrap_or("");
        self.read(|tx| {
            all(tx, &sql, &[&after, &limit], |row| {
                ledger_rows::item_version(row)
            })
        })
    }
}

impl LedgerStore for SqliteStore {
    fn enter_visits(&self, visits: &[Visit]) -> Result<Vec<u64>, StoreError> {
        self.write(|tx| {
            visits
                .iter()
                .map(|visit| {
                    insert(tx, visit)?;
                    Ok(u64::try_from(tx.last_insert_rowid()).unwrap_or(0))
                })
                .collect()
        })
    }

    fn draw_plan(
        &self,
        scope: &LedgerScope<'_>,
        build: &mut dyn FnMut(LedgerAround) -> Result<DrawnPlan, StoreError>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            if plan_state(tx, scope.plan_id)?.as_deref() != Some("frozen") {
                return Ok(false);
            }
            let DrawnPlan {
                document,
                sample,
                reserve,
                moves,
            } = build(around(tx, scope)?)?;
            tx.execute(
                "UPDATE plans SET state = 'drawn', document = ?2, sample = ?3, reserve = ?4 WHERE plan_id = ?1",
                params![scope.plan_id, document, sample, reserve],
            )?;
            carry_out(tx, scope.plan_id, 0, &moves)?;
            Ok(true)
        })
    }

    fn replace_in_plan(
        &self,
        scope: &LedgerScope<'_>,
        enterprise_id: &EnterpriseId,
        build: &mut dyn FnMut(LedgerAround) -> Result<LedgerMoves, StoreError>,
    ) -> Result<bool, StoreError> {
        let own = format!(
            "SELECT {VISIT_COLUMNS} FROM visits WHERE enterprise_id = ?2 AND state IN (1, 2) AND (plan_id = ?1 \
             OR visit_no IN (SELECT visit_no FROM visit_shares WHERE plan_id = ?1)) ORDER BY visit_no"
        );
        self.write(|tx| {
            let plan_id = scope.plan_id;
            let state = plan_state(tx, plan_id)?;
            if !matches!(state.as_deref(), Some("drawn" | "closed")) {
                return Ok(false);
            }
            let earlier = replacements(tx, plan_id)?;
            let number = earlier.len() as u64;
            let around = LedgerAround {
                own: all(tx, &own, &[&plan_id, &enterprise_id.as_str()], |row| {
                    ledger_rows::visit(row)
                })?,
                replacements: earlier,
                ..around(tx, scope)?
            };
            carry_out(tx, plan_id, number, &build(around)?)?;
            Ok(true)
        })
    }

    fn void_plan(&self, plan_id: &str, from: &str, document: &str) -> Result<bool, StoreError> {
        self.write(|tx| {
            let moved = tx.execute(
                "UPDATE plans SET state = 'void', document = ?3 WHERE plan_id = ?1 AND state = ?2",
                params![plan_id, from, document],
            )?;
            if moved == 1 {
                leave(tx, plan_id, None, VisitState::Void)?;
            }
            Ok(moved == 1)
        })
    }

    fn change_visits(
        &self,
        visit_nos: &[u64],
        change: &dyn Fn(Visit) -> Result<Visit, StoreError>,
    ) -> Result<Option<Vec<Visit>>, StoreError> {
        let visit_nos: BTreeSet<u64> = visit_nos.iter().copied().collect();
        self.write(|tx| {
            let sql = format!("SELECT {VISIT_COLUMNS} FROM visits WHERE visit_no = ?1");
            let mut visits = Vec::new();
            for visit_no in &visit_nos {
                let mut found = all(tx, &sql, &[visit_no], |row| ledger_rows::visit(row))?;
                let Some(before) = found.pop() else {
                    return Ok(None);
                };
                visits.push(before);
            }
            for visit in &mut visits {
                let after = change(visit.clone())?;
                keeps_identity(visit, &after)?;
                *visit = after;
                put(tx, visit)?;
            }
            Ok(Some(visits))
        })
    }

    fn slots(&self, first: i16, last: i16) -> Result<Vec<Slot>, StoreError> {
        self.read(|tx| slots(tx, first, last))
    }

    fn visits_of_plans(&self, plan_ids: &[String]) -> Result<Vec<Visit>, StoreError> {
        self.read(|tx| of_plans(tx, plan_ids))
    }

    fn visits_to(&self, id: &EnterpriseId) -> Result<Vec<Visit>, StoreError> {
        let sql = format!(
            "SELECT {VISIT_COLUMNS} FROM visits WHERE enterprise_id = ?1 ORDER BY from_on DESC, visit_no DESC"
        );
        self.read(|tx| all(tx, &sql, &[&id.as_str()], |row| ledger_rows::visit(row)))
    }

    fn visits_before(
        &self,
        filter: &LedgerFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Visit>, StoreError> {
        let LedgerFilter {
            year,
            kind,
            state,
            plan_id,
        } = filter;
        let sql = format!(
            "SELECT {VISIT_COLUMNS} FROM visits WHERE visit_no < ?1 AND (?2 IS NULL OR year = ?2) \
             AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR state = ?4) AND (?5 IS NULL OR plan_id = ?5 \
             OR visit_no IN (SELECT visit_no FROM visit_shares WHERE plan_id = ?5)) \
             ORDER BY visit_no DESC LIMIT ?6"
        );
        let before = before.map_or(i64::MAX, |number| i64::try_from(number).unwrap_or(i64::MAX));
        let (kind, state) = (
            kind.map(|kind| kind.code()),
            state.map(|state| state.code()),
        );
        let values: [&dyn ToSql; 6] = [&before, year, &kind, &state, plan_id, &limit];
        self.read(|tx| all(tx, &sql, &values, |row| ledger_rows::visit(row)))
    }

    fn ledger_year(
        &self,
        year: i16,
        merged: &[(EnterpriseId, EnterpriseId)],
    ) -> Result<LedgerYear, StoreError> {
        let sql = format!(
            "WITH merged (id, into_id) AS MATERIALIZED (SELECT key, value FROM json_each(?2)) \
             SELECT {YEAR_COLUMNS} FROM ({BY_ENTERPRISE}merged{IN_YEAR}?1 GROUP BY 1)"
        );
        let pairs: BTreeMap<&str, &str> = merged
            .iter()
            .map(|(id, into)| (id.as_str(), into.as_str()))
            .collect();
        let pairs = to_json(&pairs)?;
        self.read(|tx| {
            let objects: u64 = tx.query_row(
                "SELECT count(*) FROM enterprises WHERE status IN (?1, ?2)",
                [
                    EnterpriseStatus::Active.code(),
                    EnterpriseStatus::Abnormal.code(),
                ],
                |row| row.get(0),
            )?;
            let mut found = all(tx, &sql, &[&year, &pairs], |row| {
                ledger_rows::ledger_year(row, objects)
            })?;
            Ok(found.pop().unwrap_or_default())
        })
    }
}

/// What the ledger holds around a plan.
fn around(tx: &Transaction<'_>, scope: &LedgerScope<'_>) -> Result<LedgerAround, StoreError> {
    let slots = match scope.years {
        Some((first, last)) => slots(tx, first, last)?,
        None => Vec::new(),
    };
    Ok(LedgerAround {
        slots,
        shared: of_plans(tx, scope.companions)?,
        ..LedgerAround::default()
    })
}

/// Visits of these plans that are planned or done.
fn of_plans(tx: &Transaction<'_>, plan_ids: &[String]) -> Result<Vec<Visit>, StoreError> {
    if plan_ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "WITH asked AS MATERIALIZED (SELECT value FROM json_each(?1)) \
         SELECT {VISIT_COLUMNS} FROM visits WHERE state IN (1, 2) AND (plan_id IN (SELECT value FROM asked) OR \
         visit_no IN (SELECT visit_no FROM visit_shares WHERE plan_id IN (SELECT value FROM asked))) ORDER BY visit_no"
    );
    let plan_ids = to_json(&plan_ids)?;
    all(tx, &sql, &[&plan_ids], |row| ledger_rows::visit(row))
}

/// Writes what a step does to the ledger; `before` replacements of the plan are there already.
fn carry_out(
    tx: &Transaction<'_>,
    plan_id: &str,
    before: u64,
    moves: &LedgerMoves,
) -> Result<(), StoreError> {
    if !moves.left.is_empty() {
        leave(tx, plan_id, Some(&moves.left), VisitState::Replaced)?;
    }
    let (departments, items) = (to_json(&moves.departments)?, to_json(&moves.items)?);
    for visit in &moves.joined {
        tx.prepare_cached(
            "INSERT INTO visit_shares (visit_no, plan_id, place, departments, items) \
             SELECT visit_no, plan_id, 1, departments, items FROM visits v WHERE visit_no = ?1 AND plan_id IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM visit_shares s WHERE s.visit_no = v.visit_no)",
        )?
        .execute([visit.visit_no])?;
        tx.prepare_cached(
            "INSERT INTO visit_shares (visit_no, plan_id, place, departments, items) \
             SELECT ?1, ?2, 1 + coalesce(max(place), 0), ?3, ?4 FROM visit_shares WHERE visit_no = ?1 \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![visit.visit_no, plan_id, departments, items])?;
        tx.prepare_cached(
            "UPDATE visits SET departments = ?2, items = ?3, is_joint = ?4, from_on = ?5, until_on = ?6 \
             WHERE visit_no = ?1",
        )?
        .execute(params![
            visit.visit_no,
            to_json(&visit.departments)?,
            to_json(&visit.items)?,
            visit.departments.len() > 1,
            to_epoch_day(visit.window.0),
            to_epoch_day(visit.window.1),
        ])?;
    }
    for visit in &moves.visits {
        insert(tx, visit)?;
    }
    for (number, replacement) in (before + 1..).zip(&moves.replacements) {
        tx.execute(
            "INSERT INTO plan_replacements (plan_id, number, document) VALUES (?1, ?2, ?3)",
            params![plan_id, number, replacement],
        )?;
    }
    Ok(())
}

/// Takes a plan out of its planned visits, all or those named: what other plans need stays for them, the others get
/// `state` and give their slot back.
fn leave(
    tx: &Transaction<'_>,
    plan_id: &str,
    visits: Option<&[u64]>,
    state: VisitState,
) -> Result<(), StoreError> {
    let named = visits.map(|visits| to_json(&visits)).transpose()?;
    let sql = format!(
        "SELECT {SHARE_COLUMNS} FROM visit_shares s JOIN visits v ON v.visit_no = s.visit_no AND v.state = 1 \
         WHERE s.visit_no IN (SELECT visit_no FROM visit_shares WHERE plan_id = ?1) \
         AND (?2 IS NULL OR s.visit_no IN (SELECT value FROM json_each(?2))) ORDER BY s.visit_no, s.place"
    );
    let shares = all(tx, &sql, &[&plan_id, &named], |row| ledger_rows::share(row))?;
    for left in without(plan_id, shares) {
        tx.execute(
            "UPDATE visits SET plan_id = ?2, departments = ?3, items = ?4, is_joint = ?5 WHERE visit_no = ?1",
            params![
                left.visit_no,
                left.plan_id,
                to_json(&left.departments)?,
                to_json(&left.items)?,
                left.departments.len() > 1,
            ],
        )?;
        tx.execute(
            "DELETE FROM visit_shares WHERE visit_no = ?1 AND plan_id = ?2",
            params![left.visit_no, plan_id],
        )?;
    }
    tx.execute(
        "UPDATE visits SET state = ?3, slot = NULL WHERE plan_id = ?1 AND state = 1 \
         AND (?2 IS NULL OR visit_no IN (SELECT value FROM json_each(?2)))",
        params![plan_id, named, state.code()],
    )?;
    Ok(())
}

fn put_item(tx: &Transaction<'_>, item: &CheckItem, day: Date) -> Result<ItemOutcome, StoreError> {
    let code = item.item_code.as_str();
    let document = to_json(item)?;
    let last: Option<(u32, String)> = tx
        .prepare_cached(
            "SELECT version, document FROM item_versions WHERE item_code = ?1 ORDER BY version DESC LIMIT 1",
        )?
        .query_row([code], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (version, outcome) = match last {
        Some((_, kept)) if kept == document => return Ok(ItemOutcome::Unchanged),
        Some((version, _)) => (version + 1, ItemOutcome::Updated),
        None => (1, ItemOutcome::Created),
    };
    tx.execute(
        "INSERT INTO item_versions (item_code, version, from_on, document) VALUES (?1, ?2, ?3, ?4)",
        params![code, version, to_epoch_day(day), document],
    )?;
    Ok(outcome)
}

fn slots(tx: &Transaction<'_>, first: i16, last: i16) -> Result<Vec<Slot>, StoreError> {
    let sql = format!(
        "SELECT {SLOT_COLUMNS} FROM visits WHERE slot IS NOT NULL AND year BETWEEN ?1 AND ?2 \
         ORDER BY year, enterprise_id, slot"
    );
    all(tx, &sql, &[&first, &last], |row| ledger_rows::slot(row))
}

fn insert(tx: &Transaction<'_>, visit: &Visit) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO visits (enterprise_id, year, kind, state, slot, from_on, until_on, visited_on, plan_id, \
         departments, items, is_joint, reason, note, by_whom, noted_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        visit.enterprise_id.as_str(),
        visit.year,
        visit.kind.code(),
        visit.state.code(),
        visit.slot,
        to_epoch_day(visit.from_on),
        to_epoch_day(visit.until_on),
        visit.visited_on.map(to_epoch_day),
        visit.plan_id,
        to_json(&visit.departments)?,
        to_json(&visit.items)?,
        visit.is_joint(),
        visit.reason.map(|reason| reason.code()),
        visit.note,
        visit.by.as_ref().map(|by| by.as_str()),
        visit.noted_at,
    ])?;
    Ok(())
}

/// Enters a visit that is done: the planned one of its plan in its year becomes it, or it is added.
pub(super) fn enter_done(tx: &Transaction<'_>, visit: &Visit) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE visits SET state = 2, visited_on = ?4, noted_at = ?5 WHERE visit_no = (SELECT min(visit_no) \
             FROM visits WHERE enterprise_id = ?1 AND plan_id = ?2 AND year = ?3 AND state = 1)",
        )?
        .execute(params![
            visit.enterprise_id.as_str(),
            visit.plan_id,
            visit.year,
            visit.visited_on.map(to_epoch_day),
            visit.noted_at,
        ])?;
    if changed > 0 {
        return Ok(());
    }
    let slot = match visit.kind {
        VisitKind::General => Some(tx.query_row(
            "SELECT 1 + coalesce(max(slot), 0) FROM visits WHERE enterprise_id = ?1 AND year = ?2",
            params![visit.enterprise_id.as_str(), visit.year],
            |row| row.get(0),
        )?),
        VisitKind::Key | VisitKind::Exempt => None,
    };
    insert(
        tx,
        &Visit {
            slot,
            ..visit.clone()
        },
    )
}

/// Writes a visit that is there.
fn put(tx: &Transaction<'_>, after: &Visit) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE visits SET state = ?2, slot = ?3, from_on = ?4, until_on = ?5, visited_on = ?6, \
         departments = ?7, items = ?8, is_joint = ?9, reason = ?10, note = ?11, by_whom = ?12, \
         noted_at = ?13 WHERE visit_no = ?1",
        params![
            after.visit_no,
            after.state.code(),
            after.slot,
            to_epoch_day(after.from_on),
            to_epoch_day(after.until_on),
            after.visited_on.map(to_epoch_day),
            to_json(&after.departments)?,
            to_json(&after.items)?,
            after.is_joint(),
            after.reason.map(|reason| reason.code()),
            after.note,
            after.by.as_ref().map(|by| by.as_str()),
            after.noted_at,
        ],
    )?;
    Ok(())
}
