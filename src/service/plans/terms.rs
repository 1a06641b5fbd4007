//! How the visits of a plan are spread over its strata, as a caller says it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::precision::{PROBLEMS, PrecisionBound, check_bounds};

use crate::domain::{FieldError, Label, Tier};
use crate::model::Classifier;
use crate::sampling::plan::PPB;
use crate::sampling::{Allocation, Frame, StrataBy, Stratum, StratumTerms};

const OWN_EFFORT: &str = "does not go with `allocation.by` = `precision`, which finds the least number itself; leave it out";

/// Most rules of one plan.
const MAX_RULES: usize = 1_000;

/// How the visits of a plan are spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllocationRequest {
    /// What the visits follow.
    #[serde(default)]
    pub by: AllocationBy,
    /// Inspector-days that there are, in place of a number of visits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspector_days: Option<f64>,
    /// What holds for some of the strata. Where several rules speak of one stratum, the later one has the word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strata: Vec<StratumRule>,
    /// What strata are of, beside tier, complaint band and rate.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strata_by: StrataBy,
    /// How far estimates may be off, for an allocation by precision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precision: Vec<PrecisionBound>,
}

fn is_default(by: &StrataBy) -> bool {
    *by == StrataBy::default()
}

/// What the visits follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllocationBy {
    /// The policy's rates.
    #[default]
    Rates,
    /// The spread of the predicted problem probability (Neyman), so that results say most.
    Neyman,
    /// Bounds on the precision of estimates (Bethel): as few inspector-days as hold them all.
    Precision,
}

/// What holds for the strata of a tier, division and complaint band; a condition that is left out does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratumRule {
    /// The tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// The division, with what lies below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<Label>,
    /// The complaint band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complaint_band: Option<Label>,
    /// At least so many visits in each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<u64>,
    /// At most so many visits in each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// Predicted share of visits that find a problem, in place of what the scorecard predicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_probability: Option<f64>,
    /// Inspector-days that a visit takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_per_visit: Option<f64>,
    /// Predicted share of visits for which something else holds, by its name, for bounds on its precision.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<Label, f64>,
}

