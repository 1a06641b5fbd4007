//! The shared cache is filled before it is asked: before a flip, and after it came back empty.

use std::sync::Arc;
use std::time::{Duration, Instant};

use risktier::domain::Tier;
use risktier::service::{Origin, RunObserver, Service};
use risktier::store::Store;

use crate::postgres_server::PostgresServer;
use crate::redis_server::RedisServer;
use crate::register::{TODAY, default_models, id, serious_penalty};
use crate::{Place, put, read, register, stricter_models};

const COUNT: usize = 60;

fn replica(place: &Place, server: &RedisServer, stricter: bool) -> Service {
    let models = if stricter {
        stricter_models()
    } else {
        default_models()
    };
    // Redis alone, so that every hit is one of Redis.
    place.replica(place.redis_cache(&server.url()), models, TODAY)
}

/// The origins of all tiers, read one by one.
async fn origins(service: &Service) -> Vec<Origin> {
    let mut origins = Vec::new();
    for number in 1..=COUNT {
        origins.push(read(service, number).await.1);
    }
    origins
}

async fn caught_up(service: &Service) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = service.catch_up().await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn flips_warm(place: Place) {
    let server = RedisServer::start();
    let place = Arc::new(place);
    let of = Arc::clone(&place);
    let url = server.url();
    let service = tokio::task::spawn_blocking(move || {
        let cache = of.redis_cache(&url);
        Arc::new(of.replica(cache, stricter_models(), TODAY))
    })
    .await
    .unwrap();
    register(&service, COUNT).await;
    put(&service, serious_penalty(1, "p1", 30)).await;
    caught_up(&service).await;

    // While the run completes its rows a record comes in for an enterprise that it has scanned.
    struct Late {
        store: Arc<dyn Store>,
    }
    impl RunObserver for Late {
        fn finished(&self, _: u64, _: u64) {
            let record = serious_penalty(2, "late", 30);
            self.store.put_records(&[record], 0).unwrap();
        }
    }
    let (running, of) = (Arc::clone(&service), Arc::clone(&place));
    let job = tokio::task::spawn_blocking(move || {
        running.reclassify().unwrap();
        let late = Late { store: of.store() };
        running.carry_out_run(&late).unwrap().unwrap()
    })
    .await
    .unwrap();
    assert!(job.run.change_count.is_some());
    caught_up(&service).await;

    // Nobody has asked since, and every tier but the one that has changed is there.
    let answers = origins(&service).await;
    for (origin, number) in answers.iter().zip(1..) {
        match number {
            2 => assert_ne!(*origin, Origin::Cache),
            _ => assert_eq!(*origin, Origin::Cache, "{number}"),
        }
    }
    assert_eq!(read(&service, 2).await.0, read(&service, 1).await.0);
    // Stores end outside asynchronous threads.
    tokio::task::spawn_blocking(move || drop((service, place)))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flip_finds_its_tiers_in_redis() {
    flips_warm(Place::empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flip_finds_its_tiers_in_redis_on_postgres() {
    let place = tokio::task::spawn_blocking(|| {
        let server = PostgresServer::shared();
        Place::on(server)
    });
    flips_warm(place.await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_came_back_empty_is_filled_without_being_asked() {
    let (place, server) = (Place::empty(), RedisServer::start());
    let service = Arc::new(replica(&place, &server, false));
    register(&service, COUNT).await;
    put(&service, serious_penalty(1, "p1", 30)).await;
    caught_up(&service).await;
    assert!(origins(&service).await.contains(&Origin::Store));
    let following = Arc::clone(&service);
    let follower = tokio::spawn(async move { following.follow_changes().await });

    let _: String = server.command(&[b"FLUSHALL"]);

    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let buckets: Vec<String> = server.command(&[b"KEYS", b"rt:*{*"]);
        if buckets.len() >= COUNT - 2 {
            break;
        }
        assert!(Instant::now() < deadline, "it is filled");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    caught_up(&service).await;
    let answers = origins(&service).await;
    assert_eq!(answers, vec![Origin::Cache; COUNT]);
    assert_eq!(read(&service, 1).await.0, Tier::C);
    follower.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_redis_is_filled_is_not_filled_in_as_it_was() {
    let (place, server) = (Place::empty(), RedisServer::start());
    let service = Arc::new(replica(&place, &server, true));
    register(&service, COUNT).await;
    caught_up(&service).await;
    origins(&service).await;
    let following = Arc::clone(&service);
    let follower = tokio::spawn(async move { following.follow_changes().await });
    for round in 0..20 {
        let _: String = server.command(&[b"FLUSHALL"]);
        for number in 1..=COUNT {
            if number % 20 == round {
                put(&service, serious_penalty(number, &format!("p{number}"), 30)).await;
                assert_ne!(read(&service, number).await.0, Tier::A, "{number}");
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    caught_up(&service).await;
    for number in 1..=COUNT {
        assert_ne!(read(&service, number).await.0, Tier::A, "{number}");
    }
    let answer = service.tier(&id(1)).await.unwrap();
    assert!(answer.revision > 1);
    follower.abort();
}
