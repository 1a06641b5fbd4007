//! Ids of objects and keys of strata: the texts that a pool and a plan are made of (`risktier-draw/1`, notation).
//!
//! They are compared and hashed as they are; whoever imports them cleans them first.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Key under which the whole pool stands in a sample of method `order`; no stratum may use it.
pub const ALL: &str = "ALL";
/// Key under which exploration objects stand in a sample; no stratum may use it.
pub const EXPLORE: &str = "EXPLORE";

/// Longest id, stratum key and group id, in bytes.
const MAX_TEXT: usize = 64;
/// Why a text cannot be the id of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty, or longer than 64 bytes.
    #[error("the id has {0} bytes: use 1 to 64")]
    Length(usize),
    /// Not UTF-8.
    #[error("the id is not UTF-8: convert the file")]
    Encoding,
    /// Contains white space or a control character.
    #[error("the id `{0}` contains white space or a control character: clean it before import")]
    Character(String),
}

/// Checks an object's id: 1–64 bytes of UTF-8 without Unicode white space and control characters.
///
/// # Errors
///
/// [`IdError`] says which rule is broken.
pub fn check_id(id: &[u8]) -> Result<(), IdError> {
    if id.is_empty() || id.len() > MAX_TEXT {
        return Err(IdError::Length(id.len()));
    }
    if id.iter().all(u8::is_ascii_graphic) {
        return Ok(());
    }
    let text = std::str::from_utf8(id).map_err(|_| IdError::Encoding)?;
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(IdError::Character(text.escape_debug().to_string()));
    }
    Ok(())
}

/// A text that cannot be a stratum key or a group id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Wrong length or characters.
    #[error("`{0}` is not a key: use 1 to 64 of letters, digits, `.`, `_`, `/`, `-`")]
    Form(String),
    /// `ALL` or `EXPLORE`.
    #[error("the key `{0}` is reserved: use another")]
    Reserved(String),
}

/// The key of a stratum, or the id of a coordinated group: 1–64 of `[A-Za-z0-9._/-]`, not `ALL` or `EXPLORE`. Ordered
/// by bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StratumKey(String);

impl StratumKey {
    /// Checks and wraps a key.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the form is wrong or the key is reserved.
    pub fn new(key: impl Into<String>) -> Result<Self, KeyError> {
        let key = key.into();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
        if key.is_empty() || key.len() > MAX_TEXT || !key.bytes().all(fits) {
            return Err(KeyError::Form(
                key.escape_debug().take(2 * MAX_TEXT).collect(),
            ));
        }
        if key == ALL || key == EXPLORE {
            return Err(KeyError::Reserved(key));
        }
        Ok(Self(key))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StratumKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for StratumKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StratumKey {
    type Error = KeyError;

    fn try_from(key: String) -> Result<Self, KeyError> {
        Self::new(key)
    }
}

impl From<StratumKey> for String {
    fn from(key: StratumKey) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hold_no_white_space_and_no_control_characters() {
        for id in [
            "",
            "a b",
            "a\u{3000}b",
            "a\u{85}b",
            "a\u{7f}",
            "\t",
            &"x".repeat(65),
            &"牧".repeat(22),
        ] {
            assert!(check_id(id.as_bytes()).is_err(), "{id:?}");
        }
        assert_eq!(check_id(b"a\xff"), Err(IdError::Encoding));
        for id in ["牧场-07", "A,B;c", "a/b", &"牧".repeat(21)] {
            assert!(check_id(id.as_bytes()).is_ok(), "{id:?}");
        }
    }

    #[test]
    fn keys_are_short_plain_and_not_reserved() {
        for key in ["", "S 1", "é", "ALL", "EXPLORE", &"x".repeat(65)] {
            assert!(StratumKey::new(key).is_err(), "{key:?}");
        }
        for key in ["S001", "2026/food", "a.b_c-d", "all"] {
            assert!(StratumKey::new(key).is_ok(), "{key:?}");
        }
    }
}
