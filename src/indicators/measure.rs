//! How a value is measured, as a declaration that analysts write.

use serde::{Deserialize, Serialize};

use crate::domain::{Label, Record, RecordKind, Severity};

/// What to measure about one enterprise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// An aggregate over the enterprise's own records of one kind.
    Records(RecordMeasure),
    /// A number from the enterprise's attributes; missing where it has none.
    Attribute {
        /// Name of the attribute.
        name: Label,
    },
    /// Completed months since founding, at most `cap`; missing where the day of founding is unknown.
    AgeMonths {
        /// Beyond this age nothing changes any more.
        cap: u16,
    },
    /// 1 if the industry lies in one of the scopes, 0 if not; missing where the industry is unknown.
    Industry {
        /// GB/T 4754 prefixes, or whole labels of another system.
        scopes: Vec<Label>,
    },
    /// A statistic across enterprises; see [`RegisterStatistic`] for which are frozen per run and which are live.
    Register {
        /// Which statistic.
        statistic: RegisterStatistic,
        /// Of [`RegisterStatistic::ComplaintShareBelow`]: peers are the narrowest circle with at least so many, by
        /// default 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        least_peers: Option<u32>,
    },
}

/// Statistics that look across enterprises.
///
/// Three are *frozen*: a run over the register counts them, and they stay as counted until the next one; without a run
/// they are missing. Two are *live*: they follow the linked enterprises at once. Enterprises that are cancelled,
/// revoked or moved out are nobody's peer and are not counted; they may themselves be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisterStatistic {
    /// Frozen: number of enterprises at the same address, itself among them; missing where no link names an address.
    /// Of several addresses the most crowded counts.
    SameAddress,
    /// Frozen: share of peers (industry × size) with strictly fewer complaints in 12 months; missing without a complaint.
    ComplaintShareBelow,
    /// Live: 1 if a linked enterprise is in tier D or on the serious-violation list, 0 if none is.
    LinkedHighRisk,
    /// Frozen: number of enterprises of its legal representative, itself among them; missing where no link names one.
    EnterprisesPerPerson,
    /// Live: number of linked enterprises cancelled within 12 months.
    LinkedCancellations,
}

impl RegisterStatistic {
    /// Whether a run over the register has to count it.
    pub fn is_frozen(self) -> bool {
        match self {
            Self::SameAddress | Self::ComplaintShareBelow | Self::EnterprisesPerPerson => true,
            Self::LinkedHighRisk | Self::LinkedCancellations => false,
        }
    }
}

/// An aggregate over records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordMeasure {
    /// Kind of the records.
    pub kind: RecordKind,
    /// Alternatives, any of which a record must meet; none means every record of the kind.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<RecordFilter>,
    /// A record counts from `occurred_on` for this many months; absent means for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_months: Option<u16>,
    /// What is computed from the records that count.
    pub aggregate: Aggregate,
    /// Values above this are cut to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<u32>,
}

/// What is computed from the records that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Their number.
    Count,
    /// Their number, each at weight 1 in the first half of the window and ½ in the second, by the decay clock.
    DecayedCount,
    /// The sum of `amount_cny`; missing if one of them has none.
    SumAmount,
    /// The sum of `count`, where absent 1.
    SumCount,
    /// The largest `amount_cny`; missing if one of them has none, 0 without records.
    MaxAmount,
    /// Days since the latest of them; missing without records.
    DaysSince,
    /// The number in force: not ended. Windows do not apply to what is in force.
    InForce,
    /// The number that ended, counted in the window from `ended_on`.
    Ended,
    /// 1 if the latest record of the kind in the window meets the filter, 0 if not; missing without records of the kind.
    Latest,
    /// How many of the latest records of the kind in the window meet the filter without a break.
    Streak,
    /// The number of `item_code`s whose last record ended, with none in force.
    Lapsed,
    /// Surge: the number in the last 90 days over what the rest of the window would lead one to expect in 90 days (at
    /// least 1); 0 below three in the last 90 days.
    Surge,
}

/// Conditions on one record; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFilter {
    /// Only this severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Only this source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Label>,
    /// At least one of these codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any_code: Vec<Label>,
    /// Every one of these codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_codes: Vec<Label>,
    /// At least one code, and none but these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_codes: Vec<Label>,
    /// `count` at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_count: Option<u32>,
    /// `amount_cny` at least this many yuan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_amount_cny: Option<u32>,
    /// Upheld or not; records where this is unknown never match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upheld: Option<bool>,
}

impl RecordMeasure {
    /// Whether the record is of the kind and meets a filter.
    pub fn selects(&self, record: &Record) -> bool {
        record.kind == self.kind
            && (self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(record)))
    }
}

impl RecordFilter {
    fn matches(&self, record: &Record) -> bool {
        let has = |code: &Label| record.codes.binary_search(code).is_ok();
        self.severity
            .is_none_or(|severity| record.severity == Some(severity))
            && self
                .source
                .as_ref()
                .is_none_or(|source| record.source == *source)
            && (self.any_code.is_empty() || self.any_code.iter().any(has))
            && self.all_codes.iter().all(has)
            && (self.only_codes.is_empty()
                || (!record.codes.is_empty()
                    && record
                        .codes
                        .iter()
                        .all(|code| self.only_codes.contains(code))))
            && self
                .min_count
                .is_none_or(|min| record.count.is_some_and(|count| count >= min))
            && self.min_amount_cny.is_none_or(|min| {
                record
                    .amount_fen
                    .is_some_and(|fen| fen >= i64::from(min) * 100)
            })
            && self
                .upheld
                .is_none_or(|upheld| record.upheld == Some(upheld))
    }
}
