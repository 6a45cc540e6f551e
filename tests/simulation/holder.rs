//! The holder's side: admits attempts into its machine, makes them ready, runs them, hands their results over.

use crate::attend::{Shipper, Teller};
use crate::bugs::Bug;
use crate::desk::lease_ms;
use crate::gossip::{Ad, owner_of};
use crate::node::{Then, Write};
use crate::owner::{CALL, Pending};
use crate::world::{Event, Message, Sleep, World};
use ikigai_ports::peer::Appended;
use ikigai_task::host::{Breach, End, Watch, judge};
use ikigai_task::{Observation, Reason, TaskSpec};
use ikigai_types::{Change, Commit, Fence, Lease, Resources, TaskId, Timestamp, Usage, WorkloadId};
use ikigai_wire::peer::{Ended, News, Order, Reply, Report};
use std::time::Duration;

/// What one node asks another.
#[derive(Debug, Clone)]
pub enum Ask {
    Offer {
        lease: Lease,
        spec: Box<TaskSpec>,
    },
    Order {
        fence: Fence,
        order: Order,
    },
    Report(Box<Report>),
    /// Lines by number, each with the lease it was really printed under.
    Lines {
        fence: Fence,
        lines: Vec<(u64, Fence)>,
    },
}

#[derive(Debug, Clone)]
pub enum Answer {
    Admitted,
    Declined(String, Ad),
    Reply(Reply),
    Appended(Appended),
    /// No answer to the question: it could not be done now.
    Failed,
}

/// A call that waits for its answer.
#[derive(Debug, Clone)]
pub enum Call {
    Offer { lease: Lease, tries: u32 },
    News(Fence),
    Lines(Fence),
}

/// What runs, whether its node's process does or not.
#[derive(Debug, Clone)]
pub struct Container {
    pub request: Resources,
    pub exit: Option<i32>,
    pub ends_at: u64,
    pub printed: u64,
    /// What was left to run when it was held.
    pub held: Option<u64>,
}

/// What a holder keeps of an attempt for its next start.
#[derive(Debug, Clone)]
pub struct Note {
    pub lease: Lease,
    pub lease_ms: u64,
    pub spec: TaskSpec,
    pub workload: Option<WorkloadId>,
    pub ran: Duration,
    /// How it ended, once that is to be handed over: from then on it has no room here.
    pub ended: Option<Ended>,
    pub delivered: bool,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Noting,
    Fetching,
    Launching,
    NotingWorkload,
    Attending,
    NotingEnd,
    HandingOver,
    NotingDelivered,
    Cleaning,
}

/// An attempt that sits here.
pub struct Seat {
    pub stage: Stage,
    pub request: Resources,
    pub note: Note,
    pub again: bool,
    pub watch: Watch,
    pub stopped: Option<Breach>,
    pub lease_until: Timestamp,
    /// The owner has renewed the lease in this life of the process.
    pub renewed: bool,
    pub ticks: u64,
    pub orders: Vec<Order>,
    pub teller: Teller,
    pub shipper: Shipper,
    /// Its agent gets until then to end by itself.
    pub ending: Option<u64>,
}

impl Seat {
    /// The result that is to be handed over.
    pub fn result(&self) -> Option<&Change> {
        self.note.ended.as_ref().and_then(|e| e.change.as_ref())
    }
}

impl std::fmt::Display for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offer { lease, .. } => write!(f, "offer {} expires {}", lease.fence, lease.expires.0),
            Self::Order { fence, order } => write!(f, "order {fence} {order:?}"),
            Self::Report(report) => write!(f, "report {} {:?}", report.fence, report.news),
            Self::Lines { fence, lines } => write!(f, "lines {fence} {}", lines.len()),
        }
    }
}

/// What an attempt makes under `fence`, and under no other.
pub fn result_of(fence: &Fence) -> Change {
    let (base, head) = (Commit("base".to_owned()), Commit(format!("of-{fence}")));
    Change { base, head, files: Vec::new(), additions: 1, deletions: 0 }
}

impl World {
    /// Asks, and waits for the answer for so long.
    pub fn call(&mut self, node: usize, to: usize, call: u64, ask: Ask, within: u64) {
        self.send(node, to, Message::Ask { call, ask: Box::new(ask) });
        let life = self.life(node);
        self.at(within, Event::Deadline { node, life, call });
    }

