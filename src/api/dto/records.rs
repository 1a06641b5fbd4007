//! Records.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::codes::{RecordKind, Severity, Written};
use super::{exact, present, stated};
use crate::domain::{FieldError, Record, RecordDefaults, RecordDraft};

/// Most records in one request.
pub(crate) const MOST_RECORDS: usize = 1_000;

/// A record as a caller gives it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct RecordInput {
    /// Where it comes from; ids are unique within a source.
    #[schema(example = "penalties", min_length = 1, max_length = 64)]
    pub(crate) source: String,
    /// Its id at the source: writing it again changes nothing.
    #[schema(example = "P-2026-0042", min_length = 1, max_length = 128)]
    pub(crate) record_id: String,
    /// Whom it is about.
    #[schema(example = "91990000MA00000017", min_length = 1, max_length = 64)]
    pub(crate) enterprise_id: String,
    /// What it is about.
    #[schema(value_type = RecordKind)]
    kind: String,
    /// The day it happened or began.
    #[schema(format = Date, example = "2026-10-05")]
    occurred_on: String,
    /// The day a listing was removed, a judgment satisfied, a permit ran out.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date)]
    ended_on: Option<String>,
    /// How severe it is.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Severity>)]
    severity: Option<String>,
    /// Amount in yuan, at most two decimals.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 50000.0)]
    amount_cny: Option<f64>,
    /// A count that the kind defines.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>, maximum = 4_294_967_295_u64)]
    count: Option<u32>,
    /// Whether a complaint or report was upheld; left out while unknown.
    #[serde(default, deserialize_with = "present")]
    upheld: Option<bool>,
    /// Result codes, penalty kinds, listing reasons.
    #[serde(default)]
    codes: Vec<String>,
    /// Check item or permit that it belongs to.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64)]
    item_code: Option<String>,
    /// Complainant as a keyed pseudonym, never a name.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64)]
    party: Option<String>,
    /// The other enterprise of a link.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64)]
    related_id: Option<String>,
    /// The day it became known; default the present day, or for a what-if the day asked for.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date)]
    known_on: Option<String>,
    /// The day it was repaired; from then on it may not be used.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date)]
    repaired_on: Option<String>,
    /// The day it was found wrong or annulled; from then on it may not be used.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date)]
    withdrawn_on: Option<String>,
    /// Free text.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 2000)]
    note: Option<String>,
}

impl RecordInput {
    /// Checks it.
    pub(crate) fn parse(self, defaults: &RecordDefaults) -> Result<Record, FieldError> {
        if self.source.trim().is_empty() {
            return Err(FieldError::new(
                "source",
                &self.source,
                "is empty; name the source",
            ));
        }
        stated(&[
            ("item_code", &self.item_code),
            ("party", &self.party),
            ("related_id", &self.related_id),
        ])?;
        exact(&[
            ("ended_on", &self.ended_on),
            ("severity", &self.severity),
            ("known_on", &self.known_on),
            ("repaired_on", &self.repaired_on),
            ("withdrawn_on", &self.withdrawn_on),
        ])?;
        Record::parse(
            RecordDraft {
                record_id: self.record_id,
                enterprise_id: self.enterprise_id,
                source: Some(self.source),
                kind: self.kind,
                occurred_on: self.occurred_on,
                ended_on: self.ended_on,
                severity: self.severity,
                amount_cny: self.amount_cny,
                count: self.count,
                upheld: self.upheld,
                codes: self.codes,
                item_code: self.item_code,
                party: self.party,
                related_id: self.related_id,
                known_on: self.known_on,
                repaired_on: self.repaired_on,
                withdrawn_on: self.withdrawn_on,
                note: self.note,
            },
            defaults,
        )
    }
}

/// Records to write, all or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `records`")]
pub(crate) struct RecordsInput {
    /// The records, 1 to 1000.
    #[schema(min_items = 1, max_items = 1000)]
    pub(crate) records: Vec<RecordInput>,
}

/// What became of the records.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordsWritten {
    /// Records, in the order of the request.
    pub(crate) items: Vec<RecordWritten>,
}

/// What became of one record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordWritten {
    /// Its source.
    #[schema(example = "penalties")]
    pub(crate) source: String,
    /// Its id.
    #[schema(example = "P-2026-0042")]
    pub(crate) record_id: String,
    /// What became of it.
    pub(crate) outcome: Written,
}

/// One version of a record as the register holds it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordAnswer {
    /// Where it comes from.
    #[schema(example = "penalties")]
    source: String,
    /// Its id at the source.
    #[schema(example = "P-2026-0042")]
    record_id: String,
    /// Whom it is about.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// What it is about.
    kind: RecordKind,
    /// The day it happened or began.
    #[schema(format = Date, example = "2026-10-05")]
    occurred_on: String,
    /// The day it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    ended_on: Option<String>,
    /// How severe it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// Amount in yuan.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 50000.0)]
    amount_cny: Option<f64>,
    /// A count that the kind defines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, maximum = 4_294_967_295_u64)]
    count: Option<u32>,
    /// Whether a complaint or report was upheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    upheld: Option<bool>,
    /// Result codes, penalty kinds, listing reasons, sorted.
    codes: Vec<String>,
    /// Check item or permit that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    item_code: Option<String>,
    /// Complainant as a keyed pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    party: Option<String>,
    /// The other enterprise of a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    related_id: Option<String>,
    /// The day this version became known.
    #[schema(format = Date, example = "2026-10-09")]
    known_on: String,
    /// The day it was repaired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    repaired_on: Option<String>,
    /// The day it was found wrong or annulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    withdrawn_on: Option<String>,
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl From<Record> for RecordAnswer {
    fn from(record: Record) -> Self {
        let Record {
            source,
            record_id,
            enterprise_id,
            kind,
            occurred_on,
            ended_on,
            severity,
            amount_fen,
            count,
            upheld,
            codes,
            item_code,
            party,
            related_id,
            known_on,
            repaired_on,
            withdrawn_on,
            note,
        } = record;
        Self {
            source: source.into(),
            record_id,
            enterprise_id: enterprise_id.into(),
            kind: kind.into(),
            occurred_on: occurred_on.to_string(),
            ended_on: ended_on.map(|day| day.to_string()),
            severity: severity.map(Into::into),
            amount_cny: amount_fen.map(|fen| fen as f64 / 100.0),
            count,
            upheld,
            codes: codes.into_iter().map(Into::into).collect(),
            item_code: item_code.map(Into::into),
            party: party.map(Into::into),
            related_id: related_id.map(Into::into),
            known_on: known_on.to_string(),
            repaired_on: repaired_on.map(|day| day.to_string()),
            withdrawn_on: withdrawn_on.map(|day| day.to_string()),
            note,
        }
    }
}
