//! The draw: plan, pool and opened contributions become a sample (`risktier-draw/1` sections 4 to 6).
//!
//! Same inputs, same bytes, on any machine and any number of threads. The draw stores nothing and asks nobody: that a
//! plan is drawn once is for the layer above.

use std::ops::Range;

use super::contribution::{Contribution, OpeningError, opening_problems};
use super::plan::{FrozenPlan, Method, PPB, PlanError, PlanProblem, PlannedStratum, Rounding};
use super::pool::{ALL, EXPLORE, Pool, StratumKey};
use super::seed::{EXPLORATION, ROUNDING, Seed, Tickets};
use super::selection::{StratumOrder, Wanted, lowest_of_pool, select};
use super::sizes::systematic;
use crate::domain::canonical::CanonicalError;
use crate::domain::decimal::push_number;
use crate::domain::digest::Digest;
use crate::domain::parallel::{beside, map_chunks};

/// Lines of the sample file written in one piece by one thread.
const CHUNK: usize = 1 << 14;

/// Why a plan cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The plan is not valid.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The pool is not the one that the plan describes; the first difference is shown.
    #[error("the pool is not that of the plan: {}: give the frozen pool", .0.first().map(ToString::to_string).unwrap_or_default())]
    Pool(Vec<PlanProblem>),
    /// The pool's digest is not that of the plan.
    #[error("the pool has digest `{found}`, the plan froze `{planned}`: give the frozen pool")]
    PoolDigest {
        /// The plan's pool digest.
        planned: Digest,
        /// The digest of the pool that was given.
        found: Digest,
    },
    /// The contributions do not fit the plan.
    #[error(transparent)]
    Contribution(#[from] OpeningError),
}

impl From<CanonicalError> for DrawError {
    fn from(error: CanonicalError) -> Self {
        Self::Plan(error.into())
    }
}

/// Under which key a drawn object stands in the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKey {
    /// Drawn in its stratum: the index into the pool's strata.
    Stratum(u32),
    /// Drawn by exploration: `EXPLORE`.
    Explore,
    /// Method `order`: `ALL`.
    All,
}

impl SampleKey {
    /// The key as it stands in the sample file; `pool` is the pool that was drawn from.
    #[must_use]
    pub fn text(self, pool: &Pool) -> &str {
        match self {
            Self::Stratum(index) => pool
                .strata()
                .get(index as usize)
                .map_or("", |(key, _)| key.as_str()),
            Self::Explore => EXPLORE,
            Self::All => ALL,
        }
    }
}

/// One line of the sample, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleLine {
    /// Index of the object in the pool.
    pub object: u32,
    /// The key under which it was drawn.
    pub key: SampleKey,
    /// Its order within the key, from 1.
    pub order: u32,
}

/// One line of the sample, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleRow<'a> {
    /// The object's id.
    pub id: &'a str,
    /// The key under which it was drawn: a stratum, `EXPLORE` or `ALL`.
    pub key: &'a str,
    /// Its order within the key, from 1.
    pub order: u32,
}

/// What was drawn in one stratum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnStratum {
    /// The stratum's key.
    pub key: StratumKey,
    /// `n_h`, the number of objects drawn in it.
    pub n: u64,
    /// How many of them were certain (method `pareto`).
    pub certain: u32,
    /// The objects that stand by, in the order in which they are taken.
    pub reserve: Vec<ReserveObject>,
}

/// An object that stands by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReserveObject {
    /// Index of the object in the pool.
    pub object: u32,
    /// Its order within the stratum, from `n + 1`; numbers of objects that exploration has drawn are left out.
    pub order: u64,
}

/// The result of a draw.
#[derive(Debug, Clone)]
pub struct DrawOutcome {
    /// The plan digest.
    pub plan_digest: Digest,
    /// The seed.
    pub seed: Seed,
    /// The random start `V` of systematic rounding, in ppb; absent for the other roundings.
    pub rounding_v: Option<u64>,
    /// Every stratum in byte order of key, also those of which nothing is drawn; empty for method `order`.
    pub strata: Vec<DrawnStratum>,
    /// The exploration objects before those already drawn are dropped, in ticket order.
    pub exploration: Vec<u32>,
    /// How many exploration objects are in the sample.
    pub explore_drawn: u64,
    /// The sample, sorted by key bytes, then order.
    pub lines: Vec<SampleLine>,
    /// The bytes of the file `sample.tsv`.
    pub sample_tsv: Vec<u8>,
    /// The sample digest.
    pub sample_digest: Digest,
}

