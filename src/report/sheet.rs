//! The plan sheet: one page to print, sign and file, that says in plain words what was drawn, by which rule, and how
//! anyone can check it.

use super::page::{Grid, Page};
use super::precision::precision;
use super::text::{Language, Text, count, escape, same, t};
use crate::domain::ReplaceReason;
use crate::domain::digest::HashAlgorithm;
use crate::service::{
    Audience, DrawnObject, Evidence, InternalPart, ItemClass, Method, PlanSheet, PlanState,
    Rounding,
};

/// Parts per billion of a visit.
const PPB: f64 = 1e9;

/// The sheet of a plan as one self-contained HTML page.
#[must_use]
pub fn plan_sheet_page(sheet: &PlanSheet, language: Language) -> String {
    let number = sheet
        .number
        .map_or_else(String::new, |number| format!(" № {number}"));
    let mut page = Page::new(t(
        format!("抽查计划表{number}"),
        format!("Inspection plan{number}"),
    ));
    head(&mut page, sheet);
    words(&mut page, sheet);
    facts(&mut page, sheet);
    if let Some(internal) = &sheet.internal {
        strata(&mut page, sheet, internal);
    }
    objects(&mut page, sheet);
    replaced(&mut page, sheet);
    if let Some(evidence) = &sheet.evidence {
        proofs(&mut page, sheet, evidence);
        verifying(&mut page, sheet, evidence);
    }
    signatures(&mut page);
    page.finish(language)
}

fn state(state: PlanState) -> Text {
    match state {
        PlanState::Draft => t("草稿（未冻结）", "draft, nothing fixed yet"),
        PlanState::Frozen => t("已冻结，未抽取", "frozen, not drawn yet"),
        PlanState::Drawn => t("已抽取，未关闭", "drawn, not closed yet"),
        PlanState::Closed => t("已关闭", "closed"),
        PlanState::Void => t("已作废", "void"),
    }
}

/// Title, number, state and for whom the sheet is.
fn head(page: &mut Page, sheet: &PlanSheet) {
    let audience = match sheet.audience {
        Audience::Internal => t(
            "内部资料 · 检查前不得外传",
            "Internal · not to leave the office before the visits",
        ),
        Audience::Public => t(
            "公开版 · 不含风险类别",
            "Public edition · shows no risk tier",
        ),
    };
    page.raw(&format!(
        "<p class=\"subtitle\"><b>{}</b><span class=\"tag\">{}</span><span class=\"tag\">{}</span></p>",
        escape(&sheet.title),
        state(sheet.state).html(),
        audience.html()
    ));
    if let Some(reason) = &sheet.void_reason {
        page.raw(&format!(
            "<p class=\"warn\">{} {}</p>",
            t("作废原因：", "Void because:").html(),
            escape(reason)
        ));
    }
    if sheet
        .evidence
        .as_ref()
        .is_some_and(|evidence| evidence.insecure)
    {
        page.raw(&format!(
            "<p class=\"warn\">{}</p>",
            t(
                "演示：随机秘密由固定种子产生，本次抽取不能证明任何事情。",
                "Demonstration: the secrets follow from a fixed seed, so this draw proves nothing."
            )
            .html()
        ));
    }
}

