//! What a look-up costs the server, beside a server that does nothing and a client that does nothing else.
//!
//! ```sh
//! cargo bench --bench serve                       # all of it, about three minutes
//! cargo bench --bench serve -- tier lookup        # a part: tier, redis, lookup, half, memory
//! ```
//!
//! Needs two cores, `taskset` and `redis-server`. The server runs on core 0 with one worker; load and Redis run on core 1.
//! Costs are the server's processor time by `/proc/<pid>/stat`; ratios are taken within a round, and the medians of the
//! rounds are shown. The load is made by this program over raw connections: its share of its core is shown, so that one
//! sees whether it was the limit.
//!
//! | name | what |
//! |---|---|
//! | bare constant | actix alone answers a constant body as long as a tier |
//! | constant | our server does, with all that surrounds a request |
//! | tier | `GET …/tier` from the cache in process |
//! | bare redis | actix alone does one `HGET` with the bare client |
//! | our redis | our server does |
//! | tier, Redis | `GET …/tier` with one Redis round trip (no cache in process) |
//! | bare read | the bare client reads 1,000 ids from their buckets with one pipeline, no HTTP |
//! | lookup | `POST /v1/tiers/lookup` of 1,000 ids from the cache in process |
//! | lookup, Redis | the same from Redis |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement stops at the first surprise"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use jiff::civil::date;
use redis::aio::MultiplexedConnection;
use risktier::api::{ApiServer, AppState};
use risktier::cache::{
    CachedTier, LayeredCache, MemoryCache, RedisCache, RedisOptions, TierCache, bucket_of,
};
use risktier::config::Sources;
use risktier::domain::{Enterprise, EnterpriseDraft, EnterpriseId, Tier};
use risktier::service::{Clock, Entropy, ModelFiles, Models, Service};
use risktier::store::{SqliteStore, Store};
use risktier::telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ENTERPRISES: usize = 20_000;
const ROUNDS: usize = 5;
const SECONDS: f64 = 2.5;
const CONNECTIONS: usize = 64;
const IDS: usize = 1_000;
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";
const TODAY: jiff::civil::Date = date(2026, 11, 22);

fn id(number: usize) -> String {
    format!("91990000MA{number:08}")
}

fn enterprise_id(number: usize) -> EnterpriseId {
    EnterpriseId::parse(&id(number)).unwrap()
}

/// A body as long as a tier.
fn constant() -> &'static str {
    "{\"enterprise_id\":\"91990000MA00000017\",\"tier\":\"A\",\"points\":0,\"as_of\":\"2026-11-22\",\
     \"epoch\":\"0123456789abcdef\",\"revision\":1}"
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--serve", folder, redis, entries] => serve(Path::new(folder), redis, entries),
        ["--bare", redis] => bare(redis),
        ["--load", rest @ ..] => load(rest),
        ["--read", redis, key_file, seconds] => read_bare(redis, key_file, seconds),
        ["--near", count] => near_memory(count.parse().unwrap()),
        words => {
            let asked: Vec<&str> = words
                .iter()
                .copied()
                .filter(|word| !word.starts_with("--"))
                .collect();
            measure(&asked);
        }
    }
}

// ---------------------------------------------------------------------------------------------------- servers

thread_local! {
    static BARE: RefCell<Option<MultiplexedConnection>> = const { RefCell::new(None) };
}

/// One `HGET` with the bare client, on a connection of the worker's own.
async fn bare_get(url: web::Data<String>, key: web::Path<(String, String)>) -> HttpResponse {
    let standing = BARE.with_borrow(Clone::clone);
    let mut connection = match standing {
        Some(connection) => connection,
        None => {
            let client = redis::Client::open(url.as_str()).unwrap();
            let connection = client.get_multiplexed_async_connection().await.unwrap();
            BARE.set(Some(connection.clone()));
            connection
        }
    };
    let (key, field) = key.into_inner();
    let value: Vec<u8> = redis::cmd("HGET")
        .arg(key)
        .arg(field)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(value.len(), 16);
    constant_body().await
}

/// With the entity tag of all JSON answers, so that ours is not worked out.
async fn constant_body() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("etag", "\"3f0a377ba0a4a460ecb616f6507ce0d8\""))
        .body(constant())
}

