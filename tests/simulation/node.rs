//! A node: a disk and containers, which survive its process, and the process, which does not.

use crate::gossip::{Ad, Gossip};
use crate::holder::{Call, Container, Note, Seat};
use crate::owner::Driver;
use crate::world::{Event, Fall, Sleep, World};
use ikigai_task::{Event as Happened, Record};
use ikigai_types::{AttemptId, Epoch, Fence, Resources, TaskId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub struct Node {
    pub total: Resources,
    pub disk: Disk,
    pub containers: BTreeMap<Fence, Container>,
    /// How often its process was started.
    pub life: u64,
    pub live: Option<Live>,
    pub sleep: Sleep,
    /// What would have happened to it while it slept.
    pub frozen: Vec<Event>,
}

/// One life of the process.
pub struct Live {
    /// What its clock said when it was started, and when that was.
    begun: (u64, u64),
    pub driver: Driver,
    pub gossip: Gossip,
    pub seats: BTreeMap<Fence, Seat>,
    pub calls: BTreeMap<u64, Call>,
    /// Stale appends that are in the log already.
    pub told: BTreeMap<Fence, Epoch>,
}

impl Live {
    /// The time as this node reads it: right in its pace, wrong by up to five minutes.
    pub fn clock(&self, now: u64) -> Timestamp {
        Timestamp(self.begun.0 + (now - self.begun.1))
    }

    /// When its clock will say `at`.
    pub fn when(&self, at: Timestamp) -> u64 {
        (self.begun.1 + at.0).saturating_sub(self.begun.0)
    }
}

/// What is on the disk, and what is still on its way there, in this order.
#[derive(Default)]
pub struct Disk {
    pub kept: Kept,
    pub unsynced: VecDeque<(Write, Then)>,
    busy_until: u64,
}

#[derive(Default)]
pub struct Kept {
    pub log: Vec<Record>,
    pub notes: BTreeMap<Fence, Note>,
    /// Lines by attempt and number, each with the lease it was really printed under.
    pub lines: BTreeMap<AttemptId, BTreeMap<u64, Fence>>,
    pub incarnation: u64,
    /// The highest epoch in the log, by task.
    pub epochs: BTreeMap<TaskId, Epoch>,
    /// Refusals in the log: what came, and the epoch that was good.
    pub refusals: BTreeMap<Fence, BTreeSet<Epoch>>,
    /// Who was taken, by task.
    pub decided: BTreeMap<TaskId, Fence>,
}

/// One write; it is there as a whole or not at all.
#[derive(Debug, Clone)]
pub enum Write {
    Log(Vec<Record>),
    Note(Box<Note>),
    Forget(Fence),
    Lines(AttemptId, Vec<(u64, Fence)>),
    Incarnation(u64),
}

/// What goes on once a write is on the disk.
#[derive(Debug, Clone)]
pub enum Then {
    Nothing,
    /// The owner's turn goes on.
    Turn,
    /// The attempt goes on.
    Stage(Fence),
    /// Lines up to this one may be sent to the owner.
    Ship(Fence, u64),
    /// Lines of another node's attempt are kept: tell it.
    Answer {
        to: usize,
        call: u64,
        attempt: AttemptId,
    },
}

impl Node {
    pub fn new(total: Resources) -> Self {
        Self {
            total,
            disk: Disk::default(),
            containers: BTreeMap::new(),
            life: 0,
            live: None,
            sleep: Sleep::Awake,
            frozen: Vec::new(),
        }
    }

    /// What the containers that run here use.
    pub fn used(&self) -> Resources {
        self.containers
            .values()
            .filter(|c| c.exit.is_none())
            .fold(Resources::default(), |sum, c| sum.plus(&c.request))
    }
}

impl Live {
    pub fn taken(&self) -> Resources {
        self.seats.values().fold(Resources::default(), |sum, s| sum.plus(&s.request))
    }
}

impl Kept {
    fn take(&mut self, write: Write) {
        match write {
            Write::Log(records) => records.into_iter().for_each(|record| self.append(record)),
            Write::Note(note) => {
                self.notes.insert(note.lease.fence.clone(), *note);
            }
            Write::Forget(fence) => {
                self.notes.remove(&fence);
            }
            Write::Lines(attempt, lines) => {
                let log = self.lines.entry(attempt).or_default();
                lines.into_iter().for_each(|(n, fence)| {
                    log.entry(n).or_insert(fence);
                });
            }
            Write::Incarnation(n) => self.incarnation = n,
        }
    }

    fn append(&mut self, record: Record) {
        match &record.event {
            Happened::Granted { lease, .. } => {
                let epoch = self.epochs.entry(record.task.clone()).or_default();
                *epoch = lease.fence.epoch.max(*epoch);
            }
            Happened::StaleRefused { fence, current, .. } => {
                self.refusals.entry(fence.clone()).or_default().insert(*current);
            }
            Happened::AcceptDecided { fence } => {
                self.decided.insert(record.task.clone(), fence.clone());
            }
            Happened::MergeRefused { .. } => {
                self.decided.remove(&record.task);
            }
            _ => {}
        }
        self.log.push(record);
    }
}

impl World {
    pub fn live(&mut self, node: usize) -> Option<&mut Live> {
        self.nodes[node].live.as_mut()
    }

    /// The time as `node` reads it.
    pub fn clock(&self, node: usize) -> Timestamp {
        self.nodes[node].live.as_ref().map_or(Timestamp(0), |live| live.clock(self.now))
    }

    /// Writes; what follows from it happens once it is on the disk.
    pub fn write(&mut self, node: usize, write: Write, then: Then) {
        let slow = if self.trouble(40) { 2_000 } else { 12 };
        let takes = 1 + self.dice.millis(slow);
        let now = self.now;
        let disk = &mut self.nodes[node].disk;
        disk.unsynced.push_back((write, then));
        disk.busy_until = disk.busy_until.max(now) + takes;
        let (wait, life) = (disk.busy_until - now, self.nodes[node].life);
        self.at(wait, Event::Synced { node, life });
    }

    pub fn synced(&mut self, node: usize) {
        self.writes += 1;
        if let Some(fall) = self.fall.filter(|fall| fall.write == self.writes) {
            return self.fall(node, fall);
        }
        let Some((write, then)) = self.nodes[node].disk.unsynced.pop_front() else { return };
        self.keep(node, write);
        match then {
            Then::Nothing => {}
            Then::Turn => self.turn_done(node),
            Then::Stage(fence) => self.next_stage(node, &fence),
            Then::Ship(fence, upto) => self.ship(node, &fence, upto),
            Then::Answer { to, call, attempt } => self.lines_kept(node, to, call, &attempt),
        }
    }

    fn fall(&mut self, node: usize, fall: Fall) {
        let first = self.nodes[node].disk.unsynced.drain(..).next();
        if let Some((write, _)) = first.filter(|_| fall.kept) {
            self.keep(node, write);
        }
        self.crash(node, fall.machine);
        self.at(1_000, Event::Start(node));
    }

    /// `write` is on the disk from now on.
    fn keep(&mut self, node: usize, write: Write) {
        if let Write::Log(records) = &write {
            for record in records {
                self.say(|| format!("n{node} keeps {record:?}"));
                self.note_record(record);
            }
        }
        self.nodes[node].disk.kept.take(write);
    }

    /// Starts the process over what its disk holds.
    pub fn start(&mut self, node: usize) {
        if self.nodes[node].live.is_some() {
            return;
        }
        // Nobody knows by how much the clock of a machine is wrong; it may be set while the node is down.
        let skew = self.dice.millis(600_000);
        self.nodes[node].life += 1;
        self.nodes[node].disk.busy_until = 0;
        let driver = self.replay(node);
        let gossip = self.fresh_gossip(node);
        let begun = (self.now - 300_000 + skew, self.now);
        let (seats, calls, told) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        self.nodes[node].live = Some(Live { begun, driver, gossip, seats, calls, told });
        self.check_replay(node);
        self.take_up(node);
        self.recovered(node);
        self.begin_gossip(node);
    }

    /// Ends the process, and the containers with it if the machine goes down. What was not on the disk is
    /// lost, but for what had just got there and nobody was told of.
    pub fn crash(&mut self, node: usize, machine: bool) {
        if self.nodes[node].live.take().is_none() {
            return;
        }
        self.counts.add("crashes");
        self.say(|| format!("n{node} crashes{}", if machine { " with its machine" } else { "" }));
        let waiting: Vec<_> = self.nodes[node].disk.unsynced.drain(..).map(|(write, _)| write).collect();
        let survive = self.dice.below(2 * waiting.len() + 1).min(waiting.len());
        if survive < waiting.len() {
            self.counts.add("torn");
        }
        waiting.into_iter().take(survive).for_each(|write| self.keep(node, write));
        self.forget_unkept(node);
        if machine {
            self.nodes[node].containers.clear();
        }
        self.nodes[node].sleep = Sleep::Awake;
        self.thaw(node);
        self.break_links(node);
    }

    /// The node stands still: nothing happens to it and it does nothing until it goes on.
    pub fn pause(&mut self, node: usize, machine: bool) {
        if self.nodes[node].sleep == Sleep::Awake && self.nodes[node].live.is_some() {
            self.counts.add("pauses");
            self.say(|| format!("n{node} stands still"));
            self.nodes[node].sleep = if machine { Sleep::Machine } else { Sleep::Process };
        }
    }

    pub fn resume(&mut self, node: usize) {
        if self.nodes[node].sleep != Sleep::Awake {
            self.say(|| format!("n{node} goes on"));
            self.nodes[node].sleep = Sleep::Awake;
            self.thaw(node);
        }
    }

    fn thaw(&mut self, node: usize) {
        for event in std::mem::take(&mut self.nodes[node].frozen) {
            self.at(0, event);
        }
    }

    pub fn life(&self, node: usize) -> u64 {
        self.nodes[node].life
    }

    pub fn ad_of(&self, node: usize) -> Ad {
        let total = self.nodes[node].total;
        let live = self.nodes[node].live.as_ref();
        let taken = live.map_or_else(Resources::default, Live::taken);
        Ad { total, free: total.minus(&taken), results: self.results(node) }
    }
}
