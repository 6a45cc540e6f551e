//! Rules of protocols whose code cannot be driven by a virtual clock, in the event loop: memberlist's queue of
//! broadcasts and gossipsub's mesh, each with the defaults of its project. What they leave out (timeouts of a
//! dialer, scoring, joining) only costs more, so the rules flatter them.

use crate::event::{Event, Mesh, Out};
use ikigai_membership::chance::Chance;
use std::collections::{HashMap, HashSet, VecDeque};

/// memberlist: every 200 ms, to three others, what was sent least often, in packets of 1,400 bytes, each message
/// 4 · ⌈log10(n + 1)⌉ times.
pub struct Memberlist {
    n: u32,
    bytes: usize,
    limit: u32,
    chance: Chance,
    /// Updates a node still sends, and how often it did.
    queues: Vec<Vec<(u64, u32)>>,
    seen: Vec<HashSet<u64>>,
    ticking: Vec<bool>,
}

const GOSSIP_EVERY: u64 = 200;
const GOSSIP_TO: usize = 3;
const PACKET: usize = 1_400;

impl Memberlist {
    /// Each message is `bytes` long; a user message adds a type and a length to it.
    pub fn new(n: u32, bytes: usize, seed: u64) -> Self {
        let digits = (f64::from(n) + 1.0).log10().ceil();
        let empty = || (0..n).map(|_| Vec::new()).collect();
        Self {
            n,
            bytes: bytes + 3,
            // Exact: at most 4 · 10.
            limit: 4 * digits as u32,
            chance: Chance::new(seed),
            queues: empty(),
            seen: (0..n).map(|_| HashSet::new()).collect(),
            ticking: vec![false; n as usize],
        }
    }

    fn learn(&mut self, node: u32, update: u64, now: u64, out: &mut Out<Vec<u64>>) {
        let i = node as usize;
        if !self.seen[i].insert(update) {
            return;
        }
        out.updates.push(update);
        self.queues[i].push((update, 0));
        if !std::mem::replace(&mut self.ticking[i], true) {
            // Its ticker runs all the time: the next tick is somewhere within its rhythm.
            out.timers.push((now + self.chance.millis(GOSSIP_EVERY - 1), 0));
        }
    }
}

impl Mesh for Memberlist {
    type Message = Vec<u64>;

    fn handle(&mut self, node: u32, event: Event<Vec<u64>>, now: u64, out: &mut Out<Vec<u64>>) {
        let i = node as usize;
        match event {
            Event::Start => {}
            Event::Publish(update) => self.learn(node, update, now, out),
            Event::Message(_, updates) => updates.into_iter().for_each(|u| self.learn(node, u, now, out)),
            Event::Timer(_) => {
                for _ in 0..GOSSIP_TO.min(self.n as usize - 1) {
                    let mut to = self.chance.below(self.n as usize);
                    while to == i {
                        to = self.chance.below(self.n as usize);
                    }
                    // Fewest transmissions first, then the newest.
                    self.queues[i].sort_by_key(|(update, sent)| (*sent, std::cmp::Reverse(*update)));
                    let fit = (PACKET / self.bytes).min(self.queues[i].len());
                    if fit == 0 {
                        break;
                    }
                    let packet = self.queues[i][..fit].iter().map(|(update, _)| *update).collect();
                    self.queues[i][..fit].iter_mut().for_each(|(_, sent)| *sent += 1);
                    let limit = self.limit;
                    self.queues[i].retain(|(_, sent)| *sent < limit);
                    out.sends.push((to as u32, packet));
                }
                self.ticking[i] = !self.queues[i].is_empty();
                if self.ticking[i] {
                    out.timers.push((now + GOSSIP_EVERY, 0));
                }
            }
        }
    }

    fn size(&self, packet: &Vec<u64>) -> usize {
        2 + packet.len() * self.bytes
    }
}

