//! Check items, the ledger, policies tried, and plans on plain files, as a user runs them.

use std::fs;
use std::path::Path;

use risktier::files::{ColumnType, ExportWriter, Sink, Value};
use serde_json::Value as Json;

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

/// What was written to `out` replays to the byte.
fn verify_out(folder: &Path) {
    let arguments = [
        "verify",
        "--transcript",
        "out/transcript.json",
        "--pool",
        "out/pool.tsv",
        "--sample",
        "out/sample.tsv",
    ];
    stdout(risktier(folder).args(arguments), 0);
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
        verify_out(folder);
        assert!(!folder.join("risktier.db").exists());
    }
    let tsv = fs::read_to_string(folder.join("sample.tsv")).unwrap();
    assert_eq!(
        tsv,
        fs::read_to_string(folder.join("out/sample.tsv")).unwrap()
    );
    let csv = fs::read_to_string(folder.join("sample.csv")).unwrap();
    assert!(
        csv.starts_with(
            "enterprise_id,stratum,order,standing,reason,replaces,inclusion_probability,design_weight\n"
        ),
        "{csv}"
    );
    assert!(
        fs::read(folder.join("sample.parquet"))
            .unwrap()
            .starts_with(b"PAR1")
    );
    let lines = fs::read_to_string(folder.join("sample.ndjson")).unwrap();
    let first: Json = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
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
        serde_json::from_str::<Json>(&stdout(&mut plan(folder, &arguments), 0)).unwrap()
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
    let capped: Json = serde_json::from_str(&stdout(&mut plan(folder, capped), 0)).unwrap();
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

/// Acceptance test 8: order of rows, form of the file, line ends, byte order mark and number of threads change nothing.
#[test]
fn pool_and_targets_do_not_depend_on_order_or_form_of_the_frame() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    frame(folder);
    let csv = fs::read_to_string(folder.join("frame.csv")).unwrap();
    let (header, rows) = csv.split_once('\n').unwrap();
    let mut lines: Vec<&str> = rows.lines().collect();
    lines.reverse();
    lines.rotate_left(313);
    let shuffled = format!("{header}\n{}\n", lines.join("\n"));
    fs::write(folder.join("shuffled.csv"), &shuffled).unwrap();
    fs::write(folder.join("crlf.csv"), shuffled.replace('\n', "\r\n")).unwrap();
    fs::write(folder.join("bom.csv"), format!("\u{feff}{csv}")).unwrap();
    let parquet = Sink::create(&folder.join("frame.parquet"), None).unwrap();
    let columns = ["enterprise_id", "tier", "division"].map(|name| (name, ColumnType::Text));
    let mut parquet = ExportWriter::open(parquet, &columns).unwrap();
    for line in &lines {
        let cells: Vec<Value<'_>> = line.split(',').map(Value::Text).collect();
        parquet.row(&cells).unwrap();
    }
    parquet.finish().unwrap();
    let fixed = |form: &str| {
        let arguments = [
            "--frame",
            form,
            "--visits",
            "40",
            "--reserve",
            "0.5",
            "--out",
            "out",
        ];
        stdout(&mut plan(folder, &arguments), 0);
        let plan = fs::read_to_string(folder.join("out/plan.json")).unwrap();
        let mut plan: Json = serde_json::from_str(&plan).unwrap();
        // What is random of every plan.
        for random in ["nonce", "contributions", "pool_root"] {
            plan.as_object_mut().unwrap().remove(random).unwrap();
        }
        (plan, fs::read(folder.join("out/pool.tsv")).unwrap())
    };
    let expected = fixed("frame.csv");
    for form in [
        "frame.ndjson",
        "shuffled.csv",
        "crlf.csv",
        "bom.csv",
        "frame.parquet",
    ] {
        assert_eq!(fixed(form), expected, "{form}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn one_thread_replays_what_many_have_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // More objects than one thread takes at once of anything.
    let mut csv = String::from("enterprise_id,tier,division\n");
    for number in 0..70_000 {
        let tier = ["A", "A", "B", "A", "C", "B", "D"][number % 7];
        csv.push_str(&format!("E{number:07},{tier},99{:04}\n", number % 11 * 101));
    }
    fs::write(folder.join("large.csv"), csv).unwrap();
    for more in [
        &["--method", "equal"][..],
        &["--method", "pareto"],
        &["--order"],
    ] {
        let mut arguments = vec!["--frame", "large.csv", "--out", "out"];
        arguments.extend(more);
        stdout(&mut plan(folder, &arguments), 0);

        let mut one = assert_cmd::Command::new("taskset");
        one.current_dir(folder)
            .args(["-c", "0"])
            .arg(env!("CARGO_BIN_EXE_risktier"))
            .args([
                "verify",
                "--transcript",
                "out/transcript.json",
                "--pool",
                "out/pool.tsv",
            ])
            .args(["--sample", "out/sample.tsv"]);
        stdout(&mut one, 0);
    }
}

#[test]
fn strata_are_as_coarse_as_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    frame(folder);
    let strata = |by: &[&str]| {
        let mut arguments = vec![
            "--frame",
            "frame.csv",
            "--visits",
            "40",
            "--preview",
            "--format",
            "json",
        ];
        arguments.extend(by);
        let preview: Json =
            serde_json::from_str(&stdout(&mut plan(folder, &arguments), 0)).unwrap();
        let told = preview["strata"].as_array().unwrap().iter().map(|stratum| {
            let meaning = &stratum["meaning"];
            (
                meaning["tier"].as_str().unwrap().to_owned(),
                meaning["division"].as_str().unwrap().to_owned(),
            )
        });
        (told.collect::<Vec<_>>(), preview["divisions"].clone())
    };
    let (by_division, load) = strata(&[]);
    // All of tier D lie in one of the two divisions.
    assert_eq!(by_division.len(), 7);
    assert_eq!(strata(&["--strata-by", "division"]).0, by_division);
    assert_eq!(load.as_object().unwrap().len(), 2);
    for (by, division) in [
        ("none", ""),
        ("province", "990000"),
        ("province,kind", "990000"),
    ] {
        let (coarse, load) = strata(&["--strata-by", by]);
        let tiers = ["A", "B", "C", "D"].map(|tier| (tier.to_owned(), division.to_owned()));
        assert_eq!(coarse, tiers, "{by}");
        // The load is told by division all the same.
        assert_eq!(load.as_object().unwrap().len(), 2);
    }
    for wrong in ["county", "city,province", "kind,kind", ""] {
        let arguments = ["--frame", "frame.csv", "--preview", "--strata-by", wrong];
        let told = stderr(&mut plan(folder, &arguments), 2);
        assert!(told.contains("--strata-by"), "{told}");
    }
    let below = [
        "--frame",
        "frame.csv",
        "--preview",
        "--strata-by",
        "city",
        "--stratum",
        "division=990101,least=1",
    ];
    let told = stderr(&mut plan(folder, &below), 3);
    assert!(told.contains("below the level of the strata"), "{told}");

    // What strata are of stands in the plan that strangers verify.
    let coarse = [
        "--frame",
        "frame.csv",
        "--visits",
        "40",
        "--strata-by",
        "none",
        "--out",
        "out",
    ];
    stdout(&mut plan(folder, &coarse), 0);
    let transcript = fs::read_to_string(folder.join("out/transcript.json")).unwrap();
    let transcript: Json = serde_json::from_str(&transcript).unwrap();
    assert_eq!(
        transcript["plan"]["filter"],
        serde_json::json!({"strata_by": []})
    );
    assert_eq!(transcript["plan"]["strata"].as_array().unwrap().len(), 4);
    verify_out(folder);
}

