//! Guard rails: the bounds that an evaluation must keep before anybody may serve the model.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::document::Evaluation;
use super::stability::Limits;
use crate::domain::Tier;

/// The `[guard]` part of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// Least and most share of the evaluated rows per tier; a tier that is left out is not bounded.
    pub tier_share: BTreeMap<Tier, ShareBounds>,
    /// Whether problem rates must not fall from a tier to the next worse one.
    pub monotone_tiers: bool,
    /// A tier with fewer rows is left out of that check.
    pub least_tier_rows: u64,
    /// Stability index of the score from which the guard is broken.
    pub score_shift: f64,
    /// Stability index of a feature from which the guard is broken.
    pub feature_shift: f64,
    /// Stability index from which somebody should look; breaks nothing.
    pub look_shift: f64,
    /// Largest calibration error beyond what chance explains.
    pub calibration_error: f64,
    /// Least area under the curve.
    pub auc: f64,
}

/// Bounds of a share, both included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareBounds {
    /// Least share.
    pub least: f64,
    /// Most.
    pub most: f64,
}

/// Why a guard cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`guard.{place}`: {reason}")]
pub struct GuardError {
    /// Where in the policy.
    pub place: String,
    /// What is wrong and what to do.
    pub reason: String,
}

/// How one guard came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardResult {
    /// Which guard, such as `tier_share.D`.
    pub guard: String,
    /// The value that was judged; absent where it cannot be estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The bound in words, such as `at most 0.1`.
    pub limit: String,
    /// Whether it holds.
    pub state: GuardState,
}

/// State of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardState {
    /// Within the bound.
    Holds,
    /// Beyond it.
    Broken,
    /// The rows do not say; nothing is broken, and nothing is shown.
    NotEstimable,
}

/// Takes one judgement: the guard, the value, the limit in words, and whether a value keeps it.
type Push<'a> = dyn FnMut(String, Option<f64>, String, &dyn Fn(f64) -> bool) + 'a;

impl Default for Guard {
    /// What a policy without a `[guard]` part asks for. The tier bounds are wider than the published mixes of whole
    /// registers, because inspected enterprises are riskier than the register; 0.10 and 0.25 are the customary
    /// thresholds of stability (Siddiqi 2006); the others are judgement.
    fn default() -> Self {
        let bounds = |least, most| ShareBounds { least, most };
        Self {
            tier_share: [
                (Tier::A, bounds(0.20, 0.95)),
                (Tier::D, bounds(0.001, 0.15)),
            ]
            .into(),
            monotone_tiers: true,
            least_tier_rows: 30,
            score_shift: 0.25,
            feature_shift: 0.25,
            look_shift: 0.10,
            calibration_error: 0.05,
            auc: 0.5,
        }
    }
}

