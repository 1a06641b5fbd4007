//! Contributions to a plan's seed: named values that nobody could choose after seeing the pool
//! (`risktier-draw/1` section 2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::digest::{Digest, HashAlgorithm};

/// Name of the contribution that the installation itself makes by default.
pub const SERVER: &str = "server";

/// A text that cannot be the name or value of a contribution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContributionError {
    /// Wrong length or characters in a name.
    #[error("`{0}` is not a contribution name: use 1 to 64 of `a`-`z`, digits, `.`, `_`, `-`")]
    Name(String),
    /// Wrong length or characters in a value.
    #[error("the value of a contribution has 1 to 256 bytes of printable ASCII: write it so")]
    Value,
}

/// Name of a contribution: 1–64 of `[a-z0-9._-]`. Ordered by bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContributionName(String);

impl ContributionName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    ///
    /// [`ContributionError::Name`] when the form is wrong.
    pub fn new(name: impl Into<String>) -> Result<Self, ContributionError> {
        let name = name.into();
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            return Err(ContributionError::Name(
                name.escape_debug().take(128).collect(),
            ));
        }
        Ok(Self(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContributionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ContributionName {
    type Error = ContributionError;

    fn try_from(name: String) -> Result<Self, ContributionError> {
        Self::new(name)
    }
}

impl From<ContributionName> for String {
    fn from(name: ContributionName) -> Self {
        name.0
    }
}

/// Value of a contribution: 1–256 bytes of printable ASCII (0x20–0x7E), kept byte for byte. `Debug` hides it, because
/// a committed value is secret until it is opened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContributionValue(String);

impl ContributionValue {
    /// Checks and wraps a value.
    ///
    /// # Errors
    ///
    /// [`ContributionError::Value`] when the form is wrong.
    pub fn new(value: impl Into<String>) -> Result<Self, ContributionError> {
        let value = value.into();
        let printable = |byte: u8| (0x20..=0x7e).contains(&byte);
        if value.is_empty() || value.len() > 256 || !value.bytes().all(printable) {
            return Err(ContributionError::Value);
        }
        Ok(Self(value))
    }

    /// A committed value from 32 fresh random bytes, in lower-case hex.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(hex::encode(bytes))
    }

    /// The value as text, for the seed and for the transcript.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the value has the form of 32 random bytes in lower-case hex.
    #[must_use]
    pub fn is_random_hex(&self) -> bool {
        self.0.parse::<Digest>().is_ok()
    }
}

impl fmt::Debug for ContributionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContributionValue(hidden)")
    }
}

impl TryFrom<String> for ContributionValue {
    type Error = ContributionError;

    fn try_from(value: String) -> Result<Self, ContributionError> {
        Self::new(value)
    }
}

impl From<ContributionValue> for String {
    fn from(value: ContributionValue) -> Self {
        value.0
    }
}

/// An opened contribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contribution {
    /// The name under which the plan expects it.
    pub name: ContributionName,
    /// Its value.
    pub value: ContributionValue,
}

impl Contribution {
    /// `H("risktier-commit/1\n" ‖ name ‖ "=" ‖ value ‖ "\n")`.
    #[must_use]
    pub fn commitment(&self, algorithm: HashAlgorithm) -> Digest {
        let (name, value) = (self.name.as_str(), self.value.expose());
        algorithm.hash(&[
            b"risktier-commit/1\n",
            name.as_bytes(),
            b"=",
            value.as_bytes(),
            b"\n",
        ])
    }
}

/// What the frozen plan fixes about a contribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PlannedContribution {
    /// The value exists and is committed to; it is opened later.
    Committed {
        /// The contribution's name.
        name: ContributionName,
        /// The commitment of name and value.
        commitment: Digest,
    },
    /// The value exists only after the freeze: a lottery result, a notary's dice, a beacon.
    Public {
        /// The contribution's name.
        name: ContributionName,
        /// Source, date and how the value is read.
        rule: String,
    },
}

impl PlannedContribution {
    /// The contribution's name.
    #[must_use]
    pub const fn name(&self) -> &ContributionName {
        match self {
            Self::Committed {
                name,
                commitment: _,
            }
            | Self::Public { name, rule: _ } => name,
        }
    }

    /// Whether the value comes into being only after the freeze.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        match self {
            Self::Committed { .. } => false,
            Self::Public { .. } => true,
        }
    }
}

/// What a transcript proves about the choice of the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Nothing changed after the freeze; the operator could have tried values before it.
    Operator,
    /// A public contribution came after the freeze, so not even the operator could choose.
    Public,
}

