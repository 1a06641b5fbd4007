//! Check items with their versions, and the ledger of visits.
//!
//! A plan takes its slots at the draw, in the transaction that makes it drawn: one slot is a number among the visits of
//! one enterprise for general items in one year, and no two visits hold the same one.

use jiff::civil::Date;

use super::StoreError;
use crate::domain::{CheckItem, EnterpriseId, Label, Visit, VisitKind, VisitState};

/// Check items.
pub trait ItemStore {
    /// Writes items in one transaction, each as a new version known from `day`; what says nothing new is not written.
    fn put_items(&self, batch: &[CheckItem], day: Date) -> Result<Vec<ItemOutcome>, StoreError>;

    /// Writes one item as [`ItemStore::put_items`] does if `condition` holds for the version that stands, `None` where
    /// there is none; nothing comes between the one and the other.
    fn put_item_if(
        &self,
        item: &CheckItem,
        day: Date,
        condition: &dyn Fn(Option<u64>) -> bool,
    ) -> Result<ItemWrite, StoreError>;

    /// All versions of one item, latest first; none for an unknown item.
    fn item_versions(&self, item_code: &str) -> Result<Vec<ItemVersion>, StoreError>;

    /// The latest versions of the items after `after` in order of their codes, at most `limit`.
    fn items_after(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ItemVersion>, StoreError>;
}

/// What became of an item that was to be written under a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemWrite {
    /// The condition held.
    Written(ItemOutcome),
    /// It did not, for this version.
    NotMet(Option<u64>),
}

/// What became of a written item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It is new.
    Created,
    /// It has a new version.
    Updated,
    /// It says nothing new.
    Unchanged,
}

/// A version of a check item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemVersion {
    /// What it says.
    pub item: CheckItem,
    /// Its number among the versions of the item, from 1.
    pub version: u32,
    /// The day from which on it holds.
    pub from_on: Date,
}

/// The ledger of visits.
pub trait LedgerStore {
    /// Enters visits in one transaction and returns their numbers; they take no slot.
    fn enter_visits(&self, visits: &[Visit]) -> Result<Vec<u64>, StoreError>;

    /// Draws a frozen plan: `build` gets what the ledger holds around it and returns what the step writes. Draws and
    /// replacements with years or companions happen one after the other, so what `build` sees is what there is. `false` if
    /// the plan is not in state `frozen`. `build` may run again when other writers were in the way.
    ///
    /// # Errors
    ///
    /// Those of `build`, and a failure of the database if a visit is to have a slot that another one holds.
    fn draw_plan(
        &self,
        scope: &LedgerScope<'_>,
        build: &mut dyn FnMut(LedgerAround) -> Result<DrawnPlan, StoreError>,
    ) -> Result<bool, StoreError>;

    /// Replaces an object of a drawn or closed plan: `build` gets what the ledger holds around the plan, its own visits to
    /// this enterprise and its replacements so far, and returns what the step writes, in one transaction. `false` if the
    /// plan is not in state `drawn` or `closed`. `build` may run again when other writers were in the way.
    ///
    /// # Errors
    ///
    /// As [`LedgerStore::draw_plan`].
    fn replace_in_plan(
        &self,
        scope: &LedgerScope<'_>,
        enterprise_id: &EnterpriseId,
        build: &mut dyn FnMut(LedgerAround) -> Result<LedgerMoves, StoreError>,
    ) -> Result<bool, StoreError>;

    /// Gives up a plan: moves it from `from` to `void` and gives back the slots of its visits that have not taken place.
    /// A visit that other plans share stays for them, without what this plan checks. `false` if it is not in state `from`.
    fn void_plan(&self, plan_id: &str, from: &str, document: &str) -> Result<bool, StoreError>;

    /// Changes one visit, as [`LedgerStore::change_visits`]; `None` for an unknown one.
    fn change_visit(
        &self,
        visit_no: u64,
        change: &dyn Fn(Visit) -> Result<Visit, StoreError>,
    ) -> Result<Option<Visit>, StoreError> {
        let changed = self.change_visits(&[visit_no], change)?;
        Ok(changed.and_then(|mut visits| visits.pop()))
    }

    /// Changes visits, all or none, each once: `change` gets each as it is and returns it as it is to be; number, enterprise
    /// and plan stay. They come back in the order of their numbers; `None` if one of them is unknown. `change` may run again
    /// when other writers were in the way.
    fn change_visits(
        &self,
        visit_nos: &[u64],
        change: &dyn Fn(Visit) -> Result<Visit, StoreError>,
    ) -> Result<Option<Vec<Visit>>, StoreError>;

    /// The slots that are taken in the years from `first` to `last`.
    fn slots(&self, first: i16, last: i16) -> Result<Vec<Slot>, StoreError>;

