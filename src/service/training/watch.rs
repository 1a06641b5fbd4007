//! Columns of a training table as they grow, and what they turn out to hold.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::roles::ColumnRole;
use crate::domain::dates::parse_date;
use crate::domain::digest::HashAlgorithm;
use crate::files::LineError;
use crate::model::Values;
use crate::model::table::{MAX_OUTCOME, MISSING_CODE};

/// Distinct texts beyond which a column is a name and not a category.
pub(super) const MOST_CATEGORIES: usize = 10_000;

const NO_WEIGHT: &str = "is not a weight: write a finite number of at least 0";

const NOT_FINITE: &str =
    "is not a finite number; leave an unknown cell empty, or name its text under `missing`";

const NO_PROBABILITY: &str = "is not a probability above 0 and at most 1; correct it";

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Nothing,
    Numbers,
    Days,
    Texts,
}

impl Holds {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Numbers => "numbers",
            Self::Days => "days",
            Self::Texts => "categories",
        }
    }
}

/// One column as it grows.
pub(super) enum Growing {
    Numbers(Vec<f64>),
    Texts {
        codes: Vec<u32>,
        names: BTreeMap<String, u32>,
        too_many: bool,
    },
    Outcome(Vec<u8>),
    Days(Vec<Date>),
    Groups(Vec<u64>),
    Passed,
}

impl Growing {
    /// Categories, after so many missing ones.
    pub(super) fn texts(missing: usize) -> Self {
        Self::Texts {
            codes: vec![MISSING_CODE; missing],
            names: BTreeMap::new(),
            too_many: false,
        }
    }
}

/// A column with what it has held so far.
pub(super) struct Watched {
    pub(super) role: ColumnRole,
    pub(super) holds: Holds,
    /// Whether it holds categories whatever its cells look like.
    declared: bool,
    pub(super) growing: Growing,
    /// A number that cannot stand in a column of numbers; in one of categories it is as good as any.
    pub(super) fault: Option<LineError>,
    /// Whether cells were passed that are categories.
    pub(super) again: bool,
}

impl Watched {
    pub(super) fn new(role: ColumnRole, declared: bool) -> Self {
        let growing = match role {
            ColumnRole::Outcome => Growing::Outcome(Vec::new()),
            ColumnRole::Day => Growing::Days(Vec::new()),
            ColumnRole::Group => Growing::Groups(Vec::new()),
            ColumnRole::Feature | ColumnRole::Keep if declared => Growing::texts(0),
            ColumnRole::Weight
            | ColumnRole::InclusionProbability
            | ColumnRole::Feature
            | ColumnRole::Keep => Growing::Numbers(Vec::new()),
            ColumnRole::After | ColumnRole::Ignore => Growing::Passed,
        };
        Self {
            role,
            holds: if declared {
                Holds::Texts
            } else {
                Holds::Nothing
            },
            declared,
            growing,
            fault: None,
            again: false,
        }
    }

    /// Whether what the column becomes depends on what it holds.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.role, ColumnRole::Feature | ColumnRole::Keep) && !self.declared
    }

    /// Takes note of a cell that is not missing.
    fn see(&mut self, cell: &str, number: Option<f64>) {
        let holds = match self.holds {
            Holds::Texts => return,
            Holds::Nothing | Holds::Numbers if number.is_some() => Holds::Numbers,
            Holds::Nothing | Holds::Days if parse_date(cell).is_ok() => Holds::Days,
            Holds::Nothing | Holds::Numbers | Holds::Days => Holds::Texts,
        };
        if holds != self.holds && self.is_open() {
            match (self.holds, holds, &self.growing) {
                // Whatever came before is missing.
                (Holds::Nothing, Holds::Texts, Growing::Numbers(before)) => {
                    self.growing = Growing::texts(before.len());
                }
                (_, Holds::Texts, _) => {
                    self.growing = Growing::Passed;
                    self.again = true;
                }
                (_, Holds::Days, _) => self.growing = Growing::Passed,
                (_, Holds::Numbers | Holds::Nothing, _) => {}
            }
        }
        self.holds = holds;
    }

    /// Takes note of a cell, and keeps it where its row is kept.
    pub(super) fn take(&mut self, cell: &str, missing: bool, is_kept: bool) -> Result<(), String> {
        let number = match (self.holds, &self.growing) {
            _ if missing => None,
            (Holds::Nothing | Holds::Numbers, _) | (_, Growing::Numbers(_)) => parse_number(cell),
            _ => None,
        };
        if !missing {
            self.see(cell, number);
        }
        if !is_kept {
            return Ok(());
        }
        if let Growing::Numbers(numbers) = &mut self.growing
            && self.role != ColumnRole::Weight
            && self.role != ColumnRole::InclusionProbability
        {
            let finite = number.filter(|number| number.is_finite());
            numbers.push(finite.unwrap_or(f64::NAN));
            if number.is_some() && finite.is_none() {
                return Err(NOT_FINITE.to_owned());
            }
            return Ok(());
        }
        grow(&mut self.growing, cell, missing, self.role)
    }
}

