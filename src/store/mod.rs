//! Layer 2: the system of record.
//!
//! One trait, two stores: the embedded one ([`SqliteStore`]) is the default for one machine, PostgreSQL
//! ([`PostgresStore`]) serves several replicas. What a method has acknowledged is durable. The store keeps and finds; it
//! computes no tier and draws no plan.

mod arrivals;
mod attempt;
mod calendars;
mod ceremony;
mod change_log;
mod decide;
mod error;
mod feed;
mod idempotency;
mod imports;
mod ledger;
mod ledger_rows;
mod life;
mod model_rows;
mod models;
mod overview;
mod packed;
mod policies;
mod postgres;
mod rows;
mod runs;
mod scan;
mod set_aside;
mod sqlite;
mod stood;
mod tasks;
mod tier_rows;
mod tiers;
mod webhooks;

use jiff::civil::Date;

use crate::domain::{Enterprise, EnterpriseId, Epoch, Record, Tier, carry_amendments};

pub use self::postgres::{PostgresOptions, PostgresStore};
pub use attempt::{Attempt, attempting};
pub use calendars::{BuildEdition, CalendarStore, DoneVisit, KeptEdition};
pub use ceremony::CeremonyStore;
pub use change_log::ChangeLog;
pub use error::StoreError;
pub use feed::{Feed, Move, MoveKind};
pub use idempotency::{IdempotencyStore, KeptAnswer, Taken};
pub use imports::{ImportNote, ImportRow, ImportStore, RegisterWriter};
pub use ledger::{
    DrawnPlan, ItemOutcome, ItemStore, ItemVersion, ItemWrite, JoinedVisit, LedgerAround,
    LedgerFilter, LedgerMoves, LedgerScope, LedgerStore, LedgerYear, Slot,
};
pub use life::{Act, Concerned, Deed, LifeStore, Proceeding, ProceedingFilter, Standing};
pub use models::{
    Asked, DriftRow, ModelChange, ModelDeed, ModelPaper, ModelRow, ModelState, ModelStore,
    NewModel, NewModelChange, Promotion,
};
pub use overview::{AlertFilter, Migrated, Overview, SummaryBy, Summed, TierFilter};
pub use packed::pack as packed_dossier;
pub use policies::{NewPolicy, NewPolicyChange, PolicyChange, PolicyDeed, PolicyRow, PolicyStore};
pub use runs::{
    JobKind, LiveTier, NewRun, Run, RunCause, RunChange, RunPart, RunPhase, RunRow, RunState,
    RunStore,
};
pub use scan::{IdRange, Scan};
pub use set_aside::{SetAside, VersionKey};
pub use sqlite::SqliteStore;
pub use tasks::{ClaimedTask, NewTask, TaskStore, TrainingTable};
pub use tiers::{
    Alert, AlertKind, CarriedRun, InForce, Kept, LinkState, ModelFile, NewInForce, NewTier,
    PastTier, PresentTier, TierStore,
};
pub use webhooks::{Attempted, Webhook, WebhookStore};

