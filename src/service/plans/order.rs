//! What a drawn plan of method `order` hands on to a calendar: its objects and the seed of their tickets.

use jiff::civil::Date;

use super::document::PlanState;
use super::steps::now;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{EnterpriseId, FieldError, ItemClass, Label, Visit, VisitKind, VisitState};
use crate::sampling::PoolFilter;
use crate::sampling::plan::Method;
use crate::sampling::pool::Pool;
use crate::sampling::seed::Seed;
use crate::service::items::departments_of;
use crate::service::{Service, ServiceError};

/// A drawn plan that puts its whole pool in ticket order.
pub(in crate::service) struct DrawnOrder {
    /// Its digest.
    pub(in crate::service) plan_digest: Digest,
    /// The frame that its pool came from.
    pub(in crate::service) frame_id: String,
    /// Which objects it asked for.
    pub(in crate::service) filter: PoolFilter,
    /// Its check items.
    pub(in crate::service) items: Vec<String>,
    /// Its hash.
    pub(in crate::service) hash: HashAlgorithm,
    /// Its seed.
    pub(in crate::service) seed: Seed,
    /// Its objects.
    pub(in crate::service) pool: Pool,
    /// Whether its secrets follow from a fixed seed.
    pub(in crate::service) insecure: bool,
}

impl Service {
    /// A drawn plan of method `order`; `field` is what a wrong one is blamed on.
    ///
    /// # Errors
    ///
    /// When there is no such plan, it is not drawn, or it selects instead of ordering.
    pub(in crate::service) fn drawn_order(
        &self,
        field: &str,
        plan_id: &str,
    ) -> Result<DrawnOrder, ServiceError> {
        let document = self.plan_document(plan_id)?;
        let (Some(frozen), Some(drawn)) = (&document.frozen, &document.drawn) else {
            return Err(not_drawn(plan_id, document.state));
        };
        if document.state == PlanState::Void {
            return Err(not_drawn(plan_id, document.state));
        }
        if frozen.plan.method != Method::Order {
            let reason = "selects a part of its pool; a calendar needs a plan of method `order`, whose objects are all \
                          visited";
            return Err(FieldError::new(field, plan_id, reason).into());
        }
        let seed = Seed::of(&frozen.plan, &frozen.plan_digest, &drawn.contributions);
        Ok(DrawnOrder {
            plan_digest: frozen.plan_digest,
            frame_id: document.request.frame_id.clone(),
            filter: document.request.filter.clone(),
            items: document.request.items.clone(),
            hash: frozen.plan.hash,
            seed,
            pool: self.kept_pool(plan_id)?,
            insecure: frozen.insecure,
        })
    }
}

/// How visits of a plan stand in the ledger that its calendar has planned.
pub(in crate::service) struct DoneEntry {
    plan_id: String,
    kind: VisitKind,
    departments: Vec<Label>,
    items: Vec<Label>,
    noted_at: String,
}

impl DoneEntry {
    /// A visit that was done.
    pub(in crate::service) fn visit(&self, enterprise_id: EnterpriseId, done_on: Date) -> Visit {
        Visit {
            visit_no: 0,
            enterprise_id,
            year: done_on.year(),
            kind: self.kind,
            state: VisitState::Done,
            slot: None,
            from_on: done_on,
            until_on: done_on,
            visited_on: Some(done_on),
            plan_id: Some(self.plan_id.clone()),
            departments: self.departments.clone(),
            items: self.items.clone(),
            reason: None,
            note: None,
            by: None,
            noted_at: self.noted_at.clone(),
        }
    }
}

impl Service {
    /// How visits of a plan stand in the ledger.
    pub(in crate::service) fn done_entry(&self, plan_id: &str) -> Result<DoneEntry, ServiceError> {
        let document = self.plan_document(plan_id)?;
        let items = self.listed_items(&document.request.items)?;
        Ok(DoneEntry {
            plan_id: document.plan_id,
            kind: match document.preview.item_class {
                ItemClass::General => VisitKind::General,
                ItemClass::Key => VisitKind::Key,
            },
            departments: departments_of(&items, document.request.department.as_ref()),
            items: items.into_iter().map(|item| item.item_code).collect(),
            noted_at: now(),
        })
    }
}

fn not_drawn(plan_id: &str, state: PlanState) -> ServiceError {
    ServiceError::PlanState {
        plan_id: plan_id.to_owned(),
        state,
        needed: "drawn or closed",
    }
}
