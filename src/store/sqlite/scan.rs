//! Going through the register in ranges of ids.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::{OptionalExtension, Transaction, params};
use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::{CACHE_KIB, SqliteStore, register};
use crate::store::rows::{self, ENTERPRISE_COLUMNS, EnterpriseRow, Row as _};
use crate::store::{Dossier, IdRange, Scan, StoreError, packed};

/// Memory for the pages of a connection while it walks through the register, in KiB.
const WALK_KIB: i64 = 1_024;

/// Versions for which there is room beforehand.
const USUAL_VERSIONS: usize = 8;

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
    let mut statement = tx.prepare(
        "SELECT enterprise_id FROM enterprises WHERE enterprise_id > ?1 ORDER BY enterprise_id LIMIT 1 OFFSET ?2",
    )?;
    let (mut ends, mut last) = (Vec::new(), String::new());
    while let Some(end) = statement
        .query_row(params![last, each - 1], |row| row.get::<_, String>(0))
        .optional()?
    {
        last.clone_from(&end);
        ends.push(end);
    }
    let rest: u64 = tx.query_row(
        "SELECT count(*) FROM enterprises WHERE enterprise_id > ?1",
        [last],
        |row| row.get(0),
    )?;
    let count = each * ends.len() as u64 + rest;
    Ok((IdRange::ending_at(ends), count))
}

fn each_dossier_in(
    tx: &Transaction<'_>,
    range: &IdRange,
    visit: &mut dyn FnMut(Dossier) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    // Both tables are keyed by enterprise, so one walk through each, side by side, reads every page once.
    let mut enterprises = tx.prepare_cached(&format!(
        "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id > ?1 ORDER BY enterprise_id"
    ))?;
    let mut records = tx.prepare_cached(
        "SELECT enterprise_id, packed FROM record_versions WHERE enterprise_id > ?1 \
         ORDER BY enterprise_id, source, record_id, known_on",
    )?;
    let after = range.after.as_deref().unwrap_or("");
    let mut enterprises = enterprises.query([after])?;
    let mut records = records.query([after])?;
    records.advance()?;
    while let Some(row) = enterprises.next()? {
        let EnterpriseRow {
            enterprise,
            revision,
            import_no: _,
            changed_on,
        } = rows::enterprise(row)?;
        let id = &enterprise.enterprise_id;
        if range
            .until
            .as_deref()
            .is_some_and(|last| id.as_str() > last)
        {
            break;
        }
        let earlier = match changed_on {
            Some(_) => register::earlier_versions(tx, id.as_str())?,
            None => Vec::new(),
        };
        let (mut versions, mut is_packed) = (Vec::with_capacity(USUAL_VERSIONS), true);
        while let Some(record) = records.get() {
            let of = record.get_ref(0)?.as_bytes_or_null();
            let of = of.ok().flatten().ok_or(StoreError::Corrupt {
                column: "enterprise_id",
            })?;
            match of.cmp(id.as_str().as_bytes()) {
                // Of an enterprise that is not in the register.
                Ordering::Less => {}
                Ordering::Equal => match record.bytes(1, "packed")? {
                    Some(bytes) => versions.push(packed::unpack(id, bytes)?),
                    None => is_packed = false,
                },
                Ordering::Greater => break,
            }
            records.advance()?;
        }
        if !is_packed {
            versions = register::versions_of(tx, id)?;
        }
        if visit(Dossier::new(enterprise, revision, earlier, versions)).is_break() {
            break;
        }
    }
    Ok(())
}
