//! Pair terms: which two features say more together, found on what the single features leave, and how they stay in order.
//!
//! The search compares, for every pair, the best cut of both features into four quadrants with no cut at all (Lou et al.,
//! "Accurate intelligible models with pairwise interactions", 2013).

#![expect(
    clippy::indexing_slicing,
    reason = "INVARIANT: cells are below the number of cells of their axis, by which every table here is sized"
)]

use super::additive::{Additive, Axis};
use super::bins::FeatureBins;
use super::boost::Sum;
use super::error::TrainError;
use super::newton::derivatives;
use super::params::TrainParams;
use super::run::Rows;
use super::{parallel, pav};
use crate::domain::rng::SeededRng;

/// Coarse cells of an axis beside those of missing, special and unseen values; all cells of a pair must fit one byte.
const CELLS: usize = 12;

/// The least gain of a pair: twice the log-likelihood, where chance alone gives a few units over all quadrants.
const LEAST_GAIN: f64 = 10.0;

/// Rows that the search looks at.
const SEARCH_ROWS: usize = 100_000;

/// Coarse cells of a feature by equal weight; categories in the order of their shape.
pub(super) fn axis(feature: usize, bins: &FeatureBins, shape: &[f64]) -> Axis {
    let regular = bins.regular();
    let mut order: Vec<usize> = (0..regular).collect();
    if !bins.is_ordered() {
        // The bin of unseen categories keeps the last place, because that is where a scorecard has it.
        order.pop();
        order.sort_by(|a, b| shape[*a].total_cmp(&shape[*b]).then(a.cmp(b)));
    }
    let mut cell_of_bin = vec![0_u8; bins.count()];
    let cell = share_out(&order, &bins.weight, &mut cell_of_bin);
    let mut cells = usize::from(cell) + 1;
    if !bins.is_ordered() {
        cell_of_bin[regular - 1] = u8::try_from(cells).unwrap_or(u8::MAX);
        cells += 1;
    }
    for code in &mut cell_of_bin[regular..] {
        *code = u8::try_from(cells).unwrap_or(u8::MAX);
    }
    Axis {
        feature,
        cell_of_bin,
        cells: cells + 1,
    }
}

/// Cells of equal weight in the order given; returns the last one. A bin with the weight of a cell has one of its own, so
/// that the rest of a column that is mostly zero keeps its detail.
fn share_out(order: &[usize], weight: &[f64], cell_of_bin: &mut [u8]) -> u8 {
    let total: f64 = order.iter().map(|bin| weight[*bin]).sum();
    let is_heavy = |bin: usize| weight[bin] >= total / CELLS as f64;
    let heavy = order.iter().filter(|bin| is_heavy(**bin)).count();
    let light: f64 = order
        .iter()
        .filter(|bin| !is_heavy(**bin))
        .map(|bin| weight[*bin])
        .sum();
    let goal = light / CELLS.saturating_sub(heavy).max(1) as f64;
    let (mut cell, mut passed, mut reached) = (0_u8, 0.0, 0.0);
    for (position, bin) in order.iter().enumerate() {
        cell_of_bin[*bin] = cell;
        let Some(next) = order.get(position + 1) else {
            break;
        };
        let ends = if is_heavy(*bin) || is_heavy(*next) {
            true
        } else {
            passed += weight[*bin];
            // The cell ends where the weight passed is nearest to a whole number of shares.
            passed + 0.5 * weight[*next] >= reached + goal
        };
        if ends && usize::from(cell) + 1 < CELLS {
            cell += 1;
            if !is_heavy(*bin) && !is_heavy(*next) {
                reached += goal;
            }
        }
    }
    cell
}

