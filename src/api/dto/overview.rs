//! Tiers of many enterprises at once: alerts, migrations, summaries.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{AlertKind, EnterpriseKind, EnterpriseSize, SummaryBy, Tier};
use crate::domain::{self, FieldError, field};
use crate::service::{Alert, AlertFilter, Migrations, SummaryGroup, TierFilter};

/// Which alerts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertQuery {
    /// Where to go on: `next_cursor` of the answer before.
    #[param(pattern = "^([0-9a-f]{2}){8,}$")]
    pub(crate) cursor: Option<String>,
    /// Most items of the answer.
    #[param(example = 100, minimum = 1)]
    pub(crate) limit: Option<usize>,
    /// Of this kind.
    pub(crate) kind: Option<AlertKind>,
    /// Of enterprises in this division: a six-digit code or prefix that includes what lies below it, or a whole label.
    #[param(example = "9901")]
    pub(crate) division: Option<String>,
}

impl AlertQuery {
    pub(crate) fn filter(&self) -> Result<AlertFilter, FieldError> {
        Ok(AlertFilter {
            kind: self.kind.map(Into::into),
            division: optional_label("division", self.division.as_deref())?,
        })
    }
}

fn optional_label(name: &str, text: Option<&str>) -> Result<Option<domain::Label>, FieldError> {
    text.map(|text| field::label(name, text)).transpose()
}

/// Alerts in order, and where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertFeed {
    /// The alerts; empty when there is nothing new.
    pub(crate) items: Vec<AlertAnswer>,
    /// Where to go on, now or later; always there.
    #[schema(example = "5f1d0c6ba3e84297313038")]
    pub(crate) next_cursor: String,
}

/// One alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertAnswer {
    /// Its number; numbers rise.
    #[schema(example = 108, minimum = 1)]
    seq: u64,
    /// What happened.
    kind: AlertKind,
    /// To whom.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// The day that the tier speaks for.
    #[schema(format = Date, example = "2026-11-22")]
    on: String,
    /// The tier before.
    from_tier: Tier,
    /// The tier after.
    tier: Tier,
    /// The points after.
    #[schema(example = 420, minimum = 0, maximum = 1000)]
    points: u16,
    /// When it was noted.
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    noted_at: String,
}

impl From<Alert> for AlertAnswer {
    fn from(alert: Alert) -> Self {
        let Alert {
            seq,
            kind,
            enterprise_id,
            on,
            from_tier,
            tier,
            points,
            noted_at,
        } = alert;
        Self {
            seq,
            kind: kind.into(),
            enterprise_id: enterprise_id.into(),
            on: on.to_string(),
            from_tier: from_tier.into(),
            tier: tier.into(),
            points,
            noted_at: Timestamp::from_millisecond(noted_at)
                .unwrap_or_default()
                .to_string(),
        }
    }
}

/// Between which days, and of which enterprises as the register has them at present.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MigrationQuery {
    /// The first day.
    #[param(format = Date, example = "2026-10-31")]
    from: String,
    /// The second day.
    #[param(format = Date, example = "2026-11-22")]
    to: String,
    /// In this division: a six-digit code or prefix that includes what lies below it, or a whole label.
    #[param(example = "9901")]
    division: Option<String>,
    /// In this industry: a code that includes what lies below it, or a whole label.
    #[param(example = "F52")]
    industry: Option<String>,
    /// Of this kind.
    kind: Option<EnterpriseKind>,
    /// Of this size.
    size: Option<EnterpriseSize>,
    /// With this tag.
    #[param(example = "食品生产")]
    tag: Option<String>,
}

impl MigrationQuery {
    pub(crate) fn parse(self) -> Result<(Date, Date, TierFilter), FieldError> {
        let filter = TierFilter {
            division: optional_label("division", self.division.as_deref())?,
            industry: optional_label("industry", self.industry.as_deref())?,
            kind: self.kind.map(Into::into),
            size: self.size.map(Into::into),
            tag: optional_label("tag", self.tag.as_deref())?,
        };
        let from = field::date("from", &self.from)?;
        Ok((from, field::date("to", &self.to)?, filter))
    }
}

