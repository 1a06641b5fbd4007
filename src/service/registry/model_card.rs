//! The card about a model (model card): what it is for, what it rests on, how good it is and where, and who answers for
//! it. Everything in it is read from the artefact, the validation and the ledger; nothing is written by hand.

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::gates::Gate;
use crate::domain::{EnterpriseKind, Tier};
use crate::indicators::{Direction, Names};
use crate::model::evaluation::{Grouping, Headline};
use crate::model::{Cutoffs, Scorecards};
use crate::service::{Service, ServiceError};
use crate::store::{ModelDeed, ModelState};

/// The format of the document.
const FORMAT: &str = "risktier-model-card/1";

/// Months after its approval in which a model is due for review.
const REVIEW_MONTHS: u16 = 12;

/// The card about a model.
#[derive(Clone, Debug, Serialize)]
pub struct ModelCard {
    /// `risktier-model-card/1`.
    pub format: String,
    /// SHA-256 of the artefact.
    pub model_id: String,
    /// Name of the card.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: ModelState,
    /// Who registered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Who approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// The day from which on it is due for review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_on: Option<Date>,
    /// What it is for.
    pub intended_use: Names,
    /// What it is not for.
    pub not_for: Names,
    /// What a reader must know of its limits.
    pub limits: Vec<Names>,
    /// How it came about.
    pub origin: String,
    /// The model that it replaces, as the artefact says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The rows that it was trained on: digest, number, first and last day, division.
    pub data: Value,
    /// Its fitter and why that one was chosen.
    pub fitter: Value,
    /// Its figures at training, with standard errors.
    pub training_metrics: Value,
    /// Where the tiers begin.
    pub cutoffs: Cutoffs,
    /// Shares of the tiers among its training rows.
    pub training_mix: BTreeMap<Tier, f64>,
    /// Its inputs.
    pub inputs: Vec<CardInput>,
    /// Number of pair terms.
    pub pair_count: usize,
    /// Number of test vectors that loading re-runs.
    pub vector_count: usize,
    /// Cards for kinds of enterprise that come and go with this one, as name and version. All else here is about the
    /// general card.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cards_by_kind: BTreeMap<EnterpriseKind, String>,
    /// Its last validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<CardValidation>,
    /// The release that made it.
    pub built_with: Value,
}

/// One input of a model.
#[derive(Clone, Debug, Serialize)]
pub struct CardInput {
    /// Its code.
    pub code: String,
    /// Its names, where the catalogue in force knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
    /// The direction in which its points run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Least points of it.
    pub least_points: i32,
    /// Most points of it.
    pub most_points: i32,
}

/// The last validation in brief.
#[derive(Clone, Debug, Serialize)]
pub struct CardValidation {
    /// When.
    pub on: Date,
    /// The day as of which it was judged.
    pub as_of: Date,
    /// What counted as a problem.
    pub outcome: String,
    /// Whether no gate was broken.
    pub passed: bool,
    /// Whether broken gates were overridden.
    pub forced: bool,
    /// Every gate.
    pub gates: Vec<Gate>,
    /// The headline figures with intervals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headline: Option<Headline>,
    /// Figures by group.
    pub groups: Vec<Grouping>,
}

