//! What `risktier train` says to tables and cards that are wrong, word by word.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{risktier, stderr};
use risktier::domain::rng::SeededRng;

const ROWS: usize = 3_000;

/// A table of fines and years with an outcome, and one more column whose cells `more` gives from row and outcome.
fn table(name: &str, rows: usize, more: &dyn Fn(usize, u8) -> String) -> String {
    let mut rng = SeededRng::new(22, "train-faults");
    let mut text = format!("fines,years,outcome,{name}\n");
    for row in 0..rows {
        let (fines, years) = (rng.below(5), rng.below(30));
        let risk = 0.1 + 0.12 * fines as f64 - 0.002 * years as f64;
        let outcome = u8::from(rng.chance(risk));
        writeln!(text, "{fines},{years},{outcome},{}", more(row, outcome)).unwrap();
    }
    text
}

fn train(folder: &Path, text: &str, code: i32) -> String {
    fs::write(folder.join("table.csv"), text).unwrap();
    let mut command = risktier(folder);
    command.args(["train", "--table", "table.csv", "--out", "out"]);
    command.args(["--fitter", "woe", "--threads", "1"]);
    stderr(&mut command, code)
}

#[test]
fn a_table_that_cannot_be_fitted_leaves_no_card_and_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let plain = |row: usize, _: u8| row.to_string();
    let at_three = |cell: &'static str, other: &'static str| {
        move |row: usize, _: u8| if row == 2 { cell } else { other }.to_owned()
    };
    let turned = |text: &str| text.replace(",1,", ",0,");
    // Twice, because a year of 1 stands beside the outcome.
    let one_class = turned(&turned(&table("n", ROWS, &plain)));
    let ten: String = std::iter::once("fines,years,outcome\n".to_owned())
        .chain((0..10).map(|row| format!("{row},{},{}\n", row / 2, row % 2)))
        .collect();
    for (text, said) in [
        (
            one_class,
            "every one of the 3000 rows to fit has outcome 0; give rows with and without a problem",
        ),
        (
            table("n", ROWS, &at_three("NaN", "1")),
            "`table.csv` line 4: `n`: `NaN` is not a finite number; leave an unknown cell empty, or name its text under `missing`",
        ),
        (
            table("n", ROWS, &at_three("-inf", "1")),
            "`table.csv` line 4: `n`: `-inf` is not a finite number; leave an unknown cell empty, or name its text under `missing`",
        ),
        (
            table("fines", ROWS, &plain),
            "`table.csv` line 1: `fines`: stands twice in the header; remove or rename one",
        ),
        (
            table("weight", ROWS, &|_, _| "0".to_owned()),
            "every weight is zero; give the rows that count a positive weight",
        ),
        (
            table("weight", ROWS, &at_three("inf", "1")),
            "`table.csv` line 4: `weight`: `inf` is not a weight: write a finite number of at least 0",
        ),
        (
            table("weight", ROWS, &at_three("-1", "1")),
            "`table.csv` line 4: `weight`: `-1` is not a weight: write a finite number of at least 0",
        ),
        (
            table("pi", ROWS, &at_three("1.5", "0.5")),
            "`table.csv` line 4: `pi`: `1.5` is not a probability above 0 and at most 1; correct it",
        ),
        (
            table("day", ROWS, &at_three("2025-13-01", "2025-01-01")),
            "`table.csv` line 4: `day`: `2025-13-01` is not a day of the calendar",
        ),
        (
            table("day", ROWS, &|_, _| "2025-01-01".to_owned()),
            "the split leaves no rows to fit; choose another day or share",
        ),
        (
            ten,
            "10 rows with 5 problems are too few to fit; at least 20 of each outcome are needed",
        ),
    ] {
        let error = train(folder.path(), &text, 3);
        assert!(error.contains(said), "wanted: {said}\nfound: {error}");
        assert!(!folder.path().join("out/scorecard.json").exists(), "{said}");
    }
}

#[test]
fn columns_without_use_and_columns_that_know_too_much_are_named_and_training_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    for (text, said) in [
        (
            table("same", ROWS, &|_, _| "7".to_owned()),
            "left out `same`: has one value only",
        ),
        (
            table("none", ROWS, &|_, _| String::new()),
            "left out `none`: every value is missing",
        ),
        (
            table("fine_paid", ROWS, &|row, outcome| {
                (usize::from(outcome) * (1 + row % 7)).to_string()
            }),
            "warning: `fine_paid` alone tells the outcome apart with an area of 1.000; it may be known only after the outcome",
        ),
        (
            table("founded", ROWS, &|row, _| {
                format!("20{:02}-05-06", row % 25)
            }),
            "left out `founded`: it holds days, which are no quantity",
        ),
        (
            table("name", 24_000, &|row, _| format!("n{}", row % 10_001)),
            "left out `name`: it holds more than 10000 different texts, which are names and no categories",
        ),
    ] {
        let told = train(folder.path(), &text, 0);
        assert!(told.contains(said), "wanted: {said}\nfound: {told}");
        fs::remove_file(folder.path().join("out/scorecard.json")).unwrap();
    }
    let twin = table("again", ROWS, &|_, _| String::new());
    let twin: String = twin
        .lines()
        .enumerate()
        .map(|(line, text)| match (line, text.split_once(',')) {
            (1.., Some((fines, _))) => format!("{text}{fines}\n"),
            _ => format!("{text}\n"),
        })
        .collect();
    let told = train(folder.path(), &twin, 0);
    assert!(
        told.contains("left out `again`: holds the same values as `fines`"),
        "{told}"
    );
}

