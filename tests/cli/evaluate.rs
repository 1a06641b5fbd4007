use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{risktier, stderr, stdout};

/// Rows of a made-up inspection year: `x` drives the problems, `score` knows it well, `old` less so. Every number comes
/// from a fixed congruence, so the file is the same everywhere. `shift` moves the world.
fn write_table(path: &Path, rows: u64, shift: u64) {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut text = String::from("shop,day,kind,x,score,old,p,tier,old_tier,weight,found\n");
    let tier = |score: u64| match score {
        0..500 => "A",
        500..800 => "B",
        800..950 => "C",
        _ => "D",
    };
    for _ in 0..rows {
        let x = (next(1_000) + shift).min(999);
        let found = u8::from(next(1_000) < x * x / 2_500);
        let old = (x + next(1_000)) / 2;
        let (month, day) = (1 + next(6), 1 + next(28));
        writeln!(
            text,
            "S{},2026-0{month}-{day:02},{},{x},{x},{old},{:.4},{},{},{},{found}",
            next(rows),
            ["food", "retail", "<script>alert(1)</script>"][next(3) as usize],
            (x * x) as f64 / 2_500_000.0,
            tier(x),
            tier(old),
            1 + next(9),
        )
        .unwrap();
    }
    fs::write(path, text).unwrap();
}

const ROLES: [&str; 14] = [
    "--table",
    "rows.csv",
    "--outcome",
    "found",
    "--day",
    "day",
    "--enterprise",
    "shop",
    "--group",
    "kind",
    "--weight",
    "weight",
    "--rounds",
    "60",
];

const SCORED: [&str; 6] = ["--score", "score", "--probability", "p", "--tier", "tier"];

fn json(command: &mut assert_cmd::Command, code: i32) -> Value {
    let text = stdout(command, code);
    assert!(
        !text.contains("null"),
        "a figure is a number or says why not: {text}"
    );
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_scored_table_is_evaluated_with_intervals_guards_and_a_report() {
    let folder = tempfile::tempdir().unwrap();
    write_table(&folder.path().join("rows.csv"), 4_000, 0);
    let mut command = risktier(folder.path());
    command.arg("evaluate").args(ROLES).args(SCORED).args([
        "--report",
        "report.html",
        "--format",
        "json",
    ]);

    let evaluation = json(&mut command, 0);

    assert_eq!(evaluation["format"], "risktier-evaluation/1");
    assert_eq!(evaluation["data"]["rows"], 4_000);
    let views = evaluation["views"].as_array().unwrap();
    assert_eq!(views.len(), 2, "by rows and by design weights");
    for view in views {
        let auc = &view["headline"]["auc"];
        let number = |key: &str| auc[key].as_f64().unwrap();
        assert!(
            0.6 < number("low") && number("low") < number("value"),
            "{auc}"
        );
        assert!(
            number("value") < number("high") && number("high") < 0.9,
            "{auc}"
        );
        assert_eq!(view["tiers"]["monotone"], true);
        assert!(view["policy"]["ratio"]["low"].as_f64().unwrap() > 1.0);
    }
    assert!(evaluation["order"]["skill"]["low"].as_f64().unwrap() > 0.0);
    let guards = evaluation["guards"].as_array().unwrap();
    assert!(guards.len() >= 5 && guards.iter().all(|guard| guard["state"] == "holds"));
    assert_page(&fs::read_to_string(folder.path().join("report.html")).unwrap());
}

/// A page that stands alone, escapes what came from the data, and closes what it opens.
fn assert_page(page: &str) {
    assert!(page.starts_with("<!doctype html>"));
    for outside in ["http:", "https:", "<script", "@import", "url(\"", "src="] {
        assert!(!page.contains(outside), "the page holds `{outside}`");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!page.contains("NaN") && !page.contains("inf"));
    assert!(page.contains("护栏") && page.contains("Guard rails"));
    let plots = page.matches("role=\"img\"").count();
    assert!(plots >= 7, "{plots} plots");
    assert_eq!(plots, page.matches("<figcaption>").count());
    let mut open = Vec::new();
    for tag in page
        .split('<')
        .skip(1)
        .filter_map(|part| part.split('>').next())
    {
        let name = tag.split_whitespace().next().unwrap();
        let void = ["!doctype", "meta", "input"].contains(&name) || tag.ends_with('/');
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "`{name}` is closed out of turn"),
            None if void => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    let mut ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .filter_map(|part| part.split('"').next())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id stands twice");
}

#[test]
fn the_same_rows_and_seed_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    write_table(&folder.path().join("rows.csv"), 1_000, 0);
    let run = |seed: &str| {
        let mut command = risktier(folder.path());
        command
            .arg("evaluate")
            .args(ROLES)
            .args(SCORED)
            .args(["--format", "json", "--seed", seed]);
        stdout(&mut command, 0)
    };
    assert_eq!(run("1"), run("1"));
    assert_ne!(run("1"), run("2"));
}

