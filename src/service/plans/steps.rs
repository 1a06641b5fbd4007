//! The steps of a plan, each one transaction.

use std::collections::BTreeMap;

use super::document::{Closed, Drawn, Frozen, PlanDocument, PlanState, PlanView};
use super::draft::{CommittedContribution, PlanRequest, PublicContribution};
use super::events::{PlanStep, Subject};
use super::groups::GroupState;
use super::kept_order::reserve_file;
use super::precision::said;
use super::think::Drafted;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::parallel::beside;
use crate::domain::{FieldError, Label};
use crate::files::pack;
use crate::sampling::StrataBy;
use crate::sampling::contribution::{
    Contribution, ContributionName, ContributionValue, PlannedContribution, SERVER,
    opening_problems,
};
use crate::sampling::draw::Draw;
use crate::sampling::merkle::pool_commitments;
use crate::sampling::plan::{FrozenPlan, Method, PLAN_FORMAT, PlannedStratum, Rounding};
use crate::sampling::pool::{Pool, PoolBuilder, StratumKey};
use crate::sampling::transcript::plan_id_of;
use crate::service::{Service, ServiceError};
use crate::store::StoreError;

impl Service {
    /// Keeps a plan as a draft.
    ///
    /// # Errors
    ///
    /// As [`Service::preview_plan`].
    pub fn draft_plan(&self, request: PlanRequest) -> Result<PlanView, ServiceError> {
        let current = self.current();
        let request = self.in_group(request)?;
        let preview = self.draft(&current, &request)?.preview;
        let planned = planned_contributions(&request.committed, &request.public)?;
        self.extended(&request, &planned)?;
        let nonce = self.entropy.secret()?;
        let document = PlanDocument {
            plan_id: plan_id_of(&nonce),
            nonce,
            state: PlanState::Draft,
            created_at: now(),
            request,
            preview,
            policy_digest: current.models.policy_digest,
            frozen: None,
            drawn: None,
            closed: None,
            void_reason: None,
            void_at: None,
            said_by: BTreeMap::new(),
        };
        let text = serde_json::to_string(&document)?;
        let (plan_id, state) = (&document.plan_id, document.state.as_str());
        match &document.request.group {
            None => self.store.insert_plan(plan_id, state, &text)?,
            Some(group_id) => {
                let store = &self.store;
                if !store.insert_plan_of_group(group_id, plan_id, state, &text)? {
                    return Err(ServiceError::Conflict(format!(
                        "the group `{group_id}` was sealed meanwhile; draft the plan in another group"
                    )));
                }
            }
        }
        Ok(document.view())
    }

    /// Drafts, freezes, draws and closes a plan in one call; only the server contributes.
    ///
    /// # Errors
    ///
    /// As the single steps; contributions of others cannot be awaited in one call.
    pub fn draw_plan_now(&self, request: PlanRequest) -> Result<PlanView, ServiceError> {
        if !request.committed.is_empty() || !request.public.is_empty() {
            let reason = "lets nobody else contribute; draft the plan, freeze it, then draw with their contributions";
            return Err(FieldError::new("draw", "now", reason).into());
        }
        if request.group.is_some() {
            let reason = "does not go with `group`: its plans are drawn when the group is opened";
            return Err(FieldError::new("draw", "now", reason).into());
        }
        let plan_id = self.draft_plan(request)?.plan_id;
        self.freeze_plan(&plan_id)?;
        self.draw_plan(&plan_id, Vec::new())?;
        self.close_plan(&plan_id)
    }

    /// Fixes pool, targets and commitments under the next consecutive number.
    ///
    /// # Errors
    ///
    /// When the plan is no draft, or was drafted under another policy.
    pub fn freeze_plan(&self, plan_id: &str) -> Result<PlanView, ServiceError> {
        self.freeze_plan_by(plan_id, None)
    }

    /// As [`Service::freeze_plan`], and says who asked for it.
    ///
    /// # Errors
    ///
    /// As [`Service::freeze_plan`]; a refusal is noted.
    pub fn freeze_plan_by(
        &self,
        plan_id: &str,
        by: Option<&Label>,
    ) -> Result<PlanView, ServiceError> {
        let done = self.freeze(plan_id, by);
        self.noted(Subject::Plan(plan_id), PlanStep::Freeze, by, done)
    }

