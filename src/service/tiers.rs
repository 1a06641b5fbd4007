//! Tiers explained, and computed for what is not stored.

use jiff::civil::Date;

use super::dossiers::{Assembled, Dossiers, Life};
use super::in_force::{Current, FilesOfDay};
use super::{Service, ServiceError};
use crate::domain::{AsOf, Enterprise, EnterpriseId, Epoch, Record, Tier, carry_amendments};
use crate::model::{Case, Classification};

/// The tier of one enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierAnswer {
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// Its tier.
    pub tier: Tier,
    /// The points behind it.
    pub points: u16,
    /// The day it was computed for; it holds from then until `next_change_on`.
    pub as_of: Date,
    /// The first day on which it may differ though no record arrives.
    pub next_change_on: Option<Date>,
    /// The enterprise's revision that it was computed from.
    pub revision: u64,
    /// Which model files gave it.
    pub epoch: Epoch,
    /// The enterprise that answers for this id, if it is merged into another.
    pub merged_into: Option<EnterpriseId>,
    /// Where the answer came from.
    pub origin: Origin,
}

/// Where a tier came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The tier cache.
    Cache,
    /// The store.
    Store,
    /// It was computed for this answer.
    Computed,
    /// Another request was reading it from the store at the moment, and both got its answer.
    Joined,
}

/// A tier with every reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The enterprise as it was asked for.
    pub enterprise_id: EnterpriseId,
    /// The tier and its reasons.
    pub classification: Classification,
    /// Which model files gave it.
    pub epoch: Epoch,
    /// The files and statistics that it rests on, and since when they are in force.
    pub files: FilesOfDay,
    /// Name and version of the scorecard.
    pub scorecard: String,
    /// Name and version of the policy.
    pub policy: String,
    /// What persons decided about the enterprise, as far as it concerns the day.
    pub life: Life,
    /// The revision that it was computed from; 0 for what is not stored.
    pub revision: u64,
}

impl Service {
    /// The tier of one enterprise with every reason, as of `day` (default: the present day). A past day is seen with the
    /// files and statistics that were in force then.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails.
    pub fn explain(
        &self,
        id: &EnterpriseId,
        day: Option<Date>,
    ) -> Result<Explanation, ServiceError> {
        let day = day.unwrap_or_else(|| self.today());
        let current = self.in_force_on(day)?;
        self.explain_on(&current, id, day)
    }

    /// As [`Service::explain`], under files and statistics of the caller's choice.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails.
    pub fn explain_under(
        &self,
        current: &Current,
        id: &EnterpriseId,
        day: Option<Date>,
    ) -> Result<Explanation, ServiceError> {
        self.explain_on(current, id, day.unwrap_or_else(|| self.today()))
    }

    fn explain_on(
        &self,
        current: &Current,
        id: &EnterpriseId,
        day: Date,
    ) -> Result<Explanation, ServiceError> {
        let found = Dossiers::new(self.store.as_ref(), current, self.today())
            .find(id, AsOf::monthly(day))?
            .ok_or_else(|| ServiceError::UnknownEnterprise(id.clone()))?;
        let classification = found.explain(current);
        Ok(Explanation {
            life: found.life,
            revision: found.revision,
            ..explanation(&found.enterprise, id, classification, current)
        })
    }

    /// The tier of what is given, with every reason; nothing is stored.
    pub fn explain_given(
        &self,
        enterprise: &Enterprise,
        versions: &[Record],
        day: Option<Date>,
    ) -> Explanation {
        let as_of = AsOf::monthly(day.unwrap_or_else(|| self.today()));
        let current = self.current();
        let mut versions = versions.to_vec();
        versions.sort_by(|a, b| {
            (&a.source, &a.record_id, a.known_on).cmp(&(&b.source, &b.record_id, b.known_on))
        });
        carry_amendments(&mut versions);
        let classifier = &current.models.classifier;
        let classification = classifier.explain(&Case::of(enterprise, &versions), as_of);
        explanation(
            enterprise,
            &enterprise.enterprise_id,
            classification,
            &current,
        )
    }

    /// Classifies the whole register as of `as_of`, in id order, with what was in force on that day. Enterprises founded
    /// later are left out, and ids that are merged into others.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn classify_register(
        &self,
        as_of: AsOf,
        visit: &mut dyn FnMut(&Enterprise, &[Record], &Classification),
    ) -> Result<(), ServiceError> {
        let current = self.in_force_on(as_of.day)?;
        self.classify_under(&current, as_of, visit)
    }

    /// As [`Service::classify_register`] under files and statistics of the caller's choice.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn classify_under(
        &self,
        current: &Current,
        as_of: AsOf,
        visit: &mut dyn FnMut(&Enterprise, &[Record], &Classification),
    ) -> Result<(), ServiceError> {
        self.each_assembled(current, as_of, &mut |found| {
            let classification = found.classify(current);
            visit(&found.enterprise, &found.versions, &classification);
        })
    }

    /// Goes through the register as of `as_of` in id order: what was founded by then and stands for itself.
    pub(super) fn each_assembled(
        &self,
        current: &Current,
        as_of: AsOf,
        visit: &mut dyn FnMut(Assembled),
    ) -> Result<(), ServiceError> {
        let assembler = Dossiers::new(self.store.as_ref(), current, self.today()).of_all()?;
        let mut failed = None;
        self.store.each_dossier(&mut |dossier| {
            let founded = dossier
                .enterprise
                .established_on
                .is_none_or(|established| established <= as_of.day);
            if failed.is_some() || !founded {
                return;
            }
            match assembler.assemble(dossier, as_of) {
                Ok(Some(found)) => visit(found),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}

/// An explanation with the names of the files behind it.
fn explanation(
    enterprise: &Enterprise,
    id: &EnterpriseId,
    classification: Classification,
    current: &Current,
) -> Explanation {
    let classifier = &current.models.classifier;
    let scorecard = classifier.scorecard_of(enterprise.kind);
    Explanation {
        enterprise_id: id.clone(),
        files: current.of_day(classification.as_of.day),
        classification,
        epoch: *classifier.epoch(),
        scorecard: format!("{}/{}", scorecard.name, scorecard.version),
        policy: current.models.policy_name.clone(),
        life: Life::default(),
        revision: 0,
    }
}
