//! One cached tier and its compact form.
//!
//! The form is the same in every cache and part of the layout that other systems may read ([`super`] tells how). At most
//! 16 bytes, numbers big-endian:
//!
//! | bytes | value (16 bytes) | tombstone (9 bytes) |
//! |---|---|---|
//! | 0 | `0x20` + tier: 1 is A, 2 B, 3 C, 4 D | `0x20` |
//! | 1–5 | revision | revision |
//! | 6–8 | as-of day, in days since 1970-01-01 | check |
//! | 9–10 | days from there to the next possible change, `FFFF` for none | – |
//! | 11–12 | points | – |
//! | 13–15 | check | – |
//!
//! The check is FNV-1a (64 bits) over the id and all bytes before, folded to its lowest 24 bits by exclusive or with
//! itself shifted right by 24 and by 48. It catches a value that lies under another id or was cut or altered. A
//! next change more than 65,534 days away is written as that many: the entry is a miss from then on.

use jiff::civil::Date;

use super::{Lookup, MissReason};
use crate::domain::{EnterpriseId, Tier, dates};

/// A tier as the cache keeps it; its reasons stay in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachedTier {
    /// The tier.
    pub tier: Tier,
    /// The points behind it.
    pub points: u16,
    /// The enterprise's revision in the store that the tier was computed from.
    pub revision: u64,
    /// The day the tier speaks for.
    pub as_of: Date,
    /// The first day on which it may change by itself.
    pub next_change_on: Option<Date>,
}

/// What lies under a key: a tier, or the knowledge that everything before a revision is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// A tier.
    Value(CachedTier),
    /// The enterprise changed up to this revision; only a value of this or a later revision is current.
    Tombstone {
        /// The revision of the change.
        revision: u64,
    },
}

/// The compact form of a [`Stored`]; bytes after `len` are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) bytes: [u8; VALUE_BYTES],
    len: usize,
}

/// Revisions use 40 bits.
const MAX_REVISION: u64 = (1 << 40) - 1;
const FORMAT: u8 = 2 << 4;
const VALUE_BYTES: usize = 16;
const TOMBSTONE_BYTES: usize = 9;
const CHECK_BYTES: usize = 3;
const MAX_DAY: u32 = 0x00FF_FFFE;
const NO_CHANGE: u16 = u16::MAX;

impl Encoded {
    /// The bytes as they are kept.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Stored {
    /// The compact form for `id`, or nothing when a field does not fit: a day before 1970 or a revision beyond 40 bits.
    /// What cannot be encoded is not cached.
    pub(super) fn encode(&self, id: &EnterpriseId) -> Option<Encoded> {
        let mut encoded = self.body()?;
        let (body, check) = encoded
            .bytes
            .get_mut(..encoded.len)?
            .split_last_chunk_mut::<CHECK_BYTES>()?;
        *check = check_of(id, body);
        Some(encoded)
    }

