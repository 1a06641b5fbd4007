//! The keys in Redis.
//!
//! | key | holds |
//! |---|---|
//! | `rt:live` | a hash: the store's log → `<number> <epoch>` of what is in force |
//! | `rt:<epoch>:<log>:applied` | `<generation> <seq> <time>`: the generation that counts, up to where the log is applied, when that was last looked after |
//! | `rt:<epoch>:<log>-<generation>:{<bucket>}` | a hash: enterprise id → compact form |
//! | `rt:<epoch>:<log>-<generation>:witness:{<bucket>}` | on a Cluster: the `run_id` of the server that holds this bucket |
//!
//! `<log>` names the store's log, so that two stores (a test system and a production system, or a store that was made
//! anew) may share one Redis and one epoch. The bucket is the only hash tag, so that buckets spread over a Redis Cluster.

use std::fmt::Write;
use std::time::Duration;

use crate::domain::Epoch;

/// The key that tells which epoch is in force.
pub(super) const LIVE: &str = "rt:live";

/// The keys of one store.
pub(super) struct Layout {
    pub(super) log_id: String,
    pub(super) ttl: Duration,
}

/// The keys of buckets of one generation, written one after another into the same memory.
pub(super) struct BucketKeys {
    text: String,
    prefix: usize,
}

impl Layout {
    /// The key of the position.
    pub(super) fn applied(&self, epoch: &Epoch) -> String {
        format!("rt:{epoch}:{}:applied", self.log_id)
    }

    /// The keys of buckets of a generation.
    pub(super) fn buckets(&self, epoch: &Epoch, generation: u64) -> BucketKeys {
        let mut text = String::with_capacity(self.log_id.len() + 48);
        // Writing to a string cannot fail.
        let _ = write!(text, "rt:{epoch}:{}-{generation:016x}:{{", self.log_id);
        BucketKeys {
            prefix: text.len(),
            text,
        }
    }

    /// The key of a witness beside a bucket.
    pub(super) fn witness(&self, epoch: &Epoch, generation: u64, bucket: u16) -> String {
        let log_id = &self.log_id;
        format!("rt:{epoch}:{log_id}-{generation:016x}:witness:{{{bucket}}}")
    }

    /// How long keys that are no bucket live after they were last written, in seconds: longer than any bucket.
    pub(super) fn longest_ttl(&self) -> u64 {
        self.ttl.as_secs().saturating_mul(12) / 10
    }

    /// How long a bucket lives after it was last written, in seconds: within a tenth of the set time, a share that the
    /// bucket decides, so that what was filled at once does not go at once.
    pub(super) fn bucket_ttl(&self, bucket: u16) -> u64 {
        let spread = u64::from(bucket.wrapping_mul(40_503)) * 200 / u64::from(u16::MAX);
        (self.ttl.as_secs().saturating_mul(900 + spread) / 1_000).max(1)
    }
}

impl BucketKeys {
    /// The key of one bucket.
    pub(super) fn of(&mut self, bucket: u16) -> &str {
        self.text.truncate(self.prefix);
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{bucket}}}");
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_documented_layout() {
        let epoch = "0123456789abcdef".parse().unwrap();
        let layout = Layout {
            log_id: "log1".to_owned(),
            ttl: Duration::from_secs(1_000),
        };
        assert_eq!(layout.applied(&epoch), "rt:0123456789abcdef:log1:applied");
        let mut buckets = layout.buckets(&epoch, 7);
        assert_eq!(
            buckets.of(16_383),
            "rt:0123456789abcdef:log1-0000000000000007:{16383}"
        );
        assert_eq!(
            buckets.of(4),
            "rt:0123456789abcdef:log1-0000000000000007:{4}"
        );
    }

    #[test]
    fn buckets_expire_within_a_tenth_of_the_set_time_and_not_together() {
        let layout = Layout {
            log_id: "log1".to_owned(),
            ttl: Duration::from_secs(1_000_000),
        };
        let mut times: Vec<u64> = (0..16_384)
            .map(|bucket| layout.bucket_ttl(bucket))
            .collect();
        times.sort_unstable();
        assert!(times[0] >= 900_000 && times[16_383] <= 1_100_000);
        assert!(
            times[4_096] < 960_000 && times[12_288] > 1_040_000,
            "spread evenly"
        );
        assert!(layout.longest_ttl() > times[16_383]);
    }
}
