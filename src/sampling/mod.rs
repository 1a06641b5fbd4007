//! Layer 1: from the frozen frame to a sample that a stranger can recompute.
//!
//! The policy gives every object a rate by tier, complaints and tags; the pool is partitioned into strata of one rate;
//! the allocation sets targets; the draw follows the published contract to the byte. Nothing here knows how tiers are
//! computed.

mod allocation;
pub mod contribution;
pub mod draw;
pub mod estimation;
mod frame;
pub mod inclusion;
pub mod joint;
mod ledger;
pub mod merkle;
mod mixed;
mod overlay;
pub mod pareto;
pub mod plan;
mod policy;
pub mod pool;
mod precision;
mod rate;
pub mod replacement;
pub mod schedule;
pub mod seed;
pub mod selection;
pub mod sizes;
mod strata;
pub mod transcript;
pub mod verification;

pub use crate::domain::ItemClass;
pub use allocation::{
    Allocation, AllocationError, Cv, CvBound, Precise, StratumTerms, Visits, allocate,
    allocate_precisely, allocate_within, falling_with_risk,
};
pub use frame::{Frame, FrameEntry, FrameError, FrameRow, NO_BAND, PoolFilter, Selection};
pub use ledger::{Booked, Rest, Settled, Substitution, Window, may_visit, settle, year_of};
pub use mixed::{MIXED_BAND, Mixed, SizeMeasure, mix};
pub use overlay::{ComplaintLoad, complaint_load};
pub use policy::{
    Band, ByTier, ClassRates, ComplaintOverlay, OverallBounds, PolicyError, RateBasis,
    SamplingPolicy, TierRates, VisitLimits,
};
pub use precision::{Precision, expected_half_width};
pub use rate::{ItemCap, Rate, RateFactor, RateRule, RateStep};
pub use strata::{
    StrataBy, StrataByError, Stratum, StratumAttribute, StratumMeaning, stratify, stratify_by,
};
