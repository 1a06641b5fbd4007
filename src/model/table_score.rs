//! Scores the rows of a table with a scorecard: points, tiers, probabilities, bins and reasons.
//!
//! The work goes column by column over blocks of rows, without branches: a bin is the number of edges that the value
//! reaches, so a column's points are a sum of steps. Points are whole numbers well below 2^53, so the sums are exact in
//! binary64 whatever their order, and equal those of [`Scorecard::sum`].

use std::ops::Range;

use super::card_parts::{PairAxis, PairTerm};
use super::scorecard::{Card, Scorecard, bounded};
use super::table::{Column, MISSING_CODE, Table, Values};
use crate::domain::Tier;

/// Rows worked on at once: small enough that a block of every column's points stays in the second-level cache.
const BLOCK: usize = 512;

/// How many reasons a row gets.
pub const REASON_COUNT: usize = 4;

/// Why a table cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableScoreError {
    /// A feature is not in the table.
    #[error("the scorecard needs column `{0}`, which the table does not have")]
    NoColumn(String),
    /// A feature has the wrong type.
    #[error("column `{column}` holds {found}, and the scorecard expects {expected}")]
    Type {
        /// The column.
        column: String,
        /// What the table has.
        found: &'static str,
        /// What the scorecard expects.
        expected: &'static str,
    },
    /// The scorecard caps groups of indicators, which a table does not know.
    #[error(
        "the scorecard caps groups of indicators, and a table does not say which group a column belongs to; score it in \
         the register, or give a scorecard without group caps"
    )]
    GroupCaps,
}

/// The scores of a table, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// Sums of points before the bounds 0 and 1000.
    pub sums: Vec<i32>,
    /// Points, 0 to 1000.
    pub points: Vec<u16>,
    /// The tier that the points alone give.
    pub tiers: Vec<Tier>,
}

/// A scorecard bound to the columns of one table.
#[derive(Debug)]
pub struct TableScorer<'a> {
    card: &'a Scorecard,
    table: &'a Table,
    features: Vec<Feature<'a>>,
    pairs: Vec<Pair<'a>>,
}

#[derive(Debug)]
struct Feature<'a> {
    code: &'a str,
    single: &'a Card,
    column: &'a Column,
    points: Points,
    least: f64,
}

#[derive(Debug)]
enum Points {
    /// Edges with the step that each adds, the points below the first, of missing values, and of special codes.
    Steps {
        first: f64,
        steps: Vec<(f64, f64)>,
        missing: f64,
        specials: Vec<(f64, f64)>,
    },
    Linear,
    /// Points by category code; the last one is that of a missing value.
    Categories(Vec<f64>),
}

#[derive(Debug)]
struct Pair<'a> {
    term: &'a PairTerm,
    first: Cells<'a>,
    second: Cells<'a>,
    least: f64,
}

#[derive(Debug)]
struct Cells<'a> {
    axis: &'a PairAxis,
    single: &'a Card,
    column: &'a Column,
    /// Cell by category code.
    by_code: Vec<usize>,
}

