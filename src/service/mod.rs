//! Layer 3: the use-cases that HTTP and command line share.
//!
//! A [`Service`] holds the store, the tier cache, the model files in force, the clock and the source of secrets. Nothing
//! here knows HTTP or terminals.

pub mod bench_data;
mod calendar_rules;
mod calendars;
mod change_log;
mod decision_rules;
mod decisions;
mod dossiers;
mod entropy;
mod error;
mod evaluation;
mod execution;
mod feed;
mod flights;
mod follow;
mod frames;
mod history;
mod idempotency;
mod import;
mod in_force;
mod items;
mod ledger;
mod ledger_file;
mod lineage;
mod look_ups;
mod merges;
mod models;
mod objections;
mod outcomes;
mod overview;
mod plans;
mod proceedings;
mod register;
mod registry;
mod retier;
mod runs;
mod scanned;
mod set_aside;
mod settle;
mod tier_file;
mod tier_pages;
mod tiers;
pub mod training;
mod warm_up;
mod webhooks;

use jiff::civil::Date;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;

use crate::cache::TierCache;
use crate::domain::AsOf;
use crate::store::{self, Store};
use flights::Flights;
use in_force::Following;

pub use calendar_rules::{CalendarRules, CalendarRulesError};
pub use calendars::{
    BatchLoad, CalendarObjectView, CalendarRequest, CalendarView, DoneNote, EditionCause,
    EditionRequest, EditionView, FileCalendar, FileCalendarRequest, Frequencies, NotedVisits,
    VisitFilter, VisitState, VisitView, read_done_notes, write_calendar_visits,
};
pub use decision_rules::{DecisionRules, DecisionRulesError};
pub use decisions::{Approval, Ending, Override, OverrideProposal, OverrideState};
pub use dossiers::Life;
pub use entropy::Entropy;
pub use error::ServiceError;
pub use evaluation::{
    Baseline, EvaluateError, Scoring, TableSpec, compare_tables, drift_of_tables, evaluate_table,
};
pub use feed::Changes;
pub use frames::{FrameManifest, FrameSummary, TierCounts};
pub use history::{Cause, CauseKind, TierHistory, TierSpell};
pub use import::{
    ImportKind, ImportObserver, ImportOptions, ImportReport, ImportState, ImportSummary,
    ImportView, Importable, KeptFaults, Resume,
};
pub use in_force::{Current, FilesOfDay};
pub use ledger::{EnterpriseLedger, ExemptVisit, LedgerSummary, MOST_VISITS, VisitCounts};
pub use merges::{Merge, Undoing};
pub use models::{ModelFiles, Models, ModelsError};
pub use objections::{
    Examination, Objection, ObjectionState, Outcome as ObjectionOutcome, Ruling, Verdict,
};
pub use plans::{
    AllocationBy, AllocationRequest, Audience, BoundPreview, CommittedContribution, DomainTrait,
    DrawnObject, Evidence, FrozenPart, GroupRequest, GroupState, GroupView, InternalPart,
    JointOutlook, JointPreview, JointRequest, JointRowView, JointSaving, JointView, JointVisitView,
    LimitCode, LimitNote, Membership, ObjectRate, PlanEvent, PlanOverlap, PlanPreview, PlanRequest,
    PlanSheet, PlanState, PlanStep, PlanView, PlanYear, PoolPlace, PrecisionBound,
    PrecisionPreview, PublicContribution, ReplaceRequest, Replaced, Replacement, SampleObject,
    SampleStanding, SealedPlan, SheetContribution, SheetReplacement, SheetStratum, Simulated,
    Simulation, SimulationRequest, SimulationSide, StratumPreview, StratumRule, TakenObject,
    TierBandPreview, TierPreview, WeightedObject, default_exploration, write_sample,
};
// What callers of the use-cases speak in, so that layer 4 needs no other layer.
pub use crate::cache::{CacheError, CachedTier};
pub use crate::files::{
    CellRowsError, ColumnType, Compression, ExportWriter, FilesError, Format, LineError, Mapping,
    MappingError, ReadOptions, Sink, Source, TableWriter, Value,
};
pub use crate::indicators::{Direction as Raises, Names};
pub use crate::model::evaluation as figures;
pub use crate::model::train::{
    CutoffRule, Figures, Fitter, Scaling, TrainParams, TrainReport, Trained, Validation, train,
};
pub use crate::model::{
    CalibrationMethod, Classification, Reason, RecordRef, Scorecard, Scorecards, Step,
};
pub use crate::sampling::contribution::{
    Contribution, ContributionName, ContributionValue, OpeningError, PlannedContribution,
};
pub use crate::sampling::draw::DrawError;
pub use crate::sampling::merkle::{MembershipProof, OwnRow, Side};
pub use crate::sampling::plan::{Excluded, Method, Period, Rounding};
pub use crate::sampling::schedule::{Balance, BatchKind, Frequency, Month, TierFrequencies};
pub use crate::sampling::transcript::Edition;
pub use crate::sampling::verification::{Chain, Check, Outcome, Verification, VerifyInput, verify};
pub use crate::sampling::{
    AllocationError, ItemClass, PoolFilter, Rate, RateFactor, RateStep, SizeMeasure, StrataBy,
    StrataByError, StratumAttribute, StratumMeaning,
};
pub use crate::store::{
    Act, Alert, AlertFilter, AlertKind, DriftRow, ItemOutcome, ItemVersion, JobKind, LedgerFilter,
    ModelChange, ModelDeed, ModelRow, ModelState, Move, MoveKind, NewPolicyChange, PastTier,
    PolicyChange, PolicyDeed, PolicyRow, RunCause, RunPhase, RunState, StoreError, SummaryBy,
    TierFilter, Webhook,
};
pub(crate) use crate::store::{Attempt, KeptAnswer, Taken};
pub(crate) use idempotency::{RENEWAL, attempting};

