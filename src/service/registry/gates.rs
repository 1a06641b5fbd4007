//! The gates between a draft and its approval.
//!
//! Every gate says what it looked at and what it asks for. Those that rest on data or on the policy's guard rails may be
//! overridden by a person who says why; those that say that the card itself is wrong may not.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disagreement::Disagreement;
use crate::domain::dates::add_days;
use crate::domain::{AsOf, Label};
use crate::model::evaluation::{Comparison, ComparisonVerdict, GuardResult, GuardState, Settings};
use crate::model::{Scorecard, Scorecards};
use crate::service::{EvaluateError, OutcomeRule, Service, ServiceError};
use crate::store::{ModelDeed, ModelPaper, ModelRow, ModelState, NewModelChange};

/// The format of the document.
const FORMAT: &str = "risktier-validation/1";

/// Days before the present one as of which a card is judged that does not say what it was trained on.
const DEFAULT_DAYS: i32 = 365;

/// What a validation is asked for with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationAsk {
    /// Who asks.
    pub by: Label,
    /// Why; needed to override.
    pub reason: Option<String>,
    /// What counts as a problem.
    pub outcome: OutcomeRule,
    /// The day as of which tiers are judged by what was found later; default the end of the fitted rows.
    pub as_of: Option<Date>,
    /// How intervals are made.
    pub settings: Settings,
    /// Whether gates that may be overridden are.
    pub force: bool,
}

/// One gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Its name, such as `vectors` or `guard.tier_share.D`.
    pub gate: String,
    /// Whether it holds.
    pub state: GuardState,
    /// What was found; absent where nothing can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What is asked for, in words.
    pub limit: String,
    /// Whether a person may override it with a reason.
    pub may_force: bool,
}

/// What came of a validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelValidation {
    /// `risktier-validation/1`.
    pub format: String,
    /// The model.
    pub model_id: String,
    /// The live model that it was validated against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// The day as of which tiers were judged by what was found later.
    pub as_of: Date,
    /// The present day.
    pub on: Date,
    /// What counted as a problem.
    pub outcome: String,
    /// Who asked.
    pub by: String,
    /// Whether no gate is broken.
    pub passed: bool,
    /// Whether broken gates were overridden.
    pub forced: bool,
    /// Every gate.
    pub gates: Vec<Gate>,
    /// Where the model and the live one disagree about the present register.
    pub disagreement: Disagreement,
    /// The model against the live one on later inspections; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Box<Comparison>>,
}

impl ModelValidation {
    /// The gates that are broken.
    pub fn broken(&self) -> impl Iterator<Item = &Gate> {
        self.gates
            .iter()
            .filter(|gate| gate.state == GuardState::Broken)
    }
}

impl Service {
    /// Puts a model through the gates. A draft that passes, or whose broken gates may be and are overridden, is validated
    /// then; a model that is further on keeps its state and gets the new paper.
    ///
    /// # Errors
    ///
    /// When the model is live or retired, or the register fails.
    pub fn validate_model(
        &self,
        model_id: &str,
        ask: &ValidationAsk,
        progress: &mut dyn FnMut(&str, u8) -> bool,
    ) -> Result<ModelValidation, EvaluateError> {
        let row = self.may_validate(model_id)?;
        progress("running the test vectors", 0);
        let cards = self.model_scorecards(model_id)?;
        let live = self.current().models.clone();
        let candidate = self.files_with(model_id)?;
        let against = self.live_model_id()?;
        let as_of = ask.as_of.unwrap_or_else(|| self.judged_from(&cards));
        let mut gates = of_cards(&cards, as_of);
        progress("judging by later inspections", 10);
        let compared = self.compare_register(
            &live,
            &candidate,
            AsOf::monthly(as_of),
            &ask.outcome,
            ask.settings,
        );
        let comparison = match compared {
            Ok(comparison) => Some(Box::new(comparison)),
            // The register holds nothing to judge by, which a gate says.
            Err(EvaluateError::Evaluation(_)) => None,
            Err(error) => return Err(error),
        };
        gates.extend(of_comparison(comparison.as_deref()));
        progress("comparing the tiers of the register", 60);
        let disagreement = self.disagreement(&live, &candidate, &mut |_| {
            progress("comparing the tiers of the register", 60)
        })?;
        gates.push(of_mix(&disagreement, live.guard.score_shift));
        if !progress("writing it down", 95) {
            return Err(ServiceError::Conflict("it was cancelled".to_owned()).into());
        }
        let broken: Vec<&Gate> = gates
            .iter()
            .filter(|gate| gate.state == GuardState::Broken)
            .collect();
        let passed = broken.is_empty();
        let forced = !passed
            && ask.force
            && ask.reason.is_some()
            && broken.iter().all(|gate| gate.may_force);
        let validation = ModelValidation {
            format: FORMAT.to_owned(),
            model_id: model_id.to_owned(),
            against,
            as_of,
            on: self.today(),
            outcome: ask.outcome.words(),
            by: ask.by.to_string(),
            passed,
            forced,
            gates,
            disagreement,
            comparison,
        };
        let is_through = passed || forced;
        let change = NewModelChange {
            what: if is_through {
                ModelDeed::Validated
            } else {
                ModelDeed::Refused
            },
            to: (is_through && row.state == ModelState::Draft).then_some(ModelState::Validated),
            by: Some(ask.by.to_string()),
            reason: ask.reason.clone(),
            is_forced: forced,
            paper: Some((
                ModelPaper::Validation,
                serde_json::to_string(&validation).map_err(ServiceError::from)?,
            )),
            run_id: None,
        };
        // What the state was at the beginning: whoever moved the model meanwhile is not overruled.
        self.step(model_id, "put through the gates", &[row.state], &change)?;
        Ok(validation)
    }

