//! The identity of a set of tiers.

use std::fmt;

use super::digest::Digest;

/// First 16 hex characters of the digest of catalogue, scorecard and tier rules.
///
/// Two tiers may be compared or mixed only within one epoch. Changing a sampling rate changes no epoch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Epoch(String);

impl Epoch {
    /// The epoch of a digest.
    pub fn of(digest: &Digest) -> Self {
        Self(digest.to_string().chars().take(16).collect())
    }

    /// The 16 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
