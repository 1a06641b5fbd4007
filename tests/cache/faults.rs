//! Redis flushed, killed, paused, poisoned: never a wrong tier, never beyond the budget.

use std::time::Duration;

use risktier::cache::{
    CacheError, Lookup, MissReason, RedisCache, RedisOptions, TierCache, catch_up,
};

use crate::redis_server::RedisServer;
use crate::{BUDGET, Log, TODAY, epoch, id, recover, redis_cache, redis_cache_of, value};

async fn filled(server: &RedisServer, log: &Log, budget: Duration) -> RedisCache {
    let cache = redis_cache(&server.url(), budget);
    catch_up(&cache, &epoch(), log).await.unwrap();
    let ticket = cache.ticket(&epoch()).unwrap();
    let entries: Vec<_> = (0..10).map(|n| (id(n), value(1))).collect();
    cache.put_many(&ticket, &entries).await;
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(1)));
    cache
}

async fn get(cache: &RedisCache, number: usize) -> Lookup {
    cache.get(&epoch(), &id(number), TODAY).await
}

fn bucket_keys(server: &RedisServer) -> Vec<Vec<u8>> {
    server.command(&[b"KEYS", b"rt:*{*"])
}

#[tokio::test]
async fn two_replicas_share_one_generation() {
    let (server, log) = (RedisServer::start(), Log::default());
    let first = filled(&server, &log, BUDGET).await;
    let second = redis_cache(&server.url(), BUDGET);
    catch_up(&second, &epoch(), &log).await.unwrap();
    assert_eq!(get(&second, 1).await, Lookup::Hit(value(1)));

    second.invalidate(&epoch(), &[(id(1), 2)]).await.unwrap();

    let changed = Lookup::Miss(MissReason::Changed { revision: 2 });
    assert_eq!(get(&first, 1).await, changed);
}

#[tokio::test]
async fn two_stores_on_one_redis_do_not_see_each_other() {
    let (server, log) = (RedisServer::start(), Log::default());
    let _first = filled(&server, &log, BUDGET).await;
    let other = redis_cache_of(&server.url(), BUDGET, "log2");

    catch_up(&other, &epoch(), &log).await.unwrap();

    assert_eq!(get(&other, 1).await, Lookup::Miss(MissReason::Cold));
}

#[tokio::test]
async fn garbage_in_a_field_is_a_miss_and_gives_way_to_the_next_value() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, BUDGET).await;
    // The second has our form and a revision that nothing could follow.
    let forged = b"\x23\xff\xff\xff\xff\xff\x00\x51\x35\xff\xff\x00\x00\x00\x00\x00";
    for garbage in [&b"nonsense"[..], forged, b""] {
        for key in bucket_keys(&server) {
            let fields: Vec<Vec<u8>> = server.command(&[b"HKEYS", &key]);
            for field in fields {
                let _: i64 = server.command(&[b"HSET", &key, &field, garbage]);
            }
        }
        assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Decode));

        let ticket = cache.ticket(&epoch()).unwrap();
        cache.put_many(&ticket, &[(id(1), value(1))]).await;
        assert_eq!(get(&cache, 1).await, Lookup::Hit(value(1)));
    }
}

#[tokio::test]
async fn values_under_other_ids_are_not_believed() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, BUDGET).await;
    let mut moved = 0;
    let keys = bucket_keys(&server);
    let first: Vec<Vec<u8>> = server.command(&[b"HVALS", &keys[0]]);
    for key in &keys[1..] {
        let fields: Vec<Vec<u8>> = server.command(&[b"HKEYS", key]);
        for field in fields {
            let _: i64 = server.command(&[b"HSET", key, &field, &first[0]]);
            moved += 1;
        }
    }
    let ids: Vec<_> = (0..10).map(id).collect();
    let found = cache.get_many(&epoch(), &ids, TODAY).await;
    let missed = found
        .iter()
        .filter(|lookup| **lookup == Lookup::Miss(MissReason::Decode));
    assert_eq!(missed.count(), moved);
}

#[tokio::test]
async fn buckets_of_the_wrong_type_are_misses_and_are_replaced() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, BUDGET).await;
    for key in bucket_keys(&server) {
        let _: String = server.command(&[b"SET", &key, b"a string"]);
    }
    assert!(matches!(get(&cache, 1).await, Lookup::Miss(_)));
    assert!(cache.is_trusted(&epoch()));

    let ticket = cache.ticket(&epoch()).unwrap();
    cache.put_many(&ticket, &[(id(1), value(1))]).await;
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(1)));
}

#[tokio::test]
async fn a_position_of_the_wrong_type_begins_anew() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, BUDGET).await;
    let positions: Vec<Vec<u8>> = server.command(&[b"KEYS", b"rt:*:applied"]);
    let key = positions.first().unwrap();
    let _: i64 = server.command(&[b"DEL", key]);
    let _: i64 = server.command(&[b"LPUSH", key, b"garbage"]);

    catch_up(&cache, &epoch(), &log).await.unwrap();

    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Cold));
}

