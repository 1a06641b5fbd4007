//! A made-up region with 23 check items, seeded, for measuring what joint checks save.
//!
//! Shares are spread evenly over 5 to 40 % of the objects, which makes 5.2 items an object; rates are 1, 3, 15 and 50 %
//! a year by tier for every item. Whom an item concerns is made in two ways: `Scattered` decides for each object and item
//! by itself, so that nearly every object has a set of items of its own, which is the hardest case for sharing visits;
//! `ByTrade` gives every object one of 60 trades, and an item concerns whole trades, as check items do.

use risktier::domain::digest::HashAlgorithm;
use risktier::domain::rng::SeededRng;
use risktier::sampling::contribution::{
    Contribution, ContributionName, ContributionValue, PlannedContribution, SERVER,
};
use risktier::sampling::draw::Draw;
use risktier::sampling::joint::{JointRow, JointVisit, Outlook, Saving, join};
use risktier::sampling::plan::{FrozenPlan, PLAN_FORMAT, PPB};
use risktier::sampling::pool::{Pool, PoolBuilder, StratumKey};

/// The objects of the region at full size: as many as the objects library of a city of seven counties has.
#[allow(dead_code, reason = "only the benchmark works at full size")]
pub(crate) const OBJECTS: u32 = 730_000;
/// Share of the objects that each item concerns, in thousandths.
pub(crate) const SHARES: [u64; 23] = [
    50, 66, 82, 98, 114, 130, 145, 161, 177, 193, 209, 225, 241, 257, 273, 289, 305, 320, 336, 352,
    368, 384, 400,
];
/// Share of the objects in each tier, A to D, in thousandths.
const TIERS: [u64; 4] = [650, 260, 65, 25];
/// Rate of each tier, in ppb.
const RATES: [u64; 4] = [10_000_000, 30_000_000, 150_000_000, 500_000_000];
/// Share of the objects in each county, in thousandths.
const COUNTIES: [u64; 7] = [220, 190, 170, 150, 120, 100, 50];
const TRADES: u64 = 60;
const HASH: HashAlgorithm = HashAlgorithm::Sha256;

/// Whom an item concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    /// Each object by itself.
    Scattered,
    /// Whole trades.
    ByTrade,
}

/// Within what an item's sample has a fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strata {
    /// Tier and county.
    County,
    /// Tier alone.
    Region,
    /// Tier, county and trade: the cross-classification that all items share.
    Trade,
}

struct Object {
    id: String,
    tier: usize,
    county: usize,
    trade: u64,
    items: u32,
}

/// The region.
pub(crate) struct Region {
    objects: Vec<Object>,
}

fn pick(rng: &mut SeededRng, shares: &[u64]) -> usize {
    let mut left = rng.below(shares.iter().sum());
    for (place, share) in shares.iter().enumerate() {
        if left < *share {
            return place;
        }
        left -= share;
    }
    shares.len() - 1
}

impl Region {
    pub(crate) fn new(count: u32, concern: Concern) -> Self {
        let mut rng = SeededRng::new(23, "joint-region");
        // The trades of each item: from a place of its own round the circle, until its share is reached.
        let starts: Vec<u64> = SHARES.iter().map(|_| rng.below(TRADES)).collect();
        let concerns = |item: usize, trade: u64| {
            let away = (trade + TRADES - starts[item]) % TRADES;
            away * 1_000 < SHARES[item] * TRADES
        };
        let objects = (0..count)
            .map(|number| {
                let (tier, county) = (pick(&mut rng, &TIERS), pick(&mut rng, &COUNTIES));
                let trade = rng.below(TRADES);
                let mut items = 0;
                for (item, share) in SHARES.iter().enumerate() {
                    let scattered = rng.below(1_000) < *share;
                    let concerned = match concern {
                        Concern::Scattered => scattered,
                        Concern::ByTrade => concerns(item, trade),
                    };
                    items |= u32::from(concerned) << item;
                }
                Object {
                    id: format!("9199000{number:011}"),
                    tier,
                    county,
                    trade,
                    items,
                }
            })
            .collect();
        Self { objects }
    }

