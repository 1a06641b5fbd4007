//! The records of one fictional enterprise.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::behaviour::{
    BAD_LINK, COMPLAINTS_BY_SIZE, COMPLAINTS_PER_YEAR, PLATFORM_CHANCE, PLATFORM_COMPLAINTS,
    REPAIRED, REPEATED_PARTY, REPORTS_PER_COMPLAINT, UNDECIDED,
};
use super::enterprise::{Identity, Made};
use super::{BenchOptions, life, links};
use crate::domain::rng::SeededRng;
use crate::domain::{
    EnterpriseSize, FieldError, Label, Record, RecordDefaults, RecordDraft, RecordKind, Severity,
    dates,
};

/// History reaches back three years, the longest window.
const HISTORY_DAYS: u64 = 1_095;

const DAYS_PER_YEAR: f64 = 365.0;

/// Makes all records of an enterprise, in order of day.
pub(super) fn make(
    options: &BenchOptions,
    index: u64,
    made: &Made,
) -> Result<Vec<Record>, FieldError> {
    let mut maker = Maker::new(options, index, made, "records");
    maker.penalties();
    maker.listings();
    maker.complaints();
    maker.inspections();
    maker.misconduct();
    maker.annual_reports();
    maker.changes();
    maker.permit();
    maker.courts_and_taxes();
    maker.bad_links(options);
    maker.finish()
}

/// Makes the links of an enterprise to addresses, persons and other enterprises.
pub(super) fn make_links(
    options: &BenchOptions,
    index: u64,
    made: &Made,
) -> Result<Vec<Record>, FieldError> {
    let mut maker = Maker::new(options, index, made, "links");
    links::add(&mut maker, options.enterprise_count);
    maker.finish()
}

/// Whether a record says only that an annual report was filed in time.
pub(super) fn is_routine(record: &Record) -> bool {
    let is_plain = record.count == Some(0) && record.codes.len() == 1;
    record.kind == RecordKind::AnnualReport
        && is_plain
        && record.codes.iter().all(|code| code.as_str() == "filed")
}

/// Whether an enterprise is old enough for changes that lie outside every window.
pub(super) fn has_archive(options: &BenchOptions, made: &Made) -> bool {
    archive_days(options, made).is_some()
}

/// The oldest day of the archive, in days ago.
fn archive_days(options: &BenchOptions, made: &Made) -> Option<u64> {
    let age = u64::try_from(dates::days_between(made.established_on, options.as_of)).ok()?;
    Some(age.min(3_650)).filter(|oldest| *oldest >= HISTORY_DAYS + 60)
}

/// Adds `wanted` changes of registration that are too old for any window, before all other records.
pub(super) fn fill_up(
    options: &BenchOptions,
    index: u64,
    made: &Made,
    wanted: u64,
    records: &mut Vec<Record>,
) -> Result<(), FieldError> {
    let Some(oldest) = archive_days(options, made).filter(|_| wanted > 0) else {
        return Ok(());
    };
    let mut maker = Maker::new(options, index, made, "old changes");
    for _ in 0..wanted {
        let days_ago = HISTORY_DAYS + 45 + maker.rng.below(oldest - HISTORY_DAYS - 45 + 1);
        let day = maker.days_ago(days_ago);
        maker.push(
            "registry_archive",
            RecordKind::RegistrationChange,
            day,
            |_| {},
        );
    }
    let mut filled = maker.finish()?;
    // Repeated rows count like any other, so that as many come about as were wanted.
    filled.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    records.splice(0..0, filled);
    Ok(())
}

/// Makes the records of one enterprise, each kind in its turn.
pub(super) struct Maker<'a> {
    pub(super) rng: SeededRng,
    options: &'a BenchOptions,
    as_of: Date,
    index: u64,
    made: &'a Made,
    drafts: Vec<RecordDraft>,
}

