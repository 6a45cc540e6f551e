//! While an agent runs: its owner is told, its lines are sent, its lease and its limits are watched.

use crate::bugs::Bug;
use crate::gossip::owner_of;
use crate::holder::{Ask, Call, Seat, Stage};
use crate::node::{Then, Write};
use crate::owner::CALL;
use crate::world::{Event, World};
use ikigai_ports::peer::Appended;
use ikigai_task::Reason;
use ikigai_task::host::Breach;
use ikigai_types::{Fence, Timestamp};
use ikigai_wire::peer::{News, Order, Reply};
use std::collections::VecDeque;
use std::time::Duration;

/// How long after a call that did not get through the next one is made.
const PAUSE: u64 = 1_000;
/// How long an agent gets to end by itself.
const GRACE: u64 = 1_500;

/// What the owner is to be told, one thing at a time and in order.
#[derive(Default)]
pub struct Teller {
    pub waiting: VecDeque<News>,
    /// What is being told, and when that was sent.
    pub call: Option<(News, Timestamp)>,
    pub pausing: bool,
}

/// Lines on their way to an owner on another machine.
pub struct Shipper {
    /// The last number the owner has; not known before it was asked.
    there: Option<u64>,
    here: u64,
    over: bool,
    busy: bool,
}

impl Shipper {
    pub const fn new(over: bool) -> Self {
        Self { there: None, here: 0, over, busy: false }
    }

    fn behind(&self) -> bool {
        !self.over && self.here > self.there.unwrap_or(0)
    }
}

impl World {
    /// Has `news` told in its turn. A heartbeat that still waits is enough.
    pub fn tell(&mut self, node: usize, fence: &Fence, news: News) {
        let Some(seat) = self.seat(node, fence) else { return };
        let teller = &mut seat.teller;
        if matches!(news, News::Heartbeat) && (teller.call.is_some() || !teller.waiting.is_empty()) {
            return;
        }
        teller.waiting.push_back(news);
        self.tell_next(node, fence);
    }

    fn tell_next(&mut self, node: usize, fence: &Fence) {
        let now = self.clock(node);
        let Some(seat) = self.seat(node, fence) else { return };
        let teller = &mut seat.teller;
        if teller.call.is_some() || teller.pausing {
            return;
        }
        let Some(news) = teller.waiting.pop_front() else { return };
        teller.call = Some((news.clone(), now));
        self.report(node, fence, news);
    }

    /// The pause after a call that did not get through is over.
    pub fn tell_on(&mut self, node: usize, fence: &Fence) {
        if let Some(seat) = self.seat(node, fence) {
            seat.teller.pausing = false;
            seat.shipper.busy = false;
            self.ship_on(node, fence);
            self.tell_next(node, fence);
        }
    }

    fn pause_telling(&mut self, node: usize, fence: &Fence) {
        if let Some(seat) = self.seat(node, fence) {
            seat.teller.pausing = true;
            let life = self.life(node);
            self.at(PAUSE, Event::Tell { node, life, fence: fence.clone() });
        }
    }

    /// What came of telling one thing; nothing when there was no answer.
    pub fn told(&mut self, node: usize, fence: &Fence, reply: Option<Reply>) {
        let Some(seat) = self.seat(node, fence) else { return };
        let Some((news, sent)) = seat.teller.call.take() else { return };
        let ended = matches!(news, News::Ended(_));
        match reply {
            Some(_) if ended => return self.delivered(node, fence),
            Some(Reply::Taken { lease_ms, .. }) => self.renewed(node, fence, sent, lease_ms),
            Some(Reply::Refused { text, .. }) => {
                let breach = Breach { reason: Reason::Lost, detail: text };
                if seat.stopped.is_none() && seat.stage == Stage::Attending {
                    seat.stopped = Some(breach);
                    self.stop(node, fence, GRACE);
                }
            }
            None => {
                let again = ended || matches!(news, News::Started { .. });
                match news {
                    News::Started { .. } => seat.teller.waiting.push_front(news),
                    News::Ended(_) => seat.teller.waiting.push_back(news),
                    _ => {}
                }
                if again || seat.stage == Stage::HandingOver {
                    self.pause_telling(node, fence);
                }
            }
        }
        self.tell_next(node, fence);
    }

