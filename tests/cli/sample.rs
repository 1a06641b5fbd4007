use std::path::{Path, PathBuf};

use super::{risktier, stdout};

/// The folder with the real sample, if it is here. Where it is absent the test is passed over and says so, except on
/// continuous integration, where it must be there.
pub fn sample() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("RISKTIER_SAMPLE_DIR")
        .map_or_else(|| root.join("../shared/data/chicago_food"), PathBuf::from);
    if folder.join("enterprises.csv").is_file() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "the real sample is not at {}; set RISKTIER_SAMPLE_DIR",
        folder.display()
    );
    println!(
        "passed over: the real sample is not at {}; set RISKTIER_SAMPLE_DIR",
        folder.display()
    );
    None
}

#[test]
fn on_real_businesses_a_higher_tier_is_later_found_with_more_critical_violations() {
    let Some(sample) = sample() else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chicago_food");
    let mut command = risktier(folder.path());
    command
        .args(["demo", "--once", "--out", "out", "--data"])
        .arg(&sample)
        .arg("--mapping")
        .arg(files);

    let shown = stdout(&mut command, 0);

    assert!(
        shown.contains("Register as of 2013-09-30: 9477 enterprises"),
        "{shown}"
    );
    assert!(
        shown.contains("0 rows refused") && shown.contains("the plan replays to the byte"),
        "{shown}"
    );
    let found = shown
        .split("What the first inspection after 2013-09-30 found")
        .nth(1)
        .unwrap();
    let rows: Vec<Vec<&str>> = found
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let rates: Vec<(u64, f64)> = rows
        .iter()
        .filter(|row| row.len() == 6 && ["A", "B", "C", "D"].contains(&row[0]))
        .map(|row| (row[1].parse().unwrap(), row[3].parse().unwrap()))
        .collect();
    assert_eq!(rates.len(), 4, "{shown}");
    let inspected: Vec<f64> = rates
        .iter()
        .filter(|(n, _)| *n >= 50)
        .map(|(_, rate)| *rate)
        .collect();
    assert!(
        inspected.len() >= 3 && inspected.is_sorted_by(|a, b| a < b),
        "{shown}"
    );
}

#[test]
fn on_real_businesses_the_tiers_are_evaluated_by_what_later_visits_found() {
    let Some(sample) = sample() else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chicago_food");
    let mut command = risktier(folder.path());
    command.args(["evaluate", "--as-of", "2013-09-30", "--format", "json"]);
    for (flag, path) in [
        ("--data", sample),
        ("--mapping", files.join("mapping.toml")),
        ("--catalogue", files.join("indicators.toml")),
        ("--scorecard", files.join("scorecard.json")),
        ("--policy", files.join("policy.toml")),
    ] {
        command.arg(flag).arg(path);
    }

    let evaluation: serde_json::Value = serde_json::from_str(&stdout(&mut command, 0)).unwrap();

    let view = &evaluation["views"][0];
    assert!(
        view["headline"]["auc"]["low"].as_f64().unwrap() > 0.55,
        "{view}"
    );
    assert_eq!(view["tiers"]["monotone"], true);
    let policy = &view["policy"]["ratio"];
    assert!(policy["low"].as_f64().unwrap() > 1.0, "{policy}");
    let order = &evaluation["order"];
    assert!(order["skill"]["low"].as_f64().unwrap() > 0.0, "{order}");
    let names: Vec<&str> = view["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grouping| grouping["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["division", "industry", "size", "age"]);
    assert!(!evaluation["reasons"].as_array().unwrap().is_empty());
}
