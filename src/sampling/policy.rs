//! The sampling part of a policy: how often, by tier, complaints and tags.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::plan::PPB;
use crate::domain::{ItemClass, Label, Tier};

/// The `[sampling]` part of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingPolicy {
    /// Rates by item class.
    pub rates: ClassRates,
    /// Nobody's rate in a plan by the policy's rates lies below this share; 0 leaves the smallest rate there is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub least_rate: f64,
    /// Bounds on the share of all objects that general items check in a year.
    pub overall: OverallBounds,
    /// How often one object may be visited for general items.
    #[serde(default)]
    pub visits: VisitLimits,
    /// The complaint overlay.
    pub complaints: ComplaintOverlay,
    /// Multipliers by tag.
    #[serde(default)]
    pub tags: BTreeMap<Label, f64>,
}

/// Rates by class of check item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRates {
    /// General items (一般检查事项).
    pub general: TierRates,
    /// Key items (重点检查事项).
    pub key: TierRates,
}

/// What a rate is a rate of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateBasis {
    /// Per year: a plan takes the share of the year that it covers.
    Annual,
    /// Per plan row, as given.
    Row,
}

/// A rate per tier, each above 0 and at most 1, never falling from A to D.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierRates {
    /// What the rates are rates of.
    pub basis: RateBasis,
    /// Rate of tier A.
    #[serde(rename = "A")]
    pub a: f64,
    /// Rate of tier B.
    #[serde(rename = "B")]
    pub b: f64,
    /// Rate of tier C.
    #[serde(rename = "C")]
    pub c: f64,
    /// Rate of tier D.
    #[serde(rename = "D")]
    pub d: f64,
}

/// Bounds on the overall annual rate of general items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverallBounds {
    /// Below it all rates are scaled up.
    pub floor: f64,
    /// Above it a plan carries a warning.
    pub ceiling: f64,
    /// Whether rates are scaled up further where the ledger shows that the year lags behind the floor: so that plans
    /// over all objects for the rest of the year would still reach it. Off for a ledger that began within the year.
    #[serde(default, skip_serializing_if = "is_false")]
    pub catch_up: bool,
}

/// Limits of planned visits for general items, over all plans and departments; key items, and visits outside the plans,
/// are counted and not bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitLimits {
    /// Most visits of one object in a calendar year, by its tier.
    pub cap: ByTier,
    /// Least days between two visits of one object, by its tier.
    pub gap_days: ByTier,
}

/// A whole number for each tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByTier {
    /// For tier A.
    #[serde(rename = "A")]
    pub a: u16,
    /// For tier B.
    #[serde(rename = "B")]
    pub b: u16,
    /// For tier C.
    #[serde(rename = "C")]
    pub c: u16,
    /// For tier D.
    #[serde(rename = "D")]
    pub d: u16,
}

impl ByTier {
    /// The number of a tier.
    pub fn of(&self, tier: Tier) -> u16 {
        match tier {
            Tier::A => self.a,
            Tier::B => self.b,
            Tier::C => self.c,
            Tier::D => self.d,
        }
    }
}

impl Default for VisitLimits {
    /// One visit a year for tiers A and B, two for C, four for D; 120 days between two of C, 60 between two of D.
    fn default() -> Self {
        Self {
            cap: ByTier {
                a: 1,
                b: 1,
                c: 2,
                d: 4,
            },
            gap_days: ByTier {
                a: 0,
                b: 0,
                c: 120,
                d: 60,
            },
        }
    }
}

/// How complaints are weighed and compared with peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplaintOverlay {
    /// Complaints and reports of this many months count.
    pub window_months: u16,
    /// Weight of an upheld one.
    pub upheld_weight: f64,
    /// Weight of one whose outcome is unknown.
    pub unknown_weight: f64,
    /// Weight of a rejected one.
    pub rejected_weight: f64,
    /// Factor on a further one of the same party within `repeat_days`.
    pub repeat_weight: f64,
    /// See `repeat_weight`.
    pub repeat_days: u16,
    /// A peer group smaller than this gives way to a wider one.
    pub least_peers: u32,
    /// Lower bound of the gamma shape `k`.
    pub least_shape: f64,
    /// Upper bound of the gamma shape `k`.
    pub most_shape: f64,
    /// The bands above `none`, in rising order.
    #[serde(rename = "band")]
    pub bands: Vec<Band>,
}

/// A complaint band above `none`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Its name.
    pub name: Label,
    /// Reached by this ratio `ρ` to the peers' mean.
    pub ratio: f64,
    /// Or by this many upheld ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upheld: Option<u32>,
    /// Multiplier of the rate.
    pub multiplier: f64,
}

/// Why a sampling policy cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{place}`: {reason}")]
pub struct PolicyError {
    /// Where in the policy.
    pub place: String,
    /// What is wrong and what to do.
    pub reason: String,
}

