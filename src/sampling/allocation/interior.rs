//! The least effort under several linear bounds, boxes and an order: a primal-dual interior-point method (Mehrotra 1992)
//! for one separable convex problem.
//!
//! Minimise `Σ cost_h/v_h` with `low_h ≤ v_h ≤ high_h`, `Σ_h load_hj·v_h ≤ 1` for every bound `j`, and `v_l ≥ v_u` for
//! every pair `(l, u)`. Only sums, products, quotients and square roots of binary64 in a fixed order are used, so the
//! result is the same to the bit on any machine and for any number of threads.
//!
//! The Newton matrix is a diagonal, the pairs, and one rank per bound: cells that pairs connect make small dense blocks,
//! and the bounds are eliminated by the Woodbury identity, so that a step is linear in the number of cells.

#![expect(
    clippy::indexing_slicing,
    reason = "matrices and their dimensions are made together here, and every index runs over one of them"
)]

/// Steps after which the method gives up; it needs some thirty.
const MOST_STEPS: usize = 300;
/// The gap between a solution and the best one, relative to the effort, that is aimed for.
const GAP: f64 = 1e-13;
/// The gap that is good enough where rounding lets nothing better be reached.
const GOOD: f64 = 1e-10;
/// The part of the way to the border that a step may go.
const NEARLY: f64 = 0.995;

/// One variable.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// Its effort is `cost/v`.
    pub(super) cost: f64,
    /// Lower bound, above 0.
    pub(super) low: f64,
    /// Upper bound, above the lower one.
    pub(super) high: f64,
    /// The bounds that it counts in, rising, and its load in each, above 0.
    pub(super) loads: Vec<(usize, f64)>,
}

/// The problem.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) cells: Vec<Cell>,
    /// The right side of each bound: 1, but for rounding.
    pub(super) limits: Vec<f64>,
    /// Cells `(l, u)` with `v_l ≥ v_u`; no cycles.
    pub(super) pairs: Vec<(usize, usize)>,
}

/// The best there is, and what it would be worth to loosen each bound.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    pub(super) v: Vec<f64>,
    /// By how much the effort would fall for each unit by which the right side of a bound rises.
    pub(super) multipliers: Vec<f64>,
}

/// Constraints in one order: lower bounds, upper bounds, bounds, pairs.
#[derive(Clone, Debug)]
struct Rows {
    low: Vec<f64>,
    high: Vec<f64>,
    bound: Vec<f64>,
    pair: Vec<f64>,
}

impl Rows {
    fn parts(&self) -> [&Vec<f64>; 4] {
        [&self.low, &self.high, &self.bound, &self.pair]
    }

    fn parts_mut(&mut self) -> [&mut Vec<f64>; 4] {
        [
            &mut self.low,
            &mut self.high,
            &mut self.bound,
            &mut self.pair,
        ]
    }

    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.parts().into_iter().flatten().copied()
    }

    /// Element by element.
    fn of(rows: &[&Self], make: impl Fn(&[f64]) -> f64) -> Self {
        let part = |at: usize| -> Vec<f64> {
            let parts: Vec<&Vec<f64>> = rows.iter().map(|rows| rows.parts()[at]).collect();
            let count = parts.first().map_or(0, |part| part.len());
            let mut values = vec![0.0; parts.len()];
            (0..count)
                .map(|row| {
                    for (value, part) in values.iter_mut().zip(&parts) {
                        *value = part[row];
                    }
                    make(&values)
                })
                .collect()
        };
        Self {
            low: part(0),
            high: part(1),
            bound: part(2),
            pair: part(3),
        }
    }

    fn add(&mut self, other: &Self, times: f64) {
        for (part, more) in self.parts_mut().into_iter().zip(other.parts()) {
            for (value, more) in part.iter_mut().zip(more) {
                *value += times * more;
            }
        }
    }

    fn dot(&self, other: &Self) -> f64 {
        self.values().zip(other.values()).map(|(a, b)| a * b).sum()
    }

    /// The longest step that leaves all of them positive, at most 1 and nearly to the border.
    fn step(&self, direction: &Self) -> f64 {
        longest(self.values().zip(direction.values()))
    }
}

/// The longest step that leaves values positive which change so, at most 1 and nearly to the border.
fn longest(values: impl Iterator<Item = (f64, f64)>) -> f64 {
    let border = values
        .filter(|(_, change)| *change < 0.0)
        .map(|(value, change)| -value / change)
        .fold(f64::INFINITY, f64::min);
    (NEARLY * border).min(1.0)
}

