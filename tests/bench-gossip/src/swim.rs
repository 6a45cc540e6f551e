//! SWIM with Lifeguard as memberlist has it and serf configures it for a LAN, as a rule in the event loop: its
//! code is Go and waits by the machine's clock. What is here is written after memberlist 0.5 (`state.go`,
//! `suspicion.go`, `awareness.go`, `queue.go`). Left out: joining, and the comparison of whole tables every 30 s
//! (every 300 s at 10,000 nodes).

use crate::event::{Event, Mesh, Out};
use ikigai_membership::chance::Chance;
use std::collections::HashMap;

const PROBE_EVERY: u64 = 1_000;
const PROBE_TIMEOUT: u64 = 500;
const INDIRECT: usize = 3;
const SUSPICION_MULT: f64 = 4.0;
const SUSPICION_MAX_MULT: f64 = 6.0;
const RETRANSMIT_MULT: f64 = 4.0;
const GOSSIP_EVERY: u64 = 200;
const GOSSIP_TO: usize = 3;
const HEALTH_MAX: u64 = 8;
const PACKET: usize = 1_400;
/// A message about a node: type, number, and two names of some ten letters, in MessagePack with field names.
const NEWS: usize = 58;
/// A ping, its answer, a question for another, in the same.
const PING: usize = 70;

/// What is told of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Suspect { about: u32, incarnation: u32, by: u32 },
    Dead { about: u32, incarnation: u32 },
    Alive { about: u32, incarnation: u32 },
}

impl News {
    const fn about(&self) -> u32 {
        match self {
            Self::Suspect { about, .. } | Self::Dead { about, .. } | Self::Alive { about, .. } => *about,
        }
    }
}

/// A datagram, or a question over a stream, with the news that ride on it.
pub enum Packet {
    Ping {
        seq: u32,
        news: Vec<News>,
    },
    /// A ping over a stream; the round trip of its handshake is left out.
    PingStream {
        seq: u32,
    },
    Ack {
        seq: u32,
        news: Vec<News>,
    },
    AckStream {
        seq: u32,
    },
    Indirect {
        seq: u32,
        target: u32,
        news: Vec<News>,
    },
    Nack {
        seq: u32,
    },
    Gossip {
        news: Vec<News>,
    },
}

enum Timer {
    Probe,
    /// The direct answer to this question is late.
    Timeout(u32),
    /// The time of this question is over.
    End(u32),
    /// A question for another is late: tell it so.
    Nack(u32),
    Gossip,
    /// The time of the suspicion number so and so of this node is over.
    Suspicion(u32, u32),
}

#[derive(Default, Clone, Copy)]
struct State {
    incarnation: u32,
    dead: bool,
}

struct Suspicion {
    number: u32,
    since: u64,
    incarnation: u32,
    by: Vec<u32>,
}

struct Probe {
    target: u32,
    relays: usize,
    nacks: usize,
}

struct Node {
    incarnation: u32,
    health: u64,
    seq: u32,
    /// What differs from alive in its first life.
    known: HashMap<u32, State>,
    suspicions: HashMap<u32, Suspicion>,
    probes: HashMap<u32, Probe>,
    /// Own question for another: who asked, and by what number.
    relayed: HashMap<u32, (u32, u32)>,
    queue: Vec<(News, u32)>,
    gossiping: bool,
    /// Where it is in its round over all, which has a start and a stride of its own each time.
    round: (u64, u64, u64),
}

/// `n` nodes that know each other.
pub struct Swim {
    n: u32,
    nodes: Vec<Node>,
    chance: Chance,
    timers: HashMap<u64, Timer>,
    count: u64,
    limit: u32,
    suspicions: u32,
}

impl Swim {
    pub fn new(n: u32, seed: u64) -> Self {
        let node = || Node {
            incarnation: 1,
            health: 0,
            seq: 0,
            known: HashMap::new(),
            suspicions: HashMap::new(),
            probes: HashMap::new(),
            relayed: HashMap::new(),
            queue: Vec::new(),
            gossiping: false,
            round: (0, 0, 1),
        };
        let limit = RETRANSMIT_MULT * (f64::from(n) + 1.0).log10().ceil();
        Self {
            n,
            nodes: (0..n).map(|_| node()).collect(),
            chance: Chance::new(seed),
            timers: HashMap::new(),
            count: 0,
            // Exact: at most 4 · 10.
            limit: limit as u32,
            suspicions: 0,
        }
    }

