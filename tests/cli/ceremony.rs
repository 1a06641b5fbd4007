//! The ceremony on the command line: steps, groups, extensions, replacements, proofs, the chain.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{risktier, stderr, stdout};

fn register(folder: &Path) {
    let data = ["bench-data", "--enterprises", "2000", "--out", "data"];
    stdout(risktier(folder).args(data), 0);
    let import = ["import", "--as-of", "2026-09-30", "folder", "data"];
    stdout(risktier(folder).args(import), 0);
}

/// `risktier plan` with what every plan here has, as JSON.
fn planned(folder: &Path, more: &[&str]) -> Value {
    let mut command = risktier(folder);
    command
        .args(["plan", "--as-of", "2026-09-30", "--from", "2026-10-01"])
        .args(["--to", "2026-12-31", "--format", "json"])
        .args(more);
    serde_json::from_str(&stdout(&mut command, 0)).unwrap()
}

fn id(plan: &Value) -> String {
    plan["plan_id"].as_str().unwrap().to_owned()
}

fn ceremony(folder: &Path, more: &[&str], code: i32) -> String {
    let mut command = risktier(folder);
    command.arg("ceremony").args(more);
    stdout(&mut command, code)
}

fn json(folder: &Path, more: &[&str]) -> Value {
    let more: Vec<&str> = more.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&ceremony(folder, &more, 0)).unwrap()
}

#[test]
fn a_plan_goes_step_by_step_and_its_files_verify() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    register(folder);
    let lottery = "lottery=winning numbers of 2026-12-01, rising";
    let draft = planned(
        folder,
        &[
            "--visits", "50", "--method", "pareto", "--public", lottery, "--draft",
        ],
    );
    assert_eq!(draft["state"], "draft");
    assert_eq!(draft["request"]["rounding"], "largest_remainder");
    let plan = id(&draft);

    assert_eq!(json(folder, &["freeze", &plan])[0]["state"], "frozen");
    let refused = stderr(risktier(folder).args(["ceremony", "draw", &plan]), 3);
    assert!(refused.contains("`lottery` is missing"), "{refused}");
    let opened = "lottery=003,8,15";
    assert_eq!(
        json(folder, &["draw", &plan, "--contribution", opened])[0]["state"],
        "drawn"
    );
    let late = stderr(
        risktier(folder).args(["ceremony", "draw", &plan, "--contribution", opened]),
        3,
    );
    assert!(late.contains("is drawn"), "{late}");
    ceremony(folder, &["close", &plan, "--out", "chain/1"], 0);
    let transcript: Value =
        serde_json::from_slice(&fs::read(folder.join("chain/1/transcript.json")).unwrap()).unwrap();
    assert_eq!(transcript["contributions"][0]["value"], "003,8,15");
    assert_eq!(transcript["assurance"], "public");

    // An extension, drawn at once, goes into the same chain.
    let more = planned(
        folder,
        &["--visits", "20", "--extends", &plan, "--out", "chain/2"],
    );
    assert_eq!(more["preview"]["excluded"][0]["reason"], "drawn_before");
    let head = more["transcript_digest"].as_str().unwrap();
    let chain = ["verify", "--chain", "chain", "--digest", head];
    let told = stderr(risktier(folder).args(chain), 0);
    assert!(told.contains("verified: everything"), "{told}");
    ceremony(folder, &["verify-chain"], 0);

    // One taken away, or one changed, and the chain is broken by name.
    let kept = fs::read(folder.join("chain/1/transcript.json")).unwrap();
    fs::remove_file(folder.join("chain/1/transcript.json")).unwrap();
    let told = stderr(risktier(folder).args(chain), 1);
    assert!(
        told.contains("chain/2/transcript.json:previous")
            || told.contains("2/transcript.json:previous"),
        "{told}"
    );
    let bent = String::from_utf8(kept)
        .unwrap()
        .replacen("003,8,15", "003,8,16", 1);
    fs::write(folder.join("chain/1/transcript.json"), bent).unwrap();
    let told = stderr(risktier(folder).args(chain), 1);
    assert!(told.contains("1/transcript.json:seed"), "{told}");
    let newer = r#"{"edition":"auditor","format":"risktier-transcript/2"}"#;
    fs::write(folder.join("chain/1/transcript.json"), newer).unwrap();
    let told = stderr(risktier(folder).args(chain), 3);
    assert!(told.contains("too new"), "{told}");
    let empty = stderr(risktier(folder).args(["verify", "--chain", "data"]), 3);
    assert!(empty.contains("no auditor edition"), "{empty}");
}

