//! The two halves of a tier: what one enterprise's own files say, and what the register adds.
//!
//! A run over the register reads every enterprise once and keeps its [`Provisional`] result, a few tens of bytes. When
//! all have been read and the statistics are frozen, [`Classifier::finish`] gives the tier without the records. It is the
//! tier that [`Classifier::classify`] gives; a property test holds the two together.

use jiff::civil::Date;

use super::bind::{Act, Slot};
use super::case::Case;
use super::classifier::{Classifier, in_force, kinds_of, next_decision_on};
use crate::domain::compact::{CompactReader, CompactWriter, NotCompact};
use crate::domain::{AsOf, EnterpriseId, EnterpriseKind, Tier};
use crate::indicators::{LinkedEnterprise, RegisterFacts, RegisterView, Subject, current_versions};

/// Format and version of the bytes.
const MARK: &[u8] = &[2];

/// The own half of a tier: everything that needs no other enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisional {
    day: Date,
    kind: EnterpriseKind,
    /// Points by group before the caps, without the indicators of the register.
    by_group: Vec<i64>,
    /// Base points and pair terms, which no indicator of the register is part of.
    beside: i64,
    worst: Worsening,
    young: bool,
    grade: Option<u8>,
    decided: Option<Tier>,
    facts: RegisterFacts,
    tier: Tier,
    points: u16,
    base_tier: Tier,
    next_change_on: Option<Date>,
}

/// What rules do together: their order within a sort does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Worsening {
    /// The worst of direct rules and floors, which both act before any shift.
    at_least: Option<Tier>,
    /// The sum of the shifts.
    steps: u8,
}

impl Worsening {
    fn by(self, act: Act) -> Self {
        match act {
            Act::Direct(tier) | Act::Floor(tier) => Self {
                at_least: self.at_least.max(Some(tier)),
                ..self
            },
            Act::Shift(steps) => Self {
                steps: self.steps.saturating_add(steps),
                ..self
            },
        }
    }
}

/// A tier as a run keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The tier after every step.
    pub tier: Tier,
    /// Points, 0–1000.
    pub points: u16,
    /// The first later day on which the tier may differ though no record arrives.
    pub next_change_on: Option<Date>,
}

/// How far the steps go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// To the end.
    Whole,
    /// Without owner and decisions: what an enterprise hands on to those linked with it.
    Base,
}

impl Classifier {
    /// The own half of a tier, as if no statistics were frozen and no other enterprise known. `linked` of the case is not
    /// looked at.
    pub fn provisional(&self, case: &Case<'_>, as_of: AsOf) -> Provisional {
        let (records, next_version_on) = current_versions(case.versions, as_of.day);
        let subject = Subject {
            enterprise: case.enterprise,
            records: &records,
            as_of,
        };
        let kind = case.enterprise.kind;
        let card = self.card_of(kind);
        // What an enterprise without records has is known beforehand: only what its records and itself say is measured.
        let kinds = kinds_of(&subject);
        let mut by_group = card.without_by_group.clone();
        let mut values = self.bound.without.clone();
        let mut next_change_on =
            earliest(next_version_on, next_decision_on(case.decisions, as_of.day));
        let mut evidence = Vec::new();
        for (position, (slot, place)) in self.bound.slots.iter().zip(&mut values).enumerate() {
            let measure = match slot {
                Slot::Records { bit, measure, .. } if kinds & bit != 0 => measure,
                Slot::Own(measure) => measure,
                Slot::Records { .. } | Slot::Uncovered | Slot::Register(..) => continue,
            };
            let found = measure.measured(&subject, &mut evidence);
            *place = found.value;
            next_change_on = earliest(next_change_on, found.next_change_on);
            let card_of_slot = card.cards.get(position).and_then(Option::as_ref);
            let group = self.bound.groups.get(position);
            if let Some((card_of_slot, sum)) =
                card_of_slot.zip(group.and_then(|group| by_group.get_mut(*group)))
            {
                let without = card.without.get(position).copied().unwrap_or(0);
                *sum += i64::from(card_of_slot.points(found.value)) - without;
            }
        }
        let value = |slot: usize| values.get(slot).copied().flatten();
        let worst = self
            .bound
            .own_rules
            .iter()
            .filter(|rule| rule.is_met_by(value(rule.slot)))
            .fold(Worsening::default(), |worst, rule| worst.by(rule.act));
        let (facts, next_fact_on) = RegisterFacts::gather(&subject, self.bound.wanted);
        let (young, next_age_on) = self.is_young(&subject);
        let mut provisional = Provisional {
            day: as_of.day,
            kind,
            by_group,
            beside: card.beside(&card.pair_points(value)),
            worst,
            young,
            grade: self.grade_of(&subject),
            decided: in_force(case.decisions, as_of.day)
                .last()
                .map(|decision| decision.tier()),
            facts,
            tier: Tier::A,
            points: 0,
            base_tier: Tier::A,
            next_change_on: earliest(next_change_on, earliest(next_fact_on, next_age_on)),
        };
        let alone = self.view(&provisional.facts, provisional.day);
        let (base_tier, points) = self.settle(&provisional, &alone, Reach::Base);
        // No owner is known here, so that decisions alone stand between the two.
        provisional.tier = provisional.decided.unwrap_or(base_tier);
        provisional.points = points;
        provisional.base_tier = base_tier;
        provisional
    }

