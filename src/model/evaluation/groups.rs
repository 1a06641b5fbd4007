//! The same figures by group: where the model is good, where it is not, and whom it calls risky.

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::interval::Z;
use super::proportion::Proportion;
use super::rows::Rows;
use super::slots::{add, at, code, ratio};
use crate::domain::Tier;

/// Most groups of one grouping that are shown by name; the smaller ones are pooled.
const SHOWN: usize = 20;

/// Problems and clean rows below which a group's area is not estimated.
const LEAST: u64 = 5;

/// One grouping, such as division or industry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// Its name.
    pub name: String,
    /// Its groups, the largest first.
    pub groups: Vec<GroupRow>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRow {
    /// Its name; of the pooled ones, empty.
    pub name: String,
    /// How many groups are pooled in it; absent for a group of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooled: Option<u64>,
    /// Its rows and problem rate.
    pub found: Proportion,
    /// Share of it in tier D, by weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_in_d: Option<f64>,
    /// What was found in its tier D.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_in_d: Option<Proportion>,
    /// Mean predicted probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<f64>,
    /// Area under the curve within the group, with its interval by DeLong on the log-odds.
    pub auc: Figure,
}

/// The groups of one grouping after pooling.
pub(super) struct Pooled {
    /// The group of each row.
    pub(super) part: Vec<u32>,
    /// Names; the last may be the pooled one.
    pub(super) names: Vec<(String, Option<u64>)>,
    /// The rows of each group, in the order of the clusters.
    pub(super) rows: Vec<Vec<u32>>,
}

impl Rows {
    /// Keeps the largest groups and pools the rest.
    pub(super) fn pooled(&self, grouping: usize) -> Option<(&str, Pooled)> {
        let (name, coded) = self.groups.get(grouping)?;
        let mut sizes = vec![0.0; coded.names.len()];
        for of in &coded.of {
            add(&mut sizes, *of as usize, 1.0);
        }
        let mut order: Vec<usize> = (0..coded.names.len()).collect();
        // Largest first; names in byte order among equals.
        order.sort_by(|a, b| at(&sizes, *b).total_cmp(&at(&sizes, *a)).then(a.cmp(b)));
        let shown = if order.len() > SHOWN + 1 {
            SHOWN
        } else {
            order.len()
        };
        let mut place = vec![u32::try_from(shown).unwrap_or(u32::MAX); coded.names.len()];
        for (new, old) in (0..).zip(order.iter().take(shown)) {
            if let Some(slot) = place.get_mut(*old) {
                *slot = new;
            }
        }
        let mut names: Vec<(String, Option<u64>)> = order
            .iter()
            .take(shown)
            .filter_map(|old| Some((coded.names.get(*old)?.clone(), None)))
            .collect();
        if shown < order.len() {
            names.push((String::new(), Some((order.len() - shown) as u64)));
        }
        let part: Vec<u32> = coded
            .of
            .iter()
            .map(|of| place.get(*of as usize).copied().unwrap_or(0))
            .collect();
        let mut rows = vec![Vec::new(); names.len()];
        for row in &self.clusters.rows {
            if let Some(own) = rows.get_mut(code(&part, *row as usize)) {
                own.push(*row);
            }
        }
        Some((name, Pooled { part, names, rows }))
    }

