//! The classifier: catalogue, scorecards, tier rules and frozen statistics bound together.

use jiff::civil::Date;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::bind::{Act, Bound, BoundCard, BoundRule, ClassifierError, Slot, digests, kind_bit};
use super::case::Case;
use super::reason::Reason;
use super::rules::TierRules;
use super::scorecard::Scorecard;
use super::scorecards::Scorecards;
use super::told::Told;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{AsOf, Decision, EnterpriseKind, Epoch, Tier};
use crate::indicators::{
    Catalogue, Measure, Measurement, RegisterFacts, RegisterView, Statistics, Subject,
    current_versions,
};

/// The tier of one enterprise as of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// The tier after every step.
    pub tier: Tier,
    /// The tier that the points alone give.
    pub scored_tier: Tier,
    /// Points, 0–1000, higher is riskier.
    pub points: u16,
    /// The day it speaks for.
    pub as_of: AsOf,
    /// The first later day on which the tier may differ though no record arrives; absent if there is none.
    pub next_change_on: Option<Date>,
    /// Why, step by step; empty unless asked for.
    pub reasons: Vec<Reason>,
}

/// Turns records into a tier. Built once, used for every enterprise.
#[derive(Clone, Debug)]
pub struct Classifier {
    catalogue: Catalogue,
    scorecards: Scorecards,
    pub(super) rules: TierRules,
    pub(super) bound: Bound,
    general: BoundCard,
    by_kind: BTreeMap<EnterpriseKind, BoundCard>,
    statistics: Option<Arc<Statistics>>,
    model_digest: Digest,
    files_digest: Digest,
    epoch: Epoch,
}

/// What an enterprise's own files say, before the register is looked at.
pub(super) struct Own {
    pub(super) measured: Vec<Measurement>,
    pub(super) facts: RegisterFacts,
    pub(super) young: bool,
    /// The row of its professional grade.
    pub(super) grade: Option<u8>,
    pub(super) next_change_on: Option<Date>,
}

impl Classifier {
    /// Binds the files; refuses what does not fit, naming the indicator or rule.
    ///
    /// # Errors
    ///
    /// When a scorecard does not fit the catalogue, a rule names nothing, or the grades' matrix falls.
    pub fn new(
        catalogue: Catalogue,
        scorecards: impl Into<Scorecards>,
        rules: TierRules,
    ) -> Result<Self, ClassifierError> {
        let scorecards: Scorecards = scorecards.into();
        scorecards.general.check_against(&catalogue)?;
        for (kind, scorecard) in &scorecards.by_kind {
            let fail = |cause| ClassifierError::KindScorecard { kind: *kind, cause };
            scorecard.check_against(&catalogue).map_err(fail)?;
        }
        if let Some(grade) = &rules.grade {
            grade.check().map_err(ClassifierError::Grade)?;
        }
        let bound = Bound::new(&catalogue, &rules)?;
        let (model_digest, files_digest) = digests(&catalogue, &scorecards, &rules)?;
        let by_kind = scorecards.by_kind.iter();
        Ok(Self {
            general: BoundCard::new(&catalogue, &scorecards.general, &bound),
            by_kind: by_kind
                .map(|(kind, scorecard)| (*kind, BoundCard::new(&catalogue, scorecard, &bound)))
                .collect(),
            catalogue,
            scorecards,
            rules,
            bound,
            statistics: None,
            model_digest,
            files_digest,
            epoch: Epoch::of(&files_digest),
        })
    }

    /// The same files with statistics that a run has frozen: another epoch.
    #[must_use]
    pub fn with_statistics(&self, statistics: Arc<Statistics>) -> Self {
        let parts: [&[u8]; 2] = [self.files_digest.as_bytes(), statistics.digest().as_bytes()];
        Self {
            epoch: Epoch::of(&HashAlgorithm::Sha256.hash(&parts)),
            statistics: Some(statistics),
            ..self.clone()
        }
    }

    /// Identity of the tiers it gives: catalogue, scorecards, tier rules and frozen statistics.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Digest of catalogue, scorecards and tier rules, whatever the statistics.
    pub fn files_digest(&self) -> &Digest {
        &self.files_digest
    }

    /// Digest of catalogue and scorecards in canonical form.
    pub fn model_digest(&self) -> &Digest {
        &self.model_digest
    }

    /// The scorecard for enterprises of a kind.
    pub fn scorecard_of(&self, kind: EnterpriseKind) -> &Scorecard {
        self.scorecards.of(kind)
    }

    /// All scorecards.
    pub fn scorecards(&self) -> &Scorecards {
        &self.scorecards
    }

