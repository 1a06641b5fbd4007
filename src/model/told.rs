//! Writing the reasons down, in Chinese and English.

use super::bind::{Act, BoundCard, BoundRule, Slot};
use super::classifier::{Classifier, Points};
use super::grade::GradeMatrix;
use super::reason::{Reason, RecordRef, Step, number};
use super::register_words::{detail, missing};
use crate::domain::{Decision, Tier};
use crate::indicators::{
    Indicator, LinkedEnterprise, Measurement, Names, RegisterStatistic, RegisterView, Subject,
};

/// Writes the reasons down, where they are asked for.
pub(super) struct Told<'a, 'r> {
    pub(super) classifier: &'a Classifier,
    pub(super) card: &'a BoundCard,
    pub(super) subject: &'a Subject<'a>,
    pub(super) measured: &'a [Measurement],
    pub(super) view: &'a RegisterView<'a>,
    pub(super) reasons: Option<&'r mut Vec<Reason>>,
}

impl Told<'_, '_> {
    /// One reason per indicator that gives points, one for the base and per pair term that gives any, then one per missing
    /// indicator and one per group at its cap.
    pub(super) fn points(&mut self, points: &Points) {
        if self.reasons.is_none() {
            return;
        }
        let catalogue = self.classifier.catalogue();
        let (mut scored, mut missing) = (Vec::new(), Vec::new());
        let slots = self.measured.iter().zip(&self.classifier.bound.slots);
        let given = points.by_indicator.iter().copied();
        for ((indicator, (measurement, slot)), points) in
            catalogue.indicators.iter().zip(slots).zip(given)
        {
            match (measurement.value, points) {
                (None, points) => missing.push(self.missing(indicator, slot, points)),
                (Some(value), Some(points)) if points != 0 => {
                    scored.push(self.scored(indicator, slot, measurement, value, points));
                }
                (Some(_), _) => {}
            }
        }
        scored.extend(self.beside(&points.by_pair));
        scored.append(&mut missing);
        let groups = catalogue.groups.iter().zip(&points.by_group);
        for ((group, sum), cap) in groups.zip(&self.card.group_caps) {
            if sum > cap {
                scored.push(Reason {
                    value: Some(*sum as f64),
                    points: Some(i32::try_from(cap - sum).unwrap_or(i32::MIN)),
                    ..reason(
                        Step::GroupCap,
                        &group.code,
                        format!("{}：合计{sum}分，以{cap}分封顶", group.name.zh),
                        format!("{}: {sum} points in all, capped at {cap}", group.name.en),
                    )
                });
            }
        }
        if let Some(reasons) = self.reasons.as_deref_mut() {
            reasons.append(&mut scored);
        }
    }

    /// The points that belong to no single indicator: the base and the pair terms.
    fn beside(&self, by_pair: &[i32]) -> Vec<Reason> {
        let told = |code: &str, points: i32, zh: String, en: String| Reason {
            points: Some(points),
            ..reason(Step::Points, code, zh, en)
        };
        let catalogue = self.classifier.catalogue();
        let name = |code: &str| {
            let position = catalogue.position(code);
            let indicator = position.and_then(|position| catalogue.indicators.get(position));
            indicator.map_or_else(
                || Names {
                    zh: code.to_owned(),
                    en: code.to_owned(),
                },
                |indicator| indicator.name.clone(),
            )
        };
        let base = Some(self.card.base).filter(|base| *base != 0).map(|base| {
            told(
                "BASE_POINTS",
                base,
                format!("起始分：计{base}分"),
                format!("points that everyone starts with: {base}"),
            )
        });
        let pairs = self.card.pairs.iter().zip(by_pair);
        let pairs = pairs
            .filter(|(_, points)| **points != 0)
            .map(|(pair, points)| {
                let [first, second] = pair.term.codes();
                let (one, other) = (name(first), name(second));
                told(
                    &format!("{first}*{second}"),
                    *points,
                    format!("{}与{}同时：计{points}分", one.zh, other.zh),
                    format!("{} together with {}: {points} points", one.en, other.en),
                )
            });
        base.into_iter().chain(pairs).collect()
    }

