//! What persons decide, over time: limits that pass by themselves, and days that come without a record.

use std::sync::Arc;

use jiff::civil::{Date, date};
use risktier::cache::MemoryCache;
use risktier::domain::dates::add_days;
use risktier::domain::{Label, Tier};
use risktier::service::{
    ObjectionState, Origin, Override, OverrideProposal, OverrideState, Person, Ruling, Service,
    ServiceError,
};

use crate::register::{TODAY, default_models, id, label, serious_penalty};
use crate::{Place, put, read, register};

fn person(by: &str) -> Person {
    Person::parse(by, "because").unwrap()
}

fn other() -> Label {
    label("officer-2")
}

/// Replicas of several days over one store and one cache.
struct Days {
    place: Place,
    cache: Arc<MemoryCache>,
}

impl Days {
    async fn start() -> Self {
        let days = Self {
            place: Place::empty(),
            cache: Arc::new(MemoryCache::with_capacity(10_000)),
        };
        let today = days.on(TODAY).await;
        register(&today, 3).await;
        days
    }

    async fn on(&self, day: Date) -> Service {
        let service = self
            .place
            .replica(self.cache.clone(), default_models(), day);
        service.catch_up().await.unwrap();
        service
    }
}

async fn propose(service: &Service, tier: Tier, days: i32) -> Override {
    let proposal = OverrideProposal {
        tier,
        from_on: None,
        expires_on: add_days(service.today(), days),
        person: person("officer-1"),
    };
    service.propose_override(id(1), proposal).await.unwrap()
}

#[tokio::test]
async fn an_override_falls_away_on_its_day_though_the_tier_is_cached() {
    let days = Days::start().await;
    let today = days.on(TODAY).await;
    let proposed = propose(&today, Tier::D, 3).await;
    assert_eq!(read(&today, 1).await.0, Tier::A);
    today
        .approve_override(id(1), proposed.override_id, other())
        .await
        .unwrap();

    // The decision computed the tier itself.
    assert_eq!(read(&today, 1).await, (Tier::D, Origin::Store));
    assert_eq!(read(&today, 1).await, (Tier::D, Origin::Cache));
    let eve = days.on(add_days(TODAY, 2)).await;
    assert_eq!(read(&eve, 1).await, (Tier::D, Origin::Cache));
    let over = days.on(add_days(TODAY, 3)).await;
    assert_eq!(read(&over, 1).await, (Tier::A, Origin::Computed));
    assert_eq!(
        over.overrides(Some(OverrideState::Expired), None, 9)
            .unwrap()
            .len(),
        1
    );
    // What a past day showed stays, also after the end.
    let past = over.explain(&id(1), Some(TODAY)).unwrap();
    assert_eq!(past.classification.tier, Tier::D);
}

#[tokio::test]
async fn a_proposal_lapses_and_a_late_approval_counts_from_its_day() {
    let days = Days::start().await;
    let today = days.on(TODAY).await;
    let proposed = propose(&today, Tier::D, 80).await;
    let lapsed = days.on(add_days(TODAY, 30)).await;
    let approval = lapsed
        .approve_override(id(1), proposed.override_id.clone(), other())
        .await;
    assert!(
        matches!(&approval, Err(ServiceError::Conflict(reason)) if reason.contains("propose it anew")),
        "{approval:?}"
    );
    let listed = lapsed
        .overrides(Some(OverrideState::Lapsed), None, 9)
        .unwrap();
    assert_eq!(listed.len(), 1);
    // A lapsed proposal is in nobody's way.
    propose(&lapsed, Tier::C, 10).await;

    let late = days.on(add_days(TODAY, 29)).await;
    let approved = late
        .approve_override(id(1), proposed.override_id, other())
        .await
        .unwrap();
    assert_eq!(approved.from_on, add_days(TODAY, 29));
    let before = late.explain(&id(1), Some(add_days(TODAY, 28))).unwrap();
    assert_eq!(before.classification.tier, Tier::A);
    assert_eq!(read(&late, 1).await.0, Tier::D);
}

