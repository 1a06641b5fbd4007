//! Where two models disagree about the present register. Nothing of it is kept as a tier or told as one.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::{AsOf, Enterprise, Label, Tier};
use crate::service::dossiers::Dossiers;
use crate::service::{Current, Models, Service, ServiceError};

/// Groups of one grouping that are told by name; the smallest others are pooled.
const GROUPS: usize = 50;

/// The name of the pooled small groups.
const OTHERS: &str = "others";

/// How two models classify the same register.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disagreement {
    /// The day of the register.
    pub as_of: Date,
    /// Enterprises that both classified.
    pub enterprise_count: u64,
    /// Of these, how many have another tier under the candidate.
    pub changed_count: u64,
    /// Of these, how many a worse one.
    pub worsened_count: u64,
    /// From tier A to C or D, and the other way round: the moves that someone will ask about.
    pub far_count: u64,
    /// The tiers under both, all sixteen cells.
    pub moves: Vec<TierMove>,
    /// Shares of the tiers under the live model.
    pub live_mix: BTreeMap<Tier, f64>,
    /// Shares of the tiers under the candidate.
    pub candidate_mix: BTreeMap<Tier, f64>,
    /// Stability index of the tier mix, `Σ (candidate − live)·ln(candidate/live)`.
    pub mix_shift: f64,
    /// The same by division, industry and size.
    pub groups: Vec<GroupMoves>,
}

/// Enterprises with one tier under the live model and one under the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierMove {
    /// Under the live model.
    pub from: Tier,
    /// Under the candidate.
    pub to: Tier,
    /// How many.
    pub count: u64,
}

/// How one group moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupMoves {
    /// `division`, `industry` or `size`.
    pub grouping: String,
    /// Its name.
    pub group: String,
    /// Its enterprises.
    pub enterprise_count: u64,
    /// With another tier under the candidate.
    pub changed_count: u64,
    /// With a worse one.
    pub worsened_count: u64,
    /// In tier D under the live model.
    pub live_d_count: u64,
    /// In tier D under the candidate.
    pub candidate_d_count: u64,
}

/// Counts while the register is walked.
#[derive(Default)]
struct Counted {
    cells: BTreeMap<(Tier, Tier), u64>,
    groups: [BTreeMap<String, GroupMoves>; 3],
}

const GROUPINGS: [&str; 3] = ["division", "industry", "size"];

