//! Versions of records in one compact piece, which a walk through the register reads in place of all columns.
//!
//! The columns are the truth; the piece says the same. It is written with them and emptied by the database when they are
//! changed without it. The enterprise is not part of it: it is the first column of the key.

use jiff::civil::Date;

use super::StoreError;
use crate::domain::compact::{CompactReader, CompactWriter, NotCompact};
use crate::domain::{EnterpriseId, Label, Record, RecordKind, Severity};

/// Format and version of the pieces.
const MARK: &[u8] = &[1];
/// Longer notes stay in their column alone, and with them the version.
const LONGEST_NOTE: usize = 256;

/// Which of the optional fields there are; a bit each, in the order in which they follow.
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

/// The piece of a version; nothing for one that is kept in columns alone. For those who load the tables themselves.
pub fn pack(record: &Record) -> Option<Vec<u8>> {
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
    } = record;
    if note.as_ref().is_some_and(|note| note.len() > LONGEST_NOTE) {
        return None;
    }
    let mut writer = CompactWriter::new(MARK);
    writer.text(source.as_str());
    writer.text(record_id);
    writer.day(*known_on);
    writer.byte(kind.code());
    writer.day(*occurred_on);
    let bit = |is_there: bool, bit: u16| if is_there { bit } else { 0 };
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
    Some(writer.into_bytes())
}

/// The version that a piece says.
pub(super) fn unpack(enterprise_id: &EnterpriseId, bytes: &[u8]) -> Result<Record, StoreError> {
    read(enterprise_id, bytes).map_err(|_| StoreError::Corrupt { column: "packed" })
}

fn read(enterprise_id: &EnterpriseId, bytes: &[u8]) -> Result<Record, NotCompact> {
    let mut reader = CompactReader::new(bytes, MARK)?;
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
        related_id: has(RELATED)
            .then(|| EnterpriseId::from_kept(reader.text()?).ok_or_else(|| reader.wrong("an id")))
            .transpose()?,
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

    #[test]
    fn a_version_comes_back_whole() {
        let full = full();
        let bare = Record {
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
            upheld: Some(true),
            ..bare.clone()
        };
        for record in [full, bare, upheld] {
            let packed = pack(&record).unwrap();
            assert_eq!(unpack(&record.enterprise_id, &packed).unwrap(), record);
            for end in 0..packed.len() {
                assert!(unpack(&record.enterprise_id, &packed[..end]).is_err());
            }
        }
    }

    #[test]
    fn a_version_with_a_long_note_is_kept_in_columns() {
        let mut record = full();
        record.note = Some("x".repeat(LONGEST_NOTE));
        assert!(pack(&record).is_some());
        record.note = Some("x".repeat(LONGEST_NOTE + 1));
        assert_eq!(pack(&record), None);
    }
}
