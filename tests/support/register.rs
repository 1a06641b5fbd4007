//! Enterprises, records and model files for tests.

use jiff::civil::{Date, date};
use risktier::domain::dates::add_days;
use risktier::domain::{
    Enterprise, EnterpriseDraft, EnterpriseId, Label, Record, RecordDefaults, RecordDraft,
};
use risktier::service::{ModelFiles, Models};

/// The day that most tests speak for.
pub const TODAY: Date = date(2026, 11, 22);

/// The compiled-in model files.
pub fn default_models() -> Models {
    Models::load(&ModelFiles::default()).unwrap()
}

pub fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

/// The id of the enterprise with this number; ids sort like their numbers.
pub fn id(number: usize) -> EnterpriseId {
    EnterpriseId::parse(&format!("91990000MA{number:08}")).unwrap()
}

/// An enterprise of many years without anything of note.
pub fn enterprise(number: usize) -> Enterprise {
    Enterprise::parse(EnterpriseDraft {
        enterprise_id: id(number).to_string(),
        name: format!("企业 {number}"),
        division: Some(format!("99{:02}01", number % 4 + 1)),
        industry: Some("C1411".into()),
        established_on: Some("2015-04-30".into()),
        size: Some("small".into()),
        ..EnterpriseDraft::default()
    })
    .unwrap()
}

/// A record of the source `court`, known on the day it occurred.
pub fn record(of: usize, record_id: &str, kind: &str, occurred_on: Date) -> Record {
    record_with(of, record_id, kind, occurred_on, |_| {})
}

/// As [`record`], with changes to the draft.
pub fn record_with(
    of: usize,
    record_id: &str,
    kind: &str,
    occurred_on: Date,
    change: impl FnOnce(&mut RecordDraft),
) -> Record {
    let mut draft = RecordDraft {
        record_id: record_id.into(),
        enterprise_id: id(of).to_string(),
        kind: kind.into(),
        occurred_on: occurred_on.to_string(),
        known_on: Some(occurred_on.to_string()),
        ..RecordDraft::default()
    };
    change(&mut draft);
    let defaults = RecordDefaults {
        source: label("court"),
        known_on: TODAY,
    };
    Record::parse(draft, &defaults).unwrap()
}

/// A serious penalty some days before [`TODAY`]: 180 points and a floor at C.
pub fn serious_penalty(of: usize, record_id: &str, days_ago: i32) -> Record {
    record_with(
        of,
        record_id,
        "penalty",
        add_days(TODAY, -days_ago),
        |draft| {
            draft.severity = Some("serious".into());
        },
    )
}