/// What happened, in plain words.
fn words(page: &mut Page, sheet: &PlanSheet) {
    let (pool, as_of) = (count(sheet.pool_size), sheet.as_of);
    page.section("what", &t("抽取了什么", "What was drawn"));
    let drawn = sheet.sample_size.map(count);
    page.paragraph(&match (&drawn, sheet.method) {
        (None, _) => t(
            format!("检查对象名录截至 {as_of}，本计划的抽样池有 {pool} 个对象。尚未抽取。"),
            format!("As of {as_of} the pool of this plan holds {pool} objects. Nothing is drawn yet."),
        ),
        (Some(_), Method::Order) => t(
            format!("检查对象名录截至 {as_of}，本计划的抽样池有 {pool} 个对象，全部检查；抽签只决定先后次序。"),
            format!("As of {as_of} the pool of this plan holds {pool} objects. All of them are checked; the draw decides in which order."),
        ),
        (Some(drawn), Method::Equal | Method::Pareto) => t(
            format!("检查对象名录截至 {as_of}，本计划的抽样池有 {pool} 个对象，从中抽取了 {drawn} 个。"),
            format!("As of {as_of} the pool of this plan holds {pool} objects. Of these, {drawn} were drawn."),
        ),
    });
    page.paragraph(&rule(sheet));
    let chosen = match &sheet.evidence {
        None => t(
            "种子在冻结之后才产生，届时任何人都不能挑选检查对象。",
            "The seed comes into being only after the freeze; then nobody can choose who is visited.",
        ),
        Some(evidence) if evidence.is_public => t(
            "冻结时抽样池、数量和各方承诺均已固定并公布；种子还取决于冻结之后才出现的公开结果，因此包括操作人员在内，谁也不能挑选检查对象。",
            "Pool, numbers and commitments were fixed and published at the freeze. The seed also rests on a public result that came only after it, so nobody, not even the operator, could choose who is visited.",
        ),
        Some(_) => t(
            "冻结时抽样池、数量和随机秘密的承诺均已固定；此后未作任何改动，任何人都可以复核。",
            "Pool, numbers and the commitment to the random secret were fixed at the freeze. Nothing was changed since, and that can be checked.",
        ),
    };
    page.paragraph(&chosen);
}

fn rule(sheet: &PlanSheet) -> Text {
    let hash = hash_name(sheet.hash);
    let explored = if sheet.exploration_n == 0 {
        t("", "")
    } else {
        let n = count(sheet.exploration_n);
        t(
            format!("另有 {n} 个从整个抽样池中等概率抽取，用于评估。"),
            format!(
                " Another {n} are drawn from the whole pool with equal probability, so that the policy can be evaluated."
            ),
        )
    };
    let rule = match sheet.method {
        Method::Order => t(
            format!(
                "规则：每个对象的号码是“种子,编号”的 {hash} 摘要；全部对象按号码从小到大排列。"
            ),
            format!(
                "Rule: an object's ticket is the {hash} digest of seed, comma and id; all objects are put in order of their tickets, the smallest first."
            ),
        ),
        Method::Equal => t(
            format!(
                "规则：对象按既定标准分层，每层数量在冻结时确定；每个对象的号码是“种子,编号”的 {hash} 摘要，每层取号码最小者。同一层内每个对象被抽中的机会相同。"
            ),
            format!(
                "Rule: objects are put into strata by fixed criteria, and how many are taken of each is fixed at the freeze. An object's ticket is the {hash} digest of seed, comma and id; each stratum takes its smallest tickets. Within a stratum every object has the same chance."
            ),
        ),
        Method::Pareto => t(
            format!(
                "规则：对象按既定标准分层，每层数量在冻结时确定；层内抽中的机会与对象的规模成正比（Pareto 抽样），随机数取自“种子,编号”的 {hash} 摘要。"
            ),
            format!(
                "Rule: objects are put into strata by fixed criteria, and how many are taken of each is fixed at the freeze. Within a stratum the chance is proportional to the object's size (Pareto sampling), with the {hash} digest of seed, comma and id as its random number."
            ),
        ),
    };
    t(rule.zh + &explored.zh, rule.en + &explored.en)
}

fn hash_name(hash: HashAlgorithm) -> &'static str {
    match hash {
        HashAlgorithm::Sha256 => "SHA-256",
        HashAlgorithm::Sm3 => "SM3",
    }
}

fn list(page: &mut Page, rows: Vec<(Text, Text)>) {
    let mut html = String::from("<dl>");
    for (name, value) in rows {
        html.push_str(&format!(
            "<dt>{}</dt><dd>{}</dd>",
            name.html(),
            value.html()
        ));
    }
    html.push_str("</dl>");
    page.raw(&html);
}

