//! Layer 0: the values that every other layer speaks in.
//!
//! A value that exists is valid: constructors parse and check, the inside never re-checks. Nothing here reads a
//! clock, the environment or the operating system's randomness.

pub mod canonical;
mod coded;
pub(crate) mod compact;
pub mod dates;
pub(crate) mod decimal;
mod decision;
pub mod digest;
mod enterprise;
mod enterprise_id;
mod epoch;
pub mod field;
mod item;
mod label;
mod link;
pub(crate) mod parallel;
mod proceeding;
mod record;
mod replace_reason;
pub mod rng;
mod tier;
mod visit;
mod working_days;

pub use coded::UnknownCode;
pub use compact::NotCompact;
pub use dates::AsOf;
pub use decision::Decision;
pub use enterprise::{
    Enterprise, EnterpriseDraft, EnterpriseKind, EnterpriseSize, EnterpriseStatus,
};
pub use enterprise_id::{EnterpriseId, IdCheck, IdError, MAX_ID_BYTES, Uscc};
pub use epoch::{Epoch, NotAnEpoch};
pub use field::FieldError;
pub use item::{CheckItem, InspectingLevel, InspectionMethod, ItemClass, ItemDraft};
pub use label::{Label, MAX_LABEL_BYTES, NotALabel};
pub(crate) use label::{division_prefix, is_industry};
pub use link::LinkEnd;
pub use proceeding::ProceedingKind;
pub use record::{Record, RecordDefaults, RecordDraft, RecordKind, Severity, carry_amendments};
pub use replace_reason::ReplaceReason;
pub use tier::Tier;
pub use visit::{ExemptReason, Visit, VisitKind, VisitState, united};
pub use working_days::WorkingDays;
