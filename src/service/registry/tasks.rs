//! Jobs beside the runs: training, judging, comparing, validating, shadow reports, drift.
//!
//! One job at a time in each process. A job that its owner left is begun anew by the next; what it writes it writes at its
//! end, so nothing is half done.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::RegisterModelError;
use super::gates::ValidationAsk;
use crate::domain::{AsOf, FieldError, Label};
use crate::model::evaluation::Settings;
use crate::model::train::{TrainError, TrainParams};
use crate::service::runs::Job;
use crate::service::training::{Roles, RowRules, TrainingError};
use crate::service::{Models, OutcomeRule, Service, ServiceError};
use crate::store::{ClaimedTask, JobKind, ModelPaper, ModelState, StoreError};

/// How long an owner that does not answer keeps a job.
const LEASE_MS: i64 = 10_000;
/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_secs(2);
/// How often a job is begun at most.
const MOST_ATTEMPTS: u32 = 3;

/// What a job is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case", deny_unknown_fields)]
pub enum TaskRequest {
    /// Train on the register.
    Train(Box<TrainRequest>),
    /// Train on a table that was sent.
    TrainOnTable(Box<TableTrainRequest>),
    /// Judge a model by later inspections.
    Evaluate {
        /// The model.
        model_id: String,
        /// The day as of which tiers are judged; default the end of the fitted rows.
        as_of: Option<Date>,
        /// What counts as a problem.
        outcome: OutcomeRule,
        /// How intervals are made.
        settings: Settings,
    },
    /// Compare a model with the live one.
    Compare {
        /// The model.
        model_id: String,
        /// What it is compared with; default the live model.
        with: Option<String>,
        /// The day as of which tiers are judged; default the end of the fitted rows.
        as_of: Option<Date>,
        /// What counts as a problem.
        outcome: OutcomeRule,
        /// How intervals are made.
        settings: Settings,
    },
    /// Put a model through the gates.
    Validate {
        /// The model.
        model_id: String,
        /// What is asked for.
        ask: Box<ValidationAsk>,
    },
    /// Report where a model in shadow and the live one disagree.
    Shadow {
        /// The model.
        model_id: String,
    },
    /// Measure drift.
    Drift {},
}

/// A training that is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainRequest {
    /// Who asks, and is the author of the model.
    pub by: Label,
    /// Why.
    pub reason: Option<String>,
    /// Which inspections become rows.
    pub rows: RowRules,
    /// How the card is trained; features and validation follow from the catalogue and the rows.
    pub params: TrainParams,
}

/// A training on a table that is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableTrainRequest {
    /// Who asks, and is the author of the model.
    pub by: Label,
    /// Why.
    pub reason: Option<String>,
    /// The table.
    pub table_id: String,
    /// The roles of its columns; what they leave out is inferred.
    pub roles: Roles,
    /// How the card is trained; what is declared about features follows from the roles.
    pub params: TrainParams,
}

impl TaskRequest {
    fn kind(&self) -> JobKind {
        match self {
            Self::Train(_) | Self::TrainOnTable(_) => JobKind::Train,
            Self::Evaluate { .. } => JobKind::Evaluate,
            Self::Compare { .. } => JobKind::Compare,
            Self::Validate { .. } => JobKind::Validate,
            Self::Shadow { .. } => JobKind::Shadow,
            Self::Drift {} => JobKind::Drift,
        }
    }
}

/// Signs of life of a job that is held.
struct Beating<'a> {
    service: &'a Service,
    run_id: &'a str,
    step: Mutex<String>,
    percent: AtomicU8,
    is_lost: AtomicBool,
}

impl Beating<'_> {
    /// Says what is being done; `false` when nobody wants it any more.
    fn tell(&self, step: &str, percent: u8) -> bool {
        let mut told = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != step {
            step.clone_into(&mut told);
        }
        self.percent.store(percent, Ordering::Relaxed);
        !self.is_lost.load(Ordering::Relaxed)
    }

    /// Renews the lease beside `work`.
    fn beside<T>(&self, work: impl FnOnce() -> T) -> T {
        let (ended, bell) = (Mutex::new(false), Condvar::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut guard = ended.lock().unwrap_or_else(PoisonError::into_inner);
                while !*guard {
                    guard = bell
                        .wait_timeout(guard, RENEWAL)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    if *guard {
                        break;
                    }
                    // A store that does not answer is noticed by the work itself.
                    if let Ok(false) = self.beat() {
                        self.is_lost.store(true, Ordering::Relaxed);
                    }
                }
            });
            let done = work();
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
            bell.notify_all();
            done
        })
    }

    fn beat(&self) -> Result<bool, StoreError> {
        let step = self
            .step
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let percent = self.percent.load(Ordering::Relaxed);
        let service = self.service;
        service
            .store
            .progress_task(self.run_id, &service.owner, LEASE_MS, &step, percent)
    }
}