    fn set<M>(&mut self, at: u64, timer: Timer, out: &mut Out<M>) {
        self.count += 1;
        self.timers.insert(self.count, timer);
        out.timers.push((at, self.count));
    }

    fn state(&self, node: u32, about: u32) -> State {
        let state = self.nodes[node as usize].known.get(&about).copied();
        state.unwrap_or(State { incarnation: 1, dead: false })
    }

    /// Suspicion: how long, by how many confirm it.
    fn patience(&self, confirmed: usize) -> u64 {
        let n = f64::from(self.n);
        let min = SUSPICION_MULT * n.log10().max(1.0) * PROBE_EVERY as f64;
        let wanted = if self.n < 4 { 0.0 } else { SUSPICION_MULT - 2.0 };
        if wanted < 1.0 {
            return min as u64;
        }
        let max = SUSPICION_MAX_MULT * min;
        let part = (confirmed as f64 + 1.0).ln() / (wanted + 1.0_f64).ln();
        (max - part * (max - min)).max(min) as u64
    }

    /// Puts it into the queue, in place of what was said of the same node before.
    fn tell(&mut self, node: u32, news: News, now: u64, out: &mut Out<Packet>) {
        let me = &mut self.nodes[node as usize];
        me.queue.retain(|(old, _)| old.about() != news.about());
        me.queue.push((news, 0));
        if !std::mem::replace(&mut me.gossiping, true) {
            let at = now + self.chance.millis(GOSSIP_EVERY - 1);
            self.set(at, Timer::Gossip, out);
        }
    }

    /// News for a packet of which `used` bytes are taken.
    fn news(&mut self, node: u32, used: usize) -> Vec<News> {
        let limit = self.limit;
        let queue = &mut self.nodes[node as usize].queue;
        queue.sort_by_key(|(_, sent)| *sent);
        let fit = ((PACKET - used) / (NEWS + 2)).min(queue.len());
        let news = queue[..fit].iter().map(|(news, _)| *news).collect();
        queue[..fit].iter_mut().for_each(|(_, sent)| *sent += 1);
        queue.retain(|(_, sent)| *sent < limit);
        news
    }

    fn health(&mut self, node: u32, by: i64) {
        let me = &mut self.nodes[node as usize];
        me.health = me.health.saturating_add_signed(by).min(HEALTH_MAX - 1);
    }

    fn next_target(&mut self, node: u32) -> Option<u32> {
        for _ in 0..self.n {
            let n = u64::from(self.n);
            let (start, stride) = (self.chance.bits() % n, self.coprime());
            let round = &mut self.nodes[node as usize].round;
            if round.0 == 0 {
                *round = (n, start, stride);
            }
            round.0 -= 1;
            let target = u32::try_from((round.1 + round.0 * round.2) % n).expect("below n");
            if target != node && !self.state(node, target).dead {
                return Some(target);
            }
        }
        None
    }

    fn coprime(&mut self) -> u64 {
        let n = u64::from(self.n);
        loop {
            let stride = 1 + self.chance.bits() % n;
            let (mut a, mut b) = (n, stride);
            while b != 0 {
                (a, b) = (b, a % b);
            }
            if a == 1 {
                return stride;
            }
        }
    }

    fn others(&mut self, node: u32, wanted: usize, but: u32) -> Vec<u32> {
        let mut found = Vec::new();
        for _ in 0..3 * wanted.max(GOSSIP_TO) {
            let other = u32::try_from(self.chance.below(self.n as usize)).expect("below n");
            if found.len() < wanted && other != node && other != but && !found.contains(&other) {
                found.push(other);
            }
        }
        found
    }

    fn probe(&mut self, node: u32, now: u64, out: &mut Out<Packet>) {
        let every = PROBE_EVERY * (1 + self.nodes[node as usize].health);
        self.set(now + every, Timer::Probe, out);
        let Some(target) = self.next_target(node) else { return };
        let me = &mut self.nodes[node as usize];
        me.seq += 1;
        let seq = me.seq;
        me.probes.insert(seq, Probe { target, relays: 0, nacks: 0 });
        let mut news = self.news(node, PING);
        // One that is suspected is told so, that it can contradict.
        if let Some(suspicion) = self.nodes[node as usize].suspicions.get(&target) {
            news.push(News::Suspect { about: target, incarnation: suspicion.incarnation, by: node });
        }
        out.sends.push((target, Packet::Ping { seq, news }));
        self.set(now + PROBE_TIMEOUT, Timer::Timeout(seq), out);
        self.set(now + every, Timer::End(seq), out);
    }

