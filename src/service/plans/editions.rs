//! Reading plans: views, files, the three editions of the transcript, verification.

use serde::Serialize;
use std::collections::BTreeMap;

use super::document::{PlanDocument, PlanState, PlanView};
use super::steps::internal;
use crate::domain::digest::Digest;
use crate::files::unpack;
use crate::sampling::draw::{Draw, DrawOutcome};
use crate::sampling::pool::Pool;
use crate::sampling::transcript::{Edition, Record};
use crate::sampling::verification::{Verification, VerifyInput, verify};
use crate::service::{Service, ServiceError};
use crate::store::PlanFile;

/// One drawn object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleObject {
    /// The object.
    pub enterprise_id: String,
    /// Opaque key of its stratum; `EXPLORE` for exploration objects, `ALL` for method `order`.
    pub stratum: String,
    /// Its place in the stratum, from 1.
    pub order: u32,
}

/// A plan drawn again from what is kept.
pub(super) struct Replayed {
    pool: Pool,
    outcome: DrawOutcome,
}

impl Replayed {
    pub(super) fn record<'a>(
        &'a self,
        document: &'a PlanDocument,
        previous: Option<Digest>,
    ) -> Result<Record<'a>, ServiceError> {
        let (Some(frozen), Some(drawn)) = (&document.frozen, &document.drawn) else {
            return Err(ServiceError::Internal(
                "a drawn plan without its parts".to_owned(),
            ));
        };
        Ok(Record {
            plan_id: &document.plan_id,
            plan: &frozen.plan,
            contributions: &drawn.contributions,
            pool_secret: &frozen.pool_secret,
            outcome: &self.outcome,
            previous,
        })
    }
}

impl Service {
    /// One plan.
    ///
    /// # Errors
    ///
    /// When there is no such plan or the store fails.
    pub fn plan(&self, plan_id: &str) -> Result<PlanView, ServiceError> {
        Ok(self.plan_document(plan_id)?.view())
    }

