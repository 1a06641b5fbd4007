//! Tiers of many enterprises at once: alerts, migrations between two days, summaries.
//!
//! All of it is read from what is stored, in one pass and at one instant; nothing is computed anew for it, so its time is
//! bounded by the size of the register. What is outdated is counted apart, never shown as if it stood.

use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

use super::lineage::Lineage;
use super::merges::Merge;
use super::proceedings::document;
use super::{Service, ServiceError};
use crate::domain::{EnterpriseId, FieldError, Label, ProceedingKind, Tier};
use crate::store::{Alert, AlertFilter, ProceedingFilter, SummaryBy, TierFilter};

/// Proceedings read at once.
const PAGE: usize = 1_000;

/// How many enterprises went from one tier to another between two days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    /// From, to, count; what did not occur is left out.
    pub moves: BTreeMap<(Tier, Tier), u64>,
    /// Enterprises that had no tier yet on the first day, by their tier on the second.
    pub new: BTreeMap<Tier, u64>,
    /// Enterprises that stood for themselves on the first day and are merged into others on the second, by their tier
    /// on the first.
    pub gone: BTreeMap<Tier, u64>,
}

impl Migrations {
    /// Enterprises that went from one tier to another.
    pub fn count(&self, from: Tier, to: Tier) -> u64 {
        self.moves.get(&(from, to)).copied().unwrap_or(0)
    }

    fn add(&mut self, from: Option<Tier>, to: Option<Tier>, count: u64) {
        let place = match (from, to) {
            (Some(from), Some(to)) => self.moves.entry((from, to)).or_default(),
            (None, Some(to)) => self.new.entry(to).or_default(),
            (Some(from), None) => self.gone.entry(from).or_default(),
            (None, None) => return,
        };
        *place += count;
    }
}

/// The tiers of one group of a summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SummaryGroup {
    /// What the group has in common; empty where the register says nothing.
    pub name: String,
    /// Enterprises by tier.
    pub tiers: BTreeMap<Tier, u64>,
    /// Enterprises whose stored tier is outdated, or that have none yet.
    pub stale_count: u64,
}

impl SummaryGroup {
    /// Enterprises with a tier that stands.
    pub fn tiered_count(&self) -> u64 {
        self.tiers.values().sum()
    }

    /// The share of a tier among the tiers that stand; 0 without any.
    pub fn share(&self, tier: Tier) -> f64 {
        let count = self.tiers.get(&tier).copied().unwrap_or(0);
        count as f64 / self.tiered_count().max(1) as f64
    }
}

impl Service {
    /// Alerts that a filter asks for behind number `after`, in order, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn alerts(
        &self,
        filter: &AlertFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Alert>, ServiceError> {
        Ok(self.store.alerts_of(filter, after, limit)?)
    }

    /// How enterprises went from tier to tier between the ends of two days, as it was served on them. The filter asks
    /// what the register says at present.
    ///
    /// # Errors
    ///
    /// When the days are in the wrong order or the second one is still to come, or the store fails.
    pub fn migrations(
        &self,
        from: Date,
        to: Date,
        filter: &TierFilter,
    ) -> Result<Migrations, ServiceError> {
        if from > to {
            let reason = format!("is after `to` ({to}); exchange the two");
            return Err(FieldError::new("from", &from.to_string(), reason).into());
        }
        if to > self.today() {
            let reason = format!("is still to come; the present day is {}", self.today());
            return Err(FieldError::new("to", &to.to_string(), reason).into());
        }
        let merges = self.all_merges()?;
        let (merged_before, merged_after) = (merged_on(&merges, from), merged_on(&merges, to));
        let merged: Vec<EnterpriseId> = merged_before.union(&merged_after).cloned().collect();
        let mut migrations = Migrations::default();
        for (before, after, count) in self.store.tier_migrations((from, to), filter, &merged)? {
            migrations.add(before, after, count);
        }
        // Merged ids are few. A run leaves them out, so their tiers are computed as of the day that they had one on.
        for id in merged_before.symmetric_difference(&merged_after) {
            let asked = match self.store.enterprise(id)? {
                Some((enterprise, _)) => filter.matches(&enterprise),
                None => false,
            };
            if !asked {
                continue;
            }
            let day = if merged_after.contains(id) { from } else { to };
            let existed = self.first_tier_on(id)?.is_none_or(|first| first <= day);
            let tier = if existed {
                Some(self.explain(id, Some(day))?.classification.tier)
            } else {
                None
            };
            if day == from && merged_after.contains(id) {
                migrations.add(tier, None, 1);
            } else {
                migrations.add(None, tier, 1);
            }
        }
        Ok(migrations)
    }

