//! The columns of both kinds of file, declared once for readers, writers and mappings.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

use super::parquet::{ColumnType, Value, Wanted};
use crate::domain::{
    CheckItem, Enterprise, EnterpriseDraft, FieldError, ItemDraft, Record, RecordDefaults,
    RecordDraft, dates,
};
use crate::sampling::FrameRow;

use super::frame::FrameDraft;

/// Separates the items of a list inside one cell.
pub(super) const LIST_SEPARATOR: char = '|';

/// Begins the name of an attribute's column.
pub(super) const ATTRIBUTE_PREFIX: &str = "attributes.";

/// One column: its name and where it lives in the draft `D`.
pub struct Column<D: 'static> {
    pub(super) name: &'static str,
    pub(super) slot: Slot<D>,
}

/// The place of a column in the draft, by the type of its values.
pub(super) enum Slot<D: 'static> {
    Required(fn(&mut D) -> &mut String),
    Text(fn(&mut D) -> &mut Option<String>),
    Number(fn(&mut D) -> &mut Option<f64>),
    Count(fn(&mut D) -> &mut Option<u32>),
    Flag(fn(&mut D) -> &mut Option<bool>),
    List(fn(&mut D) -> &mut Vec<String>),
}

/// What can stand in a row of a file: an [`Enterprise`], a [`Record`], a [`CheckItem`] or a [`FrameRow`].
pub trait Tabular: Sized + Send + sealed::Sealed + 'static {
    /// The unchecked form.
    type Draft: Default + Serialize + DeserializeOwned + 'static;
    /// What a draft leaves to its surroundings.
    type Defaults: Clone + Send + Sync + 'static;
    /// What one row is called in messages.
    const NOUN: &'static str;
    /// Every column in the order of writing.
    #[doc(hidden)]
    const COLUMNS: &'static [Column<Self::Draft>];
    /// Checks a draft.
    fn check(draft: Self::Draft, defaults: &Self::Defaults) -> Result<Self, FieldError>;
    /// The draft that checks to this value.
    fn draft(&self) -> Self::Draft;
    /// The open-ended numbers of a draft, where the kind of row has them.
    fn attributes(draft: &mut Self::Draft) -> Option<&mut BTreeMap<String, f64>>;
    /// What errors of writing call this value.
    fn key(&self) -> &str;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Enterprise {}
    impl Sealed for super::Record {}
    impl Sealed for super::CheckItem {}
    impl Sealed for super::FrameRow {}
}

impl Tabular for Enterprise {
    type Draft = EnterpriseDraft;
    type Defaults = ();
    const NOUN: &'static str = "enterprise";
    const COLUMNS: &'static [Column<EnterpriseDraft>] = &[
        column("enterprise_id", Slot::Required(|d| &mut d.enterprise_id)),
        column("name", Slot::Required(|d| &mut d.name)),
        column("kind", Slot::Text(|d| &mut d.kind)),
        column("owner_id", Slot::Text(|d| &mut d.owner_id)),
        column("division", Slot::Text(|d| &mut d.division)),
        column("industry", Slot::Text(|d| &mut d.industry)),
        column("established_on", Slot::Text(|d| &mut d.established_on)),
        column("status", Slot::Text(|d| &mut d.status)),
        column("size", Slot::Text(|d| &mut d.size)),
        column("tags", Slot::List(|d| &mut d.tags)),
    ];

    fn check(draft: EnterpriseDraft, (): &()) -> Result<Self, FieldError> {
        Self::parse(draft)
    }

    fn draft(&self) -> EnterpriseDraft {
        self.to_draft()
    }

    fn attributes(draft: &mut EnterpriseDraft) -> Option<&mut BTreeMap<String, f64>> {
        Some(&mut draft.attributes)
    }

    fn key(&self) -> &str {
        self.enterprise_id.as_str()
    }
}

