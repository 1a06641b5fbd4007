//! Every value of every test vector of `risktier-draw/1`.

use std::collections::BTreeMap;

use risktier::domain::digest::{Digest, HashAlgorithm, Secret32};
use risktier::domain::rng::SubKeyRng;
use risktier::sampling::contribution::Contribution;
use risktier::sampling::merkle::{MembershipProof, OwnRow, PoolTree, pool_root, root_of_leaves};
use risktier::sampling::plan::{FrozenPlan, Method};
use risktier::sampling::seed::{ROUNDING, Tickets};
use risktier::sampling::selection::{Wanted, select};
use risktier::sampling::sizes::{Target, exploration_split, largest_remainder};
use serde_json::{Value, json};

use crate::vectors::{Case, Drawn, Vectors};

const SHA: HashAlgorithm = HashAlgorithm::Sha256;

#[test]
fn the_vectors_hold_nothing_that_is_not_tested() {
    let vectors = Vectors::load();

    assert_eq!(vectors.get::<String>("/version"), "risktier-draw/1");
    assert_eq!(
        vectors.members(""),
        [
            "cases",
            "chacha_below",
            "contributions",
            "exploration_split",
            "largest_remainder",
            "membership",
            "merkle_small",
            "own_row",
            "pool",
            "pool_digest",
            "pool_root",
            "pool_secret",
            "version"
        ]
    );
    for name in vectors.cases().keys() {
        for member in vectors.members(&format!("/cases/{name}")) {
            let known = [
                "plan",
                "plan_canonical",
                "plan_digest",
                "seed",
                "tickets",
                "rounding",
                "order",
                "certain",
                "drawn",
                "exploration_before_dropping",
                "explore_drawn",
                "sample",
                "sample_digest",
            ];
            assert!(known.contains(&member.as_str()), "{name}/{member}");
        }
    }
}

#[test]
fn contributions_are_committed_to() {
    let vectors = Vectors::load();
    let recorded: Vec<Value> = vectors.get("/contributions");

    for (contribution, recorded) in vectors.contributions().iter().zip(&recorded) {
        assert_eq!(
            contribution.commitment(SHA).to_string(),
            recorded["commitment"]
        );
    }
}

#[test]
fn the_pool_has_its_digest_and_root() {
    let vectors = Vectors::load();
    let (pool, secret) = (vectors.pool(), vectors.pool_secret());

    assert_eq!(pool.len(), 80);
    assert_eq!(pool.digest(SHA), vectors.get::<Digest>("/pool_digest"));
    assert_eq!(
        pool_root(SHA, &secret, &pool),
        vectors.get::<Digest>("/pool_root")
    );
}

#[test]
fn one_object_proves_its_membership_and_its_own_row() {
    let vectors = Vectors::load();
    let (pool, secret) = (vectors.pool(), vectors.pool_secret());
    let recorded_proof: MembershipProof = vectors.get("/membership");
    let recorded_row: OwnRow = vectors.get("/own_row");
    let tree = PoolTree::new(SHA, &secret, &pool);
    let index = pool.find(&recorded_row.id).unwrap();

    let proof = tree.proof(index).unwrap();
    let row = tree.own_row(index).unwrap();

    assert_eq!(
        serde_json::to_value(&proof).unwrap(),
        vectors.get::<Value>("/membership")
    );
    assert_eq!((&proof, &row), (&recorded_proof, &recorded_row));
    assert!(recorded_row.matches(SHA, &recorded_proof, &tree.root()));
}

#[test]
fn small_trees_have_their_roots() {
    for tree in Vectors::load().get::<Vec<Value>>("/merkle_small") {
        let leaves: Vec<Digest> = serde_json::from_value(tree["leaves"].clone()).unwrap();
        let root: Digest = serde_json::from_value(tree["root"].clone()).unwrap();
        assert_eq!(root_of_leaves(SHA, &leaves), Some(root));
    }
}

#[test]
fn bounded_integers_come_from_one_stream_in_order() {
    let vectors = Vectors::load();
    let case = &vectors.cases()[&vectors.get::<String>("/chacha_below/of_case")];
    let drawn = Drawn::of_case(&vectors, case);
    let purpose: String = vectors.get("/chacha_below/purpose");

    let sub_key = drawn
        .outcome
        .seed
        .sub_key(SHA, &purpose, &drawn.outcome.plan_digest);
    let mut stream = SubKeyRng::new(&sub_key);

    assert_eq!(sub_key, vectors.get::<Digest>("/chacha_below/subkey"));
    for (m, expected) in vectors.get::<Vec<(u64, u64)>>("/chacha_below/one_stream") {
        assert_eq!(stream.below(m), expected, "below {m}");
    }
}

