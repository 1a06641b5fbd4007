//! Tiers through the cache in process: right at once after every change, and back again.

use std::sync::Arc;

use jiff::civil::date;
use risktier::cache::MemoryCache;
use risktier::domain::dates::add_days;
use risktier::domain::{Record, Tier};
use risktier::model::Step;
use risktier::service::{Amendment, Origin, ServiceError, Written};
use risktier::store::Refusal;

use crate::register::{TODAY, default_models, enterprise, id, label, record_with, serious_penalty};
use crate::{Place, put, read, register};

#[tokio::test]
async fn the_first_read_computes_and_the_next_is_cached() {
    let place = Place::empty();
    let service = place.service();
    place
        .store()
        .put_enterprises(&[enterprise(1)], 0, TODAY)
        .unwrap();
    service.catch_up().await.unwrap();

    assert_eq!(read(&service, 1).await, (Tier::A, Origin::Computed));
    assert_eq!(read(&service, 1).await, (Tier::A, Origin::Cache));
    // Another process computes nothing either.
    assert_eq!(read(&place.service(), 1).await, (Tier::A, Origin::Store));
}

#[tokio::test]
async fn a_cache_that_was_never_caught_up_answers_nothing() {
    let place = Place::empty();
    let service = place.service();
    place
        .store()
        .put_enterprises(&[enterprise(1)], 0, TODAY)
        .unwrap();
    assert_eq!(read(&service, 1).await, (Tier::A, Origin::Computed));
    assert_eq!(read(&service, 1).await, (Tier::A, Origin::Store));
}

#[tokio::test]
async fn a_record_counts_at_once_and_its_repair_does_too() {
    let service = Place::empty();
    let service = service.service();
    register(&service, 2).await;
    service.catch_up().await.unwrap();
    for amendment in [Amendment::Repair, Amendment::Withdraw] {
        let record_id = format!("{amendment:?}");
        assert_eq!(read(&service, 1).await.0, Tier::A);
        put(&service, serious_penalty(1, &record_id, 30)).await;
        assert_eq!(read(&service, 1).await, (Tier::C, Origin::Store));
        assert_eq!(read(&service, 1).await, (Tier::C, Origin::Cache));

        service
            .amend_record(label("court"), record_id, amendment, None)
            .await
            .unwrap();

        assert_eq!(read(&service, 1).await, (Tier::A, Origin::Store));
        assert_eq!(read(&service, 1).await, (Tier::A, Origin::Cache));
    }
    assert_eq!(read(&service, 2).await.0, Tier::A);
}

#[tokio::test]
async fn a_changed_enterprise_counts_at_once() {
    let place = Place::empty();
    let service = place.service();
    register(&service, 1).await;
    service.catch_up().await.unwrap();
    assert_eq!(read(&service, 1).await.0, Tier::A);

    let young = risktier::domain::Enterprise {
        established_on: Some(add_days(TODAY, -60)),
        ..enterprise(1)
    };
    assert_eq!(
        service.put_enterprise(young.clone()).await.unwrap(),
        Written::Updated
    );

    assert_eq!(read(&service, 1).await, (Tier::B, Origin::Store));
    assert_eq!(
        service.put_enterprise(young).await.unwrap(),
        Written::Unchanged
    );
    assert_eq!(read(&service, 1).await, (Tier::B, Origin::Cache));
}

#[tokio::test]
async fn refused_records_leave_tiers_and_cache_alone() {
    let place = Place::empty();
    let service = place.service();
    register(&service, 2).await;
    put(&service, serious_penalty(2, "p2", 30)).await;
    service.catch_up().await.unwrap();
    read(&service, 1).await;

    let refused = service
        .put_records(vec![
            serious_penalty(1, "p1", 30),
            serious_penalty(1, "p2", 30),
        ])
        .await
        .unwrap_err();

    assert!(
        matches!(&refused, ServiceError::Refused { subject, refusal: Refusal::OtherEnterprise(owner) } if subject == "court/p2" && *owner == id(2))
    );
    assert_eq!(read(&service, 1).await, (Tier::A, Origin::Cache));
}

#[tokio::test]
async fn another_replica_sees_a_change_once_it_has_caught_up() {
    let place = Place::empty();
    let (here, there) = (place.service(), place.service());
    register(&here, 2).await;
    for service in [&here, &there] {
        service.catch_up().await.unwrap();
        read(service, 1).await;
        assert_eq!(read(service, 1).await, (Tier::A, Origin::Cache));
    }

    put(&here, serious_penalty(1, "p1", 30)).await;
    there.catch_up().await.unwrap();

    assert_eq!(read(&there, 1).await.0, Tier::C);
    assert_eq!(read(&here, 1).await.0, Tier::C);
    here.amend_record(label("court"), "p1".into(), Amendment::Repair, None)
        .await
        .unwrap();
    there.catch_up().await.unwrap();
    assert_eq!(read(&there, 1).await.0, Tier::A);
}

#[tokio::test]
async fn many_changes_are_caught_up_without_a_gap() {
    let place = Place::empty();
    let (here, there) = (place.service(), place.service());
    register(&here, 5).await;
    there.catch_up().await.unwrap();
    for number in 1..=5 {
        read(&there, number).await;
    }
    // Far more changes than one page of the log holds.
    let records: Vec<Record> = (0..12_000)
        .map(|row| serious_penalty(row % 4 + 1, &format!("p{row}"), 30))
        .collect();
    here.put_records(records).await.unwrap();

    there.catch_up().await.unwrap();

    for number in 1..=4 {
        assert_eq!(read(&there, number).await, (Tier::D, Origin::Store));
    }
    assert_eq!(read(&there, 5).await, (Tier::A, Origin::Cache));
}

