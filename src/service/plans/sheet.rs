//! What a printed sheet says of a plan: what was drawn, by which rule, with which evidence.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::document::{PlanDocument, PlanState};
use super::editions::{SampleObject, SampleStanding};
use super::precision::PrecisionPreview;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{EnterpriseId, ReplaceReason, Tier};
use crate::sampling::contribution::{Assurance, PlannedContribution};
use crate::sampling::plan::{Excluded, Method, Period, Rounding};
use crate::sampling::seed::Seed;
use crate::sampling::{ItemClass, StratumMeaning};
use crate::service::{Service, ServiceError};

/// Objects that a sheet lists; the sample file has them all.
const LISTED: usize = 500;

/// For whom a sheet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The office: with strata, tiers and rates.
    Internal,
    /// Everybody: who was drawn and the evidence, nothing from which a tier could be read.
    Public,
}

/// A plan as a sheet tells it.
#[derive(Clone, Debug)]
pub struct PlanSheet {
    /// For whom.
    pub audience: Audience,
    /// The plan's id.
    pub plan_id: String,
    /// Its number, once frozen.
    pub number: Option<u64>,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub state: PlanState,
    /// Why it was given up.
    pub void_reason: Option<String>,
    /// Class of the check items.
    pub item_class: ItemClass,
    /// Codes of the check items.
    pub items: Vec<String>,
    /// When the visits take place.
    pub period: Period,
    /// How objects are selected.
    pub method: Method,
    /// How targets become whole.
    pub rounding: Rounding,
    /// The hash of the draw.
    pub hash: HashAlgorithm,
    /// The day that the register speaks for.
    pub as_of: Date,
    /// Objects that could be drawn.
    pub pool_size: u64,
    /// Objects drawn, once drawn.
    pub sample_size: Option<u64>,
    /// Objects drawn over the whole pool beside the strata.
    pub exploration_n: u64,
    /// When it was drafted, RFC 3339.
    pub created_at: String,
    /// When it was frozen.
    pub frozen_at: Option<String>,
    /// When it was drawn.
    pub drawn_at: Option<String>,
    /// When it was closed.
    pub closed_at: Option<String>,
    /// What can be checked.
    pub evidence: Option<Evidence>,
    /// What only the office sees.
    pub internal: Option<InternalPart>,
    /// Drawn objects that were replaced or skipped, in the order in which that happened.
    pub replaced: Vec<SheetReplacement>,
    /// The first drawn objects: in the order of the sample file for the office, by id for everybody.
    pub drawn: Vec<DrawnObject>,
}

/// What can be checked.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Digest of the frozen plan.
    pub plan_digest: Digest,
    /// Merkle root of the pool.
    pub pool_root: Digest,
    /// Digest of the pool file; for the office only.
    pub pool_digest: Option<Digest>,
    /// Digest of the frame; for the office only.
    pub frame_digest: Option<Digest>,
    /// Digest of the policy; for the office only.
    pub policy_digest: Option<Digest>,
    /// Digest of the model; for the office only.
    pub model_digest: Option<Digest>,
    /// Digest of the sample file, once drawn; for the office only.
    pub sample_digest: Option<Digest>,
    /// Digest of the auditor's transcript, once closed.
    pub transcript_digest: Option<Digest>,
    /// The transcript of the plan closed before.
    pub previous: Option<Digest>,
    /// Where the seed comes from.
    pub contributions: Vec<SheetContribution>,
    /// The seed, in hexadecimal, once closed; for everybody only where the plan allows it.
    pub seed: Option<String>,
    /// Whether not even the operator could choose.
    pub is_public: bool,
    /// Whether the secrets follow from a fixed seed: the draw proves nothing.
    pub insecure: bool,
}

/// One contribution to the seed.
#[derive(Clone, Debug)]
pub struct SheetContribution {
    /// Its name.
    pub name: String,
    /// The commitment that was fixed beforehand.
    pub commitment: Option<String>,
    /// The rule by which it came into being afterwards.
    pub rule: Option<String>,
    /// Its value, once it may be told.
    pub value: Option<String>,
}

