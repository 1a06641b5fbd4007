//! The identity of a set of tiers.

use std::fmt;
use std::str::FromStr;

use super::digest::Digest;

/// Which tiers belong together: the first 16 hexadecimal digits of the digest of catalogue, scorecard and tier rules.
///
/// Two tiers may be compared or mixed only within one epoch. Changing a sampling rate changes no epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch([u8; 16]);

/// A text that is not an epoch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an epoch; it is 16 lower-case hexadecimal digits")]
pub struct NotAnEpoch(String);

impl Epoch {
    /// The epoch of a digest.
    pub fn of(digest: &Digest) -> Self {
        let mut digits = [b'0'; 16];
        for (digit, character) in digits.iter_mut().zip(digest.to_string().bytes()) {
            *digit = character;
        }
        Self(digits)
    }

    /// The sixteen digits.
    pub fn as_str(&self) -> &str {
        // INVARIANT: the bytes are ASCII; both constructors see to it.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Epoch {
    type Err = NotAnEpoch;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hexadecimal = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let digits = <[u8; 16]>::try_from(text.as_bytes())
            .ok()
            .filter(|_| hexadecimal);
        digits
            .map(Self)
            .ok_or_else(|| NotAnEpoch(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::HashAlgorithm;

    #[test]
    fn an_epoch_is_the_head_of_its_digest_and_reads_back() {
        let digest = HashAlgorithm::Sha256.hash(&[b"rules"]);
        let epoch = Epoch::of(&digest);
        assert!(digest.to_string().starts_with(epoch.as_str()));
        assert_eq!(epoch.as_str().parse(), Ok(epoch));
        assert!("0123456789abcdeF".parse::<Epoch>().is_err() && "0123".parse::<Epoch>().is_err());
    }
}
