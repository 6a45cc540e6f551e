//! The machine: one per node.

mod invariant;
mod outbox;
mod overlay;
mod probe;
mod receive;
mod spread;
mod suspect;
mod sync;
mod timer;

use crate::book::{Book, Place, place};
use crate::chance::Chance;
use crate::config::Config;
use crate::effect::Effect;
use crate::frame::Part;
use crate::input::{Input, Me};
use crate::member::{Liveness, Member, Row};
use crate::record::{self, ADVERTISEMENT_MAX, Record};
use crate::seal::Seal;
use ikigai_types::{NodeId, Timestamp};
use overlay::Overlay;
use std::collections::BTreeMap;
use std::sync::Arc;
use timer::{Timer, Timers};

/// Who is in the mesh, seen from one node. Same state, same input, same time: same effects.
#[derive(Debug)]
pub struct Membership {
    config: Config,
    seal: Arc<dyn Seal>,
    chance: Chance,
    node: NodeId,
    here: Place,
    advertisement: Vec<u8>,
    /// Row i of `rows` is about entry i of the book; this node has one too.
    book: Book,
    rows: Vec<Row>,
    /// Rows that are alive and dead, without this node's.
    alive: usize,
    dead: usize,
    overlay: Overlay,
    timers: Timers,
    probes: BTreeMap<Place, probe::Probe>,
    relays: BTreeMap<u32, probe::Relayed>,
    suspicions: BTreeMap<Place, suspect::Suspicion>,
    missing: BTreeMap<Place, spread::Missing>,
    credits: BTreeMap<Place, outbox::Credit>,
    seq: u32,
    /// Lifeguard's local health: 0 is well; every wait for an answer is 1 + this many times as long.
    health: u8,
    /// When it may be one less.
    better_at: Timestamp,
    lossy_until: Timestamp,
    refuted_at: Option<Timestamp>,
    /// A refutation of this incarnation that waits.
    refute: Option<u64>,
    phase: Phase,
    /// Persisted number of the life before, until the first input.
    before: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fresh,
    Running,
    Left,
}

/// The machine, the time of its present input, and what came of it so far.
struct Turn<'a> {
    m: &'a mut Membership,
    now: Timestamp,
    effects: Vec<Effect>,
    out: BTreeMap<Place, Vec<Part>>,
}

impl Membership {
    /// A node that has not begun; [`Membership::next_wake`] is due at once.
    pub fn new(config: Config, me: Me, seed: u64) -> Self {
        let mut book = me.book;
        book.allow(me.node);
        let rows: Vec<Row> = book.entries().iter().map(|entry| remembered(entry.record.as_ref())).collect();
        let here = place(&me.node);
        let dead = rows.iter().zip(book.entries()).filter(|(r, e)| r.is_dead() && e.place != here).count();
        let mut advertisement = me.advertisement;
        advertisement.truncate(ADVERTISEMENT_MAX);
        Self {
            overlay: Overlay::new(here, config.rings, config.watch_rings),
            config,
            seal: me.seal,
            chance: Chance::new(seed),
            node: me.node,
            here,
            advertisement,
            alive: rows.len() - 1 - dead,
            dead,
            book,
            rows,
            timers: Timers::default(),
            probes: BTreeMap::new(),
            relays: BTreeMap::new(),
            suspicions: BTreeMap::new(),
            missing: BTreeMap::new(),
            credits: BTreeMap::new(),
            seq: 0,
            health: 0,
            better_at: Timestamp(0),
            lossy_until: Timestamp(0),
            refuted_at: None,
            refute: None,
            phase: Phase::Fresh,
            before: me.incarnation,
        }
    }

