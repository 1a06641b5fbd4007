//! Calendars.

use rusqlite::{OptionalExtension, Transaction, params};

use super::SqliteStore;
use super::ledger::enter_done;
use crate::domain::Visit;
use crate::domain::dates::to_epoch_day;
use crate::store::calendars::{BuildEdition, CalendarStore, DoneVisit, KeptEdition};
use crate::store::{StoreError, rows};

impl CalendarStore for SqliteStore {
    fn put_calendar(
        &self,
        calendar_id: &str,
        document: &dyn Fn(u64) -> String,
        (edition, body): (&str, &[u8]),
    ) -> Result<u64, StoreError> {
        self.write(|tx| {
            let number: u64 = tx.query_row(
                "SELECT coalesce(max(number), 0) + 1 FROM calendars",
                [],
                |row| row.get(0),
            )?;
            tx.execute(
                "INSERT INTO calendars (calendar_id, number, document) VALUES (?1, ?2, ?3)",
                params![calendar_id, number, document(number)],
            )?;
            put_edition(tx, calendar_id, 1, edition, body)?;
            Ok(number)
        })
    }

    fn calendar(&self, calendar_id: &str) -> Result<Option<String>, StoreError> {
        self.read(|tx| {
            let sql = "SELECT document FROM calendars WHERE calendar_id = ?1";
            Ok(tx
                .prepare_cached(sql)?
                .query_row([calendar_id], |row| row.get(0))
                .optional()?)
        })
    }

    fn calendars_before(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let before = before
            .and_then(|before| i64::try_from(before).ok())
            .unwrap_or(i64::MAX);
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT document FROM calendars WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
            )?;
            let found = statement.query_map(params![before, limit], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    fn calendar_edition(
        &self,
        calendar_id: &str,
        edition_no: Option<u64>,
    ) -> Result<Option<KeptEdition>, StoreError> {
        let asked = edition_no
            .map(i64::try_from)
            .transpose()
            .unwrap_or(Some(i64::MAX));
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT edition_no, document, body FROM calendar_editions \
                 WHERE calendar_id = ?1 AND (?2 IS NULL OR edition_no = ?2) \
                 ORDER BY edition_no DESC LIMIT 1",
            )?;
            Ok(statement
                .query_row(params![calendar_id, asked], |row| {
                    Ok(KeptEdition {
                        edition_no: row.get(0)?,
                        document: row.get(1)?,
                        body: row.get(2)?,
                    })
                })
                .optional()?)
        })
    }

    fn calendar_editions(&self, calendar_id: &str) -> Result<Vec<String>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT document FROM calendar_editions WHERE calendar_id = ?1 ORDER BY edition_no",
            )?;
            let found = statement.query_map([calendar_id], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    fn add_calendar_edition(
        &self,
        calendar_id: &str,
        after: u64,
        build: &mut BuildEdition<'_>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            if in_force(tx, calendar_id)? != Some(after) {
                return Ok(false);
            }
            let (document, body) = build(after + 1, &done(tx, calendar_id)?)?;
            put_edition(tx, calendar_id, after + 1, &document, &body)?;
            Ok(true)
        })
    }

    fn put_done_visits(
        &self,
        calendar_id: &str,
        edition_no: u64,
        done: &[DoneVisit],
        entry: &dyn Fn(&DoneVisit) -> Visit,
    ) -> Result<Option<u64>, StoreError> {
        self.write(|tx| {
            if in_force(tx, calendar_id)? != Some(edition_no) {
                return Ok(None);
            }
            let mut statement = tx.prepare_cached(
                "INSERT INTO calendar_done (calendar_id, enterprise_id, visit_no, done_on) \
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?;
            let mut added = 0;
            for visit in done {
                let new = statement.execute(params![
                    calendar_id,
                    visit.enterprise_id.as_str(),
                    visit.visit_no,
                    to_epoch_day(visit.done_on)
                ])?;
                if new == 1 {
                    added += 1;
                    enter_done(tx, &entry(visit))?;
                }
            }
            Ok(Some(added))
        })
    }

    fn done_visits(&self, calendar_id: &str) -> Result<Vec<DoneVisit>, StoreError> {
        self.read(|tx| done(tx, calendar_id))
    }
}

fn put_edition(
    tx: &Transaction<'_>,
    calendar_id: &str,
    edition_no: u64,
    document: &str,
    body: &[u8],
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO calendar_editions (calendar_id, edition_no, document, body) VALUES (?1, ?2, ?3, ?4)",
        params![calendar_id, edition_no, document, body],
    )?;
    Ok(())
}

fn in_force(tx: &Transaction<'_>, calendar_id: &str) -> Result<Option<u64>, StoreError> {
    Ok(tx.query_row(
        "SELECT max(edition_no) FROM calendar_editions WHERE calendar_id = ?1",
        [calendar_id],
        |row| row.get(0),
    )?)
}

fn done(tx: &Transaction<'_>, calendar_id: &str) -> Result<Vec<DoneVisit>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT enterprise_id, visit_no, done_on FROM calendar_done WHERE calendar_id = ?1 \
         ORDER BY enterprise_id, visit_no",
    )?;
    let mut found = statement.query([calendar_id])?;
    let mut visits = Vec::new();
    while let Some(row) = found.next()? {
        visits.push(rows::done_visit(row)?);
    }
    Ok(visits)
}
