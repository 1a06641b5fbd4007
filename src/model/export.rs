//! A scorecard in SQL, for registers that score in their own database.
//!
//! The statement is plain SQL-92 but for the quoting of names: `CASE`, comparisons and additions of whole numbers. It gives
//! each row of a table its sum, points and tier. A value that is `NULL` is missing.

use std::fmt::Write;

use super::card_parts::{PairAxis, PairTerm};
use super::scorecard::{Card, MAX_POINTS, MOST_POINTS_OF_ONE, Scorecard};

impl Scorecard {
    /// A `SELECT` that adds `score_sum`, `points` and `tier` to every row of `table`, whose columns are named as the
    /// indicators.
    pub fn to_sql(&self, table: &str) -> String {
        let mut sum = self.base.to_string();
        for (code, single) in &self.indicators {
            // Writing to a string cannot fail.
            let _ = write!(sum, "\n      + {}", single_case(code, single));
        }
        for pair in &self.pairs {
            let _ = write!(sum, "\n      + {}", self.pair_case(pair));
        }
        let (b, c, d) = (self.cutoffs.b, self.cutoffs.c, self.cutoffs.d);
        format!(
            "SELECT scored.*,\n  CASE WHEN points >= {d} THEN 'D' WHEN points >= {c} THEN 'C' WHEN points >= {b} THEN 'B' ELSE 'A' END AS tier\nFROM (\n  SELECT summed.*,\n    CASE WHEN score_sum < 0 THEN 0 WHEN score_sum > {MAX_POINTS} THEN {MAX_POINTS} ELSE score_sum END AS points\n  FROM (\n    SELECT rows_to_score.*,\n      {sum}\n      AS score_sum\n    FROM {} AS rows_to_score\n  ) AS summed\n) AS scored;\n",
            name(table)
        )
    }

    fn pair_case(&self, pair: &PairTerm) -> String {
        let cell = |axis: &PairAxis| axis_case(axis, self.indicators.get(&axis.indicator));
        let (first, second) = (cell(&pair.first), cell(&pair.second));
        let mut text = format!("CASE {first}");
        for (row, points) in pair.points.iter().enumerate() {
            let _ = write!(text, " WHEN {row} THEN CASE {second}");
            for (column, points) in points.iter().enumerate() {
                let _ = write!(text, " WHEN {column} THEN {points}");
            }
            text.push_str(" END");
        }
        text.push_str(" END");
        text
    }
}

/// A name in double quotes.
fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in single quotes.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A number with every digit that it needs to be read back unchanged.
fn number(value: f64) -> String {
    format!("{value:?}")
}

fn listed(values: &[String]) -> String {
    values
        .iter()
        .map(|value| text(value))
        .collect::<Vec<_>>()
        .join(", ")
}

fn single_case(code: &str, single: &Card) -> String {
    let column = name(code);
    let mut case = format!("CASE WHEN {column} IS NULL THEN {}", single.missing);
    if single.is_categorical() {
        for bin in &single.categories {
            let _ = write!(
                case,
                " WHEN {column} IN ({}) THEN {}",
                listed(&bin.values),
                bin.points
            );
        }
        let _ = write!(case, " ELSE {} END", single.other.unwrap_or(single.missing));
        return case;
    }
    for special in &single.specials {
        let _ = write!(
            case,
            " WHEN {column} = {} THEN {}",
            number(special.value),
            special.points
        );
    }
    if let Some(linear) = single.linear {
        // Half up and bounded on both sides, as in `Linear::points`; FLOOR is in every large database.
        let points = format!("FLOOR({} * {column} + 0.5)", linear.points_per_unit);
        let (least, most) = if linear.cap >= 0 {
            (-MOST_POINTS_OF_ONE, linear.cap)
        } else {
            (linear.cap, MOST_POINTS_OF_ONE)
        };
        let _ = write!(
            case,
            " WHEN {points} > {most} THEN {most} WHEN {points} < {least} THEN {least} ELSE CAST({points} AS INTEGER) END"
        );
        return case;
    }
    for (position, bin) in single.bins.iter().enumerate() {
        match single.bins.get(position + 1).and_then(|next| next.from) {
            Some(until) => {
                let _ = write!(
                    case,
                    " WHEN {column} < {} THEN {}",
                    number(until),
                    bin.points
                );
            }
            None => {
                let _ = write!(case, " ELSE {}", bin.points);
            }
        }
    }
    case.push_str(" END");
    case
}

fn axis_case(axis: &PairAxis, single: Option<&Card>) -> String {
    let column = name(&axis.indicator);
    let missing = axis.missing_cell();
    let mut case = format!("CASE WHEN {column} IS NULL THEN {missing}");
    for special in single.map_or(&[][..], |single| single.specials.as_slice()) {
        let _ = write!(
            case,
            " WHEN {column} = {} THEN {missing}",
            number(special.value)
        );
    }
    for (cell, group) in axis.groups.iter().enumerate() {
        let _ = write!(case, " WHEN {column} IN ({}) THEN {cell}", listed(group));
    }
    for (cell, edge) in axis.edges.iter().enumerate() {
        let _ = write!(case, " WHEN {column} < {} THEN {cell}", number(*edge));
    }
    let _ = write!(case, " ELSE {} END", axis.edges.len() + axis.groups.len());
    case
}
