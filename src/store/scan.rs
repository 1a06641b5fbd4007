//! Reading the register in parts, so that several threads can go through it side by side.

use std::ops::ControlFlow;

use super::{Dossier, StoreError};

/// Enterprises whose ids lie after `after` and not after `until`, in byte order; an absent end is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRange {
    /// The id before the first one.
    pub after: Option<String>,
    /// The last id.
    pub until: Option<String>,
}

/// Reading the register in parts.
pub trait Scan {
    /// Ranges of about `each` enterprises, in order, that together cover every id there is or will be, and the number of
    /// enterprises in all; both by one walk at most.
    fn parts_of(&self, each: u64) -> Result<(Vec<IdRange>, u64), StoreError>;

    /// Goes through the dossiers of a range in id order, as they are at one instant, until `visit` breaks off.
    fn each_dossier_in(
        &self,
        range: &IdRange,
        visit: &mut dyn FnMut(Dossier) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;
}

impl IdRange {
    /// Every enterprise.
    pub fn all() -> Self {
        Self::default()
    }

    /// The ranges that end at `ends`, with an open one behind them; `ends` must be sorted.
    pub(super) fn ending_at(mut ends: Vec<String>) -> Vec<Self> {
        ends.dedup();
        let mut after = None;
        let mut ranges: Vec<Self> = ends
            .into_iter()
            .map(|end| Self {
                after: after.replace(end.clone()),
                until: Some(end),
            })
            .collect();
        ranges.push(Self { after, until: None });
        ranges
    }
}
