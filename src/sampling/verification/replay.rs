//! Complete replay of the auditor and internal editions from the pool file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::contribution::{
    Assurance, Contribution, OpeningError, PlannedContribution, opening_problems,
};
use super::super::draw::{DrawOutcome, replay};
use super::super::merkle::pool_commitments;
use super::super::pool::{Pool, PoolError, StratumKey};
use super::super::replacement::{ReplaceError, Standing};
use super::super::seed::Seed;
use super::super::transcript::{
    AuditorTranscript, DrawnCount, Edition, PLAN_ID_PREFIX, plan_id_of,
};
use super::Checks;

/// Members of the internal edition only.
const STRATA_MEANING: &str = "strata_meaning";
const EXCLUDED_REASONS: &str = "excluded_reasons";
const REPLACEMENTS: &str = "replacements";

/// The keys explained by the internal edition.
pub(super) struct Meaning {
    strata: BTreeSet<String>,
    reasons: BTreeSet<String>,
    replacements: Vec<Replacement>,
}

/// What the replayed order says about a replacement; who made it, when and why is a matter of record.
#[derive(Deserialize)]
struct Replacement {
    number: u64,
    enterprise_id: String,
    stratum: String,
    #[serde(default)]
    taken: Option<Taken>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Taken {
    enterprise_id: String,
    order: u64,
}

/// Takes the members of the internal edition out, so that the body reads as the auditor edition does.
pub(super) fn without_meaning(mut value: Value) -> (Value, Meaning) {
    let mut take = |member: &str| {
        let object = value
            .as_object_mut()
            .and_then(|members| members.remove(member));
        let members: Map<String, Value> = object
            .and_then(|o| o.as_object().cloned())
            .unwrap_or_default();
        members.into_iter().map(|(key, _)| key).collect()
    };
    let (strata, reasons) = (take(STRATA_MEANING), take(EXCLUDED_REASONS));
    let replacements = value
        .as_object_mut()
        .and_then(|members| members.remove(REPLACEMENTS))
        .and_then(|list| serde_json::from_value(list).ok());
    let meaning = Meaning {
        strata,
        reasons,
        replacements: replacements.unwrap_or_default(),
    };
    (value, meaning)
}

/// The internal edition explains exactly the strata and the reasons of its plan.
pub(super) fn meaning(transcript: &AuditorTranscript, meaning: &Meaning, checks: &mut Checks) {
    if transcript.edition != Edition::Internal {
        return;
    }
    let plan = &transcript.plan;
    if plan.strata.is_some() {
        let strata: BTreeSet<String> = plan
            .strata()
            .iter()
            .map(|stratum| stratum.key.to_string())
            .collect();
        checks.holds(
            STRATA_MEANING,
            strata == meaning.strata,
            "does not explain exactly the plan's strata",
        );
    }
    let reasons: BTreeSet<String> = plan
        .excluded
        .iter()
        .map(|excluded| excluded.reason.clone())
        .collect();
    checks.holds(
        EXCLUDED_REASONS,
        reasons == meaning.reasons,
        "does not explain exactly the plan's reasons",
    );
}

/// Recomputes everything and compares it with what is recorded.
pub(super) fn checks(
    transcript: &AuditorTranscript,
    pool: Vec<u8>,
    sample: Option<&[u8]>,
    meaning: &Meaning,
    checks: &mut Checks,
) {
    let plan = &transcript.plan;
    let problems = plan.problems();
    for problem in &problems {
        checks.differs(format!("plan.{}", problem.member), problem.message.clone());
    }
    let Ok(plan_digest) = plan.digest() else {
        checks.differs("plan_digest", "the plan has no canonical form".to_owned());
        return;
    };
    checks.compare("plan_digest", &transcript.plan_digest, &plan_digest);
    contributions(transcript, checks);
    let seed = Seed::of(plan, &plan_digest, &transcript.contributions);
    checks.compare("seed", &transcript.seed.expose_hex(), &seed.expose_hex());
    let assurance = Assurance::of(&plan.contributions);
    checks.compare("assurance", &transcript.assurance.name(), &assurance.name());
    if transcript.plan_id.starts_with(PLAN_ID_PREFIX) {
        checks.compare("plan_id", &transcript.plan_id, &plan_id_of(&plan.nonce));
    }

    let pool = match Pool::parse(pool) {
        Ok(pool) => pool,
        Err((error, file)) => {
            checks.compare("pool_digest", &plan.pool_digest, &plan.hash.hash(&[&file]));
            let name = match &error {
                PoolError::Line { line, problem: _ } => format!("pool:line {line}"),
                PoolError::Empty | PoolError::TooLarge | PoolError::Row(_) | PoolError::Read(_) => {
                    "pool".to_owned()
                }
            };
            checks.differs(name, error.to_string());
            not_replayed(sample, "the pool file cannot be read", checks);
            return;
        }
    };
    let (digest, root) = pool_commitments(plan.hash, &transcript.pool_secret, &pool);
    checks.compare("pool_digest", &plan.pool_digest, &digest);
    checks.compare("pool_root", &plan.pool_root, &root);
    let mismatches = plan.pool_problems(&pool);
    for mismatch in &mismatches {
        checks.differs(mismatch.member.clone(), mismatch.message.clone());
    }
    if !problems.is_empty() || !mismatches.is_empty() {
        not_replayed(sample, "the plan does not fit itself or the pool", checks);
        return;
    }
    let found = replay(plan, plan_digest, seed, &pool);
    outcome(transcript, &found, sample, checks);
    replacements(&meaning.replacements, &found, &pool, checks);
}

/// Each replacement takes the next of the reserve, in order, for somebody who was in the sample.
fn replacements(recorded: &[Replacement], outcome: &DrawOutcome, pool: &Pool, checks: &mut Checks) {
    let mut standing = Standing::new(outcome);
    for (number, replacement) in (1..).zip(recorded) {
        let name = format!("replacement:{number}");
        let object = pool.find(&replacement.enterprise_id);
        let object = object.and_then(|index| u32::try_from(index).ok());
        let replaced = object
            .ok_or(ReplaceError::NotInSample)
            .and_then(|object| standing.replace(object));
        let replaced = match replaced {
            Ok(replaced) => replaced,
            Err(error) => {
                checks.differs(name, error.to_string());
                continue;
            }
        };
        let taken = replaced.taken.map(|taken| Taken {
            enterprise_id: pool.id(taken.object as usize).to_owned(),
            order: taken.order,
        });
        let holds = replacement.number == number
            && replacement.stratum == replaced.key.text(pool)
            && replacement.taken == taken;
        checks.holds(name, holds, "not the next of the stratum's reserve");
    }
}

/// Names and values of the committed contributions.
pub(super) fn committed_values(transcript: &AuditorTranscript) -> Vec<(String, String)> {
    let planned = &transcript.plan.contributions;
    let is_committed = |contribution: &&Contribution| {
        planned
            .iter()
            .any(|plan| *plan.name() == contribution.name && !plan.is_public())
    };
    let committed = transcript.contributions.iter().filter(is_committed);
    committed
        .map(|contribution| {
            (
                contribution.name.to_string(),
                contribution.value.expose().to_owned(),
            )
        })
        .collect()
}

fn contributions(transcript: &AuditorTranscript, checks: &mut Checks) {
    let plan = &transcript.plan;
    let sorted = transcript
        .contributions
        .is_sorted_by(|a, b| a.name < b.name);
    checks.holds("contributions", sorted, "must be sorted by name, each once");
    let problems = opening_problems(plan.hash, &plan.contributions, &transcript.contributions);
    commitments(&plan.contributions, &problems, checks);
}

/// One check per commitment, and one per contribution that does not belong or is not there.
pub(super) fn commitments(
    planned: &[PlannedContribution],
    problems: &[OpeningError],
    checks: &mut Checks,
) {
    for contribution in planned
        .iter()
        .filter(|contribution| !contribution.is_public())
    {
        let name = contribution.name();
        let kept = !problems.contains(&OpeningError::Commitment(name.clone()))
            && !problems.contains(&OpeningError::Missing(name.clone()));
        checks.holds(
            format!("commitment:{name}"),
            kept,
            "the opened value is not the one committed to",
        );
    }
    for problem in problems {
        match problem {
            OpeningError::Commitment(_) => {}
            OpeningError::Missing(name)
            | OpeningError::Unplanned(name)
            | OpeningError::Twice(name) => {
                checks.differs(format!("contribution:{name}"), problem.to_string());
            }
            OpeningError::Guessable => checks.differs("contributions", problem.to_string()),
        }
    }
}

fn not_replayed(sample: Option<&[u8]>, why: &str, checks: &mut Checks) {
    for name in ["rounding_v", "drawn", "explore_drawn", "sample_digest"] {
        checks.not_checked(name, why);
    }
    if sample.is_some() {
        checks.not_checked("sample", why);
    }
}

fn outcome(
    transcript: &AuditorTranscript,
    outcome: &DrawOutcome,
    sample: Option<&[u8]>,
    checks: &mut Checks,
) {
    let or_absent = |v: Option<u64>| v.map_or_else(|| "absent".to_owned(), |v| v.to_string());
    checks.compare(
        "rounding_v",
        &or_absent(transcript.rounding_v),
        &or_absent(outcome.rounding_v),
    );
    drawn(&transcript.drawn, outcome, checks);
    checks.compare(
        "explore_drawn",
        &transcript.explore_drawn,
        &outcome.explore_drawn,
    );
    checks.compare(
        "sample_digest",
        &transcript.sample_digest,
        &outcome.sample_digest,
    );
    if let Some(sample) = sample {
        compare_lines(sample, &outcome.sample_tsv, checks);
    }
}

fn drawn(recorded: &[DrawnCount], outcome: &DrawOutcome, checks: &mut Checks) {
    let mut left: BTreeMap<&StratumKey, u64> =
        recorded.iter().map(|count| (&count.key, count.n)).collect();
    for stratum in &outcome.strata {
        let name = format!("drawn:{}", stratum.key);
        match left.remove(&stratum.key) {
            Some(n) => checks.compare(name, &n, &stratum.n),
            None => checks.differs(name, "missing".to_owned()),
        }
    }
    for key in left.keys() {
        checks.differs(
            format!("drawn:{key}"),
            "the plan has no such stratum".to_owned(),
        );
    }
    let sorted = recorded.is_sorted_by(|a, b| a.key < b.key);
    checks.holds("drawn", sorted, "must be sorted by key, each once");
}

fn compare_lines(given: &[u8], recomputed: &[u8], checks: &mut Checks) {
    if given == recomputed {
        checks.holds("sample", true, "");
        return;
    }
    let show = |line: Option<&[u8]>| {
        line.map_or_else(
            || "nothing".to_owned(),
            |line| format!("`{}`", String::from_utf8_lossy(line).escape_debug()),
        )
    };
    let mut given = given.split_inclusive(|&byte| byte == b'\n');
    let mut recomputed = recomputed.split_inclusive(|&byte| byte == b'\n');
    for number in 1_u64.. {
        let (there, expected) = (given.next(), recomputed.next());
        if there.is_none() && expected.is_none() {
            break;
        }
        if there != expected {
            checks.differs(
                format!("sample:line {number}"),
                format!("given {}, recomputed {}", show(there), show(expected)),
            );
        }
    }
}
