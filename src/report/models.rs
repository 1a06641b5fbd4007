//! The pages about a registered model: its validation, and the card about it.

use super::card::{guard_name, limit};
use super::comparison::comparison_sections;
use super::page::{Grid, Page};
use super::text::{Form, Language, Text, count, interval_of, same, t, value_of};
use crate::domain::Tier;
use crate::service::figures::GuardState;
use crate::service::{
    CardValidation, Disagreement, Gate, ModelCard, ModelState, ModelValidation, Raises,
};

/// The validation of a model as a self-contained HTML page.
pub fn validation_page(validation: &ModelValidation, language: Language) -> String {
    let short: String = validation.model_id.chars().take(12).collect();
    let mut page = Page::new(t(
        format!("模型校验：{short}"),
        format!("Validation of model {short}"),
    ));
    page.paragraph(&match (validation.passed, validation.forced) {
        (true, _) => t("所有关口均通过。", "Every gate holds."),
        (false, true) => t(
            "有关口未通过，已由负责人说明理由后放行。",
            "Gates are broken and were overridden by a person who said why.",
        ),
        (false, false) => t(
            "有关口未通过，模型未获校验。",
            "Gates are broken; the model is not validated.",
        ),
    });
    page.paragraph(&t(
        format!(
            "{} 提出，{} 完成；按 {} 的分类与其后的检查结果评判。",
            validation.by, validation.on, validation.as_of
        ),
        format!(
            "Asked for by {}, done on {}; judged by the tiers as of {} and what was found after it.",
            validation.by, validation.on, validation.as_of
        ),
    ));
    gates(&mut page, &validation.gates);
    disagreement(&mut page, &validation.disagreement);
    if let Some(comparison) = &validation.comparison {
        comparison_sections(&mut page, comparison);
    }
    page.finish(language)
}

fn gates(page: &mut Page, gates: &[Gate]) {
    page.section("gates", &t("关口", "Gates"));
    let mut grid = Grid::new(&[
        (t("关口", "gate"), false),
        (t("状态", "state"), false),
        (t("数值", "value"), true),
        (t("要求", "asked for"), false),
        (t("可否强制", "may be overridden"), false),
    ]);
    for gate in gates {
        let (state, class) = match gate.state {
            GuardState::Holds => (t("通过", "holds"), "good"),
            GuardState::Broken => (t("未通过", "broken"), "bad"),
            GuardState::NotEstimable => (t("无法判断", "not estimable"), ""),
        };
        grid.marked_row(
            "",
            vec![
                (gate_name(&gate.gate), ""),
                (state, class),
                (same(gate.value.map_or_else(String::new, gate_value)), ""),
                (gate_limit(gate), ""),
                (
                    if gate.may_force {
                        t("可", "yes")
                    } else {
                        t("否", "no")
                    },
                    "",
                ),
            ],
        );
    }
    page.grid(&grid);
}

/// A gate in Chinese words, and by the name that JSON and the command line give it.
fn gate_name(gate: &str) -> Text {
    let zh = match gate {
        "vectors" => "测试向量".to_owned(),
        "direction" => "方向".to_owned(),
        "convergence" => "收敛".to_owned(),
        "time_split" => "按时间划分".to_owned(),
        "later_inspections" => "后续检查".to_owned(),
        "not_worse_than_live" => "不劣于现行模型".to_owned(),
        "guard.mix_shift" => "全体名录类别占比的稳定性".to_owned(),
        other => other
            .strip_prefix("guard.")
            .map_or_else(|| other.to_owned(), |guard| guard_name(guard).zh),
    };
    t(zh, gate)
}

/// Counts as they are, small numbers by their size.
fn gate_value(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else if value.abs() < 1e-4 {
        format!("{value:.1e}")
    } else {
        format!("{value:.4}")
    }
}

fn gate_limit(gate: &Gate) -> Text {
    let zh = match gate.gate.as_str() {
        "vectors" => "每个测试向量都得到所记的分数；手写的卡没有测试向量".to_owned(),
        "direction" => "没有分数与目录声明的方向相反".to_owned(),
        "convergence" => "逻辑回归的梯度检验通过；提升法在留出行上停止，没有此项".to_owned(),
        "time_split" => "用来评判的检查晚于拟合所用的行".to_owned(),
        "later_inspections" => "名录中有评判日之后的检查".to_owned(),
        "not_worse_than_live" => "AUC 差的区间不全在 0 以下".to_owned(),
        "guard.mix_shift" => {
            let most = gate.limit.rsplit(' ').next().unwrap_or_default();
            format!("与现行模型相比，全体名录类别占比的稳定性指数低于 {most}")
        }
        _ => limit(&gate.limit).zh,
    };
    t(zh, &gate.limit)
}

