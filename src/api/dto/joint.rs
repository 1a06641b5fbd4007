//! Joint plans: rows of several departments and items on shared tickets.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{Hash, ItemClass, PlanMethod, PlanRounding, PlanState};
use super::plan_groups::GroupAnswer;
use super::plan_input::{
    CommittedInput, FilterInput, PlanPeriod, PublicInput, committed, public, sha256,
};
use super::plan_results::PlanPreview;
use super::present;
use crate::domain::{FieldError, field};
use crate::service::{
    self, AllocationRequest, GroupRequest, JointRequest, JointRowView, JointView, JointVisitView,
    Period, PlanRequest,
};

/// What a joint plan asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct JointInput {
    /// Id of the coordinated group that its rows make up, never used before: 1 to 64 of letters, digits, `.`, `_`, `-`.
    #[schema(example = "2027-q1", pattern = "^[A-Za-z0-9._-]{1,64}$")]
    group_id: String,
    /// Title for people, 1 to 200 bytes.
    #[schema(
        example = "Joint checks, first quarter",
        min_length = 1,
        max_length = 200
    )]
    title: String,
    /// The frame that the pools of all rows are selected from.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    frame_id: String,
    /// When the visits take place; annual rates are taken for its share of the year.
    period: PlanPeriod,
    /// The hash of the draw; default `sha256`.
    #[serde(default = "sha256")]
    #[schema(default = "sha256")]
    hash: Hash,
    /// Contributions of others whose values exist already, beside the server's own.
    #[serde(default)]
    committed: Vec<CommittedInput>,
    /// Contributions that come into being after the rows are sealed.
    #[serde(default)]
    public: Vec<PublicInput>,
    /// Whether public editions may reveal values and seed; every row must then allow it.
    #[serde(default)]
    #[schema(default = false)]
    public_seed: bool,
    /// The rows, 1 to 200, each with a title of its own.
    #[schema(min_items = 1, max_items = 200)]
    rows: Vec<JointRowInput>,
    /// `now` makes, opens, draws and closes everything at once; left out, the rows are frozen and sealed, and wait for the
    /// contributions. Not for previews.
    #[serde(default, deserialize_with = "present")]
    pub(crate) draw: Option<super::plan_input::DrawWhen>,
}

/// One row of a joint plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct JointRowInput {
    /// Title for people, 1 to 200 bytes, unique among the rows.
    #[schema(example = "Food hygiene", min_length = 1, max_length = 200)]
    title: String,
    /// Class of the check items; left out, it is that of the items named, and `general` without any.
    #[serde(default, deserialize_with = "present")]
    item_class: Option<ItemClass>,
    /// Codes of the check items, each once.
    #[serde(default)]
    #[schema(example = json!(["food-hygiene"]))]
    items: Vec<String>,
    /// Which objects; default all.
    #[serde(default)]
    filter: FilterInput,
    /// How objects are selected; default `equal`.
    #[serde(default)]
    #[schema(default = "equal")]
    method: PlanMethod,
    /// Number of visits; left out: by the policy's rates.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 40, minimum = 1)]
    visits: Option<u64>,
    /// How targets become whole numbers; default `systematic`.
    #[serde(default)]
    #[schema(default = "systematic")]
    rounding: PlanRounding,
    /// Objects that stand by per stratum, as a share of its target.
    #[serde(default = "a_fifth")]
    #[schema(default = 0.2, minimum = 0, maximum = 1)]
    reserve_share: f64,
}

fn a_fifth() -> f64 {
    0.2
}

impl JointInput {
    /// Checks the parts that have a form of their own; the service checks the whole.
    pub(crate) fn parse(self) -> Result<JointRequest, FieldError> {
        let period = Period {
            from: field::date("period.from", &self.period.from)?,
            to: field::date("period.to", &self.period.to)?,
        };
        let hash = self.hash.into();
        let rows = self.rows.into_iter().enumerate();
        let rows = rows
            .map(|(place, row)| {
                let filter = row.filter.parse().map_err(|error| FieldError {
                    field: format!("rows.{place}.{}", error.field),
                    ..error
                })?;
                Ok(PlanRequest {
                    frame_id: self.frame_id.clone(),
                    title: row.title,
                    item_class: row.item_class.map(Into::into),
                    items: row.items,
                    department: None,
                    period,
                    filter,
                    method: row.method.into(),
                    size_measure: None,
                    visits: row.visits,
                    allocation: AllocationRequest::default(),
                    rounding: row.rounding.into(),
                    exploration_share: 0.0,
                    reserve_share: row.reserve_share,
                    hash,
                    committed: Vec::new(),
                    public: Vec::new(),
                    public_seed: self.public_seed,
                    group: None,
                    extends: None,
                })
            })
            .collect::<Result<_, FieldError>>()?;
        Ok(JointRequest {
            group: GroupRequest {
                group_id: self.group_id,
                title: self.title,
                hash,
                committed: committed(self.committed)?,
                public: public(self.public)?,
                public_seed: self.public_seed,
            },
            rows,
        })
    }
}

