//! Digests under a named hash, and 32-byte values that stay out of logs.
//!
//! A plan names its hash once (`sha256`, or `sm3` where national cryptography is asked for) and uses it for every
//! digest. This module knows nothing of what is hashed.

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sha2::digest::Digest as _;
use sm3::Sm3;

/// The hash that a plan uses for every digest, ticket and sub-key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashAlgorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SM3 (GB/T 32905).
    Sm3,
}

impl HashAlgorithm {
    /// Every algorithm, in the order in which a reader tries them when a document does not name one.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sm3];

    /// The name used in plans: `sha256` or `sm3`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sm3 => "sm3",
        }
    }

    /// The digest of the parts, one after the other, without separators.
    #[must_use]
    pub fn hash(self, parts: &[&[u8]]) -> Digest {
        let mut hasher = Hasher::new(self);
        for part in parts {
            hasher.update(part);
        }
        hasher.finish()
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is not a 32-byte value in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lower-case hex characters: write the 32 bytes in lower-case hex")]
pub struct HexError;

/// A 32-byte digest; its text is 64 lower-case hex characters. Ordered by bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Wraps 32 raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight bytes as a big-endian number: it orders digests as their bytes do, up to ties.
    #[must_use]
    pub const fn leading_u64(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        parse_hex(text).map(Self)
    }
}

impl TryFrom<String> for Digest {
    type Error = HexError;

    fn try_from(text: String) -> Result<Self, HexError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A 32-byte value that confirms guesses if it leaks early: a plan's nonce, a pool secret.
///
/// It serialises as lower-case hex like a digest, because frozen plans and transcripts carry it; `Debug` hides it, so
/// that it never reaches a log by accident, and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret32([u8; 32]);

impl Secret32 {
    /// Wraps 32 raw bytes; the caller draws them from the operating system's randomness.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 raw bytes.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The value in lower-case hex, for the one place that may carry it.
    #[must_use]
    pub fn expose_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret32(hidden)")
    }
}

impl FromStr for Secret32 {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        parse_hex(text).map(Self)
    }
}

impl TryFrom<String> for Secret32 {
    type Error = HexError;

    fn try_from(text: String) -> Result<Self, HexError> {
        text.parse()
    }
}

impl From<Secret32> for String {
    fn from(secret: Secret32) -> Self {
        secret.expose_hex()
    }
}

fn parse_hex(text: &str) -> Result<[u8; 32], HexError> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(HexError);
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| HexError)?;
    Ok(bytes)
}

/// A running hash. Cloning it keeps the state, so that a common beginning is hashed once.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sm3(Sm3),
}

impl Hasher {
    /// A hasher that has seen nothing yet.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Self(match algorithm {
            HashAlgorithm::Sha256 => State::Sha256(Sha256::new()),
            HashAlgorithm::Sm3 => State::Sm3(Sm3::new()),
        })
    }

    /// Feeds more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sm3(state) => state.update(bytes),
        }
    }

    /// The digest of everything fed so far and these bytes, without changing the state: the common beginning of many
    /// texts is hashed once.
    #[must_use]
    pub fn finish_with(&self, bytes: &[u8]) -> Digest {
        Digest(match &self.0 {
            State::Sha256(state) => state.clone().chain_update(bytes).finalize().into(),
            State::Sm3(state) => state.clone().chain_update(bytes).finalize().into(),
        })
    }

    /// The digest of everything fed so far.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(match self.0 {
            State::Sha256(state) => state.finalize().into(),
            State::Sm3(state) => state.finalize().into(),
        })
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hashes_give_their_published_digest_of_abc() {
        let sha = HashAlgorithm::Sha256.hash(&[b"a", b"bc"]);
        let sm3 = HashAlgorithm::Sm3.hash(&[b"abc"]);

        assert_eq!(
            sha.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sm3.to_string(),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
    }

    #[test]
    fn upper_case_and_short_hex_are_refused() {
        assert_eq!("AB".repeat(32).parse::<Digest>(), Err(HexError));
        assert_eq!("ab".repeat(31).parse::<Digest>(), Err(HexError));
        assert!("ab".repeat(32).parse::<Digest>().is_ok());
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret32::from_bytes([7; 32]);

        assert_eq!(format!("{secret:?}"), "Secret32(hidden)");
        assert_eq!(
            serde_json::to_string(&secret).unwrap(),
            format!("\"{}\"", "07".repeat(32))
        );
    }

    #[test]
    fn the_leading_number_orders_as_the_bytes_do() {
        let low = Digest::from_bytes([1; 32]);
        let high = Digest::from_bytes([2; 32]);

        assert!(low < high);
        assert!(low.leading_u64() < high.leading_u64());
    }
}
