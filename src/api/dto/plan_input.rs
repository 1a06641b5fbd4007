//! What a plan asks for, with its defaults.

use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::codes::{
    AllocationBy, DomainTrait, EnterpriseKind, EnterpriseSize, Hash, ItemClass, PlanMethod,
    PlanRounding, SizeMeasure, StratumAttribute, Tier,
};
use super::present;
use crate::domain::digest::Digest;
use crate::domain::{FieldError, Label, field};
use crate::service::{
    self, AllocationRequest, CommittedContribution, Contribution, ContributionName,
    ContributionValue, Period, PlanRequest, PoolFilter, PrecisionBound, PublicContribution,
    StrataBy, StratumRule, default_exploration,
};

/// What a plan asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct PlanInput {
    /// The frame that the pool is selected from.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    frame_id: String,
    /// Title for people, 1 to 200 bytes.
    #[schema(
        example = "Food safety, first quarter",
        min_length = 1,
        max_length = 200
    )]
    title: String,
    /// Class of the check items; left out, it is that of the items named, and `general` without any.
    #[serde(default, deserialize_with = "present")]
    item_class: Option<ItemClass>,
    /// Codes of the check items, each once; each is in the list of items, and published.
    #[serde(default)]
    #[schema(example = json!(["SP-0301"]))]
    items: Vec<String>,
    /// The department that plans.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "market-regulation", min_length = 1, max_length = 64)]
    department: Option<String>,
    /// When the visits take place; annual rates are taken for its share of the year.
    period: PlanPeriod,
    /// Which objects; default all.
    #[serde(default)]
    filter: FilterInput,
    /// How objects are selected; default `equal`.
    #[serde(default)]
    #[schema(default = "equal")]
    method: PlanMethod,
    /// What an object's size is, for method `pareto` only; left out: the rate.
    #[serde(default, deserialize_with = "present")]
    size_measure: Option<SizeMeasure>,
    /// Number of visits; left out: by the policy's rates.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 40, minimum = 1)]
    visits: Option<u64>,
    /// What the visits follow, and bounds of the strata.
    #[serde(default)]
    allocation: AllocationInput,
    /// How targets become whole numbers; default `systematic`. Method `pareto` needs one of the others.
    #[serde(default)]
    #[schema(default = "systematic")]
    rounding: PlanRounding,
    /// Share of the visits drawn with equal probability over the whole pool; left out: 0.05, and 0 for method `order`.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 0.05, minimum = 0, maximum = 0.5)]
    exploration_share: Option<f64>,
    /// Objects that stand by per stratum, as a share of its target.
    #[serde(default = "a_fifth")]
    #[schema(default = 0.2, minimum = 0, maximum = 1)]
    reserve_share: f64,
    /// The hash of the draw; default `sha256`.
    #[serde(default = "sha256")]
    #[schema(default = "sha256")]
    hash: Hash,
    /// Contributions of others whose values exist already, beside the server's own.
    #[serde(default)]
    committed: Vec<CommittedInput>,
    /// Contributions that come into being after the freeze.
    #[serde(default)]
    public: Vec<PublicInput>,
    /// Whether the public edition may reveal values and seed.
    #[serde(default)]
    #[schema(default = false)]
    public_seed: bool,
    /// The coordinated group that the plan belongs to; it then has the group's contributions and public seed, and must
    /// have its hash.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "2027-q1")]
    group: Option<String>,
    /// The earlier plan that this one extends: drawn or closed. Who was drawn there leaves the pool, and no contribution
    /// of it is used again.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    extends: Option<String>,
    /// `now` drafts, freezes, draws and closes the plan at once; left out, the plan stays a draft. Not for previews.
    #[serde(default, deserialize_with = "present")]
    pub(crate) draw: Option<DrawWhen>,
}

/// When a new plan is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DrawWhen {
    Now,
}

/// The days within which the visits take place, both included.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `from` and `to`")]
pub(crate) struct PlanPeriod {
    /// First day.
    #[schema(format = Date, example = "2027-01-01")]
    pub(super) from: String,
    /// Last day.
    #[schema(format = Date, example = "2027-03-31")]
    pub(super) to: String,
}

