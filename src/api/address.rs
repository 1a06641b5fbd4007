//! What an address may say: percent-encoded UTF-8 (RFC 3986), nothing that would have to be guessed.
//!
//! The HTTP library turns bytes that are no UTF-8 into replacement characters, so that two wrong addresses would name
//! the same thing.

use actix_web::http::Uri;

use super::problem::{Problem, ProblemKind};

/// What is wrong with the encoding of an address, if anything.
pub(super) fn problem(uri: &Uri) -> Option<Problem> {
    let refused = |kind, part: &str| {
        let detail = format!(
            "the {part} is not percent-encoded UTF-8; write each other byte as `%` and two hex digits"
        );
        Problem::new(kind, detail)
    };
    if !is_encoded_utf8(uri.path()) {
        return Some(refused(ProblemKind::InvalidPath, "path"));
    }
    let query = uri.query().unwrap_or_default();
    (!is_encoded_utf8(query)).then(|| refused(ProblemKind::InvalidQuery, "query"))
}

fn is_encoded_utf8(text: &str) -> bool {
    if !text.contains('%') {
        return true;
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let Some((digits, behind)) = rest.split_first_chunk::<2>() else {
            return false;
        };
        let mut one = [0];
        if hex::decode_to_slice(digits, &mut one).is_err() {
            return false;
        }
        decoded.extend(one);
        rest = behind;
    }
    std::str::from_utf8(&decoded).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encoded_utf8_is_an_address() {
        for good in ["/a", "/%E4%BC%81%2f%00", "/a?b=%41+c", "/%25"] {
            assert!(problem(&good.parse().unwrap()).is_none(), "{good}");
        }
        for bad in [
            "/%",
            "/%4",
            "/%zz",
            "/%+1",
            "/%ff%fe",
            "/%c0%af",
            "/%ed%a0%80",
            "/%E4%BC",
        ] {
            let problem = problem(&bad.parse().unwrap()).unwrap();
            assert_eq!(problem.kind(), ProblemKind::InvalidPath, "{bad}");
        }
        let problem = problem(&"/a?b=%ff".parse().unwrap()).unwrap();
        assert_eq!(problem.kind(), ProblemKind::InvalidQuery);
    }
}
