//! Joint plans (综合查一次): the rows of several departments and items on shared tickets, as one list of visits.
//!
//! A joint plan is a coordinated group: every row is a plan of it, with its own pool, strata, sizes and proofs. What is
//! joint is the seed, and so the tickets: an object that several rows select is visited once.

use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;

use super::document::{PlanDocument, PlanState};
use super::draft::PlanRequest;
use super::editions::SampleStanding;
use super::groups::{GroupRequest, GroupState, GroupView};
use super::preview::PlanPreview;
use crate::domain::FieldError;
use crate::files::{ColumnType, ExportWriter, Sink, Value};
use crate::sampling::joint::{JointRow, JointVisit, Outlook, Saving, join};
use crate::sampling::plan::Method;
use crate::sampling::pool::Pool;
use crate::service::{Service, ServiceError};

/// Most rows of a joint plan.
const MOST_ROWS: usize = 200;

/// What a joint plan asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct JointRequest {
    /// The coordinated group that its rows make up.
    pub group: GroupRequest,
    /// Its rows; group, hash and contributions are those of the group.
    pub rows: Vec<PlanRequest>,
}

/// A joint plan as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointView {
    /// Its coordinated group.
    pub group: GroupView,
    /// Its rows in the order in which they were drafted; void ones are left out.
    pub rows: Vec<JointRowView>,
    /// What is to be expected, once every row is frozen.
    pub outlook: Option<JointOutlook>,
    /// What came of it, once every row is drawn.
    pub saving: Option<JointSaving>,
}

/// One row of a joint plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointRowView {
    /// Id of its plan.
    pub plan_id: String,
    /// Number of its plan, once frozen.
    pub number: Option<u64>,
    /// Its title.
    pub title: String,
    /// Its check items.
    pub items: Vec<String>,
    /// Where it stands.
    pub state: PlanState,
    /// Objects in its pool.
    pub pool_size: u64,
    /// Objects in its sample, once drawn.
    pub sample_size: Option<u64>,
}

/// What is to be expected of a joint plan, from the inclusion probabilities of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct JointOutlook {
    /// Objects that at least one row concerns.
    pub objects: u64,
    /// Visits without merging: one for every object of every row.
    pub separate_visits: f64,
    /// Visits if the rows were drawn independently and merged where they coincide.
    pub coinciding_visits: f64,
    /// The bound: no design with these inclusion probabilities expects fewer visits.
    pub least_visits: f64,
    /// The most that any design can save of the separate visits.
    pub most_saved: f64,
}

/// What merging saved, at equal coverage of every item.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct JointSaving {
    /// Visits without merging, which is also the number of checks.
    pub separate_visits: u64,
    /// Joint visits.
    pub joint_visits: u64,
    /// Joint visits for more than one row.
    pub shared_visits: u64,
    /// Share of the separate visits that merging saves.
    pub saved: f64,
}

/// What a joint plan would do, without drawing and without any secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointPreview {
    /// What is to be expected of the whole.
    pub outlook: JointOutlook,
    /// What each row would do, in the order of the request.
    pub rows: Vec<PlanPreview>,
}

/// One joint visit: an object with everything that is checked at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JointVisitView {
    /// The object.
    pub enterprise_id: String,
    /// Its check items, each once, in byte order.
    pub items: Vec<String>,
    /// The plans that selected it, in the order in which they were drafted.
    pub plan_ids: Vec<String>,
    /// When it took place, as the ledger has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_on: Option<Date>,
}

/// The columns of a list of joint visits.
const COLUMNS: [(&str, ColumnType); 5] = [
    ("enterprise_id", ColumnType::Text),
    ("row_count", ColumnType::Count),
    ("items", ColumnType::List),
    ("plan_ids", ColumnType::List),
    ("done_on", ColumnType::Day),
];