    fn ask_others(&mut self, node: u32, seq: u32, out: &mut Out<Packet>) {
        let Some(target) = self.nodes[node as usize].probes.get(&seq).map(|probe| probe.target) else {
            return;
        };
        let mut relays = self.others(node, INDIRECT, target);
        relays.retain(|relay| !self.state(node, *relay).dead);
        if let Some(probe) = self.nodes[node as usize].probes.get_mut(&seq) {
            probe.relays = relays.len();
        }
        for relay in relays {
            let news = self.news(node, PING);
            out.sends.push((relay, Packet::Indirect { seq, target, news }));
        }
        out.streams.push((target, Packet::PingStream { seq }));
    }

    fn give_up(&mut self, node: u32, seq: u32, now: u64, out: &mut Out<Packet>) {
        let Some(probe) = self.nodes[node as usize].probes.remove(&seq) else { return };
        let missed = probe.relays.saturating_sub(probe.nacks);
        let worse = if probe.relays == 0 { 1 } else { missed };
        self.health(node, i64::try_from(worse).expect("few"));
        let incarnation = self.state(node, probe.target).incarnation;
        let news = News::Suspect { about: probe.target, incarnation, by: node };
        self.hear(node, news, now, out);
    }

    fn hear(&mut self, node: u32, news: News, now: u64, out: &mut Out<Packet>) {
        if news.about() == node {
            return self.refute(node, news, now, out);
        }
        let state = self.state(node, news.about());
        match news {
            News::Suspect { about, incarnation, by } => {
                if incarnation >= state.incarnation && !state.dead {
                    self.suspect(node, about, incarnation, by, now, out);
                }
            }
            News::Dead { about, incarnation } => {
                if incarnation >= state.incarnation && !state.dead {
                    let me = &mut self.nodes[node as usize];
                    me.suspicions.remove(&about);
                    me.known.insert(about, State { incarnation, dead: true });
                    out.deaths.push((about, true));
                    self.tell(node, news, now, out);
                }
            }
            News::Alive { about, incarnation } => {
                if incarnation > state.incarnation {
                    let me = &mut self.nodes[node as usize];
                    me.suspicions.remove(&about);
                    me.known.insert(about, State { incarnation, dead: false });
                    if state.dead {
                        out.deaths.push((about, false));
                    }
                    self.tell(node, news, now, out);
                }
            }
        }
    }

    fn refute(&mut self, node: u32, news: News, now: u64, out: &mut Out<Packet>) {
        let (News::Suspect { incarnation, .. } | News::Dead { incarnation, .. }) = news else { return };
        if incarnation < self.nodes[node as usize].incarnation {
            return;
        }
        self.nodes[node as usize].incarnation = incarnation + 1;
        self.health(node, 1);
        self.tell(node, News::Alive { about: node, incarnation: incarnation + 1 }, now, out);
    }

    fn suspect(&mut self, node: u32, about: u32, incarnation: u32, by: u32, now: u64, out: &mut Out<Packet>) {
        let news = News::Suspect { about, incarnation, by };
        let me = &mut self.nodes[node as usize];
        if let Some(suspicion) = me.suspicions.get_mut(&about) {
            // Two confirm at most; each is told on, and shortens the time.
            if suspicion.by.len() > 2 || suspicion.by.contains(&by) {
                return;
            }
            suspicion.by.push(by);
            let (number, since, confirmed) = (suspicion.number, suspicion.since, suspicion.by.len() - 1);
            let at = (since + self.patience(confirmed)).max(now);
            self.set(at, Timer::Suspicion(about, number), out);
        } else {
            self.suspicions += 1;
            let number = self.suspicions;
            let suspicion = Suspicion { number, since: now, incarnation, by: vec![by] };
            self.nodes[node as usize].suspicions.insert(about, suspicion);
            let at = now + self.patience(0);
            self.set(at, Timer::Suspicion(about, number), out);
        }
        self.tell(node, news, now, out);
    }

    fn suspicion_over(&mut self, node: u32, about: u32, number: u32, now: u64, out: &mut Out<Packet>) {
        let Some(suspicion) = self.nodes[node as usize].suspicions.get(&about) else { return };
        let patience = self.patience(suspicion.by.len() - 1);
        if suspicion.number == number && now >= suspicion.since + patience {
            let incarnation = suspicion.incarnation;
            self.hear(node, News::Dead { about, incarnation }, now, out);
        }
    }