fn facts(page: &mut Page, sheet: &PlanSheet) {
    page.section("plan", &t("计划", "The plan"));
    let items = if sheet.items.is_empty() {
        "–".to_owned()
    } else {
        sheet.items.join(", ")
    };
    let class = match sheet.item_class {
        ItemClass::General => t("一般检查事项", "general items"),
        ItemClass::Key => t("重点检查事项", "key items"),
    };
    let method = match sheet.method {
        Method::Equal => t("层内等概率", "equal probability within strata"),
        Method::Pareto => t(
            "层内与规模成正比（Pareto）",
            "proportional to size within strata (Pareto)",
        ),
        Method::Order => t("全部检查，抽签定次序", "all are checked, in drawn order"),
    };
    let rounding = match (sheet.method, sheet.rounding) {
        (Method::Order, _) | (_, Rounding::Whole) => t("数量为整数", "numbers are whole"),
        (_, Rounding::Systematic) => t(
            "系统随机取整（期望值不变）",
            "systematic random rounding, which keeps every expectation",
        ),
        (_, Rounding::LargestRemainder) => t("最大余数法取整", "largest remainder"),
    };
    let mut rows = vec![
        (t("检查事项", "Check items"), same(items)),
        (t("事项类别", "Class"), class),
        (
            t("检查期间", "Period of the visits"),
            same(format!("{} … {}", sheet.period.from, sheet.period.to)),
        ),
        (t("抽取方法", "Method"), method),
        (t("取整", "Rounding"), rounding),
        (t("计划标识", "Plan id"), same(sheet.plan_id.clone())),
        (t("起草", "Drafted"), same(instant(&sheet.created_at))),
    ];
    for (name, at) in [
        (t("冻结", "Frozen"), &sheet.frozen_at),
        (t("抽取", "Drawn"), &sheet.drawn_at),
        (t("关闭", "Closed"), &sheet.closed_at),
    ] {
        if let Some(at) = at {
            rows.push((name, same(instant(at))));
        }
    }
    list(page, rows);
}

/// An RFC 3339 instant to the second.
fn instant(text: &str) -> String {
    match text.split_once('.') {
        Some((seconds, _)) => format!("{}Z", seconds.replace('T', " ")),
        None => text.replace('T', " "),
    }
}

