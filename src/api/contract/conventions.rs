//! What holds for every operation: said once here, declared for each of them in the document.

use std::collections::BTreeSet;

use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayItems, ObjectBuilder, Type};
use utoipa::openapi::{
    Components, ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
};

use super::{PROBLEM, operations_mut};
use crate::api::language::Language;
use crate::api::problem::{CONTENT_TYPE, ProblemKind};

/// Vocabularies that stay as they are within this version of the contract.
const CLOSED: [&str; 1] = ["Tier"];

/// The header that makes a POST safe to repeat.
const KEY: &str = "idempotency-key";

/// How the ids of POST operations begin that change nothing, or that change nothing when they are repeated and read
/// bodies of any length.
const UNKEYED: [&str; 8] = [
    "lookup_",
    "score_",
    "preview_",
    "verify_",
    "simulate_",
    "measure_",
    "ping_",
    "import_",
];

/// Declares headers, the answers that layers below the handlers give, and what clients may send.
pub(super) fn declare(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Components::default);
    for status in [406_u16, 409, 422, 429, 431, 503] {
        let name = shared_name(status);
        components
            .responses
            .insert(name, RefOr::T(problem_response(status)));
    }
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_mut(item) {
            if path.starts_with("/v1/") {
                declare_operation(method, operation);
            } else {
                answer(operation, 406);
            }
            if operation.description.is_none() {
                operation.description.clone_from(&operation.summary);
            }
        }
    }
}

/// Marks vocabularies as closed or open, those that stand inside others included, and drops schemas and answers that
/// nothing refers to.
pub(super) fn tidy(document: &mut OpenApi) {
    if let Some(components) = &mut document.components {
        for (name, schema) in &mut components.schemas {
            mark(schema, CLOSED.contains(&name.as_str()));
        }
    }
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations_mut(item) {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter
                    && let Some(schema) = &mut parameter.schema
                {
                    mark(schema, false);
                }
            }
        }
    }
    loop {
        // A document of texts, numbers and lists always serialises.
        let text = document.to_json().unwrap_or_default();
        let Some(components) = &mut document.components else {
            return;
        };
        let before = components.schemas.len();
        components
            .responses
            .retain(|name, _| text.contains(&format!("\"#/components/responses/{name}\"")));
        components
            .schemas
            .retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if components.schemas.len() == before {
            return;
        }
    }
}

/// Marks a vocabulary, or those inside a schema, which are open.
fn mark(schema: &mut RefOr<Schema>, is_closed: bool) {
    let RefOr::T(schema) = schema else {
        return;
    };
    match schema {
        Schema::Object(object) => {
            if object.enum_values.is_some() {
                let mark = ExtensionsBuilder::new()
                    .add("x-closed-enum", is_closed)
                    .build();
                object.extensions.get_or_insert_default().merge(mark);
            }
            for member in object.properties.values_mut() {
                mark(member, false);
            }
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                mark(items, false);
            }
        }
        Schema::OneOf(one_of) => one_of.items.iter_mut().for_each(|one| mark(one, false)),
        Schema::AllOf(all_of) => all_of.items.iter_mut().for_each(|one| mark(one, false)),
        Schema::AnyOf(any_of) => any_of.items.iter_mut().for_each(|one| mark(one, false)),
        _ => {}
    }
}

/// Paths of the POST operations that take an idempotency key.
pub(super) fn keyed(document: &OpenApi) -> BTreeSet<String> {
    let mut keyed = BTreeSet::new();
    for (path, item) in &document.paths.paths {
        let takes_key = item.post.as_ref().is_some_and(|operation| {
            let mut parameters = operation.parameters.iter().flatten();
            parameters.any(|parameter| match parameter {
                RefOr::T(parameter) => parameter.name == KEY,
                RefOr::Ref(_) => false,
            })
        });
        if takes_key {
            keyed.insert(path.clone());
        }
    }
    keyed
}