/// The declared pairs, or the best ones found.
pub(super) fn choose(
    rows: &Rows<'_>,
    params: &TrainParams,
    axes: &[Axis],
    eta: &[f64],
    theta: &[f64],
) -> Result<Vec<(usize, usize)>, TrainError> {
    if !params.declared_pairs.is_empty() {
        let position = |name: &String| {
            rows.bins
                .iter()
                .position(|bins| bins.name == *name)
                .ok_or_else(|| TrainError::UnknownFeature(name.clone()))
        };
        return params
            .declared_pairs
            .iter()
            .map(|[first, second]| Ok((position(first)?, position(second)?)))
            .collect();
    }
    let features = axes.len();
    if params.pairs == 0 || features < 2 {
        return Ok(Vec::new());
    }
    let n = rows.outcome.len();
    let mut rng = SeededRng::new(params.seed, "pair-rows");
    let bound = u64::try_from(n).unwrap_or(u64::MAX);
    let sample: Vec<usize> = if n <= SEARCH_ROWS {
        (0..n).collect()
    } else {
        (0..SEARCH_ROWS)
            .map(|_| usize::try_from(rng.below(bound)).unwrap_or(0))
            .collect()
    };
    let sums: Vec<Sum> = sample
        .iter()
        .map(|row| {
            let one = derivatives(eta[*row], theta, usize::from(rows.outcome[*row]));
            let weight = rows.weight[*row] * rows.scale;
            Sum {
                gradient: weight * one.gradient,
                curvature: weight * one.curvature,
            }
        })
        .collect();
    let cells: Vec<Vec<u8>> = axes
        .iter()
        .map(|axis| {
            let codes = &rows.bins[axis.feature].codes;
            sample
                .iter()
                .map(|row| axis.cell_of_bin[usize::from(codes[*row])])
                .collect()
        })
        .collect();
    let may_pair = |at: &usize| {
        let name = &rows.bins[axes[*at].feature].name;
        params.features.get(name).is_none_or(|rule| !rule.alone)
    };
    let all: Vec<(usize, usize)> = (0..features)
        .flat_map(|first| (first + 1..features).map(move |second| (first, second)))
        .filter(|(first, second)| may_pair(first) && may_pair(second))
        .collect();
    let gains = parallel::map(all.len(), params.threads, |at| {
        let (first, second) = all[at];
        let columns = axes[second].cells;
        let mut grid = vec![Sum::default(); axes[first].cells * columns];
        for ((one, other), sum) in cells[first].iter().zip(&cells[second]).zip(&sums) {
            let cell = &mut grid[usize::from(*one) * columns + usize::from(*other)];
            *cell = cell.plus(*sum);
        }
        quadrant_gain(&grid, axes[first].cells, columns)
    });
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| gains[*b].total_cmp(&gains[*a]).then(a.cmp(b)));
    Ok(order
        .into_iter()
        .filter(|at| gains[*at] > LEAST_GAIN)
        .take(params.pairs)
        .map(|at| all[at])
        .collect())
}

/// The best gain of four quadrants over two halves of either axis.
fn quadrant_gain(grid: &[Sum], rows: usize, columns: usize) -> f64 {
    // Cumulative sums: `upto(r, c)` is the sum of the cells above and left of the corner.
    let width = columns + 1;
    let mut upto = vec![Sum::default(); (rows + 1) * width];
    for row in 0..rows {
        for column in 0..columns {
            upto[(row + 1) * width + column + 1] = grid[row * columns + column]
                .plus(upto[row * width + column + 1])
                .plus(upto[(row + 1) * width + column])
                .minus(upto[row * width + column]);
        }
    }
    let whole = upto[rows * width + columns];
    let mut best = 0.0_f64;
    for row in 1..rows {
        for column in 1..columns {
            let a = upto[row * width + column];
            let top = upto[row * width + columns];
            let left = upto[rows * width + column];
            let (b, c) = (top.minus(a), left.minus(a));
            let d = whole.minus(top).minus(c);
            let halves =
                (top.gain() + whole.minus(top).gain()).max(left.gain() + whole.minus(left).gain());
            best = best.max(a.gain() + b.gain() + c.gain() + d.gain() - halves);
        }
    }
    best
}

/// The step of each cell: a tree of at most four leaves, one cut and then one of either side.
pub(super) fn grow(rows: usize, columns: usize, sums: &[Sum], rate: f64) -> Vec<f64> {
    let mut step = vec![0.0; sums.len()];
    let whole = Area {
        rows: 0..rows,
        columns: 0..columns,
    };
    for half in whole.cut(sums, columns) {
        for leaf in half.cut(sums, columns) {
            let value = rate * leaf.sum(sums, columns).step();
            for row in leaf.rows.clone() {
                for column in leaf.columns.clone() {
                    step[row * columns + column] = value;
                }
            }
        }
    }
    step
}

