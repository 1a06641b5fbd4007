//! A plan takes its slots in the ledger: at the draw, in the transaction that makes it drawn.
//!
//! The draw itself is what seed and pool make of it, to the byte. An object that another plan has taken the last slot of
//! since the freeze is left out with a coded reason, and the next of its stratum's reserve is visited instead.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Frozen, PlanDocument, PlanState, PlanView};
use super::draft::PlanRequest;
use super::limits::{Bookings, window, years_of};
use super::replacements::{Replacement, TakenObject};
use super::steps::internal;
use crate::domain::{
    EnterpriseId, ItemClass, Label, ReplaceReason, Tier, Visit, VisitKind, VisitState,
};
use crate::sampling::draw::{DrawOutcome, SampleKey};
use crate::sampling::pool::{Pool, StratumKey};
use crate::sampling::{Booked, Rest, VisitLimits, Window, may_visit, settle};
use crate::service::items::departments_of;
use crate::service::{Service, ServiceError, label};
use crate::store::{DrawnPlan, JoinedVisit, Slot, StoreError};

/// Who says of an object that the ledger does not let it be visited.
const LEDGER: &str = "ledger";

/// The visits that a draw comes to.
pub(super) struct Booking {
    pub(super) visits: Vec<Visit>,
    pub(super) joined: Vec<JoinedVisit>,
    pub(super) replacements: Vec<Replacement>,
}

/// What every visit of a plan has in common.
pub(super) struct Booker<'a> {
    pub(super) plan_id: &'a str,
    pub(super) class: ItemClass,
    pub(super) limits: &'a VisitLimits,
    pub(super) window: Window,
    /// Other plans of its group: their visits are its visits too.
    pub(super) companions: BTreeSet<String>,
    pub(super) departments: Vec<Label>,
    pub(super) items: Vec<Label>,
    pub(super) noted_at: String,
}