    /// The model, if it may go through the gates.
    pub(super) fn may_validate(&self, model_id: &str) -> Result<ModelRow, ServiceError> {
        let needed = [
            ModelState::Draft,
            ModelState::Validated,
            ModelState::Approved,
            ModelState::Shadow,
        ];
        let row = self.model(model_id)?;
        if needed.contains(&row.state) {
            return Ok(row);
        }
        Err(ServiceError::ModelState {
            model_id: model_id.to_owned(),
            state: row.state,
            step: "validated",
            needed: needed.to_vec(),
        })
    }

    /// The last day that the fitted rows of any card can have reached: before its validation, else its last row.
    pub(super) fn judged_from(&self, cards: &Scorecards) -> Date {
        let until = cards.all().filter_map(|(_, card)| fitted_until(card)).max();
        let from = until.unwrap_or_else(|| add_days(self.today(), -DEFAULT_DAYS));
        from.min(self.today())
    }
}

fn gate(name: &str, holds: Option<bool>, value: Option<f64>, limit: &str, may_force: bool) -> Gate {
    Gate {
        gate: name.to_owned(),
        state: match holds {
            None => GuardState::NotEstimable,
            Some(true) => GuardState::Holds,
            Some(false) => GuardState::Broken,
        },
        value,
        limit: limit.to_owned(),
        may_force,
    }
}

/// The last day that the fitted rows of a card can have reached, where it says so.
fn fitted_until(card: &Scorecard) -> Option<Date> {
    let day = |pointer: &str| {
        let text = card.manifest.pointer(pointer)?.as_str()?;
        text.parse::<Date>().ok()
    };
    day("/data/split/validation_from")
        .map(|from| add_days(from, -1))
        .or_else(|| day("/data/last_day"))
}

/// The gates of every card; those of a card for a kind are named with it.
fn of_cards(cards: &Scorecards, as_of: Date) -> Vec<Gate> {
    cards
        .all()
        .flat_map(|(kind, card)| {
            of_card(card, as_of).into_iter().map(move |gate| Gate {
                gate: match kind {
                    Some(kind) => format!("{kind}.{}", gate.gate),
                    None => gate.gate,
                },
                ..gate
            })
        })
        .collect()
}

/// What the card says of itself. That it was read at all means that vectors and directions hold: reading refuses others.
fn of_card(card: &Scorecard, as_of: Date) -> Vec<Gate> {
    let vectors = card.vectors.as_ref().map(|vectors| vectors.rows.len());
    let at = |pointer: &str| card.manifest.pointer(pointer);
    let fits = at("/metrics/fitters").and_then(Value::as_array);
    let convergence = fits
        .into_iter()
        .flatten()
        .find(|fit| fit.get("fitter") == at("/fitter"))
        .and_then(|fit| fit.get("convergence"));
    let converged = convergence
        .and_then(|found| found.get("converged"))
        .and_then(Value::as_bool);
    let gradient = convergence
        .and_then(|found| found.get("gradient"))
        .and_then(Value::as_f64);
    vec![
        gate(
            "vectors",
            vectors.map(|_| true),
            vectors.map(|count| count as f64),
            "every test vector of the card gives its points; a card written by hand carries none",
            false,
        ),
        gate(
            "direction",
            Some(true),
            None,
            "no points run against the direction that the catalogue declares",
            false,
        ),
        gate(
            "convergence",
            converged,
            gradient,
            "the gradient test of a logistic fit was passed; boosting stops on held-back rows and has none",
            false,
        ),
        gate(
            "time_split",
            fitted_until(card).map(|until| as_of >= until),
            None,
            "the inspections that judge come after the rows that were fitted",
            true,
        ),
    ]
}

fn of_comparison(comparison: Option<&Comparison>) -> Vec<Gate> {
    let Some(comparison) = comparison else {
        return vec![gate(
            "later_inspections",
            Some(false),
            Some(0.0),
            "the register holds inspections after the day to judge by",
            true,
        )];
    };
    let candidate = &comparison.candidate;
    let difference = comparison.differences.last().and_then(|one| one.auc.value);
    let mut gates = vec![
        gate(
            "later_inspections",
            Some(candidate.data.rows > 0),
            Some(candidate.data.rows as f64),
            "the register holds inspections after the day to judge by",
            true,
        ),
        gate(
            "not_worse_than_live",
            Some(comparison.verdict != ComparisonVerdict::CurrentBetter),
            difference,
            "the interval of the difference in area under the curve does not lie below 0",
            true,
        ),
    ];
    gates.extend(candidate.guards.iter().map(of_guard));
    gates
}

fn of_guard(result: &GuardResult) -> Gate {
    Gate {
        gate: format!("guard.{}", result.guard),
        state: result.state,
        value: result.value,
        limit: result.limit.clone(),
        may_force: true,
    }
}

fn of_mix(disagreement: &Disagreement, most: f64) -> Gate {
    let is_known = disagreement.enterprise_count > 0;
    gate(
        "guard.mix_shift",
        is_known.then_some(disagreement.mix_shift < most),
        is_known.then_some(disagreement.mix_shift),
        &format!("stability index of the register's tier mix against the live model below {most}"),
        true,
    )
}
