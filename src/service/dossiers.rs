//! Puts together what a tier rests on: one enterprise as of a day with the records of the ids merged into it, what
//! persons decided, and what its links add.
//!
//! Everything that classifies or explains an enterprise comes through here, one by one ([`Dossiers::find`]) or in a walk
//! through the register ([`Dossiers::of_all`], then [`Assembler::assemble`]).

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::ServiceError;
use super::decisions::Override;
use super::in_force::Current;
use super::lineage::{Lineage, as_known_from};
use super::merges::{Merge, lineage};
use super::objections::Objection;
use super::proceedings::documents;
use super::settle::linked_enterprise;
use crate::domain::{
    AsOf, Decision, Enterprise, EnterpriseId, Label, ProceedingKind, Record, Tier,
};
use crate::model::{Case, Classification, Classifier, LinkedEnterprise, Provisional};
use crate::store::{Dossier, LinkState, Proceeding, ProceedingFilter, Store};

/// Proceedings read at once while a walk is prepared.
const PAGE: usize = 1_000;

/// Finds what tiers rest on.
#[derive(Clone, Copy)]
pub(super) struct Dossiers<'a> {
    store: &'a dyn Store,
    current: &'a Current,
    /// Stored link states speak for this day.
    today: Date,
}

/// One enterprise with all that its tier rests on as of a day.
#[derive(Clone, Debug)]
pub(super) struct Assembled {
    /// The enterprise: the successor, if the id asked for is merged.
    pub(super) enterprise: Enterprise,
    /// Its revision, read before everything else.
    pub(super) revision: u64,
    /// All versions of its records and of those of the ids merged into it, grouped by record.
    pub(super) versions: Vec<Record>,
    /// What persons decided.
    pub(super) decisions: Vec<Decision>,
    /// What the enterprises at the other end of its links add, and its owner.
    pub(super) linked: Vec<LinkedEnterprise>,
    /// The day that it was put together for.
    pub(super) as_of: AsOf,
    /// What is known of it beside the case itself.
    pub(super) life: Life,
    /// The first day after the as-of day on which a merge begins or ends, or the enterprise is known to be another.
    next_turn_on: Option<Date>,
}

/// What persons decided about an enterprise, for those who read an explanation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Life {
    /// The enterprise that answers for the id asked for.
    pub merged_into: Option<EnterpriseId>,
    /// The ids whose records count for it, with the first day of that.
    pub merged_ids: Vec<(EnterpriseId, Date)>,
    /// The id under which a record came, for records of merged ids, by source and id of the record.
    pub came_under: BTreeMap<(Label, String), EnterpriseId>,
    /// Overrides that wait or count.
    pub overrides: Vec<Override>,
    /// Objections that are open.
    pub objections: Vec<Objection>,
}

impl<'a> Dossiers<'a> {
    /// Finds what tiers rest on under the files and statistics of `current`.
    pub(super) fn new(store: &'a dyn Store, current: &'a Current, today: Date) -> Self {
        Self {
            store,
            current,
            today,
        }
    }