    fn freeze(&self, plan_id: &str, by: Option<&Label>) -> Result<PlanView, ServiceError> {
        let mut document = self.plan_in(plan_id, PlanState::Draft)?;
        let current = self.current();
        if document.policy_digest != current.models.policy_digest {
            return Err(ServiceError::Plan(
                "the policy has changed since the draft; draft the plan anew".to_owned(),
            ));
        }
        let drafted = self.draft(&current, &document.request)?;
        let pool = pool_of(&drafted)?;
        let pool_secret = self.entropy.secret()?;
        let (server_value, seed_source) = self.seed_source(&document.request)?;
        let mut plan = frozen_plan(&document, &drafted, pool.len(), seed_source)?;
        let (pool_file, (pool_digest, pool_root)) = beside(
            || pack(pool.file_bytes()),
            || pool_commitments(plan.hash, &pool_secret, &pool),
        );
        let pool_file = pool_file?;
        (plan.pool_digest, plan.pool_root) = (pool_digest, pool_root);
        let strata_meaning = drafted
            .strata
            .iter()
            .map(|stratum| Ok((key(&stratum.key)?, stratum.meaning.clone())))
            .collect::<Result<BTreeMap<_, _>, ServiceError>>()?;
        document.preview = drafted.preview;
        document.state = PlanState::Frozen;
        document.say(PlanStep::Freeze, by);
        let frozen_at = now();
        let insecure = self.entropy.is_insecure();
        let done = self.store.freeze_plan(plan_id, &mut |number| {
            plan.number = number;
            let abort = |error: String| StoreError::Aborted(error);
            plan.validate().map_err(|error| abort(error.to_string()))?;
            document.frozen = Some(Frozen {
                plan_digest: plan.digest().map_err(|error| abort(error.to_string()))?,
                plan: plan.clone(),
                pool_secret: pool_secret.clone(),
                server_value: server_value.clone(),
                strata_meaning: strata_meaning.clone(),
                insecure,
                frozen_at: frozen_at.clone(),
            });
            let text =
                serde_json::to_string(&document).map_err(|error| abort(error.to_string()))?;
            Ok((text, pool_file.clone()))
        });
        match done {
            Ok(true) => Ok(document.view()),
            Ok(false) => Err(self.wrong_state(plan_id, "draft")?),
            Err(StoreError::Aborted(problem)) => Err(ServiceError::Plan(problem)),
            Err(error) => Err(error.into()),
        }
    }

    /// Draws a frozen plan; `opened` are the contributions beside the server's own.
    ///
    /// # Errors
    ///
    /// When the plan is not frozen, or names every contribution that is missing, unplanned or not as committed.
    pub fn draw_plan(
        &self,
        plan_id: &str,
        opened: Vec<Contribution>,
    ) -> Result<PlanView, ServiceError> {
        self.draw_plan_by(plan_id, opened, None)
    }

    /// As [`Service::draw_plan`], and says who asked for it.
    ///
    /// # Errors
    ///
    /// As [`Service::draw_plan`]; a refusal is noted.
    pub fn draw_plan_by(
        &self,
        plan_id: &str,
        opened: Vec<Contribution>,
        by: Option<&Label>,
    ) -> Result<PlanView, ServiceError> {
        let done = self.draw(plan_id, opened, by);
        self.noted(Subject::Plan(plan_id), PlanStep::Draw, by, done)
    }

