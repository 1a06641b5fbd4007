//! The registry of models and policies: what is registered, how it gets from draft to live and back, and who did that.
//!
//! The order is law: `draft → validated → approved → shadow → live → retired`. Shadow may be left out; a retired model
//! comes back by a rollback alone. The author does not approve. A promotion reclassifies the whole register beside what
//! is served and flips in one transaction, in which the model becomes live too: nobody sees the tiers of one model under
//! the name of another.

mod disagreement;
mod drift;
mod gates;
mod ledger;
mod life;
mod model_card;
mod policies;
mod tasks;

pub use disagreement::{Disagreement, GroupMoves, TierMove};
pub use drift::{CardDrift, DriftReport};
pub use gates::{Gate, ModelValidation, ValidationAsk};
pub use ledger::{LedgerCheck, LiveModel};
pub(in crate::service) use life::keep_files;
pub use life::{ModelDetail, RegisterModelError};
pub use model_card::{CardInput, CardValidation, ModelCard};
pub(in crate::service) use policies::keep_policy;
pub use policies::{Activation, RegisterPolicyError};
pub use tasks::{TableTrainRequest, TaskRequest, TrainRequest};
