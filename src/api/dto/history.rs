//! The tiers of an enterprise over time.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::codes::{CauseKind, Tier};
use super::decisions::{MergeAnswer, OverrideAnswer};
use super::objections::ObjectionAnswer;
use crate::service::{Cause, FilesOfDay, TierHistory, TierSpell};

/// Why files speak for a day: they were `in_force`, or are the `first`, because nothing was in force yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FilesWhy {
    InForce,
    First,
}

/// The files and statistics that an answer for a day rests on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayFiles {
    /// The number of their entry in the log of what was in force.
    #[schema(example = 2, minimum = 1)]
    number: u64,
    /// From which day they were in force.
    #[schema(format = Date, example = "2026-11-01")]
    from_on: String,
    /// The set of model files.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    files_id: String,
    /// Digest of the frozen statistics, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    statistics: Option<String>,
    /// Why these.
    why: FilesWhy,
}

impl From<FilesOfDay> for DayFiles {
    fn from(files: FilesOfDay) -> Self {
        let FilesOfDay {
            number,
            from_on,
            files_id,
            statistics,
            is_instead,
        } = files;
        Self {
            number,
            from_on: from_on.to_string(),
            files_id,
            statistics,
            why: if is_instead {
                FilesWhy::First
            } else {
                FilesWhy::InForce
            },
        }
    }
}

/// A page of the tiers of an enterprise, with all that persons decided about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierHistoryAnswer {
    /// The enterprise.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// The tiers, latest first.
    items: Vec<TierSpellAnswer>,
    /// Where to go on; left out on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5f1d0c6ba3e84297323032362d31312d3232")]
    next_cursor: Option<String>,
    /// All overrides, whatever became of them.
    overrides: Vec<OverrideAnswer>,
    /// All objections to its records.
    objections: Vec<ObjectionAnswer>,
    /// All merges of the id and into it.
    merges: Vec<MergeAnswer>,
}

impl TierHistoryAnswer {
    /// As it stands on `day`, with a cursor if it goes on.
    pub(crate) fn on(day: Date, history: TierHistory, next_cursor: Option<String>) -> Self {
        let TierHistory {
            enterprise_id,
            spells,
            overrides,
            objections,
            merges,
        } = history;
        Self {
            enterprise_id: enterprise_id.into(),
            items: spells.into_iter().map(Into::into).collect(),
            next_cursor,
            overrides: overrides
                .into_iter()
                .map(|one| OverrideAnswer::on(day, one))
                .collect(),
            objections: objections
                .into_iter()
                .map(|one| ObjectionAnswer::on(day, one))
                .collect(),
            merges: merges.into_iter().map(Into::into).collect(),
        }
    }
}

/// A time during which an enterprise had one tier.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierSpellAnswer {
    /// The tier.
    tier: Tier,
    /// The points behind it, when it was last computed.
    #[schema(example = 120, minimum = 0, maximum = 1000)]
    points: u16,
    /// The first day on which it held.
    #[schema(format = Date, example = "2026-10-05")]
    from_on: String,
    /// The first day on which it held no more; left out for the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2026-11-22")]
    until_on: Option<String>,
    /// Which files and statistics gave it at its end, or give it at present.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0123456789abcdef")]
    epoch: Option<String>,
    /// All that happened on the day on which it came to hold.
    brought_by: Vec<TierCause>,
}

impl From<TierSpell> for TierSpellAnswer {
    fn from(spell: TierSpell) -> Self {
        let TierSpell {
            tier,
            points,
            from_on,
            until_on,
            epoch,
            brought_by,
        } = spell;
        Self {
            tier: tier.into(),
            points,
            from_on: from_on.to_string(),
            until_on: until_on.map(|day| day.to_string()),
            epoch: epoch.map(|epoch| epoch.to_string()),
            brought_by: brought_by.into_iter().map(Into::into).collect(),
        }
    }
}

/// Something that happened on the day on which a tier came to hold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierCause {
    /// What sort of thing.
    what: CauseKind,
    /// Which: a record as `source/record_id`, otherwise an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "penalties/P-2026-0042")]
    subject: Option<String>,
}

impl From<Cause> for TierCause {
    fn from(cause: Cause) -> Self {
        let Cause { kind, subject } = cause;
        Self {
            what: kind.into(),
            subject,
        }
    }
}
