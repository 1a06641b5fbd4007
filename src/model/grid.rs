//! Counts how many of many edges a number reaches, without a search: a grid over the edges says how many lie in earlier
//! cells, and only those of the number's own cell are compared.
//!
//! The cell of a number never falls where the number rises, so that an edge of an earlier cell is reached and one of a later
//! cell is not, whatever was rounded on the way.

use pulp::{Arch, Simd, WithSimd};

use super::steps::{LANES, or_missing};

/// Cells of a grid.
const CELLS: usize = 1_024;

/// The most edges; a count of them is one byte.
const MOST_EDGES: usize = 255;

/// The most edges of one cell that are compared.
const MOST_IN_CELL: usize = 3;

/// Places behind the last edge that no number reaches.
const PLACES: usize = MOST_EDGES + 1 + MOST_IN_CELL;

/// Edges with a grid over them.
#[derive(Debug)]
pub(super) struct Grid {
    scale: Scale,
    /// How many edges lie in earlier cells.
    before: Box<[u8; CELLS]>,
    /// The edges, and behind them `NaN`.
    edges: Box<[f64; PLACES]>,
    /// What is counted to, by the count.
    values: Box<[i32; PLACES]>,
    /// The most edges of one cell.
    in_cell: usize,
}

/// How numbers are laid out in cells; both ways keep to whole cells from 0 to the last.
#[derive(Clone, Copy, Debug)]
enum Scale {
    /// Evenly.
    Even { from: f64, per: f64 },
    /// By the bits of positive numbers, so that every power of two has as many cells.
    Bits { from: i64, shift: u32 },
}

impl Grid {
    /// A grid over rising edges, with a value for each count; nothing where no grid keeps them apart.
    pub(super) fn new(edges: &[f64], values: &[i32]) -> Option<Self> {
        if edges.len() > MOST_EDGES || values.len() != edges.len() + 1 {
            return None;
        }
        let (scale, in_cell) = scales(edges)
            .into_iter()
            .map(|scale| (scale, most_in_cell(scale, edges)))
            .min_by_key(|(_, most)| *most)?;
        if in_cell > MOST_IN_CELL {
            return None;
        }
        let mut before = Box::new([0; CELLS]);
        for (at, before) in before.iter_mut().enumerate() {
            let count = edges.iter().filter(|edge| scale.cell(**edge) < at).count();
            *before = u8::try_from(count).unwrap_or(u8::MAX);
        }
        let mut all = Box::new([f64::NAN; PLACES]);
        for (place, edge) in all.iter_mut().zip(edges) {
            *place = *edge;
        }
        let mut by_count = Box::new([0; PLACES]);
        for (place, value) in by_count.iter_mut().zip(values) {
            *place = *value;
        }
        Some(Self {
            scale,
            before,
            edges: all,
            values: by_count,
            in_cell,
        })
    }

    /// Adds the value of the count of each number to `sums`, and writes it to `out` if that is given; `missing` is that of
    /// a missing one.
    pub(super) fn add(
        &self,
        numbers: &[f64],
        sums: &mut [i32],
        out: Option<&mut [i32]>,
        missing: i32,
    ) {
        let lots = self.in_cell > 1;
        match self.scale {
            Scale::Even { from, per } => {
                let cell = |number| even(number, from, per);
                if lots {
                    self.add_by::<MOST_IN_CELL>(numbers, sums, out, missing, cell);
                } else {
                    self.add_by::<1>(numbers, sums, out, missing, cell);
                }
            }
            Scale::Bits { from, shift } => {
                let cell = |number| bits(number, from, shift);
                if lots {
                    self.add_by::<MOST_IN_CELL>(numbers, sums, out, missing, cell);
                } else {
                    self.add_by::<1>(numbers, sums, out, missing, cell);
                }
            }
        }
    }

