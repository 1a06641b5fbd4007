//! Scoring many rows at once against scoring them one by one, on cards and rows made up at random.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::collections::BTreeMap;

use super::scorecard::Parts;
use super::*;
use crate::domain::rng::SeededRng;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// What a random card and its rows are drawn from.
struct Draw {
    rng: SeededRng,
    most_points: u64,
}

impl Draw {
    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.rng.below(bound)).unwrap()
    }

    fn points(&mut self) -> i32 {
        let half = i32::try_from(self.most_points / 2).unwrap();
        i32::try_from(self.rng.below(self.most_points + 1)).unwrap() - half
    }

    fn edges(&mut self, most: u64) -> Vec<f64> {
        let count = self.below(most + 1);
        let mut edges: Vec<f64> = (0..count)
            .map(|_| (self.rng.unit_f64() * 40.0).floor() / 4.0 - 2.0)
            .collect();
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        edges
    }

    fn card(&mut self) -> Card {
        let mut card = Card {
            missing: self.points(),
            ..Card::default()
        };
        match self.below(8) {
            0 => {
                card.other = Some(self.points());
                for name in NAMES.iter().take(1 + self.below(4)) {
                    card.categories.push(CategoryBin {
                        values: vec![(*name).to_owned()],
                        points: self.points(),
                    });
                }
                return card;
            }
            1 => {
                card.linear = Some(Linear {
                    points_per_unit: i32::try_from(self.rng.below(60)).unwrap() - 30,
                    cap: i32::try_from(self.rng.below(200)).unwrap() - 100,
                });
            }
            2 => card.bins = self.bins(90),
            _ => card.bins = self.bins(12),
        }
        for value in [-1.0, 3.0].into_iter().take(self.below(3)) {
            card.specials.push(SpecialCode {
                value,
                points: self.points(),
            });
        }
        card
    }

    fn bins(&mut self, most: u64) -> Vec<Bin> {
        let edges = self.edges(most);
        std::iter::once(None)
            .chain(edges.into_iter().map(Some))
            .map(|from| Bin {
                from,
                points: self.points(),
            })
            .collect()
    }

    fn axis(&mut self, code: &str, card: &Card) -> PairAxis {
        let mut axis = PairAxis {
            indicator: code.to_owned(),
            edges: Vec::new(),
            groups: Vec::new(),
        };
        if card.is_categorical() {
            axis.groups = vec![vec!["a".to_owned(), "c".to_owned()], vec!["b".to_owned()]];
        } else {
            axis.edges = self.edges(14);
            axis.edges.push(100.0);
        }
        axis
    }

    fn scorecard(&mut self) -> Scorecard {
        let indicators: BTreeMap<String, Card> = (0..1 + self.below(12))
            .map(|at| (format!("c{at:02}"), self.card()))
            .collect();
        let paired: Vec<String> = indicators
            .iter()
            .filter(|(_, card)| card.linear.is_none())
            .map(|(code, _)| code.clone())
            .collect();
        let pairs = paired
            .chunks_exact(2)
            .take(self.below(3))
            .map(|two| {
                let first = self.axis(&two[0], &indicators[&two[0]]);
                let second = self.axis(&two[1], &indicators[&two[1]]);
                let points = (0..first.cell_count())
                    .map(|_| (0..second.cell_count()).map(|_| self.points()).collect())
                    .collect();
                PairTerm {
                    first,
                    second,
                    points,
                }
            })
            .collect();
        Scorecard::from_parts(Parts {
            name: "random".to_owned(),
            version: 1,
            group_caps: BTreeMap::new(),
            cutoffs: Cutoffs {
                b: 100,
                c: 200,
                d: 300,
            },
            base: self.points(),
            indicators,
            pairs,
            calibration: None,
            baseline: None,
            manifest: serde_json::Value::Null,
        })
        .unwrap()
    }

    fn column(&mut self, code: &str, card: &Card, rows: usize) -> Column {
        let edges: Vec<f64> = card.bins.iter().filter_map(|bin| bin.from).collect();
        let values = if card.is_categorical() {
            Values::Categories {
                codes: (0..rows)
                    .map(|_| match self.below(6) {
                        0 => table::MISSING_CODE,
                        _ => u32::try_from(self.rng.below(5)).unwrap(),
                    })
                    .collect(),
                names: NAMES.map(str::to_owned).to_vec(),
            }
        } else {
            let number = |draw: &mut Self| match draw.below(10) {
                0 => f64::NAN,
                1 => -1.0,
                2 => 3.0,
                3 => -0.0,
                4 => 1e300,
                5 => -1e300,
                6 | 7 if !edges.is_empty() => {
                    let edge = edges[draw.below(edges.len() as u64)];
                    [edge, edge.next_up(), edge.next_down()][draw.below(3)]
                }
                _ => draw.rng.unit_f64() * 12.0 - 3.0,
            };
            Values::Numbers((0..rows).map(|_| number(self)).collect())
        };
        Column {
            name: code.to_owned(),
            values,
        }
    }
}