impl From<Outlook> for JointOutlook {
    fn from(outlook: Outlook) -> Self {
        Self {
            objects: outlook.objects,
            separate_visits: outlook.separate_visits,
            coinciding_visits: outlook.coinciding_visits,
            least_visits: outlook.least_visits,
            most_saved: outlook.most_saved(),
        }
    }
}

impl From<Saving> for JointSaving {
    fn from(saving: Saving) -> Self {
        Self {
            separate_visits: saving.separate,
            joint_visits: saving.joint,
            shared_visits: saving.shared,
            saved: saving.share(),
        }
    }
}

impl Service {
    /// Shows what a joint plan would do.
    ///
    /// # Errors
    ///
    /// As [`Service::preview_plan`]; a wrong row is named by its place.
    pub fn preview_joint_plan(&self, request: &JointRequest) -> Result<JointPreview, ServiceError> {
        let current = self.current();
        let mut lists: Vec<Vec<(String, f64)>> = Vec::new();
        let mut rows = Vec::new();
        for (place, row) in checked(request)?.iter().enumerate() {
            let drafted = self
                .draft(&current, &alone(row))
                .map_err(|error| in_row(place, error))?;
            let mut list: Vec<(String, f64)> = Vec::new();
            for (index, stratum) in drafted.strata.iter().enumerate() {
                // Method `order` shows no strata and takes everything.
                let inclusion = match row.method {
                    Method::Order => 1.0,
                    Method::Equal | Method::Pareto => drafted
                        .preview
                        .strata
                        .get(index)
                        .map_or(0.0, |stratum| stratum.inclusion_probability),
                };
                let members = stratum.members.iter();
                let members = members.filter_map(|position| drafted.frame.rows().get(*position));
                list.extend(members.map(|object| (object.enterprise_id.to_string(), inclusion)));
            }
            list.sort_by(|a, b| a.0.cmp(&b.0));
            lists.push(list);
            rows.push(drafted.preview);
        }
        let lists = lists
            .iter()
            .map(|list| list.iter().map(|(id, inclusion)| (id.as_str(), *inclusion)));
        let outlook = Outlook::of_lists(lists.collect()).into();
        Ok(JointPreview { outlook, rows })
    }

    /// Makes a joint plan: its group, and every row drafted and frozen in it, then sealed. Its contributions are opened
    /// and its rows drawn like those of any group.
    ///
    /// # Errors
    ///
    /// As the single steps; what is wrong with a row shows before anything is kept, and is named by its place.
    pub fn create_joint_plan(&self, request: &JointRequest) -> Result<JointView, ServiceError> {
        let group_id = self.frozen_rows(request)?;
        self.joint_plan(&group_id)
    }

    /// Makes a joint plan and draws and closes all its rows in one call; only the server contributes.
    ///
    /// # Errors
    ///
    /// As [`Service::create_joint_plan`]; contributions of others cannot be awaited in one call.
    pub fn draw_joint_plan_now(&self, request: &JointRequest) -> Result<JointView, ServiceError> {
        let group = &request.group;
        if !group.committed.is_empty() || !group.public.is_empty() {
            let reason = "lets nobody else contribute; make the joint plan without it, open the group with their \
                          contributions, then draw its plans";
            return Err(FieldError::new("draw", "now", reason).into());
        }
        let group_id = self.frozen_rows(request)?;
        self.open_group(&group_id, Vec::new())?;
        for plan in self.plans_of_group(&group_id)? {
            self.draw_plan(&plan.plan_id, Vec::new())?;
            self.close_plan(&plan.plan_id)?;
        }
        self.joint_plan(&group_id)
    }

    /// Makes the group with its rows, frozen and sealed.
    fn frozen_rows(&self, request: &JointRequest) -> Result<String, ServiceError> {
        // A frozen plan keeps its number for ever, so what is wrong with any row must show before the first.
        self.preview_joint_plan(request)?;
        let group_id = self.create_group(request.group.clone())?.group_id;
        let mut drafts = Vec::new();
        for (place, row) in request.rows.iter().enumerate() {
            let row = PlanRequest {
                group: Some(group_id.clone()),
                hash: request.group.hash,
                ..row.clone()
            };
            let draft = self.draft_plan(row).map_err(|error| in_row(place, error))?;
            drafts.push(draft.plan_id);
        }
        for plan_id in &drafts {
            self.freeze_plan(plan_id)?;
        }
        self.seal_group(&group_id)?;
        Ok(group_id)
    }

