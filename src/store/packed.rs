//! An enterprise and all versions of its records in one compact piece, which a walk through the register reads in place of
//! the columns of both tables: one row for each enterprise instead of one more for each version.
//!
//! The columns are the truth; the piece says the same. It is written with them and emptied by the database when they are
//! changed without it. Enterprises that would take a long piece have an empty one and are read from the columns.

use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

use super::StoreError;
use crate::domain::compact::{CompactReader, CompactWriter, NotCompact};
use crate::domain::{
    Enterprise, EnterpriseId, EnterpriseKind, EnterpriseSize, EnterpriseStatus, Label, Record,
    RecordKind, Severity,
};

/// Format and version of the pieces.
const MARK: &[u8] = &[2];
/// The longest piece, in bytes: every new version writes all of it again.
const LONGEST: usize = 8_192;

/// Which of an enterprise's optional fields there are; a bit each, in the order in which they follow.
const OWNER: u16 = 1;
const DIVISION: u16 = 1 << 1;
const INDUSTRY: u16 = 1 << 2;
const ESTABLISHED: u16 = 1 << 3;
const TAGS: u16 = 1 << 4;
const ATTRIBUTES: u16 = 1 << 5;

/// Which of a version's optional fields there are; a bit each, in the order in which they follow.
const ENDED: u16 = 1;
const SEVERITY: u16 = 1 << 1;
const AMOUNT: u16 = 1 << 2;
const COUNT: u16 = 1 << 3;
const DECIDED: u16 = 1 << 4;
const UPHELD: u16 = 1 << 5;
const CODES: u16 = 1 << 6;
const ITEM: u16 = 1 << 7;
const PARTY: u16 = 1 << 8;
const RELATED: u16 = 1 << 9;
const REPAIRED: u16 = 1 << 10;
const WITHDRAWN: u16 = 1 << 11;
const NOTE: u16 = 1 << 12;

/// Versions for which there is room beforehand.
const USUAL_VERSIONS: usize = 8;

/// The piece of an enterprise and of the versions of its records, which must be in the order of their keys; empty if it
/// would be long. For those who load the tables themselves.
pub fn pack<'r>(
    enterprise: &Enterprise,
    versions: impl IntoIterator<Item = &'r Record>,
) -> Vec<u8> {
    let mut writer = CompactWriter::new(MARK);
    writer.nested(|writer| write_enterprise(writer, enterprise));
    for version in versions {
        writer.nested(|writer| write_version(writer, version));
    }
    unless_long(writer)
}

/// A piece with versions that were written since, in place of those with the same keys; they must be in the order of
/// their keys.
pub(super) fn with_written(piece: &[u8], written: &[&Record]) -> Result<Vec<u8>, StoreError> {
    if piece.is_empty() {
        return Ok(Vec::new());
    }
    let with = || -> Result<Vec<u8>, NotCompact> {
        let mut reader = CompactReader::new(piece, MARK)?;
        let mut writer = CompactWriter::new(MARK);
        let enterprise = reader.nested()?;
        writer.nested(|writer| writer.raw(enterprise.rest()));
        let mut written = written.iter().peekable();
        while !reader.is_at_end() {
            let mut kept = reader.nested()?;
            let bytes = kept.rest();
            let key = (kept.text()?, kept.text()?, kept.day()?);
            let mut is_replaced = false;
            while let Some(version) = written.next_if(|version| key_of(version) <= key) {
                is_replaced = key_of(version) == key;
                writer.nested(|writer| write_version(writer, version));
            }
            if !is_replaced {
                writer.nested(|writer| writer.raw(bytes));
            }
        }
        for version in written {
            writer.nested(|writer| write_version(writer, version));
        }
        Ok(unless_long(writer))
    };
    with().map_err(corrupt)
}

/// The enterprise and the versions that a piece says; nothing if it is empty.
pub(super) fn unpack(
    enterprise_id: &EnterpriseId,
    piece: &[u8],
) -> Result<Option<(Enterprise, Vec<Record>)>, StoreError> {
    if piece.is_empty() {
        return Ok(None);
    }
    let read = || -> Result<(Enterprise, Vec<Record>), NotCompact> {
        let mut reader = CompactReader::new(piece, MARK)?;
        let enterprise = read_enterprise(enterprise_id, reader.nested()?)?;
        let mut versions = Vec::with_capacity(USUAL_VERSIONS);
        while !reader.is_at_end() {
            versions.push(read_version(enterprise_id, reader.nested()?)?);
        }
        Ok((enterprise, versions))
    };
    read().map(Some).map_err(corrupt)
}

