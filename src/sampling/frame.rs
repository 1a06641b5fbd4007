//! The frame (抽样框): the classified register frozen at an instant, and the pool that a plan selects from it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::overlay::{ComplaintLoad, PeerKey, Peers, band_of};
use super::policy::ComplaintOverlay;
use crate::domain::{EnterpriseId, EnterpriseKind, EnterpriseSize, EnterpriseStatus, Label, Tier};

/// Name of the complaint band of objects in none of the policy's bands.
pub const NO_BAND: &str = "none";

/// One object of a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameRow {
    /// The object.
    pub enterprise_id: EnterpriseId,
    /// Its kind.
    pub kind: EnterpriseKind,
    /// Supervision division.
    pub division: Option<Label>,
    /// Industry.
    pub industry: Option<Label>,
    /// Size class.
    pub size: EnterpriseSize,
    /// Registration status.
    pub status: EnterpriseStatus,
    /// Tags.
    pub tags: BTreeSet<Label>,
    /// Its tier as of the frame's day.
    pub tier: Tier,
    /// The points behind it.
    pub points: u16,
    /// Weighted complaints of the window, in thousandths.
    pub complaints_milli: u32,
    /// Upheld complaints and reports of the window.
    pub upheld_count: u32,
    /// Ratio `ρ` to the peers in thousandths, rounded down.
    pub complaint_ratio_milli: u64,
    /// Complaint band: `none` or the name of one of the policy's.
    pub complaint_band: Label,
}

/// What is known of one object before it is compared with its peers.
#[derive(Clone, Debug)]
pub struct FrameEntry {
    /// The row, with its complaint ratio and band still to come.
    pub row: FrameRow,
    /// What is complained about it.
    pub load: ComplaintLoad,
}

/// A frozen frame: rows sorted by id, each id once.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The day the tiers speak for.
    pub as_of: Date,
    rows: Vec<FrameRow>,
}

/// Why a frame cannot be frozen or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// An id stands in it twice.
    #[error("`{0}` stands in the frame twice; every object has one row")]
    Duplicate(EnterpriseId),
}

impl Frame {
    /// Sorts by id and gives each object its complaint band against its peers.
    pub fn freeze(
        as_of: Date,
        entries: Vec<FrameEntry>,
        overlay: &ComplaintOverlay,
    ) -> Result<Self, FrameError> {
        let mut peers = Peers::default();
        // What cannot be visited is nobody's peer: closed enterprises have no customers who could complain.
        for entry in &entries {
            if cannot_be_visited(entry.row.status).is_none() {
                peers.add(peer_key(&entry.row), entry.load);
            }
        }
        let mut rows = Vec::with_capacity(entries.len());
        for FrameEntry { mut row, load } in entries {
            let ratio = peers.ratio(overlay, peer_key(&row), load);
            row.complaints_milli = load.weighted_milli;
            row.upheld_count = load.upheld;
            row.complaint_ratio_milli = (ratio * 1_000.0).floor() as u64;
            let reached = band_of(overlay, ratio, load).checked_sub(1);
            if let Some(band) = reached.and_then(|position| overlay.bands.get(position)) {
                row.complaint_band = band.name.clone();
            }
            rows.push(row);
        }
        Self::from_rows(as_of, rows)
    }

    /// A frame of rows that carry their bands already, as read back from its file.
    pub fn from_rows(as_of: Date, mut rows: Vec<FrameRow>) -> Result<Self, FrameError> {
        rows.sort_by(|a, b| a.enterprise_id.as_str().cmp(b.enterprise_id.as_str()));
        for pair in rows.windows(2) {
            if let [first, second] = pair
                && first.enterprise_id == second.enterprise_id
            {
                return Err(FrameError::Duplicate(first.enterprise_id.clone()));
            }
        }
        Ok(Self { as_of, rows })
    }

    /// The same frame with the complaint bands of another policy, from what it has counted.
    pub fn banded_by(&self, overlay: &ComplaintOverlay) -> Self {
        let mut frame = self.clone();
        for row in &mut frame.rows {
            let load = ComplaintLoad {
                weighted_milli: row.complaints_milli,
                upheld: row.upheld_count,
            };
            let ratio = row.complaint_ratio_milli as f64 / 1_000.0;
            let reached = band_of(overlay, ratio, load).checked_sub(1);
            let band = reached.and_then(|position| overlay.bands.get(position));
            row.complaint_band = match band {
                Some(band) => band.name.clone(),
                None => Label::from_kept(NO_BAND).unwrap_or_else(|| row.complaint_band.clone()),
            };
        }
        frame
    }

    /// The rows, sorted by id bytes.
    pub fn rows(&self) -> &[FrameRow] {
        &self.rows
    }
}

fn peer_key(row: &FrameRow) -> PeerKey<'_> {
    PeerKey {
        industry: row.industry.as_ref(),
        size: row.size,
    }
}

/// Which objects of a frame a plan is about; conditions that are left out do not restrict.
///
/// There is deliberately no condition on an id or a name: a filter never picks an individual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolFilter {
    /// Division: a six-digit code or prefix that includes what lies below it, or a whole label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<Label>,
    /// Industry prefix, or a whole label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub industry: Option<Label>,
    /// Any of these kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<EnterpriseKind>,
    /// Any of these sizes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<EnterpriseSize>,
    /// Any of these tiers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// At least one of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Label>,
}

/// The objects of a pool, as positions in the frame, and what was left out of it by reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Positions in the frame, rising.
    pub members: Vec<usize>,
    /// Objects that the filter asks for but that cannot be visited, counted by coded reason.
    pub excluded: BTreeMap<&'static str, u64>,
}

impl PoolFilter {
    /// Whether the filter asks for this object.
    pub fn matches(&self, row: &FrameRow) -> bool {
        let any = |wanted: bool, empty: bool| empty || wanted;
        self.division.as_ref().is_none_or(|scope| {
            row.division
                .as_ref()
                .is_some_and(|division| division.in_division(scope.as_str()))
        }) && self.industry.as_ref().is_none_or(|scope| {
            row.industry
                .as_ref()
                .is_some_and(|industry| industry.in_industry(scope.as_str()))
        }) && any(self.kinds.contains(&row.kind), self.kinds.is_empty())
            && any(self.sizes.contains(&row.size), self.sizes.is_empty())
            && any(self.tiers.contains(&row.tier), self.tiers.is_empty())
            && any(
                self.tags.iter().any(|tag| row.tags.contains(tag)),
                self.tags.is_empty(),
            )
    }

    /// Selects the pool.
    pub fn select(&self, frame: &Frame) -> Selection {
        let mut selection = Selection {
            members: Vec::new(),
            excluded: BTreeMap::new(),
        };
        for (position, row) in frame
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| self.matches(row))
        {
            match cannot_be_visited(row.status) {
                Some(reason) => *selection.excluded.entry(reason).or_default() += 1,
                None => selection.members.push(position),
            }
        }
        selection
    }
}

/// The coded reason for which an object of this status is in no pool.
pub(super) fn cannot_be_visited(status: EnterpriseStatus) -> Option<&'static str> {
    match status {
        EnterpriseStatus::Active | EnterpriseStatus::Abnormal => None,
        EnterpriseStatus::Revoked => Some("status_revoked"),
        EnterpriseStatus::Cancelled => Some("status_cancelled"),
        EnterpriseStatus::MovedOut => Some("status_moved_out"),
    }
}