    /// The catalogue it uses.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The statistics it uses, if a run has frozen any.
    pub fn statistics(&self) -> Option<&Arc<Statistics>> {
        self.statistics.as_ref()
    }

    /// The tier, without reasons.
    pub fn classify(&self, case: &Case<'_>, as_of: AsOf) -> Classification {
        self.run(case, as_of, None)
    }

    /// The tier with every reason, in the order in which the steps act.
    pub fn explain(&self, case: &Case<'_>, as_of: AsOf) -> Classification {
        let mut reasons = Vec::new();
        let mut classification = self.run(case, as_of, Some(&mut reasons));
        classification.reasons = reasons;
        classification
    }

    /// The value of every indicator of the catalogue, in its order, as a tier of the day would rest on; nothing where it
    /// is missing.
    pub fn features(&self, case: &Case<'_>, as_of: AsOf) -> Vec<Option<f64>> {
        let (records, _) = current_versions(case.versions, as_of.day);
        let subject = Subject {
            enterprise: case.enterprise,
            records: &records,
            as_of,
        };
        let own = self.own(&subject);
        let view = RegisterView {
            others: Some(case.linked),
            statistics: self.statistics.as_deref(),
            ..self.view(&own.facts, as_of.day)
        };
        let slots = self.bound.slots.iter().zip(&own.measured);
        slots
            .take(self.catalogue.indicators.len())
            .map(|(slot, measurement)| match slot {
                Slot::Register(statistic, least_peers) => view.value(*statistic, *least_peers),
                Slot::Uncovered | Slot::Records { .. } | Slot::Own(_) => measurement.value,
            })
            .collect()
    }

    fn run(
        &self,
        case: &Case<'_>,
        as_of: AsOf,
        reasons: Option<&mut Vec<Reason>>,
    ) -> Classification {
        let (records, next_version_on) = current_versions(case.versions, as_of.day);
        let subject = Subject {
            enterprise: case.enterprise,
            records: &records,
            as_of,
        };
        let mut own = self.own(&subject);
        let view = RegisterView {
            others: Some(case.linked),
            statistics: self.statistics.as_deref(),
            ..self.view(&own.facts, as_of.day)
        };
        for (slot, measurement) in self.bound.slots.iter().zip(&mut own.measured) {
            if let Slot::Register(statistic, least_peers) = slot {
                measurement.value = view.value(*statistic, *least_peers);
                if reasons.is_some() && measurement.value.is_some() {
                    measurement.evidence = view.evidence(*statistic, &subject);
                }
            }
        }
        let card = self.card_of(case.enterprise.kind);
        let points = self.points(card, &own.measured);
        let mut told = Told {
            classifier: self,
            card,
            subject: &subject,
            measured: &own.measured,
            view: &view,
            reasons,
        };
        told.points(&points);
        let scored_tier = card.cutoffs.tier(points.total);
        told.cutoff(points.total, scored_tier);

        let mut tier = scored_tier;
        for rule in self.met(&own.measured) {
            tier = match rule.act {
                Act::Direct(at_least) | Act::Floor(at_least) => tier.max(at_least),
                Act::Shift(steps) => tier.worsened_by(steps),
            };
            told.rule(rule, tier);
        }
        if own.young && tier < self.rules.cold_start.tier {
            tier = self.rules.cold_start.tier;
            told.cold_start(self.rules.cold_start.months, tier);
        }
        if let Some(grade) = &self.rules.grade {
            tier = own.grade.map_or(tier, |row| grade.tier(row, tier));
            told.grade(grade, tier);
        }
        if let Some(owner) = view.owner() {
            tier = tier.max(owner.base_tier);
            told.owner(owner, tier);
        }
        for decision in in_force(case.decisions, as_of.day) {
            tier = decision.tier();
            told.decision(decision);
        }
        Classification {
            tier,
            scored_tier,
            points: points.total,
            as_of,
            next_change_on: [
                own.next_change_on,
                next_version_on,
                next_decision_on(case.decisions, as_of.day),
                view.next_change_on(),
            ]
            .into_iter()
            .flatten()
            .min(),
            reasons: Vec::new(),
        }
    }

    pub(super) fn card_of(&self, kind: EnterpriseKind) -> &BoundCard {
        self.by_kind.get(&kind).unwrap_or(&self.general)
    }