impl Problem {
    /// `G·v`, where every constraint is `G·v ≤ right side`.
    fn times(&self, v: &[f64]) -> Rows {
        let mut bound = vec![0.0; self.limits.len()];
        for (cell, v) in self.cells.iter().zip(v) {
            for (at, load) in &cell.loads {
                bound[*at] += load * v;
            }
        }
        Rows {
            low: v.iter().map(|v| -v).collect(),
            high: v.to_vec(),
            bound,
            pair: self.pairs.iter().map(|(l, u)| v[*u] - v[*l]).collect(),
        }
    }

    fn right_side(&self) -> Rows {
        Rows {
            low: self.cells.iter().map(|cell| -cell.low).collect(),
            high: self.cells.iter().map(|cell| cell.high).collect(),
            bound: self.limits.clone(),
            pair: vec![0.0; self.pairs.len()],
        }
    }

    /// `Gᵀ·z`.
    fn transposed(&self, z: &Rows) -> Vec<f64> {
        let mut sums: Vec<f64> = z
            .low
            .iter()
            .zip(&z.high)
            .map(|(low, high)| high - low)
            .collect();
        for (cell, sum) in self.cells.iter().zip(&mut sums) {
            for (at, load) in &cell.loads {
                *sum += load * z.bound[*at];
            }
        }
        for ((l, u), z) in self.pairs.iter().zip(&z.pair) {
            sums[*u] += z;
            sums[*l] -= z;
        }
        sums
    }

    /// Whether a point lies strictly within all constraints.
    pub(super) fn is_within(&self, v: &[f64]) -> bool {
        let rows = Rows::of(&[&self.right_side(), &self.times(v)], |row| row[0] - row[1]);
        rows.values().all(|slack| slack > 0.0)
    }

    fn effort(&self, v: &[f64]) -> f64 {
        self.cells
            .iter()
            .zip(v)
            .map(|(cell, v)| cell.cost / v)
            .sum()
    }

    /// The connected components of the pairs, each rising.
    fn blocks(&self) -> Vec<Vec<usize>> {
        let mut root: Vec<usize> = (0..self.cells.len()).collect();
        fn find(root: &mut [usize], mut at: usize) -> usize {
            while root[at] != at {
                root[at] = root[root[at]];
                at = root[at];
            }
            at
        }
        for (l, u) in &self.pairs {
            let (a, b) = (find(&mut root, *l), find(&mut root, *u));
            root[a.max(b)] = a.min(b);
        }
        let mut blocks = vec![Vec::new(); self.cells.len()];
        for at in 0..self.cells.len() {
            let first = find(&mut root, at);
            blocks[first].push(at);
        }
        blocks.retain(|block| !block.is_empty());
        blocks
    }
}

/// The lower triangle of a positive definite matrix, decomposed; a pivot that rounding has swallowed is made tiny.
struct Cholesky {
    size: usize,
    rows: Vec<f64>,
}

impl Cholesky {
    fn of(size: usize, mut rows: Vec<f64>) -> Self {
        for j in 0..size {
            for i in j..size {
                let mut sum = rows[i * size + j];
                for k in 0..j {
                    sum -= rows[i * size + k] * rows[j * size + k];
                }
                if i == j {
                    let least = 1e-15 * rows[j * size + j] + f64::MIN_POSITIVE;
                    rows[j * size + j] = sum.max(least).sqrt();
                } else {
                    rows[i * size + j] = sum / rows[j * size + j];
                }
            }
        }
        Self { size, rows }
    }

    fn solve(&self, right: &mut [f64]) {
        let (size, rows) = (self.size, &self.rows);
        for i in 0..size {
            let mut sum = right[i];
            for k in 0..i {
                sum -= rows[i * size + k] * right[k];
            }
            right[i] = sum / rows[i * size + i];
        }
        for i in (0..size).rev() {
            let mut sum = right[i];
            for k in i + 1..size {
                sum -= rows[k * size + i] * right[k];
            }
            right[i] = sum / rows[i * size + i];
        }
    }
}

/// The Newton matrix `∇²f + Gᵀ·diag(z/s)·G`, decomposed.
struct Newton<'a> {
    problem: &'a Problem,
    blocks: &'a [Vec<usize>],
    factors: Vec<Cholesky>,
    schur: Cholesky,
}