impl Assurance {
    /// The assurance that these contributions give.
    #[must_use]
    pub fn of(contributions: &[PlannedContribution]) -> Self {
        if contributions.iter().any(PlannedContribution::is_public) {
            Self::Public
        } else {
            Self::Operator
        }
    }

    /// The word used in transcripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Public => "public",
        }
    }
}

/// Why opened contributions do not fit the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// A planned contribution was not opened.
    #[error("contribution `{0}` is missing: open every contribution of the plan")]
    Missing(ContributionName),
    /// A contribution that the plan does not know.
    #[error("contribution `{0}` is not in the plan: leave it out")]
    Unplanned(ContributionName),
    /// The same name twice.
    #[error("contribution `{0}` is there twice: give it once")]
    Twice(ContributionName),
    /// The value is not the one committed to.
    #[error("contribution `{0}` does not match its commitment: open the value that was committed")]
    Commitment(ContributionName),
    /// No committed value is 32 random bytes.
    #[error(
        "no committed contribution is 32 random bytes in hex: add one, else targets can be guessed"
    )]
    Guessable,
}

impl OpeningError {
    /// The contribution concerned, if it is one.
    #[must_use]
    pub const fn contribution(&self) -> Option<&ContributionName> {
        match self {
            Self::Missing(name)
            | Self::Unplanned(name)
            | Self::Twice(name)
            | Self::Commitment(name) => Some(name),
            Self::Guessable => None,
        }
    }
}

/// Everything that is wrong with opened contributions, in the order of the plan; empty when they fit.
#[must_use]
pub fn opening_problems(
    algorithm: HashAlgorithm,
    planned: &[PlannedContribution],
    opened: &[Contribution],
) -> Vec<OpeningError> {
    let mut problems = Vec::new();
    let mut random = false;
    for plan in planned {
        let mut values = opened
            .iter()
            .filter(|contribution| contribution.name == *plan.name());
        let Some(value) = values.next() else {
            problems.push(OpeningError::Missing(plan.name().clone()));
            continue;
        };
        if values.next().is_some() {
            problems.push(OpeningError::Twice(plan.name().clone()));
        }
        if let PlannedContribution::Committed { name, commitment } = plan {
            random |= value.value.is_random_hex();
            if value.commitment(algorithm) != *commitment {
                problems.push(OpeningError::Commitment(name.clone()));
            }
        }
    }
    for contribution in opened {
        if !planned.iter().any(|plan| *plan.name() == contribution.name) {
            problems.push(OpeningError::Unplanned(contribution.name.clone()));
        }
    }
    if !random {
        problems.push(OpeningError::Guessable);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contribution(name: &str, value: &str) -> Contribution {
        Contribution {
            name: ContributionName::new(name).unwrap(),
            value: ContributionValue::new(value).unwrap(),
        }
    }

    #[test]
    fn names_and_values_are_checked() {
        for name in ["", "A", "a b", "é", &"a".repeat(65)] {
            assert!(ContributionName::new(name).is_err(), "{name}");
        }
        for value in ["", "a\tb", "é", &"a".repeat(257)] {
            assert!(ContributionValue::new(value).is_err(), "{value}");
        }
        assert!(ContributionValue::new(" 007~").is_ok());
        assert!(ContributionValue::from_random([1; 32]).is_random_hex());
    }

    #[test]
    fn a_plan_refuses_missing_unplanned_repeated_and_wrong_values() {
        let secret = contribution("server", &"ab".repeat(32));
        let planned = [
            PlannedContribution::Public {
                name: ContributionName::new("dice").unwrap(),
                rule: "notary".into(),
            },
            PlannedContribution::Committed {
                name: secret.name.clone(),
                commitment: secret.commitment(HashAlgorithm::Sha256),
            },
        ];
        let dice = contribution("dice", "6");
        let problems =
            |opened: &[Contribution]| opening_problems(HashAlgorithm::Sha256, &planned, opened);

        assert_eq!(problems(&[dice.clone(), secret.clone()]), []);
        assert_eq!(
            problems(std::slice::from_ref(&secret)),
            [OpeningError::Missing(dice.name.clone())]
        );
        assert_eq!(
            problems(&[
                dice.clone(),
                dice.clone(),
                secret.clone(),
                contribution("x", "1")
            ]),
            [
                OpeningError::Twice(dice.name.clone()),
                OpeningError::Unplanned(contribution("x", "1").name)
            ]
        );
        assert_eq!(
            problems(&[dice, contribution("server", "guess")]),
            [
                OpeningError::Commitment(secret.name),
                OpeningError::Guessable
            ]
        );
        assert_eq!(Assurance::of(&planned), Assurance::Public);
        assert_eq!(Assurance::of(&planned[1..]), Assurance::Operator);
    }
}