impl TierRates {
    /// The rate of a tier.
    pub fn of(&self, tier: Tier) -> f64 {
        match tier {
            Tier::A => self.a,
            Tier::B => self.b,
            Tier::C => self.c,
            Tier::D => self.d,
        }
    }
}

impl ClassRates {
    /// The rates of a class.
    pub fn of(&self, class: ItemClass) -> &TierRates {
        match class {
            ItemClass::General => &self.general,
            ItemClass::Key => &self.key,
        }
    }
}

impl SamplingPolicy {
    /// Checks the promises that every plan rests on: nobody has rate 0, and neither a worse tier nor a higher band nor
    /// a tag lowers a rate.
    pub fn check(&self) -> Result<(), PolicyError> {
        let fail = |place: &str, reason: String| {
            Err(PolicyError {
                place: format!("sampling.{place}"),
                reason,
            })
        };
        for (class, rates) in [("general", &self.rates.general), ("key", &self.rates.key)] {
            let place = format!("rates.{class}");
            for (lower, upper) in [(Tier::A, Tier::B), (Tier::B, Tier::C), (Tier::C, Tier::D)] {
                if rates.of(lower) > rates.of(upper) {
                    return fail(
                        &place,
                        format!(
                            "tier {upper} has a lower rate than tier {lower}; rates never fall with risk"
                        ),
                    );
                }
            }
            for tier in Tier::ALL {
                let rate = rates.of(*tier);
                if !(1e-6..=1.0).contains(&rate) {
                    return fail(
                        &place,
                        format!(
                            "the rate {rate} of tier {tier} is not within 0.000001 to 1; none is exempt"
                        ),
                    );
                }
            }
        }
        if !(0.0..=0.5).contains(&self.least_rate) {
            let least = self.least_rate;
            return fail("least_rate", format!("{least} is not within 0 to 0.5"));
        }
        let VisitLimits { cap, gap_days } = self.visits;
        for (lower, upper) in [(Tier::A, Tier::B), (Tier::B, Tier::C), (Tier::C, Tier::D)] {
            if cap.of(lower) > cap.of(upper) {
                return fail(
                    "visits.cap",
                    format!(
                        "tier {upper} has a lower cap than tier {lower}; caps never fall with risk"
                    ),
                );
            }
        }
        for tier in Tier::ALL {
            let (most, gap) = (cap.of(*tier), gap_days.of(*tier));
            if !(1..=366).contains(&most) {
                return fail(
                    "visits.cap",
                    format!("the cap {most} of tier {tier} is not within 1 to 366; none is exempt"),
                );
            }
            if u32::from(most - 1) * u32::from(gap) > 365 {
                return fail(
                    "visits.gap_days",
                    format!(
                        "{most} visits of tier {tier}, {gap} days apart, do not fit into a year"
                    ),
                );
            }
        }
        let OverallBounds {
            floor,
            ceiling,
            catch_up: _,
        } = self.overall;
        if !(0.0..=1.0).contains(&floor) || !(floor..=1.0).contains(&ceiling) {
            return fail("overall", "needs 0 ≤ floor ≤ ceiling ≤ 1".to_owned());
        }
        let overlay = &self.complaints;
        let weights = [
            overlay.rejected_weight,
            overlay.unknown_weight,
            overlay.upheld_weight,
        ];
        if weights
            .iter()
            .chain([&overlay.repeat_weight])
            .any(|weight| !(0.0..=1.0).contains(weight))
            || !weights.is_sorted()
        {
            return fail(
                "complaints",
                "weights lie within 0 to 1 and rise from rejected over unknown to upheld"
                    .to_owned(),
            );
        }
        if !(overlay.least_shape > 0.0
            && overlay.least_shape <= overlay.most_shape
            && overlay.most_shape.is_finite())
        {
            return fail(
                "complaints",
                "needs 0 < least_shape ≤ most_shape".to_owned(),
            );
        }
        let rising = overlay.bands.windows(2).all(|pair| match pair {
            [lower, upper] => lower.ratio < upper.ratio && lower.multiplier <= upper.multiplier,
            _ => true,
        });
        if !rising
            || overlay
                .bands
                .iter()
                .any(|band| !(band.ratio > 1.0 && (1.0..=1_000.0).contains(&band.multiplier)))
        {
            return fail(
                "complaints.band",
                "ratios above 1 and multipliers from 1 on must rise from band to band".to_owned(),
            );
        }
        if let Some((tag, multiplier)) = self
            .tags
            .iter()
            .find(|(_, multiplier)| !(1.0..=1_000.0).contains(*multiplier))
        {
            return fail(
                &format!("tags.{tag}"),
                format!("the multiplier {multiplier} is not within 1 to 1000"),
            );
        }
        Ok(())
    }
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

fn is_false(truth: &bool) -> bool {
    !*truth
}

/// A share in parts per billion, rounded half up.
pub(super) fn ppb(share: f64) -> u64 {
    // Shares are checked to lie within 0 to 1 000, so the product is far below 2^53.
    (share * PPB as f64 + 0.5).floor() as u64
}