#[test]
fn outcomes_that_a_column_separates_perfectly_give_a_card_and_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "fines,years,outcome\n".to_owned();
    for row in 0..ROWS {
        let fines = row % 5;
        writeln!(text, "{fines},{},{}", row % 31, u8::from(fines >= 3)).unwrap();
    }
    let told = train(folder.path(), &text, 0);
    for said in [
        "warning: `fines` alone tells the outcome apart with an area of 1.000",
        "warning: so many rows have equal points that tiers cannot have the shares asked for",
        "warning: the card separates the fitted rows perfectly",
    ] {
        assert!(told.contains(said), "wanted: {said}\nfound: {told}");
    }
}

#[test]
fn a_card_that_was_edited_cut_short_or_written_by_a_later_release_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = table("n", ROWS, &|row, _| (row % 3).to_string());
    train(folder.path(), &text, 0);
    let path = folder.path().join("out/scorecard.json");
    let card = fs::read_to_string(&path).unwrap();
    let edited = card.replacen("\"missing\":", "\"missing\":7", 1);
    let later = card.replacen("risktier-scorecard/2", "risktier-scorecard/9", 1);
    // What no test vector shows: probabilities, the rows that drift is measured against, the figures of the training.
    let changed = |pointer: &str, to: serde_json::Value| {
        let mut changed: serde_json::Value = serde_json::from_str(&card).unwrap();
        *changed.pointer_mut(pointer).unwrap() = to;
        changed.to_string()
    };
    let unmarked = {
        let mut unmarked: serde_json::Value = serde_json::from_str(&card).unwrap();
        unmarked["vectors"]
            .as_object_mut()
            .unwrap()
            .remove("card_digest");
        unmarked.to_string()
    };
    let by_hand =
        "the calibration, the baseline or the manifest of the scorecard was changed by hand";
    for (wrong, said) in [
        (
            changed("/calibration/levels/0/knots/0/probability", 0.0.into()),
            by_hand,
        ),
        (changed("/calibration/method", "isotonic".into()), by_hand),
        (changed("/baseline/row_count", 7.into()), by_hand),
        (
            changed("/manifest/metrics/fitted/auc", 0.99.into()),
            by_hand,
        ),
        (unmarked, "has no test vectors, or no digest beside them"),
        (
            edited,
            "the file was changed by hand: import it as an edited card, or take the unchanged file",
        ),
        (
            later,
            "the scorecard has format `risktier-scorecard/9`; this release reads `risktier-scorecard/1` and `risktier-scorecard/2`",
        ),
        (
            card[..card.len() / 2].to_owned(),
            "the scorecard cannot be read",
        ),
    ] {
        assert_ne!(wrong, card);
        fs::write(&path, wrong).unwrap();
        let mut command = risktier(folder.path());
        command.args(["evaluate", "--table", "table.csv", "--outcome", "outcome"]);
        command.args(["--scorecard", "out/scorecard.json"]);
        let error = stderr(&mut command, 3);
        assert!(error.contains(said), "wanted: {said}\nfound: {error}");
        let mut command = risktier(folder.path());
        command.args(["models", "add", "out/scorecard.json", "--by", "analyst-1"]);
        let error = stderr(&mut command, 3);
        assert!(error.contains(said), "wanted: {said}\nfound: {error}");
        let mut command = risktier(folder.path());
        command.args(["train", "--table", "table.csv", "--out", "child"]);
        command.args(["--parent", "out/scorecard.json"]);
        let error = stderr(&mut command, 3);
        assert!(error.contains(said), "wanted: {said}\nfound: {error}");
        assert!(!folder.path().join("child").exists());
    }
    // The same content in another writing is the same card.
    let pretty: serde_json::Value = serde_json::from_str(&card).unwrap();
    fs::write(&path, serde_json::to_string_pretty(&pretty).unwrap()).unwrap();
    let mut command = risktier(folder.path());
    command.args(["evaluate", "--table", "table.csv", "--outcome", "outcome"]);
    command.args(["--scorecard", "out/scorecard.json", "--rounds", "20"]);
    assert!(command.output().unwrap().status.code() < Some(2));
    let mut command = risktier(folder.path());
    let listed = super::stdout(command.args(["models", "list", "--format", "csv"]), 0);
    assert_eq!(
        listed.lines().count(),
        2,
        "nothing of what was refused is registered: {listed}"
    );
}
