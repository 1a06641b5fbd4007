//! The servers that are measured, each a process of its own on its core, and the register behind them.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use redis::aio::MultiplexedConnection;
use risktier::api::{ApiServer, AppState};
use risktier::cache::{LayeredCache, MemoryCache, RedisCache, RedisOptions, TierCache, bucket_of};
use risktier::config::Sources;
use risktier::domain::{Enterprise, EnterpriseDraft, EnterpriseId};
use risktier::service::{Clock, Entropy, ModelFiles, Models, Origin, Service, TierAnswer};
use risktier::store::{SqliteStore, Store};
use risktier::telemetry::Metrics;

use crate::{ENTERPRISES, LOAD_CORE, SERVER_CORE, TODAY, enterprise_id, id};

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

/// The body of a tier, which every peer answers, so that all answers are equally long.
static CONSTANT: OnceLock<web::Bytes> = OnceLock::new();

async fn set_constant(body: web::Bytes) -> HttpResponse {
    CONSTANT.set(body).unwrap();
    HttpResponse::NoContent().finish()
}

/// With the entity tag of all JSON answers, so that ours is not worked out.
async fn constant_body() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("etag", "\"3f0a377ba0a4a460ecb616f6507ce0d8\""))
        .body(CONSTANT.get().unwrap().clone())
}

fn peers(config: &mut web::ServiceConfig, redis: &str) {
    config
        .app_data(web::Data::new(redis.to_owned()))
        .route("/v1/bench/constant", web::get().to(constant_body))
        .route("/v1/bench/constant", web::put().to(set_constant))
        .route("/v1/bench/redis/{key}/{field}", web::get().to(bare_get));
}

pub(crate) fn bare(redis: &str) {
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
        authorities: None,
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
pub(crate) fn serve(folder: &Path, redis: &str, entries: &str) {
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
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Served {
    pub(crate) fn start(words: &[&str]) -> Self {
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

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub(crate) fn pinned(core: &str, words: &[&str]) -> Command {
    let mut command = Command::new("taskset");
    command
        .args(["-c", core])
        .arg(std::env::current_exe().unwrap())
        .args(words);
    command
}

/// Processor time of a process in seconds.
pub(crate) fn processor_seconds(pid: u32) -> f64 {
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

/// A Redis of our own on the core of the load.
pub(crate) struct Redis {
    child: Child,
    pub(crate) url: String,
    _folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
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

    pub(crate) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
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
pub(crate) fn prepare(folder: &Path, redis: &Redis) {
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
        let ids: Vec<EnterpriseId> = (0..ENTERPRISES).map(enterprise_id).collect();
        for ids in ids.chunks(1_000) {
            // A write that took longer than its budget is made again.
            let mut rounds = 0;
            loop {
                // It may take longer than an upkeep may, too.
                let _again = service.catch_up().await;
                let answers = service.tiers(ids).await.unwrap();
                let from_redis = |answer: &&TierAnswer| answer.origin == Origin::Cache;
                if answers.iter().flatten().filter(from_redis).count() == ids.len() {
                    break;
                }
                rounds += 1;
                assert!(rounds < 100, "the tiers do not get into redis");
            }
        }
    });
}

/// Gives every server the body of a tier as the constant of its peers.
pub(crate) fn set_constants(with_tiers: &Served, all: &[&Served]) {
    let path = format!("/v1/enterprises/{}/tier", id(17));
    let body = exchange(with_tiers, &format!("GET {path}"), "");
    assert!(body.starts_with("{\"enterprise_id\""), "{body}");
    for served in all {
        exchange(served, "PUT /v1/bench/constant", &body);
        assert_eq!(exchange(served, "GET /v1/bench/constant", ""), body);
    }
}

/// One request on a connection of its own, and the body of the answer.
fn exchange(served: &Served, request: &str, body: &str) -> String {
    let mut stream = std::net::TcpStream::connect(served.address).unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// What the keys of all buckets begin with, in what the register's cache holds now.
pub(crate) fn key_prefix(redis: &Redis) -> String {
    let live: Vec<String> = redis.ask(&["HGETALL", "rt:live"]);
    let (log, epoch) = (&live[0], live[1].split(' ').nth(1).unwrap());
    let applied: String = redis.ask(&["GET", &format!("rt:{epoch}:{log}:applied")]);
    let generation = applied.split(' ').next().unwrap();
    format!("rt:{epoch}:{log}-{generation}:")
}

/// The key of the bucket of an enterprise.
pub(crate) fn key_of(prefix: &str, number: usize) -> String {
    format!("{prefix}{{{}}}", bucket_of(&enterprise_id(number)))
}