    /// The table of one grouping.
    pub(super) fn group_table(&self, grouping: usize, weights: &[f64]) -> Option<Grouping> {
        let (name, pooled) = self.pooled(grouping)?;
        let count = pooled.names.len();
        let found = self.proportions(&pooled.part, count, weights);
        let in_d = self.tier.as_ref().map(|tiers| {
            let part: Vec<u32> = pooled
                .part
                .iter()
                .zip(tiers)
                .map(|(part, tier)| match tier {
                    Tier::A | Tier::B | Tier::C => u32::MAX,
                    Tier::D => *part,
                })
                .collect();
            let mut weight_in_d = vec![0.0; count];
            for (part, weight) in part.iter().zip(weights) {
                add(&mut weight_in_d, *part as usize, *weight);
            }
            (self.proportions(&part, count, weights), weight_in_d)
        });
        let (mut predicted, mut weight) = (vec![0.0; count], vec![0.0; count]);
        for (row, w) in weights.iter().enumerate() {
            let of = code(&pooled.part, row);
            add(&mut weight, of, *w);
            if let Some(p) = self.probability.as_ref().and_then(|p| p.get(row)) {
                add(&mut predicted, of, w * p);
            }
        }
        let groups = pooled
            .names
            .into_iter()
            .zip(found)
            .zip(&pooled.rows)
            .enumerate()
            .map(|(of, (((name, pooled), found), rows))| GroupRow {
                name,
                pooled,
                share_in_d: in_d
                    .as_ref()
                    .and_then(|(_, weights)| ratio(at(weights, of), at(&weight, of))),
                found_in_d: in_d.as_ref().and_then(|(rates, _)| rates.get(of).cloned()),
                predicted: self
                    .probability
                    .as_ref()
                    .and_then(|_| ratio(at(&predicted, of), at(&weight, of))),
                auc: self.auc_of(rows, &found, weights),
                found,
            })
            .collect();
        Some(Grouping {
            name: name.to_owned(),
            groups,
        })
    }

    fn auc_of(&self, rows: &[u32], found: &Proportion, weights: &[f64]) -> Figure {
        if found.found < LEAST || found.rows - found.found < LEAST {
            return Figure::not_estimable("fewer than five rows with a problem, or without one");
        }
        self.auc_figure(rows, weights)
    }

    /// The area over some rows with the interval of DeLong et al. 1988 on the log-odds (Pepe 2003, section 5.2), rows of
    /// one enterprise taken together. `rows` are in the order of the clusters.
    pub(super) fn auc_figure(&self, rows: &[u32], weights: &[f64]) -> Figure {
        let Some(influence) = self.influence(rows, weights) else {
            return Figure::not_estimable("every row has the same outcome");
        };
        let auc = influence.auc;
        let figure = Figure::of(auc);
        let spread = auc * (1.0 - auc);
        match self.variance_of(rows, &influence.of) {
            Some(variance) if spread > 0.0 && variance > 0.0 => {
                let centre = (auc / (1.0 - auc)).ln();
                let half = Z * variance.sqrt() / spread;
                let back = |odds: f64| 1.0 / (1.0 + (-odds).exp());
                figure
                    .between(back(centre - half), back(centre + half))
                    .with_error(variance.sqrt())
            }
            Some(_) | None => figure.without_interval(
                "the score parts the rows without fail, or there is one enterprise only",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Columns;
    use super::*;

    fn rows(groups: Vec<String>) -> Rows {
        let n = groups.len();
        Columns {
            score: (0..n).map(|i| (i % 7) as f64).collect(),
            outcome: (0..n).map(|i| i % 7 > 4 || i % 11 == 0).collect(),
            tier: Some(
                (0..n)
                    .map(|i| if i % 7 == 6 { Tier::D } else { Tier::A })
                    .collect(),
            ),
            probability: Some(vec![0.25; n]),
            groups: vec![("industry".to_owned(), groups)],
            ..Columns::default()
        }
        .check()
        .unwrap()
    }

    #[test]
    fn small_groups_are_pooled_and_none_is_lost() {
        let names: Vec<String> = (0..1_000).map(|i| format!("I{}", i % 40)).collect();
        let table = rows(names).group_table(0, &[1.0; 1_000]).unwrap();
        assert_eq!(table.groups.len(), 21);
        assert_eq!(table.groups[20].pooled, Some(20));
        assert_eq!(
            table
                .groups
                .iter()
                .map(|group| group.found.rows)
                .sum::<u64>(),
            1_000
        );
        let first = &table.groups[0];
        assert_eq!(first.predicted, Some(0.25));
        assert!(first.found_in_d.is_some() && first.share_in_d.is_some());
    }

    #[test]
    fn a_group_of_one_row_says_what_cannot_be_estimated() {
        let mut names = vec!["large".to_owned(); 200];
        names.push("single".to_owned());
        let table = rows(names).group_table(0, &[1.0; 201]).unwrap();
        assert!(table.groups[0].auc.low.is_some());
        assert!(table.groups[1].auc.value.is_none() && table.groups[1].auc.not_estimable.is_some());
        assert_eq!(table.groups[1].found.rows, 1);
    }
}
