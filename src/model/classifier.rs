//! The classifier: catalogue, scorecard and tier rules bound together.

use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

use super::reason::{Reason, RecordRef, Step, number};
use super::rules::{Condition, TierRules};
use super::scorecard::{Card, Scorecard, ScorecardError, bounded};
use crate::domain::canonical::{CanonicalError, canonical_bytes};
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{AsOf, Enterprise, Epoch, Record, Tier};
use crate::indicators::{Catalogue, Measure, Measurement, Names, Subject, current_versions};

/// The tier of one enterprise as of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// The tier after every rule.
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

/// Why the three files do not go together.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The scorecard does not fit the catalogue.
    #[error(transparent)]
    Scorecard(#[from] ScorecardError),
    /// A rule is wrong.
    #[error("rule `{rule}`: {reason}")]
    Rule {
        /// Its code.
        rule: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The files have no canonical form.
    #[error("the model files have no digest: {0}")]
    Digest(String),
}

/// Turns records into a tier. Built once, used for every enterprise.
#[derive(Clone, Debug)]
pub struct Classifier {
    catalogue: Catalogue,
    scorecard: Scorecard,
    rules: TierRules,
    /// One slot per indicator, in catalogue order: its card and the position of its group.
    cards: Vec<(Option<Card>, usize)>,
    group_caps: Vec<i32>,
    /// Facts of the rules that are no indicators, behind the indicators.
    extra: Vec<Measure>,
    direct: Vec<(usize, f64)>,
    floor: Vec<(usize, f64)>,
    shift: Vec<(usize, f64)>,
    model_digest: Digest,
    epoch: Epoch,
}

impl Classifier {
    /// Binds the three files; refuses what does not fit, naming the indicator or rule.
    pub fn new(
        catalogue: Catalogue,
        scorecard: Scorecard,
        rules: TierRules,
    ) -> Result<Self, ClassifierError> {
        scorecard.check_against(&catalogue)?;
        let groups: Vec<&str> = catalogue
            .groups
            .iter()
            .map(|group| group.code.as_str())
            .collect();
        let cards = catalogue
            .indicators
            .iter()
            .map(|indicator| {
                let group = groups
                    .iter()
                    .position(|code| *code == indicator.group)
                    .unwrap_or(usize::MAX);
                (scorecard.indicators.get(&indicator.code).cloned(), group)
            })
            .collect();
        let group_caps = groups
            .iter()
            .map(|code| {
                scorecard
                    .group_caps
                    .get(*code)
                    .map_or(i32::MAX, |cap| i32::from(*cap))
            })
            .collect();
        let mut extra = Vec::new();
        let mut seen = BTreeSet::new();
        let mut bind = |code: &str, when: &Condition| -> Result<(usize, f64), ClassifierError> {
            let fail = |reason: &str| ClassifierError::Rule {
                rule: code.to_owned(),
                reason: reason.to_owned(),
            };
            if !seen.insert(code.to_owned()) {
                return Err(fail("is declared twice; give every rule its own code"));
            }
            let slot = match (&when.indicator, &when.measure) {
                (Some(indicator), None) => catalogue
                    .position(indicator)
                    .ok_or_else(|| fail("names an indicator that is not in the catalogue"))?,
                (None, Some(measure)) if measure.lacks_window() => {
                    return Err(fail("needs `window_months`"));
                }
                (None, Some(measure)) => {
                    extra.push(measure.clone());
                    catalogue.indicators.len() + extra.len() - 1
                }
                _ => return Err(fail("needs either `indicator` or `measure`")),
            };
            Ok((slot, when.at_least))
        };
        let direct = rules
            .direct
            .iter()
            .map(|rule| bind(&rule.code, &rule.when))
            .collect::<Result<_, _>>()?;
        let floor = rules
            .floor
            .iter()
            .map(|rule| bind(&rule.code, &rule.when))
            .collect::<Result<_, _>>()?;
        let shift = rules
            .shift
            .iter()
            .map(|rule| bind(&rule.code, &rule.when))
            .collect::<Result<_, _>>()?;
        let digest = |bytes: Result<Vec<u8>, CanonicalError>| {
            bytes
                .map(|bytes| HashAlgorithm::Sha256.hash(&[&bytes]))
                .map_err(|error| ClassifierError::Digest(error.to_string()))
        };
        let model_digest = digest(canonical_bytes(&(&catalogue, &scorecard)))?;
        let epoch = Epoch::of(&digest(canonical_bytes(&(&catalogue, &scorecard, &rules)))?);
        Ok(Self {
            catalogue,
            scorecard,
            rules,
            cards,
            group_caps,
            extra,
            direct,
            floor,
            shift,
            model_digest,
            epoch,
        })
    }

    /// Identity of the tiers it gives: catalogue, scorecard and tier rules.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Digest of catalogue and scorecard in canonical form.
    pub fn model_digest(&self) -> &Digest {
        &self.model_digest
    }

    /// The scorecard it uses.
    pub fn scorecard(&self) -> &Scorecard {
        &self.scorecard
    }

    /// The catalogue it uses.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The tier, without reasons.
    ///
    /// `versions` are all stored versions of the enterprise's records, grouped by record and ordered by `known_on`.
    pub fn classify(
        &self,
        enterprise: &Enterprise,
        versions: &[Record],
        as_of: AsOf,
    ) -> Classification {
        self.run(enterprise, versions, as_of, None)
    }

    /// The tier with every reason, in the order in which the steps act.
    pub fn explain(
        &self,
        enterprise: &Enterprise,
        versions: &[Record],
        as_of: AsOf,
    ) -> Classification {
        let mut reasons = Vec::new();
        let mut classification = self.run(enterprise, versions, as_of, Some(&mut reasons));
        classification.reasons = reasons;
        classification
    }

    fn run(
        &self,
        enterprise: &Enterprise,
        versions: &[Record],
        as_of: AsOf,
        reasons: Option<&mut Vec<Reason>>,
    ) -> Classification {
        let (records, next_version_on) = current_versions(versions, as_of.day);
        let subject = Subject {
            enterprise,
            records: &records,
            as_of,
        };
        let measured = self.measure(&subject);
        let points = self.points(&measured);
        let mut told = Told {
            classifier: self,
            measured: &measured,
            records: &records,
            reasons,
        };
        told.points(&points);
        let scored_tier = self.scorecard.cutoffs.tier(points.total);
        told.cutoff(points.total, scored_tier);

        let mut tier = scored_tier;
        for (rule, (slot, at_least)) in self.rules.direct.iter().zip(&self.direct) {
            if met(&measured, *slot, *at_least) {
                tier = tier.max(rule.tier);
                told.rule(Step::DirectRule, &rule.code, &rule.name, *slot, tier);
            }
        }
        for (rule, (slot, at_least)) in self.rules.floor.iter().zip(&self.floor) {
            if met(&measured, *slot, *at_least) {
                tier = tier.max(rule.tier);
                told.rule(Step::Floor, &rule.code, &rule.name, *slot, tier);
            }
        }
        for (rule, (slot, at_least)) in self.rules.shift.iter().zip(&self.shift) {
            if met(&measured, *slot, *at_least) {
                tier = tier.worsened_by(rule.steps);
                told.rule(Step::Shift, &rule.code, &rule.name, *slot, tier);
            }
        }
        let cold = Measure::AgeMonths {
            cap: self.rules.cold_start.months,
        }
        .of(&subject);
        let young = cold
            .value
            .is_some_and(|months| months < f64::from(self.rules.cold_start.months));
        if young && tier < self.rules.cold_start.tier {
            tier = self.rules.cold_start.tier;
            told.cold_start(self.rules.cold_start.months, tier);
        }
        let next_change_on = measured
            .iter()
            .chain([&cold])
            .filter_map(|measurement| measurement.next_change_on)
            .chain(next_version_on)
            .min();
        Classification {
            tier,
            scored_tier,
            points: points.total,
            as_of,
            next_change_on,
            reasons: Vec::new(),
        }
    }

    /// Measures the indicators, then the facts of the rules.
    fn measure(&self, subject: &Subject<'_>) -> Vec<Measurement> {
        let declared = self
            .catalogue
            .indicators
            .iter()
            .map(|indicator| &indicator.measure);
        declared
            .chain(&self.extra)
            .map(|measure| {
                if self.is_covered(measure) {
                    measure.of(subject)
                } else {
                    Measurement::default()
                }
            })
            .collect()
    }

    fn is_covered(&self, measure: &Measure) -> bool {
        match measure {
            Measure::Records(records) => self.rules.record_kinds.contains(&records.kind),
            Measure::Attribute { .. }
            | Measure::AgeMonths { .. }
            | Measure::Industry { .. }
            | Measure::Register { .. } => true,
        }
    }

    fn points(&self, measured: &[Measurement]) -> Points {
        let mut by_group = vec![0_i32; self.group_caps.len()];
        let mut by_indicator = Vec::with_capacity(self.cards.len());
        for ((card, group), measurement) in self.cards.iter().zip(measured) {
            let points = card.as_ref().map(|card| card.points(measurement.value));
            if let (Some(points), Some(sum)) = (points, by_group.get_mut(*group)) {
                *sum = sum.saturating_add(points);
            }
            by_indicator.push(points);
        }
        let by_pair = self.pair_points(measured);
        let beside = by_pair.iter().fold(self.scorecard.base, |sum, points| {
            sum.saturating_add(*points)
        });
        let total = by_group
            .iter()
            .zip(&self.group_caps)
            .fold(beside, |total, (sum, cap)| {
                total.saturating_add(*sum.min(cap))
            });
        Points {
            by_indicator,
            by_group,
            by_pair,
            total: bounded(total),
        }
    }

    /// The points of each pair term. A card without pair terms costs nothing here.
    fn pair_points(&self, measured: &[Measurement]) -> Vec<i32> {
        let number = |code: &str| {
            self.catalogue
                .position(code)
                .and_then(|position| measured.get(position))
                .and_then(|measurement| measurement.value)
        };
        self.scorecard
            .pairs
            .iter()
            .map(|pair| pair.points_of(&self.scorecard.indicators, &number, &|_| None))
            .collect()
    }
}

impl Classifier {
    /// The reasons of the points that belong to no single indicator: the base and the pair terms.
    fn beside_reasons(&self, by_pair: &[i32]) -> Vec<Reason> {
        let told = |code: String, points: i32, zh: String, en: String| Reason {
            step: Step::Points,
            code,
            value: None,
            points: Some(points),
            tier: None,
            records: Vec::new(),
            text: Names { zh, en },
        };
        let name = |code: &str| {
            self.catalogue
                .position(code)
                .and_then(|position| self.catalogue.indicators.get(position))
                .map_or_else(
                    || Names {
                        zh: code.to_owned(),
                        en: code.to_owned(),
                    },
                    |indicator| indicator.name.clone(),
                )
        };
        let base = Some(self.scorecard.base)
            .filter(|base| *base != 0)
            .map(|base| {
                told(
                    "BASE_POINTS".to_owned(),
                    base,
                    format!("起始分：计{base}分"),
                    format!("points that everyone starts with: {base}"),
                )
            });
        let pairs = self.scorecard.pairs.iter().zip(by_pair);
        let pairs = pairs
            .filter(|(_, points)| **points != 0)
            .map(|(pair, points)| {
                let [first, second] = pair.codes();
                let (one, other) = (name(first), name(second));
                told(
                    format!("{first}*{second}"),
                    *points,
                    format!("{}与{}同时：计{points}分", one.zh, other.zh),
                    format!("{} together with {}: {points} points", one.en, other.en),
                )
            });
        base.into_iter().chain(pairs).collect()
    }
}

struct Points {
    by_indicator: Vec<Option<i32>>,
    by_group: Vec<i32>,
    by_pair: Vec<i32>,
    total: u16,
}

fn met(measured: &[Measurement], slot: usize, at_least: f64) -> bool {
    measured
        .get(slot)
        .and_then(|measurement| measurement.value)
        .is_some_and(|value| value >= at_least)
}

/// Writes the reasons down, where they are asked for.
struct Told<'a, 'r> {
    classifier: &'a Classifier,
    measured: &'a [Measurement],
    records: &'a [&'a Record],
    reasons: Option<&'r mut Vec<Reason>>,
}