impl Tabular for Record {
    type Draft = RecordDraft;
    type Defaults = RecordDefaults;
    const NOUN: &'static str = "record";
    const COLUMNS: &'static [Column<RecordDraft>] = &[
        column("record_id", Slot::Required(|d| &mut d.record_id)),
        column("enterprise_id", Slot::Required(|d| &mut d.enterprise_id)),
        column("source", Slot::Text(|d| &mut d.source)),
        column("kind", Slot::Required(|d| &mut d.kind)),
        column("occurred_on", Slot::Required(|d| &mut d.occurred_on)),
        column("ended_on", Slot::Text(|d| &mut d.ended_on)),
        column("severity", Slot::Text(|d| &mut d.severity)),
        column("amount_cny", Slot::Number(|d| &mut d.amount_cny)),
        column("count", Slot::Count(|d| &mut d.count)),
        column("upheld", Slot::Flag(|d| &mut d.upheld)),
        column("codes", Slot::List(|d| &mut d.codes)),
        column("item_code", Slot::Text(|d| &mut d.item_code)),
        column("party", Slot::Text(|d| &mut d.party)),
        column("related_id", Slot::Text(|d| &mut d.related_id)),
        column("known_on", Slot::Text(|d| &mut d.known_on)),
        column("repaired_on", Slot::Text(|d| &mut d.repaired_on)),
        column("withdrawn_on", Slot::Text(|d| &mut d.withdrawn_on)),
        column("note", Slot::Text(|d| &mut d.note)),
    ];

    fn check(draft: RecordDraft, defaults: &RecordDefaults) -> Result<Self, FieldError> {
        Self::parse(draft, defaults)
    }

    fn draft(&self) -> RecordDraft {
        self.to_draft()
    }

    fn attributes(_: &mut RecordDraft) -> Option<&mut BTreeMap<String, f64>> {
        None
    }

    fn key(&self) -> &str {
        &self.record_id
    }
}

impl Tabular for CheckItem {
    type Draft = ItemDraft;
    type Defaults = ();
    const NOUN: &'static str = "check item";
    const COLUMNS: &'static [Column<ItemDraft>] = &[
        column("item_code", Slot::Required(|d| &mut d.item_code)),
        column("name", Slot::Required(|d| &mut d.name)),
        column("class", Slot::Required(|d| &mut d.class)),
        column("published", Slot::Flag(|d| &mut d.published)),
        column("sub_items", Slot::List(|d| &mut d.sub_items)),
        column("legal_basis", Slot::Text(|d| &mut d.legal_basis)),
        column("department", Slot::Text(|d| &mut d.department)),
        column("levels", Slot::List(|d| &mut d.levels)),
        column("ratio_cap", Slot::Number(|d| &mut d.ratio_cap)),
        column("visits_per_year", Slot::Number(|d| &mut d.visits_per_year)),
        column("methods", Slot::List(|d| &mut d.methods)),
        column("objects", Slot::Text(|d| &mut d.objects)),
        column(
            "inspector_requirement",
            Slot::Text(|d| &mut d.inspector_requirement),
        ),
        column("note", Slot::Text(|d| &mut d.note)),
    ];

    fn check(draft: ItemDraft, (): &()) -> Result<Self, FieldError> {
        Self::parse(draft)
    }

    fn draft(&self) -> ItemDraft {
        self.to_draft()
    }

    fn attributes(_: &mut ItemDraft) -> Option<&mut BTreeMap<String, f64>> {
        None
    }

    fn key(&self) -> &str {
        self.item_code.as_str()
    }
}

impl Tabular for FrameRow {
    type Draft = FrameDraft;
    type Defaults = ();
    const NOUN: &'static str = "frame";
    const COLUMNS: &'static [Column<FrameDraft>] = &[
        column("enterprise_id", Slot::Required(|d| &mut d.enterprise_id)),
        column("kind", Slot::Text(|d| &mut d.kind)),
        column("division", Slot::Text(|d| &mut d.division)),
        column("industry", Slot::Text(|d| &mut d.industry)),
        column("size", Slot::Text(|d| &mut d.size)),
        column("status", Slot::Text(|d| &mut d.status)),
        column("tags", Slot::List(|d| &mut d.tags)),
        column("tier", Slot::Required(|d| &mut d.tier)),
        column("points", Slot::Count(|d| &mut d.points)),
        column("complaints_milli", Slot::Count(|d| &mut d.complaints_milli)),
        column("upheld_count", Slot::Count(|d| &mut d.upheld_count)),
        column(
            "complaint_ratio_milli",
            Slot::Number(|d| &mut d.complaint_ratio_milli),
        ),
        column("complaint_band", Slot::Text(|d| &mut d.complaint_band)),
    ];

    fn check(draft: FrameDraft, (): &()) -> Result<Self, FieldError> {
        draft.check()
    }

    fn draft(&self) -> FrameDraft {
        FrameDraft::from(self)
    }

    fn attributes(_: &mut FrameDraft) -> Option<&mut BTreeMap<String, f64>> {
        None
    }

    fn key(&self) -> &str {
        self.enterprise_id.as_str()
    }
}