    fn pool(&self, item: usize, strata: Strata) -> (Pool, Vec<u64>) {
        let mut builder = PoolBuilder::new();
        for object in self
            .objects
            .iter()
            .filter(|object| object.items >> item & 1 == 1)
        {
            let Object {
                tier,
                county,
                trade,
                ..
            } = object;
            let key = match strata {
                Strata::County => format!("{tier}-{county}"),
                Strata::Region => format!("{tier}"),
                Strata::Trade => format!("{tier}-{county}-{trade:02}"),
            };
            let key = StratumKey::new(key).unwrap();
            builder.push(&object.id, &key, 1).unwrap();
        }
        let pool = builder.build().unwrap();
        let rates = pool
            .strata()
            .iter()
            .map(|(key, _)| RATES[usize::from(key.as_str().as_bytes()[0] - b'0')])
            .collect();
        (pool, rates)
    }

    /// The plans of all items: of one coordinated group, or each by itself.
    pub(crate) fn plans(&self, strata: Strata, is_joint: bool) -> Vec<ItemPlan> {
        (0..SHARES.len())
            .map(|item| {
                let (pool, rates) = self.pool(item, strata);
                let value = if is_joint { 99 } else { item as u8 };
                let (plan, contributions) = frozen(item, &pool, &rates, is_joint, value);
                ItemPlan {
                    pool,
                    plan,
                    contributions,
                }
            })
            .collect()
    }
}

/// The plan of one item, ready to be drawn.
pub(crate) struct ItemPlan {
    pub(crate) pool: Pool,
    pub(crate) plan: FrozenPlan,
    pub(crate) contributions: Vec<Contribution>,
}

fn frozen(
    item: usize,
    pool: &Pool,
    rates: &[u64],
    is_joint: bool,
    value: u8,
) -> (FrozenPlan, Vec<Contribution>) {
    let server = Contribution {
        name: ContributionName::new(SERVER).unwrap(),
        value: ContributionValue::from_random([value; 32]),
    };
    let planned = PlannedContribution::Committed {
        name: server.name.clone(),
        commitment: server.commitment(HASH),
    };
    let strata: Vec<_> = pool
        .strata()
        .iter()
        .zip(rates)
        .map(|((key, objects), rate)| {
            serde_json::json!({"key": key, "pool": objects, "target_ppb": u64::from(*objects) * rate, "reserve": 0})
        })
        .collect();
    let zero = "00".repeat(32);
    let mut plan = serde_json::json!({
        "format": PLAN_FORMAT, "nonce": format!("{item:064x}"), "number": item + 1, "title": "joint", "hash": "sha256",
        "method": "equal", "rounding": "systematic", "pool_digest": pool.digest(HASH), "pool_root": zero,
        "pool_size": pool.len(), "strata": strata, "exploration_n": 0, "excluded": [], "filter": {},
        "items": [format!("item-{:02}", item + 1)], "period": {"from": "2027-01-01", "to": "2027-12-31"},
        "contributions": [planned], "frame_digest": zero, "policy_digest": zero, "model_digest": zero,
        "public_seed": false,
    });
    if is_joint {
        plan["group"] = "joint-2027".into();
    }
    (serde_json::from_value(plan).unwrap(), vec![server])
}

/// Draws all plans and merges their samples.
pub(crate) fn drawn(plans: &[ItemPlan]) -> Saving {
    let outcomes: Vec<_> = plans
        .iter()
        .map(|item| Draw::run(&item.plan, &item.pool, &item.contributions).unwrap())
        .collect();
    let samples: Vec<Vec<&str>> = outcomes
        .iter()
        .zip(plans)
        .map(|(outcome, item)| outcome.rows(&item.pool).map(|row| row.id).collect())
        .collect();
    let visits: Vec<JointVisit<'_>> = join(&samples);
    for (outcome, item) in outcomes.iter().zip(plans) {
        // Equal item coverage: every stratum has its target, rounded up or down.
        for (drawn, planned) in outcome.strata.iter().zip(item.plan.strata()) {
            let target = planned.target_ppb;
            assert!((target / PPB..=target.div_ceil(PPB)).contains(&drawn.n));
        }
    }
    Saving::of(&visits)
}

/// What is to be expected of the plans.
pub(crate) fn outlook(plans: &[ItemPlan]) -> Outlook {
    let rows: Vec<JointRow<'_>> = plans
        .iter()
        .map(|item| JointRow {
            plan: &item.plan,
            pool: &item.pool,
        })
        .collect();
    Outlook::of(&rows)
}
