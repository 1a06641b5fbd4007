//! The registry of policies on the command line: the first verbs of `risktier policy`.

use clap::Subcommand;
use std::fs;
use std::path::PathBuf;

use super::exit::{Ended, ExitCode, Failure};
use super::models::{instant, show_check};
use super::output::{OutputFormat, Table, print_table, say};
use super::pages::every;
use super::persons::{PersonFlags, fault};
use super::reclassify::see_through;
use crate::service::{Activation, PolicyChange, PolicyRow, RunState, Service, person, reason_of};

#[derive(Debug, Subcommand)]
pub(super) enum Registry {
    /// List the policies, latest first.
    List,
    /// Register a policy under the SHA-256 of its file.
    Add {
        /// The policy (TOML).
        file: PathBuf,
        /// Who registers it, and is its author.
        #[arg(long, value_name = "PERSON")]
        by: String,
        /// Why; default: no reason is given.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Write the file of a policy.
    Show {
        /// Id, its first 8 digits or more, name/version, or `in-force`.
        #[arg(value_name = "POLICY")]
        named: String,
    },
    /// Bring a policy into force, as another person than its author: at once where it changes no tier, by a run otherwise.
    Activate {
        /// Id, its first 8 digits or more, or name/version.
        #[arg(value_name = "POLICY")]
        named: String,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Show what persons did with one policy, or with all.
    History {
        /// Id, its first 8 digits or more, or name/version; default: all policies.
        #[arg(value_name = "POLICY", conflicts_with = "verify")]
        named: Option<String>,
        /// Compute every digest anew instead, and end with exit code 1 where a row was taken out or altered; default: no.
        #[arg(long)]
        verify: bool,
    },
}

impl Registry {
    pub(super) fn carry_out(self, service: &Service, format: OutputFormat) -> Ended {
        match self {
            Self::List => {
                let all = every(|last: Option<&PolicyRow>, most| {
                    service.policies(last.map(|row| row.policy_no), most)
                })?;
                show_rows(&all, format)?;
            }
            Self::Add { file, by, reason } => {
                let text = fs::read_to_string(&file).map_err(Failure::at(&file))?;
                let by = person("by", &by).map_err(fault)?;
                let reason = reason
                    .as_deref()
                    .map(reason_of)
                    .transpose()
                    .map_err(fault)?;
                let (row, is_new) = service.add_policy(&text, &by, reason.as_deref())?;
                if !is_new {
                    eprintln!("it was registered already");
                }
                show_rows(&[row], format)?;
            }
            Self::Show { named } => {
                let row = service.policy_named(&named)?;
                let file = service.policy_file(&row.policy_id)?;
                say(String::from_utf8_lossy(&file).trim_end())?;
            }
            Self::Activate { named, person } => {
                let row = service.policy_named(&named)?;
                match service.activate_policy(&row.policy_id, &person.person()?)? {
                    Activation::Done(row) => show_rows(&[row], format)?,
                    Activation::Run(job) => {
                        let job = see_through(service, *job)?;
                        if job.run.state != RunState::Succeeded {
                            let why = job.run.failure.as_deref().unwrap_or("it was cancelled");
                            eprintln!(
                                "risktier: the run {} has {}: {why}",
                                job.run.run_id,
                                job.run.state.as_str()
                            );
                            return Ok(ExitCode::AnswerIsNo);
                        }
                        show_rows(&[service.policy(&row.policy_id)?], format)?;
                    }
                }
            }
            Self::History { verify: true, .. } => {
                return show_check(&service.check_policy_history()?, format);
            }
            Self::History { named, .. } => {
                let policy_id = match named {
                    Some(text) => Some(service.policy_named(&text)?.policy_id),
                    None => None,
                };
                let all = every(|last: Option<&PolicyChange>, most| {
                    let before = last.map(|row| row.seq);
                    service.policy_history(policy_id.as_deref(), before, most)
                })?;
                show_history(&all, format)?;
            }
        }
        Ok(ExitCode::Done)
    }
}

fn show_rows(rows: &[PolicyRow], format: OutputFormat) -> Result<(), Failure> {
    let mut table = Table::new(&[
        "policy_id",
        "name",
        "version",
        "in_force",
        "author",
        "added_at",
    ]);
    for row in rows {
        table.row(vec![
            row.policy_id.clone().into(),
            row.name.clone().into(),
            row.version.into(),
            row.is_in_force.into(),
            row.author.clone().into(),
            instant(row.added_at).into(),
        ]);
    }
    print_table(&table, format)
}

fn show_history(rows: &[PolicyChange], format: OutputFormat) -> Result<(), Failure> {
    let mut table = Table::new(&[
        "seq",
        "at",
        "policy_id",
        "what",
        "by",
        "reason",
        "job_id",
        "digest",
    ]);
    for row in rows {
        let change = row.change.clone();
        table.row(vec![
            row.seq.into(),
            instant(row.at).into(),
            change.policy_id.into(),
            change.what.as_str().into(),
            change.by.into(),
            change.reason.into(),
            change.run_id.into(),
            row.digest.clone().into(),
        ]);
    }
    print_table(&table, format)
}
