//! Coordinated groups (`risktier-draw/1` section 4): plans of one group carry the same contributions and hash, so every
//! object has the same ticket in all of them, and their samples overlap as far as they can.
//!
//! The order is law: a group is `forming` while plans are drafted and frozen in it; `sealed` when the last one is frozen,
//! and takes no more; `opened` when its contributions are opened, once, for all of its plans; or `void` with a reason.
//! Only then are its plans drawn. So nobody who knows the tickets can add or change a plan of the group.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use super::document::{PlanDocument, PlanState, PlanView};
use super::draft::{CommittedContribution, PlanRequest, PublicContribution, printable};
use super::events::{PlanStep, Subject};
use super::steps::{internal, now, planned_contributions, server_contribution};
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{FieldError, Label, field};
use crate::sampling::contribution::{
    Contribution, ContributionValue, PlannedContribution, opening_problems,
};
use crate::sampling::pool::StratumKey;
use crate::service::{Service, ServiceError};
use crate::store::StoreError;

/// Where a coordinated group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    /// Plans are drafted and frozen in it.
    Forming,
    /// Its last plan is frozen; it takes no more.
    Sealed,
    /// Its contributions are opened; its plans can be drawn.
    Opened,
    /// Given up, with a reason; stays visible.
    Void,
}

impl GroupState {
    /// The word used in answers and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forming => "forming",
            Self::Sealed => "sealed",
            Self::Opened => "opened",
            Self::Void => "void",
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a group is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRequest {
    /// Its id, chosen by the caller and never used again: 1–64 of `[A-Za-z0-9._-]`.
    pub group_id: String,
    /// Title for people, 1–200 bytes.
    pub title: String,
    /// The hash of all its plans.
    pub hash: HashAlgorithm,
    /// Contributions of others whose values exist already, beside the server's own.
    pub committed: Vec<CommittedContribution>,
    /// Contributions that come into being after the group is sealed.
    pub public: Vec<PublicContribution>,
    /// Whether public editions may reveal values and seed; every plan of the group must then allow it.
    pub public_seed: bool,
}

/// A group as it is kept; holds secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GroupDocument {
    pub(super) group_id: String,
    pub(super) state: GroupState,
    pub(super) created_at: String,
    pub(super) title: String,
    pub(super) hash: HashAlgorithm,
    pub(super) contributions: Vec<PlannedContribution>,
    pub(super) public_seed: bool,
    /// The server's own contribution, secret until the draws are published.
    pub(super) server_value: ContributionValue,
    pub(super) insecure: bool,
    pub(super) sealed_at: Option<String>,
    /// What the seal fixed: the frozen plans in order of their numbers.
    pub(super) plans: Vec<SealedPlan>,
    pub(super) opened: Option<Opened>,
    pub(super) void_reason: Option<String>,
    /// When it was given up; groups of earlier releases do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) void_at: Option<String>,
    /// Who asked for the steps that were taken, where that was said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) said_by: BTreeMap<PlanStep, Label>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Opened {
    pub(super) contributions: Vec<Contribution>,
    pub(super) opened_at: String,
}

/// A plan that a seal fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPlan {
    /// Its id.
    pub plan_id: String,
    /// Its consecutive number.
    pub number: u64,
    /// Digest of the frozen plan.
    pub plan_digest: Digest,
}

/// A group as it is shown: everything but its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupView {
    /// Its id.
    pub group_id: String,
    /// Where it stands.
    pub state: GroupState,
    /// Title for people.
    pub title: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// The hash of all its plans.
    pub hash: HashAlgorithm,
    /// Commitments and rules of the contributions, in byte order of name.
    pub contributions: Vec<PlannedContribution>,
    /// Whether public editions reveal values and seed.
    pub public_seed: bool,
    /// Whether the secrets follow from a fixed seed: for demonstrations only.
    pub insecure: bool,
    /// When it was sealed, RFC 3339.
    pub sealed_at: Option<String>,
    /// The plans that the seal fixed, in order of their numbers; empty before.
    pub plans: Vec<SealedPlan>,
    /// When its contributions were opened, RFC 3339.
    pub opened_at: Option<String>,
    /// Why it was given up.
    pub void_reason: Option<String>,
}

impl GroupDocument {
    fn view(&self) -> GroupView {
        GroupView {
            group_id: self.group_id.clone(),
            state: self.state,
            title: self.title.clone(),
            created_at: self.created_at.clone(),
            hash: self.hash,
            contributions: self.contributions.clone(),
            public_seed: self.public_seed,
            insecure: self.insecure,
            sealed_at: self.sealed_at.clone(),
            plans: self.plans.clone(),
            opened_at: self.opened.as_ref().map(|opened| opened.opened_at.clone()),
            void_reason: self.void_reason.clone(),
        }
    }

