//! Locks that belong to no row, held until the transaction ends.

use super::pool::Session;
use crate::store::StoreError;

/// What is held; the numbers are part of the protocol between replicas and never change.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lock {
    /// The schema.
    Schema = 1,
    /// The end of the log of changes.
    Changes = 2,
    /// The next number of a frame.
    Frames = 3,
    /// The next number of a plan.
    Plans = 4,
    /// The end of the chain of closed plans.
    Closed = 5,
    /// Which ids are not in the register: shared by those who put ids into it, alone for those who set records aside.
    Unregistered = 6,
    /// Which ids are merged.
    Merges = 7,
    /// The next number of a calendar.
    Calendars = 9,
    /// The end of the list of alerts.
    Alerts = 40,
    /// The one active run.
    Runs = 41,
    /// The end of the ledger of models.
    Models = 60,
    /// The end of the log of tier moves.
    Moves = 100,
    /// The slots of the ledger.
    Slots = 70,
    /// The versions of check items.
    Items = 71,
}

/// Sets this service's locks apart from those of other programs in the same database ("risk").
const SPACE: i32 = 0x7269_736b;

impl Lock {
    /// Waits for the lock. The next statement sees everything that its last holder committed.
    pub(super) fn take(self, tx: &mut Session) -> Result<(), StoreError> {
        let number = self as i32;
        tx.query("SELECT pg_advisory_xact_lock($1, $2)", &[&SPACE, &number])?;
        Ok(())
    }

    /// Waits until nobody holds the lock alone.
    pub(super) fn share(self, tx: &mut Session) -> Result<(), StoreError> {
        let number = self as i32;
        tx.query(
            "SELECT pg_advisory_xact_lock_shared($1, $2)",
            &[&SPACE, &number],
        )?;
        Ok(())
    }
}
