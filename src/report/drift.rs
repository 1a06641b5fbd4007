//! Drift of score and features.

use super::groups::shortened;
use super::page::{Grid, Page};
use super::plot::{Axis, Plot, Series};
use super::text::{Form, Text, count, same, t};
use crate::service::figures::{DriftVerdict, Shift, Stability};

/// Features shown in the plot.
const SHOWN: usize = 25;

fn verdict(shift: &Shift) -> Text {
    match shift.verdict {
        DriftVerdict::Steady => t("稳定", "steady"),
        DriftVerdict::Look => t("需查看", "look"),
        DriftVerdict::Act => t("需处理", "act"),
    }
}

/// Drift against a baseline.
pub(super) fn drift(page: &mut Page, stability: &Stability) {
    page.section("drift", &t("稳定性（PSI / CSI）", "Drift (PSI / CSI)"));
    page.paragraph(&t(
        format!(
            "与“{}”比较：{} 行对 {} 行。0.10 起需查看，0.25 起需处理。",
            stability.baseline,
            count(stability.rows_before),
            count(stability.rows_now)
        ),
        format!(
            "Against `{}`: {} rows then, {} now. From 0.10 on look, from 0.25 on act.",
            stability.baseline,
            count(stability.rows_before),
            count(stability.rows_now)
        ),
    ));
    score(page, &stability.score);
    if !stability.absent.is_empty() {
        let absent = stability.absent.join(", ");
        page.paragraph(&t(
            format!("缺少的特征：{absent}"),
            format!("Features that are absent now: {absent}"),
        ));
    }
    if stability.features.is_empty() {
        return;
    }
    let shown: Vec<&Shift> = stability.features.iter().take(SHOWN).collect();
    let top = shown.iter().map(|shift| shift.index).fold(0.25, f64::max);
    let mut plot = Plot::listed(
        t("各特征的稳定性指数", "Stability index by feature"),
        t(
            "每个特征一行；两条竖虚线为 0.10 和 0.25。",
            "One line per feature; the dotted uprights are 0.10 and 0.25.",
        ),
        Axis::rounded(t("稳定性指数", "stability index"), 0.0, top, Form::Plain),
        Axis::named(
            same(""),
            shown
                .iter()
                .map(|shift| shortened(same(shift.name.clone())))
                .collect(),
        ),
    );
    let mut grid = Grid::new(&[
        (t("特征", "feature"), false),
        (t("指数", "index"), true),
        (t("偶然", "by chance"), true),
        (t("判断", "verdict"), false),
        (t("缺失：前", "missing then"), true),
        (t("缺失：今", "missing now"), true),
        (t("未见值", "unseen"), true),
    ]);
    for (line, shift) in shown.iter().enumerate() {
        plot.lying_bar(shift.index, line, Series::One);
    }
    for limit in [0.10, 0.25] {
        plot.reference((limit, 0.0), (limit, shown.len() as f64));
    }
    for shift in &stability.features {
        grid.row(row(shift));
    }
    page.stack(
        &plot.svg("drift-plot"),
        &t("竖虚线：0.10 与 0.25。", "Dotted: 0.10 and 0.25."),
        &grid,
    );
}

fn row(shift: &Shift) -> Vec<Text> {
    vec![
        same(shift.name.clone()),
        same(Form::Plain.of(shift.index)),
        same(Form::Plain.of(shift.by_chance)),
        verdict(shift),
        same(Form::Percent.of(shift.missing_before)),
        same(Form::Percent.of(shift.missing_now)),
        same(Form::Percent.of(shift.unseen_now)),
    ]
}

fn score(page: &mut Page, shift: &Shift) {
    let top = shift
        .bins
        .iter()
        .flat_map(|bin| [bin.before, bin.now])
        .fold(0.0, f64::max);
    let numbers = (1..=shift.bins.len())
        .map(|bin| same(bin.to_string()))
        .collect();
    let mut plot = Plot::new(
        t("评分分布的变化", "Shift of the score"),
        t(
            "每组评分的行数占比：实心为从前，斜线为现在。",
            "Share of rows by band of the score: filled then, hatched now.",
        ),
        Axis::named(
            t("评分组（见表）", "band of the score (see the table)"),
            numbers,
        ),
        Axis::rounded(t("占比", "share of rows"), 0.0, top, Form::Percent),
    );
    plot.legend(Series::One, t("从前", "then"));
    plot.legend(Series::Two, t("现在", "now"));
    let told = verdict(shift);
    let index = Form::Plain.of(shift.index);
    let mut grid = Grid::new(&[
        (same("#"), true),
        (t("评分组", "band"), false),
        (t("从前", "then"), true),
        (t("现在", "now"), true),
    ])
    .caption(t(
        format!("评分的稳定性指数 {index}（{}）", told.zh),
        format!("Stability index of the score {index} ({})", told.en),
    ));
    for (place, bin) in shift.bins.iter().enumerate() {
        let at = place as f64 + 0.5;
        plot.bar(at - 0.19, bin.before, 0.36, None, Series::One);
        plot.bar(at + 0.19, bin.now, 0.36, None, Series::Two);
        grid.row(vec![
            same((place + 1).to_string()),
            same(bin.bin.clone()),
            same(Form::Percent.of(bin.before)),
            same(Form::Percent.of(bin.now)),
        ]);
    }
    page.pair(&plot.svg("score-shift-plot"), &t("", "").clone(), &grid);
}