impl Service {
    /// Classifies the present register under two sets of files with the statistics in force, and counts where they differ.
    /// What persons decided counts under both.
    pub(super) fn disagreement(
        &self,
        live: &Models,
        candidate: &Models,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Disagreement, ServiceError> {
        let as_of = self.as_of_today();
        let (live, candidate) = (
            self.with_present_statistics(live),
            self.with_present_statistics(candidate),
        );
        let today = self.today();
        let sides =
            [&live, &candidate].map(|current| Dossiers::new(self.store.as_ref(), current, today));
        let [before, after] = [sides[0].of_all()?, sides[1].of_all()?];
        let mut counted = Counted::default();
        let (mut done, mut failed, mut is_wanted) = (0_u64, None, true);
        self.store.each_dossier(&mut |dossier| {
            if failed.is_some() || !is_wanted {
                return;
            }
            let tiers = (|| {
                let Some(one) = before.assemble(dossier.clone(), as_of)? else {
                    return Ok(None);
                };
                let Some(other) = after.assemble(dossier, as_of)? else {
                    return Ok(None);
                };
                let tiers = (one.classify(&live).tier, other.classify(&candidate).tier);
                Ok(Some((one.enterprise, tiers)))
            })();
            match tiers {
                Ok(Some((enterprise, (from, to)))) => {
                    counted.add(&enterprise, from, to);
                    done += 1;
                    if done.is_multiple_of(1_000) {
                        is_wanted = progress(done);
                    }
                }
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        })?;
        match failed {
            Some(error) => Err(error),
            // Half a register says nothing about the whole.
            None if !is_wanted => Err(ServiceError::Conflict("it was cancelled".to_owned())),
            None => Ok(counted.told(as_of)),
        }
    }

    fn with_present_statistics(&self, models: &Models) -> Current {
        let current = self.current();
        Current {
            number: current.number,
            from_on: current.from_on,
            models: match current.models.classifier.statistics() {
                Some(statistics) => models.with_statistics(statistics.clone()),
                None => models.clone(),
            },
            statistics: current.statistics.clone(),
        }
    }
}

impl Counted {
    fn add(&mut self, enterprise: &Enterprise, from: Tier, to: Tier) {
        *self.cells.entry((from, to)).or_default() += 1;
        let label =
            |label: Option<&Label>| label.map_or_else(|| "unknown".to_owned(), Label::to_string);
        let industry = enterprise.industry.as_ref();
        let names = [
            label(enterprise.division.as_ref()),
            industry.map_or_else(
                || "unknown".to_owned(),
                |one| one.industry_section().to_owned(),
            ),
            enterprise.size.to_string(),
        ];
        for ((groups, name), grouping) in self.groups.iter_mut().zip(names).zip(GROUPINGS) {
            let group = groups.entry(name.clone()).or_insert_with(|| GroupMoves {
                grouping: grouping.to_owned(),
                group: name,
                ..GroupMoves::default()
            });
            group.count(from, to, 1);
        }
    }

    fn told(self, as_of: AsOf) -> Disagreement {
        let all: u64 = self.cells.values().sum();
        let count = |from: Tier, to: Tier| self.cells.get(&(from, to)).copied().unwrap_or(0);
        let pairs = || {
            Tier::ALL
                .iter()
                .flat_map(|from| Tier::ALL.iter().map(move |to| (*from, *to)))
        };
        let sum = |wanted: &dyn Fn(Tier, Tier) -> bool| -> u64 {
            pairs()
                .filter(|(from, to)| wanted(*from, *to))
                .map(|(from, to)| count(from, to))
                .sum()
        };
        let share = |count: u64| count as f64 / all.max(1) as f64;
        let mix = |of: &dyn Fn(Tier, Tier) -> Tier| -> BTreeMap<Tier, f64> {
            Tier::ALL
                .iter()
                .map(|tier| (*tier, share(sum(&|from, to| of(from, to) == *tier))))
                .collect()
        };
        let (live_mix, candidate_mix) = (mix(&|from, _| from), mix(&|_, to| to));
        let is_far = |from: Tier, to: Tier| {
            let (best, worst) = (from.min(to), from.max(to));
            best == Tier::A && worst >= Tier::C
        };
        Disagreement {
            as_of: as_of.day,
            enterprise_count: all,
            changed_count: sum(&|from, to| from != to),
            worsened_count: sum(&|from, to| to > from),
            far_count: sum(&is_far),
            moves: pairs()
                .map(|(from, to)| TierMove {
                    from,
                    to,
                    count: count(from, to),
                })
                .collect(),
            mix_shift: shift(&live_mix, &candidate_mix, all),
            live_mix,
            candidate_mix,
            groups: self.groups.into_iter().flat_map(pooled).collect(),
        }
    }
}

impl GroupMoves {
    fn count(&mut self, from: Tier, to: Tier, count: u64) {
        self.enterprise_count += count;
        self.changed_count += u64::from(from != to) * count;
        self.worsened_count += u64::from(to > from) * count;
        self.live_d_count += u64::from(from == Tier::D) * count;
        self.candidate_d_count += u64::from(to == Tier::D) * count;
    }
}

/// The stability index of a tier mix; an empty tier counts as half an enterprise.
fn shift(before: &BTreeMap<Tier, f64>, now: &BTreeMap<Tier, f64>, all: u64) -> f64 {
    let least = 0.5 / all.max(1) as f64;
    before
        .values()
        .zip(now.values())
        .map(|(before, now)| (before.max(least), now.max(least)))
        .map(|(before, now)| (now - before) * (now / before).ln())
        .sum()
}

/// The largest groups by name, the others in one.
fn pooled(groups: BTreeMap<String, GroupMoves>) -> Vec<GroupMoves> {
    let mut groups: Vec<GroupMoves> = groups.into_values().collect();
    groups.sort_by(|a, b| {
        b.enterprise_count
            .cmp(&a.enterprise_count)
            .then_with(|| a.group.cmp(&b.group))
    });
    let rest = groups.split_off(groups.len().min(GROUPS));
    let mut others: Option<GroupMoves> = None;
    for group in rest {
        let sum = others.get_or_insert_with(|| GroupMoves {
            grouping: group.grouping.clone(),
            group: OTHERS.to_owned(),
            ..GroupMoves::default()
        });
        sum.enterprise_count += group.enterprise_count;
        sum.changed_count += group.changed_count;
        sum.worsened_count += group.worsened_count;
        sum.live_d_count += group.live_d_count;
        sum.candidate_d_count += group.candidate_d_count;
    }
    groups.extend(others);
    groups
}
