//! Models: what is registered and where each stands.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{EnterpriseKind, ModelDeed, ModelState};
use super::jobs::instant;
use super::present;
use crate::domain::{FieldError, Label};
use crate::service::{
    Gate, LedgerCheck, LiveModel, ModelChange, ModelDetail, ModelRow, Person, Scorecards, person,
    reason_of,
};

/// A card to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by` and `scorecard`")]
pub(crate) struct ModelInput {
    /// Who registers it, and is its author; a later release takes it from the caller's token.
    #[schema(example = "analyst-3", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[serde(default, deserialize_with = "present")]
    #[schema(
        example = "retrained on the inspections of 2026",
        min_length = 1,
        max_length = 2000
    )]
    reason: Option<String>,
    /// The card as training writes it, or as a person does: `risktier-scorecard/2` or `/1`. Or several, for kinds of
    /// enterprise, that are one model: `{"format": "risktier-scorecards/1", "general": card, "by_kind": {"individual_business":
    /// card}}`.
    #[schema(value_type = Object)]
    scorecard: serde_json::Map<String, serde_json::Value>,
}

impl ModelInput {
    /// Checks who and why, and gives the card as text.
    pub(crate) fn parse(self) -> Result<(Label, Option<String>, String), FieldError> {
        Ok((
            person("by", &self.by)?,
            self.reason.as_deref().map(reason_of).transpose()?,
            serde_json::Value::Object(self.scorecard).to_string(),
        ))
    }
}

/// Who acts and why, and whether what speaks against it is overridden.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by` and `reason`")]
pub(crate) struct PromotionInput {
    /// Who; a later release takes it from the caller's token.
    #[schema(example = "director-1", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[schema(
        example = "approved by the board of 2026-11-20",
        min_length = 1,
        max_length = 2000
    )]
    reason: String,
    /// Promote although a guard rail is broken; the reason is kept.
    #[serde(default)]
    #[schema(example = false)]
    pub(crate) force: bool,
}

impl PromotionInput {
    /// Who asks and why.
    pub(crate) fn person(&self) -> Result<Person, FieldError> {
        Person::parse(&self.by, &self.reason)
    }
}

/// Who rolls back and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by` and `reason`")]
pub(crate) struct RollbackInput {
    /// Who; a later release takes it from the caller's token.
    #[schema(example = "director-1", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[schema(
        example = "too many restaurants in tier D",
        min_length = 1,
        max_length = 2000
    )]
    reason: String,
    /// The model to go back to, which was live once; default the one before the present.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    pub(crate) model_id: Option<String>,
}

impl RollbackInput {
    /// Who asks and why.
    pub(crate) fn person(&self) -> Result<Person, FieldError> {
        Person::parse(&self.by, &self.reason)
    }
}

/// Which models.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ModelQuery {
    /// Only those in this state.
    pub(crate) state: Option<ModelState>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(pattern = "^([0-9a-f]{2}){8,}$")]
    pub(crate) cursor: Option<String>,
    /// Most items on the page.
    #[param(example = 100, minimum = 1)]
    pub(crate) limit: Option<usize>,
}

/// An instant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AtQuery {
    /// The instant (RFC 3339); default now.
    #[param(format = DateTime, example = "2026-11-22T08:00:00Z")]
    pub(crate) at: Option<String>,
}

/// The language of a page.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageLanguageQuery {
    /// The language that the page opens in; it holds both.
    #[param(inline)]
    pub(crate) language: Option<super::codes::PageLanguage>,
}

/// A registered model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelAnswer {
    /// SHA-256 of the canonical bytes of its card.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    pub(crate) model_id: String,
    /// Its number, rising.
    #[schema(example = 2, minimum = 1)]
    number: u64,
    /// Name of the card.
    #[schema(example = "retrained")]
    name: String,
    /// Version within the name.
    #[schema(example = 1)]
    version: u32,
    /// Where it stands.
    state: ModelState,
    /// Who registered it; absent where it came with the files of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "analyst-3")]
    author: Option<String>,
    /// When it was registered.
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    added_at: String,
}

