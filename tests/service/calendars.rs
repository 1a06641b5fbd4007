//! Calendars over a real store: phases that go on, what is done stays, tiers that change.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use risktier::domain::Tier;
use risktier::sampling::schedule::{Calendar, Month};
use risktier::service::{
    BatchKind, CalendarRequest, CalendarView, DoneNote, EditionCause, EditionRequest, Frequencies,
    Method, PlanRequest, Rounding, Service, ServiceError, VisitFilter, VisitState,
};

use crate::Place;
use crate::plans::world;
use crate::postgres_server::PostgresServer;
use crate::register::{default_models, id, label, serious_penalty};

/// A register of eighty, a drawn order of all of them, and a calendar of it for 2027.
fn calendar(place: &Place) -> (Service, PlanRequest, CalendarView) {
    let (service, request) = world(place);
    let order = PlanRequest {
        method: Method::Order,
        rounding: Rounding::Whole,
        visits: None,
        exploration_share: 0.0,
        ..request
    };
    let plan = service.draw_plan_now(order.clone()).unwrap();
    let calendar = service
        .create_calendar(CalendarRequest {
            plan_id: plan.plan_id,
            title: "食品生产".to_owned(),
            batches: BatchKind::Quarter,
            balance: None,
            frequencies: Frequencies::Named(label("food_production")),
            from: date(2027, 1, 1),
        })
        .unwrap();
    (service, order, calendar)
}

/// The service as it is on a later day.
fn on(place: &Place, today: Date) -> Service {
    let cache = std::sync::Arc::new(risktier::cache::MemoryCache::with_capacity(100));
    place.replica(cache, default_models(), today)
}

fn file(service: &Service, calendar: &CalendarView, edition: u64) -> Calendar {
    let bytes = service
        .calendar_file(&calendar.calendar_id, Some(edition))
        .unwrap();
    Calendar::from_bytes(&bytes).unwrap()
}

