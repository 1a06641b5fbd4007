//! `risktier train` on made-up tables, and on the real sample where it is there.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{risktier, stderr, stdout};
use risktier::domain::rng::SeededRng;

/// A table of visits: fines raise the risk, years lower it, half of the enterprises are shops.
pub(super) fn table(rows: usize) -> String {
    let mut rng = SeededRng::new(21, "train-cli");
    let mut text = "enterprise_id,day,fines,years,kind,fine_after,outcome\n".to_owned();
    for row in 0..rows {
        let fines = rng.below(5);
        let years = rng.below(30);
        let shop = rng.chance(0.5);
        let risk = 0.05 + 0.1 * fines as f64 - 0.001 * years as f64 + if shop { 0.1 } else { 0.0 };
        let outcome = u8::from(rng.chance(risk));
        writeln!(
            text,
            "E{},2025-{:02}-{:02},{},{years},{},{},{outcome}",
            row / 2,
            1 + row * 12 / rows,
            1 + row % 28,
            if rng.chance(0.1) {
                String::new()
            } else {
                fines.to_string()
            },
            if shop { "shop" } else { "works" },
            u64::from(outcome) * 500,
        )
        .unwrap();
    }
    text
}

const ROLES: &str = "format = \"risktier-roles/1\"\nafter = [\"fine_after\"]\n\
    [feature.fines]\ndirection = \"raises\"\n[feature.years]\ndirection = \"lowers\"\n";

pub(super) fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("visits.csv"), table(4_000)).unwrap();
    fs::write(folder.path().join("roles.toml"), ROLES).unwrap();
    folder
}

pub(super) fn train(folder: &Path, more: &[&str]) -> assert_cmd::Command {
    let mut command = risktier(folder);
    command.args(["train", "--table", "visits.csv", "--roles", "roles.toml"]);
    command.args(more);
    command
}

#[test]
fn two_processes_with_one_and_two_threads_write_the_same_bytes() {
    let folder = prepared();
    for (out, threads) in [("one", "1"), ("two", "2")] {
        stdout(
            &mut train(folder.path(), &["--out", out, "--threads", threads]),
            0,
        );
    }
    for file in [
        "scorecard.json",
        "training.json",
        "card.csv",
        "scorecard.sql",
    ] {
        let read = |out: &str| fs::read(folder.path().join(out).join(file)).unwrap();
        assert_eq!(read("one"), read("two"), "{file}");
    }
}

#[test]
fn a_trained_card_says_what_it_left_out_and_can_be_edited_as_a_table() {
    let folder = prepared();
    let shown = stdout(
        &mut train(folder.path(), &["--out", "out", "--fitter", "woe"]),
        0,
    );
    assert!(
        shown.contains("validation") && shown.contains("digest"),
        "{shown}"
    );
    let report = fs::read_to_string(folder.path().join("out/training.json")).unwrap();
    assert!(
        !report.contains("fine_after"),
        "a column known after the outcome was used"
    );

    let card = folder.path().join("out/card.csv");
    let text = fs::read_to_string(&card).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("bin,kind,shop,"))
        .unwrap();
    let points: i32 = line.rsplit(',').next().unwrap().parse().unwrap();
    let edited = text.replace(line, &format!("bin,kind,shop,{}", points + 7));
    fs::write(&card, edited).unwrap();
    let mut command = risktier(folder.path());
    command.args([
        "train",
        "--edited",
        "out/card.csv",
        "--parent",
        "out/scorecard.json",
        "--out",
        "edited",
    ]);
    assert!(stdout(&mut command, 0).contains("edited card"));
    let card = fs::read_to_string(folder.path().join("edited/scorecard.json")).unwrap();
    assert!(card.contains("\"edited_by_hand\":true"));
    risktier::model::Scorecard::from_json(&card).unwrap();
}