/// What only the office sees.
#[derive(Clone, Debug)]
pub struct InternalPart {
    /// Objects that the filter asks for but that are not in the pool, by reason.
    pub excluded: Vec<Excluded>,
    /// The strata in order of key.
    pub strata: Vec<SheetStratum>,
    /// How far the estimates will be off, where that says how many are drawn.
    pub precision: Option<PrecisionPreview>,
}

/// One stratum.
#[derive(Clone, Debug)]
pub struct SheetStratum {
    /// Its key.
    pub key: String,
    /// Tier of its objects.
    pub tier: Tier,
    /// Division of its objects; empty where none is known.
    pub division: String,
    /// Complaint band of its objects.
    pub complaint_band: String,
    /// Rate of its objects in the plan, in ppb.
    pub rate_ppb: u64,
    /// Its objects.
    pub objects: u64,
    /// Visits to be drawn, in ppb of one.
    pub target_ppb: u64,
    /// Objects drawn in it, once drawn.
    pub drawn: Option<u64>,
    /// Inclusion probability of each of its objects.
    pub inclusion_probability: f64,
}

/// A drawn object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnObject {
    /// Its id.
    pub enterprise_id: String,
    /// Its name in the register, if it is there.
    pub name: Option<String>,
    /// Stratum and order within it; for the office only.
    pub place: Option<(String, u64)>,
}

/// An object that is not visited, and who took its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetReplacement {
    /// The object.
    pub enterprise_id: String,
    /// Why; for the office only, as it may concern an open case.
    pub reason: Option<ReplaceReason>,
    /// Who took its place from the reserve; nobody where there was none.
    pub taken: Option<String>,
    /// Who said so; for the office only.
    pub by: Option<String>,
    /// When, RFC 3339.
    pub at: String,
}

/// Division and whatever else a stratum is of.
fn place_of(meaning: &StratumMeaning) -> String {
    let division = std::iter::once(&meaning.division);
    let parts = division.chain(meaning.beside.values());
    let told: Vec<&str> = parts
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    told.join(" · ")
}

impl Service {
    /// What a sheet says of a plan in any state.
    ///
    /// # Errors
    ///
    /// When there is no such plan or the store fails.
    pub fn plan_sheet(&self, plan_id: &str, audience: Audience) -> Result<PlanSheet, ServiceError> {
        let document = self.plan_document(plan_id)?;
        let is_internal = audience == Audience::Internal;
        let sample = match &document.drawn {
            Some(_) => self.sample(plan_id)?,
            None => Vec::new(),
        };
        let drawn_first = |object: &&SampleObject| object.standing != SampleStanding::Replacement;
        let mut by_key: BTreeMap<&str, u64> = BTreeMap::new();
        for object in sample.iter().filter(drawn_first) {
            *by_key.entry(&object.stratum).or_default() += 1;
        }
        let strata = document.preview.strata.iter().map(|stratum| SheetStratum {
            key: stratum.key.clone(),
            tier: stratum.meaning.tier,
            division: place_of(&stratum.meaning),
            complaint_band: stratum.meaning.complaint_band.clone(),
            rate_ppb: stratum.meaning.rate.rate_ppb,
            objects: stratum.objects,
            target_ppb: stratum.target_ppb,
            drawn: document
                .drawn
                .as_ref()
                .map(|_| by_key.get(stratum.key.as_str()).copied().unwrap_or(0)),
            inclusion_probability: stratum.inclusion_probability,
        });
        let internal = is_internal.then(|| InternalPart {
            excluded: document.preview.excluded.clone(),
            strata: strata.collect(),
            precision: document.preview.precision.clone(),
        });
        let mut places: Vec<(String, Option<(String, u64)>)> = sample
            .iter()
            .filter(drawn_first)
            .map(|object| {
                let place = is_internal.then(|| (object.stratum.clone(), object.order));
                (object.enterprise_id.clone(), place)
            })
            .collect();
        if !is_internal {
            // The order of the sample file follows the strata, and so the tiers.
            places.sort();
        }
        places.truncate(LISTED);
        let drawn = places
            .into_iter()
            .map(|(enterprise_id, place)| {
                Ok(DrawnObject {
                    name: self.name_of(&enterprise_id)?,
                    enterprise_id,
                    place,
                })
            })
            .collect::<Result<_, ServiceError>>()?;
        let replaced = match &document.drawn {
            None => Vec::new(),
            Some(_) => self.replacements(plan_id)?,
        };
        let replaced = replaced.into_iter().map(|replacement| SheetReplacement {
            enterprise_id: replacement.enterprise_id,
            reason: is_internal.then_some(replacement.reason),
            taken: replacement.taken.map(|taken| taken.enterprise_id),
            by: is_internal.then(|| replacement.by.to_string()),
            at: replacement.at,
        });
        let request = &document.request;
        Ok(PlanSheet {
            replaced: replaced.collect(),
            audience,
            plan_id: document.plan_id.clone(),
            number: document.frozen.as_ref().map(|frozen| frozen.plan.number),
            title: request.title.clone(),
            state: document.state,
            void_reason: document.void_reason.clone(),
            item_class: document.preview.item_class,
            items: request.items.clone(),
            period: request.period,
            method: request.method,
            rounding: request.rounding,
            hash: request.hash,
            as_of: self.frame(&request.frame_id)?.as_of,
            pool_size: document.preview.pool_size,
            sample_size: document.drawn.as_ref().map(|drawn| drawn.sample_size),
            exploration_n: document.preview.exploration_n,
            created_at: document.created_at.clone(),
            frozen_at: document
                .frozen
                .as_ref()
                .map(|frozen| frozen.frozen_at.clone()),
            drawn_at: document.drawn.as_ref().map(|drawn| drawn.drawn_at.clone()),
            closed_at: document
                .closed
                .as_ref()
                .map(|closed| closed.closed_at.clone()),
            evidence: evidence(&document, is_internal),
            internal,
            drawn,
        })
    }

