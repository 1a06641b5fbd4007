//! Extensions: a plan that names an earlier one, with new contributions; who was drawn before leaves its pool
//! (`risktier-draw/1` section 7).

use std::collections::BTreeSet;

use super::document::PlanState;
use super::draft::PlanRequest;
use crate::domain::FieldError;
use crate::domain::digest::Digest;
use crate::sampling::contribution::PlannedContribution;
use crate::sampling::{Frame, Selection};
use crate::service::{Service, ServiceError};

/// The coded reason for which an object that an extended plan has drawn is not in the pool.
pub(super) const DRAWN_BEFORE: &str = "drawn_before";

impl Service {
    /// Takes out of a selection who was drawn by the plan that the request extends, by what that one extends, and so on;
    /// whoever took a place from the reserve counts as drawn.
    pub(super) fn leave_out_drawn(
        &self,
        request: &PlanRequest,
        frame: &Frame,
        selection: &mut Selection,
    ) -> Result<(), ServiceError> {
        let mut drawn = BTreeSet::new();
        let mut next = request.extends.clone();
        while let Some(plan_id) = next {
            let document = self.plan_document(&plan_id)?;
            if !matches!(document.state, PlanState::Drawn | PlanState::Closed) {
                return Err(ServiceError::PlanState {
                    plan_id,
                    state: document.state,
                    needed: "drawn or closed, to be extended",
                });
            }
            for object in self.sample(&plan_id)? {
                drawn.insert(object.enterprise_id);
            }
            next = document.request.extends;
        }
        if drawn.is_empty() {
            return Ok(());
        }
        let before = selection.members.len();
        selection.members.retain(|position| {
            frame
                .rows()
                .get(*position)
                .is_none_or(|row| !drawn.contains(row.enterprise_id.as_str()))
        });
        let left = (before - selection.members.len()) as u64;
        if left > 0 {
            selection.excluded.insert(DRAWN_BEFORE, left);
        }
        Ok(())
    }

    /// The digest of the plan that a request extends, whose contributions the new plan must not use again.
    pub(super) fn extended(
        &self,
        request: &PlanRequest,
        contributions: &[PlannedContribution],
    ) -> Result<Option<Digest>, ServiceError> {
        let Some(plan_id) = &request.extends else {
            return Ok(None);
        };
        let document = self.plan_document(plan_id)?;
        let Some(frozen) = document.frozen else {
            return Err(ServiceError::PlanState {
                plan_id: plan_id.clone(),
                state: document.state,
                needed: "drawn or closed, to be extended",
            });
        };
        let used = &frozen.plan.contributions;
        let again = contributions.iter().find(|planned| {
            used.iter().any(|before| match (planned, before) {
                (
                    PlannedContribution::Committed {
                        commitment: new, ..
                    },
                    PlannedContribution::Committed {
                        commitment: old, ..
                    },
                ) => new == old,
                (
                    PlannedContribution::Public { rule: new, .. },
                    PlannedContribution::Public { rule: old, .. },
                ) => new == old,
                _ => false,
            })
        });
        match again {
            None => Ok(Some(frozen.plan_digest)),
            Some(planned) => {
                let reason = "was a contribution of the plan that this one extends; an extension needs new ones";
                let field = if planned.is_public() {
                    "public"
                } else {
                    "committed"
                };
                Err(FieldError::new(field, planned.name().as_str(), reason).into())
            }
        }
    }
}
