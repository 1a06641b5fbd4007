//! Enterprise ids and the unified social credit code (统一社会信用代码, GB 32100-2015).

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;

use super::coded::coded_enum;

/// The 31 characters of GB 32100-2015: digits and capitals without I, O, S, V, Z.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Longest id in bytes; draws and tickets rely on it.
pub const MAX_ID_BYTES: usize = 64;

/// The id of a check object: cleaned, 1–64 bytes, without white space, control characters or `/`.
///
/// Normally a credit code; any other scheme (licence numbers, product ids) is kept as an opaque label. Cleaning is
/// NFKC, trimming, and upper case for credit-code-shaped ids, so one enterprise never gets two ids by spelling.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnterpriseId(CompactString);

coded_enum! {
    /// What the check character of an id says.
    IdCheck, "id check" {
        /// A credit code whose check character verifies.
        Valid = 1 "valid",
        /// A credit-code-shaped id whose check character does not verify. Lawful ones exist (Fujian pilot), so it is
        /// kept and flagged, never refused.
        Failed = 2 "failed",
        /// Not shaped like a credit code: another id scheme.
        Opaque = 3 "opaque",
    }
}

/// Why a text is not an enterprise id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing is left after trimming.
    #[error("is empty")]
    Empty,
    /// Longer than [`MAX_ID_BYTES`].
    #[error("has {0} bytes; an id has at most {MAX_ID_BYTES}")]
    TooLong(usize),
    /// White space, a control character or `/` inside.
    #[error("contains {0:?}; an id has no white space, control character or `/`")]
    Forbidden(char),
    /// `.` or `..`, which paths treat specially.
    #[error("is a path step; an id is not `.` or `..`")]
    PathStep,
}

impl EnterpriseId {
    /// Cleans and checks a text.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        // Ids that are clean already, nearly all of them, need one copy and no normalisation.
        let clean_ascii = text.bytes().all(|b| b.is_ascii_graphic());
        let mut id: CompactString = if clean_ascii {
            text.into()
        } else {
            text.nfkc().collect::<String>().trim().into()
        };
        if id.is_empty() {
            return Err(IdError::Empty);
        }
        if id.len() > MAX_ID_BYTES {
            return Err(IdError::TooLong(id.len()));
        }
        if let Some(bad) = id
            .chars()
            .find(|&c| c.is_whitespace() || c.is_control() || c == '/')
        {
            return Err(IdError::Forbidden(bad));
        }
        if id == "." || id == ".." {
            return Err(IdError::PathStep);
        }
        if Uscc::has_shape(&id) && id.bytes().any(|byte| byte.is_ascii_lowercase()) {
            id = id.to_ascii_uppercase();
        }
        Ok(Self(id))
    }

    /// Takes back the text of an id that was cleaned when it was kept; nothing but its length is looked at again.
    pub(crate) fn from_kept(text: &str) -> Option<Self> {
        (1..=MAX_ID_BYTES)
            .contains(&text.len())
            .then(|| Self(text.into()))
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the check character says.
    pub fn check(&self) -> IdCheck {
        match Uscc::parse(&self.0) {
            Ok(code) if code.verifies() => IdCheck::Valid,
            Ok(_) => IdCheck::Failed,
            Err(_) => IdCheck::Opaque,
        }
    }
}

impl fmt::Display for EnterpriseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for EnterpriseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnterpriseId({})", self.0)
    }
}

impl FromStr for EnterpriseId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for EnterpriseId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<EnterpriseId> for String {
    fn from(id: EnterpriseId) -> Self {
        id.0.into()
    }
}

/// An 18-character unified social credit code of the right shape; its check character may or may not verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uscc([u8; 18]);

/// A text that is not shaped like a credit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 18 characters of the GB 32100-2015 alphabet with a numeric registration division")]
pub struct NotACreditCode;

impl Uscc {
    /// Reads a code after NFKC, trimming and raising case.
    pub fn parse(text: &str) -> Result<Self, NotACreditCode> {
        let folded = text.nfkc().collect::<String>().trim().to_ascii_uppercase();
        if !Self::has_shape(&folded) {
            return Err(NotACreditCode);
        }
        folded
            .as_bytes()
            .try_into()
            .map(Self)
            .map_err(|_| NotACreditCode)
    }

