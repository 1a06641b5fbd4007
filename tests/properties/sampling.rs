//! A draw is what its inputs say, whoever replays it; any changed input is found and named.

use std::collections::BTreeMap;

use proptest::prelude::*;
use risktier::domain::canonical::canonical_bytes;
use risktier::domain::digest::{Digest, HashAlgorithm, Secret32};
use risktier::sampling::contribution::{Contribution, ContributionName, ContributionValue};
use risktier::sampling::draw::{Draw, DrawOutcome};
use risktier::sampling::inclusion::{PlanInclusion, design_weight};
use risktier::sampling::merkle::{PoolTree, pool_root, salt};
use risktier::sampling::pareto::Design;
use risktier::sampling::plan::{FrozenPlan, Method, PPB, PlannedStratum, Rounding};
use risktier::sampling::pool::{Pool, PoolBuilder, StratumKey};
use risktier::sampling::seed::{Seed, Tickets};
use risktier::sampling::selection::{Wanted, select};
use risktier::sampling::sizes::{Target, exploration_split, largest_remainder, systematic};
use risktier::sampling::transcript::Record;
use risktier::sampling::verification::{VerifyInput, verify};
use serde_json::{Value, json};

/// A small plan with everything that belongs to it.
#[derive(Debug)]
struct World {
    plan: FrozenPlan,
    pool: Pool,
    contributions: Vec<Contribution>,
    secret: Secret32,
}

/// What a world is made from: sizes of the objects per stratum, shares of the strata in ppb, and switches.
#[derive(Debug, Clone)]
struct Recipe {
    strata: Vec<(Vec<u32>, u64)>,
    method: Method,
    rounding: Rounding,
    hash: HashAlgorithm,
    exploration_n: u64,
    grouped: bool,
    secret: [u8; 32],
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let share = prop_oneof![Just(0), Just(PPB), 0..=PPB];
    let stratum = (prop::collection::vec(1_u32..50, 1..25), share);
    let method = prop_oneof![
        Just(Method::Equal),
        Just(Method::Pareto),
        Just(Method::Order)
    ];
    let rounding = prop_oneof![Just(Rounding::Systematic), Just(Rounding::LargestRemainder)];
    let hash = prop_oneof![Just(HashAlgorithm::Sha256), Just(HashAlgorithm::Sm3)];
    (
        prop::collection::vec(stratum, 1..5),
        method,
        rounding,
        hash,
        0_u64..6,
        any::<bool>(),
        any::<[u8; 32]>(),
    )
        .prop_map(
            |(strata, method, rounding, hash, exploration_n, grouped, secret)| Recipe {
                strata,
                method,
                rounding,
                hash,
                exploration_n,
                grouped,
                secret,
            },
        )
}

fn rows(recipe: &Recipe) -> Vec<(String, StratumKey, u32)> {
    let mut rows = Vec::new();
    for (number, (sizes, _)) in recipe.strata.iter().enumerate() {
        // Keys on both sides of EXPLORE.
        let key = StratumKey::new(format!(
            "{}{number}",
            if number % 2 == 0 { "C" } else { "S" }
        ))
        .unwrap();
        for (position, size) in sizes.iter().enumerate() {
            rows.push((format!("{position:02}·{number}"), key.clone(), *size));
        }
    }
    rows
}

fn pool_of(rows: &[(String, StratumKey, u32)]) -> Pool {
    let mut builder = PoolBuilder::new();
    rows.iter()
        .for_each(|(id, key, size)| builder.push(id, key, *size).unwrap());
    builder.build().unwrap()
}

