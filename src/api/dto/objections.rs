//! Objections to records, and corrections of records.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{ObjectionState, Remedy, RulingWord, Tier};
use super::persons::said;
use super::present;
use super::records::RecordInput;
use crate::domain::{FieldError, Label, Record, RecordDefaults, field};
use crate::service::{Examination, Objection, Person, Ruling, Said, Verdict};

/// An objection as a person files it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by` and `reason`")]
pub(crate) struct ObjectionInput {
    /// Who files it: a pseudonym or role, never a private name.
    #[schema(example = "legal-representative", min_length = 1, max_length = 64)]
    by: String,
    /// What it says.
    #[schema(
        example = "the penalty concerns another firm of the same name",
        min_length = 1,
        max_length = 2000
    )]
    reason: String,
    /// The day on which it was received; default the present one.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-11-20")]
    on: Option<String>,
}

impl ObjectionInput {
    /// Checks it.
    pub(crate) fn parse(self) -> Result<(Option<Date>, Person), FieldError> {
        let on = self.on.map(|text| field::date("on", &text)).transpose()?;
        Ok((on, Person::parse(&self.by, &self.reason)?))
    }
}

/// The decision about an objection.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct RulingInput {
    /// The decision: upheld, the record is withdrawn unless there is a correction; rejected, it stands.
    outcome: RulingWord,
    /// What the record says from the present day on; only where the objection is upheld.
    #[serde(default, deserialize_with = "present")]
    correction: Option<RecordInput>,
    /// Who decides: not the one who filed it. A later release takes it from the caller's token.
    #[schema(example = "officer-23", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[schema(
        example = "the registry confirms the mistake",
        min_length = 1,
        max_length = 2000
    )]
    reason: String,
}

impl RulingInput {
    /// Checks it; a fault of the correction is told with `true`.
    pub(crate) fn parse(self, today: Date) -> Result<(Ruling, Person), (bool, FieldError)> {
        let plain = |error| (false, error);
        let person = Person::parse(&self.by, &self.reason).map_err(plain)?;
        let ruling = match (self.outcome, self.correction) {
            (RulingWord::Rejected, None) => Ruling::Reject,
            (RulingWord::Rejected, Some(_)) => {
                let reason = "corrects nothing where the objection is rejected; leave it out";
                return Err(plain(FieldError::new("correction", "", reason)));
            }
            (RulingWord::Upheld, None) => Ruling::Withdraw,
            (RulingWord::Upheld, Some(given)) => Ruling::Correct(Box::new(
                correction(given, today).map_err(|error| (true, error))?,
            )),
        };
        Ok((ruling, person))
    }
}

