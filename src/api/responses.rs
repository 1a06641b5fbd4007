//! What operations document alike: the problems that each may answer with.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::language::Language;
use super::problem::{CONTENT_TYPE, ProblemKind};

/// Declares sets of problem responses by status.
macro_rules! problem_sets {
    ($($(#[$meta:meta])* $name:ident = [$($status:literal),+]),+ $(,)?) => {$(
        $(#[$meta])*
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$($status),+].into_iter().map(of_status).collect()
            }
        }
    )+};
}

problem_sets! {
    /// Of an operation without path part and body.
    ListProblems = [400, 500, 503],
    /// Of reading one thing.
    ReadProblems = [400, 404, 500, 503],
    /// Of reading one thing in a form to be chosen.
    FormProblems = [400, 404, 406, 409, 500, 503],
    /// Of reading what a plan has only from some state on.
    StateProblems = [400, 404, 409, 500, 503],
    /// Of an operation that takes JSON.
    BodyProblems = [400, 408, 413, 415, 422, 500, 503],
    /// Of an operation that takes JSON or lines and answers in a form to be chosen.
    FormBodyProblems = [400, 406, 408, 413, 415, 422, 500, 503],
    /// Of an operation on one thing that takes JSON.
    ChangeProblems = [400, 404, 408, 413, 415, 422, 500, 503],
    /// Of making something whose id the caller chooses.
    ConflictProblems = [400, 408, 409, 413, 415, 422, 500, 503],
    /// Of an operation that replaces one thing under a condition.
    ConditionalProblems = [400, 404, 408, 412, 413, 415, 422, 428, 500, 503],
    /// Of an operation that creates one of a few.
    CreateProblems = [400, 408, 413, 415, 422, 500, 503],
    /// Of the result of a job.
    ResultProblems = [400, 404, 409, 410, 500, 503],
    /// Of a feed.
    FeedProblems = [400, 410, 500, 503],
    /// Of a step of a plan.
    StepProblems = [400, 404, 408, 409, 413, 415, 422, 500, 503],
    /// Of an import.
    ImportProblems = [400, 404, 408, 409, 413, 415, 422, 500, 503],
}

fn of_status(status: u16) -> (String, RefOr<Response>) {
    let titles: Vec<&str> = ProblemKind::ALL
        .iter()
        .filter(|kind| kind.status().as_u16() == status)
        .map(|kind| kind.title(Language::English))
        .collect();
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
        .build();
    let response = ResponseBuilder::new()
        .description(titles.join("; "))
        .content(CONTENT_TYPE, content)
        .build();
    (status.to_string(), RefOr::T(response))
}
