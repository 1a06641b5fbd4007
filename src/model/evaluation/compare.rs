//! Two models on the same rows: what differs, by how much, and who moves.

use serde::{Deserialize, Serialize};

use super::bootstrap::resample;
use super::document::{
    Evaluation, Settings, Subject, Weighting, document, point_values, weights_of,
};
use super::figure::Figure;
use super::guard::Guard;
use super::interval::{Z, two_sided};
use super::measures::{Measure, Prepared, TOP_SHARE, Values};
use super::rows::{EvaluationError, Rows};
use super::stability::Stability;
use super::tiers::{Move, TopSwap};

/// The format of the document.
pub const COMPARISON_FORMAT: &str = "risktier-comparison/1";

/// Groups with fewer rows of one outcome are not compared.
const LEAST: usize = 5;

/// One side of a comparison.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is.
    pub subject: Subject,
    /// Its rows.
    pub rows: Rows,
    /// Its drift, where a baseline is known.
    pub stability: Option<Stability>,
}

/// Two models on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// `risktier-comparison/1`.
    pub format: String,
    /// The model in force.
    pub current: Evaluation,
    /// The one that might replace it.
    pub candidate: Evaluation,
    /// Candidate less current, one set per view.
    pub differences: Vec<Differences>,
    /// Who moves from tier to tier, all sixteen cells; absent where a side has no tiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves: Option<Vec<Move>>,
    /// Who is visited under one order only.
    pub top_swap: TopSwap,
    /// What the difference of the areas allows to be said.
    pub verdict: ComparisonVerdict,
}

/// What can be said of the ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonVerdict {
    /// The interval of the difference lies above 0.
    CandidateBetter,
    /// It lies below 0.
    CurrentBetter,
    /// It holds 0: the rows do not tell the two apart.
    NotTold,
}

/// Candidate less current under one set of weights; each with the interval of paired resamples of enterprises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    /// The weights.
    pub weighting: Weighting,
    /// Area under the curve.
    pub auc: Figure,
    /// The same with the interval of DeLong et al. for two areas on the same rows.
    pub auc_delong: Figure,
    /// Two-sided p-value of that difference; absent where it has no error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Largest distance between distributions.
    pub ks: Figure,
    /// Share of problems in the tenth with the highest scores.
    pub captured_top_tenth: Figure,
    /// Brier score; lower is better.
    pub brier: Figure,
    /// Logarithmic loss; lower is better.
    pub log_loss: Figure,
    /// Problems found per visit at the policy's rates.
    pub policy_rate: Figure,
    /// Days-earlier skill; in the view by rows only.
    pub order_skill: Figure,
    /// The difference of the areas by group: where the candidate is better, and where not.
    pub groups: Vec<GroupDifferences>,
}

/// Differences within the groups of one grouping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDifferences {
    /// Its name.
    pub name: String,
    /// Its groups, in the order of the evaluation's.
    pub groups: Vec<GroupDifference>,
}

/// The difference within one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDifference {
    /// Its name; of the pooled small groups, empty.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Difference of the areas, with the interval of DeLong et al.
    pub auc: Figure,
}

/// Compares two models.
///
/// # Errors
///
/// When the sides differ in rows, outcomes, enterprises or weights.
pub fn compare(
    current: &Side,
    candidate: &Side,
    settings: Settings,
    guard: &Guard,
) -> Result<Comparison, EvaluationError> {
    paired(&current.rows, &candidate.rows)?;
    let prepared = [
        Prepared::new(&current.rows, settings.window_days),
        Prepared::new(&candidate.rows, settings.window_days),
    ];
    let weights = weights_of(&current.rows);
    let rounds = resample(&prepared, &weights, settings.rounds, settings.seed);
    let [first, second] = &prepared;
    let evaluation = |side: &Side, prepared, model| {
        document(
            prepared,
            &weights,
            &rounds,
            model,
            side.subject.clone(),
            settings,
            side.stability.clone(),
            guard,
        )
    };
    let differences: Vec<Differences> = [Weighting::Rows, Weighting::Design]
        .into_iter()
        .zip(&weights)
        .enumerate()
        .map(|(view, (weighting, weights))| {
            let days = view == 0;
            let values = (
                point_values(first, weights, days),
                point_values(second, weights, days),
            );
            let figure = |measure, reason| {
                rounds.difference(
                    difference(&values.0, &values.1, measure),
                    view,
                    measure,
                    reason,
                )
            };
            let rows = &current.rows;
            let auc_delong = auc_difference(rows, &candidate.rows, &rows.clusters.rows, weights);
            Differences {
                weighting,
                auc: figure(Measure::Auc, "every row has the same outcome"),
                p_value: auc_delong
                    .value
                    .zip(auc_delong.standard_error)
                    .filter(|(_, error)| *error > 0.0)
                    .map(|(value, error)| two_sided(value / error)),
                auc_delong,
                ks: figure(Measure::Ks, "every row has the same outcome"),
                captured_top_tenth: figure(Measure::CapturedTop, "no row has a problem"),
                brier: figure(Measure::Brier, "one of the models gives no probabilities"),
                log_loss: figure(Measure::LogLoss, "one of the models gives no probabilities"),
                policy_rate: figure(
                    Measure::PolicyRate,
                    "the rows carry no rates of the sampling policy",
                ),
                order_skill: figure(
                    Measure::DaysSkill,
                    "the rows carry no days, or this is the weighted view",
                ),
                groups: (0..rows.groups.len())
                    .filter_map(|grouping| {
                        group_differences(rows, &candidate.rows, grouping, weights)
                    })
                    .collect(),
            }
        })
        .collect();
    let last = weights.last().map_or(&[] as &[f64], Vec::as_slice);
    Ok(Comparison {
        format: COMPARISON_FORMAT.to_owned(),
        verdict: verdict(differences.last()),
        current: evaluation(current, first, 0),
        candidate: evaluation(candidate, second, 1),
        differences,
        moves: current.rows.moves(&candidate.rows, last),
        top_swap: current.rows.top_swap(&candidate.rows, last, TOP_SHARE),
    })
}