impl Scorecard {
    /// Binds the card to a table whose columns are named as its indicators.
    ///
    /// # Errors
    ///
    /// When a column is absent or of another type, naming it, or when the card caps groups.
    pub fn bind<'a>(&'a self, table: &'a Table) -> Result<TableScorer<'a>, TableScoreError> {
        if !self.group_caps.is_empty() {
            return Err(TableScoreError::GroupCaps);
        }
        let features = self
            .indicators
            .iter()
            .map(|(code, single)| {
                let column = typed_column(table, code, single)?;
                Ok(Feature {
                    code,
                    single,
                    column,
                    points: Points::of(single, column),
                    least: f64::from(single.least_points()),
                })
            })
            .collect::<Result<_, _>>()?;
        let cells = |axis: &'a PairAxis| -> Result<Cells<'a>, TableScoreError> {
            let code = &axis.indicator;
            let single = self
                .indicators
                .get(code)
                .ok_or_else(|| TableScoreError::NoColumn(code.clone()))?;
            let column = typed_column(table, code, single)?;
            let by_code = match &column.values {
                Values::Numbers(_) => Vec::new(),
                Values::Categories { names, .. } => names
                    .iter()
                    .map(|name| axis.category_cell(Some(name)))
                    .collect(),
            };
            Ok(Cells {
                axis,
                single,
                column,
                by_code,
            })
        };
        let pairs = self
            .pairs
            .iter()
            .map(|term| {
                let least = term.points.iter().flatten().min().copied().unwrap_or(0);
                Ok(Pair {
                    first: cells(&term.first)?,
                    second: cells(&term.second)?,
                    term,
                    least: f64::from(least),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(TableScorer {
            card: self,
            table,
            features,
            pairs,
        })
    }

    /// Scores every row of a table on the calling thread.
    ///
    /// # Errors
    ///
    /// As [`Scorecard::bind`].
    pub fn score_table(&self, table: &Table) -> Result<Scored, TableScoreError> {
        Ok(self.bind(table)?.score())
    }

    /// The probability of an outcome of at least 1, by points; absent for a card that is not calibrated.
    pub fn probabilities(&self, points: &[u16]) -> Option<Vec<f64>> {
        let level = self.calibration.as_ref()?.levels.first()?;
        let by_points: Vec<f64> = (0..=super::scorecard::MAX_POINTS)
            .map(|points| level.probability(points))
            .collect();
        Some(
            points
                .iter()
                .map(|points| by_points.get(usize::from(*points)).copied().unwrap_or(1.0))
                .collect(),
        )
    }
}

impl Card {
    /// The fewest points that the card gives to any value.
    pub fn least_points(&self) -> i32 {
        let linear = self.linear.iter().flat_map(|linear| [0, linear.cap]);
        self.bins
            .iter()
            .map(|bin| bin.points)
            .chain(self.categories.iter().map(|bin| bin.points))
            .chain(self.specials.iter().map(|code| code.points))
            .chain(self.other)
            .chain(linear)
            .chain([self.missing])
            .min()
            .unwrap_or(0)
    }
}

fn typed_column<'a>(
    table: &'a Table,
    code: &str,
    single: &Card,
) -> Result<&'a Column, TableScoreError> {
    let column = table
        .feature(code)
        .or_else(|| table.kept_column(code))
        .ok_or_else(|| TableScoreError::NoColumn(code.to_owned()))?;
    let (numbers, categories) = ("numbers", "categories");
    let found = match &column.values {
        Values::Numbers(_) => numbers,
        Values::Categories { .. } => categories,
    };
    let expected = if single.is_categorical() {
        categories
    } else {
        numbers
    };
    // A column without a single known cell has no type to speak of.
    if found != expected && column.values.missing_count() < column.values.len() {
        return Err(TableScoreError::Type {
            column: code.to_owned(),
            found,
            expected,
        });
    }
    Ok(column)
}

impl Points {
    fn of(single: &Card, column: &Column) -> Self {
        if single.is_categorical() {
            let names = match &column.values {
                Values::Categories { names, .. } => names.as_slice(),
                Values::Numbers(_) => &[],
            };
            return Self::Categories(
                names
                    .iter()
                    .map(|name| single.category_points(Some(name)))
                    .chain([single.missing])
                    .map(f64::from)
                    .collect(),
            );
        }
        if single.linear.is_some() {
            return Self::Linear;
        }
        let mut before = single.bins.first().map_or(0, |bin| bin.points);
        let first = before;
        let steps = single
            .bins
            .iter()
            .filter_map(|bin| {
                let step = (bin.from?, f64::from(bin.points - before));
                before = bin.points;
                Some(step)
            })
            .collect();
        Self::Steps {
            first: f64::from(first),
            steps,
            missing: f64::from(single.missing),
            specials: single
                .specials
                .iter()
                .map(|code| (code.value, f64::from(code.points)))
                .collect(),
        }
    }

    /// Writes the points of a block of rows.
    fn write(&self, single: &Card, column: &Column, rows: Range<usize>, out: &mut [f64]) {
        match (self, &column.values) {
            (
                Self::Steps {
                    first,
                    steps,
                    missing,
                    specials,
                },
                Values::Numbers(numbers),
            ) => {
                let numbers = numbers.get(rows).unwrap_or_default();
                out.fill(*first);
                for (edge, step) in steps {
                    for (points, value) in out.iter_mut().zip(numbers) {
                        *points += if *value >= *edge { *step } else { 0.0 };
                    }
                }
                for (code, special) in specials {
                    for (points, value) in out.iter_mut().zip(numbers) {
                        if value == code {
                            *points = *special;
                        }
                    }
                }
                for (points, value) in out.iter_mut().zip(numbers) {
                    *points = if value.is_nan() { *missing } else { *points };
                }
            }
            (Self::Linear, Values::Numbers(numbers)) => {
                let numbers = numbers.get(rows).unwrap_or_default();
                for (points, value) in out.iter_mut().zip(numbers) {
                    *points = f64::from(single.points((!value.is_nan()).then_some(*value)));
                }
            }
            (Self::Categories(by_code), Values::Categories { codes, .. }) => {
                let codes = codes.get(rows).unwrap_or_default();
                let missing = by_code.last().copied().unwrap_or(0.0);
                for (points, code) in out.iter_mut().zip(codes) {
                    *points = usize::try_from(*code)
                        .ok()
                        .filter(|_| *code != MISSING_CODE)
                        .and_then(|code| by_code.get(code))
                        .copied()
                        .unwrap_or(missing);
                }
            }
            // A column of the other type passes only when every cell is missing.
            (_, _) => out.fill(f64::from(single.missing)),
        }
    }
}

impl Cells<'_> {
    fn cell(&self, row: usize) -> usize {
        match &self.column.values {
            Values::Numbers(numbers) if !self.single.is_categorical() => self
                .axis
                .cell(numbers.get(row).copied(), &self.single.specials),
            Values::Categories { codes, .. } if self.single.is_categorical() => codes
                .get(row)
                .and_then(|code| usize::try_from(*code).ok())
                .and_then(|code| self.by_code.get(code))
                .copied()
                .unwrap_or(self.axis.missing_cell()),
            Values::Numbers(_) | Values::Categories { .. } => self.axis.missing_cell(),
        }
    }
}

impl Pair<'_> {
    fn write(&self, rows: Range<usize>, out: &mut [f64]) {
        for (points, row) in out.iter_mut().zip(rows) {
            *points = f64::from(self.term.at(self.first.cell(row), self.second.cell(row)));
        }
    }
}

