//! `risktier policy`: registered, listed, shown, brought into force.

use std::fs;
use std::path::Path;

use super::{risktier, stderr, stdout};

const POLICY: &str = include_str!("../../models/policy.toml");

fn policy(at: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = risktier(at);
    command.arg("policy").args(arguments);
    command
}

fn rows(at: &Path, arguments: &[&str]) -> Vec<serde_json::Value> {
    let mut command = policy(at, arguments);
    let text = stdout(command.args(["--format", "json"]), 0);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_policy_goes_from_a_file_into_force_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let faster = POLICY
        .replacen("version = 1", "version = 2", 1)
        .replacen("D = 0.50", "D = 0.70", 1);
    let stricter = POLICY.replacen("version = 1", "version = 3", 1).replacen(
        "indicator = \"SUP03\", at_least = 0.5",
        "indicator = \"SUP03\", at_least = 1",
        1,
    );
    fs::write(at.join("faster.toml"), &faster).unwrap();
    fs::write(at.join("stricter.toml"), &stricter).unwrap();
    fs::write(
        at.join("wrong.toml"),
        faster.replacen("D = 0.70", "D = 0.01", 1),
    )
    .unwrap();
    for file in ["faster.toml", "stricter.toml"] {
        let added = rows(at, &["add", file, "--by", "analyst-1", "--reason", "try"]);
        assert_eq!(added[0]["in_force"], false);
    }
    let wrong = stderr(
        &mut policy(at, &["add", "wrong.toml", "--by", "analyst-1"]),
        3,
    );
    assert!(wrong.contains("tier D"), "{wrong}");
    assert_eq!(rows(at, &["list"]).len(), 3);
    assert_eq!(
        stdout(&mut policy(at, &["show", "cn-general/2"]), 0).trim_end(),
        faster.trim_end()
    );

    let person = |name| ["--by", name, "--reason", "minutes"];
    let mut own = policy(at, &["activate", "cn-general/2"]);
    let refused = stderr(own.args(person("analyst-1")), 3);
    assert!(refused.contains("another person"), "{refused}");
    for version in ["cn-general/2", "cn-general/3", "cn-general/1"] {
        let mut activate = vec!["activate", version];
        activate.extend(person("head-2"));
        let row = rows(at, &activate).remove(0);
        assert_eq!(row["in_force"], true, "{version}");
        let text = stdout(&mut policy(at, &["show", "in-force"]), 0);
        let line = format!("version = {}", version.rsplit('/').next().unwrap());
        assert!(text.contains(&line), "{version}");
    }
    let history = rows(at, &["history"]);
    assert_eq!(history.len(), 6);
    assert_eq!(rows(at, &["history", "cn-general/3"]).len(), 2);
    let none = stderr(&mut policy(at, &["show", "nothing/1"]), 3);
    assert!(none.contains("does not exist"), "{none}");
}