    fn draw(
        &self,
        plan_id: &str,
        opened: Vec<Contribution>,
        by: Option<&Label>,
    ) -> Result<PlanView, ServiceError> {
        let mut document = self.plan_in(plan_id, PlanState::Frozen)?;
        document.say(PlanStep::Draw, by);
        let Some(frozen) = &document.frozen else {
            return Err(ServiceError::Internal(
                "a frozen plan without its frozen part".to_owned(),
            ));
        };
        let contributions = match &document.request.group {
            Some(group_id) => self.opened_in_group(group_id, &opened)?,
            None => with_the_servers(opened, &frozen.server_value)?,
        };
        let problems =
            opening_problems(frozen.plan.hash, &frozen.plan.contributions, &contributions);
        if !problems.is_empty() {
            return Err(ServiceError::Opening(problems));
        }
        let pool = self.kept_pool(plan_id)?;
        let outcome = Draw::run(&frozen.plan, &pool, &contributions)?;
        let reserve = reserve_file(&outcome, &pool);
        document.drawn = Some(Drawn {
            contributions,
            sample_digest: outcome.sample_digest,
            reserve_digest: Some(frozen.plan.hash.hash(&[&reserve])),
            sample_size: outcome.lines.len() as u64,
            drawn_at: now(),
        });
        let files = (pack(&outcome.sample_tsv)?, pack(&reserve)?);
        self.keep_draw(document, &pool, &outcome, &files)
    }

    /// Closes a drawn plan: its transcript becomes final and is chained to the plan closed before it.
    ///
    /// # Errors
    ///
    /// When the plan is not drawn.
    pub fn close_plan(&self, plan_id: &str) -> Result<PlanView, ServiceError> {
        self.close_plan_by(plan_id, None)
    }

    /// As [`Service::close_plan`], and says who asked for it.
    ///
    /// # Errors
    ///
    /// As [`Service::close_plan`]; a refusal is noted.
    pub fn close_plan_by(
        &self,
        plan_id: &str,
        by: Option<&Label>,
    ) -> Result<PlanView, ServiceError> {
        let done = self.close(plan_id, by);
        self.noted(Subject::Plan(plan_id), PlanStep::Close, by, done)
    }

    fn close(&self, plan_id: &str, by: Option<&Label>) -> Result<PlanView, ServiceError> {
        let mut document = self.plan_in(plan_id, PlanState::Drawn)?;
        document.say(PlanStep::Close, by);
        let replayed = self.replay(&document)?;
        let closed_at = now();
        let done = self.store.close_plan(plan_id, &mut |previous| {
            let abort = |error: ServiceError| StoreError::Aborted(error.to_string());
            let previous: Option<PlanDocument> = previous
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|error| abort(error.into()))?;
            let previous = previous
                .and_then(|plan| plan.closed)
                .map(|closed| closed.transcript_digest);
            document.state = PlanState::Closed;
            let auditor = replayed
                .record(&document, previous)
                .map_err(abort)?
                .auditor();
            document.closed = Some(Closed {
                previous,
                transcript_digest: auditor.digest().map_err(|error| abort(error.into()))?,
                closed_at: closed_at.clone(),
            });
            serde_json::to_string(&document).map_err(|error| abort(error.into()))
        })?;
        if done {
            Ok(document.view())
        } else {
            Err(self.wrong_state(plan_id, "drawn")?)
        }
    }

    /// Gives up a plan that is not closed; it stays visible with its reason, and its visits that have not taken place
    /// give their slots back.
    ///
    /// # Errors
    ///
    /// When the plan is closed or void already, or the reason is empty.
    pub fn void_plan(&self, plan_id: &str, reason: &str) -> Result<PlanView, ServiceError> {
        self.void_plan_by(plan_id, reason, None)
    }

    /// As [`Service::void_plan`], and says who asked for it.
    ///
    /// # Errors
    ///
    /// As [`Service::void_plan`]; a refusal is noted.
    pub fn void_plan_by(
        &self,
        plan_id: &str,
        reason: &str,
        by: Option<&Label>,
    ) -> Result<PlanView, ServiceError> {
        let done = self.give_up(plan_id, reason, by);
        self.noted(Subject::Plan(plan_id), PlanStep::Void, by, done)
    }

    fn give_up(
        &self,
        plan_id: &str,
        reason: &str,
        by: Option<&Label>,
    ) -> Result<PlanView, ServiceError> {
        let mut document = self.plan_document(plan_id)?;
        let from = document.state;
        if matches!(from, PlanState::Closed | PlanState::Void) {
            return Err(self.wrong_state(plan_id, "draft, frozen or drawn")?);
        }
        document.void_reason = Some(crate::domain::field::text("reason", reason, 1, 1_000)?);
        document.state = PlanState::Void;
        document.void_at = Some(now());
        document.say(PlanStep::Void, by);
        let text = serde_json::to_string(&document)?;
        if self.store.void_plan(plan_id, from.as_str(), &text)? {
            Ok(document.view())
        } else {
            Err(self.wrong_state(plan_id, from.as_str())?)
        }
    }

    /// The server's secret and all contributions of a plan about to be frozen: fresh ones, or those of its group.
    fn seed_source(
        &self,
        request: &PlanRequest,
    ) -> Result<(ContributionValue, SeedSource), ServiceError> {
        if let Some(group_id) = &request.group {
            let group = self.group_document(group_id)?;
            group.must_be(GroupState::Forming)?;
            let source = SeedSource {
                group: Some(group.key()?),
                extends: self.extended(request, &group.contributions)?,
                contributions: group.contributions,
            };
            return Ok((group.server_value, source));
        }
        let server_value = ContributionValue::from_random(self.entropy.bytes()?);
        let mut contributions = planned_contributions(&request.committed, &request.public)?;
        contributions.push(server_contribution(&server_value, request.hash)?);
        contributions.sort_by(|a, b| a.name().cmp(b.name()));
        let source = SeedSource {
            group: None,
            extends: self.extended(request, &contributions)?,
            contributions,
        };
        Ok((server_value, source))
    }

    fn plan_in(&self, plan_id: &str, needed: PlanState) -> Result<PlanDocument, ServiceError> {
        let document = self.plan_document(plan_id)?;
        if document.state == needed {
            Ok(document)
        } else {
            Err(ServiceError::PlanState {
                plan_id: plan_id.to_owned(),
                state: document.state,
                needed: needed.as_str(),
            })
        }
    }

    /// The error of a step that came too late: another caller has moved the plan meanwhile.
    pub(super) fn wrong_state(
        &self,
        plan_id: &str,
        needed: &'static str,
    ) -> Result<ServiceError, ServiceError> {
        let state = self.plan_document(plan_id)?.state;
        Ok(ServiceError::PlanState {
            plan_id: plan_id.to_owned(),
            state,
            needed,
        })
    }
}