impl Guard {
    /// Checks the bounds themselves.
    ///
    /// # Errors
    ///
    /// Names the first one that no evaluation could keep or break.
    pub fn check(&self) -> Result<(), GuardError> {
        let fail = |place: String, reason: &str| {
            Err(GuardError {
                place,
                reason: reason.to_owned(),
            })
        };
        for (tier, bounds) in &self.tier_share {
            if !((0.0..=1.0).contains(&bounds.least) && (bounds.least..=1.0).contains(&bounds.most))
            {
                return fail(format!("tier_share.{tier}"), "needs 0 ≤ least ≤ most ≤ 1");
            }
        }
        for (place, value) in [
            ("score_shift", self.score_shift),
            ("feature_shift", self.feature_shift),
            ("look_shift", self.look_shift),
            ("calibration_error", self.calibration_error),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return fail(place.to_owned(), "needs a finite number above 0");
            }
        }
        if self.look_shift > self.score_shift || self.look_shift > self.feature_shift {
            return fail(
                "look_shift".to_owned(),
                "lies above the shift that breaks the guard; lower it",
            );
        }
        if !(0.0..=1.0).contains(&self.auc) {
            return fail("auc".to_owned(), "needs a number within 0 to 1");
        }
        Ok(())
    }

    /// The thresholds of drift of the score.
    pub fn limits(&self) -> Limits {
        Limits {
            look: self.look_shift,
            act: self.score_shift.min(self.feature_shift),
        }
    }

    /// Judges an evaluation by its last view: the weighted one where there are design weights.
    pub fn judge(&self, evaluation: &Evaluation) -> Vec<GuardResult> {
        let mut results = Vec::new();
        let mut push =
            |guard: String, value: Option<f64>, limit: String, holds: &dyn Fn(f64) -> bool| {
                results.push(GuardResult {
                    state: match value {
                        None => GuardState::NotEstimable,
                        Some(value) if holds(value) => GuardState::Holds,
                        Some(_) => GuardState::Broken,
                    },
                    guard,
                    value,
                    limit,
                });
            };
        let view = evaluation.views.last();
        let tiers = view.and_then(|view| view.tiers.as_ref());
        for (tier, bounds) in &self.tier_share {
            let share = tiers
                .and_then(|table| table.tiers.iter().find(|row| row.tier == *tier))
                .map(|row| row.found.share);
            push(
                format!("tier_share.{tier}"),
                share,
                format!("{} to {}", bounds.least, bounds.most),
                &|share| (bounds.least..=bounds.most).contains(&share),
            );
        }
        if self.monotone_tiers {
            let monotone = tiers.and_then(|table| table.monotone);
            push(
                "monotone_tiers".to_owned(),
                monotone.map(|monotone| f64::from(u8::from(monotone))),
                format!(
                    "1 (rates rise from A to D over tiers with at least {} rows)",
                    self.least_tier_rows
                ),
                &|monotone| monotone > 0.0,
            );
        }
        push(
            "auc".to_owned(),
            view.and_then(|view| view.headline.auc.value),
            format!("at least {}", self.auc),
            &|auc| auc >= self.auc,
        );
        let calibration = view.and_then(|view| view.calibration.as_ref());
        push(
            "calibration_error".to_owned(),
            calibration.and_then(|calibration| {
                Some((calibration.error.value? - calibration.error_by_chance.value?).max(0.0))
            }),
            format!("at most {} beyond chance", self.calibration_error),
            &|error| error <= self.calibration_error,
        );
        if let Some(stability) = &evaluation.stability {
            self.judge_stability(stability, &mut push);
        }
        results
    }

    /// Judges drift alone.
    pub fn judge_drift(&self, stability: &super::stability::Stability) -> Vec<GuardResult> {
        let mut results = Vec::new();
        self.judge_stability(
            stability,
            &mut |guard: String, value: Option<f64>, limit: String, holds: &dyn Fn(f64) -> bool| {
                let holds = value.is_some_and(holds);
                results.push(GuardResult {
                    guard,
                    value,
                    limit,
                    state: if holds {
                        GuardState::Holds
                    } else {
                        GuardState::Broken
                    },
                });
            },
        );
        results
    }

    fn judge_stability(&self, stability: &super::stability::Stability, push: &mut Push<'_>) {
        push(
            "score_shift".to_owned(),
            Some(stability.score.index),
            format!("below {}", self.score_shift),
            &|index| index < self.score_shift,
        );
        for feature in &stability.features {
            push(
                format!("feature_shift.{}", feature.name),
                Some(feature.index),
                format!("below {}", self.feature_shift),
                &|index| index < self.feature_shift,
            );
        }
        push(
            "features_present".to_owned(),
            Some(stability.absent.len() as f64),
            "0 features of the baseline are absent".to_owned(),
            &|absent| absent == 0.0,
        );
    }
}

/// Whether any guard is broken.
pub fn any_broken(results: &[GuardResult]) -> bool {
    results
        .iter()
        .any(|result| result.state == GuardState::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_contradict_themselves_are_refused_by_place() {
        assert_eq!(Guard::default().check(), Ok(()));
        let mut guard = Guard::default();
        guard.tier_share.insert(
            Tier::C,
            ShareBounds {
                least: 0.5,
                most: 0.1,
            },
        );
        assert!(
            guard
                .check()
                .unwrap_err()
                .to_string()
                .contains("guard.tier_share.C")
        );
        let guard = Guard {
            look_shift: 0.3,
            ..Guard::default()
        };
        assert!(
            guard
                .check()
                .unwrap_err()
                .to_string()
                .contains("guard.look_shift")
        );
        let guard = Guard {
            calibration_error: f64::NAN,
            ..Guard::default()
        };
        assert!(guard.check().is_err());
    }
}