impl<'a> Maker<'a> {
    fn new(options: &'a BenchOptions, index: u64, made: &'a Made, purpose: &str) -> Self {
        Self {
            rng: SeededRng::new(options.seed, &format!("bench {purpose} {index}")),
            options,
            as_of: options.as_of,
            index,
            made,
            drafts: Vec::new(),
        }
    }

    fn finish(self) -> Result<Vec<Record>, FieldError> {
        let source = Label::parse("bench")
            .map_err(|error| FieldError::new("source", "bench", error.to_string()))?;
        let defaults = RecordDefaults {
            source,
            known_on: self.as_of,
        };
        let parsed = life::live(self.options, self.index, self.drafts)
            .into_iter()
            .map(|draft| Record::parse(draft, &defaults));
        let mut records = parsed.collect::<Result<Vec<_>, _>>()?;
        // The sort is stable, so records of one day keep the order in which they were made.
        records.sort_by_key(|record| record.occurred_on);
        Ok(records)
    }

    fn days_ago(&self, days: u64) -> Date {
        dates::add_days(self.as_of, -i32::try_from(days).unwrap_or(i32::MAX))
    }

    /// A day within the last `days`.
    fn day_within(&mut self, days: u64) -> Date {
        let days_ago = self.rng.below(days);
        self.days_ago(days_ago)
    }

    /// A gamma–Poisson count with shape 1, that is geometric, of the given mean.
    fn count(&mut self, mean: f64) -> u64 {
        let more = mean / (1.0 + mean);
        let mut count = 0;
        while count < 5_000 && self.rng.chance(more) {
            count += 1;
        }
        count
    }

    /// How many of something with a yearly rate fall into the history.
    fn count_in_history(&mut self, per_year: f64) -> u64 {
        self.count(per_year * HISTORY_DAYS as f64 / DAYS_PER_YEAR)
    }

    /// Adds a record unless it would lie before the founding or become known after the as-of day.
    fn push(
        &mut self,
        source: &str,
        kind: RecordKind,
        day: Date,
        fill: impl FnOnce(&mut RecordDraft),
    ) {
        let delay = i32::try_from(1 + self.rng.below(15)).unwrap_or(1);
        let known_on = dates::add_days(day, delay);
        if day < self.made.established_on || known_on > self.as_of {
            return;
        }
        let mut draft = RecordDraft {
            record_id: format!("{}-{}-{}", kind.as_str(), self.index, self.drafts.len()),
            enterprise_id: self.made.enterprise.enterprise_id.to_string(),
            source: Some(source.to_owned()),
            kind: kind.to_string(),
            occurred_on: day.to_string(),
            known_on: Some(known_on.to_string()),
            ..RecordDraft::default()
        };
        fill(&mut draft);
        self.drafts.push(draft);
    }

    fn penalties(&mut self) {
        let behaviour = self.made.behaviour;
        let by_severity = [
            (Severity::Minor, behaviour.minor_penalties, "warning", 0),
            (
                Severity::General,
                behaviour.general_penalties,
                "fine",
                30_000,
            ),
            (
                Severity::Serious,
                behaviour.serious_penalties,
                "aggravated_fine",
                800_000,
            ),
        ];
        for (severity, per_year, code, largest_fine) in by_severity {
            for _ in 0..self.count_in_history(per_year) {
                let day = self.day_within(HISTORY_DAYS);
                self.penalty(severity, day, code, largest_fine);
            }
        }
    }

    fn penalty(&mut self, severity: Severity, day: Date, code: &str, largest_fine: u64) {
        let fine = (largest_fine > 0).then(|| self.rng.below(largest_fine) as f64 + 500.0);
        // Serious penalties can be repaired after a year at the earliest, others after three months.
        let earliest = if severity == Severity::Serious {
            365
        } else {
            90
        };
        let repaired_on = dates::add_days(
            day,
            earliest + i32::try_from(self.rng.below(90)).unwrap_or(0),
        );
        let repaired = self.rng.chance(REPAIRED) && repaired_on <= self.as_of;
        self.push("market_regulator", RecordKind::Penalty, day, |draft| {
            draft.severity = Some(severity.to_string());
            draft.amount_cny = fine;
            draft.codes = vec![code.to_owned()];
            draft.repaired_on = repaired.then(|| repaired_on.to_string());
        });
    }