/// Which objects; conditions that are left out do not restrict. There is no condition on an id or a name.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct FilterInput {
    /// Division: a six-digit code or prefix that includes what lies below it, or a whole label.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "990100")]
    division: Option<String>,
    /// Industry prefix, or a whole label.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "F52")]
    industry: Option<String>,
    /// Any of these kinds.
    #[serde(default)]
    kinds: Vec<EnterpriseKind>,
    /// Any of these sizes.
    #[serde(default)]
    sizes: Vec<EnterpriseSize>,
    /// Any of these tiers.
    #[serde(default)]
    tiers: Vec<Tier>,
    /// At least one of these tags.
    #[serde(default)]
    tags: Vec<String>,
}

/// What the visits follow, and what holds for some of the strata.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct AllocationInput {
    /// `rates` (default); `neyman`: where visits say most, by the predicted problem probability; or `precision`: as few
    /// inspector-days as hold the bounds of `precision`, without `visits` and `inspector_days`.
    #[serde(default, deserialize_with = "present")]
    by: Option<AllocationBy>,
    /// Inspector-days that there are, in place of `visits`.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 120.0, exclusive_minimum = 0)]
    inspector_days: Option<f64>,
    /// What holds for some of the strata; where several speak of one stratum, the later one has the word.
    #[serde(default)]
    #[schema(max_items = 1000)]
    strata: Vec<StratumRuleInput>,
    /// What strata are of, beside tier, complaint band and rate, each once and of the levels of divisions at most one;
    /// left out: the division. Without any, strata are coarse.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = json!(["city", "industry"]), max_items = 4)]
    strata_by: Option<Vec<StratumAttribute>>,
    /// How far estimates may be off, for `by` = `precision` only. The least number of inspector-days that holds all bounds
    /// at once is found (Bethel 1989), within the bounds of the strata; one that cannot be held is refused by name.
    #[serde(default)]
    #[schema(max_items = 100)]
    precision: Vec<PrecisionBoundInput>,
}

/// How far an estimated total, and so its rate, may be off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `cv`")]
#[schema(as = PrecisionBound)]
pub(crate) struct PrecisionBoundInput {
    /// The coefficient of variation that is allowed: the standard error over the total.
    #[schema(example = 0.1, minimum = 0.0001, maximum = 10)]
    cv: f64,
    /// What is estimated: `problems` (default), or a name under which rules of the strata give `shares`.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "unlicensed")]
    of: Option<String>,
    /// Only over strata that are so, by `tier`, `complaint_band`, `division` (with what lies below it), `city`, `province`,
    /// `industry`, `kind` or `size`; left out: over the whole plan.
    #[serde(default)]
    #[schema(example = json!({"tier": "D"}))]
    within: BTreeMap<String, String>,
    /// One bound for each value that the strata have of these, in place of one over all.
    #[serde(default)]
    #[schema(example = json!(["division"]), max_items = 8)]
    each: Vec<DomainTrait>,
}

/// What holds for the strata of a tier, division and complaint band; a condition that is left out does not restrict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schema(as = StratumRule)]
pub(crate) struct StratumRuleInput {
    /// The tier.
    #[serde(default, deserialize_with = "present")]
    tier: Option<Tier>,
    /// The division, with what lies below it.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "990100")]
    division: Option<String>,
    /// The complaint band.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "severe")]
    complaint_band: Option<String>,
    /// At least so many visits in each of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 2)]
    least: Option<u64>,
    /// At most so many visits in each of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 20)]
    most: Option<u64>,
    /// Predicted share of visits that find a problem, in place of what a calibrated scorecard predicts.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 0.3, minimum = 0, maximum = 1)]
    problem_probability: Option<f64>,
    /// Inspector-days that a visit takes; without a rule 1.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 0.5, minimum = 0.001, maximum = 365)]
    days_per_visit: Option<f64>,
    /// Predicted share of visits for which something else holds, by its name, for bounds on its precision.
    #[serde(default)]
    #[schema(example = json!({"unlicensed": 0.02}))]
    shares: BTreeMap<String, f64>,
}

/// A contribution whose value exists and is opened at the draw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct CommittedInput {
    /// Its name: 1 to 64 of `a`-`z`, digits, `.`, `_`, `-`.
    #[schema(example = "notary", pattern = "^[a-z0-9._-]{1,64}$")]
    name: String,
    /// Its commitment, 64 lower-case hexadecimal digits.
    #[schema(
        example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728",
        pattern = "^[0-9a-f]{64}$"
    )]
    commitment: String,
}

