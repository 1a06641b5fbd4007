//! Replacements: a drawn object that cannot be visited gives its place to the next of the reserve, for a coded reason.

use serde::{Deserialize, Serialize};

use super::booking::{Booker, Desk, LEDGER, coded};
use super::document::{PlanDocument, PlanState};
use super::events::{PlanStep, Subject};
use super::kept_order::KeptOrder;
use super::steps::{internal, now};
use crate::domain::{EnterpriseId, FieldError, Label, ReplaceReason, Tier, field};
use crate::sampling::replacement::{self as sampling, ReplaceError};
use crate::service::{Service, ServiceError, label};
use crate::store::{LedgerAround, LedgerMoves, StoreError};

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

/// What came of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Who took the place of whom.
    pub replacement: Replacement,
    /// Objects of the reserve that the ledger does not let be visited, each with the next one, in order: where there are
    /// any, whoever the last of them names is visited.
    pub passed_over: Vec<Replacement>,
}

impl Service {
    /// Replaces an object of a drawn or closed plan by the next of its stratum's reserve. Its visit gives its slot back,
    /// and whoever comes in takes one, in one transaction: caps and gaps hold, and objects of the reserve that may not be
    /// visited are passed over with their own reason. A visit that other plans of the group need stays for them.
    ///
    /// Where no reserve is left, and for exploration and method `order`, the object is skipped with its reason and nobody
    /// takes its place. Who was drawn otherwise never does.
    ///
    /// # Errors
    ///
    /// When the plan is not drawn, the object is not in the sample now or was visited already, or `other` has no note.
    pub fn replace_object(
        &self,
        plan_id: &str,
        request: &ReplaceRequest,
    ) -> Result<Replaced, ServiceError> {
        let (done, by) = (self.replace(plan_id, request), Some(&request.by));
        self.noted(Subject::Plan(plan_id), PlanStep::Replace, by, done)
    }

    fn replace(&self, plan_id: &str, request: &ReplaceRequest) -> Result<Replaced, ServiceError> {
        let document = self.plan_document(plan_id)?;
        let note = match (&request.note, request.reason) {
            (Some(note), _) => Some(field::text("note", note, 1, 1_000)?),
            (None, ReplaceReason::Other) => {
                let reason = "is needed for the reason `other`; say what it is";
                return Err(FieldError::new("note", "", reason).into());
            }
            (None, _) => None,
        };
        must_be_drawn(plan_id, document.state)?;
        let booker = self.booker(&document)?;
        let step = Step {
            order: &self.kept_order(&document)?,
            document: &document,
            request,
            note,
            at: now(),
        };
        let mut came_of_it = None;
        let (scope, id) = (booker.scope(), &request.enterprise_id);
        let done = self.store.replace_in_plan(&scope, id, &mut |around| {
            let (result, moves) = match step.take(&booker, around) {
                Ok((replaced, moves)) => (Ok(replaced), Ok(moves)),
                Err(error) => {
                    let reason = error.to_string();
                    (Err(error), Err(StoreError::Aborted(reason)))
                }
            };
            came_of_it = Some(result);
            moves
        });
        match (done, came_of_it) {
            (Ok(true), Some(replaced)) => replaced,
            (_, Some(Err(error))) => Err(error),
            (Ok(_), _) => {
                must_be_drawn(plan_id, self.plan_document(plan_id)?.state)?;
                Err(internal("a plan was drawn and was not"))
            }
            (Err(error), _) => Err(error.into()),
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

/// One replacement, before the ledger is known.
struct Step<'a> {
    order: &'a KeptOrder,
    document: &'a PlanDocument,
    request: &'a ReplaceRequest,
    note: Option<String>,
    at: String,
}

impl Step<'_> {
    /// Who takes the place, after the replacements made before and beside the ledger, and what that writes.
    fn take(
        &self,
        booker: &Booker,
        around: LedgerAround,
    ) -> Result<(Replaced, LedgerMoves), ServiceError> {
        let (order, id) = (self.order, &self.request.enterprise_id);
        let mut standing = order.standing();
        for earlier in &around.replacements {
            let earlier: Replacement = serde_json::from_str(earlier)?;
            let object = order.find(&earlier.enterprise_id).ok_or_else(|| {
                internal("a kept replacement of an object that was not in the draw")
            })?;
            standing.replace(object).map_err(internal)?;
        }
        let object = order.find(id.as_str()).ok_or(ReplaceError::NotInSample);
        let replaced = object.and_then(|object| standing.replace(object));
        let mut replaced = replaced.map_err(|error| match error {
            ReplaceError::NotInSample => ServiceError::Field(FieldError::new(
                "enterprise_id",
                id.as_str(),
                "is not in the sample of this plan; only who is drawn, or has taken a place, can be replaced",
            )),
            ReplaceError::Already => ServiceError::Conflict(format!(
                "`{id}` is replaced already; replace who has taken its place"
            )),
        })?;
        if let Some(day) = around.own.iter().find_map(|visit| visit.visited_on) {
            return Err(ServiceError::Conflict(format!(
                "`{id}` was visited for this plan on {day}; who was visited is not replaced"
            )));
        }
        let mut desk = Desk::new(booker, &around.slots, around.shared);
        desk.moves.left = around.own.iter().map(|visit| visit.visit_no).collect();
        let mut number = around.replacements.len() as u64 + 1;
        let replacement = Replacement {
            number,
            enterprise_id: id.to_string(),
            stratum: order.key(replaced.key).to_owned(),
            reason: self.request.reason,
            note: self.note.clone(),
            taken: self.taken(replaced),
            by: self.request.by.clone(),
            at: self.at.clone(),
        };
        let mut passed_over = Vec::new();
        while let Some(taken) = replaced.taken {
            let taken_id = EnterpriseId::parse(order.id(taken.object)).map_err(internal)?;
            let tier = || self.tier_of(order.key(replaced.key));
            let rest = match desk.place_of(&taken_id, tier)? {
                Ok(place) => {
                    desk.book(taken_id, place);
                    break;
                }
                Err(rest) => rest,
            };
            replaced = standing.replace(taken.object).map_err(internal)?;
            number += 1;
            passed_over.push(Replacement {
                number,
                enterprise_id: taken_id.to_string(),
                stratum: order.key(replaced.key).to_owned(),
                reason: coded(rest),
                note: None,
                taken: self.taken(replaced),
                by: label("by", LEDGER)?,
                at: self.at.clone(),
            });
        }
        desk.keep(std::slice::from_ref(&replacement))?;
        desk.keep(&passed_over)?;
        let replaced = Replaced {
            replacement,
            passed_over,
        };
        Ok((replaced, desk.moves))
    }

    fn taken(&self, replaced: sampling::Replaced) -> Option<TakenObject> {
        replaced.taken.map(|taken| TakenObject {
            enterprise_id: self.order.id(taken.object).to_owned(),
            order: taken.order,
        })
    }

    /// The tier of the objects of a stratum, as the freeze has fixed it.
    fn tier_of(&self, key: &str) -> Result<Tier, ServiceError> {
        let frozen = self.document.frozen.as_ref();
        let mut meanings = frozen.iter().flat_map(|frozen| &frozen.strata_meaning);
        let found = meanings.find(|(found, _)| found.as_str() == key);
        found
            .map(|(_, meaning)| meaning.tier)
            .ok_or_else(|| internal("the stratum of a replaced object has no meaning"))
    }
}