    fn listings(&mut self) {
        let behaviour = self.made.behaviour;
        let reason = match self.rng.below(100) {
            0..=54 => "annual_report",
            55..=91 => "unreachable",
            92..=95 => "concealment",
            _ => "publicity",
        };
        let reason = vec![reason.to_owned()];
        if self.made.abnormal_now {
            let age = u64::try_from(dates::days_between(self.made.established_on, self.as_of))
                .unwrap_or(0);
            let days_ago = 20 + self.rng.below(age.min(900).saturating_sub(20).max(1));
            let day = self.days_ago(days_ago);
            self.push(
                "market_regulator",
                RecordKind::AbnormalListing,
                day,
                |draft| draft.codes = reason,
            );
        } else if self.rng.chance(behaviour.abnormal_before) {
            let days_ago = 200 + self.rng.below(HISTORY_DAYS - 200);
            let (day, stay) = (self.days_ago(days_ago), 30 + self.rng.below(150));
            let ended_on = dates::add_days(day, i32::try_from(stay).unwrap_or(30));
            let repaired = self.rng.chance(REPAIRED);
            self.push(
                "market_regulator",
                RecordKind::AbnormalListing,
                day,
                |draft| {
                    draft.codes = reason;
                    draft.ended_on = Some(ended_on.to_string());
                    draft.repaired_on = repaired.then(|| ended_on.to_string());
                },
            );
        }
        // A listing or an order follows a serious penalty of the same day.
        if self.rng.chance(behaviour.serious_listing_now) {
            let days_ago = 30 + self.rng.below(900);
            let day = self.days_ago(days_ago);
            self.penalty(Severity::Serious, day, "revoked_permit", 1_000_000);
            self.push(
                "market_regulator",
                RecordKind::SeriousViolationListing,
                day,
                |draft| {
                    draft.severity = Some(Severity::Serious.to_string());
                },
            );
        }
        if self.rng.chance(behaviour.stop_order_now) {
            let day = self.day_within(400);
            self.penalty(Severity::Serious, day, "stop_production", 500_000);
            self.push("market_regulator", RecordKind::StopOrder, day, |draft| {
                draft.severity = Some(Severity::Serious.to_string());
            });
        }
    }

    fn complaints(&mut self) {
        let size = match self.made.enterprise.size {
            EnterpriseSize::Micro | EnterpriseSize::Unknown => COMPLAINTS_BY_SIZE[0],
            EnterpriseSize::Small => COMPLAINTS_BY_SIZE[1],
            EnterpriseSize::Medium => COMPLAINTS_BY_SIZE[2],
            EnterpriseSize::Large => COMPLAINTS_BY_SIZE[3],
        };
        let is_platform = self.made.industry.code == "I6432" && self.rng.chance(PLATFORM_CHANCE);
        let per_year = if is_platform {
            PLATFORM_COMPLAINTS
        } else {
            COMPLAINTS_PER_YEAR
                * size
                * self.made.industry.complaints
                * self.made.behaviour.complaints
        };
        for kind in [RecordKind::Complaint, RecordKind::Report] {
            let share = if kind == RecordKind::Report {
                REPORTS_PER_COMPLAINT
            } else {
                1.0
            };
            let mut party = String::new();
            for _ in 0..self.count_in_history(per_year * share) {
                if party.is_empty() || !self.rng.chance(REPEATED_PARTY) {
                    party = format!("party-{:012x}", self.rng.next_u64() >> 16);
                }
                let day = self.day_within(HISTORY_DAYS);
                let undecided = self.rng.chance(UNDECIDED);
                let upheld = self.rng.chance(self.made.behaviour.upheld);
                let severe = upheld && self.rng.chance(0.1);
                let party = party.clone();
                self.push("12315", kind, day, |draft| {
                    draft.upheld = (!undecided).then_some(upheld);
                    draft.severity = (severe && !undecided).then(|| Severity::Serious.to_string());
                    draft.party = Some(party);
                });
            }
        }
    }

