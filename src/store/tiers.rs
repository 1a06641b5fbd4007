//! Computed tiers, their history and alerts, and what was in force from when.
//!
//! Tiers lie in two slots, of which one is live. Readers see the live slot alone, so no answer mixes two epochs; a run
//! fills the other slot and flips.

use jiff::civil::Date;

use super::{Changed, JobKind, Run, StoreError, StoredTier, TierRow};
use crate::domain::dates::{from_epoch_day, to_epoch_day};
use crate::domain::{EnterpriseId, Epoch, Tier};

/// Computed tiers and the log of what was in force.
pub trait TierStore {
    /// What is in force; `None` in a database that was never served.
    fn in_force(&self) -> Result<Option<InForce>, StoreError>;

    /// What was in force at the end of `day`; before the first entry of the log, that entry.
    fn in_force_on(&self, day: Date) -> Result<Option<InForce>, StoreError>;

    /// Whether a set of files is or was in force.
    fn was_in_force(&self, files_id: &str) -> Result<bool, StoreError>;

    /// Puts files in force without a run: the first files of a database (`instead_of` is `None`), or files that give the
    /// same tiers as entry `instead_of` of the log. `None` if something else is in force by now.
    ///
    /// An active run must not bring the files before back when it flips. One of these very files goes on with the new
    /// ones; one of others does so as `carried` says, and without it nothing is put in force and `None` is returned.
    fn put_in_force(
        &self,
        instead_of: Option<u64>,
        new: &NewInForce,
        carried: Option<&CarriedRun>,
    ) -> Result<Option<InForce>, StoreError>;

    /// Keeps a set of model files, by role, under an id; the same set may be kept again.
    fn put_model_set(&self, files_id: &str, files: &[ModelFile]) -> Result<(), StoreError>;

    /// The files of a set in order of their roles; empty for an unknown one.
    fn model_set(&self, files_id: &str) -> Result<Vec<ModelFile>, StoreError>;

    /// One file by its digest.
    fn model_file(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The tier of one enterprise in the live slot, with the enterprise's present revision; `None` for an unknown
    /// enterprise.
    fn tier(&self, id: &EnterpriseId) -> Result<Option<TierRow>, StoreError>;

    /// Keeps tiers of the epoch in force, in one transaction; of another epoch nothing is kept. A tier of an older
    /// revision than the stored one is dropped. A superseded letter goes into the history and a worsening into the
    /// alerts; enterprises whose links or owner name one of these, and which see a difference, are marked as changed.
    fn put_tiers(&self, epoch: &Epoch, tiers: &[NewTier]) -> Result<Kept, StoreError>;

    /// What enterprises add to those whose links name them, as far as it is stored, current on `day` and of `epoch`.
    fn links_of(
        &self,
        epoch: &Epoch,
        ids: &[EnterpriseId],
        day: Date,
    ) -> Result<Vec<(EnterpriseId, LinkState)>, StoreError>;

    /// Enterprises whose stored tier may differ from `day` on, at most `limit`.
    fn due_tiers(&self, day: Date, limit: usize) -> Result<Vec<EnterpriseId>, StoreError>;

    /// The superseded tiers of an enterprise, earliest first.
    fn tier_history(&self, id: &EnterpriseId) -> Result<Vec<PastTier>, StoreError>;

    /// The tier that an enterprise has in the live slot, and since when.
    fn present_tier(&self, id: &EnterpriseId) -> Result<Option<PresentTier>, StoreError>;
}

/// So many days ahead the rows of a run get their entries in the index of days: a week's at once, so that the slot is gone
/// through once a week.
pub(super) const ENTERED_AHEAD: i32 = 6;

/// An entry of the log of what was in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Its number, consecutive from 1.
    pub number: u64,
    /// The epoch of the tiers.
    pub epoch: Epoch,
    /// The set of model files.
    pub files_id: String,
    /// Digest of the frozen statistics, if there were any.
    pub statistics: Option<String>,
    /// Since when, in milliseconds since 1970 (UTC).
    pub from_at: i64,
    /// Since which day.
    pub from_on: Date,
    /// The run that put it in force, if one did.
    pub run_id: Option<String>,
}

/// What is to be put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInForce {
    /// The epoch of the tiers.
    pub epoch: Epoch,
    /// The set of model files.
    pub files_id: String,
    /// Digest of the frozen statistics, if there are any.
    pub statistics: Option<String>,
    /// From which day.
    pub from_on: Date,
}

/// With which files an active run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedRun {
    /// The run.
    pub run_id: String,
    /// The set of files that it was asked for with.
    pub from_files: String,
    /// The set that it flips to instead; it gives the same tiers.
    pub to_files: String,
}

impl CarriedRun {
    /// The set with which an active run goes on when `new` takes the place of `old`; `None` where nothing says so.
    pub(super) fn files_of<'a>(
        active: &Run,
        (old, new): (Option<&str>, &'a str),
        carried: Option<&'a Self>,
    ) -> Option<&'a str> {
        if active.kind == JobKind::Reclassify && Some(active.files_id.as_str()) == old {
            return Some(new);
        }
        carried
            .filter(|carried| {
                carried.run_id == active.run_id && carried.from_files == active.files_id
            })
            .map(|carried| carried.to_files.as_str())
    }
}

