//! Calendars of items with frequencies, their editions, and which of their visits were done.
//!
//! Calendars and editions are never changed, done visits are only added. What documents and bodies mean is for their
//! maker to know.

use jiff::civil::Date;

use super::StoreError;
use crate::domain::{EnterpriseId, Visit};

/// An edition as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEdition {
    /// Its number, consecutive within the calendar.
    pub edition_no: u64,
    /// Its JSON.
    pub document: String,
    /// Its file, gzip.
    pub body: Vec<u8>,
}

/// A visit that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneVisit {
    /// The object.
    pub enterprise_id: EnterpriseId,
    /// The visit's number within the object.
    pub visit_no: u32,
    /// When.
    pub done_on: Date,
}

/// Makes document and body of an edition from its number and the visits that were done.
pub type BuildEdition<'a> =
    dyn FnMut(u64, &[DoneVisit]) -> Result<(String, Vec<u8>), StoreError> + 'a;

/// Calendars.
pub trait CalendarStore {
    /// Keeps a calendar with its first edition, under the next consecutive number, which is returned; `document` makes
    /// the JSON to keep of it.
    fn put_calendar(
        &self,
        calendar_id: &str,
        document: &dyn Fn(u64) -> String,
        edition: (&str, &[u8]),
    ) -> Result<u64, StoreError>;

    /// The document of one calendar.
    fn calendar(&self, calendar_id: &str) -> Result<Option<String>, StoreError>;

    /// Documents of the calendars before number `before`, latest first, at most `limit`.
    fn calendars_before(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError>;

    /// One edition; without a number the one in force.
    fn calendar_edition(
        &self,
        calendar_id: &str,
        edition_no: Option<u64>,
    ) -> Result<Option<KeptEdition>, StoreError>;

    /// Documents of all editions in order.
    fn calendar_editions(&self, calendar_id: &str) -> Result<Vec<String>, StoreError>;

    /// Adds the edition after number `after`, in one transaction: `build` sees every visit that was done by then, and
    /// none is noted before the edition is in force. `false`, and nothing is added, if `after` is no longer in force.
    fn add_calendar_edition(
        &self,
        calendar_id: &str,
        after: u64,
        build: &mut BuildEdition<'_>,
    ) -> Result<bool, StoreError>;

    /// Notes visits as done, and enters each that is new into the ledger in the same transaction: `entry` says how it
    /// stands there. The planned visit of the same plan to the enterprise in that year becomes it; where there is none left
    /// it is added, for general items with the next slot. What is noted already stays as it is. Returns how many are new;
    /// `None`, and nothing is noted, if edition `edition_no` is no longer in force.
    fn put_done_visits(
        &self,
        calendar_id: &str,
        edition_no: u64,
        done: &[DoneVisit],
        entry: &dyn Fn(&DoneVisit) -> Visit,
    ) -> Result<Option<u64>, StoreError>;

    /// All visits that were done, in order of object and number.
    fn done_visits(&self, calendar_id: &str) -> Result<Vec<DoneVisit>, StoreError>;
}