    /// Applies one input.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        if self.phase == Phase::Left {
            return Vec::new();
        }
        let mut turn = Turn { m: self, now, effects: Vec::new(), out: BTreeMap::new() };
        if turn.m.phase == Phase::Fresh {
            turn.begin();
        }
        turn.notice_pause();
        match input {
            Input::Advertise(bytes) => turn.advertise(bytes),
            Input::PeerAllowed(node) => turn.allow(node),
            Input::PeerRevoked(node) => turn.revoke(&node),
            Input::Leave => turn.leave(),
            Input::Frame { from, frame } => turn.receive(&from, &frame),
            Input::LinkUp(node) => turn.greet(&node),
            Input::LinkDown(node) => turn.doubt(&node),
            Input::Wake => {}
        }
        turn.fire();
        turn.finish()
    }

    /// When [`Input::Wake`] must come next, if nothing else happens.
    pub fn next_wake(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Fresh => Some(Timestamp(0)),
            Phase::Running => self.timers.next(),
            Phase::Left => None,
        }
    }

    /// Everyone else who is enrolled.
    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        let rows = self.book.entries().iter().zip(&self.rows);
        rows.filter(|(entry, _)| entry.place != self.here).map(|(entry, row)| row.member(entry.node))
    }

    /// One who is enrolled.
    pub fn member(&self, node: &NodeId) -> Option<Member<'_>> {
        self.row_of(node).map(|row| self.rows[row].member(*node))
    }

    /// This node, as the others know it; without a record before the first input.
    pub fn me(&self) -> Member<'_> {
        self.rows[self.my_row()].member(self.node)
    }

    /// To whom records go by themselves and who is asked whether it lives: at most two per ring.
    pub fn neighbours(&self) -> impl Iterator<Item = NodeId> {
        self.overlay.places().filter_map(|place| self.node_at(place))
    }

    /// 0 if this node answers and is answered in time; up to 8 if it is so late that it doubts itself.
    pub const fn health(&self) -> u8 {
        self.health
    }

    fn my_row(&self) -> usize {
        self.book.find(self.here).expect("invariant: this node stands in its book")
    }

    fn row_of(&self, node: &NodeId) -> Option<usize> {
        self.book.find(place(node)).filter(|&row| self.book.entries()[row].node == *node)
    }

    fn node_at(&self, place: Place) -> Option<NodeId> {
        self.book.find(place).map(|row| self.book.entries()[row].node)
    }

    fn row(&self, place: Place) -> Option<&Row> {
        self.book.find(place).map(|row| &self.rows[row])
    }

    fn row_mut(&mut self, place: Place) -> Option<&mut Row> {
        self.book.find(place).map(|row| &mut self.rows[row])
    }

    fn my_key(&self) -> (u64, u64) {
        self.rows[self.my_row()].key()
    }
}

/// What is in the book is taken to be as it was: neighbours will find out.
fn remembered(raw: Option<&Arc<[u8]>>) -> Row {
    let Some((raw, record)) = raw.and_then(|raw| Some((raw, Record::parse(raw).ok()?))) else {
        return Row::UNKNOWN;
    };
    Row {
        incarnation: record.incarnation,
        version: record.version,
        record: Some(raw.clone()),
        liveness: if record.left { Liveness::Dead } else { Liveness::Alive },
        ..Row::UNKNOWN
    }
}

