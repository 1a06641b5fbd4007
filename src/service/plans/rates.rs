//! Why one object has its rate in a plan: every factor with its source, and where the object stands.

use serde::Serialize;
use std::sync::Arc;

use super::document::{PlanDocument, PlanState};
use super::limits::{Bookings, window, years_of};
use super::think::{Ground, think};
use crate::domain::{EnterpriseId, ItemClass, Tier};
use crate::sampling::{Frame, FrameRow, RateStep, may_visit};
use crate::service::items::class_of;
use crate::service::{Current, Service, ServiceError};

/// The rate of one object in one plan, explained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectRate {
    /// The plan.
    pub plan_id: String,
    /// The object.
    pub enterprise_id: EnterpriseId,
    /// Its tier in the frame.
    pub tier: Tier,
    /// Its complaint band.
    pub complaint_band: String,
    /// Its complaints against its peers, in thousandths.
    pub complaint_ratio_milli: u64,
    /// Upheld complaints and reports about it.
    pub upheld_count: u32,
    /// The policy whose numbers act, as `name/version`.
    pub policy: String,
    /// The steps to its rate; the last one has it.
    pub steps: Vec<RateStep>,
    /// Its rate in the plan, in parts per billion.
    pub rate_ppb: u64,
    /// Where it stands.
    pub place: PoolPlace,
}

/// Where an object stands in a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PoolPlace {
    /// It is in the pool.
    InPool {
        /// Key of its stratum.
        stratum: String,
        /// Objects of the stratum.
        object_count: u64,
        /// Visits to be drawn in it, in parts per billion; absent for method `order`.
        #[serde(skip_serializing_if = "Option::is_none")]
        target_ppb: Option<u64>,
        /// The probability with which it is drawn, exploration included.
        inclusion_probability: f64,
    },
    /// The plan asks for it, but it cannot be visited.
    LeftOut {
        /// Why, as a code.
        reason: String,
    },
    /// The filter of the plan does not ask for it.
    NotAskedFor,
}

impl Service {
    /// The rate of one object in a plan.
    ///
    /// # Errors
    ///
    /// When there is no such plan, the object is not in its frame, or the plan's policy is no longer to be found.
    pub fn plan_rate(&self, plan_id: &str, id: &EnterpriseId) -> Result<ObjectRate, ServiceError> {
        let document = self.plan_document(plan_id)?;
        let current = self.current_of(&document)?;
        let request = &document.request;
        let (_, frame) = self.frame_rows(&request.frame_id)?;
        let at = frame
            .rows()
            .binary_search_by(|row| row.enterprise_id.as_str().cmp(id.as_str()))
            .map_err(|_| ServiceError::UnknownEnterprise(id.clone()))?;
        let row = frame
            .rows()
            .get(at)
            .ok_or_else(|| ServiceError::UnknownEnterprise(id.clone()))?;
        let items = self.listed_items(&request.items)?;
        let class = class_of(&items, request.item_class)?;
        let bookings = self.bookings_beside(&document, class)?;
        let ground = Ground {
            policy: &current.models.sampling,
            classifier: &current.models.classifier,
            frame: &frame,
            items: &items,
            class,
            bookings: &bookings,
            recent: &[],
        };
        let rule = ground.rule(request)?;
        let steps = rule.explain(row)?;
        let place = self.place_of(&document, &ground, &frame, (at, row))?;
        Ok(ObjectRate {
            plan_id: plan_id.to_owned(),
            enterprise_id: id.clone(),
            tier: row.tier,
            complaint_band: row.complaint_band.to_string(),
            complaint_ratio_milli: row.complaint_ratio_milli,
            upheld_count: row.upheld_count,
            policy: current.models.policy_name.clone(),
            rate_ppb: rule.of(row)?.rate_ppb,
            steps,
            place,
        })
    }

