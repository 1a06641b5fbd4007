//! One suite for every form of the cache: in process, in Redis, both, and on a Redis Cluster.

use jiff::civil::date;
use risktier::cache::{
    CachedTier, LayeredCache, Lookup, MemoryCache, MissReason, TierCache, catch_up,
};

use crate::redis_cluster::RedisCluster;
use crate::redis_server::RedisServer;
use crate::{BUDGET, Log, TODAY, epoch, id, redis_cache, redis_cache_of, value};

/// Declares a test for each law, which runs it against every form, and one that runs all of them on one Cluster.
macro_rules! laws {
    ($($law:ident),+ $(,)?) => {
        mod everywhere {
            $(
                #[tokio::test]
                async fn $law() {
                    super::$law(&super::MemoryCache::with_capacity(10_000)).await;
                    let server = super::RedisServer::start();
                    super::$law(&super::redis_cache(&server.url(), super::BUDGET)).await;
                    let far = super::redis_cache_of(&server.url(), super::BUDGET, "log2");
                    let near = super::MemoryCache::with_capacity(10_000);
                    super::$law(&super::LayeredCache::new(near, far)).await;
                }
            )+
        }

        #[tokio::test]
        async fn every_law_holds_on_a_cluster() {
            let cluster = RedisCluster::start();
            $(
                // Each has a log of its own, so they do not see each other.
                let far = redis_cache_of(&cluster.urls(), BUDGET, concat!("a-", stringify!($law)));
                $law(&far).await;
                let far = redis_cache_of(&cluster.urls(), BUDGET, concat!("b-", stringify!($law)));
                let near = MemoryCache::with_capacity(10_000);
                $law(&LayeredCache::new(near, far)).await;
            )+
        }
    };
}

laws! {
    what_was_put_is_found_and_nothing_else,
    an_untrusted_cache_answers_nothing_and_takes_nothing_in,
    an_older_revision_never_replaces_a_newer_one,
    of_one_revision_the_later_day_stands,
    a_tombstone_stops_older_values_and_lets_its_own_revision_in,
    a_tier_is_a_hit_from_its_day_to_the_day_before_the_next_change,
    catching_up_applies_every_change_once_seen,
    a_store_that_lost_changes_begins_an_empty_generation,
    a_cache_that_missed_removed_changes_begins_an_empty_generation,
    epochs_do_not_mix,
}

async fn trust(cache: &dyn TierCache) -> Log {
    let log = Log::default();
    catch_up(cache, &epoch(), &log).await.unwrap();
    log
}

async fn put(cache: &dyn TierCache, number: usize, tier: CachedTier) {
    let ticket = cache.ticket(&epoch()).unwrap();
    cache.put_many(&ticket, &[(id(number), tier)]).await;
}

async fn get(cache: &dyn TierCache, number: usize) -> Lookup {
    cache.get(&epoch(), &id(number), TODAY).await
}

const COLD: Lookup = Lookup::Miss(MissReason::Cold);

async fn what_was_put_is_found_and_nothing_else(cache: &dyn TierCache) {
    trust(cache).await;
    let ticket = cache.ticket(&epoch()).unwrap();
    let entries: Vec<_> = (0..3_000).map(|n| (id(n), value(n as u64))).collect();
    cache.put_many(&ticket, &entries).await;

    let ids: Vec<_> = (0..6_000).rev().map(id).collect();
    let found = cache.get_many(&epoch(), &ids, TODAY).await;

    for (n, lookup) in (0..6_000_u64).rev().zip(found) {
        let expected = if n < 3_000 {
            Lookup::Hit(value(n))
        } else {
            COLD
        };
        assert_eq!(lookup, expected, "{n}");
    }
    assert_eq!(cache.get_many(&epoch(), &[], TODAY).await, []);
}

async fn an_untrusted_cache_answers_nothing_and_takes_nothing_in(cache: &dyn TierCache) {
    assert_eq!(get(cache, 1).await, Lookup::Miss(MissReason::Untrusted));
    assert!(cache.ticket(&epoch()).is_none());
    assert!(!cache.is_trusted(&epoch()));
}

async fn an_older_revision_never_replaces_a_newer_one(cache: &dyn TierCache) {
    trust(cache).await;
    put(cache, 1, value(5)).await;
    put(cache, 1, value(4)).await;
    assert_eq!(get(cache, 1).await, Lookup::Hit(value(5)));

    put(cache, 1, value(300)).await;
    put(cache, 1, value(299)).await;
    assert_eq!(get(cache, 1).await, Lookup::Hit(value(300)));
}

