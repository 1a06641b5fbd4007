//! From logits to a card of whole points, and from points to cut-offs.

#![expect(
    clippy::indexing_slicing,
    reason = "INVARIANT: a bin code is below the number of bins of its feature, by which every table here is sized"
)]

use std::collections::BTreeMap;

use super::additive::{Additive, Axis};
use super::bins::{Cut, FeatureBins};
use super::error::TrainError;
use super::pairs;
use super::params::{CutoffRule, Scaling};
use crate::model::scorecard::MAX_POINTS;
use crate::model::{Bin, Calibration, Card, CategoryBin, Cutoffs, PairAxis, PairTerm, SpecialCode};

/// Neighbouring bins within so many points of each other become one: nobody acts on less.
const SAME_POINTS: f64 = 6.0;

/// The most points of one logit: more would only spread noise.
const MOST_PER_LOGIT: f64 = 200.0;

/// Points as a line of logits: `points = offset + factor · (η − θ_1)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) offset: f64,
    pub(super) factor: f64,
}

/// Finds the line for the logits of the rows that are fitted.
pub(super) fn scale(scaling: Scaling, logits: &[f64]) -> Result<Scale, TrainError> {
    match scaling {
        Scaling::Band => {
            let low = logits.iter().copied().fold(f64::INFINITY, f64::min);
            let high = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let factor = (f64::from(MAX_POINTS) / (high - low).max(1e-6))
                .floor()
                .clamp(1.0, MOST_PER_LOGIT);
            Ok(Scale {
                offset: -(factor * low).round(),
                factor,
            })
        }
        Scaling::Pdo { pdo, points, odds } => {
            let factor = pdo / std::f64::consts::LN_2;
            let scale = Scale {
                offset: points - factor * odds.ln(),
                factor,
            };
            let outside = logits
                .iter()
                .map(|logit| scale.points(*logit))
                .filter(|points| !(0.0..=f64::from(MAX_POINTS)).contains(points))
                .count();
            let share = 100.0 * outside as f64 / logits.len().max(1) as f64;
            if share > 1.0 {
                return Err(TrainError::OutOfBand { share });
            }
            Ok(scale)
        }
    }
}

impl Scale {
    pub(super) fn points(self, logit: f64) -> f64 {
        self.offset + self.factor * logit
    }
}

/// The parts of a card that carry points.
pub(super) struct Points {
    pub(super) base: i32,
    pub(super) cards: BTreeMap<String, Card>,
    pub(super) pairs: Vec<PairTerm>,
}

/// Rounds the model to whole points; the least bin of each feature has none, so that points read as reasons.
pub(super) fn to_points(model: &Additive, bins: &[FeatureBins], scale: Scale) -> Points {
    let mut base = scale.offset - scale.factor * model.theta[0];
    let mut cards = BTreeMap::new();
    let mut whole: Vec<Vec<f64>> = Vec::with_capacity(bins.len());
    for (shape, bins) in model.shapes.iter().zip(bins) {
        if shape.is_empty() {
            whole.push(Vec::new());
            continue;
        }
        let mut points: Vec<f64> = shape.iter().map(|value| value * scale.factor).collect();
        if bins.is_ordered() {
            simplify(&mut points[..bins.regular()], &bins.weight);
        }
        let least = points.iter().copied().fold(f64::INFINITY, f64::min);
        base += least;
        let points: Vec<f64> = points.iter().map(|value| (value - least).round()).collect();
        let flat = points.iter().all(|value| *value == points[0]);
        if !flat {
            cards.insert(bins.name.clone(), card(bins, &points));
        } else {
            base += points[0];
        }
        whole.push(points);
    }
    let pairs = pair_terms(model, bins, &whole, scale, &mut base);
    // A pair needs the cards of both its features, even where one is flat.
    for pair in &pairs {
        for code in pair.codes() {
            if let Some(at) = bins.iter().position(|bins| bins.name == code)
                && !cards.contains_key(code)
            {
                let points = if whole[at].is_empty() {
                    vec![0.0; bins[at].count()]
                } else {
                    whole[at].clone()
                };
                base -= points[0];
                cards.insert(code.to_owned(), card(&bins[at], &points));
            }
        }
    }
    Points {
        base: int(base.round()),
        cards,
        pairs,
    }
}

fn int(value: f64) -> i32 {
    // A float-to-integer cast saturates; points are far below the bound.
    value as i32
}

