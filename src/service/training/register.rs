//! Training rows from the register: what was known on the day before each inspection, and what the inspection found.
//!
//! A row reads nothing that was not known by then: records by their `known_on`, the enterprise as it was, merges and links
//! of that day, and only statistics that were frozen and in force by then; others are missing. The visit itself comes
//! after the as-of day, so no fact that it made is read. Visits that came about for a reason are kept apart and counted.
//!
//! The rows are written as a table, and training reads that table: whoever has the table gets the same bytes.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::owners::Owners;
use super::{Roles, TrainingError};
use crate::domain::dates::add_days;
use crate::domain::digest::HashAlgorithm;
use crate::domain::{AsOf, Enterprise, EnterpriseId, EnterpriseKind, Label};
use crate::files::TableWriter;
use crate::indicators::Measure;
use crate::model::train::{FeatureRule, MissingRule, Validation};
use crate::service::dossiers::{Assembled, Dossiers};
use crate::service::outcomes::Visit;
use crate::service::{Current, Models, OutcomeRule, Service, ServiceError};

/// Share of the owner groups whose rows validate, where the split is by day: the others are fitted.
const VALIDATION_GROUPS: f64 = 0.3;

/// Columns beside the indicators, in the order in which they are written.
const COLUMNS: [&str; 9] = [
    "enterprise_id",
    "owner_group",
    "day",
    "outcome",
    "weight",
    "inclusion_probability",
    "division",
    "industry",
    "size",
];

/// What becomes of visits that no plan of this service drew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unplanned {
    /// Where plans drew any visit the others are kept apart; otherwise every visit counts once.
    #[default]
    Auto,
    /// Each counts once, beside drawn ones that count by their design weight.
    Count,
    /// They are kept apart.
    Apart,
}

/// How the rows are divided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RegisterSplit {
    /// By day, then by owner group: early rows of some groups are fitted, late rows of the others validate, and what is
    /// neither is used for nothing, so that no owner is on both sides.
    Day {
        /// First day of validation; absent takes the latest share of the rows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Date>,
        /// That share.
        share: f64,
        /// Days before it whose rows are used for nothing.
        gap_days: u16,
    },
    /// By owner group alone.
    Group {
        /// Share of the groups that validate.
        share: f64,
    },
    /// Every row is fitted.
    None,
}

/// What divides the rows, without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// See [`RegisterSplit::Day`].
    Day,
    /// See [`RegisterSplit::Group`].
    Group,
    /// See [`RegisterSplit::None`].
    None,
}

impl RegisterSplit {
    /// What divides the rows.
    pub fn by(self) -> SplitBy {
        match self {
            Self::Day { .. } => SplitBy::Day,
            Self::Group { .. } => SplitBy::Group,
            Self::None => SplitBy::None,
        }
    }
}

impl Default for RegisterSplit {
    fn default() -> Self {
        Self::Day {
            from: None,
            share: 0.3,
            gap_days: 30,
        }
    }
}

/// Which visits become rows, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRules {
    /// What inspections found.
    pub outcome: OutcomeRule,
    /// First day of the visits; default the first one there is.
    pub from: Option<Date>,
    /// Last day of the visits; default the present one.
    pub until: Option<Date>,
    /// Kinds of enterprises whose visits become rows; every kind where it is empty. For cards of single kinds.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<EnterpriseKind>,
    /// What becomes of visits that no plan drew.
    pub unplanned: Unplanned,
    /// How rows are divided.
    pub split: RegisterSplit,
    /// Seed of the division by groups.
    pub seed: u64,
}

/// What the rows are, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RegisterRows {
    /// What counts as a problem.
    pub outcome: String,
    /// The day whose knowledge of outcomes counts.
    pub as_of: Option<Date>,
    /// Visits of the register within the days.
    pub visit_count: u64,
    /// Rows of the table.
    pub row_count: u64,
    /// Rows with a problem.
    pub found_count: u64,
    /// Visits that came about for a reason, which are no rows.
    pub apart_count: u64,
    /// Of these, how many found a problem.
    pub apart_found_count: u64,
    /// Visits that no plan drew, kept apart.
    pub unplanned_count: u64,
    /// Of these, how many found a problem.
    pub unplanned_found_count: u64,
    /// Visits whose codes say nothing.
    pub silent_count: u64,
    /// Codes that the rule does not name, with the visits that carry them.
    pub unknown_codes: BTreeMap<String, u64>,
    /// Visits to what did not exist on the day before.
    pub unfounded_count: u64,
    /// Visits to other kinds of enterprises than were asked for.
    pub other_kind_count: u64,
    /// Plans that drew any visit.
    pub plan_count: u64,
    /// Rows with a design weight.
    pub weighted_count: u64,
    /// Rows whose day had frozen statistics; in the others the indicators that need them are missing.
    pub with_statistics_count: u64,
    /// Owner groups among the rows.
    pub group_count: u64,
    /// Rows that are used for nothing, so that no owner is on both sides and the gap is kept.
    pub purged_count: u64,
    /// First day of validation, where the split is by day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_from: Option<Date>,
    /// Days before it whose rows are used for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_days: Option<u16>,
}

