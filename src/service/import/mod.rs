//! Streamed import of enterprises and records: good rows go in, bad ones are told by line.
//!
//! Rows go in batch by batch, and each batch notes in its own transaction how far the import has come. So an import that
//! was broken off, at whatever instant, goes on behind the last batch that is in the register, and its counts are those
//! of an import that was not. With `all_or_nothing` there is one transaction for everything: a single fault anywhere
//! undoes it, and so does a kill.

mod intake;
mod ledger;
mod report;
mod run;

pub use intake::ImportOptions;
pub use ledger::{ImportKind, ImportState, ImportSummary, ImportView, KeptFaults, Resume};
pub use report::{ImportObserver, ImportReport, Importable};
