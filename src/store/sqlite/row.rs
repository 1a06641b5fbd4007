//! Columns as SQLite gives them.

use rusqlite::types::ValueRef;

use crate::store::StoreError;
use crate::store::rows::Row;

impl Row for rusqlite::Row<'_> {
    fn whole(&self, at: usize, column: &'static str) -> Result<Option<i64>, StoreError> {
        match self.get_ref(at)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
                Err(StoreError::Corrupt { column })
            }
        }
    }

    fn text(&self, at: usize, column: &'static str) -> Result<Option<&str>, StoreError> {
        self.get_ref(at)?
            .as_str_or_null()
            .map_err(|_| StoreError::Corrupt { column })
    }

    fn bytes(&self, at: usize, column: &'static str) -> Result<Option<&[u8]>, StoreError> {
        self.get_ref(at)?
            .as_blob_or_null()
            .map_err(|_| StoreError::Corrupt { column })
    }
}
