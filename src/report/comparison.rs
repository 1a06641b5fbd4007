//! The page of two models on the same rows.

use super::page::{Grid, Page};
use super::ranking::weighting_name;
use super::text::{Form, Language, Text, count, interval_of, same, t, value_of};
use super::{calibration, card, drift, groups, ranking, tiers};
use crate::domain::Tier;
use crate::service::figures::{
    Comparison, ComparisonVerdict, Differences, Expected, Figure, Move, Subject,
};

/// The report on two models as a self-contained HTML page.
pub fn comparison_page(comparison: &Comparison, language: Language) -> String {
    let (current, candidate) = (&comparison.current, &comparison.candidate);
    // Two cards of one name are told apart by their digests.
    let is_one_name = current.subject.model == candidate.subject.model;
    let name = |subject: &Subject| match &subject.digest {
        Some(digest) if is_one_name => {
            let first: String = digest.chars().take(8).collect();
            format!("{} ({first})", subject.model)
        }
        Some(_) | None => subject.model.clone(),
    };
    let names = format!("{} → {}", name(&current.subject), name(&candidate.subject));
    let mut page = Page::new(t(
        format!("模型比较：{names}"),
        format!("Comparison: {names}"),
    ));
    comparison_sections(&mut page, comparison);
    page.finish(language)
}

/// The sections of the report, for pages that hold more.
pub(super) fn comparison_sections(page: &mut Page, comparison: &Comparison) {
    let (current, candidate) = (&comparison.current, &comparison.candidate);
    page.paragraph(&match comparison.verdict {
        ComparisonVerdict::CandidateBetter => t("候选模型的排序能力更好（AUC 差的 95 % 区间在 0 以上）。", "The candidate ranks better (the 95 % interval of the difference of areas lies above 0)."),
        ComparisonVerdict::CurrentBetter => t("现行模型的排序能力更好（AUC 差的 95 % 区间在 0 以下）。", "The model in force ranks better (the 95 % interval of the difference of areas lies below 0)."),
        ComparisonVerdict::NotTold => t("这些数据不能区分两个模型的排序能力。", "The rows do not tell which model ranks better."),
    });
    card::summary(page, candidate);
    differences(page, comparison);
    page.note(&t(
        "以下护栏针对候选模型。",
        "The guard rails below are the candidate's.",
    ));
    card::guards(page, &candidate.guards);
    moves(page, comparison);
    if let (Some(first), Some(second)) = (current.views.last(), candidate.views.last()) {
        let views = [
            (first, t("现行", "in force")),
            (second, t("候选", "candidate")),
        ];
        tiers::tiers(page, &views, "both");
        ranking::curves(page, &views, "both");
        calibration::calibration(page, &views, "both");
    }
    group_differences(page, comparison.differences.last());
    page.note(&t(
        "以下为候选模型的回测、分组和理由。",
        "Backtest, groups and reasons below are the candidate's.",
    ));
    ranking::backtest(page, candidate);
    groups::groups(page, candidate);
    groups::reasons(page, candidate);
    if let Some(stability) = &candidate.stability {
        drift::drift(page, stability);
    }
    card::model_card(page, candidate);
    card::methods(page, candidate);
}

/// A figure of the model in force and of the candidate.
type Both<'a> = (Option<&'a Figure>, Option<&'a Figure>);

