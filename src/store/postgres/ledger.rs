//! Check items and the ledger of visits.

use jiff::civil::Date;
use postgres::types::ToSql;
use std::collections::BTreeSet;

use super::PostgresStore;
use super::ceremony::replacements;
use super::copy::CopyRows;
use super::lock::Lock;
use super::plans::is_in_state;
use super::pool::{End, Session};
use super::tiers::{signed, whole_tables};
use super::unstorable;
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
use crate::store::rows::{self, to_json};

/// Columns of a new visit in the order in which they are written.
const NEW_COLUMNS: &str = "enterprise_id, year, kind, state, slot, from_on, until_on, visited_on, plan_id, \
     departments, items, is_joint, reason, note, by_whom, noted_at";

impl ItemStore for PostgresStore {
    fn put_items(&self, batch: &[CheckItem], day: Date) -> Result<Vec<ItemOutcome>, StoreError> {
        self.pool.write(|tx| {
            Lock::Items.take(tx)?;
            let outcomes: Result<_, StoreError> =
                batch.iter().map(|item| put_item(tx, item, day)).collect();
            Ok(End::Keep(outcomes?))
        })
    }

    fn put_item_if(
        &self,
        item: &CheckItem,
        day: Date,
        condition: &dyn Fn(Option<u64>) -> bool,
    ) -> Result<ItemWrite, StoreError> {
        self.pool.write(|tx| {
            Lock::Items.take(tx)?;
            let last = tx.optional(
                "SELECT version FROM item_versions WHERE item_code = $1 ORDER BY version DESC LIMIT 1",
                &[&item.item_code.as_str()],
            )?;
            let version = match last {
                Some(row) => Some(rows::number::<u64>(&row, 0, "version")?),
                None => None,
            };
            if !condition(version) {
                return Ok(End::Undo(ItemWrite::NotMet(version)));
            }
            Ok(End::Keep(ItemWrite::Written(put_item(tx, item, day)?)))
        })
    }

    fn item_versions(&self, item_code: &str) -> Result<Vec<ItemVersion>, StoreError> {
        if unstorable(item_code) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM item_versions WHERE item_code = $1 ORDER BY version DESC"
        );
        self.pool.read(|tx| {
            tx.query(&sql, &[&item_code])?
                .iter()
                .map(ledger_rows::item_version)
                .collect()
        })
    }

    fn items_after(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ItemVersion>, StoreError> {
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM item_versions i WHERE item_code > $1 AND version = \
             (SELECT max(version) FROM item_versions l WHERE l.item_code = i.item_code) \
             ORDER BY item_code LIMIT $2"
        );
        let after = after.unwrap_or("");
        if unstorable(after) {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.pool.read(|tx| {
            tx.query(&sql, &[&after, &limit])?
                .iter()
                .map(ledger_rows::item_version)
                .collect()
        })
    }
}

impl LedgerStore for PostgresStore {
    fn enter_visits(&self, visits: &[Visit]) -> Result<Vec<u64>, StoreError> {
        let sql = format!(
            "INSERT INTO visits ({NEW_COLUMNS}) VALUES \
             ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING visit_no"
        );
        self.pool.write(|tx| {
            let mut numbers = Vec::with_capacity(visits.len());
            for visit in visits {
                let row = tx.one(
                    &sql,
                    &[
                        &visit.enterprise_id.as_str(),
                        &visit.year,
                        &i16::from(visit.kind.code()),
                        &i16::from(visit.state.code()),
                        &visit.slot.map(i32::from),
                        &to_epoch_day(visit.from_on),
                        &to_epoch_day(visit.until_on),
                        &visit.visited_on.map(to_epoch_day),
                        &visit.plan_id,
                        &to_json(&visit.departments)?,
                        &to_json(&visit.items)?,
                        &visit.is_joint(),
                        &visit.reason.map(|reason| i16::from(reason.code())),
                        &visit.note,
                        &visit.by.as_ref().map(|by| by.as_str()),
                        &visit.noted_at,
                    ],
                )?;
                numbers.push(rows::number(&row, 0, "visit_no")?);
            }
            Ok(End::Keep(numbers))
        })
    }

