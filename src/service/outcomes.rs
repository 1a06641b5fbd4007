//! What came true: what inspections found, and what later ones found by tier.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::{Service, ServiceError};
use crate::domain::dates::days_between;
use crate::domain::{AsOf, Label, Record, RecordKind, Tier};
use crate::files::mapping::Outcome;
use crate::model::evaluation::wilson;
use crate::model::table::MAX_OUTCOME;
use jiff::civil::Date;

/// The format of outcome files that this build reads.
const FORMAT: &str = "risktier-outcomes/1";

/// The rules that are compiled in.
const DEFAULT: &str = include_str!("../../models/outcomes.toml");

/// Which records are inspections, and what their result codes say: 0 nothing was found, up to 3 the worst.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRule {
    /// Kind of the records.
    pub kind: RecordKind,
    /// Their sources; none means any.
    pub sources: Vec<Label>,
    /// What the result codes say; of several codes the worst counts.
    pub codes: BTreeMap<Label, u8>,
    /// What a record without any of the codes says; absent means that it says nothing.
    pub otherwise: Option<u8>,
    /// Whether outcomes are 0 and 1 only: anything found counts alike.
    pub is_binary: bool,
    /// Inspections with one of these codes came about for a reason, such as a complaint.
    pub apart_codes: Vec<Label>,
    /// So did those of these sources.
    pub apart_sources: Vec<Label>,
    /// Inspections of one enterprise within so many days of the first are one visit.
    pub visit_days: u16,
}

/// The TOML of an outcome rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeFile {
    format: String,
    kind: String,
    #[serde(default)]
    sources: Vec<Label>,
    #[serde(default)]
    visit_days: u16,
    #[serde(default)]
    scale: Scale,
    otherwise: Option<u8>,
    codes: BTreeMap<Label, u8>,
    #[serde(default)]
    apart: Apart,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scale {
    #[default]
    Binary,
    Ordinal,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Apart {
    #[serde(default)]
    codes: Vec<Label>,
    #[serde(default)]
    sources: Vec<Label>,
}

/// Why an outcome rule cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeError {
    /// Not TOML of its shape.
    #[error("the outcome rule cannot be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Written for another release.
    #[error("the outcome rule has format `{0}`; this release reads `{FORMAT}`")]
    Format(String),
    /// A part of it is wrong.
    #[error("the outcome rule has a wrong `{place}`: `{value}` {reason}")]
    Wrong {
        /// Where.
        place: &'static str,
        /// What stands there.
        value: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

impl From<&Outcome> for OutcomeRule {
    fn from(outcome: &Outcome) -> Self {
        Self {
            kind: outcome.kind,
            sources: outcome.source.iter().cloned().collect(),
            codes: BTreeMap::from([(outcome.code.clone(), 1)]),
            otherwise: Some(0),
            is_binary: true,
            apart_codes: Vec::new(),
            apart_sources: Vec::new(),
            visit_days: 0,
        }
    }
}

/// One visit to one enterprise: one or more inspection records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    /// Its first day.
    pub(super) first_day: Date,
    /// Its last day.
    pub(super) last_day: Date,
    /// The worst that it found; nothing where no code says.
    pub(super) outcome: Option<u8>,
    /// Whether it came about for a reason.
    pub(super) is_apart: bool,
    /// Codes that no rule names.
    pub(super) unknown: BTreeSet<Label>,
}

/// What the first inspection after the day found in one tier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TierOutcome {
    /// The tier as of the day.
    pub tier: Tier,
    /// Enterprises with an inspection after the day.
    pub inspected: u64,
    /// Of these, how many had a problem at the first one.
    pub found: u64,
    /// `found / inspected`; 0 without any.
    pub rate: f64,
    /// Wilson interval of the rate at 95 %.
    pub interval: (f64, f64),
}

impl Service {
    /// Classifies the register as of a day and counts what the first inspection of each enterprise after it found.
    ///
    /// One inspection per enterprise, so that the counts are of independent enterprises and the interval holds.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn later_outcomes(
        &self,
        as_of: AsOf,
        rule: &OutcomeRule,
    ) -> Result<Vec<TierOutcome>, ServiceError> {
        let mut counts: BTreeMap<Tier, (u64, u64)> =
            Tier::ALL.iter().map(|tier| (*tier, (0, 0))).collect();
        self.classify_register(as_of, &mut |_, versions, classification| {
            let first = rule.first_after(versions, as_of.day);
            if let (Some((_, found)), Some(count)) = (first, counts.get_mut(&classification.tier)) {
                count.0 += 1;
                count.1 += u64::from(found);
            }
        })?;
        Ok(counts
            .into_iter()
            .map(|(tier, (inspected, found))| TierOutcome {
                tier,
                inspected,
                found,
                rate: found as f64 / inspected.max(1) as f64,
                interval: wilson(found as f64, inspected as f64),
            })
            .collect())
    }
}

