//! Frequency over time: the annual calendar of items that every object gets so many times a year.
//!
//! Systematic sampling in time. Each object keeps a phase `φ`. It starts at the fraction of its ticket; over `[a, b)` at
//! the frequency `f` it grows by `f·(b − a)`; the object is visited `⌊φ(b)⌋ − ⌊φ(a)⌋` times. So its long-run frequency is
//! exact, its visits are evenly spaced, and a change of tier changes the slope, not the phase: nobody gains or loses a
//! visit by it. All in whole numbers: time in months, the phase in parts per billion of a visit.
//!
//! The year is cut into batches. A visit is *due* in the batch in which its phase passes a whole number, and *planned* in
//! that batch or a near one, so that the load is level by division and over all. Moving visits between
//! batches never changes a phase.

mod batches;
mod file;
mod frequency;
mod level;
mod plan;

pub use batches::{Batch, BatchKind, Month, batches_of};
pub use file::{CALENDAR_FORMAT, CalendarFileError};
pub use frequency::{Frequency, FrequencyError, TierFrequencies};
pub use plan::{
    Balance, Calendar, CalendarHeader, CalendarObject, CalendarOrder, CalendarVisit, Done,
    PresentObject, ScheduleError, plan_calendar, ticket_phase_ppb,
};
