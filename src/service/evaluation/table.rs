//! Evaluating scorecards and scores on a table, and drift between two tables.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::EvaluateError;
use super::read::{Kind, ReadTable, ScoreColumns, read_table};
use super::spec::{Scoring, TableSpec};
use crate::model::evaluation::{
    Cells, Columns, Comparison, Evaluation, Profile, Rows, Settings, Side, Spread, Stability,
    Subject, compare, evaluate,
};
use crate::model::{Beside, Column, Scorecard, Table, TableReason, TableScorer, Values};
use crate::service::Models;

/// Rows scored at once by one piece of work.
const CHUNK: usize = 16_384;

/// What drift is measured against.
#[derive(Clone, Debug)]
pub enum Baseline {
    /// The shares that the scorecard carries from its training.
    OfScorecard,
    /// Another table with the same columns.
    Table(std::path::PathBuf),
}

/// Rows with what else is known of them.
struct Judged {
    subject: Subject,
    rows: Rows,
    card: Option<Scorecard>,
    features: Vec<Column>,
    score: Vec<f64>,
}

/// Evaluates what scores a table.
///
/// # Errors
///
/// When the table, the scorecard or a baseline cannot be used, naming file, line and column.
pub fn evaluate_table(
    spec: &TableSpec,
    scoring: &Scoring,
    baseline: Option<&Baseline>,
    settings: Settings,
    models: &Models,
) -> Result<Evaluation, EvaluateError> {
    let judged = judge(spec, scoring, models, baseline.is_some())?;
    let stability = baseline
        .map(|baseline| judged.stability(spec, scoring, baseline, models))
        .transpose()?;
    Ok(evaluate(
        &judged.rows,
        judged.subject,
        settings,
        stability,
        &models.guard,
    ))
}

/// Compares what scores a table with something else that scores it.
///
/// # Errors
///
/// As [`evaluate_table`].
pub fn compare_tables(
    spec: &TableSpec,
    current: &Scoring,
    candidate: &Scoring,
    settings: Settings,
    models: &Models,
) -> Result<Comparison, EvaluateError> {
    let side = |scoring: &Scoring| -> Result<Side, EvaluateError> {
        let judged = judge(spec, scoring, models, false)?;
        let stability = match &judged.card {
            Some(card) if card.baseline.is_some() => Some(judged.against_card(card, models)?),
            Some(_) | None => None,
        };
        Ok(Side {
            subject: judged.subject,
            rows: judged.rows,
            stability,
        })
    };
    Ok(compare(
        &side(current)?,
        &side(candidate)?,
        settings,
        &models.guard,
    )?)
}

/// The drift from one table, or from the rows a scorecard was trained on, to another table. No outcome is needed.
///
/// # Errors
///
/// As [`evaluate_table`].
pub fn drift_of_tables(
    spec: &TableSpec,
    scoring: &Scoring,
    baseline: &Baseline,
    models: &Models,
) -> Result<Stability, EvaluateError> {
    let spec = TableSpec {
        outcome: String::new(),
        ..spec.clone()
    };
    judge(&spec, scoring, models, true)?.stability(&spec, scoring, baseline, models)
}

