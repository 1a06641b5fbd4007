//! Where secrets and ids come from.

use std::sync::{Mutex, PoisonError};

use crate::domain::digest::Secret32;
use crate::domain::rng::SeededRng;

/// A source of secrets.
pub enum Entropy {
    /// The operating system.
    System,
    /// A seed: every secret can be guessed. For demonstrations and tests only; whoever shows its results says so.
    Insecure(Box<Mutex<SeededRng>>),
}

impl Entropy {
    /// A source whose every value follows from `seed`.
    pub fn insecure(seed: u64) -> Self {
        Self::Insecure(Box::new(Mutex::new(SeededRng::new(
            seed,
            "insecure-secrets",
        ))))
    }

    /// Whether the values can be guessed.
    pub fn is_insecure(&self) -> bool {
        matches!(self, Self::Insecure(_))
    }

    /// Thirty-two bytes.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn bytes(&self) -> Result<[u8; 32], getrandom::Error> {
        let mut bytes = [0_u8; 32];
        match self {
            Self::System => getrandom::fill(&mut bytes)?,
            Self::Insecure(rng) => {
                let mut rng = rng.lock().unwrap_or_else(PoisonError::into_inner);
                for chunk in bytes.chunks_exact_mut(8) {
                    chunk.copy_from_slice(&rng.next_u64().to_le_bytes());
                }
            }
        }
        Ok(bytes)
    }

    /// A secret of 32 bytes.
    ///
    /// # Errors
    ///
    /// As [`Entropy::bytes`].
    pub fn secret(&self) -> Result<Secret32, getrandom::Error> {
        self.bytes().map(Secret32::from_bytes)
    }

    /// An id that rises with time: UUID version 7. From a seed it carries no time and does not rise.
    ///
    /// # Errors
    ///
    /// As [`Entropy::bytes`].
    pub fn id(&self) -> Result<String, getrandom::Error> {
        let random = self.bytes()?;
        let millis = match self {
            Self::System => u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0),
            Self::Insecure(_) => 0,
        };
        let random = random.first_chunk::<10>().copied().unwrap_or_default();
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random)
            .into_uuid()
            .to_string())
    }
}
