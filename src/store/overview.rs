//! Tiers of many enterprises at once: alerts, migrations and summaries, and the log of what was in force.

use jiff::civil::Date;

use super::{Alert, AlertKind, InForce, StoreError};

use crate::domain::{
    Enterprise, EnterpriseId, EnterpriseKind, EnterpriseSize, Label, Tier, division_prefix,
    is_industry,
};

/// Reading tiers across the register.
pub trait Overview {
    /// The log of what was in force, in order.
    fn in_force_log(&self) -> Result<Vec<InForce>, StoreError>;

    /// Alerts that a filter asks for after number `seq`, in order, at most `limit`. Numbers become visible in order, so
    /// nothing appears later behind a number that was read.
    fn alerts_of(
        &self,
        filter: &AlertFilter,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError>;

    /// All alerts after number `seq` in order, at most `limit`.
    fn alerts_after(&self, seq: u64, limit: usize) -> Result<Vec<Alert>, StoreError> {
        self.alerts_of(&AlertFilter::default(), seq, limit)
    }

    /// How many enterprises went from one stored tier to another between two days; `None` is no tier yet. The ids of
    /// `without` are left out.
    fn tier_migrations(
        &self,
        days: (Date, Date),
        filter: &TierFilter,
        without: &[EnterpriseId],
    ) -> Result<Vec<Migrated>, StoreError>;

    /// Enterprises by a property and the tier that is stored and stands on `day`; `None` is one that is not computed or
    /// outdated. The ids of `without` are left out.
    fn tier_summary(
        &self,
        by: SummaryBy,
        day: Date,
        without: &[EnterpriseId],
    ) -> Result<Vec<Summed>, StoreError>;
}

/// How many enterprises had one tier and then another.
pub type Migrated = (Option<Tier>, Option<Tier>, u64);

/// How many enterprises of a group have a tier.
pub type Summed = (String, Option<Tier>, u64);

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Of this kind.
    pub kind: Option<AlertKind>,
    /// Of enterprises whose present division lies in this one.
    pub division: Option<Label>,
}

/// Which enterprises, by what the register says of them at present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierFilter {
    /// In this division: a six-digit code or prefix that includes what lies below it, or a whole label.
    pub division: Option<Label>,
    /// In this industry: a code that includes what lies below it, or a whole label.
    pub industry: Option<Label>,
    /// Of this kind.
    pub kind: Option<EnterpriseKind>,
    /// Of this size.
    pub size: Option<EnterpriseSize>,
    /// With this tag.
    pub tag: Option<Label>,
}

/// How a database says what the two say differently.
pub(super) struct Dialect {
    /// What stands before the number of a parameter.
    pub(super) mark: char,
    /// Follows a text that is to consist of digits.
    pub(super) only_digits: &'static str,
    /// Whether the tags hold the text `{}`.
    pub(super) has_tag: &'static str,
}

impl TierFilter {
    /// Whether it asks for an enterprise.
    pub fn matches(&self, enterprise: &Enterprise) -> bool {
        let Self {
            division,
            industry,
            kind,
            size,
            tag,
        } = self;
        let lies = |label: &Option<Label>, holds: &dyn Fn(&Label) -> bool| {
            label.as_ref().is_some_and(holds)
        };
        division.as_ref().is_none_or(|scope| {
            lies(&enterprise.division, &|label| {
                label.in_division(scope.as_str())
            })
        }) && industry.as_ref().is_none_or(|scope| {
            lies(&enterprise.industry, &|label| {
                label.in_industry(scope.as_str())
            })
        }) && kind.is_none_or(|kind| enterprise.kind == kind)
            && size.is_none_or(|size| enterprise.size == size)
            && tag.as_ref().is_none_or(|tag| enterprise.tags.contains(tag))
    }

    /// Conditions on the table `e` of enterprises, with the texts of their parameters, which are numbered from `first`.
    pub(super) fn conditions(&self, dialect: &Dialect, first: usize) -> (Vec<String>, Vec<String>) {
        let (mut conditions, mut texts) = (Vec::new(), Vec::new());
        let mut parameter = |text: &str| {
            texts.push(text.to_owned());
            format!("{}{}", dialect.mark, first + texts.len() - 1)
        };
        let digits = dialect.only_digits;
        if let Some(scope) = self.division.as_ref().map(Label::as_str) {
            let whole = parameter(scope);
            let below = division_prefix(scope).map(|prefix| {
                let (length, prefix) = (prefix.len(), parameter(prefix));
                format!(
                    " OR (length(e.division) = 6 AND substr(e.division, 1, {length}) = {prefix} AND e.division {digits})"
                )
            });
            conditions.push(format!(
                "(e.division = {whole}{})",
                below.unwrap_or_default()
            ));
        }
        if let Some(scope) = self.industry.as_ref().map(Label::as_str) {
            let whole = parameter(scope);
            let length = scope.len();
            let below = is_industry(scope).then(|| {
                format!(
                    " OR (length(e.industry) <= 5 AND substr(e.industry, 1, {length}) = {whole} \
                     AND substr(e.industry, 2) {digits})"
                )
            });
            conditions.push(format!(
                "(e.industry = {whole}{})",
                below.unwrap_or_default()
            ));
        }
        if let Some(kind) = self.kind {
            conditions.push(format!("e.kind = {}", kind.code()));
        }
        if let Some(size) = self.size {
            conditions.push(format!("e.size = {}", size.code()));
        }
        if let Some(tag) = &self.tag {
            let tag = parameter(tag.as_str());
            conditions.push(dialect.has_tag.replace("{}", &tag));
        }
        (conditions, texts)
    }
}

/// What a summary counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummaryBy {
    /// The supervision division.
    Division,
    /// The industry.
    Industry,
    /// The size.
    Size,
    /// The kind.
    Kind,
    /// Each tag; an enterprise with two tags is counted under both.
    Tag,
}