impl<'a> Newton<'a> {
    fn new(
        problem: &'a Problem,
        blocks: &'a [Vec<usize>],
        curvature: &[f64],
        weight: &Rows,
    ) -> Self {
        let count = problem.limits.len();
        let mut place = vec![0; problem.cells.len()];
        let mut of_block = vec![0; problem.cells.len()];
        for (number, block) in blocks.iter().enumerate() {
            for (at, cell) in block.iter().enumerate() {
                (place[*cell], of_block[*cell]) = (at, number);
            }
        }
        let mut matrices: Vec<Vec<f64>> = blocks
            .iter()
            .map(|block| vec![0.0; block.len() * block.len()])
            .collect();
        for (at, curvature) in curvature.iter().enumerate() {
            let size = blocks[of_block[at]].len();
            matrices[of_block[at]][place[at] * size + place[at]] =
                curvature + weight.low[at] + weight.high[at];
        }
        for ((l, u), weight) in problem.pairs.iter().zip(&weight.pair) {
            let size = blocks[of_block[*l]].len();
            let matrix = &mut matrices[of_block[*l]];
            let (l, u) = (place[*l], place[*u]);
            matrix[l * size + l] += weight;
            matrix[u * size + u] += weight;
            matrix[l * size + u] -= weight;
            matrix[u * size + l] -= weight;
        }
        let factors: Vec<Cholesky> = blocks
            .iter()
            .zip(matrices)
            .map(|(block, matrix)| Cholesky::of(block.len(), matrix))
            .collect();
        let mut schur = vec![0.0; count * count];
        for (at, weight) in weight.bound.iter().enumerate() {
            schur[at * count + at] = 1.0 / weight;
        }
        for (block, factor) in blocks.iter().zip(&factors) {
            let mut touched: Vec<usize> = block
                .iter()
                .flat_map(|cell| problem.cells[*cell].loads.iter().map(|(at, _)| *at))
                .collect();
            touched.sort_unstable();
            touched.dedup();
            for j in &touched {
                let mut column = vec![0.0; block.len()];
                for (row, cell) in block.iter().enumerate() {
                    let loads = &problem.cells[*cell].loads;
                    column[row] = loads
                        .iter()
                        .find(|(at, _)| at == j)
                        .map_or(0.0, |found| found.1);
                }
                factor.solve(&mut column);
                for (row, cell) in block.iter().enumerate() {
                    for (i, load) in &problem.cells[*cell].loads {
                        schur[i * count + j] += load * column[row];
                    }
                }
            }
        }
        Self {
            problem,
            blocks,
            factors,
            schur: Cholesky::of(count, schur),
        }
    }

    fn solve_blocks(&self, right: &mut [f64]) {
        for (block, factor) in self.blocks.iter().zip(&self.factors) {
            let mut part: Vec<f64> = block.iter().map(|cell| right[*cell]).collect();
            factor.solve(&mut part);
            for (cell, value) in block.iter().zip(part) {
                right[*cell] = value;
            }
        }
    }

    fn bounds_of(&self, v: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.problem.limits.len()];
        for (cell, value) in self.problem.cells.iter().zip(v) {
            for (at, load) in &cell.loads {
                sums[*at] += load * value;
            }
        }
        sums
    }

    /// `dv` and the change of the bounds' multipliers for `B·dv + Kᵀ·dz = right` and `K·dv − s/z·dz = beside`. Taken
    /// this way round, nothing cancels where a bound is nearly met.
    fn solve(&self, right: &[f64], beside: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut free = right.to_vec();
        self.solve_blocks(&mut free);
        let mut dz = self.bounds_of(&free);
        for (value, beside) in dz.iter_mut().zip(beside) {
            *value -= beside;
        }
        self.schur.solve(&mut dz);
        let mut dv: Vec<f64> = self
            .problem
            .cells
            .iter()
            .zip(right)
            .map(|(cell, right)| {
                let pull: f64 = cell.loads.iter().map(|(at, load)| load * dz[*at]).sum();
                right - pull
            })
            .collect();
        self.solve_blocks(&mut dv);
        (dv, dz)
    }
}

