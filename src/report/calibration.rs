//! Predicted probabilities against what was observed.

use super::page::{Grid, Page};
use super::plot::{Axis, Plot, Series};
use super::text::{Form, Text, count, interval_of, same, t, value_of};
use crate::service::figures::View;

/// The calibration of one or two evaluations.
pub(super) fn calibration(page: &mut Page, views: &[(&View, Text)], id: &str) {
    if views.iter().all(|(view, _)| view.calibration.is_none()) {
        return;
    }
    page.section(&format!("{id}-calibration"), &t("校准", "Calibration"));
    for (number, (view, name)) in views.iter().enumerate() {
        let Some(calibration) = &view.calibration else {
            continue;
        };
        if views.len() > 1 {
            page.heading(name);
        }
        let top = calibration
            .bins
            .iter()
            .flat_map(|bin| [bin.predicted, bin.observed.high])
            .fold(0.0, f64::max)
            .min(1.0);
        let axis = |zh: &str, en: &str| Axis::rounded(t(zh, en), 0.0, top, Form::Percent);
        let mut plot = Plot::new(
            t("校准曲线", "Calibration curve"),
            t(
                "横轴为预测概率，纵轴为实际问题率及其 95 % Wilson 区间；虚线上的点完全准确。",
                "Across the predicted probability, up the observed rate with its 95 % Wilson interval; dots on the dotted line are exact.",
            ),
            axis("预测概率", "predicted probability"),
            axis("实际问题率", "observed problem rate"),
        );
        plot.reference((0.0, 0.0), (plot_end(top), plot_end(top)));
        let mut grid = Grid::new(&[
            (t("预测", "predicted"), true),
            (t("实际", "observed"), true),
            (t("95 % 区间", "95 % interval"), true),
            (t("行数", "rows"), true),
        ]);
        for bin in &calibration.bins {
            let observed = &bin.observed;
            if let Some(rate) = observed.rate {
                plot.dot(
                    bin.predicted,
                    rate,
                    Some((observed.low, observed.high)),
                    Series::One,
                );
            }
            grid.row(vec![
                same(Form::Percent.of(bin.predicted)),
                same(Form::Percent.or_dash(observed.rate)),
                same(Form::Percent.range(observed.low, observed.high)),
                same(count(observed.rows)),
            ]);
        }
        page.pair(
            &plot.svg(&format!("{id}-calibration-{number}")),
            &t(
                "虚线：预测与实际一致。",
                "Dotted: predicted equals observed.",
            ),
            &grid,
        );
        let mut grid = Grid::new(&[
            (t("项", "figure"), false),
            (t("值", "value"), true),
            (t("说明", "meaning"), false),
        ]);
        for (name, figure, form, meaning) in [
            (
                t("平均校准误差", "calibration error"),
                &calibration.error,
                Form::Percent,
                t(
                    "各组预测与实际的平均差距",
                    "mean distance between predicted and observed",
                ),
            ),
            (
                t("偶然误差", "error by chance"),
                &calibration.error_by_chance,
                Form::Percent,
                t(
                    "即使概率完全正确也会有的平均差距",
                    "what it would be on average if every probability were right",
                ),
            ),
            (
                t("最大误差", "largest error"),
                &calibration.largest_error,
                Form::Percent,
                t("差距最大的一组", "the worst bin"),
            ),
            (
                t("截距", "intercept"),
                &calibration.intercept,
                Form::Plain,
                t("0 为正确", "0 is right"),
            ),
            (
                t("斜率", "slope"),
                &calibration.slope,
                Form::Plain,
                t(
                    "1 为正确；小于 1 表示概率过于极端",
                    "1 is right; below 1 the probabilities are too extreme",
                ),
            ),
        ] {
            let value = if figure.value.is_some() {
                value_of(figure, form)
            } else {
                interval_of(figure, form)
            };
            grid.row(vec![name, value, meaning]);
        }
        page.grid(&grid);
    }
}

/// Where the diagonal ends: at the end of the rounded axis.
fn plot_end(top: f64) -> f64 {
    Axis::rounded(same(""), 0.0, top, Form::Percent).to
}
