//! Joint checks (综合查一次): the rows of several departments and items as one set of visits.
//!
//! The plans of one coordinated group share their seed, so every object has one ticket in all of them, and each plan
//! takes the smallest tickets of its own strata: an object that one row selects is likely to be selected by the others
//! too. Every row keeps its own exact sizes and inclusion probabilities; only the overlap grows. A *joint visit* is one
//! object with all rows that selected it.
//!
//! How much can be saved is bounded. A visit to object `k` happens whenever any row selects it, so with inclusion
//! probabilities `π_ik` the expected number of visits is at least `Σ_k max_i π_ik`, whatever the design
//! ([`Outlook::least_visits`]). Shared tickets reach this bound where the thresholds of all rows agree: exactly where the
//! rows that concern an object have the same strata and sizes; up to the chance spread of their thresholds, which falls
//! with the square root of the sizes, where each row has a pool of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::plan::{FrozenPlan, Method, PPB};
use super::pool::Pool;

/// One visit: an object and the rows, by their position, that selected it, rising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointVisit<'a> {
    /// The object's id.
    pub id: &'a str,
    /// The positions of the rows, at least one.
    pub rows: Vec<u32>,
}

/// Merges samples into joint visits, sorted by id bytes; `samples` holds the drawn ids of each row in any order.
///
/// An id that one row names twice counts once.
#[must_use]
pub fn join<'a>(samples: &[Vec<&'a str>]) -> Vec<JointVisit<'a>> {
    let sorted: Vec<Vec<&str>> = samples
        .iter()
        .map(|sample| {
            let mut ids = sample.clone();
            ids.sort_unstable();
            ids.dedup();
            ids
        })
        .collect();
    let mut visits: Vec<JointVisit<'a>> = Vec::new();
    let lists = sorted
        .into_iter()
        .map(|ids| ids.into_iter().map(|id| (id, ())));
    for (id, row, ()) in merge(lists.collect()) {
        match visits.last_mut() {
            Some(visit) if visit.id == id => visit.rows.push(row),
            _ => visits.push(JointVisit {
                id,
                rows: vec![row],
            }),
        }
    }
    visits
}

/// What merging saves: the same checks of items with fewer visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saving {
    /// Visits without merging: one for each object of each row. Also the item checks, which merging keeps.
    pub separate: u64,
    /// Joint visits.
    pub joint: u64,
    /// Joint visits with more than one row.
    pub shared: u64,
}

impl Saving {
    /// Counts visits.
    #[must_use]
    pub fn of(visits: &[JointVisit<'_>]) -> Self {
        Self {
            separate: visits.iter().map(|visit| visit.rows.len() as u64).sum(),
            joint: visits.len() as u64,
            shared: visits.iter().filter(|visit| visit.rows.len() > 1).count() as u64,
        }
    }

    /// Share of the separate visits that merging saves; 0 without any.
    #[must_use]
    pub fn share(&self) -> f64 {
        share_saved(self.joint as f64, self.separate as f64)
    }
}

/// One row of a joint plan, frozen or about to be.
#[derive(Clone, Copy, Debug)]
pub struct JointRow<'a> {
    /// Its plan.
    pub plan: &'a FrozenPlan,
    /// Its pool.
    pub pool: &'a Pool,
}

/// What is to be expected of a joint plan, from the inclusion probabilities alone. Nothing here decides a draw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outlook {
    /// Objects that at least one row concerns.
    pub objects: u64,
    /// Expected checks of items, `Σ_k Σ_i π_ik`: visits without merging.
    pub separate_visits: f64,
    /// Expected visits if the rows were drawn independently and coincidences were merged, `Σ_k (1 − Π_i (1 − π_ik))`.
    pub coinciding_visits: f64,
    /// The bound: no design with these inclusion probabilities expects fewer visits, `Σ_k max_i π_ik`.
    pub least_visits: f64,
}