#[derive(Clone)]
struct Area {
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
}

impl Area {
    fn sum(&self, sums: &[Sum], width: usize) -> Sum {
        let mut sum = Sum::default();
        for row in self.rows.clone() {
            for column in self.columns.clone() {
                sum = sum.plus(sums[row * width + column]);
            }
        }
        sum
    }

    /// The two parts of the best cut, or the area itself.
    fn cut(self, sums: &[Sum], width: usize) -> Vec<Self> {
        let whole = self.sum(sums, width);
        let mut best: Option<(f64, Self, Self)> = None;
        let mut consider = |low: Self, high: Self, low_sum: Sum| {
            let high_sum = whole.minus(low_sum);
            // Leaves of hardly any curvature would only follow noise.
            if low_sum.curvature < 2.0 || high_sum.curvature < 2.0 {
                return;
            }
            let gain = low_sum.gain() + high_sum.gain() - whole.gain();
            if gain > 1e-9 && best.as_ref().is_none_or(|(most, _, _)| gain > *most) {
                best = Some((gain, low, high));
            }
        };
        let mut low_sum = Sum::default();
        for cut in self.rows.start + 1..self.rows.end {
            let row = Self {
                rows: cut - 1..cut,
                columns: self.columns.clone(),
            };
            low_sum = low_sum.plus(row.sum(sums, width));
            consider(
                Self {
                    rows: self.rows.start..cut,
                    columns: self.columns.clone(),
                },
                Self {
                    rows: cut..self.rows.end,
                    columns: self.columns.clone(),
                },
                low_sum,
            );
        }
        let mut low_sum = Sum::default();
        for cut in self.columns.start + 1..self.columns.end {
            let column = Self {
                rows: self.rows.clone(),
                columns: cut - 1..cut,
            };
            low_sum = low_sum.plus(column.sum(sums, width));
            consider(
                Self {
                    rows: self.rows.clone(),
                    columns: self.columns.start..cut,
                },
                Self {
                    rows: self.rows.clone(),
                    columns: cut..self.columns.end,
                },
                low_sum,
            );
        }
        match best {
            Some((_, low, high)) => vec![low, high],
            None => vec![self],
        }
    }
}

/// Moves the grids so that, beside the steps of the single features, no declared feature runs backwards anywhere.
///
/// A pair may use up the feature's own step at an edge, shared among the pairs of that feature: the grid plus its share of
/// those steps is projected onto rising sequences along both axes in turn, and a running maximum settles the rest.
pub(super) fn keep_direction(model: &mut Additive, bins: &[FeatureBins]) {
    let shares = pair_counts(model, bins.len());
    let shapes = model.shapes.clone();
    for pair in &mut model.pairs {
        let lift = |axis: &Axis| {
            own_steps(
                axis,
                &bins[axis.feature],
                &shapes[axis.feature],
                shares[axis.feature],
            )
        };
        let (first, second) = (lift(&pair.first), lift(&pair.second));
        project(
            &mut pair.grid,
            pair.first.cells,
            pair.second.cells,
            first.as_deref(),
            second.as_deref(),
        );
    }
}

pub(super) fn pair_counts(model: &Additive, features: usize) -> Vec<f64> {
    let mut counts = vec![0.0; features];
    for pair in &model.pairs {
        counts[pair.first.feature] += 1.0;
        counts[pair.second.feature] += 1.0;
    }
    counts
}

/// For each cell of a declared axis the sum of the feature's own steps at the edges before it, divided by `share`, with
/// the sign that makes the direction rise; nothing for an axis that is free.
fn own_steps(
    axis: &Axis,
    bins: &FeatureBins,
    shape: &[f64],
    share: f64,
) -> Option<(Vec<f64>, bool)> {
    let rises = bins.rises()?;
    let mut lift = vec![0.0; axis.cells - 1];
    for bin in 1..bins.regular() {
        let (before, at) = (
            usize::from(axis.cell_of_bin[bin - 1]),
            usize::from(axis.cell_of_bin[bin]),
        );
        if at != before {
            lift[at] = lift[before] + (shape[bin] - shape[bin - 1]) / share;
        }
    }
    Some((lift, rises))
}

