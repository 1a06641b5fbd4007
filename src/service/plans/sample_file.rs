//! The sample of a plan for those who plan visits and estimate from them: every object with its design weight, as values
//! or as CSV, NDJSON or Parquet.

use super::editions::SampleObject;
use crate::domain::ReplaceReason;
use crate::files::{ColumnType, ExportWriter, Sink, Value};
use crate::sampling::inclusion::{PlanInclusion, design_weight};
use crate::service::{Service, ServiceError};

/// An object of a sample with what it counts for in estimates.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedObject {
    /// The object.
    pub object: SampleObject,
    /// The probability with which the plan draws it, before the random rounding, exploration included; approximate for
    /// method `pareto`, with an error below 0.004. Whoever stands in for another has its own.
    pub inclusion_probability: f64,
    /// Its inverse, the design weight.
    pub design_weight: f64,
}

/// The columns of a sample.
const COLUMNS: [(&str, ColumnType); 8] = [
    ("enterprise_id", ColumnType::Text),
    ("stratum", ColumnType::Text),
    ("order", ColumnType::Count),
    ("standing", ColumnType::Text),
    ("reason", ColumnType::Text),
    ("replaces", ColumnType::Text),
    ("inclusion_probability", ColumnType::Number),
    ("design_weight", ColumnType::Number),
];

impl Service {
    /// The objects of [`Service::sample`] with their inclusion probabilities and weights.
    ///
    /// # Errors
    ///
    /// When the plan is not drawn yet, or the store fails.
    pub fn weighted_sample(&self, plan_id: &str) -> Result<Vec<WeightedObject>, ServiceError> {
        let objects = self.sample(plan_id)?;
        let document = self.plan_document(plan_id)?;
        let Some(frozen) = &document.frozen else {
            return Err(self.state_error(&document, "drawn"));
        };
        let pool = self.kept_pool(plan_id)?;
        let inclusion = PlanInclusion::new(&frozen.plan, &pool);
        objects
            .into_iter()
            .map(|object| {
                let found = pool.find(&object.enterprise_id);
                let found =
                    found
                        .and_then(|index| inclusion.of(index))
                        .and_then(|inclusion_probability| {
                            let design_weight = design_weight(inclusion_probability)?;
                            Some((inclusion_probability, design_weight))
                        });
                let (inclusion_probability, design_weight) = found.ok_or_else(|| {
                    ServiceError::Internal(format!(
                        "an object of the sample of plan `{plan_id}` cannot have been drawn"
                    ))
                })?;
                Ok(WeightedObject {
                    object,
                    inclusion_probability,
                    design_weight,
                })
            })
            .collect()
    }
}

/// Writes a sample in its order, and says how many objects it has. The normative form is the tab-separated file of
/// [`Service::sample_file`].
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_sample(objects: &[WeightedObject], sink: Sink) -> Result<u64, ServiceError> {
    let mut rows = ExportWriter::open(sink, &COLUMNS)?;
    for WeightedObject {
        object,
        inclusion_probability,
        design_weight,
    } in objects
    {
        let text = |text: Option<&'static str>| text.map_or(Value::Absent, Value::Text);
        let replaces = object.replaces.as_deref();
        rows.row(&[
            Value::Text(&object.enterprise_id),
            Value::Text(&object.stratum),
            Value::Count(u32::try_from(object.order).unwrap_or(u32::MAX)),
            Value::Text(object.standing.as_str()),
            text(object.reason.map(ReplaceReason::as_str)),
            replaces.map_or(Value::Absent, Value::Text),
            Value::Number(*inclusion_probability),
            Value::Number(*design_weight),
        ])?;
    }
    Ok(rows.finish()?)
}
