//! What the jobs about models but training are asked for, and what drift they found.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::jobs::instant;
use super::present;
use crate::domain::{FieldError, Label, field};
use crate::service::figures::Settings;
use crate::service::training::TakenTable;
use crate::service::{DriftRow, OutcomeRule, TaskRequest, ValidationAsk, person, reason_of};

/// What result codes of inspections say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `codes`")]
pub(crate) struct OutcomeInput {
    /// Kind of the records; default `inspection`.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "inspection")]
    kind: Option<String>,
    /// Their sources; none means any.
    #[serde(default)]
    #[schema(example = json!(["double_random"]))]
    sources: Vec<String>,
    /// 0 for codes that say that nothing was found, up to 3 for the worst; other codes say nothing.
    #[schema(example = json!({"1": 0, "E": 1}))]
    codes: BTreeMap<String, u8>,
    /// What an inspection without any of the codes says; by default nothing.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 0, maximum = 3)]
    otherwise: Option<u8>,
    /// Keep the outcomes 0 to 3 apart; by default anything found counts alike.
    #[serde(default)]
    #[schema(example = false)]
    ordinal: bool,
    /// Codes of inspections that came about for a reason: they are kept apart.
    #[serde(default)]
    #[schema(example = json!(["complaint"]))]
    apart_codes: Vec<String>,
    /// Sources of such inspections.
    #[serde(default)]
    #[schema(example = json!([]))]
    apart_sources: Vec<String>,
    /// Inspections of one enterprise within so many days of the first are one visit.
    #[serde(default)]
    #[schema(example = 0, maximum = 366)]
    visit_days: u16,
}

impl OutcomeInput {
    fn parse(self) -> Result<OutcomeRule, FieldError> {
        let labels = |name: &str, texts: &[String]| -> Result<Vec<Label>, FieldError> {
            texts.iter().map(|text| field::label(name, text)).collect()
        };
        let levels = self.codes.values().chain(&self.otherwise);
        if let Some(level) = levels.clone().find(|level| **level > 3) {
            let reason = "is not an outcome; write 0 for nothing found, up to 3 for the worst";
            return Err(FieldError::new("outcome.codes", &level.to_string(), reason));
        }
        if !levels.clone().any(|level| *level > 0) {
            let reason = "holds no code of a problem; give one an outcome above 0";
            return Err(FieldError::new("outcome.codes", "", reason));
        }
        if self.visit_days > 366 {
            let reason = "is more than a year";
            return Err(FieldError::new(
                "outcome.visit_days",
                &self.visit_days.to_string(),
                reason,
            ));
        }
        Ok(OutcomeRule {
            kind: field::code("outcome.kind", self.kind.as_deref().unwrap_or("inspection"))?,
            sources: labels("outcome.sources", &self.sources)?,
            codes: self
                .codes
                .iter()
                .map(|(code, level)| Ok((field::label("outcome.codes", code)?, *level)))
                .collect::<Result<_, FieldError>>()?,
            otherwise: self.otherwise,
            is_binary: !self.ordinal,
            apart_codes: labels("outcome.apart_codes", &self.apart_codes)?,
            apart_sources: labels("outcome.apart_sources", &self.apart_sources)?,
            visit_days: self.visit_days,
        })
    }
}

pub(super) fn outcome(input: Option<OutcomeInput>) -> Result<OutcomeRule, FieldError> {
    match input {
        Some(input) => input.parse(),
        None => OutcomeRule::compiled_in()
            .map_err(|error| FieldError::new("outcome", "", error.to_string())),
    }
}

fn settings(rounds: Option<u32>, seed: Option<u64>) -> Result<Settings, FieldError> {
    let default = Settings::default();
    let rounds = rounds.unwrap_or(default.rounds);
    if rounds > 10_000 {
        return Err(FieldError::new(
            "rounds",
            &rounds.to_string(),
            "is more than 10000",
        ));
    }
    Ok(Settings {
        rounds,
        seed: seed.unwrap_or(default.seed),
        ..default
    })
}

pub(super) fn day(name: &str, text: Option<&str>) -> Result<Option<jiff::civil::Date>, FieldError> {
    text.map(|text| field::date(name, text)).transpose()
}

/// How a model is judged.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct JudgingInput {
    /// The day as of which tiers are judged by the first inspection after it; default the end of the rows that the model
    /// was fitted on.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-06-30")]
    as_of: Option<String>,
    /// What counts as a problem; default the codes of the national platform.
    #[serde(default, deserialize_with = "present")]
    outcome: Option<OutcomeInput>,
    /// Resamples behind the headline intervals; default 200.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 200, maximum = 10_000)]
    rounds: Option<u32>,
    /// Seed of the resamples; default 1.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 1)]
    seed: Option<u64>,
}

