//! The `[decisions]` part of a policy: time limits of what persons decide, and the calendar of working days.

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use crate::domain::WorkingDays;

/// Time limits of overrides and objections. They decide no tier by themselves, so they belong to no epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionRules {
    /// Most days that an override may count.
    pub override_days: u16,
    /// Days after which a proposed override lapses unless it was approved.
    pub proposal_days: u16,
    /// Working days from filing an objection until its examination must have begun.
    pub acceptance_working_days: u16,
    /// Working days from the beginning of the examination until it must be decided; the tier is frozen no longer.
    pub examination_working_days: u16,
    /// Days off beside weekends.
    pub holidays: BTreeSet<Date>,
    /// Saturdays and Sundays that are worked instead (调休).
    pub working_weekends: BTreeSet<Date>,
}

impl Default for DecisionRules {
    /// Ninety days for an override; five and twenty working days for an objection.
    fn default() -> Self {
        Self {
            override_days: 90,
            proposal_days: 30,
            acceptance_working_days: 5,
            examination_working_days: 20,
            holidays: BTreeSet::new(),
            working_weekends: BTreeSet::new(),
        }
    }
}

/// A rule that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`decisions.{key}` {reason}")]
pub struct DecisionRulesError {
    key: &'static str,
    reason: String,
}

impl DecisionRules {
    /// Checks the numbers and the calendar.
    ///
    /// # Errors
    ///
    /// Names the first key that is wrong.
    pub fn check(&self) -> Result<(), DecisionRulesError> {
        let limits = [
            ("override_days", self.override_days, 366),
            ("proposal_days", self.proposal_days, 366),
            ("acceptance_working_days", self.acceptance_working_days, 250),
            (
                "examination_working_days",
                self.examination_working_days,
                250,
            ),
        ];
        for (key, days, most) in limits {
            if days == 0 || days > most {
                let reason = format!("is {days}; allowed are 1 to {most}");
                return Err(DecisionRulesError { key, reason });
            }
        }
        let plain = self
            .working_weekends
            .iter()
            .find(|day| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday));
        match plain {
            Some(day) => Err(DecisionRulesError {
                key: "working_weekends",
                reason: format!("names {day}, which is no Saturday or Sunday; leave it out"),
            }),
            None => Ok(()),
        }
    }

    /// The calendar.
    pub fn working_days(&self) -> WorkingDays {
        WorkingDays {
            holidays: self.holidays.clone(),
            working_weekends: self.working_weekends.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn limits_of_zero_and_worked_weekdays_are_refused_by_key() {
        assert_eq!(DecisionRules::default().check(), Ok(()));
        let none = DecisionRules {
            examination_working_days: 0,
            ..DecisionRules::default()
        };
        let error = none.check().unwrap_err().to_string();
        assert!(
            error.contains("decisions.examination_working_days"),
            "{error}"
        );
        let monday = DecisionRules {
            working_weekends: [date(2026, 11, 23)].into(),
            ..DecisionRules::default()
        };
        assert!(
            monday
                .check()
                .unwrap_err()
                .to_string()
                .contains("2026-11-23")
        );
    }
}
