//! Reading plans: views, files, the three editions of the transcript, verification.

use serde::Serialize;
use std::collections::BTreeMap;

use super::document::{Frozen, PlanDocument, PlanState, PlanView};
use super::extension::DRAWN_BEFORE;
use super::steps::internal;
use crate::domain::ReplaceReason;
use crate::domain::digest::Digest;
use crate::files::unpack;
use crate::sampling::draw::{Draw, DrawOutcome};
use crate::sampling::inclusion::StratumInclusion;
use crate::sampling::plan::Method;
use crate::sampling::pool::{Pool, StratumKey};
use crate::sampling::transcript::{Edition, Record};
use crate::sampling::verification::{Verification, VerifyInput, verify};
use crate::service::{Service, ServiceError};
use crate::store::PlanFile;

/// How an object came into a sample, and whether it still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleStanding {
    /// Drawn, and to be visited.
    Drawn,
    /// Not visited: replaced or skipped, for a coded reason.
    Replaced,
    /// Took a place from the reserve, and is to be visited.
    Replacement,
}

impl SampleStanding {
    /// The word used in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drawn => "drawn",
            Self::Replaced => "replaced",
            Self::Replacement => "replacement",
        }
    }
}

/// One object of a sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleObject {
    /// The object.
    pub enterprise_id: String,
    /// Opaque key of its stratum; `EXPLORE` for exploration objects, `ALL` for method `order`.
    pub stratum: String,
    /// Its place in the stratum, from 1.
    pub order: u64,
    /// How it came in, and whether it counts.
    pub standing: SampleStanding,
    /// Why it is not visited, if it is not.
    pub reason: Option<ReplaceReason>,
    /// Whose place it took from the reserve.
    pub replaces: Option<String>,
}

/// A plan drawn again from what is kept.
pub(super) struct Replayed {
    pool: Pool,
    outcome: DrawOutcome,
}

impl Replayed {
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(super) fn outcome(&self) -> &DrawOutcome {
        &self.outcome
    }

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

    /// The drawn objects in the order of the sample file, with who took whose place since behind those of its stratum.
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
                standing: SampleStanding::Drawn,
                reason: None,
                replaces: None,
            });
        }
        let replacements = self.replacements(plan_id)?;
        if replacements.is_empty() {
            return Ok(objects);
        }
        for replacement in &replacements {
            if let Some(taken) = &replacement.taken {
                objects.push(SampleObject {
                    enterprise_id: taken.enterprise_id.clone(),
                    stratum: replacement.stratum.clone(),
                    order: taken.order,
                    standing: SampleStanding::Replacement,
                    reason: None,
                    replaces: Some(replacement.enterprise_id.clone()),
                });
            }
        }
        let reasons: BTreeMap<&str, ReplaceReason> = replacements
            .iter()
            .map(|replacement| (replacement.enterprise_id.as_str(), replacement.reason))
            .collect();
        for object in &mut objects {
            object.reason = reasons.get(object.enterprise_id.as_str()).copied();
            if object.reason.is_some() {
                object.standing = SampleStanding::Replaced;
            }
        }
        objects.sort_by(|a, b| (&a.stratum, a.order).cmp(&(&b.stratum, b.order)));
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
                let strata_meaning = document.frozen.as_ref().map(meanings).transpose()?;
                let strata_meaning = strata_meaning.unwrap_or_default();
                let reasons = document.preview.excluded.iter();
                let excluded_reasons = reasons
                    .map(|excluded| (excluded.reason.clone(), exclusion_text(&excluded.reason)))
                    .collect();
                let mut internal = record.internal(strata_meaning, excluded_reasons);
                internal.replacements = self
                    .replacements(plan_id)?
                    .iter()
                    .map(serde_json::to_value)
                    .collect::<Result<_, _>>()?;
                internal.to_bytes()?
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

    pub(super) fn state_error(
        &self,
        document: &PlanDocument,
        needed: &'static str,
    ) -> ServiceError {
        let (plan_id, state): (String, PlanState) = (document.plan_id.clone(), document.state);
        ServiceError::PlanState {
            plan_id,
            state,
            needed,
        }
    }
}

/// What every stratum key stands for; in a draw of equal probability with the probability of its objects and their
/// design weight, as fractions in lowest terms.
fn meanings(frozen: &Frozen) -> Result<BTreeMap<StratumKey, serde_json::Value>, ServiceError> {
    let plan = &frozen.plan;
    let mut meanings = BTreeMap::new();
    for (key, meaning) in &frozen.strata_meaning {
        let mut value = serde_json::to_value(meaning)?;
        let planned = plan.strata().iter().find(|planned| planned.key == *key);
        if let (Some(planned), Method::Equal, Some(members)) =
            (planned, plan.method, value.as_object_mut())
        {
            let (target, objects) = (planned.target_ppb, planned.pool);
            let inclusion =
                StratumInclusion::new(target, objects, plan.exploration_n, plan.pool_size);
            members.insert(
                "inclusion_probability".to_owned(),
                inclusion.to_string().into(),
            );
            if let Some(weight) = inclusion.weight() {
                members.insert("design_weight".to_owned(), weight.into());
            }
        }
        meanings.insert(key.clone(), value);
    }
    Ok(meanings)
}

/// A reason of exclusion in both languages.
fn exclusion_text(reason: &str) -> serde_json::Value {
    let (zh, en) = match reason {
        "status_revoked" => ("已吊销", "licence revoked"),
        "status_cancelled" => ("已注销", "deregistered"),
        "status_moved_out" => ("已迁出", "moved to another province"),
        "cap_reached" => (
            "本年度计划检查次数已达上限",
            "as many planned visits this year as its tier allows",
        ),
        "gap_not_over" => (
            "距其他计划检查未满最小间隔",
            "too close to another planned visit",
        ),
        DRAWN_BEFORE => (
            "已在被扩充的计划中抽中",
            "drawn by the plan that this one extends",
        ),
        other => (other, other),
    };
    serde_json::json!({ "zh": zh, "en": en })
}
