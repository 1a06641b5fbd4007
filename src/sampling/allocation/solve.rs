//! The exact solution under boxes, in whole numbers.

use std::cmp::{Ordering, Reverse};

use crate::domain::Tier;

/// What one stratum brings to the solution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Its objects.
    pub(super) objects: u64,
    /// Weight of each of them, at least 1.
    pub(super) per_object: u64,
    /// Tier and band: among equal weights the riskier stratum gets the last ppb.
    pub(super) risk: (Tier, u64),
    /// Lower bound in ppb of a visit.
    pub(super) least: u64,
    /// Upper bound in ppb, not below the lower one.
    pub(super) most: u64,
    /// Effort of a visit.
    pub(super) cost: u64,
}

/// In which steps the targets of strata within their bounds come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Whole ppb per object, so that targets per object are exactly in the order of the weights; what that leaves over
    /// goes to the strata of the highest weight.
    Object,
    /// Whole ppb per stratum, the nearest to the optimum that there is; whole ppb per object are in the order of the
    /// weights all the same.
    Stratum,
}

/// Where a stratum stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Free,
    Least,
    Most,
}

/// `x_h = clip(t·N_h·w_h, least_h, most_h)` with the `t` for which `Σ cost_h·x_h` is the effort, in whole ppb.
///
/// Each pass finds the `t` of the strata that are still free; whichever of the strata above their upper and below their
/// lower bound are further away in sum stay at their bound for good (Bitran and Hax 1981). That ends after at most as
/// many passes as there are strata, with the exact solution, which `step` then makes whole.
///
/// The effort lies between the sums of the bounds. By [`Step::Stratum`] less than one ppb of the dearest visit of it may
/// be left over.
pub(super) fn spread(shares: &[Share], effort: u128, step: Step) -> Vec<u64> {
    let mut places = vec![Place::Free; shares.len()];
    loop {
        let (mut left, mut weight) = (effort, 0_u128);
        for (share, place) in shares.iter().zip(&places) {
            match place {
                Place::Free => weight += share.weight() * u128::from(share.cost),
                Place::Least => left = left.saturating_sub(share.effort(share.least)),
                Place::Most => left = left.saturating_sub(share.effort(share.most)),
            }
        }
        if weight == 0 {
            return settle(shares, &places, effort, (0, 1), step);
        }
        let (mut above, mut below) = (0_u128, 0_u128);
        let side = |share: &Share| {
            if compare((left, weight), (share.most.into(), share.weight())) == Ordering::Greater {
                Place::Most
            } else if compare((left, weight), (share.least.into(), share.weight()))
                == Ordering::Less
            {
                Place::Least
            } else {
                Place::Free
            }
        };
        let sides: Vec<Place> = shares.iter().map(side).collect();
        for ((share, place), side) in shares.iter().zip(&places).zip(&sides) {
            if *place == Place::Free {
                let wanted = share.at((left, weight), step);
                match side {
                    Place::Most => above += share.effort(wanted.saturating_sub(share.most)),
                    Place::Least => below += share.effort(share.least.saturating_sub(wanted)),
                    Place::Free => {}
                }
            }
        }
        let wrong = if above >= below {
            Place::Most
        } else {
            Place::Least
        };
        let mut moved = false;
        for (place, side) in places.iter_mut().zip(&sides) {
            if *place == Place::Free && *side != Place::Free && (*side == wrong || above == below) {
                *place = *side;
                moved = true;
            }
        }
        if !moved {
            return settle(shares, &places, effort, (left, weight), step);
        }
    }
}

/// Whole ppb, and the rest that they leave over.
fn settle(
    shares: &[Share],
    places: &[Place],
    effort: u128,
    t: (u128, u128),
    step: Step,
) -> Vec<u64> {
    let mut targets: Vec<u64> = shares
        .iter()
        .zip(places)
        .map(|(share, place)| match place {
            Place::Free => share.at(t, step).clamp(share.least, share.most),
            Place::Least => share.least,
            Place::Most => share.most,
        })
        .collect();
    let used: u128 = shares
        .iter()
        .zip(&targets)
        .map(|(share, target)| share.effort(*target))
        .sum();
    let mut rest = effort.saturating_sub(used);
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|&at| Reverse(shares.get(at).map(|share| (share.per_object, share.risk))));
    if step == Step::Stratum && places.contains(&Place::Free) {
        // Each stratum within its bounds is less than one ppb below the optimum: it gets one more, unless that would be
        // one more per object. Those at a bound get none: it would not be worth what it takes.
        order.retain(|&at| places.get(at) == Some(&Place::Free));
        for &at in &order {
            if let (Some(share), Some(target)) = (shares.get(at), targets.get_mut(at))
                && !(*target + 1).is_multiple_of(share.objects)
            {
                share.give(target, &mut rest, 1);
            }
        }
    }
    for at in order {
        if let (Some(share), Some(target)) = (shares.get(at), targets.get_mut(at)) {
            share.give(target, &mut rest, u64::MAX);
        }
    }
    targets
}

impl Share {
    fn weight(&self) -> u128 {
        u128::from(self.objects) * u128::from(self.per_object)
    }

    fn effort(&self, target: u64) -> u128 {
        u128::from(target) * u128::from(self.cost)
    }

    /// Raises a target by at most so many ppb, as far as the rest of the effort and the upper bound allow.
    fn give(&self, target: &mut u64, rest: &mut u128, most: u64) {
        let fits = *rest / u128::from(self.cost).max(1);
        let more = fits.min(u128::from(most.min(self.most - *target)));
        let more = u64::try_from(more).unwrap_or(0);
        *target += more;
        *rest -= self.effort(more);
    }

