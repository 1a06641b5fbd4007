//! Who acts and why. Persons are named in the body; a later release takes them from the caller's token.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::present;
use crate::domain::{FieldError, field};
use crate::service::{Act, Person, Said, person, reason_of};

/// Who acts and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by` and `reason`")]
pub(crate) struct PersonInput {
    /// Who: an id or role at the office, never a private name. A later release takes it from the caller's token.
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[schema(
        example = "the court has lifted the entry; the registry follows next week",
        min_length = 1,
        max_length = 2000
    )]
    reason: String,
}

impl PersonInput {
    /// Checks it.
    pub(crate) fn parse(self) -> Result<Person, FieldError> {
        Person::parse(&self.by, &self.reason)
    }
}

/// From which day on, and by whom and why, where the caller says so.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct AmendmentInput {
    /// The day; default the present one.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-11-22")]
    on: Option<String>,
    /// Who did it; a later release takes it from the caller's token.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    by: Option<String>,
    /// Why.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "credit repair granted", min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

impl AmendmentInput {
    /// Checks it.
    pub(crate) fn parse(self) -> Result<Said, FieldError> {
        said(
            self.on.as_deref(),
            self.by.as_deref(),
            self.reason.as_deref(),
        )
    }
}

/// Checks what may be said about an act.
pub(crate) fn said(
    on: Option<&str>,
    by: Option<&str>,
    reason: Option<&str>,
) -> Result<Said, FieldError> {
    Ok(Said {
        on: on.map(|text| field::date("on", text)).transpose()?,
        by: by.map(|text| person("by", text)).transpose()?,
        reason: reason.map(reason_of).transpose()?,
    })
}

/// What a person did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActAnswer {
    /// Its number among the acts about the enterprise.
    #[schema(example = 2, minimum = 1)]
    act_no: u64,
    /// The enterprise.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// What was done; more words may be added.
    #[schema(example = "override_approved")]
    what: String,
    /// To what: the id of an override, objection or merge, or a record as `source/record_id`.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    subject: String,
    /// The day that it counts from.
    #[schema(format = Date, example = "2026-11-22")]
    on: String,
    /// When it was written.
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    at: String,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "officer-23")]
    by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Act> for ActAnswer {
    fn from(act: Act) -> Self {
        let Act {
            act_no,
            enterprise_id,
            on,
            at,
            what,
            subject,
            by,
            reason,
        } = act;
        Self {
            act_no,
            enterprise_id: enterprise_id.into(),
            what,
            subject,
            on: on.to_string(),
            at,
            by: by.map(Into::into),
            reason,
        }
    }
}