impl Told<'_, '_> {
    fn points(&mut self, points: &Points) {
        let Some(reasons) = self.reasons.as_deref_mut() else {
            return;
        };
        let indicators = &self.classifier.catalogue.indicators;
        let mut missing = Vec::new();
        for ((indicator, measurement), points) in indicators
            .iter()
            .zip(self.measured)
            .zip(&points.by_indicator)
        {
            let Names { zh, en } = &indicator.name;
            match (measurement.value, *points) {
                (None, points) => missing.push(Reason {
                    step: Step::Missing,
                    code: indicator.code.clone(),
                    value: None,
                    points,
                    tier: None,
                    records: Vec::new(),
                    text: Names {
                        zh: format!("{zh}：无数据，计{}分", points.unwrap_or(0)),
                        en: format!("{en}: no data, {} points", points.unwrap_or(0)),
                    },
                }),
                (Some(value), Some(points)) if points != 0 => reasons.push(Reason {
                    step: Step::Points,
                    code: indicator.code.clone(),
                    value: Some(value),
                    points: Some(points),
                    tier: None,
                    records: refs(self.records, measurement),
                    text: Names {
                        zh: format!("{zh}：{}，计{points}分", number(value)),
                        en: format!("{en}: {}, {points} points", number(value)),
                    },
                }),
                (Some(_), _) => {}
            }
        }
        reasons.append(&mut missing);
        reasons.extend(self.classifier.beside_reasons(&points.by_pair));
        let groups = self
            .classifier
            .catalogue
            .groups
            .iter()
            .zip(&points.by_group)
            .zip(&self.classifier.group_caps);
        for ((group, sum), cap) in groups.filter(|((_, sum), cap)| sum > cap) {
            reasons.push(Reason {
                step: Step::GroupCap,
                code: group.code.clone(),
                value: Some(f64::from(*sum)),
                points: Some(cap - sum),
                tier: None,
                records: Vec::new(),
                text: Names {
                    zh: format!("{}：合计{sum}分，以{cap}分封顶", group.name.zh),
                    en: format!("{}: {sum} points in all, capped at {cap}", group.name.en),
                },
            });
        }
    }