const fn column<D>(name: &'static str, slot: Slot<D>) -> Column<D> {
    Column { name, slot }
}

impl<D> Column<D> {
    /// Whether a row without this column is no row.
    pub(super) fn is_required(&self) -> bool {
        matches!(self.slot, Slot::Required(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.slot, Slot::List(_))
    }

    /// Dates are the fields whose names end in `_on`.
    pub(super) fn is_date(&self) -> bool {
        self.name.ends_with("_on")
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.slot, Slot::Number(_) | Slot::Count(_))
    }

    /// What a typed column must hold to fill this one.
    pub(super) fn wanted(&self) -> Wanted {
        match self.slot {
            _ if self.is_date() => Wanted::Day,
            Slot::Required(_) | Slot::Text(_) => Wanted::Text,
            Slot::Number(_) => Wanted::Number,
            Slot::Count(_) => Wanted::Count,
            Slot::Flag(_) => Wanted::Flag,
            Slot::List(_) => Wanted::List,
        }
    }

    /// Puts a text into the draft; an empty text leaves an optional field absent.
    pub(super) fn set(&self, draft: &mut D, text: &str) -> Result<(), FieldError> {
        let text = text.trim();
        if text.is_empty() {
            return match self.slot {
                Slot::Required(_) => Err(self.refuse(text, "is empty; every row needs a value")),
                Slot::Text(_)
                | Slot::Number(_)
                | Slot::Count(_)
                | Slot::Flag(_)
                | Slot::List(_) => Ok(()),
            };
        }
        match self.slot {
            Slot::Required(slot) => text.clone_into(slot(draft)),
            Slot::Text(slot) => *slot(draft) = Some(text.to_owned()),
            Slot::Number(slot) => *slot(draft) = Some(number(self.name, text)?),
            Slot::Count(slot) => {
                let count = text
                    .parse()
                    .map_err(|_| self.refuse(text, "is not a whole number from 0 to 4294967295"))?;
                *slot(draft) = Some(count);
            }
            Slot::Flag(slot) => {
                *slot(draft) = Some(match text {
                    "true" => true,
                    "false" => false,
                    _ => return Err(self.refuse(text, "is not `true` or `false`")),
                });
            }
            Slot::List(slot) => split_list(text, slot(draft)),
        }
        Ok(())
    }

    /// Puts one value into the draft; a list takes it as one item, whatever characters it holds.
    pub(super) fn put(&self, draft: &mut D, text: String) -> Result<(), FieldError> {
        match self.slot {
            Slot::List(slot) => {
                slot(draft).push(text);
                Ok(())
            }
            Slot::Required(_)
            | Slot::Text(_)
            | Slot::Number(_)
            | Slot::Count(_)
            | Slot::Flag(_) => self.set(draft, &text),
        }
    }

    /// The value of this column in a draft.
    pub(super) fn value<'a>(&self, draft: &'a mut D) -> Value<'a> {
        match self.slot {
            Slot::Required(slot) => self.text_or_day(slot(draft)),
            Slot::Text(slot) => match slot(draft) {
                Some(text) => self.text_or_day(text),
                None => Value::Absent,
            },
            Slot::Number(slot) => slot(draft).map_or(Value::Absent, Value::Number),
            Slot::Count(slot) => slot(draft).map_or(Value::Absent, Value::Count),
            Slot::Flag(slot) => slot(draft).map_or(Value::Absent, Value::Flag),
            Slot::List(slot) => Value::List(slot(draft)),
        }
    }

    fn text_or_day<'a>(&self, text: &'a str) -> Value<'a> {
        let day = self.is_date().then(|| dates::parse_date(text).ok());
        day.flatten().map_or(Value::Text(text), Value::Day)
    }

    /// What this column holds in a file with types.
    pub(super) fn column_type(&self) -> ColumnType {
        match self.slot {
            Slot::Required(_) | Slot::Text(_) if self.is_date() => ColumnType::Day,
            Slot::Required(_) | Slot::Text(_) => ColumnType::Text,
            Slot::Number(_) => ColumnType::Number,
            Slot::Count(_) => ColumnType::Count,
            Slot::Flag(_) => ColumnType::Flag,
            Slot::List(_) => ColumnType::List,
        }
    }

    pub(super) fn refuse(&self, value: &str, reason: &str) -> FieldError {
        FieldError::new(self.name, value, reason)
    }
}

