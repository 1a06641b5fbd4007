//! The steps of a model, each one transaction.

use super::gates::ModelValidation;
use crate::domain::Label;
use crate::domain::digest::HashAlgorithm;
use crate::model::{ScorecardError, Scorecards};
use crate::service::proceedings::same_person;
use crate::service::runs::Job;
use crate::service::{Models, ModelsError, Person, Service, ServiceError};
use crate::store::{
    Asked, JobKind, ModelDeed, ModelPaper, ModelRow, ModelState, NewModel, NewModelChange, NewRun,
    NewTask, Promotion, RunCause,
};

/// Digits of an id that a shortened one needs.
const LEAST_PREFIX: usize = 8;

/// Models looked through for a shortened id or a name.
const PAGE: usize = 1_000;

/// Why a card is not registered. Nothing is kept of it.
#[derive(Debug, thiserror::Error)]
pub enum RegisterModelError {
    /// The card cannot be read, or its test vectors do not hold.
    #[error(transparent)]
    Card(#[from] ScorecardError),
    /// It does not go with the files in force.
    #[error("the card does not go with the files in force: {0}")]
    Files(ModelsError),
    /// The register fails.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// A model with what is known of it.
#[derive(Clone, Debug)]
pub struct ModelDetail {
    /// Where it stands.
    pub row: ModelRow,
    /// Its cards.
    pub cards: Scorecards,
    /// Its last validation.
    pub validation: Option<ModelValidation>,
    /// How it was trained, where it was trained here.
    pub training: Option<serde_json::Value>,
}

impl NewModel {
    /// Cards as they are registered, under the name of the general one.
    pub(in crate::service) fn of(cards: &Scorecards) -> Result<Self, ScorecardError> {
        let body = cards.to_canonical_json()?;
        Ok(Self {
            model_id: HashAlgorithm::Sha256.hash(&[&body]).to_string(),
            name: cards.general.name.clone(),
            version: cards.general.version,
            body,
        })
    }
}

impl Service {
    /// Registers a card as a draft, or several in one file, under the digest of its canonical form; one that is registered
    /// already stays as it is. Says whether it is new.
    ///
    /// # Errors
    ///
    /// When the card is of another format, was changed by hand, or does not fit the catalogue in force.
    pub fn add_model(
        &self,
        text: &str,
        by: &Label,
        reason: Option<&str>,
        training: Option<&str>,
    ) -> Result<(ModelRow, bool), RegisterModelError> {
        let new = NewModel::of(&Scorecards::from_json(text)?)?;
        self.current()
            .models
            .with_card(&new.body)
            .map_err(RegisterModelError::Files)?;
        let paper = training.map(|text| (ModelPaper::Training, text));
        let added = self
            .store
            .put_model(&new, by.as_str(), reason, paper)
            .map_err(ServiceError::from)?;
        Ok(added)
    }

    /// Models before number `before`, latest first; of one state or of all.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn models(
        &self,
        state: Option<ModelState>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelRow>, ServiceError> {
        Ok(self.store.models_before(state, before, limit)?)
    }

    /// One model by its id.
    ///
    /// # Errors
    ///
    /// When there is no such model or the store fails.
    pub fn model(&self, model_id: &str) -> Result<ModelRow, ServiceError> {
        self.store
            .model(model_id)?
            .ok_or_else(|| ServiceError::UnknownModel(model_id.to_owned()))
    }

    /// One model by its id, the first digits of it, `name/version`, or the word `live`.
    ///
    /// # Errors
    ///
    /// When none or several are meant.
    pub fn model_named(&self, text: &str) -> Result<ModelRow, ServiceError> {
        if let Some(found) = self.store.model(text)? {
            return Ok(found);
        }
        let mut meant = Vec::new();
        let mut before = None;
        loop {
            let page = self.store.models_before(None, before, PAGE)?;
            let Some(last) = page.last() else { break };
            before = Some(last.model_no);
            meant.extend(page.into_iter().filter(|row| {
                let by_name = text.rsplit_once('/').is_some_and(|(name, version)| {
                    row.name == name && row.version.to_string() == version
                });
                let by_prefix = text.len() >= LEAST_PREFIX && row.model_id.starts_with(text);
                by_name || by_prefix || (text == "live" && row.state == ModelState::Live)
            }));
        }
        if meant.len() > 1 {
            return Err(ServiceError::Conflict(format!(
                "`{text}` names {} models; give more of the id",
                meant.len()
            )));
        }
        meant
            .pop()
            .ok_or_else(|| ServiceError::UnknownModel(text.to_owned()))
    }

    /// One model with its card and papers.
    ///
    /// # Errors
    ///
    /// When there is no such model or the store fails.
    pub fn model_detail(&self, model_id: &str) -> Result<ModelDetail, ServiceError> {
        let row = self.model(model_id)?;
        let training = self.store.model_paper(model_id, ModelPaper::Training)?;
        Ok(ModelDetail {
            cards: self.model_scorecards(model_id)?,
            validation: self.model_validation(model_id)?,
            training: training
                .map(|text| serde_json::from_str(&text))
                .transpose()?,
            row,
        })
    }

    /// The cards of a model; their test vectors are run again.
    pub(super) fn model_scorecards(&self, model_id: &str) -> Result<Scorecards, ServiceError> {
        let text = String::from_utf8_lossy(&self.model_artefact(model_id)?).into_owned();
        Scorecards::from_json(&text).map_err(|error| {
            ServiceError::Internal(format!("registered model `{model_id}`: {error}"))
        })
    }

    /// The card of a model, byte for byte as its id says.
    ///
    /// # Errors
    ///
    /// When there is no such model or the store fails.
    pub fn model_artefact(&self, model_id: &str) -> Result<Vec<u8>, ServiceError> {
        let unknown = || ServiceError::UnknownModel(model_id.to_owned());
        let body = self.store.model_body(model_id)?.ok_or_else(unknown)?;
        let digest = HashAlgorithm::Sha256.hash(&[&body]).to_string();
        if digest != model_id {
            return Err(ServiceError::Internal(format!(
                "the card of model `{model_id}` has digest {digest}; the store was changed by something else"
            )));
        }
        Ok(body)
    }

    /// The last validation of a model.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn model_validation(
        &self,
        model_id: &str,
    ) -> Result<Option<ModelValidation>, ServiceError> {
        let text = self.store.model_paper(model_id, ModelPaper::Validation)?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// Approves a validated model, as another person than its author.
    ///
    /// # Errors
    ///
    /// When the model is not validated, or the author asks.
    pub fn approve_model(&self, model_id: &str, person: &Person) -> Result<ModelRow, ServiceError> {
        let row = self.model(model_id)?;
        let Some(author) = row
            .author
            .as_deref()
            .and_then(|author| Label::parse(author).ok())
        else {
            return Err(ServiceError::Rule(format!(
                "model `{model_id}` came with the files of a process and has no author to set apart from its approver; \
                 it comes into force with those files alone"
            )));
        };
        if same_person(&author, &person.by) {
            return Err(ServiceError::Rule(format!(
                "`{}` registered model `{model_id}`; another person must approve it",
                person.by
            )));
        }
        self.step(
            model_id,
            "approved",
            &[ModelState::Validated],
            &changed(ModelDeed::Approved, ModelState::Approved, person),
        )
    }

    /// Puts an approved model beside the live one: it is scored on the same register and never told. Gives the job of
    /// the first report.
    ///
    /// # Errors
    ///
    /// When the model is not approved.
    pub fn shadow_model(
        &self,
        model_id: &str,
        person: &Person,
    ) -> Result<(ModelRow, Job), ServiceError> {
        let row = self.step(
            model_id,
            "put beside the live one",
            &[ModelState::Approved],
            &changed(ModelDeed::Shadowed, ModelState::Shadow, person),
        )?;
        let job = self.request_shadow_report(model_id)?;
        Ok((row, job))
    }

    /// Takes a model out of use that is not live.
    ///
    /// # Errors
    ///
    /// When the model is live or retired.
    pub fn retire_model(&self, model_id: &str, person: &Person) -> Result<ModelRow, ServiceError> {
        self.step(
            model_id,
            "retired",
            &[
                ModelState::Draft,
                ModelState::Validated,
                ModelState::Approved,
                ModelState::Shadow,
            ],
            &changed(ModelDeed::Retired, ModelState::Retired, person),
        )
    }

    /// Asks for a model to become live: a run reclassifies the whole register beside what is served, and all tiers change
    /// over at once. `force` overrides guard rails, which the reason then has to carry.
    ///
    /// # Errors
    ///
    /// When the model is neither approved nor in shadow, what it was validated against is not live any more, a guard
    /// rail is broken, or another promotion is under way.
    pub fn promote_model(
        &self,
        model_id: &str,
        person: &Person,
        force: bool,
    ) -> Result<Job, ServiceError> {
        let row = self.model(model_id)?;
        let live = self.live_model_id()?;
        let mut promotion = Promotion {
            model_id: model_id.to_owned(),
            is_rollback: false,
            by: person.by.to_string(),
            reason: person.reason.clone(),
            is_forced: false,
            live_before: live.clone(),
        };
        if !promotion.allowed().contains(&row.state) {
            return Err(wrong_state(
                model_id,
                row.state,
                "promoted",
                promotion.allowed(),
            ));
        }
        match self.against_promotion(model_id, live.as_deref()) {
            Ok(()) => {}
            // What is overridden is what spoke against it, and nothing else.
            Err(ServiceError::Rule(_) | ServiceError::GatesBroken { .. }) if force => {
                promotion.is_forced = true;
            }
            Err(error) => return Err(error),
        }
        self.put_live(&promotion)
    }

    /// Why a promotion needs to be forced.
    fn against_promotion(&self, model_id: &str, live: Option<&str>) -> Result<(), ServiceError> {
        let Some(validation) = self.model_validation(model_id)? else {
            return Err(ServiceError::Rule(format!(
                "model `{model_id}` has no validation; validate it"
            )));
        };
        if validation.against.as_deref() != live {
            return Err(ServiceError::Rule(format!(
                "model `{model_id}` was validated against `{}`, and `{}` is live by now; validate it anew, or force the \
                 promotion with a reason",
                validation.against.as_deref().unwrap_or("nothing"),
                live.unwrap_or("nothing")
            )));
        }
        let broken: Vec<&str> = validation.broken().map(|gate| gate.gate.as_str()).collect();
        if broken.is_empty() {
            return Ok(());
        }
        Err(ServiceError::GatesBroken {
            model_id: model_id.to_owned(),
            gates: broken.into_iter().map(str::to_owned).collect(),
        })
    }

    /// Asks for the model that was live before the present one, or another that was live once, to become live again, by a
    /// run like that of a promotion.
    ///
    /// # Errors
    ///
    /// When no model was live before, or another promotion is under way.
    pub fn roll_back(&self, to: Option<&str>, person: &Person) -> Result<Job, ServiceError> {
        let model_id = match to {
            Some(model_id) => self.model(model_id)?.model_id,
            None => self.model_before()?.ok_or_else(|| {
                ServiceError::Conflict(
                    "no other model was live before this one; promote one instead".to_owned(),
                )
            })?,
        };
        if to.is_some() && !self.was_live(&model_id)? {
            return Err(ServiceError::Conflict(format!(
                "model `{model_id}` was never live; promote it instead"
            )));
        }
        self.put_live(&Promotion {
            model_id,
            is_rollback: true,
            by: person.by.to_string(),
            reason: person.reason.clone(),
            is_forced: false,
            live_before: self.live_model_id()?,
        })
    }

    fn put_live(&self, promotion: &Promotion) -> Result<Job, ServiceError> {
        // What came into force elsewhere a moment ago is what the card is put into.
        self.refresh()?;
        let models = self.files_with(&promotion.model_id)?;
        self.keep_files(&models)?;
        let run = NewRun {
            run_id: self.entropy.id()?,
            cause: RunCause::Files,
            files_id: models.files_id().to_owned(),
            as_of: self.today(),
        };
        let step = if promotion.is_rollback {
            "made live again"
        } else {
            "promoted"
        };
        match self.store.request_promotion(&run, promotion)? {
            Asked::Run(run) => {
                tracing::info!(
                    run.id = run.run_id,
                    model.id = promotion.model_id,
                    "a model is to become live"
                );
                Ok(self.job_of(*run))
            }
            Asked::Busy { run_id, model_id } => {
                Err(ServiceError::PromotionBusy { run_id, model_id })
            }
            Asked::OtherFiles { run_id } => Err(ServiceError::Conflict(format!(
                "run `{run_id}` is putting other files in force; wait until it has ended, or cancel it"
            ))),
            Asked::State(Some(state)) => Err(wrong_state(
                &promotion.model_id,
                state,
                step,
                promotion.allowed(),
            )),
            Asked::State(None) => Err(ServiceError::UnknownModel(promotion.model_id.clone())),
            Asked::LiveMoved(live) => Err(ServiceError::Conflict(format!(
                "`{}` became live meanwhile; look at it and ask again",
                live.as_deref().unwrap_or("nothing")
            ))),
        }
    }

    /// Keeps files with whose card they hold.
    pub(in crate::service) fn keep_files(&self, models: &Models) -> Result<(), ServiceError> {
        keep_files(self.store.as_ref(), models)
    }

    /// Asks for a job beside the runs.
    pub(super) fn request_task(
        &self,
        kind: JobKind,
        request: &impl serde::Serialize,
    ) -> Result<Job, ServiceError> {
        let current = self.current();
        let run = self.store.request_task(&NewTask {
            run_id: self.entropy.id()?,
            kind,
            files_id: current.models.files_id().to_owned(),
            as_of: self.today(),
            request: serde_json::to_string(request)?,
        })?;
        tracing::info!(
            run.id = run.run_id,
            kind = kind.as_str(),
            "a job is asked for"
        );
        Ok(self.job_of(run))
    }

    pub(super) fn step(
        &self,
        model_id: &str,
        step: &'static str,
        from: &[ModelState],
        change: &NewModelChange,
    ) -> Result<ModelRow, ServiceError> {
        match self.store.change_model(model_id, from, change)? {
            Ok(row) => {
                tracing::info!(
                    model.id = model_id,
                    state = row.state.as_str(),
                    "a model was {step}"
                );
                Ok(row)
            }
            Err(Some(state)) => Err(wrong_state(model_id, state, step, from)),
            Err(None) => Err(ServiceError::UnknownModel(model_id.to_owned())),
        }
    }
}

/// Keeps files with whose card and policy they hold.
pub(in crate::service) fn keep_files(
    store: &dyn crate::store::Store,
    models: &Models,
) -> Result<(), ServiceError> {
    store.put_model_set(models.files_id(), models.files())?;
    if store.model_of_set(models.files_id())?.is_none() {
        let new = NewModel::of(&models.model_cards()?)
            .map_err(|error| ServiceError::Internal(error.to_string()))?;
        store.note_set_model(models.files_id(), &new)?;
    }
    super::keep_policy(store, models)
}

fn changed(what: ModelDeed, to: ModelState, person: &Person) -> NewModelChange {
    NewModelChange {
        what,
        to: Some(to),
        by: Some(person.by.to_string()),
        reason: Some(person.reason.clone()),
        is_forced: false,
        paper: None,
        run_id: None,
    }
}

fn wrong_state(
    model_id: &str,
    state: ModelState,
    step: &'static str,
    needed: &[ModelState],
) -> ServiceError {
    ServiceError::ModelState {
        model_id: model_id.to_owned(),
        state,
        step,
        needed: needed.to_vec(),
    }
}
