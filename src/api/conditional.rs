//! Entity tags and what callers say about them (RFC 9110, section 13).

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};

use super::problem::{Problem, ProblemKind};
use crate::domain::digest::HashAlgorithm;
use crate::service::Precondition;

/// Answers that are larger get no tag of their own.
const MOST_TAGGED_BYTES: usize = 1 << 20;

/// Gives an answer to a GET that has no entity tag a strong one over its bytes, and answers 304 where the caller has it.
pub(super) fn tagged(response: ServiceResponse) -> ServiceResponse {
    let is_taggable = response.status() == StatusCode::OK
        && response.request().method() == Method::GET
        && response.request().path().starts_with("/v1/")
        && !response.headers().contains_key(header::ETAG)
        && response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !is_taggable {
        return response;
    }
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let bytes = match body.try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return ServiceResponse::new(request, response.set_body(body)),
    };
    if bytes.len() > MOST_TAGGED_BYTES {
        return ServiceResponse::new(request, response.set_body(BoxBody::new(bytes)));
    }
    let tag = tag_of_bytes(&bytes);
    let is_known = names(request.headers(), header::IF_NONE_MATCH, &tag);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
        return ServiceResponse::new(request, response.set_body(BoxBody::new(())));
    }
    ServiceResponse::new(request, response.set_body(BoxBody::new(bytes)))
}

/// The strong entity tag of an answer with these bytes.
pub(super) fn tag_of_bytes(bytes: &[u8]) -> String {
    let digest = HashAlgorithm::Sha256.hash(&[bytes]).to_string();
    format!("\"{}\"", digest.get(..32).unwrap_or(&digest))
}

/// Refuses a write without `If-Match` where the settings ask for one.
pub(super) fn expect_if_match(headers: &HeaderMap, is_required: bool) -> Result<(), Problem> {
    if is_required && !headers.contains_key(header::IF_MATCH) {
        return Err(Problem::new(
            ProblemKind::PreconditionRequired,
            "say which version you change by `If-Match`",
        ));
    }
    Ok(())
}

/// Whether what stands, whose entity tag `tag` makes, is what `If-Match` names; without the header anything is.
pub(super) fn fits_if_match(headers: &HeaderMap, tag: impl FnOnce() -> String) -> bool {
    !headers.contains_key(header::IF_MATCH) || names(headers, header::IF_MATCH, &tag())
}

/// Whether a list of tags names this one. Weak tags compare equal for `If-None-Match` only.
pub(super) fn names(headers: &HeaderMap, name: HeaderName, tag: &str) -> bool {
    let is_weakly = name == header::IF_NONE_MATCH;
    tags(headers, name).any(|given| {
        let given = match given.strip_prefix("W/") {
            Some(weak) if is_weakly => weak,
            _ => given,
        };
        given == "*" || given == tag
    })
}

fn tags(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// The entity tag of a thing whose revision grows with every change.
pub(super) fn revision_tag(revision: u64) -> String {
    format!("\"r{revision}\"")
}

/// What a write says about the revision that it changes.
pub(super) fn precondition(
    headers: &HeaderMap,
    is_required: bool,
) -> Result<Precondition, Problem> {
    let creates = headers.contains_key(header::IF_NONE_MATCH);
    let changes = headers.contains_key(header::IF_MATCH);
    match (creates, changes) {
        (false, false) if is_required => Ok(Precondition::Stated),
        (false, false) => Ok(Precondition::None),
        (true, false) => {
            if tags(headers, header::IF_NONE_MATCH).eq(["*"]) {
                return Ok(Precondition::Absent);
            }
            Err(Problem::new(
                ProblemKind::BadRequest,
                "a write takes `If-None-Match: *` alone, which says that it creates; use `If-Match` to change",
            ))
        }
        (false, true) => {
            if tags(headers, header::IF_MATCH).any(|tag| tag == "*") {
                return Ok(Precondition::Present);
            }
            // A tag that is none of ours, or weak, fits no revision.
            let revisions = tags(headers, header::IF_MATCH)
                .filter_map(|tag| tag.strip_prefix("\"r")?.strip_suffix('"')?.parse().ok())
                .collect();
            Ok(Precondition::Revisions(revisions))
        }
        (true, true) => Err(Problem::new(
            ProblemKind::BadRequest,
            "`If-Match` and `If-None-Match` exclude each other; send one of them",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_precondition_is_read_from_the_headers() {
        let of = |given: &[(HeaderName, &str)]| precondition(&headers(given), false).unwrap();
        assert_eq!(of(&[]), Precondition::None);
        assert_eq!(of(&[(header::IF_NONE_MATCH, "*")]), Precondition::Absent);
        assert_eq!(of(&[(header::IF_MATCH, "*")]), Precondition::Present);
        assert_eq!(
            of(&[
                (header::IF_MATCH, "\"r3\", \"r12\""),
                (header::IF_MATCH, "\"r4\"")
            ]),
            Precondition::Revisions(vec![3, 12, 4])
        );
        for no_revision in ["W/\"r3\"", "\"3\"", "r3", "\"rx\"", ""] {
            let found = of(&[(header::IF_MATCH, no_revision)]);
            assert_eq!(found, Precondition::Revisions(Vec::new()), "{no_revision}");
        }
        let required = precondition(&HeaderMap::new(), true).unwrap();
        assert_eq!(required, Precondition::Stated);
        let both = headers(&[(header::IF_MATCH, "\"r1\""), (header::IF_NONE_MATCH, "*")]);
        assert!(precondition(&both, false).is_err());
        let tag = headers(&[(header::IF_NONE_MATCH, "\"r1\"")]);
        assert!(precondition(&tag, false).is_err());
    }

    #[test]
    fn weak_tags_are_equal_for_reads_only() {
        for (name, is_named) in [(header::IF_NONE_MATCH, true), (header::IF_MATCH, false)] {
            let given = headers(&[(name.clone(), "\"a\", W/\"b\"")]);
            assert!(names(&given, name.clone(), "\"a\""));
            assert_eq!(names(&given, name.clone(), "\"b\""), is_named);
            assert!(!names(&given, name, "\"c\""));
        }
    }
}