    /// The lease is good from before the owner was asked.
    fn renewed(&mut self, node: usize, fence: &Fence, sent: Timestamp, lease_ms: u64) {
        let by_owner = self.clock(owner_of(&fence.attempt.task));
        let wall = self.has(Bug::LeaseByWallClock);
        let Some(seat) = self.seat(node, fence) else { return };
        let from = if wall { by_owner } else { sent };
        seat.lease_until = from.after(Duration::from_millis(lease_ms));
        seat.note.lease_ms = lease_ms;
        seat.renewed = true;
    }

    pub fn tick(&mut self, node: usize, fence: &Fence) {
        let now = self.clock(node);
        self.print(node, fence);
        let failed = self.trouble(300);
        let Some(seat) = self.seat(node, fence).filter(|s| s.stage == Stage::Attending) else { return };
        seat.ticks += 1;
        if seat.stopped.is_none() {
            let until = seat.lease_until.after(seat.note.spec.disconnect.lost_after());
            let over = || Breach { reason: Reason::Lost, detail: "its owner did not renew it".to_owned() };
            let breach = seat.watch.breach(0, now).or_else(|| (now >= until).then(over));
            let breach = breach.or_else(|| failed.then(host_failed));
            if let Some(breach) = breach {
                seat.stopped = Some(breach);
                self.stop(node, fence, GRACE);
            } else {
                self.gate(node, fence);
            }
        }
        self.beat(node, fence);
        let life = self.life(node);
        self.at(1_000, Event::Tick { node, life, fence: fence.clone() });
    }

    /// What the gate tells of an agent now and then.
    fn gate(&mut self, node: usize, fence: &Fence) {
        if self.trouble(60) {
            let wait_ms = self.between(1_000, 6_000);
            self.tell(node, fence, News::Quota { wait_ms });
        }
        if self.trouble(60) {
            self.tell(node, fence, News::Denied { what: "host".to_owned() });
        }
    }

    /// Renews the lease when it is time, also while the agent is being ended: the owner is to hear how.
    fn beat(&mut self, node: usize, fence: &Fence) {
        let Some(seat) = self.seat(node, fence) else { return };
        let gone = |b: &Breach| matches!(b.reason, Reason::Lost | Reason::Superseded | Reason::Stopped);
        let due = seat.ticks % (seat.note.lease_ms / 3_000).max(1) == 0;
        if due && !seat.stopped.as_ref().is_some_and(gone) {
            self.heartbeat(node, fence);
        }
    }

    fn heartbeat(&mut self, node: usize, fence: &Fence) {
        if let Some(seat) = self.seat(node, fence) {
            seat.note.ran = seat.watch.ran();
            let note = Box::new(seat.note.clone());
            self.write(node, Write::Note(note), Then::Nothing);
            self.tell(node, fence, News::Heartbeat);
        }
    }

    /// The agent prints; what it says becomes durable here, and is then sent to the owner.
    fn print(&mut self, node: usize, fence: &Fence) {
        let lines = self.dice.millis(2);
        let now = self.clock(node);
        let Some(container) = self.nodes[node].containers.get_mut(fence) else { return };
        if container.held.is_some() || container.exit.is_some() || lines == 0 {
            return;
        }
        let from = container.printed;
        container.printed += lines;
        let upto = container.printed;
        if let Some(seat) = self.seat(node, fence) {
            seat.watch.heard(now);
            let lines = (from + 1..=upto).map(|n| (n, fence.clone())).collect();
            let write = Write::Lines(fence.attempt.clone(), lines);
            self.write(node, write, Then::Ship(fence.clone(), upto));
        }
    }

    /// Has the agent ended, within the grace it gets; of two orders the shorter one counts.
    fn stop(&mut self, node: usize, fence: &Fence, grace: u64) {
        let (now, wait) = (self.now, self.between(50, 50 + grace));
        let Some(seat) = self.seat(node, fence).filter(|s| s.ending.is_none_or(|by| by > now + grace)) else {
            return;
        };
        seat.ending = Some(now + grace);
        let Some(container) = self.nodes[node].containers.get_mut(fence) else { return };
        if container.exit.is_none() {
            container.held = None;
            container.ends_at = container.ends_at.min(now + wait);
            let at = container.ends_at;
            self.at(at.saturating_sub(now), Event::Exit { node, fence: fence.clone(), at });
        }
    }