/// A joint plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JointPlan)]
pub(crate) struct JointAnswer {
    /// Its coordinated group.
    pub(crate) group: GroupAnswer,
    /// Its rows in the order in which they were drafted; those that were given up are left out.
    rows: Vec<JointRowAnswer>,
    /// What is to be expected, once every row is frozen.
    #[serde(skip_serializing_if = "Option::is_none")]
    outlook: Option<JointOutlook>,
    /// What came of it, once every row is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    saving: Option<JointSaving>,
}

/// One row of a joint plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JointRow)]
pub(crate) struct JointRowAnswer {
    /// Id of its plan.
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    plan_id: String,
    /// Number of its plan, once frozen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1, minimum = 1)]
    number: Option<u64>,
    /// Its title.
    title: String,
    /// Its check items.
    items: Vec<String>,
    /// Where it stands.
    state: PlanState,
    /// Objects in its pool.
    #[schema(example = 5000)]
    pool_size: u64,
    /// Objects in its sample, once drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 40)]
    sample_size: Option<u64>,
}

/// What is to be expected of a joint plan, from the inclusion probabilities of its rows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JointOutlook {
    /// Objects that at least one row concerns.
    #[schema(example = 7300)]
    objects: u64,
    /// Visits without merging: one for every object of every row.
    #[schema(example = 1890.5)]
    separate_visits: f64,
    /// Visits if the rows were drawn independently and merged where they coincide.
    #[schema(example = 1320.1)]
    coinciding_visits: f64,
    /// The bound: no design with these inclusion probabilities expects fewer visits.
    #[schema(example = 365.2)]
    least_visits: f64,
    /// The most that any design can save of the separate visits.
    #[schema(example = 0.807, minimum = 0, maximum = 1)]
    most_saved: f64,
}

/// What merging saved, at equal coverage of every item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JointSaving {
    /// Visits without merging, which is also the number of checks.
    #[schema(example = 1890)]
    separate_visits: u64,
    /// Joint visits.
    #[schema(example = 391)]
    joint_visits: u64,
    /// Joint visits for more than one row.
    #[schema(example = 350)]
    shared_visits: u64,
    /// Share of the separate visits that merging saves.
    #[schema(example = 0.793, minimum = 0, maximum = 1)]
    saved: f64,
}

impl From<service::JointOutlook> for JointOutlook {
    fn from(outlook: service::JointOutlook) -> Self {
        let service::JointOutlook {
            objects,
            separate_visits,
            coinciding_visits,
            least_visits,
            most_saved,
        } = outlook;
        Self {
            objects,
            separate_visits,
            coinciding_visits,
            least_visits,
            most_saved,
        }
    }
}

impl From<service::JointSaving> for JointSaving {
    fn from(saving: service::JointSaving) -> Self {
        let service::JointSaving {
            separate_visits,
            joint_visits,
            shared_visits,
            saved,
        } = saving;
        Self {
            separate_visits,
            joint_visits,
            shared_visits,
            saved,
        }
    }
}

impl From<JointView> for JointAnswer {
    fn from(view: JointView) -> Self {
        let JointView {
            group,
            rows,
            outlook,
            saving,
        } = view;
        Self {
            group: group.into(),
            rows: rows
                .into_iter()
                .map(
                    |JointRowView {
                         plan_id,
                         number,
                         title,
                         items,
                         state,
                         pool_size,
                         sample_size,
                     }| JointRowAnswer {
                        plan_id,
                        number,
                        title,
                        items,
                        state: state.into(),
                        pool_size,
                        sample_size,
                    },
                )
                .collect(),
            outlook: outlook.map(Into::into),
            saving: saving.map(Into::into),
        }
    }
}

/// What a joint plan would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JointPreview {
    /// What is to be expected of the whole.
    outlook: JointOutlook,
    /// What each row would do, in the order of the request.
    rows: Vec<PlanPreview>,
}

impl From<service::JointPreview> for JointPreview {
    fn from(preview: service::JointPreview) -> Self {
        let service::JointPreview { outlook, rows } = preview;
        Self {
            outlook: outlook.into(),
            rows: rows.into_iter().map(Into::into).collect(),
        }
    }
}

/// Which form the joint visits come in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JointVisitQuery {
    /// The form of the answer; default: `json`.
    #[param(inline, example = "csv")]
    pub(crate) format: Option<super::calendars::VisitFormat>,
}

/// One joint visit: an object with everything that is checked at it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JointVisit)]
pub(crate) struct JointVisitAnswer {
    /// The object.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// Its check items, each once.
    #[schema(example = json!(["fire-exits", "food-hygiene"]))]
    items: Vec<String>,
    /// The plans that selected it.
    #[schema(example = json!(["rtp1-0123456789abcdef0123456789abcdef"]))]
    plan_ids: Vec<String>,
    /// When it took place, as the ledger has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2026-11-20")]
    done_on: Option<String>,
}

impl From<JointVisitView> for JointVisitAnswer {
    fn from(view: JointVisitView) -> Self {
        let JointVisitView {
            enterprise_id,
            items,
            plan_ids,
            done_on,
        } = view;
        Self {
            enterprise_id,
            items,
            plan_ids,
            done_on: done_on.map(|day| day.to_string()),
        }
    }
}
