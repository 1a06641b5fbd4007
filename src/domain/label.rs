//! Short labels (divisions, industries, tags, codes) and the hierarchy inside the Chinese standards.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// Longest label in bytes.
pub const MAX_LABEL_BYTES: usize = 64;

/// A short cleaned text, 1–64 bytes: NFKC, trimmed, no control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(CompactString);

/// Why a text is not a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a label of 1 to {MAX_LABEL_BYTES} bytes without control characters")]
pub struct NotALabel;

impl Label {
    /// Cleans and checks a text.
    pub fn parse(text: &str) -> Result<Self, NotALabel> {
        let clean: String = if text.is_ascii() {
            text.trim().to_owned()
        } else {
            text.nfkc().collect::<String>().trim().to_owned()
        };
        let usable = !clean.is_empty()
            && clean.len() <= MAX_LABEL_BYTES
            && !clean.chars().any(char::is_control);
        usable.then(|| Self(clean.into())).ok_or(NotALabel)
    }

    /// Takes back the text of a label that was cleaned when it was kept; nothing but its length is looked at again.
    pub(crate) fn from_kept(text: &str) -> Option<Self> {
        (1..=MAX_LABEL_BYTES)
            .contains(&text.len())
            .then(|| Self(text.into()))
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this label lies in the division `scope`.
    ///
    /// Six-digit divisions nest by province (`PP0000`) and city (`PPCC00`), GB/T 2260; `scope` may also be a bare
    /// prefix of digits. Labels of other systems match only themselves.
    pub fn in_division(&self, scope: &str) -> bool {
        if self.as_str() == scope {
            return true;
        }
        let is_standard = self.0.len() == 6 && self.0.bytes().all(|b| b.is_ascii_digit());
        let Some(prefix) = division_prefix(scope).filter(|_| is_standard) else {
            return false;
        };
        self.0.starts_with(prefix)
    }

    /// Whether this label lies in the industry `scope`.
    ///
    /// GB/T 4754 codes (a letter A–T and up to four digits) nest by prefix. Other labels match only themselves.
    pub fn in_industry(&self, scope: &str) -> bool {
        self.as_str() == scope
            || (is_industry(&self.0) && is_industry(scope) && self.0.starts_with(scope))
    }
}

impl Label {
    /// The section letter of a GB/T 4754 code; a label of another system is its own section.
    pub fn industry_section(&self) -> &str {
        match self.0.get(..1) {
            Some(letter) if self.in_industry(letter) => letter,
            _ => &self.0,
        }
    }
}

/// The digits with which the divisions of a standard scope begin; `None` for labels of other systems, which match only
/// themselves.
pub(crate) fn division_prefix(scope: &str) -> Option<&str> {
    if !(2..=6).contains(&scope.len()) || !scope.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let prefix = match scope.strip_suffix("0000") {
        Some(province) if province.len() == 2 => province,
        _ => scope
            .strip_suffix("00")
            .filter(|city| city.len() == 4)
            .unwrap_or(scope),
    };
    Some(prefix)
}

/// Whether a text is written like a GB/T 4754 code.
pub(crate) fn is_industry(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|letter| (b'A'..=b'T').contains(&letter))
        && text.len() <= 5
        && bytes.all(|b| b.is_ascii_digit())
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::borrow::Borrow<str> for Label {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Label {
    type Error = NotALabel;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Label {
        Label::parse(text).unwrap()
    }

    #[test]
    fn divisions_nest_by_province_and_city() {
        let county = label("990102");
        for scope in ["990102", "990100", "990000", "99", "9901"] {
            assert!(county.in_division(scope), "{scope}");
        }
        assert!(!county.in_division("990200"));
        assert!(label("990100").in_division("990000"));
        assert!(!label("990100").in_division("990102"));
    }

    #[test]
    fn labels_of_other_systems_match_only_themselves() {
        assert!(label("WARD-42").in_division("WARD-42"));
        assert!(!label("WARD-42").in_division("WARD-4"));
        assert!(!label("Restaurant").in_industry("R"));
        assert!(label("F5212").in_industry("F52"));
        assert!(!label("F5212").in_industry("H"));
    }
}