fn peers(config: &mut web::ServiceConfig, redis: &str) {
    config
        .app_data(web::Data::new(redis.to_owned()))
        .route("/v1/bench/constant", web::get().to(constant_body))
        .route("/v1/bench/redis/{key}/{field}", web::get().to(bare_get));
}

fn bare(redis: &str) {
    let redis = redis.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    actix_web::rt::System::new().block_on(async move {
        HttpServer::new(move || {
            let redis = redis.clone();
            App::new().configure(move |config| peers(config, &redis))
        })
        .workers(1)
        .listen(listener)
        .unwrap()
        .run()
        .await
        .unwrap();
    });
}

fn store_in(folder: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&folder.join("register.db")).unwrap())
}

fn cache_of(store: &dyn Store, redis: &str, entries: usize) -> Arc<dyn TierCache> {
    let far = RedisCache::new(RedisOptions {
        url: redis.to_owned(),
        budget: Duration::from_millis(50),
        log_id: store.store_id().unwrap(),
        ttl: Duration::from_secs(24 * 60 * 60),
    })
    .unwrap();
    match entries {
        0 => Arc::new(far),
        _ => Arc::new(LayeredCache::new(MemoryCache::with_capacity(entries), far)),
    }
}

fn service_of(store: Arc<dyn Store>, cache: Arc<dyn TierCache>) -> Arc<Service> {
    let models = Models::load(&ModelFiles::default()).unwrap();
    let clock = Clock::System;
    Arc::new(Service::open(store, cache, models, clock, Entropy::System).unwrap())
}

/// Our server as `risktier serve` runs it, with the peers beside it.
fn serve(folder: &Path, redis: &str, entries: &str) {
    let metrics = Metrics::install().unwrap();
    let settings = Sources::new()
        .flag("--bench", "listen", Some("127.0.0.1:0".to_owned()))
        .load()
        .unwrap();
    risktier::telemetry::init_logs(&settings.log).unwrap();
    let store = store_in(folder);
    let cache = cache_of(store.as_ref(), redis, entries.parse().unwrap());
    let service = service_of(store, cache);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let redis = redis.to_owned();
    runtime.block_on(async move {
        service.catch_up().await.unwrap();
        let follower = Arc::clone(&service);
        tokio::spawn(async move { follower.follow_changes().await });
        let state = AppState::new(settings, service, metrics);
        let server = ApiServer::bind_beside(state, move |config| peers(config, &redis)).unwrap();
        println!("{}", server.address());
        server.run().await.unwrap();
    });
}

/// A child on a core; its first line of output is its address.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn start(words: &[&str]) -> Self {
        let mut child = pinned(SERVER_CORE, words)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            address: line.trim().parse().unwrap(),
            child,
        }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn pinned(core: &str, words: &[&str]) -> Command {
    let mut command = Command::new("taskset");
    command
        .args(["-c", core])
        .arg(std::env::current_exe().unwrap())
        .args(words);
    command
}

/// Processor time of a process in seconds.
fn processor_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks: f64 = fields[11..13]
        .iter()
        .map(|field| field.parse::<f64>().unwrap())
        .sum();
    // USER_HZ is 100 on every Linux.
    ticks / 100.0
}

// ---------------------------------------------------------------------------------------------------- load

/// What the load saw.
#[derive(Clone, Copy, Debug)]
struct Load {
    requests: f64,
    seconds: f64,
    p50: f64,
    p99: f64,
    busy: f64,
}

/// Asks as `--load ADDRESS SECONDS CONNECTIONS PER_SECOND FILE`: the file has one request head per line, without the line
/// breaks, or `POST path` and a body behind a tab. A rate of 0 asks as fast as answers come.
fn load(words: &[&str]) {
    let [address, seconds, connections, per_second, file] = words else {
        panic!("five words")
    };
    let address: SocketAddr = address.parse().unwrap();
    let seconds: f64 = seconds.parse().unwrap();
    let connections: usize = connections.parse().unwrap();
    let per_second: f64 = per_second.parse().unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let requests: Arc<Vec<Vec<u8>>> =
        Arc::new(text.lines().map(|line| request(line, address)).collect());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let gap = (per_second > 0.0).then(|| Duration::from_secs_f64(connections as f64 / per_second));
    let mut micros: Vec<u32> = local.block_on(&runtime, async {
        let asked: Vec<_> = (0..connections)
            .map(|number| {
                let requests = Arc::clone(&requests);
                tokio::task::spawn_local(async move {
                    ask(
                        address,
                        &requests,
                        number * 311,
                        until,
                        gap,
                        number as f64 / connections as f64,
                    )
                    .await
                })
            })
            .collect();
        let mut all = Vec::new();
        for asked in asked {
            all.extend(asked.await.unwrap());
        }
        all
    });
    let seconds = began.elapsed().as_secs_f64();
    let busy = processor_seconds(std::process::id()) / seconds;
    micros.sort_unstable();
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    println!("{} {seconds} {} {} {busy}", micros.len(), at(0.5), at(0.99));
}

