//! What overrides, objections, merges and changes of records have in common: persons, reasons, days, acts.

use jiff::civil::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

use super::{Service, ServiceError, off_thread};
use crate::domain::{EnterpriseId, FieldError, Label, ProceedingKind, field};
use crate::store::{Act, Changed, Concerned, Deed, Proceeding, Standing, Store, StoreError};

/// Who acts, why, and from which day on, as far as the caller says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The day; default the present one.
    pub on: Option<Date>,
    /// Who.
    pub by: Option<Label>,
    /// Why.
    pub reason: Option<String>,
}

impl From<Option<Date>> for Said {
    fn from(on: Option<Date>) -> Self {
        Self {
            on,
            ..Self::default()
        }
    }
}

/// Who acts and why, where both must be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who: an id or role at the office, never a private name.
    pub by: Label,
    /// Why.
    pub reason: String,
}

impl Person {
    /// Checks what a caller gives in the fields `by` and `reason`.
    ///
    /// # Errors
    ///
    /// When one of them is blank or too long.
    pub fn parse(by: &str, reason: &str) -> Result<Self, FieldError> {
        Ok(Self {
            by: person("by", by)?,
            reason: reason_of(reason)?,
        })
    }
}

/// A person named in `name`.
///
/// # Errors
///
/// When it is blank or too long.
pub fn person(name: &str, text: &str) -> Result<Label, FieldError> {
    field::label(name, text)
}

/// A reason in the field `reason`: 1 to 2000 bytes.
///
/// # Errors
///
/// When it is blank or too long.
pub fn reason_of(text: &str) -> Result<String, FieldError> {
    if text.trim().is_empty() {
        return Err(FieldError::new("reason", text, "is blank; say why"));
    }
    field::text("reason", text, 1, 2_000)
}

/// Whether two names are of one person; spelling in capitals makes nobody another.
pub(super) fn same_person(one: &Label, other: &Label) -> bool {
    one.as_str().to_lowercase() == other.as_str().to_lowercase()
}

/// One act before it has a number.
pub(super) fn act(
    enterprise_id: &EnterpriseId,
    what: &str,
    subject: impl Into<String>,
    on: Date,
    said: (Option<&Label>, Option<&str>),
) -> Act {
    Act {
        act_no: 0,
        enterprise_id: enterprise_id.clone(),
        on,
        at: jiff::Timestamp::now().to_string(),
        what: what.to_owned(),
        subject: subject.into(),
        by: said.0.cloned(),
        reason: said.1.map(str::to_owned),
    }
}

/// The document of a proceeding.
pub(super) fn document<T: DeserializeOwned>(proceeding: &Proceeding) -> Result<T, ServiceError> {
    Ok(serde_json::from_str(&proceeding.document)?)
}

/// Proceedings of one kind among others, read.
pub(super) fn documents<T: DeserializeOwned>(
    proceedings: &[Proceeding],
    kind: ProceedingKind,
) -> Result<Vec<T>, ServiceError> {
    proceedings
        .iter()
        .filter(|proceeding| proceeding.kind == kind)
        .map(document)
        .collect()
}

pub(super) fn to_text(document: &impl Serialize) -> Result<String, ServiceError> {
    Ok(serde_json::to_string(document)?)
}

/// Decides in one transaction of the store; a refusal comes out as it went in. Gives the changes with what the last run
/// of `work` made beside the deed.
pub(super) fn decide<T>(
    store: &dyn Store,
    concerned: &Concerned<'_>,
    mut work: impl FnMut(&Standing) -> Result<(Deed, T), ServiceError>,
) -> Result<(Vec<Changed>, T), ServiceError> {
    let mut made = None;
    let mut refused = None;
    let decided = store.decide(concerned, &mut |standing| match work(standing) {
        Ok((deed, value)) => {
            (made, refused) = (Some(value), None);
            Ok(deed)
        }
        Err(error) => {
            let told = error.to_string();
            refused = Some(error);
            Err(StoreError::Aborted(told))
        }
    });
    match (decided, refused, made) {
        (Ok(changes), None, Some(value)) => Ok((changes, value)),
        (Err(StoreError::Aborted(_)), Some(refused), _) => Err(refused),
        (Err(error), _, _) => Err(error.into()),
        (Ok(_), _, _) => Err(ServiceError::Internal(
            "the store decided without asking".to_owned(),
        )),
    }
}

/// One enterprise and nothing else.
pub(super) fn concerning(id: &EnterpriseId) -> Concerned<'static> {
    Concerned {
        enterprises: BTreeSet::from([id.clone()]),
        record: None,
        alone: false,
    }
}

impl Service {
    /// Runs blocking work that changes tiers, then takes cached tiers back.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<(Vec<Changed>, T), ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let (changes, value) = off_thread(work).await?;
        self.follow(&changes).await;
        Ok(value)
    }

    /// What persons did about an enterprise before act number `before`, latest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails.
    pub fn acts(
        &self,
        id: &EnterpriseId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Act>, ServiceError> {
        if self.store.enterprise(id)?.is_none() {
            return Err(ServiceError::UnknownEnterprise(id.clone()));
        }
        Ok(self.store.acts_before(id, before, limit)?)
    }
}
