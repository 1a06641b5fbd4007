//! What a plan asks for.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use super::preview::PlanPreview;
use super::terms::{AllocationBy, AllocationRequest};
use super::think::{Drafted, Ground, Thought, think};
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{FieldError, ItemClass, Label, dates, field};
use crate::sampling::plan::{Method, Period, Rounding};
use crate::sampling::{PoolFilter, SizeMeasure};
use crate::service::items::class_of;
use crate::service::{Current, Service, ServiceError};

/// What a plan asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The frame that the pool is selected from.
    pub frame_id: String,
    /// Title for people, 1–200 bytes.
    pub title: String,
    /// Class of the check items; absent: that of the items named, and general without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_class: Option<ItemClass>,
    /// Codes of the check items, which are in the list and published.
    #[serde(default)]
    pub items: Vec<String>,
    /// The department that plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<Label>,
    /// When the visits take place; annual rates are taken for its share of the year.
    pub period: Period,
    /// Which objects.
    #[serde(default)]
    pub filter: PoolFilter,
    /// `equal` and `pareto` draw by stratum; `order` puts the whole pool in ticket order.
    pub method: Method,
    /// What an object's size is, for method `pareto`; absent: the rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_measure: Option<SizeMeasure>,
    /// Number of visits; absent: by the policy's rates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visits: Option<u64>,
    /// What the visits follow, and bounds of the strata.
    #[serde(default)]
    pub allocation: AllocationRequest,
    /// How targets become whole numbers.
    pub rounding: Rounding,
    /// Share of the visits drawn with equal probability over the whole pool, 0 to 0.5.
    #[serde(default)]
    pub exploration_share: f64,
    /// Objects that stand by per stratum, as a share of its target, 0 to 1.
    #[serde(default)]
    pub reserve_share: f64,
    /// The hash of the draw.
    pub hash: HashAlgorithm,
    /// Contributions of others whose values exist already, beside the server's own.
    #[serde(default)]
    pub committed: Vec<CommittedContribution>,
    /// Contributions that come into being after the freeze.
    #[serde(default)]
    pub public: Vec<PublicContribution>,
    /// Whether the public edition may reveal values and seed.
    #[serde(default)]
    pub public_seed: bool,
    /// The coordinated group that the plan belongs to; it then has the group's contributions, hash and `public_seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The earlier plan that this one extends; who was drawn there leaves the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
}

/// A contribution whose value exists and is opened at the draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedContribution {
    /// Its name.
    pub name: String,
    /// Its commitment.
    pub commitment: Digest,
}

/// A contribution that comes into being after the freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicContribution {
    /// Its name.
    pub name: String,
    /// Source, date and how the value is read.
    pub rule: String,
}

/// The exploration share of a plan that says nothing of it: 5 % of the visits, so that targeting can be evaluated and
/// models trained anew without bias; none where the whole pool is put in order.
pub fn default_exploration(method: Method) -> f64 {
    match method {
        Method::Equal | Method::Pareto => 0.05,
        Method::Order => 0.0,
    }
}

/// A text that stands in the plan as it is given: 1 to `most` bytes, no control character, not only white space.
pub(super) fn printable(name: &str, text: &str, most: usize) -> Result<(), FieldError> {
    if text.len() > most {
        let reason = format!("has {} bytes; allowed are 1 to {most}", text.len());
        return Err(FieldError::new(name, text, reason));
    }
    field::text(name, text, 1, most).map(drop)
}

