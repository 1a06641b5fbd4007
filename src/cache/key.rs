//! Where an enterprise's tier lies: the epoch, the hash of the id, the bucket.

use sha2::{Digest, Sha256};

use super::CacheError;
use crate::domain::{EnterpriseId, Epoch};

/// Number of Redis buckets; part of the layout, so it never changes under the `rt:` prefix.
///
/// At one million enterprises a bucket holds about 61 fields, at five million 305: both stay in the compact form
/// that Redis uses for small hashes (up to 512 fields). 16,384 is also the number of Redis Cluster slots.
pub const BUCKETS: u16 = 16_384;

/// The Redis bucket of an enterprise: the first two bytes of the SHA-256 of its id, as a big-endian number, modulo
/// [`BUCKETS`]. Other systems can compute it.
pub fn bucket_of(id: &EnterpriseId) -> u16 {
    let digest = Sha256::digest(id.as_str());
    let leading = digest.first_chunk::<2>().copied().unwrap_or_default();
    u16::from_be_bytes(leading) % BUCKETS
}

/// The key of an entry in process: 128 bits of `SHA-256(epoch, generation, id)`.
///
/// Keeping the hash instead of the id makes every entry the same size. Two ids meet with probability 2⁻¹²⁸, and
/// nobody can search for such a pair in less than 2⁶⁴ steps.
pub(super) fn entry_key(epoch: &Epoch, generation: u64, id: &EnterpriseId) -> u128 {
    let digest = Sha256::new()
        .chain_update(epoch.as_str())
        .chain_update(generation.to_be_bytes())
        .chain_update(id.as_str())
        .finalize();
    let leading = digest.first_chunk::<16>().copied().unwrap_or_default();
    // Zero marks an empty slot.
    u128::from_be_bytes(leading).max(1)
}

/// A number for a new generation that no other replica draws.
pub(super) fn random_generation() -> Result<u64, CacheError> {
    getrandom::u64().map_err(|error| CacheError::Unavailable(format!("no random number: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_of_an_id_is_part_of_the_layout() {
        // printf 9144030071526726XG | sha256sum: the first four digits, modulo 0x4000.
        let bucket = |id: &str| bucket_of(&EnterpriseId::parse(id).unwrap());
        assert_eq!(bucket("9144030071526726XG"), 0xbb68 % 0x4000);
        assert_eq!(bucket("licence-7a"), 0x06cc);
    }
}
