//! What one enterprise gives to the statistics of the register and to those that are linked with it.
//!
//! The facts are gathered from the enterprise's own records and stand for themselves: with them a run can finish a tier
//! without reading the records again.

use jiff::civil::Date;

use super::key_counts::LinkKey;
use super::pass::{NextChange, Subject};
use crate::domain::compact::{CompactReader, CompactWriter, NotCompact};
use crate::domain::dates::add_months;
use crate::domain::{
    Enterprise, EnterpriseId, EnterpriseKind, EnterpriseSize, EnterpriseStatus, Label, LinkEnd,
    Record, RecordKind, Tier,
};

/// Complaints and cancellations count for this many months.
pub(super) const MONTHS: u16 = 12;
/// The code of the change of registration that ends an enterprise.
const CANCELLED: &str = "cancelled";

/// What an enterprise at the other end of a link, or the owner, adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedEnterprise {
    /// Its id.
    pub enterprise_id: EnterpriseId,
    /// Its tier without links, owner and decisions: links reach one enterprise far, so loops mean nothing.
    pub base_tier: Tier,
    /// Whether it is on the serious-violation list.
    pub is_listed: bool,
    /// The day on which it was cancelled.
    pub cancelled_on: Option<Date>,
    /// The first later day on which any of this may differ though no record arrives.
    pub next_change_on: Option<Date>,
}

/// Whom an enterprise is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCell {
    /// Industry label.
    pub industry: Option<Label>,
    /// Size class.
    pub size: EnterpriseSize,
}

/// Which facts are wanted: what no indicator and no rule asks for is not gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedFacts {
    /// Complaints, for the comparison with peers.
    pub complaints: bool,
    /// Addresses.
    pub addresses: bool,
    /// Persons.
    pub persons: bool,
    /// Links to enterprises, and what others who are linked to this one want to know of it.
    pub links: bool,
}

/// What the register needs of one enterprise as of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterFacts {
    /// Whether it is a peer and counts at its address: founded, and active or abnormal.
    pub is_counted: bool,
    /// Its peers.
    pub cell: PeerCell,
    /// Complaints within 12 months.
    pub complaints: u32,
    /// Its addresses, sorted, each once.
    pub addresses: Vec<LinkKey>,
    /// Its legal representatives, sorted, each once.
    pub persons: Vec<LinkKey>,
    /// The enterprises that its links name, sorted, each once, never itself.
    pub links: Vec<EnterpriseId>,
    /// Whose tier applies to it: the owner of a product, project or behaviour.
    pub owner: Option<EnterpriseId>,
    /// Whether it is on the serious-violation list.
    pub is_listed: bool,
    /// The day on which it was cancelled.
    pub cancelled_on: Option<Date>,
}

impl AsRef<RegisterFacts> for RegisterFacts {
    fn as_ref(&self) -> &RegisterFacts {
        self
    }
}

/// The owner whose tier applies, if this is an object that has one.
pub fn owner_of(enterprise: &Enterprise) -> Option<&EnterpriseId> {
    let owned = match enterprise.kind {
        EnterpriseKind::Product | EnterpriseKind::Project | EnterpriseKind::Behaviour => true,
        EnterpriseKind::Enterprise
        | EnterpriseKind::IndividualBusiness
        | EnterpriseKind::Cooperative
        | EnterpriseKind::Institution => false,
    };
    enterprise
        .owner_id
        .as_ref()
        .filter(|owner| owned && **owner != enterprise.enterprise_id)
}

fn is_cancellation(record: &Record) -> bool {
    record.kind == RecordKind::RegistrationChange
        && record.codes.iter().any(|code| code.as_str() == CANCELLED)
}

