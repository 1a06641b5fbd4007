//! The evaluation of one model as a document, and how it is made.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Rounds, resample};
use super::calibration::Calibration;
use super::figure::Figure;
use super::groups::Grouping;
use super::guard::{Guard, GuardResult};
use super::measures::{Measure, Prepared, TOP_SHARE, Values};
use super::ranking::{CurvePoint, Decile, Tally};
use super::reasons::ReasonShare;
use super::rows::Rows;
use super::slots::{at, ratio};
use super::stability::Stability;
use super::tiers::TierTable;

/// The format of the document.
pub const EVALUATION_FORMAT: &str = "risktier-evaluation/1";

/// Most points of a curve in the document.
const CURVE_POINTS: usize = 200;

/// An area from which a feature that knows the outcome is likelier than a good model.
const LEAK: f64 = 0.99;

/// Problems below which every figure is a rough one.
const FEW_PROBLEMS: usize = 100;

/// How an evaluation is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Resamples behind the headline intervals; 0 for none.
    pub rounds: u32,
    /// Seed of the resamples.
    pub seed: u64,
    /// Length of the windows within which visits are handed out again for the days-earlier figures.
    pub window_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rounds: 200,
            seed: 1,
            window_days: 60,
        }
    }
}

/// What was evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Name and version of the model, or of the column that scores.
    pub model: String,
    /// Digest of the model, where it is an artefact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The rows: a file, or the register as of a day.
    pub data: String,
    /// What counts as a problem.
    pub outcome: String,
    /// Where the model comes from, as its own manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<serde_json::Value>,
}

/// What the rows are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSummary {
    /// Rows.
    pub rows: u64,
    /// Rows with a problem.
    pub found: u64,
    /// Enterprises; equal to the rows where none is named twice.
    pub enterprises: u64,
    /// Earliest day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Latest day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
}

/// Which weights a view uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// Every row counts once: what was seen.
    Rows,
    /// Every row counts by its design weight: an estimate for all that could have been drawn.
    Design,
}

/// The headline figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Headline {
    /// Area under the curve.
    pub auc: Figure,
    /// The same area with the interval of DeLong et al., as a cross-check.
    pub auc_delong: Figure,
    /// `2·auc − 1`.
    pub gini: Figure,
    /// Largest distance between the distributions of scores.
    pub ks: Figure,
    /// Share of problems in the tenth with the highest scores.
    pub captured_top_tenth: Figure,
    /// Problem rate there over that of all rows.
    pub lift_top_tenth: Figure,
    /// Problem rate of all rows.
    pub problem_rate: Figure,
    /// Mean squared error of the probabilities (Brier 1950).
    pub brier: Figure,
    /// Mean logarithmic loss of the probabilities.
    pub log_loss: Figure,
    /// Observed over expected number of problems.
    pub observed_to_expected: Figure,
}

/// Every figure under one set of weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The weights.
    pub weighting: Weighting,
    /// Headline figures with intervals.
    pub headline: Headline,
    /// The receiver operating characteristic, from the highest score down.
    pub curve: Vec<CurvePoint>,
    /// The score up to which the distributions are furthest apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ks_score: Option<f64>,
    /// Lift by tenth.
    pub deciles: Vec<Decile>,
    /// Predicted against observed; absent without probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The tiers; absent without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<TierTable>,
    /// Figures by group.
    pub groups: Vec<Grouping>,
    /// What the sampling policy would have found; absent without rates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyBacktest>,
}

/// What visits at the policy's rates would have found among the visits that were made, against visits at one rate for
/// all, as many in number.
///
/// Expectations, not a simulation: with rates `r`, weights `w` and outcomes `y` the problems per visit are
/// `Σwry/Σwr` against `Σwy/Σw` (the estimator of Hájek 1971).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyBacktest {
    /// Mean rate: the share of the objects that is visited.
    pub visited: f64,
    /// Problems found per visit under the policy.
    pub policy: Figure,
    /// Problems found per visit at one rate for all.
    pub uniform: Figure,
    /// The first over the second.
    pub ratio: Figure,
    /// Problems per visit if the same number of visits went to the highest scores.
    pub by_score: Figure,
    /// The most that so many visits could find each.
    pub best: Figure,
}