/// One reason of a row: what an indicator or a pair of them adds to the least it can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableReason {
    /// Position among [`TableScorer::reason_codes`].
    pub code: u16,
    /// Points above the best bin.
    pub points: i32,
}

impl<'a> TableScorer<'a> {
    /// The scorecard.
    pub fn card(&self) -> &'a Scorecard {
        self.card
    }

    /// Scores every row.
    pub fn score(&self) -> Scored {
        self.score_rows(0..self.table.row_count())
    }

    /// Scores a range of rows, so that a caller may share the table out among threads.
    pub fn score_rows(&self, rows: Range<usize>) -> Scored {
        let mut scored = Scored::default();
        self.each_block(rows, |_, sums, _| self.push(&mut scored, sums));
        scored
    }

    /// Scores a range of rows with up to four reasons each, the weightiest first, equal ones in the order of
    /// [`TableScorer::reason_codes`].
    pub fn score_rows_with_reasons(
        &self,
        rows: Range<usize>,
    ) -> (Scored, Vec<[Option<TableReason>; REASON_COUNT]>) {
        let mut scored = Scored::default();
        let mut reasons = Vec::with_capacity(rows.len());
        let mut keys = [[0.0; BLOCK]; REASON_COUNT];
        // The points decide and the earlier code breaks ties: both in one number, exact in binary64.
        let codes = self.features.len() + self.pairs.len();
        let scale = f64::from(u32::try_from(codes + 1).unwrap_or(u32::MAX));
        self.each_block(rows, |length, sums, parts| {
            for best in &mut keys {
                best.fill(0.0);
            }
            let least = self
                .features
                .iter()
                .map(|feature| feature.least)
                .chain(self.pairs.iter().map(|pair| pair.least));
            for ((position, part), least) in parts.chunks(BLOCK).enumerate().zip(least) {
                let rank = f64::from(u32::try_from(codes - position).unwrap_or(0));
                insert(&mut keys, part, least, scale, rank, length);
            }
            self.push(&mut scored, sums);
            for row in 0..length {
                reasons.push(keys.each_ref().map(|best| {
                    let key = best.get(row).copied().unwrap_or(0.0);
                    reason(key, scale, codes)
                }));
            }
        });
        (scored, reasons)
    }

    /// What reasons are about: the codes of the indicators, then `first × second` for each pair term.
    pub fn reason_codes(&self) -> Vec<String> {
        let pairs = self.pairs.iter().map(|pair| pair.term.codes().join(" × "));
        self.features
            .iter()
            .map(|feature| feature.code.to_owned())
            .chain(pairs)
            .collect()
    }

    /// The number of the bin of every row, for one indicator of the card, in the order of [`Card::bin_labels`]; absent
    /// if the card has no such indicator.
    pub fn bins(&self, code: &str) -> Option<Vec<u16>> {
        let feature = self.features.iter().find(|feature| feature.code == code)?;
        let short = |bin: usize| u16::try_from(bin).unwrap_or(u16::MAX);
        let missing = short(feature.single.bin_count() - 1);
        Some(match &feature.column.values {
            Values::Numbers(numbers) if !feature.single.is_categorical() => numbers
                .iter()
                .map(|value| short(feature.single.bin_of(Some(*value))))
                .collect(),
            Values::Categories { codes, names } if feature.single.is_categorical() => {
                let by_code: Vec<u16> = names
                    .iter()
                    .map(|name| short(feature.single.category_bin_of(Some(name))))
                    .collect();
                codes
                    .iter()
                    .map(|code| {
                        usize::try_from(*code)
                            .ok()
                            .and_then(|code| by_code.get(code))
                            .copied()
                            .unwrap_or(missing)
                    })
                    .collect()
            }
            Values::Numbers(_) | Values::Categories { .. } => {
                vec![missing; feature.column.values.len()]
            }
        })
    }

    /// How many known categories of the table's column the card does not name, by rows; absent for numbers.
    pub fn unseen_count(&self, code: &str) -> Option<usize> {
        let feature = self.features.iter().find(|feature| feature.code == code)?;
        let Values::Categories { codes, names } = &feature.column.values else {
            return None;
        };
        let known: Vec<bool> = names
            .iter()
            .map(|name| {
                feature
                    .single
                    .categories
                    .iter()
                    .any(|bin| bin.values.contains(name))
            })
            .collect();
        let unseen = |code: &&u32| {
            usize::try_from(**code)
                .ok()
                .and_then(|code| known.get(code))
                .is_some_and(|known| !known)
        };
        Some(codes.iter().filter(unseen).count())
    }

    /// The points of every row, for one indicator of the card; absent if the card has no such indicator.
    pub fn feature_points(&self, code: &str) -> Option<Vec<i32>> {
        let feature = self.features.iter().find(|feature| feature.code == code)?;
        let mut points = vec![0.0; self.table.row_count()];
        let rows = 0..self.table.row_count();
        feature
            .points
            .write(feature.single, feature.column, rows, &mut points);
        Some(points.into_iter().map(whole).collect())
    }

    fn push(&self, scored: &mut Scored, sums: &[f64]) {
        for sum in sums {
            let sum = whole(*sum);
            let points = bounded(sum);
            scored.sums.push(sum);
            scored.points.push(points);
            scored.tiers.push(self.card.cutoffs.tier(points));
        }
    }

    /// Calls `done` for each block with its length, the sums, and the points of every feature and pair, `BLOCK` apart.
    fn each_block(&self, rows: Range<usize>, mut done: impl FnMut(usize, &[f64], &[f64])) {
        let parts_count = self.features.len() + self.pairs.len();
        let mut parts = vec![0.0; parts_count * BLOCK];
        let mut sums = [0.0; BLOCK];
        let end = rows.end.min(self.table.row_count());
        let mut start = rows.start;
        while start < end {
            let block = start..(start + BLOCK).min(end);
            let length = block.len();
            let sums = sums.get_mut(..length).unwrap_or_default();
            sums.fill(f64::from(self.card.base));
            let mut chunks = parts.chunks_mut(BLOCK);
            for (feature, part) in self.features.iter().zip(&mut chunks) {
                let part = part.get_mut(..length).unwrap_or_default();
                feature
                    .points
                    .write(feature.single, feature.column, block.clone(), part);
                add(sums, part);
            }
            for (pair, part) in self.pairs.iter().zip(&mut chunks) {
                let part = part.get_mut(..length).unwrap_or_default();
                pair.write(block.clone(), part);
                add(sums, part);
            }
            done(length, sums, &parts);
            start = block.end;
        }
    }
}