    pub fn asked(&mut self, node: usize, from: usize, call: u64, ask: Ask) {
        match ask {
            Ask::Offer { lease, spec } => {
                let answer = match self.admit(node, lease, *spec) {
                    Ok(()) => Answer::Admitted,
                    Err(text) => Answer::Declined(text, self.ad_of(node)),
                };
                self.send(node, from, Message::Answer { call, answer });
            }
            Ask::Order { fence, order } if owner_of(&fence.attempt.task) == from => {
                self.obey(node, &fence, order);
            }
            Ask::Order { .. } => {}
            Ask::Report(report) => self.pend(node, Pending::Report { from, call, report: *report }),
            Ask::Lines { fence, lines } => self.pend(node, Pending::Lines { from, call, fence, lines }),
        }
    }

    pub fn answered(&mut self, node: usize, call: u64, answer: Answer) {
        let Some(waiting) = self.live(node).and_then(|live| live.calls.remove(&call)) else { return };
        match (waiting, answer) {
            (Call::Offer { .. }, Answer::Admitted) => {}
            (Call::Offer { lease, .. }, Answer::Declined(text, ad)) => {
                self.offer_declined(node, lease, text, ad);
            }
            (Call::News(fence), Answer::Reply(reply)) => self.told(node, &fence, Some(reply)),
            (Call::News(fence), _) => self.told(node, &fence, None),
            (Call::Lines(fence), Answer::Appended(upto)) => self.shipped(node, &fence, Some(upto)),
            (Call::Lines(fence), _) => self.shipped(node, &fence, None),
            (Call::Offer { .. }, _) => {}
        }
    }

    pub fn no_answer(&mut self, node: usize, call: u64) {
        let Some(waiting) = self.live(node).and_then(|live| live.calls.remove(&call)) else { return };
        match waiting {
            Call::Offer { lease, tries } => self.offer_unanswered(node, lease, tries),
            Call::News(fence) => self.told(node, &fence, None),
            Call::Lines(fence) => self.shipped(node, &fence, None),
        }
    }

    /// This node alone decides what it has room for. The same lease twice is admitted once.
    fn admit(&mut self, node: usize, lease: Lease, spec: TaskSpec) -> Result<(), String> {
        let by_hint = self.has(Bug::AdmissionByHint);
        let total = self.nodes[node].total;
        let Some(live) = self.live(node) else { return Err("is not there".to_owned()) };
        if live.seats.contains_key(&lease.fence) {
            return Ok(());
        }
        let free = if by_hint { total } else { total.minus(&live.taken()) };
        if let Some((what, want, have)) = free.lacks(&spec.request) {
            return Err(format!("no capacity: asks {what} {want}, free {have}"));
        }
        let (workload, ended, ran, delivered) = (None, None, Duration::ZERO, false);
        let note = Note { lease, lease_ms: lease_ms(), spec, workload, ran, ended, delivered };
        self.sit(node, note, false);
        Ok(())
    }

    /// Takes up what ran here before the process was started again, and ends what nobody has a note of.
    pub fn take_up(&mut self, node: usize) {
        let notes = self.nodes[node].disk.kept.notes.clone();
        self.nodes[node].containers.retain(|fence, _| notes.contains_key(fence));
        notes.into_values().for_each(|note| self.sit(node, note, true));
    }

    fn sit(&mut self, node: usize, note: Note, again: bool) {
        let now = self.clock(node);
        let fence = note.lease.fence.clone();
        let mut lease_until = now.after(Duration::from_millis(note.lease_ms));
        if self.has(Bug::LeaseByWallClock) {
            lease_until = note.lease.expires;
        }
        let (ended, delivered) = (note.ended.is_some(), note.delivered);
        let seat = Seat {
            stage: match (ended, delivered) {
                (_, true) => Stage::NotingDelivered,
                (true, _) => Stage::NotingEnd,
                _ => Stage::Noting,
            },
            request: if ended { Resources::default() } else { note.spec.request },
            watch: Watch::new(note.spec.limits, note.ran, now),
            note: note.clone(),
            again,
            stopped: None,
            lease_until,
            renewed: false,
            ticks: 0,
            orders: Vec::new(),
            teller: Teller::default(),
            shipper: Shipper::new(owner_of(&fence.attempt.task) == node),
            ending: None,
        };
        self.live(node).expect("it lives").seats.insert(fence.clone(), seat);
        self.advertise(node);
        if ended {
            return self.step_in(node, &fence, 1);
        }
        self.write(node, Write::Note(Box::new(note)), Then::Stage(fence));
    }

    pub fn seat(&mut self, node: usize, fence: &Fence) -> Option<&mut Seat> {
        self.live(node)?.seats.get_mut(fence)
    }

