//! Calendars.

use super::ledger::enter_done;
use super::lock::Lock;
use super::pool::{End, Session};
use super::tiers::signed;
use super::{PostgresStore, unstorable};
use crate::domain::Visit;
use crate::domain::dates::to_epoch_day;
use crate::store::calendars::{BuildEdition, CalendarStore, DoneVisit, KeptEdition};
use crate::store::{StoreError, rows};

impl CalendarStore for PostgresStore {
    fn put_calendar(
        &self,
        calendar_id: &str,
        document: &dyn Fn(u64) -> String,
        (edition, body): (&str, &[u8]),
    ) -> Result<u64, StoreError> {
        self.pool.write(|tx| {
            Lock::Calendars.take(tx)?;
            let row = tx.one("SELECT coalesce(max(number), 0) + 1 FROM calendars", &[])?;
            let number: u64 = rows::number(&row, 0, "number")?;
            tx.execute(
                "INSERT INTO calendars (calendar_id, number, document) VALUES ($1, $2, $3)",
                &[&calendar_id, &signed(number), &document(number)],
            )?;
            put_edition(tx, calendar_id, 1, edition, body)?;
            Ok(End::Keep(number))
        })
    }

    fn calendar(&self, calendar_id: &str) -> Result<Option<String>, StoreError> {
        if unstorable(calendar_id) {
            return Ok(None);
        }
        self.pool.read(|tx| {
            let sql = "SELECT document FROM calendars WHERE calendar_id = $1";
            tx.optional(sql, &[&calendar_id])?
                .map(|row| Ok(rows::text(&row, 0, "document")?.to_owned()))
                .transpose()
        })
    }

    fn calendars_before(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let before = before.map_or(i64::MAX, signed);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.pool.read(|tx| {
            tx.query(
                "SELECT document FROM calendars WHERE number < $1 ORDER BY number DESC LIMIT $2",
                &[&before, &limit],
            )?
            .iter()
            .map(|row| Ok(rows::text(row, 0, "document")?.to_owned()))
            .collect()
        })
    }

    fn calendar_edition(
        &self,
        calendar_id: &str,
        edition_no: Option<u64>,
    ) -> Result<Option<KeptEdition>, StoreError> {
        if unstorable(calendar_id) {
            return Ok(None);
        }
        let asked = edition_no.map(signed);
        self.pool.read(|tx| {
            let found = tx.optional(
                "SELECT edition_no, document, body FROM calendar_editions \
                 WHERE calendar_id = $1 AND ($2::bigint IS NULL OR edition_no = $2) \
                 ORDER BY edition_no DESC LIMIT 1",
                &[&calendar_id, &asked],
            )?;
            found
                .map(|row| {
                    Ok(KeptEdition {
                        edition_no: rows::number(&row, 0, "edition_no")?,
                        document: rows::text(&row, 1, "document")?.to_owned(),
                        body: row.try_get(2)?,
                    })
                })
                .transpose()
        })
    }

    fn calendar_editions(&self, calendar_id: &str) -> Result<Vec<String>, StoreError> {
        if unstorable(calendar_id) {
            return Ok(Vec::new());
        }
        self.pool.read(|tx| {
            tx.query(
                "SELECT document FROM calendar_editions WHERE calendar_id = $1 ORDER BY edition_no",
                &[&calendar_id],
            )?
            .iter()
            .map(|row| Ok(rows::text(row, 0, "document")?.to_owned()))
            .collect()
        })
    }

    fn add_calendar_edition(
        &self,
        calendar_id: &str,
        after: u64,
        build: &mut BuildEdition<'_>,
    ) -> Result<bool, StoreError> {
        if unstorable(calendar_id) {
            return Ok(false);
        }
        self.pool.write(|tx| {
            if locked_in_force(tx, calendar_id)? != Some(after) {
                return Ok(End::Keep(false));
            }
            let (document, body) = build(after + 1, &done(tx, calendar_id)?)?;
            put_edition(tx, calendar_id, after + 1, &document, &body)?;
            Ok(End::Keep(true))
        })
    }

    fn put_done_visits(
        &self,
        calendar_id: &str,
        edition_no: u64,
        done: &[DoneVisit],
        entry: &dyn Fn(&DoneVisit) -> Visit,
    ) -> Result<Option<u64>, StoreError> {
        if unstorable(calendar_id) {
            return Ok(None);
        }
        let ids: Vec<&str> = done
            .iter()
            .map(|visit| visit.enterprise_id.as_str())
            .collect();
        let numbers: Vec<i32> = done
            .iter()
            .map(|visit| i32::try_from(visit.visit_no).unwrap_or(i32::MAX))
            .collect();
        let days: Vec<i32> = done
            .iter()
            .map(|visit| to_epoch_day(visit.done_on))
            .collect();
        self.pool.write(|tx| {
            if locked_in_force(tx, calendar_id)? != Some(edition_no) {
                return Ok(End::Keep(None));
            }
            let added = tx.query(
                "INSERT INTO calendar_done (calendar_id, enterprise_id, visit_no, done_on) \
                 SELECT $1, id, number, day FROM unnest($2::text[], $3::integer[], $4::integer[]) \
                 AS done (id, number, day) ON CONFLICT DO NOTHING RETURNING enterprise_id, visit_no, done_on",
                &[&calendar_id, &ids, &numbers, &days],
            )?;
            let mut added: Vec<DoneVisit> = added
                .iter()
                .map(rows::done_visit)
                .collect::<Result<_, _>>()?;
            added.sort_by(|a, b| (&a.enterprise_id, a.visit_no).cmp(&(&b.enterprise_id, b.visit_no)));
            if !added.is_empty() {
                Lock::Slots.take(tx)?;
            }
            for visit in &added {
                enter_done(tx, &entry(visit))?;
            }
            Ok(End::Keep(Some(added.len() as u64)))
        })
    }

    fn done_visits(&self, calendar_id: &str) -> Result<Vec<DoneVisit>, StoreError> {
        if unstorable(calendar_id) {
            return Ok(Vec::new());
        }
        self.pool.read(|tx| done(tx, calendar_id))
    }
}

fn put_edition(
    tx: &mut Session,
    calendar_id: &str,
    edition_no: u64,
    document: &str,
    body: &[u8],
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO calendar_editions (calendar_id, edition_no, document, body) VALUES ($1, $2, $3, $4)",
        &[&calendar_id, &signed(edition_no), &document, &body],
    )?;
    Ok(())
}

/// The edition in force; the calendar's row is locked, so no other comes into force until this transaction ends.
fn locked_in_force(tx: &mut Session, calendar_id: &str) -> Result<Option<u64>, StoreError> {
    tx.query(
        "SELECT calendar_id FROM calendars WHERE calendar_id = $1 FOR UPDATE",
        &[&calendar_id],
    )?;
    let row = tx.one(
        "SELECT max(edition_no) FROM calendar_editions WHERE calendar_id = $1",
        &[&calendar_id],
    )?;
    rows::optional_number(&row, 0, "edition_no")
}

fn done(tx: &mut Session, calendar_id: &str) -> Result<Vec<DoneVisit>, StoreError> {
    tx.query(
        "SELECT enterprise_id, visit_no, done_on FROM calendar_done WHERE calendar_id = $1 \
         ORDER BY enterprise_id, visit_no",
        &[&calendar_id],
    )?
    .iter()
    .map(rows::done_visit)
    .collect()
}