#[tokio::test]
async fn a_flush_costs_entries_but_brings_no_stale_value_back() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, BUDGET).await;
    let before = cache.ticket(&epoch()).unwrap();
    log.commit(id(1), 2);
    cache.invalidate(&epoch(), &[(id(1), 2)]).await.unwrap();
    let _: String = server.command(&[b"FLUSHALL"]);

    assert_eq!(get(&cache, 2).await, Lookup::Miss(MissReason::Cold));
    catch_up(&cache, &epoch(), &log).await.unwrap();
    // A slow reader that read revision 1 before the change comes back after the flush took the tombstone.
    cache.put_many(&before, &[(id(1), value(1))]).await;

    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Cold));
    let ticket = cache.ticket(&epoch()).unwrap();
    cache.put_many(&ticket, &[(id(1), value(2))]).await;
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(2)));
}

#[tokio::test]
async fn a_value_from_before_a_change_does_not_come_in_where_a_flush_took_the_tombstone() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, BUDGET).await;
    let ticket = cache.ticket(&epoch()).unwrap();
    cache.invalidate(&epoch(), &[(id(1), 2)]).await.unwrap();
    let _: String = server.command(&[b"FLUSHALL"]);

    cache.put_many(&ticket, &[(id(1), value(1))]).await;

    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Untrusted));
    assert!(bucket_keys(&server).is_empty());
    recover(&cache, &log).await;
    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Cold));
    // The old ticket serves nothing any more, a new one does.
    cache.put_many(&ticket, &[(id(1), value(1))]).await;
    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Cold));
    let ticket = cache.ticket(&epoch()).unwrap();
    cache.put_many(&ticket, &[(id(1), value(2))]).await;
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(2)));
}

#[tokio::test]
async fn a_killed_redis_costs_hits_only_and_is_trusted_again_after_catching_up() {
    let (mut server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, BUDGET).await;
    server.kill();

    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Outage));
    // The lost connection cost the trust, so nothing waits any more.
    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Untrusted));
    log.commit(id(1), 2);
    assert!(cache.invalidate(&epoch(), &[(id(1), 2)]).await.is_err());
    assert!(matches!(
        catch_up(&cache, &epoch(), &log).await,
        Err(CacheError::Unavailable(_))
    ));
    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Untrusted));

    server.start_again();
    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Untrusted));
    recover(&cache, &log).await;
    let ticket = cache.ticket(&epoch()).unwrap();
    cache.put_many(&ticket, &[(id(1), value(2))]).await;
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(2)));
}

#[tokio::test]
async fn a_change_during_an_outage_is_applied_before_the_old_value_is_believed() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, Duration::from_millis(50)).await;
    server.pause();
    log.commit(id(1), 2);
    assert!(cache.invalidate(&epoch(), &[(id(1), 2)]).await.is_err());
    for _ in 0..20 {
        // One time-out for the change; then nothing waits, because the cache is not trusted.
        assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Untrusted));
    }

    server.resume();
    recover(&cache, &log).await;

    let changed = Lookup::Miss(MissReason::Changed { revision: 2 });
    assert_eq!(get(&cache, 1).await, changed);
    assert_eq!(get(&cache, 2).await, Lookup::Hit(value(1)));
}

#[tokio::test]
async fn a_paused_redis_delays_a_few_reads_by_their_budget_and_then_none() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, Duration::from_millis(50)).await;
    server.pause();

    let mut waited = 0;
    for _ in 0..200 {
        match get(&cache, 1).await {
            Lookup::Miss(MissReason::Outage) => waited += 1,
            other => assert_eq!(other, Lookup::Miss(MissReason::Untrusted)),
        }
    }
    // Three time-outs open the breaker, and that costs the trust.
    assert_eq!(waited, 3);

    server.resume();
    recover(&cache, &log).await;
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(1)));
}

#[tokio::test]
async fn a_full_redis_takes_nothing_in_but_answers_with_what_it_has() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = filled(&server, &log, BUDGET).await;
    let _: String = server.command(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);

    for _ in 0..5 {
        let ticket = cache.ticket(&epoch()).unwrap();
        cache.put_many(&ticket, &[(id(11), value(1))]).await;
    }

    assert_eq!(get(&cache, 11).await, Lookup::Miss(MissReason::Cold));
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(1)));
    assert!(cache.invalidate(&epoch(), &[(id(1), 2)]).await.is_err());
    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Untrusted));
}

#[tokio::test]
async fn an_unusable_address_is_refused_at_once() {
    let refused = RedisCache::new(RedisOptions {
        url: "http://127.0.0.1".to_owned(),
        authorities: None,
        budget: BUDGET,
        log_id: "log1".to_owned(),
        ttl: Duration::from_secs(60),
    });
    assert!(matches!(refused, Err(CacheError::Address(_))));
}