/// What a record says from the present day on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `record`")]
pub(crate) struct CorrectionInput {
    /// The whole record; it is known from the present day on.
    record: RecordInput,
    /// Who corrects; a later release takes it from the caller's token.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    by: Option<String>,
    /// Why.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "the amount was mistyped", min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

impl CorrectionInput {
    /// Checks it against the record that the path names; a fault of the record is told with `true`.
    pub(crate) fn parse(
        self,
        source: &Label,
        record_id: &str,
        today: Date,
    ) -> Result<(Record, Said), (bool, FieldError)> {
        let said = said(None, self.by.as_deref(), self.reason.as_deref())
            .map_err(|error| (false, error))?;
        let record = correction(self.record, today).map_err(|error| (true, error))?;
        let of_path = |name: &str, given: &str, expected: &str| {
            let reason = format!("is not that of the path, `{expected}`");
            (true, FieldError::new(name, given, reason))
        };
        if record.source != *source {
            return Err(of_path("source", record.source.as_str(), source.as_str()));
        }
        if record.record_id != record_id {
            return Err(of_path("record_id", &record.record_id, record_id));
        }
        Ok((record, said))
    }
}

/// The content of a correction, which becomes known on the present day.
fn correction(given: RecordInput, today: Date) -> Result<Record, FieldError> {
    let source = field::label("source", &given.source)?;
    let record = given.parse(&RecordDefaults {
        source,
        known_on: today,
    })?;
    if record.known_on != today.max(record.occurred_on) {
        let reason = format!(
            "is not the present day ({today}), from which a correction is known; leave it out"
        );
        return Err(FieldError::new(
            "known_on",
            &record.known_on.to_string(),
            reason,
        ));
    }
    Ok(record)
}

/// An objection to a record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObjectionAnswer {
    /// Its id.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    objection_id: String,
    /// Where it stands.
    state: ObjectionState,
    /// Whether its present time limit has passed.
    overdue: bool,
    /// Source of the record.
    #[schema(example = "penalties")]
    source: String,
    /// Id of the record at its source.
    #[schema(example = "P-2026-0042")]
    record_id: String,
    /// The enterprise for which the record counts.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// Who filed it.
    #[schema(example = "legal-representative")]
    filed_by: String,
    /// What it says.
    reason: String,
    /// The day on which it was received.
    #[schema(format = Date, example = "2026-11-20")]
    filed_on: String,
    /// The last day on which its examination may begin in time.
    #[schema(format = Date, example = "2026-11-27")]
    accept_by: String,
    /// Who examines it.
    #[serde(skip_serializing_if = "Option::is_none")]
    examined_by: Option<String>,
    /// The day on which the examination began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    examined_on: Option<String>,
    /// Why the tier is frozen, in the examiner's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    freeze_reason: Option<String>,
    /// The last day on which it may be decided in time; the tier is frozen up to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    decide_by: Option<String>,
    /// The tier that is kept meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen_tier: Option<Tier>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date)]
    decided_on: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_reason: Option<String>,
    /// What became of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<Remedy>,
}

impl ObjectionAnswer {
    /// As it stands on `day`.
    pub(crate) fn on(day: Date, of: Objection) -> Self {
        let (state, overdue) = (of.state().into(), of.is_overdue_on(day));
        let Objection {
            objection_id,
            source,
            record_id,
            enterprise_id,
            filed_by,
            reason,
            filed_on,
            accept_by,
            examination,
            verdict,
        } = of;
        let mut answer = Self {
            objection_id,
            state,
            overdue,
            source: source.into(),
            record_id,
            enterprise_id: enterprise_id.into(),
            filed_by: filed_by.into(),
            reason,
            filed_on: filed_on.to_string(),
            accept_by: accept_by.to_string(),
            examined_by: None,
            examined_on: None,
            freeze_reason: None,
            decide_by: None,
            frozen_tier: None,
            decided_by: None,
            decided_on: None,
            decision_reason: None,
            remedy: None,
        };
        if let Some(Examination {
            by,
            reason,
            on,
            decide_by,
            frozen_tier,
        }) = examination
        {
            answer.examined_by = Some(by.into());
            answer.examined_on = Some(on.to_string());
            answer.freeze_reason = Some(reason);
            answer.decide_by = Some(decide_by.to_string());
            answer.frozen_tier = Some(frozen_tier.into());
        }
        if let Some(Verdict {
            by,
            reason,
            on,
            outcome,
        }) = verdict
        {
            answer.decided_by = Some(by.into());
            answer.decided_on = Some(on.to_string());
            answer.decision_reason = Some(reason);
            answer.remedy = Some(outcome.into());
        }
        answer
    }
}

/// Which objections to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ObjectionQuery {
    /// Only those in this state.
    #[param(inline)]
    pub(crate) state: Option<ObjectionState>,
    /// Only those whose present time limit has passed, or only the others.
    pub(crate) overdue: Option<bool>,
    /// Where to go on: `next_cursor` of the page before, with the same `state` and `overdue`.
    #[param(pattern = "^([0-9a-f]{2}){8,}$")]
    pub(crate) cursor: Option<String>,
    /// Most items on the page.
    #[param(example = 100, minimum = 1)]
    pub(crate) limit: Option<usize>,
}
