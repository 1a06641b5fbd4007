//! Values of a Parquet file as the cells that a CSV file would hold.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use super::reading::ParquetBlock;
use crate::domain::dates;
use crate::files::cells::Cells;
use crate::files::columns::LIST_SEPARATOR;
use crate::files::error::LineError;
use crate::files::table::NOT_UTF8;

/// Days beyond these do not exist in the calendar of the service.
const DAYS: std::ops::RangeInclusive<i64> = -4_371_587..=2_932_896;
const MILLIS_PER_DAY: i64 = 86_400_000;

/// What a column of the file must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) enum Wanted {
    /// A text or a whole number.
    Text,
    /// A day.
    Day,
    /// A number.
    Number,
    /// A whole number.
    Count,
    /// True or false.
    Flag,
    /// Several texts.
    List,
    /// Anything that has a text.
    Anything,
}

/// How the items of a list become one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) enum ListForm {
    /// As in our own CSV files.
    Escaped,
    /// Parted by [`ITEM_END`].
    Parted,
}

/// Parts the items of a list where any text may be an item. No item that is stored holds a control character.
pub(in crate::files) const ITEM_END: &str = "\u{1f}";

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Text,
    Bytes,
    Whole,
    Real,
    Flag,
    Day,
    Instant,
    List,
    /// Something that has no text.
    Other,
}

impl Values {
    pub(super) fn of(of: &DataType) -> Self {
        match of {
            DataType::Utf8 | DataType::Utf8View => Self::Text,
            DataType::Binary | DataType::BinaryView => Self::Bytes,
            DataType::Boolean => Self::Flag,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64 => Self::Whole,
            DataType::Float32 | DataType::Float64 | DataType::Decimal128(_, _) => Self::Real,
            DataType::Date32 | DataType::Date64 => Self::Day,
            DataType::Timestamp(_, _) => Self::Instant,
            DataType::List(item) => match Self::of(item.data_type()) {
                Self::Text | Self::Bytes => Self::List,
                Self::Whole
                | Self::Real
                | Self::Flag
                | Self::Day
                | Self::Instant
                | Self::List
                | Self::Other => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// Whether such values can be what is wanted.
    pub(super) fn give(self, wanted: Wanted) -> bool {
        match self {
            Self::Other => false,
            // Texts are read as the cells of a CSV file are.
            Self::Text | Self::Bytes => true,
            Self::Whole => matches!(
                wanted,
                Wanted::Text | Wanted::Number | Wanted::Count | Wanted::Anything
            ),
            Self::Real => matches!(wanted, Wanted::Number | Wanted::Anything),
            Self::Flag => matches!(wanted, Wanted::Flag | Wanted::Anything),
            Self::Day | Self::Instant => matches!(wanted, Wanted::Day | Wanted::Anything),
            Self::List => matches!(wanted, Wanted::List | Wanted::Anything),
        }
    }
}

impl Wanted {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Text => "texts or whole numbers",
            Self::Day => "dates, timestamps or texts like 2026-12-01",
            Self::Number => "numbers",
            Self::Count => "whole numbers",
            Self::Flag => "booleans",
            Self::List => "lists of texts, or texts parted by `|`",
            Self::Anything => "texts, numbers, booleans, dates, timestamps or lists of texts",
        }
    }
}

/// Turns decoded rows into cells.
pub(in crate::files) struct ParquetCutter {
    /// For every column of the file its place among those that are read.
    pub(super) places: Vec<Option<usize>>,
    pub(super) names: Vec<String>,
    pub(super) list_form: ListForm,
    pub(super) max_row_bytes: usize,
}

impl ParquetCutter {
    /// The names of the columns.
    pub(in crate::files) fn names(&self) -> &[String] {
        &self.names
    }

