//! Whole numbers by bin, for many values at once: the points of an indicator, or the cells of one side of a pair term.
//!
//! Values go through without a branch, in the widest vector registers that the machine has. Few edges are all compared and
//! their steps added up, by code of its own for each number of edges, in which every edge has its register; more have a
//! grid over them, and those that no grid keeps apart are searched by halves, the same steps for every value.

use std::hint::select_unpredictable;

use pulp::{Arch, Simd, WithSimd};

use super::grid::Grid;

/// Values that are searched at once, or counted under a grid.
pub(super) const LANES: usize = 8;

/// Values whose sums are kept in 64 bits, as wide as the values themselves, before they are narrowed.
const WIDE: usize = 128;

/// Edges up to which comparing them all is quicker than a search.
const MOST_COMPARED: usize = 12;

/// Places of the table that is searched; one more than the most edges in it.
const PLACES: usize = 64;

/// A step function with values of its own for missing values and special codes.
#[derive(Debug)]
pub(super) struct Steps {
    climb: Climb,
    missing: i32,
    specials: Vec<(f64, i32)>,
}

#[derive(Debug)]
enum Climb {
    /// The value below every edge, and the step at each edge.
    Compared {
        first: i32,
        edges: Vec<f64>,
        steps: Vec<i32>,
    },
    /// Edges under a grid.
    Grid(Grid),
    /// Edges, filled up with `NaN` that no value reaches, and the value by the number of edges reached.
    Searched {
        edges: Box<[f64; PLACES]>,
        values: Box<[i32; PLACES]>,
        half: usize,
    },
    /// More edges than any trained card has.
    Long { edges: Vec<f64>, values: Vec<i32> },
}

/// Calls a function that is made for the number of edges.
macro_rules! for_count {
    ($count:expr, $call:ident $arguments:tt, $($known:literal)+) => {
        match $count {
            $($known => $call::<$known> $arguments,)+
            _ => $call::<MOST_COMPARED> $arguments,
        }
    };
}

impl Steps {
    /// `values` has one more place than `edges`, which rise; bins are closed below.
    pub(super) fn new(
        edges: &[f64],
        values: &[i32],
        missing: i32,
        specials: Vec<(f64, i32)>,
    ) -> Self {
        let first = values.first().copied().unwrap_or(0);
        let climb = if edges.len() <= MOST_COMPARED {
            let before_and_after = values.iter().zip(values.iter().skip(1));
            Climb::Compared {
                first,
                edges: edges.to_vec(),
                steps: before_and_after
                    .map(|(before, after)| after - before)
                    .collect(),
            }
        } else if let Some(grid) = Grid::new(edges, values) {
            Climb::Grid(grid)
        } else if edges.len() < PLACES {
            let mut searched = Box::new([f64::NAN; PLACES]);
            for (place, edge) in searched.iter_mut().zip(edges) {
                *place = *edge;
            }
            let mut by_count = Box::new([first; PLACES]);
            for (place, value) in by_count.iter_mut().zip(values) {
                *place = *value;
            }
            Climb::Searched {
                edges: searched,
                values: by_count,
                half: (edges.len() + 1).next_power_of_two() / 2,
            }
        } else {
            Climb::Long {
                edges: edges.to_vec(),
                values: values.to_vec(),
            }
        };
        Self {
            climb,
            missing,
            specials,
        }
    }

    /// Writes the value of every number; `NaN` is missing.
    pub(super) fn write(&self, numbers: &[f64], out: &mut [i32]) {
        match &self.climb {
            Climb::Compared {
                first,
                edges,
                steps,
            } => {
                out.fill(0);
                compared(numbers, out, None, (*first, self.missing), (edges, steps));
            }
            Climb::Grid(grid) => {
                out.fill(0);
                grid.add(numbers, out, None, self.missing);
            }
            Climb::Searched {
                edges,
                values,
                half,
            } => in_groups(numbers, out, |group| {
                or_missing(group, searched(group, edges, values, *half), self.missing)
            }),
            Climb::Long { edges, values } => in_groups(numbers, out, |group| {
                let found = group.map(|number| {
                    let reached = edges.partition_point(|edge| number >= *edge);
                    values.get(reached).copied().unwrap_or(0)
                });
                or_missing(group, found, self.missing)
            }),
        }
        // The first of two equal codes counts, so it is written last.
        for (code, value) in self.specials.iter().rev() {
            for (out, number) in out.iter_mut().zip(numbers) {
                *out = chosen(number == code, *value, *out);
            }
        }
    }

