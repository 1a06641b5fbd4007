//! Credit and penalty data: one shape for everything that is known about an enterprise.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::coded::coded_enum;
use super::field::{self, FieldError};
use super::{EnterpriseId, Label};

coded_enum! {
    /// What a record is about.
    RecordKind, "record kind" {
        /// Administrative penalty (行政处罚).
        Penalty = 1 "penalty",
        /// Listing of abnormal operation (经营异常名录).
        AbnormalListing = 2 "abnormal_listing",
        /// Listing of serious violation and dishonesty (严重违法失信名单).
        SeriousViolationListing = 3 "serious_violation_listing",
        /// Judgment defaulter (失信被执行人).
        JudgmentDefault = 4 "judgment_default",
        /// Complaint of a consumer (投诉).
        Complaint = 5 "complaint",
        /// Report of a violation (举报).
        Report = 6 "report",
        /// An inspection and its result codes.
        Inspection = 7 "inspection",
        /// A product that failed sampling (抽检不合格).
        SamplingFailure = 8 "sampling_failure",
        /// Coercive measure (行政强制).
        CoerciveMeasure = 9 "coercive_measure",
        /// Accident.
        Accident = 10 "accident",
        /// Annual report: codes `filed`, `late`, `missing`, `all_zero`; `count` is the number of edits.
        AnnualReport = 11 "annual_report",
        /// Information due at once was not published (即时信息未公示).
        PublicityFailure = 12 "publicity_failure",
        /// A change of registration.
        RegistrationChange = 13 "registration_change",
        /// A permit; `item_code` names it, `ended_on` is its last day plus one.
        Permit = 14 "permit",
        /// Frozen equity or defaulted mortgage.
        EquityFreeze = 15 "equity_freeze",
        /// Tax non-normal or in arrears.
        TaxAbnormal = 16 "tax_abnormal",
        /// Adverse media report.
        AdverseMedia = 17 "adverse_media",
        /// Commendation or award.
        Commendation = 18 "commendation",
        /// A broken promise (违诺).
        PromiseBroken = 19 "promise_broken",
        /// A link to another enterprise or person; codes say which and what is known of it.
        Link = 20 "link",
        /// Order to stop production or business, to close, or revocation of a permit or licence.
        StopOrder = 21 "stop_order",
    }
}

coded_enum! {
    /// Severity of a record (NDRC credit-repair measures, in force 2026-04-01).
    Severity, "severity" {
        /// Minor (轻微).
        Minor = 1 "minor",
        /// General (一般).
        General = 2 "general",
        /// Serious (严重).
        Serious = 3 "serious",
    }
}

/// One version of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it comes from; ids are unique within a source.
    pub source: Label,
    /// Its id at the source; makes ingestion idempotent.
    pub record_id: String,
    /// Whom it is about.
    pub enterprise_id: EnterpriseId,
    /// What it is about.
    pub kind: RecordKind,
    /// The day it happened or began.
    pub occurred_on: Date,
    /// The day a listing was removed, a judgment satisfied, a permit ran out. From this day on it is not in force.
    pub ended_on: Option<Date>,
    /// How severe it is.
    pub severity: Option<Severity>,
    /// Amount in hundredths of a yuan (分).
    pub amount_fen: Option<i64>,
    /// A count that the kind defines.
    pub count: Option<u32>,
    /// Whether a complaint or report was upheld; absent while unknown.
    pub upheld: Option<bool>,
    /// Result codes, penalty kinds, listing reasons; sorted, each once.
    pub codes: Vec<Label>,
    /// Check item or permit that it belongs to.
    pub item_code: Option<Label>,
    /// Complainant as a keyed pseudonym, never a name.
    pub party: Option<Label>,
    /// The other enterprise of a link.
    pub related_id: Option<EnterpriseId>,
    /// The day it became known here; nothing computed as of an earlier day may use it.
    pub known_on: Date,
    /// The day it was repaired (信用修复); from then on it may not be used.
    pub repaired_on: Option<Date>,
    /// The day the record itself was found wrong or annulled; from then on it may not be used.
    pub withdrawn_on: Option<Date>,
    /// Free text.
    pub note: Option<String>,
}

/// A record as a caller or file gives it, before any check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordDraft {
    /// See [`Record::record_id`].
    pub record_id: String,
    /// See [`Record::enterprise_id`].
    pub enterprise_id: String,
    /// See [`Record::source`]; default from the import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Text code of [`RecordKind`].
    pub kind: String,
    /// ISO date.
    pub occurred_on: String,
    /// ISO date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<String>,
    /// Text code of [`Severity`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Amount in yuan, at most two decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_cny: Option<f64>,
    /// See [`Record::count`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// See [`Record::upheld`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upheld: Option<bool>,
    /// See [`Record::codes`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// See [`Record::item_code`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_code: Option<String>,
    /// See [`Record::party`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// See [`Record::related_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related_id: Option<String>,
    /// ISO date; default the day of import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_on: Option<String>,
    /// ISO date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_on: Option<String>,
    /// ISO date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_on: Option<String>,
    /// See [`Record::note`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a draft leaves to its surroundings.
