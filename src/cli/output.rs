//! Results on standard output: as a table for people, as JSON or CSV for programs.

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table as TextTable, presets};
use serde::Serialize;
use serde_json::Value;
use std::io::{Write, stdout};

use super::exit::Failure;
use crate::service::TableWriter;

/// Form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// CSV with a header.
    Csv,
}

/// A result with columns and rows.
pub(super) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    pub(super) fn new(columns: &[&'static str]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: Vec<Value>) {
        self.rows.push(cells);
    }

    /// As text for people: numbers to the right.
    pub(super) fn to_text(&self) -> String {
        let mut table = TextTable::new();
        table
            .load_preset(presets::NOTHING)
            .set_header(self.columns.iter().map(|name| name.replace('_', " ")));
        for row in &self.rows {
            table.add_row(row.iter().map(plain));
        }
        for (position, column) in table.column_iter_mut().enumerate() {
            let numbers = self
                .rows
                .iter()
                .filter_map(|row| row.get(position))
                .any(Value::is_number);
            if numbers {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    fn to_json(&self) -> Value {
        let object = |row: &Vec<Value>| {
            Value::Object(
                self.columns
                    .iter()
                    .map(|name| (*name).to_owned())
                    .zip(row.iter().cloned())
                    .collect(),
            )
        };
        Value::Array(self.rows.iter().map(object).collect())
    }
}

/// Prints one table.
pub(super) fn print_table(table: &Table, format: OutputFormat) -> Result<(), Failure> {
    match format {
        OutputFormat::Table => say(&table.to_text()),
        OutputFormat::Json => print_json(&table.to_json()),
        OutputFormat::Csv => {
            let mut csv = TableWriter::new("standard output", stdout().lock(), &table.columns)?;
            for row in &table.rows {
                csv.row(row.iter().map(plain))?;
            }
            Ok(csv.finish()?)
        }
    }
}

/// Prints a document.
pub(super) fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    say(&serde_json::to_string_pretty(document)?)
}

/// Prints a text and a line break.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    writeln!(stdout().lock(), "{text}").map_err(Failure::Output)
}

/// A number with as many decimals as asked for, as a table cell.
pub(super) fn rounded(value: f64, decimals: u32) -> Value {
    let scale = f64::from(10_u32.pow(decimals));
    Value::from((value * scale).round() / scale)
}

fn plain(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
