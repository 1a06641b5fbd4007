//! Replacements: a drawn object that cannot be visited gives its place to the next of the reserve, for a coded reason.

use serde::{Deserialize, Serialize};

use super::document::PlanState;
use super::editions::Replayed;
use super::steps::{internal, now};
use crate::domain::{EnterpriseId, FieldError, Label, ReplaceReason, field};
use crate::sampling::replacement::{ReplaceError, Standing};
use crate::service::{Service, ServiceError};

/// Who is to be replaced, why, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplaceRequest {
    /// The object: drawn, or in the sample by an earlier replacement.
    pub enterprise_id: EnterpriseId,
    /// Why it is not visited.
    pub reason: ReplaceReason,
    /// What the code does not say, 1–1,000 bytes; needed for `other`.
    pub note: Option<String>,
    /// Who says so: an id or role at the office.
    pub by: Label,
}

/// Who took the place of whom, as it is kept and as it stands in the internal edition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// Its number within the plan, from 1.
    pub number: u64,
    /// The object that is not visited.
    pub enterprise_id: String,
    /// The key under which it was drawn.
    pub stratum: String,
    /// Why.
    pub reason: ReplaceReason,
    /// What the code does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who took its place; nobody where there is no reserve left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<TakenObject>,
    /// Who said so.
    pub by: Label,
    /// When, RFC 3339.
    pub at: String,
}

/// An object that took a place from the reserve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenObject {
    /// The object.
    pub enterprise_id: String,
    /// Its place in the order of its stratum.
    pub order: u64,
}

impl Service {
    /// Replaces an object of a drawn or closed plan by the next of its stratum's reserve.
    ///
    /// Where no reserve is left, and for exploration and method `order`, the object is skipped with its reason and nobody
    /// takes its place. Who was drawn otherwise never does.
    ///
    /// # Errors
    ///
    /// When the plan is not drawn, the object is not in the sample now, or `other` has no note.
    pub fn replace_object(
        &self,
        plan_id: &str,
        request: &ReplaceRequest,
    ) -> Result<Replacement, ServiceError> {
        let note = match (&request.note, request.reason) {
            (Some(note), _) => Some(field::text("note", note, 1, 1_000)?),
            (None, ReplaceReason::Other) => {
                let reason = "is needed for the reason `other`; say what it is";
                return Err(FieldError::new("note", "", reason).into());
            }
            (None, _) => None,
        };
        let document = self.plan_document(plan_id)?;
        must_be_drawn(plan_id, document.state)?;
        let replayed = self.replay(&document)?;
        let at = now();
        loop {
            let earlier = self.replacements(plan_id)?;
            let number = earlier.len() as u64 + 1;
            let (stratum, taken) = next(&replayed, &earlier, &request.enterprise_id)?;
            let replacement = Replacement {
                number,
                enterprise_id: request.enterprise_id.to_string(),
                stratum,
                reason: request.reason,
                note: note.clone(),
                taken,
                by: request.by.clone(),
                at: at.clone(),
            };
            let text = serde_json::to_string(&replacement)?;
            if self.store.add_replacement(plan_id, number, &text)? {
                return Ok(replacement);
            }
            // Another replacement was faster, or the plan was given up meanwhile.
            must_be_drawn(plan_id, self.plan_document(plan_id)?.state)?;
        }
    }

    /// The replacements of a plan in their order.
    ///
    /// # Errors
    ///
    /// When there is no such plan or the store fails.
    pub fn replacements(&self, plan_id: &str) -> Result<Vec<Replacement>, ServiceError> {
        let kept = self.store.replacements(plan_id)?;
        if kept.is_empty() {
            self.plan_document(plan_id)?;
        }
        kept.iter()
            .map(|text| Ok(serde_json::from_str(text)?))
            .collect()
    }
}

fn must_be_drawn(plan_id: &str, state: PlanState) -> Result<(), ServiceError> {
    if matches!(state, PlanState::Drawn | PlanState::Closed) {
        return Ok(());
    }
    Err(ServiceError::PlanState {
        plan_id: plan_id.to_owned(),
        state,
        needed: "drawn or closed",
    })
}

/// The key of the object and who takes its place, after the replacements made before.
fn next(
    replayed: &Replayed,
    earlier: &[Replacement],
    id: &EnterpriseId,
) -> Result<(String, Option<TakenObject>), ServiceError> {
    let (pool, outcome) = (replayed.pool(), replayed.outcome());
    let find = |id: &str| pool.find(id).and_then(|index| u32::try_from(index).ok());
    let mut standing = Standing::new(outcome);
    for replacement in earlier {
        let object = find(&replacement.enterprise_id)
            .ok_or_else(|| internal("a kept replacement of an object that is not in the pool"))?;
        standing.replace(object).map_err(internal)?;
    }
    let object = find(id.as_str()).ok_or(ReplaceError::NotInSample);
    let replaced = object.and_then(|object| standing.replace(object));
    let replaced = replaced.map_err(|error| match error {
        ReplaceError::NotInSample => ServiceError::Field(FieldError::new(
            "enterprise_id",
            id.as_str(),
            "is not in the sample of this plan; only who is drawn, or has taken a place, can be replaced",
        )),
        ReplaceError::Already => ServiceError::Conflict(format!(
            "`{id}` is replaced already; replace who has taken its place"
        )),
    })?;
    let taken = replaced.taken.and_then(|taken| {
        let object = pool.object(taken.object as usize)?;
        Some(TakenObject {
            enterprise_id: object.id.to_owned(),
            order: taken.order,
        })
    });
    Ok((replaced.key.text(pool).to_owned(), taken))
}
