//! Counts what look-ups found, by cache and outcome.

use metrics::{Counter, counter};

use super::{Lookup, MissReason};

/// One counter per outcome, resolved once; install the metrics recorder before building a cache.
pub(super) struct LookupCounters {
    hit: Counter,
    cold: Counter,
    changed: Counter,
    due: Counter,
    decode: Counter,
    outage: Counter,
    untrusted: Counter,
}

impl LookupCounters {
    pub(super) fn new(cache: &'static str) -> Self {
        let of = |outcome: &'static str| counter!("risktier_cache_lookups_total", "cache" => cache, "outcome" => outcome);
        Self {
            hit: of("hit"),
            cold: of("cold"),
            changed: of("changed"),
            due: of("due"),
            decode: of("decode"),
            outage: of("outage"),
            untrusted: of("untrusted"),
        }
    }

    /// Counts `lookup` and hands it on.
    pub(super) fn count(&self, lookup: Lookup) -> Lookup {
        let counter = match lookup {
            Lookup::Hit(_) => &self.hit,
            Lookup::Miss(MissReason::Cold) => &self.cold,
            Lookup::Miss(MissReason::Changed { .. }) => &self.changed,
            Lookup::Miss(MissReason::Due) => &self.due,
            Lookup::Miss(MissReason::Decode) => &self.decode,
            Lookup::Miss(MissReason::Outage) => &self.outage,
            Lookup::Miss(MissReason::Untrusted) => &self.untrusted,
        };
        counter.increment(1);
        lookup
    }
}
