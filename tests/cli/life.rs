//! Overrides, objections, merges and the life of records on the command line.

use serde_json::Value;
use std::path::Path;

use crate::{risktier, stderr, stdout};

fn run(folder: &Path, arguments: &[&str]) -> Value {
    let mut command = risktier(folder);
    command
        .args(arguments)
        .args(["--as-of", "2026-11-22", "--format", "json"]);
    serde_json::from_str(&stdout(&mut command, 0)).unwrap()
}

fn register(folder: &Path) {
    std::fs::write(
        folder.join("enterprises.csv"),
        "enterprise_id,name,established_on\nE1,One,2015-01-01\nE2,Two,2015-01-01\n",
    )
    .unwrap();
    std::fs::write(
        folder.join("records.ndjson"),
        r#"{"record_id":"L1","enterprise_id":"E1","kind":"serious_violation_listing","occurred_on":"2026-10-05"}"#,
    )
    .unwrap();
    let import = |arguments: &[&str]| {
        stdout(
            risktier(folder)
                .args(arguments)
                .args(["--as-of", "2026-11-22"]),
            0,
        );
    };
    import(&["import", "enterprises", "enterprises.csv"]);
    import(&[
        "import",
        "records",
        "records.ndjson",
        "--source",
        "listings",
    ]);
}

fn tier(folder: &Path, id: &str) -> String {
    let shown = run(folder, &["classify", "--explain", id]);
    shown["tier"].as_str().unwrap().to_owned()
}

#[test]
fn two_persons_set_a_tier_and_one_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    register(folder);
    let who = ["--by", "officer-1", "--reason", "because"];
    let propose = [
        "override",
        "propose",
        "E2",
        "--tier",
        "D",
        "--expires-on",
        "2026-12-22",
    ];
    let proposed = run(folder, &[&propose[..], &who].concat());
    let id = proposed[0]["override_id"].as_str().unwrap();
    let refused = stderr(
        risktier(folder).args([
            "override",
            "approve",
            "E2",
            id,
            "--by",
            "officer-1",
            "--as-of",
            "2026-11-22",
        ]),
        3,
    );
    assert!(
        refused.contains("another person must approve it"),
        "{refused}"
    );
    assert_ne!(tier(folder, "E2"), "D");
    run(
        folder,
        &["override", "approve", "E2", id, "--by", "officer-2"],
    );
    assert_eq!(tier(folder, "E2"), "D");
    let listed = run(folder, &["override", "list", "--state", "approved"]);
    assert_eq!(listed[0]["approved_by"], "officer-2");
    run(folder, &[&["override", "end", "E2"][..], &who].concat());
    assert_ne!(tier(folder, "E2"), "D");
    let acts = run(folder, &["acts", "E2"]);
    assert_eq!(acts.as_array().unwrap().len(), 3);
}

#[test]
fn an_objection_and_a_merge_go_their_way() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    register(folder);
    let firm = ["--by", "firm", "--reason", "not ours"];
    let who = ["--by", "officer-1", "--reason", "because"];
    let filed = run(
        folder,
        &[&["objection", "file", "listings", "L1"][..], &firm].concat(),
    );
    let id = filed[0]["objection_id"].as_str().unwrap();
    let examined = run(folder, &[&["objection", "examine", id][..], &who].concat());
    assert_eq!(examined[0]["frozen_tier"], "D");
    run(
        folder,
        &[&["objection", "decide", id, "upheld"][..], &who].concat(),
    );
    assert_eq!(
        run(folder, &["objection", "show", id])[0]["state"],
        "upheld"
    );
    assert_ne!(tier(folder, "E1"), "D");

    let correction =
        r#"{"record_id":"L1","enterprise_id":"E1","kind":"stop_order","occurred_on":"2026-10-05"}"#;
    std::fs::write(folder.join("record.json"), correction).unwrap();
    let day = ["--as-of", "2026-11-22"];
    let correct = ["record", "correct", "listings", "record.json"];
    stdout(risktier(folder).args(correct).args(day).args(who), 0);
    assert_ne!(tier(folder, "E1"), "D", "what was withdrawn stays so");

    run(folder, &[&["merge", "make", "E1", "E2"][..], &who].concat());
    let explained = run(folder, &["classify", "--explain", "E1"]);
    assert_eq!(explained["merged_into"], "E2");
    run(folder, &[&["merge", "undo", "E1"][..], &who].concat());
    let merges = run(folder, &["merge", "list", "E1"]);
    assert_eq!(merges[0]["undone_on"], "2026-11-22");
    let end = ["record", "end", "listings", "L1"];
    stdout(risktier(folder).args(end).args(day), 0);
}

#[test]
fn the_tiers_in_force_are_shown_by_id_tier_and_page() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    register(folder);
    let shown = run(folder, &["tiers"]);
    let tiers = shown.as_array().unwrap();
    let ids: Vec<&str> = tiers
        .iter()
        .map(|row| row["enterprise_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["E1", "E2"]);
    for row in tiers {
        assert_eq!(
            row["tier"],
            tier(folder, row["enterprise_id"].as_str().unwrap())
        );
    }
    // A serious violation listing is tier D by rule.
    let listed = run(folder, &["tiers", "--tier", "D"]);
    assert_eq!(listed[0], tiers[0]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(run(folder, &["tiers", "--limit", "1"])[0], tiers[0]);
    assert_eq!(run(folder, &["tiers", "--after", "E1"])[0], tiers[1]);
    assert_eq!(run(folder, &["tiers", "E2", "E1"])[0], tiers[1]);

    let mut unknown = risktier(folder);
    unknown.args(["tiers", "E2", "E3", "--as-of", "2026-11-22"]);
    let said = stderr(&mut unknown, 1);
    assert!(said.contains("`E3` is not in the register"), "{said}");
    let mut wrong = risktier(folder);
    wrong.args(["tiers", "--tier", "E"]);
    assert!(stderr(&mut wrong, 2).contains("--tier"));
}
