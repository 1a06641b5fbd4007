//! From a dossier to a tier: the enterprises at the other end of its links are looked up, one hop and no further.

use std::collections::BTreeMap;

use super::ServiceError;
use super::in_force::Current;
use crate::domain::{AsOf, EnterpriseId};
use crate::indicators::{Aggregate, Measure, Subject, current_versions};
use crate::model::{Case, Classification, LinkedEnterprise, Provisional, Settled};
use crate::store::{Dossier, LinkState, NewTier, Store, StoredTier};

/// Computes tiers under one epoch for one day.
pub(super) struct Settler<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) current: &'a Current,
    pub(super) as_of: AsOf,
    /// Whether stored link states may be used: they speak for the epoch and the day in force.
    pub(super) is_present: bool,
}

impl Settler<'_> {
    /// The tier of an enterprise as it is kept.
    pub(super) fn settle(&self, dossier: &Dossier) -> Result<NewTier, ServiceError> {
        let classifier = &self.current.models.classifier;
        let own = classifier.provisional(&case_of(dossier, &[]), self.as_of);
        let others: Vec<EnterpriseId> = own.links().cloned().collect();
        let settled = classifier.finish(&own, &self.linked(&others)?);
        let id = &dossier.enterprise.enterprise_id;
        Ok(NewTier {
            enterprise_id: id.clone(),
            tier: stored_tier(&settled, self.as_of, dossier.revision),
            link: link_state(&classifier.as_linked(id.clone(), &own)),
            is_surge: self.surges(dossier),
        })
    }

    /// Whether complaints about an enterprise surge: an indicator that measures it has come into a bin of more points
    /// than that of none.
    pub(super) fn surges(&self, dossier: &Dossier) -> bool {
        let classifier = &self.current.models.classifier;
        let scorecard = classifier.scorecard_of(dossier.enterprise.kind);
        let indicators = &classifier.catalogue().indicators;
        indicators.iter().any(|indicator| {
            let Measure::Records(measure) = &indicator.measure else {
                return false;
            };
            let Some(card) = scorecard.indicators.get(&indicator.code) else {
                return false;
            };
            let versions = &dossier.versions;
            if measure.aggregate != Aggregate::Surge
                || versions.iter().all(|version| version.kind != measure.kind)
            {
                return false;
            }
            let (records, _) = current_versions(versions, self.as_of.day);
            let subject = Subject {
                enterprise: &dossier.enterprise,
                records: &records,
                as_of: self.as_of,
            };
            card.points(indicator.measure.of(&subject).value) > card.points(Some(0.0))
        })
    }

    /// The tier of an enterprise with every reason.
    pub(super) fn explain(&self, dossier: &Dossier) -> Result<Classification, ServiceError> {
        let others = case_of(dossier, &[]).others(self.as_of.day);
        let linked = self.linked(&others)?;
        Ok(self
            .current
            .models
            .classifier
            .explain(&case_of(dossier, &linked), self.as_of))
    }

    /// The tier of an enterprise without reasons.
    pub(super) fn classify(&self, dossier: &Dossier) -> Result<Classification, ServiceError> {
        let others = case_of(dossier, &[]).others(self.as_of.day);
        let linked = self.linked(&others)?;
        Ok(self
            .current
            .models
            .classifier
            .classify(&case_of(dossier, &linked), self.as_of))
    }

    /// What the other enterprises add, as far as they are in the register.
    pub(super) fn linked(
        &self,
        ids: &[EnterpriseId],
    ) -> Result<Vec<LinkedEnterprise>, ServiceError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut stored: BTreeMap<EnterpriseId, LinkState> = if self.is_present {
            let epoch = self.current.epoch();
            let found = self.store.links_of(epoch, ids, self.as_of.day)?;
            found.into_iter().collect()
        } else {
            BTreeMap::new()
        };
        let mut linked = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(state) = stored.remove(id) {
                linked.push(linked_enterprise(id.clone(), state));
            } else if let Some(dossier) = self.store.dossier(id)? {
                let classifier = &self.current.models.classifier;
                let own = classifier.provisional(&case_of(&dossier, &[]), self.as_of);
                linked.push(classifier.as_linked(id.clone(), &own));
            }
        }
        Ok(linked)
    }
}

/// Everything that a tier rests on, put together.
pub(super) fn case_of<'a>(dossier: &'a Dossier, linked: &'a [LinkedEnterprise]) -> Case<'a> {
    Case {
        linked,
        ..Case::of(&dossier.enterprise, &dossier.versions)
    }
}

pub(super) fn stored_tier(settled: &Settled, as_of: AsOf, revision: u64) -> StoredTier {
    StoredTier {
        revision,
        tier: settled.tier,
        points: settled.points,
        as_of: as_of.day,
        next_change_on: settled.next_change_on,
    }
}

pub(super) fn link_state(linked: &LinkedEnterprise) -> LinkState {
    LinkState {
        base_tier: linked.base_tier,
        is_listed: linked.is_listed,
        cancelled_on: linked.cancelled_on,
        next_change_on: linked.next_change_on,
    }
}

/// What an enterprise adds as far as its own half says.
pub(super) fn own_link_state(own: &Provisional) -> LinkState {
    LinkState {
        base_tier: own.base_tier(),
        is_listed: own.is_listed(),
        cancelled_on: own.cancelled_on(),
        next_change_on: own.next_change_on(),
    }
}

fn linked_enterprise(enterprise_id: EnterpriseId, state: LinkState) -> LinkedEnterprise {
    let LinkState {
        base_tier,
        is_listed,
        cancelled_on,
        next_change_on,
    } = state;
    LinkedEnterprise {
        enterprise_id,
        base_tier,
        is_listed,
        cancelled_on,
        next_change_on,
    }
}