    /// Takes the cells of one row; columns that are not read are empty.
    pub(in crate::files) fn cut(
        &self,
        block: &ParquetBlock,
        row: usize,
        cells: &mut Cells,
    ) -> Result<(), LineError> {
        cells.clear();
        let mut failed = None;
        for (place, name) in self.places.iter().zip(&self.names) {
            let array = place.and_then(|place| block.columns.get(place));
            cells.push_with(|text| {
                let Some(array) = array else {
                    return;
                };
                if array.is_null(row) {
                    return;
                }
                // A row over the limit is refused below; it need not be built first.
                if text.len() <= self.max_row_bytes
                    && let Err(reason) = put(array, row, self.list_form, text)
                {
                    failed.get_or_insert((name, reason));
                }
            });
        }
        let line = block.line(row);
        if let Some((name, reason)) = failed {
            return Err(LineError {
                field: Some(name.clone()),
                ..LineError::whole(line, reason)
            });
        }
        if cells.byte_count() > self.max_row_bytes {
            return Err(LineError::whole(
                line,
                format!(
                    "the row is longer than {} bytes and was passed over; look for a text that does not belong there",
                    self.max_row_bytes
                ),
            ));
        }
        Ok(())
    }
}

/// Appends a value as text. Writing to a text never fails, so the results of `write!` say nothing.
fn put(array: &ArrayRef, row: usize, form: ListForm, text: &mut String) -> Result<(), String> {
    macro_rules! number {
        ($of:ty) => {
            write!(text, "{}", array.as_primitive::<$of>().value(row)).map_err(|e| e.to_string())
        };
    }
    macro_rules! instant {
        ($of:ty, $per_day:expr) => {
            day(
                array.as_primitive::<$of>().value(row).div_euclid($per_day),
                text,
            )
        };
    }
    match array.data_type() {
        DataType::Utf8 => text.push_str(array.as_string::<i32>().value(row)),
        DataType::Utf8View => text.push_str(array.as_string_view().value(row)),
        DataType::Binary => text.push_str(utf8(array.as_binary::<i32>().value(row))?),
        DataType::BinaryView => text.push_str(utf8(array.as_binary_view().value(row))?),
        DataType::Boolean => {
            let truth = array.as_boolean().value(row);
            text.push_str(if truth { "true" } else { "false" });
        }
        DataType::Int8 => number!(Int8Type)?,
        DataType::Int16 => number!(Int16Type)?,
        DataType::Int32 => number!(Int32Type)?,
        DataType::Int64 => number!(Int64Type)?,
        DataType::UInt8 => number!(UInt8Type)?,
        DataType::UInt16 => number!(UInt16Type)?,
        DataType::UInt32 => number!(UInt32Type)?,
        DataType::UInt64 => number!(UInt64Type)?,
        DataType::Float32 => number!(Float32Type)?,
        DataType::Float64 => number!(Float64Type)?,
        DataType::Decimal128(_, _) => {
            text.push_str(&array.as_primitive::<Decimal128Type>().value_as_string(row));
        }
        DataType::Date32 => day(
            i64::from(array.as_primitive::<Date32Type>().value(row)),
            text,
        )?,
        DataType::Date64 => instant!(Date64Type, MILLIS_PER_DAY)?,
        DataType::Timestamp(TimeUnit::Second, _) => {
            instant!(TimestampSecondType, MILLIS_PER_DAY / 1_000)?;
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            instant!(TimestampMillisecondType, MILLIS_PER_DAY)?;
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            instant!(TimestampMicrosecondType, MILLIS_PER_DAY * 1_000)?;
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            instant!(TimestampNanosecondType, MILLIS_PER_DAY * 1_000_000)?;
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row), form, text)?,
        // INVARIANT: columns of other types are refused before they are read.
        _ => return Err("is of a type that has no text".to_owned()),
    }
    Ok(())
}

/// A day since 1970-01-01 (UTC) as an ISO date.
fn day(days: i64, text: &mut String) -> Result<(), String> {
    let known = i32::try_from(days).ok().filter(|_| DAYS.contains(&days));
    match known {
        Some(days) => write!(text, "{}", dates::from_epoch_day(days)).map_err(|e| e.to_string()),
        None => Err("is a day outside the calendar (years -9999 to 9999)".to_owned()),
    }
}

fn list(items: &ArrayRef, form: ListForm, text: &mut String) -> Result<(), String> {
    let mut first = true;
    for item in (0..items.len()).filter(|item| items.is_valid(*item)) {
        if !first {
            match form {
                ListForm::Escaped => text.push(LIST_SEPARATOR),
                ListForm::Parted => text.push_str(ITEM_END),
            }
        }
        first = false;
        let start = text.len();
        put(items, item, form, text)?;
        let written = text.get(start..).unwrap_or_default();
        if form == ListForm::Escaped && written.contains(['\\', LIST_SEPARATOR]) {
            let escaped = written.replace('\\', "\\\\").replace(LIST_SEPARATOR, "\\|");
            text.truncate(start);
            text.push_str(&escaped);
        }
    }
    Ok(())
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| NOT_UTF8.to_owned())
}
