use std::fs;
use std::path::Path;

use super::{risktier, stderr, stdout};

fn register(folder: &Path) {
    stdout(
        risktier(folder).args(["bench-data", "--enterprises", "2000", "--out", "data"]),
        0,
    );
    stdout(
        risktier(folder).args(["import", "--as-of", "2026-09-30", "folder", "data"]),
        0,
    );
}

fn plan(folder: &Path, more: &[&str]) -> assert_cmd::Command {
    let mut command = risktier(folder);
    command
        .args([
            "plan",
            "--as-of",
            "2026-09-30",
            "--from",
            "2026-10-01",
            "--to",
            "2026-12-31",
        ])
        .args(more);
    command
}

fn verify(folder: &Path, transcript: &str, more: &[&str]) -> assert_cmd::Command {
    let mut command = risktier(folder);
    command
        .args([
            "verify",
            "--transcript",
            transcript,
            "--pool",
            "out/pool.tsv",
            "--sample",
            "out/sample.tsv",
        ])
        .args(more);
    command
}

#[test]
fn a_drawn_plan_verifies_and_every_change_is_named() {
    let folder = tempfile::tempdir().unwrap();
    register(folder.path());
    stdout(
        &mut plan(folder.path(), &["--visits", "100", "--out", "out"]),
        0,
    );
    for edition in [
        "transcript.json",
        "transcript.internal.json",
        "transcript.public.json",
    ] {
        stdout(
            &mut verify(folder.path(), &format!("out/{edition}"), &[]),
            0,
        );
    }

    let out = folder.path().join("out");
    let transcript = fs::read_to_string(out.join("transcript.json")).unwrap();
    let (pool, sample) = (
        fs::read(out.join("pool.tsv")).unwrap(),
        fs::read(out.join("sample.tsv")).unwrap(),
    );
    let parsed: serde_json::Value = serde_json::from_str(&transcript).unwrap();
    for (member, name) in [
        ("seed", "seed"),
        ("plan_digest", "plan_digest"),
        ("sample_digest", "sample_digest"),
        ("pool_secret", "pool_root"),
        ("rounding_v", "rounding_v"),
        ("plan_id", "plan_id"),
    ] {
        let mut changed = parsed.clone();
        changed[member] = match &parsed[member] {
            serde_json::Value::String(hex) => {
                let (kept, last) = hex.split_at(hex.len() - 1);
                format!("{kept}{}", if last == "0" { "1" } else { "0" }).into()
            }
            number => (number.as_u64().unwrap() ^ 1).into(),
        };
        fs::write(
            out.join("changed.json"),
            serde_json::to_string(&changed).unwrap(),
        )
        .unwrap();
        let told = stderr(&mut verify(folder.path(), "out/changed.json", &[]), 1);
        assert!(
            told.lines()
                .any(|line| line.starts_with("differs: ") && line.contains(name)),
            "{member}: {told}"
        );
    }

    let mut changed = pool.clone();
    changed[0] ^= 1;
    fs::write(out.join("pool.tsv"), changed).unwrap();
    assert!(
        stderr(&mut verify(folder.path(), "out/transcript.json", &[]), 1).contains("differs: pool")
    );
    fs::write(out.join("pool.tsv"), &pool).unwrap();
    let mut lines: Vec<&[u8]> = sample.split_inclusive(|byte| *byte == b'\n').collect();
    lines.swap(0, 1);
    fs::write(out.join("sample.tsv"), lines.concat()).unwrap();
    assert!(
        stderr(&mut verify(folder.path(), "out/transcript.json", &[]), 1)
            .contains("differs: sample")
    );
    fs::write(out.join("sample.tsv"), &sample).unwrap();

    // Beside its digest file, a transcript may not change in a single byte, its member `previous` included.
    let spaced = transcript.replacen("{", "{\"previous\":null,", 1);
    fs::write(out.join("transcript.json"), spaced).unwrap();
    let told = stderr(&mut verify(folder.path(), "out/transcript.json", &[]), 1);
    assert!(told.contains("differs: transcript_digest"), "{told}");
    fs::write(out.join("transcript.json"), &transcript).unwrap();

    let wrong = "0".repeat(64);
    let told = stderr(
        &mut verify(folder.path(), "out/transcript.json", &["--digest", &wrong]),
        1,
    );
    assert!(told.contains("differs: transcript_digest"), "{told}");
}

