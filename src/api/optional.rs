//! Requests that may come without a body, and requests that take no query.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;

use super::AppState;
use super::extract::{expect_media_type, parse_json, read_body};
use super::problem::{Problem, ProblemKind};

/// A JSON body, or the default where there is none.
#[derive(Debug)]
pub(super) struct OptionalBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalBody<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let limit = request
                .app_data::<web::Data<AppState>>()
                .ok_or_else(|| Problem::internal("the server was built without its state"))?
                .settings
                .limits
                .body_bytes;
            let bytes = read_body(request.headers(), payload, limit).await?;
            if bytes.is_empty() {
                return Ok(Self(T::default()));
            }
            expect_media_type(&request, &["application/json"])?;
            parse_json(&bytes).map(Self)
        })
    }
}

/// No query: a parameter would be a misunderstanding, so any is refused.
#[derive(Debug)]
pub(super) struct NoQuery;

impl FromRequest for NoQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(if request.query_string().is_empty() {
            Ok(Self)
        } else {
            Err(Problem::new(
                ProblemKind::InvalidQuery,
                "this operation takes no query; leave everything behind `?` out",
            ))
        })
    }
}
