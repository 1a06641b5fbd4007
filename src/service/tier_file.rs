//! Tiers of a whole register: the mix and the file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::ServiceError;
use crate::domain::{EnterpriseId, Tier};
use crate::files::{FilesError, TableWriter};
use crate::model::Classification;

/// How many enterprises are in each tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierMix(BTreeMap<Tier, u64>);

impl Default for TierMix {
    fn default() -> Self {
        Self(Tier::ALL.iter().map(|tier| (*tier, 0)).collect())
    }
}

impl TierMix {
    /// Counts one enterprise.
    pub fn add(&mut self, tier: Tier) {
        *self.0.entry(tier).or_default() += 1;
    }

    /// Count by tier, from A to D.
    pub fn counts(&self) -> impl Iterator<Item = (Tier, u64)> + '_ {
        self.0.iter().map(|(tier, count)| (*tier, *count))
    }

    /// All enterprises.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// Writes `tiers.csv`: one line per enterprise in id order.
pub struct TierWriter(TableWriter<Box<dyn Write + Send>>);

impl TierWriter {
    /// Creates the file; `-` is standard output.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    pub fn create(path: &Path) -> Result<Self, ServiceError> {
        let columns = [
            "enterprise_id",
            "tier",
            "points",
            "scored_tier",
            "as_of",
            "next_change_on",
        ];
        Ok(Self(TableWriter::create(path, &columns)?))
    }

    /// Writes one line.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(
        &mut self,
        id: &EnterpriseId,
        classification: &Classification,
    ) -> Result<(), FilesError> {
        self.0.row([
            id.as_str(),
            classification.tier.as_str(),
            &classification.points.to_string(),
            classification.scored_tier.as_str(),
            &classification.as_of.day.to_string(),
            &classification
                .next_change_on
                .map(|day| day.to_string())
                .unwrap_or_default(),
        ])
    }

    /// Completes the file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(self) -> Result<(), FilesError> {
        self.0.finish()
    }
}
