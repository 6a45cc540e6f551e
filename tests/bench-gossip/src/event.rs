//! The event loop all protocols run in: virtual milliseconds, links with delay and loss, and what was learned.

use ikigai_membership::chance::{Chance, mix};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What UDP and IP add to every message; streams add about as much.
pub const OVERHEAD: u64 = 28;

/// All nodes of one protocol.
pub trait Mesh {
    type Message;
    /// Applies one event to one node.
    fn handle(&mut self, node: u32, event: Event<Self::Message>, now: u64, out: &mut Out<Self::Message>);
    /// Bytes on the wire, without [`OVERHEAD`].
    fn size(&self, message: &Self::Message) -> usize;
}

pub enum Event<M> {
    Start,
    Message(u32, M),
    Timer(u64),
    /// Tell everyone these bytes, which are update `0`.
    Publish(u64),
}

/// What a node does in one event.
pub struct Out<M> {
    pub sends: Vec<(u32, M)>,
    /// The same over a stream: what is lost comes later.
    pub streams: Vec<(u32, M)>,
    /// When, and what the node calls it.
    pub timers: Vec<(u64, u64)>,
    /// Updates that arrived.
    pub updates: Vec<u64>,
    /// Who is believed dead (true) or not any more.
    pub deaths: Vec<(u32, bool)>,
}

impl<M> Out<M> {
    const fn new() -> Self {
        Self {
            sends: Vec::new(),
            streams: Vec::new(),
            timers: Vec::new(),
            updates: Vec::new(),
            deaths: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Links {
    pub loss_percent: u64,
    /// A lost message comes later instead of never, as over TCP or QUIC.
    pub retransmit: bool,
    /// Least and greatest delay one way; each pair of nodes has its own.
    pub delay: (u64, u64),
}

impl Links {
    pub const CALM: Self = Self { loss_percent: 0, retransmit: false, delay: (10, 50) };

    /// How long a message is under way, `None` if it is lost.
    pub fn travel(&self, from: u32, to: u32, chance: &mut Chance) -> Option<u64> {
        let mut delay = self.delay(from, to);
        while chance.bits() % 100 < self.loss_percent {
            if !self.retransmit {
                return None;
            }
            // Noticed after one and a half round trips, and sent once more.
            delay += 3 * self.delay(from, to);
        }
        Some(delay)
    }

    fn delay(&self, a: u32, b: u32) -> u64 {
        let (low, high) = (a.min(b), a.max(b));
        self.delay.0 + mix(u64::from(low) << 32 | u64::from(high)) % (self.delay.1 - self.delay.0 + 1)
    }
}

/// How one update went.
pub struct Progress {
    pub update: u64,
    pub start: u64,
    seen: Vec<bool>,
    /// When each node that has it got it, in order.
    pub times: Vec<u64>,
}

pub struct World<P: Mesh> {
    pub mesh: P,
    pub links: Links,
    pub now: u64,
    pub chance: Chance,
    pub down: Vec<bool>,
    /// Until when a node neither reads nor wakes.
    pub asleep: Vec<u64>,
    pub messages: u64,
    pub bytes: u64,
    pub watched: Vec<Progress>,
    /// When, who, about whom, dead or not any more.
    pub deaths: Vec<(u64, u32, u32, bool)>,
    heap: BinaryHeap<Reverse<(u64, u64, u32, u32)>>,
    /// Events by number; freed numbers are used again.
    events: Vec<Option<Event<P::Message>>>,
    free: Vec<u32>,
    count: u64,
}

impl<P: Mesh> World<P> {
    pub fn new(n: u32, mesh: P, links: Links, seed: u64) -> Self {
        Self {
            mesh,
            links,
            now: 1_000,
            chance: Chance::new(seed),
            down: vec![false; n as usize],
            asleep: vec![0; n as usize],
            messages: 0,
            bytes: 0,
            watched: Vec::new(),
            deaths: Vec::new(),
            heap: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            count: 0,
        }
    }

    pub fn nodes(&self) -> u32 {
        u32::try_from(self.down.len()).expect("fewer than 2^32 nodes")
    }

    /// Starts all nodes, one after another within `ms`.
    pub fn start(&mut self, ms: u64) {
        let n = self.down.len() as u64;
        for node in 0..self.nodes() {
            self.schedule(self.now + ms * u64::from(node) / n, node, Event::Start);
        }
        self.run(ms);
    }

    pub fn schedule(&mut self, at: u64, node: u32, event: Event<P::Message>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            u32::try_from(self.events.len() - 1).expect("fewer than 2^32 events")
        });
        self.events[slot as usize] = Some(event);
        self.count += 1;
        self.heap.push(Reverse((at, self.count, node, slot)));
    }

    pub fn act(&mut self, node: u32, event: Event<P::Message>) {
        if self.down[node as usize] {
            return;
        }
        if self.asleep[node as usize] > self.now {
            return self.schedule(self.asleep[node as usize], node, event);
        }
        let mut out = Out::new();
        self.mesh.handle(node, event, self.now, &mut out);
        for (to, message) in out.sends {
            self.send(node, to, message, self.links);
        }
        for (to, message) in out.streams {
            self.send(node, to, message, Links { retransmit: true, ..self.links });
        }
        for (at, token) in out.timers {
            self.schedule(at.max(self.now), node, Event::Timer(token));
        }
        for update in out.updates {
            let now = self.now;
            if let Some(p) = self.watched.iter_mut().find(|p| p.update == update)
                && !std::mem::replace(&mut p.seen[node as usize], true)
            {
                p.times.push(now - p.start);
            }
        }
        for (about, dead) in out.deaths {
            self.deaths.push((self.now, node, about, dead));
        }
    }

    fn send(&mut self, from: u32, to: u32, message: P::Message, links: Links) {
        self.messages += 1;
        self.bytes += self.mesh.size(&message) as u64 + OVERHEAD;
        if let Some(delay) = links.travel(from, to, &mut self.chance) {
            self.schedule(self.now + delay, to, Event::Message(from, message));
        }
    }

    /// Node `from` publishes `update`, which is watched.
    pub fn publish(&mut self, from: u32, update: u64) {
        let mut seen = vec![false; self.down.len()];
        seen[from as usize] = true;
        self.watched.push(Progress { update, start: self.now, seen, times: vec![0] });
        self.act(from, Event::Publish(update));
    }

    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.heap.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Until every watched update is everywhere, at most `ms`.
    pub fn until_all(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.heap.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            if self.watched.iter().all(|p| p.times.len() == self.down.len()) {
                return;
            }
            self.step();
        }
        self.now = end;
    }

    fn step(&mut self) {
        let Some(Reverse((at, _, node, slot))) = self.heap.pop() else { return };
        self.now = at;
        let event = self.events[slot as usize].take();
        self.free.push(slot);
        if let Some(event) = event {
            self.act(node, event);
        }
    }
}
