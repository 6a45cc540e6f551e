//! The world: one clock, one queue of what is to happen, one seed. Nothing else decides what comes next.

use crate::bugs::Bug;
use crate::forge::Forge;
use crate::holder::{Answer, Ask};
use crate::mind::Mind;
use crate::net::Net;
use crate::node::Node;
use crate::owner::Chore;
use ikigai_membership::chance::Chance;
use ikigai_task::Policy;
use ikigai_types::{Fence, NodeId, Resources, TaskId};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a lease is. All lengths are about a third of what nodes use: a run has time for more of them.
pub const LEASE: u64 = 10_000;

/// What the owners go by. The longest back-off is one lease, so that the bound on liveness can be told in leases.
pub fn policy() -> Policy {
    Policy {
        lease: Duration::from_millis(LEASE),
        backoff: Duration::from_secs(3),
        backoff_max: Duration::from_millis(LEASE),
        look_again: Duration::from_millis(LEASE),
        ..Policy::default()
    }
}

/// Something that will happen. Those with a `life` happen to one life of a node's process and die with it.
#[derive(Debug)]
pub enum Event {
    /// A message reaches its node.
    Arrive { from: usize, to: usize, message: Message },
    /// The oldest write that waits is on the disk.
    Synced { node: usize, life: u64 },
    /// The owner asked to be woken.
    OwnerWake { node: usize, life: u64, at: u64 },
    /// The membership machine asked to be woken.
    GossipWake { node: usize, life: u64, at: u64 },
    /// What changed elsewhere has been gathered: tasks that wait look again.
    Settled { node: usize, life: u64 },
    /// A call has got no answer in time.
    Deadline { node: usize, life: u64, call: u64 },
    /// An offer is ready to be made, or to be made again.
    Offer { node: usize, life: u64, call: u64 },
    /// The objects of a result have been brought to the owner.
    Fetched { node: usize, life: u64, ticket: u64 },
    /// A chore of the owner is done, or its answer is there.
    Chore { node: usize, life: u64, chore: Chore },
    /// The next step of an attempt that is made ready.
    Step { node: usize, life: u64, fence: Fence },
    /// An attempt looks at its limits.
    Tick { node: usize, life: u64, fence: Fence },
    /// A holder tells its owner again what it could not tell.
    Tell { node: usize, life: u64, fence: Fence },
    /// An agent ends by itself.
    Exit { node: usize, fence: Fence, at: u64 },
    /// Two nodes have a link, or have it no more.
    Link { node: usize, other: usize, up: bool },
    /// A node is started.
    Start(usize),
    /// A node that slept goes on.
    Resume(usize),
    /// Something goes wrong.
    Fault,
    /// People look at what waits for them.
    People,
}

/// What nodes send.
#[derive(Debug, Clone)]
pub enum Message {
    /// Gossip.
    Frame(Vec<u8>),
    /// A call of one node to another.
    Ask { call: u64, ask: Box<Ask> },
    /// What came of it.
    Answer { call: u64, answer: Answer },
}

/// How often what happened: a run in which nothing went wrong has proven nothing.
#[derive(Debug, Default, Clone)]
pub struct Counts(pub BTreeMap<&'static str, u64>);

impl Counts {
    pub fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    pub fn take_in(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, n)| *self.0.entry(what).or_default() += n);
    }
}

pub struct World {
    /// True time in milliseconds; no node sees it.
    pub now: u64,
    pub dice: Chance,
    pub nodes: Vec<Node>,
    pub net: Net,
    pub forge: Forge,
    pub mind: Mind,
    pub bug: Option<Bug>,
    /// Faults are still being made.
    pub faults: bool,
    /// Which node owns a task.
    pub tasks: BTreeMap<TaskId, usize>,
    /// How long the agents of a task run, in milliseconds; the dice say it for the others.
    pub run_times: BTreeMap<TaskId, u64>,
    pub counts: Counts,
    /// Writes that were about to be on a disk, of all nodes.
    pub writes: u64,
    /// The one crash of a run that is made for it.
    pub fall: Option<Fall>,
    /// The promise that was broken first.
    pub broken: Option<String>,
    pub trace: Trace,
    queue: BTreeMap<(u64, u64), Event>,
    count: u64,
    tickets: u64,
}