/// The column called `name`.
pub(super) fn find<T: Tabular>(name: &str) -> Option<&'static Column<T::Draft>> {
    T::COLUMNS.iter().find(|column| column.name == name)
}

/// The names of all columns, for messages.
pub(super) fn names<T: Tabular>() -> String {
    let mut names: Vec<&str> = T::COLUMNS.iter().map(|column| column.name).collect();
    if T::attributes(&mut T::Draft::default()).is_some() {
        names.push("attributes.NAME");
    }
    names.join(", ")
}

/// A finite number as files write it.
pub(super) fn number(field: &str, text: &str) -> Result<f64, FieldError> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(FieldError::new(
            field,
            text,
            "is not a number; write it like 1234.5, without separators or unit",
        )),
    }
}

/// Takes the items of a list cell: `a|b`; `\|` and `\\` stand for the characters themselves.
fn split_list(text: &str, items: &mut Vec<String>) {
    if !text.contains('\\') {
        let parts = text.split(LIST_SEPARATOR).map(str::trim);
        items.extend(parts.filter(|item| !item.is_empty()).map(str::to_owned));
        return;
    }
    let mut item = String::new();
    let mut characters = text.chars().peekable();
    loop {
        match characters.next() {
            Some('\\') => match characters.next_if(|&c| c == LIST_SEPARATOR || c == '\\') {
                Some(escaped) => item.push(escaped),
                None => item.push('\\'),
            },
            Some(LIST_SEPARATOR) | None => {
                let trimmed = item.trim();
                if !trimmed.is_empty() {
                    items.push(trimmed.to_owned());
                }
                item.clear();
                if characters.peek().is_none() {
                    return;
                }
            }
            Some(character) => item.push(character),
        }
    }
}

pub(super) fn join_list(items: &[String]) -> String {
    let escaped: Vec<String> = items
        .iter()
        .map(|item| item.replace('\\', "\\\\").replace(LIST_SEPARATOR, "\\|"))
        .collect();
    escaped.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_awkward_items_round_trip() {
        for items in [
            vec!["a", "b"],
            vec!["a|b", "c\\", "\\|"],
            vec!["x\\y|", "|"],
            vec!["one"],
        ] {
            let items: Vec<String> = items.into_iter().map(str::to_owned).collect();
            let mut back = Vec::new();
            split_list(&join_list(&items), &mut back);
            assert_eq!(back, items);
        }
        let mut plain = Vec::new();
        split_list("a||b| ", &mut plain);
        assert_eq!(plain, ["a", "b"]);
    }

    #[test]
    fn every_field_of_a_draft_has_its_column() {
        let draft = RecordDraft::default();
        let full = RecordDraft {
            source: Some(String::new()),
            ended_on: Some(String::new()),
            severity: Some(String::new()),
            amount_cny: Some(0.0),
            count: Some(0),
            upheld: Some(false),
            codes: vec![String::new()],
            item_code: Some(String::new()),
            party: Some(String::new()),
            related_id: Some(String::new()),
            known_on: Some(String::new()),
            repaired_on: Some(String::new()),
            withdrawn_on: Some(String::new()),
            note: Some(String::new()),
            ..draft
        };
        let json = serde_json::to_value(full).unwrap();
        let mut names: Vec<&str> = Record::COLUMNS.iter().map(|c| c.name).collect();
        names.sort_unstable();
        assert_eq!(names, json.as_object().unwrap().keys().collect::<Vec<_>>());
    }
}
