//! Redis broken in every way while look-ups and writes go on: none fails, none is wrong.
//!
//! ```sh
//! RISKTIER_FAULT_SECONDS=10 cargo test --release --test service redis_faults -- --nocapture --test-threads 1
//! ```
//!
//! breaks it for ten seconds at a time and prints a line for each fault; without the variable it is a short form. What is
//! asserted are counts. A look-up is wrong if its revision is older than one that was known to be written, on the same
//! replica, before it was asked, or if its tier is not that of its revision.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use risktier::domain::Tier;
use risktier::service::{Amendment, Origin, Service};

use crate::redis_cluster::{RedisCluster, info, until};
use crate::redis_server::RedisServer;
use crate::register::{TODAY, default_models, id, label, serious_penalty};
use crate::{Place, register};

const COUNT: usize = 40;
/// As in the default settings.
const BUDGET: Duration = Duration::from_millis(50);

fn length() -> Duration {
    let seconds = std::env::var("RISKTIER_FAULT_SECONDS").ok();
    seconds.map_or(Duration::from_millis(1_500), |seconds| {
        Duration::from_secs_f64(seconds.parse().unwrap())
    })
}

/// What was seen while something was broken.
#[derive(Debug, Default)]
struct Seen {
    look_ups: AtomicU64,
    cached: AtomicU64,
    failed: AtomicU64,
    wrong: AtomicU64,
    writes: AtomicU64,
    longest_micros: AtomicU64,
}

/// What has been written: of each enterprise the revisions and the tiers that belong to them.
#[derive(Default)]
struct Truth {
    /// The latest revision that a writer has been told of.
    known: BTreeMap<usize, u64>,
    tiers: BTreeMap<(usize, u64), Tier>,
}

struct World {
    service: Arc<Service>,
    truth: Arc<Mutex<Truth>>,
    place: Place,
}

impl World {
    async fn over(url: &str, entries: usize) -> Self {
        let place = Place::empty();
        let cache: Arc<dyn risktier::cache::TierCache> = match entries {
            0 => place.redis_cache_within(url, BUDGET),
            _ => place.layered_cache(url, BUDGET),
        };
        let service = Arc::new(place.replica(cache, default_models(), TODAY));
        register(&service, COUNT).await;
        let world = Self {
            service,
            truth: Arc::default(),
            place,
        };
        for number in 1..=COUNT {
            world.note(number, Tier::A);
        }
        world
    }

    /// Notes that the latest revision of an enterprise has a tier.
    fn note(&self, number: usize, tier: Tier) {
        note(&self.place, &self.truth, number, tier);
    }