impl World {
    fn new(recipe: &Recipe) -> Self {
        let pool = pool_of(&rows(recipe));
        let secret = Secret32::from_bytes(recipe.secret);
        let contributions = vec![
            Contribution {
                name: ContributionName::new("dice").unwrap(),
                value: ContributionValue::new("4 2 6").unwrap(),
            },
            Contribution {
                name: ContributionName::new("server").unwrap(),
                value: ContributionValue::from_random(recipe.secret),
            },
        ];
        let shares: BTreeMap<String, u64> = (0..)
            .zip(&recipe.strata)
            .map(|(n, (_, share))| (format!("{}{n}", if n % 2 == 0 { "C" } else { "S" }), *share))
            .collect();
        let targets: Vec<u64> = pool
            .strata()
            .iter()
            .map(|(key, count)| u64::from(*count) * shares[key.as_str()])
            .collect();
        let order = recipe.method == Method::Order;
        let rounding = match recipe.method {
            Method::Order => Rounding::Whole,
            Method::Pareto => Rounding::LargestRemainder,
            Method::Equal => recipe.rounding,
        };
        let targets = if rounding == Rounding::LargestRemainder {
            largest_remainder(&targets)
        } else {
            targets
        };
        let strata = pool
            .strata()
            .iter()
            .zip(targets)
            .map(|((key, count), target_ppb)| PlannedStratum {
                key: key.clone(),
                pool: u64::from(*count),
                target_ppb,
                reserve: 2,
            });
        let hash = recipe.hash;
        let mut plan: FrozenPlan = serde_json::from_value(json!({
            "format": "risktier-plan/1", "nonce": "0f".repeat(32), "number": 3, "extends": "1e".repeat(32),
            "title": "抽查 \u{1F600}", "hash": hash, "method": recipe.method, "rounding": rounding,
            "pool_digest": pool.digest(hash), "pool_root": pool_root(hash, &secret, &pool), "pool_size": pool.len(),
            "exploration_n": if order { 0 } else { recipe.exploration_n.min(pool.len() as u64) },
            "excluded": [{"reason": "cap_reached", "count": 2}], "filter": {"division": "990000", "n": [1, -2, true]},
            "items": ["F-001"], "period": {"from": "2026-12-01", "to": "2026-12-31"},
            "contributions": [{"name": "dice", "kind": "public", "rule": "three dice, 2026-11-23"}, {"name": "server", "kind": "committed", "commitment": contributions[1].commitment(hash)}],
            "frame_digest": "2d".repeat(32), "policy_digest": "3c".repeat(32), "model_digest": "4b".repeat(32),
            "public_seed": false,
        }))
        .unwrap();
        plan.strata = (!order).then(|| strata.collect());
        plan.group = recipe
            .grouped
            .then(|| StratumKey::new("2026/food").unwrap());
        Self {
            plan,
            pool,
            contributions,
            secret,
        }
    }

    fn draw(&self) -> DrawOutcome {
        Draw::run(&self.plan, &self.pool, &self.contributions).unwrap()
    }

    fn transcript(&self, outcome: &DrawOutcome) -> Vec<u8> {
        self.record(outcome).auditor().to_bytes().unwrap()
    }

    fn record<'a>(&'a self, outcome: &'a DrawOutcome) -> Record<'a> {
        Record {
            plan_id: "plan-3",
            plan: &self.plan,
            contributions: &self.contributions,
            pool_secret: &self.secret,
            outcome,
            previous: Some(self.plan.frame_digest),
        }
    }
}

/// The names of the differences; a transcript that is too new counts as found under `format`.
fn found(
    transcript: &[u8],
    pool: &[u8],
    sample: &[u8],
    expected_digest: Option<Digest>,
) -> Vec<String> {
    let input = VerifyInput {
        transcript,
        pool: Some(pool.to_vec()),
        sample: Some(sample),
        expected_digest,
        group: None,
    };
    match verify(input) {
        Ok(verification) => verification
            .differences()
            .map(|check| check.name.clone())
            .collect(),
        Err(_) => vec!["format".to_owned()],
    }
}

fn leaves(value: &Value, path: &str, list: &mut Vec<String>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, v)| leaves(v, &format!("{path}/{name}"), list)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, v)| leaves(v, &format!("{path}/{i}"), list)),
        _ => list.push(path.to_owned()),
    }
}

