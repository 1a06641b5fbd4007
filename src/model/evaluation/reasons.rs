//! Which reasons are given, by tier.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::rows::Rows;
use super::slots::ratio;
use crate::domain::Tier;

/// How often one reason is among the main ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonShare {
    /// Code of the indicator or rule.
    pub code: String,
    /// Rows that have it.
    pub rows: u64,
    /// Share of all rows.
    pub share: f64,
    /// Share of the rows of each tier, where tiers are known and not empty.
    pub by_tier: BTreeMap<Tier, f64>,
    /// Problem rate of the rows that have it.
    pub rate: f64,
}

impl Rows {
    /// The reasons by falling frequency; none where no reasons are known.
    pub(super) fn reason_shares(&self) -> Vec<ReasonShare> {
        let Some(reasons) = &self.reasons else {
            return Vec::new();
        };
        let mut rows_of: BTreeMap<Tier, u64> = BTreeMap::new();
        for tier in self.tier.iter().flatten() {
            *rows_of.entry(*tier).or_default() += 1;
        }
        let mut counts: BTreeMap<&str, (u64, u64, BTreeMap<Tier, u64>)> = BTreeMap::new();
        for (row, codes) in reasons.iter().enumerate() {
            for (place, code) in codes.iter().enumerate() {
                // A reason that is given twice for one row counts once.
                if codes.iter().take(place).any(|other| other == code) {
                    continue;
                }
                let count = counts.entry(code).or_default();
                count.0 += 1;
                count.1 += u64::from(self.is_found(row));
                if let Some(tier) = self.tier.as_ref().and_then(|tiers| tiers.get(row)) {
                    *count.2.entry(*tier).or_default() += 1;
                }
            }
        }
        let mut shares: Vec<ReasonShare> = counts
            .into_iter()
            .map(|(code, (rows, found, tiers))| ReasonShare {
                code: code.to_owned(),
                rows,
                share: rows as f64 / reasons.len() as f64,
                by_tier: rows_of
                    .iter()
                    .filter_map(|(tier, of)| {
                        let own = tiers.get(tier).copied().unwrap_or(0);
                        Some((*tier, ratio(own as f64, *of as f64)?))
                    })
                    .collect(),
                rate: found as f64 / rows as f64,
            })
            .collect();
        shares.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.code.cmp(&b.code)));
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Columns;
    use super::*;

    #[test]
    fn reasons_are_counted_once_per_row_and_by_tier() {
        let codes = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let rows = Columns {
            score: vec![1.0, 2.0, 3.0],
            outcome: vec![false, true, true],
            tier: Some(vec![Tier::A, Tier::D, Tier::D]),
            reasons: Some(vec![codes("SUP01"), codes("SUP01 SUP01 SOC02"), vec![]]),
            ..Columns::default()
        }
        .check()
        .unwrap();
        let shares = rows.reason_shares();
        assert_eq!(shares.len(), 2);
        assert_eq!(
            (shares[0].code.as_str(), shares[0].rows, shares[0].rate),
            ("SUP01", 2, 0.5)
        );
        assert_eq!(shares[0].by_tier, [(Tier::A, 1.0), (Tier::D, 0.5)].into());
    }
}