fn request(line: &str, address: SocketAddr) -> Vec<u8> {
    match line.split_once('\t') {
        None => format!("GET {line} HTTP/1.1\r\nhost: {address}\r\n\r\n"),
        Some((path, body)) => format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    }
    .into_bytes()
}

/// One connection; the times of its answers in microseconds, from when they were due.
async fn ask(
    address: SocketAddr,
    requests: &[Vec<u8>],
    mut at: usize,
    until: Instant,
    gap: Option<Duration>,
    phase: f64,
) -> Vec<u32> {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut micros, mut buffer) = (Vec::new(), Vec::with_capacity(1 << 18));
    let mut due = Instant::now() + gap.unwrap_or_default().mul_f64(phase);
    loop {
        if gap.is_some() {
            tokio::time::sleep_until(due.into()).await;
        }
        let asked = if gap.is_some() { due } else { Instant::now() };
        if asked >= until {
            return micros;
        }
        at += 1;
        stream
            .write_all(&requests[at % requests.len()])
            .await
            .unwrap();
        read_answer(&mut stream, &mut buffer).await;
        micros.push(asked.elapsed().as_micros() as u32);
        if let Some(gap) = gap {
            due += gap;
        }
    }
}

async fn read_answer(stream: &mut tokio::net::TcpStream, buffer: &mut Vec<u8>) {
    buffer.clear();
    let mut whole = None;
    loop {
        assert!(
            stream.read_buf(buffer).await.unwrap() > 0,
            "the server hung up"
        );
        if whole.is_none()
            && let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(&buffer[..end]).unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap();
            whole = Some(end + 4 + length.parse::<usize>().unwrap());
        }
        if whole.is_some_and(|whole| buffer.len() >= whole) {
            return;
        }
    }
}

fn run_load(
    address: SocketAddr,
    connections: usize,
    per_second: f64,
    seconds: f64,
    file: &Path,
) -> Load {
    let words = [
        "--load",
        &address.to_string(),
        &seconds.to_string(),
        &connections.to_string(),
        &per_second.to_string(),
        file.to_str().unwrap(),
    ];
    let output = pinned(LOAD_CORE, &words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let numbers: Vec<f64> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    let [requests, seconds, p50, p99, busy] = numbers[..] else {
        panic!("{text}")
    };
    Load {
        requests,
        seconds,
        p50,
        p99,
        busy,
    }
}

/// The bare client alone: pipelines that read the ids of one look-up from their buckets.
fn read_bare(redis: &str, key_file: &str, seconds: &str) {
    let seconds: f64 = seconds.parse().unwrap();
    let text = std::fs::read_to_string(key_file).unwrap();
    let mut buckets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        let (key, field) = line.split_once(' ').unwrap();
        buckets.entry(key).or_default().push(field);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = redis::Client::open(redis).unwrap();
    let (count, spent) = runtime.block_on(async {
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        let began = Instant::now();
        let readers = (0..4).map(|_| {
            let (mut connection, buckets) = (connection.clone(), &buckets);
            async move {
                let mut count = 0_u64;
                while began.elapsed().as_secs_f64() < seconds {
                    let mut pipeline = redis::Pipeline::with_capacity(buckets.len());
                    for (key, fields) in buckets {
                        pipeline.cmd("HMGET").arg(*key).arg(fields);
                    }
                    let found: Vec<Vec<Vec<u8>>> =
                        pipeline.query_async(&mut connection).await.unwrap();
                    assert_eq!(found.len(), buckets.len());
                    count += 1;
                }
                count
            }
        });
        let counts = futures_util::future::join_all(readers).await;
        (counts.iter().sum::<u64>(), began.elapsed().as_secs_f64())
    });
    println!("{count} {spent} {}", processor_seconds(std::process::id()));
}

// ---------------------------------------------------------------------------------------------------- the whole

/// A Redis of our own on the core of the load.
struct Redis {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Redis {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = Command::new("taskset")
            .args([
                "-c",
                LOAD_CORE,
                "redis-server",
                "--bind",
                "127.0.0.1",
                "--port",
                &port.to_string(),
            ])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("redis://127.0.0.1:{port}");
        let client = redis::Client::open(url.as_str()).unwrap();
        while client.get_connection().is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            child,
            url,
            _folder: folder,
        }
    }

    fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command
            .query(&mut client.get_connection().unwrap())
            .unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A register whose tiers are computed and in Redis.
fn prepare(folder: &Path, redis: &Redis) {
    let store = store_in(folder);
    let enterprises: Vec<Enterprise> = (0..ENTERPRISES)
        .map(|number| {
            Enterprise::parse(EnterpriseDraft {
                enterprise_id: id(number),
                name: format!("Enterprise {number}"),
                division: Some("990101".into()),
                industry: Some("C1411".into()),
                established_on: Some("2015-04-30".into()),
                size: Some("small".into()),
                ..EnterpriseDraft::default()
            })
            .unwrap()
        })
        .collect();
    for batch in enterprises.chunks(5_000) {
        store.put_enterprises(batch, 0, TODAY).unwrap();
    }
    let cache = cache_of(store.as_ref(), &redis.url, 0);
    let service = service_of(store, cache);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        service.catch_up().await.unwrap();
        let ids: Vec<EnterpriseId> = (0..ENTERPRISES).map(enterprise_id).collect();
        for ids in ids.chunks(1_000) {
            let answers = service.tiers(ids).await.unwrap();
            assert_eq!(answers.iter().flatten().count(), ids.len());
        }
    });
}

