//! Scores the rows of a table with a scorecard: points, tiers, probabilities, bins and reasons.
//!
//! The work goes column by column over blocks of rows, without branches and without an allocation per row. A card's
//! points are bounded when it is read, so sums of 32-bit whole numbers are exact and equal those of [`Scorecard::sum`].

use std::ops::Range;

use super::card_parts::{PairAxis, PairTerm};
use super::scorecard::{Card, MOST_POINTS_OF_ONE, Scorecard, bounded};
use super::steps::Steps;
use super::table::{Column, MISSING_CODE, Table, Values};
use super::table_reasons::{REASON_COUNT, Ranks, TableReason};
use crate::domain::Tier;

/// Rows worked on at once: long enough that a column is read as one stream over several pages, and short enough that a
/// block of every column's points stays in the second-level cache.
pub(super) const BLOCK: usize = 4_096;

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
    map: Map,
}

/// From the cells of a column to whole numbers: points, or the cells of a pair term.
#[derive(Debug)]
enum Map {
    Steps(Steps),
    Linear,
    /// By category code; the last one is that of a missing value.
    Categories(Vec<i32>),
    /// A column of the other type passes only when every cell is missing.
    Missing(i32),
}

#[derive(Debug)]
struct Pair<'a> {
    term: &'a PairTerm,
    first: Side<'a>,
    second: Side<'a>,
    /// The points of the cells, row after row.
    points: Vec<i32>,
}

