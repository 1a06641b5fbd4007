//! The plain-Python verifier agrees with ours on every case and on tampered ones.

use std::fs;
use std::path::Path;
use std::process::Command;

use risktier::domain::digest::HashAlgorithm;
use risktier::domain::rng::SeededRng;
use risktier::sampling::merkle::pool_root;
use risktier::sampling::plan::PPB;
use risktier::sampling::pool::{PoolBuilder, StratumKey};
use risktier::sampling::sizes::largest_remainder;
use risktier::sampling::verification::{VerifyInput, verify};
use serde_json::{Value, json};

use crate::draw::rehash;
use crate::vectors::{Drawn, Vectors};

/// One set of files to verify.
#[derive(Clone)]
struct Files {
    transcript: Vec<u8>,
    pool: Vec<u8>,
    sample: Vec<u8>,
}

impl Files {
    fn auditor(drawn: &Drawn) -> Self {
        Self {
            transcript: drawn.record().auditor().to_bytes().unwrap(),
            pool: drawn.pool.file_bytes().to_vec(),
            sample: drawn.outcome.sample_tsv.clone(),
        }
    }

    /// The same files with the transcript's member at a pointer changed, in canonical form.
    fn with(&self, pointer: &str, edit: impl FnOnce(&mut Value)) -> Self {
        let mut value: Value = serde_json::from_slice(&self.transcript).unwrap();
        edit(
            value
                .pointer_mut(pointer)
                .unwrap_or_else(|| panic!("no {pointer}")),
        );
        let transcript = risktier::domain::canonical::canonical_bytes(&value).unwrap();
        Self {
            transcript,
            ..self.clone()
        }
    }

    /// 0: same, 1: differs, 2: could not run; by our verifier, with the names of the differences.
    fn ours(&self) -> (i32, Vec<String>) {
        let input = VerifyInput {
            transcript: &self.transcript,
            pool: Some(self.pool.clone()),
            sample: Some(&self.sample),
            ..VerifyInput::default()
        };
        match verify(input) {
            Err(error) => (2, vec![error.to_string()]),
            Ok(verification) => {
                let names: Vec<String> = verification
                    .differences()
                    .map(|check| check.name.clone())
                    .collect();
                (i32::from(!names.is_empty()), names)
            }
        }
    }

    fn python(&self) -> (i32, String) {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let output = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier/verify_plan.py"))
            .arg("--transcript")
            .arg(write("transcript.json", &self.transcript))
            .arg("--pool")
            .arg(write("pool.tsv", &self.pool))
            .arg("--sample")
            .arg(write("sample.tsv", &self.sample))
            .output()
            .unwrap();
        let said =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    }

    fn assert_both_say(&self, what: &str, expected: i32) {
        let (ours, names) = self.ours();
        let (python, said) = self.python();
        assert_eq!(
            (ours, python),
            (expected, expected),
            "{what}: ours {names:?}, python {said}"
        );
    }
}

fn change(value: &mut Value) {
    match value {
        Value::String(text) if text.parse::<risktier::domain::digest::Digest>().is_ok() => {
            let last = if text.pop() == Some('0') { '1' } else { '0' };
            text.push(last);
        }
        Value::String(text) => text.push('x'),
        Value::Bool(flag) => *flag = !*flag,
        Value::Number(number) => *value = (number.as_u64().unwrap() + 1).into(),
        Value::Null | Value::Array(_) | Value::Object(_) => panic!("not a leaf"),
    }
}

fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, v)| leaves(v, &format!("{path}/{name}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, v)| leaves(v, &format!("{path}/{i}"), found)),
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn both_verifiers_accept_every_case_in_every_edition() {
    let vectors = Vectors::load();
    for (name, case) in vectors.cases() {
        let drawn = Drawn::of_case(&vectors, &case);
        let auditor = Files::auditor(&drawn);

        auditor.assert_both_say(&name, 0);

        let meaning = drawn
            .plan
            .strata()
            .iter()
            .map(|s| (s.key.clone(), serde_json::json!({"tier": "D"})))
            .collect();
        let reasons = [(
            "cap_reached".to_owned(),
            serde_json::json!("over the yearly cap"),
        )]
        .into();
        let internal = drawn
            .record()
            .internal(meaning, reasons)
            .to_bytes()
            .unwrap();
        Files {
            transcript: internal,
            ..auditor.clone()
        }
        .assert_both_say(&format!("{name} internal"), 0);

        let public = drawn.record().public(&drawn.pool).to_bytes().unwrap();
        Files {
            transcript: public,
            ..auditor
        }
        .assert_both_say(&format!("{name} public"), 0);
    }
}

#[test]
fn both_verifiers_accept_sm3_and_a_public_seed() {
    let vectors = Vectors::load();
    let mut plan = vectors.get("/cases/pareto_whole/plan");
    rehash(&mut plan, &vectors, HashAlgorithm::Sm3);
    plan.public_seed = true;
    let drawn = Drawn::new(&vectors, plan);
    let auditor = Files::auditor(&drawn);
    let public = Files {
        transcript: drawn.record().public(&drawn.pool).to_bytes().unwrap(),
        ..auditor.clone()
    };

    auditor.assert_both_say("sm3", 0);
    public.assert_both_say("sm3 public", 0);
    public
        .with("/seed", change)
        .assert_both_say("sm3 public seed", 1);
    public
        .with("/selected/3/blind", change)
        .assert_both_say("sm3 public blind", 1);
    public
        .with("/contributions/1/value", change)
        .assert_both_say("sm3 public value", 1);
}

#[test]
fn both_verifiers_find_every_changed_leaf_of_a_transcript() {
    let vectors = Vectors::load();
    let case = &vectors.cases()["equal_with_exploration"];
    let files = Files::auditor(&Drawn::of_case(&vectors, case));
    let mut pointers = Vec::new();
    leaves(
        &serde_json::from_slice(&files.transcript).unwrap(),
        "",
        &mut pointers,
    );
    assert!(pointers.len() > 50);

    for pointer in pointers {
        let expected = if ["/plan_id", "/previous"].contains(&pointer.as_str()) {
            0
        } else {
            1
        };
        files
            .with(&pointer, change)
            .assert_both_say(&pointer, expected);
    }
}

#[test]
fn both_verifiers_find_changed_files_and_shapes_in_every_case() {
    let vectors = Vectors::load();
    for (name, case) in vectors.cases() {
        let files = Files::auditor(&Drawn::of_case(&vectors, &case));
        let mut pool = files.clone();
        pool.pool[3] ^= 1;
        let mut sample = files.clone();
        let last = sample.sample.len() - 2;
        sample.sample[last] ^= 1;
        let mut cut = files.clone();
        cut.sample.pop();
        let mut spaced = files.clone();
        spaced.transcript.push(b'\n');

        pool.assert_both_say(&format!("{name} pool"), 1);
        sample.assert_both_say(&format!("{name} sample"), 1);
        cut.assert_both_say(&format!("{name} cut"), 1);
        spaced.assert_both_say(&format!("{name} spaced"), 1);
        let set = |new: Value| move |value: &mut Value| *value = new;
        files
            .with("/format", set("risktier-transcript/2".into()))
            .assert_both_say(&format!("{name} newer"), 2);
        files
            .with("/edition", set("public".into()))
            .assert_both_say(&format!("{name} edition"), 1);
        files
            .with("/seed", set(7.into()))
            .assert_both_say(&format!("{name} type"), 1);
        files
            .with("", |t| t["extra"] = 1.into())
            .assert_both_say(&format!("{name} unknown"), 1);
        files
            .with("/plan", |p| p["group"] = Value::Null)
            .assert_both_say(&format!("{name} null"), 1);
        files
            .with("", |t| _ = t.as_object_mut().unwrap().remove("drawn"))
            .assert_both_say(&format!("{name} missing"), 1);
    }
}

#[test]
fn both_verifiers_agree_on_larger_draws() {
    let vectors = Vectors::load();
    let mut rng = SeededRng::new(7, "larger draws");
    for (method, rounding, objects) in [
        ("pareto", "largest_remainder", 4_000),
        ("equal", "systematic", 100_000),
    ] {
        let mut builder = PoolBuilder::new();
        for number in 0..objects {
            let key = StratumKey::new(format!("S{}", rng.below(6) * rng.below(6))).unwrap();
            let bits = 1 + rng.below(31);
            let size = 1 + rng.below(1 << bits);
            builder
                .push(&format!("9{number:05}"), &key, u32::try_from(size).unwrap())
                .unwrap();
        }
        let pool = builder.build().unwrap();
        let targets: Vec<u64> = pool
            .strata()
            .iter()
            .map(|(_, n)| rng.below(u64::from(*n) * PPB))
            .collect();
        let targets = if method == "pareto" {
            largest_remainder(&targets)
        } else {
            targets
        };
        let stratum = |((key, count), target): (&(StratumKey, u32), u64)| json!({"key": key, "pool": count, "target_ppb": target, "reserve": 5});
        let strata: Vec<Value> = pool.strata().iter().zip(targets).map(stratum).collect();
        let mut plan: Value = vectors.get("/cases/pareto_whole/plan");
        plan["method"] = method.into();
        plan["rounding"] = rounding.into();
        plan["strata"] = strata.into();
        plan["exploration_n"] = 200.into();
        plan["pool_size"] = pool.len().into();
        plan["pool_digest"] = json!(pool.digest(HashAlgorithm::Sha256));
        plan["pool_root"] = json!(pool_root(
            HashAlgorithm::Sha256,
            &vectors.pool_secret(),
            &pool
        ));

        let drawn = Drawn::with_pool(&vectors, serde_json::from_value(plan).unwrap(), pool);

        assert!(drawn.outcome.lines.len() > 1000);
        Files::auditor(&drawn).assert_both_say(method, 0);
    }
}

#[test]
fn the_python_verifier_says_when_it_cannot_run() {
    let vectors = Vectors::load();
    let drawn = Drawn::of_case(&vectors, &vectors.cases()["order_only"]);
    let directory = tempfile::tempdir().unwrap();
    let transcript = directory.path().join("transcript.json");
    fs::write(&transcript, drawn.record().auditor().to_bytes().unwrap()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier/verify_plan.py");
    let run = |arguments: &[&Path]| {
        Command::new("python3")
            .arg(&script)
            .args(arguments)
            .output()
            .unwrap()
    };

    let option = Path::new("--transcript");
    let no_transcript = run(&[]);
    let no_pool = run(&[option, &transcript]);
    let no_such_file = run(&[option, &directory.path().join("none.json")]);

    for output in [no_transcript, no_pool, no_such_file] {
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn the_python_verifier_fits_an_auditors_patience() {
    let script = include_str!("../verifier/verify_plan.py");

    assert!(script.lines().count() < 150);
    assert!(script.lines().all(|line| line.len() <= 120));
}