    fn name_of(&self, id: &str) -> Result<Option<String>, ServiceError> {
        // Pools of other systems may hold ids that no register would take.
        let Ok(id) = EnterpriseId::parse(id) else {
            return Ok(None);
        };
        Ok(self
            .store
            .enterprise(&id)?
            .map(|(enterprise, _)| enterprise.name))
    }
}

fn evidence(document: &PlanDocument, is_internal: bool) -> Option<Evidence> {
    let frozen = document.frozen.as_ref()?;
    let plan = &frozen.plan;
    let told = |digest: Digest| is_internal.then_some(digest);
    // Until a plan is closed its seed would show every ticket.
    let opened = document
        .drawn
        .as_ref()
        .filter(|_| document.closed.is_some() && (is_internal || plan.public_seed));
    let contributions = plan
        .contributions
        .iter()
        .map(|planned| {
            let (commitment, rule) = match planned {
                PlannedContribution::Committed { commitment, .. } => {
                    (Some(commitment.to_string()), None)
                }
                PlannedContribution::Public { rule, .. } => (None, Some(rule.clone())),
            };
            let value = opened.and_then(|drawn| {
                let given = drawn.contributions.iter();
                given
                    .filter(|given| given.name == *planned.name())
                    .map(|given| given.value.expose().to_owned())
                    .next()
            });
            SheetContribution {
                name: planned.name().to_string(),
                commitment,
                rule,
                value,
            }
        })
        .collect();
    Some(Evidence {
        plan_digest: frozen.plan_digest,
        pool_root: plan.pool_root,
        pool_digest: told(plan.pool_digest),
        frame_digest: told(plan.frame_digest),
        policy_digest: told(plan.policy_digest),
        model_digest: told(plan.model_digest),
        sample_digest: document
            .drawn
            .as_ref()
            .and_then(|drawn| told(drawn.sample_digest)),
        transcript_digest: document
            .closed
            .as_ref()
            .map(|closed| closed.transcript_digest),
        previous: document.closed.as_ref().and_then(|closed| closed.previous),
        contributions,
        seed: opened
            .map(|drawn| Seed::of(plan, &frozen.plan_digest, &drawn.contributions).expose_hex()),
        is_public: Assurance::of(&plan.contributions) == Assurance::Public,
        insecure: frozen.insecure,
    })
}