/// The body of one tier is as long as the constant.
fn check_length(served: &Served) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(served.address).unwrap();
    let head = format!(
        "GET /v1/enterprises/{}/tier HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        id(17)
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let lengths = (body.len(), constant().len());
    assert!(lengths.0.abs_diff(lengths.1) <= 32, "{lengths:?}: {body}");
}

/// The key of the bucket of an enterprise in what the register's cache holds now.
fn key_of(redis: &Redis, number: usize) -> String {
    let live: Vec<String> = redis.ask(&["HGETALL", "rt:live"]);
    let (log, epoch) = (&live[0], live[1].split(' ').nth(1).unwrap());
    let applied: String = redis.ask(&["GET", &format!("rt:{epoch}:{log}:applied")]);
    let generation = applied.split(' ').next().unwrap();
    format!(
        "rt:{epoch}:{log}-{generation}:{{{}}}",
        bucket_of(&enterprise_id(number))
    )
}

/// One kind of request.
struct Case<'a> {
    name: &'static str,
    served: &'a Served,
    connections: usize,
    requests: std::path::PathBuf,
    /// The name of what it is compared with.
    peer: Option<&'static str>,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures each case in each round and shows medians.
fn compare(cases: &[Case<'_>]) {
    println!(
        "{:24} {:>9} {:>9} {:>9} {:>10} {:>6}  ratio of the cost",
        "", "req/s", "p50 µs", "p99 µs", "µs/request", "load"
    );
    for case in cases {
        run_load(
            case.served.address,
            case.connections,
            0.0,
            1.0,
            &case.requests,
        );
    }
    let mut rounds: Vec<BTreeMap<&str, (Load, f64)>> = Vec::new();
    for _ in 0..ROUNDS {
        let mut round = BTreeMap::new();
        for case in cases {
            let before = processor_seconds(case.served.pid());
            let load = run_load(
                case.served.address,
                case.connections,
                0.0,
                SECONDS,
                &case.requests,
            );
            let spent = processor_seconds(case.served.pid()) - before;
            round.insert(case.name, (load, spent * 1e6 / load.requests));
        }
        rounds.push(round);
    }
    for case in cases {
        let of = |value: &dyn Fn(&(Load, f64)) -> f64| {
            median(
                rounds
                    .iter()
                    .map(|round| value(&round[case.name]))
                    .collect(),
            )
        };
        let ratio = case.peer.map_or(String::new(), |peer| {
            let ratios = rounds
                .iter()
                .map(|round| round[case.name].1 / round[peer].1);
            format!("{:.3} × {peer}", median(ratios.collect()))
        });
        println!(
            "{:24} {:9.0} {:9.0} {:9.0} {:10.2} {:5.0}%  {ratio}",
            case.name,
            of(&|(load, _)| load.requests / load.seconds),
            of(&|(load, _)| load.p50),
            of(&|(load, _)| load.p99),
            of(&|(_, cost)| *cost),
            of(&|(load, _)| load.busy * 100.0),
        );
    }
}

fn measure(asked: &[&str]) {
    let wants = |part: &str| asked.is_empty() || asked.contains(&part);
    if wants("memory") {
        memory();
    }
    if !["tier", "redis", "lookup", "half"]
        .iter()
        .any(|part| wants(part))
    {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start();
    prepare(folder.path(), &redis);
    let path = folder.path().to_str().unwrap();
    let bare = Served::start(&["--bare", &redis.url]);
    let near = Served::start(&["--serve", path, &redis.url, "100000"]);
    let far = Served::start(&["--serve", path, &redis.url, "0"]);
    check_length(&near);
    let file = |name: &str, lines: Vec<String>| {
        let file = folder.path().join(name);
        std::fs::write(&file, lines.join("\n")).unwrap();
        file
    };
    let tiers = || {
        let lines = (0..ENTERPRISES).map(|number| format!("/v1/enterprises/{}/tier", id(number)));
        file("tiers", lines.collect())
    };
    let constants = || file("constant", vec!["/v1/bench/constant".to_owned()]);
    if wants("tier") {
        compare(&[
            Case {
                name: "bare constant",
                served: &bare,
                connections: CONNECTIONS,
                requests: constants(),
                peer: None,
            },
            Case {
                name: "constant",
                served: &near,
                connections: CONNECTIONS,
                requests: constants(),
                peer: Some("bare constant"),
            },
            Case {
                name: "tier",
                served: &near,
                connections: CONNECTIONS,
                requests: tiers(),
                peer: Some("constant"),
            },
        ]);
    }
    if wants("redis") {
        let lines = (0..ENTERPRISES).map(|number| {
            let key = key_of_many(&redis, number);
            format!(
                "/v1/bench/redis/{}/{}",
                key.replace('{', "%7B").replace('}', "%7D"),
                id(number)
            )
        });
        let gets = file("gets", lines.collect());
        compare(&[
            Case {
                name: "bare redis",
                served: &bare,
                connections: CONNECTIONS,
                requests: gets.clone(),
                peer: None,
            },
            Case {
                name: "our redis",
                served: &far,
                connections: CONNECTIONS,
                requests: gets,
                peer: Some("bare redis"),
            },
            Case {
                name: "tier, Redis",
                served: &far,
                connections: CONNECTIONS,
                requests: tiers(),
                peer: Some("our redis"),
            },
        ]);
    }
    if wants("lookup") {
        let bodies = (0..20).map(|part| {
            let ids: Vec<String> = (0..IDS)
                .map(|n| format!("\"{}\"", id((n * 20 + part) % ENTERPRISES)))
                .collect();
            format!(
                "/v1/tiers/lookup\t{{\"enterprise_ids\":[{}]}}",
                ids.join(",")
            )
        });
        let bodies = file("bodies", bodies.collect());
        let keys = (0..IDS)
            .map(|n| n * 20)
            .map(|number| format!("{} {}", key_of_many(&redis, number), id(number)));
        let keys = file("keys", keys.collect());
        compare(&[
            Case {
                name: "lookup",
                served: &near,
                connections: 4,
                requests: bodies.clone(),
                peer: None,
            },
            Case {
                name: "lookup, Redis",
                served: &far,
                connections: 4,
                requests: bodies.clone(),
                peer: None,
            },
        ]);
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let words = [
                "--read",
                &redis.url,
                keys.to_str().unwrap(),
                &SECONDS.to_string(),
            ];
            let output = pinned(SERVER_CORE, &words).output().unwrap();
            let numbers: Vec<f64> = String::from_utf8(output.stdout)
                .unwrap()
                .split_whitespace()
                .map(|word| word.parse().unwrap())
                .collect();
            let before = processor_seconds(far.pid());
            let load = run_load(far.address, 4, 0.0, SECONDS, &bodies);
            let cost = (processor_seconds(far.pid()) - before) / load.requests;
            rates.push((load.requests / load.seconds) / (numbers[0] / numbers[1]));
            costs.push((numbers[2] / numbers[0]) / cost);
            println!(
                "bare read {:8.0}/s {:8.1} µs; lookup, Redis {:8.0}/s {:8.1} µs",
                numbers[0] / numbers[1],
                numbers[2] / numbers[0] * 1e6,
                load.requests / load.seconds,
                cost * 1e6
            );
        }
        println!(
            "lookup, Redis: {:.0} % of the bare read's rate, {:.0} % by processor time",
            median(rates) * 100.0,
            median(costs) * 100.0
        );
    }
    if wants("half") {
        let tiers = tiers();
        for (name, served) in [("tier", &near), ("tier, Redis", &far)] {
            let full = run_load(served.address, CONNECTIONS, 0.0, SECONDS, &tiers);
            let rate = full.requests / full.seconds / 2.0;
            let halves: Vec<Load> = (0..ROUNDS)
                .map(|_| run_load(served.address, CONNECTIONS, rate, SECONDS, &tiers))
                .collect();
            let (p50, p99) = (
                median(halves.iter().map(|load| load.p50).collect()),
                median(halves.iter().map(|load| load.p99).collect()),
            );
            println!(
                "{name} at half load ({rate:.0}/s): p50 {p50:.0} µs, p99 {p99:.0} µs, ratio {:.1}",
                p99 / p50
            );
        }
    }
}

/// As [`key_of`], with what is the same for all read once.
fn key_of_many(redis: &Redis, number: usize) -> String {
    thread_local! {
        static PREFIX: RefCell<Option<String>> = const { RefCell::new(None) };
    }
    let prefix = PREFIX.with_borrow_mut(|prefix| {
        prefix
            .get_or_insert_with(|| key_of(redis, 0).rsplit_once('{').unwrap().0.to_owned())
            .clone()
    });
    format!("{prefix}{{{}}}", bucket_of(&enterprise_id(number)))
}

// ---------------------------------------------------------------------------------------------------- memory

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<f64>()
        .unwrap()
        * 1024.0
}

