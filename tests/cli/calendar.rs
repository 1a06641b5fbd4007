//! Calendars, joint plans and sheets on the command line.

use std::fs;

use serde_json::Value;

use super::{risktier, stderr, stdout};

/// A list of published check items of one class.
fn items(folder: &std::path::Path, class: &str) {
    let codes = ["food-hygiene", "fire-exits", "annual-report"];
    let rows = codes.map(|code| format!("{code},{code},{class},true\n"));
    let text = format!("item_code,name,class,published\n{}", rows.concat());
    fs::write(folder.join("items.csv"), text).unwrap();
}

#[test]
fn a_calendar_is_made_filled_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = |words: &[&str]| {
        let mut command = risktier(folder);
        command.args(words);
        stdout(&mut command, 0)
    };
    run(&["bench-data", "--enterprises", "600", "--out", "data"]);
    items(folder, "key");
    run(&["items", "import", "items.csv"]);
    run(&["import", "--as-of", "2026-09-30", "folder", "data"]);
    let order = [
        "plan",
        "--as-of",
        "2026-09-30",
        "--order",
        "--class",
        "key",
        "--item",
        "food-hygiene",
        "--from",
        "2026-01-01",
        "--to",
        "2026-12-31",
        "--format",
        "json",
        "--out",
        "plan",
    ];
    let plan: Value = serde_json::from_str(&run(&order)).unwrap();
    let plan_id = plan["plan_id"].as_str().unwrap();

    let made: Value = serde_json::from_str(&run(&[
        "calendar",
        "--as-of",
        "2026-09-30",
        "create",
        plan_id,
        "--title",
        "food",
        "--from",
        "2026-01-01",
        "--visits-a-year",
        "A=1/2,B=1,C=2,D=4",
        "--format",
        "json",
    ]))
    .unwrap();
    let calendar = made["calendar_id"].as_str().unwrap();
    let edition = &made["editions"][0];
    assert_eq!(edition["batches"].as_array().unwrap().len(), 4);

    // The list of visits, with the days filled in, is what says what was done.
    let first = run(&[
        "calendar",
        "--as-of",
        "2026-09-30",
        "visits",
        calendar,
        "--batch",
        "2026-Q1",
    ]);
    let filled: String = first
        .lines()
        .enumerate()
        .map(|(number, line)| match number {
            0 => format!("{line}\n"),
            _ => format!("{line}2026-02-10\n"),
        })
        .collect();
    let count = first.lines().count() - 1;
    fs::write(folder.join("done.csv"), &filled).unwrap();
    let noted = run(&[
        "calendar",
        "--as-of",
        "2026-09-30",
        "done",
        calendar,
        "done.csv",
        "--format",
        "csv",
    ]);
    assert_eq!(noted, format!("noted,unchanged\n{count},0\n"));
    let shown = run(&[
        "calendar",
        "--as-of",
        "2026-09-30",
        "extend",
        calendar,
        "--from",
        "2026-10-01",
    ]);
    assert!(
        shown.contains("edition 2 (rest)") && shown.contains(&format!("{count} done")),
        "{shown}"
    );
    let listed = run(&["calendar", "list", "--format", "csv"]);
    assert!(
        listed
            .lines()
            .nth(1)
            .unwrap()
            .ends_with(",1,food,quarter,2,2026"),
        "{listed}"
    );
    let id = filled.lines().nth(1).unwrap().split(',').next().unwrap();
    let object = run(&["calendar", "object", calendar, id]);
    assert!(
        object.contains("ticket ") && object.contains("2026-Q1"),
        "{object}"
    );

    // The same calendar on plain files, from the frame and the seed of the transcript, has the same visits.
    let transcript: Value =
        serde_json::from_slice(&fs::read(folder.join("plan/transcript.json")).unwrap()).unwrap();
    let seed = transcript["seed"].as_str().unwrap();
    run(&["demo", "--once", "--out", "demo", "--seed", "1"]);
    run(&[
        "calendar",
        "--as-of",
        "2026-09-30",
        "files",
        "--frame",
        "demo/frame.csv",
        "--seed",
        seed,
        "--from",
        "2026-01-01",
        "--batches",
        "month",
        "--out",
        "first",
        "--visits",
        "visits.ndjson",
    ]);
    let next = run(&[
        "calendar",
        "--as-of",
        "2026-09-30",
        "files",
        "--frame",
        "demo/frame.csv",
        "--before",
        "first/calendar.tsv",
        "--from",
        "2027-01-01",
        "--out",
        "second",
        "--format",
        "json",
    ]);
    let next: Value = serde_json::from_str(&next).unwrap();
    assert_eq!(next["batches"].as_array().unwrap().len(), 12);
    assert!(
        fs::read_to_string(folder.join("second/calendar.tsv"))
            .unwrap()
            .contains("\"year\":2027")
    );
    let mut wrong = risktier(folder);
    wrong.args([
        "calendar",
        "create",
        plan_id,
        "--from",
        "2026-01-01",
        "--visits-a-year",
        "A=1,B=2,C=3",
    ]);
    assert!(stderr(&mut wrong, 3).contains("tier D"));

    let page = run(&["sheet", plan_id, "--internal", "--language", "en"]);
    assert!(page.starts_with("<!doctype html>") && page.contains("food-hygiene"));
}

