//! A plan takes its slots in the ledger: at the draw, in the transaction that makes it drawn.
//!
//! The draw itself is what seed and pool make of it, to the byte. An object that another plan has taken the last slot of
//! since the freeze is left out with a coded reason, and the next of its stratum's reserve is visited instead.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::document::{Frozen, PlanDocument, PlanState, PlanView};
use super::draft::PlanRequest;
use super::limits::{Bookings, window, years_of};
use super::replacements::{Replacement, TakenObject};
use super::steps::internal;
use crate::domain::{
    EnterpriseId, ItemClass, Label, ReplaceReason, Tier, Visit, VisitKind, VisitState, united,
};
use crate::sampling::draw::DrawOutcome;
use crate::sampling::plan::Period;
use crate::sampling::pool::Pool;
use crate::sampling::{Rest, VisitLimits, Window, may_visit, settle, year_of};
use crate::service::items::departments_of;
use crate::service::{Service, ServiceError, label};
use crate::store::{DrawnPlan, JoinedVisit, LedgerMoves, LedgerScope, Slot, StoreError};

/// Who says of an object that the ledger does not let it be visited.
pub(super) const LEDGER: &str = "ledger";

/// What every visit of a plan has in common.
pub(super) struct Booker {
    pub(super) plan_id: String,
    pub(super) class: ItemClass,
    pub(super) limits: VisitLimits,
    pub(super) period: Period,
    /// Other plans of its group: their visits are its visits too.
    pub(super) companions: Vec<String>,
    pub(super) departments: Vec<Label>,
    pub(super) items: Vec<Label>,
    pub(super) noted_at: String,
    /// Which id stands for a merged one.
    pub(super) successors: BTreeMap<EnterpriseId, EnterpriseId>,
}

/// A plan's booker before the ledger as it is at one instant.
pub(super) struct Desk<'a> {
    booker: &'a Booker,
    bookings: Bookings,
    /// Numbers of the visits of the plan's year, by the enterprise that answers for them.
    used: BTreeMap<EnterpriseId, Vec<u16>>,
    /// Visits of the companions that are this plan's visits too.
    shared: BTreeMap<EnterpriseId, Visit>,
    /// What comes of it.
    pub(super) moves: LedgerMoves,
}

/// How an object is visited.
pub(super) enum Place {
    /// On a visit that is there already.
    Joins(Box<Visit>),
    /// On one of its own within these days.
    Own(Window),
}

impl Booker {
    pub(super) fn scope(&self) -> LedgerScope<'_> {
        LedgerScope {
            plan_id: &self.plan_id,
            years: match self.class {
                ItemClass::General => Some(years_of(self.period)),
                ItemClass::Key => None,
            },
            companions: &self.companions,
        }
    }

    fn kind(&self) -> VisitKind {
        match self.class {
            ItemClass::General => VisitKind::General,
            ItemClass::Key => VisitKind::Key,
        }
    }

    fn answering<'a>(&'a self, id: &'a EnterpriseId) -> &'a EnterpriseId {
        self.successors.get(id).unwrap_or(id)
    }

    fn visit(&self, enterprise_id: EnterpriseId, days: Window, slot: Option<u16>) -> Visit {
        Visit {
            visit_no: 0,
            enterprise_id,
            year: year_of(window(self.period)),
            kind: self.kind(),
            state: VisitState::Planned,
            slot,
            from_on: days.from,
            until_on: days.to,
            visited_on: None,
            plan_id: Some(self.plan_id.clone()),
            departments: self.departments.clone(),
            items: self.items.clone(),
            reason: None,
            note: None,
            by: None,
            noted_at: self.noted_at.clone(),
        }
    }
}