    /// The store that it reads.
    pub(super) fn store(&self) -> &'a dyn Store {
        self.store
    }

    /// The files and statistics that it was made for.
    pub(super) fn current(&self) -> &'a Current {
        self.current
    }

    /// What the tier of `id` rests on as of a day; `None` for an unknown id.
    pub(super) fn find(
        &self,
        id: &EnterpriseId,
        as_of: AsOf,
    ) -> Result<Option<Assembled>, ServiceError> {
        let Some(mut assembled) = self.alone(id, as_of)? else {
            return Ok(None);
        };
        assembled.linked = self.linked(&assembled)?;
        Ok(Some(assembled))
    }

    /// As [`Dossiers::find`], without what other enterprises add.
    fn alone(&self, id: &EnterpriseId, as_of: AsOf) -> Result<Option<Assembled>, ServiceError> {
        // INVARIANT: the enterprise with its revision is read before the rest. Whatever changes meanwhile raises the
        // revision, so a tier of newer facts may be kept under an older revision, never the other way round.
        let Some(mut dossier) = self.store.dossier(id)? else {
            return Ok(None);
        };
        let mut about = self.store.proceedings_about(id)?;
        let mut merges = lineage(&about)?;
        let merged_into = merges.successor_on(id, as_of.day);
        if let Some(successor) = &merged_into {
            let Some(found) = self.store.dossier(successor)? else {
                return Err(ServiceError::UnknownEnterprise(successor.clone()));
            };
            dossier = found;
            about = self.store.proceedings_about(successor)?;
            merges = lineage(&about)?;
        }
        let mut assembled = self.complete(dossier, &about, &merges, as_of)?;
        assembled.life.merged_into = merged_into;
        Ok(Some(assembled))
    }

    /// What the enterprises add that a case names. One hop: what those are linked with is not asked.
    fn linked(&self, of: &Assembled) -> Result<Vec<LinkedEnterprise>, ServiceError> {
        let (classifier, day) = (&self.current.models.classifier, of.as_of.day);
        let others = of.case().others(day);
        let mut stored: BTreeMap<EnterpriseId, LinkState> = BTreeMap::new();
        if day == self.today && !others.is_empty() {
            stored.extend(self.store.links_of(self.current.epoch(), &others, day)?);
        }
        let mut linked = Vec::new();
        for id in others {
            if let Some(state) = stored.remove(&id) {
                linked.push(linked_enterprise(id, state));
                continue;
            }
            let Some(other) = self.alone(&id, of.as_of)? else {
                continue;
            };
            // A link to an id that was merged into the enterprise itself is no link to another.
            if other.enterprise.enterprise_id == of.enterprise.enterprise_id {
                continue;
            }
            linked.push(classifier.as_linked(id, &other.own_half(classifier)));
        }
        Ok(linked)
    }

    /// The tier of an enterprise as it would be without overrides; `None` for an unknown id.
    pub(super) fn tier_without_overrides(
        &self,
        id: &EnterpriseId,
        as_of: AsOf,
    ) -> Result<Option<Tier>, ServiceError> {
        Ok(self.find(id, as_of)?.map(|mut assembled| {
            assembled.decisions.retain(|decision| match decision {
                Decision::Override { .. } => false,
                Decision::Freeze { .. } => true,
            });
            assembled.classify(self.current).tier
        }))
    }

    /// Prepares a walk through the register: everything that persons decided is read at once.
    pub(super) fn of_all(&self) -> Result<Assembler<'a>, ServiceError> {
        let mut about: BTreeMap<EnterpriseId, Vec<Proceeding>> = BTreeMap::new();
        for kind in ProceedingKind::ALL {
            let filter = ProceedingFilter {
                kind: *kind,
                state: None,
                due_by: None,
            };
            let mut after: Option<String> = None;
            loop {
                let page = self
                    .store
                    .proceedings_after(&filter, after.as_deref(), PAGE)?;
                let Some(last) = page.last() else { break };
                after = Some(last.proceeding_id.clone());
                for proceeding in page {
                    if let Some(successor) = &proceeding.related_id {
                        let of_successor = about.entry(successor.clone()).or_default();
                        of_successor.push(proceeding.clone());
                    }
                    let of_id = about.entry(proceeding.enterprise_id.clone()).or_default();
                    of_id.push(proceeding);
                }
            }
        }
        let merges: Vec<Merge> = about
            .iter()
            .flat_map(|(id, all)| all.iter().filter(move |one| one.enterprise_id == *id))
            .filter(|one| one.kind == ProceedingKind::Merge)
            .map(super::proceedings::document)
            .collect::<Result<_, _>>()?;
        Ok(Assembler {
            dossiers: *self,
            about,
            merges: Lineage::new(merges),
        })
    }

    fn complete(
        &self,
        dossier: Dossier,
        about: &[Proceeding],
        merges: &Lineage,
        as_of: AsOf,
    ) -> Result<Assembled, ServiceError> {
        let day = as_of.day;
        let next_version_on = dossier.next_version_on(day);
        let (enterprise, revision, mut versions) = dossier.as_known_on(day);
        let id = &enterprise.enterprise_id;
        let merged_ids = merges.absorbed_by(id, day);
        let mut came_under = BTreeMap::new();
        for (old, from) in &merged_ids {
            let Some(absorbed) = self.store.dossier(old)? else {
                continue;
            };
            for version in as_known_from(absorbed.versions, *from) {
                came_under.insert(
                    (version.source.clone(), version.record_id.clone()),
                    old.clone(),
                );
                versions.push(version);
            }
        }
        let overrides = super::decisions::of_enterprise(about, id)?;
        let mut objections: Vec<Objection> = documents(about, ProceedingKind::Objection)?;
        objections.retain(|one| one.enterprise_id == *id);
        let decisions = overrides
            .iter()
            .filter_map(Override::decision)
            .chain(objections.iter().filter_map(Objection::decision))
            .collect();
        Ok(Assembled {
            life: Life {
                merged_into: None,
                merged_ids: merged_ids
                    .into_iter()
                    .filter(|(_, from)| *from <= day)
                    .collect(),
                came_under,
                overrides: overrides
                    .into_iter()
                    .filter(|one| one.concerns(day))
                    .collect(),
                objections: objections
                    .into_iter()
                    .filter(|one| one.concerns(day))
                    .collect(),
            },
            next_turn_on: earliest([merges.next_change_on(day), next_version_on]),
            enterprise,
            revision,
            versions,
            decisions,
            linked: Vec::new(),
            as_of,
        })
    }
}

