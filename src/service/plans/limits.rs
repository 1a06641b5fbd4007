//! What the ledger says to a plan that is being drafted: who rests, where the year stands, who was drawn lately.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::document::PlanState;
use crate::domain::dates::{add_days, days_between};
use crate::domain::{EnterpriseId, ItemClass};
use crate::sampling::plan::Period;
use crate::sampling::{
    Booked, Frame, OverallBounds, Selection, VisitLimits, Window, may_visit, year_of,
};
use crate::service::{Service, ServiceError};
use crate::store::Slot;

/// Recent plans that a preview compares itself with.
const RECENT_PLANS: usize = 5;
/// Plans looked at to find them.
const PLANS_READ: usize = 50;

/// The visits for general items around the period of a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Bookings {
    by_enterprise: BTreeMap<EnterpriseId, Vec<Booked>>,
    /// Slots taken in the year in which the plan counts.
    pub(super) year_count: u64,
    /// That year.
    pub(super) year: i16,
}

/// The year of the ledger in which a plan for general items counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanYear {
    /// The year.
    pub year: i16,
    /// Objects of the frame that can be visited.
    pub object_count: u64,
    /// Visits for general items that are planned in it already, over all plans and departments.
    pub planned_count: u64,
    /// What the year would come to with this plan, in visits per object.
    pub rate_with_plan: f64,
    /// The policy's floor.
    pub floor: f64,
    /// The policy's ceiling.
    pub ceiling: f64,
}

/// A recent plan and how much of it the plan would draw again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanOverlap {
    /// The recent plan.
    pub plan_id: String,
    /// Its title.
    pub title: String,
    /// Objects of its sample that are in this pool.
    pub object_count: u64,
    /// How many of them this plan is expected to draw.
    pub expected_count: f64,
}

/// A recent plan with its sample.
#[derive(Clone, Debug)]
pub(super) struct RecentPlan {
    plan_id: String,
    title: String,
    sample: Vec<String>,
}

/// A limit of the policy that a plan touches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitNote {
    /// Which one, as a code.
    pub code: LimitCode,
    /// The limit.
    pub limit: f64,
    /// What the plan comes to.
    pub value: f64,
    /// The same in words.
    pub text: String,
}

/// A limit that a plan may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitCode {
    /// The policy's rates come to more than the ceiling of the overall rate.
    RatesAboveCeiling,
    /// The policy's rates come to less than the floor: they were scaled up.
    RatesBelowFloor,
    /// The ledger's year would come to more than the ceiling.
    YearAboveCeiling,
    /// The ledger's year would stay behind the floor.
    YearBelowFloor,
    /// Bounds give a riskier stratum less per object than a less risky one.
    FallsWithRisk,
}

pub(super) fn window(period: Period) -> Window {
    Window {
        from: period.from,
        to: period.to,
    }
}

/// Years of the ledger that a plan for general items needs to see: its own, and those that a gap may reach into.
pub(super) fn years_of(period: Period) -> (i16, i16) {
    let year = year_of(window(period));
    (
        year.min(period.from.year()).saturating_sub(1),
        year.max(period.to.year()).saturating_add(1),
    )
}

impl Bookings {
    /// `successors` are the ids that stand for merged ones, whose visits count for them.
    pub(super) fn of(
        slots: &[Slot],
        period: Period,
        successors: &BTreeMap<EnterpriseId, EnterpriseId>,
    ) -> Self {
        let year = year_of(window(period));
        let mut bookings = Self {
            year,
            ..Self::default()
        };
        for slot in slots {
            bookings.year_count += u64::from(slot.year == year);
            let (from, to) = slot.window;
            let id = &slot.enterprise_id;
            bookings
                .by_enterprise
                .entry(successors.get(id).unwrap_or(id).clone())
                .or_default()
                .push(Booked {
                    year: slot.year,
                    window: Window { from, to },
                });
        }
        bookings
    }

    /// The visits to one enterprise.
    pub(super) fn to(&self, id: &EnterpriseId) -> &[Booked] {
        self.by_enterprise.get(id).map_or(&[], Vec::as_slice)
    }

    /// Takes the objects that rest out of a selection, each counted by its reason.
    pub(super) fn leave_out_resting(
        &self,
        limits: &VisitLimits,
        period: Period,
        frame: &Frame,
        selection: &mut Selection,
    ) {
        let window = window(period);
        let excluded = &mut selection.excluded;
        selection.members.retain(|position| {
            let Some(row) = frame.rows().get(*position) else {
                return false;
            };
            match may_visit(limits, row.tier, window, self.to(&row.enterprise_id)) {
                Ok(_) => true,
                Err(rest) => {
                    *excluded.entry(rest.as_str()).or_default() += 1;
                    false
                }
            }
        });
    }

