//! Calendars of items with frequencies: who is visited how often, and in which batch of the year.
//!
//! A calendar begins with a drawn plan of method `order`, so that its objects and their tickets carry the proofs of a
//! plan. Its editions follow each other: one for each year, and one whenever the rest of a year is planned anew. What an
//! edition has fixed never changes; what was done is noted beside it and enters the next one.

mod document;
mod done;
mod editions;
mod files;
mod visits;

pub use document::{BatchLoad, CalendarView, EditionCause, EditionView};
pub use done::{DoneNote, NotedVisits};
pub use editions::{CalendarRequest, EditionRequest, Frequencies};
pub use files::{FileCalendar, FileCalendarRequest, read_done_notes, write_calendar_visits};
pub use visits::{CalendarObjectView, VisitFilter, VisitState, VisitView};