/// One file of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// What it is in the set, such as `policy`.
    pub role: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub digest: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// A computed tier to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTier {
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// Its tier.
    pub tier: StoredTier,
    /// What it adds to enterprises whose links name it.
    pub link: LinkState,
    /// Whether complaints about it surge.
    pub is_surge: bool,
}

/// What became of tiers that were to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether the epoch was the one in force.
    pub is_live: bool,
    /// Enterprises at the other end of links that are to be computed anew.
    pub touched: Vec<Changed>,
}

/// What an enterprise adds to those whose links or owner name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// The tier without links, owner and decisions.
    pub base_tier: Tier,
    /// Whether it is on the list of serious violations.
    pub is_listed: bool,
    /// The day of its cancellation.
    pub cancelled_on: Option<Date>,
    /// The first day on which any of this may differ.
    pub next_change_on: Option<Date>,
}

impl LinkState {
    /// Half the range of a packed day.
    const BIAS: i64 = 1 << 23;
    const DAY: i64 = (1 << 24) - 1;

    /// Bits 0–2 the tier, 3 whether it is listed, 4–27 and 28–51 the days, where 0 stands for none.
    pub(super) fn pack(self) -> i64 {
        let day = |day: Option<Date>| {
            day.map_or(0, |day| {
                (i64::from(to_epoch_day(day)) + Self::BIAS) & Self::DAY
            })
        };
        i64::from(self.base_tier.code())
            | i64::from(self.is_listed) << 3
            | day(self.cancelled_on) << 4
            | day(self.next_change_on) << 28
    }

    /// `None` for a row that says nothing.
    pub(super) fn unpack(packed: i64) -> Option<Self> {
        let day = |shift: u32| {
            let biased = (packed >> shift) & Self::DAY;
            let days = i32::try_from(biased - Self::BIAS).unwrap_or(0);
            (biased != 0).then(|| from_epoch_day(days))
        };
        Some(Self {
            base_tier: u8::try_from(packed & 7).ok().and_then(Tier::from_code)?,
            is_listed: packed >> 3 & 1 == 1,
            cancelled_on: day(4),
            next_change_on: day(28),
        })
    }

    /// What is stored where nothing is known.
    pub(super) const UNKNOWN: i64 = 0;
}

/// A superseded tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastTier {
    /// The first day on which it held.
    pub from_on: Date,
    /// The first day on which it held no more.
    pub until_on: Date,
    /// The tier.
    pub tier: Tier,
    /// The points behind it, when it was last computed.
    pub points: u16,
    /// The entry of the log that was in force at its end.
    pub force_number: u64,
}

/// A tier in the live slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentTier {
    /// Since when it has held.
    pub from_on: Date,
    /// The tier as it is stored.
    pub tier: StoredTier,
}

/// What happened to an enterprise that a supervisor should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertKind {
    /// Its tier is worse than before.
    Worsened,
    /// It came into tier D.
    EnteredD,
    /// Complaints about it have begun to surge.
    ComplaintSurge,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Worsened, Self::EnteredD, Self::ComplaintSurge];

    /// Its name in the store and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worsened => "worsened",
            Self::EnteredD => "entered_d",
            Self::ComplaintSurge => "complaint_surge",
        }
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What a change from one stored tier to the next has to tell.
    pub(super) fn of(
        (from, was_surge): (Tier, bool),
        (to, is_surge): (Tier, bool),
    ) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |kind| match kind {
            Self::Worsened => to > from,
            Self::EnteredD => to == Tier::D && from != Tier::D,
            Self::ComplaintSurge => is_surge && !was_surge,
        })
    }
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its number.
    pub seq: u64,
    /// What happened.
    pub kind: AlertKind,
    /// To whom.
    pub enterprise_id: EnterpriseId,
    /// The day that the tier speaks for.
    pub on: Date,
    /// The tier before.
    pub from_tier: Tier,
    /// The tier after.
    pub tier: Tier,
    /// The points after.
    pub points: u16,
    /// When it was noted, in milliseconds since 1970 (UTC).
    pub noted_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_link_state_survives_packing() {
        for base_tier in [Tier::A, Tier::D] {
            for is_listed in [false, true] {
                for day in [
                    None,
                    Some(date(1, 1, 1)),
                    Some(date(2026, 11, 22)),
                    Some(Date::MAX),
                ] {
                    let state = LinkState {
                        base_tier,
                        is_listed,
                        cancelled_on: day,
                        next_change_on: Some(date(9999, 12, 31)),
                    };
                    assert_eq!(LinkState::unpack(state.pack()), Some(state));
                }
            }
        }
        assert_eq!(LinkState::unpack(LinkState::UNKNOWN), None);
    }
}