/// Solves a problem from a point that lies strictly within all constraints; `None` where rounding lets no solution be
/// reached, which would be a fault.
///
/// What the effort gains by a unit of a variable, `q = cost/v²`, is a variable of its own, as the multipliers are: the
/// equations stay nearly linear however far a variable has to go.
pub(super) fn solve(problem: &Problem, start: Vec<f64>) -> Option<Solution> {
    let blocks = problem.blocks();
    let right = problem.right_side();
    let mut v = start;
    let costs: Vec<f64> = problem.cells.iter().map(|cell| cell.cost).collect();
    let mut q: Vec<f64> = costs
        .iter()
        .zip(&v)
        .map(|(cost, v)| cost / (v * v))
        .collect();
    let mut s = Rows::of(&[&right, &problem.times(&v)], |row| row[0] - row[1]);
    let count = s.values().count() as f64;
    let first = problem.effort(&v) / count;
    let mut z = Rows::of(&[&s], |row| first / row[0]);
    let mut best: Option<(f64, Solution)> = None;
    let mut last = f64::INFINITY;
    for _ in 0..MOST_STEPS {
        let effort = problem.effort(&v);
        let back: Vec<f64> = problem.transposed(&z);
        let mean = s.dot(&z) / count;
        // How far the point is from solving: the gap, and what the equations lack, weighed by the variables.
        let cells = costs.iter().zip(&v).zip(q.iter().zip(&back));
        let lacking: f64 = cells
            .map(|((cost, v), (q, back))| (back - q).abs() * v + (cost / v - q * v).abs())
            .sum();
        let gap = (mean * count + lacking) / effort;
        if !gap.is_finite() {
            break;
        }
        if best.as_ref().is_none_or(|(found, _)| gap < *found) {
            let multipliers = z.bound.clone();
            let v = v.clone();
            best = Some((gap, Solution { v, multipliers }));
        } else if best.as_ref().is_some_and(|(found, _)| *found < GOOD) {
            break;
        }
        if gap <= GAP {
            break;
        }
        let residual = Rows::of(&[&right, &problem.times(&v), &s], |row| {
            row[0] - row[1] - row[2]
        });
        let weight = Rows::of(&[&z, &s], |row| row[0] / row[1]);
        let curvature: Vec<f64> = q.iter().zip(&v).map(|(q, v)| 2.0 * q / v).collect();
        let newton = Newton::new(problem, &blocks, &curvature, &weight);
        // Solves for what the products `s·z` are to become.
        let direction = |target: &Rows| {
            let mut wanted = Rows::of(&[target, &s, &weight, &residual], |row| {
                row[0] / row[1] - row[2] * row[3]
            });
            wanted.bound.clone_from(&z.bound);
            let pull = problem.transposed(&wanted);
            let right: Vec<f64> = costs
                .iter()
                .zip(&v)
                .zip(pull)
                .map(|((cost, v), pull)| cost / (v * v) - pull)
                .collect();
            let beside = Rows::of(&[target, &s, &z, &residual], |row| {
                row[3] + row[1] - row[0] / row[2]
            });
            let (dv, bound) = newton.solve(&right, &beside.bound);
            let dq: Vec<f64> = dv
                .iter()
                .zip(&curvature)
                .zip(costs.iter().zip(&v).zip(&q))
                .map(|((dv, curvature), ((cost, v), q))| cost / (v * v) - q - curvature * dv)
                .collect();
            let mut ds = Rows::of(&[&residual, &problem.times(&dv)], |row| row[0] - row[1]);
            let mut dz = Rows::of(&[target, &s, &z, &ds], |row| {
                (row[0] - row[2] * row[3]) / row[1] - row[2]
            });
            dz.bound = bound;
            let parts = Rows::of(&[target, &s, &z, &dz], |row| {
                (row[0] - row[1] * row[3]) / row[2] - row[1]
            });
            ds.bound = parts.bound;
            (dv, dq, ds, dz)
        };
        let positive = |q: &[f64], dq: &[f64]| longest(q.iter().copied().zip(dq.iter().copied()));
        let (_, dq, ds, dz) = direction(&Rows::of(&[&s], |_| 0.0));
        let (primal, dual) = (s.step(&ds), z.step(&dz).min(positive(&q, &dq)));
        let (mut ahead_s, mut ahead_z) = (s.clone(), z.clone());
        ahead_s.add(&ds, primal);
        ahead_z.add(&dz, dual);
        let ahead = (ahead_s.dot(&ahead_z) / count / mean).clamp(0.0, 1.0);
        // The products do not run ahead of the equations.
        let centre = (ahead * ahead * ahead).max(1e-4) * mean;
        let centre = centre.max(mean.min(0.1 * lacking / count));
        let target = Rows::of(&[&ds, &dz], |row| centre - row[0] * row[1]);
        let (dv, dq, ds, dz) = direction(&target);
        let (mut primal, dual) = (s.step(&ds), z.step(&dz).min(positive(&q, &dq)));
        if gap > last {
            // The last step went too far: now no variable more than doubles.
            let grown = v.iter().zip(&dv).filter(|(_, dv)| **dv > 0.0);
            primal = grown.map(|(v, dv)| v / dv).fold(primal, f64::min);
        }
        last = gap;
        let moved = v.iter_mut().zip(dv).map(|(v, dv)| (v, primal * dv));
        moved
            .chain(q.iter_mut().zip(dq).map(|(q, dq)| (q, dual * dq)))
            .for_each(|(value, by)| *value += by);
        s.add(&ds, primal);
        z.add(&dz, dual);
    }
    best.filter(|(gap, _)| *gap <= GOOD)
        .map(|(_, solution)| solution)
}