    /// Adds the value of every number to `sums` and, if `out` is given, writes it there, in one go; says no where that
    /// takes two.
    pub(super) fn add(&self, numbers: &[f64], sums: &mut [i32], out: Option<&mut [i32]>) -> bool {
        match &self.climb {
            Climb::Compared {
                first,
                edges,
                steps,
            } if self.specials.is_empty() => {
                compared(numbers, sums, out, (*first, self.missing), (edges, steps));
                true
            }
            Climb::Grid(grid) if self.specials.is_empty() => {
                grid.add(numbers, sums, out, self.missing);
                true
            }
            Climb::Compared { .. }
            | Climb::Grid(_)
            | Climb::Searched { .. }
            | Climb::Long { .. } => false,
        }
    }
}

/// Goes through numbers in groups; the last one is filled up.
#[inline(always)]
fn in_groups(
    numbers: &[f64],
    out: &mut [i32],
    mut group_of: impl FnMut(&[f64; LANES]) -> [i32; LANES],
) {
    let (groups, rest) = numbers.as_chunks::<LANES>();
    let (out_groups, out_rest) = out.as_chunks_mut::<LANES>();
    for (group, out) in groups.iter().zip(out_groups) {
        *out = group_of(group);
    }
    let mut last = [f64::NAN; LANES];
    for (place, number) in last.iter_mut().zip(rest) {
        *place = *number;
    }
    for (out, value) in out_rest.iter_mut().zip(group_of(&last)) {
        *out = value;
    }
}

/// All bits where it holds and none where not: spelt as arithmetic, because the compiler turns a choice between numbers
/// into a jump that it then cannot foresee.
#[inline(always)]
fn all_bits(holds: bool) -> i32 {
    -i32::from(holds)
}

#[inline(always)]
fn chosen(holds: bool, one: i32, other: i32) -> i32 {
    other ^ ((one ^ other) & all_bits(holds))
}

#[inline(always)]
pub(super) fn or_missing(
    numbers: &[f64; LANES],
    mut found: [i32; LANES],
    missing: i32,
) -> [i32; LANES] {
    for (out, number) in found.iter_mut().zip(numbers) {
        *out = chosen(number.is_nan(), missing, *out);
    }
    found
}

/// Adds to `sums` what the edges reached make of each number, and writes that to `out` if it is given.
fn compared(
    numbers: &[f64],
    sums: &mut [i32],
    out: Option<&mut [i32]>,
    (first, missing): (i32, i32),
    (edges, steps): (&[f64], &[i32]),
) {
    for_count!(
        edges.len(),
        compared_by(numbers, sums, out, (first, missing), (edges, steps)),
        0 1 2 3 4 5 6 7 8 9 10 11
    );
}

fn compared_by<const COUNT: usize>(
    numbers: &[f64],
    sums: &mut [i32],
    out: Option<&mut [i32]>,
    (first, missing): (i32, i32),
    (edges, steps): (&[f64], &[i32]),
) {
    let (Some(edges), Some(steps)) = (
        edges.first_chunk::<COUNT>().copied(),
        steps.first_chunk::<COUNT>().copied(),
    ) else {
        return;
    };
    Arch::new().dispatch(Compared {
        numbers,
        sums,
        out,
        first,
        missing,
        edges,
        steps,
    });
}

/// The work of [`compared`] for one number of edges.
struct Compared<'a, const COUNT: usize> {
    numbers: &'a [f64],
    sums: &'a mut [i32],
    out: Option<&'a mut [i32]>,
    first: i32,
    missing: i32,
    edges: [f64; COUNT],
    steps: [i32; COUNT],
}