fn judge(
    spec: &TableSpec,
    scoring: &Scoring,
    models: &Models,
    all_features: bool,
) -> Result<Judged, EvaluateError> {
    let name = spec.table.display().to_string();
    let subject = |model: String| Subject {
        model,
        data: name.clone(),
        outcome: if spec.outcome_from == 1.0 {
            spec.outcome.clone()
        } else {
            format!("{} ≥ {}", spec.outcome, spec.outcome_from)
        },
        ..Subject::default()
    };
    match scoring {
        Scoring::Columns {
            score,
            probability,
            tier,
        } => {
            let scores = ScoreColumns {
                score: Some(score),
                probability: probability.as_deref(),
                tier: tier.as_deref(),
            };
            let none = BTreeMap::new();
            let mut read = read_table(spec, &scores, (!all_features).then_some(&none))?;
            let score_values = read.score.take().unwrap_or_default();
            let features = std::mem::take(&mut read.features);
            Ok(Judged {
                subject: subject(format!("column {score}")),
                score: score_values.clone(),
                rows: rows_of(read, score_values, None, models)?,
                card: None,
                features,
            })
        }
        Scoring::Card(path) => {
            let card = load_card(path)?;
            let features: BTreeMap<String, Kind> = card
                .indicators
                .iter()
                .map(|(code, single)| {
                    let kind = if single.is_categorical() {
                        Kind::Category
                    } else {
                        Kind::Number
                    };
                    (code.clone(), kind)
                })
                .collect();
            let mut read = read_table(spec, &ScoreColumns::default(), Some(&features))?;
            let table = Table::new(std::mem::take(&mut read.features), Beside::default())?;
            let (points, reasons) = {
                let scorer = card.bind(&table)?;
                score_all(&scorer, table.row_count())
            };
            read.probability = card.probabilities(&points);
            read.tier = Some(
                points
                    .iter()
                    .map(|points| card.cutoffs.tier(*points))
                    .collect(),
            );
            let score: Vec<f64> = points.iter().map(|points| f64::from(*points)).collect();
            let subject = Subject {
                digest: card.digest().ok().map(|digest| digest.to_string()),
                manifest: Some(card.manifest.clone()),
                ..subject(format!("{}/{}", card.name, card.version))
            };
            Ok(Judged {
                subject,
                rows: rows_of(read, score.clone(), Some(reasons), models)?,
                score,
                features: table.features().to_vec(),
                card: Some(card),
            })
        }
    }
}

fn rows_of(
    read: ReadTable,
    score: Vec<f64>,
    reasons: Option<Vec<Vec<String>>>,
    models: &Models,
) -> Result<Rows, EvaluateError> {
    let rates = &models.sampling.rates.general;
    let rate = read.rate.or_else(|| {
        read.tier
            .as_ref()
            .map(|tiers| tiers.iter().map(|tier| rates.of(*tier)).collect())
    });
    let outcome = if read.outcome.is_empty() {
        vec![false; score.len()]
    } else {
        read.outcome
    };
    Ok(Columns {
        score,
        outcome,
        weight: read.weight,
        probability: read.probability,
        tier: read.tier,
        day: read.day,
        enterprise: read.enterprise,
        rate,
        groups: read.groups,
        reasons,
    }
    .check()?)
}

/// Points and the codes of the main reasons, shared out among threads.
fn score_all(scorer: &TableScorer<'_>, rows: usize) -> (Vec<u16>, Vec<Vec<String>>) {
    let codes = scorer.reason_codes();
    let parts = crate::domain::parallel::map_chunks(rows, CHUNK, |range| {
        scorer.score_rows_with_reasons(range)
    });
    let (mut points, mut reasons) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let name = |reason: &TableReason| codes.get(usize::from(reason.code)).cloned();
    for (scored, own) in parts {
        points.extend(scored.points);
        reasons.extend(own.iter().map(|row| {
            row.iter()
                .flatten()
                .filter_map(name)
                .collect::<Vec<String>>()
        }));
    }
    (points, reasons)
}

fn load_card(path: &Path) -> Result<Scorecard, EvaluateError> {
    let text = crate::service::models::read(path)?;
    Scorecard::from_json(&text).map_err(|cause| EvaluateError::Scorecard {
        file: path.display().to_string(),
        cause,
    })
}

impl Judged {
    fn stability(
        &self,
        spec: &TableSpec,
        scoring: &Scoring,
        baseline: &Baseline,
        models: &Models,
    ) -> Result<Stability, EvaluateError> {
        match (baseline, &self.card) {
            (Baseline::OfScorecard, Some(card)) => self.against_card(card, models),
            (Baseline::OfScorecard, None) => {
                Err(EvaluateError::NoBaseline(self.subject.model.clone()))
            }
            (Baseline::Table(path), card) => {
                let before = judge(
                    &TableSpec {
                        table: path.clone(),
                        outcome: String::new(),
                        from: None,
                        until: None,
                        ..spec.clone()
                    },
                    scoring,
                    models,
                    true,
                )?;
                let (profile, now) = match card {
                    // With a card its own bins say how rows spread.
                    Some(card) => (before.card_profile(card)?, self.card_profile(card)?),
                    None => {
                        let profile = Profile::baseline(&before.score, &cells(&before.features));
                        let now = profile.count(&self.score, &cells(&self.features));
                        (profile, now)
                    }
                };
                let (profile, now) = if card.is_some() {
                    let scores = Profile::baseline(&before.score, &[]);
                    let counted = scores.count(&self.score, &[]);
                    (
                        Profile {
                            score: scores.score,
                            ..profile
                        },
                        Profile {
                            score: counted.score,
                            ..now
                        },
                    )
                } else {
                    (profile, now)
                };
                Ok(profile.shift_to(&now, &path.display().to_string(), models.guard.limits()))
            }
        }
    }