pub(super) fn grow(
    growing: &mut Growing,
    cell: &str,
    missing: bool,
    role: ColumnRole,
) -> Result<(), String> {
    match growing {
        Growing::Passed => {}
        Growing::Numbers(numbers) => {
            let weighs = matches!(role, ColumnRole::Weight | ColumnRole::InclusionProbability);
            if missing && weighs {
                return Err("every row needs a weight; fill it in or remove the row".to_owned());
            }
            let number = match number(cell) {
                _ if missing => f64::NAN,
                Err(_) if role == ColumnRole::Weight => return Err(NO_WEIGHT.to_owned()),
                Err(_) if weighs => return Err(NO_PROBABILITY.to_owned()),
                number => number?,
            };
            numbers.push(match role {
                ColumnRole::InclusionProbability if number > 0.0 && number <= 1.0 => 1.0 / number,
                ColumnRole::InclusionProbability => {
                    return Err(NO_PROBABILITY.to_owned());
                }
                ColumnRole::Weight if number < 0.0 => {
                    return Err(NO_WEIGHT.to_owned());
                }
                _ => number,
            });
        }
        Growing::Texts {
            codes,
            names,
            too_many,
        } => {
            let next = u32::try_from(names.len()).unwrap_or(MISSING_CODE);
            codes.push(if missing {
                MISSING_CODE
            } else if let Some(code) = names.get(cell) {
                *code
            } else if names.len() >= MOST_CATEGORIES {
                *too_many = true;
                MISSING_CODE
            } else {
                names.insert(cell.to_owned(), next);
                next
            });
        }
        Growing::Outcome(outcomes) => {
            let outcome = number(cell)
                .ok()
                .filter(|value| {
                    value.fract() == 0.0 && (0.0..=f64::from(MAX_OUTCOME)).contains(value)
                })
                .ok_or_else(|| format!("is not an outcome: write 0 or 1, or 0 to {MAX_OUTCOME}"))?;
            // The value is a whole number from 0 to 3.
            outcomes.push(outcome as u8);
        }
        Growing::Days(days) => days.push(parse_date(cell)?),
        Growing::Groups(groups) => {
            groups.push(HashAlgorithm::Sha256.hash(&[cell.as_bytes()]).leading_u64());
        }
    }
    Ok(())
}

fn number(cell: &str) -> Result<f64, String> {
    match parse_number(cell) {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err(NOT_FINITE.to_owned()),
        None => Err("is not a number; correct it, or name its text under `missing`".to_owned()),
    }
}

/// As the parser of the standard library, and sooner for plain decimals of few digits: their digits and the power of ten
/// are both exact, so that the quotient is rounded once (Clinger, 1990).
fn parse_number(cell: &str) -> Option<f64> {
    const MOST_DIGITS: usize = 15;
    const POWERS: [f64; MOST_DIGITS + 1] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    let plain = || {
        let digits = cell.strip_prefix('-').unwrap_or(cell);
        // One more for the point.
        if digits.len() > MOST_DIGITS + 1 {
            return None;
        }
        let (mut whole, mut count, mut point) = (0_u64, 0, None);
        for byte in digits.bytes() {
            match byte {
                b'0'..=b'9' => {
                    whole = whole * 10 + u64::from(byte - b'0');
                    count += 1;
                }
                b'.' if point.is_none() => point = Some(count),
                _ => return None,
            }
        }
        let power = POWERS.get(count - point.unwrap_or(count))?;
        let value = whole as f64 / power;
        (1..=MOST_DIGITS)
            .contains(&count)
            .then_some(if cell.starts_with('-') { -value } else { value })
    };
    plain().or_else(|| cell.parse().ok())
}

/// Why a column that was to be a feature, or to be kept, is neither.
pub(super) fn unusable(growing: &Growing, role: ColumnRole, holds: Holds) -> Option<String> {
    if !matches!(role, ColumnRole::Feature | ColumnRole::Keep) {
        return None;
    }
    match growing {
        Growing::Texts { too_many: true, .. } => Some(format!(
            "it holds more than {MOST_CATEGORIES} different texts, which are names and no categories: group them, or \
             name the column under `ignore`"
        )),
        Growing::Passed if holds == Holds::Days => Some(
            "it holds days, which are no quantity: give the days or years that have passed instead, or name the column \
             under `ignore`"
                .to_owned(),
        ),
        Growing::Texts { .. }
        | Growing::Passed
        | Growing::Numbers(_)
        | Growing::Outcome(_)
        | Growing::Days(_)
        | Growing::Groups(_) => None,
    }
}

/// Codes in the order of the names, whatever the order of the rows.
pub(super) fn in_order(codes: Vec<u32>, names: BTreeMap<String, u32>) -> Values {
    let mut new = vec![MISSING_CODE; names.len()];
    for (position, old) in names.values().enumerate() {
        if let Some(new) = usize::try_from(*old).ok().and_then(|old| new.get_mut(old)) {
            *new = u32::try_from(position).unwrap_or(MISSING_CODE);
        }
    }
    let codes = codes
        .into_iter()
        .map(|code| {
            usize::try_from(code)
                .ok()
                .and_then(|code| new.get(code))
                .copied()
                .unwrap_or(MISSING_CODE)
        })
        .collect();
    Values::Categories {
        codes,
        names: names.into_keys().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rng::SeededRng;

    #[test]
    fn plain_decimals_are_read_as_the_standard_library_reads_them() {
        let mut rng = SeededRng::new(1, "decimals");
        for _ in 0..100_000 {
            let most = 1 + u32::try_from(rng.below(17)).unwrap();
            let digits = rng.below(10_u64.pow(most));
            let text = match rng.below(4) {
                0 => format!("{digits}"),
                1 => format!("-{digits}."),
                2 => format!("-{}.{digits}", rng.below(1_000)),
                _ => format!("{digits}e{}", rng.below(30)),
            };
            let (ours, theirs) = (parse_number(&text).unwrap(), text.parse::<f64>().unwrap());
            assert_eq!(ours.to_bits(), theirs.to_bits(), "{text}");
        }
        for text in [
            "", "-", ".", "-.", "1.2.3", "1,2", "--1", "+1", ".5", "-0", "inf", "1_0",
        ] {
            assert_eq!(parse_number(text), text.parse().ok(), "{text}");
        }
    }
}
