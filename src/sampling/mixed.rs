//! Strata of mixed rates, for method `pareto`: within one of them each object is drawn in proportion to its size.
//!
//! Equal probability needs strata of one rate, of which a county may have many with few objects each. Here all bands and
//! multipliers of a tier and division stand together: the target is the sum of their targets, and where the size is the
//! rate, every object keeps the inclusion probability that its own stratum would have given it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::frame::Frame;
use super::strata::{Stratum, StratumMeaning};

/// Complaint band of a stratum whose objects are in several.
pub const MIXED_BAND: &str = "mixed";

/// What an object's size is, for method `pareto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeMeasure {
    /// The visits that the allocation gives it, in parts per billion; at least 1.
    #[default]
    Rate,
    /// Its points and one more, so that nobody has none.
    Points,
    /// Its complaint ratio to its peers, in thousandths; at least 1.
    ComplaintRatio,
}

impl SizeMeasure {
    /// The word used in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Points => "points",
            Self::ComplaintRatio => "complaint_ratio",
        }
    }
}

/// Strata of mixed rates with what each object counts in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mixed {
    /// The strata, with keys of their own in the order of tier and division. Where rates differ, the meaning's rate and
    /// its factors are means over the objects, rounded down, and the band is [`MIXED_BAND`].
    pub strata: Vec<Stratum>,
    /// The target of each, in parts per billion of a visit.
    pub targets_ppb: Vec<u64>,
    /// The size of each object, in the order of each stratum's members.
    pub sizes: Vec<Vec<u32>>,
}

/// Joins the strata of one tier and division, and of whatever else they are of. `targets_ppb` are the targets of the strata given.
#[must_use]
pub fn mix(
    frame: &Frame,
    strata: Vec<Stratum>,
    targets_ppb: &[u64],
    measure: SizeMeasure,
) -> Mixed {
    let mut cells: BTreeMap<_, Cell> = BTreeMap::new();
    for (stratum, target_ppb) in strata.into_iter().zip(targets_ppb) {
        let each = target_ppb / (stratum.members.len() as u64).max(1);
        let size = |position: &usize| {
            let row = frame.rows().get(*position);
            let size = match measure {
                SizeMeasure::Rate => each,
                SizeMeasure::Points => row.map_or(1, |row| u64::from(row.points) + 1),
                SizeMeasure::ComplaintRatio => row.map_or(1, |row| row.complaint_ratio_milli),
            };
            (*position, u32::try_from(size.max(1)).unwrap_or(u32::MAX))
        };
        let members = stratum.members.iter().map(size);
        let StratumMeaning {
            tier,
            division,
            beside,
            complaint_band: _,
            rate: _,
        } = &stratum.meaning;
        let cell = cells
            .entry((*tier, division.clone(), beside.clone()))
            .or_insert_with(|| Cell::new(&stratum.meaning));
        cell.members.extend(members);
        cell.target_ppb += target_ppb;
        cell.add(&stratum);
    }
    let width = cells.len().to_string().len().max(3);
    let mut mixed = Mixed {
        strata: Vec::new(),
        targets_ppb: Vec::new(),
        sizes: Vec::new(),
    };
    for (index, cell) in cells.into_values().enumerate() {
        let meaning = cell.meaning();
        let mut members = cell.members;
        members.sort_unstable_by_key(|(position, _)| *position);
        let (members, sizes) = members.into_iter().unzip();
        mixed.strata.push(Stratum {
            key: format!("S{:0width$}", index + 1),
            meaning,
            members,
        });
        mixed.targets_ppb.push(cell.target_ppb);
        mixed.sizes.push(sizes);
    }
    mixed
}

/// A stratum of mixed rates while it is joined.
struct Cell {
    first: StratumMeaning,
    is_mixed: bool,
    members: Vec<(usize, u32)>,
    target_ppb: u64,
    /// Sums over the objects of the parts of their rates.
    sums: [u128; 4],
}

impl Cell {
    fn new(first: &StratumMeaning) -> Self {
        Self {
            first: first.clone(),
            is_mixed: false,
            members: Vec::new(),
            target_ppb: 0,
            sums: [0; 4],
        }
    }

    fn add(&mut self, stratum: &Stratum) {
        let rate = &stratum.meaning.rate;
        let parts = [
            rate.tier_rate_ppb,
            rate.band_multiplier_milli,
            rate.tag_multiplier_milli,
            rate.rate_ppb,
        ];
        for (sum, part) in self.sums.iter_mut().zip(parts) {
            *sum += u128::from(part) * stratum.members.len() as u128;
        }
        self.is_mixed |= self.first.complaint_band != stratum.meaning.complaint_band;
    }

    fn meaning(&self) -> StratumMeaning {
        let mut meaning = self.first.clone();
        let objects = (self.members.len() as u128).max(1);
        let [tier, band, tag, rate] = self
            .sums
            .map(|sum| u64::try_from(sum / objects).unwrap_or(u64::MAX));
        meaning.rate.tier_rate_ppb = tier;
        meaning.rate.band_multiplier_milli = band;
        meaning.rate.tag_multiplier_milli = tag;
        meaning.rate.rate_ppb = rate;
        if self.is_mixed {
            meaning.complaint_band = MIXED_BAND.to_owned();
        }
        meaning
    }
}
