//! The tiers of the register, page by page, all of one epoch.

use std::sync::Arc;

use super::{Service, ServiceError, TierAnswer, off_thread};
use crate::domain::{EnterpriseId, Epoch, Label, Tier};

/// Enterprises that one page looks at, however few of them it is asked for.
const MOST_LOOKED_AT: usize = 10_000;
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
        while answers.len() < limit && looked_at < MOST_LOOKED_AT {
            // What is looked at beyond the page would be thrown away.
            let count = match tier {
                Some(_) => AT_ONCE,
                None => AT_ONCE.min(limit - answers.len()),
            };
            let (service, scope, from) = (Arc::clone(self), division.clone(), after.clone());
            let batch =
                off_thread(move || service.enterprises(from.as_ref(), scope.as_ref(), count))
                    .await?;
            let ids: Vec<EnterpriseId> = batch
                .into_iter()
                .map(|registered| registered.enterprise.enterprise_id)
                .collect();
            let has_ended = ids.len() < count;
            looked_at += ids.len();
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
            for (id, answer) in ids.iter().zip(found) {
                after = Some(id.clone());
                answers.extend(answer.filter(|answer| tier.is_none_or(|tier| answer.tier == tier)));
                if answers.len() == limit {
                    break;
                }
            }
            if has_ended && answers.len() < limit {
                after = None;
                break;
            }
        }
        Ok(TierPage {
            answers,
            epoch: epoch.unwrap_or_else(|| *self.current().epoch()),
            next: after,
        })
    }
}
