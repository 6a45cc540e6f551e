//! chitchat as it is, with the settings of its own server: its tasks wait by tokio's clock, which stands still
//! here and jumps to what is due next; its datagrams go through a transport with the delays of the event loop.

use crate::event::{Links, OVERHEAD};
use crate::heard::{Heard, LONGEST, Phase, ROUND, Round, SOURCES, source};
use async_trait::async_trait;
use chitchat::transport::{ChannelTransport, RecvOutcome, SendOutcome, Socket, Transport};
use chitchat::{
    ChitchatConfig, ChitchatEnvelope, ChitchatHandle, ChitchatId, FailureDetectorConfig, ProtocolVersion,
    spawn_chitchat,
};
use ikigai_membership::chance::Chance;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// What its server gossips by.
const GOSSIP_EVERY: Duration = Duration::from_secs(1);

struct Net {
    links: Links,
    chance: Chance,
    messages: u64,
    bytes: u64,
    /// Update, and when each node first had it.
    times: HashMap<u64, HashMap<u32, u64>>,
    zero: Instant,
}

/// Its own transport in memory, which writes and reads the bytes; delay and loss come to it here.
#[derive(Clone)]
struct Wire(Arc<Mutex<Net>>, ChannelTransport);

struct Plug {
    inner: Box<dyn Socket>,
    wire: Wire,
    under_way: mpsc::Sender<RecvOutcome>,
    arrived: mpsc::Receiver<RecvOutcome>,
}

fn address(i: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0A00_0000 + i), 7_000).into()
}

fn number(address: &SocketAddr) -> u32 {
    match address.ip() {
        std::net::IpAddr::V4(ip) => ip.to_bits() - 0x0A00_0000,
        std::net::IpAddr::V6(_) => 0,
    }
}

impl Wire {
    fn with<T>(&self, what: impl FnOnce(&mut Net) -> T) -> T {
        what(&mut self.0.lock().expect("nobody panics with it"))
    }

    /// `node` has `update`.
    fn learned(&self, node: u32, update: u64) {
        self.with(|net| {
            let now = u64::try_from(net.zero.elapsed().as_millis()).expect("short");
            net.times.entry(update).or_default().entry(node).or_insert(now);
        });
    }
}

#[async_trait]
impl Transport for Wire {
    async fn open(&self, at: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let (under_way, arrived) = mpsc::channel(1_024);
        let inner = self.1.open(at).await?;
        Ok(Box::new(Plug { inner, wire: self.clone(), under_way, arrived }))
    }
}

impl Plug {
    fn delay(&self, message: RecvOutcome) {
        let (from, to) = (number(&message.from_addr), number(&self.inner.local_addr().expect("it has one")));
        let into = self.under_way.clone();
        if let Some(delay) = self.wire.with(|net| net.links.travel(from, to, &mut net.chance)) {
            tokio::spawn(async move {
                sleep(Duration::from_millis(delay)).await;
                let _ = into.try_send(message);
            });
        }
    }
}

#[async_trait]
impl Socket for Plug {
    fn local_addr(&self) -> anyhow::Result<SocketAddr> {
        self.inner.local_addr()
    }

    async fn send(&mut self, to: SocketAddr, envelope: ChitchatEnvelope) -> anyhow::Result<SendOutcome> {
        let sent = self.inner.send(to, envelope).await?;
        self.wire.with(|net| {
            net.messages += 1;
            net.bytes += sent.num_bytes_sent as u64 + OVERHEAD;
        });
        Ok(sent)
    }

    async fn recv(&mut self) -> anyhow::Result<RecvOutcome> {
        loop {
            tokio::select! {
                message = self.inner.recv() => { let message = message?; self.delay(message); }
                Some(message) = self.arrived.recv() => return Ok(message),
            }
        }
    }
}

fn config(i: u32) -> ChitchatConfig {
    ChitchatConfig {
        chitchat_id: ChitchatId::new(format!("node-{i}"), 0, address(i)),
        cluster_id: "bench".into(),
        gossip_interval: GOSSIP_EVERY,
        listen_addr: address(i),
        seed_nodes: (0..3).map(|seed| address(seed).to_string()).collect(),
        failure_detector_config: FailureDetectorConfig::default(),
        marked_for_deletion_grace_period: Duration::from_secs(3_600),
        catchup_callback: None,
        extra_liveness_predicate: None,
        protocol_version: ProtocolVersion::V1,
    }
}

