//! Statistics of the whole register, frozen by a run: what one enterprise's records cannot tell.
//!
//! A run adds every enterprise's [`RegisterFacts`] to a [`StatisticsBuilder`], in any order and in any number of parts,
//! and freezes the sum. The same register as of the same day gives the same bytes, and so the same digest. Frozen
//! statistics do not move with the records: they belong to an epoch, like the model files.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::key_counts::{KeyCounts, LinkKey};
use super::register::{PeerCell, RegisterFacts};
use crate::domain::compact::{CompactReader, CompactWriter, NotCompact};
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{EnterpriseSize, Label};

/// Format and version of the frozen bytes.
const MARK: &[u8] = b"risktier-statistics/1\n";

/// Frozen statistics of a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    as_of: Date,
    addresses: KeyCounts,
    persons: KeyCounts,
    peers: Peers,
    digest: Digest,
}

/// How many peers have strictly fewer complaints, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComplaintShare {
    /// Peers with strictly fewer complaints.
    pub below: u64,
    /// All peers, the enterprise itself among them.
    pub peers: u64,
    /// How wide the circle of peers had to be drawn.
    pub circle: PeerCircle,
}

/// A circle of peers, from the narrowest to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerCircle {
    /// The same industry label and size.
    IndustryAndSize,
    /// The same industry section and size.
    SectionAndSize,
    /// The same industry section.
    Section,
    /// The whole register.
    All,
}

impl ComplaintShare {
    /// The share as a number.
    ///
    /// Division rounds correctly, and rounding keeps the order, so a share that equals a card's edge as a fraction
    /// equals it as a number. A share just below or above an edge stays there: a fraction of up to 10⁹ peers differs
    /// from an edge of up to six decimals by at least 10⁻¹⁵, which is more than numbers below 1 are rounded by.
    pub fn value(self) -> f64 {
        self.below as f64 / self.peers.max(1) as f64
    }
}

/// How many peers have how many complaints: `(complaints, peers with at most so many)`, rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ladder(Vec<(u32, u64)>);

impl Ladder {
    fn of(counts: &BTreeMap<u32, u64>) -> Self {
        let mut up_to = 0;
        let step = |(complaints, peers): (&u32, &u64)| {
            up_to += peers;
            (*complaints, up_to)
        };
        Self(counts.iter().map(step).collect())
    }

    fn peers(&self) -> u64 {
        self.0.last().map_or(0, |(_, up_to)| *up_to)
    }

    fn below(&self, complaints: u32) -> u64 {
        let first = self.0.partition_point(|(count, _)| *count < complaints);
        let last_below = first
            .checked_sub(1)
            .and_then(|position| self.0.get(position));
        last_below.map_or(0, |(_, up_to)| *up_to)
    }

    fn write(&self, writer: &mut CompactWriter) {
        writer.number(self.0.len() as u64);
        for (complaints, up_to) in &self.0 {
            writer.number(u64::from(*complaints));
            writer.number(*up_to);
        }
    }

    fn read(reader: &mut CompactReader<'_>) -> Result<Self, NotCompact> {
        let length = reader.length(2)?;
        let mut steps: Vec<(u32, u64)> = Vec::with_capacity(length);
        for _ in 0..length {
            let step = (reader.small()?, reader.number()?);
            if steps
                .last()
                .is_some_and(|last| last.0 >= step.0 || last.1 >= step.1)
            {
                return Err(reader.wrong("rising numbers of complaints and peers"));
            }
            steps.push(step);
        }
        Ok(Self(steps))
    }
}

/// The ladders of every circle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Peers {
    by_industry_and_size: BTreeMap<Box<str>, BySize<Ladder>>,
    by_section_and_size: BTreeMap<Box<str>, BySize<Ladder>>,
    by_section: BTreeMap<Box<str>, Ladder>,
    all: Ladder,
}

type BySize<T> = BTreeMap<EnterpriseSize, T>;
type Histogram = BTreeMap<u32, u64>;

