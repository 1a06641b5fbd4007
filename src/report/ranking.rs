//! Ranking: the headline cards, the curves, lift, and the backtests.

use super::page::{Grid, Page};
use super::plot::{Axis, Plot, Series};
use super::text::{Form, Text, interval_of, same, t, value_of};
use crate::service::figures::{Evaluation, Figure, OrderBacktest, PolicyBacktest, View, Weighting};

/// The name of a view.
pub(super) fn weighting_name(weighting: Weighting) -> Text {
    match weighting {
        Weighting::Rows => t("按行计（所见）", "by rows (what was seen)"),
        Weighting::Design => t(
            "按设计权重（推断总体）",
            "by design weights (estimate for all)",
        ),
    }
}

fn card(page: &mut String, name: &Text, figure: &Figure, form: Form, meaning: &Text) {
    page.push_str(&format!(
        "<div class=\"card\"><span class=\"name\">{}</span><b>{}</b><span>{}</span><p class=\"note\">{}</p></div>",
        name.html(),
        value_of(figure, form).html(),
        interval_of(figure, form).html(),
        meaning.html()
    ));
}

/// The headline figures.
pub(super) fn headline(page: &mut Page, evaluation: &Evaluation) {
    page.section("headline", &t("主要指标", "Headline figures"));
    page.note(&t(
        format!(
            "每个数下方为 95 % 区间（以企业为单位重抽样 {} 次，种子 {}）。",
            evaluation.settings.rounds, evaluation.settings.seed
        ),
        format!(
            "Below each figure its 95 % interval (enterprises resampled {} times, seed {}).",
            evaluation.settings.rounds, evaluation.settings.seed
        ),
    ));
    for view in &evaluation.views {
        page.heading(&weighting_name(view.weighting));
        let headline = &view.headline;
        let mut cards = String::from("<div class=\"cards\">");
        card(
            &mut cards,
            &same("AUC"),
            &headline.auc,
            Form::Plain,
            &t(
                "有问题的企业评分高于没有问题的概率；0.5 为随机",
                "chance that an enterprise with a problem scores higher than one without; 0.5 is random",
            ),
        );
        card(
            &mut cards,
            &same("KS"),
            &headline.ks,
            Form::Plain,
            &t(
                "两类评分分布的最大差距",
                "largest distance between the two distributions of scores",
            ),
        );
        card(
            &mut cards,
            &t("前 10 % 覆盖", "Captured by the top tenth"),
            &headline.captured_top_tenth,
            Form::Percent,
            &t(
                "评分最高的十分之一中含有的问题比例",
                "share of all problems among the tenth with the highest scores",
            ),
        );
        card(
            &mut cards,
            &t("问题率", "Problem rate"),
            &headline.problem_rate,
            Form::Percent,
            &t(
                "全部检查中发现问题的比例",
                "share of inspections that found a problem",
            ),
        );
        if headline.brier.value.is_some() {
            card(
                &mut cards,
                &t("布赖尔分", "Brier score"),
                &headline.brier,
                Form::Plain,
                &t(
                    "概率的均方误差，越小越好",
                    "mean squared error of the probabilities; lower is better",
                ),
            );
            card(
                &mut cards,
                &t("观察/预期", "Observed / expected"),
                &headline.observed_to_expected,
                Form::Plain,
                &t("1 表示总体水平正确", "1 means that the level is right"),
            );
        }
        cards.push_str("</div>");
        page.raw(&cards);
    }
}