    /// Looks up and writes while `fault` goes on, and then until the cache is right again.
    async fn during(&self, name: &str, fault: impl FnOnce() + Send + 'static) -> Arc<Seen> {
        let (seen, over) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
        let following = Arc::clone(&self.service);
        let follower = tokio::spawn(async move { following.follow_changes().await });
        let readers: Vec<_> = (0..8)
            .map(|reader| {
                let (service, truth) = (Arc::clone(&self.service), Arc::clone(&self.truth));
                let (seen, over) = (Arc::clone(&seen), Arc::clone(&over));
                tokio::spawn(async move {
                    let mut at = reader * 5;
                    while !over.load(Ordering::SeqCst) {
                        at += 7;
                        look_up(&service, &truth, &seen, at).await;
                        tokio::time::sleep(Duration::from_micros(200)).await;
                    }
                })
            })
            .collect();
        let writer = {
            let (service, truth) = (Arc::clone(&self.service), Arc::clone(&self.truth));
            let (seen, over) = (Arc::clone(&seen), Arc::clone(&over));
            let (store, name) = (self.place.store(), name.to_owned());
            tokio::spawn(async move {
                let mut round = 0_usize;
                while !over.load(Ordering::SeqCst) {
                    let number = round % COUNT + 1;
                    let record_id = format!("{name}-{round}");
                    // Every other time it is taken back again.
                    let record = serious_penalty(number, &record_id, 30);
                    service.put_records(vec![record]).await.unwrap();
                    note_in(store.as_ref(), &truth, number, Tier::C);
                    let amendment = Amendment::Withdraw;
                    service
                        .amend_record(label("court"), record_id, amendment, None)
                        .await
                        .unwrap();
                    note_in(store.as_ref(), &truth, number, Tier::A);
                    seen.writes.fetch_add(2, Ordering::Relaxed);
                    round += 1;
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
            })
        };
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::task::spawn_blocking(fault).await.unwrap();
        self.until_trusted().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        over.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
        writer.await.unwrap();
        follower.abort();
        self.check_all().await;
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        println!(
            "{name:32} look-ups {:7} (cached {:7}), writes {:5}, failed {}, wrong {}, longest {:.1} ms",
            of(&seen.look_ups),
            of(&seen.cached),
            of(&seen.writes),
            of(&seen.failed),
            of(&seen.wrong),
            of(&seen.longest_micros) as f64 / 1e3,
        );
        assert!(of(&seen.look_ups) > 500, "{name}");
        assert_eq!((of(&seen.failed), of(&seen.wrong)), (0, 0), "{name}");
        seen
    }

    /// Waits until Redis takes part again.
    async fn until_trusted(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(error) = self.service.catch_up().await {
            assert!(Instant::now() < deadline, "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What was written while Redis was away is right, for this replica and for one that begins now.
    async fn check_all(&self) {
        self.service.catch_up().await.unwrap();
        for number in 1..=COUNT {
            let answer = self.service.tier(&id(number)).await.unwrap();
            let truth = self.truth.lock().unwrap();
            assert_eq!(answer.revision, truth.known[&number], "{number}");
            assert_eq!(
                answer.tier,
                truth.tiers[&(number, answer.revision)],
                "{number}"
            );
        }
    }
}

fn note(place: &Place, truth: &Mutex<Truth>, number: usize, tier: Tier) {
    note_in(place.store().as_ref(), truth, number, tier);
}

fn note_in(store: &dyn risktier::store::Store, truth: &Mutex<Truth>, number: usize, tier: Tier) {
    let (_, revision) = store.enterprise(&id(number)).unwrap().unwrap();
    let mut truth = truth.lock().unwrap();
    truth.tiers.insert((number, revision), tier);
    truth.known.insert(number, revision);
}

/// One look-up: alone, or every fifth time of many.
async fn look_up(service: &Service, truth: &Mutex<Truth>, seen: &Seen, at: usize) {
    let numbers: Vec<usize> = match at % 5 {
        0 => (0..20).map(|n| (at + n) % COUNT + 1).collect(),
        _ => vec![at % COUNT + 1],
    };
    let known: Vec<u64> = {
        let truth = truth.lock().unwrap();
        numbers.iter().map(|number| truth.known[number]).collect()
    };
    let ids: Vec<_> = numbers.iter().map(|number| id(*number)).collect();
    let asked = Instant::now();
    let answers = service.tiers(&ids).await;
    let micros = asked.elapsed().as_micros() as u64;
    seen.longest_micros.fetch_max(micros, Ordering::Relaxed);
    seen.look_ups
        .fetch_add(numbers.len() as u64, Ordering::Relaxed);
    let Ok(answers) = answers else {
        seen.failed.fetch_add(1, Ordering::Relaxed);
        return;
    };
    // A writer notes a revision a moment after it has written it.
    for ((number, known), answer) in numbers.iter().zip(known).zip(answers) {
        let answer = answer.unwrap();
        let is_cached = answer.origin == Origin::Cache;
        seen.cached
            .fetch_add(u64::from(is_cached), Ordering::Relaxed);
        let is_older = answer.revision < known;
        let belongs = {
            let truth = truth.lock().unwrap();
            let tier = truth.tiers.get(&(*number, answer.revision));
            tier.is_none_or(|tier| *tier == answer.tier)
        };
        if is_older || !belongs {
            println!("wrong: {number} {answer:?}, known {known}");
            seen.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_server_is_broken_in_every_way() {
    for entries in [0, 1] {
        let server = Arc::new(Mutex::new(RedisServer::start()));
        let url = server.lock().unwrap().url();
        let world = World::over(&url, entries).await;
        let name = |fault: &str| {
            let level = if entries == 0 { "Redis" } else { "both levels" };
            format!("{fault}, {level}")
        };
        let at = |fault: fn(&mut RedisServer)| {
            let server = Arc::clone(&server);
            move || fault(&mut server.lock().unwrap())
        };
        let seen = world
            .during(&name("nothing"), at(|_| std::thread::sleep(length())))
            .await;
        assert!(seen.cached.load(Ordering::SeqCst) > 100);
        world
            .during(
                &name("killed, back empty"),
                at(|server| {
                    server.kill();
                    std::thread::sleep(length());
                    server.start_again();
                }),
            )
            .await;
        world
            .during(
                &name("paused"),
                at(|server| {
                    server.pause();
                    std::thread::sleep(length());
                    server.resume();
                }),
            )
            .await;
        world
            .during(
                &name("flushed again and again"),
                at(|server| {
                    let until = Instant::now() + length();
                    while Instant::now() < until {
                        let _: String = server.command(&[b"FLUSHALL"]);
                        std::thread::sleep(Duration::from_millis(70));
                    }
                }),
            )
            .await;
        world
            .during(
                &name("full"),
                at(|server| {
                    let set = |bytes: &[u8]| {
                        let _: String = server.command(&[b"CONFIG", b"SET", b"maxmemory", bytes]);
                    };
                    set(b"1");
                    std::thread::sleep(length());
                    set(b"0");
                }),
            )
            .await;
        world
            .during(
                &name("strings in place of hashes"),
                at(|server| {
                    let until = Instant::now() + length();
                    while Instant::now() < until {
                        let keys: Vec<Vec<u8>> = server.command(&[b"KEYS", b"rt:*"]);
                        for key in keys {
                            let _: String = server.command(&[b"SET", &key, b"garbage"]);
                        }
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }),
            )
            .await;
        world
            .during(
                &name("garbage in every field"),
                at(|server| {
                    let until = Instant::now() + length();
                    while Instant::now() < until {
                        let keys: Vec<Vec<u8>> = server.command(&[b"KEYS", b"rt:*{*"]);
                        for (at, key) in keys.iter().enumerate() {
                            let kind: String = server.command(&[b"TYPE", key]);
                            if kind != "hash" {
                                continue;
                            }
                            let fields: Vec<Vec<u8>> = server.command(&[b"HKEYS", key]);
                            for field in fields {
                                let garbage =
                                    [0x21, at as u8, 7, 7, 7, 7, 0, 81, 52, 0, 9, 0, 1, 2, 3, 4];
                                let _: i64 = server.command(&[b"HSET", key, &field, &garbage]);
                            }
                        }
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }),
            )
            .await;
    }
}

/// A server that speaks no Redis: it answers whatever comes with bytes of its own.
fn answer_with_garbage(port: u16, over: Arc<AtomicBool>) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut connections: Vec<TcpStream> = Vec::new();
    let answers: [&[u8]; 6] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b":1\r\n:2\r\n:3\r\n",
        b"*2\r\n$5\r\nhello\r\n$-1\r\n",
        b"$16\r\n\x21\x00\x00\x00\x00\x01\x00\x51\x34\xff\xff\x00\x00\x00\x00\x00\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"\x00\xff\xfe garbage",
    ];
    let mut turn = 0;
    while !over.load(Ordering::SeqCst) {
        if let Ok((connection, _)) = listener.accept() {
            connection.set_nonblocking(true).unwrap();
            connections.push(connection);
        }
        connections.retain_mut(|connection| {
            let mut asked = [0; 4096];
            match connection.read(&mut asked) {
                Ok(0) => false,
                Ok(_) => {
                    turn += 1;
                    connection.write_all(answers[turn % answers.len()]).is_ok()
                }
                Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            }
        });
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_answers_with_garbage_takes_the_place_of_redis() {
    let server = Arc::new(Mutex::new(RedisServer::start()));
    let (url, port) = {
        let server = server.lock().unwrap();
        (server.url(), server.port())
    };
    for entries in [0, 1] {
        let world = World::over(&url, entries).await;
        let server = Arc::clone(&server);
        let fault = move || {
            let mut server = server.lock().unwrap();
            server.kill();
            let over = Arc::new(AtomicBool::new(false));
            let until = Arc::clone(&over);
            let garbage = std::thread::spawn(move || answer_with_garbage(port, until));
            std::thread::sleep(length());
            over.store(true, Ordering::SeqCst);
            garbage.join().unwrap();
            server.start_again();
        };
        let name = format!("garbage for answers, levels {}", entries + 1);
        world.during(&name, fault).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_fails_over_and_moves_slots() {
    let cluster = Arc::new(Mutex::new(RedisCluster::start()));
    let urls = cluster.lock().unwrap().urls();
    for entries in [0, 1] {
        let world = World::over(&urls, entries).await;
        let level = if entries == 0 { "Redis" } else { "both levels" };
        let at = |fault: fn(&mut RedisCluster)| {
            let cluster = Arc::clone(&cluster);
            move || fault(&mut cluster.lock().unwrap())
        };
        let name = |fault: &str| format!("{fault}, {level}");
        let seen = world
            .during(&name("cluster"), at(|_| std::thread::sleep(length())))
            .await;
        assert!(seen.cached.load(Ordering::SeqCst) > 100);
        world.during(&name("slots moved"), at(move_slots)).await;
        world
            .during(
                &name("failover by command"),
                at(|cluster| {
                    let (_, replica) = a_pair(cluster);
                    let _: String = cluster.members[replica].command(&[b"CLUSTER", b"FAILOVER"]);
                    until("it takes over", || is_master(&cluster.members[replica]));
                }),
            )
            .await;
        world
            .during(
                &name("master killed"),
                at(|cluster| {
                    let (master, replica) = a_pair(cluster);
                    cluster.members[master].kill();
                    until("it takes over", || is_master(&cluster.members[replica]));
                    cluster.until_whole();
                    cluster.members[master].start_again();
                    until("the old master follows", || {
                        let told = info(&cluster.members[master], "INFO replication");
                        told.contains("role:slave") && told.contains("master_link_status:up")
                    });
                }),
            )
            .await;
        world
            .during(
                &name("master paused"),
                at(|cluster| {
                    let (master, _) = a_pair(cluster);
                    cluster.members[master].pause();
                    std::thread::sleep(length());
                    cluster.members[master].resume();
                    cluster.until_whole();
                }),
            )
            .await;
    }
}

fn is_master(member: &RedisServer) -> bool {
    info(member, "INFO replication").contains("role:master")
}

/// A master and a replica of it, by their places.
fn a_pair(cluster: &RedisCluster) -> (usize, usize) {
    let port_of_master = |at: usize| {
        let told = info(&cluster.members[at], "INFO replication");
        let (_, port) = told.split_once("master_port:")?;
        port.lines().next()?.trim().parse::<u16>().ok()
    };
    (0..6)
        .find_map(|replica| {
            let port = port_of_master(replica)?;
            let master = (0..6).find(|at| cluster.members[*at].port() == port)?;
            Some((master, replica))
        })
        .unwrap()
}

/// Moves every slot in which there is a key of ours from its master to the next one.
fn move_slots(cluster: &mut RedisCluster) {
    let masters: Vec<&RedisServer> = cluster
        .running()
        .filter(|member| is_master(member))
        .collect();
    let until = Instant::now() + length();
    let mut moved = 0;
    for (at, source) in masters.iter().enumerate() {
        let target = masters[(at + 1) % masters.len()];
        let keys: Vec<Vec<u8>> = source.command(&[b"KEYS", b"rt:*{*"]);
        for key in keys {
            if Instant::now() > until && moved > 10 {
                return;
            }
            moved += usize::from(move_slot(source, target, &masters, &key));
        }
    }
}

/// Moves the slot of a key; `false` if it was moved before.
fn move_slot(
    source: &RedisServer,
    target: &RedisServer,
    masters: &[&RedisServer],
    key: &[u8],
) -> bool {
    let slot: usize = source.command(&[b"CLUSTER", b"KEYSLOT", key]);
    let slot = slot.to_string();
    let ids: (String, String) = (
        source.command(&[b"CLUSTER", b"MYID"]),
        target.command(&[b"CLUSTER", b"MYID"]),
    );
    let keys_left: usize = source.command(&[b"CLUSTER", b"COUNTKEYSINSLOT", slot.as_bytes()]);
    if keys_left == 0 {
        return false;
    }
    let set = |member: &RedisServer, how: &[u8], id: &str| {
        let _: String =
            member.command(&[b"CLUSTER", b"SETSLOT", slot.as_bytes(), how, id.as_bytes()]);
    };
    set(target, b"IMPORTING", &ids.0);
    set(source, b"MIGRATING", &ids.1);
    let port = target.port().to_string();
    loop {
        let keys: Vec<Vec<u8>> =
            source.command(&[b"CLUSTER", b"GETKEYSINSLOT", slot.as_bytes(), b"100"]);
        if keys.is_empty() {
            break;
        }
        for key in keys {
            let _: String = source.command(&[
                b"MIGRATE",
                b"127.0.0.1",
                port.as_bytes(),
                &key,
                b"0",
                b"1000",
                b"REPLACE",
            ]);
        }
    }
    for member in [target, source].iter().chain(masters) {
        set(member, b"NODE", &ids.1);
    }
    true
}