fn state_name(state: ModelState) -> Text {
    let zh = match state {
        ModelState::Draft => "草稿",
        ModelState::Validated => "已校验",
        ModelState::Approved => "已批准",
        ModelState::Shadow => "影子运行",
        ModelState::Live => "现行",
        ModelState::Retired => "停用",
    };
    t(zh, state.as_str())
}

/// How the rows were divided, in words.
fn division(split: &serde_json::Value) -> Text {
    let number = |key: &str| {
        count(
            split
                .get(key)
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(0),
        )
    };
    let by = split
        .get("by")
        .and_then(|by| by.as_str())
        .unwrap_or_default();
    let from = split.get("validation_from").and_then(|day| day.as_str());
    let by_zh = match by {
        "day" => "按日",
        "group" => "按企业",
        "row" => "按行",
        _ => "不划分",
    };
    let (fit, validation) = (number("fit_count"), number("validation_count"));
    let (purged, weightless) = (number("purged_count"), number("weightless_count"));
    let (from_zh, from_en) = from.map_or_else(Default::default, |day| {
        (format!("（自 {day}）"), format!(" (from {day})"))
    });
    t(
        format!(
            "{by_zh}：拟合 {fit} 行，校验 {validation} 行{from_zh}，间隔内 {purged} 行，无权重 {weightless} 行"
        ),
        format!(
            "by {by}: {fit} rows fitted, {validation} validate{from_en}, {purged} in the gap, {weightless} without weight"
        ),
    )
}

fn disagreement(page: &mut Page, found: &Disagreement) {
    page.section(
        "register",
        &t("全体名录上的差异", "Where the register would differ"),
    );
    page.paragraph(&t(
        format!(
            "截至 {}，{} 户中有 {} 户类别不同，其中 {} 户变差，{} 户在 A 与 C、D 之间变动。",
            found.as_of,
            count(found.enterprise_count),
            count(found.changed_count),
            count(found.worsened_count),
            count(found.far_count)
        ),
        format!(
            "As of {}: of {} enterprises {} have another tier, {} of them a worse one; {} go between A and C or D.",
            found.as_of,
            count(found.enterprise_count),
            count(found.changed_count),
            count(found.worsened_count),
            count(found.far_count)
        ),
    ));
    let mut columns = vec![(t("现行 \\ 候选", "live \\ candidate"), false)];
    columns.extend(Tier::ALL.iter().map(|tier| (same(tier.to_string()), true)));
    let mut grid = Grid::new(&columns);
    for from in Tier::ALL {
        let mut row = vec![same(from.to_string())];
        for to in Tier::ALL {
            let cell = found
                .moves
                .iter()
                .find(|one| one.from == *from && one.to == *to);
            row.push(same(count(cell.map_or(0, |cell| cell.count))));
        }
        grid.row(row);
    }
    page.grid(&grid);
    let mut grid = Grid::new(&[
        (t("分组", "grouping"), false),
        (t("组", "group"), false),
        (t("户数", "enterprises"), true),
        (t("变动", "changed"), true),
        (t("变差", "worse"), true),
        (t("现行 D", "D, live"), true),
        (t("候选 D", "D, candidate"), true),
    ]);
    for group in &found.groups {
        grid.row(vec![
            grouping(&group.grouping),
            same(&group.group),
            same(count(group.enterprise_count)),
            same(count(group.changed_count)),
            same(count(group.worsened_count)),
            same(count(group.live_d_count)),
            same(count(group.candidate_d_count)),
        ]);
    }
    page.grid(&grid);
}

fn grouping(name: &str) -> Text {
    match name {
        "division" => t("区划", "division"),
        "industry" => t("行业", "industry"),
        "size" => t("规模", "size"),
        "age" => t("年限", "age"),
        other => same(other),
    }
}

