//! Checks the pair terms of a scorecard: their shape, and that no pair turns an indicator against its direction.

use std::collections::BTreeMap;

use super::card_parts::{PairAxis, PairTerm};
use super::scorecard::{Card, Scorecard, ScorecardError};
use crate::indicators::Direction;

/// Refuses pair terms of another shape than their axes, of unknown indicators, given twice, or against the direction that
/// `declared` gives for an indicator.
pub(super) fn check(
    card: &Scorecard,
    declared: &dyn Fn(&str) -> Option<Direction>,
) -> Result<(), ScorecardError> {
    let mut seen = std::collections::BTreeSet::new();
    for pair in &card.pairs {
        let [first, second] = pair.codes();
        if first == second || !seen.insert([first.min(second), first.max(second)]) {
            return Err(
                pair.fault("the two indicators must differ, and a pair stands once".to_owned())
            );
        }
        for axis in [&pair.first, &pair.second] {
            check_axis(card, axis).map_err(|reason| pair.fault(reason))?;
        }
        let (rows, columns) = (pair.first.cell_count(), pair.second.cell_count());
        if pair.points.len() != rows || pair.points.iter().any(|row| row.len() != columns) {
            return Err(pair.fault(format!("it needs {rows} rows of {columns} points")));
        }
    }
    for (code, single) in &card.indicators {
        if let Some(direction) = declared(code) {
            check_direction(card, code, single, direction)?;
        }
    }
    Ok(())
}

fn check_axis(card: &Scorecard, axis: &PairAxis) -> Result<(), String> {
    let code = &axis.indicator;
    let Some(single) = card.indicators.get(code) else {
        return Err(format!("`{code}` has no points of its own; give it a card"));
    };
    if single.linear.is_some() {
        return Err(format!("`{code}` has linear points; give it bins"));
    }
    if single.is_categorical() != axis.edges.is_empty()
        || axis.edges.is_empty() == axis.groups.is_empty()
    {
        return Err(format!(
            "`{code}` needs `edges` if it is a number and `groups` if it is a category"
        ));
    }
    let rises = axis
        .edges
        .iter()
        .zip(axis.edges.iter().skip(1))
        .all(|(low, high)| low < high);
    if !rises || axis.edges.iter().any(|edge| !edge.is_finite()) {
        return Err(format!("the edges of `{code}` must be finite and rise"));
    }
    Ok(())
}

/// The least and greatest step that the pairs of `code` make at each edge, over all cells of the other axis.
fn pair_steps(pair: &PairTerm, code: &str, sign: i32) -> Vec<(f64, i32)> {
    let (own, other, turned) = if pair.first.indicator == code {
        (&pair.first, &pair.second, false)
    } else {
        (&pair.second, &pair.first, true)
    };
    let at = |cell: usize, across: usize| {
        if turned {
            pair.at(across, cell)
        } else {
            pair.at(cell, across)
        }
    };
    own.edges
        .iter()
        .enumerate()
        .map(|(cell, edge)| {
            let worst = (0..other.cell_count())
                .map(|across| sign.saturating_mul(at(cell + 1, across) - at(cell, across)))
                .min()
                .unwrap_or(0);
            (*edge, worst)
        })
        .collect()
}

/// At every edge the indicator's own step and the worst steps of its pairs together must not run backwards.
fn check_direction(
    card: &Scorecard,
    code: &str,
    single: &Card,
    direction: Direction,
) -> Result<(), ScorecardError> {
    let sign = match direction {
        Direction::Raises => 1,
        Direction::Lowers => -1,
    };
    // Steps at one edge act together; edges are compared by value, exactly.
    let mut steps: BTreeMap<u64, (f64, i32, Option<&PairTerm>)> = BTreeMap::new();
    for pair in card
        .pairs
        .iter()
        .filter(|pair| pair.codes().contains(&code))
    {
        for (edge, worst) in pair_steps(pair, code, sign) {
            let entry = steps
                .entry((edge + 0.0).to_bits())
                .or_insert((edge, 0, Some(pair)));
            entry.1 = entry.1.saturating_add(worst);
        }
    }
    for (lower, upper) in single.bins.iter().zip(single.bins.iter().skip(1)) {
        if let Some(edge) = upper.from
            && let Some(entry) = steps.get_mut(&(edge + 0.0).to_bits())
        {
            entry.1 = entry.1.saturating_add(sign * (upper.points - lower.points));
        }
    }
    match steps.values().find(|(_, step, _)| *step < 0) {
        Some((edge, _, Some(pair))) => Err(pair.fault(format!(
            "the points of `{code}` run against its declared direction at {edge}"
        ))),
        _ => Ok(()),
    }
}