    fn gossip(&mut self, node: u32, now: u64, out: &mut Out<Packet>) {
        for to in self.others(node, GOSSIP_TO, node) {
            let news = self.news(node, 2);
            if !news.is_empty() {
                out.sends.push((to, Packet::Gossip { news }));
            }
        }
        let me = &mut self.nodes[node as usize];
        me.gossiping = !me.queue.is_empty();
        if me.gossiping {
            self.set(now + GOSSIP_EVERY, Timer::Gossip, out);
        }
    }

    fn answered(&mut self, node: u32, seq: u32, out: &mut Out<Packet>) {
        if self.nodes[node as usize].probes.remove(&seq).is_some() {
            self.health(node, -1);
        }
        if let Some((origin, theirs)) = self.nodes[node as usize].relayed.remove(&seq) {
            let news = self.news(node, PING);
            out.sends.push((origin, Packet::Ack { seq: theirs, news }));
        }
    }

    fn receive(&mut self, node: u32, from: u32, packet: Packet, now: u64, out: &mut Out<Packet>) {
        let news = match packet {
            Packet::Ping { seq, news } => {
                let answer = self.news(node, PING);
                out.sends.push((from, Packet::Ack { seq, news: answer }));
                news
            }
            Packet::PingStream { seq } => {
                out.streams.push((from, Packet::AckStream { seq }));
                Vec::new()
            }
            Packet::Ack { seq, news } => {
                self.answered(node, seq, out);
                news
            }
            Packet::AckStream { seq } => {
                self.answered(node, seq, out);
                Vec::new()
            }
            Packet::Indirect { seq, target, news } => {
                let me = &mut self.nodes[node as usize];
                me.seq += 1;
                let mine = me.seq;
                me.relayed.insert(mine, (from, seq));
                let ride = self.news(node, PING);
                out.sends.push((target, Packet::Ping { seq: mine, news: ride }));
                self.set(now + PROBE_TIMEOUT * 4 / 5, Timer::Nack(mine), out);
                news
            }
            Packet::Nack { seq } => {
                if let Some(probe) = self.nodes[node as usize].probes.get_mut(&seq) {
                    probe.nacks += 1;
                }
                Vec::new()
            }
            Packet::Gossip { news } => news,
        };
        news.into_iter().for_each(|news| self.hear(node, news, now, out));
    }

    fn due(&mut self, node: u32, timer: Timer, now: u64, out: &mut Out<Packet>) {
        match timer {
            Timer::Probe => self.probe(node, now, out),
            Timer::Timeout(seq) => self.ask_others(node, seq, out),
            Timer::End(seq) => self.give_up(node, seq, now, out),
            Timer::Nack(mine) => {
                if let Some((origin, seq)) = self.nodes[node as usize].relayed.get(&mine).copied() {
                    out.sends.push((origin, Packet::Nack { seq }));
                }
            }
            Timer::Gossip => self.gossip(node, now, out),
            Timer::Suspicion(about, number) => self.suspicion_over(node, about, number, now, out),
        }
    }
}

impl Mesh for Swim {
    type Message = Packet;

    fn handle(&mut self, node: u32, event: Event<Packet>, now: u64, out: &mut Out<Packet>) {
        match event {
            Event::Start => {
                let at = now + self.chance.millis(PROBE_EVERY);
                self.set(at, Timer::Probe, out);
            }
            Event::Message(from, packet) => self.receive(node, from, packet, now, out),
            Event::Timer(token) => {
                if let Some(timer) = self.timers.remove(&token) {
                    self.due(node, timer, now, out);
                }
            }
            Event::Publish(_) => {}
        }
    }

    fn size(&self, packet: &Packet) -> usize {
        let with = |news: &Vec<News>| PING + news.len() * (NEWS + 2);
        match packet {
            Packet::Ping { news, .. } | Packet::Ack { news, .. } | Packet::Indirect { news, .. } => {
                with(news)
            }
            Packet::Gossip { news } => 2 + news.len() * (NEWS + 2),
            // A handshake and an end of a stream come to it.
            Packet::PingStream { .. } | Packet::AckStream { .. } => PING + 120,
            Packet::Nack { .. } => 20,
        }
    }
}
