//! Visits follow risk: nobody at zero, nobody beyond once, never less for more risk, and the total to the last ppb.

use jiff::civil::date;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use risktier::domain::{EnterpriseKind, EnterpriseSize, EnterpriseStatus, Tier};
use risktier::sampling::plan::PPB;
use risktier::sampling::sizes::{Target, exploration_split, largest_remainder};
use risktier::sampling::{
    Allocation, AllocationError, Band, ComplaintLoad, Frame, FrameEntry, FrameRow, ItemClass,
    NO_BAND, PoolFilter, RateBasis, RateRule, SamplingPolicy, Stratum, TierRates, allocate,
    stratify,
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
    ) {
        let class = if key { ItemClass::Key } else { ItemClass::General };
        let rule = RateRule::new(&policy, class, days, &frame).unwrap();
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