    /// A joint plan: any coordinated group, seen as one.
    ///
    /// # Errors
    ///
    /// When there is no such group or the store fails.
    pub fn joint_plan(&self, group_id: &str) -> Result<JointView, ServiceError> {
        let group = self.group(group_id)?;
        let documents = self.rows_of_group(group_id)?;
        let rows = documents.iter().map(row_view).collect();
        let outlook = if documents.is_empty() {
            None
        } else {
            self.outlook_of(&documents)?
        };
        let is_drawn = !documents.is_empty() && documents.iter().all(|plan| plan.drawn.is_some());
        let saving = if is_drawn {
            let samples = self.samples_of(&documents)?;
            Some(Saving::of(&joined(&samples)).into())
        } else {
            None
        };
        Ok(JointView {
            group,
            rows,
            outlook,
            saving,
        })
    }

    /// The joint visits of a joint plan whose rows are all drawn, in byte order of id.
    ///
    /// # Errors
    ///
    /// When there is no such group, a row is not drawn yet, or the store fails.
    pub fn joint_visits(&self, group_id: &str) -> Result<Vec<JointVisitView>, ServiceError> {
        let documents = self.drawn_rows(group_id)?;
        let samples = self.samples_of(&documents)?;
        let days = self.done_days(&documents)?;
        let view = |visit: &JointVisit<'_>| {
            let rows: Vec<&PlanDocument> = visit
                .rows
                .iter()
                .filter_map(|row| documents.get(*row as usize))
                .collect();
            let mut items: Vec<String> = rows
                .iter()
                .flat_map(|plan| plan.request.items.iter().cloned())
                .collect();
            items.sort();
            items.dedup();
            JointVisitView {
                enterprise_id: visit.id.to_owned(),
                items,
                plan_ids: rows.iter().map(|plan| plan.plan_id.clone()).collect(),
                done_on: days.get(visit.id).copied().flatten(),
            }
        };
        Ok(joined(&samples).iter().map(view).collect())
    }

    /// The rows of a joint plan, all drawn.
    pub(super) fn drawn_rows(&self, group_id: &str) -> Result<Vec<PlanDocument>, ServiceError> {
        let group = self.group(group_id)?;
        let documents = self.rows_of_group(group_id)?;
        if documents.is_empty() {
            return Err(ServiceError::GroupState {
                group_id: group_id.to_owned(),
                state: group.state,
                needed: GroupState::Opened.as_str(),
            });
        }
        match documents.iter().find(|plan| plan.drawn.is_none()) {
            None => Ok(documents),
            Some(waiting) => Err(ServiceError::PlanState {
                plan_id: waiting.plan_id.clone(),
                state: waiting.state,
                needed: PlanState::Drawn.as_str(),
            }),
        }
    }

    /// Writes the joint visits to a sink and says how many.
    ///
    /// # Errors
    ///
    /// As [`Service::joint_visits`], and when the sink cannot be written.
    pub fn export_joint_visits(&self, group_id: &str, sink: Sink) -> Result<u64, ServiceError> {
        let visits = self.joint_visits(group_id)?;
        let mut rows = ExportWriter::open(sink, &COLUMNS)?;
        for visit in &visits {
            rows.row(&[
                Value::Text(&visit.enterprise_id),
                Value::Count(u32::try_from(visit.plan_ids.len()).unwrap_or(u32::MAX)),
                Value::List(&visit.items),
                Value::List(&visit.plan_ids),
                visit.done_on.map_or(Value::Absent, Value::Day),
            ])?;
        }
        Ok(rows.finish()?)
    }

    /// The plans of a group that are not given up, in the order in which they were drafted.
    fn rows_of_group(&self, group_id: &str) -> Result<Vec<PlanDocument>, ServiceError> {
        let plans = self.plans_of_group(group_id)?;
        let standing = plans.iter().filter(|plan| plan.state != PlanState::Void);
        standing
            .map(|plan| self.plan_document(&plan.plan_id))
            .collect()
    }

    /// What is to be expected, once every row is frozen.
    fn outlook_of(&self, documents: &[PlanDocument]) -> Result<Option<JointOutlook>, ServiceError> {
        let mut pools: Vec<Pool> = Vec::new();
        for document in documents {
            if document.frozen.is_none() {
                return Ok(None);
            }
            pools.push(self.kept_pool(&document.plan_id)?);
        }
        let rows: Vec<JointRow<'_>> = documents
            .iter()
            .zip(&pools)
            .filter_map(|(document, pool)| {
                let plan = &document.frozen.as_ref()?.plan;
                Some(JointRow { plan, pool })
            })
            .collect();
        Ok(Some(Outlook::of(&rows).into()))
    }

    /// Whom each row visits: the drawn objects, and those of the reserve in place of the replaced ones.
    fn samples_of(&self, documents: &[PlanDocument]) -> Result<Vec<Vec<String>>, ServiceError> {
        documents
            .iter()
            .map(|plan| {
                let objects = self.sample(&plan.plan_id)?.into_iter();
                let visited = objects.filter(|object| object.standing != SampleStanding::Replaced);
                Ok(visited.map(|object| object.enterprise_id).collect())
            })
            .collect()
    }
}