    fn draw_plan(
        &self,
        scope: &LedgerScope<'_>,
        build: &mut dyn FnMut(LedgerAround) -> Result<DrawnPlan, StoreError>,
    ) -> Result<bool, StoreError> {
        if unstorable(scope.plan_id) {
            return Ok(false);
        }
        self.pool.write(|tx| {
            if !is_in_state(tx, scope.plan_id, "frozen")? {
                return Ok(End::Keep(false));
            }
            let DrawnPlan {
                document,
                sample,
                reserve,
                moves,
            } = build(around(tx, scope)?)?;
            carry_out(tx, scope.plan_id, 0, &moves)?;
            tx.execute(
                "UPDATE plans SET state = 'drawn', document = $2, sample = $3, reserve = $4 WHERE plan_id = $1",
                &[&scope.plan_id, &document, &sample, &reserve],
            )?;
            Ok(End::Keep(true))
        })
    }

    fn replace_in_plan(
        &self,
        scope: &LedgerScope<'_>,
        enterprise_id: &EnterpriseId,
        build: &mut dyn FnMut(LedgerAround) -> Result<LedgerMoves, StoreError>,
    ) -> Result<bool, StoreError> {
        if unstorable(scope.plan_id) {
            return Ok(false);
        }
        let own = format!(
            "SELECT {VISIT_COLUMNS} FROM visits WHERE enterprise_id = $2 AND state IN (1, 2) AND (plan_id = $1 \
             OR visit_no IN (SELECT visit_no FROM visit_shares WHERE plan_id = $1)) ORDER BY visit_no"
        );
        self.pool.write(|tx| {
            let plan_id = scope.plan_id;
            // The plan's row is locked first, so that the next statement sees what others have added.
            let state = tx.optional(
                "SELECT state FROM plans WHERE plan_id = $1 FOR UPDATE",
                &[&plan_id],
            )?;
            let is_drawn = match &state {
                Some(row) => ["drawn", "closed"].contains(&rows::text(row, 0, "state")?),
                None => false,
            };
            if !is_drawn {
                return Ok(End::Keep(false));
            }
            let beside = around(tx, scope)?;
            let earlier = replacements(tx, plan_id)?;
            let number = earlier.len() as u64;
            let own: Result<Vec<Visit>, StoreError> = tx
                .query(&own, &[&plan_id, &enterprise_id.as_str()])?
                .iter()
                .map(ledger_rows::visit)
                .collect();
            let around = LedgerAround {
                own: own?,
                replacements: earlier,
                ..beside
            };
            carry_out(tx, plan_id, number, &build(around)?)?;
            Ok(End::Keep(true))
        })
    }

    fn void_plan(&self, plan_id: &str, from: &str, document: &str) -> Result<bool, StoreError> {
        if unstorable(plan_id) {
            return Ok(false);
        }
        self.pool.write(|tx| {
            let moved = tx.execute(
                "UPDATE plans SET state = 'void', document = $3 WHERE plan_id = $1 AND state = $2",
                &[&plan_id, &from, &document],
            )?;
            if moved == 1 {
                // Nobody joins a visit while it is left.
                Lock::Slots.take(tx)?;
                leave(tx, plan_id, None, VisitState::Void)?;
            }
            Ok(End::Keep(moved == 1))
        })
    }

    fn change_visits(
        &self,
        visit_nos: &[u64],
        change: &dyn Fn(Visit) -> Result<Visit, StoreError>,
    ) -> Result<Option<Vec<Visit>>, StoreError> {
        let sql = format!("SELECT {VISIT_COLUMNS} FROM visits WHERE visit_no = $1 FOR UPDATE");
        // Rows are locked in the order of their numbers, so that two callers wait for each other at most once.
        let visit_nos: BTreeSet<u64> = visit_nos.iter().copied().collect();
        self.pool.write(|tx| {
            let mut visits = Vec::new();
            for visit_no in &visit_nos {
                let Some(row) = tx.optional(&sql, &[&signed(*visit_no)])? else {
                    return Ok(End::Keep(None));
                };
                visits.push(ledger_rows::visit(&row)?);
            }
            for visit in &mut visits {
                let after = change(visit.clone())?;
                keeps_identity(visit, &after)?;
                *visit = after;
                put(tx, visit)?;
            }
            Ok(End::Keep(Some(visits)))
        })
    }

    fn slots(&self, first: i16, last: i16) -> Result<Vec<Slot>, StoreError> {
        self.pool.read(|tx| slots(tx, first, last))
    }

    fn visits_of_plans(&self, plan_ids: &[String]) -> Result<Vec<Visit>, StoreError> {
        self.pool.read(|tx| of_plans(tx, plan_ids))
    }