async fn node(i: u32, wire: Wire) -> ChitchatHandle {
    let handle = spawn_chitchat(config(i), Vec::new(), &wire).await.expect("a node starts");
    let chitchat = handle.chitchat();
    let listener = chitchat.lock().await.subscribe_event("a", move |event| {
        if let Some(update) = event.value.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
            wire.learned(i, update);
        }
    });
    listener.forever();
    handle
}

/// The same rounds as for the others, of updates of `bytes`.
pub fn measure(n: u32, bytes: usize, settle: u64, phases: &[Phase]) -> Vec<Heard> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(all(n, bytes, settle, phases))
}

async fn all(n: u32, bytes: usize, settle: u64, phases: &[Phase]) -> Vec<Heard> {
    let net = Net {
        links: Links::CALM,
        chance: Chance::new(7),
        messages: 0,
        bytes: 0,
        times: HashMap::new(),
        zero: Instant::now(),
    };
    let wire = Wire(Arc::new(Mutex::new(net)), ChannelTransport::default());
    let mut nodes = Vec::new();
    for i in 0..n {
        nodes.push(node(i, wire.clone()).await);
        sleep(Duration::from_micros(500 * settle / u64::from(n))).await;
    }
    sleep(Duration::from_millis(settle / 2)).await;
    let (mut update, mut heard) = (0, Vec::new());
    for phase in phases {
        let start = std::time::Instant::now();
        let links = Links { loss_percent: phase.loss_percent, retransmit: phase.retransmit, ..Links::CALM };
        wire.with(|net| net.links = links);
        let before = wire.with(|net| (net.messages, net.bytes));
        sleep(Duration::from_millis(ROUND)).await;
        let idle = wire.with(|net| (net.messages - before.0, net.bytes - before.1));
        let mut rounds = Vec::new();
        for _ in 0..phase.rounds {
            update += 1;
            rounds.push(round(&wire, &nodes, bytes, update, idle).await);
        }
        let idle = idle.1 as f64 / f64::from(n) / (ROUND as f64 / 1_000.0);
        let all = Heard { protocol: "chitchat", n, phase: phase.name, idle, rounds };
        all.tell(start.elapsed().as_secs_f64());
        heard.push(all);
    }
    heard
}

async fn round(wire: &Wire, nodes: &[ChitchatHandle], bytes: usize, number: u64, idle: (u64, u64)) -> Round {
    let n = u32::try_from(nodes.len()).expect("few");
    let (start, before) = (Instant::now(), wire.with(|net| (net.messages, net.bytes)));
    let mut told = Vec::new();
    for s in 0..SOURCES {
        let from = source(s, n);
        let update = u64::from(from) << 32 | number;
        let value = format!("{update:0bytes$x}").into_bytes();
        let value = String::from_utf8([&value[bytes - 16..], &value[..bytes - 16]].concat()).expect("digits");
        told.push((update, wire.with(|net| net.zero.elapsed())));
        nodes[from as usize].with_chitchat(|chitchat| chitchat.self_node_state().set("a", &value)).await;
        wire.learned(from, update);
        sleep(Duration::from_millis(500)).await;
    }
    let everywhere = |net: &Net| told.iter().all(|(update, _)| net.times[update].len() == nodes.len());
    while !wire.with(|net| everywhere(net)) && start.elapsed() < Duration::from_millis(LONGEST) {
        sleep(Duration::from_millis(100)).await;
    }
    sleep(Duration::from_millis(ROUND).saturating_sub(start.elapsed())).await;
    let span = start.elapsed().as_secs_f64() * 1_000.0 / ROUND as f64;
    let times: Vec<Vec<u64>> = told.iter().map(|(update, at)| since(wire, *update, *at)).collect();
    let more = |after: u64, before: u64, idle: u64| (after - before) as f64 - idle as f64 * span;
    let after = wire.with(|net| (net.messages, net.bytes));
    Round::new(n, &times, more(after.0, before.0, idle.0), more(after.1, before.1, idle.1))
}

fn since(wire: &Wire, update: u64, at: Duration) -> Vec<u64> {
    let at = u64::try_from(at.as_millis()).expect("short");
    let times = wire.with(|net| net.times[&update].values().map(|t| t - at).collect::<Vec<u64>>());
    let mut times = times;
    times.sort_unstable();
    times
}
