//! The members that each edition must and may have, so that what is wrong is named by its path.

use jiff::civil::Date;
use serde_json::Value;

use super::super::contribution::{ContributionName, ContributionValue};
use super::super::plan::PLAN_FORMAT;
use super::super::pool::{StratumKey, check_id};
use super::super::transcript::{Edition, TRANSCRIPT_FORMAT};
use crate::domain::canonical::MAX_INTEGER;
use crate::domain::digest::Digest;

/// What a value must be.
pub(super) enum Shape {
    Text,
    /// Exactly one of these words.
    Word(&'static [&'static str]),
    /// 32 bytes in lower-case hex.
    Hex,
    /// A whole number below 2^53.
    Count,
    /// True or false.
    Flag,
    Date,
    Id,
    Key,
    Name,
    ContributionValue,
    /// An object with members of its own choice.
    Open,
    List(&'static Shape),
    /// A list of exactly two.
    Pair(&'static Shape, &'static Shape),
    Object(&'static [Member]),
    /// An object whose members depend on its `kind`.
    ByKind(&'static [(&'static str, Shape)]),
}

/// A member of an object.
pub(super) struct Member {
    name: &'static str,
    shape: Shape,
    required: bool,
}

const fn must(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        shape,
        required: true,
    }
}

const fn may(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        shape,
        required: false,
    }
}

const ASSURANCE: Shape = Shape::Word(&["operator", "public"]);
const EDITION: Shape = Shape::Word(&["internal", "auditor", "public"]);
const TRANSCRIPT: Shape = Shape::Word(&[TRANSCRIPT_FORMAT]);

const PLANNED_CONTRIBUTION: Shape = Shape::ByKind(&[
    (
        "committed",
        Shape::Object(&[
            must("name", Shape::Name),
            must("kind", Shape::Text),
            must("commitment", Shape::Hex),
        ]),
    ),
    (
        "public",
        Shape::Object(&[
            must("name", Shape::Name),
            must("kind", Shape::Text),
            must("rule", Shape::Text),
        ]),
    ),
]);

const CONTRIBUTIONS: Shape = Shape::List(&Shape::Object(&[
    must("name", Shape::Name),
    must("value", Shape::ContributionValue),
]));

const PLAN: Shape = Shape::Object(&[
    must("format", Shape::Word(&[PLAN_FORMAT])),
    must("nonce", Shape::Hex),
    must("number", Shape::Count),
    may("extends", Shape::Hex),
    must("title", Shape::Text),
    must("hash", Shape::Word(&["sha256", "sm3"])),
    must("method", Shape::Word(&["equal", "pareto", "order"])),
    must(
        "rounding",
        Shape::Word(&["systematic", "largest_remainder", "whole"]),
    ),
    must("pool_digest", Shape::Hex),
    must("pool_root", Shape::Hex),
    must("pool_size", Shape::Count),
    may(
        "strata",
        Shape::List(&Shape::Object(&[
            must("key", Shape::Key),
            must("pool", Shape::Count),
            must("target_ppb", Shape::Count),
            must("reserve", Shape::Count),
        ])),
    ),
    must("exploration_n", Shape::Count),
    must(
        "excluded",
        Shape::List(&Shape::Object(&[
            must("reason", Shape::Text),
            must("count", Shape::Count),
        ])),
    ),
    must("filter", Shape::Open),
    must("items", Shape::List(&Shape::Text)),
    must(
        "period",
        Shape::Object(&[must("from", Shape::Date), must("to", Shape::Date)]),
    ),
    may("group", Shape::Key),
    must("contributions", Shape::List(&PLANNED_CONTRIBUTION)),
    must("frame_digest", Shape::Hex),
    must("policy_digest", Shape::Hex),
    must("model_digest", Shape::Hex),
    must("public_seed", Shape::Flag),
]);

const DRAWN: Shape = Shape::List(&Shape::Object(&[
    must("key", Shape::Key),
    must("n", Shape::Count),
]));

const REPLACEMENTS: Shape = Shape::List(&Shape::Object(&[
    must("number", Shape::Count),
    must("enterprise_id", Shape::Id),
    must("stratum", Shape::Text),
    must("reason", Shape::Text),
    may("note", Shape::Text),
    may(
        "taken",
        Shape::Object(&[
            must("enterprise_id", Shape::Id),
            must("order", Shape::Count),
        ]),
    ),
    must("by", Shape::Text),
    must("at", Shape::Text),
]));

macro_rules! body_with {
    ($($extra:expr),*) => {
        Shape::Object(&[
            must("format", TRANSCRIPT),
            must("edition", EDITION),
            must("plan_id", Shape::Text),
            must("plan", PLAN),
            must("plan_digest", Shape::Hex),
            must("contributions", CONTRIBUTIONS),
            must("seed", Shape::Hex),
            may("rounding_v", Shape::Count),
            must("drawn", DRAWN),
            must("explore_drawn", Shape::Count),
            must("pool_secret", Shape::Hex),
            must("sample_digest", Shape::Hex),
            must("assurance", ASSURANCE),
            may("previous", Shape::Hex),
            $($extra),*
        ])
    };
}

