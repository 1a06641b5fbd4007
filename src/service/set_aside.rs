//! Records that wait for their enterprise.

use jiff::civil::Date;

use super::{Service, ServiceError};
use crate::domain::{FieldError, Record};
use crate::store::VersionKey;

impl Service {
    /// Versions of records whose enterprise is not in the register, in order of enterprise, source, id and day, behind
    /// the place `after` of [`set_aside_place`], at most `limit`.
    ///
    /// # Errors
    ///
    /// When `after` is no such place or the store fails.
    pub fn set_aside(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, ServiceError> {
        let after = after
            .map(|place| {
                key_of(place).ok_or_else(|| {
                    FieldError::new(
                        "cursor",
                        place,
                        "is no place in this list; start without it",
                    )
                })
            })
            .transpose()?;
        Ok(self.store.set_aside_after(after.as_ref(), limit)?)
    }
}

/// The place of a version in the list of what is set aside.
pub fn set_aside_place(version: &Record) -> String {
    let key = VersionKey::of(version);
    serde_json::json!([key.enterprise_id, key.source, key.record_id, key.known_on]).to_string()
}

fn key_of(place: &str) -> Option<VersionKey> {
    let (enterprise_id, source, record_id, known_on): (String, String, String, Date) =
        serde_json::from_str(place).ok()?;
    Some(VersionKey {
        enterprise_id,
        source,
        record_id,
        known_on,
    })
}