fn corrupt(_: NotCompact) -> StoreError {
    StoreError::Corrupt { column: "packed" }
}

fn unless_long(writer: CompactWriter) -> Vec<u8> {
    let piece = writer.into_bytes();
    if piece.len() <= LONGEST {
        piece
    } else {
        Vec::new()
    }
}

fn key_of(version: &Record) -> (&str, &str, Date) {
    (
        version.source.as_str(),
        &version.record_id,
        version.known_on,
    )
}

fn bit(is_there: bool, bit: u16) -> u16 {
    if is_there { bit } else { 0 }
}

fn write_enterprise(writer: &mut CompactWriter, enterprise: &Enterprise) {
    let Enterprise {
        enterprise_id: _,
        name,
        kind,
        owner_id,
        division,
        industry,
        established_on,
        status,
        size,
        tags,
        attributes,
    } = enterprise;
    writer.text(name);
    for code in [kind.code(), status.code(), size.code()] {
        writer.byte(code);
    }
    let bits = bit(owner_id.is_some(), OWNER)
        | bit(division.is_some(), DIVISION)
        | bit(industry.is_some(), INDUSTRY)
        | bit(established_on.is_some(), ESTABLISHED)
        | bit(!tags.is_empty(), TAGS)
        | bit(!attributes.is_empty(), ATTRIBUTES);
    writer.number(bits.into());
    owner_id.iter().for_each(|id| writer.text(id.as_str()));
    for label in [division, industry].into_iter().flatten() {
        writer.text(label.as_str());
    }
    established_on.iter().for_each(|day| writer.day(*day));
    if !tags.is_empty() {
        writer.number(tags.len() as u64);
        tags.iter().for_each(|tag| writer.text(tag.as_str()));
    }
    if !attributes.is_empty() {
        writer.number(attributes.len() as u64);
        for (name, value) in attributes {
            writer.text(name.as_str());
            writer.fixed(value.to_bits());
        }
    }
}

fn read_enterprise(
    enterprise_id: &EnterpriseId,
    mut reader: CompactReader<'_>,
) -> Result<Enterprise, NotCompact> {
    let name = reader.text()?.to_owned();
    let kind = reader.code(EnterpriseKind::from_code)?;
    let status = reader.code(EnterpriseStatus::from_code)?;
    let size = reader.code(EnterpriseSize::from_code)?;
    let bits: u16 = reader.small()?;
    let has = |bit: u16| bits & bit != 0;
    let enterprise = Enterprise {
        enterprise_id: enterprise_id.clone(),
        name,
        kind,
        owner_id: has(OWNER).then(|| id(&mut reader)).transpose()?,
        division: has(DIVISION).then(|| label(&mut reader)).transpose()?,
        industry: has(INDUSTRY).then(|| label(&mut reader)).transpose()?,
        established_on: day_if(has(ESTABLISHED), &mut reader)?,
        status,
        size,
        tags: match has(TAGS) {
            true => (0..reader.length(2)?)
                .map(|_| label(&mut reader))
                .collect::<Result<_, _>>()?,
            false => BTreeSet::new(),
        },
        attributes: match has(ATTRIBUTES) {
            true => (0..reader.length(10)?)
                .map(|_| Ok((label(&mut reader)?, f64::from_bits(reader.fixed()?))))
                .collect::<Result<_, NotCompact>>()?,
            false => BTreeMap::new(),
        },
    };
    reader.end()?;
    Ok(enterprise)
}

