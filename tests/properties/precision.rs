//! Acceptance test 16, second half: the allocation by precision (Bethel) holds every bound at the least effort.

use proptest::prelude::*;
use risktier::domain::Tier;
use risktier::sampling::plan::PPB;
use risktier::sampling::{
    AllocationError, CvBound, NO_BAND, Precise, Rate, Stratum, StratumMeaning, StratumTerms,
    allocate_precisely,
};

/// One stratum as it is tried.
#[derive(Clone, Copy, Debug)]
struct Cell {
    objects: u64,
    shares: [f64; 3],
    milli_days: u32,
    /// Parts of all objects.
    least: f64,
    most: f64,
    /// Which bounds it counts in.
    counts: [bool; 3],
    in_chain: bool,
}

fn cells() -> impl Strategy<Value = Vec<Cell>> {
    let share = || prop_oneof![1e-4..1.0, 1e-6..0.01, Just(0.0), Just(0.5)];
    let cell = (
        prop_oneof![1_u64..400, Just(1_u64), 1_000_u64..1_000_000],
        [share(), share(), share()],
        100_u32..5_000,
        prop_oneof![Just(0.0), 0.0..0.5],
        prop_oneof![Just(1.0), 0.2..1.0],
        any::<[bool; 3]>(),
    )
        .prop_map(|(objects, shares, milli_days, least, most, counts)| Cell {
            objects,
            shares,
            milli_days,
            least: f64::min(least, most),
            most,
            counts,
            in_chain: false,
        });
    prop::collection::vec(cell, 1..=6)
}

/// Strata of a division each, or of one division from the least risky to the riskiest.
fn strata_of(cells: &[Cell]) -> (Vec<Stratum>, Vec<StratumTerms>) {
    let one = |(number, cell): (usize, &Cell)| {
        let band_multiplier_milli = 1_000 + if cell.in_chain { number as u64 } else { 0 };
        let meaning = StratumMeaning {
            tier: Tier::C,
            division: if cell.in_chain {
                String::new()
            } else {
                number.to_string()
            },
            complaint_band: NO_BAND.into(),
            rate: Rate {
                tier_rate_ppb: PPB / 10,
                band_multiplier_milli,
                tag_multiplier_milli: 1_000,
                rate_ppb: PPB / 10,
            },
            beside: Default::default(),
        };
        let whole = (cell.objects * PPB) as f64;
        let terms = StratumTerms {
            least_ppb: (cell.least * whole) as u64,
            most_ppb: (cell.most < 1.0).then_some((cell.most * whole) as u64),
            visit_milli_days: cell.milli_days,
            ..StratumTerms::default()
        };
        let stratum = Stratum {
            key: format!("S{number:03}"),
            meaning,
            members: (0..cell.objects as usize).collect(),
        };
        (stratum, terms)
    };
    cells.iter().enumerate().map(one).unzip()
}

/// Bounds between what the floors give and what the ceilings do; `tight` from 0 (the floors) to 1 (the ceilings).
fn bounds_of(
    cells: &[Cell],
    strata: &[Stratum],
    terms: &[StratumTerms],
    tight: &[f64],
) -> Vec<CvBound> {
    let boxed: Vec<(u64, u64)> = strata
        .iter()
        .zip(terms)
        .map(|(s, t)| a_box(s, t, LEAST))
        .collect();
    let (floors, ceilings): (Vec<u64>, Vec<u64>) = boxed.into_iter().unzip();
    let mut bounds = Vec::new();
    for (at, tight) in tight.iter().enumerate() {
        let share_ppb = cells
            .iter()
            .map(|cell| cell.counts[at].then_some((cell.shares[at] * 1e9) as u64))
            .collect();
        let mut bound = CvBound {
            name: format!("bound {at}"),
            most_cv: 1.0,
            share_ppb,
        };
        if bound.expected_total(strata) == 0.0 {
            continue;
        }
        let (loose, best) = (
            bound.expected_cv(strata, &floors),
            bound.expected_cv(strata, &ceilings),
        );
        // By variance, from what is had anyway to the best that can be had.
        let variance = loose * loose + (best * best - loose * loose) * tight;
        bound.most_cv = variance.sqrt().max(best * (1.0 + 1e-9)).max(1e-9);
        bounds.push(bound);
    }
    bounds
}

