//! The documented way to read tiers straight from Redis, taken with plain commands and nothing of ours.

use jiff::civil::{Date, date};
use risktier::cache::{CachedTier, TierCache, catch_up};
use risktier::domain::Tier;
use sha2::{Digest, Sha256};

use crate::redis_cluster::RedisCluster;
use crate::redis_server::RedisServer;
use crate::{BUDGET, Log, TODAY, epoch, id, redis_cache, redis_cache_of, value};

/// What an outsider makes of the bytes of a field.
#[derive(Debug, PartialEq)]
struct Read {
    letter: char,
    points: u16,
    revision: u64,
    as_of: i64,
    next_change: Option<i64>,
}

/// The documented steps 3 and 4, on any key-value client.
fn key_of(epoch: &str, log: &str, generation: &str, id: &str) -> String {
    let digest = Sha256::digest(id);
    let bucket = (u32::from(digest[0]) << 8 | u32::from(digest[1])) % 16_384;
    format!("rt:{epoch}:{log}-{generation}:{{{bucket}}}")
}

fn decode(id: &str, bytes: &[u8]) -> Option<Read> {
    if bytes.len() != 16 {
        return None;
    }
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in id.as_bytes().iter().chain(&bytes[..13]) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    }
    let check = (hash ^ (hash >> 24) ^ (hash >> 48)) & 0xff_ffff;
    let number = |range: std::ops::Range<usize>| {
        bytes[range]
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    if number(13..16) != check {
        return None;
    }
    let as_of = number(6..9) as i64;
    Some(Read {
        letter: match bytes[0] {
            0x21 => 'A',
            0x22 => 'B',
            0x23 => 'C',
            0x24 => 'D',
            _ => return None,
        },
        points: number(11..13) as u16,
        revision: number(1..6),
        as_of,
        next_change: Some(number(9..11))
            .filter(|days| *days != 0xffff)
            .map(|days| as_of + days as i64),
    })
}

fn day(date: Date) -> i64 {
    i64::from((date - Date::constant(1970, 1, 1)).get_days())
}

/// Reads tiers as the documentation says: epoch and log, generation, field.
fn read(ask: &dyn Fn(&[&str]) -> Vec<Vec<u8>>, id: &str) -> (String, Option<Read>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let live = ask(&["HGETALL", "rt:live"]);
    let (log, in_force) = (text(&live[0]), text(&live[1]));
    let epoch = in_force.split(' ').nth(1).unwrap();
    let applied = text(&ask(&["GET", &format!("rt:{epoch}:{log}:applied")])[0]);
    let generation = applied.split(' ').next().unwrap();
    let key = key_of(epoch, &log, generation, id);
    let field = ask(&["HGET", &key, id]);
    (applied, field.first().and_then(|bytes| decode(id, bytes)))
}

#[tokio::test]
async fn tiers_are_read_straight_from_redis_by_the_documented_bytes() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = redis_cache(&server.url(), BUDGET);
    log.commit(id(9), 1);
    catch_up(&cache, &epoch(), &log).await.unwrap();
    cache.announce(3, &epoch()).await.unwrap();
    // An earlier number never replaces a later one.
    let earlier = "fedcba9876543210".parse().unwrap();
    cache.announce(2, &earlier).await.unwrap();
    let unbounded = CachedTier {
        tier: Tier::A,
        points: 0,
        revision: (1 << 40) - 1,
        as_of: date(1970, 1, 1),
        next_change_on: None,
    };
    let ticket = cache.ticket(&epoch()).unwrap();
    let entries = [(id(1), value(7)), (id(2), unbounded)];
    cache.put_many(&ticket, &entries).await;
    cache.invalidate(&epoch(), &[(id(3), 2)]).await.unwrap();
    let ask = |words: &[&str]| -> Vec<Vec<u8>> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        match server.command(&words) {
            redis::Value::Array(values) => values
                .into_iter()
                .map(|value| redis::from_redis_value(value).unwrap())
                .collect(),
            redis::Value::Nil => vec![],
            value => vec![redis::from_redis_value(value).unwrap()],
        }
    };

    let (applied, first) = read(&ask, id(1).as_str());
    let parts: Vec<&str> = applied.split(' ').collect();
    assert_eq!((parts[0].len(), parts[1]), (16, "1"));
    assert!(parts[2].parse::<u64>().unwrap() > 1_700_000_000);
    assert_eq!(
        first.unwrap(),
        Read {
            letter: 'C',
            points: 612,
            revision: 7,
            as_of: day(TODAY),
            next_change: Some(day(date(2026, 12, 1))),
        }
    );
    let second = read(&ask, id(2).as_str()).1.unwrap();
    assert_eq!(
        (second.letter, second.next_change, second.as_of),
        ('A', None, 0)
    );
    assert_eq!(second.revision, (1 << 40) - 1);
    // A change and a stranger are no answer.
    assert_eq!(read(&ask, id(3).as_str()).1, None);
    assert_eq!(read(&ask, "nobody").1, None);
}

#[tokio::test]
async fn every_key_lives_under_one_prefix_and_expires() {
    let (server, log) = (RedisServer::start(), Log::default());
    let cache = redis_cache(&server.url(), BUDGET);
    catch_up(&cache, &epoch(), &log).await.unwrap();
    cache.announce(1, &epoch()).await.unwrap();
    let ticket = cache.ticket(&epoch()).unwrap();
    let entries: Vec<_> = (0..200).map(|n| (id(n), value(1))).collect();
    cache.put_many(&ticket, &entries).await;

    let keys: Vec<String> = server.command(&[b"KEYS", b"*"]);
    let mut times = Vec::new();
    for key in keys {
        assert!(key.starts_with("rt:"), "{key}");
        let left: i64 = server.command(&[b"TTL", key.as_bytes()]);
        match key.as_str() {
            "rt:live" => assert_eq!(left, -1),
            _ => times.push(left),
        }
    }
    let day = 24 * 60 * 60;
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(
        *least >= day * 9 / 10 - 60 && *most <= day * 12 / 10,
        "{least} to {most}"
    );
    times.dedup();
    assert!(times.len() > 100, "they do not expire together");
}

#[tokio::test]
async fn what_is_superseded_goes_soon_and_its_generation_is_not_taken_up_again() {
    let cluster = RedisCluster::start();
    let log = Log::default();
    let cache = redis_cache_of(&cluster.urls(), BUDGET, "log1");
    catch_up(&cache, &epoch(), &log).await.unwrap();
    let ticket = cache.ticket(&epoch()).unwrap();
    let entries: Vec<_> = (0..200).map(|n| (id(n), value(1))).collect();
    cache.put_many(&ticket, &entries).await;

    let mut part = 0;
    while cache.retire(&epoch(), part).await.unwrap() {
        part += 1;
    }

    let keys = cluster.bucket_keys();
    assert!(keys.len() > 100);
    for (master, key) in keys {
        let left: i64 = cluster.members[master].command(&[b"TTL", key.as_bytes()]);
        assert!((1..=3_600).contains(&left), "{key} lives for {left} s");
    }
}
