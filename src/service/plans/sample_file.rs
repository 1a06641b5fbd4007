//! The sample of a plan as a file for others: CSV, NDJSON or Parquet.

use crate::files::{ColumnType, ExportWriter, Sink, Value};
use crate::service::{Service, ServiceError};

/// The columns of a sample.
const COLUMNS: [(&str, ColumnType); 3] = [
    ("enterprise_id", ColumnType::Text),
    ("stratum", ColumnType::Text),
    ("order", ColumnType::Count),
];

impl Service {
    /// Writes the drawn objects in the order of the sample file, and says how many there are. The normative form is the
    /// tab-separated file of [`Service::sample_file`].
    ///
    /// # Errors
    ///
    /// When the plan is not drawn yet, or the file cannot be written.
    pub fn write_sample(&self, plan_id: &str, sink: Sink) -> Result<u64, ServiceError> {
        let mut rows = ExportWriter::open(sink, &COLUMNS)?;
        for object in self.sample(plan_id)? {
            rows.row(&[
                Value::Text(&object.enterprise_id),
                Value::Text(&object.stratum),
                Value::Count(u32::try_from(object.order).unwrap_or(u32::MAX)),
            ])?;
        }
        Ok(rows.finish()?)
    }
}
