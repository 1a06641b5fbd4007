//! Visits follow risk: nobody at zero, nobody beyond once, never less for more risk, and the total to the last ppb.

use jiff::civil::date;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use risktier::domain::{EnterpriseKind, EnterpriseSize, EnterpriseStatus, Tier};
use risktier::sampling::plan::PPB;
use risktier::sampling::sizes::{Target, before_exploration, exploration_split, largest_remainder};
use risktier::sampling::{
    Allocation, AllocationError, Band, ComplaintLoad, Frame, FrameEntry, FrameRow, ItemCap,
    ItemClass, NO_BAND, PoolFilter, RateBasis, RateFactor, RateRule, SamplingPolicy, StrataBy,
    Stratum, StratumAttribute, StratumTerms, TierRates, allocate, allocate_within, stratify,
    stratify_by,
};
use risktier::service::Models;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::register::{default_models, id, label};

static MODELS: LazyLock<Models> = LazyLock::new(default_models);

fn rising_rates() -> impl Strategy<Value = TierRates> {
    let rate = prop_oneof![Just(1e-6), Just(1.0), 1e-6..=1.0];
    (prop::array::uniform4(rate), any::<bool>()).prop_map(|(mut rates, annual)| {
        rates.sort_by(f64::total_cmp);
        let [a, b, c, d] = rates;
        let basis = if annual {
            RateBasis::Annual
        } else {
            RateBasis::Row
        };
        TierRates { basis, a, b, c, d }
    })
}

fn policies() -> impl Strategy<Value = SamplingPolicy> {
    let multiplier = prop_oneof![Just(1.0), 1.0..=4.0, Just(1_000.0)];
    (
        rising_rates(),
        rising_rates(),
        prop::array::uniform3(multiplier.clone()),
        prop::option::of(multiplier),
        0.0..0.2,
    )
        .prop_map(|(general, key, mut multipliers, tag, floor)| {
            let mut policy = MODELS.sampling.clone();
            (policy.rates.general, policy.rates.key) = (general, key);
            multipliers.sort_by(f64::total_cmp);
            for (band, multiplier) in policy.complaints.bands.iter_mut().zip(multipliers) {
                band.multiplier = multiplier;
            }
            policy.tags = tag
                .into_iter()
                .map(|tag| (label("特种设备"), tag))
                .collect();
            (policy.overall.floor, policy.overall.ceiling) = (floor, 1.0);
            // Three in four have a least rate, which must not turn the order round either.
            policy.least_rate = (floor * 5.0 - 0.25).max(0.0) * 0.1;
            policy.check().unwrap();
            policy
        })
}

fn frames() -> impl Strategy<Value = Frame> {
    let bands = vec![NO_BAND, "some", "many", "severe"];
    let row = (
        select(Tier::ALL),
        select(bands),
        select(vec![None, Some("990101"), Some("990202"), Some("ward-7")]),
        select(EnterpriseStatus::ALL),
        any::<bool>(),
        select(vec![None, Some("C1411"), Some("C14"), Some("F5112")]),
        (select(EnterpriseKind::ALL), select(EnterpriseSize::ALL)),
    );
    prop::collection::vec(row, 1..40).prop_map(|rows| {
        let rows = rows.into_iter().enumerate().map(
            |(number, (tier, band, division, status, tagged, industry, (kind, size)))| FrameRow {
                enterprise_id: id(number),
                kind,
                division: division.map(label),
                industry: industry.map(label),
                size,
                // Most can be visited.
                status: if number % 3 == 0 {
                    status
                } else {
                    EnterpriseStatus::Active
                },
                tags: tagged.then(|| label("特种设备")).into_iter().collect(),
                tier,
                points: 0,
                complaints_milli: 0,
                upheld_count: 0,
                complaint_ratio_milli: 1_000,
                complaint_band: label(band),
            },
        );
        Frame::from_rows(date(2026, 11, 22), rows.collect()).unwrap()
    })
}