/// Changes a leaf so that it keeps its type and, for digests, its form; or replaces it by something else.
fn change(value: &mut Value, keep_type: bool) {
    *value = match (&*value, keep_type) {
        (Value::String(text), true) if text.parse::<Digest>().is_ok() => {
            let (head, last) = text.split_at(63);
            format!("{head}{}", if last == "0" { "1" } else { "0" }).into()
        }
        (Value::String(text), true) => format!("{text}0").into(),
        (Value::Bool(flag), true) => (!flag).into(),
        (Value::Number(number), true) => (number.as_i64().unwrap() + 1).into(),
        (Value::String(_), _) => 5.into(),
        _ => "five".into(),
    };
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn a_fresh_plan_verifies_in_every_edition(recipe in recipes(), public_seed: bool) {
        let mut world = World::new(&recipe);
        world.plan.public_seed = public_seed;
        let outcome = world.draw();
        let (pool, sample) = (world.pool.file_bytes(), &outcome.sample_tsv);

        let transcript = world.transcript(&outcome);
        let digest = world.record(&outcome).auditor().digest().unwrap();
        prop_assert_eq!(found(&transcript, pool, sample, Some(digest)), [""; 0]);

        let meaning = world.plan.strata().iter().map(|s| (s.key.clone(), json!({"rate_ppb": 1}))).collect();
        let reasons = [("cap_reached".to_owned(), json!("yearly cap"))].into();
        let internal = world.record(&outcome).internal(meaning, reasons).to_bytes().unwrap();
        prop_assert_eq!(found(&internal, pool, sample, None), [""; 0]);

        let public = world.record(&outcome).public(&world.pool).to_bytes().unwrap();
        let group = world.plan.group.as_ref().map(|group| group.as_str());
        let input = VerifyInput { transcript: &public, sample: Some(sample), group, ..VerifyInput::default() };
        prop_assert!(verify(input).unwrap().is_same());
    }

    #[test]
    fn any_changed_leaf_of_the_transcript_is_found(recipe in recipes(), keep_type: bool) {
        let world = World::new(&recipe);
        let outcome = world.draw();
        let original = world.transcript(&outcome);
        let digest = world.record(&outcome).auditor().digest().unwrap();
        let value: Value = serde_json::from_slice(&original).unwrap();
        let mut pointers = Vec::new();
        leaves(&value, "", &mut pointers);

        for pointer in pointers {
            let mut changed = value.clone();
            change(changed.pointer_mut(&pointer).unwrap(), keep_type);
            let bytes = canonical_bytes(&changed).unwrap();
            let names = found(&bytes, world.pool.file_bytes(), &outcome.sample_tsv, None);
            // Not inputs of the draw: only the digest of the file guards them.
            let guarded = keep_type && ["/plan_id", "/previous"].contains(&pointer.as_str());
            prop_assert_eq!(names.is_empty(), guarded, "{}: {:?}", pointer, names);
            let names = found(&bytes, world.pool.file_bytes(), &outcome.sample_tsv, Some(digest));
            prop_assert!(names.iter().any(|name| name == "transcript_digest" || name == "format"), "{}", pointer);
        }
    }

    #[test]
    fn any_missing_or_added_member_is_found_by_its_name(recipe in recipes()) {
        let world = World::new(&recipe);
        let outcome = world.draw();
        let value: Value = serde_json::from_slice(&world.transcript(&outcome)).unwrap();
        for object in ["", "/plan"] {
            let path = |name: &str| format!("{}{name}", if object.is_empty() { "" } else { "plan." });
            let names: Vec<String> = value.pointer(object).unwrap().as_object().unwrap().keys().cloned().collect();
            for name in names {
                let mut changed = value.clone();
                changed.pointer_mut(object).unwrap().as_object_mut().unwrap().remove(&name);
                let bytes = canonical_bytes(&changed).unwrap();
                let names = found(&bytes, world.pool.file_bytes(), &outcome.sample_tsv, None);
                prop_assert!(name == "previous" || !names.is_empty(), "{}", name);
                let optional = ["previous", "rounding_v", "extends", "group", "strata"].contains(&name.as_str());
                prop_assert!(optional || names.contains(&path(&name)), "{}: {:?}", name, names);
            }
            let mut changed = value.clone();
            changed.pointer_mut(object).unwrap()["zzz"] = Value::Null;
            let bytes = canonical_bytes(&changed).unwrap();
            let names = found(&bytes, world.pool.file_bytes(), &outcome.sample_tsv, None);
            prop_assert_eq!(names, [path("zzz")]);
        }
    }

    #[test]
    fn any_changed_byte_of_pool_sample_or_transcript_is_found(recipe in recipes(), position: prop::sample::Index, flip in 1_u8..) {
        let world = World::new(&recipe);
        let outcome = world.draw();
        let transcript = world.transcript(&outcome);
        let digest = world.record(&outcome).auditor().digest().unwrap();
        let flipped = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let index = position.index(bytes.len());
            bytes[index] ^= flip;
            bytes
        };
        let (pool, sample) = (world.pool.file_bytes(), &outcome.sample_tsv);

        prop_assert!(found(&transcript, &flipped(pool), sample, None).contains(&"pool_digest".to_owned()));
        if !sample.is_empty() {
            let names = found(&transcript, pool, &flipped(sample), None);
            prop_assert!(!names.is_empty() && names.iter().all(|name| name.starts_with("sample:line ")), "{:?}", names);
        }
        let names = found(&flipped(&transcript), pool, sample, Some(digest));
        prop_assert!(names.iter().any(|name| name == "transcript_digest" || name == "format"), "{:?}", names);
    }

    #[test]
    fn a_cut_or_lengthened_sample_is_found(recipe in recipes()) {
        let world = World::new(&recipe);
        let outcome = world.draw();
        let transcript = world.transcript(&outcome);
        let mut longer = outcome.sample_tsv.clone();
        longer.extend_from_slice(b"x\tS1\t1\n");

        let line = format!("sample:line {}", outcome.lines.len() + 1);
        prop_assert_eq!(found(&transcript, world.pool.file_bytes(), &longer, None), [line]);
        if let Some((_, shorter)) = outcome.sample_tsv.split_last() {
            let line = format!("sample:line {}", outcome.lines.len());
            prop_assert_eq!(found(&transcript, world.pool.file_bytes(), shorter, None), [line]);
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(recipe in recipes(), shuffled in any::<u64>()) {
        let world = World::new(&recipe);
        let mut other = rows(&recipe);
        other.sort_by_key(|(id, _, _)| HashAlgorithm::Sha256.hash(&[&shuffled.to_le_bytes(), id.as_bytes()]));

        let pool = pool_of(&other);

        prop_assert_eq!(pool.file_bytes(), world.pool.file_bytes());
        let mut contributions = world.contributions.clone();
        contributions.reverse();
        let outcome = Draw::run(&world.plan, &pool, &contributions).unwrap();
        prop_assert_eq!(outcome.sample_tsv, world.draw().sample_tsv);
    }

    #[test]
    fn a_larger_equal_draw_contains_the_smaller(recipe in recipes(), size in 0_u64..30) {
        let pool = World::new(&recipe).pool;
        let tickets = Tickets::new(recipe.hash, &Seed::new(Digest::from_bytes(recipe.secret)));
        let of = |size: u64| vec![Wanted { size, length: size }; pool.strata().len()];

        let smaller = select(Method::Equal, &pool, &tickets, &of(size));
        let larger = select(Method::Equal, &pool, &tickets, &of(size + 1));

        for (smaller, larger) in smaller.iter().zip(&larger) {
            prop_assert!(larger.objects.starts_with(&smaller.objects));
        }
    }

    #[test]
    fn a_sample_has_its_sizes_and_no_object_twice(recipe in recipes()) {
        let world = World::new(&recipe);

        let outcome = world.draw();

        let mut objects: Vec<u32> = outcome.lines.iter().map(|line| line.object).collect();
        let reserve = outcome.strata.iter().flat_map(|stratum| stratum.reserve.iter().map(|object| object.object));
        objects.extend(reserve);
        let all = objects.len();
        objects.sort_unstable();
        objects.dedup();
        prop_assert_eq!(objects.len(), all);
        if world.plan.method == Method::Order {
            prop_assert_eq!(outcome.lines.len(), world.pool.len());
        } else {
            let drawn: u64 = outcome.strata.iter().map(|stratum| stratum.n).sum();
            prop_assert_eq!(outcome.lines.len() as u64, drawn + outcome.explore_drawn);
        }
        let keys: Vec<(String, u32)> = outcome.rows(&world.pool).map(|row| (row.key.to_owned(), row.order)).collect();
        prop_assert!(keys.is_sorted());
    }

    #[test]
    fn rounding_keeps_the_total(targets in prop::collection::vec(0_u64..5_000_000_000_000, 0..40), v in 0..PPB) {
        let sum: u128 = targets.iter().map(|target| u128::from(*target)).sum();
        let visit = u128::from(PPB);

        let sizes = systematic(&targets, v);
        let total: u128 = sizes.iter().map(|size| u128::from(*size)).sum();
        prop_assert_eq!(total, (sum + u128::from(v)) / visit);
        for (size, target) in sizes.iter().zip(&targets) {
            prop_assert!((u128::from(*size) * visit).abs_diff(u128::from(*target)) < visit);
        }

        let whole = largest_remainder(&targets);
        prop_assert_eq!(whole.iter().map(|target| u128::from(*target)).sum::<u128>(), (sum + visit / 2) / visit * visit);
        for (whole, target) in whole.iter().zip(&targets) {
            prop_assert!(whole % PPB == 0 && whole.abs_diff(*target) < PPB);
        }
    }

    #[test]
    fn exploration_comes_out_of_the_total(strata in prop::collection::vec((1_u64..1000, 0..=PPB), 0..20), share in 0..=PPB) {
        let strata: Vec<Target> = strata.iter().map(|(pool, rate)| Target { pool: *pool, target_ppb: pool * rate }).collect();

        let (exploration_n, targets) = exploration_split(&strata, share);

        let before: u64 = strata.iter().map(|stratum| stratum.target_ppb).sum();
        let after: u64 = targets.iter().sum::<u64>() + exploration_n * PPB;
        prop_assert!(after <= before && before - after <= strata.len() as u64);
        for (stratum, target) in strata.iter().zip(&targets) {
            prop_assert!(*target <= stratum.target_ppb && (!stratum.is_whole() || *target == stratum.target_ppb));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    /// Acceptance test 17: the weight of every object is the inverse of the probability with which the plan draws it, as
    /// whoever has transcript and pool works it out, and nobody who can be drawn has none.
    #[test]
    fn every_weight_is_the_inverse_of_the_probability_of_the_transcript(recipe in recipes()) {
        let world = World::new(&recipe);
        let outcome = world.draw();
        let transcript: Value = serde_json::from_slice(&world.transcript(&outcome)).unwrap();
        let plan = &transcript["plan"];
        let whole = |value: &Value| u128::from(value.as_u64().unwrap());
        let (explored, pool_size) = (whole(&plan["exploration_n"]), whole(&plan["pool_size"]));
        let inclusion = PlanInclusion::new(&world.plan, &world.pool);

        let mut expected_size = 0.0;
        for (index, object) in world.pool.objects().enumerate() {
            let probability = inclusion.of(index).unwrap();
            let found = match recipe.method {
                Method::Order => 1.0,
                Method::Equal | Method::Pareto => {
                    let strata = plan["strata"].as_array().unwrap();
                    let stratum = strata.iter().find(|one| one["key"] == object.stratum.as_str()).unwrap();
                    let (target, objects) = (whole(&stratum["target_ppb"]), whole(&stratum["pool"]));
                    if recipe.method == Method::Equal {
                        // π = 1 − (1 − t/N)(1 − e/P) as one fraction.
                        let all = objects * u128::from(PPB);
                        let numerator = target * pool_size + (all - target) * explored;
                        numerator as f64 / (all * pool_size) as f64
                    } else {
                        let of_stratum = world.pool.objects().filter(|other| other.stratum == object.stratum);
                        let sizes: Vec<u32> = of_stratum.map(|other| other.size).collect();
                        let own = Design::new(sizes, (target / u128::from(PPB)) as u64).inclusion_probability(object.size);
                        1.0 - (1.0 - own) * (1.0 - explored as f64 / pool_size as f64)
                    }
                }
            };
            prop_assert!((probability - found).abs() <= 4.0 * f64::EPSILON, "{} {}", probability, found);
            prop_assert!((0.0..=1.0).contains(&probability));
            match design_weight(probability) {
                Some(weight) => prop_assert_eq!(weight, 1.0 / probability),
                None => prop_assert_eq!(probability, 0.0),
            }
            expected_size += probability;
        }
        // Whoever is drawn or stands by has a weight, and the weights of the pool add up to the expected size.
        let reserves = outcome.strata.iter().flat_map(|stratum| &stratum.reserve).map(|object| object.object);
        for object in outcome.lines.iter().map(|line| line.object) {
            prop_assert!(inclusion.of(object as usize).unwrap() > 0.0);
        }
        prop_assert!(reserves.count() <= world.pool.len());
        prop_assert_eq!(inclusion.of(world.pool.len()), None);
        if recipe.method != Method::Order && explored == 0 {
            let targets: u64 = world.plan.strata().iter().map(|stratum| stratum.target_ppb).sum();
            prop_assert!((expected_size - targets as f64 / PPB as f64).abs() < 1e-9);
        }
    }

    /// Acceptance test 19: who knows an id, its stratum and everything that is published cannot tell whether a leaf holds
    /// that stratum without the pool secret; with it anybody can.
    #[test]
    fn a_leaf_of_a_known_id_is_not_guessed_without_the_secret(recipe in recipes()) {
        let world = World::new(&recipe);
        let (hash, outcome) = (recipe.hash, world.draw());
        let public = world.record(&outcome).public(&world.pool);
        let mut rows: Vec<String> = world.pool.objects().map(|object| format!("{}\t{}", object.stratum, object.size)).collect();
        rows.sort();
        rows.dedup();
        let published = [public.plan_digest, public.pool_root, world.plan.pool_digest, world.plan.frame_digest,
            outcome.seed.expose_hex().parse().unwrap(), Digest::from_bytes([0; 32])];
        let mut blinds = BTreeMap::new();
        for proof in &public.selected {
            let object = world.pool.object(world.pool.find(&proof.id).unwrap()).unwrap();
            let own = format!("{}\t{}", object.stratum, object.size);
            let id = proof.id.as_bytes();
            // What could stand in for the secret: nothing, or anything that is published.
            let mut salts = vec![hash.hash(&[id]), hash.hash(&[])];
            salts.extend(published.iter().map(|known| hash.hash(&[known.as_bytes(), id])));
            salts.extend(published.iter().map(|known| hash.hash(&[id, known.as_bytes()])));
            salts.extend(published);
            for row in &rows {
                for salt in &salts {
                    prop_assert_ne!(hash.hash(&[salt.as_bytes(), row.as_bytes()]), proof.blind);
                }
                prop_assert_ne!(hash.hash(&[row.as_bytes()]), proof.blind);
            }
            // With the secret, its own row and no other gives the blind.
            let opened = salt(hash, &world.secret, &proof.id);
            let fits: Vec<&String> = rows.iter().filter(|row| hash.hash(&[opened.as_bytes(), row.as_bytes()]) == proof.blind).collect();
            prop_assert_eq!(fits, [&own]);
            // Objects of one stratum do not show it by looking alike.
            prop_assert_eq!(blinds.insert(proof.blind, proof.id.clone()), None);
        }
        // Under another secret every leaf is another one.
        let other = Secret32::from_bytes(recipe.secret.map(|byte| !byte));
        prop_assert_ne!(pool_root(hash, &other, &world.pool), world.plan.pool_root);
        let tree = PoolTree::new(hash, &other, &world.pool);
        for proof in &public.selected {
            let again = tree.proof(world.pool.find(&proof.id).unwrap()).unwrap();
            prop_assert_ne!(again.blind, proof.blind);
        }
    }
}

#[test]
fn one_object_drawn_for_certain_is_drawn_by_every_method() {
    for method in [Method::Equal, Method::Pareto, Method::Order] {
        let recipe = Recipe {
            strata: vec![(vec![7], PPB)],
            method,
            rounding: Rounding::Systematic,
            hash: HashAlgorithm::Sha256,
            exploration_n: 1,
            grouped: false,
            secret: [1; 32],
        };
        let world = World::new(&recipe);

        let outcome = world.draw();

        let key = if method == Method::Order { "ALL" } else { "C0" };
        assert_eq!(
            String::from_utf8(outcome.sample_tsv).unwrap(),
            format!("00·0\t{key}\t1\n")
        );
        assert_eq!(outcome.explore_drawn, 0);
    }
}

#[test]
fn nothing_is_drawn_from_a_stratum_without_target() {
    let recipe = Recipe {
        strata: vec![(vec![1; 9], 0), (vec![1; 9], PPB)],
        method: Method::Equal,
        rounding: Rounding::Systematic,
        hash: HashAlgorithm::Sha256,
        exploration_n: 0,
        grouped: false,
        secret: [1; 32],
    };

    let outcome = World::new(&recipe).draw();

    assert_eq!(
        outcome
            .strata
            .iter()
            .map(|stratum| stratum.n)
            .collect::<Vec<_>>(),
        [0, 9]
    );
    assert_eq!(outcome.strata[0].reserve.len(), 2);
    assert!(outcome.strata[1].reserve.is_empty());
}
