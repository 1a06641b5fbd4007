//! Check items.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{InspectingLevel, InspectionMethod, ItemClass};
use super::imports::LineFault;
use super::present;
use crate::domain::{CheckItem, FieldError, ItemDraft};
use crate::service::{ImportReport, ItemOutcome, ItemVersion};

/// What the list is to say of a check item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct ItemInput {
    /// Its code; in a path the same.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "SP-0301", min_length = 1, max_length = 64)]
    item_code: Option<String>,
    /// Its name.
    #[schema(example = "Hygiene of food sale", min_length = 1, max_length = 500)]
    name: String,
    /// General or key.
    #[schema(example = "general")]
    class: String,
    /// Whether it is published: an item that is not cannot be planned.
    #[serde(default)]
    #[schema(default = false)]
    published: bool,
    /// Its sub-items.
    #[serde(default)]
    sub_items: Vec<String>,
    /// The law that it rests on.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "Food Safety Law, art. 110", max_length = 2000)]
    legal_basis: Option<String>,
    /// The department whose item it is.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "market-regulation", max_length = 64)]
    department: Option<String>,
    /// Levels that inspect it: `province`, `city`, `county`.
    #[serde(default)]
    #[schema(example = json!(["county"]))]
    levels: Vec<String>,
    /// Largest share of the objects to be drawn: in a year where the policy's rates are annual, else in a plan. It binds
    /// general items.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 0.05, exclusive_minimum = 0, maximum = 1)]
    ratio_cap: Option<f64>,
    /// Visits to an object in a year, where the list sets them.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 1.0, exclusive_minimum = 0, maximum = 366)]
    visits_per_year: Option<f64>,
    /// How it is inspected: `on_site`, `written`, `network`, `entrusted`.
    #[serde(default)]
    #[schema(example = json!(["on_site"]))]
    methods: Vec<String>,
    /// What its objects are, in words.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 2000)]
    objects: Option<String>,
    /// What inspectors must be able to do.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "food safety certificate", max_length = 2000)]
    inspector_requirement: Option<String>,
    /// A remark.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 2000)]
    note: Option<String>,
}

impl ItemInput {
    /// Checks it; `code` is that of the path.
    pub(crate) fn parse(self, code: Option<&str>) -> Result<CheckItem, FieldError> {
        let item_code = match (self.item_code, code) {
            (Some(given), Some(code)) if given != code => {
                let reason = format!("is not that of the path, `{code}`; leave it out");
                return Err(FieldError::new("item_code", &given, reason));
            }
            (given, code) => code.map(str::to_owned).or(given).unwrap_or_default(),
        };
        CheckItem::parse(ItemDraft {
            item_code,
            name: self.name,
            class: self.class,
            published: Some(self.published),
            sub_items: self.sub_items,
            legal_basis: self.legal_basis,
            department: self.department,
            levels: self.levels,
            ratio_cap: self.ratio_cap,
            visits_per_year: self.visits_per_year,
            methods: self.methods,
            objects: self.objects,
            inspector_requirement: self.inspector_requirement,
            note: self.note,
        })
    }
}

/// Several check items.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `items`")]
pub(crate) struct ItemsInput {
    /// The items, all written or none.
    #[schema(min_items = 1, max_items = 1000)]
    pub(crate) items: Vec<ItemInput>,
}

/// What became of several items.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemsWritten {
    /// One for each, in the order of the request.
    pub(crate) items: Vec<ItemWritten>,
}

/// What became of one item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemWritten {
    /// The item.
    #[schema(example = "SP-0301")]
    pub(crate) item_code: String,
    /// What became of it.
    pub(crate) outcome: ItemWord,
}

/// What became of a written item.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ItemOutcome)]
pub(crate) enum ItemWord {
    /// It is new.
    Created,
    /// It has a new version.
    Updated,
    /// It says nothing new.
    Unchanged,
}

impl From<ItemOutcome> for ItemWord {
    fn from(outcome: ItemOutcome) -> Self {
        match outcome {
            ItemOutcome::Created => Self::Created,
            ItemOutcome::Updated => Self::Updated,
            ItemOutcome::Unchanged => Self::Unchanged,
        }
    }
}

/// A version of a check item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckItem)]
pub(crate) struct ItemAnswer {
    /// Its code.
    #[schema(example = "SP-0301")]
    item_code: String,
    /// Its number among the versions of the item, from 1.
    #[schema(example = 1, minimum = 1)]
    version: u32,
    /// The day from which on it holds.
    #[schema(format = Date, example = "2026-11-22")]
    from_on: String,
    /// Its name.
    #[schema(example = "Hygiene of food sale")]
    name: String,
    /// General or key.
    class: ItemClass,
    /// Whether it is published.
    published: bool,
    /// Its sub-items.
    sub_items: Vec<String>,
    /// The law that it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    legal_basis: Option<String>,
    /// The department whose item it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<String>,
    /// Levels that inspect it.
    levels: Vec<InspectingLevel>,
    /// Largest share of the objects to be drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio_cap: Option<f64>,
    /// Visits to an object in a year.
    #[serde(skip_serializing_if = "Option::is_none")]
    visits_per_year: Option<f64>,
    /// How it is inspected.
    methods: Vec<InspectionMethod>,
    /// What its objects are.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<String>,
    /// What inspectors must be able to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    inspector_requirement: Option<String>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl From<ItemVersion> for ItemAnswer {
    fn from(held: ItemVersion) -> Self {
        let ItemVersion {
            item,
            version,
            from_on,
        } = held;
        let CheckItem {
            item_code,
            name,
            sub_items,
            legal_basis,
            department,
            levels,
            class,
            ratio_cap,
            visits_per_year,
            methods,
            objects,
            inspector_requirement,
            published,
            note,
        } = item;
        Self {
            item_code: item_code.into(),
            version,
            from_on: from_on.to_string(),
            name,
            class: class.into(),
            published,
            sub_items,
            legal_basis,
            department: department.map(Into::into),
            levels: levels.into_iter().map(Into::into).collect(),
            ratio_cap,
            visits_per_year,
            methods: methods.into_iter().map(Into::into).collect(),
            objects,
            inspector_requirement,
            note,
        }
    }
}

/// Which version of an item.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ItemQuery {
    /// The day on which it held; left out: the latest.
    #[param(format = Date, example = "2026-11-22")]
    pub(crate) on: Option<String>,
}

/// What an import of items did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ItemImport)]
pub(crate) struct ItemImportAnswer {
    /// Rows read, good and bad.
    #[schema(example = 3)]
    row_count: u64,
    /// Items that are new.
    #[schema(example = 2)]
    created_count: u64,
    /// Items with a new version.
    #[schema(example = 0)]
    updated_count: u64,
    /// Items that say nothing new.
    #[schema(example = 0)]
    unchanged_count: u64,
    /// Rows that were refused.
    #[schema(example = 1)]
    refused_count: u64,
    /// The first 100 refused rows.
    errors: Vec<LineFault>,
}

impl From<ImportReport> for ItemImportAnswer {
    fn from(report: ImportReport) -> Self {
        let ImportReport {
            import_ids: _,
            row_count,
            created_count,
            updated_count,
            unchanged_count,
            set_aside_count: _,
            refused_count,
            resumed_count: _,
            nothing_written: _,
            errors,
            failure: _,
        } = report;
        Self {
            row_count,
            created_count,
            updated_count,
            unchanged_count,
            refused_count,
            errors: errors.into_iter().map(Into::into).collect(),
        }
    }
}
