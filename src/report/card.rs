//! The model card: what the model is for, what it is not for, where it comes from, and whether it kept its bounds.

use super::page::{Grid, Page};
use super::text::{Form, Text, count, escape, same, t};
use crate::service::figures::{Evaluation, GuardResult, GuardState, Remark};

fn remark(remark: Remark) -> Text {
    match remark {
        Remark::OneClass => t(
            "所有行的结果相同，无法评价排序。",
            "Every row has the same outcome; nothing can be ranked.",
        ),
        Remark::EqualScores => t("所有行的评分相同。", "Every row has the same score."),
        Remark::FewProblems => t(
            "发现的问题不足一百个，区间很宽。",
            "Fewer than a hundred problems were found: intervals are wide.",
        ),
        Remark::MayLeak => t(
            "AUC 达到 0.99：请检查是否有特征已知道结果。",
            "The area is 0.99 or more: look for a feature that knows the outcome.",
        ),
        Remark::NoWeights => t(
            "没有设计权重：这些数字说的是已做的检查，不能直接推断到全部对象。",
            "Without design weights the figures speak of the visits that were made, not of all that could have been.",
        ),
        Remark::RepeatedEnterprises => t(
            "有企业出现多次：区间按企业合并计算。",
            "Enterprises recur: intervals take the rows of one enterprise together.",
        ),
        Remark::NoProbabilities => t(
            "模型不给出概率，因此没有校准结果。",
            "The model gives no probabilities, so there is no calibration.",
        ),
        Remark::NoTiers => t(
            "没有类别，因此没有类别表。",
            "Tiers are absent, so there is no tier table.",
        ),
    }
}

/// What was evaluated, and what a reader must know first.
pub(super) fn summary(page: &mut Page, evaluation: &Evaluation) {
    let (subject, data) = (&evaluation.subject, &evaluation.data);
    let days = match (data.from, data.to) {
        (Some(from), Some(to)) => format!("{from} … {to}"),
        _ => "–".to_owned(),
    };
    let mut list = String::from("<dl>");
    for (name, value) in [
        (t("模型", "Model"), subject.model.clone()),
        (t("数据", "Rows"), subject.data.clone()),
        (t("结果", "Outcome"), subject.outcome.clone()),
        (
            t("行数 / 企业 / 问题", "Rows / enterprises / problems"),
            format!(
                "{} / {} / {}",
                count(data.rows),
                count(data.enterprises),
                count(data.found)
            ),
        ),
        (t("日期", "Days"), days),
    ]
    .into_iter()
    .chain(
        subject
            .digest
            .clone()
            .map(|digest| (t("摘要值", "Digest"), digest)),
    ) {
        list.push_str(&format!(
            "<dt>{}</dt><dd>{}</dd>",
            name.html(),
            escape(&value)
        ));
    }
    list.push_str("</dl>");
    page.raw(&list);
    if !evaluation.remarks.is_empty() {
        let mut list = String::from("<ul class=\"remarks\">");
        for told in &evaluation.remarks {
            list.push_str(&format!("<li>{}</li>", remark(*told).html()));
        }
        list.push_str("</ul>");
        page.raw(&list);
    }
}

pub(super) fn guard_name(guard: &str) -> Text {
    match guard.split_once('.') {
        Some(("tier_share", tier)) => t(format!("{tier} 类占比"), format!("share of tier {tier}")),
        Some(("feature_shift", feature)) => t(
            format!("特征稳定性：{feature}"),
            format!("stability of {feature}"),
        ),
        Some(_) | None => match guard {
            "monotone_tiers" => t("问题率从 A 到 D 上升", "rates rise from A to D"),
            "auc" => same("AUC"),
            "calibration_error" => t(
                "校准误差（超出偶然部分）",
                "calibration error beyond chance",
            ),
            "score_shift" => t("评分稳定性", "stability of the score"),
            "features_present" => t("基线特征齐全", "features of the baseline are present"),
            other => same(other),
        },
    }
}

/// A bound in both languages; JSON and the command line give it in English.
pub(super) fn limit(told: &str) -> Text {
    let rows = told
        .strip_prefix("1 (rates rise from A to D over tiers with at least ")
        .and_then(|rest| rest.strip_suffix(" rows)"));
    let beyond = told
        .strip_prefix("at most ")
        .and_then(|rest| rest.strip_suffix(" beyond chance"));
    let zh = if let Some(rows) = rows {
        format!("1（至少 {rows} 行的类别，问题率从 A 到 D 上升）")
    } else if let Some(most) = beyond {
        format!("超出偶然部分不高于 {most}")
    } else if let Some(least) = told.strip_prefix("at least ") {
        format!("不低于 {least}")
    } else if let Some(most) = told.strip_prefix("below ") {
        format!("低于 {most}")
    } else if told == "0 features of the baseline are absent" {
        "基线特征缺少 0 项".to_owned()
    } else if let Some((least, most)) = told.split_once(" to ") {
        format!("{least} 至 {most}")
    } else {
        told.to_owned()
    };
    t(zh, told)
}