impl<'a> Desk<'a> {
    pub(super) fn new(booker: &'a Booker, slots: &[Slot], companions: Vec<Visit>) -> Self {
        let period = booker.period;
        let year = year_of(window(period));
        let mut used: BTreeMap<EnterpriseId, Vec<u16>> = BTreeMap::new();
        for slot in slots.iter().filter(|slot| slot.year == year) {
            let answering = booker.answering(&slot.enterprise_id).clone();
            used.entry(answering).or_default().push(slot.slot);
        }
        let mut shared: BTreeMap<EnterpriseId, Visit> = BTreeMap::new();
        for visit in companions {
            // On days that suit all, and for items of one class: caps, gaps and the ratios of the year bind general items
            // alone, so that an entry that was general to one row and key to another would be bound and not bound. Where
            // rows of both classes select one object the ledger has an entry of each, and the joint list, its saving and
            // the note that it took place speak of one visit.
            if visit.kind == booker.kind() && common_days(&visit, period).is_some() {
                let answering = booker.answering(&visit.enterprise_id).clone();
                shared.entry(answering).or_insert(visit);
            }
        }
        Self {
            bookings: Bookings::of(slots, period, &booker.successors),
            booker,
            used,
            shared,
            moves: LedgerMoves {
                departments: booker.departments.clone(),
                items: booker.items.clone(),
                ..LedgerMoves::default()
            },
        }
    }

    /// How an object is visited, or why it rests: only general items are bound, and not on a visit that is there already.
    pub(super) fn place_of(
        &self,
        id: &EnterpriseId,
        tier: impl FnOnce() -> Result<Tier, ServiceError>,
    ) -> Result<Result<Place, Rest>, ServiceError> {
        let days = window(self.booker.period);
        if let Some(visit) = self.shared.get(id) {
            return Ok(Ok(Place::Joins(Box::new(visit.clone()))));
        }
        let booked = self.bookings.to(id);
        if self.booker.class == ItemClass::Key || booked.is_empty() {
            return Ok(Ok(Place::Own(days)));
        }
        let found = may_visit(&self.booker.limits, tier()?, days, booked);
        Ok(found.map(Place::Own))
    }

    /// Books the visit to an object: one, also in a plan of method `order`, which has everybody checked once, in that order.
    /// A calendar over the order tells how often; its visits take the place of this one as they are done, and further ones
    /// are added then (`put_done_visits`).
    pub(super) fn book(&mut self, id: EnterpriseId, place: Place) {
        match place {
            Place::Joins(visit) => {
                let common = common_days(&visit, self.booker.period);
                self.moves.joined.push(JoinedVisit {
                    departments: united(&visit.departments, &self.booker.departments),
                    items: united(&visit.items, &self.booker.items),
                    visit_no: visit.visit_no,
                    window: common.unwrap_or((visit.from_on, visit.until_on)),
                });
            }
            Place::Own(days) => {
                let used = self.used.get(&id).map_or(&[][..], Vec::as_slice);
                let slot = (self.booker.class == ItemClass::General).then(|| lowest_free(used));
                self.moves.visits.push(self.booker.visit(id, days, slot));
            }
        }
    }