#[test]
fn a_broken_guard_is_named_and_ends_with_code_one() {
    let folder = tempfile::tempdir().unwrap();
    write_table(&folder.path().join("rows.csv"), 1_000, 0);
    let policy = include_str!("../../models/policy.toml").replacen("most = 0.15", "most = 0.01", 1);
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    let mut command = risktier(folder.path());
    command
        .arg("evaluate")
        .args(ROLES)
        .args(SCORED)
        .args(["--policy", "policy.toml"]);

    let told = stderr(&mut command, 1);

    assert!(
        told.contains("`tier_share.D` is broken") && told.contains("0.001 to 0.01"),
        "{told}"
    );
}

#[test]
fn a_better_candidate_is_told_with_who_moves() {
    let folder = tempfile::tempdir().unwrap();
    write_table(&folder.path().join("rows.csv"), 6_000, 0);
    let mut command = risktier(folder.path());
    command.arg("compare").args(ROLES).args([
        "--score",
        "old",
        "--tier",
        "old_tier",
        "--candidate-score",
        "score",
        "--candidate-tier",
        "tier",
        "--report",
        "report.html",
        "--format",
        "json",
    ]);

    let comparison = json(&mut command, 0);

    assert_eq!(comparison["format"], "risktier-comparison/1");
    assert_eq!(comparison["verdict"], "candidate_better");
    assert!(comparison["differences"][1]["auc"]["low"].as_f64().unwrap() > 0.0);
    let moves = comparison["moves"].as_array().unwrap();
    let moved: u64 = moves
        .iter()
        .map(|cell| cell["found"]["rows"].as_u64().unwrap())
        .sum();
    assert_eq!((moves.len(), moved), (16, 6_000));
    let swap = &comparison["top_swap"];
    assert!(
        swap["candidate_only"]["rate"].as_f64() > swap["current_only"]["rate"].as_f64(),
        "{swap}"
    );
    assert_page(&fs::read_to_string(folder.path().join("report.html")).unwrap());
}

