//! From raw files to a promoted model, exactly as the README says it; training from the register; kills in the middle.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{risktier, stderr, stdout};
use risktier::domain::rng::SeededRng;

/// The commands of the README's worked example, without their comments.
fn worked_example() -> Vec<String> {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, rest) = readme
        .split_once("<!-- worked example: from raw files to a promoted model -->")
        .unwrap();
    let (_, block) = rest.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block
        .replace("\\\n", " ")
        .lines()
        .map(|line| line.split(" #").next().unwrap().trim().to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// The words of a command line with double quotes.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(place, part)| {
            if place % 2 == 1 {
                vec![part.to_owned()]
            } else {
                part.split_whitespace().map(str::to_owned).collect()
            }
        })
        .collect()
}

#[test]
fn the_worked_example_of_the_readme_goes_from_raw_files_to_a_promoted_model() {
    let folder = tempfile::tempdir().unwrap();
    let commands = worked_example();
    assert!((6..10).contains(&commands.len()), "{commands:#?}");
    for line in &commands {
        let words = words(line);
        assert_eq!(words[0], "risktier", "{line}");
        let mut command = risktier(folder.path());
        // The example's data are of this day; on any other the same commands speak for that one.
        command.env("RISKTIER_AS_OF", "2026-10-01");
        command.args(&words[1..]);
        println!("{line}\n{}", stdout(&mut command, 0));
    }
    assert!(commands.iter().any(|line| line.contains("models promote")));
    let live = stdout(
        risktier(folder.path()).args(["models", "live", "--format", "json"]),
        0,
    );
    assert!(live.contains("retrained"), "{live}");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("guard.mix_shift"));
    stdout(
        risktier(folder.path()).args(["models", "history", "--verify"]),
        0,
    );
}

/// A register with inspections of a made-up province in a store of the folder.
fn prepared(enterprises: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = ["bench-data", "--out", "raw", "--enterprises", enterprises];
    stdout(risktier(folder.path()).args(made), 0);
    stdout(risktier(folder.path()).args(["import", "folder", "raw"]), 0);
    folder
}

fn train(folder: &Path, more: &[&str]) -> assert_cmd::Command {
    let mut command = risktier(folder);
    command.args([
        "train",
        "--as-of",
        "2026-10-01",
        "--fitter",
        "woe",
        "--pairs",
        "0",
    ]);
    command.args(more);
    command
}

#[test]
fn training_on_the_register_gives_the_same_bytes_in_every_process_and_from_its_table() {
    let folder = prepared("6000");
    let at = folder.path();
    for (out, threads) in [("one", "1"), ("two", "2")] {
        let table = format!("{out}.csv");
        let told = stderr(
            &mut train(
                at,
                &[
                    "--from-register",
                    "--threads",
                    threads,
                    "--out",
                    out,
                    "--write-table",
                    &table,
                ],
            ),
            0,
        );
        assert!(told.contains("are rows"), "{told}");
    }
    let read = |path: &str| fs::read(at.join(path)).unwrap();
    for file in [
        "scorecard.json",
        "training.json",
        "rows.json",
        "card.csv",
        "scorecard.sql",
    ] {
        assert_eq!(
            read(&format!("one/{file}")),
            read(&format!("two/{file}")),
            "{file}"
        );
    }
    assert_eq!(read("one.csv"), read("two.csv"));
    assert_eq!(read("one.roles.toml"), read("two.roles.toml"));

    // An auditor with the table alone gets the same card.
    let rows: serde_json::Value = serde_json::from_slice(&read("one/rows.json")).unwrap();
    let from = rows["validate_from"].as_str().unwrap();
    let retrain = [
        "--table",
        "one.csv",
        "--roles",
        "one.roles.toml",
        "--out",
        "three",
        "--validate-from",
        from,
        "--gap-days",
        "30",
    ];
    stdout(&mut train(at, &retrain), 0);
    assert_eq!(read("one/scorecard.json"), read("three/scorecard.json"));

    // The card goes with the register's catalogue as it is.
    let classified = stdout(
        risktier(at).args([
            "classify",
            "--as-of",
            "2026-10-01",
            "--scorecard",
            "one/scorecard.json",
        ]),
        0,
    );
    assert!(!classified.is_empty());
    let no_roles = train(at, &["--from-register", "--table", "one.csv", "--out", "x"])
        .output()
        .unwrap();
    assert_eq!(no_roles.status.code(), Some(2));
}

/// A card that gives other tiers, brought up to `approved`.
fn approved(at: &Path) {
    let card = include_str!("../../models/default/scorecard.json");
    let mut card: serde_json::Value = serde_json::from_str(card).unwrap();
    card["version"] = 2.into();
    card["cutoffs"] = serde_json::json!({"B": 25, "C": 90, "D": 300});
    fs::write(at.join("next.json"), card.to_string()).unwrap();
    let person = ["--by", "analyst-1", "--reason", "try"];
    stdout(
        risktier(at)
            .args(["models", "add", "next.json"])
            .args(person),
        0,
    );
    stdout(
        risktier(at)
            .args([
                "models",
                "validate",
                "cn-general-expert/2",
                "--force",
                "--rounds",
                "10",
            ])
            .args(person),
        0,
    );
    let refused = stderr(
        risktier(at)
            .args(["models", "approve", "cn-general-expert/2"])
            .args(person),
        3,
    );
    assert!(refused.contains("another person"), "{refused}");
    stdout(
        risktier(at).args([
            "models",
            "approve",
            "cn-general-expert/2",
            "--by",
            "head-2",
            "--reason",
            "seen",
        ]),
        0,
    );
}