    /// The visits of a drawn sample.
    fn book_draw(
        &mut self,
        frozen: &Frozen,
        pool: &Pool,
        outcome: &DrawOutcome,
    ) -> Result<(), ServiceError> {
        let mut groups: BTreeMap<String, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
        for line in &outcome.lines {
            let key = line.key.text(pool).to_owned();
            groups.entry(key).or_default().0.push(line.object);
        }
        for stratum in &outcome.strata {
            let group = groups.entry(stratum.key.to_string()).or_default();
            group.1 = stratum.reserve.iter().map(|object| object.object).collect();
        }
        let mut replacements: Vec<Replacement> = Vec::new();
        for (key, (drawn, reserve)) in groups {
            let mut places: BTreeMap<u32, (EnterpriseId, Place)> = BTreeMap::new();
            let mut failure = None;
            let settled = settle(&drawn, &reserve, |object| {
                let found = object_id(pool, object).and_then(|id| {
                    let id = EnterpriseId::parse(id).map_err(internal)?;
                    let place = self.place_of(&id, || tier_of(frozen, pool, object))?;
                    Ok((id, place))
                });
                match found {
                    Ok((id, Ok(place))) => {
                        places.insert(object, (id, place));
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
                if let Some((id, place)) = places.remove(object) {
                    self.book(id, place);
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
                replacements.push(Replacement {
                    number: replacements.len() as u64 + 1,
                    enterprise_id: id(substitution.left_out)?,
                    stratum: key.clone(),
                    reason: coded(substitution.reason),
                    note: None,
                    taken,
                    by: label("by", LEDGER)?,
                    at: self.booker.noted_at.clone(),
                });
            }
        }
        self.keep(&replacements)
    }

    /// Adds replacements to what comes of it.
    pub(super) fn keep(&mut self, replacements: &[Replacement]) -> Result<(), ServiceError> {
        for replacement in replacements {
            let text = serde_json::to_string(replacement)?;
            self.moves.replacements.push(text);
        }
        Ok(())
    }
}

/// Why an object that rests is replaced.
pub(super) fn coded(rest: Rest) -> ReplaceReason {
    match rest {
        Rest::CapReached => ReplaceReason::CapReached,
        Rest::GapNotOver => ReplaceReason::GapNotOver,
    }
}

/// The days on which a visit may take place that lie within a period; nothing where there are none.
fn common_days(visit: &Visit, period: Period) -> Option<(Date, Date)> {
    if let Some(day) = visit.visited_on {
        let suits = (period.from..=period.to).contains(&day);
        return suits.then_some((visit.from_on, visit.until_on));
    }
    let (from, to) = (
        visit.from_on.max(period.from),
        visit.until_on.min(period.to),
    );
    (from <= to).then_some((from, to))
}

/// The lowest number that is not used.
fn lowest_free(used: &[u16]) -> u16 {
    (1..=u16::MAX)
        .find(|number| !used.contains(number))
        .unwrap_or(u16::MAX)
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
        (sample, reserve): &(Vec<u8>, Vec<u8>),
    ) -> Result<PlanView, ServiceError> {
        let booker = self.booker(&document)?;
        document.state = PlanState::Drawn;
        let done = self.store.draw_plan(&booker.scope(), &mut |around| {
            let abort = |error: ServiceError| StoreError::Aborted(error.to_string());
            let frozen = document.frozen.as_ref();
            let frozen = frozen
                .ok_or_else(|| StoreError::Aborted("a drawn plan without its pool".to_owned()))?;
            let mut desk = Desk::new(&booker, &around.slots, around.shared);
            desk.book_draw(frozen, pool, outcome).map_err(abort)?;
            Ok(DrawnPlan {
                document: serde_json::to_string(&document).map_err(|error| abort(error.into()))?,
                sample: sample.clone(),
                reserve: reserve.clone(),
                moves: desk.moves,
            })
        })?;
        if done {
            Ok(document.view())
        } else {
            Err(self.wrong_state(&booker.plan_id, "frozen")?)
        }
    }

    /// What the visits of a plan have in common.
    pub(super) fn booker(&self, document: &PlanDocument) -> Result<Booker, ServiceError> {
        let request = &document.request;
        let items = self.listed_items(&request.items)?;
        Ok(Booker {
            plan_id: document.plan_id.clone(),
            class: document.preview.item_class,
            limits: self.current().models.sampling.visits,
            period: request.period,
            companions: self.companions(request, &document.plan_id)?,
            departments: departments_of(&items, request.department.as_ref()),
            items: items.iter().map(|item| item.item_code.clone()).collect(),
            noted_at: jiff::Timestamp::now().to_string(),
            successors: self.successors()?,
        })
    }

    /// The other plans of a plan's coordinated group.
    fn companions(
        &self,
        request: &PlanRequest,
        plan_id: &str,
    ) -> Result<Vec<String>, ServiceError> {
        let Some(group_id) = &request.group else {
            return Ok(Vec::new());
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