#[test]
fn drift_is_told_without_outcomes() {
    let folder = tempfile::tempdir().unwrap();
    write_table(&folder.path().join("before.csv"), 3_000, 0);
    write_table(&folder.path().join("now.csv"), 3_000, 300);
    let drift = |table: &str, code: i32| {
        let mut command = risktier(folder.path());
        command.args([
            "drift",
            "--table",
            table,
            "--baseline",
            "before.csv",
            "--score",
            "score",
            "--ignore",
            "shop",
            "--ignore",
            "day",
            "--format",
            "json",
        ]);
        json(&mut command, code)
    };
    let same = drift("before.csv", 0);
    assert_eq!(same["stability"]["score"]["verdict"], "steady");
    let moved = drift("now.csv", 1);
    assert_eq!(moved["stability"]["score"]["verdict"], "act");
    let verdicts: std::collections::BTreeMap<&str, &str> = moved["stability"]["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| {
            (
                feature["name"].as_str().unwrap(),
                feature["verdict"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        (verdicts["x"], verdicts["kind"], verdicts["weight"]),
        ("act", "steady", "steady")
    );
    assert!(!verdicts.contains_key("shop") && !verdicts.contains_key("day"));
}

#[test]
fn a_scorecard_scores_a_table_and_shows_drift_and_reasons() {
    let folder = tempfile::tempdir().unwrap();
    write_table(&folder.path().join("rows.csv"), 3_000, 0);
    write_table(&folder.path().join("before.csv"), 3_000, 0);
    let card = serde_json::json!({
        "format": "risktier-scorecard/1", "name": "x-card", "version": 3, "group_caps": {},
        "cutoffs": { "B": 200, "C": 500, "D": 800 },
        "indicators": { "x": {
            "bins": [{ "points": 0 }, { "from": 400, "points": 300 }, { "from": 700, "points": 600 }, { "from": 900, "points": 900 }],
            "missing": 0
        } },
        "manifest": { "author": "<b>nobody</b>" }
    });
    fs::write(folder.path().join("card.json"), card.to_string()).unwrap();
    let mut command = risktier(folder.path());
    command.arg("evaluate").args(ROLES).args([
        "--scorecard",
        "card.json",
        "--baseline",
        "before.csv",
        "--format",
        "json",
        "--report",
        "report.html",
    ]);

    let evaluation = json(&mut command, 0);

    assert_eq!(evaluation["subject"]["model"], "x-card/3");
    assert_eq!(evaluation["reasons"][0]["code"], "x");
    let score = &evaluation["stability"]["score"];
    assert_eq!(score["verdict"], "steady", "{score}");
    let bins = evaluation["stability"]["features"][0]["bins"]
        .as_array()
        .unwrap();
    assert_eq!(bins.len(), 4, "the card's own bins");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert_page(&page);
    assert!(page.contains("&lt;b&gt;nobody&lt;/b&gt;"));
    let mut command = risktier(folder.path());
    command.arg("evaluate").args(ROLES).args([
        "--scorecard",
        "card.json",
        "--baseline",
        "scorecard",
    ]);
    let told = stderr(&mut command, 3);
    assert!(told.contains("`x-card` carries no baseline"), "{told}");
}

#[test]
fn what_cannot_be_evaluated_is_told_by_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let told = |text: &str, more: &[&str]| {
        fs::write(folder.path().join("rows.csv"), text).unwrap();
        let mut command = risktier(folder.path());
        command.args(["evaluate", "--table", "rows.csv"]).args(more);
        stderr(&mut command, 3)
    };
    let score = &["--score", "score"][..];
    for (text, more, word) in [
        ("score,outcome\n", score, "no rows"),
        ("", score, "empty"),
        ("score,found\n1,0\n", score, "no column `outcome`"),
        (
            "score,outcome\n1,0\n2,maybe\n",
            score,
            "line 3: `outcome`: `maybe`",
        ),
        (
            "score,outcome\n1,0\nNaN,1\n",
            score,
            "line 3: `score`: `NaN` is not a finite number",
        ),
        ("score,outcome\n1,0\ninf,1\n", score, "line 3: `score`"),
        (
            "score,outcome\n1,0\n1\n",
            score,
            "line 3: the row has 1 cells",
        ),
        ("score,outcome\n1,0\n", &[], "nothing scores the rows"),
        (
            "score,outcome\n1,0\n",
            &["--score", "score", "--scorecard", "c.json"],
            "both score",
        ),
        (
            "score,outcome,w\n1,0,-1\n",
            &["--score", "score", "--weight", "w"],
            "row 1: weight `-1`",
        ),
        (
            "score,outcome,w\n1,0,0\n2,1,0\n",
            &["--score", "score", "--weight", "w"],
            "every weight is zero",
        ),
        (
            "score,outcome,p\n1,0,1.2\n",
            &["--score", "score", "--probability", "p"],
            "row 1: probability `1.2`",
        ),
        (
            "score,outcome,t\n1,0,E\n",
            &["--score", "score", "--tier", "t"],
            "`t`: `E` is not a tier",
        ),
        (
            "score,outcome,d\n1,0,soon\n",
            &["--score", "score", "--day", "d"],
            "`d`: `soon`",
        ),
        (
            "score,outcome\n1,0\n",
            &["--score", "score", "--from", "2026-01-01"],
            "which column holds the day",
        ),
    ] {
        let message = told(text, more);
        assert!(message.contains(word), "{word}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn rows_of_one_class_and_of_one_score_are_evaluated_with_remarks() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "score,outcome\n1,1\n2,1\n",
        "score,outcome\n5,1\n5,0\n5,0\n",
        "score,outcome\n5,1\n",
    ] {
        fs::write(folder.path().join("rows.csv"), text).unwrap();
        let mut command = risktier(folder.path());
        command.args([
            "evaluate",
            "--table",
            "rows.csv",
            "--score",
            "score",
            "--format",
            "json",
            "--report",
            "report.html",
        ]);
        let evaluation = json(&mut command, 0);
        assert!(!evaluation["remarks"].as_array().unwrap().is_empty());
        let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert!(page.contains("</html>") && !page.contains("NaN"));
    }
}

#[test]
fn the_register_is_judged_by_result_codes_without_any_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let made = ["bench-data", "--out", "raw", "--enterprises", "3000"];
    stdout(risktier(at).args(made), 0);
    stdout(risktier(at).args(["import", "folder", "raw"]), 0);
    let judged = |arguments: &[&str]| -> Value {
        let mut command = risktier(at);
        command.args(arguments);
        command.args([
            "--as-of",
            "2026-06-30",
            "--rounds",
            "10",
            "--format",
            "json",
        ]);
        let output = command.output().unwrap();
        // Guards may be broken; what is looked at is that later inspections were found.
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code().unwrap() < 2, "{told}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let by_platform = judged(&["evaluate"]);
    let (rows, found) = (
        by_platform["data"]["rows"].as_u64().unwrap(),
        by_platform["data"]["found"].as_u64().unwrap(),
    );
    assert!(rows > 20 && found > 0 && found < rows, "{rows} {found}");
    // Other codes count by a file of their own.
    fs::write(
        at.join("codes.toml"),
        "format = \"risktier-outcomes/1\"\nkind = \"inspection\"\nscale = \"binary\"\n[codes]\n\"1\" = 1\n\"E\" = 0\n",
    )
    .unwrap();
    let turned = judged(&["evaluate", "--outcomes", "codes.toml"]);
    assert_ne!(turned["data"]["found"], found);

    let card = include_str!("../../models/default/scorecard.json");
    let mut card: Value = serde_json::from_str(card).unwrap();
    card["cutoffs"] = serde_json::json!({"B": 25, "C": 90, "D": 300});
    fs::write(at.join("next.json"), card.to_string()).unwrap();
    let comparison = judged(&["compare", "--candidate", "next.json"]);
    assert_eq!(comparison["current"]["data"]["rows"], rows);
    assert_eq!(comparison["moves"].as_array().unwrap().len(), 16);
    let mut both = risktier(at);
    both.args(["evaluate", "--table", "x.csv", "--outcomes", "codes.toml"]);
    stderr(&mut both, 2);
}
