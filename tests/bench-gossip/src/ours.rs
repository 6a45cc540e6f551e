//! `ikigai-membership` in the event loop.

use crate::event::{Event, Mesh, Out};
use ikigai_membership::{Book, Config, Effect, Input, Liveness, Me, Membership, Unsealed};
use ikigai_types::{NodeId, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

pub struct Ours {
    nodes: Vec<Membership>,
    wake: Vec<Option<Timestamp>>,
    numbers: HashMap<NodeId, u32>,
    /// Payload beside the eight bytes of the update's number.
    padding: usize,
}

pub fn id(i: u32) -> NodeId {
    let mut bytes = [3; 32];
    bytes[..4].copy_from_slice(&i.to_be_bytes());
    NodeId::from_bytes(bytes)
}

/// An advertisement of `padding` bytes beside the update's number.
fn says(update: u64, padding: usize) -> Vec<u8> {
    let mut bytes = update.to_be_bytes().to_vec();
    bytes.resize(8 + padding, 0);
    bytes
}

impl Ours {
    /// `n` nodes that know each other.
    pub fn new(n: u32, payload: usize, config: &Config, seed: u64) -> Self {
        let padding = payload - 8;
        let mut book: Book = (0..n).map(id).collect();
        for i in 0..n {
            // A life before this bench in which each had said the same.
            let mut node = Self::node(i, 0, Book::default(), padding, config, seed);
            node.handle(Input::Wake, Timestamp(0));
            book.remember(node.me().record);
        }
        let nodes = (0..n).map(|i| Self::node(i, 0, book.clone(), padding, config, seed));
        let nodes: Vec<Membership> = nodes.collect();
        let numbers = (0..n).map(|i| (id(i), i)).collect();
        Self { wake: vec![None; nodes.len()], nodes, numbers, padding }
    }

    fn node(i: u32, before: u64, book: Book, padding: usize, config: &Config, seed: u64) -> Membership {
        let me = Me {
            node: id(i),
            incarnation: before,
            advertisement: says(0, padding),
            book,
            seal: Arc::new(Unsealed),
        };
        Membership::new(config.clone(), me, seed ^ u64::from(i) << 32)
    }

    pub fn view(&self, i: u32, j: u32) -> Liveness {
        self.nodes[i as usize].member(&id(j)).expect("an enrolled node").liveness
    }
}

impl Mesh for Ours {
    type Message = Vec<u8>;

    fn handle(&mut self, node: u32, event: Event<Vec<u8>>, now: u64, out: &mut Out<Vec<u8>>) {
        let i = node as usize;
        let input = match event {
            Event::Message(from, frame) => Input::Frame { from: id(from), frame },
            Event::Start => Input::Wake,
            Event::Timer(at) if self.wake[i] != Some(Timestamp(at)) => return,
            Event::Timer(_) => {
                self.wake[i] = None;
                Input::Wake
            }
            Event::Publish(update) => Input::Advertise(says(update, self.padding)),
        };
        for effect in self.nodes[i].handle(input, Timestamp(now)) {
            match effect {
                Effect::Send { to, frame } => out.sends.push((self.numbers[&to], frame)),
                Effect::Changed(about) => {
                    let member = self.nodes[i].member(&about).expect("an enrolled node");
                    if let Some(update) = member.advertisement.first_chunk() {
                        out.updates.push(u64::from_be_bytes(*update));
                    }
                    match member.liveness {
                        Liveness::Dead => out.deaths.push((self.numbers[&about], true)),
                        Liveness::Alive => out.deaths.push((self.numbers[&about], false)),
                        Liveness::Suspect => {}
                    }
                }
                Effect::PersistIncarnation(_) => {}
            }
        }
        let wake = self.nodes[i].next_wake();
        if let Some(at) = wake.filter(|_| wake != self.wake[i]) {
            self.wake[i] = wake;
            out.timers.push((at.0, at.0));
        }
    }

    fn size(&self, frame: &Vec<u8>) -> usize {
        frame.len()
    }
}
