//! Layer 3: the use-cases that HTTP and command line share.
//!
//! A [`Service`] holds the store, the tier cache, the model files in force, the clock and the source of secrets. Nothing
//! here knows HTTP or terminals.

pub mod bench_data;
mod entropy;
mod error;
mod frames;
mod import;
mod intake;
mod models;
mod outcomes;
mod plans;
mod register;
mod tier_file;
mod tiers;
pub mod training;

use jiff::civil::Date;
use std::sync::Arc;

use crate::cache::TierCache;
use crate::domain::AsOf;
use crate::store::Store;

pub use entropy::Entropy;
pub use error::ServiceError;
pub use frames::{FrameSummary, TierCounts};
pub use import::{ImportObserver, ImportReport, Importable};
pub use models::{ModelFiles, Models, ModelsError};
pub use plans::{
    CommittedContribution, FrozenPart, PlanPreview, PlanRequest, PlanState, PlanView,
    PublicContribution, SampleObject, StratumPreview, TierBandPreview, TierPreview,
};
// What callers of the use-cases speak in, so that layer 4 needs no other layer.
pub use crate::cache::CacheError;
pub use crate::files::{
    FilesError, Format, LineError, Mapping, MappingError, ReadOptions, Source, TableWriter,
};
pub use crate::indicators::Names;
pub use crate::model::train::{
    CutoffRule, Figures, Fitter, Scaling, TrainParams, TrainReport, Trained, Validation, train,
};
pub use crate::model::{CalibrationMethod, Classification, Reason, RecordRef, Scorecard, Step};
pub use crate::sampling::contribution::{
    Contribution, ContributionName, ContributionValue, OpeningError, PlannedContribution,
};
pub use crate::sampling::draw::DrawError;
pub use crate::sampling::plan::{Excluded, Method, Period, Rounding};
pub use crate::sampling::transcript::Edition;
pub use crate::sampling::verification::{Check, Outcome, Verification, VerifyInput, verify};
pub use crate::sampling::{AllocationError, ItemClass, PoolFilter, Rate, StratumMeaning};
pub use crate::store::StoreError;

pub use outcomes::{OutcomeRule, TierOutcome};
pub use register::{Amendment, RegisteredEnterprise, Written, label};
pub use tier_file::{TierMix, TierWriter};
pub use tiers::{Explanation, Origin, TierAnswer};

/// Where the day comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The system's clock and time zone.
    System,
    /// A fixed day, for demonstrations and for classifying a past register.
    Fixed(Date),
}

impl Clock {
    /// The present day.
    pub fn today(self) -> Date {
        match self {
            Self::System => jiff::Zoned::now().date(),
            Self::Fixed(day) => day,
        }
    }
}

/// Everything that the use-cases need.
pub struct Service {
    store: Arc<dyn Store>,
    cache: Arc<dyn TierCache>,
    models: Arc<Models>,
    clock: Clock,
    entropy: Entropy,
}

impl Service {
    /// Puts a service together.
    pub fn new(
        store: Arc<dyn Store>,
        cache: Arc<dyn TierCache>,
        models: Models,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self {
            store,
            cache,
            models: Arc::new(models),
            clock,
            entropy,
        }
    }

    /// The model files in force.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// The present day.
    pub fn today(&self) -> Date {
        self.clock.today()
    }

    /// The present day with its decay clock.
    pub fn as_of_today(&self) -> AsOf {
        AsOf::monthly(self.today())
    }

    /// Whether the store answers.
    pub fn ping(&self) -> Result<(), ServiceError> {
        Ok(self.store.ping()?)
    }
}

/// Runs blocking work off the asynchronous threads.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ServiceError::Internal(format!(
            "a task ended early: {error}"
        ))),
    }
}