fn live(at: &Path) -> serde_json::Value {
    let text = stdout(risktier(at).args(["models", "live", "--format", "json"]), 0);
    let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
    rows[0].clone()
}

/// The live model and the epoch of what is in force, as one transaction of the store sees them.
fn standing(at: &Path) -> (String, String, String) {
    let file = rusqlite::Connection::open(at.join("risktier.db")).unwrap();
    file.query_row(
        "SELECT m.model_id, s.model_id, l.epoch FROM live l JOIN in_force f USING (number) \
         JOIN set_models s USING (files_id) JOIN models m ON m.state = 'live'",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
    .unwrap()
}

fn promoting(at: &Path) -> Child {
    std::process::Command::new(env!("CARGO_BIN_EXE_risktier"))
        .current_dir(at)
        .args([
            "models",
            "promote",
            "cn-general-expert/2",
            "--force",
            "--by",
            "director-3",
            "--reason",
            "try",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_kill_in_the_middle_of_a_promotion_leaves_the_old_model_or_the_new_one() {
    let folder = prepared("8000");
    let at = folder.path();
    approved(at);
    let old = live(at)["model_id"].as_str().unwrap().to_owned();
    // How long an undisturbed promotion takes is found out first, on a copy.
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(at).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    let begun = Instant::now();
    assert!(promoting(copy.path()).wait().unwrap().success());
    let whole = begun.elapsed();
    let new = live(copy.path())["model_id"].as_str().unwrap().to_owned();
    assert_ne!(old, new);

    let mut rng = SeededRng::new(9, "kill promotions");
    let mut before_the_end = 0;
    for round in 0..12 {
        let mut child = promoting(at);
        let share = (rng.below(1_000) as f64 + 0.5) / 1_000.0;
        std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * share));
        child.kill().unwrap();
        child.wait().unwrap();
        let (live_model, of_files, _) = standing(at);
        assert_eq!(
            live_model, of_files,
            "round {round}: a model is live whose card is not in force"
        );
        assert!([&old, &new].contains(&&live_model), "round {round}");
        stdout(risktier(at).args(["models", "history", "--verify"]), 0);
        if live_model == new {
            break;
        }
        before_the_end += 1;
    }
    println!("{before_the_end} kills came before the flip");
    // Whoever asks next sees it through, to the tiers of the undisturbed promotion.
    if live(at)["model_id"] != new.as_str() {
        let done = stdout(
            risktier(at).args([
                "models",
                "promote",
                "cn-general-expert/2",
                "--force",
                "--by",
                "director-3",
                "--reason",
                "again",
            ]),
            0,
        );
        assert!(done.contains(&new), "{done}");
    }
    assert_eq!(live(at)["epoch"], live(copy.path())["epoch"]);
    let tiers = |at: &Path| {
        stdout(
            risktier(at).args(["summary", "--by", "size", "--format", "json"]),
            0,
        )
    };
    assert_eq!(tiers(at), tiers(copy.path()));
}

#[test]
fn the_registry_says_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let listed = stdout(risktier(at).args(["models", "list", "--format", "csv"]), 0);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    for (arguments, said) in [
        (vec!["models", "show", "nothing/1"], "does not exist"),
        (
            vec!["models", "rollback", "--by", "a", "--reason", "b"],
            "no other model was live",
        ),
        (
            vec!["models", "retire", "live", "--by", "a", "--reason", "b"],
            "is live",
        ),
        (
            vec!["models", "report", "live", "--out", "x.html"],
            "no report yet",
        ),
        (vec!["models", "add", "none.json", "--by", "a"], "none.json"),
    ] {
        let told = stderr(risktier(at).args(&arguments), 3);
        assert!(told.contains(said), "{told}");
    }
    fs::write(
        at.join("broken.json"),
        "{\"format\": \"risktier-scorecard/7\"}",
    )
    .unwrap();
    let told = stderr(
        risktier(at).args(["models", "add", "broken.json", "--by", "a"]),
        3,
    );
    assert!(told.contains("risktier-scorecard/7"), "{told}");
    let card = stdout(risktier(at).args(["models", "card", "live"]), 0);
    let card: serde_json::Value = serde_json::from_str(&card).unwrap();
    assert_eq!(card["origin"], "expert");
    stdout(
        risktier(at).args([
            "models",
            "card",
            "live",
            "--html",
            "card.html",
            "--language",
            "en",
        ]),
        0,
    );
    assert!(
        fs::read_to_string(at.join("card.html"))
            .unwrap()
            .contains("Model card")
    );
    let artefact = stdout(
        risktier(at).args(["models", "artefact", "live", "--out", "-"]),
        0,
    );
    assert!(artefact.contains("risktier-scorecard/1"));
}