/// The reasons of one row by sorting all of them.
fn sorted_reasons(parts: &[i32]) -> Vec<(usize, i32)> {
    let mut all: Vec<(usize, i32)> = parts
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, above)| *above > 0)
        .collect();
    all.sort_by_key(|(at, above)| (-above, *at));
    all.truncate(REASON_COUNT);
    all
}

#[test]
fn many_rows_at_once_get_what_each_gets_alone() {
    for seed in 0..120 {
        // One card in four has points so far apart that ranking needs more than binary32.
        let mut draw = Draw {
            rng: SeededRng::new(seed, "scored-alike"),
            most_points: if seed % 4 == 0 { 2_000_000 } else { 400 },
        };
        let card = draw.scorecard();
        let rows = [1, 7, 8, 9, 1_023, 1_024, 1_025, 2_500][draw.below(8)];
        let columns = card
            .indicators
            .iter()
            .map(|(code, single)| draw.column(code, single, rows))
            .collect();
        let table = Table::new(columns, Beside::default()).unwrap();
        let scorer = card.bind(&table).unwrap();
        let from = draw.below(rows as u64);
        let (scored, reasons) = scorer.score_rows_with_reasons(from..rows);
        assert_eq!(scorer.score_rows(from..rows), scored, "seed {seed}");
        for (at, row) in (from..rows).enumerate() {
            let number = |code: &str| match &table.feature(code).unwrap().values {
                Values::Numbers(numbers) => Some(numbers[row]),
                Values::Categories { .. } => None,
            };
            let text = |code: &str| match &table.feature(code).unwrap().values {
                Values::Categories { codes, names } => {
                    names.get(codes[row] as usize).map(String::as_str)
                }
                Values::Numbers(_) => None,
            };
            let sum = card.sum(&number, &text);
            assert_eq!(scored.sums[at], sum, "seed {seed}, row {row}");
            let points = u16::try_from(sum.clamp(0, 1_000)).unwrap();
            assert_eq!(scored.points[at], points);
            assert_eq!(scored.tiers[at], card.cutoffs.tier(points));
            let single = card.indicators.iter().map(|(code, single)| {
                let points = if single.is_categorical() {
                    single.category_points(text(code))
                } else {
                    single.points(number(code).filter(|value| !value.is_nan()))
                };
                points - single.least_points()
            });
            let paired = card.pairs.iter().map(|pair| {
                let least = pair.points.iter().flatten().min().unwrap();
                pair.points_of(&card.indicators, &number, &text) - least
            });
            let parts: Vec<i32> = single.chain(paired).collect();
            let found: Vec<(usize, i32)> = reasons[at]
                .iter()
                .flatten()
                .map(|reason| (usize::from(reason.code), reason.points))
                .collect();
            assert_eq!(found, sorted_reasons(&parts), "seed {seed}, row {row}");
        }
    }
}

#[test]
fn points_beyond_any_use_are_refused_by_name() {
    let text = include_str!("../../models/default/scorecard.json");
    let wrong = text.replacen("\"missing\": 0", "\"missing\": 1000001", 1);
    assert_ne!(text, wrong);
    let error = Scorecard::from_json(&wrong).unwrap_err().to_string();
    assert!(
        error.contains("beyond ±1000000") && error.contains("indicator `"),
        "{error}"
    );
}