/// The system of record.
pub trait Store:
    CalendarStore
    + CeremonyStore
    + ChangeLog
    + Feed
    + IdempotencyStore
    + ImportStore
    + ItemStore
    + LedgerStore
    + LifeStore
    + ModelStore
    + Overview
    + PolicyStore
    + RunStore
    + Scan
    + SetAside
    + TaskStore
    + TierStore
    + WebhookStore
    + Send
    + Sync
{
    /// Identity of this database: 32 hexadecimal digits, made once.
    fn store_id(&self) -> Result<String, StoreError>;

    /// Begins an import and returns its number.
    fn begin_import(&self) -> Result<i64, StoreError>;

    /// Forgets what is remembered in this process of an import that has ended.
    fn end_import(&self, import_no: i64);

    /// Writes enterprises in one transaction, on `day`: until then counts what they replace. `import_no` is 0 outside
    /// imports.
    fn put_enterprises(
        &self,
        batch: &[Enterprise],
        import_no: i64,
        day: Date,
    ) -> Result<Vec<Outcome>, StoreError>;

    /// Writes one enterprise on `day` if `condition` holds for the revision that stands, `None` where there is none;
    /// nothing comes between the one and the other.
    fn put_enterprise_if(
        &self,
        enterprise: &Enterprise,
        day: Date,
        condition: &dyn Fn(Option<u64>) -> bool,
    ) -> Result<Conditional, StoreError>;

    /// Writes records in one transaction; refused ones are told and the others go in. `import_no` is 0 outside imports.
    /// The revision of an enterprise grows by one, and its change is logged once, however many of its records change.
    fn put_records(&self, batch: &[Record], import_no: i64) -> Result<Vec<Outcome>, StoreError>;

    /// Writes records in one transaction, all or none: as soon as one is refused nothing is written, and the last of the
    /// outcomes returned says why.
    fn put_records_or_none(&self, batch: &[Record]) -> Result<Vec<Outcome>, StoreError>;

    /// One enterprise with its revision.
    fn enterprise(&self, id: &EnterpriseId) -> Result<Option<(Enterprise, u64)>, StoreError>;

    /// One enterprise with its earlier versions and all versions of its records, read at one instant.
    fn dossier(&self, id: &EnterpriseId) -> Result<Option<Dossier>, StoreError>;

    /// Enterprises after `after` in id order, at most `limit`.
    fn enterprises_after(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Enterprise, u64)>, StoreError>;

    /// Goes through all dossiers in id order, as they are at one instant.
    fn each_dossier(&self, visit: &mut dyn FnMut(Dossier)) -> Result<(), StoreError>;

    /// Number of enterprises and of versions of their records; those set aside are not among them.
    fn counts(&self) -> Result<Counts, StoreError>;

    /// Number of the last change in the log of tier changes; 0 without any.
    fn last_change(&self) -> Result<u64, StoreError>;

    /// Changes after `seq` in order, at most `limit`; [`StoreError::LogShortened`] if the next one is no longer there.
    fn changes_after(&self, seq: u64, limit: usize) -> Result<Vec<Changed>, StoreError>;

    /// Keeps a frame under the next consecutive number, which is returned; `document` makes the JSON to keep of it.
    fn put_frame(
        &self,
        frame_id: &str,
        body: &[u8],
        document: &dyn Fn(u64) -> String,
    ) -> Result<u64, StoreError>;

    /// The document of one frame.
    fn frame(&self, frame_id: &str) -> Result<Option<String>, StoreError>;

    /// The body of one frame.
    fn frame_body(&self, frame_id: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Documents of the frames before number `before`, latest first, at most `limit`.
    fn frames_before(&self, before: Option<u64>, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Keeps a new plan without a number.
    fn insert_plan(&self, plan_id: &str, state: &str, document: &str) -> Result<(), StoreError>;

    /// Moves a plan from one state to another; nothing happens, and `false` is returned, if it is not in state `from`.
    fn advance_plan(
        &self,
        plan_id: &str,
        from: &str,
        change: &PlanChange<'_>,
    ) -> Result<bool, StoreError>;

    /// Freezes a draft under the next consecutive number: `build` gets the number and returns document and pool file.
    /// `false` if the plan is no draft any more; refused when it belongs to a group that takes no more plans.
    fn freeze_plan(
        &self,
        plan_id: &str,
        build: &mut dyn FnMut(u64) -> Result<(String, Vec<u8>), StoreError>,
    ) -> Result<bool, StoreError>;

    /// The document of one plan.
    fn plan(&self, plan_id: &str) -> Result<Option<String>, StoreError>;

    /// Pool or sample file of one plan, gzip; `None` where there is none (yet).
    fn plan_file(&self, plan_id: &str, file: PlanFile) -> Result<Option<Vec<u8>>, StoreError>;

    /// Documents of the plans drafted before plan `before`, latest first, at most `limit`.
    fn plans_before(&self, before: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Closes a drawn plan: `build` gets the document of the plan closed before it, if any, and returns the new one.
    /// `false` if the plan is not in state `drawn`.
    fn close_plan(
        &self,
        plan_id: &str,
        build: &mut dyn FnMut(Option<String>) -> Result<String, StoreError>,
    ) -> Result<bool, StoreError>;

    /// Whether the store answers.
    fn ping(&self) -> Result<(), StoreError>;
}

/// What became of one written row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Created(Changed),
    /// It replaced or followed an earlier version.
    Updated(Changed),
    /// It says nothing new; nothing was written.
    Unchanged,
    /// A record whose enterprise is not in the register: it is kept and counts once the enterprise arrives.
    SetAside,
    /// It was not written.
    Refused(Refusal),
}

/// What became of a row that was to be written under a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conditional {
    /// The condition held.
    Written(Outcome),
    /// It did not, for this revision.
    NotMet(Option<u64>),
}

/// The revision that stood before `outcome`; `now` reads the present one.
fn revision_before(
    outcome: Option<&Outcome>,
    now: impl FnOnce() -> Result<Option<u64>, StoreError>,
) -> Result<Option<u64>, StoreError> {
    match outcome {
        Some(Outcome::Created(_)) => Ok(None),
        Some(Outcome::Updated(changed)) => Ok(Some(changed.revision.saturating_sub(1))),
        Some(Outcome::Unchanged | Outcome::SetAside | Outcome::Refused(_)) | None => now(),
    }
}

/// Why a row was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The id of a record belongs to another enterprise.
    #[error("belongs to enterprise `{0}`; a record does not move between enterprises")]
    OtherEnterprise(EnterpriseId),
    /// The same id stood earlier in the same import with other content.
    #[error("stood earlier in this import with other content; keep one of the two")]
    DuplicateInImport,
}

