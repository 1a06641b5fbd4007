//! Going through the register in ranges of ids.

use rusqlite::{OptionalExtension, Transaction, params};
use std::ops::ControlFlow;

use super::tiers::{live, table};
use super::{CACHE_KIB, SqliteStore, register};
use crate::store::rows::{self, PIECE_COLUMNS};
use crate::store::{Dossier, IdRange, Scan, StoreError};

/// Memory for the pages of a connection while it walks through the register, in KiB.
const WALK_KIB: i64 = 1_024;

impl Scan for SqliteStore {
    fn parts_of(&self, each: u64) -> Result<(Vec<IdRange>, u64), StoreError> {
        self.read(|tx| parts_of(tx, each.max(1)))
    }

    fn each_dossier_in(
        &self,
        range: &IdRange,
        visit: &mut dyn FnMut(Dossier) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.read(|tx| {
            // A walk reads every page once: few of them in memory stay in the processor's own.
            tx.pragma_update(None, "cache_size", -WALK_KIB)?;
            let walked = each_dossier_in(tx, range, visit);
            tx.pragma_update(None, "cache_size", -CACHE_KIB)?;
            walked
        })
    }
}

fn parts_of(tx: &Transaction<'_>, each: u64) -> Result<(Vec<IdRange>, u64), StoreError> {
    let count = register::enterprise_count(tx)?;
    // The live slot has the same ids, or nearly, in a tenth of the pages.
    let ids = match live(tx)?.map(|live| table(live.slot)) {
        Some(slot) if 10 * register::count(tx, slot)? >= 9 * count => slot,
        Some(_) | None => "enterprises",
    };
    let mut statement = tx.prepare(&format!(
        "SELECT enterprise_id FROM {ids} WHERE enterprise_id > ?1 ORDER BY enterprise_id LIMIT 1 OFFSET ?2"
    ))?;
    let (mut ends, mut last) = (Vec::new(), String::new());
    while let Some(end) = statement
        .query_row(params![last, each - 1], |row| row.get::<_, String>(0))
        .optional()?
    {
        last.clone_from(&end);
        ends.push(end);
    }
    Ok((IdRange::ending_at(ends), count))
}

fn each_dossier_in(
    tx: &Transaction<'_>,
    range: &IdRange,
    visit: &mut dyn FnMut(Dossier) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {PIECE_COLUMNS} FROM enterprises WHERE enterprise_id > ?1 ORDER BY enterprise_id"
    ))?;
    let mut found = statement.query([range.after.as_deref().unwrap_or("")])?;
    while let Some(row) = found.next()? {
        let piece = rows::piece(row)?;
        let id = &piece.enterprise_id;
        if range
            .until
            .as_deref()
            .is_some_and(|last| id.as_str() > last)
        {
            break;
        }
        let dossier = match piece.content {
            Some((enterprise, versions)) => {
                let earlier = match piece.is_changed {
                    true => register::earlier_versions(tx, id.as_str())?,
                    false => Vec::new(),
                };
                Dossier::new(enterprise, piece.revision, earlier, versions)
            }
            None => register::dossier(tx, id)?.ok_or(StoreError::Corrupt {
                column: "enterprise_id",
            })?,
        };
        if visit(dossier).is_break() {
            break;
        }
    }
    Ok(())
}