    pub fn carry_out(&mut self, node: usize, fence: &Fence, order: Order) {
        let clock = self.clock(node);
        match order {
            Order::Stop { reason, grace } => {
                let Some(seat) = self.seat(node, fence) else { return };
                let detail = format!("the owner ended it: {}", reason.name());
                seat.stopped.get_or_insert(Breach { reason, detail });
                self.stop(node, fence, 1_000 * grace);
            }
            Order::Hold | Order::Unhold => {
                let hold = order == Order::Hold;
                if let Some(seat) = self.seat(node, fence) {
                    seat.watch.hold(hold, clock);
                }
                self.freeze(node, fence, hold);
            }
        }
    }

    /// Holds a container or lets it go on; one that is being ended ends, held or not.
    fn freeze(&mut self, node: usize, fence: &Fence, hold: bool) {
        let now = self.now;
        if self.seat(node, fence).is_none_or(|s| s.ending.is_some()) {
            return;
        }
        let Some(container) = self.nodes[node].containers.get_mut(fence) else { return };
        if container.exit.is_some() {
            return;
        }
        if hold {
            container.held.get_or_insert(container.ends_at.saturating_sub(now));
        } else if let Some(left) = container.held.take() {
            container.ends_at = now + left;
            self.at(left, Event::Exit { node, fence: fence.clone(), at: now + left });
        }
    }

    /// Lines up to `upto` are durable here.
    pub fn ship(&mut self, node: usize, fence: &Fence, upto: u64) {
        if let Some(seat) = self.seat(node, fence) {
            seat.shipper.here = seat.shipper.here.max(upto);
            self.ship_on(node, fence);
        }
    }

    fn ship_on(&mut self, node: usize, fence: &Fence) {
        let Some(seat) = self.seat(node, fence).filter(|s| s.shipper.behind() && !s.shipper.busy) else {
            return;
        };
        seat.shipper.busy = true;
        let from = seat.shipper.there;
        let log = self.nodes[node].disk.kept.lines.get(&fence.attempt);
        // Nothing is sent before the owner said what it has.
        let lines = from.zip(log).map_or_else(Vec::new, |(from, log)| {
            log.range(from + 1..).map(|(n, truth)| (*n, truth.clone())).take(512).collect()
        });
        let call = self.ticket();
        self.live(node).expect("it lives").calls.insert(call, Call::Lines(fence.clone()));
        let to = owner_of(&fence.attempt.task);
        self.call(node, to, call, Ask::Lines { fence: fence.clone(), lines }, CALL);
    }

    pub fn shipped(&mut self, node: usize, fence: &Fence, upto: Option<Appended>) {
        let Some(seat) = self.seat(node, fence) else { return };
        match upto {
            Some(Appended::Upto(n)) => seat.shipper.there = Some(n),
            Some(Appended::Stale(_)) => seat.shipper.over = true,
            None => return self.pause_telling(node, fence),
        }
        seat.shipper.busy = false;
        self.ship_on(node, fence);
        self.hand_on(node, fence);
    }

    /// Once the owner has all lines, or wants none, it is told the end.
    pub fn hand_on(&mut self, node: usize, fence: &Fence) {
        self.ship_on(node, fence);
        let ready = |s: &&mut Seat| s.stage == Stage::HandingOver && !s.shipper.behind();
        let Some(seat) = self.seat(node, fence).filter(ready) else { return };
        let says_it = |n: &News| matches!(n, News::Ended(_));
        let telling = seat.teller.call.as_ref().is_some_and(|(n, _)| says_it(n));
        if telling || seat.teller.waiting.iter().any(says_it) {
            return;
        }
        let Some(ended) = seat.note.ended.clone() else { return };
        seat.teller.waiting.retain(|n| !matches!(n, News::Heartbeat));
        seat.teller.waiting.push_back(News::Ended(Box::new(ended)));
        self.tell_next(node, fence);
    }
}

/// Its node cannot go on with it: the disk is full, the engine is away.
fn host_failed() -> Breach {
    Breach { reason: Reason::Host, detail: "its lines cannot be kept".to_owned() }
}
