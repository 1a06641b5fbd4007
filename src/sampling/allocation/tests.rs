use super::*;
use crate::sampling::rate::Rate;
use crate::sampling::strata::StratumMeaning;

fn stratum(number: usize, objects: usize, tier: Tier, rate_ppb: u64) -> Stratum {
    Stratum {
        key: format!("S{number:03}"),
        meaning: StratumMeaning {
            tier,
            division: "990101".to_owned(),
            complaint_band: "none".to_owned(),
            rate: Rate {
                tier_rate_ppb: rate_ppb,
                band_multiplier_milli: 1_000,
                tag_multiplier_milli: 1_000,
                rate_ppb,
            },
            beside: Default::default(),
        },
        members: (0..objects).collect(),
    }
}

fn strata() -> Vec<Stratum> {
    vec![
        stratum(1, 600, Tier::A, 10_000_000),
        stratum(2, 300, Tier::B, 30_000_000),
        stratum(3, 70, Tier::C, 150_000_000),
        stratum(4, 30, Tier::D, 500_000_000),
    ]
}

fn predicted(problem: [f64; 4], days: [u32; 4]) -> Vec<StratumTerms> {
    problem
        .iter()
        .zip(days)
        .map(|(problem, visit_milli_days)| StratumTerms {
            problem_ppb: Some((problem * 1e9) as u64),
            visit_milli_days,
            ..StratumTerms::default()
        })
        .collect()
}

#[test]
fn neyman_follows_the_spread_of_what_is_predicted() {
    let terms = predicted([0.02, 0.1, 0.3, 0.5], [1_000; 4]);
    let targets = allocate_within(&strata(), Allocation::Neyman(50), &terms, 0).unwrap();
    assert_eq!(targets.iter().sum::<u64>(), 50 * PPB);
    // 600·0.14 : 300·0.3 : 70·0.4583 : 30·0.5 = 84 : 90 : 32.08 : 15, of 221.08.
    for (target, expected) in targets.iter().zip([18.998, 20.355, 7.255, 3.392]) {
        let visits = *target as f64 / PPB as f64;
        assert!((visits - expected).abs() < 0.001, "{visits} {expected}");
    }
}

#[test]
fn a_tier_where_nearly_every_visit_finds_something_gets_no_less_per_object() {
    let terms = predicted([0.02, 0.1, 0.5, 0.95], [1_000; 4]);
    let strata = strata();
    let targets = allocate_within(&strata, Allocation::Neyman(50), &terms, 0).unwrap();
    let per_object = |at: usize| targets[at] / strata[at].members.len() as u64;
    // The few ppb that whole rates per object leave over go to the riskiest.
    let more = per_object(3).checked_sub(per_object(2)).unwrap();
    assert!(more < 100, "{more}");
    assert!(falling_with_risk(&strata, &targets).is_empty());
}

#[test]
fn nobody_falls_below_the_least_share_where_visits_go_by_neyman() {
    let terms = predicted([0.0, 0.1, 0.3, 0.5], [1_000; 4]);
    let least = PPB / 100;
    let targets = allocate_within(&strata(), Allocation::Neyman(50), &terms, least).unwrap();
    assert_eq!(targets[0], 600 * least);
    assert_eq!(targets.iter().sum::<u64>(), 50 * PPB);
}

#[test]
fn days_go_where_a_visit_is_cheap_and_are_used_up() {
    let terms = predicted([0.02, 0.1, 0.3, 0.5], [500, 1_000, 2_000, 4_000]);
    for allocation in [Allocation::Days(60_000), Allocation::NeymanDays(60_000)] {
        let targets = allocate_within(&strata(), allocation, &terms, 0).unwrap();
        let used: u128 = targets
            .iter()
            .zip(&terms)
            .map(|(target, terms)| u128::from(*target) * u128::from(terms.visit_milli_days))
            .sum();
        let given = 60_000 * u128::from(PPB);
        assert!(used <= given && given - used < 4_000, "{used}");
    }
    let everybody = allocate_within(&strata(), Allocation::Days(10_000_000), &terms, 0).unwrap();
    assert_eq!(everybody.iter().sum::<u64>(), 1_000 * PPB);
}

#[test]
fn contradictory_bounds_are_refused_by_name() {
    let strata = strata();
    let mut terms = vec![StratumTerms::default(); 4];
    terms[3].least_ppb = 31 * PPB;
    let refused = |terms: &[StratumTerms], allocation| {
        allocate_within(&strata, allocation, terms, 0)
            .unwrap_err()
            .to_string()
    };
    let said = refused(&terms, Allocation::Rates);
    assert_eq!(
        said,
        "stratum S004 is to get at least 31 visits and at most 30; change one of the two"
    );

    terms[3].least_ppb = 20 * PPB;
    let said = refused(&terms, Allocation::Total(10));
    assert!(said.contains("need 20 visits, but there are 10"), "{said}");

    terms[3].least_ppb = 0;
    terms
        .iter_mut()
        .for_each(|terms| terms.most_ppb = Some(2 * PPB));
    let said = refused(&terms, Allocation::Total(10));
    assert!(said.contains("allow 8 visits, but 10"), "{said}");

    let said = refused(&[StratumTerms::default(); 4], Allocation::Neyman(10));
    assert!(
        said.contains("S001 (tier A)") && said.contains("calibrated"),
        "{said}"
    );
}

#[test]
fn bounds_that_turn_risk_round_are_told() {
    let strata = strata();
    let mut terms = vec![StratumTerms::default(); 4];
    terms[3].most_ppb = Some(PPB);
    let targets = allocate_within(&strata, Allocation::Rates, &terms, 0).unwrap();
    assert_eq!(
        falling_with_risk(&strata, &targets),
        [("S003".to_owned(), "S004".to_owned())]
    );
}
