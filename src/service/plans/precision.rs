//! Bounds on how far the estimates of a plan may be off, as a caller says them, and what comes of them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::terms::{AllocationRequest, digits_of};
use crate::domain::{FieldError, Label, Tier};
use crate::sampling::plan::PPB;
use crate::sampling::{CvBound, StrataBy, Stratum, StratumAttribute, StratumMeaning, StratumTerms};
use crate::service::ServiceError;

/// What is estimated unless a bound says otherwise: visits that find a problem.
pub(super) const PROBLEMS: &str = "problems";

/// Most bounds of one plan, as they are given.
const MAX_GIVEN: usize = 100;
/// Most bounds of one plan, each domain counted.
const MAX_BOUNDS: usize = 500;

/// What the strata of a bound may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainTrait {
    /// The tier.
    Tier,
    /// The complaint band.
    ComplaintBand,
    /// The division, at the level of the strata.
    Division,
    /// The city of the division.
    City,
    /// The province of the division.
    Province,
    /// The section letter of the industry.
    Industry,
    /// The kind of object.
    Kind,
    /// The size class.
    Size,
}

impl DomainTrait {
    /// Every trait.
    pub const ALL: [Self; 8] = [
        Self::Tier,
        Self::ComplaintBand,
        Self::Division,
        Self::City,
        Self::Province,
        Self::Industry,
        Self::Kind,
        Self::Size,
    ];

    /// The word used in requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tier => "tier",
            Self::ComplaintBand => "complaint_band",
            Self::Division => "division",
            Self::City => "city",
            Self::Province => "province",
            Self::Industry => "industry",
            Self::Kind => "kind",
            Self::Size => "size",
        }
    }

    /// The attribute of strata that tells it; tier and band every stratum has.
    const fn attribute(self) -> Option<StratumAttribute> {
        match self {
            Self::Tier | Self::ComplaintBand => None,
            Self::Division => Some(StratumAttribute::Division),
            Self::City => Some(StratumAttribute::City),
            Self::Province => Some(StratumAttribute::Province),
            Self::Industry => Some(StratumAttribute::Industry),
            Self::Kind => Some(StratumAttribute::Kind),
            Self::Size => Some(StratumAttribute::Size),
        }
    }

    /// Whether strata of these attributes tell it.
    fn is_told_by(self, by: &StrataBy) -> bool {
        match self {
            Self::Tier | Self::ComplaintBand => true,
            Self::Division => by.division_digits().is_some(),
            Self::City => by.division_digits() >= Some(4),
            Self::Province => by.division_digits() >= Some(2),
            Self::Industry | Self::Kind | Self::Size => {
                by.attributes().any(|one| Some(one) == self.attribute())
            }
        }
    }

    fn of(self, meaning: &StratumMeaning) -> String {
        match self {
            Self::Tier => meaning.tier.to_string(),
            Self::ComplaintBand => meaning.complaint_band.clone(),
            Self::Division => meaning.division.clone(),
            Self::City => meaning.division_to(4),
            Self::Province => meaning.division_to(2),
            Self::Industry | Self::Kind | Self::Size => {
                let told = self.attribute().and_then(|one| meaning.beside.get(&one));
                told.cloned().unwrap_or_default()
            }
        }
    }
}

impl fmt::Display for DomainTrait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DomainTrait {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| {
            format!("`{text}` is not one of tier, complaint_band, division, city, province, industry, kind, size")
        })
    }
}

/// How far an estimated total, and so its rate, may be off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrecisionBound {
    /// The coefficient of variation that is allowed: the standard error over the total, 0.0001 to 10.
    pub cv: f64,
    /// What is estimated: `problems`, or a name under which rules of the strata give `shares`; absent: `problems`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Label>,
    /// Only over the strata that are so; absent: over the whole plan. A division includes what lies below it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub within: BTreeMap<DomainTrait, Label>,
    /// One bound for each value that the strata have of these, in place of one over all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<DomainTrait>,
}

/// What comes of the bounds on precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrecisionPreview {
    /// Every bound, one for each domain.
    pub bounds: Vec<BoundPreview>,
    /// Keys of the strata in which everybody is visited.
    pub census: Vec<String>,
}