impl DrawOutcome {
    /// The sample as text; `pool` is the pool that was drawn from.
    pub fn rows<'a>(&'a self, pool: &'a Pool) -> impl Iterator<Item = SampleRow<'a>> {
        rows(&self.lines, pool)
    }
}

/// The draw of `risktier-draw/1`.
#[derive(Debug)]
pub struct Draw;

impl Draw {
    /// Draws a plan from its pool with its opened contributions, which come in any order.
    ///
    /// # Errors
    ///
    /// [`DrawError`] when the plan is not valid, the pool is not the frozen one or a contribution does not fit.
    pub fn run(
        plan: &FrozenPlan,
        pool: &Pool,
        contributions: &[Contribution],
    ) -> Result<DrawOutcome, DrawError> {
        plan.validate()?;
        let differences = plan.pool_problems(pool);
        if !differences.is_empty() {
            return Err(DrawError::Pool(differences));
        }
        let plan_digest = plan.digest()?;
        let problem = opening_problems(plan.hash, &plan.contributions, contributions)
            .into_iter()
            .next();
        let seed = Seed::of(plan, &plan_digest, contributions);
        // One hash runs over the whole file from its beginning to its end; meanwhile the other cores draw, which is in vain
        // where the file or a contribution is another one.
        let (found, outcome) = beside(
            || pool.digest(plan.hash),
            || replay(plan, plan_digest, seed, pool),
        );
        if found != plan.pool_digest {
            return Err(DrawError::PoolDigest {
                planned: plan.pool_digest,
                found,
            });
        }
        problem.map_or(Ok(outcome), |problem| Err(problem.into()))
    }
}

/// The draw under a seed, for a valid plan whose strata are those of the pool.
pub(super) fn replay(
    plan: &FrozenPlan,
    plan_digest: Digest,
    seed: Seed,
    pool: &Pool,
) -> DrawOutcome {
    let tickets = Tickets::new(plan.hash, &seed);
    let mut outcome = DrawOutcome {
        plan_digest,
        seed,
        rounding_v: None,
        strata: Vec::new(),
        exploration: Vec::new(),
        explore_drawn: 0,
        lines: Vec::new(),
        sample_tsv: Vec::new(),
        sample_digest: plan_digest,
    };
    match plan.method {
        Method::Order => {
            let all = lowest_of_pool(pool, &tickets, pool.len() as u64);
            outcome.lines = lines_of(SampleKey::All, &all).collect();
        }
        Method::Equal | Method::Pareto => draw_strata(plan, pool, &tickets, &mut outcome),
    }
    outcome.sample_tsv = sample_file(&outcome.lines, pool);
    outcome.sample_digest = plan.hash.hash(&[&outcome.sample_tsv]);
    outcome
}

fn draw_strata(plan: &FrozenPlan, pool: &Pool, tickets: &Tickets, outcome: &mut DrawOutcome) {
    let (sizes, v) = sizes(plan, &outcome.plan_digest, &outcome.seed);
    outcome.rounding_v = v;
    let with_reserve = |(stratum, size): (&PlannedStratum, &u64)| Wanted {
        size: *size,
        length: size.saturating_add(stratum.reserve),
    };
    let wanted: Vec<Wanted> = plan.strata().iter().zip(&sizes).map(with_reserve).collect();
    let orders = select(plan.method, pool, tickets, &wanted);
    outcome.exploration = explore(plan, pool, &outcome.plan_digest, &outcome.seed);

    // The objects of each stratum: those drawn and those standing by.
    let halves: Vec<(&[u32], &[u32])> = orders
        .iter()
        .zip(&sizes)
        .map(|(order, size)| split(order, *size))
        .collect();
    let mut taken = Taken(vec![false; pool.len()]);
    for object in halves.iter().flat_map(|(drawn, _)| *drawn) {
        taken.take(*object);
    }
    let mut explored = outcome.exploration.clone();
    explored.retain(|object| taken.take(*object));
    outcome.explore_drawn = explored.len() as u64;

    let strata = pool.strata().iter().zip(0_u32..).zip(&halves);
    let mut parts: Vec<(&str, SampleKey, &[u32])> = strata
        .map(|(((key, _), index), (drawn, _))| (key.as_str(), SampleKey::Stratum(index), *drawn))
        .collect();
    parts.push((EXPLORE, SampleKey::Explore, &explored));
    parts.sort_by_key(|(key, _, _)| *key);
    outcome.lines = parts
        .into_iter()
        .flat_map(|(_, key, objects)| lines_of(key, objects))
        .collect();

    for (((key, _), order), ((_, standing_by), size)) in pool
        .strata()
        .iter()
        .zip(&orders)
        .zip(halves.iter().zip(sizes))
    {
        let reserve = (size + 1..)
            .zip(*standing_by)
            .filter(|(_, object)| !taken.has(**object))
            .map(|(order, object)| ReserveObject {
                object: *object,
                order,
            })
            .collect();
        outcome.strata.push(DrawnStratum {
            key: key.clone(),
            n: size,
            certain: order.certain,
            reserve,
        });
    }
}