pub(super) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

pub(super) fn internal(error: impl std::fmt::Display) -> ServiceError {
    ServiceError::Internal(error.to_string())
}

fn key(text: &str) -> Result<StratumKey, ServiceError> {
    StratumKey::new(text).map_err(internal)
}

fn pool_of(drafted: &Drafted) -> Result<Pool, ServiceError> {
    let mut builder = PoolBuilder::new();
    let mut objects = Vec::new();
    let no_sizes = Vec::new();
    for (place, stratum) in drafted.strata.iter().enumerate() {
        let number = builder.stratum(&key(&stratum.key)?);
        let sizes = drafted.sizes.as_ref().and_then(|sizes| sizes.get(place));
        let sizes = sizes.unwrap_or(&no_sizes).iter().copied();
        let members = stratum.members.iter().copied();
        let members = members.zip(sizes.chain(std::iter::repeat(1)));
        objects.extend(members.map(|(position, size)| (position, number, size)));
    }
    // The frame is sorted by id, and so the pool is too.
    builder.reserve(objects.len());
    objects.sort_unstable_by_key(|(position, _, _)| *position);
    for (position, stratum, size) in objects {
        if let Some(row) = drafted.frame.rows().get(position) {
            let id = row.enterprise_id.as_str();
            builder.push_in(id, stratum, size).map_err(internal)?;
        }
    }
    builder.build().map_err(internal)
}

/// What a plan's seed comes from, apart from the plan itself.
struct SeedSource {
    contributions: Vec<PlannedContribution>,
    group: Option<StratumKey>,
    /// Digest of the plan that this one extends.
    extends: Option<Digest>,
}

/// What was opened and the server's own contribution, by name.
pub(super) fn with_the_servers(
    mut opened: Vec<Contribution>,
    server_value: &ContributionValue,
) -> Result<Vec<Contribution>, ServiceError> {
    opened.push(opened_by_server(server_value)?);
    opened.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(opened)
}

