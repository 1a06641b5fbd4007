//! A Redis Cluster of a test's own: three masters and a replica of each, on free loopback ports.

use std::time::{Duration, Instant};

use crate::redis_server::{RedisServer, free_port};

/// Slots of a Cluster.
const SLOTS: usize = 16_384;
/// How long a member may be silent before the others give it up.
const NODE_TIMEOUT_MS: &str = "1000";

/// Six running servers; dropping it ends them. Members 0–2 begin as masters, 3–5 as their replicas.
pub struct RedisCluster {
    pub members: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts an empty Cluster and waits until every member calls it whole.
    pub fn start() -> Self {
        Self::start_with(&Vec::new)
    }

    /// As [`RedisCluster::start`], each member with further settings.
    pub fn start_with(further: &dyn Fn() -> Vec<String>) -> Self {
        let members: Vec<RedisServer> = (0..6)
            .map(|_| {
                let (bus, further) = (free_port().to_string(), further());
                let mut settings = vec![
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus,
                    "--cluster-node-timeout",
                    NODE_TIMEOUT_MS,
                    "--cluster-replica-validity-factor",
                    "0",
                    "--repl-diskless-sync-delay",
                    "0",
                ];
                settings.extend(further.iter().map(String::as_str));
                RedisServer::start_with(&settings)
            })
            .collect();
        let cluster = Self { members };
        let first = &cluster.members[0];
        for (at, member) in cluster.members.iter().enumerate() {
            if at > 0 {
                let (port, bus) = (member.port().to_string(), member.setting("--cluster-port"));
                let _: String = first.command(&[
                    b"CLUSTER",
                    b"MEET",
                    b"127.0.0.1",
                    port.as_bytes(),
                    bus.as_bytes(),
                ]);
            }
        }
        for (at, master) in cluster.members.iter().take(3).enumerate() {
            let (from, to) = (SLOTS * at / 3, SLOTS * (at + 1) / 3 - 1);
            let (from, to) = (from.to_string(), to.to_string());
            let _: String =
                master.command(&[b"CLUSTER", b"ADDSLOTSRANGE", from.as_bytes(), to.as_bytes()]);
        }
        until("all members know each other", || {
            cluster
                .members
                .iter()
                .all(|member| info(member, "CLUSTER INFO").contains("cluster_known_nodes:6"))
        });
        for (master, replica) in cluster.members.iter().zip(&cluster.members[3..]) {
            let id: String = master.command(&[b"CLUSTER", b"MYID"]);
            until("a replica knows its master", || {
                let nodes = info(replica, "CLUSTER NODES");
                nodes
                    .lines()
                    .any(|line| line.starts_with(&id) && !line.contains("handshake"))
            });
            let _: String = replica.command(&[b"CLUSTER", b"REPLICATE", id.as_bytes()]);
        }
        cluster.until_whole();
        until("every replica follows its master", || {
            cluster.members[3..]
                .iter()
                .all(|member| info(member, "INFO replication").contains("master_link_status:up"))
        });
        cluster
    }

    /// The addresses of all members, as the settings take them.
    pub fn urls(&self) -> String {
        let urls: Vec<String> = self.members.iter().map(RedisServer::url).collect();
        urls.join(",")
    }

    /// Waits until every member that runs calls the Cluster whole and knows a master for each slot.
    pub fn until_whole(&self) {
        until("the cluster is whole", || {
            self.running()
                .all(|member| info(member, "CLUSTER INFO").contains("cluster_state:ok"))
        });
    }

    /// The members that have not been killed.
    pub fn running(&self) -> impl Iterator<Item = &RedisServer> {
        self.members.iter().filter(|member| member.is_running())
    }

    /// The place of the master that holds the slot of a key.
    pub fn master_of(&self, key: &str) -> usize {
        let asked = self.running().next().unwrap();
        let slot: usize = asked.command(&[b"CLUSTER", b"KEYSLOT", key.as_bytes()]);
        (SLOTS * 2 / 3 <= slot) as usize + (SLOTS / 3 <= slot) as usize
    }

    /// The bucket keys on all masters.
    pub fn bucket_keys(&self) -> Vec<(usize, String)> {
        let of = |at: usize| {
            let keys: Vec<String> = self.members[at].command(&[b"KEYS", b"rt:*-*:{*"]);
            let buckets = keys.into_iter().filter(|key| !key.contains("witness"));
            buckets.map(move |key| (at, key))
        };
        (0..3).flat_map(of).collect()
    }
}

/// The text that a command of words answers with.
pub fn info(member: &RedisServer, words: &str) -> String {
    let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
    member.command(&words)
}

/// Waits for a condition of the servers, which have no other way to tell.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
