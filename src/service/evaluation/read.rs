//! Reads a table for evaluation: only the columns that have a role.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::error::EvaluateError;
use super::spec::TableSpec;
use crate::domain::Tier;
use crate::domain::dates::parse_date;
use crate::files::{CellRows, LineError, ReadOptions, Source};
use crate::model::table::MISSING_CODE;
use crate::model::{Column, Values};

/// How the cells of one column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers; an empty cell is missing.
    Number,
    /// Categories; an empty cell is missing.
    Category,
    /// Numbers if every cell is one, otherwise categories.
    Either,
}

/// A table as read.
#[derive(Debug, Default)]
pub(super) struct ReadTable {
    pub(super) outcome: Vec<bool>,
    pub(super) weight: Option<Vec<f64>>,
    pub(super) day: Option<Vec<Date>>,
    pub(super) enterprise: Option<Vec<String>>,
    pub(super) rate: Option<Vec<f64>>,
    pub(super) groups: Vec<(String, Vec<String>)>,
    pub(super) score: Option<Vec<f64>>,
    pub(super) probability: Option<Vec<f64>>,
    pub(super) tier: Option<Vec<Tier>>,
    pub(super) features: Vec<Column>,
}

/// The columns of scores to read, where rows are scored already.
#[derive(Clone, Debug, Default)]
pub(super) struct ScoreColumns<'a> {
    pub(super) score: Option<&'a str>,
    pub(super) probability: Option<&'a str>,
    pub(super) tier: Option<&'a str>,
}

/// A feature column while it is read.
struct Reading {
    name: String,
    position: usize,
    kind: Kind,
    numbers: Vec<f64>,
    texts: Vec<u32>,
    names: Vec<String>,
    codes: BTreeMap<String, u32>,
    all_numbers: bool,
}

/// Reads a table. `features` names the feature columns; without it every column without another role is one.
///
/// An empty `outcome` in the spec reads none, as drift needs none.
pub(super) fn read_table(
    spec: &TableSpec,
    scores: &ScoreColumns<'_>,
    features: Option<&BTreeMap<String, Kind>>,
) -> Result<ReadTable, EvaluateError> {
    let source = Source::open(&spec.table, None)?;
    let file = source.name().to_owned();
    let options = ReadOptions {
        max_row_bytes: spec.max_row_bytes,
        ..ReadOptions::default()
    };
    let mut rows = CellRows::open(source, &options)?;
    let header = rows.header().to_vec();
    let find = |column: &str| {
        header
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| EvaluateError::NoColumn {
                file: file.clone(),
                column: column.to_owned(),
                known: header.join(", "),
            })
    };
    let optional = |column: Option<&str>| column.map(find).transpose();
    let outcome = optional(Some(spec.outcome.as_str()).filter(|name| !name.is_empty()))?;
    let weight = optional(spec.weight.as_deref())?;
    let day = optional(spec.day.as_deref())?;
    let enterprise = optional(spec.enterprise.as_deref())?;
    let rate = optional(spec.rate.as_deref())?;
    let score = optional(scores.score)?;
    let probability = optional(scores.probability)?;
    let tier = optional(scores.tier)?;
    if day.is_none() && (spec.from.is_some() || spec.until.is_some()) {
        return Err(EvaluateError::NoDay);
    }
    let groups = spec
        .groups
        .iter()
        .map(|name| find(name))
        .collect::<Result<Vec<_>, _>>()?;
    let roles = [
        outcome,
        weight,
        day,
        enterprise,
        rate,
        score,
        probability,
        tier,
    ];
    let mut reading: Vec<Reading> = match features {
        Some(features) => features
            .iter()
            .map(|(name, kind)| Ok(Reading::new(name, find(name)?, *kind)))
            .collect::<Result<_, EvaluateError>>()?,
        None => header
            .iter()
            .enumerate()
            .filter(|(position, name)| {
                !roles.contains(&Some(*position)) && !spec.ignore.contains(name)
            })
            .map(|(position, name)| Reading::new(name, position, Kind::Either))
            .collect(),
    };
    let mut table = ReadTable {
        weight: weight.map(|_| Vec::new()),
        day: day.map(|_| Vec::new()),
        enterprise: enterprise.map(|_| Vec::new()),
        rate: rate.map(|_| Vec::new()),
        score: score.map(|_| Vec::new()),
        probability: probability.map(|_| Vec::new()),
        tier: tier.map(|_| Vec::new()),
        groups: spec
            .groups
            .iter()
            .map(|name| (name.clone(), Vec::new()))
            .collect(),
        ..ReadTable::default()
    };
    while let Some(row) = rows.advance()? {
        let line = row.map_err(|error| error.of_file(&file))?;
        let fault = |position: usize, reason: &str| LineError {
            file: Some(file.clone()),
            line,
            field: header.get(position).cloned(),
            value: Some(rows.cell(position).chars().take(80).collect()),
            reason: reason.to_owned(),
        };
        let number = |position: usize| {
            number(rows.cell(position)).ok_or_else(|| fault(position, "is not a finite number"))
        };
        if let Some((position, days)) = day.zip(table.day.as_mut()) {
            let date =
                parse_date(rows.cell(position)).map_err(|reason| fault(position, &reason))?;
            if spec.from.is_some_and(|from| date < from)
                || spec.until.is_some_and(|until| date > until)
            {
                continue;
            }
            days.push(date);
        }
        if let Some(position) = outcome {
            let found = found(rows.cell(position), spec.outcome_from).ok_or_else(|| {
                fault(position, "is neither 0 or 1, true or false, yes or no, nor a number; leave out rows that were not inspected")
            })?;
            table.outcome.push(found);
        }
        for (position, values) in [
            (weight, &mut table.weight),
            (rate, &mut table.rate),
            (score, &mut table.score),
            (probability, &mut table.probability),
        ] {
            if let Some((position, values)) = position.zip(values.as_mut()) {
                values.push(number(position)?);
            }
        }
        if let Some((position, tiers)) = tier.zip(table.tier.as_mut()) {
            let tier = rows
                .cell(position)
                .parse()
                .map_err(|_| fault(position, "is not a tier from A to D"))?;
            tiers.push(tier);
        }
        if let Some((position, names)) = enterprise.zip(table.enterprise.as_mut()) {
            names.push(rows.cell(position).to_owned());
        }
        for (position, (_, values)) in groups.iter().zip(&mut table.groups) {
            values.push(rows.cell(*position).to_owned());
        }
        for feature in &mut reading {
            if let Err(reason) = feature.push(rows.cell(feature.position)) {
                return Err(fault(feature.position, reason).into());
            }
        }
    }
    table.features = reading.into_iter().map(Reading::finish).collect();
    Ok(table)
}

