//! What a drawn plan of method `order` hands on to a calendar: its objects and the seed of their tickets.

use super::document::PlanState;
use crate::domain::FieldError;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::sampling::PoolFilter;
use crate::sampling::plan::Method;
use crate::sampling::pool::Pool;
use crate::sampling::seed::Seed;
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

fn not_drawn(plan_id: &str, state: PlanState) -> ServiceError {
    ServiceError::PlanState {
        plan_id: plan_id.to_owned(),
        state,
        needed: "drawn or closed",
    }
}
