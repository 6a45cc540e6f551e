//! Nodes, links and a clock, all from one seed: what happens, happens again.

use ikigai_membership::chance::Chance;
use ikigai_membership::{Book, Config, Effect, Input, Liveness, Me, Membership, Unsealed};
use ikigai_types::{NodeId, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

/// What links do.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    pub drop_percent: u64,
    pub duplicate_percent: u64,
    /// From 1 to this many milliseconds one way: frames overtake each other.
    pub delay: u64,
}

pub const CALM: Faults = Faults { drop_percent: 0, duplicate_percent: 0, delay: 20 };

struct Node {
    machine: Option<Membership>,
    incarnation: u64,
    paused: bool,
    /// What came while it was paused.
    waiting: Vec<(usize, Vec<u8>)>,
    wake: Option<Timestamp>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Frame { to: usize, from: usize, frame: Vec<u8> },
    Wake(usize),
}

pub struct World {
    pub config: Config,
    pub now: Timestamp,
    pub faults: Faults,
    pub chance: Chance,
    nodes: Vec<Node>,
    cut: BTreeSet<(usize, usize)>,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    count: u64,
    /// Frames and bytes sent.
    pub sent: (u64, u64),
    /// Every change that any node reported: when, who, about whom.
    pub changes: Vec<(Timestamp, usize, NodeId)>,
    /// A sum over all that happened: equal for equal runs.
    pub trace: u64,
}

pub fn id(i: usize) -> NodeId {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&(i as u64).to_be_bytes());
    NodeId::from_bytes(bytes)
}

impl World {
    /// `n` enrolled nodes that never heard of each other, not started.
    pub fn new(n: usize, seed: u64) -> Self {
        let node = || Node { machine: None, incarnation: 0, paused: false, waiting: Vec::new(), wake: None };
        Self {
            config: Config::default(),
            now: Timestamp(1_000_000),
            faults: CALM,
            chance: Chance::new(seed),
            nodes: (0..n).map(|_| node()).collect(),
            cut: BTreeSet::new(),
            events: BinaryHeap::new(),
            count: 0,
            sent: (0, 0),
            changes: Vec::new(),
            trace: 0,
        }
    }