#[derive(Clone, Debug)]
pub struct RecordDefaults {
    /// Source of records that name none.
    pub source: Label,
    /// The day of import: `known_on` of records that name none.
    pub known_on: Date,
}

impl Record {
    /// Checks a draft; the error names the first field that is wrong.
    ///
    /// A record may be known only on or after the day it occurred, and ends, is repaired or withdrawn only on or after
    /// that day.
    pub fn parse(draft: RecordDraft, defaults: &RecordDefaults) -> Result<Self, FieldError> {
        let occurred_on = field::date("occurred_on", draft.occurred_on.trim())?;
        let not_before = |name: &str, value: Option<&str>| -> Result<Option<Date>, FieldError> {
            let day = field::optional(name, value, field::date)?;
            match day {
                Some(day) if day < occurred_on => Err(FieldError::new(
                    name,
                    &day.to_string(),
                    format!("is before `occurred_on` ({occurred_on}); check both dates"),
                )),
                _ => Ok(day),
            }
        };
        let known_on = not_before("known_on", draft.known_on.as_deref())?;
        // Without a stated day a record is known from its import, or from the day it occurs if that is still to come.
        let known_on = known_on.unwrap_or(defaults.known_on.max(occurred_on));
        let mut codes = Vec::with_capacity(draft.codes.len());
        for code in &draft.codes {
            codes.push(field::label("codes", code)?);
        }
        codes.sort();
        codes.dedup();
        Ok(Self {
            source: field::optional("source", draft.source.as_deref(), field::label)?
                .unwrap_or_else(|| defaults.source.clone()),
            record_id: field::text("record_id", &draft.record_id, 1, 128)?,
            enterprise_id: field::enterprise_id("enterprise_id", &draft.enterprise_id)?,
            kind: field::code("kind", draft.kind.trim())?,
            occurred_on,
            ended_on: not_before("ended_on", draft.ended_on.as_deref())?,
            severity: field::optional("severity", draft.severity.as_deref(), field::code)?,
            amount_fen: draft
                .amount_cny
                .map(|yuan| fen("amount_cny", yuan))
                .transpose()?,
            count: draft.count,
            upheld: draft.upheld,
            codes,
            item_code: field::optional("item_code", draft.item_code.as_deref(), field::label)?,
            party: field::optional("party", draft.party.as_deref(), field::label)?,
            related_id: field::optional(
                "related_id",
                draft.related_id.as_deref(),
                field::enterprise_id,
            )?,
            known_on,
            repaired_on: not_before("repaired_on", draft.repaired_on.as_deref())?,
            withdrawn_on: not_before("withdrawn_on", draft.withdrawn_on.as_deref())?,
            note: field::optional("note", draft.note.as_deref(), |name, text| {
                field::text(name, text, 0, 2_000)
            })?,
        })
    }

    /// The draft that parses to this record; used for export.
    pub fn to_draft(&self) -> RecordDraft {
        RecordDraft {
            record_id: self.record_id.clone(),
            enterprise_id: self.enterprise_id.to_string(),
            source: Some(self.source.to_string()),
            kind: self.kind.to_string(),
            occurred_on: self.occurred_on.to_string(),
            ended_on: self.ended_on.map(|day| day.to_string()),
            severity: self.severity.map(|severity| severity.to_string()),
            amount_cny: self.amount_fen.map(|fen| fen as f64 / 100.0),
            count: self.count,
            upheld: self.upheld,
            codes: self.codes.iter().map(ToString::to_string).collect(),
            item_code: self.item_code.as_ref().map(ToString::to_string),
            party: self.party.as_ref().map(ToString::to_string),
            related_id: self.related_id.as_ref().map(ToString::to_string),
            known_on: Some(self.known_on.to_string()),
            repaired_on: self.repaired_on.map(|day| day.to_string()),
            withdrawn_on: self.withdrawn_on.map(|day| day.to_string()),
            note: self.note.clone(),
        }
    }

    /// Whether the record may be used as of `day`: it has occurred, is known, and is neither repaired nor withdrawn.
    pub fn counts_on(&self, day: Date) -> bool {
        self.occurred_on <= day
            && self.known_on <= day
            && self.repaired_on.is_none_or(|repaired| day < repaired)
            && self.withdrawn_on.is_none_or(|withdrawn| day < withdrawn)
    }