fn strata(page: &mut Page, sheet: &PlanSheet, internal: &InternalPart) {
    if !internal.strata.is_empty() {
        page.section("strata", &t("分层", "Strata"));
        let mut grid = Grid::new(&[
            (t("层", "stratum"), false),
            (t("类别", "tier"), false),
            (t("辖区", "division"), false),
            (t("投诉", "complaints"), false),
            (t("比例", "rate"), true),
            (t("对象", "objects"), true),
            (t("应抽", "target"), true),
            (t("实抽", "drawn"), true),
            (t("入样概率", "inclusion probability"), true),
        ]);
        let (mut objects, mut target, mut drawn) = (0_u64, 0.0, 0_u64);
        for stratum in &internal.strata {
            objects += stratum.objects;
            target += stratum.target_ppb as f64 / PPB;
            drawn += stratum.drawn.unwrap_or(0);
            let division = Some(stratum.division.clone()).filter(|division| !division.is_empty());
            grid.row(vec![
                same(stratum.key.clone()),
                same(stratum.tier.to_string()),
                same(division.unwrap_or_else(|| "–".to_owned())),
                match stratum.complaint_band.as_str() {
                    "none" => same("–"),
                    band => same(band),
                },
                same(percent(stratum.rate_ppb as f64 / PPB)),
                same(count(stratum.objects)),
                same(format!("{:.2}", stratum.target_ppb as f64 / PPB)),
                same(stratum.drawn.map_or_else(|| "–".to_owned(), count)),
                same(percent(stratum.inclusion_probability)),
            ]);
        }
        let total = vec![
            (t("合计", "total"), ""),
            (same(""), ""),
            (same(""), ""),
            (same(""), ""),
            (same(""), ""),
            (same(count(objects)), ""),
            (same(format!("{target:.2}")), ""),
            (
                same(if sheet.sample_size.is_some() {
                    count(drawn)
                } else {
                    "–".to_owned()
                }),
                "",
            ),
            (same(""), ""),
        ];
        grid.marked_row("strong", total);
        page.grid(&grid);
    }
    if let Some(found) = &internal.precision {
        precision(page, found);
    }
    if !internal.excluded.is_empty() {
        page.heading(&t("不在抽样池中的对象", "Objects left out of the pool"));
        let mut grid = Grid::new(&[(t("原因", "reason"), false), (t("对象", "objects"), true)]);
        for excluded in &internal.excluded {
            grid.row(vec![reason(&excluded.reason), same(count(excluded.count))]);
        }
        page.grid(&grid);
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A coded reason in words.
fn reason(code: &str) -> Text {
    match code {
        "status_revoked" => t("已吊销", "licence revoked"),
        "status_cancelled" => t("已注销", "deregistered"),
        "status_moved_out" => t("已迁出", "moved to another province"),
        "drawn_before" => t("原计划已抽中", "drawn by the plan that this one extends"),
        other => same(other),
    }
}

fn objects(page: &mut Page, sheet: &PlanSheet) {
    let Some(size) = sheet.sample_size else {
        return;
    };
    page.section("drawn", &t("抽中的对象", "The drawn objects"));
    let is_internal = sheet.internal.is_some();
    let mut columns = vec![
        (t("序号", "no."), true),
        (t("编号", "id"), false),
        (t("名称", "name"), false),
    ];
    if is_internal {
        columns.push((t("层", "stratum"), false));
        columns.push((t("层内次序", "order"), true));
    }
    columns.push((t("检查日期", "visited on"), false));
    columns.push((t("检查人员", "inspectors"), false));
    let mut grid = Grid::new(&columns);
    for (number, object) in (1_u64..).zip(&sheet.drawn) {
        let DrawnObject {
            enterprise_id,
            name,
            place,
        } = object;
        let mut cells = vec![
            same(number.to_string()),
            same(enterprise_id.clone()),
            same(name.clone().unwrap_or_else(|| "–".to_owned())),
        ];
        if is_internal {
            let (stratum, order) = place.clone().unwrap_or_default();
            cells.push(same(stratum));
            cells.push(same(order.to_string()));
        }
        cells.push(same(""));
        cells.push(same(""));
        grid.row(cells);
    }
    page.grid(&grid);
    let listed = sheet.drawn.len() as u64;
    if listed < size {
        page.note(&t(
            format!(
                "此处列出前 {} 个，全部 {} 个见样本文件。",
                count(listed),
                count(size)
            ),
            format!(
                "The first {} are listed here; the sample file has all {}.",
                count(listed),
                count(size)
            ),
        ));
    }
}

fn replaced(page: &mut Page, sheet: &PlanSheet) {
    if sheet.replaced.is_empty() {
        return;
    }
    page.heading(&t("替换的对象", "Replaced objects"));
    let mut columns = vec![
        (t("对象", "object"), false),
        (t("由候补递补", "its place was taken by"), false),
        (t("时间", "when"), false),
    ];
    if sheet.internal.is_some() {
        columns.push((t("原因", "reason"), false));
        columns.push((t("经办", "who said so"), false));
    }
    let mut grid = Grid::new(&columns);
    for one in &sheet.replaced {
        let nobody = t("无候补，跳过", "nobody: no reserve was left");
        let mut cells = vec![
            same(one.enterprise_id.clone()),
            one.taken.clone().map_or(nobody, same),
            same(instant(&one.at)),
        ];
        if sheet.internal.is_some() {
            let (zh, en) = one.reason.map_or(("–", "–"), ReplaceReason::texts);
            cells.push(t(zh, en));
            cells.push(same(one.by.clone().unwrap_or_default()));
        }
        grid.row(cells);
    }
    page.grid(&grid);
    page.note(&t(
        "候补次序在冻结时已定：每次递补取同层下一个。",
        "The order of the reserve was fixed at the freeze: each place is taken by the next of the same stratum.",
    ));
}

fn proofs(page: &mut Page, sheet: &PlanSheet, evidence: &Evidence) {
    page.section("evidence", &t("证据", "Evidence"));
    page.note(&t(
        format!(
            "摘要算法：{}。任何一个字节的改动都会改变摘要。",
            hash_name(sheet.hash)
        ),
        format!(
            "All digests are {}: a change of any byte changes them.",
            hash_name(sheet.hash)
        ),
    ));
    let mut html = String::from("<dl class=\"digests\">");
    let mut add = |name: Text, value: &str| {
        html.push_str(&format!(
            "<dt>{}</dt><dd><code>{}</code></dd>",
            name.html(),
            escape(value)
        ));
    };
    add(t("计划", "Plan"), &evidence.plan_digest.to_string());
    add(
        t("抽样池（Merkle 根）", "Pool (Merkle root)"),
        &evidence.pool_root.to_string(),
    );
    for (name, digest) in [
        (t("抽样池文件", "Pool file"), evidence.pool_digest),
        (t("抽样框", "Frame"), evidence.frame_digest),
        (t("策略", "Policy"), evidence.policy_digest),
        (t("模型", "Model"), evidence.model_digest),
        (t("样本文件", "Sample file"), evidence.sample_digest),
        (
            t("审计笔录", "Auditor's transcript"),
            evidence.transcript_digest,
        ),
        (
            t("上一份审计笔录", "Transcript before it"),
            evidence.previous,
        ),
    ] {
        if let Some(digest) = digest {
            add(name, &digest.to_string());
        }
    }
    if let Some(seed) = &evidence.seed {
        add(t("种子", "Seed"), seed);
    }
    html.push_str("</dl>");
    page.raw(&html);
    page.heading(&t("种子的来源", "Where the seed comes from"));
    let shows_values = evidence
        .contributions
        .iter()
        .any(|given| given.value.is_some());
    let mut columns = vec![
        (t("名称", "name"), false),
        (t("冻结时固定的内容", "fixed at the freeze"), false),
    ];
    if shows_values {
        columns.push((t("公开的值", "value"), false));
    }
    let mut grid = Grid::new(&columns);
    for given in &evidence.contributions {
        let fixed = match (&given.commitment, &given.rule) {
            (Some(commitment), _) => t(
                format!("承诺 {commitment}"),
                format!("commitment {commitment}"),
            ),
            (None, Some(rule)) => t(format!("规则：{rule}"), format!("rule: {rule}")),
            (None, None) => same("–"),
        };
        let mut cells = vec![(same(given.name.clone()), ""), (fixed, "mono")];
        if shows_values {
            let value = given.value.clone().unwrap_or_else(|| "–".to_owned());
            cells.push((same(value), "mono"));
        }
        grid.marked_row("", cells);
    }
    page.grid(&grid);
}

fn verifying(page: &mut Page, sheet: &PlanSheet, evidence: &Evidence) {
    page.section("verify", &t("如何复核", "How to verify"));
    if sheet.closed_at.is_none() {
        page.paragraph(&t(
            "计划关闭后出具笔录；请保留本页，届时核对摘要。",
            "The transcript is issued when the plan is closed. Keep this page and compare the digests then.",
        ));
        return;
    }
    match sheet.audience {
        Audience::Internal => {
            page.paragraph(&t(
                "用审计笔录、抽样池文件和样本文件，无需本系统即可逐步重算（只需 Python 标准库）：",
                "With the auditor's transcript, the pool file and the sample file everything is recomputed without this system, with nothing but plain Python:",
            ));
            page.raw(
                "<pre>python3 verify_plan.py --transcript transcript.json --pool pool.tsv --sample sample.tsv\n\
                 risktier verify --transcript transcript.json --pool pool.tsv --sample sample.tsv</pre>",
            );
            if let Some(seed) = &evidence.seed {
                let tool = match sheet.hash {
                    HashAlgorithm::Sha256 => "sha256sum",
                    HashAlgorithm::Sm3 => "openssl dgst -sm3",
                };
                page.paragraph(&t(
                    "手工核对某个对象的号码：",
                    "By hand, the ticket of one object:",
                ));
                page.raw(&format!(
                    "<pre>printf '%s,%s' {seed} ID | {tool}</pre>",
                    seed = escape(seed)
                ));
            }
        }
        Audience::Public => {
            page.paragraph(&t(
                "公开笔录给出每个抽中对象的成员证明：用它可以核对该对象在冻结时已在抽样池中，池的根与上面一致，计划摘要与冻结时公布的一致。",
                "The public transcript carries a membership proof for every drawn object: it shows that the object was in the pool at the freeze, under the root above, and that the plan is the one whose digest was published.",
            ));
            page.raw(
                "<pre>python3 verify_plan.py --transcript transcript.public.json\n\
                 risktier verify --transcript transcript.public.json</pre>",
            );
        }
    }
}

fn signatures(page: &mut Page) {
    let mut html = String::from("<div class=\"signatures\">");
    for role in [
        t("抽取人", "Drawn by"),
        t("监督人", "Witnessed by"),
        t("审批人", "Approved by"),
    ] {
        html.push_str(&format!(
            "<div><span>{}</span><i></i><span>{}</span><i class=\"short\"></i></div>",
            role.html(),
            t("日期", "Date").html()
        ));
    }
    html.push_str("</div>");
    page.raw(&html);
}
