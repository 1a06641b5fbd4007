//! What a run notes of a part that it has scanned: the own halves of the tiers, one after the other in order of ids.
//!
//! A part is read as a whole and never changed. Bytes of another release are refused, and the run begins anew.

use super::ServiceError;
use crate::domain::EnterpriseId;
use crate::domain::compact::{CompactReader, CompactWriter, NotCompact};
use crate::model::Provisional;

/// Format and version of the bytes.
const MARK: &[u8] = &[1];

/// One enterprise of a scanned part.
pub(super) struct ScannedRow {
    pub(super) enterprise_id: EnterpriseId,
    /// The revision that the half was computed from.
    pub(super) revision: u64,
    pub(super) own: Provisional,
}

/// Writes a part, row by row.
pub(super) struct ScannedPart {
    rows: CompactWriter,
    row_count: u64,
}

impl ScannedPart {
    pub(super) fn new() -> Self {
        Self {
            rows: CompactWriter::new(MARK),
            row_count: 0,
        }
    }

    /// Adds a row; ids must rise.
    pub(super) fn add(&mut self, id: &EnterpriseId, revision: u64, own: &Provisional) {
        self.rows.text(id.as_str());
        self.rows.number(revision);
        self.rows.nested(|writer| own.write(writer));
        self.row_count += 1;
    }

    pub(super) fn row_count(&self) -> u64 {
        self.row_count
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.rows.into_bytes()
    }

    /// Goes through the rows of a part for which `wants` says so by their ids.
    pub(super) fn read(
        bytes: &[u8],
        mut wants: impl FnMut(&str) -> bool,
        mut take: impl FnMut(ScannedRow),
    ) -> Result<(), ServiceError> {
        let mut read = || -> Result<(), NotCompact> {
            let mut reader = CompactReader::new(bytes, MARK)?;
            while !reader.is_at_end() {
                let id = reader.text()?;
                let revision = reader.number()?;
                let mut half = reader.nested()?;
                if !wants(id) {
                    continue;
                }
                let own = Provisional::read(&mut half)?;
                half.end()?;
                take(ScannedRow {
                    enterprise_id: EnterpriseId::from_kept(id)
                        .ok_or_else(|| reader.wrong("an id"))?,
                    revision,
                    own,
                });
            }
            Ok(())
        };
        read().map_err(|error| ServiceError::Internal(error.to_string()))
    }
}
