//! A Redis Cluster that fails over, loses writes, moves slots: never a wrong tier.

use risktier::cache::{Lookup, MissReason, RedisCache, TierCache, bucket_of, catch_up};

use crate::redis_cluster::{RedisCluster, info, until};
use crate::{BUDGET, Log, TODAY, epoch, id, recover, redis_cache, value};

const COUNT: usize = 300;

async fn filled(cluster: &RedisCluster, log: &Log) -> RedisCache {
    let cache = redis_cache(&cluster.urls(), BUDGET);
    catch_up(&cache, &epoch(), log).await.unwrap();
    fill(&cache, 1).await;
    cache
}

async fn fill(cache: &RedisCache, revision: u64) {
    let ticket = cache.ticket(&epoch()).unwrap();
    let entries: Vec<_> = (0..COUNT).map(|n| (id(n), value(revision))).collect();
    cache.put_many(&ticket, &entries).await;
    assert_eq!(hits(cache, revision).await, COUNT);
}

/// How many of all are hits of a revision; hits of others fail.
async fn hits(cache: &RedisCache, revision: u64) -> usize {
    let ids: Vec<_> = (0..COUNT).map(id).collect();
    let found = cache.get_many(&epoch(), &ids, TODAY).await;
    let hit = |lookup: &&Lookup| match lookup {
        Lookup::Hit(found) => {
            assert_eq!(*found, value(revision));
            true
        }
        Lookup::Miss(_) => false,
    };
    found.iter().filter(hit).count()
}

async fn get(cache: &RedisCache, number: usize) -> Lookup {
    cache.get(&epoch(), &id(number), TODAY).await
}

/// The master that holds an enterprise.
fn master_of(cluster: &RedisCluster, number: usize) -> usize {
    cluster.master_of(&format!("{{{}}}", bucket_of(&id(number))))
}

/// The numbers of enterprises that one master holds.
fn held_by(cluster: &RedisCluster, master: usize) -> Vec<usize> {
    (0..COUNT)
        .filter(|n| master_of(cluster, *n) == master)
        .collect()
}

/// Ends a master and waits until its replica has taken over.
fn fail_over(cluster: &mut RedisCluster, master: usize) {
    cluster.members[master].kill();
    until("a replica takes over", || {
        info(&cluster.members[master + 3], "INFO replication").contains("role:master")
    });
    cluster.until_whole();
}

#[tokio::test]
async fn entries_spread_over_all_masters_and_one_address_finds_them() {
    let (cluster, log) = (RedisCluster::start(), Log::default());
    filled(&cluster, &log).await;
    let mut counts = [0; 3];
    for (master, _) in cluster.bucket_keys() {
        counts[master] += 1;
    }
    assert!(counts.iter().all(|count| *count > COUNT / 5), "{counts:?}");

    // A replica is asked: it tells who holds what.
    let other = redis_cache(&cluster.members[4].url(), BUDGET);
    catch_up(&other, &epoch(), &log).await.unwrap();
    assert_eq!(hits(&other, 1).await, COUNT);
}

#[tokio::test]
async fn a_failover_costs_hits_only() {
    let (mut cluster, log) = (RedisCluster::start(), Log::default());
    let cache = filled(&cluster, &log).await;
    let lost = master_of(&cluster, 1);
    cluster.members[lost].kill();

    assert!(matches!(get(&cache, 1).await, Lookup::Miss(_)));
    let survivors = hits(&cache, 1).await;
    assert!(survivors < COUNT);
    log.commit(id(2), 2);
    let _may_fail = cache.invalidate(&epoch(), &[(id(2), 2)]).await;

    fail_over(&mut cluster, lost);
    recover(&cache, &log).await;

    assert_eq!(hits(&cache, 1).await, 0, "a new generation begins empty");
    fill(&cache, 2).await;
}

#[tokio::test]
async fn a_change_that_a_failover_lost_does_not_come_back_as_the_old_tier() {
    let (mut cluster, log) = (RedisCluster::start(), Log::default());
    let cache = filled(&cluster, &log).await;
    let master = master_of(&cluster, 1);
    let all = held_by(&cluster, master);
    until("the replica has everything", || {
        let lag = info(&cluster.members[master], "INFO replication");
        let offset = |name: &str| {
            let rest = lag.split_once(name).unwrap().1;
            rest.split([',', '\r']).next().unwrap().to_owned()
        };
        offset("master_repl_offset:") == offset("offset=")
    });

    // The replica hears nothing of the changes, and the position is counted forward on its master, wherever that is.
    cluster.members[master + 3].pause();
    for number in &all {
        log.commit(id(*number), 2);
        cache
            .invalidate(&epoch(), &[(id(*number), 2)])
            .await
            .unwrap();
    }
    catch_up(&cache, &epoch(), &log).await.unwrap();
    cluster.members[master].kill();
    cluster.members[master + 3].resume();
    fail_over(&mut cluster, master);

    // A process that begins now knows nothing of what there was before.
    for cache in [cache, redis_cache(&cluster.urls(), BUDGET)] {
        recover(&cache, &log).await;
        for number in &all {
            let found = get(&cache, *number).await;
            assert!(matches!(found, Lookup::Miss(_)), "{number}: {found:?}");
        }
    }
}

