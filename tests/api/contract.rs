//! The committed contract and what every operation in it has.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::schema::{document, faults};

const OPERATIONS: usize = 145;

/// Every operation with its path and method.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push((format!("{method} {path}"), operation));
        }
    }
    found
}

/// Everything inside a value, itself included.
fn each<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
        Value::Object(members) => members.values().for_each(|member| each(member, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_committed_contract_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/risktier.v1.json");
    let generated = risktier::api::openapi_json();
    if std::env::var_os("RISKTIER_ACCEPT").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "openapi/risktier.v1.json is not what the routes give; look at the change, then accept it with \
         `RISKTIER_ACCEPT=1 cargo test --test api the_committed_contract` or \
         `cargo run -- openapi > openapi/risktier.v1.json`"
    );
}

#[test]
fn every_operation_is_described() {
    let document = document();
    let operations = operations(document);
    assert_eq!(operations.len(), OPERATIONS);
    let tags: BTreeSet<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut ids = BTreeSet::new();
    for (name, operation) in &operations {
        let id = operation["operationId"].as_str().unwrap();
        let verbs = [
            "get_",
            "list_",
            "put_",
            "create_",
            "import_",
            "repair_",
            "withdraw_",
            "lookup_",
            "score_",
            "preview_",
            "freeze_",
            "draw_",
            "close_",
            "void_",
            "verify_",
            "end_",
            "correct_",
            "merge_",
            "undo_",
            "propose_",
            "approve_",
            "file_",
            "examine_",
            "decide_",
            "reclassify_",
            "cancel_",
            "enter_",
            "note_",
            "simulate_",
            "replace_",
            "seal_",
            "open_",
            "train_",
            "evaluate_",
            "compare_",
            "validate_",
            "shadow_",
            "promote_",
            "activate_",
            "roll_back_",
            "retire_",
            "measure_",
            "ping_",
            "resume_",
            "delete_",
        ];
        assert!(
            verbs.iter().any(|verb| id.starts_with(verb)),
            "{name}: {id}"
        );
        assert!(ids.insert(id), "{name}: {id} twice");
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{name}"
        );
        for tag in operation["tags"].as_array().unwrap() {
            assert!(tags.contains(tag.as_str().unwrap()), "{name}: {tag}");
        }
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{name}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(
                parameter["description"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{name}: {parameter}"
            );
        }
    }
}

#[test]
fn every_operation_has_an_example_and_problems() {
    let document = document();
    for (name, operation) in operations(document) {
        let responses = operation["responses"].as_object().unwrap();
        let bodies = responses
            .iter()
            .filter(|(status, _)| status.starts_with('2'))
            .map(|(_, response)| response)
            .chain([&operation["requestBody"]]);
        let mut examples = 0;
        for body in bodies {
            for (media_type, content) in body["content"].as_object().into_iter().flatten() {
                assert!(!content["example"].is_null(), "{name}: {media_type}");
                examples += 1;
            }
        }
        assert!(examples > 0, "{name}");
        assert_eq!(
            responses["default"]["$ref"], "#/components/responses/Problem",
            "{name}"
        );
        if name.contains("/v1/") {
            for status in ["400", "500"] {
                let content = &responses[status]["content"]["application/problem+json"];
                assert_eq!(
                    content["schema"]["$ref"], "#/components/schemas/Problem",
                    "{name}"
                );
            }
        }
        if name.contains("{") {
            assert!(
                responses.contains_key("404") || responses.contains_key("204"),
                "{name}"
            );
        }
        if !operation["requestBody"].is_null() {
            for status in ["413", "415", "422"] {
                assert!(responses.contains_key(status), "{name}: {status}");
            }
        }
    }
}

#[test]
fn every_example_fits_its_schema() {
    for (name, operation) in operations(document()) {
        let responses = operation["responses"].as_object().unwrap().values();
        for body in responses.chain([&operation["requestBody"]]) {
            let content = &body["content"]["application/json"];
            if !content["example"].is_null() {
                let found = faults(&content["schema"], &content["example"]);
                assert!(found.is_empty(), "{name}: {found:#?}");
            }
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if !parameter["example"].is_null() {
                let found = faults(&parameter["schema"], &parameter["example"]);
                assert!(found.is_empty(), "{name}: {found:#?}");
            }
        }
    }
}

#[test]
fn nothing_in_the_contract_is_null() {
    let document = document();
    each(document, &mut |value| {
        assert_ne!(value["type"], "null", "{value}");
        let types = value["type"].as_array().into_iter().flatten();
        assert!(types.clone().all(|one| one != "null"), "{value}");
        assert_ne!(value["nullable"], true, "{value}");
    });
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    each(document, &mut |value| {
        if let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    });
}

#[test]
fn every_vocabulary_says_whether_it_may_grow() {
    let mut found = 0;
    each(document(), &mut |value| {
        if value["enum"].is_array() {
            assert!(value["x-closed-enum"].is_boolean(), "{value}");
            assert_eq!(value["type"], "string", "{value}");
            found += 1;
        }
    });
    assert!(found > 60, "{found}");
    assert_eq!(
        document()["components"]["schemas"]["Tier"]["x-closed-enum"],
        true
    );
    assert_eq!(
        document()["components"]["schemas"]["JobState"]["x-closed-enum"],
        false
    );
}

#[test]
fn every_delivery_is_described_with_its_signature() {
    let document = document();
    let webhooks = document["webhooks"].as_object().unwrap();
    let names: BTreeSet<&str> = webhooks.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["ping", "tiersChanged", "tiersLost"]));
    for (name, item) in webhooks {
        let delivery = &item["post"];
        assert!(
            delivery["operationId"]
                .as_str()
                .unwrap()
                .starts_with("deliver_")
        );
        let headers: Vec<&str> = delivery["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|header| header["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            headers,
            ["webhook-id", "webhook-timestamp", "webhook-signature"]
        );
        let content = &delivery["requestBody"]["content"]["application/json"];
        let found = faults(&content["schema"], &content["example"]);
        assert!(
            found.is_empty() && !content["example"].is_null(),
            "{name}: {found:#?}"
        );
        for answer in ["2XX", "410", "default"] {
            assert!(
                delivery["responses"][answer]["description"].is_string(),
                "{name}: {answer}"
            );
        }
    }
}
