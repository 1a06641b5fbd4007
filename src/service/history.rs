//! Tiers over time: which tier an enterprise had from when, and what brought each of them.
//!
//! The history holds what was served, as it was noted when it happened. What brought a tier is read from what is kept:
//! the log of what was in force, the versions of enterprise and records, and what persons decided. Nothing is guessed:
//! all that happened on the day on which a tier came to hold is told.

use jiff::civil::Date;
use std::collections::BTreeSet;

use super::dossiers::Dossiers;
use super::merges::Merge;
use super::objections::Objection;
use super::proceedings::documents;
use super::{Override, Service, ServiceError};
use crate::domain::{AsOf, EnterpriseId, Epoch, ProceedingKind, Tier};
use crate::store::{Dossier, InForce};

/// The tiers of one enterprise over time.
#[derive(Clone, Debug, PartialEq)]
pub struct TierHistory {
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// The tiers, latest first.
    pub spells: Vec<TierSpell>,
    /// All overrides of its tier.
    pub overrides: Vec<Override>,
    /// All objections to its records.
    pub objections: Vec<Objection>,
    /// All merges of its id and into it.
    pub merges: Vec<Merge>,
}

/// A time during which an enterprise had one tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierSpell {
    /// The tier.
    pub tier: Tier,
    /// The points behind it, when it was last computed.
    pub points: u16,
    /// The first day on which it held.
    pub from_on: Date,
    /// The first day on which it held no more; `None` for the present one.
    pub until_on: Option<Date>,
    /// Which files and statistics gave it at its end, or give it at present.
    pub epoch: Option<Epoch>,
    /// What happened on the day on which it came to hold.
    pub brought_by: Vec<Cause>,
}

/// Something that happened on the day on which a tier came to hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// What sort of thing.
    pub kind: CauseKind,
    /// Which: a record as `source/record_id`, otherwise an id; `None` where there is none.
    pub subject: Option<String>,
}

/// What sort of thing may bring a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseKind {
    /// The enterprise got its first tier.
    First,
    /// A version of a record became known.
    Record,
    /// The register says something else of the enterprise.
    Enterprise,
    /// An override began or ended.
    Override,
    /// An objection came to be examined, was decided, or its time limit passed.
    Objection,
    /// Another id was merged into this one, or no longer is; or this one stands for itself again.
    Merge,
    /// A run froze new statistics.
    Run,
    /// Other model files came into force.
    Files,
    /// Nothing of its own: a window ended, points decayed, or another enterprise that it is linked with changed.
    Elapsed,
}

impl CauseKind {
    /// Its name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Record => "record",
            Self::Enterprise => "enterprise",
            Self::Override => "override",
            Self::Objection => "objection",
            Self::Merge => "merge",
            Self::Run => "run",
            Self::Files => "files",
            Self::Elapsed => "elapsed",
        }
    }
}

impl Service {
    /// The tiers of an enterprise that came to hold before `before`, latest first, at most `limit`. The present one is
    /// brought up to date first.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails.
    pub fn tier_history(
        &self,
        id: &EnterpriseId,
        before: Option<Date>,
        limit: usize,
    ) -> Result<TierHistory, ServiceError> {
        let unknown = || ServiceError::UnknownEnterprise(id.clone());
        self.bring_up_all(vec![id.clone()])?;
        let dossier = self.store.dossier(id)?.ok_or_else(unknown)?;
        let about = self.store.proceedings_about(id)?;
        let mut objections: Vec<Objection> = documents(&about, ProceedingKind::Objection)?;
        objections.retain(|one| one.enterprise_id == *id);
        let merges: Vec<Merge> = documents(&about, ProceedingKind::Merge)?
            .into_iter()
            .filter(|merge: &Merge| merge.enterprise_id == *id || merge.into_id == *id)
            .collect();
        let history = TierHistory {
            enterprise_id: id.clone(),
            spells: self.spells(id, &merges)?,
            overrides: super::decisions::of_enterprise(&about, id)?,
            objections,
            merges,
        };
        let happened = self.happened(&dossier, &history)?;
        let first = history.spells.last().map(|spell| spell.from_on);
        let spells = history.spells.into_iter();
        let spells = spells
            .filter(|spell| before.is_none_or(|before| spell.from_on < before))
            .take(limit)
            .map(|spell| TierSpell {
                brought_by: brought_by(&happened, spell.from_on, Some(spell.from_on) == first),
                ..spell
            })
            .collect();
        Ok(TierHistory { spells, ..history })
    }

