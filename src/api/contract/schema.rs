//! Schemas say what the server does with absent values: it leaves fields out and takes no null.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{
    AdditionalProperties, Array, ArrayItems, ObjectBuilder, SchemaType, Type,
};
use utoipa::openapi::{Content, KnownFormat, OpenApi, RefOr, Response, Schema, SchemaFormat};

use super::operations_mut;

/// Media types whose schema would speak of one event while the answer is a stream of them.
const STREAMED: &str = "text/event-stream";

/// Takes null out of every schema of the document.
pub(super) fn without_null(document: &mut OpenApi) {
    if let Some(components) = &mut document.components {
        components.schemas.values_mut().for_each(clean);
        components.responses.values_mut().for_each(clean_response);
    }
    document.paths.paths.values_mut().for_each(clean_item);
}

fn clean_item(item: &mut PathItem) {
    for (_, operation) in operations_mut(item) {
        let Operation {
            parameters,
            request_body,
            responses,
            ..
        } = operation;
        for parameter in parameters.iter_mut().flatten() {
            if let RefOr::T(parameter) = parameter {
                parameter.schema.iter_mut().for_each(clean);
            }
        }
        if let Some(RefOr::T(body)) = request_body {
            // A body that may be left out is optional as a whole.
            let optional = body.content.values().any(is_optional);
            if optional {
                body.required = Some(utoipa::openapi::Required::False);
            }
            body.content.values_mut().for_each(clean_content);
            for (media_type, content) in &mut body.content {
                if media_type != "application/json" {
                    as_bytes(content);
                }
            }
        }
        responses.responses.values_mut().for_each(clean_response);
    }
}

fn is_optional(content: &RefOr<Content>) -> bool {
    match content {
        RefOr::T(Content {
            schema: Some(RefOr::T(Schema::OneOf(one_of))),
            ..
        }) => one_of.items.iter().any(is_null),
        _ => false,
    }
}

fn clean_response(response: &mut RefOr<Response>) {
    if let RefOr::T(response) = response {
        response.content.values_mut().for_each(clean_content);
        if let Some(RefOr::T(content)) = response.content.get_mut(STREAMED) {
            content.schema = None;
        }
    }
}

/// A file in a body is bytes to generators of clients, whatever its rows are.
fn as_bytes(content: &mut RefOr<Content>) {
    if let RefOr::T(Content {
        schema: Some(RefOr::T(Schema::Object(object))),
        ..
    }) = content
    {
        object.format = Some(SchemaFormat::KnownFormat(KnownFormat::Binary));
    }
}

fn clean_content(content: &mut RefOr<Content>) {
    if let RefOr::T(content) = content {
        content.schema.iter_mut().for_each(clean);
    }
}

fn clean(schema: &mut RefOr<Schema>) {
    let RefOr::T(inner) = schema else {
        return;
    };
    match inner {
        Schema::Object(object) => {
            clean_type(&mut object.schema_type);
            object.properties.values_mut().for_each(clean);
            if let Some(additional) = &mut object.additional_properties
                && let AdditionalProperties::RefOr(values) = additional.as_mut()
            {
                clean(values);
            }
        }
        Schema::Array(array) => {
            clean_type(&mut array.schema_type);
            without_prefix(array);
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                clean(items);
            }
        }
        Schema::OneOf(one_of) => {
            one_of.items.retain(|item| !is_null(item));
            one_of.items.iter_mut().for_each(clean);
            if let [only] = one_of.items.as_mut_slice() {
                let description = one_of.description.take();
                if let RefOr::Ref(reference) = only
                    && let Some(description) = description
                {
                    reference.description = description;
                }
                let only = only.clone();
                *schema = only;
            }
        }
        Schema::AllOf(all_of) => all_of.items.iter_mut().for_each(clean),
        Schema::AnyOf(any_of) => any_of.items.iter_mut().for_each(clean),
        _ => {}
    }
}

/// A tuple as a list of so many values of the type that they share: generators of clients do not know `prefixItems`.
fn without_prefix(array: &mut Array) {
    if array.prefix_items.is_empty() {
        return;
    }
    let count = array.prefix_items.len();
    let mut types = array.prefix_items.drain(..).map(|schema| match schema {
        Schema::Object(object) => object.schema_type,
        _ => SchemaType::AnyValue,
    });
    let first = types.next().unwrap_or(SchemaType::AnyValue);
    let shared = if types.all(|other| other == first) {
        first
    } else {
        SchemaType::AnyValue
    };
    let item = ObjectBuilder::new().schema_type(shared).build();
    array.items = ArrayItems::RefOrSchema(Box::new(RefOr::T(Schema::Object(item))));
    array.min_items = Some(count);
    array.max_items = Some(count);
}

fn clean_type(schema_type: &mut SchemaType) {
    if let SchemaType::Array(types) = schema_type {
        types.retain(|one| *one != Type::Null);
        if let [only] = types.as_slice() {
            *schema_type = SchemaType::Type(only.clone());
        }
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    match schema {
        RefOr::T(Schema::Object(object)) => object.schema_type == SchemaType::Type(Type::Null),
        _ => false,
    }
}