impl Booker<'_> {
    /// The visits of a drawn sample beside the slots that are taken.
    fn book(
        &self,
        frozen: &Frozen,
        pool: &Pool,
        outcome: &DrawOutcome,
        taken: &[Slot],
        period: crate::sampling::plan::Period,
    ) -> Result<Booking, ServiceError> {
        let mut groups: BTreeMap<String, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
        for line in &outcome.lines {
            let key = match line.key {
                SampleKey::Stratum(at) => stratum_key(pool, at)?.to_string(),
                SampleKey::Explore => crate::sampling::pool::EXPLORE.to_owned(),
                SampleKey::All => crate::sampling::pool::ALL.to_owned(),
            };
            groups.entry(key).or_default().0.push(line.object);
        }
        for stratum in &outcome.strata {
            let group = groups.entry(stratum.key.to_string()).or_default();
            group.1 = stratum.reserve.iter().map(|object| object.object).collect();
        }
        let is_companion = |slot: &&Slot| self.companions.contains(&slot.plan_id);
        let shared: BTreeMap<(&EnterpriseId, i16), &Slot> = taken
            .iter()
            .filter(is_companion)
            .map(|slot| ((&slot.enterprise_id, slot.year), slot))
            .collect();
        let others: Vec<Slot> = taken
            .iter()
            .filter(|slot| !is_companion(slot))
            .cloned()
            .collect();
        let bookings = Bookings::of(&others, period);
        let mut used: BTreeMap<(&EnterpriseId, i16), Vec<u16>> = BTreeMap::new();
        for slot in taken {
            let numbers = used.entry((&slot.enterprise_id, slot.year)).or_default();
            numbers.push(slot.slot);
        }
        let mut booking = Booking {
            visits: Vec::with_capacity(outcome.lines.len()),
            joined: Vec::new(),
            replacements: Vec::new(),
        };
        for (key, (drawn, reserve)) in groups {
            let mut windows: BTreeMap<u32, (EnterpriseId, Window)> = BTreeMap::new();
            let mut failure = None;
            let settled = settle(&drawn, &reserve, |object| {
                match self.window_of(frozen, pool, object, &bookings) {
                    Ok((id, Ok(window))) => {
                        windows.insert(object, (id, window));
                        None
                    }
                    Ok((_, Err(rest))) => Some(rest),
                    Err(error) => {
                        failure = Some(error);
                        None
                    }
                }
            });
            if let Some(failure) = failure {
                return Err(failure);
            }
            for object in &settled.visits {
                if let Some((id, window)) = windows.remove(object) {
                    let year = bookings_year(self, &bookings);
                    if let Some(slot) = shared.get(&(&id, year)).copied() {
                        booking.joined.push(JoinedVisit {
                            departments: union(&slot.departments, &self.departments),
                            items: union(&slot.items, &self.items),
                            enterprise_id: slot.enterprise_id.clone(),
                            year,
                            slot: slot.slot,
                        });
                        continue;
                    }
                    let numbers = used.get(&(&id, year));
                    let slot = (self.class == ItemClass::General)
                        .then(|| lowest_free(numbers.map_or(&[], Vec::as_slice)));
                    booking.visits.push(self.visit(id, year, window, slot));
                }
            }
            let orders = outcome.strata.iter().find(|one| one.key.as_str() == key);
            for substitution in settled.substitutions {
                let id = |object: u32| Ok::<_, ServiceError>(object_id(pool, object)?.to_owned());
                let taken = match substitution.taken {
                    None => None,
                    Some(object) => {
                        let reserve = orders.map_or(&[][..], |stratum| &stratum.reserve);
                        let place = reserve.iter().find(|one| one.object == object);
                        Some(TakenObject {
                            enterprise_id: id(object)?,
                            order: place.map_or(0, |one| one.order),
                        })
                    }
                };
                booking.replacements.push(Replacement {
                    number: booking.replacements.len() as u64 + 1,
                    enterprise_id: id(substitution.left_out)?,
                    stratum: key.clone(),
                    reason: match substitution.reason {
                        Rest::CapReached => ReplaceReason::CapReached,
                        Rest::GapNotOver => ReplaceReason::GapNotOver,
                    },
                    note: None,
                    taken,
                    by: label("by", LEDGER)?,
                    at: self.noted_at.clone(),
                });
            }
        }
        Ok(booking)
    }

    /// When an object may be visited, or why it rests; only general items are bound.
    fn window_of(
        &self,
        frozen: &Frozen,
        pool: &Pool,
        object: u32,
        bookings: &Bookings,
    ) -> Result<(EnterpriseId, Result<Window, Rest>), ServiceError> {
        let id = EnterpriseId::parse(object_id(pool, object)?).map_err(internal)?;
        if self.class == ItemClass::Key {
            return Ok((id, Ok(self.window)));
        }
        let booked: &[Booked] = bookings.to(&id);
        if booked.is_empty() {
            return Ok((id, Ok(self.window)));
        }
        let tier = tier_of(frozen, pool, object)?;
        let rests = may_visit(self.limits, tier, self.window, booked);
        Ok((id, rests))
    }

    pub(super) fn visit(
        &self,
        enterprise_id: EnterpriseId,
        year: i16,
        window: Window,
        slot: Option<u16>,
    ) -> Visit {
        Visit {
            visit_no: 0,
            enterprise_id,
            year,
            kind: match self.class {
                ItemClass::General => VisitKind::General,
                ItemClass::Key => VisitKind::Key,
            },
            state: VisitState::Planned,
            slot,
            from_on: window.from,
            until_on: window.to,
            visited_on: None,
            plan_id: Some(self.plan_id.to_owned()),
            departments: self.departments.clone(),
            items: self.items.clone(),
            reason: None,
            note: None,
            by: None,
            noted_at: self.noted_at.clone(),
        }
    }
}

fn bookings_year(booker: &Booker<'_>, bookings: &Bookings) -> i16 {
    match booker.class {
        ItemClass::General => bookings.year,
        ItemClass::Key => crate::sampling::year_of(booker.window),
    }
}

/// The labels of both lists, each once, in order.
fn union(one: &[Label], other: &[Label]) -> Vec<Label> {
    let all: BTreeSet<&Label> = one.iter().chain(other).collect();
    all.into_iter().cloned().collect()
}

