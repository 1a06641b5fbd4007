//! The same promises over a Redis of their own, which is killed and comes back.

use std::time::{Duration, Instant};

use risktier::domain::Tier;
use risktier::service::{Amendment, Origin, Service};

use crate::redis_server::RedisServer;
use crate::register::{TODAY, default_models, id, label, serious_penalty};
use crate::{Place, put, read, register};

fn replica(place: &Place, server: &RedisServer) -> Service {
    place.replica(place.redis_cache(&server.url()), default_models(), TODAY)
}

/// Catches up as a server does, every so often, until it succeeds.
async fn recover(service: &Service) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = service.catch_up().await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_first_read_fills_the_cache_and_every_replica_shares_it() {
    let (place, server) = (Place::empty(), RedisServer::start());
    let (here, there) = (replica(&place, &server), replica(&place, &server));
    register(&here, 1).await;
    recover(&here).await;
    recover(&there).await;

    assert_eq!(read(&here, 1).await, (Tier::A, Origin::Store));
    assert_eq!(read(&here, 1).await, (Tier::A, Origin::Cache));
    assert_eq!(read(&there, 1).await, (Tier::A, Origin::Cache));
}

#[tokio::test]
async fn a_record_and_its_repair_count_at_once_for_every_replica() {
    let (place, server) = (Place::empty(), RedisServer::start());
    let (here, there) = (replica(&place, &server), replica(&place, &server));
    register(&here, 1).await;
    recover(&here).await;
    recover(&there).await;
    assert_eq!(read(&there, 1).await.0, Tier::A);

    put(&here, serious_penalty(1, "p1", 30)).await;
    // One Redis: the invalidation reaches both, with no catching up.
    assert_eq!(read(&there, 1).await.0, Tier::C);
    assert_eq!(read(&here, 1).await, (Tier::C, Origin::Cache));

    there
        .amend_record(label("court"), "p1".into(), Amendment::Repair, None)
        .await
        .unwrap();
    assert_eq!(read(&here, 1).await.0, Tier::A);
    assert_eq!(read(&there, 1).await.0, Tier::A);
}

#[tokio::test]
async fn a_killed_redis_changes_no_answer_and_comes_back_without_old_ones() {
    let place = Place::empty();
    let mut server = RedisServer::start();
    let (here, there) = (replica(&place, &server), replica(&place, &server));
    register(&here, 3).await;
    recover(&here).await;
    recover(&there).await;
    for number in 1..=3 {
        read(&here, number).await;
    }

    server.kill();
    assert_eq!(read(&here, 1).await, (Tier::A, Origin::Store));
    put(&here, serious_penalty(1, "p1", 30)).await;
    assert_eq!(read(&here, 1).await, (Tier::C, Origin::Store));
    assert_eq!(read(&there, 1).await, (Tier::C, Origin::Store));
    let ids = [1, 2, 9].map(id);
    let answers = here.tiers(&ids).await.unwrap();
    let tiers: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map(|answer| answer.tier))
        .collect();
    assert_eq!(tiers, [Some(Tier::C), Some(Tier::A), None]);
    assert!(here.catch_up().await.is_err());

    server.start_again();
    put(&there, serious_penalty(2, "p2", 30)).await;
    for service in [&here, &there] {
        assert_eq!(
            (read(service, 1).await.0, read(service, 2).await.0),
            (Tier::C, Tier::C)
        );
        recover(service).await;
        assert_eq!(
            (read(service, 1).await.0, read(service, 2).await.0),
            (Tier::C, Tier::C)
        );
    }
    recover(&here).await;
    read(&here, 2).await;
    assert_eq!(read(&here, 2).await, (Tier::C, Origin::Cache));
}

#[tokio::test]
async fn what_was_written_while_redis_was_out_of_reach_counts_before_its_old_entries_do() {
    let (place, server) = (Place::empty(), RedisServer::start());
    let (here, there) = (replica(&place, &server), replica(&place, &server));
    register(&here, 2).await;
    for service in [&here, &there] {
        recover(service).await;
        read(service, 1).await;
        read(service, 2).await;
    }

    // The process stands still: its entries, now wrong, survive.
    server.pause();
    put(&here, serious_penalty(1, "p1", 30)).await;
    assert_eq!(read(&here, 1).await.0, Tier::C);
    server.resume();

    assert_eq!(read(&here, 1).await.0, Tier::C);
    recover(&here).await;
    recover(&there).await;
    for service in [&here, &there] {
        assert_eq!(read(service, 1).await.0, Tier::C);
        assert_eq!(read(service, 2).await, (Tier::A, Origin::Cache));
    }
}

#[tokio::test]
async fn a_flushed_redis_costs_a_computation_and_no_right_answer() {
    let (place, server) = (Place::empty(), RedisServer::start());
    let service = replica(&place, &server);
    register(&service, 1).await;
    put(&service, serious_penalty(1, "p1", 30)).await;
    recover(&service).await;
    read(&service, 1).await;

    let _: String = server.command(&[b"FLUSHALL"]);

    assert_eq!(read(&service, 1).await, (Tier::C, Origin::Store));
    recover(&service).await;
    read(&service, 1).await;
    assert_eq!(read(&service, 1).await, (Tier::C, Origin::Cache));
}