    fn step_in(&mut self, node: usize, fence: &Fence, wait: u64) {
        let life = self.life(node);
        self.at(wait, Event::Step { node, life, fence: fence.clone() });
    }

    /// What the attempt waited for is there.
    pub fn next_stage(&mut self, node: usize, fence: &Fence) {
        let Some(stage) = self.seat(node, fence).map(|s| s.stage) else { return };
        match stage {
            Stage::Noting => self.enter(node, fence, Stage::Fetching, (20, 400)),
            Stage::Fetching => self.fetch_base(node, fence),
            Stage::Launching => self.launch(node, fence),
            Stage::NotingWorkload => self.attend(node, fence),
            Stage::NotingEnd => self.release(node, fence),
            Stage::NotingDelivered => self.clean_up(node, fence),
            Stage::Cleaning => self.leave(node, fence),
            Stage::Attending | Stage::HandingOver => {}
        }
    }

    fn enter(&mut self, node: usize, fence: &Fence, stage: Stage, (low, high): (u64, u64)) {
        if let Some(seat) = self.seat(node, fence) {
            seat.stage = stage;
            let wait = self.between(low, high);
            self.step_in(node, fence, wait);
        }
    }

    /// What an attempt works from is fetched from its owner, unless it is here already.
    fn fetch_base(&mut self, node: usize, fence: &Fence) {
        let owner = owner_of(&fence.attempt.task);
        let here = self.seat(node, fence).is_none_or(|s| s.again && s.note.workload.is_some());
        let away = self.net.is_cut(owner, node, self.now) || self.nodes[owner].live.is_none();
        if !here && (owner != node && away || self.trouble(40)) {
            return self.host_failed(node, fence, "the base did not come");
        }
        let there = self.nodes[node].containers.contains_key(fence);
        let Some(seat) = self.seat(node, fence) else { return };
        if seat.again && seat.note.workload.is_some() && !there {
            self.counts.add("vanished");
            return self.host_failed(node, fence, "its workload vanished while the node was away");
        }
        // Now and then it takes longer than a lease.
        let long = if self.trouble(20) { 14_000 } else { 1_200 };
        self.enter(node, fence, Stage::Launching, (100, long));
    }

    fn launch(&mut self, node: usize, fence: &Fence) {
        let there = self.nodes[node].containers.contains_key(fence);
        if !there && self.trouble(40) {
            return self.host_failed(node, fence, "the container did not start");
        }
        let (runs, now) = (self.run_time(&fence.attempt.task), self.now);
        let Some(seat) = self.seat(node, fence) else { return };
        seat.stage = Stage::NotingWorkload;
        seat.note.workload = Some(WorkloadId::new("w").expect("an id"));
        let (note, request) = (seat.note.clone(), seat.note.spec.request);
        if !self.nodes[node].containers.contains_key(fence) {
            let at = now + runs;
            let container = Container { request, exit: None, ends_at: at, printed: 0, held: None };
            self.nodes[node].containers.insert(fence.clone(), container);
            self.counts.add("containers");
            self.at(runs, Event::Exit { node, fence: fence.clone(), at });
        }
        self.write(node, Write::Note(Box::new(note)), Then::Stage(fence.clone()));
    }

    /// How long an agent runs by itself.
    fn run_time(&mut self, task: &TaskId) -> u64 {
        if let Some(known) = self.run_times.get(task) {
            return *known;
        }
        let most = if self.trouble(4) { 60_000 } else { 12_000 };
        self.between(1_000, most)
    }

    /// An agent ends by itself.
    pub fn exit(&mut self, node: usize, fence: &Fence, at: u64) {
        let bad = self.trouble(4);
        let Some(container) = self.nodes[node].containers.get_mut(fence) else { return };
        if container.exit.is_none() && container.ends_at == at && container.held.is_none() {
            container.exit = Some(i32::from(bad));
        }
        if self.nodes[node].sleep != Sleep::Awake {
            return self.nodes[node].frozen.push(Event::Exit { node, fence: fence.clone(), at });
        }
        self.look_at_exit(node, fence);
    }

    /// Hands over the result of an agent that is done.
    pub fn look_at_exit(&mut self, node: usize, fence: &Fence) {
        let Some(code) = self.nodes[node].containers.get(fence).and_then(|c| c.exit) else { return };
        let Some(seat) = self.seat(node, fence).filter(|s| s.stage == Stage::Attending) else { return };
        let end = End { program: Some(code), ..End::default() };
        let breach = judge(&end, seat.stopped.as_ref());
        self.hand_over(node, fence, Some(code), breach);
    }