#[test]
fn a_joint_plan_is_previewed_made_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = |words: &[&str]| {
        let mut command = risktier(folder);
        command.args(words);
        stdout(&mut command, 0)
    };
    run(&["bench-data", "--enterprises", "2000", "--out", "data"]);
    items(folder, "general");
    run(&["items", "import", "items.csv"]);
    run(&["import", "--as-of", "2026-09-30", "folder", "data"]);
    let rows = r#"[{"title": "food", "items": ["food-hygiene"]}, {"title": "fire", "items": ["fire-exits"]},
        {"title": "reports", "items": ["annual-report"], "filter": {"tiers": ["B", "C", "D"]}}]"#;
    fs::write(folder.join("rows.json"), rows).unwrap();
    let period = [
        "--from",
        "2026-10-01",
        "--to",
        "2026-12-31",
        "--as-of",
        "2026-09-30",
    ];
    let with = |words: &[&str]| {
        let all: Vec<&str> = words.iter().chain(&period).copied().collect();
        run(&all)
    };

    let preview = with(&["joint", "preview", "rows.json"]);
    let made: Value = serde_json::from_str(&with(&[
        "joint",
        "make",
        "rows.json",
        "--group",
        "q4",
        "--draw",
        "--format",
        "json",
    ]))
    .unwrap();
    let visits = run(&["joint", "visits", "q4"]);

    assert!(preview.contains("no design needs fewer than"), "{preview}");
    let saving = &made["saving"];
    assert_eq!(
        visits.lines().count() as u64,
        saving["joint_visits"].as_u64().unwrap() + 1
    );
    // Strata with less than a visit each are rounded row by row, so little overlap is sure here.
    assert!(saving["saved"].as_f64().unwrap() > 0.0, "{saving}");
    assert!(run(&["joint", "show", "q4"]).contains("fewer visits than one by one"));
    // The list with its last column filled in says what was done.
    let (header, first) = (
        visits.lines().next().unwrap(),
        visits.lines().nth(1).unwrap(),
    );
    assert!(
        header.ends_with(",done_on") && first.ends_with(','),
        "{first}"
    );
    fs::write(
        folder.join("done.csv"),
        format!("{header}\n{first}2026-10-05\n"),
    )
    .unwrap();
    let done = [
        "joint",
        "done",
        "q4",
        "done.csv",
        "--as-of",
        "2026-10-06",
        "--format",
        "csv",
    ];
    assert_eq!(run(&done), "noted,unchanged\n1,0\n");
    assert_eq!(run(&done), "noted,unchanged\n0,1\n");
    let now = run(&["joint", "visits", "q4"]);
    assert_eq!(
        now.lines()
            .filter(|line| line.ends_with(",2026-10-05"))
            .count(),
        1
    );
    fs::write(folder.join("rows.json"), "[{\"name\": \"food\"}]").unwrap();
    let mut wrong = risktier(folder);
    wrong.args(["joint", "preview", "rows.json"]).args(period);
    assert!(stderr(&mut wrong, 3).contains("unknown field `name`"));
}
