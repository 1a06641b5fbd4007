//! Rows of the embedded store to values and back.

use rusqlite::Row;
use std::collections::{BTreeMap, BTreeSet};

use super::{StoreError, StoredTier};
use crate::domain::dates::from_epoch_day;
use crate::domain::{
    Enterprise, EnterpriseId, EnterpriseKind, EnterpriseSize, EnterpriseStatus, Epoch, Label,
    Record, RecordKind, Severity, Tier,
};

/// Columns of `enterprises` in the order that [`enterprise`] reads.
pub(super) const ENTERPRISE_COLUMNS: &str = "enterprise_id, revision, name, kind, owner_id, division, industry, \
     established_on, status, size, tags, attributes, import_no";

/// Columns of `record_versions` in the order that [`record`] reads.
pub(super) const RECORD_COLUMNS: &str = "enterprise_id, source, record_id, known_on, kind, occurred_on, ended_on, \
     severity, amount_fen, count, upheld, codes, item_code, party, related_id, repaired_on, withdrawn_on, note, \
     import_no, stated_on";

pub(super) fn enterprise(row: &Row<'_>) -> Result<(Enterprise, u64), StoreError> {
    let enterprise = Enterprise {
        enterprise_id: id(row, 0, "enterprise_id")?,
        name: row.get(2)?,
        kind: code(row, 3, "kind", EnterpriseKind::from_code)?,
        owner_id: optional_id(row, 4, "owner_id")?,
        division: optional_label(row, 5, "division")?,
        industry: optional_label(row, 6, "industry")?,
        established_on: row.get::<_, Option<i32>>(7)?.map(from_epoch_day),
        status: code(row, 8, "status", EnterpriseStatus::from_code)?,
        size: code(row, 9, "size", EnterpriseSize::from_code)?,
        tags: json::<BTreeSet<Label>>(row, 10, "tags")?,
        attributes: json::<BTreeMap<Label, f64>>(row, 11, "attributes")?,
    };
    Ok((enterprise, row.get(1)?))
}

pub(super) fn record(row: &Row<'_>) -> Result<Record, StoreError> {
    Ok(Record {
        enterprise_id: id(row, 0, "enterprise_id")?,
        source: label(row, 1, "source")?,
        record_id: row.get(2)?,
        known_on: from_epoch_day(row.get(3)?),
        kind: code(row, 4, "kind", RecordKind::from_code)?,
        occurred_on: from_epoch_day(row.get(5)?),
        ended_on: row.get::<_, Option<i32>>(6)?.map(from_epoch_day),
        severity: row
            .get::<_, Option<u8>>(7)?
            .map(|number| {
                Severity::from_code(number).ok_or(StoreError::Corrupt { column: "severity" })
            })
            .transpose()?,
        amount_fen: row.get(8)?,
        count: row.get(9)?,
        upheld: row.get(10)?,
        codes: json::<Vec<Label>>(row, 11, "codes")?,
        item_code: optional_label(row, 12, "item_code")?,
        party: optional_label(row, 13, "party")?,
        related_id: optional_id(row, 14, "related_id")?,
        repaired_on: row.get::<_, Option<i32>>(15)?.map(from_epoch_day),
        withdrawn_on: row.get::<_, Option<i32>>(16)?.map(from_epoch_day),
        note: row.get(17)?,
    })
}

/// Reads `epoch, revision, tier, points, as_of, next_change_on` from column `at` on; `None` where the row has none.
pub(super) fn stored_tier(
    row: &Row<'_>,
    at: usize,
) -> Result<Option<(Epoch, StoredTier)>, StoreError> {
    let Some(epoch) = row.get::<_, Option<String>>(at)? else {
        return Ok(None);
    };
    let epoch = epoch
        .parse()
        .map_err(|_| StoreError::Corrupt { column: "epoch" })?;
    let stored = StoredTier {
        revision: row.get(at + 1)?,
        tier: code(row, at + 2, "tier", Tier::from_code)?,
        points: row.get(at + 3)?,
        as_of: from_epoch_day(row.get(at + 4)?),
        next_change_on: row.get::<_, Option<i32>>(at + 5)?.map(from_epoch_day),
    };
    Ok(Some((epoch, stored)))
}

pub(super) fn id(
    row: &Row<'_>,
    at: usize,
    column: &'static str,
) -> Result<EnterpriseId, StoreError> {
    EnterpriseId::parse(
        row.get_ref(at)?
            .as_str()
            .map_err(|_| StoreError::Corrupt { column })?,
    )
    .map_err(|_| StoreError::Corrupt { column })
}

fn optional_id(
    row: &Row<'_>,
    at: usize,
    column: &'static str,
) -> Result<Option<EnterpriseId>, StoreError> {
    let text: Option<String> = row.get(at)?;
    text.map(|text| EnterpriseId::parse(&text).map_err(|_| StoreError::Corrupt { column }))
        .transpose()
}

fn label(row: &Row<'_>, at: usize, column: &'static str) -> Result<Label, StoreError> {
    Label::parse(
        row.get_ref(at)?
            .as_str()
            .map_err(|_| StoreError::Corrupt { column })?,
    )
    .map_err(|_| StoreError::Corrupt { column })
}

fn optional_label(
    row: &Row<'_>,
    at: usize,
    column: &'static str,
) -> Result<Option<Label>, StoreError> {
    let text: Option<String> = row.get(at)?;
    text.map(|text| Label::parse(&text).map_err(|_| StoreError::Corrupt { column }))
        .transpose()
}

fn code<T>(
    row: &Row<'_>,
    at: usize,
    column: &'static str,
    from_code: impl Fn(u8) -> Option<T>,
) -> Result<T, StoreError> {
    from_code(row.get(at)?).ok_or(StoreError::Corrupt { column })
}

fn json<T: serde::de::DeserializeOwned + Default>(
    row: &Row<'_>,
    at: usize,
    column: &'static str,
) -> Result<T, StoreError> {
    let text = row
        .get_ref(at)?
        .as_str()
        .map_err(|_| StoreError::Corrupt { column })?;
    // Most rows carry no tags, codes or attributes; they need no parser.
    if text == "[]" || text == "{}" {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { column })
}