static AUDITOR: Shape = body_with!();
static INTERNAL: Shape = body_with!(
    must("strata_meaning", Shape::Open),
    must("excluded_reasons", Shape::Open),
    may("replacements", REPLACEMENTS)
);
static PUBLIC: Shape = Shape::Object(&[
    must("format", TRANSCRIPT),
    must("edition", EDITION),
    must("plan_id", Shape::Text),
    must("plan_digest", Shape::Hex),
    must("pool_root", Shape::Hex),
    must("commitments", Shape::List(&PLANNED_CONTRIBUTION)),
    must(
        "selected",
        Shape::List(&Shape::Object(&[
            must("id", Shape::Id),
            must("blind", Shape::Hex),
            must(
                "path",
                Shape::List(&Shape::Pair(&Shape::Word(&["L", "R"]), &Shape::Hex)),
            ),
        ])),
    ),
    must("assurance", ASSURANCE),
    may("previous", Shape::Hex),
    may("contributions", CONTRIBUTIONS),
    may("seed", Shape::Hex),
]);

/// The shape of an edition.
pub(super) const fn of(edition: Edition) -> &'static Shape {
    match edition {
        Edition::Internal => &INTERNAL,
        Edition::Auditor => &AUDITOR,
        Edition::Public => &PUBLIC,
    }
}

/// Tells `found` the path of every member that is unknown, missing or of the wrong type, and what is wrong.
pub(super) fn check(value: &Value, shape: &Shape, found: &mut impl FnMut(String, String)) {
    visit(value, shape, "", found);
}

fn visit(value: &Value, shape: &Shape, path: &str, found: &mut impl FnMut(String, String)) {
    let text = value.as_str();
    let fits = match shape {
        Shape::List(item) => {
            for (index, element) in value.as_array().into_iter().flatten().enumerate() {
                visit(element, item, &format!("{path}[{index}]"), found);
            }
            value.is_array()
        }
        Shape::Pair(first, second) => match value.as_array().map(Vec::as_slice) {
            Some([a, b]) => {
                visit(a, first, &format!("{path}[0]"), found);
                visit(b, second, &format!("{path}[1]"), found);
                true
            }
            _ => false,
        },
        Shape::Object(members) => visit_object(value, members, path, found),
        Shape::ByKind(kinds) => {
            let kind = value.get("kind").and_then(Value::as_str);
            match kinds.iter().find(|(name, _)| Some(*name) == kind) {
                Some((_, shape)) => visit(value, shape, path, found),
                None => found(
                    join(path, "kind"),
                    "must be `committed` or `public`".to_owned(),
                ),
            }
            true
        }
        Shape::Text => text.is_some(),
        Shape::Word(words) => text.is_some_and(|text| words.contains(&text)),
        Shape::Hex => text.is_some_and(|text| text.parse::<Digest>().is_ok()),
        Shape::Count => value.as_u64().is_some_and(|number| number <= MAX_INTEGER),
        Shape::Flag => value.is_boolean(),
        Shape::Date => text.is_some_and(|text| {
            text.parse::<Date>()
                .is_ok_and(|date| date.to_string() == text)
        }),
        Shape::Id => text.is_some_and(|text| check_id(text.as_bytes()).is_ok()),
        Shape::Key => text.is_some_and(|text| StratumKey::new(text).is_ok()),
        Shape::Name => text.is_some_and(|text| ContributionName::new(text).is_ok()),
        Shape::ContributionValue => text.is_some_and(|text| ContributionValue::new(text).is_ok()),
        Shape::Open => value.is_object(),
    };
    if !fits {
        found(path.to_owned(), expected(shape));
    }
}

fn visit_object(
    value: &Value,
    members: &[Member],
    path: &str,
    found: &mut impl FnMut(String, String),
) -> bool {
    let Some(object) = value.as_object() else {
        return false;
    };
    for member in members {
        match object.get(member.name) {
            Some(value) => visit(value, &member.shape, &join(path, member.name), found),
            None if member.required => found(join(path, member.name), "missing".to_owned()),
            None => {}
        }
    }
    for name in object.keys() {
        if !members.iter().any(|member| member.name == name) {
            found(
                join(path, name),
                "unknown: this version does not read it".to_owned(),
            );
        }
    }
    true
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Text => "must be text".to_owned(),
        Shape::Word(words) => format!("must be `{}`", words.join("` or `")),
        Shape::Hex => "must be 32 bytes in lower-case hex".to_owned(),
        Shape::Count => "must be a whole number from 0 to 2^53 - 1".to_owned(),
        Shape::Flag => "must be true or false".to_owned(),
        Shape::Date => "must be a date like `2026-12-31`".to_owned(),
        Shape::Id => "must be an object id".to_owned(),
        Shape::Key => "must be a key of 1 to 64 letters, digits, `.`, `_`, `/`, `-`".to_owned(),
        Shape::Name => "must be a contribution name".to_owned(),
        Shape::ContributionValue => "must be 1 to 256 printable ASCII characters".to_owned(),
        Shape::Open | Shape::Object(_) | Shape::ByKind(_) => "must be an object".to_owned(),
        Shape::List(_) => "must be a list".to_owned(),
        Shape::Pair(..) => "must be a list of two".to_owned(),
    }
}
