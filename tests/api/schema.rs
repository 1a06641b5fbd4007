//! Checks JSON against the schemas of the contract, as far as the contract uses them.

use std::sync::OnceLock;

use serde_json::Value;

/// The contract as it is generated.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::from_str(&risktier::api::openapi_json()).unwrap())
}

/// Everything about `value` that does not fit `schema`, with its place.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document().pointer(reference.trim_start_matches('#'));
        return check(target.unwrap(), value, place, found);
    }
    if let Some(options) = schema["oneOf"].as_array() {
        let fitting = options.iter().filter(|one| faults(one, value).is_empty());
        if fitting.count() != 1 {
            found.push(format!("{place}: fits not exactly one form: {value}"));
        }
        return;
    }
    let fits = match schema["type"].as_str() {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some(other) => panic!("a schema of type {other}"),
    };
    if !fits {
        found.push(format!("{place}: is not {}: {value}", schema["type"]));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        found.push(format!("{place}: {value} is not in {}", schema["enum"]));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            found.push(format!("{place}: lacks {required}"));
        }
    }
    let properties = schema["properties"].as_object();
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        match properties.and_then(|properties| properties.get(name)) {
            Some(schema) => check(schema, member, &place, found),
            None if schema["additionalProperties"].is_object() => {
                check(&schema["additionalProperties"], member, &place, found);
            }
            None if properties.is_some() => found.push(format!("{place}: is not in the schema")),
            None => {}
        }
    }
    if schema["items"].is_object() {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            check(&schema["items"], item, &format!("{place}/{index}"), found);
        }
    }
}

/// Asserts that an answer is one that the contract promises for its path and status.
pub fn assert_promised(path: &str, status: u16, body: &Value) {
    let given: Vec<&str> = path.split('/').collect();
    let paths = document()["paths"].as_object().unwrap();
    let matching = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == given.len()
            && parts
                .iter()
                .zip(&given)
                .all(|(part, given)| part.starts_with('{') || part == given)
    };
    let item = paths.get(path).unwrap_or_else(|| {
        let mut found = paths.iter().filter(|(template, _)| matching(template));
        found.next().unwrap().1
    });
    let status = status.to_string();
    let mut all = Vec::new();
    for operation in item.as_object().unwrap().values() {
        let schema = &operation["responses"][&status]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            let found = faults(schema, body);
            if found.is_empty() {
                return;
            }
            all.extend(found);
        }
    }
    panic!("{path} {status} is not as the contract says: {all:#?}");
}
