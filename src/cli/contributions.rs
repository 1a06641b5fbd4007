//! Flags for what others contribute to a seed.

use clap::Args;

use super::exit::Failure;
use super::persons::fault;
use crate::domain::FieldError;
use crate::domain::digest::Digest;
use crate::service::{
    CommittedContribution, Contribution, ContributionName, ContributionValue, PublicContribution,
};

/// Contributions that are planned before the freeze.
#[derive(Debug, Args)]
pub(super) struct PlannedFlags {
    /// Commitment to a value that exists already, as NAME=HEX; may be given several times; default: none.
    #[arg(long = "committed", value_name = "NAME=HEX")]
    committed: Vec<String>,
    /// Value that comes into being later, as NAME=RULE (source, date, how it is read); may be given several times;
    /// default: none.
    #[arg(long = "public", value_name = "NAME=RULE")]
    public: Vec<String>,
    /// Let the public edition reveal values and seed; default: it does not.
    #[arg(long)]
    pub(super) public_seed: bool,
}

impl PlannedFlags {
    pub(super) fn committed(&self) -> Result<Vec<CommittedContribution>, Failure> {
        let parse = |text: &String| {
            let (name, hex) = split("--committed", text)?;
            let commitment: Digest = hex.parse().map_err(|error| {
                fault(FieldError::new("--committed", hex, format!("is {error}")))
            })?;
            Ok(CommittedContribution {
                name: name.to_owned(),
                commitment,
            })
        };
        self.committed.iter().map(parse).collect()
    }

    pub(super) fn public(&self) -> Result<Vec<PublicContribution>, Failure> {
        let parse = |text: &String| {
            let (name, rule) = split("--public", text)?;
            Ok(PublicContribution {
                name: name.to_owned(),
                rule: rule.to_owned(),
            })
        };
        self.public.iter().map(parse).collect()
    }
}

/// Contributions that are opened.
#[derive(Debug, Args)]
pub(super) struct OpenedFlags {
    /// Value of a contribution beside the server's own, as NAME=VALUE; may be given several times; default: none.
    #[arg(long = "contribution", value_name = "NAME=VALUE")]
    contributions: Vec<String>,
}

impl OpenedFlags {
    pub(super) fn opened(&self) -> Result<Vec<Contribution>, Failure> {
        let parse = |text: &String| {
            let (name, value) = split("--contribution", text)?;
            let name = ContributionName::new(name).map_err(|error| {
                fault(FieldError::new("--contribution", name, error.to_string()))
            })?;
            let value = ContributionValue::new(value).map_err(|error| {
                // A committed value is secret until the draw is published.
                fault(FieldError::new(
                    "--contribution",
                    name.as_str(),
                    error.to_string(),
                ))
            })?;
            Ok(Contribution { name, value })
        };
        self.contributions.iter().map(parse).collect()
    }
}

fn split<'t>(flag: &str, text: &'t str) -> Result<(&'t str, &'t str), Failure> {
    text.split_once('=').ok_or_else(|| {
        fault(FieldError::new(
            flag,
            "",
            "needs a name and a value with `=` between them",
        ))
    })
}