/// How many enterprises went from one tier to another.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MigrationAnswer {
    /// The first day.
    #[schema(format = Date, example = "2026-10-31")]
    from: String,
    /// The second day.
    #[schema(format = Date, example = "2026-11-22")]
    to: String,
    /// The matrix, 16 cells in order.
    moves: Vec<TierMove>,
    /// Enterprises without a tier on the first day, by their tier on the second.
    new: Vec<TierCount>,
    /// Enterprises merged into others in between, by their tier on the first day.
    gone: Vec<TierCount>,
}

/// One cell of the matrix.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierMove {
    /// The tier at the end of the first day.
    from: Tier,
    /// The tier at the end of the second day.
    to: Tier,
    /// So many enterprises.
    #[schema(example = 7)]
    count: u64,
}

/// How many enterprises have a tier.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierCount {
    /// The tier.
    tier: Tier,
    /// So many enterprises.
    #[schema(example = 7)]
    count: u64,
}

impl MigrationAnswer {
    pub(crate) fn of(from: Date, to: Date, migrations: &Migrations) -> Self {
        let all = domain::Tier::ALL;
        let moves = all.iter().flat_map(|from| {
            all.iter().map(|to| TierMove {
                from: (*from).into(),
                to: (*to).into(),
                count: migrations.count(*from, *to),
            })
        });
        let each = |counts: &std::collections::BTreeMap<domain::Tier, u64>| {
            all.iter()
                .map(|tier| TierCount {
                    tier: (*tier).into(),
                    count: counts.get(tier).copied().unwrap_or(0),
                })
                .collect()
        };
        Self {
            from: from.to_string(),
            to: to.to_string(),
            moves: moves.collect(),
            new: each(&migrations.new),
            gone: each(&migrations.gone),
        }
    }
}

/// What to count by.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SummaryQuery {
    /// The property.
    pub(crate) by: SummaryBy,
    /// Merge codes up to this level: of divisions 1 province, 2 city, 3 county; of industries 1 section, 2 division,
    /// 3 group, 4 class. Default: codes as they are.
    #[param(minimum = 1, maximum = 4, example = 2)]
    pub(crate) level: Option<u8>,
}

/// Tiers by group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SummaryAnswer {
    /// The property counted by.
    by: SummaryBy,
    /// The groups in order of their names.
    items: Vec<SummaryGroupAnswer>,
}

/// The tiers of one group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SummaryGroupAnswer {
    /// What it has in common; empty where the register says nothing.
    #[schema(example = "990100")]
    name: String,
    /// Counts and shares of the tiers that stand.
    tiers: Vec<TierShare>,
    /// Enterprises whose stored tier is outdated, or that have none yet; a read of one computes it.
    #[schema(example = 0)]
    stale_count: u64,
}

/// Count and share of a tier.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierShare {
    /// The tier.
    tier: Tier,
    /// So many enterprises.
    #[schema(example = 7)]
    count: u64,
    /// Their share of those whose tier stands.
    #[schema(example = 0.07, minimum = 0, maximum = 1)]
    share: f64,
}

impl SummaryAnswer {
    pub(crate) fn of(by: SummaryBy, groups: Vec<SummaryGroup>) -> Self {
        let group = |group: SummaryGroup| {
            let tiers = domain::Tier::ALL.iter().map(|tier| TierShare {
                tier: (*tier).into(),
                count: group.tiers.get(tier).copied().unwrap_or(0),
                share: group.share(*tier),
            });
            SummaryGroupAnswer {
                tiers: tiers.collect(),
                stale_count: group.stale_count,
                name: group.name,
            }
        };
        Self {
            by,
            items: groups.into_iter().map(group).collect(),
        }
    }
}
