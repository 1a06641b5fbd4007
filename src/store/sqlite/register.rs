//! Enterprises and records.

use jiff::civil::Date;
use rusqlite::{Transaction, params};

use crate::domain::{Enterprise, EnterpriseId, Record};
use crate::store::rows::{
    self, EARLIER_COLUMNS, ENTERPRISE_COLUMNS, EnterpriseRow, RECORD_COLUMNS,
};
use crate::store::{Counts, Dossier, StoreError};

pub(super) fn store_id(tx: &Transaction<'_>) -> Result<String, StoreError> {
    Ok(tx.query_row("SELECT store_id FROM identity", [], |row| row.get(0))?)
}

pub(super) fn begin_import(tx: &Transaction<'_>) -> Result<i64, StoreError> {
    tx.execute(
        "INSERT INTO imports (started_at) VALUES (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
        [],
    )?;
    Ok(tx.last_insert_rowid())
}

pub(super) fn enterprise(
    tx: &Transaction<'_>,
    id: &EnterpriseId,
) -> Result<Option<(Enterprise, u64)>, StoreError> {
    Ok(enterprise_row(tx, id)?.map(|row| (row.enterprise, row.revision)))
}

pub(super) fn dossier(
    tx: &Transaction<'_>,
    id: &EnterpriseId,
) -> Result<Option<Dossier>, StoreError> {
    let Some(row) = enterprise_row(tx, id)? else {
        return Ok(None);
    };
    let versions = versions_of(tx, id)?;
    let earlier = match row.changed_on {
        Some(_) => earlier_versions(tx, id.as_str())?,
        None => Vec::new(),
    };
    Ok(Some(row.dossier(earlier, versions)))
}

/// All versions of an enterprise's records, grouped by record and in order of the days from which they are known.
pub(super) fn versions_of(
    tx: &Transaction<'_>,
    id: &EnterpriseId,
) -> Result<Vec<Record>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {RECORD_COLUMNS} FROM record_versions WHERE enterprise_id = ?1 \
         ORDER BY source, record_id, known_on"
    ))?;
    let mut found = statement.query([id.as_str()])?;
    let mut versions = Vec::new();
    while let Some(version) = found.next()? {
        versions.push(rows::record_of(id.clone(), version, 0)?);
    }
    Ok(versions)
}

/// What an enterprise was, by the days until which it held.
pub(super) fn earlier_versions(
    tx: &Transaction<'_>,
    id: &str,
) -> Result<Vec<(Date, Enterprise)>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {EARLIER_COLUMNS} FROM enterprise_versions WHERE enterprise_id = ?1 ORDER BY until_on"
    ))?;
    let mut found = statement.query([id])?;
    let mut earlier = Vec::new();
    while let Some(row) = found.next()? {
        earlier.push(rows::earlier_enterprise(row)?);
    }
    Ok(earlier)
}

pub(super) fn enterprises_after(
    tx: &Transaction<'_>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(Enterprise, u64)>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
                "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id > ?1 ORDER BY enterprise_id LIMIT ?2"
            ))?;
    let mut found = statement.query(params![after.unwrap_or(""), limit])?;
    let mut page = Vec::new();
    while let Some(row) = found.next()? {
        let row = rows::enterprise(row)?;
        page.push((row.enterprise, row.revision));
    }
    Ok(page)
}

/// Enterprises in the register, without going through them.
pub(super) fn enterprise_count(tx: &Transaction<'_>) -> Result<u64, StoreError> {
    Ok(
        tx.query_row("SELECT enterprises FROM register_size", [], |row| {
            row.get(0)
        })?,
    )
}

pub(super) fn counts(tx: &Transaction<'_>) -> Result<Counts, StoreError> {
    let set_aside = count(tx, "set_aside JOIN record_versions USING (enterprise_id)")?;
    Ok(Counts {
        enterprises: count(tx, "enterprises")?,
        record_versions: count(tx, "record_versions")?.saturating_sub(set_aside),
    })
}

/// Counts the rows of a table or join by going through them.
pub(super) fn count(tx: &Transaction<'_>, of: &str) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM {of}");
    Ok(tx.query_row(&sql, [], |row| row.get(0))?)
}

pub(super) fn enterprise_row(
    tx: &Transaction<'_>,
    id: &EnterpriseId,
) -> Result<Option<EnterpriseRow>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id = ?1"
    ))?;
    let mut found = statement.query([id.as_str()])?;
    found.next()?.map(rows::enterprise).transpose()
}
