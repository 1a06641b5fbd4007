//! Whole numbers by bin, for many values at once: the points of an indicator, or the cells of one side of a pair term.
//!
//! Values go through in small fixed groups without a branch, so that the compiler keeps a group in vector registers. Few
//! edges are all compared and their steps added up; more are searched by halves, the same steps for every value.

use std::hint::select_unpredictable;

/// Values worked on at once: four vector registers of the plainest x86-64, and a multiple of those of any other.
pub(super) const LANES: usize = 8;

/// Edges up to which comparing them all is quicker than a search.
const MOST_COMPARED: usize = 10;

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
    Compared { first: i32, steps: Vec<(f64, i32)> },
    /// Edges, filled up with `NaN` that no value reaches, and the value by the number of edges reached.
    Searched {
        edges: Box<[f64; PLACES]>,
        values: Box<[i32; PLACES]>,
        half: usize,
    },
    /// More edges than any trained card has.
    Long { edges: Vec<f64>, values: Vec<i32> },
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
                steps: edges
                    .iter()
                    .zip(before_and_after)
                    .map(|(edge, (before, after))| (*edge, after - before))
                    .collect(),
            }
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
        let (groups, rest) = numbers.as_chunks::<LANES>();
        let (out_groups, out_rest) = out.as_chunks_mut::<LANES>();
        for (group, out) in groups.iter().zip(out_groups) {
            *out = self.group(group);
        }
        let mut last = [f64::NAN; LANES];
        for (place, number) in last.iter_mut().zip(rest) {
            *place = *number;
        }
        for (out, value) in out_rest.iter_mut().zip(self.group(&last)) {
            *out = value;
        }
    }

    #[inline(always)]
    fn group(&self, numbers: &[f64; LANES]) -> [i32; LANES] {
        let mut out = match &self.climb {
            Climb::Compared { first, steps } => compared(numbers, *first, steps),
            Climb::Searched {
                edges,
                values,
                half,
            } => searched(numbers, edges, values, *half),
            Climb::Long { edges, values } => numbers.map(|number| {
                let reached = edges.partition_point(|edge| number >= *edge);
                values.get(reached).copied().unwrap_or(0)
            }),
        };
        // The first of two equal codes counts, so it is written last.
        for (code, value) in self.specials.iter().rev() {
            for (out, number) in out.iter_mut().zip(numbers) {
                *out = chosen(number == code, *value, *out);
            }
        }
        for (out, number) in out.iter_mut().zip(numbers) {
            *out = chosen(number.is_nan(), self.missing, *out);
        }
        out
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
fn compared(numbers: &[f64; LANES], first: i32, steps: &[(f64, i32)]) -> [i32; LANES] {
    let mut out = [first; LANES];
    for (edge, step) in steps {
        for (out, number) in out.iter_mut().zip(numbers) {
            *out += step & all_bits(*number >= *edge);
        }
    }
    out
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
        for count in [0, 1, 2, 7, 10, 11, 15, 16, 31, 32, 62, 63, 64, 100] {
            let mut edges: Vec<f64> = (0..count).map(|_| rng.unit_f64()).collect();
            edges.sort_by(f64::total_cmp);
            edges.dedup();
            let values: Vec<i32> = (0..=edges.len())
                .map(|_| i32::try_from(rng.below(2_001)).unwrap() - 1_000)
                .collect();
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
        }
    }
}
