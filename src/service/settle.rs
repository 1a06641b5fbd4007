//! From what a tier rests on to the tier as it is kept.

use super::dossiers::Assembled;
use super::in_force::Current;
use crate::domain::{AsOf, EnterpriseId};
use crate::indicators::{Aggregate, Measure, Subject, current_versions};
use crate::model::{Classifier, LinkedEnterprise, Provisional, Settled};
use crate::store::{LinkState, NewTier, StoredTier};

/// The tier of an enterprise as it is kept.
pub(super) fn settle(current: &Current, found: &Assembled) -> NewTier {
    let classifier = &current.models.classifier;
    let own = found.own_half(classifier);
    let settled = classifier.finish(&own, &found.linked);
    let id = &found.enterprise.enterprise_id;
    NewTier {
        enterprise_id: id.clone(),
        tier: stored_tier(&settled, found.as_of, found.revision),
        link: link_state(&classifier.as_linked(id.clone(), &own)),
        is_surge: surges(classifier, found),
    }
}

/// Whether complaints about an enterprise surge: an indicator that measures it has come into a bin of more points
/// than that of none.
fn surges(classifier: &Classifier, found: &Assembled) -> bool {
    let scorecard = classifier.scorecard_of(found.enterprise.kind);
    let indicators = &classifier.catalogue().indicators;
    indicators.iter().any(|indicator| {
        let Measure::Records(measure) = &indicator.measure else {
            return false;
        };
        let Some(card) = scorecard.indicators.get(&indicator.code) else {
            return false;
        };
        let versions = &found.versions;
        if measure.aggregate != Aggregate::Surge
            || versions.iter().all(|version| version.kind != measure.kind)
        {
            return false;
        }
        let (records, _) = current_versions(versions, found.as_of.day);
        let subject = Subject {
            enterprise: &found.enterprise,
            records: &records,
            as_of: found.as_of,
        };
        card.points(indicator.measure.of(&subject).value) > card.points(Some(0.0))
    })
}

fn stored_tier(settled: &Settled, as_of: AsOf, revision: u64) -> StoredTier {
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

pub(super) fn linked_enterprise(enterprise_id: EnterpriseId, state: LinkState) -> LinkedEnterprise {
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