fn filters() -> impl Strategy<Value = PoolFilter> {
    let some = |texts: Vec<&'static str>| prop::option::weighted(0.2, select(texts));
    (
        some(vec!["990000", "990100", "99", "ward-7", "880000"]),
        some(vec!["C", "C14", "F5112", "J"]),
        prop::collection::vec(select(EnterpriseKind::ALL), 0..2),
        prop::collection::vec(select(EnterpriseSize::ALL), 0..2),
        prop::collection::vec(select(Tier::ALL), 0..3),
        prop::option::weighted(0.1, Just("特种设备")),
    )
        .prop_map(
            |(division, industry, kinds, sizes, tiers, tag)| PoolFilter {
                division: division.map(label),
                industry: industry.map(label),
                kinds,
                sizes,
                tiers,
                tags: tag.map(label).into_iter().collect(),
            },
        )
}

/// Strata of a division each, with what a plan says of them.
#[derive(Clone, Copy, Debug)]
struct Cell {
    objects: usize,
    problem_ppb: u64,
    milli_days: u32,
    least: f64,
    most: f64,
}

fn cells() -> impl Strategy<Value = Vec<Cell>> {
    let cell = (1_usize..400, 1_u64..PPB, 100_u32..5_000, 0.0..1.0, 0.0..1.0).prop_map(
        |(objects, problem_ppb, milli_days, a, b): (_, _, _, f64, f64)| Cell {
            objects,
            problem_ppb,
            milli_days,
            least: a.min(b) * a.min(b),
            most: a.max(b).sqrt().max(0.01),
        },
    );
    prop::collection::vec(cell, 1..=6)
}

fn strata_of(cells: &[Cell]) -> (Vec<Stratum>, Vec<StratumTerms>) {
    let rate = risktier::sampling::Rate {
        tier_rate_ppb: PPB / 10,
        band_multiplier_milli: 1_000,
        tag_multiplier_milli: 1_000,
        rate_ppb: PPB / 10,
    };
    cells
        .iter()
        .enumerate()
        .map(|(number, cell)| {
            let stratum = Stratum {
                key: format!("S{number:03}"),
                meaning: risktier::sampling::StratumMeaning {
                    tier: Tier::C,
                    division: format!("{number}"),
                    complaint_band: NO_BAND.into(),
                    rate,
                    beside: Default::default(),
                },
                members: (0..cell.objects).collect(),
            };
            let whole = (cell.objects as u64 * PPB) as f64;
            let terms = StratumTerms {
                least_ppb: (cell.least * whole) as u64,
                most_ppb: Some((cell.most * whole) as u64),
                problem_ppb: Some(cell.problem_ppb),
                visit_milli_days: cell.milli_days,
            };
            (stratum, terms)
        })
        .unzip()
}

/// One stratum of the brute force: `A = N·S`, the cost of a visit, and its bounds in ppb.
#[derive(Clone, Copy, Debug)]
struct Boxed {
    a: f64,
    cost: u64,
    least: u64,
    most: u64,
}

/// The least `Σ A²/x` with `Σ c·x` given and `m ≤ x ≤ M`, by trying for every stratum whether it lies at its lower bound,
/// between, or at its upper one. What the bounds leave is told in whole numbers, so that nothing cancels.
fn brute_force(cells: &[Boxed], effort: u128) -> f64 {
    let mut best = f64::INFINITY;
    for mut code in 0..3_usize.pow(cells.len() as u32) {
        let places: Vec<usize> = cells
            .iter()
            .map(|_| {
                let place = code % 3;
                code /= 3;
                place
            })
            .collect();
        let (mut bound, mut weight) = (0_u128, 0.0);
        for (cell, place) in cells.iter().zip(&places) {
            match place {
                0 => bound += u128::from(cell.cost) * u128::from(cell.least),
                1 => weight += cell.a * (cell.cost as f64).sqrt(),
                _ => bound += u128::from(cell.cost) * u128::from(cell.most),
            }
        }
        // Where all are at a bound, the effort is that of the bounds.
        if bound > effort || (weight == 0.0 && bound < effort) {
            continue;
        }
        let left = (effort - bound) as f64;
        let mut objective = 0.0;
        for (cell, place) in cells.iter().zip(&places) {
            let (least, most) = (cell.least as f64, cell.most as f64);
            let x = match place {
                0 => least,
                1 => left / weight * cell.a / (cell.cost as f64).sqrt(),
                _ => most,
            };
            if x < least * (1.0 - 1e-12) || x > most * (1.0 + 1e-12) {
                objective = f64::INFINITY;
            }
            objective += cell.a * cell.a / x;
        }
        best = best.min(objective);
    }
    best
}