/// Pools neighbouring bins whose points hardly differ, by weighted mean; order is kept.
fn simplify(points: &mut [f64], weight: &[f64]) {
    let mut start = 0;
    while start < points.len() {
        let (mut low, mut high) = (points[start], points[start]);
        let mut end = start + 1;
        while end < points.len() {
            let (next_low, next_high) = (low.min(points[end]), high.max(points[end]));
            if next_high - next_low > SAME_POINTS {
                break;
            }
            (low, high) = (next_low, next_high);
            end += 1;
        }
        let mass: f64 = weight[start..end].iter().sum();
        let sum: f64 = (start..end).map(|bin| points[bin] * weight[bin]).sum();
        let mean = if mass > 0.0 {
            sum / mass
        } else {
            points[start]
        };
        points[start..end].fill(mean);
        start = end;
    }
}

fn card(bins: &FeatureBins, points: &[f64]) -> Card {
    let regular = bins.regular();
    let mut card = Card {
        missing: int(points[bins.count() - 1]),
        direction: bins.direction,
        ..Card::default()
    };
    match &bins.cut {
        Cut::Numbers(edges) => {
            let froms = std::iter::once(None).chain(edges.iter().copied().map(Some));
            for (from, points) in froms.zip(&points[..regular]) {
                let points = int(*points);
                if card.bins.last().is_none_or(|last| last.points != points) {
                    card.bins.push(Bin { from, points });
                }
            }
            for (at, value) in bins.specials.iter().enumerate() {
                card.specials.push(SpecialCode {
                    value: *value,
                    points: int(points[regular + at]),
                });
            }
        }
        Cut::Categories(groups) => {
            let mut by_points: BTreeMap<i32, Vec<String>> = BTreeMap::new();
            for (group, points) in groups.iter().zip(points) {
                by_points
                    .entry(int(*points))
                    .or_default()
                    .extend(group.iter().cloned());
            }
            card.categories = by_points
                .into_iter()
                .map(|(points, mut values)| {
                    values.sort_unstable();
                    CategoryBin { values, points }
                })
                .collect();
            card.other = Some(int(points[regular - 1]));
        }
    }
    card
}

fn pair_terms(
    model: &Additive,
    bins: &[FeatureBins],
    whole: &[Vec<f64>],
    scale: Scale,
    base: &mut f64,
) -> Vec<PairTerm> {
    let shares = pairs::pair_counts(model, bins.len());
    let mut terms = Vec::new();
    for pair in &model.pairs {
        let mut grid: Vec<f64> = pair
            .grid
            .iter()
            .map(|value| (value * scale.factor).round())
            .collect();
        let lift = |axis: &Axis| {
            whole_steps(
                axis,
                &bins[axis.feature],
                &whole[axis.feature],
                shares[axis.feature],
            )
        };
        let (first, second) = (lift(&pair.first), lift(&pair.second));
        pairs::settle(
            &mut grid,
            pair.first.cells,
            pair.second.cells,
            first
                .as_ref()
                .map(|(lift, rises)| (lift.as_slice(), *rises)),
            second
                .as_ref()
                .map(|(lift, rises)| (lift.as_slice(), *rises)),
        );
        let least = grid.iter().copied().fold(f64::INFINITY, f64::min);
        if grid.iter().all(|value| *value == least) {
            *base += least;
            continue;
        }
        *base += least;
        terms.push(PairTerm {
            first: axis(&pair.first, bins),
            second: axis(&pair.second, bins),
            points: grid
                .chunks(pair.second.cells)
                .map(|row| row.iter().map(|value| int(value - least)).collect())
                .collect(),
        });
    }
    terms
}

/// As the steps of the single feature in logits, in whole points: each pair gets the floor of its share.
fn whole_steps(
    axis: &Axis,
    bins: &FeatureBins,
    points: &[f64],
    share: f64,
) -> Option<(Vec<f64>, bool)> {
    let rises = bins.rises()?;
    let sign = if rises { 1.0 } else { -1.0 };
    let mut lift = vec![0.0; axis.cells - 1];
    for bin in 1..bins.regular() {
        let before = usize::from(axis.cell_of_bin[bin - 1]);
        let at = usize::from(axis.cell_of_bin[bin]);
        if at != before {
            let step = if points.is_empty() {
                0.0
            } else {
                sign * (points[bin] - points[bin - 1])
            };
            lift[at] = lift[before] + sign * (step / share).floor();
        }
    }
    Some((lift, rises))
}

