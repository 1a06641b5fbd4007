//! Named, repeatable randomness. The generator's types stay in this file.
//!
//! [`SubKeyRng`] is the generator of `risktier-draw/1` section 4: its output is part of verifiable plans and never
//! changes. [`SeededRng`] makes fictional data. Neither reads the operating system's randomness.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::digest::{Digest, HashAlgorithm};

/// The stream of one sub-key: ChaCha20, the 32 bytes as key, zero nonce, 64-bit block counter from 0, read as
/// little-endian 64-bit words. One stream serves one purpose and is used in order.
#[derive(Clone)]
pub struct SubKeyRng(ChaCha20Rng);

impl SubKeyRng {
    /// The stream of this sub-key, at its beginning.
    #[must_use]
    pub fn new(sub_key: &Digest) -> Self {
        Self(ChaCha20Rng::from_seed(*sub_key.as_bytes()))
    }

    /// The next 64-bit word.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform whole number in `[0, m)`: words `x` are taken until `x < m·⌊2^64/m⌋`, then `x mod m`.
    ///
    /// At least one word is used, for `m = 1` too. There is no number below 0, so `m = 0` counts as 1.
    pub fn below(&mut self, m: u64) -> u64 {
        let m = m.max(1);
        let whole_multiples = (1_u128 << 64) / u128::from(m) * u128::from(m);
        loop {
            let word = self.next_u64();
            if u128::from(word) < whole_multiples {
                return word % m;
            }
        }
    }
}

impl std::fmt::Debug for SubKeyRng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubKeyRng(hidden)")
    }
}

/// A generator for fictional data: same seed and purpose, same values, on any machine. Never used for a draw.
#[derive(Debug, Clone)]
pub struct SeededRng(SubKeyRng);

impl SeededRng {
    /// The stream of a seed and a purpose; different purposes give unrelated streams.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let text = format!("risktier-seeded/1\n{seed}\n{purpose}\n");
        Self(SubKeyRng::new(
            &HashAlgorithm::Sha256.hash(&[text.as_bytes()]),
        ))
    }

    /// The next 64-bit word.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform whole number in `[0, m)`; `m = 0` counts as 1.
    pub fn below(&mut self, m: u64) -> u64 {
        self.0.below(m)
    }

    /// A uniform number in `[0, 1)` with 53 random bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a binary64 exactly")]
    pub fn unit_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`: never for `p ≤ 0`, always for `p ≥ 1`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit_f64() < p
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_zero_key_is_the_published_keystream() {
        // RFC 8439 A.1, test vector 1: zero key, zero nonce, block 0.
        let mut rng = SubKeyRng::new(&Digest::from_bytes([0; 32]));

        assert_eq!(
            rng.next_u64(),
            u64::from_le_bytes([0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90])
        );
    }

    #[test]
    fn a_bounded_number_stays_below_its_bound() {
        let mut rng = SeededRng::new(1, "bounds");

        for m in [1, 2, 3, 10, u64::MAX] {
            assert!(rng.below(m) < m);
        }
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn seeded_values_are_stable() {
        let mut rng = SeededRng::new(42, "stability");

        let values = [rng.below(1000), rng.below(1000), rng.below(1000)];

        let mut again = SeededRng::new(42, "stability");
        assert_eq!(
            values,
            [again.below(1000), again.below(1000), again.below(1000)]
        );
        assert_ne!(
            SeededRng::new(42, "other").next_u64(),
            SeededRng::new(42, "stability").next_u64()
        );
        let unit = again.unit_f64();
        assert!((0.0..1.0).contains(&unit));
        assert!(again.chance(1.0) && !again.chance(0.0));
    }
}