    /// The overall annual rate that the rest of the year needs for the year to reach the floor.
    pub(super) fn needed_rate(&self, bounds: OverallBounds, objects: u64, period: Period) -> f64 {
        let from = period
            .from
            .max(jiff::civil::Date::new(self.year, 1, 1).unwrap_or(period.from));
        let end = jiff::civil::Date::new(self.year, 12, 31).unwrap_or(period.to);
        let left = (days_between(from, end) + 1).max(1) as f64 / 365.0;
        let missing = bounds.floor * objects as f64 - self.year_count as f64;
        missing.max(0.0) / (objects.max(1) as f64 * left)
    }

    /// Where the year would stand with a plan of so many visits, and which of its limits that would break.
    pub(super) fn year_with(
        &self,
        bounds: OverallBounds,
        object_count: u64,
        expected_visits: f64,
        period: Period,
    ) -> (PlanYear, Option<LimitNote>) {
        let objects = object_count.max(1) as f64;
        let rate = (self.year_count as f64 + expected_visits) / objects;
        let year = PlanYear {
            year: self.year,
            object_count,
            planned_count: self.year_count,
            rate_with_plan: rate,
            floor: bounds.floor,
            ceiling: bounds.ceiling,
        };
        let note = |code, limit: f64, text: String| {
            Some(LimitNote {
                code,
                limit,
                value: rate,
                text,
            })
        };
        let percent = rate * 100.0;
        if rate > bounds.ceiling {
            let text = format!(
                "with this plan, general visits in {} come to {percent:.2} % of the objects, above the policy's ceiling of {:.2} %",
                self.year,
                bounds.ceiling * 100.0
            );
            return (
                year,
                note(LimitCode::YearAboveCeiling, bounds.ceiling, text),
            );
        }
        let begin = jiff::civil::Date::new(self.year, 1, 1).unwrap_or(period.from);
        let passed = (days_between(begin, period.to) + 1).clamp(0, 365) as f64 / 365.0;
        let due = bounds.floor * passed;
        if rate < due {
            let text = format!(
                "with this plan, general visits in {} come to {percent:.2} % by {}, behind the {:.2} % that the policy's floor asks for by then",
                self.year,
                period.to,
                due * 100.0
            );
            return (year, note(LimitCode::YearBelowFloor, due, text));
        }
        (year, None)
    }
}

impl RecentPlan {
    /// How much of it a plan draws again that takes each object of the frame with the probability given by position.
    pub(super) fn overlap(&self, frame: &Frame, probability: &BTreeMap<usize, f64>) -> PlanOverlap {
        let rows = frame.rows();
        let (mut object_count, mut expected_count) = (0, 0.0);
        for id in &self.sample {
            let found = rows.binary_search_by(|row| row.enterprise_id.as_str().cmp(id.as_str()));
            if let Some(probability) = found.ok().and_then(|at| probability.get(&at)) {
                object_count += 1;
                expected_count += probability;
            }
        }
        PlanOverlap {
            plan_id: self.plan_id.clone(),
            title: self.title.clone(),
            object_count,
            expected_count,
        }
    }
}

impl Service {
    /// The visits that a plan of this class must keep clear of; none for key items, which no cap binds.
    pub(super) fn bookings(
        &self,
        class: ItemClass,
        period: Period,
    ) -> Result<Bookings, ServiceError> {
        match class {
            ItemClass::Key => Ok(Bookings::default()),
            ItemClass::General => {
                let (first, last) = years_of(period);
                let slots = self.store.slots(first, last)?;
                Ok(Bookings::of(&slots, period, &self.successors()?))
            }
        }
    }

    /// The latest drawn plans whose visits end within the year before the end of a period.
    pub(super) fn recent_plans(&self, period: Period) -> Result<Vec<RecentPlan>, ServiceError> {
        let since = add_days(period.to, -365);
        let drawn = self.plans(None, PLANS_READ)?.into_iter().filter(|plan| {
            matches!(plan.state, PlanState::Drawn | PlanState::Closed)
                && plan.request.period.to >= since
        });
        drawn
            .take(RECENT_PLANS)
            .map(|plan| {
                let sample = self.sample(&plan.plan_id)?;
                Ok(RecentPlan {
                    sample: sample
                        .into_iter()
                        .map(|object| object.enterprise_id)
                        .collect(),
                    title: plan.request.title,
                    plan_id: plan.plan_id,
                })
            })
            .collect()
    }
}
