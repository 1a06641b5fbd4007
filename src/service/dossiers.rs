//! Puts together what a tier rests on: one enterprise as of a day with the records of the ids merged into it, what
//! persons decided, and what its links add.
//!
//! Everything that classifies or explains an enterprise comes through here, one by one ([`Dossiers::find`]) or in a walk
//! through the register ([`Dossiers::of_all`], then [`Assembler::assemble`]).

use jiff::civil::Date;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::decisions::Override;
use super::lineage::{Lineage, as_known_from};
use super::merges::{Merge, lineage};
use super::objections::Objection;
use super::proceedings::documents;
use super::{Models, Service, ServiceError};
use crate::domain::{
    AsOf, Decision, Enterprise, EnterpriseId, Label, ProceedingKind, Record, Tier,
};
use crate::model::Classification;
use crate::store::{Dossier, Proceeding, ProceedingFilter, Store};

/// Proceedings read at once while a walk is prepared.
const PAGE: usize = 1_000;

/// Finds what tiers rest on.
#[derive(Clone)]
pub(super) struct Dossiers {
    store: Arc<dyn Store>,
    models: Arc<Models>,
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
    /// What is known of it beside the case itself.
    pub(super) life: Life,
    /// The first day after the as-of day on which a merge begins or ends.
    next_merge_on: Option<Date>,
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

impl Service {
    /// Finds what tiers rest on.
    pub(super) fn dossiers(&self) -> Dossiers {
        Dossiers {
            store: Arc::clone(&self.store),
            models: Arc::clone(&self.models),
        }
    }
}

impl Dossiers {
    /// What the tier of `id` rests on as of `day`; `None` for an unknown id.
    pub(super) fn find(
        &self,
        id: &EnterpriseId,
        day: Date,
    ) -> Result<Option<Assembled>, ServiceError> {
        // INVARIANT: the enterprise with its revision is read before the rest. Whatever changes meanwhile raises the
        // revision, so a tier of newer facts may be kept under an older revision, never the other way round.
        let Some(mut dossier) = self.store.dossier(id)? else {
            return Ok(None);
        };
        let mut about = self.store.proceedings_about(id)?;
        let mut merges = lineage(&about)?;
        let merged_into = merges.successor_on(id, day);
        if let Some(successor) = &merged_into {
            let Some(found) = self.store.dossier(successor)? else {
                return Err(ServiceError::UnknownEnterprise(successor.clone()));
            };
            dossier = found;
            about = self.store.proceedings_about(successor)?;
            merges = lineage(&about)?;
        }
        let mut assembled = self.complete(dossier, &about, &merges, day)?;
        assembled.life.merged_into = merged_into;
        Ok(Some(assembled))
    }

    /// The tier of an enterprise as it would be without overrides; `None` for an unknown id.
    pub(super) fn without_overrides(
        &self,
        id: &EnterpriseId,
        as_of: AsOf,
    ) -> Result<Option<Tier>, ServiceError> {
        Ok(self.find(id, as_of.day)?.map(|mut assembled| {
            assembled.decisions.retain(|decision| match decision {
                Decision::Override { .. } => false,
                Decision::Freeze { .. } => true,
            });
            assembled.classify(&self.models, as_of).tier
        }))
    }

    /// Prepares a walk through the register: everything that persons decided is read at once.
    pub(super) fn of_all(&self) -> Result<Assembler, ServiceError> {
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
            dossiers: self.clone(),
            about,
            merges: Lineage::new(merges),
        })
    }

    fn complete(
        &self,
        dossier: Dossier,
        about: &[Proceeding],
        merges: &Lineage,
        day: Date,
    ) -> Result<Assembled, ServiceError> {
        let Dossier {
            enterprise,
            revision,
            mut versions,
        } = dossier;
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
            next_merge_on: merges.next_change_on(day),
            enterprise,
            revision,
            versions,
            decisions,
        })
    }
}

/// What a walk through the register needs to complete each dossier.
pub(super) struct Assembler {
    dossiers: Dossiers,
    /// What persons decided, by enterprise; merges under both ends.
    about: BTreeMap<EnterpriseId, Vec<Proceeding>>,
    merges: Lineage,
}

impl Assembler {
    /// Completes one dossier as of `day`; `None` for an id that another answers for on that day.
    pub(super) fn assemble(
        &self,
        dossier: Dossier,
        day: Date,
    ) -> Result<Option<Assembled>, ServiceError> {
        let id = &dossier.enterprise.enterprise_id;
        let Some(about) = self.about.get(id) else {
            // Nearly all: nobody has decided anything about it.
            return self
                .dossiers
                .complete(dossier, &[], &Lineage::default(), day)
                .map(Some);
        };
        if self.merges.successor_on(id, day).is_some() {
            return Ok(None);
        }
        let connected = about.iter().any(|one| one.kind == ProceedingKind::Merge);
        let none = Lineage::default();
        let merges = if connected { &self.merges } else { &none };
        self.dossiers
            .complete(dossier, about, merges, day)
            .map(Some)
    }
}

impl Assembled {
    /// The tier as of a day, without reasons. The day is the one that it was assembled for.
    pub(super) fn classify(&self, models: &Models, as_of: AsOf) -> Classification {
        let classification = models
            .classifier
            .classify(&self.enterprise, &self.versions, as_of);
        self.bounded(classification)
    }

    /// The tier as of a day with every reason.
    pub(super) fn explain(&self, models: &Models, as_of: AsOf) -> Classification {
        let classification = models
            .classifier
            .explain(&self.enterprise, &self.versions, as_of);
        self.bounded(classification)
    }

    /// A merge that begins or ends may change the tier, which the model does not know.
    fn bounded(&self, mut classification: Classification) -> Classification {
        classification.next_change_on = [classification.next_change_on, self.next_merge_on]
            .into_iter()
            .flatten()
            .min();
        classification
    }
}