#[test]
fn plans_of_a_group_are_drawn_from_the_same_tickets() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    register(folder);
    let group = |more: &[&str], code| {
        let mut command = risktier(folder);
        command.arg("group").args(more);
        if code == 0 {
            stdout(&mut command, 0)
        } else {
            stderr(&mut command, code)
        }
    };
    group(
        &[
            "make",
            "2026-q4",
            "--title",
            "joint checks",
            "--hash",
            "sm3",
        ],
        0,
    );
    let mut plans = Vec::new();
    for visits in ["15", "40"] {
        let more = [
            "--visits",
            visits,
            "--tier",
            "A",
            // An explored object may be one that its stratum has drawn: then the whole is smaller by it.
            "--exploration",
            "0",
            "--largest-remainder",
            "--hash",
            "sm3",
            "--group",
            "2026-q4",
            "--draft",
        ];
        let plan = id(&planned(folder, &more));
        ceremony(folder, &["freeze", &plan], 0);
        plans.push(plan);
    }
    let early = stderr(risktier(folder).args(["ceremony", "draw", &plans[0]]), 3);
    assert!(early.contains("is forming"), "{early}");
    let history = ceremony(folder, &["history", &plans[0]], 0);
    assert!(
        history.contains("refused") && history.contains("is forming"),
        "{history}"
    );
    assert!(group(&["open", "2026-q4"], 3).contains("needs it to be sealed"));
    let history = group(&["history", "2026-q4", "--format", "json"], 0);
    let history: Value = serde_json::from_str(&history).unwrap();
    assert_eq!(
        (&history[1]["step"], &history[1]["refused"]),
        (&"open".into(), &true.into())
    );
    group(&["seal", "2026-q4", "--by", "officer-17"], 0);
    group(&["open", "2026-q4"], 0);
    let mut samples = Vec::new();
    for (plan, out) in plans.iter().zip(["few", "many"]) {
        ceremony(folder, &["draw", plan], 0);
        ceremony(folder, &["close", plan, "--out", out], 0);
        let file = |name: &str| format!("{out}/{name}");
        let verify = [
            "verify",
            "--transcript",
            &file("transcript.public.json"),
            "--group",
            "2026-q4",
        ];
        stdout(risktier(folder).args(verify), 0);
        let sample = fs::read_to_string(folder.join(file("sample.tsv"))).unwrap();
        let ids: Vec<String> = sample
            .lines()
            .map(|line| line.split('\t').next().unwrap().to_owned())
            .collect();
        samples.push(ids);
    }
    assert_eq!((samples[0].len(), samples[1].len()), (15, 40));
    let shared = samples[0]
        .iter()
        .filter(|id| samples[1].contains(id))
        .count();
    assert!(shared >= 12, "{shared} of 15 in common");
    let shown: Value = serde_json::from_str(&group(&["list", "--format", "json"], 0)).unwrap();
    assert_eq!(shown[0]["state"], "opened");
    assert_eq!(shown[0]["plans"].as_array().unwrap().len(), 2);
}

#[test]
fn an_enterprise_is_replaced_and_shown_its_membership() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    register(folder);
    let plan = planned(
        folder,
        &["--visits", "60", "--reserve", "1", "--out", "out"],
    );
    let root = plan["frozen"]["pool_root"].as_str().unwrap().to_owned();
    let plan = id(&plan);
    let sample = fs::read_to_string(folder.join("out/sample.tsv")).unwrap();
    let first = sample.split('\t').next().unwrap();

    let replaced = json(
        folder,
        &[
            "replace",
            &plan,
            first,
            "--reason",
            "ceased",
            "--by",
            "officer-17",
        ],
    );
    assert_eq!(
        (&replaced[0]["number"], &replaced[0]["by"]),
        (&1.into(), &"officer-17".into())
    );
    let again = [
        "ceremony",
        "replace",
        &plan,
        first,
        "--reason",
        "ceased",
        "--by",
        "officer-17",
    ];
    assert!(stderr(risktier(folder).args(again), 3).contains("is replaced already"));
    let other = [
        "ceremony",
        "replace",
        &plan,
        first,
        "--reason",
        "other",
        "--by",
        "officer-17",
    ];
    assert!(stderr(risktier(folder).args(other), 3).contains("note"));
    assert_eq!(json(folder, &["replacements", &plan]), replaced);
    // The sample as it stands now, with its weights; as TSV what was drawn.
    let csv = ceremony(folder, &["sample", &plan], 0);
    assert!(csv.contains(&format!("\n{first},")) && csv.contains(",replaced,ceased,"));
    assert!(
        csv.lines()
            .next()
            .unwrap()
            .ends_with(",inclusion_probability,design_weight")
    );
    ceremony(folder, &["sample", &plan, "--out", "now.tsv"], 0);
    assert_eq!(fs::read_to_string(folder.join("now.tsv")).unwrap(), sample);
    ceremony(folder, &["sample", &plan, "--out", "now.parquet"], 0);
    assert!(
        fs::read(folder.join("now.parquet"))
            .unwrap()
            .starts_with(b"PAR1")
    );

    let proof = ceremony(folder, &["membership", &plan, first, "--own-row"], 0);
    fs::write(folder.join("proof.json"), &proof).unwrap();
    let verify = ["verify", "--membership", "proof.json", "--digest", &root];
    stdout(risktier(folder).args(verify), 0);
    let bent = proof.replacen("\"size\": 1", "\"size\": 2", 1);
    assert_ne!(bent, proof);
    fs::write(folder.join("proof.json"), &bent).unwrap();
    assert!(stderr(risktier(folder).args(verify), 1).contains("differs: own_row"));
}