/// The curves of one or two evaluations under one set of weights.
pub(super) fn curves(page: &mut Page, views: &[(&View, Text)], id: &str) {
    page.section(&format!("{id}-roc"), &t("ROC 曲线", "ROC curve"));
    let share = |zh: &str, en: &str| Axis::exact(t(zh, en), 0.0, 1.0, Form::Percent);
    let mut plot = Plot::new(
        t("ROC 曲线", "Receiver operating characteristic"),
        t(
            "横轴：无问题者被划入的比例；纵轴：有问题者被划入的比例。曲线越靠左上越好，虚线为随机。",
            "Across: share of rows without a problem that are taken in; up: share of problems. The nearer to the upper left the better; dotted is random.",
        ),
        share(
            "无问题者中被划入的比例",
            "share of rows without a problem taken in",
        ),
        share("有问题者中被划入的比例", "share of problems taken in"),
    );
    plot.reference((0.0, 0.0), (1.0, 1.0));
    let mut columns = vec![(t("划入比例（无问题）", "taken in, no problem"), true)];
    for ((view, name), series) in views.iter().zip([Series::One, Series::Two]) {
        let points = view
            .curve
            .iter()
            .map(|point| (point.clean_share, point.found_share));
        plot.line(std::iter::once((0.0, 0.0)).chain(points), series);
        if views.len() > 1 {
            plot.legend(series, name.clone());
        }
        columns.push((
            if views.len() > 1 {
                name.clone()
            } else {
                t("覆盖问题", "problems taken in")
            },
            true,
        ));
    }
    let mut grid = Grid::new(&columns);
    for step in [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75] {
        let mut cells = vec![same(Form::Percent.of(step))];
        cells.extend(
            views
                .iter()
                .map(|(view, _)| same(Form::Percent.of(found_at(view, step)))),
        );
        grid.row(cells);
    }
    page.pair(
        &plot.svg(&format!("{id}-roc-plot")),
        &t("虚线：随机顺序。", "Dotted: random order."),
        &grid,
    );
    for (number, (view, name)) in views.iter().enumerate() {
        ks(
            page,
            view,
            name,
            &format!("{id}-ks-{number}"),
            views.len() > 1,
        );
    }
    lift(page, views, id);
}

/// Height of the curve above a share of clean rows.
fn found_at(view: &View, share: f64) -> f64 {
    let mut last = (0.0, 0.0);
    for point in &view.curve {
        if point.clean_share >= share {
            let span = point.clean_share - last.0;
            let along = if span > 0.0 {
                (share - last.0) / span
            } else {
                1.0
            };
            return last.1 + along * (point.found_share - last.1);
        }
        last = (point.clean_share, point.found_share);
    }
    1.0
}

fn ks(page: &mut Page, view: &View, name: &Text, id: &str, named: bool) {
    let (Some(first), Some(last)) = (view.curve.last(), view.curve.first()) else {
        return;
    };
    let title = t("评分分布与 KS", "Distributions of scores and KS");
    page.heading(&if named {
        t(
            format!("{}：{}", title.zh, name.zh),
            format!("{}: {}", title.en, name.en),
        )
    } else {
        title.clone()
    });
    let mut plot = Plot::new(
        title,
        t(
            "两条累计分布：评分低于横轴值的比例；实线为无问题者，虚线为有问题者。",
            "Two cumulative distributions: share of rows below a score; solid without a problem, dashed with one.",
        ),
        Axis::exact(t("评分", "score"), first.score, last.score, Form::Short),
        Axis::exact(
            t("低于该评分的比例", "share below the score"),
            0.0,
            1.0,
            Form::Percent,
        ),
    );
    plot.legend(Series::One, t("无问题", "no problem"));
    plot.legend(Series::Two, t("有问题", "problem"));
    plot.line(
        view.curve
            .iter()
            .map(|point| (point.score, 1.0 - point.clean_share)),
        Series::One,
    );
    plot.line(
        view.curve
            .iter()
            .map(|point| (point.score, 1.0 - point.found_share)),
        Series::Two,
    );
    let mut grid = Grid::new(&[
        (t("项", "figure"), false),
        (t("值", "value"), true),
        (t("95 % 区间", "95 % interval"), true),
    ]);
    let headline = &view.headline;
    for (name, figure) in [
        (same("KS"), &headline.ks),
        (same("AUC"), &headline.auc),
        (
            t("AUC（DeLong 区间）", "AUC (interval by DeLong)"),
            &headline.auc_delong,
        ),
        (same("Gini"), &headline.gini),
    ] {
        grid.row(vec![
            name,
            value_of(figure, Form::Plain),
            interval_of(figure, Form::Plain),
        ]);
    }
    if let Some(score) = view.ks_score {
        plot.reference((score, 0.0), (score, 1.0));
        grid.row(vec![
            t("差距最大处的评分", "score of the largest distance"),
            same(Form::Short.of(score)),
            same(""),
        ]);
    }
    page.pair(
        &plot.svg(id),
        &t(
            "竖虚线：差距最大处。",
            "Dotted upright: where the distance is largest.",
        ),
        &grid,
    );
}