impl From<ModelRow> for ModelAnswer {
    fn from(row: ModelRow) -> Self {
        let ModelRow {
            model_no,
            model_id,
            name,
            version,
            state,
            author,
            added_at,
        } = row;
        Self {
            model_id,
            number: model_no,
            name,
            version,
            state: state.into(),
            author,
            added_at: instant(added_at),
        }
    }
}

/// A model with what is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelDetailAnswer {
    #[serde(flatten)]
    model: ModelAnswer,
    /// Where the card comes from: origin, data, figures at training.
    #[schema(value_type = Object)]
    manifest: serde_json::Value,
    /// Number of indicators with points.
    #[schema(example = 18)]
    indicator_count: usize,
    /// Number of pair terms.
    #[schema(example = 3)]
    pair_count: usize,
    /// Number of test vectors that every loading re-runs.
    #[schema(example = 412)]
    vector_count: usize,
    /// Cards for kinds of enterprise that are part of the model; all else here is about the general card.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    kinds: Vec<KindCardAnswer>,
    /// Its last validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    validation: Option<ValidationAnswer>,
    /// The rows and the report of its training, where it was trained here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    training: Option<serde_json::Value>,
}

/// A validation in brief; the whole of it is the result of its job, and the page `…/report`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ValidationAnswer {
    /// When.
    #[schema(format = Date, example = "2026-11-22")]
    on: String,
    /// The day as of which tiers were judged by what was found later.
    #[schema(format = Date, example = "2026-06-30")]
    as_of: String,
    /// The live model that it was validated against.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    against: Option<String>,
    /// Who asked.
    #[schema(example = "analyst-3")]
    by: String,
    /// What counted as a problem.
    #[schema(example = "E or B at the first inspection after it")]
    outcome: String,
    /// Whether no gate is broken.
    #[schema(example = true)]
    passed: bool,
    /// Whether broken gates were overridden.
    #[schema(example = false)]
    forced: bool,
    /// Every gate.
    gates: Vec<GateAnswer>,
}

/// One gate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GateAnswer {
    /// Its name.
    #[schema(example = "guard.mix_shift")]
    gate: String,
    /// `holds`, `broken`, or `not_estimable`.
    #[schema(example = "holds")]
    state: String,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 0.04)]
    value: Option<f64>,
    /// What is asked for.
    #[schema(
        example = "stability index of the register's tier mix against the live model below 0.25"
    )]
    limit: String,
    /// Whether a person may override it with a reason.
    #[schema(example = true)]
    may_force: bool,
}

impl From<Gate> for GateAnswer {
    fn from(gate: Gate) -> Self {
        let Gate {
            gate,
            state,
            value,
            limit,
            may_force,
        } = gate;
        Self {
            gate,
            state: serde_json::to_value(state)
                .ok()
                .and_then(|word| word.as_str().map(str::to_owned))
                .unwrap_or_default(),
            value,
            limit,
            may_force,
        }
    }
}

impl From<ModelDetail> for ModelDetailAnswer {
    fn from(detail: ModelDetail) -> Self {
        let ModelDetail {
            row,
            cards:
                Scorecards {
                    general: card,
                    by_kind,
                },
            validation,
            training,
        } = detail;
        Self {
            model: row.into(),
            indicator_count: card.indicators.len(),
            pair_count: card.pairs.len(),
            vector_count: card
                .vectors
                .as_ref()
                .map_or(0, |vectors| vectors.rows.len()),
            manifest: card.manifest,
            kinds: by_kind
                .into_iter()
                .map(|(kind, card)| KindCardAnswer {
                    kind: kind.into(),
                    name: card.name,
                    version: card.version,
                    indicator_count: card.indicators.len(),
                })
                .collect(),
            validation: validation.map(|validation| ValidationAnswer {
                on: validation.on.to_string(),
                as_of: validation.as_of.to_string(),
                against: validation.against,
                by: validation.by,
                outcome: validation.outcome,
                passed: validation.passed,
                forced: validation.forced,
                gates: validation.gates.into_iter().map(Into::into).collect(),
            }),
            training,
        }
    }
}