    /// The tier: the own half with the frozen statistics and the other enterprises that [`Provisional::links`] names.
    ///
    /// The provisional half must come from the same files.
    pub fn finish(&self, own: &Provisional, linked: &[LinkedEnterprise]) -> Settled {
        let view = RegisterView {
            statistics: self.statistics().map(AsRef::as_ref),
            others: Some(linked),
            ..self.view(&own.facts, own.day)
        };
        let (tier, points) = self.settle(own, &view, Reach::Whole);
        let next_change_on = [own.next_change_on, view.next_change_on()];
        Settled {
            tier,
            points,
            next_change_on: next_change_on.into_iter().flatten().min(),
        }
    }

    /// What this enterprise adds to those that are linked with it: statistics as usual, links, owner and decisions left
    /// out.
    pub fn as_linked(&self, enterprise_id: EnterpriseId, own: &Provisional) -> LinkedEnterprise {
        let view = RegisterView {
            statistics: self.statistics().map(AsRef::as_ref),
            ..self.view(&own.facts, own.day)
        };
        let (base_tier, _) = self.settle(own, &view, Reach::Base);
        LinkedEnterprise {
            enterprise_id,
            base_tier,
            is_listed: own.facts.is_listed,
            cancelled_on: own.facts.cancelled_on,
            next_change_on: own.next_change_on,
        }
    }

    fn settle(&self, own: &Provisional, view: &RegisterView<'_>, reach: Reach) -> (Tier, u16) {
        let card = self.card_of(own.kind);
        // Few statistics, so that a short list is quicker than a map.
        let values: Vec<(usize, Option<f64>)> = self
            .bound
            .register_slots
            .iter()
            .map(|(slot, statistic, least_peers)| (*slot, view.value(*statistic, *least_peers)))
            .collect();
        let mut by_group = own.by_group.clone();
        for (slot, value) in &values {
            let indicator = card.cards.get(*slot).and_then(Option::as_ref);
            let group = self.bound.groups.get(*slot);
            if let Some((card, sum)) =
                indicator.zip(group.and_then(|group| by_group.get_mut(*group)))
            {
                *sum += i64::from(card.points(*value));
            }
        }
        let points = card.total(own.beside, by_group.into_iter());
        let value_of = |slot: usize| values.iter().find(|(of, _)| *of == slot);
        let worst = self
            .bound
            .register_rules
            .iter()
            .fold(own.worst, |worst, rule| {
                let value = value_of(rule.slot).and_then(|(_, value)| *value);
                if rule.is_met_by(value) {
                    worst.by(rule.act)
                } else {
                    worst
                }
            });
        let mut tier = card.cutoffs.tier(points);
        tier = tier.max(worst.at_least.unwrap_or(Tier::A));
        tier = tier.worsened_by(worst.steps);
        if own.young {
            tier = tier.max(self.rules.cold_start.tier);
        }
        if let Some((grade, row)) = self.rules.grade.as_ref().zip(own.grade) {
            tier = grade.tier(row, tier);
        }
        if reach == Reach::Base {
            return (tier, points);
        }
        if let Some(owner) = view.owner() {
            tier = tier.max(owner.base_tier);
        }
        (own.decided.unwrap_or(tier), points)
    }
}

/// The earlier of two days, of which either may be missing.
fn earliest(one: Option<Date>, other: Option<Date>) -> Option<Date> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (day, None) | (None, day) => day,
    }
}

impl AsRef<RegisterFacts> for Provisional {
    fn as_ref(&self) -> &RegisterFacts {
        &self.facts
    }
}