/// What a walk through the register needs to complete each dossier.
pub(super) struct Assembler<'a> {
    dossiers: Dossiers<'a>,
    /// What persons decided, by enterprise; merges under both ends.
    about: BTreeMap<EnterpriseId, Vec<Proceeding>>,
    merges: Lineage,
}

impl Assembler<'_> {
    /// Which ids are merged into which.
    pub(super) fn merges(&self) -> &Lineage {
        &self.merges
    }

    /// Completes one dossier as of a day; `None` for an id that another answers for on that day.
    pub(super) fn assemble(
        &self,
        dossier: Dossier,
        as_of: AsOf,
    ) -> Result<Option<Assembled>, ServiceError> {
        let Some(mut assembled) = self.alone(dossier, as_of)? else {
            return Ok(None);
        };
        assembled.linked = self.dossiers.linked(&assembled)?;
        Ok(Some(assembled))
    }

    /// As [`Assembler::assemble`], without what other enterprises add.
    pub(super) fn alone(
        &self,
        dossier: Dossier,
        as_of: AsOf,
    ) -> Result<Option<Assembled>, ServiceError> {
        let id = &dossier.enterprise.enterprise_id;
        let none = Lineage::default();
        let (about, merges) = match self.about.get(id) {
            // Nearly all: nobody has decided anything about it.
            None => (&[] as &[Proceeding], &none),
            Some(about) => {
                let merges = about.iter().any(|one| one.kind == ProceedingKind::Merge);
                (about.as_slice(), if merges { &self.merges } else { &none })
            }
        };
        if merges.successor_on(id, as_of.day).is_some() {
            return Ok(None);
        }
        self.dossiers
            .complete(dossier, about, merges, as_of)
            .map(Some)
    }
}

impl Assembled {
    /// The case.
    pub(super) fn case(&self) -> Case<'_> {
        Case {
            enterprise: &self.enterprise,
            versions: &self.versions,
            decisions: &self.decisions,
            linked: &self.linked,
        }
    }

    /// The half of the tier that needs no other enterprise.
    pub(super) fn own_half(&self, classifier: &Classifier) -> Provisional {
        classifier
            .provisional(&self.case(), self.as_of)
            .changing_by(self.next_turn_on)
    }

    /// The tier, without reasons.
    pub(super) fn classify(&self, current: &Current) -> Classification {
        let classifier = &current.models.classifier;
        self.bounded(classifier.classify(&self.case(), self.as_of))
    }

    /// The tier with every reason.
    pub(super) fn explain(&self, current: &Current) -> Classification {
        let classifier = &current.models.classifier;
        self.bounded(classifier.explain(&self.case(), self.as_of))
    }

    /// What the model does not know may change the tier too: merges, and versions of the enterprise.
    fn bounded(&self, classification: Classification) -> Classification {
        Classification {
            next_change_on: earliest([classification.next_change_on, self.next_turn_on]),
            ..classification
        }
    }
}

fn earliest(days: [Option<Date>; 2]) -> Option<Date> {
    days.into_iter().flatten().min()
}