#[tokio::test]
async fn a_clock_past_the_next_change_recomputes() {
    let place = Place::empty();
    let cache = Arc::new(MemoryCache::with_capacity(10_000));
    let service = place.replica(cache.clone(), default_models(), TODAY);
    register(&service, 1).await;
    put(&service, serious_penalty(1, "p1", 30)).await;
    service.catch_up().await.unwrap();
    read(&service, 1).await;
    let change = service.tier(&id(1)).await.unwrap().next_change_on.unwrap();
    assert!(change > TODAY);

    let on = |day| place.replica(cache.clone(), default_models(), day);
    let eve = on(add_days(change, -1));
    assert_eq!(read(&eve, 1).await, (Tier::C, Origin::Cache));
    let day = on(change);
    assert_eq!(read(&day, 1).await.1, Origin::Computed);
    assert_eq!(read(&day, 1).await.1, Origin::Cache);
    // 36 months after it occurred the penalty is over; nothing arrived meanwhile.
    let over = on(date(2029, 10, 23));
    over.catch_up().await.unwrap();
    assert_eq!(read(&over, 1).await, (Tier::A, Origin::Computed));
    // A clock set back does not get the tier of a later day.
    let back = on(TODAY);
    back.catch_up().await.unwrap();
    assert_eq!(read(&back, 1).await, (Tier::C, Origin::Computed));
}

#[tokio::test]
async fn a_lookup_keeps_the_order_and_marks_the_unknown() {
    let place = Place::empty();
    let service = place.service();
    register(&service, 4).await;
    put(&service, serious_penalty(3, "p1", 30)).await;
    service.catch_up().await.unwrap();
    read(&service, 2).await;
    let ids = [4, 9, 3, 2, 3, 8, 1].map(id);

    for known_from_cache in [false, true] {
        let answers = service.tiers(&ids).await.unwrap();
        let shown: Vec<_> = answers
            .iter()
            .map(|answer| {
                answer
                    .as_ref()
                    .map(|answer| (answer.enterprise_id.clone(), answer.tier))
            })
            .collect();
        let (a, c) = (Tier::A, Tier::C);
        let expected = [
            (4, Some(a)),
            (9, None),
            (3, Some(c)),
            (2, Some(a)),
            (3, Some(c)),
            (8, None),
            (1, Some(a)),
        ];
        assert_eq!(
            shown,
            expected.map(|(number, tier)| tier.map(|tier| (id(number), tier)))
        );
        let cached = answers
            .iter()
            .flatten()
            .all(|answer| answer.origin == Origin::Cache);
        assert_eq!(cached, known_from_cache);
        assert_eq!(answers[3].as_ref().unwrap().origin, Origin::Cache);
    }
    assert!(service.tiers(&[]).await.unwrap().is_empty());
    assert!(
        matches!(service.tier(&id(9)).await, Err(ServiceError::UnknownEnterprise(unknown)) if unknown == id(9))
    );
}

#[tokio::test]
async fn an_explanation_of_a_past_day_uses_only_what_was_known_then() {
    let place = Place::empty();
    let service = place.service();
    register(&service, 1).await;
    let known_on = add_days(TODAY, -10);
    put(
        &service,
        record_with(1, "p1", "penalty", add_days(TODAY, -30), |draft| {
            draft.severity = Some("serious".into());
            draft.known_on = Some(known_on.to_string());
        }),
    )
    .await;
    service
        .amend_record(
            label("court"),
            "p1".into(),
            Amendment::Repair,
            Some(add_days(TODAY, -5)),
        )
        .await
        .unwrap();

    let tier_on = |day| service.explain(&id(1), Some(day)).unwrap().classification;
    assert_eq!(tier_on(add_days(known_on, -1)).tier, Tier::A);
    assert_eq!(tier_on(known_on).tier, Tier::C);
    // Repaired five days ago, but known only today.
    assert_eq!(tier_on(add_days(TODAY, -1)).tier, Tier::C);
    assert_eq!(tier_on(TODAY).tier, Tier::A);
    let explained = tier_on(known_on);
    let floor = explained
        .reasons
        .iter()
        .find(|reason| reason.step == Step::Floor)
        .unwrap();
    assert_eq!(
        (floor.code.as_str(), floor.records[0].record_id.as_str()),
        ("SERIOUS_PENALTY", "p1")
    );
    let explanation = service.explain(&id(1), None).unwrap();
    assert_eq!(explanation.classification.as_of.day, TODAY);
    let answer = service.tier(&id(1)).await.unwrap();
    assert_eq!(
        (answer.tier, answer.points, answer.epoch),
        (
            explanation.classification.tier,
            explanation.classification.points,
            explanation.epoch
        )
    );
}

#[tokio::test]
async fn an_amendment_names_what_is_wrong() {
    let place = Place::empty();
    let service = place.service();
    register(&service, 1).await;
    put(&service, serious_penalty(1, "p1", 30)).await;
    let amend = |record_id: &str, day| {
        service.amend_record(label("court"), record_id.into(), Amendment::Repair, day)
    };

    let early = amend("p1", Some(add_days(TODAY, -31))).await.unwrap_err();
    assert!(
        matches!(&early, ServiceError::Field(error) if error.field == "on" && error.reason.contains("before the record occurred"))
    );
    let unknown = amend("p2", None).await.unwrap_err();
    assert!(matches!(&unknown, ServiceError::UnknownRecord { record_id, .. } if record_id == "p2"));
    assert_eq!(read(&service, 1).await.0, Tier::C);
    assert_eq!(service.records(&id(1)).unwrap().len(), 1);
}
