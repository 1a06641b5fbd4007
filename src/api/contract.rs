//! The OpenAPI document: what is said once for all operations, and the table of routes read back from it.

mod conventions;
mod deliveries;
mod schema;

use std::collections::BTreeSet;

use actix_web::HttpRequest;
use actix_web::http::header::ALLOW;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::problem::{CONTENT_TYPE, Problem, ProblemBody, ProblemItem, ProblemKind};

/// What the document says about the service as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "risktier",
        description = "Credit-risk tiers of enterprises and verifiable, stratified inspection plans. \
            Every error is a problem as of RFC 9457 (`/docs/problems` explains the kinds); unknown fields and parameters \
            are refused. A POST that creates takes an `Idempotency-Key`; every JSON answer to a GET has a strong `ETag`. \
            Bodies may be compressed with gzip or zstd both ways. \
            Vocabularies marked `x-closed-enum: true` stay as they are within this version; others may grow, so programs \
            meet a word that they do not know. \
            A tier is an internal reference for supervision, not a public rating. \
            Persons are named in the body (`by`) as long as there is no access control; a later release takes them from \
            the caller's token.",
        contact(name = "the operator of this installation"),
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    security(()),
    servers((url = "/", description = "this server")),
    components(schemas(ProblemBody, ProblemItem)),
    tags(
        (name = "enterprises", description = "The register of check objects"),
        (name = "records", description = "Credit and penalty records"),
        (name = "imports", description = "What is kept of imports, and how far they have come"),
        (name = "objections", description = "Objections to records: filed, examined, decided"),
        (name = "tiers", description = "Credit-risk tiers and why they are so; for internal reference"),
        (name = "models", description = "Models: the registry, from draft to live and back, and its ledger"),
        (name = "frames", description = "The classified register, frozen"),
        (name = "items", description = "Check items: what may be inspected, by whom, how often"),
        (name = "ledger", description = "Visits over all plans and departments: planned, done, outside the plans"),
        (name = "plans", description = "Inspection plans: draft, freeze, draw, close, verify"),
        (name = "calendars", description = "Items with frequencies: who is visited how often, and when in the year"),
        (name = "joint plans", description = "Rows of several departments and items on shared tickets, as one list of visits"),
        (name = "plan groups", description = "Plans on shared tickets: made, sealed, opened together"),
        (name = "webhooks", description = "Changes of tiers, sent to those who subscribed"),
        (name = "operations", description = "Health, metrics and the contract itself")
    )
)]
struct Base;

/// The name of the shared problem response.
const PROBLEM: &str = "Problem";

/// The document before any operation is registered.
pub(super) fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// Gives every operation the shared problem response as its default, so that no refusal is undocumented.
pub(super) fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name(PROBLEM))))
        .build();
    let response: Response = ResponseBuilder::new()
        .description("The request was refused or failed; `type` says why.")
        .content(CONTENT_TYPE, content)
        .build();
    document
        .components
        .get_or_insert_with(Components::default)
        .responses
        .insert(PROBLEM.to_owned(), RefOr::T(response));
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations_mut(item) {
            operation
                .responses
                .responses
                .entry("default".to_owned())
                .or_insert_with(|| RefOr::Ref(Ref::from_response_name(PROBLEM)));
        }
    }
    conventions::declare(&mut document);
    deliveries::declare(&mut document);
    schema::without_null(&mut document);
    conventions::tidy(&mut document);
    document
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("GET", &mut item.get),
        ("PUT", &mut item.put),
        ("POST", &mut item.post),
        ("DELETE", &mut item.delete),
        ("PATCH", &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The paths and methods of the document, to tell a wrong method from a wrong path.
pub(super) struct RouteTable {
    routes: Vec<(Vec<Option<String>>, Vec<&'static str>)>,
    /// Paths of the POST operations that take an idempotency key.
    keyed: BTreeSet<String>,
}

impl RouteTable {
    pub(super) fn new(document: &utoipa::openapi::OpenApi) -> Self {
        let routes = document.paths.paths.iter().map(|(path, item)| {
            let segments = path.split('/').map(|segment| {
                let is_parameter = segment.starts_with('{');
                (!is_parameter).then(|| segment.to_owned())
            });
            let mut item = item.clone();
            let mut methods: Vec<_> = operations_mut(&mut item).map(|(name, _)| name).collect();
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            (segments.collect(), methods)
        });
        Self {
            keyed: conventions::keyed(document),
            routes: routes.collect(),
        }
    }

    /// Whether POST to this path takes an idempotency key.
    pub(super) fn takes_key(&self, path: &str) -> bool {
        self.keyed.contains(path)
    }

    /// The answer to a request that no route took.
    pub(super) fn refuse(&self, request: &HttpRequest) -> Problem {
        let given: Vec<_> = request.path().split('/').collect();
        let matching = self.routes.iter().find(|(segments, _)| {
            segments.len() == given.len()
                && segments.iter().zip(&given).all(|(expected, given)| {
                    expected
                        .as_ref()
                        .map_or(!given.is_empty(), |expected| expected == given)
                })
        });
        match matching {
            Some((_, methods)) => Problem::new(
                ProblemKind::MethodNotAllowed,
                format!(
                    "`{}` is not a method of this path; use {}",
                    request.method(),
                    methods.join(" or ")
                ),
            )
            .with_header(ALLOW, methods.join(", ")),
            None => Problem::new(
                ProblemKind::UnknownRoute,
                "there is nothing at this path; `/openapi.json` lists what there is",
            ),
        }
    }
}
