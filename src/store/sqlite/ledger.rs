//! Check items and the ledger of visits.

use jiff::civil::Date;
use rusqlite::types::ToSql;
use rusqlite::{OptionalExtension, Transaction, params};

use super::SqliteStore;
use super::plans::plan_state;
use super::tiers::all;
use crate::domain::dates::to_epoch_day;
use crate::domain::{CheckItem, EnterpriseId, EnterpriseStatus, Visit};
use crate::store::StoreError;
use crate::store::ledger::{
    DrawnPlan, ItemOutcome, ItemStore, ItemVersion, ItemWrite, LedgerFilter, LedgerStore,
    LedgerYear, Slot,
};
use crate::store::ledger_rows::{
    self, BY_ENTERPRISE, ITEM_COLUMNS, SLOT_COLUMNS, VISIT_COLUMNS, YEAR_COLUMNS, keeps_identity,
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
        plan_id: &str,
        years: Option<(i16, i16)>,
        build: &mut dyn FnMut(Vec<Slot>) -> Result<DrawnPlan, StoreError>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            if plan_state(tx, plan_id)?.as_deref() != Some("frozen") {
                return Ok(false);
            }
            let taken = match years {
                Some((first, last)) => slots(tx, first, last)?,
                None => Vec::new(),
            };
            let DrawnPlan {
                document,
                sample,
                visits,
                joined,
                replacements,
            } = build(taken)?;
            for visit in &joined {
                tx.execute(
                    "UPDATE visits SET departments = ?4, items = ?5, is_joint = ?6 \
                     WHERE year = ?1 AND enterprise_id = ?2 AND slot = ?3",
                    params![
                        visit.year,
                        visit.enterprise_id.as_str(),
                        visit.slot,
                        to_json(&visit.departments)?,
                        to_json(&visit.items)?,
                        visit.departments.len() > 1,
                    ],
                )?;
            }
            for visit in &visits {
                insert(tx, visit)?;
            }
            for (number, replacement) in (1_u64..).zip(&replacements) {
                tx.execute(
                    "INSERT INTO plan_replacements (plan_id, number, document) VALUES (?1, ?2, ?3)",
                    params![plan_id, number, replacement],
                )?;
            }
            tx.execute(
                "UPDATE plans SET state = 'drawn', document = ?2, sample = ?3 WHERE plan_id = ?1",
                params![plan_id, document, sample],
            )?;
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
                tx.execute(
                    "UPDATE visits SET state = 3, slot = NULL WHERE plan_id = ?1 AND state = 1",
                    [plan_id],
                )?;
            }
            Ok(moved == 1)
        })
    }

    fn change_visit(
        &self,
        visit_no: u64,
        change: &dyn Fn(Visit) -> Result<Visit, StoreError>,
    ) -> Result<Option<Visit>, StoreError> {
        self.write(|tx| {
            let sql = format!("SELECT {VISIT_COLUMNS} FROM visits WHERE visit_no = ?1");
            let mut found = all(tx, &sql, &[&visit_no], |row| ledger_rows::visit(row))?;
            let Some(before) = found.pop() else {
                return Ok(None);
            };
            let after = change(before.clone())?;
            keeps_identity(&before, &after)?;
            tx.execute(
                "UPDATE visits SET state = ?2, slot = ?3, from_on = ?4, until_on = ?5, visited_on = ?6, \
                 departments = ?7, items = ?8, is_joint = ?9, reason = ?10, note = ?11, by_whom = ?12, \
                 noted_at = ?13 WHERE visit_no = ?1",
                params![
                    visit_no,
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
            Ok(Some(after))
        })
    }

    fn slots(&self, first: i16, last: i16) -> Result<Vec<Slot>, StoreError> {
        self.read(|tx| slots(tx, first, last))
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
             AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR state = ?4) AND (?5 IS NULL OR plan_id = ?5) \
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

    fn ledger_year(&self, year: i16) -> Result<LedgerYear, StoreError> {
        let sql = format!("SELECT {YEAR_COLUMNS} FROM ({BY_ENTERPRISE}?1 GROUP BY enterprise_id)");
        self.read(|tx| {
            let objects: u64 = tx.query_row(
                "SELECT count(*) FROM enterprises WHERE status IN (?1, ?2)",
                [
                    EnterpriseStatus::Active.code(),
                    EnterpriseStatus::Abnormal.code(),
                ],
                |row| row.get(0),
            )?;
            let mut found = all(tx, &sql, &[&year], |row| {
                ledger_rows::ledger_year(row, objects)
            })?;
            Ok(found.pop().unwrap_or_default())
        })
    }
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