    fn add_by<const IN_CELL: usize>(
        &self,
        numbers: &[f64],
        sums: &mut [i32],
        out: Option<&mut [i32]>,
        missing: i32,
        cell: impl Fn(f64) -> usize,
    ) {
        Arch::new().dispatch(Counted::<_, IN_CELL> {
            grid: self,
            numbers,
            sums,
            out,
            missing,
            cell,
        });
    }
}

/// The work of [`Grid::add`] for one scale and one number of edges in a cell.
struct Counted<'a, Cell, const IN_CELL: usize> {
    grid: &'a Grid,
    numbers: &'a [f64],
    sums: &'a mut [i32],
    out: Option<&'a mut [i32]>,
    missing: i32,
    cell: Cell,
}

impl<Cell: Fn(f64) -> usize, const IN_CELL: usize> WithSimd for Counted<'_, Cell, IN_CELL> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Grid {
            before,
            edges,
            values: by_count,
            ..
        } = self.grid;
        let value = |group: &[f64; LANES]| {
            let mut values = [0; LANES];
            for (value, number) in values.iter_mut().zip(group) {
                let before = usize::from(before.get((self.cell)(*number)).copied().unwrap_or(0));
                let mut count = before;
                for at in 0..IN_CELL {
                    let edge = edges.get(before + at).copied().unwrap_or(f64::NAN);
                    count += usize::from(*number >= edge);
                }
                *value = by_count.get(count).copied().unwrap_or(0);
            }
            or_missing(group, values, self.missing)
        };
        add_groups(self.numbers, self.sums, self.out, value);
    }
}

/// Adds to `sums` what `value` makes of each group of numbers, and writes that to `out` if it is given; the last group is
/// filled up.
#[inline(always)]
fn add_groups(
    numbers: &[f64],
    sums: &mut [i32],
    out: Option<&mut [i32]>,
    value: impl Fn(&[f64; LANES]) -> [i32; LANES],
) {
    let (groups, rest) = numbers.as_chunks::<LANES>();
    let mut last = [f64::NAN; LANES];
    for (place, number) in last.iter_mut().zip(rest) {
        *place = *number;
    }
    let last = value(&last);
    let (sum_groups, sum_rest) = sums.as_chunks_mut::<LANES>();
    for (sum, value) in sum_rest.iter_mut().zip(last) {
        *sum += value;
    }
    let groups = groups.iter().zip(sum_groups);
    let Some(out) = out else {
        for (group, sums) in groups {
            let value = value(group);
            for (sum, value) in sums.iter_mut().zip(value) {
                *sum += value;
            }
        }
        return;
    };
    let (out_groups, out_rest) = out.as_chunks_mut::<LANES>();
    for (out, value) in out_rest.iter_mut().zip(last) {
        *out = value;
    }
    for ((group, sums), out) in groups.zip(out_groups) {
        let value = value(group);
        for (sum, value) in sums.iter_mut().zip(value) {
            *sum += value;
        }
        *out = value;
    }
}

impl Scale {
    fn cell(self, number: f64) -> usize {
        match self {
            Self::Even { from, per } => even(number, from, per),
            Self::Bits { from, shift } => bits(number, from, shift),
        }
    }
}

/// The cell on an even scale. Subtraction, multiplication and rounding all keep the order.
#[inline(always)]
fn even(number: f64, from: f64, per: f64) -> usize {
    const LAST: f64 = (CELLS - 1) as f64;
    // A number of this size has its whole part in the last bits.
    const WHOLE: f64 = (1_u64 << 52) as f64;
    let at = (number - from) * per;
    // Spelt as choices that are one instruction each; of a missing number nothing is asked but to stay inside.
    let at = if at > 0.0 { at } else { 0.0 };
    let at = if at < LAST { at } else { LAST };
    (at + WHOLE).to_bits() as usize % CELLS
}

/// The cell by bits: those of positive numbers rise with them, and every negative number lies before the first.
#[inline(always)]
fn bits(number: f64, from: i64, shift: u32) -> usize {
    let at = number.to_bits().cast_signed().max(from) - from;
    ((at >> shift) as usize).min(CELLS - 1)
}