/// What happened, in order: a sum always, the lines when they are wanted.
#[derive(Default)]
pub struct Trace {
    pub lines: Option<Vec<String>>,
}

pub fn node_id(i: usize) -> NodeId {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&(i as u64).to_be_bytes());
    NodeId::from_bytes(bytes)
}

pub fn index(node: NodeId) -> usize {
    let bytes: [u8; 8] = node.as_bytes()[..8].try_into().expect("eight bytes");
    usize::try_from(u64::from_be_bytes(bytes)).expect("a small number")
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>, keep_trace: bool) -> Self {
        let mut dice = Chance::new(seed);
        // Small meshes are as good at finding what is wrong, and sooner done: every sixth is any size.
        let n = if dice.below(6) == 0 { 3 + dice.below(23) } else { 3 + dice.below(5) };
        let slots: Vec<u64> = (0..n).map(|_| 1 + dice.below(4) as u64).collect();
        Self::of(&slots, dice, bug, keep_trace)
    }

    /// A mesh with a machine for each of `slots`, with so many.
    pub fn of(slots: &[u64], dice: Chance, bug: Option<Bug>, keep_trace: bool) -> Self {
        let n = slots.len();
        let mut world = Self {
            now: 1_000_000_000,
            dice,
            nodes: slots.iter().map(|slots| Node::new(machine(*slots))).collect(),
            net: Net::new(n),
            forge: Forge::default(),
            mind: Mind::default(),
            bug,
            faults: true,
            tasks: BTreeMap::new(),
            run_times: BTreeMap::new(),
            counts: Counts::default(),
            writes: 0,
            fall: None,
            broken: None,
            trace: Trace { lines: keep_trace.then(Vec::new) },
            queue: BTreeMap::new(),
            count: 0,
            tickets: 0,
        };
        (0..n).for_each(|i| world.start(i));
        world.at(500, Event::Fault);
        world.at(500, Event::People);
        world
    }

    /// Has `event` happen `wait` milliseconds from now.
    pub fn at(&mut self, wait: u64, event: Event) {
        self.count += 1;
        self.queue.insert((self.now + wait, self.count), event);
    }

    /// A number nothing else has.
    pub fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.dice.below(n) == 0
    }

    /// Like [`World::one_in`], and never once the faults have stopped.
    pub fn trouble(&mut self, n: usize) -> bool {
        self.dice.below(n) == 0 && self.faults
    }

    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.dice.millis(high - low)
    }

    /// The first broken promise ends the run.
    pub fn fail(&mut self, what: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(what());
        }
    }

    pub fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.trace.lines {
            lines.push(format!("{:>7} {}", self.now - 1_000_000_000, line()));
        }
    }

    /// Lets the next thing happen. False when the run is over.
    pub fn step(&mut self, until: u64) -> bool {
        let Some(entry) = self.queue.first_entry().filter(|e| e.key().0 <= until) else {
            self.now = until;
            return false;
        };
        let ((at, _), event) = entry.remove_entry();
        self.now = at;
        self.happen(event);
        self.broken.is_none()
    }

    pub fn run(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.step(until) {}
    }

    fn happen(&mut self, event: Event) {
        if let Some(node) = self.sleeper(&event) {
            return self.nodes[node].frozen.push(event);
        }
        if self.trace.lines.is_some() && !matches!(event, Event::GossipWake { .. }) {
            self.say(|| short(&event));
        }
        let touched = event.node();
        match event {
            Event::Arrive { from, to, message } => self.arrive(from, to, message),
            Event::Start(node) => self.start(node),
            Event::Resume(node) => self.resume(node),
            Event::Fault => self.fault(),
            Event::People => self.people(),
            Event::Exit { node, fence, at } => self.exit(node, &fence, at),
            Event::Link { node, other, up } => self.link(node, other, up),
            own if self.lives(&own) => self.own(own),
            _ => {}
        }
        if let Some(node) = touched {
            self.check(node);
        }
    }

    /// What happens within one life of one process.
    fn own(&mut self, event: Event) {
        match event {
            Event::Synced { node, .. } => self.synced(node),
            Event::OwnerWake { node, at, .. } => self.owner_wake(node, at),
            Event::GossipWake { node, at, .. } => self.gossip_wake(node, at),
            Event::Settled { node, .. } => self.settled(node),
            Event::Deadline { node, call, .. } => self.no_answer(node, call),
            Event::Offer { node, call, .. } => self.make_offer(node, call),
            Event::Fetched { node, ticket, .. } => self.fetched(node, ticket),
            Event::Chore { node, chore, .. } => self.chore_done(node, chore),
            Event::Step { node, fence, .. } => self.next_stage(node, &fence),
            Event::Tick { node, fence, .. } => self.tick(node, &fence),
            Event::Tell { node, fence, .. } => self.tell_on(node, &fence),
            _ => {}
        }
    }

    fn lives(&self, event: &Event) -> bool {
        event
            .node()
            .zip(event.life())
            .is_some_and(|(node, life)| self.nodes[node].life == life && self.nodes[node].live.is_some())
    }

    /// The node that sleeps through `event`, if it does.
    fn sleeper(&self, event: &Event) -> Option<usize> {
        let node = event.node()?;
        let asleep = match event {
            Event::Start(_) | Event::Resume(_) => false,
            // Containers go on while only the process of the node stands still.
            Event::Exit { .. } => self.nodes[node].sleep == Sleep::Machine,
            _ => self.nodes[node].sleep != Sleep::Awake,
        };
        asleep.then_some(node)
    }
}

