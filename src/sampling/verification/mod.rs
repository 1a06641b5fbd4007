//! Verification: replay of a plan from its transcript, pool file and sample file, by a stranger
//! (`risktier-draw/1` section 8).
//!
//! Everything that can be recomputed is, and every difference is listed under a stable name: `plan_digest`,
//! `commitment:server`, `seed`, `pool_digest`, `pool_root`, `rounding_v`, `drawn:S001`, `sample_digest`,
//! `sample:line 12`, and so on; a member that is unknown, missing or of the wrong type is named by its path, for example
//! `plan.strata[2].target_ppb`.
//!
//! `previous` is no input of the draw and cannot be recomputed, nor can a `plan_id` that this product did not make (its
//! own ids follow from the plan's nonce and are checked). Give the digest of the auditor edition
//! ([`VerifyInput::expected_digest`], which the next plan's transcript carries as `previous`) and a change of any byte is
//! found, these included; without it they are listed as not checked. The meanings in the internal edition are likewise
//! only as good as the digest of that file.

mod chain;
mod public;
mod replay;
mod shape;

use serde::Serialize;
use serde_json::Value;

pub use chain::Chain;

use super::plan::PLAN_FORMAT;
use super::transcript::{AuditorTranscript, Edition, PublicTranscript, TRANSCRIPT_FORMAT};
use crate::domain::canonical::canonical_bytes;
use crate::domain::digest::{Digest, HashAlgorithm};

/// What is to be verified.
#[derive(Debug, Clone, Default)]
pub struct VerifyInput<'a> {
    /// The bytes of the transcript, of any edition.
    pub transcript: &'a [u8],
    /// The bytes of `pool.tsv`; needed for the auditor and internal editions.
    pub pool: Option<Vec<u8>>,
    /// The bytes of `sample.tsv`, if it is to be compared too.
    pub sample: Option<&'a [u8]>,
    /// The digest that the transcript file must have, if it is known from elsewhere.
    pub expected_digest: Option<Digest>,
    /// The id of the coordinated group, which the public edition does not carry but whose seed needs it.
    pub group: Option<&'a str>,
}

/// Why verification could not run at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Written by a newer version.
    #[error("the format `{0}` is too new, this version reads `{1}`: verify with a newer version")]
    TooNew(String, &'static str),
    /// The edition replays from the pool file, which was not given.
    #[error("this edition is replayed from the pool file: give `pool.tsv` too")]
    PoolNeeded,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Recomputed, and the same.
    Same,
    /// Recomputed, and different.
    Differs {
        /// What was recorded and what was found.
        detail: String,
    },
    /// Not recomputed, because something before it differs or an input is missing.
    NotChecked {
        /// Why.
        detail: String,
    },
}

/// One check under its stable name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The stable name of what was checked.
    pub name: String,
    /// How it went.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The edition, if the transcript could be read that far.
    pub edition: Option<Edition>,
    /// Every check, in the order in which it was made.
    pub checks: Vec<Check>,
}

impl Verification {
    /// Whether no difference was found.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences().next().is_none()
    }

    /// The checks that found a difference.
    pub fn differences(&self) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(|check| matches!(check.outcome, Outcome::Differs { .. }))
    }
}

/// Recomputes everything that the transcript and the files allow, and lists every difference by name.
///
/// # Errors
///
/// [`VerifyError`] when the transcript is of a newer format, or the edition needs a pool file that was not given.
/// Anything else that is wrong with the inputs is a difference, not an error.
pub fn verify(input: VerifyInput<'_>) -> Result<Verification, VerifyError> {
    let mut checks = Checks::default();
    let unanchored = input.expected_digest.is_none();
    if let Some(expected) = input.expected_digest {
        let matches = |algorithm: &HashAlgorithm| algorithm.hash(&[input.transcript]) == expected;
        let same = HashAlgorithm::ALL.iter().any(matches);
        checks.holds(
            "transcript_digest",
            same,
            "the file does not have the digest that was expected",
        );
    }
    let edition = examine(input, &mut checks)?;
    if let (Some(edition), true) = (edition, unanchored) {
        checks.unanchored(edition);
    }
    Ok(Verification {
        edition,
        checks: checks.0,
    })
}

