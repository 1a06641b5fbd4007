//! Flags for who acts and why.

use clap::Args;

use super::exit::Failure;
use crate::domain::FieldError;
use crate::service::{Person, Said, ServiceError, person, reason_of};

/// Who acts and why; both must be said.
#[derive(Debug, Args)]
pub(super) struct PersonFlags {
    /// Who acts: an id or role at the office, never a private name.
    #[arg(long, value_name = "PERSON")]
    by: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl PersonFlags {
    pub(super) fn person(&self) -> Result<Person, Failure> {
        Person::parse(&self.by, &self.reason).map_err(fault)
    }
}

/// Who acts and why, where one wants to say so.
#[derive(Debug, Args)]
pub(super) struct SaidFlags {
    /// Who acts: an id or role at the office; default: nobody is named.
    #[arg(long, value_name = "PERSON")]
    by: Option<String>,
    /// Why; default: no reason is given.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl SaidFlags {
    pub(super) fn said(&self, on: Option<jiff::civil::Date>) -> Result<Said, Failure> {
        Ok(Said {
            on,
            by: self
                .by
                .as_deref()
                .map(|text| person("by", text))
                .transpose()
                .map_err(fault)?,
            reason: self
                .reason
                .as_deref()
                .map(reason_of)
                .transpose()
                .map_err(fault)?,
        })
    }
}

/// A wrong field as a failure of the verb.
pub(super) fn fault(error: FieldError) -> Failure {
    ServiceError::from(error).into()
}