impl Service {
    /// The card about a model.
    ///
    /// # Errors
    ///
    /// When there is no such model or the store fails.
    pub fn model_card(&self, model_id: &str) -> Result<ModelCard, ServiceError> {
        let detail = self.model_detail(model_id)?;
        let (
            row,
            Scorecards {
                general: card,
                by_kind,
            },
        ) = (detail.row, detail.cards);
        let approval = self
            .model_history(Some(model_id), None, usize::from(u16::MAX))?
            .into_iter()
            .find(|change| change.what == ModelDeed::Approved);
        let approved_on = approval.as_ref().and_then(|change| {
            let at = jiff::Timestamp::from_millisecond(change.at).ok()?;
            Some(at.to_zoned(jiff::tz::TimeZone::UTC).date())
        });
        let current = self.current();
        let catalogue = current.models.classifier.catalogue();
        let manifest = &card.manifest;
        let of = |name: &str| manifest.get(name).cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let is_trained = card.is_trained_format();
        Ok(ModelCard {
            format: FORMAT.to_owned(),
            model_id: row.model_id,
            name: row.name,
            version: row.version,
            state: row.state,
            author: row.author,
            approver: approval.and_then(|change| change.by),
            review_on: approved_on.map(|day| crate::domain::dates::add_months(day, REVIEW_MONTHS)),
            intended_use: names(
                "将登记的经营主体划分为四个信用风险类别，供双随机抽查按类别确定比例和频次；类别仅供内部监管参考。",
                "Sorts registered enterprises into four credit-risk tiers, from which random inspections take their rates; \
                 a tier is an internal reference for supervision.",
            ),
            not_for: names(
                "不作为行政处罚、许可、融资授信的依据，不对外公示，不替代对投诉举报线索的核查。",
                "No ground for penalties, permits or credit; not for publication; no substitute for following up a complaint.",
            ),
            limits: limits(is_trained, manifest),
            origin: text(&of("origin"))
                .unwrap_or_else(|| if is_trained { "trained" } else { "expert" }.to_owned()),
            parent: text(&of("parent")),
            data: of("data"),
            fitter: json!({"fitter": of("fitter"), "why": of("why"), "seed": of("seed")}),
            training_metrics: of("metrics"),
            cutoffs: card.cutoffs,
            training_mix: card
                .baseline
                .as_ref()
                .map(|baseline| baseline.tiers.clone())
                .unwrap_or_default(),
            inputs: card
                .indicators
                .iter()
                .map(|(code, single)| {
                    let declared = catalogue
                        .position(code)
                        .and_then(|place| catalogue.indicators.get(place));
                    let mut points = single.bin_points();
                    if let Some(linear) = single.linear {
                        points = vec![0, linear.cap, single.missing];
                    }
                    CardInput {
                        code: code.clone(),
                        names: declared.map(|indicator| indicator.name.clone()),
                        direction: single
                            .direction
                            .or_else(|| declared.map(|indicator| indicator.direction)),
                        least_points: points.iter().min().copied().unwrap_or(0),
                        most_points: points.iter().max().copied().unwrap_or(0),
                    }
                })
                .collect(),
            pair_count: card.pairs.len(),
            vector_count: card
                .vectors
                .as_ref()
                .map_or(0, |vectors| vectors.rows.len()),
            cards_by_kind: by_kind
                .iter()
                .map(|(kind, card)| (*kind, format!("{}/{}", card.name, card.version)))
                .collect(),
            validation: detail.validation.map(|validation| {
                let view = validation
                    .comparison
                    .as_ref()
                    .and_then(|comparison| comparison.candidate.views.last());
                CardValidation {
                    on: validation.on,
                    as_of: validation.as_of,
                    outcome: validation.outcome.clone(),
                    passed: validation.passed,
                    forced: validation.forced,
                    headline: view.map(|view| view.headline.clone()),
                    groups: view.map(|view| view.groups.clone()).unwrap_or_default(),
                    gates: validation.gates.clone(),
                }
            }),
            built_with: of("built_with"),
        })
    }
}

fn names(zh: &str, en: &str) -> Names {
    Names {
        zh: zh.to_owned(),
        en: en.to_owned(),
    }
}

/// What a reader must know, as far as the artefact says it.
fn limits(is_trained: bool, manifest: &Value) -> Vec<Names> {
    let mut limits = Vec::new();
    if is_trained {
        limits.push(names(
            "训练行为被检查过的主体，其风险高于全体；图表中的比例不可直接视为全体比例。",
            "The training rows are enterprises that were inspected, which are riskier than all; shares among them are not \
             shares of the register.",
        ));
        if manifest
            .pointer("/data/split/validation_count")
            .and_then(Value::as_u64)
            == Some(0)
        {
            limits.push(names(
                "训练时没有留出验证行。",
                "No rows were held back for validation at training.",
            ));
        }
    } else {
        limits.push(names(
            "分值由专家给出，不来自数据，也不给出概率。",
            "The points were given by experts and not by data, and there are no probabilities.",
        ));
    }
    let warnings = manifest.get("warnings").and_then(Value::as_array);
    for warning in warnings.into_iter().flatten() {
        if let Some(text) = warning.as_str() {
            limits.push(names(text, text));
        }
    }
    limits
}