/// What comes of one bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundPreview {
    /// What is estimated.
    pub of: String,
    /// What its strata have in common; empty for the whole plan.
    pub domain: BTreeMap<DomainTrait, String>,
    /// Objects of its strata.
    pub object_count: u64,
    /// The total that is predicted.
    pub expected_total: f64,
    /// The coefficient of variation that is allowed.
    pub most_cv: f64,
    /// The one that the plan leads to at the expected sizes, without what exploration adds.
    pub expected_cv: f64,
    /// Inspector-days that one percentage point less would cost, by the slope; 0 where the bound holds anyway.
    pub days_per_point: f64,
}

/// The bounds of a plan on its strata.
pub(super) struct Bounds {
    acting: Vec<CvBound>,
    told: Vec<(String, BTreeMap<DomainTrait, String>)>,
}

impl PrecisionBound {
    /// What is estimated.
    fn of(&self) -> &str {
        self.of.as_ref().map_or(PROBLEMS, Label::as_str)
    }

    fn check(&self, place: usize, by: &StrataBy) -> Result<(), FieldError> {
        let name = |member: &str| format!("allocation.precision.{place}.{member}");
        if !(self.cv >= 0.0001 && self.cv <= 10.0) {
            let reason = "is not a coefficient of variation from 0.0001 to 10";
            return Err(FieldError::new(&name("cv"), &self.cv.to_string(), reason));
        }
        let asked = self.within.keys().map(|one| ("within", *one));
        for (member, one) in asked.chain(self.each.iter().map(|one| ("each", *one))) {
            if !one.is_told_by(by) {
                let reason =
                    "is not told by the strata; add it to `allocation.strata_by`, or leave it out";
                return Err(FieldError::new(&name(member), one.as_str(), reason));
            }
        }
        let named = |one| self.within.get(&one);
        let tier = named(DomainTrait::Tier).map(Label::as_str);
        if let Some(tier) = tier.filter(|text| text.parse::<Tier>().is_err()) {
            let reason = "is not a tier; use one of A, B, C, D";
            return Err(FieldError::new(&name("within.tier"), tier, reason));
        }
        if let Some(division) = named(DomainTrait::Division)
            && digits_of(division) > by.division_digits()
        {
            let reason =
                "lies below the level of the strata; change `allocation.strata_by` or leave it out";
            return Err(FieldError::new(
                &name("within.division"),
                division.as_str(),
                reason,
            ));
        }
        Ok(())
    }

    fn speaks_of(&self, meaning: &StratumMeaning) -> bool {
        self.within.iter().all(|(one, value)| match one {
            DomainTrait::Division => Label::parse(&meaning.division)
                .is_ok_and(|division| division.in_division(value.as_str())),
            _ => one.of(meaning) == value.as_str(),
        })
    }
}

/// Checks the bounds of a request, apart from what only the strata tell.
pub(super) fn check_bounds(request: &AllocationRequest) -> Result<(), FieldError> {
    let bounds = &request.precision;
    if bounds.len() > MAX_GIVEN {
        let reason = format!("are more bounds than {MAX_GIVEN}; give fewer");
        return Err(FieldError::new(
            "allocation.precision",
            &bounds.len().to_string(),
            reason,
        ));
    }
    let mut bounds = bounds.iter().enumerate();
    bounds.try_for_each(|(place, bound)| bound.check(place, &request.strata_by))
}

impl Bounds {
    /// The bounds of a request on the strata of its pool.
    ///
    /// # Errors
    ///
    /// When a bound concerns no stratum, there are too many, or a share that it is about is not known.
    pub(super) fn new(
        request: &AllocationRequest,
        strata: &[Stratum],
        terms: &[StratumTerms],
    ) -> Result<Self, ServiceError> {
        let mut bounds = Self {
            acting: Vec::new(),
            told: Vec::new(),
        };
        for (place, asked) in request.precision.iter().enumerate() {
            let mut domains: BTreeMap<Vec<String>, Vec<Option<u64>>> = BTreeMap::new();
            for (at, (stratum, terms)) in strata.iter().zip(terms).enumerate() {
                if !asked.speaks_of(&stratum.meaning) {
                    continue;
                }
                let values = asked
                    .each
                    .iter()
                    .map(|one| one.of(&stratum.meaning))
                    .collect();
                let shares = domains
                    .entry(values)
                    .or_insert_with(|| vec![None; strata.len()]);
                if let Some(share) = shares.get_mut(at) {
                    *share = Some(share_of(request, asked.of(), stratum, terms)?);
                }
                if bounds.acting.len() + domains.len() > MAX_BOUNDS {
                    let field = format!("allocation.precision.{place}.each");
                    let reason = format!(
                        "comes to more than {MAX_BOUNDS} bounds; give fewer, or coarser ones"
                    );
                    return Err(FieldError::new(&field, &each(asked), reason).into());
                }
            }
            if domains.is_empty() {
                let field = format!("allocation.precision.{place}.within");
                let reason = "concerns no stratum of the pool; change it or leave the bound out";
                return Err(FieldError::new(&field, &told(&asked_domain(asked)), reason).into());
            }
            for (values, share_ppb) in domains {
                let mut domain = asked_domain(asked);
                domain.extend(asked.each.iter().copied().zip(values));
                bounds.acting.push(CvBound {
                    name: format!("`{}` over {}", asked.of(), told(&domain)),
                    most_cv: asked.cv,
                    share_ppb,
                });
                bounds.told.push((asked.of().to_owned(), domain));
            }
        }
        Ok(bounds)
    }