/// A contribution that comes into being after the freeze.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct PublicInput {
    /// Its name: 1 to 64 of `a`-`z`, digits, `.`, `_`, `-`.
    #[schema(example = "lottery", pattern = "^[a-z0-9._-]{1,64}$")]
    name: String,
    /// Source, date and how the value is read, 1 to 1000 bytes.
    #[schema(
        example = "winning numbers of 2026-12-01, rising, with commas",
        min_length = 1,
        max_length = 1000
    )]
    rule: String,
}

/// The opened contributions of a draw, beside the server's own.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct DrawInput {
    /// One for each that the plan names.
    #[serde(default)]
    pub(crate) contributions: Vec<ContributionInput>,
    /// Who asks for it: an id or role at the office; left out: nobody is named.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    pub(crate) by: Option<String>,
}

/// Who asks for a step of a plan or a group.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct StepInput {
    /// An id or role at the office; left out: nobody is named.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    pub(crate) by: Option<String>,
}

/// Who asks for a step, where that is said.
pub(crate) fn asker(by: Option<&str>) -> Result<Option<Label>, FieldError> {
    by.map(|text| service::person("by", text)).transpose()
}

/// An opened contribution.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct ContributionInput {
    /// Its name.
    #[schema(example = "lottery", pattern = "^[a-z0-9._-]{1,64}$")]
    name: String,
    /// Its value: 1 to 256 bytes of printable ASCII.
    #[schema(example = "3,8,15,21,30,33", pattern = "^[ -~]{1,256}$")]
    value: String,
}

impl std::fmt::Debug for ContributionInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A committed value is secret until the draw is published.
        write!(f, "ContributionInput({:?}, hidden)", self.name)
    }
}

/// Why a plan is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `reason`")]
pub(crate) struct VoidInput {
    /// The reason, 1 to 1000 bytes; it stays visible.
    #[schema(example = "the division was merged", min_length = 1, max_length = 1000)]
    pub(crate) reason: String,
    /// Who gives it up: an id or role at the office; left out: nobody is named.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    pub(crate) by: Option<String>,
}

pub(super) fn sha256() -> Hash {
    Hash::Sha256
}

fn a_fifth() -> f64 {
    0.2
}

impl PlanInput {
    /// Checks the parts that have a form of their own; the service checks the whole.
    pub(crate) fn parse(self) -> Result<PlanRequest, FieldError> {
        Ok(PlanRequest {
            frame_id: self.frame_id,
            title: self.title,
            item_class: self.item_class.map(Into::into),
            items: self.items,
            department: self
                .department
                .map(|text| field::label("department", &text))
                .transpose()?,
            period: Period {
                from: field::date("period.from", &self.period.from)?,
                to: field::date("period.to", &self.period.to)?,
            },
            filter: self.filter.parse()?,
            method: self.method.into(),
            size_measure: self.size_measure.map(Into::into),
            visits: self.visits,
            allocation: self.allocation.parse()?,
            rounding: self.rounding.into(),
            exploration_share: self
                .exploration_share
                .unwrap_or_else(|| default_exploration(self.method.into())),
            reserve_share: self.reserve_share,
            hash: self.hash.into(),
            committed: committed(self.committed)?,
            public: public(self.public)?,
            public_seed: self.public_seed,
            group: self.group,
            extends: self.extends,
        })
    }
}

impl AllocationInput {
    fn parse(self) -> Result<AllocationRequest, FieldError> {
        let rules = self.strata.into_iter().enumerate();
        let strata = rules.map(|(place, rule)| {
            let label = |name: &str, given: Option<String>| {
                given
                    .map(|text| field::label(&format!("allocation.strata.{place}.{name}"), &text))
                    .transpose()
            };
            Ok(StratumRule {
                tier: rule.tier.map(Into::into),
                division: label("division", rule.division)?,
                complaint_band: label("complaint_band", rule.complaint_band)?,
                least: rule.least,
                most: rule.most,
                problem_probability: rule.problem_probability,
                days_per_visit: rule.days_per_visit,
                shares: rule
                    .shares
                    .into_iter()
                    .map(|(name, share)| {
                        let field = format!("allocation.strata.{place}.shares");
                        Ok((field::label(&field, &name)?, share))
                    })
                    .collect::<Result<_, FieldError>>()?,
            })
        });
        let bounds = self.precision.into_iter().enumerate();
        let precision = bounds.map(|(place, bound)| bound.parse(place));
        Ok(AllocationRequest {
            by: self.by.map(Into::into).unwrap_or_default(),
            inspector_days: self.inspector_days,
            strata: strata.collect::<Result<_, FieldError>>()?,
            strata_by: match self.strata_by {
                None => StrataBy::default(),
                Some(given) => {
                    let given: Vec<_> = given.into_iter().map(Into::into).collect();
                    let named: Vec<&str> = given
                        .iter()
                        .map(|one: &service::StratumAttribute| one.as_str())
                        .collect();
                    StrataBy::new(&given).map_err(|error| {
                        FieldError::new(
                            "allocation.strata_by",
                            &named.join(", "),
                            error.to_string(),
                        )
                    })?
                }
            },
            precision: precision.collect::<Result<_, FieldError>>()?,
        })
    }
}

