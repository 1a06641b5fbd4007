//! The load, and the bare client: processes of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::LOAD_CORE;
use crate::servers::{pinned, processor_seconds};

/// What the load saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) busy: f64,
}

/// How requests of a rate are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pacing {
    /// Evenly, by a loop that waits awake and takes all of its core.
    Even,
    /// As timers fire, which do so once a millisecond: all that fell due since the last one come at once.
    Ticks,
}

/// Asks as `--load ADDRESS SECONDS CONNECTIONS PER_SECOND even|ticks FILE`: the file has one request head per line, without
/// the line breaks, or `POST path` and a body behind a tab. A rate of 0 asks as fast as answers come.
pub(crate) fn load(words: &[&str]) {
    let [address, seconds, connections, per_second, pacing, file] = words else {
        panic!("six words")
    };
    let pacing = match *pacing {
        "even" => Pacing::Even,
        "ticks" => Pacing::Ticks,
        other => panic!("{other} is no pacing"),
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
                        pacing,
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
    pacing: Pacing,
    phase: f64,
) -> Vec<u32> {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut micros, mut buffer) = (Vec::new(), Vec::with_capacity(1 << 18));
    let mut due = Instant::now() + gap.unwrap_or_default().mul_f64(phase);
    loop {
        if gap.is_some() && pacing == Pacing::Ticks {
            tokio::time::sleep_until(due.into()).await;
        }
        while Instant::now() < due {
            tokio::task::yield_now().await;
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

pub(crate) fn run_load(
    address: SocketAddr,
    connections: usize,
    (per_second, pacing): (f64, Pacing),
    seconds: f64,
    file: &Path,
) -> Load {
    let words = [
        "--load",
        &address.to_string(),
        &seconds.to_string(),
        &connections.to_string(),
        &per_second.to_string(),
        match pacing {
            Pacing::Even => "even",
            Pacing::Ticks => "ticks",
        },
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
pub(crate) fn read_bare(redis: &str, key_file: &str, seconds: &str) {
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
