//! Figures by group, and which reasons are given.

use super::page::{Grid, Page};
use super::plot::{Axis, Plot, Series};
use super::text::{Form, Text, count, interval_of, same, t, value_of};
use crate::domain::Tier;
use crate::service::figures::{Evaluation, GroupRow, Grouping};

/// Reasons shown.
const REASONS: usize = 25;

fn name_of(group: &GroupRow) -> Text {
    match group.pooled {
        Some(pooled) => t(
            format!("其余 {pooled} 组"),
            format!("{pooled} smaller groups"),
        ),
        None if group.name.is_empty() => t("（空）", "(empty)"),
        None => same(group.name.clone()),
    }
}

/// The groups of the last view.
pub(super) fn groups(page: &mut Page, evaluation: &Evaluation) {
    let Some(view) = evaluation
        .views
        .last()
        .filter(|view| !view.groups.is_empty())
    else {
        return;
    };
    page.section("groups", &t("分组结果", "Results by group"));
    page.note(&t(
        "组内的排序能力、进入 D 类的比例和命中率。区间很宽的组不足以下结论。",
        "Ranking within each group, its share in tier D, and what was found there. Groups with wide intervals allow no conclusion.",
    ));
    for (number, grouping) in view.groups.iter().enumerate() {
        grouping_part(page, grouping, number);
    }
}

fn grouping_part(page: &mut Page, grouping: &Grouping, number: usize) {
    page.heading(&same(grouping.name.clone()));
    let shown: Vec<&GroupRow> = grouping.groups.iter().collect();
    let names = shown
        .iter()
        .map(|group| shortened(name_of(group)))
        .collect();
    let low = shown
        .iter()
        .filter_map(|group| group.auc.low.or(group.auc.value))
        .fold(0.5, f64::min);
    let mut plot = Plot::listed(
        t(
            format!("组内 AUC：{}", grouping.name),
            format!("AUC within groups: {}", grouping.name),
        ),
        t(
            "每组一行：点为组内 AUC，横线为 95 % 区间；竖虚线为随机。",
            "One line per group: the dot is the area within the group, the line its 95 % interval; dotted upright is random.",
        ),
        Axis::exact(
            t("组内 AUC", "AUC within the group"),
            (low * 10.0).floor() / 10.0,
            1.0,
            Form::Short,
        ),
        Axis::named(same(""), names),
    );
    plot.reference((0.5, 0.0), (0.5, shown.len() as f64));
    let mut grid = Grid::new(&[
        (t("组", "group"), false),
        (t("行数", "rows"), true),
        (t("问题率", "rate"), true),
        (t("预测", "predicted"), true),
        (t("D 类占比", "in tier D"), true),
        (t("D 类命中", "found in D"), true),
        (same("AUC"), true),
        (t("95 % 区间", "95 % interval"), true),
    ]);
    for (line, group) in shown.iter().enumerate() {
        if let Some(auc) = group.auc.value {
            plot.lying_dot(auc, line, group.auc.low.zip(group.auc.high), Series::One);
        }
        grid.row(vec![
            name_of(group),
            same(count(group.found.rows)),
            same(Form::Percent.or_dash(group.found.rate)),
            same(Form::Percent.or_dash(group.predicted)),
            same(Form::Percent.or_dash(group.share_in_d)),
            same(Form::Percent.or_dash(group.found_in_d.as_ref().and_then(|found| found.rate))),
            if group.auc.value.is_some() {
                value_of(&group.auc, Form::Plain)
            } else {
                same("–")
            },
            if group.auc.low.is_some() {
                interval_of(&group.auc, Form::Plain)
            } else {
                t("无法估计", "not estimable")
            },
        ]);
    }
    page.stack(
        &plot.svg(&format!("group-{number}")),
        &t("竖虚线：随机。", "Dotted upright: random."),
        &grid,
    );
}

/// Names that would leave the plot are cut; the table has them whole.
pub(super) fn shortened(text: Text) -> Text {
    t(cut(text.zh), cut(text.en))
}

/// Room for a name beside a plot, in tenths of the pixels of its text.
const ROOM: u32 = 1_550;

/// How wide a letter is about, in the same.
fn width_of(letter: char) -> u32 {
    match letter {
        'f' | 'i' | 'j' | 'l' | 'r' | 't' | ' ' | '.' | ',' | '|' | '\'' => 46,
        'm' | 'w' | 'M' | 'W' => 110,
        'A'..='Z' | '×' | '…' => 90,
        letter if letter.is_ascii() => 77,
        _ => 125,
    }
}

/// A name as it fits, with a mark where something is left out.
fn cut(text: String) -> String {
    let whole: u32 = text.chars().map(width_of).sum();
    if whole <= ROOM {
        return text;
    }
    let mut taken = width_of('…');
    let mut kept: String = text
        .chars()
        .take_while(|letter| {
            taken += width_of(*letter);
            taken <= ROOM
        })
        .collect();
    kept.push('…');
    kept
}

/// Which reasons are given.
pub(super) fn reasons(page: &mut Page, evaluation: &Evaluation) {
    if evaluation.reasons.is_empty() {
        return;
    }
    page.section(
        "reasons",
        &t("理由的频率", "How often each reason is given"),
    );
    page.note(&t(
        "每个对象最多四个主要理由（加上改变类别的规则）；占比为有该理由的对象比例。",
        "Up to four main reasons per object, and the rules that changed its tier; a share is that of the objects with the reason.",
    ));
    let shown = evaluation.reasons.iter().take(REASONS);
    let names = shown
        .clone()
        .map(|reason| shortened(same(reason.code.clone())))
        .collect();
    let top = shown.clone().map(|reason| reason.share).fold(0.0, f64::max);
    let mut plot = Plot::listed(
        t("理由的频率", "Frequency of reasons"),
        t(
            "每个理由一行，长度为有该理由的对象比例。",
            "One line per reason; its length is the share of objects that have it.",
        ),
        Axis::rounded(t("对象占比", "share of objects"), 0.0, top, Form::Percent),
        Axis::named(same(""), names),
    );
    let mut columns = vec![(t("理由", "reason"), false), (t("全部", "all"), true)];
    columns.extend(Tier::ALL.iter().map(|tier| (same(tier.to_string()), true)));
    columns.push((t("问题率", "problem rate"), true));
    let mut grid = Grid::new(&columns);
    for (line, reason) in shown.enumerate() {
        plot.lying_bar(reason.share, line, Series::One);
        let mut cells = vec![
            same(reason.code.clone()),
            same(Form::Percent.of(reason.share)),
        ];
        cells.extend(
            Tier::ALL
                .iter()
                .map(|tier| same(Form::Percent.or_dash(reason.by_tier.get(tier).copied()))),
        );
        cells.push(same(Form::Percent.of(reason.rate)));
        grid.row(cells);
    }
    page.stack(&plot.svg("reasons-plot"), &t("", "").clone(), &grid);
}
