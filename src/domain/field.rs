//! Checks of single fields at the edge; each failure names the field, the value and the reason.

use jiff::civil::Date;
use std::str::FromStr;

use super::{EnterpriseId, Label, UnknownCode, dates};

/// One field that is wrong: which, what it held, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: `{value}` {reason}")]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// The value as given, shortened to 80 characters.
    pub value: String,
    /// Why it was refused and what to do.
    pub reason: String,
}

impl FieldError {
    /// A failure of `field`.
    pub fn new(field: &str, value: &str, reason: impl Into<String>) -> Self {
        let mut shown: String = value.chars().take(80).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self {
            field: field.to_owned(),
            value: shown,
            reason: reason.into(),
        }
    }
}

/// Applies a check to a field that may be absent; an empty text counts as absent.
pub fn optional<T>(
    field: &str,
    value: Option<&str>,
    check: impl Fn(&str, &str) -> Result<T, FieldError>,
) -> Result<Option<T>, FieldError> {
    match value.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => check(field, text).map(Some),
    }
}

/// An enterprise id.
pub fn enterprise_id(field: &str, value: &str) -> Result<EnterpriseId, FieldError> {
    EnterpriseId::parse(value).map_err(|error| FieldError::new(field, value, error.to_string()))
}

/// A short label.
pub fn label(field: &str, value: &str) -> Result<Label, FieldError> {
    Label::parse(value).map_err(|error| FieldError::new(field, value, error.to_string()))
}

/// A word of a closed vocabulary.
pub fn code<T: FromStr<Err = UnknownCode>>(field: &str, value: &str) -> Result<T, FieldError> {
    value.parse().map_err(|error: UnknownCode| {
        FieldError::new(field, value, format!("is not one of {}", error.known))
    })
}

/// An ISO date.
pub fn date(field: &str, value: &str) -> Result<Date, FieldError> {
    dates::parse_date(value).map_err(|reason| FieldError::new(field, value, reason))
}

/// A whole number from 0.
pub fn number(field: &str, value: &str) -> Result<u64, FieldError> {
    value
        .parse()
        .map_err(|_| FieldError::new(field, value, "is not a whole number"))
}

/// A free text of `min` to `max` bytes without control characters.
pub fn text(field: &str, value: &str, min: usize, max: usize) -> Result<String, FieldError> {
    let clean = value.trim();
    if clean.len() < min || clean.len() > max {
        return Err(FieldError::new(
            field,
            value,
            format!("has {} bytes; allowed are {min} to {max}", clean.len()),
        ));
    }
    if clean.chars().any(char::is_control) {
        return Err(FieldError::new(
            field,
            value,
            "contains a control character",
        ));
    }
    Ok(clean.to_owned())
}