    /// The bounds as the allocation takes them.
    pub(super) fn acting(&self) -> &[CvBound] {
        &self.acting
    }

    /// What targets lead to.
    pub(super) fn preview(
        &self,
        strata: &[Stratum],
        targets: &[u64],
        multipliers: &[f64],
    ) -> PrecisionPreview {
        let bounds = self.acting.iter().zip(&self.told).zip(multipliers);
        let is_census = |(stratum, target): &(&Stratum, &u64)| {
            **target >= (stratum.members.len() as u64).saturating_mul(PPB)
        };
        PrecisionPreview {
            bounds: bounds
                .map(|((bound, (of, domain)), multiplier)| BoundPreview {
                    of: of.clone(),
                    domain: domain.clone(),
                    object_count: bound.object_count(strata),
                    expected_total: bound.expected_total(strata),
                    most_cv: bound.most_cv,
                    expected_cv: bound.expected_cv(strata, targets),
                    days_per_point: bound.price(strata, *multiplier),
                })
                .collect(),
            census: strata
                .iter()
                .zip(targets)
                .filter(is_census)
                .map(|(stratum, _)| stratum.key.clone())
                .collect(),
        }
    }
}

/// Bounds as a frozen plan says them: canonical JSON has no fractions, so that numbers are texts.
pub(super) fn said(bounds: &[PrecisionBound]) -> Result<serde_json::Value, ServiceError> {
    let mut said = serde_json::to_value(bounds)?;
    for (bound, value) in bounds.iter().zip(said.as_array_mut().into_iter().flatten()) {
        if let Some(members) = value.as_object_mut() {
            members.insert("cv".to_owned(), bound.cv.to_string().into());
        }
    }
    Ok(said)
}

/// What a bound restricts by itself.
fn asked_domain(asked: &PrecisionBound) -> BTreeMap<DomainTrait, String> {
    let within = asked.within.iter();
    within
        .map(|(one, value)| (*one, value.to_string()))
        .collect()
}

/// What a bound is repeated for.
fn each(asked: &PrecisionBound) -> String {
    let names: Vec<&str> = asked.each.iter().map(|one| one.as_str()).collect();
    names.join(", ")
}

/// A domain in words.
fn told(domain: &BTreeMap<DomainTrait, String>) -> String {
    if domain.is_empty() {
        return "the whole plan".to_owned();
    }
    let parts: Vec<String> = domain
        .iter()
        .map(|(one, value)| format!("{one} `{value}`"))
        .collect();
    parts.join(", ")
}

/// The share of visits of a stratum for which something is predicted to hold, in ppb.
fn share_of(
    request: &AllocationRequest,
    of: &str,
    stratum: &Stratum,
    terms: &StratumTerms,
) -> Result<u64, ServiceError> {
    if of == PROBLEMS {
        return terms.problem_ppb.ok_or_else(|| {
            crate::sampling::AllocationError::NoPrediction {
                stratum: stratum.key.clone(),
                tier: stratum.meaning.tier,
            }
            .into()
        });
    }
    let rules = request.strata.iter().filter(|rule| rule.speaks_of(stratum));
    let mut said =
        rules.filter_map(|rule| rule.shares.iter().find(|(name, _)| name.as_str() == of));
    said.next_back()
        .map(|(_, share)| (share * PPB as f64).round() as u64)
        .ok_or_else(|| {
            let reason = format!(
                "has no share in stratum {} (tier {}); give one in `shares` of a rule in `allocation.strata`",
                stratum.key, stratum.meaning.tier
            );
            FieldError::new("allocation.precision", of, reason).into()
        })
}
