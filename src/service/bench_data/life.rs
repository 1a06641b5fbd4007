//! What happens to records after they were made: sources report late, repeat themselves, correct and withdraw.

use jiff::civil::Date;

use super::BenchOptions;
use crate::domain::rng::SeededRng;
use crate::domain::{RecordDraft, dates, field};

/// Chances of a record, by what happens to it.
const LATE: f64 = 0.01;
const WITHDRAWN: f64 = 0.004;
const REPEATED: f64 = 0.01;
const CORRECTED: f64 = 0.02;

/// Goes through the records of one enterprise. A repeated row has the same content, a corrected one follows its first
/// version, becomes known later, and says another amount, outcome or remark.
pub(super) fn live(
    options: &BenchOptions,
    index: u64,
    drafts: Vec<RecordDraft>,
) -> Vec<RecordDraft> {
    let mut rng = SeededRng::new(options.seed, &format!("bench life {index}"));
    let mut lived = Vec::with_capacity(drafts.len() + 1);
    for mut draft in drafts {
        let [late, withdrawn, corrected, repeated] =
            [LATE, WITHDRAWN, CORRECTED, REPEATED].map(|chance| rng.chance(chance));
        if late && let Some(day) = later(&mut rng, options.as_of, &draft, 60, 340) {
            draft.known_on = Some(day.to_string());
        }
        if withdrawn && let Some(day) = later(&mut rng, options.as_of, &draft, 5, 120) {
            draft.withdrawn_on = Some(day.to_string());
        }
        let correction = corrected
            .then(|| later(&mut rng, options.as_of, &draft, 10, 150))
            .flatten();
        let next = correction.map(|day| correct(&draft, day));
        let again = repeated.then(|| next.as_ref().unwrap_or(&draft).clone());
        lived.push(draft);
        lived.extend(next);
        lived.extend(again);
    }
    lived
}

/// A day some time after a record became known, if it lies before the register is taken.
fn later(
    rng: &mut SeededRng,
    as_of: Date,
    draft: &RecordDraft,
    least: u64,
    more: u64,
) -> Option<Date> {
    let days = i32::try_from(least + rng.below(more)).ok()?;
    let known_on = field::date("known_on", draft.known_on.as_deref()?).ok()?;
    Some(dates::add_days(known_on, days)).filter(|day| *day <= as_of)
}

fn correct(draft: &RecordDraft, day: Date) -> RecordDraft {
    let mut next = RecordDraft {
        known_on: Some(day.to_string()),
        ..draft.clone()
    };
    match (&mut next.amount_cny, &mut next.upheld) {
        (Some(amount), _) => *amount += 100.0,
        (None, Some(upheld)) => *upheld = !*upheld,
        (None, None) => next.note = Some("corrected".to_owned()),
    }
    next
}