/// The rows as a table with its roles.
#[derive(Clone, Debug)]
pub struct RowsWritten {
    /// The table.
    pub table: PathBuf,
    /// The roles of its columns.
    pub roles: Roles,
    /// How training must divide it.
    pub validation: Validation,
    /// What the rows are.
    pub rows: RegisterRows,
}

/// One row before its weight is known.
struct Row {
    enterprise_id: EnterpriseId,
    group: EnterpriseId,
    day: Date,
    outcome: u8,
    probability: Option<f64>,
    labels: [String; 3],
}

/// What one pass over the register finds before any feature is computed.
#[derive(Default)]
struct Found {
    visits: BTreeMap<EnterpriseId, Vec<Visit>>,
    owners: Owners,
}

impl Service {
    /// Writes the training rows of the register as a CSV table, in order of enterprise and day.
    ///
    /// # Errors
    ///
    /// When the store fails, no visit is left, or the table cannot be written.
    pub fn write_training_rows(
        &self,
        models: &Models,
        rules: &RowRules,
        path: &Path,
        progress: &mut dyn FnMut(&str),
    ) -> Result<RowsWritten, TrainingError> {
        let mut told = RegisterRows {
            outcome: rules.outcome.words(),
            as_of: Some(self.today()),
            ..RegisterRows::default()
        };
        progress("looking for inspections");
        let mut found = self.find_visits(rules, &mut told)?;
        progress("putting rows together");
        let codes: Vec<String> = models
            .classifier
            .catalogue()
            .indicators
            .iter()
            .map(|indicator| indicator.code.clone())
            .collect();
        let (rows, values) = self.rows_of(models, rules, &mut found, &mut told)?;
        if rows.is_empty() {
            return Err(TrainingError::NoVisits(Box::new(told)));
        }
        let (validation, sides) = divide(&rows, rules, &mut told);
        progress("writing the table");
        let columns: Vec<&str> = COLUMNS
            .into_iter()
            .chain(codes.iter().map(String::as_str))
            .collect();
        let mut writer = TableWriter::create(path, &columns)?;
        let none = String::new;
        for ((row, features), counts) in rows
            .iter()
            .zip(values.chunks(codes.len().max(1)))
            .zip(&sides)
        {
            let weight = if *counts {
                1.0 / row.probability.unwrap_or(1.0)
            } else {
                0.0
            };
            let [division, industry, size] = &row.labels;
            let mut cells = vec![
                row.enterprise_id.to_string(),
                row.group.to_string(),
                row.day.to_string(),
                row.outcome.to_string(),
                weight.to_string(),
                row.probability.map_or_else(none, |value| value.to_string()),
                division.clone(),
                industry.clone(),
                size.clone(),
            ];
            // The shortest text that reads back to the same number.
            cells.extend(features.iter().map(|value| {
                if value.is_nan() {
                    none()
                } else {
                    value.to_string()
                }
            }));
            writer.row(&cells)?;
        }
        writer.finish()?;
        Ok(RowsWritten {
            table: path.to_owned(),
            roles: roles(models, rules),
            validation,
            rows: told,
        })
    }

    fn find_visits(
        &self,
        rules: &RowRules,
        told: &mut RegisterRows,
    ) -> Result<Found, ServiceError> {
        let mut found = Found::default();
        let today = self.today();
        self.store.each_dossier(&mut |dossier| {
            let id = &dossier.enterprise.enterprise_id;
            if let Some(owner) = &dossier.enterprise.owner_id {
                found.owners.join(id, owner);
            }
            found.owners.note(id, &dossier.versions);
            let mut visits = rules.outcome.visits(&dossier.versions, today);
            visits.retain(|visit| {
                rules.from.is_none_or(|from| visit.first_day >= from)
                    && rules.until.is_none_or(|until| visit.last_day <= until)
            });
            told.visit_count += visits.len() as u64;
            for visit in &visits {
                for code in &visit.unknown {
                    *told.unknown_codes.entry(code.to_string()).or_default() += 1;
                }
            }
            if !visits.is_empty() {
                found.visits.insert(id.clone(), visits);
            }
        })?;
        Ok(found)
    }

