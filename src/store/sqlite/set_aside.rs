//! Reading what is set aside.

use rusqlite::params;

use super::SqliteStore;
use crate::domain::Record;
use crate::domain::dates::to_epoch_day;
use crate::store::rows::{self, RECORD_COLUMNS};
use crate::store::{SetAside, StoreError, VersionKey};

impl SetAside for SqliteStore {
    fn set_aside_after(
        &self,
        after: Option<&VersionKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        // Ids are never empty, so everything lies behind this.
        let (id, source, record_id, known_on) = after.map_or(("", "", "", 0), |key| {
            (
                &key.enterprise_id,
                &key.source,
                &key.record_id,
                to_epoch_day(key.known_on),
            )
        });
        self.read(|tx| {
            let mut statement = tx.prepare_cached(&format!(
                "SELECT {RECORD_COLUMNS} FROM set_aside CROSS JOIN record_versions USING (enterprise_id) \
                 WHERE enterprise_id >= ?1 AND (enterprise_id, source, record_id, known_on) > (?1, ?2, ?3, ?4) \
                 ORDER BY enterprise_id, source, record_id, known_on LIMIT ?5"
            ))?;
            let mut found = statement.query(params![id, source, record_id, known_on, limit])?;
            let mut page = Vec::new();
            while let Some(row) = found.next()? {
                page.push(rows::record(row, 0)?);
            }
            Ok(page)
        })
    }
}
