//! Whole evaluations: bad input, repeatability, and two models side by side.

use super::*;
use crate::domain::Tier;
use crate::domain::rng::SeededRng;
use jiff::civil::date;

/// Made-up rows of a model that knows something; `noise` spoils the score.
fn columns(n: usize, seed: u64, noise: f64) -> Columns {
    let mut rng = SeededRng::new(seed, "evaluation rows");
    let risk: Vec<f64> = (0..n).map(|_| rng.unit_f64()).collect();
    let outcome: Vec<bool> = risk
        .iter()
        .map(|risk| rng.chance(0.4 * risk * risk))
        .collect();
    let mut spoil = SeededRng::new((noise * 1e6) as u64, "noise");
    let score: Vec<f64> = risk
        .iter()
        .map(|risk| ((risk + noise * (spoil.unit_f64() - 0.5)) * 1_000.0).round())
        .collect();
    let tier = |score: &f64| match score {
        score if *score >= 950.0 => Tier::D,
        score if *score >= 800.0 => Tier::C,
        score if *score >= 400.0 => Tier::B,
        _ => Tier::A,
    };
    Columns {
        tier: Some(score.iter().map(tier).collect()),
        probability: Some(
            score
                .iter()
                .map(|score| (0.4 * (score / 1_000.0) * (score / 1_000.0)).clamp(0.0, 1.0))
                .collect(),
        ),
        day: Some(
            (0..n)
                .map(|_| crate::domain::dates::add_days(date(2026, 1, 1), rng.below(120) as i32))
                .collect(),
        ),
        enterprise: Some((0..n).map(|_| rng.below(n as u64).to_string()).collect()),
        weight: Some((0..n).map(|_| 1.0 + rng.below(20) as f64).collect()),
        rate: Some(
            score
                .iter()
                .map(|score| (0.01 + score / 4_000.0).clamp(0.001, 1.0))
                .collect(),
        ),
        groups: vec![(
            "size".to_owned(),
            (0..n).map(|i| format!("S{}", i % 3)).collect(),
        )],
        reasons: Some(
            score
                .iter()
                .map(|score| vec![format!("R{}", (*score as i64).rem_euclid(5))])
                .collect(),
        ),
        score,
        outcome,
    }
}

fn subject(model: &str) -> Subject {
    Subject {
        model: model.to_owned(),
        data: "made up".to_owned(),
        outcome: "found".to_owned(),
        ..Subject::default()
    }
}

fn evaluated(columns: Columns) -> Evaluation {
    evaluate(
        &columns.check().unwrap(),
        subject("m"),
        Settings::default(),
        None,
        &Guard::default(),
    )
}

/// No number of the document may be null: serde_json writes NaN so.
fn assert_whole(evaluation: &Evaluation) -> String {
    let json = serde_json::to_string(evaluation).unwrap();
    assert!(!json.contains("null"), "{json}");
    let again: Evaluation = serde_json::from_str(&json).unwrap();
    assert_eq!(&again, evaluation, "the document reads back unchanged");
    json
}

#[test]
fn the_same_rows_and_seed_give_the_same_bytes() {
    let first = assert_whole(&evaluated(columns(1_500, 1, 0.2)));
    assert_eq!(first, assert_whole(&evaluated(columns(1_500, 1, 0.2))));
}

#[test]
fn a_good_model_has_rising_tiers_and_finds_more_than_uniform_visits() {
    let evaluation = evaluated(columns(6_000, 2, 0.1));
    assert_eq!(evaluation.views.len(), 2);
    for view in &evaluation.views {
        assert_eq!(view.tiers.as_ref().unwrap().monotone, Some(true));
        let auc = &view.headline.auc;
        assert!(auc.low.unwrap() < auc.value.unwrap() && auc.value.unwrap() < auc.high.unwrap());
        assert!((auc.value.unwrap() - view.headline.auc_delong.value.unwrap()).abs() < 1e-12);
        let policy = view.policy.as_ref().unwrap();
        assert!(policy.ratio.low.unwrap() > 1.1, "{policy:?}");
        assert!(
            policy.best.value >= policy.by_score.value
                && policy.by_score.value > policy.uniform.value
        );
        let calibration = view.calibration.as_ref().unwrap();
        assert!(
            (calibration.slope.value.unwrap() - 1.0).abs() < 0.3,
            "{calibration:?}"
        );
    }
    let order = evaluation.order.as_ref().unwrap();
    assert_eq!(order.windows, 2);
    assert!(
        order.skill.low.unwrap() > 0.2 && order.skill.high.unwrap() < 1.0,
        "{order:?}"
    );
    assert!(!any_broken(&evaluation.guards), "{:?}", evaluation.guards);
}

