//! Every plan of these tests is verified by strangers: our verifier and the one in plain Python.

use std::fs;
use std::path::Path;
use std::process::Command;

use risktier::sampling::verification::{VerifyInput, verify};
use risktier::service::{Edition, Service};

/// Both verifiers find no difference in any edition of a closed plan.
pub fn assert_both_accept(service: &Service, plan_id: &str, group: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let pool = service.pool_file(plan_id).unwrap();
    let sample = service.sample_file(plan_id).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let (pool_path, sample_path) = (write("pool.tsv", &pool), write("sample.tsv", &sample));
    for edition in [Edition::Auditor, Edition::Internal, Edition::Public] {
        let transcript = service.transcript(plan_id, edition).unwrap();
        let ours = verify(VerifyInput {
            transcript: &transcript,
            pool: Some(pool.clone()),
            sample: Some(&sample),
            expected_digest: None,
            group,
        })
        .unwrap();
        assert!(ours.is_same(), "{edition:?}: {:?}", ours.checks);
        let mut python = Command::new("python3");
        python
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier/verify_plan.py"))
            .arg("--transcript")
            .arg(write("transcript.json", &transcript))
            .arg("--pool")
            .arg(&pool_path)
            .arg("--sample")
            .arg(&sample_path);
        if let Some(group) = group {
            python.args(["--group", group]);
        }
        let output = python.output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{edition:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
