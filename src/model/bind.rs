//! Binding the model files to each other: what is looked up by name is looked up once.

use std::collections::BTreeSet;

use super::card_parts::{PairAxis, PairTerm, SpecialCode};
use super::rules::{Condition, TierRules};
use super::scorecard::{Card, Cutoffs, MAX_POINTS, Scorecard, ScorecardError};
use super::scorecards::Scorecards;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{EnterpriseKind, RecordKind, Tier, canonical::canonical_bytes};
use crate::indicators::{Catalogue, Measure, RegisterStatistic, WantedFacts};

/// Why the model files do not go together.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The scorecard does not fit the catalogue.
    #[error(transparent)]
    Scorecard(#[from] ScorecardError),
    /// The scorecard of a kind does not fit the catalogue.
    #[error("the scorecard for `{kind}`: {cause}")]
    KindScorecard {
        /// The kind.
        kind: EnterpriseKind,
        /// What is wrong.
        cause: ScorecardError,
    },
    /// A rule is wrong.
    #[error("rule `{rule}`: {reason}")]
    Rule {
        /// Its code.
        rule: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The professional grade is wrong.
    #[error("`tier.grade`: {0}")]
    Grade(String),
    /// The files have no canonical form.
    #[error("the model files have no digest: {0}")]
    Digest(String),
}

/// How one slot, an indicator or a fact of a rule, gets its value.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// Its records do not reach this register: missing.
    Uncovered,
    /// From records of one kind.
    Records {
        /// The bit of the kind in a set of kinds.
        bit: u32,
        /// The value without a record of the kind.
        without: Option<f64>,
        /// How it is measured.
        measure: Measure,
    },
    /// From the enterprise itself.
    Own(Measure),
    /// From the register.
    Register(RegisterStatistic, Option<u32>),
}

/// The bit of a kind in a set of kinds.
pub(super) fn kind_bit(kind: RecordKind) -> u32 {
    1_u32.checked_shl(u32::from(kind.code())).unwrap_or(0)
}

/// What a rule does when it applies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Direct(Tier),
    Floor(Tier),
    Shift(u8),
}

/// A rule with its slot.
#[derive(Clone, Debug)]
pub(super) struct BoundRule {
    pub(super) slot: usize,
    pub(super) at_least: f64,
    pub(super) act: Act,
    /// Position among the rules of its sort.
    pub(super) position: usize,
}

/// A scorecard by slot.
#[derive(Clone, Debug)]
pub(super) struct BoundCard {
    pub(super) cards: Vec<Option<Card>>,
    /// The points of each indicator for an enterprise without a record; 0 for those that do not rest on records.
    pub(super) without: Vec<i64>,
    /// The sums of those by group: where a walk through the register begins for every enterprise.
    pub(super) without_by_group: Vec<i64>,
    pub(super) group_caps: Vec<i64>,
    pub(super) cutoffs: Cutoffs,
    /// Points that everyone starts with.
    pub(super) base: i32,
    pub(super) pairs: Vec<BoundPair>,
}

/// A pair term with the slots and the special codes of its two indicators.
#[derive(Clone, Debug)]
pub(super) struct BoundPair {
    pub(super) term: PairTerm,
    first: BoundAxis,
    second: BoundAxis,
}

#[derive(Clone, Debug)]
struct BoundAxis {
    /// No slot where the indicator has no card: its value is missing.
    slot: Option<usize>,
    specials: Vec<SpecialCode>,
}

impl BoundAxis {
    fn new(axis: &PairAxis, catalogue: &Catalogue, scorecard: &Scorecard) -> Self {
        let card = scorecard.indicators.get(&axis.indicator);
        Self {
            slot: card.and_then(|_| catalogue.position(&axis.indicator)),
            specials: card.map_or_else(Vec::new, |card| card.specials.clone()),
        }
    }

    fn cell(&self, axis: &PairAxis, value: &impl Fn(usize) -> Option<f64>) -> usize {
        axis.cell(self.slot.and_then(value), &self.specials)
    }
}

impl BoundPair {
    fn new(term: &PairTerm, catalogue: &Catalogue, scorecard: &Scorecard) -> Self {
        Self {
            first: BoundAxis::new(&term.first, catalogue, scorecard),
            second: BoundAxis::new(&term.second, catalogue, scorecard),
            term: term.clone(),
        }
    }

    /// The points of the values by slot. None of them is of the register: binding refuses such a pair.
    fn points(&self, value: &impl Fn(usize) -> Option<f64>) -> i32 {
        let first = self.first.cell(&self.term.first, value);
        let second = self.second.cell(&self.term.second, value);
        self.term.at(first, second)
    }
}

