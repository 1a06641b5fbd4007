//! The rate (抽查比例) of one object: what the policy asks for, with every factor.

use serde::{Deserialize, Serialize};

use super::frame::{Frame, FrameRow, NO_BAND, cannot_be_visited};
use super::plan::PPB;
use super::policy::{PolicyError, RateBasis, SamplingPolicy, ppb};
use crate::domain::{ItemClass, Label, Tier};

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
    /// The rate in the plan, from 1 to 10^9 ppb: the product for the share of the year, scaled to the floor, at least the
    /// policy's least rate, at most the cap of the check items.
    pub rate_ppb: u64,
}

/// The lowest ratio cap of the check items of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemCap {
    /// Code of the item.
    pub item_code: Label,
    /// The cap in parts per billion: per year where the policy's rates are annual, else per plan.
    pub cap_ppb: u64,
}

/// A factor of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RateFactor {
    /// The policy's rate of the object's tier.
    TierRate,
    /// Multiplier of its complaint band.
    ComplaintBand,
    /// Largest multiplier of its tags.
    Tag,
    /// Share of the year that the plan covers.
    Period,
    /// Scale to the floor of the overall rate.
    Floor,
    /// The policy's least rate of anybody.
    LeastRate,
    /// The ratio cap of a check item.
    ItemCap,
}