fn paired(current: &Rows, candidate: &Rows) -> Result<(), EvaluationError> {
    let unpaired = |what: &str| Err(EvaluationError::Unpaired(what.to_owned()));
    if current.count() != candidate.count() {
        return Err(EvaluationError::Unpaired(format!(
            "{} rows against {}",
            current.count(),
            candidate.count()
        )));
    }
    if current.outcome != candidate.outcome {
        return unpaired("their outcomes differ");
    }
    if current.clusters.of != candidate.clusters.of {
        return unpaired("their enterprises differ");
    }
    if current.weight != candidate.weight {
        return unpaired("their weights differ");
    }
    Ok(())
}

fn difference(current: &Values, candidate: &Values, measure: Measure) -> Option<f64> {
    Some(candidate.of(measure)? - current.of(measure)?)
}

fn verdict(differences: Option<&Differences>) -> ComparisonVerdict {
    let figure = differences.map(|differences| {
        if differences.auc.low.is_some() {
            &differences.auc
        } else {
            &differences.auc_delong
        }
    });
    match figure.map(|figure| (figure.low, figure.high)) {
        Some((Some(low), _)) if low > 0.0 => ComparisonVerdict::CandidateBetter,
        Some((_, Some(high))) if high < 0.0 => ComparisonVerdict::CurrentBetter,
        Some(_) | None => ComparisonVerdict::NotTold,
    }
}

/// The difference of two areas over the same rows (DeLong, DeLong & Clarke-Pearson 1988): the influences are
/// subtracted row by row before their variance is taken.
fn auc_difference(current: &Rows, candidate: &Rows, rows: &[u32], weights: &[f64]) -> Figure {
    let (Some(first), Some(second)) = (
        current.influence(rows, weights),
        candidate.influence(rows, weights),
    ) else {
        return Figure::not_estimable("every row has the same outcome");
    };
    let value = second.auc - first.auc;
    let figure = Figure::of(value);
    let influences: Vec<f64> = second
        .of
        .iter()
        .zip(&first.of)
        .map(|(b, a)| b - a)
        .collect();
    match current.variance_of(rows, &influences) {
        Some(variance) => {
            let half = Z * variance.sqrt();
            figure
                .between(value - half, value + half)
                .with_error(variance.sqrt())
        }
        None => figure.without_interval("there is one enterprise only"),
    }
}

fn group_differences(
    current: &Rows,
    candidate: &Rows,
    grouping: usize,
    weights: &[f64],
) -> Option<GroupDifferences> {
    let (name, pooled) = current.pooled(grouping)?;
    let groups = pooled
        .names
        .into_iter()
        .zip(&pooled.rows)
        .map(|((name, _), rows)| {
            let found = rows
                .iter()
                .filter(|row| current.is_found(**row as usize))
                .count();
            GroupDifference {
                name,
                rows: rows.len() as u64,
                auc: if found < LEAST || rows.len() - found < LEAST {
                    Figure::not_estimable("fewer than five rows with a problem, or without one")
                } else {
                    auc_difference(current, candidate, rows, weights)
                },
            }
        })
        .collect();
    Some(GroupDifferences {
        name: name.to_owned(),
        groups,
    })
}
