//! The professional grade (专业分级): how the general tier and a grade of a special field make one tier.

use serde::{Deserialize, Serialize};

use crate::domain::{Enterprise, Label, Tier};

/// More grades than this are a mistake.
const MOST_GRADES: usize = 100;

/// The `[tier.grade]` table of a policy (通用+专业).
///
/// Grades are whole numbers from 1, the best; an enterprise without one, or with a number that has no row, keeps its
/// tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeMatrix {
    /// The attribute that carries the grade.
    pub attribute: Label,
    /// One row for each grade, in order.
    pub matrix: Vec<GradeRow>,
}

/// What one grade makes of each general tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeRow {
    /// The result of general tier A.
    #[serde(rename = "A")]
    pub a: Tier,
    /// The result of general tier B.
    #[serde(rename = "B")]
    pub b: Tier,
    /// The result of general tier C.
    #[serde(rename = "C")]
    pub c: Tier,
    /// The result of general tier D.
    #[serde(rename = "D")]
    pub d: Tier,
}

impl GradeRow {
    /// The result of a general tier.
    pub fn tier(self, general: Tier) -> Tier {
        match general {
            Tier::A => self.a,
            Tier::B => self.b,
            Tier::C => self.c,
            Tier::D => self.d,
        }
    }
}

impl GradeMatrix {
    /// Checks that a worse tier or a worse grade never gives a better result; the error says where.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.matrix.is_empty() || self.matrix.len() > MOST_GRADES {
            return Err(format!(
                "`matrix` has 1 to {MOST_GRADES} rows, one for each grade"
            ));
        }
        for (grade, row) in (1..).zip(&self.matrix) {
            for pair in Tier::ALL.windows(2) {
                if let [better, worse] = *pair
                    && row.tier(better) > row.tier(worse)
                {
                    return Err(format!(
                        "in row {grade} of `matrix` tier {worse} gives {} and tier {better} the worse {}; \
                         a worse tier must not give a better result",
                        row.tier(worse),
                        row.tier(better)
                    ));
                }
            }
        }
        for (grade, pair) in (2..).zip(self.matrix.windows(2)) {
            let [better, worse] = pair else { continue };
            for tier in Tier::ALL.iter().copied() {
                if better.tier(tier) > worse.tier(tier) {
                    return Err(format!(
                        "in column {tier} of `matrix` grade {grade} gives {} and grade {} the worse {}; \
                         a worse grade must not give a better result",
                        worse.tier(tier),
                        grade - 1,
                        better.tier(tier)
                    ));
                }
            }
        }
        Ok(())
    }

    /// The enterprise's grade as it is stated, whether or not it has a row.
    pub(super) fn stated(&self, enterprise: &Enterprise) -> Option<f64> {
        enterprise.attributes.get(&self.attribute).copied()
    }

    /// The row of a stated grade, counted from 1.
    pub(super) fn row_of(&self, stated: f64) -> Option<u8> {
        let rows = u8::try_from(self.matrix.len()).unwrap_or(u8::MAX);
        (1..=rows).find(|row| f64::from(*row) == stated)
    }

    /// What the row makes of a general tier.
    pub(super) fn tier(&self, row: u8, general: Tier) -> Tier {
        let position = usize::from(row).checked_sub(1);
        let row = position.and_then(|position| self.matrix.get(position));
        row.map_or(general, |row| row.tier(general))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[&str]) -> GradeMatrix {
        let row = |text: &&str| {
            let tiers: Vec<Tier> = text
                .chars()
                .map(|c| c.to_string().parse().unwrap())
                .collect();
            GradeRow {
                a: tiers[0],
                b: tiers[1],
                c: tiers[2],
                d: tiers[3],
            }
        };
        GradeMatrix {
            attribute: Label::parse("food_grade").unwrap(),
            matrix: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn a_matrix_that_rises_both_ways_is_accepted() {
        assert_eq!(matrix(&["ABCD", "ABCD", "BCCD", "BCDD"]).check(), Ok(()));
    }

    #[test]
    fn a_matrix_that_falls_is_refused_by_place() {
        let row = matrix(&["ABCD", "ABDC"]).check().unwrap_err();
        assert!(
            row.contains("row 2") && row.contains("tier D gives C"),
            "{row}"
        );
        let column = matrix(&["ABDD", "ABCD"]).check().unwrap_err();
        assert!(
            column.contains("column C") && column.contains("grade 2 gives C"),
            "{column}"
        );
        assert!(matrix(&[]).check().is_err());
    }

    #[test]
    fn only_whole_numbers_with_a_row_are_grades() {
        let matrix = matrix(&["ABCD", "BCDD"]);
        let rows = [0.0, 1.0, 1.5, 2.0, 3.0, f64::MAX].map(|stated| matrix.row_of(stated));
        assert_eq!(rows, [None, Some(1), None, Some(2), None, None]);
        assert_eq!(matrix.tier(2, Tier::A), Tier::B);
    }
}