    fn inspections(&mut self) {
        let behaviour = self.made.behaviour;
        for _ in 0..self.count_in_history(behaviour.inspections) {
            let day = self.day_within(HISTORY_DAYS);
            let found = self.rng.chance(behaviour.problem_found);
            // Result codes of the national double-random platform.
            let code = match (found, self.rng.below(100)) {
                (false, 0..=95) => "1",
                (false, _) => "F",
                (true, 0..=54) => "E",
                (true, 55..=74) => "6",
                (true, 75..=91) => "B",
                (true, 92..=96) => "C",
                (true, _) => "8",
            };
            self.push("double_random", RecordKind::Inspection, day, |draft| {
                draft.codes = vec![code.to_owned()];
                draft.item_code = Some("general".to_owned());
            });
        }
    }

    fn misconduct(&mut self) {
        let behaviour = self.made.behaviour;
        let licensed = self.made.industry.permit.is_some();
        let kinds = [
            (
                RecordKind::SamplingFailure,
                if licensed {
                    behaviour.misconduct
                } else {
                    behaviour.misconduct * 0.25
                },
            ),
            (RecordKind::CoerciveMeasure, behaviour.misconduct * 0.5),
            (RecordKind::PromiseBroken, behaviour.misconduct),
            (RecordKind::PublicityFailure, behaviour.misconduct),
        ];
        for (kind, per_year) in kinds {
            for _ in 0..self.count_in_history(per_year) {
                let day = self.day_within(HISTORY_DAYS);
                self.push("market_regulator", kind, day, |_| {});
            }
        }
        for _ in 0..self.count_in_history(behaviour.adverse_media) {
            let day = self.day_within(HISTORY_DAYS);
            self.push("media_watch", RecordKind::AdverseMedia, day, |_| {});
        }
        for _ in 0..self.count_in_history(behaviour.commendations) {
            let day = self.day_within(HISTORY_DAYS);
            self.push("market_regulator", RecordKind::Commendation, day, |_| {});
        }
        if self.rng.chance(behaviour.accident) {
            let day = self.day_within(HISTORY_DAYS);
            self.push("emergency_office", RecordKind::Accident, day, |draft| {
                draft.severity = Some(Severity::Serious.to_string());
            });
        }
    }

    /// The reports of the last three seasons (1 January to 30 June), due from the year after the founding.
    fn annual_reports(&mut self) {
        let behaviour = self.made.behaviour;
        let last_season = if self.as_of.month() >= 7 {
            self.as_of.year()
        } else {
            self.as_of.year() - 1
        };
        let all_zero = self.rng.chance(behaviour.report_all_zero);
        for season in (last_season - 2)..=last_season {
            if self.made.established_on.year() >= season {
                continue;
            }
            let due = date(season, 7, 1);
            if self.rng.chance(behaviour.report_missing) {
                self.push("annual_reports", RecordKind::AnnualReport, due, |draft| {
                    draft.codes = vec!["missing".to_owned()];
                });
                continue;
            }
            let untidy = self.rng.chance(behaviour.report_late);
            let late = untidy && self.rng.chance(0.6);
            let offset = i32::try_from(self.rng.below(if late { 120 } else { 181 })).unwrap_or(0);
            let day = if late {
                dates::add_days(due, offset)
            } else {
                dates::add_days(date(season, 1, 1), offset)
            };
            let edits = if untidy && !late { 2 } else { 0 };
            self.push("annual_reports", RecordKind::AnnualReport, day, |draft| {
                draft.codes = vec![if late { "late" } else { "filed" }.to_owned()];
                if all_zero {
                    draft.codes.push("all_zero".to_owned());
                }
                draft.count = Some(edits);
            });
        }
    }