impl BoundCard {
    pub(super) fn new(catalogue: &Catalogue, scorecard: &Scorecard, bound: &Bound) -> Self {
        let indicators = catalogue.indicators.iter();
        let groups = catalogue.groups.iter();
        let cards: Vec<Option<Card>> = indicators
            .map(|indicator| scorecard.indicators.get(&indicator.code).cloned())
            .collect();
        let without: Vec<i64> = cards
            .iter()
            .zip(&bound.slots)
            .map(|(card, slot)| match (card, slot) {
                (Some(card), Slot::Records { without, .. }) => card.points(*without).into(),
                (Some(card), Slot::Uncovered) => card.points(None).into(),
                (None, _) | (_, Slot::Own(_) | Slot::Register(..)) => 0,
            })
            .collect();
        let mut without_by_group = vec![0; catalogue.groups.len()];
        for (points, group) in without.iter().zip(&bound.groups) {
            if let Some(sum) = without_by_group.get_mut(*group) {
                *sum += points;
            }
        }
        Self {
            cards,
            without,
            without_by_group,
            group_caps: groups
                .map(|group| {
                    // A trained card may leave a group without a cap: then nothing bounds it but the whole.
                    let cap = scorecard.group_caps.get(&group.code).copied();
                    cap.map_or(i64::MAX, i64::from)
                })
                .collect(),
            cutoffs: scorecard.cutoffs,
            base: scorecard.base,
            pairs: scorecard
                .pairs
                .iter()
                .map(|term| BoundPair::new(term, catalogue, scorecard))
                .collect(),
        }
    }

    /// The points of each pair term, by the values of the slots.
    pub(super) fn pair_points(&self, value: impl Fn(usize) -> Option<f64>) -> Vec<i32> {
        self.pairs.iter().map(|pair| pair.points(&value)).collect()
    }

    /// What stands beside the groups and under no cap: the base and the pair terms.
    pub(super) fn beside(&self, by_pair: &[i32]) -> i64 {
        let pairs = by_pair.iter().map(|points| i64::from(*points));
        pairs.fold(i64::from(self.base), i64::saturating_add)
    }

    /// The points: what stands beside the groups, and each group to its cap, together from 0 to 1000.
    pub(super) fn total(&self, beside: i64, by_group: impl Iterator<Item = i64>) -> u16 {
        let capped = by_group
            .zip(&self.group_caps)
            .map(|(sum, cap)| sum.min(*cap));
        let total = capped.fold(beside, i64::saturating_add);
        u16::try_from(total.clamp(0, i64::from(MAX_POINTS))).unwrap_or(MAX_POINTS)
    }
}

/// Slots and rules of a catalogue and a policy.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) slots: Vec<Slot>,
    /// In the order in which they act.
    pub(super) rules: Vec<BoundRule>,
    /// Position of each indicator's group.
    pub(super) groups: Vec<usize>,
    pub(super) wanted: WantedFacts,
    /// The value of each slot for an enterprise without a record, as far as records alone say it.
    pub(super) without: Vec<Option<f64>>,
    /// The rules on slots that need no register.
    pub(super) own_rules: Vec<BoundRule>,
    /// The slots that the register fills.
    pub(super) register_slots: Vec<(usize, RegisterStatistic, Option<u32>)>,
    /// The rules on such slots.
    pub(super) register_rules: Vec<BoundRule>,
}