    fn host_failed(&mut self, node: usize, fence: &Fence, detail: &str) {
        let breach = Breach { reason: Reason::Host, detail: detail.to_owned() };
        let stopped = self.seat(node, fence).and_then(|s| s.stopped.clone());
        self.hand_over(node, fence, None, Some(stopped.unwrap_or(breach)));
    }

    /// What came of it is noted before its room is given away: a restart does not run it again.
    fn hand_over(&mut self, node: usize, fence: &Fence, exit_code: Option<i32>, breach: Option<Breach>) {
        let change = breach.is_none().then(|| result_of(fence));
        let Some(seat) = self.seat(node, fence) else { return };
        let (reason, detail) = breach.map_or((None, String::new()), |b| (Some(b.reason), b.detail));
        let saved = reason.map(|_| Commit(format!("saved-of-{fence}")));
        let usage = Usage::default();
        seat.stage = Stage::NotingEnd;
        seat.note.ended = Some(Ended { exit_code, reason, detail, usage, change, salvage: None, saved });
        let note = Box::new(seat.note.clone());
        self.write(node, Write::Note(note), Then::Stage(fence.clone()));
    }

    /// From here on it asks nothing of the machine but patience with an owner that may be away.
    fn release(&mut self, node: usize, fence: &Fence) {
        let printed = self.kept_lines(node, fence);
        let Some(seat) = self.seat(node, fence) else { return };
        seat.stage = Stage::HandingOver;
        seat.request = Resources::default();
        self.advertise(node);
        self.ship(node, fence, printed);
        self.hand_on(node, fence);
    }

    /// The owner has answered: the attempt is over here, whatever it said.
    pub fn delivered(&mut self, node: usize, fence: &Fence) {
        if let Some(seat) = self.seat(node, fence) {
            seat.stage = Stage::NotingDelivered;
            seat.note.delivered = true;
            let note = Box::new(seat.note.clone());
            self.write(node, Write::Note(note), Then::Stage(fence.clone()));
        }
    }

    fn clean_up(&mut self, node: usize, fence: &Fence) {
        self.nodes[node].containers.remove(fence);
        if let Some(seat) = self.seat(node, fence) {
            seat.stage = Stage::Cleaning;
            self.write(node, Write::Forget(fence.clone()), Then::Stage(fence.clone()));
        }
    }

    fn leave(&mut self, node: usize, fence: &Fence) {
        if let Some(live) = self.live(node) {
            live.seats.remove(fence);
            self.advertise(node);
            self.observe(node, Observation::CapacityChanged);
        }
    }

    /// What its owner has told it to do; kept until there is something that runs.
    fn obey(&mut self, node: usize, fence: &Fence, order: Order) {
        let Some(seat) = self.seat(node, fence) else { return };
        match seat.stage {
            Stage::Attending => self.carry_out(node, fence, order),
            _ => seat.orders.push(order),
        }
    }

    fn attend(&mut self, node: usize, fence: &Fence) {
        let Some(seat) = self.seat(node, fence) else { return };
        seat.stage = Stage::Attending;
        let (workload, base) = (WorkloadId::new("w").expect("an id"), Commit("base".to_owned()));
        let started = News::Started { workload, base, isolation_missing: Vec::new() };
        let orders = std::mem::take(&mut seat.orders);
        let printed = self.kept_lines(node, fence);
        self.ship(node, fence, printed);
        self.tell(node, fence, started);
        orders.into_iter().for_each(|order| self.carry_out(node, fence, order));
        let life = self.life(node);
        self.at(1_000, Event::Tick { node, life, fence: fence.clone() });
        self.look_at_exit(node, fence);
    }

    /// The last line of an attempt that is durable here.
    fn kept_lines(&self, node: usize, fence: &Fence) -> u64 {
        let log = self.nodes[node].disk.kept.lines.get(&fence.attempt);
        log.and_then(|log| log.keys().last().copied()).unwrap_or(0)
    }

    /// How long the call that hands a result over may take: its objects are fetched meanwhile.
    pub const fn patience(news: &News) -> u64 {
        if matches!(news, News::Ended(_)) { 4 * CALL } else { CALL }
    }

    pub fn report(&mut self, node: usize, fence: &Fence, news: News) -> u64 {
        let (call, within) = (self.ticket(), Self::patience(&news));
        let to = owner_of(&fence.attempt.task);
        self.live(node).expect("it lives").calls.insert(call, Call::News(fence.clone()));
        let report = Box::new(Report { fence: fence.clone(), news });
        self.call(node, to, call, Ask::Report(report), within);
        call
    }
}
