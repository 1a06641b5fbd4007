//! Strata (层): the cells of a pool within which every object has the same rate.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::frame::Frame;
use super::policy::PolicyError;
use super::rate::{Rate, RateRule};
use crate::domain::Tier;

/// What a stratum stands for. Internal: outside the internal edition strata carry opaque keys only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratumMeaning {
    /// Tier of its objects.
    pub tier: Tier,
    /// Division of its objects; empty where none is known.
    pub division: String,
    /// Complaint band of its objects.
    pub complaint_band: String,
    /// Rate of its objects in the plan.
    pub rate: Rate,
}

/// A stratum of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stratum {
    /// Opaque key `S001`, …, in the order of the meanings.
    pub key: String,
    /// What it stands for.
    pub meaning: StratumMeaning,
    /// Positions of its objects in the frame, rising.
    pub members: Vec<usize>,
}

/// Partitions the members of a pool by tier, division, band and rate.
pub fn stratify(
    frame: &Frame,
    members: &[usize],
    rule: &RateRule<'_>,
) -> Result<Vec<Stratum>, PolicyError> {
    let mut cells: BTreeMap<StratumMeaning, Vec<usize>> = BTreeMap::new();
    for &position in members {
        let Some(row) = frame.rows().get(position) else {
            continue;
        };
        let meaning = StratumMeaning {
            tier: row.tier,
            division: row
                .division
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            complaint_band: row.complaint_band.to_string(),
            rate: rule.of(row)?,
        };
        cells.entry(meaning).or_default().push(position);
    }
    // Keys are padded to one width, so that their byte order is the order of the meanings.
    let width = cells.len().to_string().len().max(3);
    Ok(cells
        .into_iter()
        .enumerate()
        .map(|(index, (meaning, members))| Stratum {
            key: format!("S{:0width$}", index + 1),
            meaning,
            members,
        })
        .collect())
}
