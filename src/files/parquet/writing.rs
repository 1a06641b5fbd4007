//! Rows to Parquet: typed columns, one row group after the other.

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Float64Builder, ListBuilder, StringBuilder, UInt32Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use jiff::civil::Date;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::domain::dates::to_epoch_day;

/// Rows of one row group.
const GROUP_ROWS: usize = 128 * 1024;

/// One column in the making.
enum Building {
    Text(StringBuilder),
    Day(Date32Builder),
    Number(Float64Builder),
    Count(UInt32Builder),
    Flag(BooleanBuilder),
    List(ListBuilder<StringBuilder>),
}

/// One value of a row that is written.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// It is not known.
    Absent,
    /// A text.
    Text(&'a str),
    /// A day.
    Day(Date),
    /// A number.
    Number(f64),
    /// A whole number.
    Count(u32),
    /// True or false.
    Flag(bool),
    /// Several texts.
    List(&'a [String]),
}

/// What a column of a written file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Texts.
    Text,
    /// Days.
    Day,
    /// Numbers.
    Number,
    /// Whole numbers below 2^32.
    Count,
    /// True or false.
    Flag,
    /// Lists of texts.
    List,
}

/// Gathers rows into a batch.
pub(in crate::files) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<Building>,
}

impl ColumnType {
    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Day => DataType::Date32,
            Self::Number => DataType::Float64,
            Self::Count => DataType::UInt32,
            Self::Flag => DataType::Boolean,
            Self::List => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
        }
    }

    fn building(self) -> Building {
        match self {
            Self::Text => Building::Text(StringBuilder::new()),
            Self::Day => Building::Day(Date32Builder::new()),
            Self::Number => Building::Number(Float64Builder::new()),
            Self::Count => Building::Count(UInt32Builder::new()),
            Self::Flag => Building::Flag(BooleanBuilder::new()),
            Self::List => Building::List(ListBuilder::new(StringBuilder::new())),
        }
    }
}

impl Building {
    /// Adds a value; one of another kind than the column's is absent.
    fn add(&mut self, value: Value<'_>) {
        match (self, value) {
            (Self::Text(column), Value::Text(text)) => column.append_value(text),
            (Self::Text(column), _) => column.append_null(),
            (Self::Day(column), Value::Day(day)) => column.append_value(to_epoch_day(day)),
            (Self::Day(column), _) => column.append_null(),
            (Self::Number(column), Value::Number(number)) => column.append_value(number),
            (Self::Number(column), _) => column.append_null(),
            (Self::Count(column), Value::Count(count)) => column.append_value(count),
            (Self::Count(column), _) => column.append_null(),
            (Self::Flag(column), Value::Flag(flag)) => column.append_value(flag),
            (Self::Flag(column), _) => column.append_null(),
            (Self::List(column), Value::List(items)) => {
                for item in items {
                    column.values().append_value(item);
                }
                column.append(true);
            }
            (Self::List(column), _) => column.append(true),
        }
    }

    fn take(&mut self) -> ArrayRef {
        match self {
            Self::Text(column) => Arc::new(column.finish()),
            Self::Day(column) => Arc::new(column.finish()),
            Self::Number(column) => Arc::new(column.finish()),
            Self::Count(column) => Arc::new(column.finish()),
            Self::Flag(column) => Arc::new(column.finish()),
            Self::List(column) => Arc::new(column.finish()),
        }
    }
}

impl BatchBuilder {
    pub(in crate::files) fn new(columns: &[(String, ColumnType)]) -> Self {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, of)| Field::new(name, of.data_type(), true))
            .collect();
        Self {
            schema: Arc::new(Schema::new(fields)),
            columns: columns.iter().map(|(_, of)| of.building()).collect(),
        }
    }

    /// The columns of the file.
    pub(in crate::files) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Adds the next value of a column: every row adds one to each.
    pub(in crate::files) fn add(&mut self, column: usize, value: Value<'_>) {
        if let Some(building) = self.columns.get_mut(column) {
            building.add(value);
        }
    }

    /// The rows so far; the builder begins anew.
    pub(in crate::files) fn take(&mut self) -> Result<RecordBatch, String> {
        let columns = self.columns.iter_mut().map(Building::take).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|error| error.to_string())
    }
}

/// Writes batches to a file; complete after [`BatchWriter::finish`].
pub(in crate::files) struct BatchWriter<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> BatchWriter<W> {
    pub(in crate::files) fn new(writer: W, schema: SchemaRef) -> Result<Self, String> {
        let level = ZstdLevel::try_new(1).map_err(said)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by("risktier".to_owned())
            .build();
        ArrowWriter::try_new(writer, schema, Some(properties))
            .map(Self)
            .map_err(said)
    }

    pub(in crate::files) fn write(&mut self, batch: &RecordBatch) -> Result<(), String> {
        self.0.write(batch).map_err(said)
    }

    /// Completes the file and gives its writer back.
    pub(in crate::files) fn finish(self) -> Result<W, String> {
        self.0.into_inner().map_err(said)
    }
}

fn said(error: ParquetError) -> String {
    error.to_string().replace('\n', " ")
}