impl OutcomeRule {
    /// The compiled-in rule: the result codes of the national platform of double-random inspections.
    ///
    /// # Errors
    ///
    /// Never, as long as the compiled-in file is right; a test reads it.
    pub fn compiled_in() -> Result<Self, OutcomeError> {
        Self::from_toml(DEFAULT)
    }

    /// Reads a rule.
    ///
    /// # Errors
    ///
    /// Names what is wrong.
    pub fn from_toml(text: &str) -> Result<Self, OutcomeError> {
        let file: OutcomeFile = toml::from_str(text)?;
        if file.format != FORMAT {
            return Err(OutcomeError::Format(file.format));
        }
        let wrong = |place, value: String, reason: String| OutcomeError::Wrong {
            place,
            value,
            reason,
        };
        let kind = file
            .kind
            .parse()
            .map_err(|error: crate::domain::UnknownCode| {
                wrong("kind", file.kind.clone(), error.to_string())
            })?;
        let levels = file.codes.values().chain(&file.otherwise);
        if let Some(level) = levels.clone().find(|level| **level > MAX_OUTCOME) {
            let reason =
                format!("is not an outcome; write 0 for nothing found, up to {MAX_OUTCOME}");
            return Err(wrong("codes", level.to_string(), reason));
        }
        if !levels.clone().any(|level| *level > 0) {
            let reason = "holds no code of a problem; give one an outcome above 0".to_owned();
            return Err(wrong("codes", String::new(), reason));
        }
        Ok(Self {
            kind,
            sources: file.sources,
            codes: file.codes,
            otherwise: file.otherwise,
            is_binary: matches!(file.scale, Scale::Binary),
            apart_codes: file.apart.codes,
            apart_sources: file.apart.sources,
            visit_days: file.visit_days,
        })
    }

    /// What counts as a problem, in words.
    pub fn words(&self) -> String {
        let problems: Vec<&str> = self
            .codes
            .iter()
            .filter(|(_, level)| **level > 0)
            .map(|(code, _)| code.as_str())
            .collect();
        format!(
            "{} at the first {} after it",
            problems.join(" or "),
            self.kind
        )
    }

    /// The day of the first inspection after a day that says anything, and whether it found a problem. Inspections that
    /// came about for a reason are passed over.
    pub(super) fn first_after(&self, versions: &[Record], day: Date) -> Option<(Date, bool)> {
        let first = versions
            .iter()
            .filter(|record| self.is_inspection(record) && record.occurred_on > day)
            .filter(|record| !self.is_apart(record))
            .filter_map(|record| Some((record, self.outcome_of(record)?)))
            .min_by(|(a, _), (b, _)| {
                (a.occurred_on, &a.record_id).cmp(&(b.occurred_on, &b.record_id))
            });
        first.map(|(record, outcome)| (record.occurred_on, outcome > 0))
    }

    /// The visits among the records of one enterprise, in order of day. Of each record the last version counts that is
    /// known on `known_on`; what was withdrawn by then never took place.
    pub(super) fn visits(&self, versions: &[Record], known_on: Date) -> Vec<Visit> {
        let mut last: BTreeMap<(&Label, &str), &Record> = BTreeMap::new();
        for record in versions {
            if !self.is_inspection(record) || record.known_on > known_on {
                continue;
            }
            let kept = last
                .entry((&record.source, record.record_id.as_str()))
                .or_insert(record);
            if record.known_on >= kept.known_on {
                *kept = record;
            }
        }
        let mut records: Vec<&Record> = last
            .into_values()
            .filter(|record| record.withdrawn_on.is_none_or(|day| day > known_on))
            .collect();
        records.sort_by_key(|record| record.occurred_on);
        let mut visits: Vec<Visit> = Vec::new();
        for record in records {
            let day = record.occurred_on;
            let outcome = self.outcome_of(record);
            let is_apart = self.is_apart(record);
            let unknown: BTreeSet<Label> = record
                .codes
                .iter()
                .filter(|code| !self.codes.contains_key(*code) && !self.apart_codes.contains(code))
                .cloned()
                .collect();
            match visits.last_mut() {
                Some(visit) if days_between(visit.first_day, day) <= i64::from(self.visit_days) => {
                    visit.last_day = day;
                    visit.outcome = visit.outcome.max(outcome);
                    visit.is_apart |= is_apart;
                    visit.unknown.extend(unknown);
                }
                Some(_) | None => visits.push(Visit {
                    first_day: day,
                    last_day: day,
                    outcome,
                    is_apart,
                    unknown,
                }),
            }
        }
        visits
    }

    /// What an inspection found.
    fn outcome_of(&self, record: &Record) -> Option<u8> {
        let worst = record
            .codes
            .iter()
            .filter_map(|code| self.codes.get(code).copied())
            .max()
            .or(self.otherwise)?;
        Some(if self.is_binary { worst.min(1) } else { worst })
    }

    fn is_apart(&self, record: &Record) -> bool {
        self.apart_sources.contains(&record.source)
            || self
                .apart_codes
                .iter()
                .any(|code| record.codes.binary_search(code).is_ok())
    }

