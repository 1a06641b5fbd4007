//! Plans: preview, draft, freeze, draw, close, void, verify.
//!
//! The order is law: `draft → frozen → drawn → closed`, or `void` with a reason. What is fixed at one step never
//! changes at a later one, and every step is one transaction.

mod booking;
mod document;
mod draft;
mod editions;
mod limits;
mod rates;
mod sample_file;
mod simulate;
mod steps;
mod terms;

pub use booking::Replacement;
pub use document::{FrozenPart, PlanState, PlanView};
pub use draft::{
    CommittedContribution, PlanPreview, PlanRequest, PublicContribution, StratumPreview,
    TierBandPreview, TierPreview, default_exploration,
};
pub use editions::SampleObject;
pub use limits::{LimitCode, LimitNote, PlanOverlap, PlanYear};
pub use rates::{ObjectRate, PoolPlace};
pub use simulate::{Simulated, Simulation, SimulationRequest, SimulationSide};
pub use terms::{AllocationBy, AllocationRequest, StratumRule};
