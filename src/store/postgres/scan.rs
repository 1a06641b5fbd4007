//! Going through the register in ranges of ids.

use std::ops::ControlFlow;

use super::PostgresStore;
use super::copy::literal;
use super::pool::Session;
use super::register::{earlier_versions, versions_of};
use crate::domain::{Enterprise, Record};
use crate::store::rows::{self, ENTERPRISE_COLUMNS, EnterpriseRow, Row as _};
use crate::store::{Dossier, IdRange, RunStore as _, Scan, StoreError, packed};

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

/// Goes through both tables side by side, page by page, so that memory is bounded by one page.
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
            "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id > {} {until} \
             ORDER BY enterprise_id LIMIT {PAGE}",
            literal(&after)
        );
        tx.copy_out(&query, |row| {
            let EnterpriseRow {
                enterprise,
                revision,
                import_no: _,
                changed_on,
            } = rows::enterprise(row)?;
            page.push(Found {
                enterprise,
                revision,
                is_changed: changed_on.is_some(),
                versions: Vec::new(),
                is_packed: true,
            });
            Ok(())
        })?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        let last = last.enterprise.enterprise_id.to_string();
        read_versions(tx, &after, &last, &mut page)?;
        for found in page {
            let id = &found.enterprise.enterprise_id;
            let earlier = if found.is_changed {
                earlier_versions(tx, id.as_str())?
            } else {
                Vec::new()
            };
            let versions = if found.is_packed {
                found.versions
            } else {
                versions_of(tx, id)?
            };
            let dossier = Dossier::new(found.enterprise, found.revision, earlier, versions);
            if visit(dossier).is_break() {
                return Ok(());
            }
        }
        after = last;
    }
}

/// An enterprise of a page.
struct Found {
    enterprise: Enterprise,
    revision: u64,
    /// Whether it was something else before.
    is_changed: bool,
    versions: Vec<Record>,
    /// Whether all its versions were there in one piece each.
    is_packed: bool,
}

/// Reads the records of a page of enterprises; both come in the order of ids.
fn read_versions(
    tx: &mut Session,
    after: &str,
    last: &str,
    page: &mut [Found],
) -> Result<(), StoreError> {
    let query = format!(
        "SELECT enterprise_id, packed FROM record_versions WHERE enterprise_id > {} AND enterprise_id <= {} \
         ORDER BY enterprise_id, source, record_id, known_on",
        literal(after),
        literal(last)
    );
    let mut page = page.iter_mut().peekable();
    tx.copy_out(&query, |row| {
        let id = rows::text(row, 0, "enterprise_id")?;
        while page
            .next_if(|found| found.enterprise.enterprise_id.as_str() < id)
            .is_some()
        {}
        // What is of none of them is of an enterprise that is not in the register.
        if let Some(found) = page
            .peek_mut()
            .filter(|found| found.enterprise.enterprise_id.as_str() == id)
        {
            match row.bytes(1, "packed")? {
                Some(bytes) => {
                    let version = packed::unpack(&found.enterprise.enterprise_id, bytes)?;
                    found.versions.push(version);
                }
                None => found.is_packed = false,
            }
        }
        Ok(())
    })
}