    /// Completes 17 leading characters with their check character; used for synthetic registers.
    pub fn complete(leading: &str) -> Result<Self, NotACreditCode> {
        let check = check_character(leading.as_bytes()).ok_or(NotACreditCode)?;
        Self::parse(&format!("{leading}{}", char::from(check)))
    }

    /// Whether the last character is the one that the standard computes.
    pub fn verifies(self) -> bool {
        let [leading @ .., last] = &self.0;
        check_character(leading) == Some(*last)
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        // INVARIANT: the bytes are ASCII; `parse` is the only constructor.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn has_shape(text: &str) -> bool {
        // The digits first: they tell most other ids apart by a few comparisons.
        text.len() == 18
            && text.bytes().skip(2).take(6).all(|b| b.is_ascii_digit())
            && text
                .bytes()
                .all(|b| value_of(b.to_ascii_uppercase()).is_some())
    }
}

fn value_of(character: u8) -> Option<u32> {
    ALPHABET
        .iter()
        .position(|&c| c == character)
        .and_then(|p| u32::try_from(p).ok())
}

/// `C18 = (31 − Σ value(Ci)·3^(i−1) mod 31) mod 31` over the first 17 characters (GB 32100-2015).
///
/// The outer `mod 31` matters: without it codes whose sum is a multiple of 31 have no check character.
fn check_character(leading: &[u8]) -> Option<u8> {
    let mut weight = 1;
    let mut sum = 0;
    for &character in leading {
        sum += value_of(character)? * weight;
        weight = weight * 3 % 31;
    }
    let index = usize::try_from((31 - sum % 31) % 31).ok()?;
    ALPHABET.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_credit_codes_check_as_expected() {
        let vectors = include_str!("../../tests/data/uscc.csv");
        let mut seen = 0;
        for line in vectors.lines().skip(1) {
            let mut cells = line.splitn(3, ',');
            let (input, expected) = (cells.next().unwrap(), cells.next().unwrap());
            let got = match Uscc::parse(input) {
                Ok(code) if code.verifies() => "valid",
                Ok(_) => "check_failed",
                Err(_) => "malformed",
            };
            assert_eq!(got, expected, "{input}");
            seen += 1;
        }
        assert_eq!(seen, 27);
    }

    #[test]
    fn spellings_of_one_code_are_one_id() {
        let plain = EnterpriseId::parse("9144030071526726XG").unwrap();
        for spelling in [
            "  9144030071526726xg",
            "９１４４０３００７１５２６７２６ＸＧ",
            "9144030071526726Xg ",
        ] {
            assert_eq!(EnterpriseId::parse(spelling).unwrap(), plain);
        }
        assert_eq!(plain.check(), IdCheck::Valid);
    }

    #[test]
    fn other_schemes_are_opaque_and_keep_their_case() {
        let id = EnterpriseId::parse("licence-7a").unwrap();
        assert_eq!((id.as_str(), id.check()), ("licence-7a", IdCheck::Opaque));
        assert_eq!(EnterpriseId::parse("牧场-07").unwrap().as_str(), "牧场-07");
    }

    #[test]
    fn a_failed_check_character_is_kept_and_flagged() {
        assert_eq!(
            EnterpriseId::parse("91350211M0000XUF46").unwrap().check(),
            IdCheck::Failed
        );
    }

    #[test]
    fn unusable_ids_say_why() {
        assert_eq!(EnterpriseId::parse("   "), Err(IdError::Empty));
        assert_eq!(EnterpriseId::parse("a b"), Err(IdError::Forbidden(' ')));
        assert_eq!(EnterpriseId::parse("a/b"), Err(IdError::Forbidden('/')));
        assert_eq!(
            EnterpriseId::parse("a\u{85}b"),
            Err(IdError::Forbidden('\u{85}'))
        );
        assert_eq!(EnterpriseId::parse(".."), Err(IdError::PathStep));
        assert_eq!(
            EnterpriseId::parse(&"x".repeat(65)),
            Err(IdError::TooLong(65))
        );
    }

    #[test]
    fn completing_a_code_gives_one_that_verifies() {
        assert!(Uscc::complete("91990000MA0000001").unwrap().verifies());
    }
}