fn examine(input: VerifyInput<'_>, checks: &mut Checks) -> Result<Option<Edition>, VerifyError> {
    let value: Value = match serde_json::from_slice(input.transcript) {
        Ok(value) => value,
        Err(error) => {
            checks.differs("transcript", format!("not JSON: {error}"));
            return Ok(None);
        }
    };
    refuse_newer(value.get("format"), TRANSCRIPT_FORMAT)?;
    refuse_newer(
        value.get("plan").and_then(|plan| plan.get("format")),
        PLAN_FORMAT,
    )?;
    let canonical = canonical_bytes(&value).is_ok_and(|bytes| bytes == input.transcript);
    checks.holds(
        "canonical",
        canonical,
        "the bytes are not the canonical JSON of their content",
    );
    let Some(edition) = edition_of(&value) else {
        checks.differs(
            "edition",
            "must be `internal`, `auditor` or `public`".to_owned(),
        );
        return Ok(None);
    };
    let before = checks.0.len();
    shape::check(&value, shape::of(edition), &mut |member, problem| {
        checks.differs(member, problem)
    });
    if checks.0.len() > before {
        return Ok(Some(edition));
    }
    match edition {
        Edition::Public => {
            if let Some(transcript) = typed::<PublicTranscript>(value, checks) {
                checks
                    .0
                    .extend(public::checks(&transcript, input.sample, input.group));
            }
        }
        Edition::Auditor | Edition::Internal => {
            let pool = input.pool.ok_or(VerifyError::PoolNeeded)?;
            let (body, meaning) = replay::without_meaning(value);
            if let Some(transcript) = typed::<AuditorTranscript>(body, checks) {
                replay::meaning(&transcript, &meaning, checks);
                replay::checks(&transcript, pool, input.sample, &meaning, checks);
            }
        }
    }
    Ok(Some(edition))
}

/// The edition that a transcript says it is.
fn edition_of(value: &Value) -> Option<Edition> {
    match value.get("edition")?.as_str()? {
        "internal" => Some(Edition::Internal),
        "auditor" => Some(Edition::Auditor),
        "public" => Some(Edition::Public),
        _ => None,
    }
}

fn typed<T: serde::de::DeserializeOwned>(value: Value, checks: &mut Checks) -> Option<T> {
    serde_json::from_value(value)
        .map_err(|error| checks.differs("transcript", error.to_string()))
        .ok()
}

/// Refuses `name/2` and later where `name/1` is read; any other wrong text is a difference of the shape.
fn refuse_newer(format: Option<&Value>, known: &'static str) -> Result<(), VerifyError> {
    let split = |text: &str| {
        text.rsplit_once('/')
            .and_then(|(name, v)| Some((name.to_owned(), v.parse::<u32>().ok()?)))
    };
    let Some(text) = format.and_then(Value::as_str) else {
        return Ok(());
    };
    match (split(text), split(known)) {
        (Some((name, version)), Some((known_name, known_version)))
            if name == known_name && version > known_version =>
        {
            Err(VerifyError::TooNew(text.to_owned(), known))
        }
        _ => Ok(()),
    }
}