    /// Reads the compact form; anything that this release did not write for `id` is nothing.
    pub(super) fn decode(id: &EnterpriseId, bytes: &[u8]) -> Option<Self> {
        let (body, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        if *check != check_of(id, body) {
            return None;
        }
        let mut padded = [0; VALUE_BYTES];
        padded.get_mut(..body.len())?.copy_from_slice(body);
        let stored = Self::from_body(&padded)?;
        let expected = match stored {
            Self::Value(_) => VALUE_BYTES,
            Self::Tombstone { .. } => TOMBSTONE_BYTES,
        };
        (bytes.len() == expected).then_some(stored)
    }

    /// The compact form without its check: zeros stand in its place.
    pub(super) fn body(&self) -> Option<Encoded> {
        Some(match self {
            Self::Value(value) => {
                let [r0, r1, r2, r3, r4] = revision_bytes(value.revision)?;
                let [a0, a1, a2] = day_bytes(value.as_of)?;
                let [n0, n1] = days_until(value.as_of, value.next_change_on).to_be_bytes();
                let [p0, p1] = value.points.to_be_bytes();
                let kind = FORMAT | value.tier.code();
                Encoded {
                    bytes: [
                        kind, r0, r1, r2, r3, r4, a0, a1, a2, n0, n1, p0, p1, 0, 0, 0,
                    ],
                    len: VALUE_BYTES,
                }
            }
            Self::Tombstone { revision } => {
                let [r0, r1, r2, r3, r4] = revision_bytes(*revision)?;
                Encoded {
                    bytes: [FORMAT, r0, r1, r2, r3, r4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                    len: TOMBSTONE_BYTES,
                }
            }
        })
    }

    /// Reads the compact form without its check.
    pub(super) fn from_body(bytes: &[u8; VALUE_BYTES]) -> Option<Self> {
        let [kind, r0, r1, r2, r3, r4, a0, a1, a2, n0, n1, p0, p1, ..] = *bytes;
        let revision = u64::from_be_bytes([0, 0, 0, r0, r1, r2, r3, r4]);
        if kind == FORMAT {
            return Some(Self::Tombstone { revision });
        }
        let tier = Tier::from_code(kind.checked_sub(FORMAT)?)?;
        let days = u32::from_be_bytes([0, a0, a1, a2]);
        let as_of = day_of(days)?;
        let next_change_on = match u16::from_be_bytes([n0, n1]) {
            NO_CHANGE => None,
            later => Some(day_of(days + u32::from(later))?),
        };
        Some(Self::Value(CachedTier {
            tier,
            points: u16::from_be_bytes([p0, p1]),
            revision,
            as_of,
            next_change_on,
        }))
    }

    /// What a read that asks for `today` gets.
    pub(super) fn answer(&self, today: Date) -> Lookup {
        match self {
            Self::Value(value) => {
                let due = value.next_change_on.is_some_and(|day| day <= today);
                if due || today < value.as_of {
                    Lookup::Miss(MissReason::Due)
                } else {
                    Lookup::Hit(*value)
                }
            }
            Self::Tombstone { revision } => Lookup::Miss(MissReason::Changed {
                revision: *revision,
            }),
        }
    }

    /// Which of two entries stands: the later revision; of one revision a value over a tombstone, and of two values the
    /// one computed for the later day.
    pub(super) fn order(&self) -> (u64, Option<Date>) {
        match self {
            Self::Value(value) => (value.revision, Some(value.as_of)),
            Self::Tombstone { revision } => (*revision, None),
        }
    }
}

fn revision_bytes(revision: u64) -> Option<[u8; 5]> {
    let [_, _, _, rest @ ..] = revision.to_be_bytes();
    (revision <= MAX_REVISION).then_some(rest)
}

fn day_bytes(day: Date) -> Option<[u8; 3]> {
    let days = u32::try_from(dates::to_epoch_day(day)).ok()?;
    let [_, rest @ ..] = days.to_be_bytes();
    (days <= MAX_DAY).then_some(rest)
}

fn days_until(as_of: Date, next_change_on: Option<Date>) -> u16 {
    let Some(next) = next_change_on else {
        return NO_CHANGE;
    };
    let days = dates::to_epoch_day(next) - dates::to_epoch_day(as_of);
    // A change that lies behind the as-of day makes the entry a miss from its first day on.
    u16::try_from(days.clamp(0, i32::from(NO_CHANGE) - 1)).unwrap_or(0)
}

/// The date of a stored day; a number beyond the calendar was not written by us.
fn day_of(days: u32) -> Option<Date> {
    let date = dates::from_epoch_day(i32::try_from(days).ok()?);
    (dates::to_epoch_day(date) == i32::try_from(days).ok()?).then_some(date)
}

/// FNV-1a (64 bits) over id and body, folded to 24 bits.
fn check_of(id: &EnterpriseId, body: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = id
        .as_str()
        .bytes()
        .chain(body.iter().copied())
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
    let [.., a, b, c] = (hash ^ (hash >> 24) ^ (hash >> 48)).to_be_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn id() -> EnterpriseId {
        EnterpriseId::parse("9144030071526726XG").unwrap()
    }

    fn value() -> CachedTier {
        CachedTier {
            tier: Tier::C,
            points: 612,
            revision: 0x01_0203_0405,
            as_of: date(2026, 11, 22),
            next_change_on: Some(date(2026, 12, 1)),
        }
    }

    #[test]
    fn values_and_tombstones_round_trip_within_16_bytes() {
        let samples = [
            Stored::Value(value()),
            Stored::Value(CachedTier {
                next_change_on: None,
                revision: MAX_REVISION,
                points: u16::MAX,
                as_of: date(1970, 1, 1),
                ..value()
            }),
            Stored::Tombstone { revision: 0 },
            Stored::Tombstone {
                revision: MAX_REVISION,
            },
        ];
        for stored in samples {
            let encoded = stored.encode(&id()).unwrap();
            assert!(encoded.as_bytes().len() <= 16);
            assert_eq!(Stored::decode(&id(), encoded.as_bytes()), Some(stored));
        }
    }

    #[test]
    fn the_layout_does_not_change() {
        let encoded = Stored::Value(value()).encode(&id()).unwrap();
        let (body, _) = encoded.as_bytes().split_at(13);
        assert_eq!(hex::encode(body), "23010203040500512b00090264");
        let tombstone = Stored::Tombstone { revision: 258 }.encode(&id()).unwrap();
        let (body, _) = tombstone.as_bytes().split_at(6);
        assert_eq!(hex::encode(body), "200000000102");
    }

    #[test]
    fn a_change_beyond_the_count_of_days_is_a_miss_from_the_last_day_that_can_be_counted() {
        let far = CachedTier {
            next_change_on: Some(date(2400, 1, 1)),
            ..value()
        };
        let encoded = Stored::Value(far).encode(&id()).unwrap();
        let Some(Stored::Value(read)) = Stored::decode(&id(), encoded.as_bytes()) else {
            panic!("a value")
        };
        let counted = read.next_change_on.unwrap();
        assert!(
            counted < date(2400, 1, 1) && counted > date(2200, 1, 1),
            "{counted}"
        );
    }

    #[test]
    fn what_does_not_fit_is_not_encoded() {
        let early = CachedTier {
            as_of: date(1969, 12, 31),
            ..value()
        };
        assert_eq!(Stored::Value(early).encode(&id()), None);
        let revision = MAX_REVISION + 1;
        assert_eq!(Stored::Tombstone { revision }.encode(&id()), None);
    }

    #[test]
    fn a_changed_byte_or_another_id_is_not_decoded() {
        let encoded = Stored::Value(value()).encode(&id()).unwrap();
        for at in 0..encoded.as_bytes().len() {
            let mut altered = encoded.as_bytes().to_vec();
            altered[at] ^= 0x20;
            assert_eq!(Stored::decode(&id(), &altered), None, "byte {at}");
        }
        let other = EnterpriseId::parse("licence-7a").unwrap();
        assert_eq!(Stored::decode(&other, encoded.as_bytes()), None);
        for garbage in [
            &b""[..],
            b"A",
            b"OK",
            b"   ",
            b"garbage!",
            b"123456789",
            b"0123456789abcdef",
        ] {
            assert_eq!(Stored::decode(&id(), garbage), None);
        }
    }

    #[test]
    fn a_later_revision_stands_and_a_value_beats_its_own_tombstone() {
        let stored = Stored::Value(value());
        let same = Stored::Tombstone {
            revision: value().revision,
        };
        let later = Stored::Tombstone {
            revision: value().revision + 1,
        };
        assert!(same.order() < stored.order() && stored.order() < later.order());
    }
}
