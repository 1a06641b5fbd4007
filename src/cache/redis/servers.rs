//! The Redis servers of a cache: one, or the masters of a Cluster.
//!
//! The client library's own Cluster connection takes pipelines of a single slot alone and reconnects silently. A bulk
//! look-up goes to a thousand slots, and a lost connection must cost the trust, so commands are routed here: one pipeline
//! for each master, on the library's multiplexed connections.
//!
//! A slot that has moved answers with the server that holds it now. That is followed once, and only to a master that the
//! last upkeep knew and whose witness it has seen; everything else is a miss until the next upkeep, half a second later.

use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::join_all;
use redis::{
    Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline, TlsCertificates,
    Value, cmd,
};

use super::RedisOptions;
use super::node::{Call, Node, Shared};
use super::slots::{SLOTS, SlotRange, slot_of_bucket, slot_ranges};
use crate::cache::{BUCKETS, CacheError};

/// A command and the slot of its key.
pub(super) type Routed = (u16, Cmd);

/// What a command came to; a refusal is [`Value::ServerError`].
pub(super) type Reply = Result<Value, CacheError>;

/// The servers, as the last upkeep found them.
pub(super) struct Servers {
    seeds: Vec<ConnectionInfo>,
    shape: RwLock<Arc<Shape>>,
    shared: Arc<Shared>,
}

/// One server or a Cluster.
pub(super) enum Shape {
    /// Nobody was asked yet.
    Unknown,
    /// One server.
    Single(Box<Node>),
    /// The masters of a Cluster.
    Cluster(Cluster),
}

/// The masters of a Cluster.
pub(super) struct Cluster {
    ranges: Vec<SlotRange>,
    masters: Vec<Master>,
    /// By slot, the place in `masters`; one beyond the end where nobody holds the slot.
    holders: Vec<u16>,
}

/// A master, and one of the buckets in its slots.
#[derive(Clone)]
pub(super) struct Master {
    pub(super) node: Arc<Node>,
    pub(super) bucket: Option<u16>,
}

impl Servers {
    /// Checks the addresses, which are separated by commas; several are members of one Cluster.
    pub(super) fn new(options: &RedisOptions, shared: Arc<Shared>) -> Result<Self, CacheError> {
        let authorities = options.authorities.as_deref();
        let seeds = options
            .url
            .split(',')
            .map(|url| seed(url.trim(), authorities))
            .collect::<Result<Vec<_>, _>>()?;
        for seed in &seeds {
            if !seed.addr().is_supported() {
                return Err(CacheError::Address(format!(
                    "`{}` needs a kind of connection that this build has not got",
                    seed.addr()
                )));
            }
        }
        Ok(Self {
            seeds,
            shape: RwLock::new(Arc::new(Shape::Unknown)),
            shared,
        })
    }

