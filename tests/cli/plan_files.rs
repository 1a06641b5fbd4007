//! Check items, the ledger, policies tried, and plans on plain files, as a user runs them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{risktier, stderr, stdout};

/// A frame file that others have made: a thousand objects, ids and tiers only.
fn frame(folder: &Path) {
    let mut csv = String::from("enterprise_id,tier,division\n");
    let mut ndjson = String::new();
    for number in 0..1_000 {
        let tier = match number % 20 {
            0 => "D",
            1 | 2 => "C",
            3..=8 => "B",
            _ => "A",
        };
        let division = ["990101", "990202"][number % 2];
        csv.push_str(&format!("E{number:04},{tier},{division}\n"));
        ndjson.push_str(&format!(
            "{{\"enterprise_id\":\"E{number:04}\",\"tier\":\"{tier}\",\"division\":\"{division}\"}}\n"
        ));
    }
    fs::write(folder.join("frame.csv"), csv).unwrap();
    fs::write(folder.join("frame.ndjson"), ndjson).unwrap();
    let items = "item_code,name,class,published,ratio_cap\nG-1,食品,general,true,0.1\nU-1,其他,general,false,\n";
    fs::write(folder.join("items.csv"), items).unwrap();
}

fn plan(folder: &Path, more: &[&str]) -> assert_cmd::Command {
    let mut command = risktier(folder);
    command
        .args([
            "plan",
            "--as-of",
            "2026-11-22",
            "--from",
            "2027-01-01",
            "--to",
            "2027-12-31",
        ])
        .args(more);
    command
}

#[test]
fn a_plan_is_drawn_from_a_frame_file_without_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    frame(folder);
    for (form, sample) in [
        ("frame.csv", "sample.csv"),
        ("frame.ndjson", "sample.parquet"),
        ("frame.csv", "sample.ndjson"),
        ("frame.csv", "sample.tsv"),
    ] {
        stdout(
            &mut plan(
                folder,
                &[
                    "--frame", form, "--visits", "40", "--out", "out", "--sample", sample,
                ],
            ),
            0,
        );
        let verified = [
            "verify",
            "--transcript",
            "out/transcript.json",
            "--pool",
            "out/pool.tsv",
            "--sample",
            "out/sample.tsv",
        ];
        stdout(risktier(folder).args(verified), 0);
        assert!(!folder.join("risktier.db").exists());
    }
    let tsv = fs::read_to_string(folder.join("sample.tsv")).unwrap();
    assert_eq!(
        tsv,
        fs::read_to_string(folder.join("out/sample.tsv")).unwrap()
    );
    let csv = fs::read_to_string(folder.join("sample.csv")).unwrap();
    assert!(csv.starts_with("enterprise_id,stratum,order\n"), "{csv}");
    assert!(
        fs::read(folder.join("sample.parquet"))
            .unwrap()
            .starts_with(b"PAR1")
    );
    let lines = fs::read_to_string(folder.join("sample.ndjson")).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert!(first["enterprise_id"].is_string() && first["order"] == 1);
}

#[test]
fn a_preview_of_a_frame_file_is_the_same_whatever_its_form() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    frame(folder);
    let rules = [
        "--neyman",
        "--visits",
        "50",
        "--stratum",
        "problem=0.1",
        "--stratum",
        "tier=D,problem=0.5,least=3,most=9",
        "--preview",
        "--format",
        "json",
    ];
    let of = |form: &str| {
        let mut arguments = vec!["--frame", form];
        arguments.extend(rules);
        serde_json::from_str::<Value>(&stdout(&mut plan(folder, &arguments), 0)).unwrap()
    };
    let preview = of("frame.csv");
    assert_eq!(preview, of("frame.ndjson"));
    let visits = preview["expected_visits"].as_f64().unwrap();
    assert!((visits - 50.0).abs() < 0.2, "{visits}");

    let capped = &[
        "--frame",
        "frame.csv",
        "--item-list",
        "items.csv",
        "--item",
        "G-1",
        "--exploration",
        "0",
        "--preview",
        "--format",
        "json",
    ];
    let capped: Value = serde_json::from_str(&stdout(&mut plan(folder, capped), 0)).unwrap();
    let d = capped["tiers"][3]["inclusion_probability"]
        .as_f64()
        .unwrap();
    assert!((d - 0.1).abs() < 1e-9, "{d}");
    let told = stderr(
        &mut plan(
            folder,
            &[
                "--frame",
                "frame.csv",
                "--item-list",
                "items.csv",
                "--item",
                "U-1",
                "--preview",
            ],
        ),
        3,
    );
    assert!(told.contains("not published"), "{told}");
    let told = stderr(&mut plan(folder, &["--frame", "frame.csv"]), 3);
    assert!(told.contains("--out, --sample or --preview"), "{told}");
    fs::write(folder.join("bad.csv"), "enterprise_id,tier\nE1,A\nE2,F\n").unwrap();
    let told = stderr(&mut plan(folder, &["--frame", "bad.csv", "--preview"]), 3);
    assert!(told.contains("line 3") && told.contains("tier"), "{told}");
    let told = stderr(
        &mut plan(
            folder,
            &["--frame", "frame.csv", "--stratum", "colour=1", "--preview"],
        ),
        2,
    );
    assert!(told.contains("`colour` is not one of"), "{told}");
}

