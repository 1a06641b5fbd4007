//! The feed of tier changes.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::Tier;
use super::jobs::instant;
use crate::service::{Move, MoveKind};

/// Where in the feed to begin when there is no cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChangesFrom {
    /// With the first change that is kept.
    #[default]
    Start,
    /// Behind the last one: only what comes.
    Now,
}

/// Which part of the feed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangesQuery {
    /// Where to go on: `next_cursor` of the answer before.
    #[param(pattern = "^([0-9a-f]{2}){8,}$")]
    pub(crate) cursor: Option<String>,
    /// Where to begin when there is no cursor: `start`, the default, or `now`.
    #[param(inline, example = "now")]
    pub(crate) from: Option<ChangesFrom>,
    /// Most items in the answer.
    #[param(example = 100, minimum = 1)]
    pub(crate) limit: Option<usize>,
}

/// Changes in order, and where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeFeed {
    /// The changes; empty when there is nothing new.
    pub(crate) items: Vec<Change>,
    /// Where to go on, now or later; always there.
    #[schema(example = "5f1d0c6ba3e84297313038")]
    pub(crate) next_cursor: String,
    /// Whether there is nothing behind these at the moment.
    pub(crate) is_current: bool,
}

/// What changed: the tier of an enterprise, or the epoch in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChangeKind {
    Tier,
    Epoch,
}

/// One entry of the feed: an enterprise has another tier, or another epoch came into force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Change {
    /// Its number; numbers rise by one.
    #[schema(example = 108, minimum = 1)]
    number: u64,
    /// What changed.
    kind: ChangeKind,
    /// The enterprise, of a `tier`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "91990000MA00000017")]
    enterprise_id: Option<String>,
    /// The tier before, of a `tier`; left out for the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_tier: Option<Tier>,
    /// The tier, of a `tier`.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,
    /// The points behind it, of a `tier`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 420, minimum = 0, maximum = 1000)]
    points: Option<u16>,
    /// Whether every tier that came with an `epoch` follows as an entry of its own; if not, which is so for the first run
    /// of a register alone, read all by `GET /v1/tiers/export`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = true)]
    is_whole: Option<bool>,
    /// The day that it speaks for.
    #[schema(format = Date, example = "2026-11-22")]
    on: String,
    /// The epoch of the tier, or the one that came into force.
    #[schema(example = "0123456789abcdef")]
    epoch: String,
    /// When it was noted.
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    noted_at: String,
}

impl From<Move> for Change {
    fn from(change: Move) -> Self {
        let Move {
            seq,
            kind,
            on,
            epoch,
            noted_at,
        } = change;
        let entry = Self {
            number: seq,
            kind: ChangeKind::Tier,
            enterprise_id: None,
            from_tier: None,
            tier: None,
            points: None,
            is_whole: None,
            on: on.to_string(),
            epoch: epoch.to_string(),
            noted_at: instant(noted_at),
        };
        match kind {
            MoveKind::Tier {
                enterprise_id,
                from,
                tier,
                points,
            } => Self {
                enterprise_id: Some(enterprise_id.into()),
                from_tier: from.map(Into::into),
                tier: Some(tier.into()),
                points: Some(points),
                ..entry
            },
            MoveKind::Epoch { is_whole } => Self {
                kind: ChangeKind::Epoch,
                is_whole: Some(is_whole),
                ..entry
            },
        }
    }
}
