//! What a training run leaves behind: the card, its report, a card for people, and SQL.

use std::fs;
use std::path::{Path, PathBuf};

use super::TrainingError;
use crate::files::{CellRows, CellRowsError, Format, ReadOptions, Source, TableWriter};
use crate::model::train::Trained;
use crate::model::{CardRow, Scorecard};

/// The files of a training run.
#[derive(Clone, Debug)]
pub struct TrainingFolder {
    /// The card, in canonical form; its SHA-256 is its identity.
    pub scorecard: PathBuf,
    /// The report.
    pub report: PathBuf,
    /// The card as rows of a table, to print or to edit.
    pub rows: PathBuf,
    /// The card as SQL.
    pub sql: PathBuf,
}

/// Writes card, report, rows and SQL into a folder.
///
/// # Errors
///
/// When a file cannot be written. The card is written last, so that a folder with a card is complete.
pub fn write_training(folder: &Path, trained: &Trained) -> Result<TrainingFolder, TrainingError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    let files = TrainingFolder {
        scorecard: folder.join("scorecard.json"),
        report: folder.join("training.json"),
        rows: folder.join("card.csv"),
        sql: folder.join("scorecard.sql"),
    };
    let report = serde_json::to_string_pretty(&trained.report)
        .map_err(|error| crate::model::ScorecardError::Digest(error.to_string()))?;
    fs::write(&files.report, report + "\n").map_err(at(&files.report))?;
    let mut rows = TableWriter::create(&files.rows, &CardRow::COLUMNS)?;
    for row in trained.card.rows() {
        rows.row(row.cells())?;
    }
    rows.finish()?;
    fs::write(&files.sql, trained.card.to_sql("enterprises")).map_err(at(&files.sql))?;
    // Written beside and renamed: a reader sees the whole card or none.
    let partial = folder.join("scorecard.json.partial");
    fs::write(&partial, trained.card.to_canonical_json()?).map_err(at(&partial))?;
    fs::rename(&partial, &files.scorecard).map_err(at(&files.scorecard))?;
    Ok(files)
}

/// Reads the rows of a card that was edited as a table, and gives the edited card.
///
/// # Errors
///
/// When the table is not that of the parent, or its points run against a declared direction.
pub fn read_card_rows(parent: &Scorecard, path: &Path) -> Result<Scorecard, TrainingError> {
    let source = Source::open(path, Some(Format::Csv)).map_err(CellRowsError::from)?;
    let table = CellRows::open(source, &ReadOptions::default()).map_err(CellRowsError::from)?;
    let places: Vec<Option<usize>> = CardRow::COLUMNS
        .iter()
        .map(|name| table.header().iter().position(|column| column == name))
        .collect();
    let mut rows = Vec::new();
    table.each(|_, cells| {
        let cells: Vec<&str> = cells.collect();
        let mut row: [String; 4] = Default::default();
        for (cell, place) in row.iter_mut().zip(&places) {
            *cell = place
                .and_then(|place| cells.get(place))
                .map_or_else(String::new, |cell| (*cell).to_owned());
        }
        rows.push(row);
        Ok(())
    })?;
    Ok(parent.with_rows(&rows)?)
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> TrainingError {
    let path = path.display().to_string();
    move |cause| TrainingError::Path {
        path: path.clone(),
        cause,
    }
}