    /// `n` nodes that were started together and had `ms` to meet.
    pub fn started(n: usize, seed: u64, ms: u64) -> Self {
        let mut world = Self::new(n, seed);
        (0..n).for_each(|i| world.start(i));
        world.run(ms);
        world
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Starts or restarts a node with what is on its disk: the number and who is enrolled.
    pub fn start(&mut self, i: usize) {
        let book: Book = (0..self.len()).map(id).collect();
        let me = Me {
            node: id(i),
            incarnation: self.nodes[i].incarnation,
            advertisement: format!("n{i}").into_bytes(),
            book,
            seal: Arc::new(Unsealed),
        };
        let seed = self.chance.bits();
        self.nodes[i].machine = Some(Membership::new(self.config.clone(), me, seed));
        self.nodes[i].paused = false;
        self.nodes[i].wake = None;
        self.input(i, Input::Wake);
        for j in (0..self.len()).filter(|&j| j != i) {
            if self.nodes[j].machine.is_some() && self.open(i, j) && self.open(j, i) {
                self.input(i, Input::LinkUp(id(j)));
                self.input(j, Input::LinkUp(id(i)));
            }
        }
    }

    pub fn kill(&mut self, i: usize) {
        self.nodes[i].machine = None;
        self.nodes[i].waiting.clear();
    }

    pub fn pause(&mut self, i: usize) {
        self.nodes[i].paused = true;
    }

    pub fn resume(&mut self, i: usize) {
        self.nodes[i].paused = false;
        for (from, frame) in std::mem::take(&mut self.nodes[i].waiting) {
            self.input(i, Input::Frame { from: id(from), frame });
        }
        self.input(i, Input::Wake);
    }

    /// Frames from `a` to `b` are lost from now on.
    pub fn cut(&mut self, a: usize, b: usize) {
        self.cut.insert((a, b));
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    fn open(&self, a: usize, b: usize) -> bool {
        !self.cut.contains(&(a, b))
    }

    pub fn machine(&self, i: usize) -> &Membership {
        self.nodes[i].machine.as_ref().expect("a node that runs")
    }

    pub fn up(&self, i: usize) -> bool {
        self.nodes[i].machine.is_some()
    }

    pub fn input(&mut self, i: usize, input: Input) {
        let Some(machine) = &mut self.nodes[i].machine else { return };
        let effects = machine.handle(input, self.now);
        if let Some(rule) = machine.violated() {
            panic!("node {i} at {}: not so: {rule}", self.now.0);
        }
        for effect in effects {
            self.carry_out(i, effect);
        }
        let wake = self.nodes[i].machine.as_ref().and_then(Membership::next_wake);
        if let Some(at) = wake.filter(|_| wake != self.nodes[i].wake) {
            self.nodes[i].wake = wake;
            self.schedule(at.max(self.now), Event::Wake(i));
        }
    }

    fn carry_out(&mut self, i: usize, effect: Effect) {
        match effect {
            Effect::Send { to, frame } => {
                self.sent = (self.sent.0 + 1, self.sent.1 + frame.len() as u64);
                assert_ne!(to, id(i), "nobody writes to itself");
                let to = (0..self.len()).find(|&j| id(j) == to).expect("an enrolled node");
                let copies = 1 + u64::from(self.chance.bits() % 100 < self.faults.duplicate_percent);
                for _ in 0..copies {
                    if self.open(i, to) && self.chance.bits() % 100 >= self.faults.drop_percent {
                        let at = Timestamp(self.now.0 + 1 + self.chance.millis(self.faults.delay - 1));
                        self.schedule(at, Event::Frame { to, from: i, frame: frame.clone() });
                    }
                }
            }
            Effect::Changed(node) => self.changes.push((self.now, i, node)),
            Effect::PersistIncarnation(incarnation) => self.nodes[i].incarnation = incarnation,
        }
    }

    fn schedule(&mut self, at: Timestamp, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    /// Lets `ms` milliseconds pass.
    pub fn run(&mut self, ms: u64) {
        let end = Timestamp(self.now.0 + ms);
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            let Reverse((at, count, event)) = self.events.pop().expect("one was there");
            self.now = at;
            self.trace = self.trace.wrapping_mul(31).wrapping_add(at.0 ^ count << 20);
            match event {
                Event::Frame { to, from, frame } if self.nodes[to].paused => {
                    self.nodes[to].waiting.push((from, frame));
                }
                Event::Frame { to, from, frame } => self.input(to, Input::Frame { from: id(from), frame }),
                Event::Wake(i) if self.nodes[i].wake == Some(at) && !self.nodes[i].paused => {
                    self.nodes[i].wake = None;
                    self.input(i, Input::Wake);
                }
                Event::Wake(_) => {}
            }
        }
        self.now = end;
    }

    /// Lets time pass until `done`, at most `ms`; how long it took.
    pub fn until(&mut self, ms: u64, done: impl Fn(&Self) -> bool) -> Option<u64> {
        let start = self.now;
        while !done(self) {
            if self.now.0 - start.0 >= ms {
                return None;
            }
            self.run(if self.now.0 - start.0 < 1_000 { 10 } else { 100 });
        }
        Some(self.now.0 - start.0)
    }

    /// What node `i` thinks of node `j`.
    pub fn view(&self, i: usize, j: usize) -> Liveness {
        self.machine(i).member(&id(j)).expect("an enrolled node").liveness
    }

    /// Whether everyone who runs has it right about everyone.
    pub fn agreed(&self) -> bool {
        self.disagreement().is_none()
    }

    pub fn disagreement(&self) -> Option<String> {
        for i in (0..self.len()).filter(|&i| self.up(i)) {
            for j in (0..self.len()).filter(|&j| j != i) {
                let truth = if self.up(j) { Liveness::Alive } else { Liveness::Dead };
                if self.view(i, j) != truth {
                    return Some(format!("node {i} thinks node {j} {:?}", self.view(i, j)));
                }
                if self.up(j) {
                    let (mine, theirs) =
                        (self.machine(j).me(), self.machine(i).member(&id(j)).expect("there"));
                    if mine.record != theirs.record {
                        return Some(format!("node {i} has an old record of node {j}"));
                    }
                }
            }
        }
        None
    }

    pub fn advertisements(&self, of: usize) -> BTreeMap<Vec<u8>, usize> {
        let mut seen = BTreeMap::new();
        for i in (0..self.len()).filter(|&i| i != of && self.up(i)) {
            let member = self.machine(i).member(&id(of)).expect("an enrolled node");
            *seen.entry(member.advertisement.to_vec()).or_default() += 1;
        }
        seen
    }
}