    /// The rows with their features, the latter one after the other and `NaN` where missing.
    fn rows_of(
        &self,
        models: &Models,
        rules: &RowRules,
        found: &mut Found,
        told: &mut RegisterRows,
    ) -> Result<(Vec<Row>, Vec<f64>), ServiceError> {
        let design = self.design()?;
        told.plan_count = design.plan_count;
        let unplanned_apart = match rules.unplanned {
            Unplanned::Auto => !design.is_empty(),
            Unplanned::Count => false,
            Unplanned::Apart => true,
        };
        let known = self.known_files(models, &found.visits)?;
        let (today, store) = (self.today(), self.store.as_ref());
        let contexts = known
            .contexts
            .iter()
            .map(|current| {
                let dossiers = Dossiers::new(store, current, today);
                Ok((current, dossiers, dossiers.of_all()?))
            })
            .collect::<Result<Vec<_>, ServiceError>>()?;
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        let mut failed = None;
        store.each_dossier(&mut |dossier| {
            let id = dossier.enterprise.enterprise_id.clone();
            let Some(visits) = found.visits.remove(&id).filter(|_| failed.is_none()) else {
                return;
            };
            for visit in visits {
                let Some(outcome) = visit.outcome else {
                    told.silent_count += 1;
                    continue;
                };
                let is_found = u64::from(outcome > 0);
                if visit.is_apart {
                    told.apart_count += 1;
                    told.apart_found_count += is_found;
                    continue;
                }
                let probability = design.probability(&id, visit.first_day);
                if probability.is_none() && unplanned_apart {
                    told.unplanned_count += 1;
                    told.unplanned_found_count += is_found;
                    continue;
                }
                let day = add_days(visit.first_day, -1);
                let place = known.by_day.get(&day).copied().unwrap_or(0);
                let Some((current, dossiers, assembler)) = contexts.get(place) else {
                    continue;
                };
                let as_of = AsOf::monthly(day);
                let assembled = match assembler.assemble(dossier.clone(), as_of) {
                    // The id was merged by then: its successor was what the office looked at.
                    Ok(None) => dossiers.find(&id, as_of),
                    other => other,
                };
                let assembled = match assembled {
                    Ok(assembled) => assembled.filter(|found| existed(&found.enterprise, day)),
                    Err(error) => {
                        failed = Some(error);
                        return;
                    }
                };
                let Some(assembled) = assembled else {
                    told.unfounded_count += 1;
                    continue;
                };
                if !rules.kinds.is_empty() && !rules.kinds.contains(&assembled.enterprise.kind) {
                    told.other_kind_count += 1;
                    continue;
                }
                let features = features(&assembled, current);
                values.extend(features);
                told.row_count += 1;
                told.found_count += is_found;
                told.weighted_count += u64::from(probability.is_some());
                told.with_statistics_count += u64::from(current.statistics.is_some());
                rows.push(Row {
                    group: found.owners.root(&id),
                    enterprise_id: id.clone(),
                    day: visit.first_day,
                    outcome,
                    probability,
                    labels: labels(&assembled.enterprise),
                });
            }
        })?;
        match failed {
            Some(error) => Err(error),
            None => Ok((rows, values)),
        }
    }

    /// The given files, bound to what was frozen and in force by the day before each visit.
    fn known_files(
        &self,
        models: &Models,
        visits: &BTreeMap<EnterpriseId, Vec<Visit>>,
    ) -> Result<Known, ServiceError> {
        let mut known = Known {
            contexts: vec![self.bound(models, None)?],
            by_day: BTreeMap::new(),
        };
        let mut by_digest: BTreeMap<String, usize> = BTreeMap::new();
        for visit in visits.values().flatten() {
            let day = add_days(visit.first_day, -1);
            if known.by_day.contains_key(&day) {
                continue;
            }
            let place = match self.statistics_known_on(day)? {
                None => 0,
                Some((statistics, digest)) => match by_digest.get(&digest) {
                    Some(place) => *place,
                    None => {
                        let bound = models.with_statistics(Arc::clone(&statistics));
                        known
                            .contexts
                            .push(self.bound(&bound, Some(digest.clone()))?);
                        let place = known.contexts.len() - 1;
                        by_digest.insert(digest, place);
                        place
                    }
                },
            };
            known.by_day.insert(day, place);
        }
        Ok(known)
    }