pub use outcomes::{OutcomeError, OutcomeRule, TierOutcome};
pub use overview::{Migrations, SummaryGroup};
pub use proceedings::{Person, Said, person, reason_of};
pub use register::{Amendment, Precondition, RegisteredEnterprise, Written, label};
pub use registry::{
    Activation, CardDrift, CardInput, CardValidation, Disagreement, DriftReport, Gate, GroupMoves,
    LedgerCheck, LiveModel, ModelCard, ModelDetail, ModelValidation, RegisterModelError,
    RegisterPolicyError, TableTrainRequest, TaskRequest, TierMove, TrainRequest, ValidationAsk,
};
pub use retier::RetierStep;
pub use runs::{Job, RunObserver};
pub use set_aside::set_aside_place;
pub use tier_file::{TierMix, TierWriter};
pub use tier_pages::{TierPage, TierPageRequest};
pub use tiers::{Explanation, Origin, TierAnswer};
pub use webhooks::{Delivery, Target, WebhookOptions, secret_text};

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
            Self::System => present_day(),
            Self::Fixed(day) => day,
        }
    }
}

thread_local! {
    /// The last second for which this thread asked for the day, and the day.
    static PRESENT_DAY: Cell<(u64, Date)> = const { Cell::new((0, Date::ZERO)) };
}

/// The day by the system's clock and time zone. Every look-up asks, so it is found once per second and thread.
fn present_day() -> Date {
    let second = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (known, day) = PRESENT_DAY.get();
    if known == second && second > 0 {
        return day;
    }
    let day = jiff::Zoned::now().date();
    PRESENT_DAY.set((second, day));
    day
}

/// How much look-ups and runs may ask of store and cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookUpOptions {
    /// Look-ups that may read the store at once.
    pub store_reads: usize,
    /// Tiers per second that are written in advance to a cache that replicas share; 0 means none.
    pub warm_up_per_second: u32,
}

impl Default for LookUpOptions {
    fn default() -> Self {
        Self {
            store_reads: 32,
            warm_up_per_second: 50_000,
        }
    }
}

/// How long results of jobs are kept unless someone says otherwise.
const KEEP_RESULTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Everything that the use-cases need.
pub struct Service {
    store: Arc<dyn Store>,
    cache: Arc<dyn TierCache>,
    /// Reads from the store that are under way.
    flights: Flights,
    /// Turns at the store for look-ups that the cache could not answer.
    store_reads: Semaphore,
    warm_up_per_second: u32,
    /// The files that this process was started with.
    given: Models,
    /// What is in force.
    following: Arc<Following>,
    clock: Clock,
    entropy: Entropy,
    /// Holds runs and workers for this process.
    owner: String,
    /// How long results of jobs are kept.
    keep_results: Duration,
}

impl Service {
    /// Puts a service together. In a database that was never served `models` are put in force; otherwise what is in
    /// force there stays until [`Service::adopt_given`].
    ///
    /// # Errors
    ///
    /// When the store fails, or holds files that this release cannot use.
    pub fn open(
        store: Arc<dyn Store>,
        cache: Arc<dyn TierCache>,
        models: Models,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, ServiceError> {
        let following = Following::open(store.as_ref(), &models, clock.today())?;
        let LookUpOptions {
            store_reads,
            warm_up_per_second,
        } = LookUpOptions::default();
        Ok(Self {
            store,
            cache,
            flights: Flights::default(),
            store_reads: Semaphore::new(store_reads),
            warm_up_per_second,
            given: models,
            following: Arc::new(following),
            clock,
            entropy,
            owner: Entropy::System.id()?,
            keep_results: KEEP_RESULTS,
        })
    }

    /// The service with other bounds for look-ups.
    #[must_use]
    pub fn with_look_ups(mut self, options: LookUpOptions) -> Self {
        let LookUpOptions {
            store_reads,
            warm_up_per_second,
        } = options;
        self.store_reads = Semaphore::new(store_reads);
        self.warm_up_per_second = warm_up_per_second;
        self
    }

    /// The service with another time for which results of jobs are kept; by default 30 days.
    #[must_use]
    pub fn with_results_kept(mut self, time: Duration) -> Self {
        self.keep_results = time;
        self
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
    let attempt = idempotency::current();
    match tokio::task::spawn_blocking(move || store::attempting(attempt, work)).await {
        Ok(result) => result,
        Err(error) => Err(ServiceError::Internal(format!(
            "a task ended early: {error}"
        ))),
    }
}
