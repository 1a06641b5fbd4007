//! How often: so many visits in so many years, by tier.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

use super::batches::Month;
use crate::domain::Tier;
use crate::sampling::plan::PPB;

/// Most visits of one object in a year: one a week.
const MOST_VISITS: u32 = 52;
/// Most years between two visits.
const MOST_YEARS: u32 = 20;
const MONTHS: u128 = 12;

/// So many visits in so many years, written `2` (a year) or `1/3` (one in three years).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Frequency {
    visits: u32,
    years: u32,
}

/// A frequency as a file or a body may write it.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a number of visits a year, or a text such as \"1/3\""
)]
enum Written {
    Number(u32),
    Text(String),
}

/// Why a text is no frequency, or why frequencies do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrequencyError {
    /// It is not written as one.
    #[error("is not a frequency; write visits a year, such as 2, or visits in years, such as 1/3")]
    Form,
    /// Too often or too rarely.
    #[error("is not within one visit in {MOST_YEARS} years and {MOST_VISITS} visits a year")]
    Range,
    /// A worse tier is visited less often.
    #[error(
        "tier {worse} is visited less often than tier {better}; frequencies never fall with risk"
    )]
    Falls {
        /// The better tier.
        better: Tier,
        /// The worse tier.
        worse: Tier,
    },
}

impl Frequency {
    /// So many visits in so many years.
    ///
    /// # Errors
    ///
    /// When it is outside one visit in 20 years and 52 visits a year: nobody is exempt.
    pub fn new(visits: u32, years: u32) -> Result<Self, FrequencyError> {
        let fits = (1..=MOST_YEARS).contains(&years)
            && (1..=MOST_VISITS.saturating_mul(years)).contains(&visits);
        if fits {
            Ok(Self { visits, years })
        } else {
            Err(FrequencyError::Range)
        }
    }

    /// What the phase gains from the beginning of one month to that of another, in ppb of a visit.
    ///
    /// Counted from month 0, so that what rounding takes in one span it gives in the next: over whole multiples of its
    /// years the gain is exact, over any other span it is less than one ppb away.
    #[must_use]
    pub fn growth_ppb(self, from: Month, to: Month) -> u64 {
        u64::try_from(self.reached(to).saturating_sub(self.reached(from))).unwrap_or(u64::MAX)
    }

    fn reached(self, month: Month) -> u128 {
        u128::from(self.visits) * u128::from(PPB) * u128::from(month.number())
            / (MONTHS * u128::from(self.years))
    }

    /// By how many batches a visit may be moved to one side of the batch in which it is due, and to the other.
    ///
    /// Dues are at least the whole part of a period apart, and the two together are less than that: so two visits of one
    /// object never meet, and the gap between them is off by less than a period.
    #[must_use]
    pub fn slack(self, batches_a_year: u32) -> (u32, u32) {
        let room = (batches_a_year * self.years / self.visits).saturating_sub(1);
        (room / 2, room - room / 2)
    }

    /// Whether this is less often than `other`.
    #[must_use]
    pub fn is_below(self, other: Self) -> bool {
        u64::from(self.visits) * u64::from(other.years)
            < u64::from(other.visits) * u64::from(self.years)
    }

    /// Visits a year.
    #[must_use]
    pub fn per_year(self) -> f64 {
        f64::from(self.visits) / f64::from(self.years)
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.years == 1 {
            write!(f, "{}", self.visits)
        } else {
            write!(f, "{}/{}", self.visits, self.years)
        }
    }
}

impl FromStr for Frequency {
    type Err = FrequencyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse::<u32>().map_err(|_| FrequencyError::Form);
        let (visits, years) = match text.split_once('/') {
            None => (number(text)?, 1),
            Some((visits, years)) => (number(visits)?, number(years)?),
        };
        Self::new(visits, years)
    }
}

impl TryFrom<Written> for Frequency {
    type Error = FrequencyError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Number(visits) => Self::new(visits, 1),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Frequency> for String {
    fn from(frequency: Frequency) -> Self {
        frequency.to_string()
    }
}

/// A frequency per tier, never falling from A to D.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierFrequencies {
    /// Frequency of tier A.
    #[serde(rename = "A")]
    pub a: Frequency,
    /// Frequency of tier B.
    #[serde(rename = "B")]
    pub b: Frequency,
    /// Frequency of tier C.
    #[serde(rename = "C")]
    pub c: Frequency,
    /// Frequency of tier D.
    #[serde(rename = "D")]
    pub d: Frequency,
}

impl TierFrequencies {
    /// The frequency of a tier.
    #[must_use]
    pub fn of(&self, tier: Tier) -> Frequency {
        match tier {
            Tier::A => self.a,
            Tier::B => self.b,
            Tier::C => self.c,
            Tier::D => self.d,
        }
    }

    /// Checks that a worse tier is never visited less often.
    ///
    /// # Errors
    ///
    /// Names the first two tiers that are the wrong way round.
    pub fn check(&self) -> Result<(), FrequencyError> {
        for (better, worse) in [(Tier::A, Tier::B), (Tier::B, Tier::C), (Tier::C, Tier::D)] {
            if self.of(worse).is_below(self.of(better)) {
                return Err(FrequencyError::Falls { better, worse });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_a_visit_a_year_is_exact_over_three_years_and_never_off_by_a_ppb() {
        let third = Frequency::new(1, 3).unwrap();
        let from = Month::of(2027, 4).unwrap();

        assert_eq!(third.growth_ppb(from, from.plus(36)), PPB);
        for months in 0..100 {
            let gained = u128::from(third.growth_ppb(from, from.plus(months)));
            assert!((gained * 36).abs_diff(u128::from(months) * u128::from(PPB)) < 36);
        }
    }

    #[test]
    fn frequencies_are_read_as_they_are_written() {
        for (text, visits, years) in [("1", 1, 1), ("4", 4, 1), ("1/3", 1, 3), ("52", 52, 1)] {
            let frequency: Frequency = text.parse().unwrap();
            assert_eq!(frequency, Frequency::new(visits, years).unwrap());
            assert_eq!(frequency.to_string(), text);
        }
        for bad in ["0", "1/0", "0/3", "53", "1/21", "-1", "1.5", "", "1/2/3"] {
            assert!(bad.parse::<Frequency>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_worse_tier_is_never_visited_less_often() {
        let of = |texts: [&str; 4]| {
            let [a, b, c, d] = texts.map(|text| text.parse().unwrap());
            TierFrequencies { a, b, c, d }.check()
        };
        assert!(of(["1/3", "1/2", "1", "4"]).is_ok());
        let fallen = of(["1", "2", "3/2", "4"]).unwrap_err();
        assert!(fallen.to_string().contains("tier C"), "{fallen}");
    }
}