    /// Plans drafted before plan `before`, latest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn plans(&self, before: Option<&str>, limit: usize) -> Result<Vec<PlanView>, ServiceError> {
        let documents = self.store.plans_before(before, limit)?;
        documents
            .iter()
            .map(|text| Ok(serde_json::from_str::<PlanDocument>(text)?.view()))
            .collect()
    }

    /// The file `pool.tsv` of a frozen plan.
    ///
    /// # Errors
    ///
    /// When the plan is not frozen yet.
    pub fn pool_file(&self, plan_id: &str) -> Result<Vec<u8>, ServiceError> {
        self.file(plan_id, PlanFile::Pool, "frozen")
    }

    /// The file `sample.tsv` of a drawn plan.
    ///
    /// # Errors
    ///
    /// When the plan is not drawn yet.
    pub fn sample_file(&self, plan_id: &str) -> Result<Vec<u8>, ServiceError> {
        self.file(plan_id, PlanFile::Sample, "drawn")
    }

    /// The drawn objects, in the order of the sample file.
    ///
    /// # Errors
    ///
    /// As [`Service::sample_file`].
    pub fn sample(&self, plan_id: &str) -> Result<Vec<SampleObject>, ServiceError> {
        let file = String::from_utf8(self.sample_file(plan_id)?).map_err(internal)?;
        let mut objects = Vec::new();
        for line in file.lines() {
            let mut cells = line.split('\t');
            let (Some(id), Some(stratum), Some(order)) = (cells.next(), cells.next(), cells.next())
            else {
                return Err(ServiceError::Internal(
                    "a line of the sample is cut".to_owned(),
                ));
            };
            objects.push(SampleObject {
                enterprise_id: id.to_owned(),
                stratum: stratum.to_owned(),
                order: order.parse().map_err(internal)?,
            });
        }
        Ok(objects)
    }

    /// The frozen plan as its canonical bytes: their digest is the plan digest.
    ///
    /// # Errors
    ///
    /// When the plan is not frozen yet.
    pub fn frozen_plan(&self, plan_id: &str) -> Result<Vec<u8>, ServiceError> {
        let document = self.plan_document(plan_id)?;
        match &document.frozen {
            Some(frozen) => Ok(frozen.plan.canonical_bytes()?),
            None => Err(self.state_error(&document, "frozen")),
        }
    }

    /// An edition of the transcript of a closed plan, as its canonical bytes.
    ///
    /// # Errors
    ///
    /// When the plan is not closed.
    pub fn transcript(&self, plan_id: &str, edition: Edition) -> Result<Vec<u8>, ServiceError> {
        let document = self.plan_document(plan_id)?;
        let Some(closed) = &document.closed else {
            return Err(self.state_error(&document, "closed"));
        };
        let replayed = self.replay(&document)?;
        let record = replayed.record(&document, closed.previous)?;
        Ok(match edition {
            Edition::Auditor => record.auditor().to_bytes()?,
            Edition::Public => record.public(&replayed.pool).to_bytes()?,
            Edition::Internal => {
                let meaning = document
                    .frozen
                    .as_ref()
                    .map(|frozen| &frozen.strata_meaning);
                let strata_meaning = meaning
                    .into_iter()
                    .flatten()
                    .map(|(key, meaning)| Ok((key.clone(), serde_json::to_value(meaning)?)))
                    .collect::<Result<BTreeMap<_, _>, ServiceError>>()?;
                let reasons = document.preview.excluded.iter();
                let excluded_reasons = reasons
                    .map(|excluded| (excluded.reason.clone(), exclusion_text(&excluded.reason)))
                    .collect();
                record
                    .internal(strata_meaning, excluded_reasons)
                    .to_bytes()?
            }
        })
    }

    /// Verifies a closed plan against its own transcript, pool and sample.
    ///
    /// # Errors
    ///
    /// When the plan is not closed.
    pub fn verify_plan(&self, plan_id: &str) -> Result<Verification, ServiceError> {
        let transcript = self.transcript(plan_id, Edition::Auditor)?;
        let sample = self.sample_file(plan_id)?;
        let expected_digest = self.plan(plan_id)?.transcript_digest;
        Ok(verify(VerifyInput {
            transcript: &transcript,
            pool: Some(self.pool_file(plan_id)?),
            sample: Some(&sample),
            expected_digest,
            group: None,
        })?)
    }

    /// Draws again from what is kept; the outcome must have the digest that was kept.
    pub(super) fn replay(&self, document: &PlanDocument) -> Result<Replayed, ServiceError> {
        let (Some(frozen), Some(drawn)) = (&document.frozen, &document.drawn) else {
            return Err(self.state_error(document, "drawn"));
        };
        let pool = self.kept_pool(&document.plan_id)?;
        let outcome = Draw::run(&frozen.plan, &pool, &drawn.contributions)?;
        if outcome.sample_digest != drawn.sample_digest {
            return Err(ServiceError::Internal(
                "the kept plan does not replay to its own sample".to_owned(),
            ));
        }
        Ok(Replayed { pool, outcome })
    }

    /// The pool of a frozen plan.
    pub(in crate::service) fn kept_pool(&self, plan_id: &str) -> Result<Pool, ServiceError> {
        let damaged = |cause: String| {
            ServiceError::Internal(format!(
                "the kept pool of plan `{plan_id}` cannot be read: {cause}"
            ))
        };
        let packed = self.packed(plan_id, PlanFile::Pool, "frozen")?;
        let file = unpack(&packed).map_err(|error| damaged(error.to_string()))?;
        Pool::from_bytes(file).map_err(|error| damaged(error.to_string()))
    }

    pub(super) fn plan_document(&self, plan_id: &str) -> Result<PlanDocument, ServiceError> {
        let text = self
            .store
            .plan(plan_id)?
            .ok_or_else(|| ServiceError::UnknownPlan(plan_id.to_owned()))?;
        Ok(serde_json::from_str(&text)?)
    }

    fn file(
        &self,
        plan_id: &str,
        file: PlanFile,
        needed: &'static str,
    ) -> Result<Vec<u8>, ServiceError> {
        Ok(unpack(&self.packed(plan_id, file, needed)?)?)
    }

    fn packed(
        &self,
        plan_id: &str,
        file: PlanFile,
        needed: &'static str,
    ) -> Result<Vec<u8>, ServiceError> {
        match self.store.plan_file(plan_id, file)? {
            Some(bytes) => Ok(bytes),
            None => {
                let document = self.plan_document(plan_id)?;
                Err(ServiceError::PlanState {
                    plan_id: plan_id.to_owned(),
                    state: document.state,
                    needed,
                })
            }
        }
    }

    fn state_error(&self, document: &PlanDocument, needed: &'static str) -> ServiceError {
        let (plan_id, state): (String, PlanState) = (document.plan_id.clone(), document.state);
        ServiceError::PlanState {
            plan_id,
            state,
            needed,
        }
    }
}

/// A reason of exclusion in both languages.
fn exclusion_text(reason: &str) -> serde_json::Value {
    let (zh, en) = match reason {
        "status_revoked" => ("已吊销", "licence revoked"),
        "status_cancelled" => ("已注销", "deregistered"),
        "status_moved_out" => ("已迁出", "moved to another province"),
        other => (other, other),
    };
    serde_json::json!({ "zh": zh, "en": en })
}