#[tokio::test]
async fn one_flushed_master_begins_a_new_generation() {
    let (cluster, log) = (RedisCluster::start(), Log::default());
    let cache = filled(&cluster, &log).await;
    let before = cache.ticket(&epoch()).unwrap();
    let flushed = master_of(&cluster, 1);
    log.commit(id(1), 2);
    cache.invalidate(&epoch(), &[(id(1), 2)]).await.unwrap();
    let _: String = cluster.members[flushed].command(&[b"FLUSHALL"]);
    catch_up(&cache, &epoch(), &log).await.unwrap();

    // A slow reader that read revision 1 before the change comes back after the flush took the tombstone.
    cache.put_many(&before, &[(id(1), value(1))]).await;

    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Cold));
    fill(&cache, 2).await;
}

#[tokio::test]
async fn a_value_that_meets_a_flushed_master_costs_the_trust_at_once() {
    let (cluster, log) = (RedisCluster::start(), Log::default());
    let cache = filled(&cluster, &log).await;
    let ticket = cache.ticket(&epoch()).unwrap();
    log.commit(id(1), 2);
    cache.invalidate(&epoch(), &[(id(1), 2)]).await.unwrap();
    let _: String = cluster.members[master_of(&cluster, 1)].command(&[b"FLUSHALL"]);

    cache.put_many(&ticket, &[(id(1), value(1))]).await;

    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Untrusted));
    recover(&cache, &log).await;
    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Cold));
}

#[tokio::test]
async fn a_paused_master_costs_its_own_entries_a_few_waits_and_then_nobody_waits() {
    let (cluster, log) = (RedisCluster::start(), Log::default());
    let cache = filled(&cluster, &log).await;
    let paused = master_of(&cluster, 1);
    let elsewhere = (0..COUNT)
        .find(|n| master_of(&cluster, *n) != paused)
        .unwrap();
    cluster.members[paused].pause();

    // The others answer while it is silent.
    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Outage));
    assert_eq!(get(&cache, elsewhere).await, Lookup::Hit(value(1)));
    let mut waited = 1;
    for _ in 0..100 {
        match get(&cache, 1).await {
            Lookup::Miss(MissReason::Outage) => waited += 1,
            other => assert_eq!(other, Lookup::Miss(MissReason::Untrusted)),
        }
    }
    assert_eq!(waited, 3);
    assert!(catch_up(&cache, &epoch(), &log).await.is_err());

    cluster.members[paused].resume();
    cluster.until_whole();
    recover(&cache, &log).await;
    fill(&cache, 1).await;
}

#[tokio::test]
async fn a_slot_on_its_way_and_a_slot_that_has_moved_are_followed() {
    let (cluster, log) = (RedisCluster::start(), Log::default());
    let cache = filled(&cluster, &log).await;
    let from = master_of(&cluster, 1);
    let to = (from + 1) % 3;
    let (source, target) = (&cluster.members[from], &cluster.members[to]);
    let tag = format!("{{{}}}", bucket_of(&id(1)));
    let slot: usize = source.command(&[b"CLUSTER", b"KEYSLOT", tag.as_bytes()]);
    let slot = slot.to_string();
    let (source_id, target_id): (String, String) = (
        source.command(&[b"CLUSTER", b"MYID"]),
        target.command(&[b"CLUSTER", b"MYID"]),
    );
    let set = |how: &[u8], id: &str| {
        let words: [&[u8]; 5] = [b"CLUSTER", b"SETSLOT", slot.as_bytes(), how, id.as_bytes()];
        words.map(<[u8]>::to_vec)
    };
    let run = |member: &crate::redis_server::RedisServer, words: [Vec<u8>; 5]| {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let _: String = member.command(&words);
    };
    run(target, set(b"IMPORTING", &source_id));
    run(source, set(b"MIGRATING", &target_id));
    let keys: Vec<Vec<u8>> =
        source.command(&[b"CLUSTER", b"GETKEYSINSLOT", slot.as_bytes(), b"100"]);
    assert!(!keys.is_empty());
    let port = target.port().to_string();
    for key in &keys {
        let _: String = source.command(&[
            b"MIGRATE",
            b"127.0.0.1",
            port.as_bytes(),
            key,
            b"0",
            b"1000",
        ]);
    }

    // On its way: the source answers ASK for what has gone.
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(1)));
    assert_eq!(hits(&cache, 1).await, COUNT);
    log.commit(id(1), 2);
    cache.invalidate(&epoch(), &[(id(1), 2)]).await.unwrap();
    let changed = Lookup::Miss(MissReason::Changed { revision: 2 });
    assert_eq!(get(&cache, 1).await, changed);

    // It has moved: the source answers MOVED.
    run(target, set(b"NODE", &target_id));
    run(source, set(b"NODE", &target_id));
    assert_eq!(get(&cache, 1).await, changed);
    let ticket = cache.ticket(&epoch()).unwrap();
    cache.put_many(&ticket, &[(id(1), value(2))]).await;
    assert_eq!(get(&cache, 1).await, Lookup::Hit(value(2)));

    // And after the next upkeep it is asked for at its new place.
    recover(&cache, &log).await;
    let found = get(&cache, 1).await;
    assert!(
        matches!(found, Lookup::Hit(found) if found == value(2))
            || found == Lookup::Miss(MissReason::Cold),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_cluster_that_is_not_whole_is_left_alone() {
    let (mut cluster, log) = (RedisCluster::start(), Log::default());
    let cache = filled(&cluster, &log).await;
    // Master and replica of one third are gone for good.
    cluster.members[4].kill();
    cluster.members[1].kill();
    let _sees_the_loss = hits(&cache, 1).await;

    assert!(catch_up(&cache, &epoch(), &log).await.is_err());
    assert_eq!(get(&cache, 1).await, Lookup::Miss(MissReason::Untrusted));

    cluster.members[1].start_again();
    cluster.until_whole();
    recover(&cache, &log).await;
    fill(&cache, 1).await;
}
