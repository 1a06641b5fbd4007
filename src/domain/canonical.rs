//! Canonical JSON (RFC 8785): one value, one sequence of bytes, so that a digest of a document means something.
//!
//! RFC 8785 writes numbers as IEEE 754 doubles. Documents that are hashed therefore carry whole numbers below 2^53
//! ([`MAX_INTEGER`]) or text; this module does not look for larger ones, the document's own checks do.

use serde::Serialize;

/// The largest whole number that canonical JSON keeps exactly: 2^53 − 1.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// A value that has no canonical form.
#[derive(Debug, thiserror::Error)]
#[error("cannot write canonical JSON: {0}")]
pub struct CanonicalError(#[from] serde_json::Error);

/// The canonical bytes of a value.
///
/// # Errors
///
/// When the value does not serialise to JSON, for example a map whose keys are not text, or a number that is not
/// finite.
pub fn canonical_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    Ok(serde_json_canonicalizer::to_vec(&value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_text_is_kept() {
        let value = serde_json::json!({"b": 1, "a": ["é", "牧", "\u{1}\n\""], "€": {}, "\u{10000}": 9_007_199_254_740_991_u64});

        let bytes = canonical_bytes(&value).unwrap();

        let expected = "{\"a\":[\"é\",\"牧\",\"\\u0001\\n\\\"\"],\"b\":1,\"€\":{},\"\u{10000}\":9007199254740991}";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