fn held_on(place: &Place) {
    let (service, order, calendar) = calendar(place);
    let first = &calendar.editions[0];
    // Twenty of each tier at one to four visits a year: 200. Three and four visits a year have no room to move, so every
    // quarter is near fifty and not on it; how level batches become with room is held by the properties.
    assert_eq!((first.cause, first.year), (EditionCause::First, 2027));
    assert_eq!((first.object_count, first.planned_count), (80, 200));
    assert!(
        first
            .batches
            .iter()
            .all(|batch| batch.visits.abs_diff(50) <= 15),
        "{:?}",
        first.batches
    );
    assert_eq!(first.batches[0].from, date(2027, 1, 1));
    assert_eq!(first.batches[0].name, "2027-Q1");
    let frame = service.frame(&order.frame_id).unwrap();
    assert_eq!(first.frame_digest, frame.frame_digest);

    // In July: all of the first half is done but one visit, and one enterprise of tier A has become C.
    let july = on(place, date(2027, 7, 1));
    let half: Vec<_> = ["2027-Q1", "2027-Q2"]
        .into_iter()
        .flat_map(|batch| {
            let filter = VisitFilter {
                batch: Some(batch.to_owned()),
                ..VisitFilter::default()
            };
            july.calendar_visits(&calendar.calendar_id, &filter)
                .unwrap()
        })
        .collect();
    assert!(half.iter().all(|visit| visit.state == VisitState::Overdue));
    let (missed, made) = half.split_first().unwrap();
    let notes: Vec<DoneNote> = made
        .iter()
        .map(|visit| DoneNote {
            enterprise_id: visit.enterprise_id.parse().unwrap(),
            visit: Some(visit.visit),
            done_on: date(2027, 6, 1),
        })
        .collect();
    let noted = july
        .note_done_visits(&calendar.calendar_id, &notes)
        .unwrap();
    assert_eq!((noted.noted, noted.unchanged), (made.len() as u64, 0));
    let again = july
        .note_done_visits(&calendar.calendar_id, &notes)
        .unwrap();
    assert_eq!((again.noted, again.unchanged), (0, made.len() as u64));

    let tier_of = |frame: &str, number: usize| {
        let text = String::from_utf8(july.frame_file(frame).unwrap()).unwrap();
        let row = text
            .lines()
            .find(|line| line.starts_with(id(number).as_str()))
            .unwrap();
        row.split(',').nth(7).unwrap().to_owned()
    };
    let worsened = (1..=80)
        .find(|number| tier_of(&order.frame_id, *number) == "A")
        .unwrap();
    place
        .store()
        .put_records(&[serious_penalty(worsened, "news", -100)], 0)
        .unwrap();
    let frame = july.freeze_frame(None).unwrap();
    assert_eq!(tier_of(&frame.frame_id, worsened), Tier::C.to_string());
    let request = EditionRequest {
        frame_id: frame.frame_id,
        from: date(2027, 7, 1),
        frequencies: None,
        balance: None,
    };
    let second = july
        .add_calendar_edition(&calendar.calendar_id, &request)
        .unwrap();

    assert_eq!((second.edition, second.cause), (2, EditionCause::Rest));
    assert_eq!(second.done_count, made.len() as u64);
    let visits = july
        .calendar_visits(&calendar.calendar_id, &VisitFilter::default())
        .unwrap();
    let kept: Vec<_> = visits
        .iter()
        .filter(|visit| visit.state == VisitState::Done)
        .collect();
    assert_eq!(kept.len(), made.len());
    let moved = visits
        .iter()
        .find(|visit| visit.enterprise_id == missed.enterprise_id && visit.visit == missed.visit);
    assert!(moved.is_none_or(|visit| visit.from >= Some(date(2027, 7, 1))));
    // The phase of the worsened one goes on and grows three times as fast; nobody else's plan for the year changes in
    // number.
    let (before, after) = (file(&july, &calendar, 1), file(&july, &calendar, 2));
    let half_a_year = Month::of(2027, 1).unwrap()..Month::of(2027, 7).unwrap();
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (old, new) in before.objects.iter().zip(&after.objects) {
        assert_eq!(old.id, new.id);
        let grown = old
            .frequency
            .unwrap()
            .growth_ppb(half_a_year.start, half_a_year.end);
        assert_eq!(new.phase_ppb, old.phase_ppb + grown);
        counts.insert(&old.id, [old.visits.len(), new.visits.len()]);
    }
    for (object, [old, new]) in counts {
        if object == id(worsened).as_str() {
            assert!((1..=2).contains(&(new - old)), "{old} {new}");
        } else {
            assert_eq!(old, new, "{object}");
        }
    }

    // The next year follows on the phases; without news everybody gets a year's worth.
    let frame = july.freeze_frame(None).unwrap();
    let third = july
        .add_calendar_edition(
            &calendar.calendar_id,
            &EditionRequest {
                frame_id: frame.frame_id,
                from: date(2028, 1, 1),
                frequencies: None,
                balance: None,
            },
        )
        .unwrap();
    assert_eq!((third.cause, third.year), (EditionCause::Year, 2028));
    // What was to come in the second half of 2027 was never noted as done, so it is carried on.
    assert_eq!(third.missed_count + third.done_count, second.planned_count);
    assert_eq!(third.planned_count - third.missed_count, 202);
    let all = july.calendar(&calendar.calendar_id).unwrap();
    assert_eq!(all.editions.len(), 3);
    assert_eq!(july.calendars(None, 9).unwrap().len(), 1);
    let skipped = july.add_calendar_edition(
        &calendar.calendar_id,
        &EditionRequest {
            frame_id: order.frame_id.clone(),
            from: date(2030, 1, 1),
            frequencies: None,
            balance: None,
        },
    );
    assert!(matches!(skipped, Err(ServiceError::Field(error)) if error.field == "from"));
}

#[test]
fn a_year_is_planned_lived_and_planned_anew() {
    held_on(&Place::empty());
}

#[test]
fn a_year_is_planned_lived_and_planned_anew_on_postgresql() {
    held_on(&Place::on(PostgresServer::shared()));
}