    fn visits_to(&self, id: &EnterpriseId) -> Result<Vec<Visit>, StoreError> {
        let sql = format!(
            "SELECT {VISIT_COLUMNS} FROM visits WHERE enterprise_id = $1 ORDER BY from_on DESC, visit_no DESC"
        );
        self.pool.read(|tx| {
            tx.query(&sql, &[&id.as_str()])?
                .iter()
                .map(ledger_rows::visit)
                .collect()
        })
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
        if plan_id.as_deref().is_some_and(unstorable) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {VISIT_COLUMNS} FROM visits WHERE visit_no < $1 AND ($2::smallint IS NULL OR year = $2) \
             AND ($3::smallint IS NULL OR kind = $3) AND ($4::smallint IS NULL OR state = $4) \
             AND ($5::text IS NULL OR plan_id = $5 OR visit_no IN (SELECT visit_no FROM visit_shares WHERE plan_id = $5)) \
             ORDER BY visit_no DESC LIMIT $6"
        );
        let (before, limit) = (
            before.map_or(i64::MAX, signed),
            i64::try_from(limit).unwrap_or(i64::MAX),
        );
        let kind = kind.map(|kind| i16::from(kind.code()));
        let state = state.map(|state| i16::from(state.code()));
        let values: [&(dyn ToSql + Sync); 6] = [&before, year, &kind, &state, plan_id, &limit];
        self.pool.read(|tx| {
            tx.query(&sql, &values)?
                .iter()
                .map(ledger_rows::visit)
                .collect()
        })
    }

    fn ledger_year(
        &self,
        year: i16,
        merged: &[(EnterpriseId, EnterpriseId)],
    ) -> Result<LedgerYear, StoreError> {
        let sql = format!(
            "SELECT {YEAR_COLUMNS} FROM ({BY_ENTERPRISE}unnest($2::text[], $3::text[]) AS merged (id, into_id)\
             {IN_YEAR}$1 GROUP BY 1) y"
        );
        let [active, abnormal] = [EnterpriseStatus::Active, EnterpriseStatus::Abnormal]
            .map(|status| i16::from(status.code()));
        let (ids, into_ids): (Vec<&str>, Vec<&str>) = merged
            .iter()
            .map(|(id, into)| (id.as_str(), into.as_str()))
            .unzip();
        self.pool.read_at_one_instant(|tx| {
            whole_tables(tx)?;
            let row = tx.one(
                "SELECT count(*) FROM enterprises WHERE status IN ($1, $2)",
                &[&active, &abnormal],
            )?;
            let objects = rows::number(&row, 0, "count")?;
            ledger_rows::ledger_year(&tx.one(&sql, &[&year, &ids, &into_ids])?, objects)
        })
    }
}

/// What the ledger holds around a plan; where that must stay so, nobody else moves the ledger until the transaction ends.
fn around(tx: &mut Session, scope: &LedgerScope<'_>) -> Result<LedgerAround, StoreError> {
    if scope.is_exclusive() {
        Lock::Slots.take(tx)?;
    }
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
fn of_plans(tx: &mut Session, plan_ids: &[String]) -> Result<Vec<Visit>, StoreError> {
    if plan_ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {VISIT_COLUMNS} FROM visits WHERE state IN (1, 2) AND (plan_id = ANY($1) OR \
         visit_no IN (SELECT visit_no FROM visit_shares WHERE plan_id = ANY($1))) ORDER BY visit_no"
    );
    tx.query(&sql, &[&plan_ids])?
        .iter()
        .map(ledger_rows::visit)
        .collect()
}

/// Writes what a step does to the ledger; `before` replacements of the plan are there already.
fn carry_out(
    tx: &mut Session,
    plan_id: &str,
    before: u64,
    moves: &LedgerMoves,
) -> Result<(), StoreError> {
    if !moves.left.is_empty() {
        leave(tx, plan_id, Some(&moves.left), VisitState::Replaced)?;
    }
    join(tx, plan_id, moves)?;
    tx.copy_in(&format!("visits ({NEW_COLUMNS})"), copied(&moves.visits)?)?;
    for (number, replacement) in (before + 1..).zip(&moves.replacements) {
        tx.execute(
            "INSERT INTO plan_replacements (plan_id, number, document) VALUES ($1, $2, $3)",
            &[&plan_id, &signed(number), replacement],
        )?;
    }
    Ok(())
}