/// An enterprise that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Number in the log of tier changes; rows of one transaction about one enterprise share it.
    pub seq: u64,
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// Its revision after the change.
    pub revision: u64,
}

/// An enterprise with everything that its tier rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Dossier {
    /// The enterprise.
    pub enterprise: Enterprise,
    /// Its revision.
    pub revision: u64,
    /// What it was before, each with the day from which on it was something else, in order of those days.
    pub earlier: Vec<(Date, Enterprise)>,
    /// All versions of its records, grouped by record and ordered by `known_on`.
    pub versions: Vec<Record>,
}

impl Dossier {
    /// Puts a dossier together; repairs and withdrawals are carried forward to later versions that are silent about them.
    pub fn new(
        enterprise: Enterprise,
        revision: u64,
        earlier: Vec<(Date, Enterprise)>,
        mut versions: Vec<Record>,
    ) -> Self {
        carry_amendments(&mut versions);
        Self {
            enterprise,
            revision,
            earlier,
            versions,
        }
    }

    /// The enterprise as it was at the end of `day`: the first version replaced after it, else the present one.
    pub fn enterprise_on(&self, day: Date) -> &Enterprise {
        let replaced = self.earlier.iter().find(|(until_on, _)| *until_on > day);
        replaced.map_or(&self.enterprise, |(_, enterprise)| enterprise)
    }

    /// The first day after `day` on which the enterprise is known to be another.
    pub fn next_version_on(&self, day: Date) -> Option<Date> {
        let mut turns = self.earlier.iter().map(|(until_on, _)| *until_on);
        turns.find(|until_on| *until_on > day)
    }

    /// The enterprise as [`Dossier::enterprise_on`] tells it, its revision, and the versions of its records.
    pub fn as_known_on(self, day: Date) -> (Enterprise, u64, Vec<Record>) {
        let mut earlier = self.earlier.into_iter();
        let replaced = earlier.find(|(until_on, _)| *until_on > day);
        let enterprise = replaced.map_or(self.enterprise, |(_, enterprise)| enterprise);
        (enterprise, self.revision, self.versions)
    }
}

/// Size of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Enterprises.
    pub enterprises: u64,
    /// Record versions.
    pub record_versions: u64,
}

/// A computed tier as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredTier {
    /// The enterprise's revision that it was computed from.
    pub revision: u64,
    /// The tier.
    pub tier: Tier,
    /// The points behind it.
    pub points: u16,
    /// The day it was computed for.
    pub as_of: Date,
    /// The first later day on which it may differ.
    pub next_change_on: Option<Date>,
}

/// What the store knows of an enterprise's tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierRow {
    /// The enterprise's present revision.
    pub revision: u64,
    /// The epoch in force; nothing in a database that was never served.
    pub epoch: Option<Epoch>,
    /// The tier in the live slot, which belongs to that epoch and may be outdated.
    pub stored: Option<StoredTier>,
}

/// What a step of a plan changes.
#[derive(Clone, Copy, Debug)]
pub struct PlanChange<'a> {
    /// The new state.
    pub state: &'a str,
    /// The new document.
    pub document: &'a str,
    /// The sample file, gzip, when the step makes one.
    pub sample: Option<&'a [u8]>,
}

/// The files of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanFile {
    /// `pool.tsv`.
    Pool,
    /// `sample.tsv`.
    Sample,
    /// `reserve.tsv`: who stands by, in order; absent for plans drawn before it was kept.
    Reserve,
}