    fn cutoff(&mut self, points: u16, tier: Tier) {
        let Some(reasons) = self.reasons.as_deref_mut() else {
            return;
        };
        let cutoffs = self.classifier.scorecard.cutoffs;
        let from = BTreeMap::from([
            (Tier::A, 0),
            (Tier::B, cutoffs.b),
            (Tier::C, cutoffs.c),
            (Tier::D, cutoffs.d),
        ]);
        let least = from.get(&tier).copied().unwrap_or(0);
        reasons.push(Reason {
            step: Step::Cutoff,
            code: format!("TIER_{tier}"),
            value: Some(f64::from(points)),
            points: None,
            tier: Some(tier),
            records: Vec::new(),
            text: Names {
                zh: format!("总分{points}分，{tier}类从{least}分起"),
                en: format!("{points} points in all; tier {tier} begins at {least}"),
            },
        });
    }

    fn rule(&mut self, step: Step, code: &str, name: &Names, slot: usize, tier: Tier) {
        let Some(reasons) = self.reasons.as_deref_mut() else {
            return;
        };
        let measurement = self.measured.get(slot);
        let (zh, en) = match step {
            Step::DirectRule => ("直接判定", "sets the tier"),
            Step::Floor => ("不低于", "is a floor"),
            _ => ("下调", "worsens the tier"),
        };
        reasons.push(Reason {
            step,
            code: code.to_owned(),
            value: measurement.and_then(|measurement| measurement.value),
            points: None,
            tier: Some(tier),
            records: measurement
                .map(|measurement| refs(self.records, measurement))
                .unwrap_or_default(),
            text: Names {
                zh: format!("{}：{zh}，结果为{tier}类", name.zh),
                en: format!("{}: {en}, now {tier}", name.en),
            },
        });
    }

    fn cold_start(&mut self, months: u16, tier: Tier) {
        let Some(reasons) = self.reasons.as_deref_mut() else {
            return;
        };
        reasons.push(Reason {
            step: Step::ColdStart,
            code: "COLD_START".to_owned(),
            value: None,
            points: None,
            tier: Some(tier),
            records: Vec::new(),
            text: Names {
                zh: format!("成立不足{months}个月：按{tier}类"),
                en: format!("founded less than {months} months ago: tier {tier}"),
            },
        });
    }
}

fn refs(records: &[&Record], measurement: &Measurement) -> Vec<RecordRef> {
    measurement
        .evidence
        .iter()
        .filter_map(|position| records.get(*position))
        .map(|record| RecordRef::from(*record))
        .collect()
}