    fn bound(&self, models: &Models, statistics: Option<String>) -> Result<Current, ServiceError> {
        let current = self.current();
        Ok(Current {
            number: current.number,
            from_on: current.from_on,
            models: match statistics {
                Some(_) => models.clone(),
                None => Models::of(models.files().to_vec())?,
            },
            statistics,
        })
    }
}

/// Files bound to statistics, and which of them were known on which day.
struct Known {
    contexts: Vec<Current>,
    by_day: BTreeMap<Date, usize>,
}

fn features(assembled: &Assembled, current: &Current) -> impl Iterator<Item = f64> {
    let classifier = &current.models.classifier;
    let values = classifier.features(&assembled.case(), assembled.as_of);
    values.into_iter().map(|value| value.unwrap_or(f64::NAN))
}

fn existed(enterprise: &Enterprise, day: Date) -> bool {
    enterprise
        .established_on
        .is_none_or(|established| established <= day)
}

fn labels(enterprise: &Enterprise) -> [String; 3] {
    let label = |label: &Option<Label>| label.as_ref().map_or_else(String::new, Label::to_string);
    [
        label(&enterprise.division),
        label(&enterprise.industry),
        enterprise.size.to_string(),
    ]
}

/// How training must divide the rows, and which of them count at all.
fn divide(rows: &[Row], rules: &RowRules, told: &mut RegisterRows) -> (Validation, Vec<bool>) {
    let mut groups: Vec<&EnterpriseId> = rows.iter().map(|row| &row.group).collect();
    groups.sort_unstable();
    groups.dedup();
    told.group_count = groups.len() as u64;
    let (from, share, gap_days) = match rules.split {
        RegisterSplit::Day {
            from,
            share,
            gap_days,
        } => (from, share, gap_days),
        RegisterSplit::Group { share } => {
            let validation = Validation::Share { share, gap_days: 0 };
            return (validation, vec![true; rows.len()]);
        }
        RegisterSplit::None => return (Validation::None, vec![true; rows.len()]),
    };
    let mut days: Vec<Date> = rows.iter().map(|row| row.day).collect();
    days.sort_unstable();
    let latest = ((1.0 - share).clamp(0.0, 1.0) * days.len() as f64).floor() as usize;
    let from = from
        .or_else(|| days.get(latest).or(days.last()).copied())
        .unwrap_or(Date::MAX);
    let gap = add_days(from, -i32::from(gap_days));
    let sides: Vec<bool> = rows
        .iter()
        .map(|row| {
            let validates = place_of(&row.group, rules.seed) < VALIDATION_GROUPS;
            if row.day >= from {
                validates
            } else {
                row.day < gap && !validates
            }
        })
        .collect();
    told.purged_count = sides.iter().filter(|counts| !**counts).count() as u64;
    told.validate_from = Some(from);
    told.gap_days = Some(gap_days);
    (
        Validation::From {
            day: from,
            gap_days,
        },
        sides,
    )
}

/// The place of a group within 0 to 1, as a share of all hashes.
fn place_of(group: &EnterpriseId, seed: u64) -> f64 {
    let parts: [&[u8]; 3] = [b"split", &seed.to_be_bytes(), group.as_str().as_bytes()];
    let number = HashAlgorithm::Sha256.hash(&parts).leading_u64();
    // The upper 53 bits as a share of one.
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

/// The roles of the table, with the directions that the catalogue declares.
fn roles(models: &Models, rules: &RowRules) -> Roles {
    let indicators = &models.classifier.catalogue().indicators;
    let by_group = matches!(rules.split, RegisterSplit::Group { .. });
    let named = |name: &str| Some(name.to_owned());
    let mut ignore = vec![
        "enterprise_id".to_owned(),
        "inclusion_probability".to_owned(),
    ];
    if by_group {
        // With a day the rows would be divided by it.
        ignore.push("day".to_owned());
    }
    Roles {
        outcome: named("outcome"),
        day: (!by_group).then(|| "day".to_owned()),
        group: named("owner_group"),
        weight: named("weight"),
        keep: ["division", "industry", "size"].map(str::to_owned).to_vec(),
        ignore,
        features: Some(indicators.iter().map(|one| one.code.clone()).collect()),
        categories: ["division", "industry", "size"].map(str::to_owned).to_vec(),
        feature: indicators
            .iter()
            .map(|indicator| {
                let rule = FeatureRule {
                    direction: Some(indicator.direction),
                    missing: MissingRule::Own,
                    // What looks across the register is known only at the end of a run.
                    alone: matches!(indicator.measure, Measure::Register { .. }),
                    ..FeatureRule::default()
                };
                (indicator.code.clone(), rule)
            })
            .collect(),
        ..Roles::none()
    }
}
