//! What becomes of an arriving row, given what is stored: one law for every store.

use jiff::civil::Date;
use std::borrow::Cow;

use super::Refusal;
use super::stood::{self, Pass};
use crate::domain::{Enterprise, EnterpriseId, Record};

/// A version of a record, stored or to be stored.
#[derive(Clone, Debug)]
pub(super) struct KnownVersion<'a> {
    pub(super) record: Cow<'a, Record>,
    /// The last import that wrote it, and the latest day from which it was said to be known.
    pub(super) stated: (i64, Date),
}

/// What to do with an arriving enterprise.
#[derive(Debug)]
pub(super) enum EnterpriseStep {
    /// It says nothing new.
    Keep,
    /// It says nothing new; note in the store that it stood in this import.
    Note,
    /// It is not written.
    Refuse(Refusal),
    /// It is written.
    Write,
}

/// What is stored under the id of an arriving record.
#[derive(Debug)]
pub(super) enum Held<'a> {
    /// Nothing.
    Nothing,
    /// A record of another enterprise.
    OfOther(&'a EnterpriseId),
    /// A record of the same enterprise, in this version on the day from which the arriving one is known.
    Version(Option<&'a KnownVersion<'a>>),
}

/// What to do with an arriving record.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all steps write, and no two are kept at once"
)]
pub(super) enum RecordStep<'a> {
    /// It says nothing new.
    Keep,
    /// It says nothing new; note when the known version stood and from when it was said to be known.
    Note((i64, Date)),
    /// It is not written.
    Refuse(Refusal),
    /// It is written as `record` in place of a version known on the same day, and then `restated` unless there is one of
    /// its day.
    Write {
        record: Cow<'a, Record>,
        restated: Option<Box<Record>>,
    },
}

/// Decides about an enterprise; `stored` comes with the last import that wrote it.
pub(super) fn enterprise(
    arriving: &Enterprise,
    stored: Option<(&Enterprise, i64)>,
    pass: &mut Pass,
) -> EnterpriseStep {
    match stored {
        // The row stood in this import: another content for its id further down is a duplicate.
        Some((stored, stood_in)) if stored == arriving => {
            if stood_in == pass.import_no() || pass.note(&stood::of_enterprise(arriving)) {
                EnterpriseStep::Keep
            } else {
                EnterpriseStep::Note
            }
        }
        Some((_, stood_in))
            if pass.import_no() != 0
                && (stood_in == pass.import_no()
                    || pass.stands(&stood::of_enterprise(arriving))) =>
        {
            EnterpriseStep::Refuse(Refusal::DuplicateInImport)
        }
        Some(_) | None => EnterpriseStep::Write,
    }
}

/// Decides about a record.
pub(super) fn record<'a>(arriving: &'a Record, held: Held<'_>, pass: &mut Pass) -> RecordStep<'a> {
    let known = match held {
        Held::OfOther(owner) => {
            return RecordStep::Refuse(Refusal::OtherEnterprise(owner.clone()));
        }
        Held::Nothing | Held::Version(None) => {
            return RecordStep::Write {
                record: Cow::Borrowed(arriving),
                restated: None,
            };
        }
        Held::Version(Some(known)) => known,
    };
    let stored = &*known.record;
    // A source that is silent about a repair or withdrawal does not undo it.
    let silent = Record {
        known_on: stored.known_on,
        repaired_on: arriving.repaired_on.or(stored.repaired_on),
        withdrawn_on: arriving.withdrawn_on.or(stored.withdrawn_on),
        ..arriving.clone()
    };
    let row = stood::of_record(arriving);
    // The same content known earlier says nothing new: importing a file again changes nothing.
    if *stored == silent {
        let stated = (pass.import_no(), arriving.known_on.max(known.stated.1));
        let is_noted = known.stated.0 == pass.import_no() || pass.note(&row);
        return if is_noted && known.stated.1 == stated.1 {
            RecordStep::Keep
        } else {
            RecordStep::Note(stated)
        };
    }
    if pass.import_no() != 0
        && (known.stated == (pass.import_no(), arriving.known_on) || pass.stands(&row))
    {
        return RecordStep::Refuse(Refusal::DuplicateInImport);
    }
    if stored.known_on == arriving.known_on {
        // A correction of the same day replaces the version with all its repetitions.
        return RecordStep::Write {
            record: Cow::Owned(silent),
            restated: None,
        };
    }
    // What was said again after this version became known holds from then on, whichever of the two arrived first.
    let said_again = arriving.known_on < known.stated.1;
    RecordStep::Write {
        record: Cow::Borrowed(arriving),
        restated: said_again.then(|| {
            Box::new(Record {
                known_on: known.stated.1,
                ..stored.clone()
            })
        }),
    }
}