impl JudgingInput {
    /// An evaluation of a model.
    pub(crate) fn evaluation(self, model_id: String) -> Result<TaskRequest, FieldError> {
        Ok(TaskRequest::Evaluate {
            model_id,
            as_of: day("as_of", self.as_of.as_deref())?,
            settings: settings(self.rounds, self.seed)?,
            outcome: outcome(self.outcome)?,
        })
    }
}

/// How two models are compared.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct ComparisonInput {
    /// The model that it is compared with; default the live one.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    with: Option<String>,
    /// See evaluation.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-06-30")]
    as_of: Option<String>,
    /// What counts as a problem; default the codes of the national platform.
    #[serde(default, deserialize_with = "present")]
    outcome: Option<OutcomeInput>,
    /// Resamples behind the headline intervals; default 200.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 200, maximum = 10_000)]
    rounds: Option<u32>,
    /// Seed of the resamples; default 1.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 1)]
    seed: Option<u64>,
}

impl ComparisonInput {
    /// A comparison of a model with another.
    pub(crate) fn comparison(self, model_id: String) -> Result<TaskRequest, FieldError> {
        Ok(TaskRequest::Compare {
            model_id,
            with: self.with,
            as_of: day("as_of", self.as_of.as_deref())?,
            settings: settings(self.rounds, self.seed)?,
            outcome: outcome(self.outcome)?,
        })
    }
}

/// What a model is validated with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by`")]
pub(crate) struct ValidationInput {
    /// Who asks; a later release takes it from the caller's token.
    #[schema(example = "analyst-3", min_length = 1, max_length = 64)]
    by: String,
    /// Why; needed with `force`.
    #[serde(default, deserialize_with = "present")]
    #[schema(
        example = "first model of this register",
        min_length = 1,
        max_length = 2000
    )]
    reason: Option<String>,
    /// Override gates that may be overridden; the reason is kept.
    #[serde(default)]
    #[schema(example = false)]
    force: bool,
    /// The day as of which tiers are judged; default the end of the rows that the model was fitted on.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-06-30")]
    as_of: Option<String>,
    /// What counts as a problem; default the codes of the national platform.
    #[serde(default, deserialize_with = "present")]
    outcome: Option<OutcomeInput>,
    /// Resamples behind the headline intervals; default 200.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 200, maximum = 10_000)]
    rounds: Option<u32>,
    /// Seed of the resamples; default 1.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 1)]
    seed: Option<u64>,
}

impl ValidationInput {
    /// A validation of a model.
    pub(crate) fn validation(self, model_id: String) -> Result<TaskRequest, FieldError> {
        let ask = ValidationAsk {
            by: person("by", &self.by)?,
            reason: self.reason.as_deref().map(reason_of).transpose()?,
            as_of: day("as_of", self.as_of.as_deref())?,
            settings: settings(self.rounds, self.seed)?,
            outcome: outcome(self.outcome)?,
            force: self.force,
        };
        Ok(TaskRequest::Validate {
            model_id,
            ask: Box::new(ask),
        })
    }
}

/// A table that was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TableAnswer {
    /// SHA-256 of its bytes after decompression.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    table_id: String,
    /// How many bytes.
    #[schema(example = 1_048_576)]
    byte_count: u64,
    /// Its columns, in order.
    #[schema(example = json!(["enterprise_id", "day", "fines", "outcome"]))]
    columns: Vec<String>,
}

impl From<TakenTable> for TableAnswer {
    fn from(taken: TakenTable) -> Self {
        let TakenTable {
            table_id,
            byte_count,
            columns,
            is_new: _,
        } = taken;
        Self {
            table_id,
            byte_count,
            columns,
        }
    }
}

/// Drift that was measured.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriftAnswer {
    /// Its number, rising.
    #[schema(example = 3, minimum = 1)]
    number: u64,
    /// The model.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    model_id: String,
    /// The day of the register.
    #[schema(format = Date, example = "2026-11-01")]
    as_of: String,
    /// When it was measured.
    #[schema(format = DateTime, example = "2026-11-01T02:00:00Z")]
    at: String,
    /// Whether a bound of the policy is broken.
    #[schema(example = false)]
    is_alert: bool,
    /// All of it.
    #[schema(value_type = Object)]
    report: serde_json::Value,
}

impl From<DriftRow> for DriftAnswer {
    fn from(row: DriftRow) -> Self {
        let DriftRow {
            drift_no,
            model_id,
            as_of,
            at,
            is_alert,
            document,
        } = row;
        Self {
            number: drift_no,
            model_id,
            as_of: as_of.to_string(),
            at: instant(at),
            is_alert,
            report: serde_json::from_str(&document).unwrap_or_default(),
        }
    }
}
