//! Compressed answers: which codings a caller takes (RFC 9110, section 12.5.3). The HTTP library compresses; here its one
//! refusal becomes a problem.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

use super::accept::weighted;
use super::problem::{Problem, ProblemKind};

/// The codings that answers come in beside plain ones.
const CODINGS: [&str; 3] = ["zstd", "gzip", "deflate"];

/// A caller takes none of the codings that we have, nor a plain answer.
#[derive(Clone, Copy, Debug)]
struct NothingFits;

/// The outermost layer: marks requests that no answer would fit, and lets them through as plain ones.
pub(super) async fn choose(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if !something_fits(request.headers()) {
        request.headers_mut().remove(ACCEPT_ENCODING);
        request.extensions_mut().insert(NothingFits);
    }
    next.call(request).await
}

/// The problem of a request that no answer would fit.
pub(super) fn problem(request: &ServiceRequest) -> Option<Problem> {
    request.extensions().get::<NothingFits>()?;
    let known = CODINGS.join(", ");
    Some(Problem::new(
        ProblemKind::NotAcceptable,
        format!("answers come plain or as {known}; accept one of them in `Accept-Encoding`"),
    ))
}

fn something_fits(headers: &HeaderMap) -> bool {
    let given = weighted(headers, ACCEPT_ENCODING);
    let weight = |coding: &str| {
        let named = |name: &str| {
            given
                .iter()
                .find(|(given, _)| given.eq_ignore_ascii_case(name))
                .map(|(_, weight)| *weight)
        };
        named(coding).or_else(|| named("*"))
    };
    // What is not named is not taken, except a plain answer, which always is unless it is excluded.
    weight("identity").unwrap_or(1) > 0
        || CODINGS.iter().any(|coding| weight(coding).unwrap_or(0) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn only_a_caller_who_excludes_everything_gets_nothing() {
        let fits = |asked: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(asked));
            something_fits(&headers)
        };
        assert!(something_fits(&HeaderMap::new()));
        for good in [
            "",
            "gzip",
            "br",
            "gzip;q=0",
            "identity;q=0, gzip",
            "*;q=0, zstd;q=0.1",
            "*;q=0, identity",
            "identity;q=0, *",
        ] {
            assert!(fits(good), "{good}");
        }
        for bad in [
            "identity;q=0",
            "*;q=0",
            "identity;q=0, br",
            "*;q=0, gzip;q=0",
        ] {
            assert!(!fits(bad), "{bad}");
        }
    }
}