impl PrecisionBoundInput {
    fn parse(self, place: usize) -> Result<PrecisionBound, FieldError> {
        let name = |member: &str| format!("allocation.precision.{place}.{member}");
        let within = self.within.into_iter().map(|(key, value)| {
            let one = key
                .parse()
                .map_err(|reason: String| FieldError::new(&name("within"), &key, reason))?;
            Ok((one, field::label(&name(&format!("within.{key}")), &value)?))
        });
        Ok(PrecisionBound {
            cv: self.cv,
            of: self
                .of
                .map(|text| field::label(&name("of"), &text))
                .transpose()?,
            within: within.collect::<Result<_, FieldError>>()?,
            each: self.each.into_iter().map(Into::into).collect(),
        })
    }
}

/// Checks names and commitments.
pub(super) fn committed(
    given: Vec<CommittedInput>,
) -> Result<Vec<CommittedContribution>, FieldError> {
    let given = given.into_iter().enumerate();
    given.map(|(place, given)| given.parse(place)).collect()
}

/// Checks names.
pub(super) fn public(given: Vec<PublicInput>) -> Result<Vec<PublicContribution>, FieldError> {
    let given = given.into_iter().enumerate();
    given
        .map(|(place, PublicInput { name, rule })| {
            contribution_name(&format!("public.{place}.name"), &name)?;
            Ok(PublicContribution { name, rule })
        })
        .collect()
}

impl FilterInput {
    pub(super) fn parse(self) -> Result<PoolFilter, FieldError> {
        let label = |name: &str, given: Option<String>| {
            given.map(|text| field::label(name, &text)).transpose()
        };
        Ok(PoolFilter {
            division: label("filter.division", self.division)?,
            industry: label("filter.industry", self.industry)?,
            kinds: self.kinds.into_iter().map(Into::into).collect(),
            sizes: self.sizes.into_iter().map(Into::into).collect(),
            tiers: self.tiers.into_iter().map(Into::into).collect(),
            tags: self
                .tags
                .iter()
                .enumerate()
                .map(|(place, tag)| field::label(&format!("filter.tags.{place}"), tag))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl CommittedInput {
    fn parse(self, place: usize) -> Result<CommittedContribution, FieldError> {
        contribution_name(&format!("committed.{place}.name"), &self.name)?;
        let commitment: Digest = self.commitment.parse().map_err(|error| {
            let reason = format!("is {error}");
            FieldError::new(
                &format!("committed.{place}.commitment"),
                &self.commitment,
                reason,
            )
        })?;
        Ok(CommittedContribution {
            name: self.name,
            commitment,
        })
    }
}

impl DrawInput {
    /// Checks names and values; a value is never repeated in an error.
    pub(crate) fn parse(self) -> Result<Vec<Contribution>, FieldError> {
        let contributions = self.contributions.into_iter().enumerate();
        contributions
            .map(|(place, ContributionInput { name, value })| {
                Ok(Contribution {
                    name: contribution_name(&format!("contributions.{place}.name"), &name)?,
                    value: ContributionValue::new(value).map_err(|_| {
                        let reason = "needs 1 to 256 bytes of printable ASCII; write the value so";
                        FieldError::new(&format!("contributions.{place}.value"), "", reason)
                    })?,
                })
            })
            .collect()
    }
}

fn contribution_name(place: &str, name: &str) -> Result<ContributionName, FieldError> {
    ContributionName::new(name).map_err(|_| {
        let reason = "is not a contribution name; use 1 to 64 of `a`-`z`, digits, `.`, `_`, `-`";
        FieldError::new(place, name, reason)
    })
}