/// The least inclusion probability of anybody.
const LEAST: u64 = PPB / 10_000;

fn a_box(stratum: &Stratum, terms: &StratumTerms, least_ppb: u64) -> (u64, u64) {
    let objects = stratum.members.len() as u64;
    let most = terms.most_ppb.unwrap_or(objects * PPB);
    (terms.least_ppb.max((objects * least_ppb).min(most)), most)
}

/// One variable of the independent solution: effort per visit, loads of the bounds, and its box in visits.
#[derive(Clone, Debug)]
struct Free {
    cost: f64,
    loads: Vec<f64>,
    least: f64,
    most: f64,
}

impl Free {
    fn at(&self, multipliers: &[f64]) -> f64 {
        let pull: f64 = self
            .loads
            .iter()
            .zip(multipliers)
            .map(|(load, m)| load * m)
            .sum();
        (pull / self.cost).sqrt().clamp(self.least, self.most)
    }
}

/// `Σ a/x ≤ 1` for each bound, as in Bethel's paper, with `a = N²S²/(V + ΣNS²)`.
fn frees(
    strata: &[Stratum],
    terms: &[StratumTerms],
    bounds: &[CvBound],
    least_ppb: u64,
) -> Vec<Free> {
    let loads = |at: usize| -> Vec<f64> {
        bounds
            .iter()
            .map(|bound| {
                let spread = |p: u64| (p as f64 / 1e9) * (1.0 - p as f64 / 1e9);
                let (mut total, mut sum) = (0.0, 0.0);
                for (stratum, share) in strata.iter().zip(&bound.share_ppb) {
                    let share = share.unwrap_or(0);
                    total += stratum.members.len() as f64 * share as f64 / 1e9;
                    sum += stratum.members.len() as f64 * spread(share);
                }
                let objects = strata[at].members.len() as f64;
                let own = spread(bound.share_ppb[at].unwrap_or(0));
                objects * objects * own / ((bound.most_cv * total).powi(2) + sum)
            })
            .collect()
    };
    strata
        .iter()
        .zip(terms)
        .enumerate()
        .map(|(at, (stratum, terms))| {
            let (least, most) = a_box(stratum, terms, least_ppb);
            Free {
                cost: f64::from(terms.visit_milli_days) / 1_000.0,
                loads: loads(at),
                least: least as f64 / 1e9,
                most: most as f64 / 1e9,
            }
        })
        .collect()
}

/// By how much bound `at` is exceeded.
fn excess(frees: &[Free], multipliers: &[f64], at: usize) -> f64 {
    frees
        .iter()
        .map(|free| free.loads[at] / free.at(multipliers))
        .sum::<f64>()
        - 1.0
}

