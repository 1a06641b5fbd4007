//! What came true: what inspections found after the day of a classification, by tier.

use std::collections::BTreeMap;

use super::{Service, ServiceError};
use crate::domain::{AsOf, Label, Record, RecordKind, Tier};
use crate::files::mapping::Outcome;
use crate::model::evaluation::wilson;
use jiff::civil::Date;

/// Which later records are inspections, and which of them found a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeRule {
    /// Kind of the records.
    pub kind: RecordKind,
    /// Their source; absent means any.
    pub source: Option<Label>,
    /// The code that says a problem was found.
    pub code: Label,
}

impl From<&Outcome> for OutcomeRule {
    fn from(outcome: &Outcome) -> Self {
        Self {
            kind: outcome.kind,
            source: outcome.source.clone(),
            code: outcome.code.clone(),
        }
    }
}

/// What the first inspection after the day found in one tier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TierOutcome {
    /// The tier as of the day.
    pub tier: Tier,
    /// Enterprises with an inspection after the day.
    pub inspected: u64,
    /// Of these, how many had a problem at the first one.
    pub found: u64,
    /// `found / inspected`; 0 without any.
    pub rate: f64,
    /// Wilson interval of the rate at 95 %.
    pub interval: (f64, f64),
}

impl Service {
    /// Classifies the register as of a day and counts what the first inspection of each enterprise after it found.
    ///
    /// One inspection per enterprise, so that the counts are of independent enterprises and the interval holds.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn later_outcomes(
        &self,
        as_of: AsOf,
        rule: &OutcomeRule,
    ) -> Result<Vec<TierOutcome>, ServiceError> {
        let mut counts: BTreeMap<Tier, (u64, u64)> =
            Tier::ALL.iter().map(|tier| (*tier, (0, 0))).collect();
        self.classify_register(as_of, &mut |_, versions, classification| {
            let first = rule.first_after(versions, as_of.day);
            if let (Some((_, found)), Some(count)) = (first, counts.get_mut(&classification.tier)) {
                count.0 += 1;
                count.1 += u64::from(found);
            }
        })?;
        Ok(counts
            .into_iter()
            .map(|(tier, (inspected, found))| TierOutcome {
                tier,
                inspected,
                found,
                rate: found as f64 / inspected.max(1) as f64,
                interval: wilson(found as f64, inspected as f64),
            })
            .collect())
    }
}

impl OutcomeRule {
    /// The day of the first inspection after a day, and whether it found the problem.
    pub(super) fn first_after(&self, versions: &[Record], day: Date) -> Option<(Date, bool)> {
        let first = versions
            .iter()
            .filter(|record| self.is_inspection(record) && record.occurred_on > day)
            .min_by(|a, b| (a.occurred_on, &a.record_id).cmp(&(b.occurred_on, &b.record_id)))?;
        Some((
            first.occurred_on,
            first.codes.binary_search(&self.code).is_ok(),
        ))
    }

    fn is_inspection(&self, record: &Record) -> bool {
        record.kind == self.kind
            && self
                .source
                .as_ref()
                .is_none_or(|source| record.source == *source)
    }
}