/// The shares of tiers A to D among the fitted rows, and the cut-offs.
fn tiers(folder: &Path, out: &str) -> ([f64; 4], serde_json::Value) {
    let read = |file: &str| -> serde_json::Value {
        let text = fs::read_to_string(folder.join(out).join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let report = read("training.json");
    let share = |tier: &str| report["tiers"][tier].as_f64().unwrap();
    (
        ["A", "B", "C", "D"].map(share),
        read("scorecard.json")["cutoffs"].clone(),
    )
}

#[test]
fn cutoffs_follow_from_shares_points_problem_rates_or_visits() {
    let folder = prepared();
    let at = folder.path();
    let run = |out: &str, more: &[&str]| {
        let mut command = train(at, &["--out", out, "--fitter", "woe"]);
        stdout(command.args(more), 0);
        tiers(at, out)
    };
    let (shares, _) = run("shares", &["--shares", "0.3,0.2,0.1"]);
    for (found, asked) in shares.iter().zip([0.4, 0.3, 0.2, 0.1]) {
        assert!((found - asked).abs() < 0.04, "{shares:?}");
    }
    let (_, cutoffs) = run("points", &["--cutoffs", "200,400, 600"]);
    assert_eq!(cutoffs, serde_json::json!({"B": 200, "C": 400, "D": 600}));
    let (_, low) = run("low", &["--problem-rates", "0.1,0.2,0.3"]);
    let (_, high) = run("high", &["--problem-rates", "0.2,0.3,0.4"]);
    assert!(low["B"].as_u64() < high["B"].as_u64(), "{low} {high}");
    let (pdo, _) = run("pdo", &["--pdo", "60,500"]);
    assert!((pdo.iter().sum::<f64>() - 1.0).abs() < 1e-9);

    // Twice the visits make tiers B to D twice as large, as far as points tell rows apart: the visits are used up.
    let rates = [0.02, 0.2, 0.4, 0.6];
    for visits in [700.0, 1_100.0] {
        let capacity = format!("{visits},10000");
        let more = ["--capacity", &capacity, "--visit-rates", "0.02,0.2,0.4,0.6"];
        let (shares, _) = run("visits", &more);
        let taken: f64 = shares.iter().zip(rates).map(|(s, r)| s * r).sum::<f64>() * 10_000.0;
        assert!((taken - visits).abs() < 120.0, "{taken} for {visits}");
    }
    // Without rates those of the policy are taken.
    let (by_policy, _) = run("policy", &["--capacity", "500,10000"]);
    assert!(by_policy[0] > 0.1, "{by_policy:?}");
}

#[test]
fn a_flag_of_several_numbers_says_how_many_it_takes() {
    let folder = prepared();
    for (more, said) in [
        (&["--shares", "0.3,0.2"][..], "2 numbers; write 3 of them"),
        (&["--shares", "0.3", "0.2", "0.1"], "unexpected argument"),
        (&["--shares", "0.3"], "1 numbers; write 3 of them"),
        (&["--cutoffs", "100,200,x"], "`x` is not a number"),
        (
            &["--cutoffs", "100,200,-3"],
            "`-3` is not a number that fits",
        ),
        (&["--pdo", "50"], "write 2 of them"),
        (&["--visit-rates", "0.1,0.2,0.3,0.4"], "--capacity"),
    ] {
        let error = stderr(train(folder.path(), &["--out", "out"]).args(more), 2);
        assert!(error.contains(said), "wanted: {said}\nfound: {error}");
    }
    let error = stderr(
        train(folder.path(), &["--out", "out"]).args(["--shares", "0.6,0.3,0.2"]),
        3,
    );
    assert!(error.contains("leave some for tier A"), "{error}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn what_cannot_be_trained_is_said_by_line_and_column() {
    let folder = prepared();
    let path = folder.path().join("visits.csv");
    let good = fs::read_to_string(&path).unwrap();
    for (from, to, said) in [
        ("E0,2025-01-01", "E0,2025-13-01", "`day`"),
        (",outcome\n", ",found\n", "name the outcome"),
    ] {
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let error = stderr(&mut train(folder.path(), &["--out", "out"]), 3);
        assert!(error.contains(said), "{error}");
    }
    let nan = good.replacen("E0,2025-01-01,", "E0,2025-01-01,NaN", 1);
    fs::write(
        &path,
        nan.lines()
            .map(|line| {
                let mut cells: Vec<&str> = line.split(',').collect();
                if cells[2].starts_with("NaN") {
                    cells[2] = "NaN";
                }
                cells.join(",") + "\n"
            })
            .collect::<String>(),
    )
    .unwrap();
    let error = stderr(&mut train(folder.path(), &["--out", "out"]), 3);
    assert!(
        error.contains("line 2") && error.contains("not a finite number"),
        "{error}"
    );
    assert!(!folder.path().join("out/scorecard.json").exists());

    let ten: String = good
        .lines()
        .take(11)
        .map(|line| line.to_owned() + "\n")
        .collect();
    fs::write(&path, ten).unwrap();
    let error = stderr(&mut train(folder.path(), &["--out", "out"]), 3);
    assert!(error.contains("rows"), "{error}");
}

#[test]
fn on_real_visits_a_card_ranks_later_visits_better_than_chance() {
    let Some(sample) = super::sample::sample() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chicago_food/roles.toml");
    let mut command = risktier(folder.path());
    command
        .arg("train")
        .arg("--table")
        .arg(sample.join("inspections.csv"));
    command.arg("--roles").arg(roles);
    command.args([
        "--validate-from",
        "2013-10-01",
        "--out",
        "out",
        "--format",
        "json",
    ]);
    let shown: serde_json::Value = serde_json::from_str(&stdout(&mut command, 0)).unwrap();
    let validation = &shown["report"]["validation"];
    assert_eq!(validation["row_count"], 4_306);
    assert_eq!(validation["problem_count"], 604);
    let (auc, error) = (
        validation["auc"].as_f64().unwrap(),
        validation["auc_standard_error"].as_f64().unwrap(),
    );
    assert!(auc - 3.0 * error > 0.5, "{auc} ± {error}");
}