#[test]
fn largest_remainder_and_exploration_split_give_the_recorded_targets() {
    let vectors = Vectors::load();
    let list = |pointer: &str| {
        vectors
            .get::<BTreeMap<String, u64>>(pointer)
            .into_values()
            .collect::<Vec<u64>>()
    };

    let whole: Vec<u64> = largest_remainder(&list("/largest_remainder/targets_ppb"))
        .iter()
        .map(|t| t / 1_000_000_000)
        .collect();
    assert_eq!(whole, list("/largest_remainder/whole"));

    let pools: Vec<u64> = vectors
        .pool()
        .strata()
        .iter()
        .map(|(_, count)| u64::from(*count))
        .collect();
    let targets = list("/exploration_split/targets_ppb");
    let strata: Vec<Target> = pools
        .iter()
        .zip(&targets)
        .map(|(pool, target)| Target {
            pool: *pool,
            target_ppb: *target,
        })
        .collect();
    let (exploration_n, after) =
        exploration_split(&strata, vectors.get("/exploration_split/share_ppb"));
    assert_eq!(
        exploration_n,
        vectors.get::<u64>("/exploration_split/exploration_n")
    );
    assert_eq!(after, list("/exploration_split/targets_after"));
}

fn check(name: &str) {
    let vectors = Vectors::load();
    let case: Case = vectors.get(&format!("/cases/{name}"));
    let drawn = Drawn::of_case(&vectors, &case);
    let (plan, pool, outcome) = (&drawn.plan, &drawn.pool, &drawn.outcome);
    let id = |object: u32| pool.object(object as usize).unwrap().id.to_owned();

    assert_eq!(
        String::from_utf8(plan.canonical_bytes().unwrap()).unwrap(),
        case.plan_canonical
    );
    assert_eq!(plan.digest().unwrap(), case.plan_digest);
    assert_eq!(outcome.plan_digest, case.plan_digest);
    assert_eq!(outcome.seed.expose_hex(), case.seed);
    let tickets = Tickets::new(plan.hash, &outcome.seed);
    for (id, ticket) in &case.tickets {
        assert_eq!(tickets.ticket(id.as_bytes()), *ticket, "{id}");
    }
    let recorded_v = case.rounding.as_ref().map(|rounding| rounding.v);
    assert_eq!(outcome.rounding_v, recorded_v);
    if let Some(rounding) = &case.rounding {
        assert_eq!(
            outcome.seed.sub_key(plan.hash, ROUNDING, &case.plan_digest),
            rounding.subkey
        );
    }

    let drawn_sizes: BTreeMap<String, u64> = outcome
        .strata
        .iter()
        .map(|s| (s.key.to_string(), s.n))
        .collect();
    assert_eq!(drawn_sizes, case.drawn);
    let certain: BTreeMap<String, u32> = outcome
        .strata
        .iter()
        .map(|s| (s.key.to_string(), s.certain))
        .collect();
    assert_eq!(certain, case.certain);
    let wanted: Vec<Wanted> = outcome
        .strata
        .iter()
        .map(|s| Wanted {
            size: s.n,
            length: u64::MAX,
        })
        .collect();
    let orders = if plan.method == Method::Order {
        vec![]
    } else {
        select(plan.method, pool, &tickets, &wanted)
    };
    let order: BTreeMap<String, Vec<String>> = orders
        .iter()
        .zip(pool.strata())
        .map(|(order, (key, _))| {
            (
                key.to_string(),
                order.objects.iter().map(|object| id(*object)).collect(),
            )
        })
        .collect();
    assert_eq!(order, case.order);

    let exploration: Vec<String> = outcome
        .exploration
        .iter()
        .map(|object| id(*object))
        .collect();
    assert_eq!(exploration, case.exploration_before_dropping);
    assert_eq!(outcome.explore_drawn, case.explore_drawn);
    assert_eq!(
        String::from_utf8(outcome.sample_tsv.clone()).unwrap(),
        case.sample
    );
    assert_eq!(outcome.sample_digest, case.sample_digest);
    let rows: String = outcome
        .rows(pool)
        .map(|row| format!("{}\t{}\t{}\n", row.id, row.key, row.order))
        .collect();
    assert_eq!(rows, case.sample);

    for stratum in &outcome.strata {
        let taken: Vec<&str> = outcome.rows(pool).map(|row| row.id).collect();
        let all = &case.order[stratum.key.as_str()];
        let planned = plan
            .strata()
            .iter()
            .find(|s| s.key == stratum.key)
            .unwrap()
            .reserve;
        let expected: Vec<String> = all
            .iter()
            .skip(stratum.n as usize)
            .take(planned as usize)
            .cloned()
            .collect();
        let expected: Vec<String> = expected
            .into_iter()
            .filter(|id| !taken.contains(&id.as_str()))
            .collect();
        let reserve: Vec<String> = stratum
            .reserve
            .iter()
            .map(|object| id(object.object))
            .collect();
        assert_eq!(reserve, expected);
        for object in &stratum.reserve {
            assert_eq!(all[object.order as usize - 1], id(object.object));
        }
    }
}

