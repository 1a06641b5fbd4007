//! The tiers of the register, page by page, all of one epoch.

use std::sync::Arc;

use super::{Service, ServiceError, TierAnswer, off_thread};
use crate::domain::{EnterpriseId, Epoch, Label, Tier};

/// Enterprises that one page looks at, however few of them it is asked for.
const MOST_LOOKED_AT: usize = 50_000;
/// Enterprises that are looked up together.
const AT_ONCE: usize = 1_000;

/// Which part of the tiers.
#[derive(Clone, Debug)]
pub struct TierPageRequest {
    /// The last id of the page before.
    pub after: Option<EnterpriseId>,
    /// The epoch of the page before.
    pub epoch: Option<Epoch>,
    /// Only of this division, what lies below it included.
    pub division: Option<Label>,
    /// Only this tier.
    pub tier: Option<Tier>,
    /// Most tiers on the page.
    pub limit: usize,
}

/// A part of the tiers, in the order of their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct TierPage {
    /// The tiers, of one epoch.
    pub answers: Vec<TierAnswer>,
    /// Their epoch.
    pub epoch: Epoch,
    /// The id behind which the list goes on; nothing at its end.
    pub next: Option<EnterpriseId>,
}

impl Service {
    /// Tiers on the present day in the order of ids. A page may hold fewer than asked for, even none, before the list
    /// ends, because only so many enterprises are looked at for one page.
    ///
    /// # Errors
    ///
    /// When another epoch came into force since the page before, or the store fails.
    pub async fn tier_page(
        self: &Arc<Self>,
        request: TierPageRequest,
    ) -> Result<TierPage, ServiceError> {
        let TierPageRequest {
            mut after,
            epoch: of,
            division,
            tier,
            limit,
        } = request;
        let mut epoch = of;
        let mut answers: Vec<TierAnswer> = Vec::new();
        let mut looked_at = 0;
        while looked_at < MOST_LOOKED_AT {
            let left = limit - answers.len();
            // What is looked at beyond the page would be thrown away.
            let count = match (&division, tier) {
                (None, None) => left.min(AT_ONCE),
                _ => AT_ONCE,
            };
            let (service, from) = (Arc::clone(self), after.clone());
            let batch = off_thread(move || service.enterprises(from.as_ref(), None, count)).await?;
            let has_ended = batch.len() < count;
            looked_at += batch.len();
            let enterprises = batch.into_iter().map(|registered| registered.enterprise);
            let mut last = None;
            let ids: Vec<EnterpriseId> = enterprises
                .filter_map(|enterprise| {
                    last = Some(enterprise.enterprise_id.clone());
                    let is_wanted = division.as_ref().is_none_or(|scope| {
                        let own = enterprise.division.as_ref();
                        own.is_some_and(|own| own.in_division(scope.as_str()))
                    });
                    is_wanted.then_some(enterprise.enterprise_id)
                })
                .collect();
            let found = self.tiers(&ids).await?;
            let now = found.iter().flatten().next().map(|answer| answer.epoch);
            match (epoch, now) {
                (Some(of), Some(now)) if of != now => {
                    if answers.is_empty() {
                        return Err(ServiceError::OtherEpoch { of, now });
                    }
                    // What was found is whole; whoever goes on is told.
                    break;
                }
                (None, now) => epoch = now,
                (Some(_), _) => {}
            }
            let fitting = found
                .into_iter()
                .flatten()
                .filter(|answer| tier.is_none_or(|tier| answer.tier == tier));
            answers.extend(fitting.take(left));
            if answers.len() == limit {
                // The ids behind the last one may have been looked at in vain.
                after = answers.last().map(|answer| answer.enterprise_id.clone());
                break;
            }
            if has_ended {
                after = None;
                break;
            }
            after = last;
        }
        Ok(TierPage {
            answers,
            epoch: epoch.unwrap_or_else(|| *self.current().epoch()),
            next: after,
        })
    }
}