    /// The servers as they were last found.
    pub(super) fn shape(&self) -> Arc<Shape> {
        Arc::clone(&self.shape.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the servers who holds which slots; part of every upkeep.
    pub(super) async fn look(&self) -> Result<Arc<Shape>, CacheError> {
        let shape = self.shape();
        let masters = match shape.as_ref() {
            Shape::Single(_) => return Ok(shape),
            Shape::Unknown => &[][..],
            Shape::Cluster(cluster) => &cluster.masters,
        };
        let mut last = CacheError::Unavailable("no server of the cluster answers".to_owned());
        for master in masters {
            match self.ask(&master.node, master.node.address()).await {
                Ok(Some(ranges)) => return self.found(&shape, ranges),
                Ok(None) => {}
                Err(error) => last = error,
            }
        }
        for seed in &self.seeds {
            let node = Node::new(seed.clone(), Arc::clone(&self.shared))?;
            match self.ask(&node, &seed.addr().to_string()).await {
                Ok(Some(ranges)) => return self.found(&shape, ranges),
                Ok(None) if self.seeds.len() == 1 => {
                    return Ok(self.keep(Shape::Single(Box::new(node))));
                }
                Ok(None) => {
                    last = CacheError::Unavailable(format!(
                        "`{}` is no member of a cluster, though several addresses are given",
                        seed.addr()
                    ));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The slots as one server tells them; nothing from a server that belongs to no Cluster.
    async fn ask(&self, node: &Node, address: &str) -> Result<Option<Vec<SlotRange>>, CacheError> {
        let mut question = cmd("CLUSTER");
        question.arg("SLOTS");
        let answer = node.send_one(Call::Upkeep, &question).await?;
        if let Value::ServerError(error) = &answer {
            let why = error.details().unwrap_or_default();
            return match error.code() {
                "ERR" if why.contains("cluster support disabled") => Ok(None),
                // A user that may not ask, and a server that knows no such question, are taken at their address.
                "NOPERM" => Ok(None),
                "ERR" if why.contains("unknown command") => Ok(None),
                code => Err(CacheError::Unavailable(format!("{code} {why}"))),
            };
        }
        let mut ranges = slot_ranges(&answer).ok_or_else(|| {
            CacheError::Unavailable("the answer to CLUSTER SLOTS cannot be read".to_owned())
        })?;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        for range in &mut ranges {
            if range.host.is_empty() {
                host.clone_into(&mut range.host);
            }
        }
        ranges.sort_by_key(|range| range.first);
        Ok(Some(ranges))
    }

    fn found(&self, before: &Arc<Shape>, ranges: Vec<SlotRange>) -> Result<Arc<Shape>, CacheError> {
        let known = match before.as_ref() {
            Shape::Cluster(cluster) if cluster.ranges == ranges => return Ok(Arc::clone(before)),
            Shape::Cluster(cluster) => cluster.masters.as_slice(),
            Shape::Unknown | Shape::Single(_) => &[],
        };
        let seed = self
            .seeds
            .first()
            .ok_or_else(|| CacheError::Address("is empty".to_owned()))?;
        let mut masters: Vec<Master> = Vec::new();
        let nobody = u16::MAX;
        let mut holders = vec![nobody; SLOTS];
        for range in &ranges {
            let info = member(seed, range);
            let address = info.addr().to_string();
            let same = |master: &&Master| master.node.address() == address;
            let at = match masters.iter().position(|master| same(&master)) {
                Some(at) => at,
                None => {
                    let node = match known.iter().find(same) {
                        Some(master) => Arc::clone(&master.node),
                        None => Arc::new(Node::new(info, Arc::clone(&self.shared))?),
                    };
                    masters.push(Master { node, bucket: None });
                    masters.len() - 1
                }
            };
            let at = u16::try_from(at).unwrap_or(nobody);
            for slot in range.first..=range.last {
                if let Some(holder) = holders.get_mut(usize::from(slot)) {
                    *holder = at;
                }
            }
        }
        // Slots leave a master from its first on, so the bucket in its last slot stays longest.
        for bucket in 0..BUCKETS {
            let slot = slot_of_bucket(bucket);
            let holder = holders.get(usize::from(slot));
            let master = holder.and_then(|at| masters.get_mut(usize::from(*at)));
            if let Some(master) = master
                && master.bucket.is_none_or(|last| slot > slot_of_bucket(last))
            {
                master.bucket = Some(bucket);
            }
        }
        tracing::info!(
            masters = masters.len(),
            "the members of the redis cluster are known"
        );
        Ok(self.keep(Shape::Cluster(Cluster {
            ranges,
            masters,
            holders,
        })))
    }

    fn keep(&self, shape: Shape) -> Arc<Shape> {
        let shape = Arc::new(shape);
        *self.shape.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&shape);
        shape
    }

    /// Sends one command to the server of its slot.
    pub(super) async fn one(&self, call: Call, (slot, command): Routed) -> Reply {
        let shape = self.shape();
        match shape.as_ref() {
            Shape::Unknown => Err(unknown()),
            Shape::Single(node) => node.send_one(call, &command).await,
            Shape::Cluster(cluster) => {
                let node = cluster.holder(slot)?;
                let answer = node.send_one(call, &command).await?;
                match cluster.elsewhere(&answer) {
                    Some((node, asking)) => resend(call, node, asking, command).await,
                    None => Ok(answer),
                }
            }
        }
    }

    /// Sends commands to the servers of their slots, one pipeline each, side by side. The replies come in the order of
    /// the commands; a server that fails costs its own commands only.
    pub(super) async fn each(&self, call: Call, commands: Vec<Routed>) -> Vec<Reply> {
        let shape = self.shape();
        let count = commands.len();
        match shape.as_ref() {
            Shape::Unknown => vec![Err(unknown()); count],
            Shape::Single(node) => {
                let mut pipeline = Pipeline::with_capacity(count);
                for (_, command) in commands {
                    pipeline.add_command(command);
                }
                match node.send(call, &pipeline).await {
                    Ok(answers) => answers.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error); count],
                }
            }
            Shape::Cluster(cluster) => cluster.each(call, commands).await,
        }
    }

    /// Sends one command to every server.
    pub(super) async fn everywhere(&self, call: Call, command: &Cmd) -> Result<(), CacheError> {
        match self.shape().as_ref() {
            Shape::Unknown => Err(unknown()),
            Shape::Single(node) => accepted(node.send_one(call, command).await),
            Shape::Cluster(cluster) => {
                let sent = cluster
                    .masters
                    .iter()
                    .map(|master| master.node.send_one(call, command));
                join_all(sent).await.into_iter().try_for_each(accepted)
            }
        }
    }
}

impl Cluster {
    /// All masters.
    pub(super) fn masters(&self) -> &[Master] {
        &self.masters
    }

    fn holder(&self, slot: u16) -> Result<&Node, CacheError> {
        let at = self.place(slot);
        let master = self.masters.get(at);
        master.map(|master| master.node.as_ref()).ok_or_else(|| {
            CacheError::Unavailable(format!("no server of the cluster holds slot {slot}"))
        })
    }

    fn place(&self, slot: u16) -> usize {
        let at = self.holders.get(usize::from(slot)).copied();
        usize::from(at.unwrap_or(u16::MAX))
    }

    async fn each(&self, call: Call, commands: Vec<Routed>) -> Vec<Reply> {
        let mut replies: Vec<Reply> = vec![
            Err(CacheError::Unavailable(
                "no server of the cluster holds this slot".to_owned()
            ));
            commands.len()
        ];
        let mut parts: Vec<(Pipeline, Vec<usize>)> = Vec::new();
        parts.resize_with(self.masters.len(), Default::default);
        for (at, (slot, command)) in commands.into_iter().enumerate() {
            if let Some((pipeline, places)) = parts.get_mut(self.place(slot)) {
                pipeline.add_command(command);
                places.push(at);
            }
        }
        let sent = self
            .masters
            .iter()
            .zip(&parts)
            .filter(|(_, (_, places))| !places.is_empty())
            .map(async |(master, (pipeline, places))| {
                (master.node.send(call, pipeline).await, pipeline, places)
            });
        let mut moved = Vec::new();
        for (answers, pipeline, places) in join_all(sent).await {
            match answers {
                Ok(answers) => {
                    let commands = pipeline.cmd_iter();
                    for ((at, command), answer) in places.iter().zip(commands).zip(answers) {
                        if let Some((node, asking)) = self.elsewhere(&answer) {
                            moved.push((*at, node, asking, command.clone()));
                        }
                        if let Some(place) = replies.get_mut(*at) {
                            *place = Ok(answer);
                        }
                    }
                }
                Err(error) => {
                    for at in places {
                        if let Some(place) = replies.get_mut(*at) {
                            *place = Err(error.clone());
                        }
                    }
                }
            }
        }
        let again = moved.into_iter().map(async |(at, node, asking, command)| {
            (at, resend(call, node, asking, command).await)
        });
        for (at, reply) in join_all(again).await {
            if let Some(place) = replies.get_mut(at) {
                *place = reply;
            }
        }
        replies
    }

    /// The known master that a refusal points to, and whether it is to be asked in passing only.
    fn elsewhere(&self, answer: &Value) -> Option<(&Node, bool)> {
        let Value::ServerError(error) = answer else {
            return None;
        };
        let asking = match error.code() {
            "ASK" => true,
            "MOVED" => false,
            _ => return None,
        };
        let address = error.details()?.split_ascii_whitespace().nth(1)?;
        let known = |master: &&Master| master.node.address() == address;
        let master = self.masters.iter().find(known)?;
        Some((&master.node, asking))
    }
}

async fn resend(call: Call, node: &Node, asking: bool, command: Cmd) -> Reply {
    if !asking {
        return node.send_one(call, &command).await;
    }
    let mut pipeline = Pipeline::with_capacity(2);
    pipeline.add_command(cmd("ASKING"));
    pipeline.add_command(command);
    let answers = node.send(call, &pipeline).await?;
    answers
        .into_iter()
        .nth(1)
        .ok_or_else(|| CacheError::Unavailable("an answer is missing".to_owned()))
}

/// A given address, with the authorities that its certificate may come from.
fn seed(url: &str, authorities: Option<&[u8]>) -> Result<ConnectionInfo, CacheError> {
    let unusable = |error: redis::RedisError| CacheError::Address(error.to_string());
    let info = url.into_connection_info().map_err(unusable)?;
    let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    match authorities {
        None => Ok(info),
        Some(_) if !is_tls => Err(CacheError::Address(format!(
            "`{}` is no address with TLS, though authorities are given; write `rediss://`",
            info.addr()
        ))),
        Some(pem) => {
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: Some(pem.to_vec()),
            };
            let client = Client::build_with_tls(info, certificates).map_err(unusable)?;
            Ok(client.get_connection_info().clone())
        }
    }
}

/// How a member of a Cluster is reached: as the first address, but at its own host and port.
fn member(seed: &ConnectionInfo, range: &SlotRange) -> ConnectionInfo {
    let (host, port) = (range.host.clone(), range.port);
    let address = match seed.addr() {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    };
    seed.clone().set_addr(address)
}

/// What a command that only has to be taken came to.
pub(super) fn accepted(reply: Reply) -> Result<(), CacheError> {
    match reply? {
        Value::ServerError(error) => Err(CacheError::Unavailable(error.to_string())),
        _ => Ok(()),
    }
}

fn unknown() -> CacheError {
    CacheError::Unavailable("nobody was asked yet".to_owned())
}