impl Outlook {
    /// Of frozen plans and their pools.
    #[must_use]
    pub fn of(rows: &[JointRow<'_>]) -> Self {
        let probabilities: Vec<Vec<f64>> = rows.iter().map(|row| by_stratum(row.plan)).collect();
        let lists = rows.iter().zip(&probabilities).map(|(row, by_stratum)| {
            let strata = row.pool.stratum_indexes().iter();
            strata.enumerate().map(move |(object, stratum)| {
                let inclusion = by_stratum.get(*stratum as usize).copied().unwrap_or(1.0);
                (row.pool.id(object), inclusion)
            })
        });
        Self::of_lists(lists.collect())
    }

    /// Of the objects of each row with their inclusion probabilities, sorted by id bytes.
    ///
    /// Sums run over the objects in id order, so that the same rows give the same numbers.
    #[must_use]
    pub fn of_lists<'a, L: Iterator<Item = (&'a str, f64)>>(lists: Vec<L>) -> Self {
        let (mut outlook, mut present) = (Self::default(), None);
        let (mut most, mut missed) = (0.0_f64, 1.0_f64);
        for (id, _, inclusion) in merge(lists) {
            if present != Some(id) {
                outlook.least_visits += most;
                outlook.coinciding_visits += 1.0 - missed;
                outlook.objects += 1;
                (present, most, missed) = (Some(id), 0.0, 1.0);
            }
            outlook.separate_visits += inclusion;
            most = most.max(inclusion);
            missed *= 1.0 - inclusion;
        }
        outlook.least_visits += most;
        outlook.coinciding_visits += 1.0 - missed;
        outlook
    }

    /// The most that any design can save of the separate visits, in expectation.
    #[must_use]
    pub fn most_saved(&self) -> f64 {
        share_saved(self.least_visits, self.separate_visits)
    }
}

fn share_saved(visits: f64, separate: f64) -> f64 {
    if separate > 0.0 {
        1.0 - visits / separate
    } else {
        0.0
    }
}

/// Inclusion probability by stratum, in the plan's order, exploration included; none for method `order`, which selects
/// everything.
fn by_stratum(plan: &FrozenPlan) -> Vec<f64> {
    if plan.method == Method::Order {
        return Vec::new();
    }
    let explored = plan.exploration_n as f64 / plan.pool_size.max(1) as f64;
    let strata = plan.strata().iter();
    strata
        .map(|stratum| {
            let own = stratum.target_ppb as f64 / PPB as f64 / stratum.pool.max(1) as f64;
            // DRAW section 6: π = 1 − (1 − π_stratum)(1 − exploration_n / pool_size).
            1.0 - (1.0 - own) * (1.0 - explored)
        })
        .collect()
}

/// All entries of lists that are sorted by id, in the order of ids, then of lists, with the list each comes from.
fn merge<'a, T: Copy, L: Iterator<Item = (&'a str, T)>>(
    mut lists: Vec<L>,
) -> impl Iterator<Item = (&'a str, u32, T)> {
    let mut heads = BinaryHeap::with_capacity(lists.len());
    let mut values: Vec<Option<T>> = Vec::with_capacity(lists.len());
    for (row, list) in (0_u32..).zip(&mut lists) {
        let head = list.next();
        values.push(head.map(|(_, value)| value));
        heads.extend(head.map(|(id, _)| Reverse((id, row))));
    }
    std::iter::from_fn(move || {
        let Reverse((id, row)) = heads.pop()?;
        let place = row as usize;
        let value = values.get_mut(place)?.take()?;
        if let Some((next, follows)) = lists.get_mut(place).and_then(Iterator::next) {
            if let Some(slot) = values.get_mut(place) {
                *slot = Some(follows);
            }
            heads.push(Reverse((next, row)));
        }
        Some((id, row, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_visits_with_their_rows() {
        let samples = vec![vec!["b", "a", "b"], vec![], vec!["c", "b"]];

        let visits = join(&samples);

        let seen: Vec<(&str, &[u32])> = visits
            .iter()
            .map(|visit| (visit.id, visit.rows.as_slice()))
            .collect();
        assert_eq!(seen, [("a", &[0][..]), ("b", &[0, 2]), ("c", &[2])]);
        let saving = Saving::of(&visits);
        assert_eq!((saving.separate, saving.joint, saving.shared), (4, 3, 1));
        assert!((saving.share() - 0.25).abs() < 1e-12);
    }

    #[test]
    fn nothing_to_join_saves_nothing() {
        let saving = Saving::of(&join(&[]));
        assert_eq!((saving.joint, saving.separate), (0, 0));
        assert!(saving.share().abs() < f64::EPSILON);
        assert_eq!(Outlook::of(&[]).objects, 0);
    }
}
