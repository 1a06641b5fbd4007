//! The draw's test vectors, and what every test of them needs.

use std::collections::BTreeMap;

use risktier::domain::digest::{Digest, Secret32};
use risktier::sampling::contribution::Contribution;
use risktier::sampling::draw::{Draw, DrawOutcome};
use risktier::sampling::plan::FrozenPlan;
use risktier::sampling::pool::{Pool, PoolBuilder, StratumKey};
use risktier::sampling::transcript::Record;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub struct Vectors(Value);

#[derive(Deserialize)]
pub struct Case {
    pub plan: Value,
    pub plan_canonical: String,
    pub plan_digest: Digest,
    pub seed: String,
    pub tickets: BTreeMap<String, Digest>,
    pub rounding: Option<RoundingCase>,
    #[serde(default)]
    pub order: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub certain: BTreeMap<String, u32>,
    #[serde(default)]
    pub drawn: BTreeMap<String, u64>,
    #[serde(default)]
    pub exploration_before_dropping: Vec<String>,
    #[serde(default)]
    pub explore_drawn: u64,
    pub sample: String,
    pub sample_digest: Digest,
}

#[derive(Deserialize)]
pub struct RoundingCase {
    pub subkey: Digest,
    pub v: u64,
}

#[derive(Deserialize)]
struct Object {
    id: String,
    stratum: String,
    size: u32,
}

impl Vectors {
    pub fn load() -> Self {
        Self(serde_json::from_str(include_str!("../data/draw.json")).unwrap())
    }

    pub fn get<T: DeserializeOwned>(&self, pointer: &str) -> T {
        let value = self
            .0
            .pointer(pointer)
            .unwrap_or_else(|| panic!("no {pointer}"));
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{pointer}: {error}"))
    }

    /// The members of an object, all of them accounted for by the tests.
    pub fn members(&self, pointer: &str) -> Vec<String> {
        self.0
            .pointer(pointer)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    pub fn cases(&self) -> BTreeMap<String, Case> {
        self.get("/cases")
    }

    pub fn pool(&self) -> Pool {
        let objects: Vec<Object> = self.get("/pool");
        let mut builder = PoolBuilder::new();
        for object in objects.iter().rev() {
            builder
                .push(
                    &object.id,
                    &StratumKey::new(&object.stratum).unwrap(),
                    object.size,
                )
                .unwrap();
        }
        builder.build().unwrap()
    }

    pub fn pool_secret(&self) -> Secret32 {
        self.get("/pool_secret")
    }

    pub fn contributions(&self) -> Vec<Contribution> {
        let list: Vec<Value> = self.get("/contributions");
        let one = |c: &Value| {
            serde_json::from_value(json!({"name": c["name"], "value": c["value"]})).unwrap()
        };
        list.iter().map(one).collect()
    }
}

/// A vector case, drawn.
pub struct Drawn {
    pub plan: FrozenPlan,
    pub pool: Pool,
    pub contributions: Vec<Contribution>,
    pub pool_secret: Secret32,
    pub outcome: DrawOutcome,
}

impl Drawn {
    pub fn new(vectors: &Vectors, plan: FrozenPlan) -> Self {
        Self::with_pool(vectors, plan, vectors.pool())
    }

    pub fn with_pool(vectors: &Vectors, plan: FrozenPlan, pool: Pool) -> Self {
        let contributions = vectors.contributions();
        let outcome = Draw::run(&plan, &pool, &contributions).unwrap();
        Self {
            plan,
            pool,
            contributions,
            pool_secret: vectors.pool_secret(),
            outcome,
        }
    }

    pub fn of_case(vectors: &Vectors, case: &Case) -> Self {
        Self::new(vectors, serde_json::from_value(case.plan.clone()).unwrap())
    }

    pub fn record(&self) -> Record<'_> {
        Record {
            plan_id: "0192-plan",
            plan: &self.plan,
            contributions: &self.contributions,
            pool_secret: &self.pool_secret,
            outcome: &self.outcome,
            previous: Some(self.plan.frame_digest),
        }
    }
}
