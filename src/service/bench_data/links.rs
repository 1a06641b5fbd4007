//! Who shares an address, a legal representative, or shares with whom.
//!
//! Addresses and persons are shared in two ways: by a few, as families and offices do, and by crowds, as at registration
//! agencies and behind nominees. Which one an enterprise has is a function of its own stream and of the size of the
//! register, so that a crowd has the same mean size in every register that is large enough for one.

use super::records::Maker;
use crate::domain::rng::SeededRng;

/// A kind of sharing.
struct Sharing {
    /// Share of enterprises, in parts of 10,000.
    share: u64,
    /// Mean number of enterprises that share one.
    mean_size: u64,
    /// Sets the keys of one sharing apart from those of another.
    mark: char,
}

/// Addresses: one enterprise in a hundred is at an address of about 25 of them.
const ADDRESSES: [Sharing; 2] = [
    Sharing {
        share: 100,
        mean_size: 25,
        mark: 'C',
    },
    Sharing {
        share: 1_100,
        mean_size: 3,
        mark: 'S',
    },
];

/// Persons: three enterprises in a thousand have a legal representative of about 20.
const PERSONS: [Sharing; 2] = [
    Sharing {
        share: 30,
        mean_size: 20,
        mark: 'C',
    },
    Sharing {
        share: 800,
        mean_size: 2,
        mark: 'S',
    },
];

/// Share of enterprises with a shareholder that is an enterprise, and with an affiliate.
const SHAREHOLDER: f64 = 0.02;
const AFFILIATE: f64 = 0.01;

/// Adds the links of one enterprise.
pub(super) fn add(maker: &mut Maker<'_>, enterprise_count: u64) {
    for (code, kinds) in [("address", &ADDRESSES), ("legal_representative", &PERSONS)] {
        if let Some(key) = key(&mut maker.rng, code, kinds, enterprise_count) {
            maker.link(&[code], &key);
        }
    }
    for (code, chance) in [("shareholder", SHAREHOLDER), ("affiliate", AFFILIATE)] {
        if maker.rng.chance(chance) {
            let other = maker.rng.below(enterprise_count);
            maker.link_to(&[code], other);
        }
    }
}

/// A person that nobody else in the register has.
pub(super) fn lone_person(index: u64) -> String {
    format!("person-L{index:09}")
}

fn key(
    rng: &mut SeededRng,
    code: &str,
    kinds: &[Sharing; 2],
    enterprise_count: u64,
) -> Option<String> {
    let mut ticket = rng.below(10_000);
    for Sharing {
        share,
        mean_size,
        mark,
    } in kinds
    {
        if ticket < *share {
            let keys = (enterprise_count * share / 10_000 / mean_size).max(1);
            let stem = if code == "address" {
                "address"
            } else {
                "person"
            };
            return Some(format!("{stem}-{mark}{:09}", rng.below(keys)));
        }
        ticket -= share;
    }
    None
}