/// Why a job ended without a result.
enum Stopped {
    /// What it was asked for cannot be done.
    Failed(String),
    /// The store is away, or the job is wanted no more: it is left as it is.
    Left(ServiceError),
}

impl<E: Into<anything::Failure>> From<E> for Stopped {
    fn from(error: E) -> Self {
        match error.into() {
            anything::Failure::Service(ServiceError::Store(error)) if error.is_passing() => {
                Self::Left(error.into())
            }
            anything::Failure::Service(error) => Self::Failed(error.to_string()),
            anything::Failure::Other(text) => Self::Failed(text),
        }
    }
}

/// The errors of the use-cases that jobs call, brought together.
mod anything {
    use crate::service::registry::RegisterModelError;
    use crate::service::training::TrainingError;
    use crate::service::{EvaluateError, ServiceError};

    pub(super) enum Failure {
        Service(ServiceError),
        Other(String),
    }

    impl From<ServiceError> for Failure {
        fn from(error: ServiceError) -> Self {
            Self::Service(error)
        }
    }

    impl From<serde_json::Error> for Failure {
        fn from(error: serde_json::Error) -> Self {
            Self::Service(error.into())
        }
    }

    impl From<EvaluateError> for Failure {
        fn from(error: EvaluateError) -> Self {
            match error {
                EvaluateError::Service(error) => Self::Service(error),
                error => Self::Other(error.to_string()),
            }
        }
    }

    impl From<TrainingError> for Failure {
        fn from(error: TrainingError) -> Self {
            match error {
                TrainingError::Service(error) => Self::Service(error),
                error => Self::Other(error.to_string()),
            }
        }
    }

    impl From<RegisterModelError> for Failure {
        fn from(error: RegisterModelError) -> Self {
            match error {
                RegisterModelError::Service(error) => Self::Service(error),
                error => Self::Other(error.to_string()),
            }
        }
    }
}

impl Service {
    /// Asks for a job. What it names is looked up at once, so that a mistake is told to whoever made it.
    ///
    /// # Errors
    ///
    /// When a model that it names is unknown, or in a state that does not allow the job.
    pub fn ask_task(&self, request: &TaskRequest) -> Result<Job, ServiceError> {
        match request {
            TaskRequest::Train(train) => self.check_settings(&train.params)?,
            TaskRequest::TrainOnTable(train) => {
                self.check_settings(&train.params)?;
                self.ask_for_table(&train.table_id)?;
            }
            TaskRequest::Evaluate { model_id, .. } => {
                self.model(model_id)?;
            }
            TaskRequest::Compare { model_id, with, .. } => {
                self.model(model_id)?;
                if let Some(with) = with {
                    self.model(with)?;
                }
            }
            TaskRequest::Validate { model_id, ask } => {
                self.may_validate(model_id)?;
                if ask.force && ask.reason.is_none() {
                    return Err(FieldError::new(
                        "reason",
                        "",
                        "is needed where `force` is; say why",
                    )
                    .into());
                }
            }
            TaskRequest::Shadow { model_id } => {
                let row = self.model(model_id)?;
                if row.state != ModelState::Shadow {
                    return Err(ServiceError::ModelState {
                        model_id: model_id.clone(),
                        state: row.state,
                        step: "reported on",
                        needed: vec![ModelState::Shadow],
                    });
                }
            }
            TaskRequest::Drift {} => {}
        }
        self.request_task(request.kind(), request)
    }

