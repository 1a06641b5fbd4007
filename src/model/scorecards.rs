//! The scorecards of one model: a general one, and others for kinds of enterprise.

use std::collections::BTreeMap;

use super::scorecard::Scorecard;
use crate::domain::EnterpriseKind;

/// A general scorecard, and those of kinds that are scored by their own, such as individual businesses.
#[derive(Clone, Debug, PartialEq)]
pub struct Scorecards {
    /// For every kind that has none of its own.
    pub general: Scorecard,
    /// By kind.
    pub by_kind: BTreeMap<EnterpriseKind, Scorecard>,
}

impl Scorecards {
    /// The scorecard for enterprises of a kind.
    pub fn of(&self, kind: EnterpriseKind) -> &Scorecard {
        self.by_kind.get(&kind).unwrap_or(&self.general)
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