impl Peers {
    fn of(industries: &BTreeMap<Label, BySize<Histogram>>, unknown: &Histogram) -> Self {
        let mut sections: BTreeMap<Box<str>, BySize<Histogram>> = BTreeMap::new();
        let mut all = unknown.clone();
        let mut peers = Self::default();
        for (industry, sizes) in industries {
            for (size, histogram) in sizes {
                let section = sections
                    .entry(industry.industry_section().into())
                    .or_default();
                add(section.entry(*size).or_default(), histogram);
                add(&mut all, histogram);
            }
            let ladders = sizes
                .iter()
                .map(|(size, histogram)| (*size, Ladder::of(histogram)));
            peers
                .by_industry_and_size
                .insert(industry.as_str().into(), ladders.collect());
        }
        for (section, sizes) in sections {
            let mut whole = Histogram::new();
            sizes
                .values()
                .for_each(|histogram| add(&mut whole, histogram));
            let ladders = sizes
                .iter()
                .map(|(size, histogram)| (*size, Ladder::of(histogram)));
            peers
                .by_section_and_size
                .insert(section.clone(), ladders.collect());
            peers.by_section.insert(section, Ladder::of(&whole));
        }
        peers.all = Ladder::of(&all);
        peers
    }

    /// The narrowest circle with at least `least` peers, or the whole register.
    fn circle(&self, cell: &PeerCell, least: u64) -> (&Ladder, PeerCircle) {
        let narrow = cell.industry.as_ref().and_then(|industry| {
            let section = industry.industry_section();
            let size = cell.size;
            [
                (
                    self.by_industry_and_size
                        .get(industry.as_str())
                        .and_then(|sizes| sizes.get(&size)),
                    PeerCircle::IndustryAndSize,
                ),
                (
                    self.by_section_and_size
                        .get(section)
                        .and_then(|sizes| sizes.get(&size)),
                    PeerCircle::SectionAndSize,
                ),
                (self.by_section.get(section), PeerCircle::Section),
            ]
            .into_iter()
            .find_map(|(ladder, circle)| {
                ladder
                    .filter(|ladder| ladder.peers() >= least)
                    .map(|ladder| (ladder, circle))
            })
        });
        narrow.unwrap_or((&self.all, PeerCircle::All))
    }
}

fn add(to: &mut Histogram, from: &Histogram) {
    for (complaints, peers) in from {
        *to.entry(*complaints).or_default() += peers;
    }
}

impl Statistics {
    fn new(as_of: Date, addresses: KeyCounts, persons: KeyCounts, peers: Peers) -> Self {
        let mut statistics = Self {
            as_of,
            addresses,
            persons,
            peers,
            digest: Digest::from_bytes([0; 32]),
        };
        statistics.digest = HashAlgorithm::Sha256.hash(&[&statistics.to_bytes()]);
        statistics
    }

    /// The day for which they were counted.
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// SHA-256 of the canonical bytes: part of the identity of every tier that rests on them.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Enterprises at an address; one that no other enterprise shares has one.
    pub fn same_address(&self, address: LinkKey) -> u32 {
        self.addresses.get(address)
    }

    /// Enterprises of a person; one that no other enterprise shares has one.
    pub fn enterprises_of(&self, person: LinkKey) -> u32 {
        self.persons.get(person)
    }

    /// The share of peers with strictly fewer complaints; peers are the narrowest circle of at least `least_peers`, or
    /// all. `None` in a register without peers.
    pub fn complaint_share(
        &self,
        cell: &PeerCell,
        complaints: u32,
        least_peers: u32,
    ) -> Option<ComplaintShare> {
        let (ladder, circle) = self.peers.circle(cell, u64::from(least_peers));
        let peers = ladder.peers();
        (peers > 0).then(|| ComplaintShare {
            below: ladder.below(complaints),
            peers,
            circle,
        })
    }

    /// The canonical bytes: equal registers give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = CompactWriter::new(MARK);
        writer.day(self.as_of);
        self.addresses.write(&mut writer);
        self.persons.write(&mut writer);
        for by in [
            &self.peers.by_industry_and_size,
            &self.peers.by_section_and_size,
        ] {
            writer.number(by.len() as u64);
            for (label, sizes) in by {
                writer.text(label);
                writer.number(sizes.len() as u64);
                for (size, ladder) in sizes {
                    writer.byte(size.code());
                    ladder.write(&mut writer);
                }
            }
        }
        writer.number(self.peers.by_section.len() as u64);
        for (section, ladder) in &self.peers.by_section {
            writer.text(section);
            ladder.write(&mut writer);
        }
        self.peers.all.write(&mut writer);
        writer.into_bytes()
    }

    /// Reads what [`Statistics::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// When the bytes are of another format or release, or not in canonical form; the error names the place.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotCompact> {
        let mut reader = CompactReader::new(bytes, MARK)?;
        let as_of = reader.day()?;
        let addresses = KeyCounts::read(&mut reader)?;
        let persons = KeyCounts::read(&mut reader)?;
        let peers = Peers {
            by_industry_and_size: read_map(&mut reader, read_by_size)?,
            by_section_and_size: read_map(&mut reader, read_by_size)?,
            by_section: read_map(&mut reader, Ladder::read)?,
            all: Ladder::read(&mut reader)?,
        };
        reader.end()?;
        Ok(Self {
            as_of,
            addresses,
            persons,
            peers,
            digest: HashAlgorithm::Sha256.hash(&[bytes]),
        })
    }
}