/// How many days earlier problems would have been found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderBacktest {
    /// Length of the windows.
    pub window_days: u32,
    /// Number of windows.
    pub windows: u64,
    /// Mean days per problem, with the visits of each window made by falling score.
    pub days_earlier: Figure,
    /// The same in random order.
    pub random_days: Figure,
    /// The same with every problem first.
    pub perfect_days: Figure,
    /// `(days − random)/(perfect − random)`.
    pub skill: Figure,
}

/// The evaluation of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// `risktier-evaluation/1`.
    pub format: String,
    /// What was evaluated.
    pub subject: Subject,
    /// What the rows are.
    pub data: DataSummary,
    /// How it was made.
    pub settings: Settings,
    /// One view by rows, and one by design weights where there are any.
    pub views: Vec<View>,
    /// Which reasons are given.
    pub reasons: Vec<ReasonShare>,
    /// Order of visits; absent without days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderBacktest>,
    /// Drift against a baseline, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
    /// Guard rails.
    pub guards: Vec<GuardResult>,
    /// What a reader must know before trusting a figure.
    pub remarks: Vec<Remark>,
}

/// A remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// Every row has the same outcome; nothing can be ranked.
    OneClass,
    /// Every row has the same score.
    EqualScores,
    /// Fewer than a hundred problems: intervals are wide.
    FewProblems,
    /// The area is 0.99 or more: look for a feature that knows the outcome.
    MayLeak,
    /// Design weights are missing: the figures speak of the visits made, not of all that could have been.
    NoWeights,
    /// Enterprises recur; intervals take their rows together.
    RepeatedEnterprises,
    /// The model gives no probabilities.
    NoProbabilities,
    /// The model gives no tiers.
    NoTiers,
}

/// Evaluates one model.
pub fn evaluate(
    rows: &Rows,
    subject: Subject,
    settings: Settings,
    stability: Option<Stability>,
    guard: &Guard,
) -> Evaluation {
    let prepared = [Prepared::new(rows, settings.window_days)];
    let weights = weights_of(rows);
    let rounds = resample(&prepared, &weights, settings.rounds, settings.seed);
    let [prepared] = &prepared;
    document(
        prepared, &weights, &rounds, 0, subject, settings, stability, guard,
    )
}

/// The sets of weights of the views: ones, and the design weights where there are any.
pub(super) fn weights_of(rows: &Rows) -> Vec<Vec<f64>> {
    std::iter::once(vec![1.0; rows.count()])
        .chain(rows.weight.clone())
        .collect()
}

/// The measures of the rows as they are.
pub(super) fn point_values(prepared: &Prepared<'_>, weights: &[f64], days: bool) -> Values {
    let rows = prepared.rows;
    let mut tally = Tally::empty(rows.score.values.len());
    prepared.measure(weights, &vec![1.0; rows.count()], &mut tally, days)
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one document, named"
)]
pub(super) fn document(
    prepared: &Prepared<'_>,
    weights: &[Vec<f64>],
    rounds: &Rounds,
    model: usize,
    subject: Subject,
    settings: Settings,
    stability: Option<Stability>,
    guard: &Guard,
) -> Evaluation {
    let rows = prepared.rows;
    let views: Vec<View> = [Weighting::Rows, Weighting::Design]
        .into_iter()
        .zip(weights)
        .enumerate()
        .map(|(position, (weighting, weights))| {
            view(
                prepared,
                weighting,
                weights,
                rounds,
                (model, position),
                guard,
            )
        })
        .collect();
    let mut evaluation = Evaluation {
        format: EVALUATION_FORMAT.to_owned(),
        subject,
        data: DataSummary {
            rows: rows.count() as u64,
            found: rows.found() as u64,
            enterprises: rows.clusters.count as u64,
            from: rows
                .day
                .as_ref()
                .and_then(|days| days.iter().min().copied()),
            to: rows
                .day
                .as_ref()
                .and_then(|days| days.iter().max().copied()),
        },
        settings,
        reasons: rows.reason_shares(),
        order: order(prepared, weights, rounds, model, settings),
        stability,
        guards: Vec::new(),
        remarks: remarks(rows, &views),
        views,
    };
    evaluation.guards = guard.judge(&evaluation);
    evaluation
}

const ONE_CLASS: &str = "every row has the same outcome";
const NO_PROBABILITIES: &str = "the model gives no probabilities";

