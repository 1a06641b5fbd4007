//! From targets to whole sample sizes (`risktier-draw/1` sections 3 and 5). All in whole numbers.

use super::plan::PPB;

const VISIT: u128 = PPB as u128;

/// Whole sample sizes by one random start: `R_h` = running sum of the targets in key order,
/// `n_h = ⌊(R_h + V)/10^9⌋ − ⌊(R_{h−1} + V)/10^9⌋`.
///
/// With `v` uniform in `[0, 10^9)` the expectation of each size is its target, each size is the target rounded up or
/// down, and the total is within one of the sum.
#[must_use]
pub fn systematic(targets_ppb: &[u64], v: u64) -> Vec<u64> {
    let mut reached = u128::from(v);
    let next = |target: &u64| {
        let before = reached / VISIT;
        reached += u128::from(*target);
        whole(reached / VISIT - before)
    };
    targets_ppb.iter().map(next).collect()
}

/// Whole targets by largest remainder, in ppb: the total is `⌊Σ/10^9 + ½⌋`; floors first, then one more visit each to
/// the largest remainders, ties by key (here: by position).
#[must_use]
pub fn largest_remainder(targets_ppb: &[u64]) -> Vec<u64> {
    let sum: u128 = targets_ppb.iter().map(|target| u128::from(*target)).sum();
    let total = (sum + VISIT / 2) / VISIT;
    let floors: u128 = targets_ppb
        .iter()
        .map(|target| u128::from(target / PPB))
        .sum();
    // INVARIANT: the total is at least the sum of the floors, and fewer visits are left than there are remainders.
    let mut left = total.saturating_sub(floors);
    let mut by_remainder: Vec<usize> = (0..targets_ppb.len()).collect();
    by_remainder
        .sort_by_key(|index| std::cmp::Reverse(targets_ppb.get(*index).map(|target| target % PPB)));
    let mut rounded: Vec<u64> = targets_ppb
        .iter()
        .map(|target| target / PPB * PPB)
        .collect();
    for index in by_remainder {
        if left == 0 {
            break;
        }
        if let Some(target) = rounded.get_mut(index) {
            *target += PPB;
        }
        left -= 1;
    }
    rounded
}

/// A stratum before the exploration split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Number of objects.
    pub pool: u64,
    /// Visits, in ppb.
    pub target_ppb: u64,
}

impl Target {
    /// Whether every object of the stratum is taken.
    #[must_use]
    pub fn is_whole(self) -> bool {
        u128::from(self.target_ppb) >= u128::from(self.pool) * VISIT
    }
}

/// Takes the exploration visits out of the total. Returns `exploration_n` and the targets that remain, in ppb.
///
/// With share `s` in ppb (at most 10^9) and `Σ` the sum of the targets of the strata that are not taken whole:
/// `exploration_n = ⌊s·Σ/10^18⌋`, and each of those targets becomes `⌊target·(Σ − exploration_n·10^9)/Σ⌋`. Strata that
/// are taken whole keep their target.
#[must_use]
pub fn exploration_split(strata: &[Target], share_ppb: u64) -> (u64, Vec<u64>) {
    let open = strata.iter().filter(|stratum| !stratum.is_whole());
    let sum: u128 = open.map(|stratum| u128::from(stratum.target_ppb)).sum();
    let count = u128::from(share_ppb.min(PPB)) * sum / (VISIT * VISIT);
    let rest = sum - count * VISIT;
    let shrink = |stratum: &Target| {
        if stratum.is_whole() || sum == 0 {
            stratum.target_ppb
        } else {
            whole(u128::from(stratum.target_ppb) * rest / sum)
        }
    };
    (whole(count), strata.iter().map(shrink).collect())
}