#[tokio::test]
async fn a_freeze_ends_at_its_limit_and_the_objection_is_then_overdue() {
    let days = Days::start().await;
    let today = days.on(TODAY).await;
    put(&today, serious_penalty(1, "p1", 30)).await;
    let filed = today
        .file_objection(label("court"), "p1".into(), None, person("firm"))
        .await
        .unwrap();
    let examined = today
        .examine_objection(filed.objection_id.clone(), person("officer-1"))
        .await
        .unwrap();
    let limit = examined.examination.unwrap().decide_by;
    assert_eq!(limit, date(2026, 12, 18));
    put(&today, serious_penalty(1, "p2", 20)).await;
    put(&today, serious_penalty(1, "p3", 20)).await;
    assert_eq!(read(&today, 1).await.0, Tier::C);

    let last = days.on(limit).await;
    assert_eq!(read(&last, 1).await.0, Tier::C);
    assert!(
        last.objections(None, Some(true), None, 9)
            .unwrap()
            .is_empty()
    );
    let over = days.on(add_days(limit, 1)).await;
    assert_eq!(read(&over, 1).await, (Tier::D, Origin::Computed));
    let overdue = over.objections(None, Some(true), None, 9).unwrap();
    assert_eq!(overdue[0].objection_id, filed.objection_id);
    // Late is better than never.
    let decided = over
        .decide_objection(filed.objection_id, Ruling::Withdraw, person("officer-2"))
        .await
        .unwrap();
    assert_eq!(decided.state(), ObjectionState::Upheld);
    let before = over.explain(&id(1), Some(TODAY)).unwrap();
    assert_eq!(before.classification.tier, Tier::C);
}

#[tokio::test]
async fn the_frozen_tier_is_the_one_without_overrides() {
    let days = Days::start().await;
    let today = days.on(TODAY).await;
    put(&today, serious_penalty(1, "p1", 30)).await;
    let proposed = propose(&today, Tier::A, 5).await;
    today
        .approve_override(id(1), proposed.override_id, other())
        .await
        .unwrap();
    let filed = today
        .file_objection(label("court"), "p1".into(), None, person("firm"))
        .await
        .unwrap();
    let examined = today
        .examine_objection(filed.objection_id, person("officer-1"))
        .await
        .unwrap();
    assert_eq!(examined.examination.unwrap().frozen_tier, Tier::C);
    assert_eq!(read(&today, 1).await.0, Tier::A);
    let later = days.on(add_days(TODAY, 5)).await;
    assert_eq!(read(&later, 1).await.0, Tier::C);
}

#[tokio::test]
async fn a_merge_to_come_acts_on_its_day_by_itself() {
    let days = Days::start().await;
    let today = days.on(TODAY).await;
    put(&today, serious_penalty(1, "p1", 30)).await;
    let from = add_days(TODAY, 4);
    today
        .merge_enterprise(id(1), id(2), Some(from), person("officer-1"))
        .await
        .unwrap();
    assert_eq!(
        (read(&today, 1).await.0, read(&today, 2).await.0),
        (Tier::C, Tier::A)
    );
    assert_eq!(read(&today, 2).await.1, Origin::Cache);

    let eve = days.on(add_days(from, -1)).await;
    assert_eq!(
        (read(&eve, 1).await.0, read(&eve, 2).await.0),
        (Tier::C, Tier::A)
    );
    let day = days.on(from).await;
    assert_eq!(
        (read(&day, 1).await.0, read(&day, 2).await.0),
        (Tier::C, Tier::C)
    );
    let answer = day.tier(&id(1)).await.unwrap();
    assert_eq!(answer.merged_into, Some(id(2)));
    // What is not merged yet can be decided about as before, and a merge undone before its day never counted.
    let undone = today.undo_merge(id(1), person("officer-2")).await.unwrap();
    assert_eq!(undone.undone_on(), Some(TODAY));
    let day = days.on(from).await;
    assert_eq!(
        (read(&day, 1).await.0, read(&day, 2).await.0),
        (Tier::C, Tier::A)
    );
}

#[tokio::test]
async fn another_replica_follows_every_decision() {
    let place = Place::empty();
    let (here, there) = (place.service(), place.service());
    register(&here, 2).await;
    put(&here, serious_penalty(1, "p1", 30)).await;
    for service in [&here, &there] {
        service.catch_up().await.unwrap();
        assert_eq!(read(service, 2).await.0, Tier::A);
    }
    here.merge_enterprise(id(1), id(2), None, person("officer-1"))
        .await
        .unwrap();
    there.catch_up().await.unwrap();
    assert_eq!(read(&there, 2).await.0, Tier::C);
    put(&here, serious_penalty(1, "p2", 20)).await;
    put(&here, serious_penalty(1, "p3", 20)).await;
    assert_eq!(read(&here, 2).await.0, Tier::D);
    there.catch_up().await.unwrap();
    assert_eq!(read(&there, 2).await.0, Tier::D);
}
