//! The in-process level before Redis: it saves the way there, and it is never behind what Redis has forgotten.

use risktier::cache::{LayeredCache, Lookup, MemoryCache, MissReason, TierCache, catch_up};

use crate::redis_server::RedisServer;
use crate::{BUDGET, Log, TODAY, epoch, id, recover, redis_cache, value};

fn layered(server: &RedisServer) -> LayeredCache {
    let near = MemoryCache::with_capacity(10_000);
    LayeredCache::new(near, redis_cache(&server.url(), BUDGET))
}

async fn get(cache: &LayeredCache, number: usize) -> Lookup {
    cache.get(&epoch(), &id(number), TODAY).await
}

async fn put(cache: &LayeredCache, number: usize, revision: u64) {
    let ticket = cache.ticket(&epoch()).unwrap();
    cache
        .put_many(&ticket, &[(id(number), value(revision))])
        .await;
}

fn commands(server: &RedisServer) -> u64 {
    let stats: String = server.command(&[b"INFO", b"stats"]);
    let (_, rest) = stats.split_once("total_commands_processed:").unwrap();
    rest.lines().next().unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn what_was_read_once_is_not_asked_of_redis_again() {
    let (server, log) = (RedisServer::start(), Log::default());
    let (here, there) = (layered(&server), layered(&server));
    for cache in [&here, &there] {
        catch_up(cache, &epoch(), &log).await.unwrap();
    }
    put(&here, 1, 1).await;
    assert_eq!(there.at_hand(&epoch(), &id(1), TODAY), None);
    assert_eq!(get(&there, 1).await, Lookup::Hit(value(1)));

    let before = commands(&server);
    assert_eq!(there.at_hand(&epoch(), &id(1), TODAY), Some(value(1)));
    for _ in 0..100 {
        assert_eq!(get(&there, 1).await, Lookup::Hit(value(1)));
    }
    // Asking for the number is a command of its own.
    assert!(commands(&server) - before < 10);
}

#[tokio::test]
async fn a_change_by_another_replica_is_known_after_the_next_catch_up() {
    let (server, log) = (RedisServer::start(), Log::default());
    let (here, there) = (layered(&server), layered(&server));
    for cache in [&here, &there] {
        catch_up(cache, &epoch(), &log).await.unwrap();
    }
    put(&here, 1, 1).await;
    assert_eq!(get(&there, 1).await, Lookup::Hit(value(1)));

    log.commit(id(1), 2);
    here.invalidate(&epoch(), &[(id(1), 2)]).await.unwrap();
    assert!(
        matches!(get(&here, 1).await, Lookup::Miss(_)),
        "here it is known at once"
    );

    catch_up(&there, &epoch(), &log).await.unwrap();
    let changed = Lookup::Miss(MissReason::Changed { revision: 2 });
    assert_eq!(get(&there, 1).await, changed);
    put(&here, 1, 2).await;
    assert_eq!(get(&there, 1).await, Lookup::Hit(value(2)));
}

#[tokio::test]
async fn without_redis_the_level_in_process_goes_on_alone() {
    let (mut server, log) = (RedisServer::start(), Log::default());
    let cache = layered(&server);
    catch_up(&cache, &epoch(), &log).await.unwrap();
    put(&cache, 1, 1).await;
    put(&cache, 2, 1).await;
    server.kill();

    log.commit(id(1), 2);
    assert!(cache.invalidate(&epoch(), &[(id(1), 2)]).await.is_err());
    assert!(catch_up(&cache, &epoch(), &log).await.is_err());
    assert!(cache.is_trusted(&epoch()));
    assert!(matches!(get(&cache, 1).await, Lookup::Miss(_)));
    assert_eq!(get(&cache, 2).await, Lookup::Hit(value(1)));
    put(&cache, 1, 2).await;
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(2)));

    server.start_again();
    recover(&cache, &log).await;
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(2)));
    assert_eq!(get(&cache, 2).await, Lookup::Hit(value(1)));
}

#[tokio::test]
async fn what_redis_still_holds_of_before_a_change_does_not_come_in_after_it() {
    let (server, log) = (RedisServer::start(), Log::default());
    let (here, there) = (layered(&server), layered(&server));
    for cache in [&here, &there] {
        catch_up(cache, &epoch(), &log).await.unwrap();
    }
    put(&here, 1, 1).await;

    // The change is in the log; Redis, which stands still, has not heard of it. Here the level in process goes on alone.
    server.pause();
    log.commit(id(1), 2);
    assert!(catch_up(&here, &epoch(), &log).await.is_err());
    server.resume();

    // Redis answers again with what it had, and is not believed before it has been caught up.
    for _ in 0..10 {
        assert!(matches!(get(&here, 1).await, Lookup::Miss(_)));
    }
    recover(&here, &log).await;
    assert!(matches!(get(&here, 1).await, Lookup::Miss(_)));
    recover(&there, &log).await;
    assert!(matches!(get(&there, 1).await, Lookup::Miss(_)));
}