impl Provisional {
    /// The tier as if the frozen statistics and the other enterprises were missing.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The points, as the tier.
    pub fn points(&self) -> u16 {
        self.points
    }

    /// The tier without owner and decisions, as the tier. With statistics: [`Classifier::as_linked`].
    pub fn base_tier(&self) -> Tier {
        self.base_tier
    }

    /// The first later day on which the own half may differ though no record arrives.
    pub fn next_change_on(&self) -> Option<Date> {
        self.next_change_on
    }

    /// The same with a further day on which the tier may differ, for what may change it and is no part of a case.
    pub fn changing_by(mut self, day: Option<Date>) -> Self {
        self.next_change_on = earliest(self.next_change_on, day);
        self
    }

    /// Whether the enterprise is on the serious-violation list.
    pub fn is_listed(&self) -> bool {
        self.facts.is_listed
    }

    /// The day on which the enterprise was cancelled.
    pub fn cancelled_on(&self) -> Option<Date> {
        self.facts.cancelled_on
    }

    /// Whether frozen statistics or other enterprises can change the tier. If not, tier, points and day are final.
    pub fn needs_register(&self) -> bool {
        self.facts.needs_register()
    }

    /// The other enterprises that the tier rests on: those that links in force name, and the owner.
    pub fn links(&self) -> impl Iterator<Item = &EnterpriseId> {
        self.facts.others()
    }

    /// The bytes to keep until the tier is finished.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = CompactWriter::new(MARK);
        self.write(&mut writer);
        writer.into_bytes()
    }

    /// As [`Provisional::to_bytes`] without a mark, into a larger whole that carries one.
    pub(crate) fn write(&self, writer: &mut CompactWriter) {
        writer.day(self.day);
        writer.byte(self.kind.code());
        writer.number(self.by_group.len() as u64);
        self.by_group.iter().for_each(|sum| writer.signed(*sum));
        writer.signed(self.beside);
        let code = |tier: Option<Tier>| tier.map_or(0, Tier::code);
        writer.byte(code(self.worst.at_least) << 4 | code(self.decided));
        writer.byte(self.worst.steps);
        writer.byte(self.tier.code() << 4 | self.base_tier.code());
        writer.number(u64::from(self.points));
        writer.byte(u8::from(self.young) | u8::from(self.next_change_on.is_some()) << 1);
        writer.byte(self.grade.unwrap_or(0));
        if let Some(day) = self.next_change_on {
            writer.day(day);
        }
        self.facts.write(writer);
    }

    /// Reads what [`Provisional::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// When the bytes are of another release or broken; the run that wrote them begins anew.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotCompact> {
        let mut reader = CompactReader::new(bytes, MARK)?;
        let read = Self::read(&mut reader)?;
        reader.end()?;
        Ok(read)
    }

    /// Reads what [`Provisional::write`] wrote.
    pub(crate) fn read(reader: &mut CompactReader<'_>) -> Result<Self, NotCompact> {
        let tiers = |reader: &mut CompactReader<'_>| -> Result<[Option<Tier>; 2], NotCompact> {
            let both = reader.byte()?;
            let tier = |code: u8| match code {
                0 => Ok(None),
                code => Tier::from_code(code)
                    .map(Some)
                    .ok_or_else(|| reader.wrong("a tier")),
            };
            Ok([tier(both >> 4)?, tier(both & 15)?])
        };
        let day = reader.day()?;
        let kind = reader.code(EnterpriseKind::from_code)?;
        let by_group = (0..reader.length(1)?)
            .map(|_| reader.signed())
            .collect::<Result<_, _>>()?;
        let beside = reader.signed()?;
        let [at_least, decided] = tiers(reader)?;
        let steps = reader.byte()?;
        let ([Some(tier), Some(base_tier)], points) = (tiers(reader)?, reader.small()?) else {
            return Err(reader.wrong("a tier"));
        };
        let (flags, grade) = (reader.byte()?, reader.byte()?);
        if flags > 3 {
            return Err(reader.wrong("known flags"));
        }
        let next_change_on = (flags & 2 != 0).then(|| reader.day()).transpose()?;
        let facts = RegisterFacts::read(reader)?;
        Ok(Self {
            day,
            kind,
            by_group,
            beside,
            worst: Worsening { at_least, steps },
            young: flags & 1 != 0,
            grade: (grade > 0).then_some(grade),
            decided,
            facts,
            tier,
            points,
            base_tier,
            next_change_on,
        })
    }
}
