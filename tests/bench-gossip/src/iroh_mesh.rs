//! iroh-gossip's protocol (HyParView and one Plumtree per topic), as it is, in the event loop, with its defaults.

use crate::event::{Event, Mesh, Out};
use bytes::Bytes;
use iroh_gossip::proto::{
    Command, Config, Event as Said, InEvent, Message, OutEvent, Scope, State, Timer, TopicId,
};
use rand_iroh::SeedableRng;
use rand_iroh::rngs::StdRng;
use std::collections::HashMap;
use std::time::{Duration, Instant};

type Id = [u8; 32];
type Node = State<Id, StdRng>;

pub struct Iroh {
    nodes: Vec<Node>,
    timers: HashMap<u64, Timer<Id>>,
    count: u64,
    bytes: usize,
    zero: Instant,
    topic: TopicId,
}

fn id(i: u32) -> Id {
    let mut id = [3; 32];
    id[..4].copy_from_slice(&i.to_be_bytes());
    id
}

fn number(id: &Id) -> u32 {
    u32::from_be_bytes([id[0], id[1], id[2], id[3]])
}

impl Iroh {
    /// `n` nodes that join through one started before them; an update is `bytes` long.
    pub fn new(n: u32, bytes: usize, seed: u64) -> Self {
        let node = |i: u32| {
            let rng = StdRng::seed_from_u64(seed ^ u64::from(i) << 32);
            State::new(id(i), Default::default(), Config::default(), rng)
        };
        let nodes = (0..n).map(node).collect();
        let topic = TopicId::from_bytes([9; 32]);
        Self { nodes, timers: HashMap::new(), count: 0, bytes, zero: Instant::now(), topic }
    }

    fn carry_out(&mut self, did: OutEvent<Id>, now: u64, out: &mut Out<Message<Id>>) {
        match did {
            OutEvent::SendMessage(to, message) => out.sends.push((number(&to), message)),
            OutEvent::ScheduleTimer(after, timer) => {
                self.count += 1;
                self.timers.insert(self.count, timer);
                out.timers.push((now + u64::try_from(after.as_millis()).expect("short"), self.count));
            }
            OutEvent::EmitEvent(_, Said::Received(message)) => {
                let update = message.content.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
                out.updates.extend(update);
            }
            OutEvent::EmitEvent(_, Said::NeighborDown(id)) => out.deaths.push((number(&id), true)),
            OutEvent::EmitEvent(_, Said::NeighborUp(id)) => out.deaths.push((number(&id), false)),
            OutEvent::DisconnectPeer(_) | OutEvent::PeerData(..) => {}
        }
    }
}

impl Mesh for Iroh {
    type Message = Message<Id>;

    fn handle(&mut self, node: u32, event: Event<Message<Id>>, now: u64, out: &mut Out<Message<Id>>) {
        let event = match event {
            Event::Start => {
                let known = if node == 0 { vec![] } else { vec![id(node / 2)] };
                InEvent::Command(self.topic, Command::Join(known))
            }
            Event::Message(from, message) => InEvent::RecvMessage(id(from), message),
            Event::Timer(token) => match self.timers.remove(&token) {
                Some(timer) => InEvent::TimerExpired(timer),
                None => return,
            },
            Event::Publish(update) => {
                let mut data = update.to_be_bytes().to_vec();
                data.resize(self.bytes, 0);
                InEvent::Command(self.topic, Command::Broadcast(Bytes::from(data), Scope::Swarm))
            }
        };
        let at = self.zero + Duration::from_millis(now);
        let did: Vec<OutEvent<Id>> = self.nodes[node as usize].handle(event, at.into(), None).collect();
        did.into_iter().for_each(|did| self.carry_out(did, now, out));
    }

    fn size(&self, message: &Message<Id>) -> usize {
        // A length comes before each on a stream.
        2 + message.size().unwrap_or_default()
    }
}