/// Targets of which at least what is needed is left when exploration takes its share (at most one half) by
/// [`exploration_split`]: the exploration visits come on top. No target is beyond its pool.
#[must_use]
pub fn before_exploration(needed: &[Target], share_ppb: u64) -> Vec<u64> {
    let share = u128::from(share_ppb.min(PPB / 2));
    let most = |one: &Target| u128::from(one.pool) * VISIT;
    let mut open: Vec<bool> = needed.iter().map(|one| !one.is_whole()).collect();
    loop {
        let parts = needed.iter().zip(&open).filter(|(_, open)| **open);
        let sum: u128 = parts.map(|(one, _)| u128::from(one.target_ppb)).sum();
        // As many as are the share of themselves and of what is needed.
        let (mut count, mut last) = (share * sum / (VISIT * VISIT), 0);
        while count != last {
            last = count;
            count = share * (sum + count * VISIT) / (VISIT * VISIT);
        }
        let raise = |one: &Target| {
            (u128::from(one.target_ppb) * (sum + count * VISIT)).div_ceil(sum.max(1))
        };
        let mut moved = false;
        for (one, open) in needed.iter().zip(&mut open) {
            if *open && raise(one) >= most(one) {
                *open = false;
                moved = true;
            }
        }
        if moved {
            continue;
        }
        let raised = |by: &dyn Fn(&Target) -> u128| -> Vec<u64> {
            let targets = needed.iter().zip(&open);
            targets
                .map(|(one, open)| {
                    whole(if *open {
                        by(one).min(most(one))
                    } else {
                        most(one)
                    })
                })
                .collect()
        };
        let targets = raised(&raise);
        if leaves(needed, &targets, share_ppb) {
            return targets;
        }
        // Rounding has brought exploration one visit more: the whole share on top is always enough.
        let safe = |one: &Target| (u128::from(one.target_ppb) * VISIT).div_ceil(VISIT - share);
        return raised(&safe);
    }
}

/// Whether exploration leaves what is needed of these targets.
fn leaves(needed: &[Target], targets: &[u64], share_ppb: u64) -> bool {
    let cells: Vec<Target> = needed
        .iter()
        .zip(targets)
        .map(|(one, target_ppb)| Target {
            pool: one.pool,
            target_ppb: *target_ppb,
        })
        .collect();
    let (_, left) = exploration_split(&cells, share_ppb);
    needed
        .iter()
        .zip(left)
        .all(|(one, left)| left >= one.target_ppb)
}

/// INVARIANT: the numbers that end here are at most a target or a number of visits, which fit 64 bits.
fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systematic_rounding_sums_to_the_total_and_stays_next_to_the_target() {
        let targets = [400_000_000, 3_300_000_000, 750_000_000, 2_550_000_000];

        for v in [0, 1, 249_999_999, 250_000_000, 500_000_000, 999_999_999] {
            let sizes = systematic(&targets, v);
            assert!(sizes.iter().sum::<u64>().abs_diff(7) <= 1);
            for (size, target) in sizes.iter().zip(&targets) {
                assert!((target / PPB..=target.div_ceil(PPB)).contains(size));
            }
        }
        assert_eq!(systematic(&[0, 2 * PPB], 999_999_999), [0, 2]);
    }

    #[test]
    fn largest_remainder_breaks_ties_by_key() {
        assert_eq!(
            largest_remainder(&[500_000_000, 500_000_000, 0]),
            [PPB, 0, 0]
        );
        assert_eq!(largest_remainder(&[400_000_000]), [0]);
        assert_eq!(largest_remainder(&[500_000_000]), [PPB]);
        assert_eq!(largest_remainder(&[]), [0_u64; 0]);
    }

    #[test]
    fn strata_taken_whole_keep_their_target_under_exploration() {
        let strata = [
            Target {
                pool: 2,
                target_ppb: 2 * PPB,
            },
            Target {
                pool: 100,
                target_ppb: 20 * PPB,
            },
        ];

        assert_eq!(
            exploration_split(&strata, PPB / 10),
            (2, vec![2 * PPB, 18 * PPB])
        );
        assert_eq!(exploration_split(&strata[..1], PPB), (0, vec![2 * PPB]));
        assert_eq!(exploration_split(&strata, PPB), (20, vec![2 * PPB, 0]));
    }
}
