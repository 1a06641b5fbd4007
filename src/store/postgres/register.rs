//! Reading enterprises and records.

use jiff::civil::Date;
use std::sync::LazyLock;

use super::pool::Session;
use crate::domain::{Enterprise, EnterpriseId, Record};
use crate::store::rows::{
    self, EARLIER_COLUMNS, ENTERPRISE_COLUMNS, EnterpriseRow, RECORD_COLUMNS, Row,
};
use crate::store::{Counts, Dossier, StoreError};

/// Columns of `enterprises`, and so where those of a joined record begin.
const RECORD_FROM: usize = 14;

static DOSSIERS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {}, {} FROM enterprises e LEFT JOIN record_versions v USING (enterprise_id) \
         WHERE e.enterprise_id = ANY($1) ORDER BY e.enterprise_id, v.source, v.record_id, v.known_on",
        of("e", ENTERPRISE_COLUMNS),
        of("v", RECORD_COLUMNS)
    )
});

pub(super) fn store_id(tx: &mut Session) -> Result<String, StoreError> {
    let row = tx.one("SELECT store_id FROM identity", &[])?;
    Ok(rows::text(&row, 0, "store_id")?.to_owned())
}

pub(super) fn ping(tx: &mut Session) -> Result<(), StoreError> {
    tx.one("SELECT EXISTS (SELECT 1 FROM enterprises)", &[])?;
    Ok(())
}

pub(super) fn begin_import(tx: &mut Session) -> Result<i64, StoreError> {
    let row = tx.one(
        "INSERT INTO imports DEFAULT VALUES RETURNING import_no",
        &[],
    )?;
    rows::number(&row, 0, "import_no")
}

pub(super) fn enterprise(
    tx: &mut Session,
    id: &EnterpriseId,
) -> Result<Option<(Enterprise, u64)>, StoreError> {
    let sql = format!("SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id = $1");
    let found = tx.optional(&sql, &[&id.as_str()])?;
    let row = found.as_ref().map(rows::enterprise).transpose()?;
    Ok(row.map(|row| (row.enterprise, row.revision)))
}

/// Those of some enterprises that are in the register, in order of their ids, each with all versions of its records,
/// grouped by record and in order of the days from which they are known.
pub(super) fn dossiers(
    tx: &mut Session,
    ids: &[&str],
) -> Result<Vec<(EnterpriseRow, Vec<Record>)>, StoreError> {
    let mut dossiers: Vec<(EnterpriseRow, Vec<Record>)> = Vec::new();
    for row in tx.query(&DOSSIERS, &[&ids])? {
        let id = rows::text(&row, 0, "enterprise_id")?;
        let last = dossiers.last();
        if last.is_none_or(|(last, _)| last.enterprise.enterprise_id.as_str() != id) {
            dossiers.push((rows::enterprise(&row)?, Vec::new()));
        }
        // An enterprise without records comes as one row without a record.
        if row.text(RECORD_FROM, "enterprise_id")?.is_some()
            && let Some((_, versions)) = dossiers.last_mut()
        {
            versions.push(rows::record(&row, RECORD_FROM)?);
        }
    }
    Ok(dossiers)
}

pub(super) fn dossier(tx: &mut Session, id: &EnterpriseId) -> Result<Option<Dossier>, StoreError> {
    let Some((row, versions)) = dossiers(tx, &[id.as_str()])?.pop() else {
        return Ok(None);
    };
    let earlier = match row.changed_on {
        Some(_) => earlier_versions(tx, id.as_str())?,
        None => Vec::new(),
    };
    Ok(Some(row.dossier(earlier, versions)))
}

/// What an enterprise was, by the days until which it held.
pub(super) fn earlier_versions(
    tx: &mut Session,
    id: &str,
) -> Result<Vec<(Date, Enterprise)>, StoreError> {
    let sql = format!(
        "SELECT {EARLIER_COLUMNS} FROM enterprise_versions WHERE enterprise_id = $1 ORDER BY until_on"
    );
    tx.query(&sql, &[&id])?
        .iter()
        .map(rows::earlier_enterprise)
        .collect()
}

pub(super) fn enterprises_after(
    tx: &mut Session,
    after: &str,
    limit: usize,
) -> Result<Vec<(Enterprise, u64)>, StoreError> {
    let sql = format!(
        "SELECT {ENTERPRISE_COLUMNS} FROM enterprises WHERE enterprise_id > $1 \
         ORDER BY enterprise_id LIMIT $2"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    tx.query(&sql, &[&after, &limit])?
        .iter()
        .map(|row| rows::enterprise(row).map(|row| (row.enterprise, row.revision)))
        .collect()
}

pub(super) fn counts(tx: &mut Session) -> Result<Counts, StoreError> {
    // The one statement that wants whole tables.
    tx.batch("SET LOCAL enable_seqscan = on")?;
    let row = tx.one(
        "SELECT (SELECT count(*) FROM enterprises), (SELECT count(*) FROM record_versions) \
             - (SELECT count(*) FROM set_aside JOIN record_versions USING (enterprise_id))",
        &[],
    )?;
    Ok(Counts {
        enterprises: rows::number(&row, 0, "count")?,
        record_versions: rows::number(&row, 1, "count")?,
    })
}

/// A list of columns as those of the table called `table`.
pub(super) fn of(table: &str, columns: &str) -> String {
    columns
        .split(", ")
        .map(|column| format!("{table}.{column}"))
        .collect::<Vec<_>>()
        .join(", ")
}
