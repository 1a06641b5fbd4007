//! Plans: preview, draft, freeze, draw, close, void, verify.
//!
//! The order is law: `draft → frozen → drawn → closed`, or `void` with a reason. What is fixed at one step never
//! changes at a later one, and every step is one transaction.

mod document;
mod draft;
mod editions;
mod order;
mod sheet;
mod steps;

pub use document::{FrozenPart, PlanState, PlanView};
pub use draft::{
    CommittedContribution, PlanPreview, PlanRequest, PublicContribution, StratumPreview,
    TierBandPreview, TierPreview,
};
pub use editions::SampleObject;
pub(in crate::service) use order::DrawnOrder;
pub use sheet::{
    Audience, DrawnObject, Evidence, InternalPart, PlanSheet, SheetContribution, SheetStratum,
};