/// A plan joins visits that are there already.
fn join(tx: &mut Session, plan_id: &str, moves: &LedgerMoves) -> Result<(), StoreError> {
    if moves.joined.is_empty() {
        return Ok(());
    }
    let joined = &moves.joined;
    let numbers: Vec<i64> = joined.iter().map(|visit| signed(visit.visit_no)).collect();
    tx.execute(
        "INSERT INTO visit_shares (visit_no, plan_id, place, departments, items) \
         SELECT visit_no, plan_id, 1, departments, items FROM visits v WHERE visit_no = ANY($1) AND plan_id IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM visit_shares s WHERE s.visit_no = v.visit_no)",
        &[&numbers],
    )?;
    tx.execute(
        "INSERT INTO visit_shares (visit_no, plan_id, place, departments, items) \
         SELECT visit_no, $2::text, 1 + max(place), $3::text, $4::text FROM visit_shares WHERE visit_no = ANY($1) \
         GROUP BY visit_no ON CONFLICT DO NOTHING",
        &[
            &numbers,
            &plan_id,
            &to_json(&moves.departments)?,
            &to_json(&moves.items)?,
        ],
    )?;
    let departments: Result<Vec<String>, StoreError> = joined
        .iter()
        .map(|visit| to_json(&visit.departments))
        .collect();
    let items: Result<Vec<String>, StoreError> =
        joined.iter().map(|visit| to_json(&visit.items)).collect();
    let is_joint: Vec<bool> = joined
        .iter()
        .map(|visit| visit.departments.len() > 1)
        .collect();
    let days = |day: fn(&(Date, Date)) -> Date| -> Vec<i32> {
        let days = joined.iter().map(|visit| to_epoch_day(day(&visit.window)));
        days.collect()
    };
    tx.execute(
        "UPDATE visits v SET departments = j.departments, items = j.items, is_joint = j.is_joint, from_on = j.from_on, \
         until_on = j.until_on FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::integer[], $6::integer[]) \
         AS j (visit_no, departments, items, is_joint, from_on, until_on) WHERE v.visit_no = j.visit_no",
        &[
            &numbers,
            &departments?,
            &items?,
            &is_joint,
            &days(|window| window.0),
            &days(|window| window.1),
        ],
    )?;
    Ok(())
}

/// Takes a plan out of its planned visits, all or those named: what other plans need stays for them, the others get
/// `state` and give their slot back.
fn leave(
    tx: &mut Session,
    plan_id: &str,
    visits: Option<&[u64]>,
    state: VisitState,
) -> Result<(), StoreError> {
    let named: Option<Vec<i64>> =
        visits.map(|visits| visits.iter().map(|number| signed(*number)).collect());
    let sql = format!(
        "SELECT {SHARE_COLUMNS} FROM visit_shares s JOIN visits v ON v.visit_no = s.visit_no AND v.state = 1 \
         WHERE s.visit_no IN (SELECT visit_no FROM visit_shares WHERE plan_id = $1) \
         AND ($2::bigint[] IS NULL OR s.visit_no = ANY($2)) ORDER BY s.visit_no, s.place"
    );
    let shares: Result<Vec<_>, StoreError> = tx
        .query(&sql, &[&plan_id, &named])?
        .iter()
        .map(ledger_rows::share)
        .collect();
    for left in without(plan_id, shares?) {
        let number = signed(left.visit_no);
        tx.execute(
            "UPDATE visits SET plan_id = $2, departments = $3, items = $4, is_joint = $5 WHERE visit_no = $1",
            &[
                &number,
                &left.plan_id,
                &to_json(&left.departments)?,
                &to_json(&left.items)?,
                &(left.departments.len() > 1),
            ],
        )?;
        tx.execute(
            "DELETE FROM visit_shares WHERE visit_no = $1 AND plan_id = $2",
            &[&number, &plan_id],
        )?;
    }
    tx.execute(
        "UPDATE visits SET state = $3, slot = NULL WHERE plan_id = $1 AND state = 1 \
         AND ($2::bigint[] IS NULL OR visit_no = ANY($2))",
        &[&plan_id, &named, &i16::from(state.code())],
    )?;
    Ok(())
}

