//! `risktier verify`: replay a transcript.

use clap::Args;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_table};
use super::progress::watched;
use crate::domain::digest::Digest;
use crate::service::{Outcome, ServiceError, Verification, VerifyInput, verify};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The transcript: any edition; `-` is standard input, here or for one of the other files.
    #[arg(long, value_name = "FILE")]
    transcript: PathBuf,
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
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let transcript = read(&arguments.transcript)?;
    let sample = arguments.sample.as_deref().map(read).transpose()?;
    let input = VerifyInput {
        transcript: &transcript,
        pool: arguments.pool.as_deref().map(read).transpose()?,
        sample: sample.as_deref(),
        expected_digest: match arguments.digest {
            Some(digest) => Some(digest),
            None => beside(&arguments.transcript)?,
        },
        group: None,
    };
    let verification = watched("verifying", || verify(input)).map_err(ServiceError::from)?;
    print_table(&checks(&verification), arguments.format)?;
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