/// Which objects of the pool are drawn.
struct Taken(Vec<bool>);

impl Taken {
    /// Takes an object; false if it was taken already.
    fn take(&mut self, object: u32) -> bool {
        self.0
            .get_mut(object as usize)
            .is_some_and(|slot| !std::mem::replace(slot, true))
    }

    fn has(&self, object: u32) -> bool {
        self.0.get(object as usize).copied().unwrap_or_default()
    }
}

/// The whole sample sizes, and the random start if rounding is systematic.
fn sizes(plan: &FrozenPlan, plan_digest: &Digest, seed: &Seed) -> (Vec<u64>, Option<u64>) {
    let targets: Vec<u64> = plan
        .strata()
        .iter()
        .map(|stratum| stratum.target_ppb)
        .collect();
    match plan.rounding {
        Rounding::Systematic => {
            let v = seed.stream(plan.hash, ROUNDING, plan_digest).below(PPB);
            (systematic(&targets, v), Some(v))
        }
        Rounding::LargestRemainder | Rounding::Whole => {
            (targets.iter().map(|target| target / PPB).collect(), None)
        }
    }
}

/// The exploration objects in ticket order under their own sub-key, before any is dropped.
fn explore(plan: &FrozenPlan, pool: &Pool, plan_digest: &Digest, seed: &Seed) -> Vec<u32> {
    if plan.exploration_n == 0 {
        return Vec::new();
    }
    let sub_key = Seed::new(seed.sub_key(plan.hash, EXPLORATION, plan_digest));
    lowest_of_pool(pool, &Tickets::new(plan.hash, &sub_key), plan.exploration_n)
}

/// The objects drawn and those standing by.
fn split(order: &StratumOrder, size: u64) -> (&[u32], &[u32]) {
    let size = usize::try_from(size)
        .unwrap_or(usize::MAX)
        .min(order.objects.len());
    order.objects.split_at(size)
}

fn lines_of(key: SampleKey, objects: &[u32]) -> impl Iterator<Item = SampleLine> {
    (1_u32..)
        .zip(objects)
        .map(move |(order, object)| SampleLine {
            object: *object,
            key,
            order,
        })
}

fn rows<'a>(lines: &'a [SampleLine], pool: &'a Pool) -> impl Iterator<Item = SampleRow<'a>> {
    lines.iter().map(|line| SampleRow {
        id: pool.id(line.object as usize),
        key: line.key.text(pool),
        order: line.order,
    })
}

/// The file `sample.tsv`: `id TAB key TAB order LF`.
fn sample_file(lines: &[SampleLine], pool: &Pool) -> Vec<u8> {
    let part = |range: Range<usize>| {
        let mut text = Vec::with_capacity(32 * range.len());
        for row in rows(lines.get(range).unwrap_or_default(), pool) {
            text.extend_from_slice(row.id.as_bytes());
            text.push(b'\t');
            text.extend_from_slice(row.key.as_bytes());
            text.push(b'\t');
            push_number(&mut text, row.order);
            text.push(b'\n');
        }
        text
    };
    map_chunks(lines.len(), CHUNK, part).concat()
}