fn lift(page: &mut Page, views: &[(&View, Text)], id: &str) {
    let top = views
        .iter()
        .flat_map(|(view, _)| view.deciles.iter().map(|decile| decile.rate))
        .fold(0.0, f64::max);
    if top <= 0.0 {
        return;
    }
    page.section(&format!("{id}-lift"), &t("提升", "Lift"));
    let names = (1..=10).map(|decile| same(decile.to_string())).collect();
    let mut plot = Plot::new(
        t("各十分位的问题率", "Problem rate by tenth"),
        t(
            "从评分最高的十分之一到最低的十分之一；横虚线为总体问题率。",
            "From the tenth with the highest scores to the lowest; the dotted line is the rate of all rows.",
        ),
        Axis::named(
            t(
                "十分位（1 为评分最高）",
                "tenth of rows (1 has the highest scores)",
            ),
            names,
        ),
        Axis::rounded(t("问题率", "problem rate"), 0.0, top, Form::Percent),
    );
    let wide = 0.8 / views.len().max(1) as f64;
    let mut columns = vec![(t("十分位", "tenth"), true)];
    for (number, ((view, name), series)) in views.iter().zip([Series::One, Series::Two]).enumerate()
    {
        let shift = (number as f64 - (views.len() as f64 - 1.0) / 2.0) * wide;
        for decile in &view.deciles {
            plot.bar(
                f64::from(decile.decile) - 0.5 + shift,
                decile.rate,
                wide * 0.95,
                None,
                series,
            );
        }
        if views.len() > 1 {
            plot.legend(series, name.clone());
        }
        let prefix = |zh: &str, en: &str| {
            if views.len() > 1 {
                t(
                    format!("{zh}（{}）", name.zh),
                    format!("{en} ({})", name.en),
                )
            } else {
                t(zh, en)
            }
        };
        columns.push((prefix("问题率", "rate"), true));
        columns.push((prefix("提升", "lift"), true));
        columns.push((prefix("累计覆盖", "captured"), true));
    }
    if let Some(rate) = views
        .first()
        .and_then(|(view, _)| view.headline.problem_rate.value)
    {
        plot.reference((0.0, rate), (10.0, rate));
    }
    let mut grid = Grid::new(&columns);
    for place in 0..10_usize {
        let mut cells = vec![same((place + 1).to_string())];
        for (view, _) in views {
            let decile = view.deciles.get(place);
            cells.push(same(
                Form::Percent.or_dash(decile.map(|decile| decile.rate)),
            ));
            cells.push(same(Form::Short.or_dash(decile.map(|decile| decile.lift))));
            cells.push(same(
                Form::Percent.or_dash(decile.map(|decile| decile.captured)),
            ));
        }
        grid.row(cells);
    }
    page.pair(
        &plot.svg(&format!("{id}-lift-plot")),
        &t("横虚线：总体问题率。", "Dotted: the rate of all rows."),
        &grid,
    );
}

/// What the sampling policy would have found.
pub(super) fn backtest(page: &mut Page, evaluation: &Evaluation) {
    let policy = evaluation
        .views
        .last()
        .and_then(|view| view.policy.as_ref());
    if policy.is_none() && evaluation.order.is_none() {
        return;
    }
    page.section(
        "backtest",
        &t("抽查回测", "What the sampling would have found"),
    );
    if let Some(policy) = policy {
        policy_part(page, policy);
    }
    if let Some(order) = &evaluation.order {
        order_part(page, order);
    }
}