/// One step on the way to a rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RateStep {
    /// What acts.
    pub factor: RateFactor,
    /// Where it is written: a place in the policy, a check item, or the plan.
    pub source: String,
    /// The rate, multiplier or bound.
    pub value: f64,
    /// The rate after this step, in parts per billion.
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
    cap: Option<ItemCap>,
    /// Objects of the frame that can be visited, and the sum of their annual rates in ppb.
    whole: (u128, u128),
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
            cap: None,
            whole: (0, 0),
            overall_annual_ppb: 0,
        };
        let (mut objects, mut sum) = (0_u128, 0_u128);
        for row in frame
            .rows()
            .iter()
            .filter(|row| cannot_be_visited(row.status).is_none())
        {
            let factors = rule.factors(row)?;
            objects += 1;
            sum += (factors.product() / u128::from(MILLI * MILLI)).min(u128::from(PPB));
        }
        let overall = sum.checked_div(objects).unwrap_or(0);
        rule.overall_annual_ppb = u64::try_from(overall).unwrap_or(PPB);
        rule.whole = (objects, sum);
        rule.scale_to(u128::from(ppb(policy.overall.floor)) * objects);
        Ok(rule)
    }

    /// The same rule under the ratio cap of a check item.
    #[must_use]
    pub fn with_cap(mut self, cap: Option<ItemCap>) -> Self {
        self.cap = cap;
        self
    }

    /// The same rule where the year so far asks for an overall annual rate of `needed` (a share) to reach the floor; a
    /// need above 1 counts as 1.
    #[must_use]
    pub fn catching_up(mut self, needed: f64) -> Self {
        let needed = needed.clamp(self.policy.overall.floor, 1.0);
        self.scale_to(u128::from(ppb(needed)) * self.whole.0);
        self
    }

    /// Scales all rates so that their annual sum over the frame reaches `least`, in ppb.
    fn scale_to(&mut self, least: u128) {
        let (_, sum) = self.whole;
        if self.is_bounded() && sum > 0 && sum < least {
            self.scale = (least, sum);
        }
    }

    /// Whether the bounds of the overall rate are about this rule.
    fn is_bounded(&self) -> bool {
        self.class == ItemClass::General
            && self.policy.rates.of(self.class).basis == RateBasis::Annual
    }

    /// Objects of the frame that can be visited.
    pub fn object_count(&self) -> u64 {
        u64::try_from(self.whole.0).unwrap_or(u64::MAX)
    }

    /// Whether rates were scaled up to the overall floor.
    pub fn is_scaled(&self) -> bool {
        self.scale.0 != self.scale.1
    }

    /// Whether the overall annual rate of general items lies above the policy's ceiling.
    pub fn is_above_ceiling(&self) -> bool {
        self.is_bounded() && self.overall_annual_ppb > ppb(self.policy.overall.ceiling)
    }

    /// The rate of one object.
    pub fn of(&self, row: &FrameRow) -> Result<Rate, PolicyError> {
        let factors = self.factors(row)?;
        let scaled = self.scaled(factors.product(), MILLI * MILLI);
        Ok(Rate {
            tier_rate_ppb: factors.tier,
            band_multiplier_milli: factors.band,
            tag_multiplier_milli: factors.tag,
            rate_ppb: self.bounded(scaled),
        })
    }

    /// Every step on the way to the rate of one object; the last one has its rate.
    pub fn explain(&self, row: &FrameRow) -> Result<Vec<RateStep>, PolicyError> {
        let factors = self.factors(row)?;
        let class = match self.class {
            ItemClass::General => "general",
            ItemClass::Key => "key",
        };
        let milli = |multiplier: u64| multiplier as f64 / MILLI as f64;
        let share = |part: u64| part as f64 / PPB as f64;
        let mut steps = vec![RateStep {
            factor: RateFactor::TierRate,
            source: format!("sampling.rates.{class}.{}", row.tier),
            value: share(factors.tier),
            rate_ppb: factors.tier,
        }];
        let before_tags = u128::from(factors.tier) * u128::from(factors.band);
        steps.push(RateStep {
            factor: RateFactor::ComplaintBand,
            source: format!("sampling.complaints.band.{}", row.complaint_band),
            value: milli(factors.band),
            rate_ppb: shown(before_tags, MILLI),
        });
        if let Some(tag) = factors.by_tag {
            steps.push(RateStep {
                factor: RateFactor::Tag,
                source: format!("sampling.tags.{tag}"),
                value: milli(factors.tag),
                rate_ppb: shown(factors.product(), MILLI * MILLI),
            });
        }
        let (days, year) = self.share_of_year();
        if year > 1 {
            steps.push(RateStep {
                factor: RateFactor::Period,
                source: format!("plan.period ({days} days, sampling.rates.{class}.basis = annual)"),
                value: days as f64 / year as f64,
                rate_ppb: shown(factors.product() * u128::from(days), MILLI * MILLI * year),
            });
        }
        let scaled = self.scaled(factors.product(), MILLI * MILLI);
        if self.is_scaled() {
            steps.push(RateStep {
                factor: RateFactor::Floor,
                source: "sampling.overall.floor".to_owned(),
                value: self.scale.0 as f64 / self.scale.1 as f64,
                rate_ppb: scaled,
            });
        }
        let raised = scaled.max(ppb(self.policy.least_rate));
        if raised > scaled {
            steps.push(RateStep {
                factor: RateFactor::LeastRate,
                source: "sampling.least_rate".to_owned(),
                value: self.policy.least_rate,
                rate_ppb: raised,
            });
        }
        let capped = self.bounded(scaled);
        if let Some(cap) = self.cap.as_ref().filter(|_| capped < raised) {
            steps.push(RateStep {
                factor: RateFactor::ItemCap,
                source: format!("items.{}.ratio_cap", cap.item_code),
                value: share(cap.cap_ppb),
                rate_ppb: capped,
            });
        }
        Ok(steps)
    }

    /// A product of factors over `denominator`, for the share of the year and scaled to the floor.
    fn scaled(&self, product: u128, denominator: u64) -> u64 {
        let (days, year) = self.share_of_year();
        // The product stays below 2^128: base ≤ 2^30, multipliers ≤ 2^20, days ≤ 2^22; the scale is applied after.
        let rate = u128::from(shown(
            product * u128::from(days),
            denominator.saturating_mul(year),
        ));
        let scaled = (rate * self.scale.0 / self.scale.1).clamp(1, u128::from(PPB));
        u64::try_from(scaled).unwrap_or(PPB)
    }

    /// A scaled rate within the policy's least rate and the cap of the check items, of which the cap is law.
    fn bounded(&self, scaled: u64) -> u64 {
        let raised = scaled.max(ppb(self.policy.least_rate));
        let Some(cap) = &self.cap else {
            return raised;
        };
        let (days, year) = self.share_of_year();
        let most = u128::from(cap.cap_ppb) * u128::from(days.min(year)) / u128::from(year);
        raised.min(u64::try_from(most).unwrap_or(PPB)).max(1)
    }

    fn share_of_year(&self) -> (u64, u64) {
        match self.policy.rates.of(self.class).basis {
            RateBasis::Annual => (self.days, YEAR_DAYS),
            RateBasis::Row => (1, 1),
        }
    }

    fn factors<'r>(&self, row: &'r FrameRow) -> Result<Factors<'r>, PolicyError> {
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
            .filter_map(|tag| Some((milli(*self.policy.tags.get(tag)?), tag)))
            .max_by_key(|(multiplier, _)| *multiplier);
        Ok(Factors {
            tier: ppb(self.tier_rate(row.tier)),
            band,
            tag: tag.map_or(MILLI, |(multiplier, _)| multiplier),
            by_tag: tag.map(|(_, tag)| tag),
        })
    }

    fn tier_rate(&self, tier: Tier) -> f64 {
        self.policy.rates.of(self.class).of(tier)
    }
}

/// The factors of one object: a rate in ppb, two multipliers in thousandths, and the tag that gives the second.
struct Factors<'r> {
    tier: u64,
    band: u64,
    tag: u64,
    by_tag: Option<&'r Label>,
}

impl Factors<'_> {
    fn product(&self) -> u128 {
        u128::from(self.tier) * u128::from(self.band) * u128::from(self.tag)
    }
}

/// A quotient rounded half up, at most one visit.
fn shown(numerator: u128, denominator: u64) -> u64 {
    let denominator = u128::from(denominator).max(1);
    let rounded = (2 * numerator + denominator) / (2 * denominator);
    u64::try_from(rounded.min(u128::from(PPB))).unwrap_or(PPB)
}
