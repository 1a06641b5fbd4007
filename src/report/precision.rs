//! How far the estimates of a plan may be off, on its sheet.

use std::collections::BTreeMap;

use super::page::{Grid, Page};
use super::text::{Text, count, same, t};
use crate::service::{BoundPreview, DomainTrait, PrecisionPreview};

/// The bounds on precision, what the plan leads to, and what a tighter one would cost.
pub(super) fn precision(page: &mut Page, preview: &PrecisionPreview) {
    page.heading(&t("估计精度", "Precision of the estimates"));
    page.paragraph(&t(
        "各层数量按精度要求确定：在下列各项要求同时满足的前提下，所用人日最少（Bethel 法）。变异系数是估计总数的标准误与总数之比。",
        "How many are drawn follows from the precision that is asked for: as few inspector-days as hold all of these at once (Bethel's allocation). The coefficient of variation is the standard error of an estimated total over the total.",
    ));
    let mut grid = Grid::new(&[
        (t("估计什么", "estimate of"), false),
        (t("范围", "over"), false),
        (t("对象", "objects"), true),
        (t("预计总数", "expected total"), true),
        (t("变异系数上限", "most allowed"), true),
        (t("预计变异系数", "expected"), true),
        (t("再降一个百分点约需人日", "days for one point less"), true),
    ]);
    for bound in &preview.bounds {
        let BoundPreview {
            of,
            domain: over,
            object_count,
            expected_total,
            most_cv,
            expected_cv,
            days_per_point,
        } = bound;
        grid.row(vec![
            match of.as_str() {
                "problems" => t("发现问题", "visits that find a problem"),
                other => same(other),
            },
            domain(over),
            same(count(*object_count)),
            same(format!("{expected_total:.1}")),
            same(format!("{:.2} %", most_cv * 100.0)),
            same(format!("{:.2} %", expected_cv * 100.0)),
            if *days_per_point > 0.0 {
                same(format!("{days_per_point:.1}"))
            } else {
                t("自然满足", "holds anyway")
            },
        ]);
    }
    page.grid(&grid);
    page.note(&t(
        "按期望样本量计算，不含用于评估的等概率抽取。",
        "At the expected sizes, without what is drawn for evaluation.",
    ));
    if !preview.census.is_empty() {
        let keys = preview.census.join(", ");
        page.note(&t(
            format!("全部检查的层：{keys}。"),
            format!("Everybody is visited in: {keys}."),
        ));
    }
}

/// A domain in both languages.
fn domain(over: &BTreeMap<DomainTrait, String>) -> Text {
    if over.is_empty() {
        return t("整个计划", "the whole plan");
    }
    let (mut zh, mut en) = (Vec::new(), Vec::new());
    for (one, value) in over {
        let (name_zh, name_en) = match one {
            DomainTrait::Tier => ("类别", "tier"),
            DomainTrait::ComplaintBand => ("投诉", "complaints"),
            DomainTrait::Division => ("辖区", "division"),
            DomainTrait::City => ("市", "city"),
            DomainTrait::Province => ("省", "province"),
            DomainTrait::Industry => ("行业", "industry"),
            DomainTrait::Kind => ("类型", "kind"),
            DomainTrait::Size => ("规模", "size"),
        };
        let value = if value.is_empty() { "–" } else { value };
        zh.push(format!("{name_zh} {value}"));
        en.push(format!("{name_en} {value}"));
    }
    t(zh.join("，"), en.join(", "))
}
