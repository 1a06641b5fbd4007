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

mod database;
mod demo;
mod files;
mod plans;
mod sample;

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
