//! The mapping file as TOML gives it; unknown keys are refused with their place.

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct MappingSpec {
    pub(super) format: String,
    pub(super) name: Option<String>,
    pub(super) demo: Option<DemoSpec>,
    #[serde(default)]
    pub(super) table: Vec<TableSpec>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `as_of` and `outcome`")]
pub(super) struct DemoSpec {
    pub(super) as_of: String,
    pub(super) outcome: Option<OutcomeSpec>,
}

#[derive(serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `kind`, `source` and `code`"
)]
pub(super) struct OutcomeSpec {
    pub(super) kind: String,
    pub(super) source: Option<String>,
    pub(super) code: String,
}

#[derive(serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `file`, `yields` and `fields`"
)]
pub(super) struct TableSpec {
    pub(super) name: Option<String>,
    pub(super) file: String,
    pub(super) yields: Yields,
    pub(super) delimiter: Option<char>,
    pub(super) decimal: Option<char>,
    pub(super) thousands: Option<char>,
    #[serde(default, rename = "where")]
    pub(super) conditions: Conditions,
    pub(super) fields: BTreeMap<String, FieldSpec>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, ValueSpec>,
}

#[derive(serde::Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Yields {
    Enterprise,
    Record,
}

/// Conditions by column; all must hold.
pub(super) type Conditions = BTreeMap<String, Condition>;

#[derive(serde::Deserialize, Clone, Default)]
#[serde(
    deny_unknown_fields,
    expecting = "a table that says where the value comes from"
)]
pub(super) struct ValueSpec {
    pub(super) column: Option<String>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) join: Option<String>,
    pub(super) constant: Option<String>,
    #[serde(default, rename = "where")]
    pub(super) conditions: Conditions,
    #[serde(default)]
    pub(super) absent: Vec<String>,
    pub(super) map: Option<BTreeMap<String, String>>,
    pub(super) otherwise: Option<Otherwise>,
    pub(super) default: Option<String>,
    pub(super) date: Option<String>,
    pub(super) plus_days: Option<i32>,
    pub(super) times: Option<f64>,
    pub(super) split: Option<String>,
}

/// What happens to a text that `map` does not list.
#[derive(serde::Deserialize, Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Otherwise {
    Error,
    Keep,
    Absent,
    SkipRow,
}

/// One value, or several: a list gathers them, any other field takes the first present.
pub(super) enum FieldSpec {
    One(Box<ValueSpec>),
    Several(Vec<ValueSpec>),
}

/// What a column must hold.
#[derive(serde::Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
struct ConditionTable {
    one_of: Option<Vec<String>>,
    none_of: Option<Vec<String>>,
    empty: Option<bool>,
    above: Option<f64>,
    below: Option<f64>,
}

#[derive(Clone, Default)]
pub(super) struct Condition {
    pub(super) one_of: Option<Vec<String>>,
    pub(super) none_of: Vec<String>,
    pub(super) empty: Option<bool>,
    pub(super) above: Option<f64>,
    pub(super) below: Option<f64>,
}

impl<'de> Deserialize<'de> for FieldSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;
        impl<'de> Visitor<'de> for FieldVisitor {
            type Value = FieldSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table that says where the value comes from, or a list of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldSpec, A::Error> {
                ValueSpec::deserialize(MapAccessDeserializer::new(map))
                    .map(|value| FieldSpec::One(Box::new(value)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FieldSpec, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(FieldSpec::Several(values))
            }
        }
        deserializer.deserialize_any(FieldVisitor)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConditionVisitor;
        impl<'de> Visitor<'de> for ConditionVisitor {
            type Value = Condition;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a text, a list of texts, or a table with `one_of`, `none_of`, `empty`, `above`, `below`",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Condition, E> {
                Ok(Condition {
                    one_of: Some(vec![text.to_owned()]),
                    ..Condition::default()
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Condition, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(Condition {
                    one_of: Some(texts),
                    ..Condition::default()
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Condition, A::Error> {
                let table = ConditionTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Condition {
                    one_of: table.one_of,
                    none_of: table.none_of.unwrap_or_default(),
                    empty: table.empty,
                    above: table.above,
                    below: table.below,
                })
            }
        }
        deserializer.deserialize_any(ConditionVisitor)
    }
}