/// The server's own contribution, opened.
fn opened_by_server(value: &ContributionValue) -> Result<Contribution, ServiceError> {
    Ok(Contribution {
        name: ContributionName::new(SERVER).map_err(internal)?,
        value: value.clone(),
    })
}

/// The server's own contribution, committed to.
pub(super) fn server_contribution(
    value: &ContributionValue,
    hash: HashAlgorithm,
) -> Result<PlannedContribution, ServiceError> {
    let server = opened_by_server(value)?;
    Ok(PlannedContribution::Committed {
        commitment: server.commitment(hash),
        name: server.name,
    })
}

/// The contributions of others, as far as they are known before the freeze, in byte order of name.
pub(super) fn planned_contributions(
    committed: &[CommittedContribution],
    public: &[PublicContribution],
) -> Result<Vec<PlannedContribution>, ServiceError> {
    let name = |field: &str, name: &str| -> Result<ContributionName, ServiceError> {
        if name == SERVER {
            return Err(FieldError::new(
                field,
                name,
                "is the server's own contribution; choose another name",
            )
            .into());
        }
        ContributionName::new(name)
            .map_err(|error| FieldError::new(field, name, error.to_string()).into())
    };
    let mut planned = Vec::new();
    for contribution in committed {
        planned.push(PlannedContribution::Committed {
            name: name("committed.name", &contribution.name)?,
            commitment: contribution.commitment,
        });
    }
    for contribution in public {
        planned.push(PlannedContribution::Public {
            name: name("public.name", &contribution.name)?,
            rule: contribution.rule.clone(),
        });
    }
    planned.sort_by(|a, b| a.name().cmp(b.name()));
    if let Some(twice) = planned.windows(2).find_map(|pair| match pair {
        [a, b] if a.name() == b.name() => Some(a.name().to_string()),
        _ => None,
    }) {
        return Err(FieldError::new("contributions", &twice, "is named twice").into());
    }
    Ok(planned)
}

/// The plan object but for its number and what is hashed of the pool, which the freeze adds.
fn frozen_plan(
    document: &PlanDocument,
    drafted: &Drafted,
    pool_size: usize,
    seed_source: SeedSource,
) -> Result<FrozenPlan, ServiceError> {
    let request = &document.request;
    let mut filter = match serde_json::to_value(&request.filter)? {
        serde_json::Value::Object(members) => members,
        _ => serde_json::Map::new(),
    };
    let by = &request.allocation.strata_by;
    if *by != StrataBy::default() {
        // What strata are of is part of what was asked for.
        filter.insert("strata_by".to_owned(), serde_json::to_value(by)?);
    }
    if !request.allocation.precision.is_empty() {
        filter.insert("precision".to_owned(), said(&request.allocation.precision)?);
    }
    let strata = drafted
        .preview
        .strata
        .iter()
        .map(|stratum| {
            Ok(PlannedStratum {
                key: key(&stratum.key)?,
                pool: stratum.objects,
                target_ppb: stratum.target_ppb,
                reserve: stratum.reserve,
            })
        })
        .collect::<Result<Vec<_>, ServiceError>>()?;
    let zero = Digest::from_bytes([0; 32]);
    let mut plan = FrozenPlan {
        format: PLAN_FORMAT.to_owned(),
        nonce: document.nonce.clone(),
        number: 1,
        extends: seed_source.extends,
        title: request.title.clone(),
        hash: request.hash,
        method: request.method,
        rounding: if request.method == Method::Order {
            Rounding::Whole
        } else {
            request.rounding
        },
        pool_digest: zero,
        pool_root: zero,
        pool_size: pool_size as u64,
        strata: (request.method != Method::Order).then_some(strata),
        exploration_n: drafted.preview.exploration_n,
        excluded: drafted.preview.excluded.clone(),
        filter,
        items: request.items.clone(),
        period: request.period,
        group: seed_source.group,
        contributions: seed_source.contributions,
        frame_digest: drafted.summary.frame_digest,
        policy_digest: drafted.summary.policy_digest,
        model_digest: drafted.summary.model_digest,
        public_seed: request.public_seed,
    };
    if plan.method == Method::Order {
        plan.exploration_n = 0;
    }
    Ok(plan)
}