    /// The tiers, latest first, without what brought them.
    fn spells(&self, id: &EnterpriseId, merges: &[Merge]) -> Result<Vec<TierSpell>, ServiceError> {
        // The present tier is read before the past ones: what is superseded in between is told once, as past.
        let present = self.store.present_tier(id)?;
        let past = self.store.tier_history(id)?;
        let log = self.store.in_force_log()?;
        let merged_on = merges
            .iter()
            .find(|merge| merge.enterprise_id == *id && merge.counts_on(self.today()))
            .map(|merge| merge.from_on);
        let last_until = past.last().map(|past| past.until_on);
        let mut spells: Vec<TierSpell> = past
            .into_iter()
            .map(|past| TierSpell {
                tier: past.tier,
                points: past.points,
                from_on: past.from_on,
                until_on: Some(past.until_on),
                epoch: log
                    .iter()
                    .find(|entry| entry.number == past.force_number)
                    .map(|entry| entry.epoch),
                brought_by: Vec::new(),
            })
            .collect();
        let present =
            present.filter(|present| last_until.is_none_or(|until| until <= present.from_on));
        spells.extend(present.map(|present| TierSpell {
            tier: present.tier.tier,
            points: present.tier.points,
            from_on: present.from_on,
            until_on: merged_on,
            epoch: log.last().map(|entry| entry.epoch),
            brought_by: Vec::new(),
        }));
        spells.reverse();
        Ok(spells)
    }

    /// Everything that happened to an enterprise, with its days.
    fn happened(
        &self,
        dossier: &Dossier,
        history: &TierHistory,
    ) -> Result<Vec<(Date, Cause)>, ServiceError> {
        let mut happened = Vec::new();
        let mut add = |day: Option<Date>, kind: CauseKind, subject: Option<&str>| {
            let subject = subject.map(str::to_owned);
            happened.extend(day.map(|day| (day, Cause { kind, subject })));
        };
        for (until_on, _) in &dossier.earlier {
            add(Some(*until_on), CauseKind::Enterprise, None);
        }
        let current = self.current();
        let today = self.today();
        let found = Dossiers::new(self.store.as_ref(), &current, today)
            .find(&history.enterprise_id, AsOf::monthly(today))?;
        // Records of merged ids are known from the merge on. A merged id tells its own records.
        let versions = match &found {
            Some(found) if found.life.merged_into.is_none() => &found.versions,
            Some(_) | None => &dossier.versions,
        };
        for version in versions {
            let subject = format!("{}/{}", version.source, version.record_id);
            add(Some(version.known_on), CauseKind::Record, Some(&subject));
        }
        for one in &history.overrides {
            let Some(decision) = one.decision() else {
                continue;
            };
            for day in decision.turning_days() {
                add(day, CauseKind::Override, Some(&one.override_id));
            }
        }
        for one in &history.objections {
            let Some(decision) = one.decision() else {
                continue;
            };
            for day in decision.turning_days() {
                add(day, CauseKind::Objection, Some(&one.objection_id));
            }
        }
        for merge in &history.merges {
            if merge.never_counts() {
                continue;
            }
            add(Some(merge.from_on), CauseKind::Merge, Some(&merge.merge_id));
            add(merge.undone_on(), CauseKind::Merge, Some(&merge.merge_id));
        }
        let mut files: Option<String> = None;
        for entry in self.store.in_force_log()? {
            let InForce {
                from_on,
                files_id,
                run_id,
                ..
            } = entry;
            if files.as_ref().is_some_and(|files| *files != files_id) {
                add(Some(from_on), CauseKind::Files, Some(&files_id));
            }
            if let Some(run_id) = run_id {
                add(Some(from_on), CauseKind::Run, Some(&run_id));
            }
            files = Some(files_id);
        }
        Ok(happened)
    }
}

fn brought_by(happened: &[(Date, Cause)], day: Date, is_first: bool) -> Vec<Cause> {
    let mut causes: BTreeSet<Cause> = happened
        .iter()
        .filter(|(on, _)| *on == day)
        .map(|(_, cause)| cause.clone())
        .collect();
    let alone = |kind| Cause {
        kind,
        subject: None,
    };
    if is_first {
        causes.insert(alone(CauseKind::First));
    } else if causes.is_empty() {
        causes.insert(alone(CauseKind::Elapsed));
    }
    causes.into_iter().collect()
}