impl PlanRequest {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let share = |field: &str, value: f64, most: f64| {
            let inside = (0.0..=most).contains(&value);
            inside.then_some(()).ok_or_else(|| {
                FieldError::new(
                    field,
                    &value.to_string(),
                    format!("is not within 0 to {most}"),
                )
            })
        };
        share("exploration_share", self.exploration_share, 0.5)?;
        share("reserve_share", self.reserve_share, 1.0)?;
        printable("title", &self.title, 200)?;
        self.allocation.check()?;
        self.allocation.allocation(self.visits)?;
        let mut seen = BTreeSet::new();
        for (place, item) in self.items.iter().enumerate() {
            let name = format!("items.{place}");
            field::label(&name, item)?;
            if !seen.insert(item) {
                return Err(FieldError::new(&name, item, "is named twice"));
            }
        }
        for (place, contribution) in self.public.iter().enumerate() {
            printable(&format!("public.{place}.rule"), &contribution.rule, 1_000)?;
        }
        let Period { from, to } = self.period;
        if from > to {
            return Err(FieldError::new(
                "period.to",
                &to.to_string(),
                format!("is before `period.from` ({from})"),
            ));
        }
        if let (Some(measure), Method::Equal | Method::Order) = (self.size_measure, self.method) {
            let reason = "is for method `pareto`; leave it out";
            return Err(FieldError::new("size_measure", measure.as_str(), reason));
        }
        if self.allocation.by == AllocationBy::Precision {
            self.goes_with_precision()?;
        }
        match self.method {
            Method::Equal => Ok(()),
            Method::Pareto if self.rounding == Rounding::Systematic => Err(FieldError::new(
                "rounding",
                "systematic",
                "does not go with method `pareto`; use largest_remainder or whole",
            )),
            Method::Pareto => Ok(()),
            Method::Order if self.visits.is_some() => Err(FieldError::new(
                "visits",
                &self.visits.unwrap_or(0).to_string(),
                "does not go with method `order`, which puts the whole pool in order",
            )),
            Method::Order if self.allocation != AllocationRequest::default() => {
                let reason = "does not go with method `order`, which puts the whole pool in order";
                Err(FieldError::new("allocation", "", reason))
            }
            Method::Order if self.exploration_share > 0.0 => Err(FieldError::new(
                "exploration_share",
                &self.exploration_share.to_string(),
                "does not go with method `order`",
            )),
            Method::Order => Ok(()),
        }
    }

    /// Bounds on precision hold for samples of equal probability, and for whole targets that exploration leaves as they are.
    fn goes_with_precision(&self) -> Result<(), FieldError> {
        let precise = "does not go with `allocation.by` = `precision`";
        match (self.method, self.rounding) {
            (Method::Pareto, _) => {
                let reason = format!(
                    "{precise}, which counts on equal probability within strata; use equal"
                );
                Err(FieldError::new("method", "pareto", reason))
            }
            (_, Rounding::LargestRemainder | Rounding::Whole) if self.exploration_share > 0.0 => {
                let reason = format!(
                    "{precise} and whole targets: it would be taken out of them; use rounding systematic, or a share of 0"
                );
                let share = self.exploration_share.to_string();
                Err(FieldError::new("exploration_share", &share, reason))
            }
            _ => Ok(()),
        }
    }

    /// Days of the period, both ends included.
    pub(super) fn days(&self) -> u64 {
        u64::try_from(dates::days_between(self.period.from, self.period.to) + 1).unwrap_or(1)
    }
}

impl Service {
    /// Shows what a plan would do.
    ///
    /// # Errors
    ///
    /// Names the field that is wrong, an unknown frame, an empty pool, or visits that exceed it.
    pub fn preview_plan(&self, request: &PlanRequest) -> Result<PlanPreview, ServiceError> {
        let request = self.in_group(request.clone())?;
        Ok(self.draft(&self.current(), &request)?.preview)
    }

    pub(super) fn draft(
        &self,
        current: &Current,
        request: &PlanRequest,
    ) -> Result<Drafted, ServiceError> {
        request.check()?;
        let (summary, frame) = self.frame_rows(&request.frame_id)?;
        let items = self.planned_items(&request.items)?;
        let class = class_of(&items, request.item_class)?;
        let ground = Ground {
            policy: &current.models.sampling,
            classifier: &current.models.classifier,
            frame: &frame,
            items: &items,
            class,
            bookings: &self.bookings(class, request.period)?,
            recent: &self.recent_plans(request.period)?,
        };
        let mut selection = request.filter.select(&frame);
        self.leave_out_drawn(request, &frame, &mut selection)?;
        let Thought {
            strata,
            sizes,
            preview,
            probability: _,
        } = think(&ground, request, selection)?;
        Ok(Drafted {
            summary,
            frame,
            strata,
            sizes,
            preview,
        })
    }
}