impl Reading {
    fn new(name: &str, position: usize, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            position,
            kind,
            numbers: Vec::new(),
            texts: Vec::new(),
            names: Vec::new(),
            codes: BTreeMap::new(),
            all_numbers: true,
        }
    }

    fn push(&mut self, cell: &str) -> Result<(), &'static str> {
        if self.kind != Kind::Category {
            let value = if is_missing(cell) {
                Some(f64::NAN)
            } else {
                number(cell)
            };
            match value {
                Some(value) => self.numbers.push(value),
                None if self.kind == Kind::Number => {
                    return Err("is not a finite number; leave an unknown cell empty");
                }
                None => {
                    self.all_numbers = false;
                    self.numbers.push(f64::NAN);
                }
            }
        }
        if self.kind != Kind::Number {
            let code = if is_missing(cell) {
                MISSING_CODE
            } else if let Some(code) = self.codes.get(cell) {
                *code
            } else {
                let code = u32::try_from(self.names.len()).unwrap_or(MISSING_CODE);
                self.names.push(cell.to_owned());
                self.codes.insert(cell.to_owned(), code);
                code
            };
            self.texts.push(code);
        }
        Ok(())
    }

    fn finish(self) -> Column {
        let numbers = match self.kind {
            Kind::Number => true,
            Kind::Category => false,
            Kind::Either => self.all_numbers,
        };
        Column {
            name: self.name,
            values: if numbers {
                Values::Numbers(self.numbers)
            } else {
                Values::Categories {
                    codes: self.texts,
                    names: self.names,
                }
            },
        }
    }
}

fn is_missing(cell: &str) -> bool {
    matches!(cell, "" | "NA" | "NaN" | "nan" | "null" | "NULL")
}

fn number(cell: &str) -> Option<f64> {
    cell.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn found(cell: &str, from: f64) -> Option<bool> {
    match cell {
        "true" | "TRUE" | "True" | "yes" | "Yes" | "YES" | "是" => Some(true),
        "false" | "FALSE" | "False" | "no" | "No" | "NO" | "否" => Some(false),
        other => number(other).map(|value| value >= from),
    }
}
