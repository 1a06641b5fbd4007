//! NDJSON lines to drafts, and the words of serde turned into ours.

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Deserializer, Value};
use std::collections::BTreeSet;
use std::fmt;

use super::columns::{self, Tabular};
use super::error::{LineError, shorten};

/// Reads one line as the draft of a `T`.
pub(super) fn draft<T: Tabular>(line: u64, text: &str) -> Result<T::Draft, LineError> {
    // The path to a fault costs time on every field, so it is only sought once there is one.
    let draft: T::Draft =
        serde_json::from_str(text).map_err(|error| explain::<T>(line, text, &error))?;
    // The draft keeps attributes in a map, which would silently take the last of two.
    if text.contains("attributes")
        && let Some(name) = repeated_attribute(text)
    {
        return Err(LineError {
            field: Some(format!("attributes.{}", shorten(&name))),
            ..LineError::whole(line, "stands twice in the object; keep one")
        });
    }
    Ok(draft)
}

fn explain<T: Tabular>(line: u64, text: &str, error: &serde_json::Error) -> LineError {
    match error.classify() {
        Category::Data => {}
        Category::Syntax | Category::Eof | Category::Io => {
            let reason = if error.to_string().starts_with("trailing characters") {
                "has text after the object; put every object on a line of its own".to_owned()
            } else {
                format!(
                    "is not a JSON object: {} (character {}); write one object per line",
                    bare_message(error),
                    error.column()
                )
            };
            return LineError {
                value: Some(shorten(text)),
                ..LineError::whole(line, reason)
            };
        }
    }
    let mut deserializer = Deserializer::from_str(text);
    let traced: Result<T::Draft, _> = serde_path_to_error::deserialize(&mut deserializer);
    let path = match traced {
        Err(fault) => fault.path().to_string(),
        Ok(_) => ".".to_owned(),
    };
    let message = bare_message(error);
    let noun = T::NOUN;
    if let Some(name) = quoted_after(&message, "unknown field ") {
        let known = columns::names::<T>();
        return LineError {
            field: Some(shorten(name)),
            ..LineError::whole(
                line,
                format!("is not a field of this {noun}; known are {known}"),
            )
        };
    }
    if let Some(name) = quoted_after(&message, "missing field ") {
        return LineError {
            field: Some(name.to_owned()),
            ..LineError::whole(line, format!("is missing; every {noun} needs it"))
        };
    }
    if let Some(name) = quoted_after(&message, "duplicate field ") {
        return LineError {
            field: Some(name.to_owned()),
            ..LineError::whole(line, "stands twice in the object; keep one")
        };
    }
    let found = value_at(text, &path);
    LineError {
        field: (path != ".").then(|| shorten(&path)),
        value: Some(shorten(
            &found.as_ref().map_or_else(|| text.to_owned(), shown),
        )),
        ..LineError::whole(line, wrong_type(&message, found.as_ref()))
    }
}

/// The message without the place that serde_json appends.
fn bare_message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((bare, _)) => bare.to_owned(),
        None => message,
    }
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    let rest = message.strip_prefix(start)?.strip_prefix('`')?;
    let end = rest.find("`, expected").or_else(|| rest.rfind('`'))?;
    rest.get(..end)
}

fn wrong_type(message: &str, found: Option<&Value>) -> String {
    let expected = message
        .rsplit_once("expected ")
        .map(|(_, expected)| expected);
    let wanted = match expected {
        Some("u32") => "a whole number from 0 to 4294967295",
        Some("f64") => "a number",
        Some("a string") => "a text in quotes",
        Some("a boolean") => "true or false",
        Some("a sequence") => "a list in brackets",
        Some(_) => "an object in braces",
        None => return format!("does not fit: {message}"),
    };
    let is = match found {
        Some(Value::Null) => "is null",
        Some(Value::Bool(_)) => "is true or false",
        Some(Value::Number(_)) => "is a number",
        Some(Value::String(_)) => "is a text",
        Some(Value::Array(_)) => "is a list",
        Some(Value::Object(_)) => "is an object",
        None => "does not fit",
    };
    format!("{is}; expected is {wanted}")
}

fn value_at(text: &str, path: &str) -> Option<Value> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    if path == "." {
        return Some(value);
    }
    let (field, inside) = path.split_once(['.', '[']).unwrap_or((path, ""));
    value = value.get_mut(field)?.take();
    match inside.strip_suffix(']') {
        Some(index) => value = value.get_mut(index.parse::<usize>().ok()?)?.take(),
        None if inside.is_empty() => {}
        None => value = value.get_mut(inside)?.take(),
    }
    Some(value)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first attribute that stands twice.
fn repeated_attribute(text: &str) -> Option<String> {
    let mut deserializer = Deserializer::from_str(text);
    deserializer.deserialize_map(Outer).ok().flatten()
}

/// Looks into the key `attributes` of an object and passes over the others.
struct Outer;

impl<'de> Visitor<'de> for Outer {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut repeated = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == "attributes" {
                repeated = map.next_value::<Repeated>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(repeated)
    }
}

/// The first key of an object that stands twice.
struct Repeated(Option<String>);

impl<'de> serde::Deserialize<'de> for Repeated {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Repeated;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Repeated, A::Error> {
                let (mut seen, mut repeated) = (BTreeSet::new(), None);
                while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    if !seen.insert(key.clone()) {
                        repeated = repeated.or(Some(key));
                    }
                }
                Ok(Repeated(repeated))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
