//! What the register gives back to one enterprise: the values of the statistics.

use jiff::civil::Date;
use std::collections::BTreeSet;

use super::key_counts::LinkKey;
use super::measure::RegisterStatistic;
use super::pass::{NextChange, Subject};
use super::register::{LinkedEnterprise, MONTHS, RegisterFacts, WantedFacts};
use super::statistics::{ComplaintShare, Statistics};
use crate::domain::dates::add_months;
use crate::domain::{EnterpriseId, LinkEnd, Record, RecordKind, Tier};

/// The least number of peers where the catalogue states none.
const LEAST_PEERS: u32 = 200;

/// One enterprise's facts beside the register as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct RegisterView<'a> {
    /// The enterprise's own facts.
    pub facts: &'a RegisterFacts,
    /// Which of them were gathered.
    pub wanted: WantedFacts,
    /// Frozen statistics, if a run has counted them.
    pub statistics: Option<&'a Statistics>,
    /// The other enterprises, each once, as far as they are in the register; `None` while they are not looked at.
    pub others: Option<&'a [LinkedEnterprise]>,
    /// The day the values speak for.
    pub day: Date,
}

impl<'a> RegisterView<'a> {
    /// The value of a statistic; absent is missing.
    pub fn value(&self, statistic: RegisterStatistic, least_peers: Option<u32>) -> Option<f64> {
        match statistic {
            RegisterStatistic::SameAddress => {
                self.shared(&self.facts.addresses, Statistics::same_address)
            }
            RegisterStatistic::EnterprisesPerPerson => {
                self.shared(&self.facts.persons, Statistics::enterprises_of)
            }
            RegisterStatistic::ComplaintShareBelow => {
                self.complaint_share(least_peers).map(ComplaintShare::value)
            }
            RegisterStatistic::LinkedHighRisk => {
                let high = |other: &LinkedEnterprise| is_high_risk(other);
                self.count(&high).map(|count| f64::from(count.min(1)))
            }
            RegisterStatistic::LinkedCancellations => {
                let day = self.day;
                self.count(&|other| is_cancelled_lately(other, day))
                    .map(f64::from)
            }
        }
    }

    /// The first later day on which what the others give may differ though no record arrives.
    pub fn next_change_on(&self) -> Option<Date> {
        let mut next = NextChange::after(self.day);
        for other in self.linked().chain(self.owner()) {
            other
                .next_change_on
                .into_iter()
                .for_each(|day| next.on(day));
            if let Some(cancelled_on) = other.cancelled_on {
                next.on(cancelled_on);
                next.on(add_months(cancelled_on, MONTHS));
            }
        }
        next.first
    }

    /// The enterprise whose tier applies.
    pub fn owner(&self) -> Option<&'a LinkedEnterprise> {
        let owner = self.facts.owner.as_ref()?;
        let mut others = self.others.unwrap_or_default().iter();
        others.find(|other| other.enterprise_id == *owner)
    }

    /// The linked enterprises that are in the register.
    pub fn linked(&self) -> impl Iterator<Item = &'a LinkedEnterprise> {
        let links = &self.facts.links;
        let others = self.others.unwrap_or_default().iter();
        others.filter(move |other| links.binary_search(&other.enterprise_id).is_ok())
    }

    /// How it stands among its peers.
    pub fn complaint_share(&self, least_peers: Option<u32>) -> Option<ComplaintShare> {
        let RegisterFacts {
            cell, complaints, ..
        } = self.facts;
        let statistics = self.statistics.filter(|_| *complaints > 0)?;
        statistics.complaint_share(cell, *complaints, least_peers.unwrap_or(LEAST_PEERS))
    }

    fn shared(&self, keys: &[LinkKey], of: fn(&Statistics, LinkKey) -> u32) -> Option<f64> {
        let statistics = self.statistics?;
        let most = keys.iter().map(|key| of(statistics, *key)).max();
        most.map(f64::from)
    }

    fn count(&self, counts: &dyn Fn(&LinkedEnterprise) -> bool) -> Option<u32> {
        // Without links the others need not be looked at: there are none.
        let known = self.wanted.links && (self.others.is_some() || self.facts.links.is_empty());
        known.then(|| {
            let counted = self.linked().filter(|other| counts(other)).count();
            u32::try_from(counted).unwrap_or(u32::MAX)
        })
    }

    /// Positions in the subject's records, in force, that a statistic rests on, in order.
    pub fn evidence(&self, statistic: RegisterStatistic, subject: &Subject<'_>) -> Vec<usize> {
        let day = self.day;
        let crowded = |keys: &[LinkKey], of: fn(&Statistics, LinkKey) -> u32| {
            let statistics = self.statistics?;
            keys.iter().copied().max_by_key(|key| of(statistics, *key))
        };
        let address = crowded(&self.facts.addresses, Statistics::same_address);
        let person = crowded(&self.facts.persons, Statistics::enterprises_of);
        let named: BTreeSet<&EnterpriseId> = self
            .linked()
            .filter(|other| match statistic {
                RegisterStatistic::LinkedHighRisk => is_high_risk(other),
                RegisterStatistic::LinkedCancellations => is_cancelled_lately(other, day),
                RegisterStatistic::SameAddress
                | RegisterStatistic::ComplaintShareBelow
                | RegisterStatistic::EnterprisesPerPerson => false,
            })
            .map(|other| &other.enterprise_id)
            .collect();
        let rests_on = |record: &Record| match (statistic, record.link_end()) {
            (RegisterStatistic::ComplaintShareBelow, _) => {
                record.kind == RecordKind::Complaint
                    && record.counts_on(day)
                    && day < add_months(record.occurred_on, MONTHS)
            }
            (RegisterStatistic::SameAddress, Some(LinkEnd::Address(key))) => {
                record.in_force_on(day) && address == Some(LinkKey::address(key))
            }
            (RegisterStatistic::EnterprisesPerPerson, Some(LinkEnd::Person(key))) => {
                record.in_force_on(day) && person == Some(LinkKey::person(key))
            }
            (
                RegisterStatistic::LinkedHighRisk | RegisterStatistic::LinkedCancellations,
                Some(LinkEnd::Enterprise(id)),
            ) => record.in_force_on(day) && named.contains(id),
            (
                RegisterStatistic::SameAddress
                | RegisterStatistic::EnterprisesPerPerson
                | RegisterStatistic::LinkedHighRisk
                | RegisterStatistic::LinkedCancellations,
                _,
            ) => false,
        };
        let positions = subject.records.iter().enumerate();
        positions
            .filter(|(_, record)| rests_on(record))
            .map(|(position, _)| position)
            .collect()
    }
}

/// Whether a linked enterprise is in tier D or listed.
pub fn is_high_risk(other: &LinkedEnterprise) -> bool {
    other.base_tier == Tier::D || other.is_listed
}

/// Whether a linked enterprise was cancelled within 12 months before `day`.
pub fn is_cancelled_lately(other: &LinkedEnterprise, day: Date) -> bool {
    other
        .cancelled_on
        .is_some_and(|on| on <= day && day < add_months(on, MONTHS))
}
