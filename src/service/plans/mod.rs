//! Plans: preview, draft, freeze, draw, close, void, verify.
//!
//! The order is law: `draft → frozen → drawn → closed`, or `void` with a reason. What is fixed at one step never
//! changes at a later one, and every step is one transaction.

mod booking;
mod document;
mod draft;
mod editions;
mod events;
mod extension;
mod groups;
mod joint;
mod joint_done;
mod kept_order;
mod limits;
mod order;
mod precision;
mod preview;
mod proofs;
mod rates;
mod replacements;
mod sample_file;
mod sheet;
mod simulate;
mod steps;
mod terms;
mod think;

pub use document::{FrozenPart, PlanState, PlanView};
pub use draft::{CommittedContribution, PlanRequest, PublicContribution, default_exploration};
pub use editions::{SampleObject, SampleStanding};
pub use events::{PlanEvent, PlanStep};
pub use groups::{GroupRequest, GroupState, GroupView, SealedPlan};
pub use joint::{
    JointOutlook, JointPreview, JointRequest, JointRowView, JointSaving, JointView, JointVisitView,
};
pub use limits::{LimitCode, LimitNote, PlanOverlap, PlanYear};
pub(in crate::service) use order::DrawnOrder;
pub use precision::{BoundPreview, DomainTrait, PrecisionBound, PrecisionPreview};
pub use preview::{PlanPreview, StratumPreview, TierBandPreview, TierPreview};
pub use proofs::Membership;
pub use rates::{ObjectRate, PoolPlace};
pub use replacements::{ReplaceRequest, Replaced, Replacement, TakenObject};
pub use sample_file::{WeightedObject, write_sample};
pub use sheet::{
    Audience, DrawnObject, Evidence, InternalPart, PlanSheet, SheetContribution, SheetReplacement,
    SheetStratum,
};
pub use simulate::{Simulated, Simulation, SimulationRequest, SimulationSide};
pub use terms::{AllocationBy, AllocationRequest, StratumRule};