fn axis(axis: &Axis, bins: &[FeatureBins]) -> PairAxis {
    let bins = &bins[axis.feature];
    let mut edges = Vec::new();
    let mut groups: Vec<Vec<String>> = Vec::new();
    match &bins.cut {
        Cut::Numbers(all) => {
            for (at, edge) in all.iter().enumerate() {
                if axis.cell_of_bin[at + 1] != axis.cell_of_bin[at] {
                    edges.push(*edge);
                }
            }
        }
        Cut::Categories(all) => {
            groups = vec![Vec::new(); axis.cells - 2];
            for (group, values) in all.iter().enumerate() {
                groups[usize::from(axis.cell_of_bin[group])].extend(values.iter().cloned());
            }
            for group in &mut groups {
                group.sort_unstable();
            }
        }
    }
    PairAxis {
        indicator: bins.name.clone(),
        edges,
        groups,
    }
}

/// The cut-offs of a rule on the points of the rows that are fitted, and whether shares had to be missed because too many
/// rows have equal points.
pub(super) fn cutoffs(
    rule: CutoffRule,
    points: &[u16],
    weight: &[f64],
    calibration: &Calibration,
) -> Result<(Cutoffs, bool), TrainError> {
    let (b, c, d) = match rule {
        CutoffRule::Fixed { b, c, d } => (b, c, d),
        CutoffRule::Shares { b, c, d } => by_shares(points, weight, [b, c, d]),
        CutoffRule::ProblemRate { b, c, d } => {
            let from = |rate: f64| {
                (0..=MAX_POINTS)
                    .find(|points| calibration.probability(*points) >= rate)
                    .unwrap_or(MAX_POINTS)
            };
            (from(b), from(c), from(d))
        }
        CutoffRule::Capacity {
            enterprises,
            visits,
            rates,
            shares,
        } => {
            let [a, rate_b, rate_c, rate_d] = rates;
            let [b, c, d] = shares;
            // Visits are `N · (a + m · Σ share · (rate − a))`; the greatest m that the visits allow, at most 1 in all.
            let extra = b * (rate_b - a) + c * (rate_c - a) + d * (rate_d - a);
            let room = visits as f64 / enterprises as f64 - a;
            let most = 0.99 / (b + c + d);
            let multiple = if extra > 0.0 {
                (room / extra).min(most)
            } else {
                most
            };
            if multiple <= 0.0 {
                return Err(TrainError::Setting {
                    what: "visits",
                    bounds: "more than tier A alone takes; lower its rate or raise the visits",
                });
            }
            by_shares(points, weight, [b * multiple, c * multiple, d * multiple])
        }
    };
    let rises = 0 < b && b < c && c < d && d <= MAX_POINTS;
    match rule {
        _ if rises => Ok((Cutoffs { b, c, d }, false)),
        CutoffRule::Shares { .. } => Ok((apart(b, c, d), true)),
        CutoffRule::Fixed { .. } | CutoffRule::ProblemRate { .. } | CutoffRule::Capacity { .. } => {
            Err(TrainError::Cutoffs { b, c, d })
        }
    }
}

/// Cut-offs moved up until they rise, or down where the greatest points stop them; some tiers then stay empty.
fn apart(b: u16, c: u16, d: u16) -> Cutoffs {
    let b = b.clamp(1, MAX_POINTS - 2);
    let c = c.clamp(b + 1, MAX_POINTS - 1);
    let d = d.clamp(c + 1, MAX_POINTS);
    Cutoffs { b, c, d }
}

/// For each tier from the worst the least points at which its share is not exceeded by more than half a place.
fn by_shares(points: &[u16], weight: &[f64], [b, c, d]: [f64; 3]) -> (u16, u16, u16) {
    let mut mass = vec![0.0; usize::from(MAX_POINTS) + 1];
    for (points, weight) in points.iter().zip(weight) {
        mass[usize::from((*points).min(MAX_POINTS))] += weight;
    }
    let total: f64 = mass.iter().sum();
    let from = |share: f64| {
        let mut above = 0.0;
        for at in (1..=MAX_POINTS).rev() {
            let next = above + mass[usize::from(at)];
            // The place whose share is nearer to what is asked for.
            if next > share * total {
                return if next - share * total <= share * total - above {
                    at
                } else {
                    at + 1
                };
            }
            above = next;
        }
        1
    };
    let cut_d = from(d).min(MAX_POINTS);
    let cut_c = from(c + d);
    let cut_b = from(b + c + d);
    (cut_b, cut_c, cut_d)
}