impl RegisterFacts {
    /// Gathers what is wanted; the day is the first later one on which it may differ though no record arrives.
    pub fn gather(subject: &Subject<'_>, wanted: WantedFacts) -> (Self, Option<Date>) {
        let Subject {
            enterprise,
            records,
            as_of,
        } = subject;
        let day = as_of.day;
        let stands = match enterprise.status {
            EnterpriseStatus::Active | EnterpriseStatus::Abnormal => true,
            EnterpriseStatus::Revoked
            | EnterpriseStatus::Cancelled
            | EnterpriseStatus::MovedOut => false,
        };
        let mut facts = Self {
            is_counted: stands
                && enterprise
                    .established_on
                    .is_none_or(|founded| founded <= day),
            cell: PeerCell {
                industry: enterprise.industry.clone(),
                size: enterprise.size,
            },
            complaints: 0,
            addresses: Vec::new(),
            persons: Vec::new(),
            links: Vec::new(),
            owner: owner_of(enterprise).cloned(),
            is_listed: false,
            cancelled_on: None,
        };
        let mut next = NextChange::after(day);
        for record in *records {
            if record.kind == RecordKind::Complaint && wanted.complaints {
                let until = add_months(record.occurred_on, MONTHS);
                next.on(until);
                facts.complaints += u32::from(record.counts_on(day) && day < until);
            } else if let Some(end) = record.link_end() {
                let (asked, in_force) = (wanted.asks_for(end), record.in_force_on(day));
                if !asked {
                    continue;
                }
                match end {
                    _ if !in_force => {}
                    LinkEnd::Address(key) => facts.addresses.push(LinkKey::address(key)),
                    LinkEnd::Person(key) => facts.persons.push(LinkKey::person(key)),
                    LinkEnd::Enterprise(id) if *id != enterprise.enterprise_id => {
                        facts.links.push(id.clone());
                    }
                    LinkEnd::Enterprise(_) => {}
                }
            } else if record.kind == RecordKind::SeriousViolationListing && wanted.links {
                facts.is_listed |= record.in_force_on(day);
            } else if wanted.links && is_cancellation(record) {
                if record.counts_on(day) {
                    facts.cancelled_on = facts.cancelled_on.max(Some(record.occurred_on));
                }
            } else {
                continue;
            }
            next.on(record.occurred_on);
            for change in [record.ended_on, record.repaired_on, record.withdrawn_on] {
                change.into_iter().for_each(|change| next.on(change));
            }
        }
        facts.addresses.sort_unstable();
        facts.addresses.dedup();
        facts.persons.sort_unstable();
        facts.persons.dedup();
        facts.links.sort_unstable();
        facts.links.dedup();
        (facts, next.first)
    }

    /// Whether frozen statistics or other enterprises can add anything.
    pub fn needs_register(&self) -> bool {
        self.complaints > 0
            || !self.addresses.is_empty()
            || !self.persons.is_empty()
            || !self.links.is_empty()
            || self.owner.is_some()
    }

    /// The other enterprises that its tier rests on: those that its links name, and its owner.
    pub fn others(&self) -> impl Iterator<Item = &EnterpriseId> {
        let owner = self
            .owner
            .iter()
            .filter(|owner| self.links.binary_search(owner).is_err());
        self.links.iter().chain(owner)
    }

    pub(crate) fn write(&self, writer: &mut CompactWriter) {
        let flags = [
            self.is_counted,
            self.is_listed,
            self.cell.industry.is_some(),
            self.cancelled_on.is_some(),
            self.owner.is_some(),
        ];
        let bits = flags
            .iter()
            .rev()
            .fold(0_u8, |bits, flag| bits << 1 | u8::from(*flag));
        writer.byte(bits);
        writer.byte(self.cell.size.code());
        if let Some(industry) = &self.cell.industry {
            writer.text(industry.as_str());
        }
        if let Some(day) = self.cancelled_on {
            writer.day(day);
        }
        if let Some(owner) = &self.owner {
            writer.text(owner.as_str());
        }
        writer.number(u64::from(self.complaints));
        for keys in [&self.addresses, &self.persons] {
            writer.number(keys.len() as u64);
            keys.iter().for_each(|key| key.write(writer));
        }
        writer.number(self.links.len() as u64);
        self.links.iter().for_each(|id| writer.text(id.as_str()));
    }

    pub(crate) fn read(reader: &mut CompactReader<'_>) -> Result<Self, NotCompact> {
        let bits = reader.byte()?;
        if bits >= 1 << 5 {
            return Err(reader.wrong("known flags"));
        }
        let flag = |position: u8| bits >> position & 1 == 1;
        let size = reader.code(EnterpriseSize::from_code)?;
        let industry = match flag(2) {
            true => {
                Some(Label::from_kept(reader.text()?).ok_or_else(|| reader.wrong("an industry"))?)
            }
            false => None,
        };
        let cancelled_on = flag(3).then(|| reader.day()).transpose()?;
        let owner = flag(4).then(|| read_id(reader)).transpose()?;
        let complaints = reader.small()?;
        let keys = |reader: &mut CompactReader<'_>| -> Result<Vec<LinkKey>, NotCompact> {
            (0..reader.length(8)?)
                .map(|_| LinkKey::read(reader))
                .collect()
        };
        let (addresses, persons) = (keys(reader)?, keys(reader)?);
        let links = (0..reader.length(2)?)
            .map(|_| read_id(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            is_counted: flag(0),
            cell: PeerCell { industry, size },
            complaints,
            addresses,
            persons,
            links,
            owner,
            is_listed: flag(1),
            cancelled_on,
        })
    }
}

fn read_id(reader: &mut CompactReader<'_>) -> Result<EnterpriseId, NotCompact> {
    EnterpriseId::from_kept(reader.text()?).ok_or_else(|| reader.wrong("an id"))
}

impl WantedFacts {
    fn asks_for(self, end: LinkEnd<'_>) -> bool {
        match end {
            LinkEnd::Address(_) => self.addresses,
            LinkEnd::Person(_) => self.persons,
            LinkEnd::Enterprise(_) => self.links,
        }
    }
}
