//! Going through the register in ranges of ids.

use std::ops::ControlFlow;

use super::PostgresStore;
use super::pool::Session;
use super::register::earlier_versions;
use crate::domain::Record;
use crate::store::rows::{self, ENTERPRISE_COLUMNS, RECORD_COLUMNS};
use crate::store::{Dossier, IdRange, Scan, StoreError};

/// Enterprises whose dossiers are in memory at once.
const PAGE: i64 = 2_000;
/// Pages of the table that are looked at to find the ends of ranges.
const SAMPLED_PAGES: i64 = 1_000;

impl Scan for PostgresStore {
    fn id_ranges(&self, parts: usize) -> Result<Vec<IdRange>, StoreError> {
        self.pool.read(|tx| id_ranges(tx, parts))
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

/// Goes through both tables side by side, page by page, so that memory is bounded by one page.
fn each_dossier_in(
    tx: &mut Session,
    range: &IdRange,
    visit: &mut dyn FnMut(Dossier) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let enterprises = format!(
        "SELECT {ENTERPRISE_COLUMNS} FROM enterprises \
         WHERE enterprise_id > $1 AND ($2::text IS NULL OR enterprise_id <= $2) ORDER BY enterprise_id LIMIT $3"
    );
    let records_between = format!(
        "SELECT {RECORD_COLUMNS} FROM record_versions WHERE enterprise_id > $1 AND enterprise_id <= $2 \
         ORDER BY enterprise_id, source, record_id, known_on"
    );
    let mut after = range.after.clone().unwrap_or_default();
    loop {
        let page = tx
            .query(&enterprises, &[&after, &range.until, &PAGE])?
            .iter()
            .map(rows::enterprise)
            .collect::<Result<Vec<_>, _>>()?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        let last = last.enterprise.enterprise_id.to_string();
        let records = tx.query(&records_between, &[&after, &last])?;
        let mut records = records.iter().map(|row| rows::record(row, 0));
        let mut pending: Option<Record> = records.next().transpose()?;
        for row in page {
            let earlier = match row.changed_on {
                Some(_) => earlier_versions(tx, row.enterprise.enterprise_id.as_str())?,
                None => Vec::new(),
            };
            let mut versions = Vec::new();
            // Records of smaller ids are of enterprises that are not in the register.
            while let Some(record) =
                pending.take_if(|record| record.enterprise_id <= row.enterprise.enterprise_id)
            {
                if record.enterprise_id == row.enterprise.enterprise_id {
                    versions.push(record);
                }
                pending = records.next().transpose()?;
            }
            if visit(Dossier::new(
                row.enterprise,
                row.revision,
                earlier,
                versions,
            ))
            .is_break()
            {
                return Ok(());
            }
        }
        after = last;
    }
}