#[test]
fn a_plan_from_a_frame_file_keeps_clear_of_a_ledger_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    frame(folder);
    let mut ledger = String::from("enterprise_id,kind,state,from_on,until_on,visited_on\n");
    for number in 0..100 {
        ledger.push_str(&format!(
            "E{number:04},general,planned,2027-03-01,2027-03-31,\n"
        ));
    }
    // None of these binds: another kind, given up, and a year before.
    ledger.push_str("E0100,key,planned,2027-03-01,2027-03-31,\n");
    ledger.push_str("E0101,general,void,2027-03-01,2027-03-31,\n");
    ledger.push_str("E0107,general,done,,,2025-03-01\n");
    fs::write(folder.join("ledger.csv"), ledger).unwrap();
    let preview = |more: &[&str]| {
        let mut arguments = vec![
            "--frame",
            "frame.csv",
            "--visits",
            "40",
            "--preview",
            "--format",
            "json",
        ];
        arguments.extend(more);
        plan(folder, &arguments)
    };

    let without = stderr(&mut preview(&[]), 0);
    let free: Json = serde_json::from_str(&stdout(&mut preview(&[]), 0)).unwrap();
    let bound: Json =
        serde_json::from_str(&stdout(&mut preview(&["--ledger", "ledger.csv"]), 0)).unwrap();

    assert!(without.contains("has no ledger"), "{without}");
    assert_eq!(free["pool_size"], 1_000);
    // Tiers A and B have one visit a year; C two, 120 days apart, and D four, 60 days apart, have room left in the year.
    let excluded = bound["excluded"].as_array().unwrap();
    assert_eq!(excluded.len(), 1);
    assert_eq!(
        (
            excluded[0]["reason"].as_str(),
            excluded[0]["count"].as_u64()
        ),
        (Some("cap_reached"), Some(85))
    );
    assert_eq!(bound["pool_size"], 915);
    for (file, told) in [
        ("enterprise_id,from_on\nE1,2027-01-01\n", "until_on"),
        (
            "enterprise_id,from_on,until_on\nE1,2027-01-01,2027-02-30\n",
            "line 2",
        ),
        (
            "enterprise_id,from_on,until_on\nE1,2027-03-01,2027-02-01\n",
            "is before",
        ),
        (
            "enterprise_id,from_on,until_on,kind\nE1,2027-01-01,2027-02-01,big\n",
            "kind",
        ),
    ] {
        fs::write(folder.join("bad.csv"), file).unwrap();
        let said = stderr(&mut preview(&["--ledger", "bad.csv"]), 3);
        assert!(said.contains("bad.csv") && said.contains(told), "{said}");
    }
}

