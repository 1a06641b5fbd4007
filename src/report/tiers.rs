//! The tier table.

use super::page::{Grid, Page};
use super::plot::{Axis, Plot, Series};
use super::text::{Form, Text, count, same, t};
use crate::service::figures::{Proportion, TierTable, View};

/// The tiers of one or two evaluations.
pub(super) fn tiers(page: &mut Page, views: &[(&View, Text)], id: &str) {
    let tables: Vec<(&TierTable, &Text)> = views
        .iter()
        .filter_map(|(view, name)| Some((view.tiers.as_ref()?, name)))
        .collect();
    if tables.is_empty() {
        return;
    }
    page.section(&format!("{id}-tiers"), &t("风险类别", "Tiers"));
    let top = tables
        .iter()
        .flat_map(|(table, _)| {
            table
                .tiers
                .iter()
                .filter(|row| row.found.rows > 0)
                .map(|row| row.found.high)
        })
        .fold(0.0, f64::max);
    let names = ["A", "B", "C", "D"].map(same).to_vec();
    let mut plot = Plot::new(
        t("各类别的问题率", "Problem rate by tier"),
        t(
            "从 A（低）到 D（高）的实际问题率及 95 % 区间。",
            "Observed problem rate from A (low) to D (high) with 95 % intervals.",
        ),
        Axis::named(t("类别", "tier"), names),
        Axis::rounded(t("问题率", "problem rate"), 0.0, top, Form::Percent),
    );
    let wide = 0.6 / tables.len() as f64;
    for (number, ((table, name), series)) in
        tables.iter().zip([Series::One, Series::Two]).enumerate()
    {
        let shift = (number as f64 - (tables.len() as f64 - 1.0) / 2.0) * wide;
        for (place, row) in table.tiers.iter().enumerate() {
            if let Some(rate) = row.found.rate {
                plot.bar(
                    place as f64 + 0.5 + shift,
                    rate,
                    wide * 0.95,
                    Some((row.found.low, row.found.high)),
                    series,
                );
            }
        }
        if tables.len() > 1 {
            plot.legend(series, (*name).clone());
        }
    }
    let mut grid = Grid::new(&[
        (t("类别", "tier"), false),
        (t("行数", "rows"), true),
        (t("占比", "share"), true),
        (t("发现", "found"), true),
        (t("问题率", "rate"), true),
        (t("95 % 区间", "95 % interval"), true),
        (t("精确区间", "exact interval"), true),
        (t("覆盖问题", "captured"), true),
    ]);
    for (table, name) in &tables {
        if tables.len() > 1 {
            let blank = || (same(""), "");
            grid.marked_row(
                "strong",
                vec![
                    ((*name).clone(), ""),
                    blank(),
                    blank(),
                    blank(),
                    blank(),
                    blank(),
                    blank(),
                    blank(),
                ],
            );
        }
        for row in &table.tiers {
            let mut cells = vec![same(row.tier.to_string())];
            cells.extend(proportion(&row.found));
            cells.push(same(
                Form::Percent.range(row.found.exact_low, row.found.exact_high),
            ));
            cells.push(same(Form::Percent.of(row.captured)));
            grid.row(cells);
        }
    }
    page.stack(
        &plot.svg(&format!("{id}-tiers-plot")),
        &t(
            "细线：95 % Wilson 区间。",
            "Thin lines: 95 % Wilson intervals.",
        ),
        &grid,
    );
    for (table, name) in &tables {
        let least = table.least_rows;
        let told = match table.monotone {
            Some(true) => t(
                "问题率从 A 到 D 不下降。",
                "The problem rate never falls from A to D.",
            ),
            Some(false) => t(
                "问题率从 A 到 D 有下降！",
                "The problem rate falls somewhere from A to D!",
            ),
            None => t(
                format!("有至少 {least} 行的类别不足两个，无法判断次序。"),
                format!(
                    "Fewer than two tiers have at least {least} rows, so the order cannot be judged."
                ),
            ),
        };
        page.note(&if tables.len() > 1 {
            t(
                format!("{}：{}", name.zh, told.zh),
                format!("{}: {}", name.en, told.en),
            )
        } else {
            told
        });
    }
}

/// Rows, share, found, rate and interval.
pub(super) fn proportion(found: &Proportion) -> Vec<Text> {
    vec![
        same(count(found.rows)),
        same(Form::Percent.of(found.share)),
        same(count(found.found)),
        same(Form::Percent.or_dash(found.rate)),
        same(Form::Percent.range(found.low, found.high)),
    ]
}