fn policy_part(page: &mut Page, policy: &PolicyBacktest) {
    let rows = [
        (t("统一比例", "one rate for all"), &policy.uniform),
        (t("按策略比例", "the policy's rates"), &policy.policy),
        (t("只查评分最高者", "highest scores only"), &policy.by_score),
        (t("上限（全知）", "the most possible"), &policy.best),
    ];
    // The most possible is often 100 % and would press the others flat; it stands in the table.
    let drawn = 3;
    let top = rows
        .iter()
        .take(drawn)
        .filter_map(|(_, figure)| figure.high.or(figure.value))
        .fold(0.0, f64::max);
    let mut plot = Plot::new(
        t("每次检查发现的问题", "Problems found per visit"),
        t(
            "同样的检查次数在三种安排下每次检查发现问题的期望。",
            "Expected problems per visit for the same number of visits under three ways to place them.",
        ),
        Axis::named(
            same(""),
            rows.iter()
                .take(drawn)
                .map(|(name, _)| name.clone())
                .collect(),
        ),
        Axis::rounded(
            t("每次检查发现问题", "problems per visit"),
            0.0,
            top,
            Form::Percent,
        ),
    );
    let mut grid = Grid::new(&[
        (t("安排", "visits go to"), false),
        (t("每次检查", "per visit"), true),
        (t("95 % 区间", "95 % interval"), true),
    ])
    .caption(t(
        format!("检查对象占比 {}", Form::Percent.of(policy.visited)),
        format!(
            "Share of objects visited: {}",
            Form::Percent.of(policy.visited)
        ),
    ));
    for (place, (name, figure)) in rows.into_iter().enumerate() {
        if let Some(value) = figure.value.filter(|_| place < drawn) {
            plot.bar(
                place as f64 + 0.5,
                value,
                0.6,
                figure.low.zip(figure.high),
                Series::One,
            );
        }
        grid.row(vec![
            name,
            value_of(figure, Form::Percent),
            interval_of(figure, Form::Percent),
        ]);
    }
    grid.row(vec![
        t("策略 / 统一", "policy / one rate"),
        value_of(&policy.ratio, Form::Plain),
        interval_of(&policy.ratio, Form::Plain),
    ]);
    page.pair(
        &plot.svg("policy-plot"),
        &t("期望值，非模拟。只查评分最高者会放弃对其余对象的检查，因此策略不这样做。",
           "Expectations, not a simulation. Visiting the highest scores only would leave all others unseen, which the policy does not do."),
        &grid,
    );
}

fn order_part(page: &mut Page, order: &OrderBacktest) {
    page.heading(&t("提前发现的天数", "Days earlier"));
    page.paragraph(&t(
        format!("把实际的检查在每 {} 天的窗口内按评分由高到低重新排序（共 {} 个窗口），每个问题平均提前发现的天数。", order.window_days, order.windows),
        format!(
            "The visits that were made, made again by falling score within windows of {} days ({} windows): mean days by which each problem would have been found earlier.",
            order.window_days, order.windows
        ),
    ));
    let mut grid = Grid::new(&[
        (t("顺序", "order"), false),
        (t("天", "days"), true),
        (t("95 % 区间", "95 % interval"), true),
    ]);
    for (name, figure) in [
        (t("按评分", "by score"), &order.days_earlier),
        (t("随机", "random"), &order.random_days),
        (t("完美", "perfect"), &order.perfect_days),
    ] {
        grid.row(vec![
            name,
            value_of(figure, Form::Short),
            interval_of(figure, Form::Short),
        ]);
    }
    grid.row(vec![
        t("技巧（0 随机，1 完美）", "skill (0 random, 1 perfect)"),
        value_of(&order.skill, Form::Plain),
        interval_of(&order.skill, Form::Plain),
    ]);
    page.grid(&grid);
}