trait Lift {
    fn as_deref(&self) -> Option<(&[f64], bool)>;
}

impl Lift for Option<(Vec<f64>, bool)> {
    fn as_deref(&self) -> Option<(&[f64], bool)> {
        self.as_ref().map(|(lift, rises)| (lift.as_slice(), *rises))
    }
}

/// Projects a grid; see [`keep_direction`].
pub(super) fn project(
    grid: &mut [f64],
    rows: usize,
    columns: usize,
    first: Option<(&[f64], bool)>,
    second: Option<(&[f64], bool)>,
) {
    for turn in 0..60 {
        let last = turn == 59;
        if let Some((lift, rises)) = first {
            for column in 0..columns {
                let line: Vec<usize> = (0..rows - 1).map(|row| row * columns + column).collect();
                straighten(grid, &line, lift, rises, last);
            }
        }
        if let Some((lift, rises)) = second {
            for row in 0..rows {
                let line: Vec<usize> = (0..columns - 1)
                    .map(|column| row * columns + column)
                    .collect();
                straighten(grid, &line, lift, rises, last);
            }
        }
    }
    // The second axis was settled last; one more running maximum along the first keeps both, because the maximum of
    // rising lines rises.
    if let Some((lift, rises)) = first {
        for column in 0..columns {
            let line: Vec<usize> = (0..rows - 1).map(|row| row * columns + column).collect();
            straighten(grid, &line, lift, rises, true);
        }
    }
}

/// As [`project`] for a grid of whole numbers: running maxima only, which keep them whole.
pub(super) fn settle(
    grid: &mut [f64],
    rows: usize,
    columns: usize,
    first: Option<(&[f64], bool)>,
    second: Option<(&[f64], bool)>,
) {
    if let Some((lift, rises)) = second {
        for row in 0..rows {
            let line: Vec<usize> = (0..columns - 1)
                .map(|column| row * columns + column)
                .collect();
            straighten(grid, &line, lift, rises, true);
        }
    }
    if let Some((lift, rises)) = first {
        for column in 0..columns {
            let line: Vec<usize> = (0..rows - 1).map(|row| row * columns + column).collect();
            straighten(grid, &line, lift, rises, true);
        }
    }
}

fn straighten(grid: &mut [f64], line: &[usize], lift: &[f64], rises: bool, settle: bool) {
    let lifted: Vec<f64> = line
        .iter()
        .zip(lift)
        .map(|(cell, lift)| grid[*cell] + lift)
        .collect();
    let kept = if settle {
        let mut most: Option<f64> = None;
        lifted
            .iter()
            .map(|value| {
                let next = match (most, rises) {
                    (None, _) => *value,
                    (Some(most), true) => most.max(*value),
                    (Some(most), false) => most.min(*value),
                };
                most = Some(next);
                next
            })
            .collect()
    } else {
        pav::monotone(&lifted, &vec![1.0; lifted.len()], rises)
    };
    for ((cell, value), lift) in line.iter().zip(kept).zip(lift) {
        grid[*cell] = value - lift;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_equal_shares_and_a_heavy_bin_has_one_of_its_own() {
        let order: Vec<usize> = (0..24).collect();
        let mut cells = vec![0; 24];
        assert_eq!(share_out(&order, &[1.0; 24], &mut cells), 11);
        let halves: Vec<u8> = (0..24).map(|bin| bin / 2).collect();
        assert_eq!(cells, halves);

        // Mostly zero: the rest keeps eleven cells, not the one that equal shares of all would leave it.
        let order: Vec<usize> = (0..13).collect();
        let weight: Vec<f64> = (0..13)
            .map(|bin| if bin == 0 { 88.0 } else { 1.0 })
            .collect();
        let mut cells = vec![0; 13];
        assert_eq!(share_out(&order, &weight, &mut cells), 11);
        assert_eq!(cells, [0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11]);
    }
}
