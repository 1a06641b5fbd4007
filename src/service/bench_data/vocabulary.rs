//! Words and codes of the fictional province: divisions that do not exist, real industry codes, made-up names.

use crate::domain::rng::SeededRng;

/// A city of the fictional province and its counties; no division begins with 99.
pub(super) struct City {
    pub(super) name: &'static str,
    pub(super) counties: &'static [(&'static str, u64)],
}

/// Divisions with their shares in parts of 100.
pub(super) const CITIES: &[City] = &[
    City {
        name: "澜州市",
        counties: &[("990101", 16), ("990102", 13), ("990103", 9), ("990121", 5)],
    },
    City {
        name: "云陵市",
        counties: &[("990201", 12), ("990202", 8), ("990221", 4)],
    },
    City {
        name: "汐城市",
        counties: &[("990301", 10), ("990302", 6), ("990381", 5)],
    },
    City {
        name: "岚江市",
        counties: &[("990401", 8), ("990421", 4)],
    },
];

/// An industry with what matters for its risk.
pub(super) struct Industry {
    /// Code of GB/T 4754.
    pub(super) code: &'static str,
    /// Share in parts of 1,000.
    pub(super) share: u64,
    /// The trade's word in names.
    pub(super) trade: &'static str,
    /// How many complaints it draws compared with the average.
    pub(super) complaints: f64,
    /// The permit of a licensed high-risk line.
    pub(super) permit: Option<&'static str>,
    /// Label for selecting pools.
    pub(super) tag: Option<&'static str>,
}

const fn industry(
    code: &'static str,
    share: u64,
    trade: &'static str,
    complaints: f64,
    permit: Option<&'static str>,
    tag: Option<&'static str>,
) -> Industry {
    Industry {
        code,
        share,
        trade,
        complaints,
        permit,
        tag,
    }
}

/// Shares follow the mix of a Chinese province roughly: about half trade, a tenth each catering and manufacturing.
pub(super) const INDUSTRIES: &[Industry] = &[
    industry(
        "F5212",
        150,
        "超市",
        1.0,
        Some("food_business"),
        Some("食品经营"),
    ),
    industry("F5232", 120, "服装", 1.0, None, None),
    industry("F5173", 70, "建材", 0.5, None, None),
    industry("F5137", 60, "家电", 1.5, None, None),
    industry(
        "F5251",
        30,
        "药房",
        0.8,
        Some("drug_business"),
        Some("药品经营"),
    ),
    industry("F5292", 30, "电子商务", 4.0, None, Some("网络交易")),
    industry(
        "F5265",
        20,
        "加油站",
        1.2,
        Some("hazardous_chemicals"),
        Some("计量器具"),
    ),
    industry(
        "H6210",
        70,
        "餐饮",
        2.0,
        Some("food_business"),
        Some("食品经营"),
    ),
    industry(
        "H6220",
        45,
        "快餐",
        1.5,
        Some("food_business"),
        Some("食品经营"),
    ),
    industry("H6121", 12, "酒店", 2.5, None, Some("特种设备")),
    industry(
        "C1411",
        12,
        "食品",
        1.0,
        Some("food_production"),
        Some("食品生产"),
    ),
    industry("C3311", 40, "金属制品", 0.1, None, None),
    industry("C2921", 25, "塑料制品", 0.1, None, None),
    industry(
        "C3434",
        8,
        "起重机械",
        0.2,
        Some("special_equipment"),
        Some("特种设备"),
    ),
    industry(
        "C2614",
        5,
        "化工",
        0.3,
        Some("hazardous_chemicals"),
        Some("危险化学品"),
    ),
    industry("E5011", 50, "装饰工程", 2.0, None, None),
    industry("G5431", 40, "物流", 0.8, None, None),
    industry("I6432", 3, "网络平台", 8.0, None, Some("网络交易")),
    industry("I6513", 25, "软件科技", 0.6, None, None),
    industry("J6760", 3, "资本投资", 2.0, None, None),
    industry("K7020", 15, "物业服务", 3.0, None, Some("特种设备")),
    industry("L7212", 12, "投资管理", 1.0, None, None),
    industry("L7251", 25, "广告传媒", 0.4, None, Some("广告")),
    industry("M7517", 25, "技术服务", 0.2, None, None),
    industry("O8040", 40, "美容美发", 3.0, None, None),
    industry("O8111", 25, "汽车服务", 2.0, None, None),
    industry("P8391", 10, "教育培训", 6.0, None, None),
    industry(
        "Q8425",
        5,
        "诊所",
        1.5,
        Some("medical_institution"),
        Some("医疗器械"),
    ),
    industry("R9030", 5, "健身", 8.0, None, None),
    industry("A0514", 20, "农业", 0.1, None, None),
];

const FIRST: &[char] = &[
    '澜', '和', '瑞', '恒', '嘉', '启', '众', '盛', '清', '远', '联', '旭', '丰', '佳', '永', '诚',
    '宏', '源', '景', '博',
];
const SECOND: &[char] = &[
    '达', '源', '泰', '兴', '禾', '川', '航', '宁', '悦', '辰', '维', '泽', '润', '安', '通', '力',
    '创', '隆', '美', '岳',
];

/// A made-up brand of two characters.
pub(super) fn brand(rng: &mut SeededRng) -> String {
    [FIRST, SECOND]
        .into_iter()
        .filter_map(|characters| pick(rng, characters))
        .collect()
}

/// One of several with equal chance.
pub(super) fn pick<'a, T>(rng: &mut SeededRng, of: &'a [T]) -> Option<&'a T> {
    let index = rng.below(of.len() as u64);
    of.get(usize::try_from(index).unwrap_or(0))
}

/// One of several by whole-number shares.
pub(super) fn pick_by<'a, T>(
    rng: &mut SeededRng,
    of: &'a [T],
    share: impl Fn(&T) -> u64,
) -> Option<&'a T> {
    let mut ticket = rng.below(of.iter().map(&share).sum());
    of.iter().find(|one| {
        let here = ticket < share(one);
        ticket = ticket.saturating_sub(share(one));
        here
    })
}