    pub(super) fn must_be(&self, needed: GroupState) -> Result<(), ServiceError> {
        if self.state == needed {
            return Ok(());
        }
        Err(ServiceError::GroupState {
            group_id: self.group_id.clone(),
            state: self.state,
            needed: needed.as_str(),
        })
    }

    /// The group's id as it stands in frozen plans.
    pub(super) fn key(&self) -> Result<StratumKey, ServiceError> {
        StratumKey::new(self.group_id.as_str()).map_err(internal)
    }
}

/// What a step does to a group, given the plans in it.
type GroupStep<'a> = dyn Fn(&mut GroupDocument, &[PlanDocument]) -> Result<(), ServiceError> + 'a;

impl Service {
    /// Makes a group with a secret of the server's own, and fixes its contributions.
    ///
    /// # Errors
    ///
    /// Names the field that is wrong; an id that another group has or had is a conflict.
    pub fn create_group(&self, request: GroupRequest) -> Result<GroupView, ServiceError> {
        let group_id = group_id_of(&request.group_id)?;
        printable("title", &request.title, 200)?;
        for (place, contribution) in request.public.iter().enumerate() {
            printable(&format!("public.{place}.rule"), &contribution.rule, 1_000)?;
        }
        let server_value = ContributionValue::from_random(self.entropy.bytes()?);
        let mut contributions = planned_contributions(&request.committed, &request.public)?;
        contributions.push(server_contribution(&server_value, request.hash)?);
        contributions.sort_by(|a, b| a.name().cmp(b.name()));
        let document = GroupDocument {
            group_id,
            state: GroupState::Forming,
            created_at: now(),
            title: request.title,
            hash: request.hash,
            contributions,
            public_seed: request.public_seed,
            server_value,
            insecure: self.entropy.is_insecure(),
            sealed_at: None,
            plans: Vec::new(),
            opened: None,
            void_reason: None,
            void_at: None,
            said_by: BTreeMap::new(),
        };
        let text = serde_json::to_string(&document)?;
        if self.store.insert_group(&document.group_id, &text)? {
            return Ok(document.view());
        }
        Err(ServiceError::Conflict(format!(
            "the group `{}` exists already; choose an id that was never used, for a value serves one group only",
            document.group_id
        )))
    }

    /// One group.
    ///
    /// # Errors
    ///
    /// When there is no such group or the store fails.
    pub fn group(&self, group_id: &str) -> Result<GroupView, ServiceError> {
        Ok(self.group_document(group_id)?.view())
    }