/// gossipsub 1.1 with its defaults: a mesh of six, every message to all of the mesh; every second, what was seen
/// of late announced to six others; signed strictly.
pub struct Gossipsub {
    n: u32,
    chance: Chance,
    mesh: Vec<Vec<u32>>,
    seen: Vec<HashMap<u64, u64>>,
    history: Vec<VecDeque<(u64, u64)>>,
    bytes: usize,
}

const MESH: usize = 6;
const LAZY: usize = 6;
const HEARTBEAT: u64 = 1_000;
/// Three heartbeats are announced.
const ANNOUNCED: u64 = 3_000;

pub enum Rpc {
    Publish(u64),
    Have(Vec<u64>),
    Want(Vec<u64>),
}

impl Gossipsub {
    /// Each message's data is `bytes` long; its author, number, topic and signature come to it.
    pub fn new(n: u32, bytes: usize, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut mesh: Vec<Vec<u32>> = (0..n).map(|_| Vec::new()).collect();
        for i in 0..n {
            while mesh[i as usize].len() < MESH.min(n as usize - 1) {
                let j = chance.below(n as usize) as u32;
                if j == i || mesh[i as usize].contains(&j) {
                    continue;
                }
                mesh[i as usize].push(j);
                if !mesh[j as usize].contains(&i) {
                    mesh[j as usize].push(i);
                }
            }
        }
        // Above twelve the heartbeat drops the surplus: none gets there at random, or nearly none.
        let maps = |_| HashMap::new();
        let (seen, history) = ((0..n).map(maps).collect(), (0..n).map(|_| VecDeque::new()).collect());
        Self { n, chance, mesh, seen, history, bytes }
    }

    fn learn(&mut self, node: u32, from: Option<u32>, update: u64, now: u64, out: &mut Out<Rpc>) {
        let i = node as usize;
        if self.seen[i].insert(update, now).is_some() {
            return;
        }
        out.updates.push(update);
        self.mesh[i]
            .iter()
            .filter(|to| Some(**to) != from)
            .for_each(|to| out.sends.push((*to, Rpc::Publish(update))));
        if self.history[i].is_empty() {
            out.timers.push((now + self.chance.millis(HEARTBEAT - 1), 0));
        }
        self.history[i].push_back((now, update));
    }
}

impl Mesh for Gossipsub {
    type Message = Rpc;

    fn handle(&mut self, node: u32, event: Event<Rpc>, now: u64, out: &mut Out<Rpc>) {
        let i = node as usize;
        match event {
            Event::Start => {}
            Event::Publish(update) => self.learn(node, None, update, now, out),
            Event::Message(from, Rpc::Publish(update)) => self.learn(node, Some(from), update, now, out),
            Event::Message(from, Rpc::Have(updates)) => {
                let unseen = |update: &u64| !self.seen[i].contains_key(update);
                let missing: Vec<u64> = updates.into_iter().filter(unseen).collect();
                if !missing.is_empty() {
                    out.sends.push((from, Rpc::Want(missing)));
                }
            }
            Event::Message(from, Rpc::Want(updates)) => {
                updates.into_iter().for_each(|update| out.sends.push((from, Rpc::Publish(update))));
            }
            Event::Timer(_) => {
                while self.history[i].front().is_some_and(|(at, _)| at + ANNOUNCED < now) {
                    self.history[i].pop_front();
                }
                if self.history[i].is_empty() {
                    return;
                }
                out.timers.push((now + HEARTBEAT, 0));
                let have: Vec<u64> = self.history[i].iter().map(|(_, update)| *update).collect();
                for _ in 0..LAZY {
                    let to = self.chance.below(self.n as usize) as u32;
                    if to != node && !self.mesh[i].contains(&to) {
                        out.sends.push((to, Rpc::Have(have.clone())));
                    }
                }
            }
        }
    }

    fn size(&self, rpc: &Rpc) -> usize {
        // Author 40, number 10, topic 12, signature 66, lengths 6; an id is author and number.
        match rpc {
            Rpc::Publish(_) => self.bytes + 134,
            Rpc::Have(ids) | Rpc::Want(ids) => 16 + 48 * ids.len(),
        }
    }
}