fn write_version(writer: &mut CompactWriter, version: &Record) {
    let Record {
        source,
        record_id,
        enterprise_id: _,
        kind,
        occurred_on,
        ended_on,
        severity,
        amount_fen,
        count,
        upheld,
        codes,
        item_code,
        party,
        related_id,
        known_on,
        repaired_on,
        withdrawn_on,
        note,
    } = version;
    writer.text(source.as_str());
    writer.text(record_id);
    writer.day(*known_on);
    writer.byte(kind.code());
    writer.day(*occurred_on);
    let bits = bit(ended_on.is_some(), ENDED)
        | bit(severity.is_some(), SEVERITY)
        | bit(amount_fen.is_some(), AMOUNT)
        | bit(count.is_some(), COUNT)
        | bit(upheld.is_some(), DECIDED)
        | bit(*upheld == Some(true), UPHELD)
        | bit(!codes.is_empty(), CODES)
        | bit(item_code.is_some(), ITEM)
        | bit(party.is_some(), PARTY)
        | bit(related_id.is_some(), RELATED)
        | bit(repaired_on.is_some(), REPAIRED)
        | bit(withdrawn_on.is_some(), WITHDRAWN)
        | bit(note.is_some(), NOTE);
    writer.number(bits.into());
    ended_on.iter().for_each(|day| writer.day(*day));
    severity
        .iter()
        .for_each(|severity| writer.byte(severity.code()));
    amount_fen.iter().for_each(|fen| writer.signed(*fen));
    count
        .iter()
        .for_each(|count| writer.number((*count).into()));
    if !codes.is_empty() {
        writer.number(codes.len() as u64);
        codes.iter().for_each(|code| writer.text(code.as_str()));
    }
    for label in [item_code, party].into_iter().flatten() {
        writer.text(label.as_str());
    }
    related_id.iter().for_each(|id| writer.text(id.as_str()));
    for day in [repaired_on, withdrawn_on] {
        day.iter().for_each(|day| writer.day(*day));
    }
    note.iter().for_each(|note| writer.text(note));
}

fn read_version(
    enterprise_id: &EnterpriseId,
    mut reader: CompactReader<'_>,
) -> Result<Record, NotCompact> {
    let source = label(&mut reader)?;
    let record_id = reader.text()?.to_owned();
    let known_on = reader.day()?;
    let kind = reader.code(RecordKind::from_code)?;
    let occurred_on = reader.day()?;
    let bits: u16 = reader.small()?;
    let has = |bit: u16| bits & bit != 0;
    let record = Record {
        source,
        record_id,
        enterprise_id: enterprise_id.clone(),
        kind,
        occurred_on,
        ended_on: day_if(has(ENDED), &mut reader)?,
        severity: has(SEVERITY)
            .then(|| reader.code(Severity::from_code))
            .transpose()?,
        amount_fen: has(AMOUNT).then(|| reader.signed()).transpose()?,
        count: has(COUNT).then(|| reader.small()).transpose()?,
        upheld: has(DECIDED).then_some(has(UPHELD)),
        codes: match has(CODES) {
            true => (0..reader.length(2)?)
                .map(|_| label(&mut reader))
                .collect::<Result<_, _>>()?,
            false => Vec::new(),
        },
        item_code: has(ITEM).then(|| label(&mut reader)).transpose()?,
        party: has(PARTY).then(|| label(&mut reader)).transpose()?,
        related_id: has(RELATED).then(|| id(&mut reader)).transpose()?,
        known_on,
        repaired_on: day_if(has(REPAIRED), &mut reader)?,
        withdrawn_on: day_if(has(WITHDRAWN), &mut reader)?,
        note: has(NOTE)
            .then(|| reader.text().map(str::to_owned))
            .transpose()?,
    };
    reader.end()?;
    Ok(record)
}

fn day_if(is_there: bool, reader: &mut CompactReader<'_>) -> Result<Option<Date>, NotCompact> {
    is_there.then(|| reader.day()).transpose()
}

fn id(reader: &mut CompactReader<'_>) -> Result<EnterpriseId, NotCompact> {
    EnterpriseId::from_kept(reader.text()?).ok_or_else(|| reader.wrong("an id"))
}

