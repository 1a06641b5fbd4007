//! The scorecards of one model: a general one, and others for kinds of enterprise.
//!
//! A model without cards of kinds is the file of its card. One with several is one file too, `risktier-scorecards/1`, which
//! holds every card whole: one digest stands over all of them, and they come and go together.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use super::scorecard::{Scorecard, ScorecardError};
use crate::domain::EnterpriseKind;
use crate::domain::canonical::canonical_bytes;

/// The format of a file with several cards.
pub(super) const FORMAT: &str = "risktier-scorecards/1";

/// A general scorecard, and those of kinds that are scored by their own, such as individual businesses.
#[derive(Clone, Debug, PartialEq)]
pub struct Scorecards {
    /// For every kind that has none of its own.
    pub general: Scorecard,
    /// By kind.
    pub by_kind: BTreeMap<EnterpriseKind, Scorecard>,
}

/// The file of several cards.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<Card> {
    format: String,
    general: Card,
    by_kind: BTreeMap<EnterpriseKind, Card>,
}

impl Scorecards {
    /// The scorecard for enterprises of a kind.
    pub fn of(&self, kind: EnterpriseKind) -> &Scorecard {
        self.by_kind.get(&kind).unwrap_or(&self.general)
    }

    /// Every card, the general one first and without a kind.
    pub fn all(&self) -> impl Iterator<Item = (Option<EnterpriseKind>, &Scorecard)> {
        let by_kind = self.by_kind.iter().map(|(kind, card)| (Some(*kind), card));
        std::iter::once((None, &self.general)).chain(by_kind)
    }

    /// Reads the file of one card or of several; each is checked as [`Scorecard::from_json`] does.
    ///
    /// # Errors
    ///
    /// As [`Scorecard::from_json`], naming the kind whose card is wrong.
    pub fn from_json(text: &str) -> Result<Self, ScorecardError> {
        // What has no readable head is a wrong card, which says so itself.
        let head = serde_json::from_str::<Value>(text).ok();
        if head.is_none_or(|head| head.get("format").is_none_or(|format| format != FORMAT)) {
            return Ok(Scorecard::from_json(text)?.into());
        }
        let file: File<Value> = serde_json::from_str(text)?;
        let by_kind = file.by_kind.into_iter().map(|(kind, card)| {
            let card = Scorecard::from_json(&card.to_string()).map_err(|cause| {
                ScorecardError::OfKind {
                    kind,
                    cause: Box::new(cause),
                }
            })?;
            Ok::<_, ScorecardError>((kind, card))
        });
        Ok(Self {
            by_kind: by_kind.collect::<Result<_, _>>()?,
            general: Scorecard::from_json(&file.general.to_string())?,
        })
    }

    /// The file in canonical form: that of the card where there is one only.
    ///
    /// # Errors
    ///
    /// When a number has no canonical form.
    pub fn to_canonical_json(&self) -> Result<Vec<u8>, ScorecardError> {
        if self.by_kind.is_empty() {
            return self.general.to_canonical_json();
        }
        let file = File {
            format: FORMAT.to_owned(),
            general: &self.general,
            by_kind: self
                .by_kind
                .iter()
                .map(|(kind, card)| (*kind, card))
                .collect(),
        };
        canonical_bytes(&file).map_err(|error| ScorecardError::Digest(error.to_string()))
    }
}

impl From<Scorecard> for Scorecards {
    fn from(general: Scorecard) -> Self {
        Self {
            general,
            by_kind: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = include_str!("../../models/default/scorecard.json");

    fn several() -> Scorecards {
        let shops = CARD.replacen("cn-general-expert", "shops", 1);
        Scorecards {
            by_kind: [(
                EnterpriseKind::IndividualBusiness,
                Scorecard::from_json(&shops).unwrap(),
            )]
            .into(),
            ..Scorecard::from_json(CARD).unwrap().into()
        }
    }

    #[test]
    fn several_cards_are_one_file_that_reads_back() {
        let cards = several();
        let text = String::from_utf8(cards.to_canonical_json().unwrap()).unwrap();
        assert!(text.contains(FORMAT));
        let read = Scorecards::from_json(&text).unwrap();
        assert_eq!(read, cards);
        // Where one card is asked for, the file says what it is.
        let error = Scorecard::from_json(&text).unwrap_err();
        assert!(matches!(error, ScorecardError::Several), "{error}");
        assert_eq!(read.of(EnterpriseKind::IndividualBusiness).name, "shops");
        assert_eq!(
            read.of(EnterpriseKind::Enterprise).name,
            "cn-general-expert"
        );
    }

    #[test]
    fn one_card_is_its_own_file() {
        let one = Scorecards::from_json(CARD).unwrap();
        let card = Scorecard::from_json(CARD).unwrap();
        assert_eq!(
            one.to_canonical_json().unwrap(),
            card.to_canonical_json().unwrap()
        );
    }

    #[test]
    fn a_wrong_card_is_named_by_its_kind() {
        let text = String::from_utf8(several().to_canonical_json().unwrap()).unwrap();
        let mut file: Value = serde_json::from_str(&text).unwrap();
        file["by_kind"]["individual_business"]["cutoffs"]["B"] = 900.into();
        let error = Scorecards::from_json(&file.to_string()).unwrap_err();
        assert!(
            error.to_string().contains("`individual_business`"),
            "{error}"
        );
        for wrong in ["[", "{}", "{\"format\":\"risktier-scorecards/2\"}"] {
            assert!(Scorecards::from_json(wrong).is_err(), "{wrong}");
        }
    }
}
