//! What requests and answers look like, apart from the values that the inside speaks in.
//!
//! Every conversion from an inner value names all of its fields and drops one with `field: _`, so that a new field is
//! not shown before someone has decided that it may be. A field that has no value is left out; null is never sent and
//! never taken.

pub(crate) mod calendars;
pub(crate) mod changes;
pub(crate) mod codes;
pub(crate) mod decisions;
pub(crate) mod enterprises;
pub(crate) mod frames;
pub(crate) mod history;
pub(crate) mod imports;
pub(crate) mod items;
pub(crate) mod jobs;
pub(crate) mod joint;
pub(crate) mod ledger;
pub(crate) mod model_jobs;
pub(crate) mod models;
pub(crate) mod objections;
pub(crate) mod overview;
pub(crate) mod page;
pub(crate) mod persons;
pub(crate) mod plan_events;
pub(crate) mod plan_groups;
pub(crate) mod plan_input;
pub(crate) mod plan_proofs;
pub(crate) mod plan_results;
pub(crate) mod plans;
pub(crate) mod policies;
pub(crate) mod records;
pub(crate) mod sheets;
pub(crate) mod simulation;
pub(crate) mod tiers;
pub(crate) mod train_input;
pub(crate) mod webhooks;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

use crate::domain::FieldError;

/// A member that may be absent but, if there, is not null.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Numbers by name, each name once: which of two would count is not for us to guess.
pub(crate) fn each_once<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, f64>, D::Error> {
    struct EachOnce;

    impl<'de> Visitor<'de> for EachOnce {
        type Value = BTreeMap<String, f64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of numbers")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut numbers = BTreeMap::new();
            while let Some((name, number)) = members.next_entry::<String, f64>()? {
                if numbers.contains_key(&name) {
                    return Err(A::Error::custom(format!("`{name}` stands twice; keep one")));
                }
                numbers.insert(name, number);
            }
            Ok(numbers)
        }
    }

    deserializer.deserialize_map(EachOnce)
}

/// In files an empty cell is an absent value; in JSON what is absent is left out, and an empty text is a mistake.
pub(crate) fn stated(fields: &[(&str, &Option<String>)]) -> Result<(), FieldError> {
    for (field, value) in fields {
        if let Some(text) = value
            && text.trim().is_empty()
        {
            return Err(FieldError::new(
                field,
                text,
                "is empty; leave it out if it is not known",
            ));
        }
    }
    Ok(())
}

/// As [`stated`], for dates and words of a closed vocabulary, which have one spelling.
pub(crate) fn exact(fields: &[(&str, &Option<String>)]) -> Result<(), FieldError> {
    stated(fields)?;
    for (field, value) in fields {
        if let Some(text) = value
            && text.trim() != text
        {
            return Err(FieldError::new(field, text, "has white space around it"));
        }
    }
    Ok(())
}