/// One side of a pair term.
#[derive(Debug)]
struct Side<'a> {
    single: &'a Card,
    column: &'a Column,
    map: Map,
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
                    map: Map::of_points(single, column),
                })
            })
            .collect::<Result<_, _>>()?;
        let side = |axis: &'a PairAxis| -> Result<Side<'a>, TableScoreError> {
            let code = &axis.indicator;
            let single = self
                .indicators
                .get(code)
                .ok_or_else(|| TableScoreError::NoColumn(code.clone()))?;
            let column = typed_column(table, code, single)?;
            Ok(Side {
                single,
                column,
                map: Map::of_cells(axis, single, column),
            })
        };
        let pairs = self
            .pairs
            .iter()
            .map(|term| {
                let points: Vec<i32> = term.points.iter().flatten().copied().collect();
                Ok(Pair {
                    first: side(&term.first)?,
                    second: side(&term.second)?,
                    term,
                    points,
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
        self.given().min().unwrap_or(0)
    }

    /// The fewest and the most points; what a straight line gives beyond its cap is only bounded.
    fn range(&self) -> (i32, i32) {
        let most = match self.linear {
            Some(_) => MOST_POINTS_OF_ONE,
            None => self.given().max().unwrap_or(0),
        };
        (self.least_points(), most)
    }

    /// Every number of points that stands on the card.
    pub(super) fn given(&self) -> impl Iterator<Item = i32> {
        let linear = self.linear.iter().flat_map(|linear| [0, linear.cap]);
        self.bins
            .iter()
            .map(|bin| bin.points)
            .chain(self.categories.iter().map(|bin| bin.points))
            .chain(self.specials.iter().map(|code| code.points))
            .chain(self.other)
            .chain(linear)
            .chain([self.missing])
    }
}

fn range(points: &[i32]) -> (i32, i32) {
    let (least, most) = (points.iter().min(), points.iter().max());
    (least.copied().unwrap_or(0), most.copied().unwrap_or(0))
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

impl Map {
    fn of_points(single: &Card, column: &Column) -> Self {
        match &column.values {
            Values::Categories { names, .. } if single.is_categorical() => Self::Categories(
                names
                    .iter()
                    .map(|name| single.category_points(Some(name)))
                    .chain([single.missing])
                    .collect(),
            ),
            Values::Numbers(_) if single.linear.is_some() => Self::Linear,
            Values::Numbers(_) if !single.is_categorical() => {
                let edges: Vec<f64> = single.bins.iter().filter_map(|bin| bin.from).collect();
                let values: Vec<i32> = single.bins.iter().map(|bin| bin.points).collect();
                let specials = single.specials.iter().map(|code| (code.value, code.points));
                Self::Steps(Steps::new(
                    &edges,
                    &values,
                    single.missing,
                    specials.collect(),
                ))
            }
            Values::Numbers(_) | Values::Categories { .. } => Self::Missing(single.missing),
        }
    }

    fn of_cells(axis: &PairAxis, single: &Card, column: &Column) -> Self {
        let number = |cell: usize| i32::try_from(cell).unwrap_or(i32::MAX);
        let missing = number(axis.missing_cell());
        match &column.values {
            Values::Categories { names, .. } if single.is_categorical() => Self::Categories(
                names
                    .iter()
                    .map(|name| number(axis.category_cell(Some(name))))
                    .chain([missing])
                    .collect(),
            ),
            Values::Numbers(_) if !single.is_categorical() => {
                let cells: Vec<i32> = (0..=axis.edges.len()).map(number).collect();
                let specials = single.specials.iter().map(|code| (code.value, missing));
                Self::Steps(Steps::new(&axis.edges, &cells, missing, specials.collect()))
            }
            Values::Numbers(_) | Values::Categories { .. } => Self::Missing(missing),
        }
    }

    /// Writes the whole numbers of a block of rows.
    fn write(&self, single: &Card, column: &Column, rows: Range<usize>, out: &mut [i32]) {
        match (self, &column.values) {
            (Self::Steps(steps), Values::Numbers(numbers)) => {
                steps.write(numbers.get(rows).unwrap_or_default(), out);
            }
            (Self::Linear, Values::Numbers(numbers)) => {
                let numbers = numbers.get(rows).unwrap_or_default();
                for (out, value) in out.iter_mut().zip(numbers) {
                    *out = single.points((!value.is_nan()).then_some(*value));
                }
            }
            (Self::Categories(by_code), Values::Categories { codes, .. }) => {
                let codes = codes.get(rows).unwrap_or_default();
                let missing = by_code.last().copied().unwrap_or(0);
                for (out, code) in out.iter_mut().zip(codes) {
                    *out = usize::try_from(*code)
                        .ok()
                        .filter(|_| *code != MISSING_CODE)
                        .and_then(|code| by_code.get(code))
                        .copied()
                        .unwrap_or(missing);
                }
            }
            (Self::Missing(missing), _) => out.fill(*missing),
            (_, _) => out.fill(single.missing),
        }
    }
}

impl Pair<'_> {
    fn write(&self, rows: Range<usize>, cells: &mut [i32], out: &mut [i32]) {
        let (first, second) = (&self.first, &self.second);
        let cells = cells.get_mut(..out.len()).unwrap_or_default();
        first
            .map
            .write(first.single, first.column, rows.clone(), cells);
        second.map.write(second.single, second.column, rows, out);
        let width = self.term.second.cell_count();
        for (out, first) in out.iter_mut().zip(cells) {
            let cell =
                usize::try_from(*first).unwrap_or(0) * width + usize::try_from(*out).unwrap_or(0);
            *out = self.points.get(cell).copied().unwrap_or(0);
        }
    }
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
        let mut scored = Scored::with_capacity(rows.len());
        let mut part = [0; BLOCK];
        let mut cells = [0; BLOCK];
        let mut sums = [0; BLOCK];
        for block in self.blocks(rows) {
            let part = part.get_mut(..block.len()).unwrap_or_default();
            let sums = sums.get_mut(..block.len()).unwrap_or_default();
            sums.fill(self.card.base);
            for feature in &self.features {
                if !feature.add(block.clone(), sums, None) {
                    feature.write(block.clone(), part);
                    add(sums, part);
                }
            }
            for pair in &self.pairs {
                pair.write(block.clone(), &mut cells, part);
                add(sums, part);
            }
            scored.push(self.card, sums);
        }
        scored
    }

    /// Scores a range of rows with up to four reasons each, the weightiest first, equal ones in the order of
    /// [`TableScorer::reason_codes`].
    pub fn score_rows_with_reasons(
        &self,
        rows: Range<usize>,
    ) -> (Scored, Vec<[Option<TableReason>; REASON_COUNT]>) {
        let mut scored = Scored::with_capacity(rows.len());
        let mut reasons = Vec::with_capacity(rows.len());
        let single = self.features.iter().map(|feature| feature.single.range());
        let paired = self.pairs.iter().map(|pair| range(&pair.points));
        let ranks = Ranks::new(single.chain(paired));
        let mut parts = vec![[0; BLOCK]; self.features.len() + self.pairs.len()];
        let mut cells = [0; BLOCK];
        let mut sums = [0; BLOCK];
        for block in self.blocks(rows) {
            let length = block.len();
            let sums = sums.get_mut(..length).unwrap_or_default();
            sums.fill(self.card.base);
            let (single, paired) = parts.split_at_mut(self.features.len());
            for (feature, part) in self.features.iter().zip(single) {
                let part = part.get_mut(..length).unwrap_or_default();
                if !feature.add(block.clone(), sums, Some(&mut *part)) {
                    feature.write(block.clone(), part);
                    add(sums, part);
                }
            }
            for (pair, part) in self.pairs.iter().zip(paired) {
                let part = part.get_mut(..length).unwrap_or_default();
                pair.write(block.clone(), &mut cells, part);
                add(sums, part);
            }
            scored.push(self.card, sums);
            ranks.push(&parts, length, &mut reasons);
        }
        (scored, reasons)
    }

    fn blocks(&self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let end = rows.end.min(self.table.row_count());
        (rows.start..end)
            .step_by(BLOCK)
            .map(move |start| start..(start + BLOCK).min(end))
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
            Values::Numbers(numbers) if feature.single.linear.is_some() => numbers
                .iter()
                .map(|value| short(feature.single.bin_of(Some(*value))))
                .collect(),
            Values::Numbers(numbers) if !feature.single.is_categorical() => {
                let mut bins = vec![0; numbers.len()];
                feature.single.bin_steps().write(numbers, &mut bins);
                bins.into_iter()
                    .map(|bin| u16::try_from(bin).unwrap_or(u16::MAX))
                    .collect()
            }
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
        let mut points = vec![0; self.table.row_count()];
        feature.write(0..self.table.row_count(), &mut points);
        Some(points)
    }
}

impl Feature<'_> {
    /// As [`Steps::add`], for a block of rows.
    fn add(&self, rows: Range<usize>, sums: &mut [i32], out: Option<&mut [i32]>) -> bool {
        match (&self.map, &self.column.values) {
            (Map::Steps(steps), Values::Numbers(numbers)) => {
                steps.add(numbers.get(rows).unwrap_or_default(), sums, out)
            }
            (_, _) => false,
        }
    }

    fn write(&self, rows: Range<usize>, out: &mut [i32]) {
        self.map.write(self.single, self.column, rows, out);
    }
}

impl Scored {
    fn with_capacity(rows: usize) -> Self {
        Self {
            sums: Vec::with_capacity(rows),
            points: Vec::with_capacity(rows),
            tiers: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, card: &Scorecard, sums: &[i32]) {
        self.sums.extend_from_slice(sums);
        self.points.extend(sums.iter().map(|sum| bounded(*sum)));
        self.tiers
            .extend(sums.iter().map(|sum| card.cutoffs.tier(bounded(*sum))));
    }
}

fn add(sums: &mut [i32], part: &[i32]) {
    for (sum, points) in sums.iter_mut().zip(part) {
        *sum += points;
    }
}