fn read_map<T>(
    reader: &mut CompactReader<'_>,
    value: impl Fn(&mut CompactReader<'_>) -> Result<T, NotCompact>,
) -> Result<BTreeMap<Box<str>, T>, NotCompact> {
    let mut map = BTreeMap::new();
    for _ in 0..reader.length(2)? {
        let label: Box<str> = reader.text()?.into();
        if map.last_key_value().is_some_and(|(last, _)| *last >= label) {
            return Err(reader.wrong("labels in order"));
        }
        map.insert(label, value(reader)?);
    }
    Ok(map)
}

fn read_by_size(reader: &mut CompactReader<'_>) -> Result<BySize<Ladder>, NotCompact> {
    let mut sizes = BTreeMap::new();
    for _ in 0..reader.length(2)? {
        let size = reader.code(EnterpriseSize::from_code)?;
        if sizes
            .last_key_value()
            .is_some_and(|(last, _)| *last >= size)
        {
            return Err(reader.wrong("sizes in order"));
        }
        sizes.insert(size, Ladder::read(reader)?);
    }
    Ok(sizes)
}

/// Counts a register. Parts may be counted apart, in any order, and merged.
#[derive(Clone, Debug)]
pub struct StatisticsBuilder {
    as_of: Date,
    addresses: Vec<LinkKey>,
    persons: Vec<LinkKey>,
    industries: BTreeMap<Label, BySize<Histogram>>,
    unknown_industry: Histogram,
}

impl StatisticsBuilder {
    /// Begins to count the register as of a day.
    pub fn new(as_of: Date) -> Self {
        Self {
            as_of,
            addresses: Vec::new(),
            persons: Vec::new(),
            industries: BTreeMap::new(),
            unknown_industry: BTreeMap::new(),
        }
    }

    /// Adds one enterprise, once. What is cancelled, revoked, moved out or not yet founded is nobody's peer and shares
    /// nothing.
    pub fn add(&mut self, of: &impl AsRef<RegisterFacts>) {
        let facts = of.as_ref();
        if !facts.is_counted {
            return;
        }
        let cell = &facts.cell;
        self.addresses.extend_from_slice(&facts.addresses);
        self.persons.extend_from_slice(&facts.persons);
        let count = |histogram: &mut Histogram| {
            *histogram.entry(facts.complaints).or_default() += 1;
        };
        let Some(industry) = &cell.industry else {
            return count(&mut self.unknown_industry);
        };
        // A label is copied once a register and not once an enterprise.
        if let Some(sizes) = self.industries.get_mut(industry) {
            return count(sizes.entry(cell.size).or_default());
        }
        let sizes = self.industries.entry(industry.clone()).or_default();
        count(sizes.entry(cell.size).or_default());
    }

    /// Takes in what was counted elsewhere as of the same day.
    #[must_use]
    pub fn merge(mut self, mut other: Self) -> Self {
        // The longer list takes in the shorter, so that little is moved.
        for (mine, theirs) in [
            (&mut self.addresses, &mut other.addresses),
            (&mut self.persons, &mut other.persons),
        ] {
            if mine.len() < theirs.len() {
                std::mem::swap(mine, theirs);
            }
            mine.extend_from_slice(theirs);
        }
        for (industry, sizes) in other.industries {
            let mine = self.industries.entry(industry).or_default();
            for (size, histogram) in sizes {
                add(mine.entry(size).or_default(), &histogram);
            }
        }
        add(&mut self.unknown_industry, &other.unknown_industry);
        self.as_of = self.as_of.max(other.as_of);
        self
    }

    /// Ends the count.
    pub fn freeze(self) -> Statistics {
        Statistics::new(
            self.as_of,
            KeyCounts::of(self.addresses),
            KeyCounts::of(self.persons),
            Peers::of(&self.industries, &self.unknown_industry),
        )
    }
}