fn view(
    prepared: &Prepared<'_>,
    weighting: Weighting,
    weights: &[f64],
    rounds: &Rounds,
    (model, position): (usize, usize),
    guard: &Guard,
) -> View {
    let rows = prepared.rows;
    let values = point_values(prepared, weights, false);
    let figure =
        |measure, reason| rounds.figure(values.of(measure), model, position, measure, reason);
    let tally = Tally::of(&rows.score, &rows.outcome, weights);
    View {
        weighting,
        headline: Headline {
            auc: figure(Measure::Auc, ONE_CLASS),
            auc_delong: rows.auc_figure(&rows.clusters.rows, weights),
            gini: figure(Measure::Gini, ONE_CLASS),
            ks: figure(Measure::Ks, ONE_CLASS),
            captured_top_tenth: figure(Measure::CapturedTop, "no row has a problem"),
            lift_top_tenth: figure(Measure::LiftTop, "no row has a problem"),
            problem_rate: figure(Measure::ProblemRate, "the rows have no weight"),
            brier: figure(Measure::Brier, NO_PROBABILITIES),
            log_loss: figure(Measure::LogLoss, NO_PROBABILITIES),
            observed_to_expected: figure(Measure::ObservedToExpected, NO_PROBABILITIES),
        },
        curve: tally.curve(&rows.score.values, CURVE_POINTS),
        ks_score: tally.ks().map(|(_, rank)| at(&rows.score.values, rank)),
        deciles: tally.deciles(),
        calibration: rows.calibration(weights),
        tiers: rows.tier_table(weights, guard.least_tier_rows),
        groups: (0..rows.groups.len())
            .filter_map(|grouping| rows.group_table(grouping, weights))
            .collect(),
        policy: rows.rate.as_ref().map(|rates| {
            let (visits, total) = rates
                .iter()
                .zip(weights)
                .fold((0.0, 0.0), |(visits, total), (rate, weight)| {
                    (visits + weight * rate.min(1.0), total + weight)
                });
            let visited = ratio(visits, total).unwrap_or(0.0);
            let base = values.of(Measure::ProblemRate).unwrap_or(0.0);
            let per_visit = |captured: Option<f64>| {
                captured.and_then(|captured| ratio(captured * base, visited))
            };
            PolicyBacktest {
                visited,
                policy: figure(Measure::PolicyRate, "no visits are expected"),
                uniform: figure(Measure::ProblemRate, "the rows have no weight"),
                ratio: figure(Measure::PolicyRatio, "no row has a problem"),
                by_score: Figure::or_reason(
                    per_visit(tally.captured(visited)),
                    "no row has a problem",
                ),
                best: Figure::or_reason(
                    ratio(base, visited).map(|best| best.min(1.0)),
                    "no visits are expected",
                ),
            }
        }),
    }
}

fn order(
    prepared: &Prepared<'_>,
    weights: &[Vec<f64>],
    rounds: &Rounds,
    model: usize,
    settings: Settings,
) -> Option<OrderBacktest> {
    let windows = prepared.order.as_ref()?.windows() as u64;
    let values = point_values(prepared, weights.first()?, true);
    let figure = |measure, reason| rounds.figure(values.of(measure), model, 0, measure, reason);
    Some(OrderBacktest {
        window_days: settings.window_days,
        windows,
        days_earlier: figure(Measure::DaysEarlier, "no row has a problem"),
        random_days: figure(Measure::DaysRandom, "no row has a problem"),
        perfect_days: figure(Measure::DaysPerfect, "no row has a problem"),
        skill: figure(Measure::DaysSkill, "no order could find a problem earlier"),
    })
}

fn remarks(rows: &Rows, views: &[View]) -> Vec<Remark> {
    let found = rows.found();
    let auc = views.first().and_then(|view| view.headline.auc.value);
    [
        (found == 0 || found == rows.count(), Remark::OneClass),
        (rows.score.values.len() == 1, Remark::EqualScores),
        (found < FEW_PROBLEMS, Remark::FewProblems),
        (auc.is_some_and(|auc| auc >= LEAK), Remark::MayLeak),
        (rows.weight.is_none(), Remark::NoWeights),
        (rows.clusters.repeated, Remark::RepeatedEnterprises),
        (rows.probability.is_none(), Remark::NoProbabilities),
        (rows.tier.is_none(), Remark::NoTiers),
    ]
    .into_iter()
    .filter_map(|(applies, remark)| applies.then_some(remark))
    .collect()
}

/// The share of rows that the "top" figures look at.
pub const TOP: f64 = TOP_SHARE;