#[test]
fn a_plan_from_a_frame_file_names_the_model_of_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    frame(folder);
    let model = "ab".repeat(32);
    let model_of = |more: &[&str]| {
        let mut arguments = vec!["--frame", "frame.csv", "--visits", "20", "--out", "out"];
        arguments.extend(more);
        stdout(&mut plan(folder, &arguments), 0);
        let plan = fs::read_to_string(folder.join("out/plan.json")).unwrap();
        let plan: Json = serde_json::from_str(&plan).unwrap();
        (
            plan["model_digest"].clone(),
            plan["frame_digest"].as_str().unwrap().to_owned(),
        )
    };
    let (unknown, digest) = model_of(&[]);
    assert_eq!(unknown, "00".repeat(32));
    let manifest = |text: String| {
        fs::write(folder.join("manifest.json"), text).unwrap();
        ["--frame-manifest", "manifest.json"]
    };

    let said = manifest(format!(
        "{{\"model_digest\": \"{model}\", \"frame_digest\": \"{digest}\", \"as_of\": \"2026-11-20\", \"number\": 7}}"
    ));

    assert_eq!(model_of(&said).0, model);
    let mut other = vec!["--frame", "frame.ndjson", "--preview"];
    let said = manifest(format!(
        "{{\"model_digest\": \"{model}\", \"frame_digest\": \"{model}\"}}"
    ));
    other.extend(said);
    let told = stderr(&mut plan(folder, &other), 3);
    assert!(
        told.contains("frame_digest") && told.contains(&digest),
        "{told}"
    );
    manifest("{\"epoch\": \"1\"}".to_owned());
    let told = stderr(&mut plan(folder, &other), 3);
    assert!(told.contains("model_digest"), "{told}");
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
    let told: Json = serde_json::from_str(&simulate(&["--format", "json"], 0)).unwrap();
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
fn a_frame_file_is_planned_by_precision() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    frame(folder);
    let asked = |more: &[&str]| {
        let mut arguments = vec!["--frame", "frame.csv"];
        for rule in [
            "tier=A,problem=0.02",
            "tier=B,problem=0.1",
            "tier=C,problem=0.3",
            "tier=D,problem=0.5,share.unlicensed=0.2",
        ] {
            arguments.extend(["--stratum", rule]);
        }
        arguments.extend(more);
        plan(folder, &arguments)
    };
    let bounds = [
        "--precision",
        "cv=0.2",
        "--precision",
        "cv=0.8,each=tier",
        "--precision",
        "cv=0.9,of=unlicensed,tier=D",
    ];
    let preview = stdout(asked(&bounds).args(["--preview", "--format", "json"]), 0);
    let preview: Json = serde_json::from_str(&preview).unwrap();
    let told = preview["precision"]["bounds"].as_array().unwrap();
    assert!(told.len() >= 3);
    for bound in told {
        let (most, expected) = (
            bound["most_cv"].as_f64().unwrap(),
            bound["expected_cv"].as_f64().unwrap(),
        );
        assert!(expected <= most * (1.0 + 1e-9), "{bound}");
    }
    let words = stderr(asked(&bounds).arg("--preview"), 0);
    assert!(
        words.contains("precision: problems over the whole plan: coefficient of variation")
            && words.contains("unlicensed over tier D"),
        "{words}"
    );
    stdout(asked(&bounds).args(["--out", "out"]), 0);
    verify_out(folder);
    for (wrong, part) in [
        ("cv=0", "0.0001 to 10"),
        ("each=tier", "cv=0.1"),
        ("cv=0.1,street=x", "is not one of"),
        ("cv=0.1,kind=branch", "strata_by"),
        ("cv=0.1,of=unlicensed", "has no share in stratum"),
    ] {
        let mut command = asked(&["--precision", wrong, "--preview"]);
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && told.contains(part),
            "{wrong}: {told}"
        );
    }
    let far = stderr(
        &mut asked(&["--precision", "cv=0.01", "--stratum", "most=1", "--preview"]),
        3,
    );
    assert!(far.contains("cannot be held to 1.00 %"), "{far}");
    stderr(
        &mut asked(&["--precision", "cv=0.2", "--visits", "9", "--preview"]),
        2,
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
    let list: Json = serde_json::from_str(&list).unwrap();
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
    let drawn: Json = serde_json::from_str(&drawn).unwrap();
    let ledger = stdout(
        risktier(folder).args(["ledger", "list", "--kind", "general", "--format", "json"]),
        0,
    );
    let ledger: Json = serde_json::from_str(&ledger).unwrap();
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
    let summary: Json = serde_json::from_str(&summary).unwrap();
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