fn declare_operation(method: &str, operation: &mut Operation) {
    for status in [406, 429, 431, 503] {
        answer(operation, status);
    }
    let id = operation.operation_id.clone().unwrap_or_default();
    let takes_key = !UNKEYED.iter().any(|verb| id.starts_with(verb));
    if method == "POST" && takes_key {
        answer(operation, 409);
        answer(operation, 422);
        add(operation, key_parameter());
        let replayed = header(
            "`true` where the request with this key was carried out before and this is its answer",
            Type::String,
        );
        each_success(operation, "idempotency-replayed", &replayed);
    }
    if method == "GET" && answers_json(operation) {
        if !has_parameter(operation, "if-none-match") {
            add(operation, none_match_parameter());
        }
        let tag = header("Strong entity tag of the answer", Type::String);
        each_success(operation, "etag", &tag);
        let responses = &mut operation.responses.responses;
        responses.entry("304".to_owned()).or_insert_with(|| {
            let mut response = Response::new("The answer that the caller has still stands");
            response.headers.insert("etag".to_owned(), RefOr::T(tag));
            RefOr::T(response)
        });
    }
    let id = header(
        "The id of the request, which the log knows too",
        Type::String,
    );
    each_success(operation, "x-request-id", &id);
    let rate = header(
        "What is left of the rate: `\"default\";r=<requests>;t=<seconds>`",
        Type::String,
    );
    each_success(operation, "ratelimit", &rate);
    let policy = header(
        "The rate: `\"default\";q=<requests>;w=<seconds>`; it may change",
        Type::String,
    );
    each_success(operation, "ratelimit-policy", &policy);
}

/// Adds an answer that every operation of its kind may give, unless the operation declares it itself.
fn answer(operation: &mut Operation, status: u16) {
    operation
        .responses
        .responses
        .entry(status.to_string())
        .or_insert_with(|| RefOr::Ref(Ref::from_response_name(shared_name(status))));
}

fn shared_name(status: u16) -> String {
    format!("{PROBLEM}{status}")
}

fn problem_response(status: u16) -> Response {
    let titles: Vec<&str> = ProblemKind::ALL
        .iter()
        .filter(|kind| kind.status().as_u16() == status)
        .map(|kind| kind.title(Language::English))
        .collect();
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name(PROBLEM))))
        .build();
    let response = ResponseBuilder::new()
        .description(titles.join("; "))
        .content(CONTENT_TYPE, content);
    if matches!(status, 429 | 503) {
        let after = header("Seconds after which to try again", Type::Integer);
        return response.header("retry-after", after).build();
    }
    response.build()
}

fn header(description: &str, schema_type: Type) -> Header {
    let schema = ObjectBuilder::new().schema_type(schema_type).build();
    let mut header = Header::new(schema);
    header.description = Some(description.to_owned());
    header
}

fn each_success(operation: &mut Operation, name: &str, header: &Header) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            response
                .headers
                .entry(name.to_owned())
                .or_insert_with(|| RefOr::T(header.clone()));
        }
    }
}

fn answers_json(operation: &Operation) -> bool {
    let Some(RefOr::T(response)) = operation.responses.responses.get("200") else {
        return false;
    };
    response.content.contains_key("application/json")
}

fn has_parameter(operation: &Operation, name: &str) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == name,
        RefOr::Ref(_) => false,
    })
}

fn add(operation: &mut Operation, parameter: Parameter) {
    operation
        .parameters
        .get_or_insert_with(Vec::new)
        .push(RefOr::T(parameter));
}

fn key_parameter() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!#-~]+$"))
        .build();
    ParameterBuilder::new()
        .name(KEY)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A new key, such as a UUID, for every new request: sent again with the same key, the request is carried out \
             once and gets the same answer for at least 24 hours; with another body it is refused",
        ))
        .schema(Some(schema))
        .example(Some(serde_json::json!(
            "4c9f2f0e-6a55-4c43-9bb1-6a3c0a0d2f17"
        )))
        .build()
}

fn none_match_parameter() -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).build();
    ParameterBuilder::new()
        .name("if-none-match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Entity tags of answers that the caller has"))
        .schema(Some(schema))
        .example(Some(serde_json::json!(
            "\"3f0a377ba0a4a460ecb616f6507ce0d8\""
        )))
        .build()
}
