//! Columns as PostgreSQL gives them.

use postgres::types::{FromSql, Type};
use std::error::Error;

use crate::store::StoreError;
use crate::store::rows::Row;

/// A whole number of any width, or a truth value as 0 or 1.
struct Whole(i64);

impl<'a> FromSql<'a> for Whole {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *ty {
            Type::BOOL => bool::from_sql(ty, raw)?.into(),
            Type::INT2 => i16::from_sql(ty, raw)?.into(),
            Type::INT4 => i32::from_sql(ty, raw)?.into(),
            _ => i64::from_sql(ty, raw)?,
        }))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::BOOL | Type::INT2 | Type::INT4 | Type::INT8)
    }
}

impl Row for postgres::Row {
    fn whole(&self, at: usize, column: &'static str) -> Result<Option<i64>, StoreError> {
        let number: Option<Whole> = self
            .try_get(at)
            .map_err(|_| StoreError::Corrupt { column })?;
        Ok(number.map(|Whole(number)| number))
    }

    fn text(&self, at: usize, column: &'static str) -> Result<Option<&str>, StoreError> {
        self.try_get(at).map_err(|_| StoreError::Corrupt { column })
    }

    fn bytes(&self, at: usize, column: &'static str) -> Result<Option<&[u8]>, StoreError> {
        self.try_get(at).map_err(|_| StoreError::Corrupt { column })
    }
}