impl Bound {
    pub(super) fn new(catalogue: &Catalogue, rules: &TierRules) -> Result<Self, ClassifierError> {
        let measures = catalogue.indicators.iter();
        let mut measures: Vec<Measure> = measures
            .map(|indicator| indicator.measure.clone())
            .collect();
        let mut seen = BTreeSet::new();
        let mut bound = Vec::new();
        let direct = rules.direct.iter().enumerate();
        let floor = rules.floor.iter().enumerate();
        let shift = rules.shift.iter().enumerate();
        let all =
            direct
                .map(|(position, rule)| (position, &rule.code, &rule.when, Act::Direct(rule.tier)))
                .chain(floor.map(|(position, rule)| {
                    (position, &rule.code, &rule.when, Act::Floor(rule.tier))
                }))
                .chain(shift.map(|(position, rule)| {
                    (position, &rule.code, &rule.when, Act::Shift(rule.steps))
                }));
        for (position, code, when, act) in all {
            let fail = |reason: &str| ClassifierError::Rule {
                rule: code.clone(),
                reason: reason.to_owned(),
            };
            if !seen.insert(code) {
                return Err(fail("is declared twice; give every rule its own code"));
            }
            bound.push(BoundRule {
                slot: slot_of(when, catalogue, &mut measures).map_err(fail)?,
                at_least: when.at_least,
                act,
                position,
            });
        }
        let covered = |kind: RecordKind| rules.record_kinds.contains(&kind);
        let slots: Vec<Slot> = measures
            .into_iter()
            .map(|measure| slot(measure, &covered))
            .collect();
        let wants = |which: &[RegisterStatistic]| {
            slots.iter().any(
                |slot| matches!(slot, Slot::Register(statistic, _) if which.contains(statistic)),
            )
        };
        let wanted = WantedFacts {
            complaints: wants(&[RegisterStatistic::ComplaintShareBelow])
                && covered(RecordKind::Complaint),
            addresses: wants(&[RegisterStatistic::SameAddress]) && covered(RecordKind::Link),
            persons: wants(&[RegisterStatistic::EnterprisesPerPerson]) && covered(RecordKind::Link),
            links: wants(&[
                RegisterStatistic::LinkedHighRisk,
                RegisterStatistic::LinkedCancellations,
            ]) && covered(RecordKind::Link),
        };
        let group_of = |code: &String| {
            let position = catalogue
                .groups
                .iter()
                .position(|group| group.code == *code);
            position.unwrap_or(usize::MAX)
        };
        let register_slots: Vec<_> = slots
            .iter()
            .enumerate()
            .filter_map(|(position, slot)| match slot {
                Slot::Register(statistic, least_peers) => {
                    Some((position, *statistic, *least_peers))
                }
                Slot::Uncovered | Slot::Records { .. } | Slot::Own(_) => None,
            })
            .collect();
        let on_register =
            |rule: &&BoundRule| register_slots.iter().any(|(slot, ..)| *slot == rule.slot);
        let (register_rules, own_rules) =
            bound.iter().cloned().partition(|rule| on_register(&rule));
        Ok(Self {
            register_rules,
            own_rules,
            register_slots,
            without: slots
                .iter()
                .map(|slot| match slot {
                    Slot::Records { without, .. } => *without,
                    Slot::Uncovered | Slot::Own(_) | Slot::Register(..) => None,
                })
                .collect(),
            slots,
            rules: bound,
            groups: catalogue
                .indicators
                .iter()
                .map(|indicator| group_of(&indicator.group))
                .collect(),
            wanted,
        })
    }
}

fn slot_of(
    when: &Condition,
    catalogue: &Catalogue,
    measures: &mut Vec<Measure>,
) -> Result<usize, &'static str> {
    match (&when.indicator, &when.measure) {
        (Some(indicator), None) => catalogue
            .position(indicator)
            .ok_or("names an indicator that is not in the catalogue"),
        (None, Some(measure)) if measure.lacks_window() => Err("needs `window_months`"),
        (None, Some(measure)) if measure.has_senseless_peers() => {
            Err("has `least_peers` where there are no peers, or below 2")
        }
        (None, Some(measure)) => {
            measures.push(measure.clone());
            Ok(measures.len() - 1)
        }
        (Some(_), Some(_)) | (None, None) => Err("needs either `indicator` or `measure`"),
    }
}

fn slot(measure: Measure, covered: &dyn Fn(RecordKind) -> bool) -> Slot {
    match &measure {
        Measure::Records(records) if !covered(records.kind) => Slot::Uncovered,
        Measure::Records(records) => Slot::Records {
            bit: kind_bit(records.kind),
            without: records.without_records(),
            measure,
        },
        Measure::Attribute { .. } | Measure::AgeMonths { .. } | Measure::Industry { .. } => {
            Slot::Own(measure)
        }
        Measure::Register {
            statistic,
            least_peers,
        } => Slot::Register(*statistic, *least_peers),
    }
}

/// Digests of the model (catalogue and scorecards) and of all files that decide tiers.
///
/// A model with the general scorecard alone has the digest of catalogue and scorecard.
pub(super) fn digests(
    catalogue: &Catalogue,
    scorecards: &Scorecards,
    rules: &TierRules,
) -> Result<(Digest, Digest), ClassifierError> {
    let Scorecards { general, by_kind } = scorecards;
    let (model, files) = if by_kind.is_empty() {
        (
            canonical_bytes(&(catalogue, general)),
            canonical_bytes(&(catalogue, general, rules)),
        )
    } else {
        (
            canonical_bytes(&(catalogue, general, by_kind)),
            canonical_bytes(&(catalogue, general, rules, by_kind)),
        )
    };
    let fail = |error: crate::domain::canonical::CanonicalError| {
        ClassifierError::Digest(error.to_string())
    };
    let hash = |bytes: Vec<u8>| HashAlgorithm::Sha256.hash(&[&bytes]);
    Ok((hash(model.map_err(fail)?), hash(files.map_err(fail)?)))
}