/// A crash of the node that is about to have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fall {
    /// Which write it is, from 1.
    pub write: u64,
    /// Whether it still gets to the disk; nobody hears of that.
    pub kept: bool,
    /// Whether the machine goes down, with its containers.
    pub machine: bool,
}

/// What of a node stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    Awake,
    /// Its process: as under SIGSTOP.
    Process,
    /// All of it: the lid is closed.
    Machine,
}

impl Event {
    const fn node(&self) -> Option<usize> {
        match self {
            Self::Arrive { to: node, .. }
            | Self::Synced { node, .. }
            | Self::OwnerWake { node, .. }
            | Self::GossipWake { node, .. }
            | Self::Settled { node, .. }
            | Self::Deadline { node, .. }
            | Self::Offer { node, .. }
            | Self::Fetched { node, .. }
            | Self::Chore { node, .. }
            | Self::Step { node, .. }
            | Self::Tick { node, .. }
            | Self::Tell { node, .. }
            | Self::Exit { node, .. }
            | Self::Link { node, .. }
            | Self::Start(node)
            | Self::Resume(node) => Some(*node),
            Self::Fault | Self::People => None,
        }
    }

    const fn life(&self) -> Option<u64> {
        match self {
            Self::Synced { life, .. }
            | Self::OwnerWake { life, .. }
            | Self::GossipWake { life, .. }
            | Self::Settled { life, .. }
            | Self::Deadline { life, .. }
            | Self::Offer { life, .. }
            | Self::Fetched { life, .. }
            | Self::Chore { life, .. }
            | Self::Step { life, .. }
            | Self::Tick { life, .. }
            | Self::Tell { life, .. } => Some(*life),
            _ => None,
        }
    }
}

/// What a machine of the mesh has.
fn machine(slots: u64) -> Resources {
    Resources { cpu_millis: slots * 1000, memory_bytes: slots << 30, slots, ..Resources::default() }
}

/// One line of the trace; of a frame its length and a sum are enough to see that it is the same.
fn short(event: &Event) -> String {
    match event {
        Event::Arrive { from, to, message: Message::Frame(frame) } => {
            let sum = frame.iter().fold(0_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(*b)));
            format!("n{from} → n{to} frame of {} bytes, {sum:08x}", frame.len())
        }
        Event::Arrive { from, to, message: Message::Ask { call, ask } } => {
            format!("n{from} → n{to} #{call} {ask}")
        }
        Event::Arrive { from, to, message: Message::Answer { call, answer } } => {
            format!("n{from} → n{to} #{call} {answer:?}")
        }
        other => format!("{other:?}"),
    }
}