fn differences(page: &mut Page, comparison: &Comparison) {
    page.section(
        "differences",
        &t(
            "差异（候选减现行）",
            "Differences (candidate less model in force)",
        ),
    );
    page.note(&t(
        "同一批企业成对重抽样；布赖尔分和对数损失越小越好，其余越大越好。",
        "Paired resamples of the same enterprises; Brier score and logarithmic loss are better when lower, all others when higher.",
    ));
    for (position, differences) in comparison.differences.iter().enumerate() {
        page.heading(&weighting_name(differences.weighting));
        let (first, second) = (
            comparison.current.views.get(position),
            comparison.candidate.views.get(position),
        );
        let mut grid = Grid::new(&[
            (t("指标", "figure"), false),
            (t("现行", "in force"), true),
            (t("候选", "candidate"), true),
            (t("差", "difference"), true),
            (t("95 % 区间", "95 % interval"), true),
        ]);
        let headline = |pick: fn(&crate::service::figures::Headline) -> &Figure| {
            (
                first.map(|view| pick(&view.headline)),
                second.map(|view| pick(&view.headline)),
            )
        };
        let rows: [(Text, Both<'_>, &Figure); 8] = [
            (same("AUC"), headline(|h| &h.auc), &differences.auc),
            (
                t("AUC（DeLong）", "AUC (DeLong)"),
                headline(|h| &h.auc_delong),
                &differences.auc_delong,
            ),
            (same("KS"), headline(|h| &h.ks), &differences.ks),
            (
                t("前 10 % 覆盖", "captured by the top tenth"),
                headline(|h| &h.captured_top_tenth),
                &differences.captured_top_tenth,
            ),
            (
                t("布赖尔分", "Brier score"),
                headline(|h| &h.brier),
                &differences.brier,
            ),
            (
                t("对数损失", "logarithmic loss"),
                headline(|h| &h.log_loss),
                &differences.log_loss,
            ),
            (
                t("策略下每次检查发现", "found per visit, policy"),
                (
                    first
                        .and_then(|view| view.policy.as_ref())
                        .map(|policy| &policy.policy),
                    second
                        .and_then(|view| view.policy.as_ref())
                        .map(|policy| &policy.policy),
                ),
                &differences.policy_rate,
            ),
            (
                t("提前发现的技巧", "days-earlier skill"),
                (
                    comparison.current.order.as_ref().map(|order| &order.skill),
                    comparison
                        .candidate
                        .order
                        .as_ref()
                        .map(|order| &order.skill),
                ),
                &differences.order_skill,
            ),
        ];
        for (name, (first, second), difference) in rows {
            if difference.value.is_none() {
                continue;
            }
            grid.row(vec![
                name,
                same(Form::Plain.or_dash(first.and_then(|figure| figure.value))),
                same(Form::Plain.or_dash(second.and_then(|figure| figure.value))),
                value_of(difference, Form::Plain),
                interval_of(difference, Form::Plain),
            ]);
        }
        page.grid(&grid);
        if let Some(p) = differences.p_value {
            let p = if p < 0.001 {
                "< 0.001".to_owned()
            } else {
                format!("= {p:.3}")
            };
            page.note(&t(
                format!("AUC 之差的 DeLong 检验：p {p}。"),
                format!("Test of DeLong for the difference of areas: p {p}."),
            ));
        }
    }
}

fn moves(page: &mut Page, comparison: &Comparison) {
    if let Some(moves) = &comparison.moves {
        page.section("moves", &t("类别迁移", "Who moves between tiers"));
        let mut columns = vec![(t("现行 ＼ 候选", "in force ＼ candidate"), false)];
        columns.extend(Tier::ALL.iter().map(|tier| (same(tier.to_string()), true)));
        let mut grid = Grid::new(&columns).caption(t("每格：行数（实际问题率）。粗边：变差为右缘色，变好为蓝色。", "Each cell: rows (observed problem rate). Orange edge: moved to a worse tier; blue edge: to a better one."));
        for from in Tier::ALL {
            let mut cells = vec![(same(from.to_string()), "")];
            for cell in moves.iter().filter(|cell| cell.from == *from) {
                let rate = cell
                    .found
                    .rate
                    .map(|rate| format!(" ({})", Form::Percent.of(rate)))
                    .unwrap_or_default();
                let class = match cell.from.cmp(&cell.to) {
                    std::cmp::Ordering::Equal => "stay",
                    std::cmp::Ordering::Less => "worse",
                    std::cmp::Ordering::Greater => "better",
                };
                cells.push((same(format!("{}{rate}", count(cell.found.rows))), class));
            }
            grid.marked_row("", cells);
        }
        page.grid(&grid);
        swap_sets(page, moves);
    }
    top_swap(page, comparison);
}

/// Every move, the largest first: whether those who move up are riskier than those who move down.
fn swap_sets(page: &mut Page, moves: &[Move]) {
    let mut moved: Vec<&Move> = moves
        .iter()
        .filter(|cell| cell.from != cell.to && cell.found.rows > 0)
        .collect();
    if moved.is_empty() {
        page.note(&t("没有企业改变类别。", "Nobody changes tier."));
        return;
    }
    moved.sort_by_key(|cell| std::cmp::Reverse(cell.found.rows));
    page.heading(&t("互换集", "Swap sets"));
    let mut grid = Grid::new(&[
        (t("迁移", "move"), false),
        (t("行数", "rows"), true),
        (t("占比", "share"), true),
        (t("发现", "found"), true),
        (t("问题率", "rate"), true),
        (t("95 % 区间", "95 % interval"), true),
    ]);
    for cell in moved {
        let mut cells = vec![same(format!("{} → {}", cell.from, cell.to))];
        cells.extend(tiers::proportion(&cell.found));
        grid.row(cells);
    }
    page.grid(&grid);
}

fn top_swap(page: &mut Page, comparison: &Comparison) {
    let swap = &comparison.top_swap;
    page.heading(&t(
        format!("评分最高的 {} 中谁被替换", Form::Percent.of(swap.share)),
        format!(
            "Who is exchanged among the highest {}",
            Form::Percent.of(swap.share)
        ),
    ));
    let mut grid = Grid::new(&[
        (t("会被检查", "visited"), false),
        (t("行数", "rows"), true),
        (t("发现", "found"), true),
        (t("问题率", "rate"), true),
    ]);
    for (name, cell) in [
        (t("两个模型都会", "under both"), &swap.both),
        (
            t("仅现行模型", "under the model in force only"),
            &swap.current_only,
        ),
        (
            t("仅候选模型", "under the candidate only"),
            &swap.candidate_only,
        ),
    ] {
        let Expected { rows, found, rate } = cell;
        grid.row(vec![
            name,
            same(Form::Short.of(*rows)),
            same(Form::Short.of(*found)),
            same(Form::Percent.or_dash(*rate)),
        ]);
    }
    page.grid(&grid);
}

fn group_differences(page: &mut Page, differences: Option<&Differences>) {
    let Some(differences) = differences.filter(|differences| !differences.groups.is_empty()) else {
        return;
    };
    page.section(
        "where",
        &t("候选模型在哪里更好", "Where the candidate is better"),
    );
    for grouping in &differences.groups {
        page.heading(&same(grouping.name.clone()));
        let mut grid = Grid::new(&[
            (t("组", "group"), false),
            (t("行数", "rows"), true),
            (t("AUC 之差", "difference of AUC"), true),
            (t("95 % 区间", "95 % interval"), true),
        ]);
        for group in &grouping.groups {
            let name = if group.name.is_empty() {
                t("其余", "others")
            } else {
                same(group.name.clone())
            };
            let (value, interval) = if group.auc.value.is_some() {
                (
                    value_of(&group.auc, Form::Plain),
                    interval_of(&group.auc, Form::Plain),
                )
            } else {
                (same("–"), t("无法估计", "not estimable"))
            };
            grid.row(vec![name, same(count(group.rows)), value, interval]);
        }
        page.grid(&grid);
    }
}
