use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{risktier, stderr, stdout};

const FILES: [&str; 9] = [
    "tiers.csv",
    "frame.csv",
    "plan.json",
    "pool.tsv",
    "sample.tsv",
    "transcript.json",
    "transcript.json.sha256",
    "transcript.internal.json",
    "transcript.public.json",
];

fn demo(folder: &Path, out: &str, more: &[&str]) -> String {
    let mut command = risktier(folder);
    command
        .args([
            "demo",
            "--once",
            "--enterprises",
            "3000",
            "--visits",
            "200",
            "--out",
            out,
        ])
        .args(more);
    stdout(&mut command, 0)
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let first = demo(folder.path(), "first", &["--seed", "1"]);
    let second = demo(folder.path(), "second", &["--seed", "1"]);
    assert_eq!(
        first.replace("first", "out"),
        second.replace("second", "out")
    );
    for file in FILES {
        let bytes = |out: &str| fs::read(folder.path().join(out).join(file)).unwrap();
        assert_eq!(bytes("first"), bytes("second"), "{file}");
        assert!(!bytes("first").is_empty(), "{file}");
    }
    assert!(
        first.contains("insecure"),
        "a seeded plan must say that it proves nothing: {first}"
    );
}

#[test]
fn without_a_seed_the_secrets_differ_and_the_register_does_not() {
    let folder = tempfile::tempdir().unwrap();
    demo(folder.path(), "first", &[]);
    demo(folder.path(), "second", &[]);
    let bytes = |out: &str, file: &str| fs::read(folder.path().join(out).join(file)).unwrap();
    assert_eq!(bytes("first", "tiers.csv"), bytes("second", "tiers.csv"));
    assert_ne!(bytes("first", "sample.tsv"), bytes("second", "sample.tsv"));
}

#[test]
fn a_demo_on_the_same_folder_begins_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let first = demo(folder.path(), "out", &["--seed", "3"]);
    assert_eq!(first, demo(folder.path(), "out", &["--seed", "3"]));
}

#[test]
fn the_digest_of_the_plan_file_is_the_plan_digest() {
    let folder = tempfile::tempdir().unwrap();
    demo(folder.path(), "out", &[]);
    let read = |file: &str| fs::read(folder.path().join("out").join(file)).unwrap();
    let transcript: serde_json::Value = serde_json::from_slice(&read("transcript.json")).unwrap();
    let digest = risktier::domain::digest::HashAlgorithm::Sha256.hash(&[&read("plan.json")]);
    assert_eq!(transcript["plan_digest"], digest.to_string());
}

#[test]
fn the_tier_mix_of_the_made_up_register_lies_in_the_published_bands() {
    // Twenty thousand, as the demonstration makes by default: the bands of the four published mixes.
    let folder = tempfile::tempdir().unwrap();
    stdout(
        risktier(folder.path()).args(["bench-data", "--out", "data"]),
        0,
    );
    let mut classify = risktier(folder.path());
    classify.args([
        "classify",
        "--data",
        "data",
        "--as-of",
        "2026-09-30",
        "--format",
        "json",
    ]);
    let mix: Vec<serde_json::Value> = serde_json::from_str(&stdout(&mut classify, 0)).unwrap();
    let percent: BTreeMap<&str, f64> = mix
        .iter()
        .map(|row| {
            (
                row["tier"].as_str().unwrap(),
                row["percent"].as_f64().unwrap(),
            )
        })
        .collect();
    for (tier, least, most) in [
        ("A", 48.0, 74.0),
        ("B", 18.0, 42.0),
        ("C", 5.0, 8.0),
        ("D", 1.5, 3.5),
    ] {
        assert!(
            (least..=most).contains(&percent[tier]),
            "{tier}: {percent:?}"
        );
    }
}

#[test]
fn rates_never_fall_from_tier_to_tier_and_from_band_to_band() {
    let folder = tempfile::tempdir().unwrap();
    let shown = demo(folder.path(), "out", &["--seed", "1"]);
    let internal = fs::read(folder.path().join("out/transcript.internal.json")).unwrap();
    let internal: serde_json::Value = serde_json::from_slice(&internal).unwrap();
    let mut cells = Vec::new();
    for stratum in internal["plan"]["strata"].as_array().unwrap() {
        let meaning = &internal["strata_meaning"][stratum["key"].as_str().unwrap()];
        let per_object =
            stratum["target_ppb"].as_f64().unwrap() / stratum["pool"].as_f64().unwrap();
        let tier = meaning["tier"].as_str().unwrap().to_owned();
        cells.push((
            tier,
            meaning["rate"]["band_multiplier_milli"].as_u64().unwrap(),
            per_object,
        ));
    }
    assert!(cells.len() > 10, "{shown}");
    for (tier, band, rate) in &cells {
        assert!(*rate > 0.0, "nobody is exempt");
        for (other_tier, other_band, other_rate) in &cells {
            // Divisions of one tier and band may differ by the last parts per billion of an exact total.
            let riskier = (other_tier, other_band) != (tier, band)
                && other_tier >= tier
                && other_band >= band;
            if riskier {
                assert!(
                    other_rate >= rate,
                    "{other_tier} {other_band} {other_rate} below {tier} {band} {rate}"
                );
            }
        }
    }
}

#[test]
fn a_demo_that_serves_answers_on_loopback() {
    use std::io::{BufRead, BufReader, Read, Write};
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("risktier"));
    command
        .args([
            "demo",
            "--enterprises",
            "300",
            "--visits",
            "20",
            "--listen",
            "127.0.0.1:0",
        ])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let said = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("serving on http://"))
        .unwrap();
    let address = said
        .split("http://")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert!(said.contains("/docs/"), "{said}");
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_demo_never_empties_a_store_of_the_callers() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.db"), "precious").unwrap();
    let mut command = risktier(folder.path());
    command.args(["demo", "--once", "--store", "mine.db"]);
    let told = stderr(&mut command, 3);
    assert!(told.contains("`--store` does not go with demo"), "{told}");
    assert_eq!(
        fs::read_to_string(folder.path().join("mine.db")).unwrap(),
        "precious"
    );
}