/// The scales worth a try: by bits from the first or second positive edge on, and evenly over all edges or without the
/// outermost, which takes longer. Edges outside share the first or last cell.
fn scales(edges: &[f64]) -> Vec<Scale> {
    let (mut by_bits, mut evenly) = (Vec::new(), Vec::new());
    for (skipped, dropped) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let inner = edges
            .get(skipped..edges.len().saturating_sub(dropped))
            .unwrap_or_default();
        if let (Some(from), Some(to)) = (inner.first(), inner.last()) {
            let per = (CELLS - 1) as f64 / (to - from);
            if per.is_finite() && per > 0.0 {
                evenly.push(Scale::Even { from: *from, per });
            }
        }
        let mut positive = inner.iter().filter(|edge| **edge > 0.0);
        if let (Some(from), Some(to)) = (positive.next(), positive.next_back()) {
            let (from, to) = (from.to_bits().cast_signed(), to.to_bits().cast_signed());
            // The fewest bits left out with which the last edge still has a cell.
            let spread = u64::BITS - (to - from).unsigned_abs().leading_zeros();
            let shift = spread.saturating_sub(CELLS.ilog2());
            by_bits.push(Scale::Bits { from, shift });
        }
    }
    by_bits.extend(evenly);
    by_bits
}

fn most_in_cell(scale: Scale, edges: &[f64]) -> usize {
    let mut counts = vec![0; CELLS];
    for edge in edges {
        if let Some(count) = counts.get_mut(scale.cell(*edge)) {
            *count += 1;
        }
    }
    counts.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rng::SeededRng;

    /// Counts as a plain loop does, at and beside every edge and far away.
    fn check(edges: &[f64]) {
        let values: Vec<i32> = (0..=edges.len())
            .map(|at| i32::try_from(at).unwrap())
            .collect();
        let grid = Grid::new(edges, &values).unwrap();
        let mut numbers = vec![
            0.0,
            -0.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e300,
            -1e300,
            1e-310,
        ];
        for edge in edges {
            numbers.extend([*edge, edge.next_up(), edge.next_down(), edge * 1.01, -edge]);
        }
        for number in numbers {
            let expected = edges.iter().filter(|edge| number >= **edge).count();
            let mut found = [0];
            grid.add(&[number], &mut found, None, -1);
            let [found] = found;
            assert_eq!(
                usize::try_from(found).unwrap(),
                expected,
                "{number} {edges:?}"
            );
        }
        let mut missing = [7, 8];
        grid.add(&[f64::NAN, -f64::NAN], &mut missing, None, -1);
        assert_eq!(missing, [6, 7]);
    }

    #[test]
    fn counts_are_those_of_a_plain_loop() {
        let mut rng = SeededRng::new(3, "grid");
        for count in [2_u32, 3, 13, 40, 127] {
            check(&(0..count).map(f64::from).collect::<Vec<_>>());
            check(
                &(0..count)
                    .map(|at| f64::from(at) - 60.5)
                    .collect::<Vec<_>>(),
            );
            check(
                &(0..count)
                    .map(|at| 1_990.0 + f64::from(at) / 12.0)
                    .collect::<Vec<_>>(),
            );
            let mut amounts: Vec<f64> = (0..count)
                .map(|at| (f64::from(at) * 0.15 + rng.unit_f64() * 0.1).exp())
                .collect();
            check(&amounts);
            amounts.insert(0, 0.0);
            check(&amounts);
            amounts.insert(0, -1.0);
            check(&amounts);
        }
    }

    #[test]
    fn edges_that_no_grid_keeps_apart_have_none() {
        let mut edges: Vec<f64> = (0..8).map(|at| 1.0 + f64::from(at) * 1e-12).collect();
        edges.extend((1..20).map(|at| f64::from(at) * 1e9));
        edges.splice(0..0, (1..9).rev().map(|at| f64::from(at) * -1e9));
        let values = vec![0; edges.len() + 1];
        assert!(Grid::new(&edges, &values).is_none());
    }
}