    fn missing(&self, indicator: &Indicator, slot: &Slot, points: Option<i32>) -> Reason {
        let Names { zh, en } = &indicator.name;
        let why = missing(statistic(slot).map(|(statistic, _)| statistic), self.view);
        let given = points.unwrap_or(0);
        Reason {
            points,
            ..reason(
                Step::Missing,
                &indicator.code,
                format!("{zh}：{}，计{given}分", why.zh),
                format!("{en}: {}, {given} points", why.en),
            )
        }
    }

    fn scored(
        &self,
        indicator: &Indicator,
        slot: &Slot,
        measurement: &Measurement,
        value: f64,
        points: i32,
    ) -> Reason {
        let Names { zh, en } = &indicator.name;
        let plain = || Names {
            zh: number(value),
            en: number(value),
        };
        let words = statistic(slot)
            .and_then(|(statistic, least)| detail(statistic, least, self.view))
            .unwrap_or_else(plain);
        Reason {
            value: Some(value),
            points: Some(points),
            records: self.refs(measurement),
            ..reason(
                Step::Points,
                &indicator.code,
                format!("{zh}：{}，计{points}分", words.zh),
                format!("{en}: {}, {points} points", words.en),
            )
        }
    }

    /// The tier of the points.
    pub(super) fn cutoff(&mut self, points: u16, tier: Tier) {
        let cutoffs = self.card.cutoffs;
        let least = match tier {
            Tier::A => 0,
            Tier::B => cutoffs.b,
            Tier::C => cutoffs.c,
            Tier::D => cutoffs.d,
        };
        self.tell(|_| Reason {
            value: Some(f64::from(points)),
            tier: Some(tier),
            ..reason(
                Step::Cutoff,
                &format!("TIER_{tier}"),
                format!("总分{points}分，{tier}类从{least}分起"),
                format!("{points} points in all; tier {tier} begins at {least}"),
            )
        });
    }

    /// A rule that applies.
    pub(super) fn rule(&mut self, rule: &BoundRule, tier: Tier) {
        self.tell(|told| {
            let rules = &told.classifier.rules;
            let at = rule.position;
            let (step, named, zh, en) = match rule.act {
                Act::Direct(_) => (
                    Step::DirectRule,
                    rules.direct.get(at).map(|rule| (&rule.code, &rule.name)),
                    "直接判定",
                    "sets the tier",
                ),
                Act::Floor(_) => (
                    Step::Floor,
                    rules.floor.get(at).map(|rule| (&rule.code, &rule.name)),
                    "不低于",
                    "is a floor",
                ),
                Act::Shift(_) => (
                    Step::Shift,
                    rules.shift.get(at).map(|rule| (&rule.code, &rule.name)),
                    "下调",
                    "worsens the tier",
                ),
            };
            let unnamed = Names {
                zh: String::new(),
                en: String::new(),
            };
            let nameless = String::new();
            let (code, name) = named.unwrap_or((&nameless, &unnamed));
            let measurement = told.measured.get(rule.slot);
            let slot = told.classifier.bound.slots.get(rule.slot);
            let words = slot
                .and_then(statistic)
                .and_then(|(statistic, least)| detail(statistic, least, told.view));
            let (more_zh, more_en) = words.map_or_else(Default::default, |words| {
                (format!("（{}）", words.zh), format!(" ({})", words.en))
            });
            Reason {
                value: measurement.and_then(|measurement| measurement.value),
                tier: Some(tier),
                records: measurement
                    .map(|measurement| told.refs(measurement))
                    .unwrap_or_default(),
                ..reason(
                    step,
                    code,
                    format!("{}{more_zh}：{zh}，结果为{tier}类", name.zh),
                    format!("{}{more_en}: {en}, now {tier}", name.en),
                )
            }
        });
    }

