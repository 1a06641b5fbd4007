//! Visits that others have booked, from a file: what a plan on plain files must keep clear of.

use jiff::civil::Date;
use std::collections::BTreeMap;
use std::path::Path;

use super::{Service, ServiceError};
use crate::domain::{EnterpriseId, FieldError, Visit, VisitKind, VisitState, field};
use crate::files::{CellRows, CellRowsError, Format, ReadOptions, Source};
use crate::sampling::{Window, year_of};

/// Columns of the file that may be left out.
const OPTIONAL: [&str; 3] = ["kind", "state", "visited_on"];

impl Service {
    /// Takes the visits for general items of a ledger file, CSV, NDJSON or Parquet, as `risktier ledger list --format csv`
    /// writes it: `enterprise_id`, `from_on` and `until_on`, and as far as known `kind`, `state` and `visited_on`. Visits of
    /// other kinds, void and replaced ones bind nothing and are passed over. Says how many were taken.
    ///
    /// # Errors
    ///
    /// Names the column that is missing, or the line and field that is wrong; nothing is taken then.
    pub fn take_ledger(&self, path: &Path) -> Result<u64, ServiceError> {
        let mut slots: BTreeMap<(EnterpriseId, i16), u16> = BTreeMap::new();
        let noted_at = jiff::Timestamp::now().to_string();
        let visits: Vec<Visit> = read_booked(path)?
            .into_iter()
            .map(|booked| {
                let Booked {
                    enterprise_id,
                    window,
                    visited_on,
                } = booked;
                let year = visited_on.map_or_else(|| year_of(window), |day| day.year());
                let slot = slots.entry((enterprise_id.clone(), year)).or_default();
                *slot = slot.saturating_add(1);
                Visit {
                    visit_no: 0,
                    enterprise_id,
                    year,
                    kind: VisitKind::General,
                    state: match visited_on {
                        Some(_) => VisitState::Done,
                        None => VisitState::Planned,
                    },
                    slot: Some(*slot),
                    from_on: window.from,
                    until_on: window.to,
                    visited_on,
                    plan_id: None,
                    departments: Vec::new(),
                    items: Vec::new(),
                    reason: None,
                    note: None,
                    by: None,
                    noted_at: noted_at.clone(),
                }
            })
            .collect();
        Ok(self.store.enter_visits(&visits)?.len() as u64)
    }
}

/// A visit for general items that counts.
struct Booked {
    enterprise_id: EnterpriseId,
    window: Window,
    visited_on: Option<Date>,
}

/// Where the columns stand.
struct Places {
    enterprise_id: usize,
    from_on: usize,
    until_on: usize,
    optional: [Option<usize>; 3],
}

fn read_booked(path: &Path) -> Result<Vec<Booked>, ServiceError> {
    let file = path.display().to_string();
    let source = Source::open(path, Format::of_path(path).or(Some(Format::Csv)))?;
    let rows = CellRows::open(source, &ReadOptions::default())?;
    let place = |name: &str| rows.header().iter().position(|column| column == name);
    let needed = |name: &str| {
        place(name).ok_or_else(|| {
            let reason =
                "is missing; the columns are `enterprise_id`, `from_on` and `until_on`, and as far as known `kind`, `state` \
                 and `visited_on`";
            FieldError::new(&format!("{file}: column"), name, reason)
        })
    };
    let places = Places {
        enterprise_id: needed("enterprise_id")?,
        from_on: needed("from_on")?,
        until_on: needed("until_on")?,
        optional: OPTIONAL.map(place),
    };
    let (mut booked, mut wrong) = (Vec::new(), None);
    let read = rows.each(|line, cells| {
        let cells: Vec<&str> = cells.collect();
        match row(&places, &cells) {
            Ok(found) => booked.extend(found),
            Err(error) => {
                let place = format!("{file}: line {line}: {}", error.field);
                wrong.get_or_insert_with(|| FieldError::new(&place, &error.value, error.reason));
            }
        }
        Ok(())
    });
    match (read, wrong) {
        (_, Some(error)) => Err(error.into()),
        (Ok(()), None) => Ok(booked),
        (Err(CellRowsError::File(error)), None) => Err(error.into()),
        (Err(CellRowsError::Row(error)), None) => {
            Err(FieldError::new(&file, "", error.to_string()).into())
        }
    }
}

/// One row; nothing where it binds nothing.
fn row(places: &Places, cells: &[&str]) -> Result<Option<Booked>, FieldError> {
    let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
    let [kind, state, visited_on] = places.optional.map(|place| place.map_or("", cell));
    let coded = |name: &str, value: &str, reason: String| FieldError::new(name, value, reason);
    if !kind.is_empty() {
        let kind: VisitKind = kind
            .parse()
            .map_err(|error| coded("kind", kind, format!("is wrong: {error}")))?;
        if kind != VisitKind::General {
            return Ok(None);
        }
    }
    if !state.is_empty() {
        let state: VisitState = state
            .parse()
            .map_err(|error| coded("state", state, format!("is wrong: {error}")))?;
        if matches!(state, VisitState::Void | VisitState::Replaced) {
            return Ok(None);
        }
    }
    let enterprise_id = field::enterprise_id("enterprise_id", cell(places.enterprise_id))?;
    let visited_on = field::optional("visited_on", Some(visited_on), field::date)?;
    let (from, until) = (cell(places.from_on), cell(places.until_on));
    let window = match visited_on {
        // A visit that took place needs no days on which it was planned.
        Some(day) if from.is_empty() && until.is_empty() => Window { from: day, to: day },
        _ => Window {
            from: field::date("from_on", from)?,
            to: field::date("until_on", until)?,
        },
    };
    if window.from > window.to {
        let reason = format!("is before `from_on` ({})", window.from);
        return Err(FieldError::new("until_on", until, reason));
    }
    Ok(Some(Booked {
        enterprise_id,
        window,
        visited_on,
    }))
}
