//! The `[calendar]` part of a policy: how often items with frequencies are checked.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::Label;
use crate::sampling::schedule::{Balance, Frequency, FrequencyError, TierFrequencies};

/// Frequencies by name, and what a calendar makes level. They decide no tier and no draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarRules {
    /// What is level over the batches of a year.
    pub balance: Balance,
    /// Frequencies by tier, by the name under which calendars ask for them.
    pub frequencies: BTreeMap<Label, TierFrequencies>,
}

impl Default for CalendarRules {
    /// One to four visits a year for licensed food producers (DOMAIN 6.4).
    fn default() -> Self {
        let a_year = |visits| Frequency::new(visits, 1).ok();
        let food = Label::parse("food_production").ok().and_then(|name| {
            let frequencies = TierFrequencies {
                a: a_year(1)?,
                b: a_year(2)?,
                c: a_year(3)?,
                d: a_year(4)?,
            };
            Some((name, frequencies))
        });
        Self {
            balance: Balance::Visits,
            frequencies: food.into_iter().collect(),
        }
    }
}

/// Frequencies that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`calendar.frequencies.{name}`: {cause}")]
pub struct CalendarRulesError {
    name: Label,
    cause: FrequencyError,
}

impl CalendarRules {
    /// Checks that a worse tier is never visited less often.
    ///
    /// # Errors
    ///
    /// Names the first frequencies that are wrong.
    pub fn check(&self) -> Result<(), CalendarRulesError> {
        for (name, frequencies) in &self.frequencies {
            frequencies.check().map_err(|cause| CalendarRulesError {
                name: name.clone(),
                cause,
            })?;
        }
        Ok(())
    }
}