fn value() -> CachedTier {
    CachedTier {
        tier: Tier::B,
        points: 120,
        revision: 3,
        as_of: TODAY,
        next_change_on: Some(date(2026, 12, 1)),
    }
}

/// Fills a cache and gives what it needed per entry.
async fn fill(cache: &dyn TierCache, count: usize) {
    struct Nothing;
    #[async_trait::async_trait]
    impl risktier::cache::ChangeLog for Nothing {
        async fn last_seq(&self) -> Result<u64, risktier::cache::BoxError> {
            Ok(0)
        }
        async fn changes_after(
            &self,
            _: u64,
            _: usize,
        ) -> Result<Option<Vec<risktier::cache::TierChange>>, risktier::cache::BoxError> {
            Ok(Some(Vec::new()))
        }
    }
    let epoch = "0123456789abcdef".parse().unwrap();
    for first in (0..count).step_by(1_000) {
        risktier::cache::catch_up(cache, &epoch, &Nothing)
            .await
            .unwrap();
        let ticket = cache.ticket(&epoch).unwrap();
        let entries: Vec<_> = (first..first + 1_000)
            .map(|n| (enterprise_id(n), value()))
            .collect();
        cache.put_many(&ticket, &entries).await;
    }
}

fn near_memory(count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let before = resident_bytes();
    let cache = MemoryCache::with_capacity(count);
    runtime.block_on(fill(&cache, count));
    println!("{:.1}", (resident_bytes() - before) / count as f64);
}

fn memory() {
    const COUNT: usize = 1_000_000;
    let output = pinned(SERVER_CORE, &["--near", &COUNT.to_string()])
        .output()
        .unwrap();
    let near = String::from_utf8(output.stdout).unwrap();
    println!(
        "memory per tier at {COUNT}: in process {} bytes",
        near.trim()
    );
    let redis = Redis::start();
    let used = || {
        let info: String = redis.ask(&["INFO", "memory"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"))
            .unwrap();
        line.trim().parse::<f64>().unwrap()
    };
    let before = used();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cache = RedisCache::new(RedisOptions {
        url: redis.url.clone(),
        budget: Duration::from_millis(2_000),
        log_id: "0123456789abcdef".to_owned(),
        ttl: Duration::from_secs(24 * 60 * 60),
    })
    .unwrap();
    runtime.block_on(fill(&cache, COUNT));
    println!(
        "memory per tier at {COUNT}: in Redis {:.1} bytes",
        (used() - before) / COUNT as f64
    );
}