/// Merges samples.
fn joined(samples: &[Vec<String>]) -> Vec<JointVisit<'_>> {
    let ids: Vec<Vec<&str>> = samples
        .iter()
        .map(|ids| ids.iter().map(String::as_str).collect())
        .collect();
    join(&ids)
}

fn row_view(document: &PlanDocument) -> JointRowView {
    JointRowView {
        plan_id: document.plan_id.clone(),
        number: document.frozen.as_ref().map(|frozen| frozen.plan.number),
        title: document.request.title.clone(),
        items: document.request.items.clone(),
        state: document.state,
        pool_size: document.preview.pool_size,
        sample_size: document.drawn.as_ref().map(|drawn| drawn.sample_size),
    }
}

/// The rows of a request, as far as they can be checked without a frame.
fn checked(request: &JointRequest) -> Result<&[PlanRequest], FieldError> {
    let count = request.rows.len();
    if !(1..=MOST_ROWS).contains(&count) {
        let reason = format!("is not from 1 to {MOST_ROWS} rows");
        return Err(FieldError::new("rows", &count.to_string(), reason));
    }
    let mut titles: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, row) in request.rows.iter().enumerate() {
        if let Some(first) = titles.insert(&row.title, place) {
            let reason = format!("is the title of row {first} too; name each row apart");
            return Err(FieldError::new(
                &format!("rows.{place}.title"),
                &row.title,
                reason,
            ));
        }
        for (name, is_empty) in [
            ("committed", row.committed.is_empty()),
            ("public", row.public.is_empty()),
        ] {
            if !is_empty {
                let reason = "stands in a row; contributions are those of the whole joint plan";
                return Err(FieldError::new(&format!("rows.{place}.{name}"), "", reason));
            }
        }
    }
    Ok(&request.rows)
}

/// A row without its group, for a preview.
fn alone(row: &PlanRequest) -> PlanRequest {
    PlanRequest {
        group: None,
        ..row.clone()
    }
}

/// A wrong field of a row, named with the row's place.
fn in_row(place: usize, error: ServiceError) -> ServiceError {
    match error {
        ServiceError::Field(FieldError {
            field,
            value,
            reason,
        }) => ServiceError::Field(FieldError {
            field: format!("rows.{place}.{field}"),
            value,
            reason,
        }),
        other => other,
    }
}