async fn of_one_revision_the_later_day_stands(cache: &dyn TierCache) {
    trust(cache).await;
    let earlier = CachedTier {
        as_of: date(2026, 11, 1),
        ..value(5)
    };
    put(cache, 1, earlier).await;
    assert_eq!(get(cache, 1).await, Lookup::Hit(earlier));
    put(cache, 1, value(5)).await;
    put(cache, 1, earlier).await;
    assert_eq!(get(cache, 1).await, Lookup::Hit(value(5)));
}

async fn a_tombstone_stops_older_values_and_lets_its_own_revision_in(cache: &dyn TierCache) {
    trust(cache).await;
    put(cache, 1, value(5)).await;
    cache.invalidate(&epoch(), &[(id(1), 6)]).await.unwrap();
    let changed = Lookup::Miss(MissReason::Changed { revision: 6 });
    assert_eq!(get(cache, 1).await, changed);

    put(cache, 1, value(5)).await;
    assert_eq!(get(cache, 1).await, changed);
    put(cache, 1, value(6)).await;
    assert_eq!(get(cache, 1).await, Lookup::Hit(value(6)));

    cache.invalidate(&epoch(), &[(id(1), 6)]).await.unwrap();
    assert_eq!(get(cache, 1).await, Lookup::Hit(value(6)));
}

async fn a_tier_is_a_hit_from_its_day_to_the_day_before_the_next_change(cache: &dyn TierCache) {
    trust(cache).await;
    put(cache, 1, value(1)).await;
    let due = Lookup::Miss(MissReason::Due);
    for (day, expected) in [
        (date(2026, 11, 21), due),
        (date(2026, 11, 22), Lookup::Hit(value(1))),
        (date(2026, 11, 30), Lookup::Hit(value(1))),
        (date(2026, 12, 1), due),
    ] {
        assert_eq!(cache.get(&epoch(), &id(1), day).await, expected, "{day}");
    }
}

async fn catching_up_applies_every_change_once_seen(cache: &dyn TierCache) {
    let log = trust(cache).await;
    let ticket = cache.ticket(&epoch()).unwrap();
    let entries: Vec<_> = (0..2_500).map(|n| (id(n), value(1))).collect();
    cache.put_many(&ticket, &entries).await;
    for n in 0..2_400 {
        log.commit(id(n), 2);
    }

    let position = catch_up(cache, &epoch(), &log).await.unwrap();

    assert_eq!(position.seq(), 2_400);
    assert_eq!(get(cache, 2_400).await, Lookup::Hit(value(1)));
    for n in [0, 999, 1_000, 2_399] {
        let changed = Lookup::Miss(MissReason::Changed { revision: 2 });
        assert_eq!(get(cache, n).await, changed, "{n}");
    }
    let again = catch_up(cache, &epoch(), &log).await.unwrap();
    assert_eq!(again.seq(), 2_400);
}

async fn a_store_that_lost_changes_begins_an_empty_generation(cache: &dyn TierCache) {
    let log = trust(cache).await;
    let old = cache.ticket(&epoch()).unwrap();
    log.commit(id(1), 1);
    catch_up(cache, &epoch(), &log).await.unwrap();
    put(cache, 1, value(1)).await;

    let restored = Log::default();
    catch_up(cache, &epoch(), &restored).await.unwrap();

    assert_eq!(get(cache, 1).await, COLD);
    cache.put_many(&old, &[(id(1), value(1))]).await;
    assert_eq!(get(cache, 1).await, COLD, "a ticket of the old generation");
}

async fn a_cache_that_missed_removed_changes_begins_an_empty_generation(cache: &dyn TierCache) {
    let log = trust(cache).await;
    put(cache, 1, value(1)).await;
    put(cache, 2, value(1)).await;
    for number in [1, 2, 3] {
        log.commit(id(number), 2);
    }
    log.shorten();

    catch_up(cache, &epoch(), &log).await.unwrap();

    // Of the first change nothing can be known any more, so nothing of before it is answered.
    assert_eq!(get(cache, 1).await, COLD);
    put(cache, 1, value(2)).await;
    assert_eq!(get(cache, 1).await, Lookup::Hit(value(2)));
}

async fn epochs_do_not_mix(cache: &dyn TierCache) {
    trust(cache).await;
    let other = "fedcba9876543210".parse().unwrap();
    catch_up(cache, &other, &Log::default()).await.unwrap();
    put(cache, 1, value(1)).await;
    assert_eq!(cache.get(&other, &id(1), TODAY).await, COLD);
}
