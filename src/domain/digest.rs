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
        if self == Self::Sha256
            && let Some(digest) = short_sha256(SHA256_START, 0, parts)
        {
            return digest;
        }
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

/// The state of SHA-256 before its first block (FIPS 180-4, 5.3.3).
const SHA256_START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// Bytes of a block of both hashes.
const BLOCK: usize = 64;

/// SHA-256 of the `before` bytes that led to `state`, a whole number of blocks, and of a rest that fits into two blocks
/// with its padding; `None` for a longer one. The same digest as the general way, without a buffer to fill and copy:
/// leaves, nodes and tickets are short, and there are millions of them.
fn short_sha256(mut state: [u32; 8], before: u64, parts: &[&[u8]]) -> Option<Digest> {
    let mut blocks = [[0_u8; BLOCK]; 2];
    let padded = blocks.as_flattened_mut();
    let mut length = 0;
    for part in parts {
        padded
            .get_mut(length..length + part.len())?
            .copy_from_slice(part);
        length += part.len();
    }
    // One byte marks the end, eight hold the length in bits.
    *padded.get_mut(length)? = 0x80;
    let used = (length + 9).div_ceil(BLOCK) * BLOCK;
    let bits = (before + length as u64) * 8;
    padded
        .get_mut(used - 8..used)?
        .copy_from_slice(&bits.to_be_bytes());
    sha2::block_api::compress256(&mut state, blocks.get(..used / BLOCK)?);
    let mut digest = [0_u8; 32];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    Some(Digest(digest))
}

/// A beginning that many texts have in common, hashed once.
#[derive(Clone)]
pub struct Beginning {
    /// For texts of any length.
    hasher: Hasher,
    /// For short ones under SHA-256: the state after the whole blocks of the beginning, and the rest of it.
    short: Option<([u32; 8], u64, Vec<u8>)>,
}

impl Beginning {
    /// Hashes the beginning.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm, beginning: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(beginning);
        let short = match algorithm {
            HashAlgorithm::Sha256 => {
                let (blocks, rest) = beginning.as_chunks::<BLOCK>();
                let mut state = SHA256_START;
                sha2::block_api::compress256(&mut state, blocks);
                Some((state, (blocks.len() * BLOCK) as u64, rest.to_vec()))
            }
            HashAlgorithm::Sm3 => None,
        };
        Self { hasher, short }
    }

    /// The digest of the beginning and these bytes.
    #[must_use]
    pub fn finish_with(&self, bytes: &[u8]) -> Digest {
        if let Some((state, before, rest)) = &self.short
            && let Some(digest) = short_sha256(*state, *before, &[rest, bytes])
        {
            return digest;
        }
        self.hasher.finish_with(bytes)
    }
}

impl fmt::Debug for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beginning(..)")
    }
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
    fn short_texts_have_the_digest_of_the_general_way() {
        let text: Vec<u8> = (0..=255_u8).collect();
        for algorithm in HashAlgorithm::ALL {
            for length in 0..=200 {
                let mut hasher = Hasher::new(algorithm);
                hasher.update(&text[..length]);
                let expected = hasher.finish();
                assert_eq!(algorithm.hash(&[&text[..length]]), expected, "{length}");
                for split in [0, 1, 40, 63, 64, 65, 128, 129] {
                    let (a, b) = text[..length].split_at(split.min(length));
                    assert_eq!(algorithm.hash(&[a, b]), expected, "{length} {split}");
                    assert_eq!(Beginning::new(algorithm, a).finish_with(b), expected);
                }
            }
        }
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