    /// Names the setting that cannot be; the parent has to be registered.
    fn check_settings(&self, params: &TrainParams) -> Result<(), ServiceError> {
        params.clone().valid().map_err(|error| match error {
            TrainError::Setting { what, bounds } => {
                FieldError::new(what, "", format!("is out of its bounds: {bounds}"))
            }
            error => FieldError::new("params", "", error.to_string()),
        })?;
        let Some(parent) = &params.parent else {
            return Ok(());
        };
        match self.model(parent) {
            Ok(_) => Ok(()),
            Err(ServiceError::UnknownModel(_)) => {
                Err(FieldError::new("parent", parent, "is the id of no registered model").into())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn request_shadow_report(&self, model_id: &str) -> Result<Job, ServiceError> {
        self.ask_task(&TaskRequest::Shadow {
            model_id: model_id.to_owned(),
        })
    }

    /// The result of a job that succeeded, as JSON.
    ///
    /// # Errors
    ///
    /// When there is no such job, it has no result (yet), or the result is kept no longer.
    pub fn job_result(&self, job_id: &str) -> Result<String, ServiceError> {
        let job = self.job(job_id)?;
        let Some(expired_at) = job.result_expires_at else {
            return Err(ServiceError::Conflict(format!(
                "job `{job_id}` is {} and has no result",
                job.run.state.as_str()
            )));
        };
        let kept = match job.is_result_kept {
            true => self.store.task_result(job_id)?,
            false => None,
        };
        // Another process may keep results for a shorter time, and has removed it then.
        kept.ok_or_else(|| ServiceError::ResultExpired {
            job_id: job_id.to_owned(),
            expired_at: expired_at.min(job.run.read_at),
        })
    }

    /// Carries out the first job beside the runs that nobody holds; says which.
    ///
    /// # Errors
    ///
    /// When the store fails; the job is then begun anew by whoever asks next.
    pub fn carry_out_task(&self) -> Result<Option<Job>, ServiceError> {
        let claimed = self
            .store
            .claim_task(&self.owner, LEASE_MS, MOST_ATTEMPTS)?;
        let Some(ClaimedTask { run, request }) = claimed else {
            return Ok(None);
        };
        let beating = Beating {
            service: self,
            run_id: &run.run_id,
            step: Mutex::default(),
            percent: AtomicU8::new(0),
            is_lost: AtomicBool::new(false),
        };
        let ended = match beating.beside(|| self.execute_task(&request, &beating)) {
            Ok(result) => Ok(result),
            Err(Stopped::Failed(why)) => {
                tracing::warn!(run.id = run.run_id, why, "a job has failed");
                Err(why)
            }
            Err(Stopped::Left(error)) => return Err(error),
        };
        self.store.end_task(&run.run_id, &self.owner, &ended)?;
        self.job(&run.run_id).map(Some)
    }

    fn execute_task(&self, request: &str, beating: &Beating<'_>) -> Result<String, Stopped> {
        // What is in force is that of the store, whatever this process followed last.
        self.refresh()?;
        let request: TaskRequest = serde_json::from_str(request)?;
        match request {
            TaskRequest::Train(train) => self.train_task(*train, beating),
            TaskRequest::TrainOnTable(train) => self.table_task(*train, beating),
            TaskRequest::Evaluate {
                model_id,
                as_of,
                outcome,
                settings,
            } => {
                beating.tell("judging by later inspections", 10);
                let cards = self.model_scorecards(&model_id)?;
                let models = self.files_with(&model_id)?;
                let as_of = as_of.unwrap_or_else(|| self.judged_from(&cards));
                let evaluation =
                    self.evaluate_register(&models, AsOf::monthly(as_of), &outcome, settings)?;
                Ok(serde_json::to_string(&evaluation)?)
            }
            TaskRequest::Compare {
                model_id,
                with,
                as_of,
                outcome,
                settings,
            } => {
                beating.tell("judging by later inspections", 10);
                let cards = self.model_scorecards(&model_id)?;
                let candidate = self.files_with(&model_id)?;
                let current = match with {
                    Some(with) => self.files_with(&with)?,
                    None => self.current().models.clone(),
                };
                let as_of = as_of.unwrap_or_else(|| self.judged_from(&cards));
                let comparison = self.compare_register(
                    &current,
                    &candidate,
                    AsOf::monthly(as_of),
                    &outcome,
                    settings,
                )?;
                Ok(serde_json::to_string(&comparison)?)
            }
            TaskRequest::Validate { model_id, ask } => {
                let validation = self.validate_model(&model_id, &ask, &mut |step, percent| {
                    beating.tell(step, percent)
                })?;
                Ok(serde_json::to_string(&validation)?)
            }
            TaskRequest::Shadow { model_id } => {
                beating.tell("comparing the tiers of the register", 10);
                let live = self.current().models.clone();
                let candidate = self.files_with(&model_id)?;
                let total = self.store.enterprise_count().map_err(ServiceError::from)?;
                let report = self.disagreement(&live, &candidate, &mut |done| {
                    beating.tell("comparing the tiers of the register", percent(done, total))
                })?;
                let text = serde_json::to_string(&report)?;
                self.store
                    .put_model_paper(&model_id, ModelPaper::Shadow, &text)
                    .map_err(ServiceError::from)?;
                Ok(text)
            }
            TaskRequest::Drift {} => {
                let total = self.store.enterprise_count().map_err(ServiceError::from)?;
                let report = self.measure_drift(&mut |done| {
                    beating.tell("measuring drift", percent(done, total))
                })?;
                Ok(serde_json::to_string(&report)?)
            }
        }
    }

    fn train_task(&self, train: TrainRequest, beating: &Beating<'_>) -> Result<String, Stopped> {
        let TrainRequest {
            by,
            reason,
            rows,
            params,
        } = train;
        let models = self.current().models.clone();
        let params = TrainParams {
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            ..params
        };
        let mut steps = 0_u8;
        let trained = self.train_on_register(&models, &rows, params, None, &mut |step| {
            steps = steps.saturating_add(1);
            beating.tell(step, steps.saturating_mul(8).min(90));
        })?;
        if !beating.beat().map_err(ServiceError::from)? {
            return Err(Stopped::Failed("it was cancelled".to_owned()));
        }
        let card = trained
            .trained
            .card
            .to_canonical_json()
            .map_err(TrainingError::from)?;
        let paper = serde_json::json!({"rows": trained.rows, "report": trained.trained.report});
        let (row, is_new) = self.add_model(
            &String::from_utf8_lossy(&card),
            &by,
            reason.as_deref(),
            Some(&paper.to_string()),
        )?;
        let result = serde_json::json!({
            "model_id": row.model_id,
            "is_new": is_new,
            "rows": trained.rows,
            "report": trained.trained.report,
        });
        Ok(result.to_string())
    }

    /// Trains on a table. A card that goes with the catalogue in force is registered as a draft; any other one stands in
    /// the result.
    fn table_task(
        &self,
        train: TableTrainRequest,
        beating: &Beating<'_>,
    ) -> Result<String, Stopped> {
        let TableTrainRequest {
            by,
            reason,
            table_id,
            roles,
            params,
        } = train;
        beating.tell("reading the table", 5);
        let read = self.read_training_table(&table_id, roles)?;
        let params = TrainParams {
            features: read.roles.feature.clone(),
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            ..params
        }
        .valid()
        .map_err(TrainingError::from)?;
        let mut steps = 0_u8;
        let trained = crate::model::train::train(&read.table, &params, &mut |step| {
            steps = steps.saturating_add(1);
            beating.tell(step, steps.saturating_mul(8).clamp(10, 90));
        })
        .map_err(TrainingError::from)?;
        if !beating.beat().map_err(ServiceError::from)? {
            return Err(Stopped::Failed("it was cancelled".to_owned()));
        }
        let card = trained
            .card
            .to_canonical_json()
            .map_err(TrainingError::from)?;
        let card = String::from_utf8_lossy(&card);
        let columns: Vec<serde_json::Value> = read
            .columns
            .iter()
            .map(|(column, role, holds)| {
                serde_json::json!({"column": column, "role": role, "holds": holds})
            })
            .collect();
        let paper =
            serde_json::json!({"table_id": table_id, "columns": columns, "report": trained.report});
        let mut result = serde_json::json!({
            "table_id": table_id,
            "columns": columns,
            "report": trained.report,
        });
        let more = match self.add_model(&card, &by, reason.as_deref(), Some(&paper.to_string())) {
            Ok((row, is_new)) => serde_json::json!({"model_id": row.model_id, "is_new": is_new}),
            // Columns that are no indicators of the register make a card for other uses.
            Err(RegisterModelError::Files(error)) => serde_json::json!({
                "not_registered": error.to_string(),
                "scorecard": trained.card,
            }),
            Err(error) => return Err(error.into()),
        };
        if let (Some(result), serde_json::Value::Object(more)) = (result.as_object_mut(), more) {
            result.extend(more);
        }
        Ok(result.to_string())
    }

    /// The files in force with the card of a registered model.
    pub(super) fn files_with(&self, model_id: &str) -> Result<Models, ServiceError> {
        let card = self.model_artefact(model_id)?;
        self.current().models.with_card(&card).map_err(|error| {
            ServiceError::Conflict(format!(
                "model `{model_id}` does not go with the catalogue and policy in force: {error}"
            ))
        })
    }

    /// The last shadow report of a model, as JSON.
    ///
    /// # Errors
    ///
    /// When there is no such model, or it was never in shadow.
    pub fn shadow_report(&self, model_id: &str) -> Result<super::Disagreement, ServiceError> {
        self.model(model_id)?;
        let text = self
            .store
            .model_paper(model_id, ModelPaper::Shadow)?
            .ok_or_else(|| {
                ServiceError::Conflict(format!(
                    "model `{model_id}` has no shadow report yet; put it in shadow, or wait for its job"
                ))
            })?;
        Ok(serde_json::from_str(&text)?)
    }
}

fn percent(done: u64, total: u64) -> u8 {
    u8::try_from((done.saturating_mul(100) / total.max(1)).min(99)).unwrap_or(99)
}