fn put_item(tx: &mut Session, item: &CheckItem, day: Date) -> Result<ItemOutcome, StoreError> {
    let code = item.item_code.as_str();
    let document = to_json(item)?;
    let last = tx.optional(
        "SELECT version, document FROM item_versions WHERE item_code = $1 ORDER BY version DESC LIMIT 1",
        &[&code],
    )?;
    let (version, outcome) = match last {
        None => (1, ItemOutcome::Created),
        Some(row) => {
            if rows::text(&row, 1, "document")? == document {
                return Ok(ItemOutcome::Unchanged);
            }
            let version: i32 = rows::number(&row, 0, "version")?;
            (version + 1, ItemOutcome::Updated)
        }
    };
    tx.execute(
        "INSERT INTO item_versions (item_code, version, from_on, document) VALUES ($1, $2, $3, $4)",
        &[&code, &version, &to_epoch_day(day), &document],
    )?;
    Ok(outcome)
}

fn slots(tx: &mut Session, first: i16, last: i16) -> Result<Vec<Slot>, StoreError> {
    let sql = format!(
        "SELECT {SLOT_COLUMNS} FROM visits WHERE slot IS NOT NULL AND year BETWEEN $1 AND $2 \
         ORDER BY year, enterprise_id, slot"
    );
    tx.query(&sql, &[&first, &last])?
        .iter()
        .map(ledger_rows::slot)
        .collect()
}

fn copied(visits: &[Visit]) -> Result<CopyRows, StoreError> {
    let mut copied = CopyRows::new(16);
    for visit in visits {
        copied
            .row()
            .text(visit.enterprise_id.as_str())
            .short(visit.year)
            .small(visit.kind.code())
            .small(visit.state.code())
            .optional_whole(visit.slot.map(i32::from))
            .day(visit.from_on)
            .day(visit.until_on)
            .optional_day(visit.visited_on)
            .optional_text(visit.plan_id.as_deref())
            .text(&to_json(&visit.departments)?)
            .text(&to_json(&visit.items)?)
            .optional_truth(Some(visit.is_joint()))
            .optional_small(visit.reason.map(|reason| reason.code()))
            .optional_text(visit.note.as_deref())
            .optional_text(visit.by.as_ref().map(|by| by.as_str()))
            .text(&visit.noted_at);
    }
    Ok(copied)
}

/// Enters a visit that is done: the planned one of its plan in its year becomes it, or it is added. Nobody else moves the
/// ledger meanwhile.
pub(super) fn enter_done(tx: &mut Session, visit: &Visit) -> Result<(), StoreError> {
    let id = visit.enterprise_id.as_str();
    let changed = tx.execute(
        "UPDATE visits SET state = 2, visited_on = $4, noted_at = $5 WHERE visit_no = (SELECT min(visit_no) \
         FROM visits WHERE enterprise_id = $1 AND plan_id = $2 AND year = $3 AND state = 1)",
        &[
            &id,
            &visit.plan_id,
            &visit.year,
            &visit.visited_on.map(to_epoch_day),
            &visit.noted_at,
        ],
    )?;
    if changed > 0 {
        return Ok(());
    }
    let slot = match visit.kind {
        VisitKind::General => {
            let row = tx.one(
                "SELECT 1 + coalesce(max(slot), 0) FROM visits WHERE enterprise_id = $1 AND year = $2",
                &[&id, &visit.year],
            )?;
            Some(rows::number(&row, 0, "slot")?)
        }
        VisitKind::Key | VisitKind::Exempt => None,
    };
    let visit = Visit {
        slot,
        ..visit.clone()
    };
    tx.copy_in(
        &format!("visits ({NEW_COLUMNS})"),
        copied(std::slice::from_ref(&visit))?,
    )?;
    Ok(())
}

/// Writes a visit that is there.
fn put(tx: &mut Session, after: &Visit) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE visits SET state = $2, slot = $3, from_on = $4, until_on = $5, visited_on = $6, \
         departments = $7, items = $8, is_joint = $9, reason = $10, note = $11, by_whom = $12, \
         noted_at = $13 WHERE visit_no = $1",
        &[
            &signed(after.visit_no),
            &i16::from(after.state.code()),
            &after.slot.map(i32::from),
            &to_epoch_day(after.from_on),
            &to_epoch_day(after.until_on),
            &after.visited_on.map(to_epoch_day),
            &to_json(&after.departments)?,
            &to_json(&after.items)?,
            &after.is_joint(),
            &after.reason.map(|reason| i16::from(reason.code())),
            &after.note,
            &after.by.as_ref().map(|by| by.as_str()),
            &after.noted_at,
        ],
    )?;
    Ok(())
}