#[test]
fn a_calendar_needs_a_drawn_order() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let ask = |plan_id: &str| {
        service.create_calendar(CalendarRequest {
            plan_id: plan_id.to_owned(),
            title: "x".to_owned(),
            batches: BatchKind::Month,
            balance: None,
            frequencies: Frequencies::Named(label("food_production")),
            from: date(2027, 1, 1),
        })
    };
    let sampled = service.draw_plan_now(request.clone()).unwrap();
    let drafted = service.draft_plan(request).unwrap();

    let errors =
        [ask(&sampled.plan_id), ask(&drafted.plan_id), ask("none")].map(Result::unwrap_err);

    assert!(matches!(&errors[0], ServiceError::Field(error) if error.field == "plan_id"));
    assert!(matches!(&errors[1], ServiceError::PlanState { .. }));
    assert!(matches!(&errors[2], ServiceError::UnknownPlan(_)));
}

#[test]
fn what_is_noted_is_in_the_calendar_past_and_stays() {
    let place = Place::empty();
    let (service, _, calendar) = calendar(&place);
    let later = on(&place, date(2027, 5, 1));
    let visits = service
        .calendar_visits(&calendar.calendar_id, &VisitFilter::default())
        .unwrap();
    let first = &visits[0];
    let note = |id: &str, visit: Option<u32>, done_on: Date| {
        later.note_done_visits(
            &calendar.calendar_id,
            &[DoneNote {
                enterprise_id: id.parse().unwrap(),
                visit,
                done_on,
            }],
        )
    };
    let day = date(2027, 2, 1);

    assert!(note(&first.enterprise_id, Some(first.visit), day).is_ok());
    let other_day = note(&first.enterprise_id, Some(first.visit), date(2027, 2, 2));
    let unknown = note("91990000MA99999999", None, day);
    let no_visit = note(&first.enterprise_id, Some(99), day);
    let to_come = note(&first.enterprise_id, Some(first.visit), date(2027, 6, 1));

    assert!(matches!(other_day, Err(ServiceError::Conflict(_))));
    for (error, field) in [
        (unknown, "visits.0.enterprise_id"),
        (no_visit, "visits.0.visit"),
        (to_come, "visits.0.done_on"),
    ] {
        match error {
            Err(ServiceError::Field(error)) => assert_eq!(error.field, field),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        later.note_done_visits("none", &[]),
        Err(ServiceError::UnknownCalendar(_))
    ));
    let object = later
        .calendar_object(&calendar.calendar_id, &first.enterprise_id.parse().unwrap())
        .unwrap();
    assert_eq!(object.ticket_phase_ppb, object.phase_ppb);
    assert_eq!(object.visits[0].done_on, Some(day));
}

#[test]
fn visits_that_were_done_stand_in_the_ledger() {
    for place in crate::items::places() {
        let (_, _, calendar) = calendar(&place);
        let later = on(&place, date(2027, 7, 1));
        let visits = later
            .calendar_visits(&calendar.calendar_id, &VisitFilter::default())
            .unwrap();
        let often = &visits
            .iter()
            .find(|visit| visit.visit == 2)
            .unwrap()
            .enterprise_id;
        let note = |visit, done_on| DoneNote {
            enterprise_id: often.parse().unwrap(),
            visit: Some(visit),
            done_on,
        };
        let notes = [note(1, date(2027, 2, 1)), note(2, date(2027, 5, 4))];

        for _ in 0..2 {
            later
                .note_done_visits(&calendar.calendar_id, &notes)
                .unwrap();
        }

        let ledger = later.enterprise_ledger(&often.parse().unwrap()).unwrap();
        assert_eq!((ledger.years[&2027].key, ledger.years[&2027].done), (2, 2));
        let latest = &ledger.visits[0];
        assert_eq!(latest.visited_on, Some(date(2027, 5, 4)));
        assert_eq!(latest.items, [label("F-001")]);
        assert_eq!(latest.plan_id.as_deref(), Some(calendar.plan_id.as_str()));
        assert_eq!(later.ledger_summary(Some(2027)).unwrap().done_count, 2);
    }
}