impl<const COUNT: usize> WithSimd for Compared<'_, COUNT> {
    type Output = ();

    // Spelt in vectors: left to itself, the compiler adds up across the edges of one value.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let wide = |number: i32| simd.splat_i64s(i64::from(number));
        let (first, missing, zero) = (wide(self.first), wide(self.missing), wide(0));
        let edges = self.edges.map(|edge| simd.splat_f64s(edge));
        let steps = self.steps.map(wide);
        let value = |numbers: S::f64s| {
            let mut value = first;
            for (edge, step) in edges.iter().zip(&steps) {
                let is_reached = simd.greater_than_or_equal_f64s(numbers, *edge);
                value = simd.add_i64s(value, simd.select_i64s(is_reached, *step, zero));
            }
            simd.select_i64s(simd.equal_f64s(numbers, numbers), value, missing)
        };
        let mut values = [0_i64; WIDE];
        let mut out = self.out.map(|out| out.chunks_mut(WIDE));
        for (numbers, sums) in self.numbers.chunks(WIDE).zip(self.sums.chunks_mut(WIDE)) {
            let values = values.get_mut(..numbers.len()).unwrap_or_default();
            let (vectors, rest) = S::as_simd_f64s(numbers);
            let (value_vectors, value_rest) = S::as_mut_simd_i64s(values);
            for (vector, out) in vectors.iter().zip(value_vectors) {
                *out = value(*vector);
            }
            simd.partial_store_i64s(value_rest, value(simd.partial_load_f64s(rest)));
            for (sum, value) in sums.iter_mut().zip(&*values) {
                *sum += *value as i32;
            }
            if let Some(out) = out.as_mut().and_then(Iterator::next) {
                for (out, value) in out.iter_mut().zip(&*values) {
                    *out = *value as i32;
                }
            }
        }
    }
}

#[inline(always)]
fn searched(
    numbers: &[f64; LANES],
    edges: &[f64; PLACES],
    values: &[i32; PLACES],
    half: usize,
) -> [i32; LANES] {
    let mut reached = [0_usize; LANES];
    let mut half = half;
    while half > 0 {
        for (reached, number) in reached.iter_mut().zip(numbers) {
            // The mask says what holds anyway, so that no bound is checked.
            let edge = edges
                .get((*reached + half - 1) & (PLACES - 1))
                .copied()
                .unwrap_or(f64::NAN);
            *reached = select_unpredictable(*number >= edge, *reached + half, *reached);
        }
        half /= 2;
    }
    reached.map(|reached| values.get(reached & (PLACES - 1)).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rng::SeededRng;

    #[test]
    fn every_length_gives_what_counting_edges_gives() {
        let mut rng = SeededRng::new(1, "steps");
        // Edges near and far from each other: some have a grid, others are searched.
        for (count, power) in (0..=17)
            .chain([31, 32, 62, 63, 64, 100, 255, 300])
            .flat_map(|count| [(count, 1), (count, 12)])
        {
            let mut edges: Vec<f64> = (0..count)
                .map(|_| (rng.unit_f64() - 0.5).powi(power))
                .collect();
            edges.sort_by(f64::total_cmp);
            edges.dedup();
            let values: Vec<i32> = (0..=edges.len())
                .map(|_| i32::try_from(rng.below(2_001)).unwrap() - 1_000)
                .collect();
            let plain = Steps::new(&edges, &values, 5_555, Vec::new());
            let specials = vec![(0.25, 7_777), (-3.0, -8_888)];
            let steps = Steps::new(&edges, &values, 5_555, specials);
            let mut numbers = vec![f64::NAN, 0.25, -3.0, 0.0, -0.0, -1.0, 2.0, f64::INFINITY];
            for edge in &edges {
                numbers.extend([*edge, edge.next_up(), edge.next_down()]);
            }
            numbers.extend((0..50).map(|_| rng.unit_f64()));
            let mut out = vec![0; numbers.len()];
            steps.write(&numbers, &mut out);
            for (number, out) in numbers.iter().zip(out) {
                let reached = edges.iter().filter(|edge| number >= edge).count();
                let expected = match *number {
                    number if number.is_nan() => 5_555,
                    0.25 => 7_777,
                    -3.0 => -8_888,
                    _ => values[reached],
                };
                assert_eq!(out, expected, "{number} among {count} edges");
            }
            // Added to sums it gives the same, or says that it cannot.
            let mut written = vec![0; numbers.len()];
            plain.write(&numbers, &mut written);
            let expected: Vec<i32> = written.iter().map(|value| value + 1_000).collect();
            let mut sums = vec![1_000; numbers.len()];
            let mut beside = vec![0; numbers.len()];
            if plain.add(&numbers, &mut sums, None) {
                assert_eq!(sums, expected, "{count} edges");
                sums.fill(1_000);
                assert!(plain.add(&numbers, &mut sums, Some(&mut beside)));
                assert_eq!((&sums, &beside), (&expected, &written), "{count} edges");
            } else {
                assert!(edges.len() > MOST_COMPARED, "{count} edges");
            }
            assert!(!steps.add(&numbers, &mut sums, None));
        }
    }
}