#[test]
fn equal_systematic_is_drawn_as_recorded() {
    check("equal_systematic");
}

#[test]
fn equal_with_exploration_is_drawn_as_recorded() {
    check("equal_with_exploration");
}

#[test]
fn equal_largest_remainder_is_drawn_as_recorded() {
    check("equal_largest_remainder");
}

#[test]
fn pareto_whole_is_drawn_as_recorded() {
    check("pareto_whole");
}

#[test]
fn coordinated_is_drawn_as_recorded() {
    check("coordinated");
}

#[test]
fn order_only_is_drawn_as_recorded() {
    check("order_only");
}

#[test]
fn there_are_no_other_cases() {
    assert_eq!(Vectors::load().cases().len(), 6);
}

#[test]
fn a_draw_refuses_another_pool_another_value_and_a_missing_one() {
    use risktier::sampling::draw::Draw;
    use risktier::sampling::pool::Pool;

    let vectors = Vectors::load();
    let plan: FrozenPlan = vectors.get("/cases/equal_systematic/plan");
    let (pool, opened) = (vectors.pool(), vectors.contributions());
    let fails = |pool: &Pool, opened: &[Contribution]| {
        Draw::run(&plan, pool, opened).unwrap_err().to_string()
    };

    let file = String::from_utf8(pool.file_bytes().to_vec()).unwrap();
    let other_size =
        Pool::from_bytes(file.replace("\t15527675\n", "\t15527676\n").into_bytes()).unwrap();
    assert!(fails(&other_size, &opened).contains("give the frozen pool"));
    let (first, _) = file.split_at(file.rfind("\n").unwrap() - 30);
    let shorter =
        Pool::from_bytes(first.as_bytes()[..=first.rfind('\n').unwrap()].to_vec()).unwrap();
    assert!(fails(&shorter, &opened).starts_with("the pool is not that of the plan: pool_size"));
    assert!(fails(&pool, &opened[..2]).contains("`notary` is missing"));
    let mut other = opened.clone();
    other[0] = serde_json::from_value(json!({"name": "server", "value": "00".repeat(32)})).unwrap();
    assert!(fails(&pool, &other).contains("`server` does not match its commitment"));
}

#[test]
fn the_same_draw_under_sm3_is_stable() {
    let vectors = Vectors::load();
    let mut plan: FrozenPlan = vectors.get("/cases/pareto_whole/plan");
    rehash(&mut plan, &vectors, HashAlgorithm::Sm3);

    let drawn = Drawn::new(&vectors, plan);

    assert_eq!(drawn.outcome.strata.iter().map(|s| s.n).sum::<u64>(), 22);
    assert_eq!(drawn.outcome.sample_digest.to_string(), SM3_SAMPLE_DIGEST);
}

/// Recorded; a change means a new version of the draw.
const SM3_SAMPLE_DIGEST: &str = "9f5318f2144e09b217b51864576b2c24957986adf6756b6dbfc4a63114d9920f";

/// Gives a plan another hash, with the digests and commitments that go with it.
pub fn rehash(plan: &mut FrozenPlan, vectors: &Vectors, algorithm: HashAlgorithm) {
    use risktier::sampling::contribution::PlannedContribution;

    let (pool, secret): (_, Secret32) = (vectors.pool(), vectors.pool_secret());
    plan.hash = algorithm;
    plan.pool_digest = pool.digest(algorithm);
    plan.pool_root = pool_root(algorithm, &secret, &pool);
    for planned in &mut plan.contributions {
        if let PlannedContribution::Committed { name, commitment } = planned {
            let opened = vectors
                .contributions()
                .into_iter()
                .find(|c| c.name == *name)
                .unwrap();
            *commitment = opened.commitment(algorithm);
        }
    }
}