/// `a/b ≤ c/d` without a rounding of its own.
fn at_most(a: u64, b: usize, c: u64, d: usize) -> bool {
    u128::from(a) * (d as u128) <= u128::from(c) * (b as u128)
}

fn multiplier(policy: &SamplingPolicy, stratum: &Stratum) -> f64 {
    let of = |band: &&Band| band.name.as_str() == stratum.meaning.complaint_band;
    policy
        .complaints
        .bands
        .iter()
        .find(of)
        .map_or(1.0, |band| band.multiplier)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn visits_follow_risk_and_meet_their_total(
        policy in policies(), frame in frames(), key: bool, days in 1_u64..800, share in any::<prop::sample::Index>(),
        cap in prop::option::weighted(0.3, 1_u64..=PPB), needed in 0.0..1.5,
    ) {
        let class = if key { ItemClass::Key } else { ItemClass::General };
        let cap = cap.map(|cap_ppb| ItemCap { item_code: label("G-1"), cap_ppb });
        let rule = RateRule::new(&policy, class, days, &frame).unwrap().with_cap(cap.clone());
        let rule = if needed > 1.0 { rule } else { rule.catching_up(needed) };
        for row in frame.rows() {
            let (rate, steps) = (rule.of(row).unwrap(), rule.explain(row).unwrap());
            prop_assert_eq!(steps.last().unwrap().rate_ppb, rate.rate_ppb, "{:?}", steps);
            let share = if policy.rates.of(class).basis == RateBasis::Annual { days.min(365) as f64 / 365.0 } else { 1.0 };
            let most = cap.as_ref().map_or(PPB as f64, |cap| (cap.cap_ppb as f64 * share).max(1.0));
            prop_assert!(rate.rate_ppb as f64 <= most);
            prop_assert!(rate.rate_ppb as f64 >= (policy.least_rate * PPB as f64 - 1.0).min(most.floor()).max(1.0));
        }
        let members = PoolFilter::default().select(&frame).members;
        let strata = stratify(&frame, &members, &rule).unwrap();
        if members.is_empty() {
            prop_assert_eq!(allocate(&strata, Allocation::Rates), Err(AllocationError::EmptyPool));
            return Ok(());
        }

        let total = share.index(members.len()) as u64 + 1;
        for allocation in [Allocation::Rates, Allocation::Total(total), Allocation::Total(members.len() as u64)] {
            let targets = allocate(&strata, allocation).unwrap();
            prop_assert_eq!(targets.len(), strata.len());
            if let Allocation::Total(total) = allocation {
                prop_assert_eq!(targets.iter().sum::<u64>(), total * PPB);
            }
            for (stratum, target) in strata.iter().zip(&targets) {
                let objects = stratum.members.len() as u64;
                let rate = stratum.meaning.rate.rate_ppb;
                prop_assert!((1..=PPB).contains(&rate));
                prop_assert!(*target <= objects * PPB);
                if allocation == Allocation::Rates {
                    prop_assert_eq!(*target, objects * rate);
                }
            }
            for (lower, less) in strata.iter().zip(&targets) {
                for (higher, more) in strata.iter().zip(&targets) {
                    let (l, h) = (&lower.meaning, &higher.meaning);
                    let alike = l.rate.tag_multiplier_milli == h.rate.tag_multiplier_milli;
                    let riskier = l.tier <= h.tier && multiplier(&policy, lower) <= multiplier(&policy, higher);
                    if alike && riskier && (l.tier, &l.complaint_band) != (h.tier, &h.complaint_band) {
                        prop_assert!(l.rate.rate_ppb <= h.rate.rate_ppb);
                        let fair = at_most(*less, lower.members.len(), *more, higher.members.len());
                        // Bands of one multiplier are alike; of equals either may get the ppb that are left over.
                        let equal = l.tier == h.tier && l.rate.band_multiplier_milli == h.rate.band_multiplier_milli;
                        prop_assert!(fair || equal, "{:?} {} / {:?} {}", l, less, h, more);
                    }
                }
            }
        }
    }

    /// Acceptance test 14, second half: one object complained about more, all else equal, is never drawn less probably.
    #[test]
    fn more_complaints_never_lower_the_probability(
        policy in policies(), frame in frames(), who in any::<prop::sample::Index>(), raised in 1_usize..4, days in 1_u64..800,
        share in any::<prop::sample::Index>(),
    ) {
        let members = PoolFilter::default().select(&frame).members;
        prop_assume!(!members.is_empty());
        let who = members[who.index(members.len())];
        let names: Vec<&str> = std::iter::once(NO_BAND).chain(policy.complaints.bands.iter().map(|band| band.name.as_str())).collect();
        let mut rows = frame.rows().to_vec();
        let band = names.iter().position(|name| *name == rows[who].complaint_band.as_str()).unwrap();
        rows[who].complaint_band = label(names[(band + raised).min(names.len() - 1)]);
        let after = Frame::from_rows(date(2026, 11, 22), rows).unwrap();
        let total = share.index(members.len()) as u64 + 1;
        let probability = |frame: &Frame, allocation| {
            let rule = RateRule::new(&policy, ItemClass::General, days, frame).unwrap();
            let strata = stratify(frame, &members, &rule).unwrap();
            let targets = allocate(&strata, allocation).unwrap();
            let found = strata.iter().zip(targets).find(|(stratum, _)| stratum.members.contains(&who));
            let (stratum, target) = found.unwrap();
            target / stratum.members.len() as u64
        };
        // A rate is a whole number of ppb before it is lifted to the floor, which makes more of what was rounded.
        let rule = RateRule::new(&policy, ItemClass::General, days, &frame).unwrap();
        let steps = rule.explain(&frame.rows()[who]).unwrap();
        let lifted = [RateFactor::Floor, RateFactor::LeastRate];
        let plain = steps.iter().take_while(|step| !lifted.contains(&step.factor)).last().unwrap().rate_ppb.max(1);
        let (was, is) = (probability(&frame, Allocation::Rates), probability(&after, Allocation::Rates));
        prop_assert!(is + 2 * (was / plain) + 2 >= was, "{} {} of {}", was, is, plain);
        let total = Allocation::Total(total);
        let (was, is) = (probability(&frame, total), probability(&after, total));
        // What whole ppb per object leave over goes to the highest rate, wherever that is.
        let rest = 2 + members.len() as u64;
        prop_assert!(is + 2 * (was / plain) + rest >= was, "{} {} of {}", was, is, plain);
    }

    #[test]
    fn neyman_under_boxes_is_the_optimum(cells in cells(), part in 0.02..0.98, by_days: bool) {
        let (strata, terms) = strata_of(&cells);
        let cost = |terms: &StratumTerms| if by_days { u128::from(terms.visit_milli_days) } else { 1_000 };
        let sum = |of: &dyn Fn(&StratumTerms) -> u64| -> f64 {
            terms.iter().map(|terms| (u128::from(of(terms)) * cost(terms)) as f64).sum::<f64>() / 1e12
        };
        let (least, most) = (sum(&|t| t.least_ppb), sum(&|t| t.most_ppb.unwrap()));
        let wanted: f64 = least + part * (most - least);
        let allocation = if by_days {
            Allocation::NeymanDays((wanted * 1_000.0) as u64)
        } else {
            Allocation::Neyman(wanted as u64)
        };
        let effort = if by_days { (wanted * 1_000.0).floor() / 1_000.0 } else { wanted.floor() };
        prop_assume!(effort > least && effort < most && effort >= 1.0);

        let targets = allocate_within(&strata, allocation, &terms, 0).unwrap();

        let mut used = 0_u128;
        let mut objective = 0.0;
        let mut given = Vec::new();
        for ((cell, terms), target) in cells.iter().zip(&terms).zip(&targets) {
            let most = terms.most_ppb.unwrap();
            prop_assert!((terms.least_ppb..=most).contains(target));
            used += u128::from(*target) * cost(terms);
            let problem = cell.problem_ppb as f64 / 1e9;
            let a = cell.objects as f64 * (problem * (1.0 - problem)).sqrt();
            // Each object has at least one part in a billion.
            let least = terms.least_ppb.max((cell.objects as u64).min(most));
            objective += a * a / *target as f64;
            given.push(Boxed { a, cost: cost(terms) as u64, least, most });
        }
        // All of the effort is used, but for less than one ppb of the dearest visit.
        let exact = (effort * 1_000.0).round() as u128 * u128::from(PPB);
        let dearest = given.iter().map(|cell| u128::from(cell.cost)).max().unwrap();
        prop_assert!(used <= exact && exact - used < dearest, "{} of {}", used, exact);
        prop_assert!(by_days || used == exact);
        let best = brute_force(&given, used);
        prop_assert!((objective / best - 1.0).abs() <= 1e-9, "{} {}", objective, best);
    }

    /// Of two strata of a division the riskier one never has fewer whole ppb per object, whatever the predictions say.
    #[test]
    fn neyman_never_gives_the_riskier_stratum_of_a_division_less(cells in cells(), part in 0.02..0.98) {
        let (mut strata, mut terms) = strata_of(&cells);
        for ((at, stratum), terms) in strata.iter_mut().enumerate().zip(&mut terms) {
            stratum.meaning.division = "990101".into();
            stratum.meaning.rate.band_multiplier_milli = 1_000 + at as u64;
            (terms.least_ppb, terms.most_ppb) = (0, None);
        }
        let objects: usize = cells.iter().map(|cell| cell.objects).sum();
        let visits = ((objects as f64 * part) as u64).max(1);

        let targets = allocate_within(&strata, Allocation::Neyman(visits), &terms, 0).unwrap();

        prop_assert_eq!(targets.iter().sum::<u64>(), visits * PPB);
        let per_object: Vec<u64> = strata.iter().zip(&targets).map(|(s, target)| target / s.members.len() as u64).collect();
        prop_assert!(per_object.is_sorted(), "{:?}", per_object);
    }

    #[test]
    fn strata_partition_the_pool(policy in policies(), frame in frames(), filter in filters(), days in 1_u64..400) {
        let rule = RateRule::new(&policy, ItemClass::General, days, &frame).unwrap();
        let selection = filter.select(&frame);
        let strata = stratify(&frame, &selection.members, &rule).unwrap();

        let asked = frame.rows().iter().filter(|row| filter.matches(row)).count() as u64;
        prop_assert_eq!(selection.members.len() as u64 + selection.excluded.values().sum::<u64>(), asked);
        for &position in &selection.members {
            let row = &frame.rows()[position];
            prop_assert!(filter.matches(row));
            prop_assert!(matches!(row.status, EnterpriseStatus::Active | EnterpriseStatus::Abnormal));
        }
        let mut seen = BTreeSet::new();
        for stratum in &strata {
            prop_assert!(!stratum.members.is_empty());
            for &position in &stratum.members {
                prop_assert!(seen.insert(position), "{} is in two strata", position);
                let (row, meaning) = (&frame.rows()[position], &stratum.meaning);
                prop_assert_eq!((row.tier, rule.of(row).unwrap()), (meaning.tier, meaning.rate));
                prop_assert_eq!(row.complaint_band.as_str(), &meaning.complaint_band);
                prop_assert_eq!(row.division.as_ref().map_or("", |division| division.as_str()), &meaning.division);
            }
        }
        prop_assert_eq!(seen, selection.members.iter().copied().collect::<BTreeSet<_>>());
        prop_assert!(strata.windows(2).all(|pair| pair[0].key < pair[1].key && pair[0].meaning < pair[1].meaning));
    }

    /// Coarser strata are unions of the finer ones, and keep every object's rate.
    #[test]
    fn coarser_strata_partition_the_pool_too(
        policy in policies(), frame in frames(), level in prop::option::of(0..3_usize), more in prop::sample::subsequence(vec![3_usize, 4, 5], 0..=3),
        days in 1_u64..400,
    ) {
        let by: Vec<StratumAttribute> = level.into_iter().chain(more).map(|at| StratumAttribute::ALL[at]).collect();
        let asked = StrataBy::new(&by).unwrap();
        let rule = RateRule::new(&policy, ItemClass::General, days, &frame).unwrap();
        let members = PoolFilter::default().select(&frame).members;
        let strata = stratify_by(&frame, &members, &rule, &asked).unwrap();
        let coarsest = stratify_by(&frame, &members, &rule, &StrataBy::new(&[]).unwrap()).unwrap();

        prop_assert!(coarsest.len() <= strata.len());
        prop_assert!(strata.windows(2).all(|pair| pair[0].key < pair[1].key && pair[0].meaning < pair[1].meaning));
        let mut seen = BTreeSet::new();
        for stratum in &strata {
            let meaning = &stratum.meaning;
            let told: BTreeSet<StratumAttribute> = meaning.beside.keys().copied().collect();
            let beside: BTreeSet<StratumAttribute> = asked.attributes().filter(|one| StrataBy::new(&[*one]).unwrap().division_digits().is_none()).collect();
            prop_assert_eq!(told, beside);
            for &position in &stratum.members {
                prop_assert!(seen.insert(position));
                let row = &frame.rows()[position];
                prop_assert_eq!((row.tier, rule.of(row).unwrap()), (meaning.tier, meaning.rate));
                let division = row.division.as_ref().map_or("", |division| division.as_str());
                match asked.division_digits() {
                    None => prop_assert_eq!(&meaning.division, ""),
                    Some(digits) if division.len() == 6 && division != "ward-7" => {
                        prop_assert_eq!(&meaning.division[..digits], &division[..digits]);
                        prop_assert!(meaning.division[digits..].bytes().all(|byte| byte == b'0'));
                    }
                    Some(_) => prop_assert_eq!(&meaning.division, division),
                }
                for (attribute, value) in &meaning.beside {
                    let own = match attribute {
                        StratumAttribute::Industry => row.industry.as_ref().map_or("", |industry| industry.industry_section()),
                        StratumAttribute::Kind => row.kind.as_str(),
                        StratumAttribute::Size => row.size.as_str(),
                        other => panic!("{other}"),
                    };
                    prop_assert_eq!(value, own);
                }
            }
        }
        prop_assert_eq!(seen, members.iter().copied().collect::<BTreeSet<_>>());
        // The default is the division, as it always was.
        let default = stratify_by(&frame, &members, &rule, &StrataBy::default()).unwrap();
        prop_assert_eq!(default, stratify(&frame, &members, &rule).unwrap());
    }

    #[test]
    fn largest_remainder_keeps_the_total_and_moves_no_target_by_a_visit(targets in prop::collection::vec(0..=9 * PPB, 0..12)) {
        let rounded = largest_remainder(&targets);
        let sum: u64 = targets.iter().sum();
        prop_assert_eq!(rounded.iter().sum::<u64>(), (sum + PPB / 2) / PPB * PPB);
        for (before, after) in targets.iter().zip(&rounded) {
            prop_assert!(after % PPB == 0 && after.abs_diff(*before) < PPB, "{} {}", before, after);
        }
        // Who is rounded up has no smaller remainder than who is rounded down.
        let remainder = |up: bool| targets.iter().zip(&rounded).filter(move |(b, a)| *b % PPB != 0 && (*a > *b) == up).map(|(b, _)| b % PPB);
        if let (Some(up), Some(down)) = (remainder(true).min(), remainder(false).max()) {
            prop_assert!(up >= down);
        }
    }

    #[test]
    fn exploration_takes_its_share_and_leaves_the_rest_in_proportion(
        strata in prop::collection::vec((1_u64..50, 0.0..=1.0), 1..10), share in 0..=PPB / 2,
    ) {
        let strata: Vec<Target> = strata.iter().map(|(pool, part)| Target { pool: *pool, target_ppb: (part * (pool * PPB) as f64) as u64 }).collect();
        let (count, rest) = exploration_split(&strata, share);
        let before: u64 = strata.iter().map(|stratum| stratum.target_ppb).sum();
        let after: u64 = rest.iter().sum::<u64>() + count * PPB;
        prop_assert!(after <= before && before - after < strata.len() as u64);
        for (a, x) in strata.iter().zip(&rest) {
            prop_assert!(*x <= a.target_ppb && (!a.is_whole() || *x == a.target_ppb));
            for (b, y) in strata.iter().zip(&rest) {
                if !a.is_whole() && !b.is_whole() && a.target_ppb <= b.target_ppb {
                    prop_assert!(x <= y);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    /// What is raised for exploration leaves what is needed, and little more: at most one exploration visit's worth.
    #[test]
    fn exploration_on_top_leaves_what_is_needed(
        strata in prop::collection::vec((1_u64..50, 0.0..=1.0), 1..10), share in 0..=PPB / 2,
    ) {
        let needed: Vec<Target> = strata.iter().map(|(pool, part)| Target { pool: *pool, target_ppb: (part * (pool * PPB) as f64) as u64 }).collect();
        let raised = before_exploration(&needed, share);
        let cells: Vec<Target> = needed.iter().zip(&raised).map(|(one, target)| Target { target_ppb: *target, ..*one }).collect();
        let (count, left) = exploration_split(&cells, share);
        let sum = |targets: &[u64]| targets.iter().map(|target| u128::from(*target)).sum::<u128>();
        for ((one, raised), left) in needed.iter().zip(&raised).zip(&left) {
            prop_assert!(*left >= one.target_ppb && *raised <= one.pool * PPB, "{one:?} {raised} {left}");
        }
        let whole: u128 = cells.iter().zip(&needed).filter(|(cell, _)| cell.is_whole()).map(|(cell, one)| u128::from(cell.target_ppb - one.target_ppb)).sum();
        let needed: Vec<u64> = needed.iter().map(|one| one.target_ppb).collect();
        let over = sum(&left) - sum(&needed) - whole;
        prop_assert!(over <= u128::from(PPB) * 2 + sum(&needed) / 1_000_000, "{over} over with {count} explored");
    }
}

#[test]
fn a_plan_without_a_visit_or_with_more_visits_than_objects_is_refused() {
    let frame = Frame::from_rows(date(2026, 11, 22), Vec::new()).unwrap();
    let rule = RateRule::new(&MODELS.sampling, ItemClass::Key, 30, &frame).unwrap();
    assert!(!rule.is_scaled() && rule.overall_annual_ppb == 0);
    let rate = {
        let mut one = frames()
            .new_tree(&mut proptest::test_runner::TestRunner::deterministic())
            .unwrap()
            .current()
            .rows()
            .to_vec();
        one.truncate(1);
        rule.of(&one[0]).unwrap()
    };
    let meaning = risktier::sampling::StratumMeaning {
        tier: Tier::A,
        division: String::new(),
        complaint_band: NO_BAND.into(),
        rate,
        beside: Default::default(),
    };
    let strata = [Stratum {
        key: "S001".into(),
        meaning,
        members: vec![0, 1, 2],
    }];

    assert_eq!(
        allocate(&strata, Allocation::Total(0)),
        Err(AllocationError::NoVisit)
    );
    assert_eq!(
        allocate(&strata, Allocation::Total(4)),
        Err(AllocationError::TooManyVisits {
            visits: 4,
            objects: 3
        })
    );
    assert_eq!(allocate(&strata, Allocation::Total(3)), Ok(vec![3 * PPB]));
}

#[test]
fn cancelled_objects_are_nobodys_peers() {
    let rows = frames()
        .new_tree(&mut proptest::test_runner::TestRunner::deterministic())
        .unwrap()
        .current()
        .rows()
        .to_vec();
    let entry = |number: usize, status, weighted_milli| FrameEntry {
        row: FrameRow {
            enterprise_id: id(number),
            status,
            industry: None,
            complaint_band: label(NO_BAND),
            ..rows[0].clone()
        },
        load: ComplaintLoad {
            weighted_milli,
            upheld: 0,
        },
    };
    let active = |number| {
        entry(
            number,
            EnterpriseStatus::Active,
            2_000 * (number as u32 % 2),
        )
    };
    let ratios = |entries: Vec<FrameEntry>| -> Vec<u64> {
        let frame =
            Frame::freeze(date(2026, 11, 22), entries, &MODELS.sampling.complaints).unwrap();
        let active = frame.rows().iter().take(300);
        active.map(|row| row.complaint_ratio_milli).collect()
    };
    let alone: Vec<FrameEntry> = (0..300).map(active).collect();
    let closed = (300..900).map(|number| entry(number, EnterpriseStatus::Cancelled, 0));

    let among_closed = ratios(alone.iter().cloned().chain(closed).collect());

    assert_eq!(among_closed, ratios(alone));
    assert!(among_closed.iter().any(|ratio| *ratio > 1_000));
}