#[test]
fn rows_that_say_little_give_remarks_instead_of_numbers() {
    let plain = |score: Vec<f64>, outcome: Vec<bool>| Columns {
        score,
        outcome,
        ..Columns::default()
    };
    for (columns, remark) in [
        (plain(vec![1.0, 2.0, 3.0], vec![true; 3]), Remark::OneClass),
        (plain(vec![1.0, 2.0, 3.0], vec![false; 3]), Remark::OneClass),
        (
            plain(vec![5.0; 6], vec![true, false, true, false, false, false]),
            Remark::EqualScores,
        ),
        (plain(vec![1.0], vec![true]), Remark::FewProblems),
        (
            plain(
                (0..400).map(f64::from).collect(),
                (0..400).map(|i| i > 200).collect(),
            ),
            Remark::MayLeak,
        ),
    ] {
        let evaluation = evaluated(columns);
        assert_whole(&evaluation);
        assert!(
            evaluation.remarks.contains(&remark),
            "{remark:?}: {:?}",
            evaluation.remarks
        );
        assert!(evaluation.views[0].tiers.is_none() && evaluation.views[0].calibration.is_none());
        assert!(
            !any_broken(&evaluation.guards),
            "what cannot be estimated breaks no guard"
        );
    }
    let mut extreme = columns(50, 3, 0.0);
    extreme.weight = Some(
        (0..50)
            .map(|i| if i == 0 { 1e300 } else { 1e-300 })
            .collect(),
    );
    assert_whole(&evaluated(extreme));
    let mut zero = columns(50, 3, 0.0);
    zero.weight = Some((0..50).map(|i| f64::from(u8::from(i == 7))).collect());
    assert_whole(&evaluated(zero));
}

#[test]
fn weights_that_are_all_alike_change_nothing() {
    let mut alike = columns(800, 4, 0.3);
    alike.weight = Some(vec![7.0; 800]);
    let evaluation = evaluated(alike);
    let [rows, design] = evaluation.views.as_slice() else {
        panic!("two views");
    };
    let close = |a: &Figure, b: &Figure| {
        assert!((a.value.unwrap() - b.value.unwrap()).abs() < 1e-9);
        assert!((a.low.unwrap() - b.low.unwrap()).abs() < 1e-9);
    };
    close(&rows.headline.auc, &design.headline.auc);
    close(&rows.headline.ks, &design.headline.ks);
    close(&rows.headline.brier, &design.headline.brier);
    close(&rows.headline.auc_delong, &design.headline.auc_delong);
}

#[test]
fn a_broken_guard_is_named_with_value_and_limit() {
    let mut columns = columns(2_000, 5, 0.1);
    columns.tier = columns.tier.map(|tiers| {
        tiers
            .into_iter()
            .map(|tier| match tier {
                Tier::A => Tier::D,
                Tier::B => Tier::C,
                Tier::C => Tier::B,
                Tier::D => Tier::A,
            })
            .collect()
    });
    let evaluation = evaluated(columns);
    let broken: Vec<&str> = evaluation
        .guards
        .iter()
        .filter(|guard| guard.state == GuardState::Broken)
        .map(|guard| guard.guard.as_str())
        .collect();
    assert_eq!(broken, ["tier_share.A", "tier_share.D", "monotone_tiers"]);
    let share = &evaluation.guards[1];
    assert!(
        share.value.unwrap() > 0.15 && share.limit.contains("0.15"),
        "{share:?}"
    );
}

fn compared(noise: f64) -> Comparison {
    let side = |model: &str, noise| Side {
        subject: subject(model),
        rows: columns(4_000, 6, noise).check().unwrap(),
        stability: None,
    };
    compare(
        &side("current", 0.9),
        &side("candidate", noise),
        Settings::default(),
        &Guard::default(),
    )
    .unwrap()
}

#[test]
fn a_better_candidate_is_told_and_an_equal_one_is_not() {
    let better = compared(0.1);
    assert_eq!(better.verdict, ComparisonVerdict::CandidateBetter);
    let differences = &better.differences[0];
    assert!(differences.p_value.unwrap() < 1e-6, "{differences:?}");
    let (boot, delong) = (&differences.auc, &differences.auc_delong);
    assert!((boot.value.unwrap() - delong.value.unwrap()).abs() < 1e-12);
    let ratio = boot.standard_error.unwrap() / delong.standard_error.unwrap();
    assert!((0.8..1.25).contains(&ratio), "{ratio}");
    assert!(better.top_swap.candidate_only.rate > better.top_swap.current_only.rate);
    assert_eq!(
        better
            .moves
            .as_ref()
            .unwrap()
            .iter()
            .map(|cell| cell.found.rows)
            .sum::<u64>(),
        4_000
    );
    assert!(
        differences.groups[0]
            .groups
            .iter()
            .all(|group| group.auc.value.unwrap() > 0.0)
    );
    let equal = compared(0.9);
    assert_eq!(equal.verdict, ComparisonVerdict::NotTold);
    assert_eq!(equal.differences[0].auc.value, Some(0.0));
    assert_eq!(equal.differences[0].p_value, None, "no error, no test");
}

#[test]
fn models_on_different_rows_are_not_compared() {
    let side = |n, seed| Side {
        subject: subject("m"),
        rows: columns(n, seed, 0.1).check().unwrap(),
        stability: None,
    };
    for (other, word) in [(side(99, 1), "rows"), (side(100, 2), "outcomes")] {
        let error = compare(
            &side(100, 1),
            &other,
            Settings::default(),
            &Guard::default(),
        )
        .unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}
