//! What the public edition allows: proofs, kept commitments, assurance; with a public seed also the seed.

use std::collections::BTreeSet;

use super::super::contribution::{Assurance, Contribution, PlannedContribution, opening_problems};
use super::super::seed::Seed;
use super::super::transcript::PublicTranscript;
use super::{Check, Checks, Outcome, replay};
use crate::domain::digest::HashAlgorithm;

/// The public edition does not name its hash. Every algorithm is tried, and the one with the fewest differences is the
/// plan's: with the wrong one no proof and no commitment holds.
pub(super) fn checks(
    transcript: &PublicTranscript,
    sample: Option<&[u8]>,
    group: Option<&str>,
) -> Vec<Check> {
    let differences = |checks: &Vec<Check>| {
        checks
            .iter()
            .filter(|check| matches!(check.outcome, Outcome::Differs { .. }))
            .count()
    };
    HashAlgorithm::ALL
        .into_iter()
        .map(|algorithm| under(algorithm, transcript, sample, group))
        .min_by_key(differences)
        .unwrap_or_default()
}

fn under(
    algorithm: HashAlgorithm,
    transcript: &PublicTranscript,
    sample: Option<&[u8]>,
    group: Option<&str>,
) -> Vec<Check> {
    let mut checks = Checks::default();
    let sorted = transcript
        .commitments
        .is_sorted_by(|a, b| a.name() < b.name());
    checks.holds("commitments", sorted, "must be sorted by name, each once");
    if transcript
        .commitments
        .iter()
        .all(PlannedContribution::is_public)
    {
        let otherwise = "none is committed; without one the seed may have been guessed";
        checks.differs("commitments", otherwise.to_owned());
    }
    let assurance = Assurance::of(&transcript.commitments);
    checks.compare("assurance", &transcript.assurance.name(), &assurance.name());
    let sorted = transcript.selected.is_sorted_by(|a, b| a.id < b.id);
    checks.holds("selected", sorted, "must be sorted by id bytes, each once");
    for proof in &transcript.selected {
        let holds = proof.leads_to(algorithm, &transcript.pool_root);
        checks.holds(
            format!("proof:{}", proof.id),
            holds,
            "the path does not lead to the pool root",
        );
    }
    match (&transcript.contributions, transcript.seed) {
        (Some(contributions), Some(seed)) => opened(
            algorithm,
            transcript,
            contributions,
            seed,
            group,
            &mut checks,
        ),
        (None, None) => {
            checks.not_checked("seed", "this edition does not reveal it");
        }
        (Some(_), None) => checks.differs(
            "seed",
            "missing: values are revealed with the seed".to_owned(),
        ),
        (None, Some(_)) => checks.differs(
            "contributions",
            "missing: the seed is revealed with the values".to_owned(),
        ),
    }
    if let Some(sample) = sample {
        same_selection(transcript, sample, &mut checks);
    }
    checks.0
}

fn opened(
    algorithm: HashAlgorithm,
    transcript: &PublicTranscript,
    contributions: &[Contribution],
    seed: Seed,
    group: Option<&str>,
    checks: &mut Checks,
) {
    let sorted = contributions.is_sorted_by(|a, b| a.name < b.name);
    checks.holds("contributions", sorted, "must be sorted by name, each once");
    let problems = opening_problems(algorithm, &transcript.commitments, contributions);
    replay::commitments(&transcript.commitments, &problems, checks);
    let recomputed = Seed::from_parts(algorithm, &transcript.plan_digest, group, contributions);
    let otherwise = if group.is_some() {
        "the recomputed seed differs"
    } else {
        "the recomputed seed differs; for a plan of a coordinated group give the group's id"
    };
    checks.holds("seed", seed == recomputed, otherwise);
}

/// The sample file holds exactly the selected ids.
fn same_selection(transcript: &PublicTranscript, sample: &[u8], checks: &mut Checks) {
    let mut left: BTreeSet<&[u8]> = transcript
        .selected
        .iter()
        .map(|proof| proof.id.as_bytes())
        .collect();
    let before = checks.0.len();
    for (number, line) in (1_u64..).zip(sample.split_inclusive(|&byte| byte == b'\n')) {
        let id = line.split(|&byte| byte == b'\t').next().unwrap_or_default();
        if !left.remove(id) {
            checks.differs(
                format!("sample:line {number}"),
                "its id is not selected, or twice in the file".to_owned(),
            );
        }
    }
    for id in left {
        let id = String::from_utf8_lossy(id);
        checks.differs(
            format!("sample:{id}"),
            "selected, but not in the sample file".to_owned(),
        );
    }
    if checks.0.len() == before {
        checks.holds("sample", true, "");
    }
}
