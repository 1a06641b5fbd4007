//! One fictional enterprise: identity, register entry, and the hidden way of behaving.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::BenchOptions;
use super::behaviour::{ATTRIBUTE_ABSENT, BEHAVIOURS, Behaviour};
use super::vocabulary::{CITIES, INDUSTRIES, Industry, brand, pick_by};
use crate::domain::rng::SeededRng;
use crate::domain::{
    Enterprise, EnterpriseDraft, EnterpriseId, EnterpriseKind, EnterpriseSize, EnterpriseStatus,
    FieldError, Uscc, dates, field,
};

/// The attributes that enterprises of a register may have.
pub const ATTRIBUTES: [&str; 5] = [
    "licensed_high_risk",
    "zero_activity",
    "suspected_false",
    "overdue_fine",
    "public_credit_poor",
];

/// How many different codes there are: six free characters of the organisation part.
pub(super) const CODES: u64 = 31_u64.pow(6);

/// Scatters neighbouring indices over the codes; a power of 3 has no factor in common with 31.
const SCATTER: u64 = 3_u64.pow(18);

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Kinds in parts of 1,000; nationally 60.2 M enterprises and 125 M individual businesses of 188 M.
const KINDS: &[(EnterpriseKind, u64)] = &[
    (EnterpriseKind::Enterprise, 320),
    (EnterpriseKind::IndividualBusiness, 660),
    (EnterpriseKind::Cooperative, 20),
];

/// Sizes of enterprises proper in parts of 1,000; individual businesses are micro.
const SIZES: &[(EnterpriseSize, u64)] = &[
    (EnterpriseSize::Micro, 780),
    (EnterpriseSize::Small, 165),
    (EnterpriseSize::Medium, 25),
    (EnterpriseSize::Large, 5),
    (EnterpriseSize::Unknown, 25),
];

/// Ages as ranges of days in parts of 100; a tenth of all entities is founded every year.
const AGES: &[(u64, u64, u64)] = &[
    (0, 364, 12),
    (365, 1_095, 24),
    (1_096, 1_825, 20),
    (1_826, 3_650, 28),
    (3_651, 7_300, 13),
    (7_301, 12_700, 3),
];

/// Statuses of enterprises that are not listed, in parts of 1,000.
const STATUSES: &[(EnterpriseStatus, u64)] = &[
    (EnterpriseStatus::Active, 972),
    (EnterpriseStatus::Revoked, 6),
    (EnterpriseStatus::Cancelled, 18),
    (EnterpriseStatus::MovedOut, 4),
];

/// What decides the code, known without the rest of the enterprise.
pub(super) struct Identity {
    kind: EnterpriseKind,
    division: &'static str,
    city: &'static str,
    leading: String,
    /// The stream after identity has been taken.
    rng: SeededRng,
}

/// An enterprise with what its records need to know of it.
pub(super) struct Made {
    pub(super) enterprise: Enterprise,
    pub(super) established_on: Date,
    pub(super) behaviour: &'static Behaviour,
    /// The place of the behaviour among all, 0 best.
    pub(super) behaviour_rank: usize,
    pub(super) industry: &'static Industry,
    pub(super) abnormal_now: bool,
}

impl Identity {
    pub(super) fn of(options: &BenchOptions, index: u64) -> Self {
        let mut rng = SeededRng::new(options.seed, &format!("bench enterprise {index}"));
        let kind = pick_by(&mut rng, KINDS, |kind| kind.1)
            .map_or(EnterpriseKind::Enterprise, |kind| kind.0);
        let mut ticket = rng.below(100);
        let mut place = ("990101", "澜州市");
        'cities: for city in CITIES {
            for &(division, share) in city.counties {
                if ticket < share {
                    place = (division, city.name);
                    break 'cities;
                }
                ticket -= share;
            }
        }
        // One in twenty registered elsewhere in the province and moved since.
        let registrar = if rng.chance(0.05) { "990100" } else { place.0 };
        let prefix = match kind {
            EnterpriseKind::IndividualBusiness => "92",
            EnterpriseKind::Cooperative => "93",
            EnterpriseKind::Enterprise
            | EnterpriseKind::Institution
            | EnterpriseKind::Product
            | EnterpriseKind::Project
            | EnterpriseKind::Behaviour => "91",
        };
        let organisation =
            organisation_code((index % CODES * SCATTER + options.seed % CODES) % CODES);
        Self {
            kind,
            division: place.0,
            city: place.1,
            leading: format!("{prefix}{registrar}{organisation}"),
            rng,
        }
    }

    pub(super) fn id(&self) -> Result<EnterpriseId, FieldError> {
        let code = Uscc::complete(&self.leading)
            .map_err(|error| FieldError::new("enterprise_id", &self.leading, error.to_string()))?;
        field::enterprise_id("enterprise_id", code.as_str())
    }
}