    /// The tiers of the register by a property, largest groups of a code merged up to `level`: of divisions 1 province,
    /// 2 city, 3 county; of industries 1 section, 2 division, 3 group, 4 class. Other labels stay whole.
    ///
    /// # Errors
    ///
    /// When the property has no such level, or the store fails.
    pub fn tier_summary(
        &self,
        by: SummaryBy,
        level: Option<u8>,
    ) -> Result<Vec<SummaryGroup>, ServiceError> {
        if let Some(level) = level {
            let levels = match by {
                SummaryBy::Division => 3,
                SummaryBy::Industry => 4,
                SummaryBy::Size | SummaryBy::Kind | SummaryBy::Tag => 0,
            };
            if !(1..=levels).contains(&level) {
                let reason = if levels == 0 {
                    "is for divisions and industries alone; leave it out".to_owned()
                } else {
                    format!("is not from 1 to {levels}")
                };
                return Err(FieldError::new("level", &level.to_string(), reason).into());
            }
        }
        let today = self.today();
        let merged: Vec<EnterpriseId> = merged_on(&self.all_merges()?, today).into_iter().collect();
        let mut groups: BTreeMap<String, SummaryGroup> = BTreeMap::new();
        for (name, tier, count) in self.store.tier_summary(by, today, &merged)? {
            let name = match level {
                Some(level) => at_level(by, &name, level),
                None => name,
            };
            let group = groups.entry(name.clone()).or_insert_with(|| SummaryGroup {
                name,
                ..SummaryGroup::default()
            });
            match tier {
                Some(tier) => *group.tiers.entry(tier).or_default() += count,
                None => group.stale_count += count,
            }
        }
        Ok(groups.into_values().collect())
    }

    /// The ids that are merged on the present day, each with the id that stands for it.
    pub(super) fn successors(&self) -> Result<BTreeMap<EnterpriseId, EnterpriseId>, ServiceError> {
        let merges = self.all_merges()?;
        let today = self.today();
        let ids: Vec<EnterpriseId> = merged_on(&merges, today).into_iter().collect();
        let lineage = Lineage::new(merges);
        let pairs = ids.into_iter().filter_map(|id| {
            let into = lineage.successor_on(&id, today)?;
            Some((id, into))
        });
        Ok(pairs.collect())
    }

    fn all_merges(&self) -> Result<Vec<Merge>, ServiceError> {
        let filter = ProceedingFilter {
            kind: ProceedingKind::Merge,
            state: None,
            due_by: None,
        };
        let mut merges = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .store
                .proceedings_after(&filter, after.as_deref(), PAGE)?;
            let Some(last) = page.last() else {
                return Ok(merges);
            };
            after = Some(last.proceeding_id.clone());
            for proceeding in &page {
                merges.push(document(proceeding)?);
            }
        }
    }

    /// The first day on which an enterprise had a tier, as far as one is kept.
    fn first_tier_on(&self, id: &EnterpriseId) -> Result<Option<Date>, ServiceError> {
        let past = self.store.tier_history(id)?;
        if let Some(first) = past.first() {
            return Ok(Some(first.from_on));
        }
        Ok(self.store.present_tier(id)?.map(|present| present.from_on))
    }
}

fn merged_on(merges: &[Merge], day: Date) -> BTreeSet<EnterpriseId> {
    merges
        .iter()
        .filter(|merge| merge.counts_on(day))
        .map(|merge| merge.enterprise_id.clone())
        .collect()
}

/// The code above `name` at a level; a label of another system stays as it is.
fn at_level(by: SummaryBy, name: &str, level: u8) -> String {
    let Ok(label) = Label::parse(name) else {
        return name.to_owned();
    };
    match by {
        SummaryBy::Division => {
            let kept = name.get(..usize::from(level) * 2).unwrap_or(name);
            let scope = format!("{kept:0<6}");
            if label.in_division(&scope) {
                scope
            } else {
                name.to_owned()
            }
        }
        SummaryBy::Industry => {
            let kept = match level {
                1 => 1,
                2 => 3,
                3 => 4,
                _ => 5,
            };
            let scope = name.get(..kept).unwrap_or(name);
            if label.in_industry(scope) {
                scope.to_owned()
            } else {
                name.to_owned()
            }
        }
        SummaryBy::Size | SummaryBy::Kind | SummaryBy::Tag => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_merged_up_to_a_level_and_other_labels_stay_whole() {
        let at = |by, name, level| at_level(by, name, level);
        assert_eq!(at(SummaryBy::Division, "990102", 1), "990000");
        assert_eq!(at(SummaryBy::Division, "990102", 2), "990100");
        assert_eq!(at(SummaryBy::Division, "990102", 3), "990102");
        assert_eq!(at(SummaryBy::Division, "北区", 1), "北区");
        assert_eq!(at(SummaryBy::Division, "", 2), "");
        assert_eq!(at(SummaryBy::Industry, "F5212", 1), "F");
        assert_eq!(at(SummaryBy::Industry, "F5212", 2), "F52");
        assert_eq!(at(SummaryBy::Industry, "F52", 4), "F52");
        assert_eq!(at(SummaryBy::Industry, "Retail", 1), "Retail");
    }
}