/// Collects checks.
#[derive(Debug, Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn push(&mut self, name: impl Into<String>, outcome: Outcome) {
        self.0.push(Check {
            name: name.into(),
            outcome,
        });
    }

    fn differs(&mut self, name: impl Into<String>, detail: String) {
        self.push(name, Outcome::Differs { detail });
    }

    fn not_checked(&mut self, name: impl Into<String>, detail: &str) {
        self.push(
            name,
            Outcome::NotChecked {
                detail: detail.to_owned(),
            },
        );
    }

    /// Names what no recomputation finds changed when the digest of the file is not known.
    fn unanchored(&mut self, edition: Edition) {
        const GIVE: &str = "no input of the draw: give the digest of this file to have it checked";
        if !self.0.iter().any(|check| check.name == "plan_id") {
            self.not_checked("plan_id", GIVE);
        }
        self.not_checked("previous", GIVE);
        match edition {
            Edition::Auditor => {}
            Edition::Internal => self.not_checked("meaning", GIVE),
            Edition::Public => self.not_checked(
                "plan_digest",
                "compare it, `pool_root` and `commitments` with what was published at the freeze",
            ),
        }
    }

    fn holds(&mut self, name: impl Into<String>, holds: bool, otherwise: &str) {
        if holds {
            self.push(name, Outcome::Same);
        } else {
            self.differs(name, otherwise.to_owned());
        }
    }

    fn compare<T: PartialEq + ToString>(
        &mut self,
        name: impl Into<String>,
        recorded: &T,
        recomputed: &T,
    ) {
        if recorded == recomputed {
            self.push(name, Outcome::Same);
        } else {
            let (recorded, recomputed) = (recorded.to_string(), recomputed.to_string());
            self.differs(
                name,
                format!("recorded `{recorded}`, recomputed `{recomputed}`"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(transcript: &str) -> Vec<String> {
        let input = VerifyInput {
            transcript: transcript.as_bytes(),
            ..VerifyInput::default()
        };
        let verification = verify(input).unwrap();
        verification
            .differences()
            .map(|check| check.name.clone())
            .collect()
    }

    #[test]
    fn a_newer_format_is_refused_with_what_to_do() {
        let input = |text: &'static str| VerifyInput {
            transcript: text.as_bytes(),
            ..VerifyInput::default()
        };

        let error = verify(input(r#"{"format":"risktier-transcript/2"}"#)).unwrap_err();

        assert!(
            error
                .to_string()
                .contains("`risktier-transcript/2` is too new")
        );
        assert!(verify(input(r#"{"plan":{"format":"risktier-plan/7"}}"#)).is_err());
    }

    #[test]
    fn what_is_no_transcript_is_a_difference() {
        assert_eq!(names("{"), ["transcript"]);
        assert_eq!(names("[ ]"), ["canonical", "edition"]);
        assert_eq!(names(r#"{"edition":"secret"}"#), ["edition"]);
    }

    #[test]
    fn members_that_are_unknown_missing_or_of_the_wrong_type_are_named() {
        let hex = "11".repeat(32);
        let text = format!(
            r#"{{"assurance":"operator","colour":1,"commitments":[{{"commitment":"{hex}","kind":"committed","name":"Server"}}],"edition":"public","format":"risktier-transcript/0","plan_digest":7,"pool_root":"{hex}","selected":[{{"blind":"{hex}","id":"a","path":[["U","{hex}"]]}}]}}"#
        );

        let found = names(&text);

        for name in [
            "colour",
            "commitments[0].name",
            "format",
            "plan_digest",
            "plan_id",
            "selected[0].path[0][0]",
        ] {
            assert!(found.iter().any(|n| n == name), "{name}: {found:?}");
        }
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn an_expected_digest_finds_any_changed_byte() {
        let transcript: &[u8] = b"{}";
        let digest = HashAlgorithm::Sm3.hash(&[transcript]);

        let good = VerifyInput {
            transcript,
            expected_digest: Some(digest),
            ..VerifyInput::default()
        };
        let bad = VerifyInput {
            transcript: b"{} ",
            ..good.clone()
        };

        assert_eq!(verify(good).unwrap().checks[0].outcome, Outcome::Same);
        assert_eq!(
            verify(bad).unwrap().differences().next().unwrap().name,
            "transcript_digest"
        );
    }
}