#[test]
fn a_stranger_verifies_with_plain_python() {
    let folder = tempfile::tempdir().unwrap();
    register(folder.path());
    stdout(
        &mut plan(
            folder.path(),
            &["--visits", "60", "--exploration", "0.1", "--out", "out"],
        ),
        0,
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier/verify_plan.py");
    let verdict = |transcript: &str| {
        let mut command = std::process::Command::new("python3");
        let output = command
            .arg(&script)
            .args([
                "--transcript",
                transcript,
                "--pool",
                "out/pool.tsv",
                "--sample",
                "out/sample.tsv",
            ])
            .current_dir(folder.path())
            .output()
            .unwrap();
        output.status.code()
    };
    assert_eq!(verdict("out/transcript.json"), Some(0));
    let path = folder.path().join("out/transcript.json");
    let changed =
        fs::read_to_string(&path)
            .unwrap()
            .replacen("\"explore_drawn\":", "\"explore_drawn\":1", 1);
    fs::write(&path, changed).unwrap();
    assert_eq!(verdict("out/transcript.json"), Some(1));
}

#[test]
fn impossible_plans_say_why() {
    let folder = tempfile::tempdir().unwrap();
    register(folder.path());
    let told = stderr(&mut plan(folder.path(), &["--visits", "5000"]), 3);
    assert!(
        told.contains("5000 visits are asked for, but the pool holds"),
        "{told}"
    );
    let told = stderr(&mut plan(folder.path(), &["--division", "110000"]), 3);
    assert!(told.contains("the pool is empty"), "{told}");
    let mut backwards = risktier(folder.path());
    backwards.args(["plan", "--from", "2026-12-31", "--to", "2026-10-01"]);
    assert!(stderr(&mut backwards, 3).contains("`period.to`: `2026-10-01` is before"));
}

#[test]
fn a_preview_draws_nothing_and_an_order_plan_takes_the_whole_pool() {
    let folder = tempfile::tempdir().unwrap();
    register(folder.path());
    let preview = stdout(
        &mut plan(folder.path(), &["--preview", "--format", "csv"]),
        0,
    );
    assert!(
        preview.starts_with("tier,complaint_band,objects,policy_rate_percent"),
        "{preview}"
    );
    let ordered = [
        "--order", "--tier", "D", "--class", "key", "--out", "out", "--format", "json",
    ];
    let drawn: serde_json::Value =
        serde_json::from_str(&stdout(&mut plan(folder.path(), &ordered), 0)).unwrap();
    assert_eq!(drawn["frozen"]["number"], 1, "a preview takes no number");
    assert_eq!(drawn["sample_size"], drawn["preview"]["pool_size"]);
    let sample = fs::read_to_string(folder.path().join("out/sample.tsv")).unwrap();
    assert!(
        sample
            .lines()
            .all(|line| line.split('\t').nth(1) == Some("ALL"))
    );
}

#[test]
fn no_edition_for_others_names_a_tier() {
    let folder = tempfile::tempdir().unwrap();
    register(folder.path());
    stdout(
        &mut plan(folder.path(), &["--visits", "50", "--out", "out"]),
        0,
    );
    for edition in ["transcript.json", "transcript.public.json", "plan.json"] {
        let text = fs::read_to_string(folder.path().join("out").join(edition)).unwrap();
        let text = text.replace("risktier", "");
        assert!(
            !text.contains("tier") && !text.contains("complaint_band"),
            "{edition}"
        );
    }
    let public = fs::read_to_string(folder.path().join("out/transcript.public.json")).unwrap();
    assert!(!public.contains("target") && !public.contains("stratum") && !public.contains("\"S0"));
}

#[test]
fn a_plan_is_not_drawn_where_its_files_cannot_go() {
    let folder = tempfile::tempdir().unwrap();
    register(folder.path());
    fs::write(folder.path().join("taken"), "a file").unwrap();

    let told = stderr(
        &mut plan(folder.path(), &["--visits", "9", "--out", "taken"]),
        3,
    );

    assert!(told.contains("taken"), "{told}");
    // The next plan is the first: the refused one took no number.
    let drawn = stdout(
        &mut plan(folder.path(), &["--visits", "9", "--format", "csv"]),
        0,
    );
    let row = drawn.lines().nth(1).unwrap();
    assert_eq!(row.split(',').nth(1), Some("1"), "{drawn}");
}

#[test]
fn a_transcript_is_verified_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    register(folder.path());
    stdout(
        &mut plan(folder.path(), &["--visits", "9", "--out", "out"]),
        0,
    );
    let transcript = fs::read(folder.path().join("out/transcript.json")).unwrap();

    let mut command = verify(folder.path(), "-", &[]);

    stdout(command.write_stdin(transcript), 0);
}

#[test]
fn what_no_replay_can_find_is_named_as_not_checked() {
    let folder = tempfile::tempdir().unwrap();
    register(folder.path());
    stdout(
        &mut plan(folder.path(), &["--visits", "9", "--out", "out"]),
        0,
    );
    let told = stderr(&mut verify(folder.path(), "out/transcript.json", &[]), 0);
    assert!(told.contains("everything recomputes"), "{told}");

    fs::remove_file(folder.path().join("out/transcript.json.sha256")).unwrap();

    for (edition, members) in [
        ("transcript.json", "not checked: previous"),
        ("transcript.internal.json", "not checked: previous, meaning"),
        (
            "transcript.public.json",
            "not checked: seed, plan_id, previous, plan_digest",
        ),
    ] {
        let path = format!("out/{edition}");
        let told = stderr(&mut verify(folder.path(), &path, &[]), 0);
        assert!(told.contains(members), "{edition}: {told}");
    }
}

#[test]
fn a_public_edition_without_a_commitment_is_refused_by_both_verifiers() {
    let folder = tempfile::tempdir().unwrap();
    register(folder.path());
    stdout(
        &mut plan(folder.path(), &["--visits", "9", "--out", "out"]),
        0,
    );
    let path = folder.path().join("out/transcript.public.json");
    let mut public: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    public["commitments"] = serde_json::json!([]);
    fs::write(&path, public.to_string()).unwrap();

    let told = stderr(
        &mut verify(folder.path(), "out/transcript.public.json", &[]),
        1,
    );

    assert!(told.contains("differs: commitments"), "{told}");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifier/verify_plan.py");
    let other = std::process::Command::new("python3")
        .args([script, "--transcript"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stdout).contains("assurance"));
}