fn label(reader: &mut CompactReader<'_>) -> Result<Label, NotCompact> {
    Label::from_kept(reader.text()?).ok_or_else(|| reader.wrong("a label"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn full() -> Record {
        let label = |text: &str| Label::parse(text).unwrap();
        Record {
            source: label("法院"),
            record_id: "案-1".into(),
            enterprise_id: EnterpriseId::parse("91990000MA0000001B").unwrap(),
            kind: RecordKind::Penalty,
            occurred_on: date(1969, 2, 28),
            ended_on: Some(date(2020, 1, 1)),
            severity: Some(Severity::Serious),
            amount_fen: Some(i64::MAX),
            count: Some(u32::MAX),
            upheld: Some(false),
            codes: vec![label("a"), label("b \"quoted\"")],
            item_code: Some(label("item")),
            party: Some(label("party")),
            related_id: Some(EnterpriseId::parse("other").unwrap()),
            known_on: date(2020, 2, 29),
            repaired_on: Some(date(2021, 1, 1)),
            withdrawn_on: Some(date(9999, 12, 31)),
            note: Some(String::new()),
        }
    }

    fn enterprise() -> Enterprise {
        let label = |text: &str| Label::parse(text).unwrap();
        Enterprise {
            enterprise_id: full().enterprise_id,
            name: "名".into(),
            kind: EnterpriseKind::Product,
            owner_id: Some(EnterpriseId::parse("owner").unwrap()),
            division: Some(label("990100")),
            industry: Some(label("C1411")),
            established_on: Some(date(2001, 2, 3)),
            status: EnterpriseStatus::Active,
            size: EnterpriseSize::Small,
            tags: [label("食品生产"), label("a")].into(),
            attributes: [(label("staff"), 7.5), (label("x"), -0.0)].into(),
        }
    }

    fn bare(enterprise: Enterprise) -> Enterprise {
        Enterprise {
            owner_id: None,
            division: None,
            industry: None,
            established_on: None,
            tags: BTreeSet::new(),
            attributes: BTreeMap::new(),
            ..enterprise
        }
    }

    #[test]
    fn what_is_packed_comes_back_whole() {
        let full = full();
        let bare_version = Record {
            record_id: "案-2".into(),
            ended_on: None,
            severity: None,
            amount_fen: None,
            count: None,
            upheld: None,
            codes: Vec::new(),
            item_code: None,
            party: None,
            related_id: None,
            repaired_on: None,
            withdrawn_on: None,
            note: None,
            ..full.clone()
        };
        let upheld = Record {
            record_id: "案-3".into(),
            upheld: Some(true),
            ..bare_version.clone()
        };
        let versions = [full, bare_version, upheld];
        for enterprise in [enterprise(), bare(enterprise())] {
            for count in 0..=versions.len() {
                let piece = pack(&enterprise, &versions[..count]);
                let (read, of_it) = unpack(&enterprise.enterprise_id, &piece).unwrap().unwrap();
                assert_eq!((&read, of_it.as_slice()), (&enterprise, &versions[..count]));
                // Zero with a sign is equal to zero, but another number.
                let bits = |of: &Enterprise| {
                    let values = of.attributes.values();
                    values.map(|value| value.to_bits()).collect::<Vec<_>>()
                };
                assert_eq!(bits(&enterprise), bits(&read));
            }
            let piece = pack(&enterprise, &versions[..1]);
            let without = pack(&enterprise, []).len();
            for end in (1..piece.len()).filter(|end| *end != without) {
                assert!(unpack(&enterprise.enterprise_id, &piece[..end]).is_err());
            }
        }
    }

    #[test]
    fn written_versions_take_their_places() {
        let enterprise = enterprise();
        let versions: Vec<Record> = (0..6_i64)
            .map(|nth| Record {
                record_id: format!("r{}", nth / 2),
                known_on: date(2020, 1, 1 + (nth % 2) as i8),
                amount_fen: Some(nth),
                ..full()
            })
            .collect();
        // Whatever is there and whatever comes, the piece is that of all together.
        for there in 0_u32..64 {
            for comes in 0_u32..64 {
                let of = |set: u32| {
                    let all = versions.iter().enumerate();
                    all.filter(move |(nth, _)| set >> nth & 1 == 1)
                };
                let changed: Vec<Record> = of(comes)
                    .map(|(_, version)| Record {
                        note: Some("later".into()),
                        ..version.clone()
                    })
                    .collect();
                let mut all: BTreeMap<_, &Record> = of(there)
                    .map(|(_, version)| (key_of(version), version))
                    .collect();
                all.extend(changed.iter().map(|version| (key_of(version), version)));
                let piece = pack(&enterprise, of(there).map(|(_, version)| version));
                let written: Vec<&Record> = changed.iter().collect();
                assert_eq!(
                    with_written(&piece, &written).unwrap(),
                    pack(&enterprise, all.into_values())
                );
            }
        }
    }

    #[test]
    fn what_is_long_is_kept_in_columns() {
        let enterprise = enterprise();
        let noted = |length: usize| Record {
            note: Some("x".repeat(length)),
            ..full()
        };
        let short = pack(&enterprise, [&full()]);
        let (fits, long) = (noted(LONGEST - 1_000), noted(LONGEST));
        let piece = pack(&enterprise, [&fits]);
        assert!(!piece.is_empty());
        assert!(pack(&enterprise, [&long]).is_empty());
        assert_eq!(unpack(&enterprise.enterprise_id, &[]).unwrap(), None);
        // Once too long, it stays so until it is put together anew.
        assert_eq!(with_written(&short, &[&fits]).unwrap(), piece);
        assert!(with_written(&short, &[&long]).unwrap().is_empty());
        assert!(with_written(&[], &[&fits]).unwrap().is_empty());
    }
}
