//! Allocation (样本量分配): how many visits each stratum is to get.

use serde::{Deserialize, Serialize};

use super::plan::PPB;
use super::strata::Stratum;
use crate::domain::Tier;

/// How the number of visits is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Allocation {
    /// The policy's rates as they are: the target of a stratum is the sum of its objects' rates.
    Rates,
    /// This many visits: all rates scaled by one factor, none beyond 1.
    Total(u64),
}

/// Why visits cannot be allocated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocationError {
    /// Nobody to visit.
    #[error("the pool is empty; widen the filter")]
    EmptyPool,
    /// No visit asked for.
    #[error("a plan needs at least one visit")]
    NoVisit,
    /// More visits than objects.
    #[error(
        "{visits} visits are asked for, but the pool holds {objects} objects; ask for at most that many"
    )]
    TooManyVisits {
        /// Visits asked for.
        visits: u64,
        /// Objects in the pool.
        objects: u64,
    },
}

/// The target of each stratum in parts per billion of a visit, in the order of `strata`.
///
/// Monotone: where the rate of one stratum is at least that of another, so is its target per object. A total is met
/// exactly: the few ppb that whole rates per object leave over go to the strata of the highest rate.
pub fn allocate(strata: &[Stratum], allocation: Allocation) -> Result<Vec<u64>, AllocationError> {
    let cells: Vec<Cell> = strata
        .iter()
        .map(|stratum| Cell {
            objects: stratum.members.len() as u64,
            rate_ppb: stratum.meaning.rate.rate_ppb,
            risk: (
                stratum.meaning.tier,
                stratum.meaning.rate.band_multiplier_milli,
            ),
        })
        .collect();
    let objects: u64 = cells.iter().map(|cell| cell.objects).sum();
    if objects == 0 {
        return Err(AllocationError::EmptyPool);
    }
    match allocation {
        Allocation::Rates => Ok(cells
            .iter()
            .map(|cell| cell.objects * cell.rate_ppb)
            .collect()),
        Allocation::Total(0) => Err(AllocationError::NoVisit),
        Allocation::Total(visits) if visits > objects => {
            Err(AllocationError::TooManyVisits { visits, objects })
        }
        Allocation::Total(visits) => Ok(scaled(&cells, visits)),
    }
}

#[derive(Clone, Copy)]
struct Cell {
    objects: u64,
    rate_ppb: u64,
    /// Tier and band: among equal rates the riskier cell gets the last ppb.
    risk: (Tier, u64),
}

impl Cell {
    fn full(self) -> u64 {
        self.objects * PPB
    }
}

/// Scales rates by one factor until they sum to `visits`; what would pass 1 stays at 1 and the rest is scaled further.
fn scaled(cells: &[Cell], visits: u64) -> Vec<u64> {
    // From the highest rate down: once a rate fits under 1 at the factor for the remaining cells, all lower ones do.
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by_key(|&index| {
        std::cmp::Reverse(cells.get(index).map(|cell| (cell.rate_ppb, cell.risk)))
    });
    let by_rate: Vec<Cell> = order
        .iter()
        .filter_map(|&index| cells.get(index).copied())
        .collect();
    let mut left = u128::from(visits) * u128::from(PPB);
    let mut weight: u128 = by_rate
        .iter()
        .map(|cell| u128::from(cell.objects) * u128::from(cell.rate_ppb))
        .sum();
    let mut taken_whole = 0;
    for cell in &by_rate {
        if left * u128::from(cell.rate_ppb) < u128::from(PPB) * weight {
            break;
        }
        left -= u128::from(cell.full()).min(left);
        weight -= u128::from(cell.objects) * u128::from(cell.rate_ppb);
        taken_whole += 1;
    }
    let per_object = |cell: &Cell| {
        u64::try_from(left * u128::from(cell.rate_ppb) / weight.max(1)).unwrap_or(PPB)
    };
    let mut targets: Vec<u64> = by_rate
        .iter()
        .enumerate()
        .map(|(rank, cell)| {
            if rank < taken_whole {
                cell.full()
            } else {
                cell.objects * per_object(cell).min(PPB)
            }
        })
        .collect();
    let mut rest = (u128::from(visits) * u128::from(PPB))
        .saturating_sub(targets.iter().map(|target| u128::from(*target)).sum());
    for (target, cell) in targets.iter_mut().zip(&by_rate) {
        let room = rest.min(u128::from(cell.full() - *target));
        *target += u64::try_from(room).unwrap_or(0);
        rest -= room;
    }
    let mut in_order = vec![0; cells.len()];
    for (index, target) in order.into_iter().zip(targets) {
        if let Some(slot) = in_order.get_mut(index) {
            *slot = target;
        }
    }
    in_order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(objects: u64, rate_ppb: u64) -> Cell {
        Cell {
            objects,
            rate_ppb,
            risk: (Tier::A, 1_000),
        }
    }

    #[test]
    fn a_total_is_met_exactly_and_in_proportion_to_the_rates() {
        let cells = [
            cell(600, 10_000_000),
            cell(300, 30_000_000),
            cell(70, 150_000_000),
            cell(30, 500_000_000),
        ];
        let targets = scaled(&cells, 50);
        assert_eq!(targets.iter().sum::<u64>(), 50 * PPB);
        let per_object: Vec<u64> = targets
            .iter()
            .zip(&cells)
            .map(|(target, cell)| target / cell.objects)
            .collect();
        assert!(per_object.is_sorted(), "{per_object:?}");
        assert_eq!(per_object[2] / per_object[0], 15);
    }

    #[test]
    fn what_would_pass_one_visit_is_taken_whole() {
        let cells = [cell(90, 10_000_000), cell(10, 500_000_000)];
        let targets = scaled(&cells, 40);
        assert_eq!(targets, [30 * PPB, 10 * PPB]);
    }

    #[test]
    fn every_object_may_be_asked_for() {
        let cells = [cell(3, 1), cell(2, PPB)];
        assert_eq!(scaled(&cells, 5), [3 * PPB, 2 * PPB]);
    }
}