    /// Visits of these plans that are planned or done, in order of number; shared ones belong to each of their plans.
    fn visits_of_plans(&self, plan_ids: &[String]) -> Result<Vec<Visit>, StoreError>;

    /// All visits to one enterprise, latest window first.
    fn visits_to(&self, id: &EnterpriseId) -> Result<Vec<Visit>, StoreError>;

    /// Visits before number `before`, latest first, at most `limit`.
    fn visits_before(
        &self,
        filter: &LedgerFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Visit>, StoreError>;

    /// The year in numbers; the visits of a merged id count for the id that stands for it, given as pairs of the two.
    fn ledger_year(
        &self,
        year: i16,
        merged: &[(EnterpriseId, EnterpriseId)],
    ) -> Result<LedgerYear, StoreError>;
}

/// Which part of the ledger a step of a plan sees.
#[derive(Clone, Copy, Debug)]
pub struct LedgerScope<'a> {
    /// The plan.
    pub plan_id: &'a str,
    /// First and last year whose slots it sees; absent: none.
    pub years: Option<(i16, i16)>,
    /// Plans whose visits may be its visits too: the others of its coordinated group.
    pub companions: &'a [String],
}

impl LedgerScope<'_> {
    /// Whether what the step sees must stay so until it is written.
    pub(super) fn is_exclusive(&self) -> bool {
        self.years.is_some() || !self.companions.is_empty()
    }
}

/// What the ledger holds around a plan at the instant of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerAround {
    /// The slots taken in the years asked for, of all plans.
    pub slots: Vec<Slot>,
    /// Visits of the companions that are planned or done, in order of number.
    pub shared: Vec<Visit>,
    /// At a replacement: the plan's own visits to the enterprise that are planned or done.
    pub own: Vec<Visit>,
    /// At a replacement: documents of the earlier ones, in their order.
    pub replacements: Vec<String>,
}

/// A slot that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Who is visited.
    pub enterprise_id: EnterpriseId,
    /// In which year.
    pub year: i16,
    /// The number of the visit in the year, from 1.
    pub slot: u16,
    /// First and last day on which it may take place; both the day of the visit once it has.
    pub window: (Date, Date),
    /// The plan.
    pub plan_id: String,
    /// Departments that take part.
    pub departments: Vec<Label>,
    /// Codes of the check items.
    pub items: Vec<Label>,
}

/// What a draw writes.
#[derive(Clone, Debug)]
pub struct DrawnPlan {
    /// The plan's document.
    pub document: String,
    /// The sample file, gzip.
    pub sample: Vec<u8>,
    /// The file of the reserve, gzip.
    pub reserve: Vec<u8>,
    /// What it does to the ledger.
    pub moves: LedgerMoves,
}

/// What a step of a plan does to the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerMoves {
    /// New visits, with their slots.
    pub visits: Vec<Visit>,
    /// Visits that are there already and take up the items of this plan too: one visit, many items.
    pub joined: Vec<JoinedVisit>,
    /// Departments of the plan on the visits that it joins.
    pub departments: Vec<Label>,
    /// Items of the plan on the visits that it joins.
    pub items: Vec<Label>,
    /// Numbers of planned visits that the plan no longer needs, because another object is visited instead.
    pub left: Vec<u64>,
    /// Documents of new replacements, in their order.
    pub replacements: Vec<String>,
}

/// A visit that takes up more items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedVisit {
    /// Its number.
    pub visit_no: u64,
    /// First and last day on which it may take place, for all plans that need it.
    pub window: (Date, Date),
    /// All departments that take part now.
    pub departments: Vec<Label>,
    /// All items.
    pub items: Vec<Label>,
}

/// Which visits to list; what is left out does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Of this year.
    pub year: Option<i16>,
    /// Of this kind.
    pub kind: Option<VisitKind>,
    /// In this state.
    pub state: Option<VisitState>,
    /// Of this plan.
    pub plan_id: Option<String>,
}

/// A year of the ledger in numbers. Void and replaced visits are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerYear {
    /// Planned visits for general items, whether or not they have taken place.
    pub general_count: u64,
    /// Planned visits for key items.
    pub key_count: u64,
    /// Visits outside the plans.
    pub exempt_count: u64,
    /// Visits of any kind that have taken place.
    pub done_count: u64,
    /// Planned visits in which several departments take part.
    pub joint_count: u64,
    /// Enterprises with a planned visit.
    pub visited_count: u64,
    /// Enterprises with more than one planned visit.
    pub repeat_count: u64,
    /// Enterprises with a planned visit for general items.
    pub general_enterprise_count: u64,
    /// Enterprises of the register that can be visited at present.
    pub object_count: u64,
}