    fn is_inspection(&self, record: &Record) -> bool {
        record.kind == self.kind
            && (self.sources.is_empty()
                || self.sources.contains(&record.source)
                || self.apart_sources.contains(&record.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RecordDefaults, RecordDraft};
    use jiff::civil::date;

    fn inspection(id: &str, occurred_on: &str, known_on: &str, codes: &[&str]) -> Record {
        let draft = RecordDraft {
            record_id: id.to_owned(),
            enterprise_id: "E1".to_owned(),
            kind: "inspection".to_owned(),
            occurred_on: occurred_on.to_owned(),
            known_on: Some(known_on.to_owned()),
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            ..RecordDraft::default()
        };
        let defaults = RecordDefaults {
            source: Label::parse("double_random").unwrap(),
            known_on: date(2026, 11, 22),
        };
        Record::parse(draft, &defaults).unwrap()
    }

    #[test]
    fn the_compiled_in_rule_reads_and_tells_the_codes_of_the_national_platform() {
        let rule = OutcomeRule::compiled_in().unwrap();
        let of =
            |codes: &[&str]| rule.outcome_of(&inspection("a", "2026-01-01", "2026-01-02", codes));
        assert_eq!(of(&["1"]), Some(0));
        assert_eq!(of(&["1", "E"]), Some(1));
        assert_eq!(of(&["12"]), None, "moved out: nothing was inspected");
        let ordinal = OutcomeRule {
            is_binary: false,
            ..rule
        };
        assert_eq!(
            ordinal.outcome_of(&inspection("a", "2026-01-01", "2026-01-02", &["E", "8"])),
            Some(3)
        );
    }

    #[test]
    fn records_of_one_visit_are_one_row_and_the_worst_counts() {
        let rule = OutcomeRule {
            visit_days: 3,
            ..OutcomeRule::compiled_in().unwrap()
        };
        let versions = [
            inspection("a", "2026-01-01", "2026-01-02", &["1"]),
            inspection("b", "2026-01-04", "2026-01-05", &["E"]),
            inspection("c", "2026-01-05", "2026-01-06", &["1"]),
        ];
        let visits = rule.visits(&versions, date(2026, 11, 22));
        let told: Vec<_> = visits
            .iter()
            .map(|visit| (visit.first_day, visit.outcome))
            .collect();
        assert_eq!(
            told,
            [(date(2026, 1, 1), Some(1)), (date(2026, 1, 5), Some(0))]
        );
    }

    #[test]
    fn the_last_known_version_counts_and_what_was_withdrawn_does_not() {
        let rule = OutcomeRule::compiled_in().unwrap();
        let mut withdrawn = inspection("b", "2026-02-01", "2026-02-02", &["E"]);
        withdrawn.withdrawn_on = Some(date(2026, 3, 1));
        let versions = [
            inspection("a", "2026-01-01", "2026-01-02", &["1"]),
            inspection("a", "2026-01-01", "2026-01-20", &["E"]),
            withdrawn,
        ];
        let outcomes = |known_on| -> Vec<Option<u8>> {
            let visits = rule.visits(&versions, known_on);
            visits.iter().map(|visit| visit.outcome).collect()
        };
        assert_eq!(outcomes(date(2026, 1, 10)), [Some(0)]);
        assert_eq!(outcomes(date(2026, 2, 10)), [Some(1), Some(1)]);
        assert_eq!(outcomes(date(2026, 11, 22)), [Some(1)]);
    }

    #[test]
    fn visits_for_a_reason_are_marked_and_never_the_first_after_a_day() {
        let rule = OutcomeRule::compiled_in().unwrap();
        let versions = [
            inspection("a", "2026-01-01", "2026-01-02", &["E", "complaint"]),
            inspection("b", "2026-02-01", "2026-02-02", &["1"]),
        ];
        let visits = rule.visits(&versions, date(2026, 11, 22));
        assert_eq!(
            visits
                .iter()
                .map(|visit| visit.is_apart)
                .collect::<Vec<_>>(),
            [true, false]
        );
        assert_eq!(
            rule.first_after(&versions, date(2025, 12, 31)),
            Some((date(2026, 2, 1), false))
        );
    }

    #[test]
    fn a_wrong_rule_is_refused_by_place() {
        for (text, said) in [
            (
                "format = \"risktier-outcomes/9\"\nkind = \"inspection\"\n[codes]\na = 1",
                "risktier-outcomes/1",
            ),
            (
                "format = \"risktier-outcomes/1\"\nkind = \"visit\"\n[codes]\na = 1",
                "`kind`",
            ),
            (
                "format = \"risktier-outcomes/1\"\nkind = \"inspection\"\n[codes]\na = 4",
                "`4`",
            ),
            (
                "format = \"risktier-outcomes/1\"\nkind = \"inspection\"\n[codes]\na = 0",
                "above 0",
            ),
            (
                "format = \"risktier-outcomes/1\"\nkind = \"inspection\"\nx = 1\n[codes]\na = 1",
                "unknown field",
            ),
        ] {
            let error = OutcomeRule::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
