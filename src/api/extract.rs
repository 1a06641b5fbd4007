//! Taking requests in: JSON bodies with a limit, and refusals as problems.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::{Decompress, Payload};
use actix_web::error::{PathError, QueryPayloadError};
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::AppState;
use super::problem::{Problem, ProblemItem, ProblemKind};

/// A JSON body. Give the type `#[serde(deny_unknown_fields)]`, so that a misspelt field is an error.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            expect_media_type(&request, &["application/json"])?;
            let limit = request
                .app_data::<web::Data<AppState>>()
                .ok_or_else(|| Problem::internal("the server was built without its state"))?
                .settings
                .limits
                .body_bytes;
            let bytes = read_body(request.headers(), payload, limit).await?;
            parse_json(&bytes).map(Self)
        })
    }
}

/// Refuses a body whose media type is not one of `allowed`, and a compression that we do not read.
pub(super) fn expect_media_type(request: &HttpRequest, allowed: &[&str]) -> Result<(), Problem> {
    let given = request.content_type();
    if !allowed
        .iter()
        .any(|one| one.eq_ignore_ascii_case(given.trim()))
    {
        return Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            format!("the body is `{given}`; send {}", allowed.join(" or ")),
        )
        .with_header(header::ACCEPT, allowed.join(", ")));
    }
    let encoding = request
        .headers()
        .get(header::CONTENT_ENCODING)
        .map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    match encoding.as_deref() {
        None | Some("identity" | "gzip") => Ok(()),
        Some(other) => Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            format!("the body is compressed with `{other}`; send it plain or with gzip"),
        )
        .with_header(header::ACCEPT_ENCODING, "gzip")),
    }
}

/// Reads a whole body, decompressed, up to `limit` bytes.
pub(super) async fn read_body(
    headers: &HeaderMap,
    payload: Payload,
    limit: usize,
) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            ProblemKind::TooLarge,
            format!("the body has more than {limit} bytes; send it in parts"),
        )
        .with_member("limit_bytes", limit)
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut stream = Decompress::from_headers(payload, headers);
    let mut body = BytesMut::with_capacity(announced.unwrap_or(0).min(1 << 16));
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(
                ProblemKind::MalformedBody,
                format!("the body did not arrive whole: {error}"),
            )
        })?;
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Parses JSON; what does not fit names the place by JSON Pointer.
pub(super) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer_of(error.path());
        json_problem(error.inner(), Some(pointer))
    })?;
    deserializer
        .end()
        .map_err(|error| json_problem(&error, None))?;
    Ok(value)
}

fn json_problem(error: &serde_json::Error, pointer: Option<String>) -> Problem {
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(what, _)| what)
        .to_owned();
    let line = u64::try_from(error.line()).ok().filter(|line| *line > 0);
    if error.is_data() {
        let place = pointer.filter(|pointer| !pointer.is_empty());
        let detail = match &place {
            Some(pointer) => format!("the body does not fit at `{pointer}`: {what}"),
            None => format!("the body does not fit: {what}"),
        };
        Problem::new(ProblemKind::InvalidBody, detail).with_item(ProblemItem {
            pointer: Some(place.unwrap_or_default()),
            line,
            detail: what,
            ..ProblemItem::default()
        })
    } else {
        let place = format!("line {} column {}", error.line(), error.column());
        Problem::new(
            ProblemKind::MalformedBody,
            format!("the body is not JSON at {place}: {what}"),
        )
        .with_item(ProblemItem {
            line,
            detail: what,
            ..ProblemItem::default()
        })
    }
}

/// JSON Pointer, RFC 6901; the empty text is the whole body.
fn pointer_of(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            // The name of a variant or an unreadable key is not a place of its own.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// How rejected path parts answer.
pub(super) fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|error, _| {
        let detail = match &error {
            PathError::Deserialize(cause) => cause.to_string(),
            other => other.to_string(),
        };
        Problem::new(
            ProblemKind::InvalidPath,
            format!("the path does not fit: {detail}"),
        )
        .into()
    })
}

/// How rejected queries answer.
pub(super) fn query_config() -> web::QueryConfig {
    web::QueryConfig::default().error_handler(|error, _| {
        let detail = match &error {
            QueryPayloadError::Deserialize(cause) => cause.to_string(),
            other => other.to_string(),
        };
        Problem::new(
            ProblemKind::InvalidQuery,
            format!("the query does not fit: {detail}"),
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        enterprise_ids: Vec<crate::domain::EnterpriseId>,
    }

    fn refused(body: &str) -> serde_json::Value {
        let problem = parse_json::<Sample>(body.as_bytes()).unwrap_err();
        let response = problem.render(super::super::language::Language::English, None);
        use actix_web::body::MessageBody;
        let bytes = response.into_body().try_into_bytes().unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_field_that_does_not_fit_is_named_by_its_pointer() {
        let body = refused("{\"enterprise_ids\": [\"a\",\n \"b c\"]}");
        assert_eq!(body["status"], 422);
        assert_eq!(body["errors"][0]["pointer"], "/enterprise_ids/1");
        assert_eq!(body["errors"][0]["line"], 2);

        let body = refused("{\"enterprise/ids\": []}");
        assert_eq!(body["errors"][0]["pointer"], "/enterprise~1ids");
        assert!(body["detail"].as_str().unwrap().contains("unknown field"));
    }

    #[test]
    fn what_is_not_json_says_where() {
        for (body, place) in [
            ("", "line 1 column 0"),
            ("{\"enterprise_ids\": [", "line 1"),
            ("{}\n{}", "line 2 column 1"),
            ("{\"enterprise_ids\": \"\u{0}\"}", "line 1"),
        ] {
            let body = refused(body);
            assert_eq!(body["status"], 400, "{body}");
            assert_eq!(body["type"], "urn:risktier:problem:malformed-body");
            assert!(body["detail"].as_str().unwrap().contains(place), "{body}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse_json::<serde_json::Value>(deep.as_bytes()).is_err());
        assert!(parse_json::<Sample>(b"{\"enterprise_ids\": [\"\xff\"]}").is_err());
    }
}