impl AllocationRequest {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let fail = |field: String, value: String, reason: &str| {
            Err(FieldError::new(&field, &value, reason))
        };
        if let Some(days) = self
            .inspector_days
            .filter(|days| !(*days > 0.0 && *days <= 1e7))
        {
            let reason = "is not a number of days above 0 and at most 10000000";
            return fail(
                "allocation.inspector_days".to_owned(),
                days.to_string(),
                reason,
            );
        }
        if self.strata.len() > MAX_RULES {
            let reason = "are more rules than 1000; give fewer";
            return fail(
                "allocation.strata".to_owned(),
                self.strata.len().to_string(),
                reason,
            );
        }
        for (place, rule) in self.strata.iter().enumerate() {
            let name = |member: &str| format!("allocation.strata.{place}.{member}");
            let wrong = |number: &f64, most: f64| !(*number >= 0.0 && *number <= most);
            if let Some(share) = rule.problem_probability.filter(|share| wrong(share, 1.0)) {
                let reason = "is not a share from 0 to 1";
                return fail(name("problem_probability"), share.to_string(), reason);
            }
            for (name, share) in &rule.shares {
                let field = format!("allocation.strata.{place}.shares.{name}");
                if name.as_str() == PROBLEMS {
                    let reason = "is what `problem_probability` is for; use that";
                    return fail(field, share.to_string(), reason);
                }
                if wrong(share, 1.0) {
                    return fail(field, share.to_string(), "is not a share from 0 to 1");
                }
            }
            if let Some(days) = rule
                .days_per_visit
                .filter(|days| wrong(days, 365.0) || *days < 0.001)
            {
                let reason = "is not a number of days from 0.001 to 365";
                return fail(name("days_per_visit"), days.to_string(), reason);
            }
            if let Some(division) = &rule.division {
                let finest = self.strata_by.division_digits().unwrap_or(0);
                let digits = digits_of(division);
                if finest == 0 || digits.is_some_and(|digits| digits > finest) {
                    let reason = "lies below the level of the strata; change `allocation.strata_by` or leave it out";
                    return fail(name("division"), division.to_string(), reason);
                }
            }
            if let (Some(least), Some(most)) = (rule.least, rule.most)
                && least > most
            {
                let reason = "is more than `most` of the same rule; change one of the two";
                return fail(name("least"), least.to_string(), reason);
            }
        }
        check_bounds(self)
    }

    /// The way of allocating, for a number of visits or none; `None` where bounds on precision say how many there are.
    pub(super) fn allocation(&self, visits: Option<u64>) -> Result<Option<Allocation>, FieldError> {
        if self.by != AllocationBy::Precision && !self.precision.is_empty() {
            let reason =
                "holds bounds for `allocation.by` = `precision`; set that or leave them out";
            let count = self.precision.len().to_string();
            return Err(FieldError::new("allocation.precision", &count, reason));
        }
        // Checked to lie within 10 million days, so the product is far below 2^53.
        let milli = |days: f64| (days * 1_000.0).round() as u64;
        match (self.by, visits, self.inspector_days) {
            (_, Some(visits), Some(_)) => Err(FieldError::new(
                "visits",
                &visits.to_string(),
                "does not go with `allocation.inspector_days`; leave one out",
            )),
            (AllocationBy::Rates, None, None) => Ok(Some(Allocation::Rates)),
            (AllocationBy::Rates, Some(visits), None) => Ok(Some(Allocation::Total(visits))),
            (AllocationBy::Rates, None, Some(days)) => Ok(Some(Allocation::Days(milli(days)))),
            (AllocationBy::Neyman, Some(visits), None) => Ok(Some(Allocation::Neyman(visits))),
            (AllocationBy::Neyman, None, Some(days)) => {
                Ok(Some(Allocation::NeymanDays(milli(days))))
            }
            (AllocationBy::Neyman, None, None) => Err(FieldError::new(
                "allocation.by",
                "neyman",
                "needs a number of visits or of inspector-days; give `visits` or `allocation.inspector_days`",
            )),
            (AllocationBy::Precision, Some(visits), None) => {
                Err(FieldError::new("visits", &visits.to_string(), OWN_EFFORT))
            }
            (AllocationBy::Precision, None, Some(days)) => Err(FieldError::new(
                "allocation.inspector_days",
                &days.to_string(),
                OWN_EFFORT,
            )),
            (AllocationBy::Precision, None, None) if self.precision.is_empty() => {
                let reason = "needs at least one bound; give `allocation.precision`";
                Err(FieldError::new("allocation.by", "precision", reason))
            }
            (AllocationBy::Precision, None, None) => Ok(None),
        }
    }

    /// The terms of each stratum; what no rule predicts is predicted by the scorecards, as far as they are calibrated.
    pub(super) fn terms(
        &self,
        strata: &[Stratum],
        frame: &Frame,
        classifier: &Classifier,
    ) -> Vec<StratumTerms> {
        strata
            .iter()
            .map(|stratum| {
                let mut terms = StratumTerms {
                    problem_ppb: predicted(stratum, frame, classifier),
                    ..StratumTerms::default()
                };
                for rule in self.strata.iter().filter(|rule| rule.speaks_of(stratum)) {
                    if let Some(least) = rule.least {
                        terms.least_ppb = least.saturating_mul(PPB);
                    }
                    if let Some(most) = rule.most {
                        terms.most_ppb = Some(most.saturating_mul(PPB));
                    }
                    if let Some(share) = rule.problem_probability {
                        terms.problem_ppb = Some((share * PPB as f64).round() as u64);
                    }
                    if let Some(days) = rule.days_per_visit {
                        terms.visit_milli_days = (days * 1_000.0).round() as u32;
                    }
                }
                terms
            })
            .collect()
    }
}

impl StratumRule {
    pub(super) fn speaks_of(&self, stratum: &Stratum) -> bool {
        let meaning = &stratum.meaning;
        self.tier.is_none_or(|tier| tier == meaning.tier)
            && self.division.as_ref().is_none_or(|scope| {
                Label::parse(&meaning.division)
                    .is_ok_and(|division| division.in_division(scope.as_str()))
            })
            && self
                .complaint_band
                .as_ref()
                .is_none_or(|band| band.as_str() == meaning.complaint_band)
    }
}

/// How many digits of a division a scope tells: those before its zeros, two at a time; nothing for a label of another
/// system.
pub(super) fn digits_of(scope: &Label) -> Option<usize> {
    let text = scope.as_str();
    let is_standard = text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    let told = text.trim_end_matches("00").len();
    is_standard.then_some(told)
}

/// The mean of what the calibrated scorecards predict of the objects of a stratum, in ppb; nothing where the scorecard
/// of one of them is not calibrated.
fn predicted(stratum: &Stratum, frame: &Frame, classifier: &Classifier) -> Option<u64> {
    let (mut sum, mut count) = (0_u64, 0_u64);
    for position in &stratum.members {
        let row = frame.rows().get(*position)?;
        let calibration = classifier.scorecard_of(row.kind).calibration.as_ref()?;
        sum += (calibration.probability(row.points) * PPB as f64).round() as u64;
        count += 1;
    }
    sum.checked_div(count)
}
