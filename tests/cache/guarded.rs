//! A Redis that lets in only who may: users with a password and rights (ACL), and TLS.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use risktier::cache::{
    CacheError, Lookup, MissReason, RedisCache, RedisOptions, TierCache, catch_up,
};
use tempfile::TempDir;

use crate::redis_cluster::RedisCluster;
use crate::redis_server::{RedisServer, free_port};
use crate::{BUDGET, Log, TODAY, epoch, id, recover, redis_cache, value};

/// The rights that the README names for the user of the cache.
fn rights() -> Vec<String> {
    let readme = include_str!("../../README.md").replace("\n  ", " ");
    let (_, rest) = readme.split_once("ACL SETUSER risktier on >… ").unwrap();
    let (rights, _) = rest.split_once('`').unwrap();
    rights.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Makes the user `risktier` with the password `secret` and the rights of the README.
fn make_user(server: &RedisServer) {
    let mut words = ["ACL", "SETUSER", "risktier", "on", ">secret"]
        .map(str::to_owned)
        .to_vec();
    words.extend(rights());
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let made: String = server.command(&words);
    assert_eq!(made, "OK");
}

/// What a service does with the cache: follow, write, read alone and together, take back, let go.
async fn use_it(cache: &RedisCache, log: &Log) {
    recover(cache, log).await;
    let ticket = cache.ticket(&epoch()).unwrap();
    let entries: Vec<_> = (0..300).map(|number| (id(number), value(1))).collect();
    cache.put_many(&ticket, &entries).await;
    assert_eq!(
        cache.get(&epoch(), &id(7), TODAY).await,
        Lookup::Hit(value(1))
    );
    let ids: Vec<_> = (0..300).map(id).collect();
    let found = cache.get_many(&epoch(), &ids, TODAY).await;
    assert!(found.iter().all(|lookup| *lookup == Lookup::Hit(value(1))));
    cache.invalidate(&epoch(), &[(id(7), 2)]).await.unwrap();
    assert!(matches!(
        cache.get(&epoch(), &id(7), TODAY).await,
        Lookup::Miss(_)
    ));
    cache.announce(1, &epoch()).await.unwrap();
    let past = "fedcba9876543210".parse().unwrap();
    cache.retire(&past, 0).await.unwrap();
    log.commit(id(8), 2);
    catch_up(cache, &epoch(), log).await.unwrap();
    assert!(matches!(
        cache.get(&epoch(), &id(8), TODAY).await,
        Lookup::Miss(_)
    ));
    assert_eq!(
        cache.get(&epoch(), &id(9), TODAY).await,
        Lookup::Hit(value(1))
    );
}

/// Nothing is answered and nothing fails where Redis does not let the cache in.
async fn is_left_alone(cache: &RedisCache) {
    assert!(catch_up(cache, &epoch(), &Log::default()).await.is_err());
    assert!(cache.ticket(&epoch()).is_none());
    let lookup = cache.get(&epoch(), &id(1), TODAY).await;
    assert!(
        matches!(
            lookup,
            Lookup::Miss(MissReason::Untrusted | MissReason::Outage)
        ),
        "{lookup:?}"
    );
}

#[tokio::test]
async fn the_user_of_the_readme_may_do_all_that_the_cache_does_and_nothing_else() {
    let server = RedisServer::start();
    make_user(&server);
    let _: String = server.command(&[b"SET", b"other", b"1"]);
    let url = |user: &str| format!("redis://{user}@127.0.0.1:{}", server.port());

    let log = Log::default();
    use_it(&redis_cache(&url("risktier:secret"), BUDGET), &log).await;

    let client = redis::Client::open(url("risktier:secret")).unwrap();
    let mut connection = client.get_connection().unwrap();
    for forbidden in [
        &["GET", "other"][..],
        &["FLUSHALL"],
        &["CONFIG", "GET", "*"],
        &["KEYS", "*"],
    ] {
        let mut command = redis::cmd(forbidden[0]);
        command.arg(&forbidden[1..]);
        let refused = command.query::<redis::Value>(&mut connection).unwrap_err();
        assert_eq!(refused.code(), Some("NOPERM"), "{forbidden:?}: {refused}");
    }
    for wrong in ["risktier:wrong", "nobody:secret", ":secret"] {
        is_left_alone(&redis_cache(&url(wrong), BUDGET)).await;
    }
}

#[tokio::test]
async fn a_password_of_the_server_is_given_and_without_it_nobody_is_let_in() {
    let server = RedisServer::start();
    let _: String = server.command(&[b"CONFIG", b"SET", b"requirepass", b"secret"]);
    let log = Log::default();
    let url = format!("redis://:secret@127.0.0.1:{}", server.port());
    use_it(&redis_cache(&url, BUDGET), &log).await;
    is_left_alone(&redis_cache(&server.url(), BUDGET)).await;
}

/// Runs openssl in a folder.
fn openssl(folder: &TempDir, words: &str) {
    let done = Command::new("openssl")
        .args(words.split(' '))
        .current_dir(folder.path())
        .output()
        .expect("install openssl");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// An authority, and a certificate of it for 127.0.0.1.
fn certificates() -> TempDir {
    let folder = TempDir::new().unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for authority in ["ca", "other"] {
        openssl(
            &folder,
            &format!(
                "req -x509 {key} -keyout {authority}.key -out {authority}.pem -days 2 -subj /CN={authority}"
            ),
        );
    }
    openssl(
        &folder,
        &format!("req {key} -keyout server.key -out server.csr -subj /CN=redis"),
    );
    let names = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    std::fs::write(folder.path().join("names"), names).unwrap();
    openssl(
        &folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
    folder
}

/// Settings of a server that also listens with TLS.
fn with_tls(folder: &TempDir) -> Vec<String> {
    let path = |name: &str| folder.path().join(name).display().to_string();
    [
        ("--tls-port", free_port().to_string()),
        ("--tls-cert-file", path("server.pem")),
        ("--tls-key-file", path("server.key")),
        ("--tls-ca-cert-file", path("ca.pem")),
        ("--tls-auth-clients", "no".to_owned()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect()
}

fn cache_over_tls(
    url: String,
    folder: &TempDir,
    authority: Option<&str>,
) -> Result<RedisCache, CacheError> {
    RedisCache::new(RedisOptions {
        url,
        authorities: authority.map(|name| std::fs::read(folder.path().join(name)).unwrap()),
        budget: Duration::from_secs(2),
        log_id: "log1".to_owned(),
        ttl: Duration::from_secs(60 * 60),
    })
}

/// The members of a Cluster name each other by their ports for TLS to whoever comes over TLS.
#[tokio::test]
async fn a_cluster_is_reached_over_tls_and_only_with_the_right_authority() {
    let folder = certificates();
    let cluster = RedisCluster::start_with(&|| {
        let mut settings = with_tls(&folder);
        settings.extend(["--tls-cluster", "yes", "--tls-replication", "yes"].map(str::to_owned));
        settings
    });
    // One address is enough: it names the others.
    let url = || {
        let port = cluster.members[0].setting("--tls-port");
        format!("rediss://127.0.0.1:{port},rediss://127.0.0.1:{port}")
    };
    let log = Log::default();
    use_it(
        &cache_over_tls(url(), &folder, Some("ca.pem")).unwrap(),
        &log,
    )
    .await;
    let keys = cluster.bucket_keys();
    let holding: BTreeSet<usize> = keys.into_iter().map(|(at, _)| at).collect();
    assert_eq!(holding.len(), 3, "every master holds some of them");
    is_left_alone(&cache_over_tls(url(), &folder, Some("other.pem")).unwrap()).await;
}

#[tokio::test]
async fn redis_is_reached_over_tls_by_a_user_and_only_with_the_right_authority() {
    let folder = certificates();
    let settings = with_tls(&folder);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = RedisServer::start_with(&settings);
    let port = server.setting("--tls-port");
    make_user(&server);
    let cache = |url, authority| cache_over_tls(url, &folder, authority);
    let url = |user: &str| format!("rediss://{user}@127.0.0.1:{port}");

    let log = Log::default();
    use_it(
        &cache(url("risktier:secret"), Some("ca.pem")).unwrap(),
        &log,
    )
    .await;

    for (user, authority) in [
        ("risktier:secret", Some("other.pem")),
        // The authority is none of the system's.
        ("risktier:secret", None),
        ("risktier:wrong", Some("ca.pem")),
    ] {
        is_left_alone(&cache(url(user), authority).unwrap()).await;
    }
    // Spoken to without TLS, the port is no Redis.
    is_left_alone(&cache(format!("redis://127.0.0.1:{port}"), None).unwrap()).await;
    // Authorities beside an address without TLS are a mistake, and a file that holds none is one too.
    let plain = cache(server.url(), Some("ca.pem")).err();
    assert!(matches!(plain, Some(CacheError::Address(_))), "{plain:?}");
}
