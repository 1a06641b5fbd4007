//! Which rows are fitted, which validate, and which fold a row belongs to: by day or by group, never by row alone where
//! the table has days or groups.

use jiff::civil::Date;
use serde::Serialize;

use super::error::TrainError;
use super::params::{TrainParams, Validation};
use crate::domain::dates::add_days;
use crate::model::Table;

/// A division of the rows.
#[derive(Clone, Debug)]
pub(super) struct Split {
    pub(super) fit: Vec<usize>,
    pub(super) validation: Vec<usize>,
    pub(super) told: SplitTold,
}

/// How the rows were divided, in words and numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitTold {
    /// `day`, `group`, `row` or `none`.
    pub by: &'static str,
    /// The first day of validation, where the split is by day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_from: Option<Date>,
    /// Rows that are fitted.
    pub fit_count: usize,
    /// Rows that validate.
    pub validation_count: usize,
    /// Rows in the gap, used for nothing.
    pub purged_count: usize,
    /// Rows of weight zero, used for nothing.
    pub weightless_count: usize,
}

/// A well-mixed number of a group under a seed (the finaliser of splitmix64).
pub(super) fn mixed(seed: u64, group: u64) -> u64 {
    let mut z = group
        .wrapping_add(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The number that keeps rows together: the group's, or the row's own.
fn unit(table: &Table, row: usize) -> u64 {
    table
        .group()
        .and_then(|groups| groups.get(row).copied())
        .unwrap_or_else(|| u64::try_from(row).unwrap_or(u64::MAX))
}

pub(super) fn split(table: &Table, params: &TrainParams) -> Result<Split, TrainError> {
    let counts = |row: &usize| {
        table
            .weight()
            .is_none_or(|weight| weight.get(*row).is_some_and(|weight| *weight > 0.0))
    };
    let rows: Vec<usize> = (0..table.row_count()).filter(counts).collect();
    let weightless_count = table.row_count() - rows.len();
    let (by, from, gap_days, share) = match (params.validation, table.day()) {
        (Validation::None, _) => ("none", None, 0, 0.0),
        (Validation::From { .. }, None) => return Err(TrainError::NoDay),
        (Validation::From { day, gap_days }, Some(_)) => ("day", Some(day), gap_days, 0.0),
        (Validation::Share { share, gap_days }, Some(days)) => {
            ("day", Some(latest(days, &rows, share)), gap_days, share)
        }
        (Validation::Share { share, .. }, None) if table.group().is_some() => {
            ("group", None, 0, share)
        }
        (Validation::Share { share, .. }, None) => ("row", None, 0, share),
    };
    let mut fit = Vec::new();
    let mut validation = Vec::new();
    let mut purged_count = 0;
    match (from, table.day()) {
        (Some(from), Some(days)) => {
            let gap = add_days(from, -i32::from(gap_days));
            for row in rows {
                match days.get(row) {
                    Some(day) if *day >= from => validation.push(row),
                    Some(day) if *day < gap => fit.push(row),
                    _ => purged_count += 1,
                }
            }
        }
        _ => {
            for row in rows {
                // The upper 53 bits as a share of one.
                let place = (mixed(params.seed ^ 0x5eed, unit(table, row)) >> 11) as f64
                    / (1_u64 << 53) as f64;
                if place < share {
                    validation.push(row);
                } else {
                    fit.push(row);
                }
            }
        }
    }
    if fit.is_empty() {
        return Err(TrainError::EmptySplit { side: "to fit" });
    }
    if validation.is_empty() && by != "none" {
        return Err(TrainError::EmptySplit {
            side: "to validate",
        });
    }
    Ok(Split {
        told: SplitTold {
            by,
            validation_from: from,
            fit_count: fit.len(),
            validation_count: validation.len(),
            purged_count,
            weightless_count,
        },
        fit,
        validation,
    })
}

/// The day from which the latest `share` of the rows lie.
fn latest(days: &[Date], rows: &[usize], share: f64) -> Date {
    let mut sorted: Vec<Date> = rows
        .iter()
        .filter_map(|row| days.get(*row).copied())
        .collect();
    sorted.sort_unstable();
    let at = ((1.0 - share) * sorted.len() as f64).floor() as usize;
    sorted
        .get(at)
        .or(sorted.last())
        .copied()
        .unwrap_or(Date::MAX)
}

/// The fold of each row, by group where there are groups.
pub(super) fn folds(table: &Table, params: &TrainParams) -> Vec<u8> {
    let folds = u64::try_from(params.folds).unwrap_or(2).max(1);
    (0..table.row_count())
        .map(|row| u8::try_from(mixed(params.seed, unit(table, row)) % folds).unwrap_or(0))
        .collect()
}
