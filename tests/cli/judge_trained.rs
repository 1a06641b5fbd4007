//! A card's way from its training table to its judgement.

use serde_json::Value as Json;
use std::fs;
use std::path::Path;

use super::train::{prepared, train};
use super::{risktier, stdout};

const COLUMNS: [&str; 6] = [
    "--outcome",
    "outcome",
    "--day",
    "day",
    "--enterprise",
    "enterprise_id",
];

fn json(folder: &Path, arguments: &[&str], code: i32) -> Json {
    let mut command = risktier(folder);
    command.args(arguments).args(["--format", "json"]);
    serde_json::from_str(&stdout(&mut command, code)).unwrap()
}

#[test]
fn a_trained_card_is_evaluated_compared_and_watched_by_what_it_carries() {
    let folder = prepared();
    let folder = folder.path();
    for (out, more) in [
        ("plain", &["--fitter", "woe"][..]),
        ("pairs", &["--fitter", "boost", "--pair", "fines,kind"]),
    ] {
        stdout(train(folder, &["--out", out]).args(more), 0);
    }
    let pairs = fs::read_to_string(folder.join("pairs/scorecard.json")).unwrap();
    let pairs: Json = serde_json::from_str(&pairs).unwrap();
    assert_eq!(pairs["pairs"].as_array().unwrap().len(), 1);

    // Calibration and baseline come from the card itself.
    let rows = ["--table", "visits.csv", "--rounds", "40"];
    let card = ["--scorecard", "plain/scorecard.json"];
    let mut arguments = vec!["evaluate", "--baseline", "scorecard"];
    arguments.extend(rows.iter().chain(&card).chain(&COLUMNS));
    let evaluation = json(folder, &arguments, 0);
    assert_eq!(evaluation["subject"]["model"], "trained/1");
    assert_eq!(evaluation["stability"]["score"]["verdict"], "steady");
    let view = &evaluation["views"][0];
    let expected = view["headline"]["observed_to_expected"]["value"]
        .as_f64()
        .unwrap();
    assert!((0.9..1.1).contains(&expected), "{expected}");
    assert!(view["calibration"].is_object());
    let calibrated = evaluation["guards"]
        .as_array()
        .unwrap()
        .iter()
        .find(|guard| guard["guard"] == "calibration_error")
        .unwrap();
    assert_eq!(calibrated["state"], "holds");

    let mut arguments = vec!["compare", "--candidate", "pairs/scorecard.json"];
    arguments.extend(rows.iter().chain(&card).chain(&COLUMNS));
    let comparison = json(folder, &arguments, 0);
    assert_eq!(comparison["candidate"]["subject"]["model"], "trained/1");
    assert_ne!(
        comparison["current"]["subject"]["digest"],
        comparison["candidate"]["subject"]["digest"]
    );

    // Another world: nobody is a shop any more, and fines are unknown.
    let text = fs::read_to_string(folder.join("visits.csv")).unwrap();
    let moved: String = text
        .lines()
        .enumerate()
        .map(|(number, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if number > 0 {
                (cells[2], cells[4]) = ("", "works");
            }
            cells.join(",") + "\n"
        })
        .collect();
    fs::write(folder.join("now.csv"), moved).unwrap();
    for (table, code, score) in [("visits.csv", 0, "steady"), ("now.csv", 1, "act")] {
        let mut arguments = vec!["drift", "--table", table, "--baseline", "scorecard"];
        arguments.extend(card);
        let drift = json(folder, &arguments, code);
        assert_eq!(drift["stability"]["score"]["verdict"], score, "{table}");
    }
}
