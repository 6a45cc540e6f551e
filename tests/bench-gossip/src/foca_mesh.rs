//! foca, as it is, in the event loop: its settings for a LAN of this size, its custom broadcasts for updates.
//! Its ids are those of its own examples, an address of a few bytes; ours are keys of 32.

use crate::event::{Event, Mesh, Out};
use bytes::Bytes;
use foca::{
    AccumulatingRuntime, BroadcastHandler, Config, Foca, Identity, Invalidates, Member, OwnedNotification,
    PostcardCodec, Timer,
};
use rand_small::SeedableRng;
use rand_small::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    node: u32,
    life: u16,
}

impl Identity for Id {
    type Addr = u32;

    fn renew(&self) -> Option<Self> {
        Some(Self { life: self.life + 1, ..*self })
    }

    fn addr(&self) -> u32 {
        self.node
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        self.life > other.life
    }
}

/// Takes what is new; what an origin said later replaces what it said before.
struct Updates {
    seen: HashSet<u64>,
    new: Rc<RefCell<Vec<u64>>>,
}

pub struct Origin(u64);

impl Invalidates for Origin {
    fn invalidates(&self, other: &Self) -> bool {
        self.0 >> 32 == other.0 >> 32
    }
}

impl BroadcastHandler<Id> for Updates {
    type Key = Origin;
    type Error = Infallible;

    fn receive_item(&mut self, data: &[u8], _: Option<&Id>) -> Result<Option<Origin>, Infallible> {
        let update = data.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)).unwrap_or_default();
        if !self.seen.insert(update) {
            return Ok(None);
        }
        self.new.borrow_mut().push(update);
        Ok(Some(Origin(update)))
    }
}

type Node = Foca<Id, PostcardCodec, SmallRng, Updates>;

pub struct FocaMesh {
    nodes: Vec<Node>,
    new: Vec<Rc<RefCell<Vec<u64>>>>,
    timers: HashMap<u64, Timer<Id>>,
    count: u64,
    bytes: usize,
}

impl FocaMesh {
    /// `n` nodes that know each other; an update is `bytes` long.
    pub fn new(n: u32, bytes: usize, config: &Config, seed: u64) -> Self {
        let id = |node| Id { node, life: 0 };
        let new: Vec<Rc<RefCell<Vec<u64>>>> = (0..n).map(|_| Rc::default()).collect();
        let node = |i: u32| {
            let rng = SmallRng::seed_from_u64(seed ^ u64::from(i) << 32);
            let updates = Updates { seen: HashSet::new(), new: new[i as usize].clone() };
            Foca::with_custom_broadcast(id(i), config.clone(), rng, PostcardCodec, updates)
        };
        let nodes = (0..n).map(node).collect();
        Self { nodes, new, timers: HashMap::new(), count: 0, bytes }
    }

    pub fn lan(n: u32) -> Config {
        Config::new_lan(NonZeroU32::new(n).expect("more than no nodes"))
    }

    fn carry_out(&mut self, i: usize, mut runtime: AccumulatingRuntime<Id>, now: u64, out: &mut Out<Bytes>) {
        while let Some((to, data)) = runtime.to_send() {
            out.sends.push((to.node, data));
        }
        while let Some((after, timer)) = runtime.to_schedule() {
            self.count += 1;
            self.timers.insert(self.count, timer);
            out.timers.push((now + u64::try_from(after.as_millis()).expect("short"), self.count));
        }
        while let Some(notification) = runtime.to_notify() {
            match notification {
                OwnedNotification::MemberDown(id) => out.deaths.push((id.node, true)),
                OwnedNotification::MemberUp(id) => out.deaths.push((id.node, false)),
                _ => {}
            }
        }
        out.updates.append(&mut self.new[i].borrow_mut());
    }
}

impl Mesh for FocaMesh {
    type Message = Bytes;

    fn handle(&mut self, node: u32, event: Event<Bytes>, now: u64, out: &mut Out<Bytes>) {
        let i = node as usize;
        let mut runtime = AccumulatingRuntime::new();
        let n = u32::try_from(self.nodes.len()).expect("few");
        let foca = &mut self.nodes[i];
        // It refuses what is out of date with an error; that is all in a day's work.
        let _ = match event {
            Event::Start => {
                let others = (0..n).filter(|&j| j != node).map(|node| Member::alive(Id { node, life: 0 }));
                foca.apply_many(others, false, &mut runtime)
            }
            Event::Message(_, data) => foca.handle_data(&data, &mut runtime),
            Event::Timer(token) => match self.timers.remove(&token) {
                Some(timer) => foca.handle_timer(timer, &mut runtime),
                None => Ok(()),
            },
            Event::Publish(update) => {
                let mut data = update.to_be_bytes().to_vec();
                data.resize(self.bytes, 0);
                foca.add_broadcast(&data).map(drop)
            }
        };
        self.carry_out(i, runtime, now, out);
    }

    fn size(&self, data: &Bytes) -> usize {
        data.len()
    }
}
