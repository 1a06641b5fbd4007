//! The rate (抽查比例) of one object: what the policy asks for, with every factor.

use serde::{Deserialize, Serialize};

use super::frame::{Frame, FrameRow, NO_BAND, cannot_be_visited};
use super::plan::PPB;
use super::policy::{ItemClass, PolicyError, RateBasis, SamplingPolicy, ppb};
use crate::domain::Tier;

/// Days of a year, to which annual rates refer.
const YEAR_DAYS: u64 = 365;
/// Multipliers are kept in thousandths.
const MILLI: u64 = 1_000;

/// The rate of one object in one plan, and how it comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// The policy's rate of the tier, in parts per billion.
    pub tier_rate_ppb: u64,
    /// Multiplier of the complaint band, in thousandths.
    pub band_multiplier_milli: u64,
    /// Largest multiplier of the object's tags, in thousandths.
    pub tag_multiplier_milli: u64,
    /// The rate in the plan, from 1 to 10^9 ppb: the product, for the share of the year and scaled to the floor.
    pub rate_ppb: u64,
}

/// How rates come about in one plan.
#[derive(Clone, Debug)]
pub struct RateRule<'p> {
    policy: &'p SamplingPolicy,
    class: ItemClass,
    /// Share of the year that an annual rate is taken for.
    days: u64,
    /// Scale to the overall floor, as a fraction.
    scale: (u128, u128),
    /// Overall annual rate of the frame's objects before scaling, in ppb; 0 for an empty frame.
    pub overall_annual_ppb: u64,
}

impl<'p> RateRule<'p> {
    /// The rule for a plan of `days` days over objects of this frame.
    ///
    /// For general items on an annual basis the overall rate of all objects that can be visited is compared with the
    /// policy's floor; below it every rate is scaled up by the same factor.
    pub fn new(
        policy: &'p SamplingPolicy,
        class: ItemClass,
        days: u64,
        frame: &Frame,
    ) -> Result<Self, PolicyError> {
        let mut rule = Self {
            policy,
            class,
            days,
            scale: (1, 1),
            overall_annual_ppb: 0,
        };
        let (mut objects, mut sum) = (0_u128, 0_u128);
        for row in frame
            .rows()
            .iter()
            .filter(|row| cannot_be_visited(row.status).is_none())
        {
            let (base, band, tag) = rule.factors(row)?;
            objects += 1;
            sum += (u128::from(base) * u128::from(band) * u128::from(tag)
                / u128::from(MILLI * MILLI))
            .min(u128::from(PPB));
        }
        let overall = sum.checked_div(objects).unwrap_or(0);
        rule.overall_annual_ppb = u64::try_from(overall).unwrap_or(PPB);
        let floor = u128::from(ppb(policy.overall.floor)) * objects;
        let bounded =
            class == ItemClass::General && policy.rates.of(class).basis == RateBasis::Annual;
        if bounded && sum > 0 && sum < floor {
            rule.scale = (floor, sum);
        }
        Ok(rule)
    }

    /// Whether rates were scaled up to the overall floor.
    pub fn is_scaled(&self) -> bool {
        self.scale.0 != self.scale.1
    }

    /// Whether the overall annual rate of general items lies above the policy's ceiling.
    pub fn is_above_ceiling(&self) -> bool {
        self.class == ItemClass::General
            && self.policy.rates.of(self.class).basis == RateBasis::Annual
            && self.overall_annual_ppb > ppb(self.policy.overall.ceiling)
    }

    /// The rate of one object.
    pub fn of(&self, row: &FrameRow) -> Result<Rate, PolicyError> {
        let (base, band, tag) = self.factors(row)?;
        let (days, year) = match self.policy.rates.of(self.class).basis {
            RateBasis::Annual => (self.days, YEAR_DAYS),
            RateBasis::Row => (1, 1),
        };
        // The product stays below 2^128: base ≤ 2^30, multipliers ≤ 2^20, days ≤ 2^22; the scale is applied after.
        let numerator = u128::from(base) * u128::from(band) * u128::from(tag) * u128::from(days);
        let denominator = u128::from(MILLI * MILLI * year);
        let product = ((2 * numerator + denominator) / (2 * denominator)).min(u128::from(PPB));
        let scaled = (product * self.scale.0 / self.scale.1).clamp(1, u128::from(PPB));
        Ok(Rate {
            tier_rate_ppb: base,
            band_multiplier_milli: band,
            tag_multiplier_milli: tag,
            rate_ppb: u64::try_from(scaled).unwrap_or(PPB),
        })
    }

    fn factors(&self, row: &FrameRow) -> Result<(u64, u64, u64), PolicyError> {
        let milli = |multiplier: f64| (multiplier * MILLI as f64 + 0.5).floor() as u64;
        let band = if row.complaint_band.as_str() == NO_BAND {
            MILLI
        } else {
            let found = self
                .policy
                .complaints
                .bands
                .iter()
                .find(|band| band.name == row.complaint_band);
            milli(found.map(|band| band.multiplier).ok_or_else(|| PolicyError {
                place: "sampling.complaints.band".to_owned(),
                reason: format!("the frame uses the band `{}`, which this policy lacks; freeze a new frame", row.complaint_band),
            })?)
        };
        let tag = row
            .tags
            .iter()
            .filter_map(|tag| self.policy.tags.get(tag))
            .map(|multiplier| milli(*multiplier))
            .max();
        Ok((ppb(self.tier_rate(row.tier)), band, tag.unwrap_or(MILLI)))
    }

    fn tier_rate(&self, tier: Tier) -> f64 {
        self.policy.rates.of(self.class).of(tier)
    }
}