    /// Whether a listing, judgment, permit or order is in force on `day`.
    pub fn in_force_on(&self, day: Date) -> bool {
        self.counts_on(day) && self.ended_on.is_none_or(|ended| day < ended)
    }
}

/// Carries repairs and withdrawals forward: what was repaired or withdrawn stays so while later versions are silent about
/// it, so that a source which repeats its rows does not undo them.
///
/// `versions` must be grouped by record and, within a record, ordered by `known_on`.
pub fn carry_amendments(versions: &mut [Record]) {
    let mut earlier: Option<&Record> = None;
    for version in versions {
        if let Some(earlier) = earlier.filter(|earlier| {
            earlier.source == version.source && earlier.record_id == version.record_id
        }) {
            version.repaired_on = version.repaired_on.or(earlier.repaired_on);
            version.withdrawn_on = version.withdrawn_on.or(earlier.withdrawn_on);
        }
        earlier = Some(version);
    }
}

/// Yuan to whole fen; more than two decimals are refused rather than rounded.
fn fen(name: &str, yuan: f64) -> Result<i64, FieldError> {
    let fen = yuan * 100.0;
    let whole = fen.round();
    let exact = yuan.is_finite() && (fen - whole).abs() < 1e-4 && (0.0..=9e15).contains(&whole);
    if exact {
        Ok(whole as i64)
    } else {
        Err(FieldError::new(
            name,
            &yuan.to_string(),
            "is not an amount of at least 0 with two decimals",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn defaults() -> RecordDefaults {
        RecordDefaults {
            source: Label::parse("test").unwrap(),
            known_on: date(2026, 11, 22),
        }
    }

    fn draft() -> RecordDraft {
        RecordDraft {
            record_id: "p-1".into(),
            enterprise_id: "914403001922038216".into(),
            kind: "penalty".into(),
            occurred_on: "2026-05-01".into(),
            ..RecordDraft::default()
        }
    }

    #[test]
    fn a_record_without_known_on_is_known_from_the_import() {
        let record = Record::parse(draft(), &defaults()).unwrap();
        assert_eq!(record.known_on, date(2026, 11, 22));
        assert!(!record.counts_on(date(2026, 11, 21)) && record.counts_on(date(2026, 11, 22)));
    }

    #[test]
    fn a_repaired_record_stops_counting_on_its_day() {
        let record = Record::parse(
            RecordDraft {
                known_on: Some("2026-05-02".into()),
                repaired_on: Some("2026-08-01".into()),
                ..draft()
            },
            &defaults(),
        )
        .unwrap();
        assert!(record.counts_on(date(2026, 7, 31)) && !record.counts_on(date(2026, 8, 1)));
    }

    #[test]
    fn a_later_version_that_is_silent_about_a_repair_stays_repaired() {
        let version = |id: &str, known: &str, repaired: Option<&str>| {
            let draft = RecordDraft {
                record_id: id.into(),
                known_on: Some(known.into()),
                repaired_on: repaired.map(str::to_owned),
                ..draft()
            };
            Record::parse(draft, &defaults()).unwrap()
        };
        let mut versions = [
            version("a", "2026-05-02", None),
            version("a", "2026-06-01", Some("2026-06-01")),
            version("a", "2026-07-01", None),
            version("b", "2026-07-01", None),
        ];
        carry_amendments(&mut versions);
        let repaired = versions.map(|version| version.repaired_on);
        assert_eq!(
            repaired,
            [None, Some(date(2026, 6, 1)), Some(date(2026, 6, 1)), None]
        );
    }

    #[test]
    fn a_record_that_ended_before_it_began_is_refused_by_name() {
        let error = Record::parse(
            RecordDraft {
                ended_on: Some("2026-04-30".into()),
                ..draft()
            },
            &defaults(),
        )
        .unwrap_err();
        assert_eq!(error.field, "ended_on");
        assert!(error.reason.contains("2026-05-01"), "{error}");
    }

    #[test]
    fn drafts_round_trip() {
        let record = Record::parse(
            RecordDraft {
                amount_cny: Some(1234.5),
                codes: vec!["b".into(), "a".into(), "b".into()],
                upheld: Some(true),
                ..draft()
            },
            &defaults(),
        )
        .unwrap();
        assert_eq!(record.amount_fen, Some(123_450));
        assert_eq!(record.codes.len(), 2);
        assert_eq!(
            Record::parse(record.to_draft(), &defaults()).unwrap(),
            record
        );
    }

    #[test]
    fn stored_numbers_and_words_agree() {
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::from_code(kind.code()), Some(*kind));
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        assert!("fine".parse::<RecordKind>().is_err());
    }
}
