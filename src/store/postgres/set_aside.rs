//! Reading what is set aside.

use super::PostgresStore;
use super::register::of;
use crate::domain::Record;
use crate::domain::dates::to_epoch_day;
use crate::store::rows::{self, RECORD_COLUMNS};
use crate::store::{SetAside, StoreError, VersionKey};

impl SetAside for PostgresStore {
    fn set_aside_after(
        &self,
        after: Option<&VersionKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        // Ids are never empty, so everything lies behind this.
        let (id, source, record_id, known_on) = after.map_or(("", "", "", 0), |key| {
            (
                key.enterprise_id.as_str(),
                key.source.as_str(),
                key.record_id.as_str(),
                to_epoch_day(key.known_on),
            )
        });
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT {} FROM set_aside s JOIN record_versions v USING (enterprise_id) \
             WHERE s.enterprise_id >= $1 \
             AND (v.enterprise_id, v.source, v.record_id, v.known_on) > ($1, $2, $3, $4) \
             ORDER BY s.enterprise_id, v.source, v.record_id, v.known_on LIMIT $5",
            of("v", RECORD_COLUMNS)
        );
        self.pool.read(|tx| {
            tx.query(&sql, &[&id, &source, &record_id, &known_on, &limit])?
                .iter()
                .map(|row| rows::record(row, 0))
                .collect()
        })
    }
}
