//! The register in PostgreSQL, as the settings name it.

use std::fs;

use super::postgres_server::PostgresServer;
use super::{risktier, stderr, stdout};

const ENTERPRISES: &str = "enterprise_id,name\nlicence-7,first\nlicence-8,second\n";
const FILE: [&str; 4] = ["enterprises", "enterprises.csv", "--format", "csv"];

#[test]
fn the_database_of_the_settings_is_used_unless_a_file_is_named() {
    let server = PostgresServer::start();
    let url = server.new_database();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("enterprises.csv"), ENTERPRISES).unwrap();
    let import = |more: &[&str]| {
        let mut command = risktier(folder.path());
        command.env("RISKTIER_DATABASE_URL", &url);
        stdout(command.arg("import").args(more).args(FILE), 0)
    };

    assert!(import(&[]).ends_with("2,2,0,0,0,0\n"));
    assert!(import(&[]).ends_with("2,0,0,2,0,0\n"));
    assert!(!folder.path().join("risktier.db").exists());
    assert!(import(&["--store", "register.db"]).ends_with("2,2,0,0,0,0\n"));
    assert!(folder.path().join("register.db").exists());
}

#[test]
fn a_database_that_is_away_is_told_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("enterprises.csv"), ENTERPRISES).unwrap();
    let mut command = risktier(folder.path());
    command.env(
        "RISKTIER_DATABASE_URL",
        "postgresql://risktier:geheim@127.0.0.1:1/register",
    );

    let told = stderr(command.arg("import").args(FILE), 3);

    assert!(
        told.contains("127.0.0.1:1/register` cannot be reached"),
        "{told}"
    );
    assert!(!told.contains("geheim"), "{told}");
}