    fn changes(&mut self) {
        for _ in 0..self.count_in_history(self.made.behaviour.registration_changes) {
            let day = self.day_within(HISTORY_DAYS);
            self.push("registry", RecordKind::RegistrationChange, day, |_| {});
        }
    }

    /// A permit of five years; one that has run out was not renewed.
    fn permit(&mut self) {
        let Some(item) = self.made.industry.permit else {
            return;
        };
        let lapsed = self.rng.chance(self.made.behaviour.permit_lapsed);
        let term_days = 1_826;
        let earliest = if lapsed { term_days + 10 } else { 10 };
        let age =
            u64::try_from(dates::days_between(self.made.established_on, self.as_of)).unwrap_or(0);
        let latest = if lapsed {
            term_days + 700
        } else {
            term_days - 30
        };
        if age <= earliest {
            return;
        }
        let days_ago = earliest + self.rng.below(age.min(latest) - earliest);
        let day = self.days_ago(days_ago);
        let ended_on = dates::add_days(day, i32::try_from(term_days).unwrap_or(0));
        self.push("permits", RecordKind::Permit, day, |draft| {
            draft.item_code = Some(item.to_owned());
            draft.ended_on = Some(ended_on.to_string());
        });
    }

    fn courts_and_taxes(&mut self) {
        let behaviour = self.made.behaviour;
        let kinds = [
            (
                RecordKind::JudgmentDefault,
                behaviour.judgment_now,
                "court",
                1_000,
            ),
            (
                RecordKind::TaxAbnormal,
                behaviour.tax_now,
                "tax_office",
                600,
            ),
            (
                RecordKind::EquityFreeze,
                behaviour.equity_freeze,
                "court",
                700,
            ),
        ];
        for (kind, chance, source, days) in kinds {
            if self.rng.chance(chance) {
                let day = self.day_within(days);
                self.push(source, kind, day, |_| {});
            }
            // Some have been settled since.
            if self.rng.chance(chance * 0.4) {
                let day = self.day_within(HISTORY_DAYS);
                let ended_on = day.checked_add(4.months()).unwrap_or(day);
                self.push(source, kind, day, |draft| {
                    draft.ended_on = Some(ended_on.to_string())
                });
            }
        }
    }

    /// Adds a link to what has this key.
    pub(super) fn link(&mut self, codes: &[&str], key: &str) {
        let age = dates::days_between(self.made.established_on, self.as_of);
        let day = self.day_within(u64::try_from(age).unwrap_or(0).clamp(1, 3_650));
        self.push("link_register", RecordKind::Link, day, |draft| {
            draft.codes = codes.iter().map(|code| (*code).to_owned()).collect();
            draft.related_id = Some(key.to_owned());
        });
    }

    /// Adds a link to the enterprise at `other`, unless it is this one.
    pub(super) fn link_to(&mut self, codes: &[&str], other: u64) {
        if other != self.index
            && let Ok(related) = Identity::of(self.options, other).id()
        {
            self.link(codes, related.as_str());
        }
    }

    /// Links to persons and enterprises of which something bad is known.
    fn bad_links(&mut self, options: &BenchOptions) {
        let chance = BAD_LINK
            .get(self.made.behaviour_rank)
            .copied()
            .unwrap_or(0.0);
        for codes in [
            ["legal_representative", "judgment_default"],
            ["shareholder", "serious_violation"],
        ] {
            if !self.rng.chance(chance) {
                continue;
            }
            let other = self.rng.below(options.enterprise_count);
            let day = self.day_within(HISTORY_DAYS);
            // A legal representative is a person.
            let related = if codes.contains(&"legal_representative") {
                links::lone_person(self.index)
            } else if let Ok(id) = Identity::of(options, other).id() {
                id.to_string()
            } else {
                continue;
            };
            if other != self.index {
                self.push("registry", RecordKind::Link, day, |draft| {
                    draft.codes = codes.map(str::to_owned).to_vec();
                    draft.related_id = Some(related);
                });
            }
        }
    }
}
