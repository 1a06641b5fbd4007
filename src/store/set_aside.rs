//! Records of enterprises that are not in the register.
//!
//! They are kept like all others, under the same law of arrival, and belong to the enterprise in the moment when it
//! arrives: so it makes no difference which of the two came first. Until then they are part of no dossier, and their ids
//! are taken as those of other records are.

use jiff::civil::Date;

use super::StoreError;
use crate::domain::Record;

/// What names one version of one record, and its place in lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionKey {
    /// Whom the record is about.
    pub enterprise_id: String,
    /// Where it comes from.
    pub source: String,
    /// Its id there.
    pub record_id: String,
    /// The day on which the version became known.
    pub known_on: Date,
}

impl VersionKey {
    /// The key of a version.
    pub fn of(version: &Record) -> Self {
        Self {
            enterprise_id: version.enterprise_id.to_string(),
            source: version.source.to_string(),
            record_id: version.record_id.clone(),
            known_on: version.known_on,
        }
    }
}

/// Reading what is set aside.
pub trait SetAside {
    /// Versions of records that are set aside, in order of enterprise, source, record and `known_on`, after the version
    /// `after`, at most `limit`.
    fn set_aside_after(
        &self,
        after: Option<&VersionKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError>;
}