    /// The enterprise is young.
    pub(super) fn cold_start(&mut self, months: u16, tier: Tier) {
        self.tell(|_| Reason {
            tier: Some(tier),
            ..reason(
                Step::ColdStart,
                "COLD_START",
                format!("成立不足{months}个月：按{tier}类"),
                format!("founded less than {months} months ago: tier {tier}"),
            )
        });
    }

    /// The professional grade, where one is stated.
    pub(super) fn grade(&mut self, grade: &GradeMatrix, tier: Tier) {
        let Some(stated) = grade.stated(self.subject.enterprise) else {
            return;
        };
        let shown = number(stated);
        let (zh, en) = match grade.row_of(stated) {
            Some(_) => (
                format!("专业分级{shown}级，与通用分类综合为{tier}类"),
                format!("professional grade {shown}: combined with the general tier, now {tier}"),
            ),
            None => (
                format!("专业分级“{shown}”不在矩阵内：仍为{tier}类"),
                format!("professional grade {shown} has no row in the matrix: still {tier}"),
            ),
        };
        self.tell(|_| Reason {
            value: Some(stated),
            tier: Some(tier),
            ..reason(Step::Grade, grade.attribute.as_str(), zh, en)
        });
    }

    /// The owner's tier.
    pub(super) fn owner(&mut self, owner: &LinkedEnterprise, tier: Tier) {
        let (id, of) = (&owner.enterprise_id, owner.base_tier);
        self.tell(|_| Reason {
            tier: Some(tier),
            ..reason(
                Step::Owner,
                "OWNER",
                format!("所属主体{id}为{of}类，取较差者：{tier}类"),
                format!("its owner {id} is in tier {of}; the worse of both applies: {tier}"),
            )
        });
    }

    /// What persons decided.
    pub(super) fn decision(&mut self, decision: &Decision) {
        let (step, id, zh, en) = match decision {
            Decision::Freeze {
                objection_id,
                tier,
                reason,
                from_on,
                expires_on,
                ended_on: _,
            } => (
                Step::Freeze,
                objection_id,
                format!(
                    "异议{objection_id}审查期间（{from_on}起，最迟至{expires_on}）类别不变，为{tier}类：{reason}"
                ),
                format!(
                    "objection {objection_id} is under examination from {from_on}, until {expires_on} at the latest: \
                     the tier stays {tier}: {reason}"
                ),
            ),
            Decision::Override {
                decision_id,
                tier,
                reason,
                proposed_by,
                approved_by,
                from_on,
                expires_on,
                ended_on: _,
            } => (
                Step::Override,
                decision_id,
                format!(
                    "{proposed_by}提出、{approved_by}批准，{from_on}起至{expires_on}前按{tier}类：{reason}"
                ),
                format!(
                    "proposed by {proposed_by}, approved by {approved_by}: tier {tier} from {from_on} until before \
                     {expires_on}: {reason}"
                ),
            ),
        };
        self.tell(|_| Reason {
            tier: Some(decision.tier()),
            ..reason(step, id, zh, en)
        });
    }

    fn tell(&mut self, what: impl FnOnce(&Self) -> Reason) {
        if self.reasons.is_some() {
            let told = what(self);
            if let Some(reasons) = self.reasons.as_deref_mut() {
                reasons.push(told);
            }
        }
    }

    fn refs(&self, measurement: &Measurement) -> Vec<RecordRef> {
        let positions = measurement.evidence.iter();
        positions
            .filter_map(|position| self.subject.records.get(*position))
            .map(|record| RecordRef::from(*record))
            .collect()
    }
}

/// A reason without value, points, tier and records.
fn reason(step: Step, code: &str, zh: String, en: String) -> Reason {
    Reason {
        step,
        code: code.to_owned(),
        value: None,
        points: None,
        tier: None,
        records: Vec::new(),
        text: Names { zh, en },
    }
}

fn statistic(slot: &Slot) -> Option<(RegisterStatistic, Option<u32>)> {
    match slot {
        Slot::Register(statistic, least_peers) => Some((*statistic, *least_peers)),
        Slot::Uncovered | Slot::Records { .. } | Slot::Own(_) => None,
    }
}