impl Turn<'_> {
    /// The first input: this life gets its number, neighbours and rhythm.
    fn begin(&mut self) {
        self.m.phase = Phase::Running;
        let row = self.m.my_row();
        // A book that knows this life already was handed over within it: nothing is news then.
        let new = self.m.rows[row].incarnation <= self.m.before;
        if new {
            self.raise(self.m.before.saturating_add(1));
        }
        self.m.rows[row].liveness = Liveness::Alive;
        self.settle_overlay();
        let sync = self.m.chance.millis(millis(self.m.config.sync_every));
        self.set(Timer::Sync, sync);
        self.set(Timer::Seek, millis(self.m.config.seek_every));
        self.set_heartbeat();
        if new {
            self.flood_mine();
        }
    }

    fn advertise(&mut self, bytes: Vec<u8>) {
        if bytes.len() <= ADVERTISEMENT_MAX && bytes != self.m.advertisement {
            self.m.advertisement = bytes;
            self.repeat();
        }
    }

    /// The next version of this node's record, along its tree.
    fn repeat(&mut self) {
        let (incarnation, version) = self.m.my_key();
        self.write((incarnation, version + 1), false);
        self.push(self.m.here, None);
        self.set_heartbeat();
    }

    /// The first record of a new incarnation; the caller tells it.
    fn raise(&mut self, incarnation: u64) {
        self.effects.push(Effect::PersistIncarnation(incarnation));
        self.write((incarnation, 1), false);
    }

    fn write(&mut self, key: (u64, u64), left: bool) {
        let m = &mut *self.m;
        let raw = record::write(&m.node, key, left, &m.advertisement, &*m.seal);
        let row = m.my_row();
        let row = &mut m.rows[row];
        (row.incarnation, row.version) = key;
        row.hear(self.now);
        row.record = Some(raw);
    }

    fn leave(&mut self) {
        let (incarnation, version) = self.m.my_key();
        self.write((incarnation, version + 1), true);
        self.flood_mine();
        self.m.phase = Phase::Left;
    }

    fn flood_mine(&mut self) {
        let here = self.m.here;
        self.flood_record(here, None);
    }

    fn set_heartbeat(&mut self) {
        let every = millis(self.m.config.heartbeat);
        let wait = every - every / 3 + self.m.chance.millis(2 * (every / 3));
        let at = self.now.0.saturating_add(wait);
        self.m.timers.heartbeat = Timestamp(at);
        self.set(Timer::Heartbeat, wait);
    }

    fn allow(&mut self, node: NodeId) {
        if let Some(row) = self.m.book.insert(node) {
            self.m.rows.insert(row, Row::UNKNOWN);
            self.m.dead += 1;
            self.ping(place(&node), 0);
            self.effects.push(Effect::Changed(node));
        }
    }

    fn revoke(&mut self, node: &NodeId) {
        let Some(row) = self.m.row_of(node).filter(|_| *node != self.m.node) else { return };
        let place = place(node);
        match self.m.rows[row].liveness {
            Liveness::Alive => self.m.alive -= 1,
            Liveness::Dead => self.m.dead -= 1,
            Liveness::Suspect => {}
        }
        self.m.rows.remove(row);
        self.m.book.remove(row);
        self.m.probes.remove(&place);
        self.m.relays.retain(|_, relayed| relayed.target != place && relayed.origin != place);
        self.m.suspicions.remove(&place);
        self.m.missing.remove(&place);
        self.m.credits.remove(&place);
        self.out.remove(&place);
        if self.m.overlay.has(place) {
            self.settle_overlay();
        }
        self.effects.push(Effect::Changed(*node));
    }

    fn changed(&mut self, place: Place) {
        if let Some(node) = self.m.node_at(place) {
            let changed = Effect::Changed(node);
            if !self.effects.contains(&changed) {
                self.effects.push(changed);
            }
        }
    }

    /// Sets the liveness of another node; its neighbours follow.
    fn set_liveness(&mut self, place: Place, to: Liveness) {
        let Some(row) = self.m.row_mut(place) else { return };
        let from = std::mem::replace(&mut row.liveness, to);
        if from == to || place == self.m.here {
            return;
        }
        match from {
            Liveness::Alive => self.m.alive -= 1,
            Liveness::Dead => self.m.dead -= 1,
            Liveness::Suspect => {}
        }
        match to {
            Liveness::Alive => self.m.alive += 1,
            Liveness::Dead => self.m.dead += 1,
            Liveness::Suspect => {}
        }
        if from == Liveness::Dead && self.m.overlay.closer(place)
            || to == Liveness::Dead && self.m.overlay.has(place)
        {
            self.settle_overlay();
        }
        if to != Liveness::Suspect {
            self.m.suspicions.remove(&place);
        }
        if to == Liveness::Dead {
            self.m.probes.remove(&place);
        } else if from == Liveness::Dead && self.m.overlay.has(place) {
            // Each was without the other: what one missed, the other may have.
            self.compare_tables(place);
        }
        self.changed(place);
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