/// The least effort by nested bisection of the multipliers, from the last to the first: for fixed earlier ones the best
/// value of a multiplier is where its bound is just met, and 0 where it is met anyway.
fn settle(frees: &[Free], multipliers: &mut Vec<f64>, at: usize, count: usize) {
    if at == count {
        return;
    }
    let over = |value: f64, multipliers: &mut Vec<f64>| {
        multipliers[at] = value;
        settle(frees, multipliers, at + 1, count);
        excess(frees, multipliers, at)
    };
    if over(0.0, multipliers) <= 0.0 {
        return;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while over(high, multipliers) > 0.0 && high < 1e30 {
        low = high;
        high *= 16.0;
    }
    for _ in 0..90 {
        let middle = if low > 0.0 {
            f64::sqrt(low * high)
        } else {
            high / 2.0
        };
        if over(middle, multipliers) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    over(high, multipliers);
}

/// The dual value at given multipliers: never above the least effort, whatever they are.
fn dual(frees: &[Free], multipliers: &[f64]) -> f64 {
    let own: f64 = frees
        .iter()
        .map(|free| {
            let x = free.at(multipliers);
            let pull: f64 = free
                .loads
                .iter()
                .zip(multipliers)
                .map(|(load, m)| load * m)
                .sum();
            free.cost * x + if pull > 0.0 { pull / x } else { 0.0 }
        })
        .sum();
    own - multipliers.iter().sum::<f64>()
}

fn effort(terms: &[StratumTerms], targets: &[u64]) -> f64 {
    let days = terms.iter().zip(targets);
    days.map(|(terms, target)| f64::from(terms.visit_milli_days) / 1_000.0 * *target as f64 / 1e9)
        .sum()
}

/// What whole ppb per stratum may add to the effort.
fn rounding(terms: &[StratumTerms]) -> f64 {
    terms
        .iter()
        .map(|terms| f64::from(terms.visit_milli_days) * 1e-12)
        .sum()
}

fn held(bounds: &[CvBound], strata: &[Stratum], targets: &[u64]) -> Result<(), TestCaseError> {
    for bound in bounds {
        let cv = bound.expected_cv(strata, targets);
        prop_assert!(
            cv <= bound.most_cv * (1.0 + 1e-9),
            "{cv} {bound:?} {targets:?}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    /// Kuhn and Tucker by weak duality: the multipliers that are reported prove that no smaller effort holds the bounds,
    /// a bound with slack has no price, and every stratum within its box spends what its multipliers say.
    #[test]
    fn precision_holds_every_bound_at_the_least_effort(cells in cells(), tight in [0.0..=1.0, 0.0..=1.0, 0.5..=1.0]) {
        let (strata, terms) = strata_of(&cells);
        let bounds = bounds_of(&cells, &strata, &terms, &tight);

        let Precise { targets_ppb, multipliers } = allocate_precisely(&strata, &terms, &bounds, LEAST).unwrap();

        held(&bounds, &strata, &targets_ppb)?;
        for ((stratum, terms), target) in strata.iter().zip(&terms).zip(&targets_ppb) {
            let (least, most) = a_box(stratum, terms, LEAST);
            prop_assert!((least..=most).contains(target));
        }
        let frees = frees(&strata, &terms, &bounds, LEAST);
        prop_assert!(multipliers.iter().all(|multiplier| *multiplier >= 0.0));
        let (found, proven) = (effort(&terms, &targets_ppb), dual(&frees, &multipliers));
        prop_assert!(found - proven <= 1e-9 * found + rounding(&terms), "{found} {proven} {targets_ppb:?}");
        for ((at, bound), multiplier) in bounds.iter().enumerate().zip(&multipliers) {
            let visits: Vec<f64> = targets_ppb.iter().map(|target| *target as f64 / 1e9).collect();
            let used: f64 = frees.iter().zip(&visits).filter(|(free, _)| free.loads[at] > 0.0).map(|(free, x)| free.loads[at] / x).sum();
            // Complementary slackness: slack times price is nothing beside the effort.
            prop_assert!((1.0 - used).abs() * multiplier <= 1e-8 * found + 10.0 * rounding(&terms) * (1.0 + multiplier / found), "{used} {multiplier} {bound:?}");
        }
        for (free, target) in frees.iter().zip(&targets_ppb) {
            let (x, pull) = (*target as f64 / 1e9, free.loads.iter().zip(&multipliers).map(|(load, m)| load * m).sum::<f64>());
            // Stationarity, weighed by what the stratum costs, within its box.
            if x > free.least * (1.0 + 1e-6) + 1e-8 && x < free.most * (1.0 - 1e-6) {
                prop_assert!((free.cost * x - pull / x).abs() <= 1e-6 * found + 4.0 * rounding(&terms), "{x} {free:?} {multipliers:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Against a search that shares nothing with the method: nested bisection of two multipliers.
    #[test]
    fn precision_is_the_optimum_that_a_search_finds(cells in cells(), tight in [0.0..=0.999, 0.0..=0.999]) {
        let (strata, terms) = strata_of(&cells);
        let bounds = bounds_of(&cells, &strata, &terms, &tight);
        let frees = frees(&strata, &terms, &bounds, LEAST);
        let mut multipliers = vec![0.0; bounds.len()];
        settle(&frees, &mut multipliers, 0, bounds.len());

        let precise = allocate_precisely(&strata, &terms, &bounds, LEAST).unwrap();

        let best = dual(&frees, &multipliers);
        let found = effort(&terms, &precise.targets_ppb);
        prop_assert!((found - best).abs() <= 1e-9 * best + rounding(&terms), "{found} {best} {multipliers:?} {precise:?}");
    }

    /// Of one division, from the least risky to the riskiest: nobody riskier gets less per object, and no other way of
    /// tying neighbours together that keeps the order is cheaper.
    #[test]
    fn precision_keeps_the_order_of_risk_at_the_least_effort(mut cells in cells(), tight in [0.0..=0.999]) {
        cells.truncate(4);
        for cell in &mut cells {
            cell.in_chain = true;
            (cell.least, cell.most, cell.counts[0]) = (0.0, 1.0, true);
        }
        let (strata, terms) = strata_of(&cells);
        let bounds = bounds_of(&cells, &strata, &terms, &tight);
        let frees = frees(&strata, &terms, &bounds, LEAST);

        let precise = allocate_precisely(&strata, &terms, &bounds, LEAST).unwrap();

        held(&bounds, &strata, &precise.targets_ppb)?;
        let per_object = |at: usize| precise.targets_ppb[at] as f64 / strata[at].members.len() as f64;
        for at in 1..strata.len() {
            prop_assert!(per_object(at) >= per_object(at - 1) * (1.0 - 1e-9) - 1.0, "{:?}", precise);
        }
        let mut best = f64::INFINITY;
        for ties in 0..1_usize << (strata.len() - 1) {
            // Neighbours that are tied have one probability: they are one stratum in objects, effort and load.
            let mut tied: Vec<(f64, Free)> = Vec::new();
            for (at, (stratum, free)) in strata.iter().zip(&frees).enumerate() {
                let objects = stratum.members.len() as f64;
                let own = Free {
                    cost: free.cost * objects,
                    loads: free.loads.iter().map(|load| load / objects).collect(),
                    least: LEAST as f64 / 1e9,
                    most: 1.0,
                };
                match tied.last_mut().filter(|_| at > 0 && ties >> (at - 1) & 1 == 1) {
                    None => tied.push((objects, own)),
                    Some((count, last)) => {
                        *count += objects;
                        last.cost += own.cost;
                        last.loads.iter_mut().zip(own.loads).for_each(|(a, b)| *a += b);
                    }
                }
            }
            let tied: Vec<Free> = tied.into_iter().map(|(_, free)| free).collect();
            let mut multipliers = vec![0.0; bounds.len()];
            settle(&tied, &mut multipliers, 0, bounds.len());
            let shares: Vec<f64> = tied.iter().map(|free| free.at(&multipliers)).collect();
            if shares.is_sorted_by(|a, b| *a <= *b * (1.0 + 1e-12)) {
                best = best.min(tied.iter().zip(&shares).map(|(free, x)| free.cost * x).sum());
            }
        }
        let found = effort(&terms, &precise.targets_ppb);
        prop_assert!((found - best).abs() <= 1e-9 * best + rounding(&terms), "{found} {best} {precise:?}");
    }
}

fn cell(objects: u64, share: f64) -> Cell {
    Cell {
        objects,
        shares: [share; 3],
        milli_days: 1_000,
        least: 0.0,
        most: 1.0,
        counts: [true; 3],
        in_chain: false,
    }
}

fn bound(cells: &[Cell], most_cv: f64) -> CvBound {
    CvBound {
        name: "`problems` over the whole plan".to_owned(),
        most_cv,
        share_ppb: cells
            .iter()
            .map(|cell| Some((cell.shares[0] * 1e9) as u64))
            .collect(),
    }
}

/// By hand: `x = N·√(p(1 − p))·Σ N√(p(1 − p)) / (V + ΣNp(1 − p))`.
#[test]
fn one_bound_gives_the_neyman_shares_at_the_size_that_it_needs() {
    let cells = [cell(600, 0.1), cell(400, 0.5)];
    let (strata, terms) = strata_of(&cells);

    let precise = allocate_precisely(&strata, &terms, &[bound(&cells, 0.1)], 1).unwrap();

    // 600·0.3 = 180 and 400·0.5 = 200; V = (0.1·260)² = 676, ΣNS² = 54 + 100.
    for (target, weight) in precise.targets_ppb.iter().zip([180.0, 200.0]) {
        let expected = weight * 380.0 / 830.0;
        assert!(
            (*target as f64 / 1e9 - expected).abs() < 1e-6,
            "{target} {expected}"
        );
    }
    // One percentage point less: the same formula at 0.09, to first order.
    let price = bound(&cells, 0.1).price(&strata, precise.multipliers[0]);
    let slope = 380.0 * 380.0 / 830.0 / 830.0 * 2.0 * 0.1 * 260.0 * 260.0 * 0.01;
    assert!((price - slope).abs() < 1e-6 * slope, "{price} {slope}");
}

#[test]
fn degenerate_strata_have_a_defined_target() {
    // Nothing varies: as few as anybody gets.
    let cells = [cell(100, 0.0), cell(100, 1.0), cell(100, 0.3)];
    let (strata, terms) = strata_of(&cells);
    let precise = allocate_precisely(&strata, &terms, &[bound(&cells, 0.02)], LEAST).unwrap();
    assert_eq!(precise.targets_ppb[..2], [100 * LEAST; 2]);
    assert!(precise.targets_ppb[2] > 10 * PPB);

    // One stratum of one object: half a visit leaves the variance that it may.
    let one = [cell(1, 0.5)];
    let (strata, terms) = strata_of(&one);
    let precise = allocate_precisely(&strata, &terms, &[bound(&one, 1.0)], LEAST).unwrap();
    assert!(precise.targets_ppb[0] - PPB / 2 <= 1, "{precise:?}");
    let precise = allocate_precisely(&strata, &terms, &[bound(&one, 1e-6)], LEAST).unwrap();
    assert_eq!(precise.targets_ppb, [PPB]);

    // What the floors hold costs nothing, and no bound at all asks for nothing.
    let (strata, terms) = strata_of(&cells);
    let precise = allocate_precisely(&strata, &terms, &[bound(&cells, 10.0)], LEAST).unwrap();
    assert_eq!(
        (precise.targets_ppb, precise.multipliers),
        (vec![100 * LEAST; 3], vec![0.0])
    );
    let precise = allocate_precisely(&strata, &terms, &[], LEAST).unwrap();
    assert_eq!(precise.targets_ppb, [100 * LEAST; 3]);

    // The same bound twice is one bound at one price.
    let once = allocate_precisely(&strata, &terms, &[bound(&cells, 0.02)], LEAST).unwrap();
    let twice = allocate_precisely(
        &strata,
        &terms,
        &[bound(&cells, 0.02), bound(&cells, 0.02)],
        LEAST,
    )
    .unwrap();
    assert!(
        once.targets_ppb[2].abs_diff(twice.targets_ppb[2]) < 10,
        "{once:?} {twice:?}"
    );
    let (one, two) = (once.multipliers[0], twice.multipliers.iter().sum::<f64>());
    assert!((one - two).abs() < 1e-6 * one, "{one} {two}");
}

#[test]
fn a_bound_out_of_reach_is_refused_by_name_with_the_best_there_is() {
    let cells = [cell(100, 0.3), cell(100, 0.1)];
    let (strata, mut terms) = strata_of(&cells);
    terms[0].most_ppb = Some(20 * PPB);

    let refused = allocate_precisely(&strata, &terms, &[bound(&cells, 0.05)], LEAST);

    // Of 100 objects with p = 0.3 twenty are seen: √(100²·0.21·(1/20 − 1/100))/40 = 0.2291….
    let Err(AllocationError::OutOfReach {
        bound: name,
        asked,
        best,
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (name.as_str(), asked.to_string().as_str()),
        ("`problems` over the whole plan", "5.00 %")
    );
    assert_eq!(best.to_string(), "22.92 %");
    // What is told as the best is within reach.
    let best = bound(&cells, best.0 as f64 / 1e9);
    let reached = allocate_precisely(&strata, &terms, &[best], LEAST).unwrap();
    assert_eq!(reached.targets_ppb[0], 20 * PPB);

    terms[0].most_ppb = Some(0);
    let unseen = allocate_precisely(&strata, &terms, &[bound(&cells, 9.0)], LEAST).unwrap_err();
    assert!(unseen.to_string().contains("none at all"), "{unseen}");
    let nothing = [cell(100, 0.0)];
    let (strata, terms) = strata_of(&nothing);
    let refused = allocate_precisely(&strata, &terms, &[bound(&nothing, 0.1)], LEAST).unwrap_err();
    assert!(matches!(refused, AllocationError::NothingToEstimate { .. }));
    assert_eq!(
        allocate_precisely(&[], &[], &[], LEAST),
        Err(AllocationError::EmptyPool)
    );
}

/// A thousand strata of 250 divisions, a bound in each and two over all: in linear time, and the same to the bit again.
#[test]
fn many_strata_and_bounds_are_allocated_and_again_the_same() {
    let cells: Vec<Cell> = (0..1_000_u64)
        .map(|at| {
            cell(
                20 + at * 7919 % 3_000,
                0.005 + (at % 4) as f64 * 0.1 + (at % 13) as f64 * 0.002,
            )
        })
        .collect();
    let (mut strata, terms) = strata_of(&cells);
    for (at, stratum) in strata.iter_mut().enumerate() {
        stratum.meaning.division = format!("{:06}", 100_000 + at / 4);
        stratum.meaning.tier = Tier::ALL[at % 4];
    }
    let of = |keep: &dyn Fn(usize) -> bool, cv: f64| CvBound {
        name: String::new(),
        most_cv: cv,
        share_ppb: cells
            .iter()
            .enumerate()
            .map(|(at, cell)| keep(at).then_some((cell.shares[0] * 1e9) as u64))
            .collect(),
    };
    let mut bounds = vec![of(&|_| true, 0.005), of(&|at| at % 4 == 3, 0.02)];
    bounds.extend((0..250).map(|division| of(&move |at| at / 4 == division, 0.2)));

    let precise = allocate_precisely(&strata, &terms, &bounds, LEAST).unwrap();

    assert_eq!(
        precise,
        allocate_precisely(&strata, &terms, &bounds, LEAST).unwrap()
    );
    for bound in &bounds {
        assert!(bound.expected_cv(&strata, &precise.targets_ppb) <= bound.most_cv * (1.0 + 1e-9));
    }
    for group in strata
        .iter()
        .zip(&precise.targets_ppb)
        .collect::<Vec<_>>()
        .chunks(4)
    {
        let per_object: Vec<f64> = group
            .iter()
            .map(|(s, target)| **target as f64 / s.members.len() as f64)
            .collect();
        assert!(
            per_object.is_sorted_by(|a, b| *a <= *b + 1.0),
            "{per_object:?}"
        );
    }
    assert!(precise.multipliers.iter().filter(|one| **one > 0.0).count() > 10);
}