    /// The register as if it were not known.
    pub(super) fn view<'a>(&self, facts: &'a RegisterFacts, day: Date) -> RegisterView<'a> {
        RegisterView {
            facts,
            wanted: self.bound.wanted,
            statistics: None,
            others: None,
            day,
        }
    }

    /// Measures the indicators, then the facts of the rules; slots of the register stay missing.
    pub(super) fn own(&self, subject: &Subject<'_>) -> Own {
        let kinds = kinds_of(subject);
        let measured: Vec<Measurement> = self
            .bound
            .slots
            .iter()
            .map(|slot| match slot {
                Slot::Records {
                    bit,
                    without,
                    measure: _,
                } if kinds & bit == 0 => Measurement {
                    value: *without,
                    ..Measurement::default()
                },
                Slot::Records { measure, .. } | Slot::Own(measure) => measure.of(subject),
                Slot::Uncovered | Slot::Register(..) => Measurement::default(),
            })
            .collect();
        let (facts, next_fact_on) = RegisterFacts::gather(subject, self.bound.wanted);
        let (young, next_age_on) = self.is_young(subject);
        let next_change_on = measured
            .iter()
            .filter_map(|measurement| measurement.next_change_on)
            .chain(next_age_on)
            .chain(next_fact_on)
            .min();
        Own {
            measured,
            facts,
            young,
            grade: self.grade_of(subject),
            next_change_on,
        }
    }

    /// Whether the cold start applies, and the first later day on which the age may say otherwise.
    pub(super) fn is_young(&self, subject: &Subject<'_>) -> (bool, Option<Date>) {
        let cap = self.rules.cold_start.months;
        let age = Measure::AgeMonths { cap }.of(subject);
        let young = age.value.is_some_and(|months| months < f64::from(cap));
        (young, age.next_change_on)
    }

    /// The row of the professional grade that is stated of an enterprise.
    pub(super) fn grade_of(&self, subject: &Subject<'_>) -> Option<u8> {
        let grade = self.rules.grade.as_ref()?;
        grade.row_of(grade.stated(subject.enterprise)?)
    }

    /// The rules whose condition holds, in the order in which they act.
    fn met<'a>(&'a self, measured: &'a [Measurement]) -> impl Iterator<Item = &'a BoundRule> {
        self.bound.rules.iter().filter(|rule| {
            let value = measured.get(rule.slot).and_then(|found| found.value);
            rule.is_met_by(value)
        })
    }

    fn points(&self, card: &BoundCard, measured: &[Measurement]) -> Points {
        let mut by_group = vec![0_i64; card.group_caps.len()];
        let mut by_indicator = Vec::with_capacity(card.cards.len());
        for ((card, group), measurement) in card.cards.iter().zip(&self.bound.groups).zip(measured)
        {
            let points = card.as_ref().map(|card| card.points(measurement.value));
            if let (Some(points), Some(sum)) = (points, by_group.get_mut(*group)) {
                *sum += i64::from(points);
            }
            by_indicator.push(points);
        }
        let by_pair = card.pair_points(|slot| measured.get(slot).and_then(|found| found.value));
        Points {
            by_indicator,
            total: card.total(card.beside(&by_pair), by_group.iter().copied()),
            by_group,
            by_pair,
        }
    }
}

impl BoundRule {
    /// A missing value meets no condition.
    pub(super) fn is_met_by(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| value >= self.at_least)
    }
}

/// The kinds of the records, as a set of bits.
pub(super) fn kinds_of(subject: &Subject<'_>) -> u32 {
    let records = subject.records.iter();
    records.fold(0, |kinds, record| kinds | kind_bit(record.kind))
}

/// Points by indicator, by group, by pair term and in all.
pub(super) struct Points {
    pub(super) by_indicator: Vec<Option<i32>>,
    pub(super) by_group: Vec<i64>,
    pub(super) by_pair: Vec<i32>,
    pub(super) total: u16,
}

/// The freeze and the override that count on a day, in the order in which they act. Of several of one sort the latest
/// prevails.
pub(super) fn in_force(decisions: &[Decision], day: Date) -> impl Iterator<Item = &Decision> {
    let latest = |wanted: fn(&Decision) -> bool| {
        decisions
            .iter()
            .filter(|decision| wanted(decision) && decision.counts_on(day))
            .max_by_key(|decision| decision.precedence())
    };
    let freeze = latest(|decision| matches!(decision, Decision::Freeze { .. }));
    let changed = latest(|decision| matches!(decision, Decision::Override { .. }));
    freeze.into_iter().chain(changed)
}

/// The first later day on which a decision begins or ends.
pub(super) fn next_decision_on(decisions: &[Decision], day: Date) -> Option<Date> {
    decisions
        .iter()
        .flat_map(Decision::turning_days)
        .flatten()
        .filter(|turning| *turning > day && *turning < Date::MAX)
        .min()
}
