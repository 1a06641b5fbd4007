//! What the register says about one enterprise, in words. Other enterprises are named by id, never by name.

use crate::indicators::{
    LinkedEnterprise, Names, PeerCircle, RegisterStatistic, RegisterView, is_cancelled_lately,
    is_high_risk,
};

/// So many linked enterprises are named; the others are counted.
const MOST_NAMED: usize = 5;

/// Why a value is missing.
pub(super) fn missing(statistic: Option<RegisterStatistic>, view: &RegisterView<'_>) -> Names {
    let nothing_known = names("无数据", "no data");
    let not_counted = || names("尚无全库统计", "no run over the register has counted it");
    let Some(statistic) = statistic else {
        return nothing_known;
    };
    match statistic {
        RegisterStatistic::ComplaintShareBelow if view.facts.complaints == 0 => {
            names("近12个月无投诉，不作比较", "no complaint within 12 months")
        }
        RegisterStatistic::SameAddress if view.facts.addresses.is_empty() => {
            names("无住所信息", "no address known")
        }
        RegisterStatistic::EnterprisesPerPerson if view.facts.persons.is_empty() => {
            names("无法定代表人信息", "no legal representative known")
        }
        RegisterStatistic::ComplaintShareBelow
        | RegisterStatistic::SameAddress
        | RegisterStatistic::EnterprisesPerPerson => match view.statistics {
            None => not_counted(),
            Some(_) => nothing_known,
        },
        RegisterStatistic::LinkedHighRisk | RegisterStatistic::LinkedCancellations => nothing_known,
    }
}

/// The value in words, where the number alone says too little.
pub(super) fn detail(
    statistic: RegisterStatistic,
    least_peers: Option<u32>,
    view: &RegisterView<'_>,
) -> Option<Names> {
    match statistic {
        RegisterStatistic::SameAddress | RegisterStatistic::EnterprisesPerPerson => None,
        RegisterStatistic::ComplaintShareBelow => {
            let share = view.complaint_share(least_peers)?;
            let (below, peers, complaints) = (share.below, share.peers, view.facts.complaints);
            let circle = match share.circle {
                PeerCircle::IndustryAndSize => names("同行业同规模", "of its industry and size"),
                PeerCircle::SectionAndSize => {
                    names("同门类同规模", "of its industry section and size")
                }
                PeerCircle::Section => names("同门类", "of its industry section"),
                PeerCircle::All => names("全部", "of the whole register"),
            };
            Some(Names {
                zh: format!("投诉{complaints}件，{}{peers}户中{below}户更少", circle.zh),
                en: format!(
                    "{complaints} complaints; {below} of {peers} peers {} have fewer",
                    circle.en
                ),
            })
        }
        RegisterStatistic::LinkedHighRisk => {
            let high = view.linked().filter(|other| is_high_risk(other));
            Some(list(high, &|other| {
                if other.is_listed {
                    names("列入严重违法失信名单", "on the serious-violation list")
                } else {
                    names("为D类", "in tier D")
                }
            }))
        }
        RegisterStatistic::LinkedCancellations => {
            let day = view.day;
            let cancelled = view
                .linked()
                .filter(|other| is_cancelled_lately(other, day));
            Some(list(cancelled, &|other| match other.cancelled_on {
                Some(on) => Names {
                    zh: format!("{on}注销"),
                    en: format!("cancelled on {on}"),
                },
                None => names("注销", "cancelled"),
            }))
        }
    }
}

fn list<'a>(
    others: impl Iterator<Item = &'a LinkedEnterprise>,
    why: &dyn Fn(&LinkedEnterprise) -> Names,
) -> Names {
    let mut others: Vec<&LinkedEnterprise> = others.collect();
    others.sort_by(|a, b| a.enterprise_id.cmp(&b.enterprise_id));
    let (mut zh, mut en) = (Vec::new(), Vec::new());
    for other in others.iter().take(MOST_NAMED) {
        let why = why(other);
        zh.push(format!("{}{}", other.enterprise_id, why.zh));
        en.push(format!("{} {}", other.enterprise_id, why.en));
    }
    let mut list = Names {
        zh: zh.join("、"),
        en: en.join(", "),
    };
    let more = others.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        list.zh.push_str(&format!("等{}户", others.len()));
        list.en.push_str(&format!(" and {more} more"));
    }
    list
}

fn names(zh: &str, en: &str) -> Names {
    Names {
        zh: zh.to_owned(),
        en: en.to_owned(),
    }
}
