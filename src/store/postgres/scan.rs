//! Going through the register in ranges of ids.

use std::ops::ControlFlow;

use super::PostgresStore;
use super::copy::literal;
use super::pool::Session;
use super::register::{dossiers, earlier_versions};
use crate::store::rows::{self, PIECE_COLUMNS};
use crate::store::{Dossier, IdRange, RunStore as _, Scan, StoreError};

/// Enterprises whose dossiers are in memory at once.
const PAGE: usize = 5_000;
/// Pages of the table that are looked at to find the ends of ranges.
const SAMPLED_PAGES: i64 = 1_000;

impl Scan for PostgresStore {
    fn parts_of(&self, each: u64) -> Result<(Vec<IdRange>, u64), StoreError> {
        let count = self.enterprise_count()?;
        let parts = usize::try_from(count / each.max(1) + 1).unwrap_or(usize::MAX);
        let ranges = self.pool.read(|tx| id_ranges(tx, parts))?;
        Ok((ranges, count))
    }

    fn each_dossier_in(
        &self,
        range: &IdRange,
        visit: &mut dyn FnMut(Dossier) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        // A walk that has shown something is not begun again: the caller would see it twice.
        let mut begun = false;
        self.pool.read_at_one_instant(|tx| {
            if begun {
                return Err(StoreError::Aborted(
                    "the connection was lost while the register was read; repeat the call".into(),
                ));
            }
            each_dossier_in(tx, range, &mut |dossier| {
                begun = true;
                visit(dossier)
            })
        })
    }
}

/// Takes the ends of the ranges from a sample of the table's pages, which are all of them while there are few.
fn id_ranges(tx: &mut Session, parts: usize) -> Result<Vec<IdRange>, StoreError> {
    let size = tx.one(
        "SELECT pg_relation_size('enterprises') / current_setting('block_size')::bigint",
        &[],
    )?;
    let pages: i64 = rows::number(&size, 0, "pages")?;
    let percent = (100.0 * SAMPLED_PAGES as f64 / pages.max(1) as f64).min(100.0);
    let sample = tx.query(
        "SELECT enterprise_id FROM enterprises TABLESAMPLE SYSTEM ($1) ORDER BY enterprise_id",
        &[&(percent as f32)],
    )?;
    let parts = parts.max(1);
    let ends = (1..parts)
        .filter_map(|part| (sample.len() * part / parts).checked_sub(1))
        .filter_map(|place| sample.get(place))
        .map(|row| Ok(rows::text(row, 0, "enterprise_id")?.to_owned()))
        .collect::<Result<Vec<_>, StoreError>>()?;
    Ok(IdRange::ending_at(ends))
}

/// Goes through the pieces page by page, so that memory is bounded by one page.
fn each_dossier_in(
    tx: &mut Session,
    range: &IdRange,
    visit: &mut dyn FnMut(Dossier) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut after = range.after.clone().unwrap_or_default();
    let until = range.until.as_deref().map(literal);
    let until = until.map_or_else(String::new, |until| format!("AND enterprise_id <= {until}"));
    loop {
        let mut page = Vec::with_capacity(PAGE);
        let query = format!(
            "SELECT {PIECE_COLUMNS} FROM enterprises WHERE enterprise_id > {} {until} \
             ORDER BY enterprise_id LIMIT {PAGE}",
            literal(&after)
        );
        tx.copy_out(&query, |row| {
            page.push(rows::piece(row)?);
            Ok(())
        })?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.enterprise_id.to_string();
        let unpacked = page.iter().filter(|piece| piece.content.is_none());
        let unpacked: Vec<&str> = unpacked.map(|piece| piece.enterprise_id.as_str()).collect();
        // Both are in order of ids.
        let mut unpacked = match unpacked.as_slice() {
            [] => Vec::new(),
            ids => dossiers(tx, ids)?,
        }
        .into_iter();
        for piece in page {
            let id = &piece.enterprise_id;
            let earlier = match piece.is_changed {
                true => earlier_versions(tx, id.as_str())?,
                false => Vec::new(),
            };
            let content = piece.content.or_else(|| {
                let (row, versions) = unpacked.next()?;
                Some((row.enterprise, versions))
            });
            let (enterprise, versions) = content.ok_or(StoreError::Corrupt { column: "packed" })?;
            let dossier = Dossier::new(enterprise, piece.revision, earlier, versions);
            if visit(dossier).is_break() {
                return Ok(());
            }
        }
    }
}
