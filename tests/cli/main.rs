//! The command line, run as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

#[path = "../support/postgres_server.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod postgres_server;

mod calendar;
mod ceremony;
mod database;
mod demo;
mod evaluate;
mod files;
mod judge_trained;
mod life;
mod models;
mod plan_files;
mod plans;
mod policies;
mod sample;
mod serving;
mod train;
mod train_faults;

use assert_cmd::Command;
use std::path::Path;

/// The binary with nothing of the caller's settings.
pub fn risktier(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("risktier").unwrap();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RISKTIER_")) {
        command.env_remove(name);
    }
    command.current_dir(folder);
    command
}

/// Standard output of a run that must end with `code`.
pub fn stdout(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout: {out}\nstderr: {err}"
    );
    out
}

/// Standard error of a run that must end with `code`.
pub fn stderr(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout: {out}\nstderr: {err}"
    );
    err
}

#[test]
fn a_flag_that_cannot_be_read_is_a_wrong_command_line() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["classify", "--as-of", "2026-02-29"][..],
        &["serve", "--listen", "localhost"],
        &["plan", "--from", "2026-12-01"],
        &["nonsense"],
    ] {
        stderr(risktier(folder.path()).args(arguments), 2);
    }
}

#[test]
fn the_flags_of_a_verb_may_stand_behind_what_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    stdout(
        risktier(folder.path()).args(["bench-data", "--enterprises", "10", "--out", "data"]),
        0,
    );
    stdout(
        risktier(folder.path()).args(["import", "folder", "data", "--store", "other.db"]),
        0,
    );
    assert!(folder.path().join("other.db").is_file());
}
