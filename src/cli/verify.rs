//! `risktier verify`: replay a transcript.

use clap::Args;
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_table};
use super::progress::watched;
use crate::domain::digest::Digest;
use crate::service::{
    Chain, Check, Membership, Outcome, ServiceError, Verification, VerifyInput, verify,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The transcript: any edition; `-` is standard input, here or for one of the other files.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["chain", "membership"])]
    transcript: Option<PathBuf>,
    /// Instead of one transcript, a folder with auditor editions, also in folders within it: they must be one chain; each
    /// beside which a pool.tsv lies is replayed too. `--digest` is then that of the last one.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["transcript", "membership", "pool", "sample", "group"])]
    chain: Option<PathBuf>,
    /// Instead of a transcript, a membership proof as `risktier ceremony membership` writes it. `--digest` is then the pool
    /// root that was published.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["transcript", "pool", "sample", "group"])]
    membership: Option<PathBuf>,
    /// The file pool.tsv, which the auditor and internal editions need; default: none.
    #[arg(long, value_name = "FILE")]
    pool: Option<PathBuf>,
    /// The file sample.tsv; default: none, the sample is checked by its digest alone.
    #[arg(long, value_name = "FILE")]
    sample: Option<PathBuf>,
    /// The transcript's digest as published or chained; catches any change of any byte; default: what a file of the
    /// transcript's name with `.sha256` says, if there is one.
    #[arg(long, value_name = "HEX")]
    digest: Option<Digest>,
    /// Id of the coordinated group, which the public edition does not carry; default: none.
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let format = arguments.format;
    let verification = if let Some(folder) = &arguments.chain {
        watched("verifying", || verify_folder(folder, arguments.digest))?
    } else if let Some(path) = &arguments.membership {
        let membership: Membership = serde_json::from_slice(&read(path)?)?;
        membership.verify(arguments.digest.as_ref())
    } else {
        verify_one(arguments)?
    };
    show_verification(&verification, format)
}

fn verify_one(arguments: Arguments) -> Result<Verification, Failure> {
    // INVARIANT: one of the three is there, as the flags say.
    let path = arguments.transcript.unwrap_or_default();
    let transcript = read(&path)?;
    let sample = arguments.sample.as_deref().map(read).transpose()?;
    let input = VerifyInput {
        transcript: &transcript,
        pool: arguments.pool.as_deref().map(read).transpose()?,
        sample: sample.as_deref(),
        expected_digest: match arguments.digest {
            Some(digest) => Some(digest),
            None => beside(&path)?,
        },
        group: arguments.group.as_deref(),
    };
    Ok(watched("verifying", || verify(input)).map_err(ServiceError::from)?)
}

/// Every auditor edition under the folder, as one chain, and replayed where its pool lies beside it.
fn verify_folder(folder: &Path, head: Option<Digest>) -> Result<Verification, Failure> {
    let mut files = Vec::new();
    json_files(folder, &mut files)?;
    files.sort();
    let mut chain = Chain::new();
    let mut replayed = Vec::new();
    for path in files {
        let bytes = fs::read(&path).map_err(Failure::at(&path))?;
        let edition = serde_json::from_slice::<Value>(&bytes)
            .ok()
            .and_then(|value| value.get("edition")?.as_str().map(str::to_owned));
        if edition.as_deref() != Some("auditor") {
            continue;
        }
        let name = path
            .strip_prefix(folder)
            .unwrap_or(&path)
            .display()
            .to_string();
        chain.add(&name, &bytes).map_err(ServiceError::from)?;
        let pool = path.with_file_name("pool.tsv");
        if pool.is_file() {
            let found = verify(VerifyInput {
                transcript: &bytes,
                pool: Some(fs::read(&pool).map_err(Failure::at(&pool))?),
                ..VerifyInput::default()
            })
            .map_err(ServiceError::from)?;
            replayed.push(Check {
                name: format!("{name}:replay"),
                outcome: if found.is_same() {
                    Outcome::Same
                } else {
                    Outcome::Differs {
                        detail: "verify it alone to see where".to_owned(),
                    }
                },
            });
            let differences = found.differences().map(|check| Check {
                name: format!("{name}:{}", check.name),
                outcome: check.outcome.clone(),
            });
            replayed.extend(differences);
        }
    }
    if chain.is_empty() {
        let reason = format!(
            "`{}` holds no auditor edition of a transcript",
            folder.display()
        );
        return Err(Failure::Other(reason));
    }
    let mut verification = chain.finish(head);
    verification.checks.extend(replayed);
    Ok(verification)
}

fn json_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(Failure::at(folder))? {
        let path = entry.map_err(Failure::at(folder))?.path();
        if path.is_dir() {
            json_files(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "json") {
            found.push(path);
        }
    }
    Ok(())
}

/// Prints the checks, says how it went, and ends accordingly.
pub(super) fn show_verification(verification: &Verification, format: OutputFormat) -> Ended {
    print_table(&checks(verification), format)?;
    if verification.is_same() {
        let left: Vec<&str> = verification
            .checks
            .iter()
            .filter(|check| matches!(check.outcome, Outcome::NotChecked { .. }))
            .map(|check| check.name.as_str())
            .collect();
        if left.is_empty() {
            eprintln!("verified: everything recomputes to what the transcript says");
        } else {
            eprintln!(
                "verified: what can be recomputed is what the transcript says; not checked: {}",
                left.join(", ")
            );
        }
        Ok(ExitCode::Done)
    } else {
        for check in verification.differences() {
            eprintln!("differs: {}", check.name);
        }
        Ok(ExitCode::AnswerIsNo)
    }
}

/// Every check with its outcome.
pub(super) fn checks(verification: &Verification) -> Table {
    let mut table = Table::new(&["check", "outcome", "detail"]);
    for check in &verification.checks {
        let (outcome, detail) = match &check.outcome {
            Outcome::Same => ("same", String::new()),
            Outcome::Differs { detail } => ("differs", detail.clone()),
            Outcome::NotChecked { detail } => ("not checked", detail.clone()),
        };
        table.row(vec![
            check.name.clone().into(),
            outcome.into(),
            detail.into(),
        ]);
    }
    table
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(Failure::at(path))?;
        return Ok(bytes);
    }
    fs::read(path).map_err(Failure::at(path))
}

/// The digest in the file of the same name with `.sha256`, as `sha256sum` writes it; none without such a file.
fn beside(transcript: &Path) -> Result<Option<Digest>, Failure> {
    let mut path = transcript.as_os_str().to_owned();
    path.push(".sha256");
    let path = PathBuf::from(path);
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(Failure::at(&path))?;
    let digest = text
        .split_whitespace()
        .next()
        .and_then(|hex| hex.parse().ok());
    digest
        .map(Some)
        .ok_or_else(|| Failure::Other(format!("`{}` does not begin with a digest", path.display())))
}