/// The card about a model as a self-contained HTML page.
pub fn model_card_page(card: &ModelCard, language: Language) -> String {
    let name = format!("{} {}", card.name, card.version);
    let mut page = Page::new(t(format!("模型卡：{name}"), format!("Model card: {name}")));
    let mut grid = Grid::new(&[(t("项目", "item"), false), (t("内容", "content"), false)]);
    let mut add = |name: Text, value: Text| grid.row(vec![name, value]);
    add(t("编号（SHA-256）", "id (SHA-256)"), same(&card.model_id));
    add(t("状态", "state"), state_name(card.state));
    let origin = match card.origin.as_str() {
        "trained" => t("训练", "trained"),
        other => same(other),
    };
    add(t("来源", "origin"), origin);
    for (label, value) in [
        (t("登记人", "author"), &card.author),
        (t("批准人", "approver"), &card.approver),
        (t("前一版", "parent"), &card.parent),
    ] {
        if let Some(value) = value {
            add(label, same(value));
        }
    }
    if let Some(day) = card.review_on {
        add(t("复审日期", "due for review"), same(day.to_string()));
    }
    add(
        t("用途", "intended use"),
        t(&card.intended_use.zh, &card.intended_use.en),
    );
    add(
        t("不得用于", "not for"),
        t(&card.not_for.zh, &card.not_for.en),
    );
    for limit in &card.limits {
        add(t("局限", "limit"), t(&limit.zh, &limit.en));
    }
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    for (key, label) in [
        ("row_count", t("训练行数", "training rows")),
        ("first_day", t("首日", "first day")),
        ("last_day", t("末日", "last day")),
        ("digest", t("数据摘要", "digest of the data")),
    ] {
        let value = card.data.get(key).map(text).unwrap_or_default();
        if !value.is_empty() {
            add(label, same(value));
        }
    }
    if let Some(split) = card.data.get("split").filter(|split| split.is_object()) {
        add(t("划分", "division of the rows"), division(split));
    }
    let why = card.fitter.get("why").map(text).unwrap_or_default();
    if why == "asked for" {
        add(t("拟合", "fitter"), t("按要求选定", why));
    } else if !why.is_empty() {
        add(t("拟合", "fitter"), same(why));
    }
    add(
        t("分界点 B/C/D", "cut-offs B/C/D"),
        same(format!(
            "{} / {} / {}",
            card.cutoffs.b, card.cutoffs.c, card.cutoffs.d
        )),
    );
    add(t("成对项", "pair terms"), same(card.pair_count.to_string()));
    add(
        t("测试向量", "test vectors"),
        same(card.vector_count.to_string()),
    );
    page.grid(&grid);
    inputs(&mut page, card);
    if let Some(validation) = &card.validation {
        if let Some(headline) = &validation.headline {
            page.section(
                "figures",
                &t(
                    "校验指标（95 % 区间）",
                    "Figures of the validation (95 % intervals)",
                ),
            );
            page.paragraph(&same(&validation.outcome));
            let mut grid = Grid::new(&[
                (t("指标", "figure"), false),
                (t("数值", "value"), true),
                (t("区间", "interval"), false),
            ]);
            for (name, figure) in [
                (same("AUC"), &headline.auc),
                (same("KS"), &headline.ks),
                (
                    t("前 10 % 的提升", "lift, top 10 %"),
                    &headline.lift_top_tenth,
                ),
                (t("问题率", "problem rate"), &headline.problem_rate),
                (t("布赖尔分", "Brier"), &headline.brier),
            ] {
                grid.row(vec![
                    name,
                    value_of(figure, Form::Plain),
                    interval_of(figure, Form::Plain),
                ]);
            }
            page.grid(&grid);
        }
        by_group(&mut page, validation);
        gates(&mut page, &validation.gates);
    }
    page.finish(language)
}

fn by_group(page: &mut Page, validation: &CardValidation) {
    let mut grid = Grid::new(&[
        (t("分组", "grouping"), false),
        (t("组", "group"), false),
        (t("行数", "rows"), true),
        (t("问题率", "problem rate"), true),
        (t("D 类占比", "share in D"), true),
        (t("组内 AUC", "AUC within"), true),
    ]);
    let percent = |share: Option<f64>| {
        share.map_or_else(String::new, |share| format!("{:.1} %", share * 100.0))
    };
    for grouping_table in &validation.groups {
        for group in &grouping_table.groups {
            let name = if group.pooled.is_some() {
                t("其他", "others")
            } else {
                same(&group.name)
            };
            grid.row(vec![
                grouping(&grouping_table.name),
                name,
                same(count(group.found.rows)),
                same(percent(group.found.rate)),
                same(percent(group.share_in_d)),
                value_of(&group.auc, Form::Plain),
            ]);
        }
    }
    page.section("groups", &t("分组指标", "Figures by group"));
    page.grid(&grid);
}

fn inputs(page: &mut Page, card: &ModelCard) {
    page.section("inputs", &t("输入指标", "Inputs"));
    let mut grid = Grid::new(&[
        (t("代码", "code"), false),
        (t("名称", "name"), false),
        (t("方向", "direction"), false),
        (t("最少分", "least points"), true),
        (t("最多分", "most points"), true),
    ]);
    for input in &card.inputs {
        grid.row(vec![
            same(&input.code),
            input
                .names
                .as_ref()
                .map_or_else(|| same(""), |names| t(&names.zh, &names.en)),
            match input.direction.map(|direction| direction == Raises::Raises) {
                Some(true) => t("升高风险", "raises"),
                Some(false) => t("降低风险", "lowers"),
                None => same(""),
            },
            same(input.least_points.to_string()),
            same(input.most_points.to_string()),
        ]);
    }
    page.grid(&grid);
}