/// The lowest number that is not used.
fn lowest_free(used: &[u16]) -> u16 {
    (1..=u16::MAX)
        .find(|number| !used.contains(number))
        .unwrap_or(u16::MAX)
}

fn stratum_key(pool: &Pool, at: u32) -> Result<&StratumKey, ServiceError> {
    let found = pool.strata().get(at as usize).map(|(key, _)| key);
    found.ok_or_else(|| ServiceError::Internal("a drawn stratum is not in the pool".to_owned()))
}

fn object_id(pool: &Pool, object: u32) -> Result<&str, ServiceError> {
    let found = pool.object(object as usize).map(|object| object.id);
    found.ok_or_else(|| ServiceError::Internal("a drawn object is not in the pool".to_owned()))
}

fn tier_of(frozen: &Frozen, pool: &Pool, object: u32) -> Result<Tier, ServiceError> {
    let key = pool.object(object as usize).map(|object| object.stratum);
    let meaning = key.and_then(|key| frozen.strata_meaning.get(key));
    meaning.map(|meaning| meaning.tier).ok_or_else(|| {
        ServiceError::Internal("the stratum of a drawn object has no meaning".to_owned())
    })
}

impl Service {
    /// Keeps a draw: the plan becomes drawn and its visits take their slots, in one transaction. Of two plans that race
    /// for the last slot of an enterprise the later one finds it taken and visits the next of its reserve.
    pub(super) fn keep_draw(
        &self,
        mut document: PlanDocument,
        pool: &Pool,
        outcome: &DrawOutcome,
        sample: &[u8],
    ) -> Result<PlanView, ServiceError> {
        let current = self.current();
        let request = document.request.clone();
        let class = document.preview.item_class;
        let items = self.listed_items(&request.items)?;
        let plan_id = document.plan_id.clone();
        let booker = Booker {
            plan_id: &plan_id,
            class,
            limits: &current.models.sampling.visits,
            window: window(request.period),
            companions: self.companions(&request, &plan_id)?,
            departments: departments_of(&items, request.department.as_ref()),
            items: items.iter().map(|item| item.item_code.clone()).collect(),
            noted_at: jiff::Timestamp::now().to_string(),
        };
        let years = match class {
            ItemClass::General => Some(years_of(request.period)),
            ItemClass::Key => None,
        };
        document.state = PlanState::Drawn;
        let done = self.store.draw_plan(&plan_id, years, &mut |taken| {
            let abort = |error: ServiceError| StoreError::Aborted(error.to_string());
            let frozen = document.frozen.clone();
            let frozen = frozen
                .ok_or_else(|| StoreError::Aborted("a drawn plan without its pool".to_owned()))?;
            let booking = booker
                .book(&frozen, pool, outcome, &taken, request.period)
                .map_err(abort)?;
            let replacements = booking.replacements.iter().map(serde_json::to_string);
            Ok(DrawnPlan {
                document: serde_json::to_string(&document).map_err(|error| abort(error.into()))?,
                sample: sample.to_vec(),
                visits: booking.visits,
                joined: booking.joined,
                replacements: replacements
                    .collect::<Result<_, _>>()
                    .map_err(|error| abort(error.into()))?,
            })
        })?;
        if done {
            Ok(document.view())
        } else {
            Err(self.wrong_state(&plan_id, "frozen")?)
        }
    }

    /// The other plans of a plan's coordinated group.
    fn companions(
        &self,
        request: &PlanRequest,
        plan_id: &str,
    ) -> Result<BTreeSet<String>, ServiceError> {
        let Some(group_id) = &request.group else {
            return Ok(BTreeSet::new());
        };
        let plans = self.plans_of_group(group_id)?.into_iter();
        let ids = plans.map(|plan| plan.plan_id);
        Ok(ids.filter(|id| id != plan_id).collect())
    }

    /// The items that a frozen plan names, as the list has them now.
    pub(super) fn listed_items(
        &self,
        codes: &[String],
    ) -> Result<Vec<crate::domain::CheckItem>, ServiceError> {
        let mut items = Vec::new();
        for code in codes {
            let latest = self.store.item_versions(code)?.into_iter().next();
            items.extend(latest.map(|version| version.item));
        }
        Ok(items)
    }
}
