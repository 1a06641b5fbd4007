//! What requests and answers look like, apart from the values that the inside speaks in.
//!
//! Every conversion from an inner value names all of its fields and drops one with `field: _`, so that a new field is
//! not shown before someone has decided that it may be. A field that has no value is left out; null is never sent and
//! never taken.

pub(crate) mod codes;
pub(crate) mod enterprises;
pub(crate) mod frames;
pub(crate) mod imports;
pub(crate) mod page;
pub(crate) mod plan_input;
pub(crate) mod plan_results;
pub(crate) mod plans;
pub(crate) mod records;
pub(crate) mod tiers;

use serde::{Deserialize, Deserializer};

/// A member that may be absent but, if there, is not null.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