/// The guard rails.
pub(super) fn guards(page: &mut Page, results: &[GuardResult]) {
    page.section("guards", &t("护栏", "Guard rails"));
    let [mut grid, mut steady] = [(); 2].map(|()| {
        Grid::new(&[
            (t("护栏", "guard"), false),
            (t("值", "value"), true),
            (t("界限", "limit"), false),
            (t("状态", "state"), false),
        ])
    });
    let mut steady_count = 0;
    // Broken ones first; features that hold are many and say little.
    let mut ordered: Vec<&GuardResult> = results.iter().collect();
    ordered.sort_by_key(|result| match result.state {
        GuardState::Broken => 0,
        GuardState::NotEstimable => 1,
        GuardState::Holds => 2,
    });
    for result in ordered {
        let (told, class) = match result.state {
            GuardState::Holds => (t("✓ 守住", "✓ holds"), "state holds"),
            GuardState::Broken => (t("✗ 突破", "✗ broken"), "state broken"),
            GuardState::NotEstimable => (t("– 无法判断", "– cannot be judged"), ""),
        };
        let value = match result.guard.split_once('.') {
            Some(("tier_share", _)) => Form::Percent.or_dash(result.value),
            Some(_) | None => Form::Plain.or_dash(result.value),
        };
        let row = vec![
            (guard_name(&result.guard), ""),
            (same(value), ""),
            (limit(&result.limit), ""),
            (told, class),
        ];
        if result.state == GuardState::Holds && result.guard.starts_with("feature_shift.") {
            steady_count += 1;
            steady.marked_row("", row);
        } else {
            grid.marked_row("", row);
        }
    }
    page.grid(&grid);
    if steady_count > 0 {
        let title = t(
            format!("另有 {steady_count} 个特征稳定"),
            format!("{steady_count} more features are stable"),
        );
        page.folded(&title, &steady);
    }
}

/// The card of one model.
pub(super) fn model_card(page: &mut Page, evaluation: &Evaluation) {
    page.section("card", &t("模型卡", "Model card"));
    for (name, text) in [
        (
            t("用途", "Intended use"),
            t(
                "监管内部的风险分类，用来决定双随机抽查的比例和频次。",
                "Internal risk tiers for supervision, which set the rates and frequency of double-random inspection.",
            ),
        ),
        (
            t("不得用于", "Not for use"),
            t(
                "公开评级、信贷或交易决定、免于检查，或在没有检查事实时作为处罚依据。",
                "Public rating, credit or trading decisions, exemption from inspection, or as grounds for a penalty without findings of fact.",
            ),
        ),
        (
            t("局限", "Limits"),
            t(
                "结果来自已做的检查：没有设计权重时不能推断未被检查者；问题率随季节、地区和检查人员变化；分组结果受样本量限制。",
                "Outcomes come from inspections that were made: without design weights they say nothing of those that were not. Problem rates vary by season, area and inspector. Figures by group are bounded by their numbers.",
            ),
        ),
        (
            t("解释与异议", "Explanation and objection"),
            t(
                "每个类别都可逐项解释到记录；企业可以提出异议，期间类别不变。",
                "Every tier is explained down to the records; enterprises may object, and their tier stays while that is examined.",
            ),
        ),
    ] {
        page.heading(&name);
        page.paragraph(&text);
    }
    if let Some(manifest) = &evaluation.subject.manifest {
        page.heading(&t(
            "来源（模型自带说明）",
            "Provenance (the model's own manifest)",
        ));
        let text = serde_json::to_string_pretty(manifest).unwrap_or_default();
        page.raw(&format!("<pre>{}</pre>", escape(&text)));
    }
}

/// How the figures come about.
pub(super) fn methods(page: &mut Page, evaluation: &Evaluation) {
    page.section("methods", &t("方法", "Methods"));
    page.note(&t(
        format!(
            "AUC 按 Mann–Whitney 计算，同分各计一半；区间为以企业为单位的百分位自助法（{} 次，种子 {}），并以 DeLong 法核对。比例区间为 Wilson 区间，有效样本量计入权重和重复检查（Korn–Graubard）；精确区间为 Clopper–Pearson。校准误差按等权十组计算。稳定性指数按基线十组计算，每组加半行。提前天数为同分次序的期望。同一数据和种子得到同样的字节。格式 {}。",
            evaluation.settings.rounds, evaluation.settings.seed, evaluation.format
        ),
        format!(
            "AUC by Mann–Whitney, ties counting half; intervals are percentiles over resamples of enterprises ({} rounds, seed {}), cross-checked by DeLong. Intervals of proportions are Wilson's at an effective number of rows that knows weights and repeated visits (Korn–Graubard); exact ones are Clopper–Pearson's. Calibration error over ten bins of equal weight. Stability indices over ten bins of the baseline with half a row added to each. Days earlier are expectations over the order of equal scores. The same rows and seed give the same bytes. Format {}.",
            evaluation.settings.rounds, evaluation.settings.seed, evaluation.format
        ),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_read_in_chinese_too() {
        for (told, zh) in [
            ("0.2 to 0.95", "0.2 至 0.95"),
            ("at least 0.5", "不低于 0.5"),
            ("below 0.25", "低于 0.25"),
            ("at most 0.05 beyond chance", "超出偶然部分不高于 0.05"),
            (
                "1 (rates rise from A to D over tiers with at least 30 rows)",
                "1（至少 30 行的类别，问题率从 A 到 D 上升）",
            ),
        ] {
            assert_eq!(limit(told), t(zh, told));
        }
    }
}