/// A card for one kind of enterprise, which comes and goes with the general one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KindCardAnswer {
    /// The kind.
    kind: EnterpriseKind,
    /// Name of the card.
    #[schema(example = "shops")]
    name: String,
    /// Version within the name.
    #[schema(example = 1)]
    version: u32,
    /// Indicators with points.
    #[schema(example = 12)]
    indicator_count: usize,
}

/// The model that was live at an instant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveModelAnswer {
    /// The model.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    model_id: String,
    /// Number of the entry in the log of what was in force.
    #[schema(example = 4, minimum = 1)]
    number: u64,
    /// Epoch of its tiers.
    #[schema(example = "0123456789abcdef")]
    epoch: String,
    /// The set of model files.
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    files_id: String,
    /// Since when this entry was in force.
    #[schema(format = DateTime, example = "2026-11-22T08:00:30Z")]
    since: String,
}

impl From<LiveModel> for LiveModelAnswer {
    fn from(live: LiveModel) -> Self {
        let LiveModel {
            model_id,
            number,
            epoch,
            files_id,
            since,
        } = live;
        Self {
            model_id,
            number,
            epoch: epoch.to_string(),
            files_id,
            since: instant(since),
        }
    }
}

/// A row of the ledger of models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelChangeAnswer {
    /// Its number, consecutive from 1.
    #[schema(example = 7, minimum = 1)]
    seq: u64,
    /// When.
    #[schema(format = DateTime, example = "2026-11-22T08:00:30.125Z")]
    at: String,
    /// The model.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    model_id: String,
    /// What happened.
    what: ModelDeed,
    /// The state before; absent for a new model.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_state: Option<ModelState>,
    /// The state afterwards.
    to_state: ModelState,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "director-1")]
    by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether something that spoke against it was overridden.
    #[schema(example = false)]
    is_forced: bool,
    /// The live model before.
    #[serde(skip_serializing_if = "Option::is_none")]
    live_before: Option<String>,
    /// The live model afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    live_after: Option<String>,
    /// SHA-256 of the paper that goes with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    /// The job that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    /// Digest of the row before; of the first one, zeros.
    #[schema(example = "0000000000000000000000000000000000000000000000000000000000000000")]
    previous: String,
    /// SHA-256 over the canonical JSON of the row.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    digest: String,
}

impl From<ModelChange> for ModelChangeAnswer {
    fn from(change: ModelChange) -> Self {
        let ModelChange {
            seq,
            at,
            model_id,
            what,
            from_state,
            to_state,
            by,
            reason,
            is_forced,
            live_before,
            live_after,
            document,
            run_id,
            previous,
            digest,
        } = change;
        Self {
            seq,
            at: instant(at),
            model_id,
            what: what.into(),
            from_state: from_state.map(Into::into),
            to_state: to_state.into(),
            by,
            reason,
            is_forced,
            live_before,
            live_after,
            document,
            job_id: run_id,
            previous,
            digest,
        }
    }
}

/// What a walk along the ledger found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerAnswer {
    /// Rows.
    #[schema(example = 7)]
    row_count: u64,
    /// Digest of the last one.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    head: String,
    /// Whether every row follows from the one before.
    #[schema(example = true)]
    is_intact: bool,
    /// The first row that does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault_seq: Option<u64>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

impl From<LedgerCheck> for LedgerAnswer {
    fn from(check: LedgerCheck) -> Self {
        let LedgerCheck {
            row_count,
            head,
            fault,
        } = check;
        let (fault_seq, fault) = fault.unzip();
        Self {
            row_count,
            head,
            is_intact: fault.is_none(),
            fault_seq,
            fault,
        }
    }
}
