//! Look-ups that miss together, and a store that is not asked by all of them at once.

use std::sync::Arc;

use risktier::domain::Tier;
use risktier::service::{LookUpOptions, Origin, Service};

use crate::register::{TODAY, enterprise, id, serious_penalty};
use crate::{Place, put, read, register};

/// Asks for one enterprise so many times at once, on several threads.
async fn together(service: &Arc<Service>, number: usize, count: usize) -> Vec<(Tier, Origin)> {
    let asked: Vec<_> = (0..count)
        .map(|_| {
            let service = Arc::clone(service);
            tokio::spawn(async move { read(&service, number).await })
        })
        .collect();
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.unwrap());
    }
    answers
}

fn count(answers: &[(Tier, Origin)], origin: Origin) -> usize {
    answers.iter().filter(|(_, of)| *of == origin).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_misses_of_one_enterprise_compute_once() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    place
        .store()
        .put_enterprises(&[enterprise(1)], 0, TODAY)
        .unwrap();
    service.catch_up().await.unwrap();

    let answers = together(&service, 1, 1_000).await;

    assert!(answers.iter().all(|(tier, _)| *tier == Tier::A));
    assert_eq!(count(&answers, Origin::Computed), 1, "computed once");
    assert_eq!(count(&answers, Origin::Store), 0, "and read once");
    assert!(count(&answers, Origin::Joined) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_wrote_never_joins_a_read_of_before() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    register(&service, 1).await;
    // Never caught up, the cache answers nothing, so that every read goes to the store.
    for round in 0..100 {
        let others: Vec<_> = (0..8)
            .map(|_| {
                let service = Arc::clone(&service);
                tokio::spawn(async move { service.tier(&id(1)).await.unwrap().revision })
            })
            .collect();
        put(&service, serious_penalty(1, &format!("p{round}"), 30)).await;
        let (_, written) = place.store().enterprise(&id(1)).unwrap().unwrap();
        let answer = service.tier(&id(1)).await.unwrap();
        assert!(answer.revision >= written, "round {round}");
        for other in others {
            other.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_one_turn_at_the_store_everyone_is_answered() {
    let place = Place::empty();
    let service = place.service().with_look_ups(LookUpOptions {
        store_reads: 1,
        ..LookUpOptions::default()
    });
    let service = Arc::new(service);
    register(&service, 100).await;
    let asked: Vec<_> = (0..1_000)
        .map(|number| {
            let service = Arc::clone(&service);
            tokio::spawn(async move { read(&service, number % 100 + 1).await })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.unwrap().0, Tier::A);
    }
}

#[tokio::test]
async fn a_bulk_look_up_with_repeated_ids_answers_each_place() {
    let place = Place::empty();
    let service = place.service();
    register(&service, 2).await;
    let ids = [2, 9, 1, 2, 2, 9, 1].map(id);
    let answers = service.tiers(&ids).await.unwrap();
    for (asked, answer) in ids.iter().zip(&answers) {
        match answer {
            Some(answer) => assert_eq!(answer.enterprise_id, *asked),
            None => assert_eq!(*asked, id(9)),
        }
    }
    assert_eq!(answers.iter().flatten().count(), 5);
}
