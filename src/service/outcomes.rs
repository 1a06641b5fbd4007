//! What came true: what inspections found after the day of a classification, by tier.

use std::collections::BTreeMap;

use super::{Service, ServiceError};
use crate::domain::{AsOf, Label, Record, RecordKind, Tier};
use crate::files::mapping::Outcome;

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
            let first = versions
                .iter()
                .filter(|record| rule.is_inspection(record) && record.occurred_on > as_of.day)
                .min_by(|a, b| (a.occurred_on, &a.record_id).cmp(&(b.occurred_on, &b.record_id)));
            if let (Some(first), Some(count)) = (first, counts.get_mut(&classification.tier)) {
                count.0 += 1;
                count.1 += u64::from(first.codes.binary_search(&rule.code).is_ok());
            }
        })?;
        Ok(counts
            .into_iter()
            .map(|(tier, (inspected, found))| TierOutcome {
                tier,
                inspected,
                found,
                rate: found as f64 / inspected.max(1) as f64,
                interval: wilson(found, inspected),
            })
            .collect())
    }
}

impl OutcomeRule {
    fn is_inspection(&self, record: &Record) -> bool {
        record.kind == self.kind
            && self
                .source
                .as_ref()
                .is_none_or(|source| record.source == *source)
    }
}

/// The score interval of a proportion at 95 % (Wilson 1927); the whole range without observations.
fn wilson(found: u64, n: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (n as f64, found as f64 / n as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (
        ((centre - half) / scale).max(0.0),
        ((centre + half) / scale).min(1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn the_wilson_interval_has_its_published_values() {
        // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611.
        let (low, high) = wilson(81, 263);
        assert!(
            (low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5,
            "{low} {high}"
        );
        let (low, high) = wilson(0, 20);
        assert!(low == 0.0 && (high - 0.1611).abs() < 5e-5, "{low} {high}");
    }
}
