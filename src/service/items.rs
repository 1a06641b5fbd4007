//! The list of check items (抽查事项清单): written, imported, versioned; and what a plan may use of it.

use jiff::civil::Date;

use super::{ImportReport, Precondition, Service, ServiceError};
use crate::domain::{CheckItem, FieldError, ItemClass, Label};
use crate::files::{ReadOptions, Row, Source, read_items};
use crate::sampling::ItemCap;
use crate::store::{ItemOutcome, ItemVersion, ItemWrite};

/// Items written in one transaction.
const BATCH: usize = 1_000;
/// Faults that a report tells one by one.
const MOST_FAULTS: usize = 100;

impl Service {
    /// Writes a check item; what changes is a new version that holds from the present day.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn put_item(&self, item: CheckItem) -> Result<(ItemVersion, ItemOutcome), ServiceError> {
        self.put_item_if(&item, &Precondition::None)
    }

    /// Writes a check item if the version that stands is as `precondition` says; what changes is a new version that holds
    /// from the present day.
    ///
    /// # Errors
    ///
    /// When another version stands, or the store fails.
    pub fn put_item_if(
        &self,
        item: &CheckItem,
        precondition: &Precondition,
    ) -> Result<(ItemVersion, ItemOutcome), ServiceError> {
        let holds = |version| precondition.holds(version);
        match self.store.put_item_if(item, self.today(), &holds)? {
            ItemWrite::Written(outcome) => Ok((self.item(item.item_code.as_str())?, outcome)),
            ItemWrite::NotMet(version) => Err(precondition.error(version)),
        }
    }

    /// The latest version of an item.
    ///
    /// # Errors
    ///
    /// When there is no such item or the store fails.
    pub fn item(&self, item_code: &str) -> Result<ItemVersion, ServiceError> {
        let versions = self.store.item_versions(item_code)?;
        let latest = versions.into_iter().next();
        latest.ok_or_else(|| ServiceError::UnknownItem(item_code.to_owned()))
    }

    /// All versions of an item, latest first.
    ///
    /// # Errors
    ///
    /// When there is no such item or the store fails.
    pub fn item_versions(&self, item_code: &str) -> Result<Vec<ItemVersion>, ServiceError> {
        let versions = self.store.item_versions(item_code)?;
        if versions.is_empty() {
            return Err(ServiceError::UnknownItem(item_code.to_owned()));
        }
        Ok(versions)
    }

    /// The version of an item that held on a day.
    ///
    /// # Errors
    ///
    /// When there was none on that day, or the store fails.
    pub fn item_on(&self, item_code: &str, day: Date) -> Result<ItemVersion, ServiceError> {
        let versions = self.store.item_versions(item_code)?;
        let held = versions.into_iter().find(|version| version.from_on <= day);
        held.ok_or_else(|| ServiceError::UnknownItem(item_code.to_owned()))
    }

    /// Items after `after` in order of their codes, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn items(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ItemVersion>, ServiceError> {
        Ok(self.store.items_after(after, limit)?)
    }

    /// Writes items in one transaction, all or none.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn put_items(&self, items: &[CheckItem]) -> Result<Vec<ItemOutcome>, ServiceError> {
        Ok(self.store.put_items(items, self.today())?)
    }

    /// Imports items from a file; good rows go in, the others are told by line. A row that says what stands already
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// When the file cannot be read as a whole, or the store fails; what was written by then stays.
    pub fn import_items(
        &self,
        source: Source,
        options: &ReadOptions,
    ) -> Result<ImportReport, ServiceError> {
        let mut report = ImportReport::default();
        let mut batch = Vec::new();
        for row in read_items(source, options)? {
            report.row_count += 1;
            match row? {
                Row::Good { line: _, item } => batch.push(item),
                Row::Bad(fault) => {
                    report.refused_count += 1;
                    if report.errors.len() < MOST_FAULTS {
                        report.errors.push(fault);
                    }
                }
            }
            if batch.len() == BATCH {
                self.write_items(&mut batch, &mut report)?;
            }
        }
        self.write_items(&mut batch, &mut report)?;
        Ok(report)
    }

    fn write_items(
        &self,
        batch: &mut Vec<CheckItem>,
        report: &mut ImportReport,
    ) -> Result<(), ServiceError> {
        for outcome in self.store.put_items(batch, self.today())? {
            let count = match outcome {
                ItemOutcome::Created => &mut report.created_count,
                ItemOutcome::Updated => &mut report.updated_count,
                ItemOutcome::Unchanged => &mut report.unchanged_count,
            };
            *count += 1;
        }
        batch.clear();
        Ok(())
    }

    /// The items that a plan names, as they are today.
    ///
    /// # Errors
    ///
    /// Names the item that is not in the list, or is not published.
    pub(super) fn planned_items(&self, codes: &[String]) -> Result<Vec<CheckItem>, ServiceError> {
        let mut items = Vec::with_capacity(codes.len());
        for (place, code) in codes.iter().enumerate() {
            let fail = |reason: &str| FieldError::new(&format!("items.{place}"), code, reason);
            let versions = self.store.item_versions(code)?;
            let Some(latest) = versions.into_iter().next() else {
                let reason = "is not in the list of check items; write or import it first";
                return Err(fail(reason).into());
            };
            if !latest.item.published {
                let reason = "is not published, and an item that is not published cannot be planned; publish it first";
                return Err(fail(reason).into());
            }
            items.push(latest.item);
        }
        Ok(items)
    }
}

/// The class of a plan: that of its items, or without items what the caller says, or general.
pub(super) fn class_of(
    items: &[CheckItem],
    said: Option<ItemClass>,
) -> Result<ItemClass, FieldError> {
    let Some(first) = items.first() else {
        return Ok(said.unwrap_or(ItemClass::General));
    };
    let others = items.iter().enumerate().skip(1);
    for (place, item) in others {
        if item.class != first.class {
            let reason = format!(
                "is a {} item, `{}` a {} one; a plan is of one class, so make two plans",
                item.class, first.item_code, first.class
            );
            return Err(FieldError::new(
                &format!("items.{place}"),
                item.item_code.as_str(),
                reason,
            ));
        }
    }
    match said {
        Some(said) if said != first.class => Err(FieldError::new(
            "item_class",
            said.as_str(),
            format!(
                "is not the class of the items, which is {}; leave it out",
                first.class
            ),
        )),
        _ => Ok(first.class),
    }
}

/// The lowest ratio cap of general items; key items are not capped.
pub(super) fn lowest_cap(items: &[CheckItem]) -> Option<ItemCap> {
    let capped = items
        .iter()
        .filter(|item| item.class == ItemClass::General)
        .filter_map(|item| Some((item, item.ratio_cap?)));
    let lowest = capped.min_by(|(_, a), (_, b)| a.total_cmp(b));
    lowest.map(|(item, cap)| ItemCap {
        item_code: item.item_code.clone(),
        // A cap below one part in a billion would let nobody be drawn.
        cap_ppb: ((cap * 1e9).round() as u64).max(1),
    })
}

/// The departments of a plan: the one that plans and those of its items, each once, in order.
pub(super) fn departments_of(items: &[CheckItem], own: Option<&Label>) -> Vec<Label> {
    let all: std::collections::BTreeSet<&Label> = items
        .iter()
        .filter_map(|item| item.department.as_ref())
        .chain(own)
        .collect();
    all.into_iter().cloned().collect()
}
