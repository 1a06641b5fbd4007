//! Figures, tiers and guards as tables for the terminal.

use serde_json::Value;

use super::output::{Table, rounded};
use crate::service::figures::{Evaluation, Figure, GuardResult};

pub(super) fn heading(evaluation: &Evaluation) -> String {
    let data = &evaluation.data;
    format!(
        "{}: {} rows of {} enterprises, {} with a problem ({})",
        evaluation.subject.model, data.rows, data.enterprises, data.found, evaluation.subject.data
    )
}

pub(super) fn number(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| rounded(value, 4))
}

pub(super) fn figure_row(name: &str, weighting: Value, figure: &Figure) -> Vec<Value> {
    vec![
        name.into(),
        weighting,
        number(figure.value),
        number(figure.low),
        number(figure.high),
        figure
            .not_estimable
            .clone()
            .map_or(Value::Null, Value::from),
    ]
}

pub(super) const FIGURE_COLUMNS: [&str; 6] =
    ["figure", "weighting", "value", "low", "high", "remark"];

pub(super) fn figures(evaluation: &Evaluation) -> Table {
    let mut table = Table::new(&FIGURE_COLUMNS);
    for view in &evaluation.views {
        let weighting = serde_json::to_value(view.weighting).unwrap_or_default();
        let headline = &view.headline;
        let mut rows = vec![
            ("auc", &headline.auc),
            ("ks", &headline.ks),
            ("gini", &headline.gini),
            ("captured_top_tenth", &headline.captured_top_tenth),
            ("problem_rate", &headline.problem_rate),
        ];
        if let Some(calibration) = &view.calibration {
            rows.extend([
                ("brier", &headline.brier),
                ("log_loss", &headline.log_loss),
                ("observed_to_expected", &headline.observed_to_expected),
                ("calibration_error", &calibration.error),
                ("calibration_error_by_chance", &calibration.error_by_chance),
            ]);
        }
        if let Some(policy) = &view.policy {
            rows.extend([
                ("found_per_visit_policy", &policy.policy),
                ("found_per_visit_uniform", &policy.uniform),
                ("policy_to_uniform", &policy.ratio),
            ]);
        }
        for (name, figure) in rows {
            table.row(figure_row(name, weighting.clone(), figure));
        }
    }
    if let Some(order) = &evaluation.order {
        table.row(figure_row(
            "days_earlier",
            "rows".into(),
            &order.days_earlier,
        ));
        table.row(figure_row("order_skill", "rows".into(), &order.skill));
    }
    if let Some(stability) = &evaluation.stability {
        table.row(figure_row(
            "score_shift",
            "rows".into(),
            &Figure::of(stability.score.index),
        ));
    }
    table
}

pub(super) fn tiers(evaluation: &Evaluation) -> Option<Table> {
    let tiers = evaluation.views.last()?.tiers.as_ref()?;
    let mut table = Table::new(&[
        "tier",
        "rows",
        "percent",
        "found",
        "rate_percent",
        "from",
        "to",
    ]);
    for row in &tiers.tiers {
        let percent = |value: f64| rounded(value * 100.0, 1);
        table.row(vec![
            row.tier.to_string().into(),
            row.found.rows.into(),
            percent(row.found.share),
            row.found.found.into(),
            row.found.rate.map_or(Value::Null, percent),
            percent(row.found.low),
            percent(row.found.high),
        ]);
    }
    Some(table)
}

pub(super) fn guards(results: &[GuardResult]) -> Table {
    let mut table = Table::new(&["guard", "value", "limit", "state"]);
    for result in results {
        table.row(vec![
            result.guard.clone().into(),
            number(result.value),
            result.limit.clone().into(),
            serde_json::to_value(result.state).unwrap_or_default(),
        ]);
    }
    table
}
