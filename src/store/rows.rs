//! Stored rows to values and back, alike for every store.

use jiff::civil::Date;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::calendars::DoneVisit;
use super::decide::KnownVersion;
use super::life::{Act, Proceeding};
use super::{Changed, Dossier, StoreError, packed};
use crate::domain::dates::from_epoch_day;
use crate::domain::{
    Enterprise, EnterpriseId, EnterpriseKind, EnterpriseSize, EnterpriseStatus, Label,
    ProceedingKind, Record, RecordKind, Severity,
};

/// A row that was read. `column` names what cannot be read.
pub(super) trait Row {
    /// A whole number or truth value.
    fn whole(&self, at: usize, column: &'static str) -> Result<Option<i64>, StoreError>;
    /// A text.
    fn text(&self, at: usize, column: &'static str) -> Result<Option<&str>, StoreError>;
    /// Bytes.
    fn bytes(&self, at: usize, column: &'static str) -> Result<Option<&[u8]>, StoreError>;
}

/// Columns of `enterprises` in the order that [`enterprise`] reads.
pub(super) const ENTERPRISE_COLUMNS: &str = "enterprise_id, revision, name, kind, owner_id, division, industry, \
     established_on, status, size, tags, attributes, import_no, changed_on";

/// Columns of `enterprises` in the order that [`piece`] reads.
pub(super) const PIECE_COLUMNS: &str = "enterprise_id, revision, changed_on, packed";

/// Columns of `enterprise_versions` in the order that [`earlier_enterprise`] reads; the second is `until_on`.
pub(super) const EARLIER_COLUMNS: &str = "enterprise_id, until_on, name, kind, owner_id, division, industry, \
     established_on, status, size, tags, attributes";

/// Columns of `record_versions` in the order that [`record`] reads.
pub(super) const RECORD_COLUMNS: &str = "enterprise_id, source, record_id, known_on, kind, occurred_on, ended_on, \
     severity, amount_fen, count, upheld, codes, item_code, party, related_id, repaired_on, withdrawn_on, note, \
     import_no, stated_on";

/// Columns of `proceedings` in the order that [`proceeding`] reads.
pub(super) const PROCEEDING_COLUMNS: &str =
    "proceeding_id, kind, enterprise_id, related_id, state, is_open, due_on, document";

/// Columns of `acts` in the order that [`act`] reads.
pub(super) const ACT_COLUMNS: &str =
    "enterprise_id, act_no, on_day, at, what, subject, by_whom, reason";

/// Reads object, number and day of a visit that was done.
pub(super) fn done_visit(row: &impl Row) -> Result<DoneVisit, StoreError> {
    Ok(DoneVisit {
        enterprise_id: id(row, 0, "enterprise_id")?,
        visit_no: number(row, 1, "visit_no")?,
        done_on: day(row, 2, "done_on")?,
    })
}

/// An enterprise with its revision, the last import that wrote it, and the day on which it last replaced another row.
pub(super) struct EnterpriseRow {
    pub(super) enterprise: Enterprise,
    pub(super) revision: u64,
    pub(super) import_no: i64,
    pub(super) changed_on: Option<Date>,
}

impl EnterpriseRow {
    /// The dossier with what the enterprise was before and all versions of its records.
    pub(super) fn dossier(
        self,
        earlier: Vec<(Date, Enterprise)>,
        versions: Vec<Record>,
    ) -> Dossier {
        Dossier::new(self.enterprise, self.revision, earlier, versions)
    }
}

pub(super) fn enterprise(row: &impl Row) -> Result<EnterpriseRow, StoreError> {
    Ok(EnterpriseRow {
        enterprise: content(row)?,
        revision: number(row, 1, "revision")?,
        import_no: number(row, 12, "import_no")?,
        changed_on: optional_day(row, 13, "changed_on")?,
    })
}

/// What a walk through the register reads of an enterprise.
pub(super) struct PieceRow {
    pub(super) enterprise_id: EnterpriseId,
    pub(super) revision: u64,
    /// Whether it was something else before.
    pub(super) is_changed: bool,
    /// The enterprise and its versions; none where they have to be read from the columns.
    pub(super) content: Option<(Enterprise, Vec<Record>)>,
}

pub(super) fn piece(row: &impl Row) -> Result<PieceRow, StoreError> {
    let enterprise_id = id(row, 0, "enterprise_id")?;
    let content = match row.bytes(3, "packed")? {
        Some(piece) => packed::unpack(&enterprise_id, piece)?,
        None => None,
    };
    Ok(PieceRow {
        enterprise_id,
        revision: number(row, 1, "revision")?,
        is_changed: row.whole(2, "changed_on")?.is_some(),
        content,
    })
}

/// Reads an earlier version with the day until which it held.
pub(super) fn earlier_enterprise(row: &impl Row) -> Result<(Date, Enterprise), StoreError> {
    Ok((day(row, 1, "until_on")?, content(row)?))
}

/// What is said of an enterprise, which is in the same places in both tables.
fn content(row: &impl Row) -> Result<Enterprise, StoreError> {
    Ok(Enterprise {
        enterprise_id: id(row, 0, "enterprise_id")?,
        name: text(row, 2, "name")?.to_owned(),
        kind: code(row, 3, "kind", EnterpriseKind::from_code)?,
        owner_id: optional_id(row, 4, "owner_id")?,
        division: optional_label(row, 5, "division")?,
        industry: optional_label(row, 6, "industry")?,
        established_on: optional_day(row, 7, "established_on")?,
        status: code(row, 8, "status", EnterpriseStatus::from_code)?,
        size: code(row, 9, "size", EnterpriseSize::from_code)?,
        tags: tags(row, 10, "tags")?,
        attributes: attributes(row, 11, "attributes")?,
    })
}

/// Reads a record whose columns begin at `from`.
pub(super) fn record(row: &impl Row, from: usize) -> Result<Record, StoreError> {
    record_of(id(row, from, "enterprise_id")?, row, from)
}

/// Reads a record of an enterprise that is known already; its columns begin at `from`.
pub(super) fn record_of(
    enterprise_id: EnterpriseId,
    row: &impl Row,
    from: usize,
) -> Result<Record, StoreError> {
    let at = |position: usize| from + position;
    Ok(Record {
        enterprise_id,
        source: label(row, at(1), "source")?,
        record_id: text(row, at(2), "record_id")?.to_owned(),
        known_on: day(row, at(3), "known_on")?,
        kind: code(row, at(4), "kind", RecordKind::from_code)?,
        occurred_on: day(row, at(5), "occurred_on")?,
        ended_on: optional_day(row, at(6), "ended_on")?,
        severity: optional_number::<u8>(row, at(7), "severity")?
            .map(|number| {
                Severity::from_code(number).ok_or(StoreError::Corrupt { column: "severity" })
            })
            .transpose()?,
        amount_fen: row.whole(at(8), "amount_fen")?,
        count: optional_number(row, at(9), "count")?,
        upheld: row.whole(at(10), "upheld")?.map(|truth| truth != 0),
        codes: labels(row, at(11), "codes")?,
        item_code: optional_label(row, at(12), "item_code")?,
        party: optional_label(row, at(13), "party")?,
        related_id: optional_id(row, at(14), "related_id")?,
        repaired_on: optional_day(row, at(15), "repaired_on")?,
        withdrawn_on: optional_day(row, at(16), "withdrawn_on")?,
        note: row.text(at(17), "note")?.map(str::to_owned),
    })
}

/// Reads a record, whose columns begin at `from`, with what is noted of it.
pub(super) fn known_version(
    row: &impl Row,
    from: usize,
) -> Result<KnownVersion<'static>, StoreError> {
    Ok(KnownVersion {
        record: Cow::Owned(record(row, from)?),
        stated: (
            number(row, from + 18, "import_no")?,
            day(row, from + 19, "stated_on")?,
        ),
    })
}

/// Reads `seq, enterprise_id, revision`.
pub(super) fn changed(row: &impl Row) -> Result<Changed, StoreError> {
    Ok(Changed {
        seq: number(row, 0, "seq")?,
        enterprise_id: id(row, 1, "enterprise_id")?,
        revision: number(row, 2, "revision")?,
    })
}

pub(super) fn proceeding(row: &impl Row) -> Result<Proceeding, StoreError> {
    Ok(Proceeding {
        proceeding_id: text(row, 0, "proceeding_id")?.to_owned(),
        kind: code(row, 1, "kind", ProceedingKind::from_code)?,
        enterprise_id: id(row, 2, "enterprise_id")?,
        related_id: optional_id(row, 3, "related_id")?,
        state: text(row, 4, "state")?.to_owned(),
        is_open: number::<i64>(row, 5, "is_open")? != 0,
        due_on: optional_day(row, 6, "due_on")?,
        document: text(row, 7, "document")?.to_owned(),
    })
}

pub(super) fn act(row: &impl Row) -> Result<Act, StoreError> {
    Ok(Act {
        enterprise_id: id(row, 0, "enterprise_id")?,
        act_no: number(row, 1, "act_no")?,
        on: day(row, 2, "on_day")?,
        at: text(row, 3, "at")?.to_owned(),
        what: text(row, 4, "what")?.to_owned(),
        subject: text(row, 5, "subject")?.to_owned(),
        by: optional_label(row, 6, "by_whom")?,
        reason: row.text(7, "reason")?.map(str::to_owned),
    })
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Aborted(error.to_string()))
}

pub(super) fn id(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<EnterpriseId, StoreError> {
    EnterpriseId::from_kept(text(row, at, column)?).ok_or(StoreError::Corrupt { column })
}

/// A number that is there and fits.
pub(super) fn number<T: TryFrom<i64>>(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<T, StoreError> {
    optional_number(row, at, column)?.ok_or(StoreError::Corrupt { column })
}

pub(super) fn optional_number<T: TryFrom<i64>>(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    row.whole(at, column)?
        .map(|number| T::try_from(number).map_err(|_| StoreError::Corrupt { column }))
        .transpose()
}

/// A text that is there.
pub(super) fn text<'a>(
    row: &'a impl Row,
    at: usize,
    column: &'static str,
) -> Result<&'a str, StoreError> {
    row.text(at, column)?.ok_or(StoreError::Corrupt { column })
}

pub(super) fn day(row: &impl Row, at: usize, column: &'static str) -> Result<Date, StoreError> {
    Ok(from_epoch_day(number(row, at, column)?))
}

pub(super) fn optional_day(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<Option<Date>, StoreError> {
    Ok(optional_number(row, at, column)?.map(from_epoch_day))
}

fn optional_id(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<Option<EnterpriseId>, StoreError> {
    row.text(at, column)?
        .map(|text| EnterpriseId::from_kept(text).ok_or(StoreError::Corrupt { column }))
        .transpose()
}

fn label(row: &impl Row, at: usize, column: &'static str) -> Result<Label, StoreError> {
    Label::from_kept(text(row, at, column)?).ok_or(StoreError::Corrupt { column })
}

pub(super) fn optional_label(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<Option<Label>, StoreError> {
    row.text(at, column)?
        .map(|text| Label::from_kept(text).ok_or(StoreError::Corrupt { column }))
        .transpose()
}

pub(super) fn code<T>(
    row: &impl Row,
    at: usize,
    column: &'static str,
    from_code: impl Fn(u8) -> Option<T>,
) -> Result<T, StoreError> {
    from_code(number(row, at, column)?).ok_or(StoreError::Corrupt { column })
}

/// A JSON list of labels, in its order.
pub(super) fn labels(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<Vec<Label>, StoreError> {
    match plain_words(text(row, at, column)?) {
        Some(words) => words
            .map(|word| Label::from_kept(word).ok_or(StoreError::Corrupt { column }))
            .collect(),
        None => json(row, at, column),
    }
}

/// A JSON list of labels as a set.
fn tags(row: &impl Row, at: usize, column: &'static str) -> Result<BTreeSet<Label>, StoreError> {
    match plain_words(text(row, at, column)?) {
        Some(words) => words
            .map(|word| Label::from_kept(word).ok_or(StoreError::Corrupt { column }))
            .collect(),
        None => json(row, at, column),
    }
}

/// The words of a JSON list without escapes or anything but words: nearly all lists are such, and need no parser.
fn plain_words(list: &str) -> Option<impl Iterator<Item = &str>> {
    let words = list.strip_prefix("[\"")?.strip_suffix("\"]")?;
    // A quotation mark inside a word stands behind a backslash, so between words alone there are bare ones.
    let is_plain = !words.contains('\\') && words.split("\",\"").all(|word| !word.contains('"'));
    is_plain.then(|| words.split("\",\""))
}

/// A JSON object of numbers.
fn attributes(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<BTreeMap<Label, f64>, StoreError> {
    match plain_numbers(text(row, at, column)?) {
        Some(numbers) => Ok(numbers),
        None => json(row, at, column),
    }
}

/// The numbers of a JSON object as the store writes it, without spaces; nothing for any other text, which is for the
/// parser to judge.
fn plain_numbers(object: &str) -> Option<BTreeMap<Label, f64>> {
    let mut numbers = Vec::with_capacity(8);
    let mut rest = object.strip_prefix("{\"")?;
    loop {
        let (name, after) = rest.split_once('"')?;
        let after = after.strip_prefix(':')?;
        let (number, more) = after.split_at(after.bytes().position(|b| b == b',' || b == b'}')?);
        let is_json = number
            .bytes()
            .all(|b| b.is_ascii_digit() || b"-.e".contains(&b));
        let number = number
            .parse()
            .ok()
            .filter(|number: &f64| is_json && number.is_finite())?;
        if name.contains('\\') {
            return None;
        }
        numbers.push((Label::from_kept(name)?, number));
        if more == "}" {
            // Names that rise, as the store writes them, are put together without a search.
            let count = numbers.len();
            let numbers = BTreeMap::from_iter(numbers);
            return (numbers.len() == count).then_some(numbers);
        }
        rest = more.strip_prefix(",\"")?;
    }
}

fn json<T: serde::de::DeserializeOwned + Default>(
    row: &impl Row,
    at: usize,
    column: &'static str,
) -> Result<T, StoreError> {
    let text = text(row, at, column)?;
    // Most rows carry no tags, codes or attributes; they need no parser.
    if text == "[]" || text == "{}" {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { column })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lists_and_objects_read_as_the_parser_reads_them() {
        let lists = [
            "[]",
            "[\"a\"]",
            "[\"a\",\"食品\",\"c,d\"]",
            "[\"a\\\"b\"]",
            "[\"a\", \"b\"]",
            "[\"a\",7,\"b\"]",
            "[\"a\",[\"b\"]]",
            "[\"]",
            "{\"a\":1}",
        ];
        for list in lists {
            if let Some(words) = plain_words(list) {
                let parsed: Vec<String> = serde_json::from_str(list).unwrap();
                assert_eq!(words.collect::<Vec<_>>(), parsed, "{list}");
            }
        }
        assert!(plain_words(lists[2]).is_some() && plain_words(lists[3]).is_none());
        let objects = [
            "{}",
            "{\"a\":1.0}",
            "{\"a\":-2.5e-7,\"b,c\":0.1}",
            "{\"a\":1,}",
            "{\"a\":NaN}",
            "{\"a\":\"b\"}",
            "{\"a\":1 }",
            "{\"a\\n\":1}",
            "{\"a\":1,\"a\":2}",
            "[]",
        ];
        for object in objects {
            let parsed: Result<BTreeMap<Label, f64>, _> = serde_json::from_str(object);
            if let Some(plain) = plain_numbers(object) {
                assert_eq!(plain, parsed.unwrap(), "{object}");
            }
        }
        assert!(
            objects[1..3]
                .iter()
                .all(|object| plain_numbers(object).is_some())
        );
        assert!(
            objects[3..]
                .iter()
                .all(|object| plain_numbers(object).is_none())
        );
    }
}