    /// Groups made before group `before`, latest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn groups(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<GroupView>, ServiceError> {
        let documents = self.store.groups_before(before, limit)?;
        documents
            .iter()
            .map(|text| Ok(serde_json::from_str::<GroupDocument>(text)?.view()))
            .collect()
    }

    /// The plans of a group in any state, in the order in which they were drafted.
    ///
    /// # Errors
    ///
    /// When there is no such group or the store fails.
    pub fn plans_of_group(&self, group_id: &str) -> Result<Vec<PlanView>, ServiceError> {
        self.group_document(group_id)?;
        let documents = self.store.plans_of_group(group_id)?;
        documents
            .iter()
            .map(|text| Ok(serde_json::from_str::<PlanDocument>(text)?.view()))
            .collect()
    }

    /// Seals a group: its last plan is frozen, and it takes no more.
    ///
    /// # Errors
    ///
    /// When the group is not forming, has no frozen plan, or still has a draft, which is named.
    pub fn seal_group(&self, group_id: &str) -> Result<GroupView, ServiceError> {
        self.seal_group_by(group_id, None)
    }

    /// As [`Service::seal_group`], and says who asked for it.
    ///
    /// # Errors
    ///
    /// As [`Service::seal_group`]; a refusal is noted.
    pub fn seal_group_by(
        &self,
        group_id: &str,
        by: Option<&Label>,
    ) -> Result<GroupView, ServiceError> {
        let sealed_at = now();
        self.advance_group(
            group_id,
            (GroupState::Forming, GroupState::Sealed),
            (PlanStep::Seal, by),
            &|document, plans| {
                if let Some(draft) = plans.iter().find(|plan| plan.state == PlanState::Draft) {
                    return Err(ServiceError::Conflict(format!(
                        "plan `{}` of the group is still a draft; freeze it or give it up, then seal the group",
                        draft.plan_id
                    )));
                }
                let frozen = plans
                    .iter()
                    .filter(|plan| plan.state == PlanState::Frozen)
                    .filter_map(|plan| {
                        plan.frozen.as_ref().map(|frozen| SealedPlan {
                            plan_id: plan.plan_id.clone(),
                            number: frozen.plan.number,
                            plan_digest: frozen.plan_digest,
                        })
                    });
                document.plans = frozen.collect();
                document.plans.sort_by_key(|plan| plan.number);
                if document.plans.is_empty() {
                    return Err(ServiceError::Conflict(format!(
                        "the group `{group_id}` has no frozen plan; freeze its plans, then seal it"
                    )));
                }
                document.sealed_at = Some(sealed_at.clone());
                Ok(())
            },
        )
    }

    /// Opens the contributions of a sealed group, for all of its plans; `opened` are those beside the server's own.
    ///
    /// # Errors
    ///
    /// When the group is not sealed, or names every contribution that is missing, unplanned or not as committed.
    pub fn open_group(
        &self,
        group_id: &str,
        opened: Vec<Contribution>,
    ) -> Result<GroupView, ServiceError> {
        self.open_group_by(group_id, opened, None)
    }

    /// As [`Service::open_group`], and says who asked for it.
    ///
    /// # Errors
    ///
    /// As [`Service::open_group`]; a refusal is noted.
    pub fn open_group_by(
        &self,
        group_id: &str,
        opened: Vec<Contribution>,
        by: Option<&Label>,
    ) -> Result<GroupView, ServiceError> {
        let opened_at = now();
        self.advance_group(
            group_id,
            (GroupState::Sealed, GroupState::Opened),
            (PlanStep::Open, by),
            &|document, _| {
                let contributions =
                    super::steps::with_the_servers(opened.clone(), &document.server_value)?;
                let problems =
                    opening_problems(document.hash, &document.contributions, &contributions);
                if !problems.is_empty() {
                    return Err(ServiceError::Opening(problems));
                }
                document.opened = Some(Opened {
                    contributions,
                    opened_at: opened_at.clone(),
                });
                Ok(())
            },
        )
    }

    /// Gives up a group whose contributions are not opened and whose plans are all given up; it stays visible.
    ///
    /// # Errors
    ///
    /// When the group is opened or void, a plan of it is not given up, or the reason is empty.
    pub fn void_group(&self, group_id: &str, reason: &str) -> Result<GroupView, ServiceError> {
        self.void_group_by(group_id, reason, None)
    }

    /// As [`Service::void_group`], and says who asked for it.
    ///
    /// # Errors
    ///
    /// As [`Service::void_group`]; a refusal is noted.
    pub fn void_group_by(
        &self,
        group_id: &str,
        reason: &str,
        by: Option<&Label>,
    ) -> Result<GroupView, ServiceError> {
        let reason = field::text("reason", reason, 1, 1_000)?;
        let from = match self.group_document(group_id)?.state {
            GroupState::Sealed => GroupState::Sealed,
            GroupState::Forming | GroupState::Opened | GroupState::Void => GroupState::Forming,
        };
        let states = (from, GroupState::Void);
        self.advance_group(
            group_id,
            states,
            (PlanStep::Void, by),
            &|document, plans| {
                if let Some(plan) = plans.iter().find(|plan| plan.state != PlanState::Void) {
                    return Err(ServiceError::Conflict(format!(
                        "plan `{}` of the group is {}; give up the plans first",
                        plan.plan_id, plan.state
                    )));
                }
                document.void_reason = Some(reason.clone());
                document.void_at = Some(now());
                Ok(())
            },
        )
    }

    /// Makes a group, drafts, freezes, draws and closes all its plans in one call; only the server contributes. The plans
    /// come in the order of the requests, whose `group` and `hash` are taken from the group.
    ///
    /// # Errors
    ///
    /// As the single steps; contributions of others cannot be awaited in one call.
    pub fn draw_group_now(
        &self,
        request: GroupRequest,
        plans: Vec<PlanRequest>,
    ) -> Result<(GroupView, Vec<PlanView>), ServiceError> {
        if !request.committed.is_empty() || !request.public.is_empty() {
            let reason = "lets nobody else contribute; make, seal and open the group with their contributions";
            return Err(FieldError::new("draw", "now", reason).into());
        }
        let hash = request.hash;
        let group_id = self.create_group(request)?.group_id;
        let mut plan_ids = Vec::new();
        for plan in plans {
            let plan = PlanRequest {
                group: Some(group_id.clone()),
                hash,
                ..plan
            };
            let plan_id = self.draft_plan(plan)?.plan_id;
            self.freeze_plan(&plan_id)?;
            plan_ids.push(plan_id);
        }
        self.seal_group(&group_id)?;
        let group = self.open_group(&group_id, Vec::new())?;
        let drawn = plan_ids.iter().map(|plan_id| {
            self.draw_plan(plan_id, Vec::new())?;
            self.close_plan(plan_id)
        });
        Ok((group, drawn.collect::<Result<_, _>>()?))
    }

    /// A request with what its group says: the same contributions, hash and rule of the public seed for all plans.
    pub(super) fn in_group(&self, request: PlanRequest) -> Result<PlanRequest, ServiceError> {
        let Some(group_id) = &request.group else {
            return Ok(request);
        };
        let group = self.group_document(group_id)?;
        group.must_be(GroupState::Forming)?;
        if request.hash != group.hash {
            let reason = format!("is not the hash of the group, `{}`; use that", group.hash);
            return Err(FieldError::new("hash", request.hash.name(), reason).into());
        }
        for (name, is_empty) in [
            ("committed", request.committed.is_empty()),
            ("public", request.public.is_empty()),
        ] {
            if !is_empty {
                let reason = "does not go with `group`, whose contributions are those of all its plans; leave it out";
                return Err(FieldError::new(name, "", reason).into());
            }
        }
        Ok(PlanRequest {
            public_seed: group.public_seed,
            ..request
        })
    }

    /// The contributions of a plan of a group at its draw: those that the group has opened.
    pub(super) fn opened_in_group(
        &self,
        group_id: &str,
        given: &[Contribution],
    ) -> Result<Vec<Contribution>, ServiceError> {
        if !given.is_empty() {
            let reason = "does not go with a plan of a group: the group opens them once for all its plans; leave it out";
            return Err(FieldError::new("contributions", "", reason).into());
        }
        let group = self.group_document(group_id)?;
        group.must_be(GroupState::Opened)?;
        match group.opened {
            Some(opened) => Ok(opened.contributions),
            None => Err(internal("an opened group without its values")),
        }
    }

    pub(super) fn group_document(&self, group_id: &str) -> Result<GroupDocument, ServiceError> {
        let text = self
            .store
            .group(group_id)?
            .ok_or_else(|| ServiceError::UnknownGroup(group_id.to_owned()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// One step of a group, decided while nothing is added to it or frozen in it; a refusal is noted.
    fn advance_group(
        &self,
        group_id: &str,
        states: (GroupState, GroupState),
        (step, by): (PlanStep, Option<&Label>),
        decide: &GroupStep<'_>,
    ) -> Result<GroupView, ServiceError> {
        let mut document = self.group_document(group_id)?;
        document.said_by.extend(by.map(|by| (step, by.clone())));
        let done = self.move_group(document, states, decide);
        self.noted(Subject::Group(group_id), step, by, done)
    }

    fn move_group(
        &self,
        mut document: GroupDocument,
        (from, to): (GroupState, GroupState),
        decide: &GroupStep<'_>,
    ) -> Result<GroupView, ServiceError> {
        document.must_be(from)?;
        document.state = to;
        let group_id = document.group_id.clone();
        let group_id = group_id.as_str();
        let mut refused = None;
        let done = self
            .store
            .advance_group(group_id, from.as_str(), to.as_str(), &mut |plans| {
                let mut decided = || -> Result<String, ServiceError> {
                    let plans = plans
                        .iter()
                        .map(|text| serde_json::from_str(text))
                        .collect::<Result<Vec<PlanDocument>, _>>()?;
                    decide(&mut document, &plans)?;
                    Ok(serde_json::to_string(&document)?)
                };
                decided().map_err(|error| {
                    let text = error.to_string();
                    refused = Some(error);
                    StoreError::Aborted(text)
                })
            });
        match (done, refused) {
            (Ok(true), _) => Ok(document.view()),
            (Ok(false), _) => {
                self.group_document(group_id)?.must_be(from)?;
                Err(internal("a group's state changed and changed back"))
            }
            (Err(StoreError::Aborted(_)), Some(refusal)) => Err(refusal),
            (Err(error), _) => Err(error.into()),
        }
    }
}

/// A group id that this product gives: a key without `/`, so that it stands in a path as it is.
fn group_id_of(text: &str) -> Result<String, FieldError> {
    let refused = |reason: &str| FieldError::new("group_id", text, reason);
    let key = StratumKey::new(text)
        .map_err(|_| refused("is not a group id; use 1 to 64 of letters, digits, `.`, `_`, `-`"))?;
    if key.as_str().contains('/') || key.as_str().chars().all(|c| c == '.') {
        return Err(refused(
            "is not a group id; use 1 to 64 of letters, digits, `.`, `_`, `-`, not only dots",
        ));
    }
    Ok(key.into())
}