fn add(sums: &mut [f64], part: &[f64]) {
    for (sum, points) in sums.iter_mut().zip(part) {
        *sum += points;
    }
}

/// Puts one part's keys into the sorted best four of every row.
fn insert(
    keys: &mut [[f64; BLOCK]; REASON_COUNT],
    part: &[f64],
    least: f64,
    scale: f64,
    rank: f64,
    length: usize,
) {
    let [one, two, three, four] = keys;
    let rows = part
        .iter()
        .zip(one)
        .zip(two)
        .zip(three)
        .zip(four)
        .take(length);
    for ((((points, one), two), three), four) in rows {
        let above = *points - least;
        let mut key = if above > 0.0 {
            above * scale + rank
        } else {
            0.0
        };
        for best in [one, two, three, four] {
            let (high, low) = if key > *best {
                (key, *best)
            } else {
                (*best, key)
            };
            *best = high;
            key = low;
        }
    }
}

fn reason(key: f64, scale: f64, codes: usize) -> Option<TableReason> {
    if key <= 0.0 {
        return None;
    }
    let points = (key / scale).floor();
    let rank = usize::try_from(whole(key - points * scale)).ok()?;
    Some(TableReason {
        code: u16::try_from(codes.checked_sub(rank)?).ok()?,
        points: whole(points),
    })
}

/// A whole number held in binary64; the cast saturates.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the value is a whole number"
)]
fn whole(value: f64) -> i32 {
    value as i32
}