    /// `t·N·w` for `t = left/weight`, rounded down to the step.
    fn at(&self, (left, weight): (u128, u128), step: Step) -> u64 {
        let weight = weight.max(1);
        // `left` stays below 2^73 and weights per object below 2^50, so the product fits; what is left of it is below
        // `weight`, which is below 2^92, and there are fewer than 2^32 objects.
        let product = left * u128::from(self.per_object);
        let each = u64::try_from(product / weight).unwrap_or(u64::MAX);
        let whole = each.saturating_mul(self.objects);
        match step {
            Step::Object => whole,
            Step::Stratum => {
                let part = product % weight * u128::from(self.objects) / weight;
                whole.saturating_add(u64::try_from(part).unwrap_or(u64::MAX))
            }
        }
    }
}

/// Compares two fractions of whole numbers exactly, without a product that could be too large.
fn compare(mut a: (u128, u128), mut b: (u128, u128)) -> Ordering {
    let mut swapped = false;
    loop {
        let (whole_a, whole_b) = (
            a.0.checked_div(a.1).unwrap_or(u128::MAX),
            b.0.checked_div(b.1).unwrap_or(u128::MAX),
        );
        let (rest_a, rest_b) = (
            a.0.checked_rem(a.1).unwrap_or(0),
            b.0.checked_rem(b.1).unwrap_or(0),
        );
        let found = match whole_a.cmp(&whole_b) {
            Ordering::Equal if rest_a == 0 || rest_b == 0 => rest_a.min(1).cmp(&rest_b.min(1)),
            Ordering::Equal => {
                // Equal whole parts: what is left compares as the reciprocals do, the other way round.
                a = (a.1, rest_a);
                b = (b.1, rest_b);
                swapped = !swapped;
                continue;
            }
            unequal => unequal,
        };
        return if swapped { found.reverse() } else { found };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::plan::PPB;

    #[test]
    fn fractions_compare_as_their_products_do() {
        let numbers = [0_u128, 1, 2, 3, 5, 7, 12, 100, 101, 1_000_003];
        for a in numbers {
            for b in &numbers[1..] {
                for c in numbers {
                    for d in &numbers[1..] {
                        assert_eq!(
                            compare((a, *b), (c, *d)),
                            (a * d).cmp(&(c * b)),
                            "{a}/{b} {c}/{d}"
                        );
                    }
                }
            }
        }
        let large = u128::MAX / 3;
        assert_eq!(
            compare((large, large - 1), (large - 1, large - 2)),
            Ordering::Less
        );
    }

    fn cell(objects: u64, per_object: u64) -> Share {
        Share {
            objects,
            per_object,
            risk: (Tier::A, 1_000),
            least: 0,
            most: objects * PPB,
            cost: 1,
        }
    }

    fn visits(shares: &[Share], visits: u64) -> Vec<u64> {
        spread(shares, u128::from(visits) * u128::from(PPB), Step::Object)
    }

    #[test]
    fn a_total_is_met_exactly_and_in_proportion_to_the_rates() {
        let cells = [
            cell(600, 10_000_000),
            cell(300, 30_000_000),
            cell(70, 150_000_000),
            cell(30, 500_000_000),
        ];
        let targets = visits(&cells, 50);
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
        assert_eq!(visits(&cells, 40), [30 * PPB, 10 * PPB]);
    }

    #[test]
    fn every_object_may_be_asked_for() {
        let cells = [cell(3, 1), cell(2, PPB)];
        assert_eq!(visits(&cells, 5), [3 * PPB, 2 * PPB]);
    }

    #[test]
    fn a_lower_bound_takes_from_the_others_what_it_needs() {
        let mut cells = [cell(100, 1), cell(100, 9)];
        cells[0].least = 5 * PPB;
        assert_eq!(visits(&cells, 10), [5 * PPB, 5 * PPB]);
        cells[1].most = 4 * PPB;
        assert_eq!(visits(&cells, 10), [6 * PPB, 4 * PPB]);
    }

    #[test]
    fn by_strata_nobody_is_a_ppb_away_from_the_exact_solution() {
        // 1 : 2 of five visits, over strata of three and seven hundred objects: 5·3/17 and 5·14/17.
        let cells = [cell(300, 1), cell(700, 2)];
        let five = u128::from(5 * PPB);

        let targets = spread(&cells, five, Step::Stratum);
        let coarse = spread(&cells, five, Step::Object);

        assert_eq!(targets, [882_352_941, 4_117_647_059]);
        assert_eq!(coarse, [882_352_800, 4_117_647_200]);
    }

    #[test]
    fn what_is_left_over_by_strata_does_not_go_to_one_at_its_bound() {
        // The first has the highest weight, and its lower bound is more than its share; the others take the rest.
        let mut cells = [cell(1, 9), cell(3, 1), cell(3, 1)];
        cells[0].least = PPB / 2;
        let visits = u128::from(PPB) + 1;

        let targets = spread(&cells, visits, Step::Stratum);

        assert_eq!(targets.iter().sum::<u64>(), PPB + 1);
        assert_eq!(targets[0], PPB * 9 / 15 + 1);
        cells[0].least = PPB * 3 / 4;
        let targets = spread(&cells, visits, Step::Stratum);
        assert_eq!(targets, [PPB * 3 / 4, PPB / 8 + 1, PPB / 8]);
    }
}