    /// Drift against the shares that a trained card carries.
    fn against_card(&self, card: &Scorecard, models: &Models) -> Result<Stability, EvaluateError> {
        let before =
            baseline_profile(card).ok_or_else(|| EvaluateError::NoBaseline(card.name.clone()))?;
        let now = Profile {
            score: before.count(&self.score, &[]).score,
            ..self.card_profile(card)?
        };
        Ok(before.shift_to(
            &now,
            &format!("training rows of {}", card.name),
            models.guard.limits(),
        ))
    }

    /// How the rows spread over the card's own bins.
    fn card_profile(&self, card: &Scorecard) -> Result<Profile, EvaluateError> {
        let table = Table::new(self.features.clone(), Beside::default())?;
        let scorer = card.bind(&table)?;
        let features = card
            .indicators
            .iter()
            .filter_map(|(code, single)| {
                let labels = single.bin_labels();
                let mut counts = vec![0_u64; labels.len()];
                for bin in scorer.bins(code)? {
                    if let Some(count) = counts.get_mut(usize::from(bin)) {
                        *count += 1;
                    }
                }
                let unseen = scorer.unseen_count(code).unwrap_or(0) as u64;
                Some((code.clone(), bin_spread(labels, counts, unseen)))
            })
            .collect();
        Ok(Profile {
            score: Spread::default(),
            features,
        })
    }
}

/// How the rows that a card was trained on spread over points and bins, where the card says so.
pub(in crate::service) fn baseline_profile(card: &Scorecard) -> Option<Profile> {
    let baseline = card.baseline.as_ref()?;
    let rows = baseline.row_count as f64;
    let count = |share: f64| (share * rows).round() as u64;
    let edges: Vec<f64> = baseline
        .points
        .iter()
        .skip(1)
        .map(|band| f64::from(band.from))
        .collect();
    let bands = baseline
        .points
        .iter()
        .map(|band| count(band.share))
        .collect();
    Some(Profile {
        score: Spread::banded(edges, bands),
        features: baseline
            .indicators
            .iter()
            .filter_map(|(code, shares)| {
                let single = card.indicators.get(code)?;
                let counts: Vec<u64> = shares.iter().map(|share| count(*share)).collect();
                Some((code.clone(), bin_spread(single.bin_labels(), counts, 0)))
            })
            .collect(),
    })
}

/// The last of a card's bins is the missing one. Unseen categories lie in its bin for other ones, and are told beside.
pub(in crate::service) fn bin_spread(
    mut labels: Vec<String>,
    mut counts: Vec<u64>,
    unseen: u64,
) -> Spread {
    let missing = counts.pop().unwrap_or(0);
    labels.truncate(counts.len());
    if unseen > 0
        && let Some(other) = labels
            .iter()
            .position(|label| label == "other")
            .and_then(|position| counts.get_mut(position))
    {
        let moved = unseen.min(*other);
        *other -= moved;
        return Spread::counted(labels, counts, missing, moved);
    }
    Spread::counted(labels, counts, missing, 0)
}

fn cells(features: &[Column]) -> Vec<(&str, Cells<'_>)> {
    features
        .iter()
        .map(|column| {
            let cells = match &column.values {
                Values::Numbers(numbers) => Cells::Numbers(numbers),
                Values::Categories { codes, names } => Cells::Categories { codes, names },
            };
            (column.name.as_str(), cells)
        })
        .collect()
}