    /// The files under whose policy the plan was drafted.
    fn current_of(&self, document: &PlanDocument) -> Result<Arc<Current>, ServiceError> {
        let current = self.current();
        if current.models.policy_digest == document.policy_digest {
            return Ok(current);
        }
        let day = document.created_at.parse::<jiff::Timestamp>().ok();
        let day = day.map(|at| at.to_zoned(jiff::tz::TimeZone::system()).date());
        let then = self.in_force_on(day.unwrap_or_else(|| self.today()))?;
        if then.models.policy_digest == document.policy_digest {
            return Ok(then);
        }
        Err(ServiceError::Conflict(
            "the policy of this plan is no longer in force, and was not at the end of its first day; its internal transcript keeps the rates".to_owned(),
        ))
    }

    /// The visits around the plan's period, without its own.
    fn bookings_beside(
        &self,
        document: &PlanDocument,
        class: ItemClass,
    ) -> Result<Bookings, ServiceError> {
        if class == ItemClass::Key {
            return Ok(Bookings::default());
        }
        let period = document.request.period;
        let (first, last) = years_of(period);
        let mut slots = self.store.slots(first, last)?;
        slots.retain(|slot| slot.plan_id != document.plan_id);
        Ok(Bookings::of(&slots, period, &self.successors()?))
    }

    fn place_of(
        &self,
        document: &PlanDocument,
        ground: &Ground<'_>,
        frame: &Frame,
        (at, row): (usize, &FrameRow),
    ) -> Result<PoolPlace, ServiceError> {
        let request = &document.request;
        if !request.filter.matches(row) {
            return Ok(PoolPlace::NotAskedFor);
        }
        let selection = request.filter.select(frame);
        if !selection.members.contains(&at) {
            let reason = selection
                .excluded
                .keys()
                .find(|reason| **reason == format!("status_{}", row.status));
            let reason = reason.copied().unwrap_or("status").to_owned();
            return Ok(PoolPlace::LeftOut { reason });
        }
        // What the freeze has fixed is read, not thought through again.
        if document.frozen.is_some() && document.state != PlanState::Draft {
            let pool = self.kept_pool(&document.plan_id)?;
            let object = pool
                .find(row.enterprise_id.as_str())
                .and_then(|at| pool.object(at));
            return Ok(match object {
                Some(object) => in_pool(document, object.stratum.as_str(), &pool),
                None => PoolPlace::LeftOut {
                    reason: self.rest_of(ground, document, row),
                },
            });
        }
        let mut selection = selection;
        self.leave_out_drawn(request, frame, &mut selection)?;
        let thought = think(ground, request, selection)?;
        let stratum = thought
            .strata
            .iter()
            .find(|stratum| stratum.members.binary_search(&at).is_ok());
        Ok(match stratum {
            Some(stratum) => {
                let shown = thought.preview.strata.iter().find(|s| s.key == stratum.key);
                PoolPlace::InPool {
                    stratum: stratum.key.clone(),
                    object_count: stratum.members.len() as u64,
                    target_ppb: shown.map(|shown| shown.target_ppb),
                    inclusion_probability: thought.probability.get(&at).copied().unwrap_or(0.0),
                }
            }
            None => PoolPlace::LeftOut {
                reason: self.rest_of(ground, document, row),
            },
        })
    }

    /// Why an object rests beside the other plans; where they let it be visited by now, that it was left out then.
    fn rest_of(&self, ground: &Ground<'_>, document: &PlanDocument, row: &FrameRow) -> String {
        let booked = ground.bookings.to(&row.enterprise_id);
        let limits = &ground.policy.visits;
        match may_visit(limits, row.tier, window(document.request.period), booked) {
            Err(rest) => rest.as_str().to_owned(),
            Ok(_) => "left_out_at_the_freeze".to_owned(),
        }
    }
}

fn in_pool(document: &PlanDocument, key: &str, pool: &crate::sampling::pool::Pool) -> PoolPlace {
    let shown = document
        .preview
        .strata
        .iter()
        .find(|shown| shown.key == key);
    let count = pool
        .strata()
        .iter()
        .find(|(found, _)| found.as_str() == key);
    PoolPlace::InPool {
        stratum: key.to_owned(),
        object_count: count.map_or(0, |(_, count)| u64::from(*count)),
        target_ppb: shown.map(|shown| shown.target_ppb),
        inclusion_probability: shown.map_or(1.0, |shown| shown.inclusion_probability),
    }
}