#[test]
fn a_policy_is_tried_on_a_frame_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    frame(folder);
    let policy = include_str!("../../models/policy.toml");
    fs::write(
        folder.join("new.toml"),
        policy.replacen("C = 0.15", "C = 0.30", 1),
    )
    .unwrap();
    let simulate = |more: &[&str], code| {
        let mut command = risktier(folder);
        command
            .args([
                "policy",
                "simulate",
                "--as-of",
                "2026-11-22",
                "--frame",
                "frame.csv",
                "--candidate",
                "new.toml",
            ])
            .args([
                "--from",
                "2027-01-01",
                "--to",
                "2027-12-31",
                "--exploration",
                "0",
            ])
            .args(more);
        if code == 0 {
            stdout(&mut command, 0)
        } else {
            stderr(&mut command, code)
        }
    };
    let table = simulate(&[], 0);
    assert!(
        table.contains("visits to tier C") && table.contains("visits in 990202"),
        "{table}"
    );
    let told: Value = serde_json::from_str(&simulate(&["--format", "json"], 0)).unwrap();
    let visits = |side: &str| {
        told[side]["simulated"]["tiers"][2]["expected_visits"]
            .as_f64()
            .unwrap()
    };
    assert!(
        (visits("current") - 15.0).abs() < 1e-6 && (visits("candidate") - 30.0).abs() < 1e-6,
        "{told}"
    );
    fs::write(
        folder.join("new.toml"),
        policy.replacen("D = 0.50", "D = 0.01", 1),
    )
    .unwrap();
    let told = simulate(&[], 3);
    assert!(
        told.contains("candidate") && told.contains("tier D"),
        "{told}"
    );
}

#[test]
fn items_and_ledger_are_kept_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    frame(folder);
    let table = stdout(risktier(folder).args(["items", "import", "items.csv"]), 0);
    assert!(table.contains("created"), "{table}");
    fs::write(
        folder.join("items.json"),
        "[{\"item_code\":\"J-1\",\"name\":\"j\",\"class\":\"key\",\"published\":true}]",
    )
    .unwrap();
    stdout(risktier(folder).args(["items", "import", "items.json"]), 0);
    let list = stdout(
        risktier(folder).args(["items", "list", "--published", "--format", "json"]),
        0,
    );
    let list: Value = serde_json::from_str(&list).unwrap();
    let codes: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["item_code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["G-1", "J-1"]);
    fs::write(folder.join("bad.csv"), "item_code,name,class\nX,x,y\n").unwrap();
    let told = stderr(risktier(folder).args(["items", "import", "bad.csv"]), 1);
    assert!(told.contains("class"), "{told}");

    stdout(
        risktier(folder).args(["bench-data", "--enterprises", "300", "--out", "data"]),
        0,
    );
    stdout(
        risktier(folder).args(["import", "--as-of", "2026-09-30", "folder", "data"]),
        0,
    );
    let drawn = stdout(
        risktier(folder).args([
            "plan",
            "--as-of",
            "2026-09-30",
            "--from",
            "2026-10-01",
            "--to",
            "2026-12-31",
            "--visits",
            "20",
            "--item",
            "G-1",
            "--department",
            "amr",
            "--format",
            "json",
        ]),
        0,
    );
    let drawn: Value = serde_json::from_str(&drawn).unwrap();
    let ledger = stdout(
        risktier(folder).args(["ledger", "list", "--kind", "general", "--format", "json"]),
        0,
    );
    let ledger: Value = serde_json::from_str(&ledger).unwrap();
    assert_eq!(
        ledger.as_array().unwrap().len() as u64,
        drawn["sample_size"].as_u64().unwrap()
    );
    let visit = &ledger[0];
    let id = visit["enterprise_id"].as_str().unwrap();
    assert_eq!(
        (visit["departments"].as_str(), visit["items"].as_str()),
        (Some("amr"), Some("G-1"))
    );
    let number = visit["visit_no"].to_string();
    stdout(
        risktier(folder).args([
            "ledger",
            "done",
            &number,
            "--on",
            "2026-11-02",
            "--as-of",
            "2026-11-22",
        ]),
        0,
    );
    stdout(
        risktier(folder).args([
            "ledger",
            "enter",
            id,
            "--on",
            "2026-11-03",
            "--reason",
            "complaint",
            "--as-of",
            "2026-11-22",
        ]),
        0,
    );
    let shown = stdout(risktier(folder).args(["ledger", "show", id]), 0);
    assert!(
        shown.contains("complaint") && shown.contains("2026-11-02"),
        "{shown}"
    );
    let told = stderr(
        risktier(folder).args([
            "ledger",
            "enter",
            id,
            "--on",
            "2026-11-03",
            "--reason",
            "whim",
        ]),
        2,
    );
    assert!(told.contains("statutory_urgent"), "{told}");
    let summary = stdout(
        risktier(folder).args(["ledger", "summary", "--year", "2026", "--format", "json"]),
        0,
    );
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(
        (
            summary["general_count"].as_u64(),
            summary["exempt_count"].as_u64()
        ),
        (drawn["sample_size"].as_u64(), Some(1))
    );
    let rate = stdout(
        risktier(folder).args(["policy", "rate", drawn["plan_id"].as_str().unwrap(), id]),
        0,
    );
    assert!(
        rate.contains("tier_rate") && rate.contains("sampling.rates.general"),
        "{rate}"
    );
}