/// The nine characters of an organisation code (GB 11714): `MA`, six free ones, a check character.
fn organisation_code(number: u64) -> String {
    const WEIGHTS: [u64; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let mut body = *b"MA000000";
    let mut rest = number;
    for place in body.iter_mut().skip(2).rev() {
        let digit = usize::try_from(rest % 31).unwrap_or(0);
        *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
        rest /= 31;
    }
    // Letters count from A = 10 in the order of the whole alphabet.
    let value = |c: u8| {
        if c.is_ascii_digit() {
            u64::from(c - b'0')
        } else {
            u64::from(c - b'A') + 10
        }
    };
    let sum: u64 = body
        .iter()
        .zip(WEIGHTS)
        .map(|(&c, weight)| value(c) * weight)
        .sum();
    let check = match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from(b'0' + u8::try_from(digit).unwrap_or(0)),
    };
    let mut code: String = body.iter().map(|&c| char::from(c)).collect();
    code.push(check);
    code
}

/// Makes the enterprise at `index`.
pub(super) fn make(options: &BenchOptions, index: u64) -> Result<Made, FieldError> {
    let identity = Identity::of(options, index);
    let enterprise_id = identity.id()?;
    let Identity {
        kind,
        division,
        city,
        mut rng,
        ..
    } = identity;
    let rng = &mut rng;
    let industry = pick_by(rng, INDUSTRIES, |industry| industry.share).unwrap_or(&FALLBACK);
    let behaviour_rank = behaviour_rank(rng);
    let behaviour = BEHAVIOURS
        .get(behaviour_rank)
        .unwrap_or(&FALLBACK_BEHAVIOUR);
    let &(youngest, oldest, _) = pick_by(rng, AGES, |age| age.2).unwrap_or(&(0, 364, 1));
    let age_days = youngest + rng.below(oldest - youngest + 1);
    let established_on = dates::add_days(options.as_of, -i32::try_from(age_days).unwrap_or(0));
    let size = match kind {
        EnterpriseKind::Enterprise => {
            pick_by(rng, SIZES, |size| size.1).map_or(EnterpriseSize::Unknown, |size| size.0)
        }
        EnterpriseKind::IndividualBusiness
        | EnterpriseKind::Cooperative
        | EnterpriseKind::Institution
        | EnterpriseKind::Product
        | EnterpriseKind::Project
        | EnterpriseKind::Behaviour => EnterpriseSize::Micro,
    };
    // Nobody is listed within its first months: reports are not due, and nobody has looked yet.
    let abnormal_now = rng.chance(behaviour.abnormal_now) && age_days > 180;
    let status = if abnormal_now {
        EnterpriseStatus::Abnormal
    } else {
        pick_by(rng, STATUSES, |status| status.1)
            .map_or(EnterpriseStatus::Active, |status| status.0)
    };
    let suffix = match kind {
        EnterpriseKind::Enterprise if rng.chance(0.92) => "有限公司",
        EnterpriseKind::Enterprise => "股份有限公司",
        EnterpriseKind::Cooperative => "农民专业合作社",
        EnterpriseKind::IndividualBusiness
        | EnterpriseKind::Institution
        | EnterpriseKind::Product
        | EnterpriseKind::Project
        | EnterpriseKind::Behaviour => "经营部",
    };
    let name = format!("{city}{}{}{suffix}", brand(rng), industry.trade);
    let draft = EnterpriseDraft {
        enterprise_id: enterprise_id.to_string(),
        name,
        kind: Some(kind.to_string()),
        owner_id: None,
        division: Some(division.to_owned()),
        industry: Some(industry.code.to_owned()),
        established_on: Some(established_on.to_string()),
        status: Some(status.to_string()),
        size: Some(size.to_string()),
        tags: industry.tag.map(str::to_owned).into_iter().collect(),
        attributes: attributes(rng, kind, industry, behaviour),
    };
    Ok(Made {
        enterprise: Enterprise::parse(draft)?,
        established_on,
        behaviour,
        behaviour_rank,
        industry,
        abnormal_now,
    })
}

const FALLBACK: Industry = Industry {
    code: "F5212",
    share: 1,
    trade: "超市",
    complaints: 1.0,
    permit: None,
    tag: None,
};

static FALLBACK_BEHAVIOUR: Behaviour = super::behaviour::CAREFUL;

fn behaviour_rank(rng: &mut SeededRng) -> usize {
    let mut ticket = rng.below(BEHAVIOURS.iter().map(|behaviour| behaviour.share).sum());
    for (rank, behaviour) in BEHAVIOURS.iter().enumerate() {
        if ticket < behaviour.share {
            return rank;
        }
        ticket -= behaviour.share;
    }
    0
}

fn attributes(
    rng: &mut SeededRng,
    kind: EnterpriseKind,
    industry: &Industry,
    behaviour: &Behaviour,
) -> BTreeMap<String, f64> {
    let mut attributes = BTreeMap::new();
    for name in ATTRIBUTES {
        let (absent, flagged) = (rng.chance(ATTRIBUTE_ABSENT), rng.chance(behaviour.bad_flag));
        let value = match name {
            "licensed_high_risk" => Some(industry.permit.is_some()),
            // Only companies subscribe capital.
            "zero_activity" if kind != EnterpriseKind::Enterprise => None,
            _ if absent => None,
            _ => Some(flagged),
        };
        if let Some(value) = value {
            attributes.insert(name.to_owned(), f64::from(u8::from(value)));
        }
    }
    attributes
}
