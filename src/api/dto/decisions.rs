//! Overrides and merges of ids.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{OverrideState, Tier};
use super::present;
use crate::domain::{EnterpriseId, FieldError, Label, field};
use crate::service::{
    Approval, Ending, Merge, Override, OverrideProposal, Person, Undoing, person,
};

/// An override as a person proposes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct OverrideInput {
    /// The tier.
    tier: Tier,
    /// The first day on which it counts; default the present one.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-11-22")]
    from_on: Option<String>,
    /// The first day on which it no longer counts; by default at most 90 days after the first.
    #[schema(format = Date, example = "2027-01-31")]
    expires_on: String,
    /// Who proposes it; a later release takes it from the caller's token.
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[schema(
        example = "food-safety incident under investigation",
        min_length = 1,
        max_length = 2000
    )]
    reason: String,
}

impl OverrideInput {
    /// Checks it.
    pub(crate) fn parse(self) -> Result<OverrideProposal, FieldError> {
        Ok(OverrideProposal {
            tier: self.tier.into(),
            from_on: self
                .from_on
                .map(|text| field::date("from_on", &text))
                .transpose()?,
            expires_on: field::date("expires_on", &self.expires_on)?,
            person: Person::parse(&self.by, &self.reason)?,
        })
    }
}

/// The approval of an override.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `override_id` and `by`"
)]
pub(crate) struct ApprovalInput {
    /// The override that was read and is approved.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    pub(crate) override_id: String,
    /// Who approves it: not the one who proposed it. A later release takes it from the caller's token.
    #[schema(example = "officer-23", min_length = 1, max_length = 64)]
    by: String,
}

impl ApprovalInput {
    /// Who approves.
    pub(crate) fn person(&self) -> Result<Label, FieldError> {
        person("by", &self.by)
    }
}

/// The end of an override.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by` and `reason`")]
pub(crate) struct OverrideEndInput {
    /// The override; default the one that counts, else the one that is to count, else the one that waits.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    pub(crate) override_id: Option<String>,
    /// Who ends it; a later release takes it from the caller's token.
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[schema(
        example = "the investigation is over",
        min_length = 1,
        max_length = 2000
    )]
    reason: String,
}

impl OverrideEndInput {
    /// Who ends it and why.
    pub(crate) fn person(&self) -> Result<Person, FieldError> {
        Person::parse(&self.by, &self.reason)
    }
}

/// An override of a tier.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OverrideAnswer {
    /// Its id.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    override_id: String,
    /// Whose tier.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// Where it stands.
    state: OverrideState,
    /// The tier.
    tier: Tier,
    /// Why.
    reason: String,
    /// Who proposed it.
    #[schema(example = "officer-17")]
    proposed_by: String,
    /// When.
    #[schema(format = Date, example = "2026-11-22")]
    proposed_on: String,
    /// From this day on it can no longer be approved.
    #[schema(format = Date, example = "2026-12-22")]
    lapses_on: String,
    /// The first day on which it counts.
    #[schema(format = Date, example = "2026-11-22")]
    from_on: String,
    /// The first day on which it no longer counts.
    #[schema(format = Date, example = "2027-01-31")]
    expires_on: String,
    /// Who approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "officer-23")]
    approved_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    approved_on: Option<String>,
    /// Who ended it or took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<String>,
    /// When; from this day on it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    ended_on: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<String>,
}

impl OverrideAnswer {
    /// As it stands on `day`.
    pub(crate) fn on(day: Date, of: Override) -> Self {
        let state = of.state_on(day).into();
        let Override {
            override_id,
            enterprise_id,
            tier,
            reason,
            proposed_by,
            proposed_on,
            lapses_on,
            from_on,
            expires_on,
            approved,
            ended,
        } = of;
        let (approved_by, approved_on) =
            approved.map_or((None, None), |Approval { by, on }| (Some(by), Some(on)));
        let (ended_by, ended_on, end_reason) = ended
            .map_or((None, None, None), |Ending { by, on, reason }| {
                (Some(by), Some(on), Some(reason))
            });
        Self {
            override_id,
            enterprise_id: enterprise_id.into(),
            state,
            tier: tier.into(),
            reason,
            proposed_by: proposed_by.into(),
            proposed_on: proposed_on.to_string(),
            lapses_on: lapses_on.to_string(),
            from_on: from_on.to_string(),
            expires_on: expires_on.to_string(),
            approved_by: approved_by.map(Into::into),
            approved_on: approved_on.map(|day| day.to_string()),
            ended_by: ended_by.map(Into::into),
            ended_on: ended_on.map(|day| day.to_string()),
            end_reason,
        }
    }
}

/// Which overrides to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OverrideQuery {
    /// Only those in this state.
    #[param(inline)]
    pub(crate) state: Option<OverrideState>,
    /// Where to go on: `next_cursor` of the page before, with the same `state`.
    #[param(pattern = "^([0-9a-f]{2}){8,}$")]
    pub(crate) cursor: Option<String>,
    /// Most items on the page.
    #[param(example = 100, minimum = 1)]
    pub(crate) limit: Option<usize>,
}

/// A merge of an id into another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct MergeInput {
    /// The successor.
    #[schema(example = "91990000MA00000025", min_length = 1, max_length = 64)]
    into_id: String,
    /// The first day on which the successor stands for the id; default the present one, never a past one.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-11-22")]
    on: Option<String>,
    /// Who merges; a later release takes it from the caller's token.
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[schema(example = "the credit code changed", min_length = 1, max_length = 2000)]
    reason: String,
}

impl MergeInput {
    /// Checks it.
    pub(crate) fn parse(self) -> Result<(EnterpriseId, Option<Date>, Person), FieldError> {
        Ok((
            field::enterprise_id("into_id", &self.into_id)?,
            self.on.map(|text| field::date("on", &text)).transpose()?,
            Person::parse(&self.by, &self.reason)?,
        ))
    }
}

/// A merge of an id into another.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MergeAnswer {
    /// Its id.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    merge_id: String,
    /// The id that is merged.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// Its successor.
    #[schema(example = "91990000MA00000025")]
    into_id: String,
    /// Why.
    reason: String,
    /// Who made it.
    #[schema(example = "officer-17")]
    made_by: String,
    /// When.
    #[schema(format = Date, example = "2026-11-22")]
    made_on: String,
    /// The first day on which the successor stands for the id.
    #[schema(format = Date, example = "2026-11-22")]
    from_on: String,
    /// Who undid it.
    #[serde(skip_serializing_if = "Option::is_none")]
    undone_by: Option<String>,
    /// The first day on which the id stands for itself again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    undone_on: Option<String>,
    /// Why it was undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_reason: Option<String>,
}

impl From<Merge> for MergeAnswer {
    fn from(merge: Merge) -> Self {
        let Merge {
            merge_id,
            enterprise_id,
            into_id,
            reason,
            made_by,
            made_on,
            from_on,
            undone,
        } = merge;
        let (undone_by, undone_on, undo_reason) = undone
            .map_or((None, None, None), |Undoing { by, on, reason }| {
                (Some(by), Some(on), Some(reason))
            });
        Self {
            merge_id,
            enterprise_id: enterprise_id.into(),
            into_id: into_id.into(),
            reason,
            made_by: made_by.into(),
            made_on: made_on.to_string(),
            from_on: from_on.to_string(),
            undone_by: undone_by.map(Into::into),
            undone_on: undone_on.map(|day| day.to_string()),
            undo_reason,
        }
    }
}
