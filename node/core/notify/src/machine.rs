//! The machine: what needs somebody goes in, messages to send come out.
//!
//! A driver writes [`Notify::book`] down after each step and before it carries out what the step answered. What was
//! not carried out is answered again after a restart, with the same id.

use crate::book::{Book, Delivery, Known};
use crate::message::{Kind, Message};
use crate::need::Item;
use crate::rules::Rules;
use ikigai_types::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// First pause before another try, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));
/// A message that could not be delivered for this long is given up.
const PATIENCE: Duration = Duration::from_secs(3 * 24 * 3600);
/// What was told and is not seen any more is remembered for this long, for a node that is away may come back with it.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
/// Messages that wait on one way, at most; the oldest makes room.
const MOST_WAITING: usize = 100;

/// The time of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The time.
    pub at: Timestamp,
    /// Minute of the day where the person is.
    pub minute: u16,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// What needs somebody, as it is seen now.
    Seen {
        /// All of it.
        needs: Vec<Item>,
        /// Ids of every task and node that is seen. What is not among them may be on a node that is away, and what it
        /// needed is not over.
        all: BTreeSet<String>,
    },
    /// Time went by.
    Time,
    /// A message arrived.
    Delivered {
        /// Its id.
        id: String,
        /// By which way.
        channel: String,
    },
    /// It did not, and may later.
    Failed {
        /// Its id.
        id: String,
        /// By which way.
        channel: String,
        /// When the other side wants to be asked again.
        after: Option<Duration>,
    },
    /// It was refused, and would be again.
    Refused {
        /// Its id.
        id: String,
        /// By which way.
        channel: String,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send it; the answer is one of the last three inputs.
    Send(Delivery),
    /// It was given up: nobody will read it there.
    GaveUp(Delivery),
}

/// Decides who is told what and when.
#[derive(Debug, Clone)]
pub struct Notify {
    rules: Rules,
    book: Book,
    /// Messages that are being sent, with their way.
    sending: BTreeSet<(String, String)>,
}

// === impl Notify ===

impl Notify {
    /// Goes on from `book`.
    pub fn new(rules: Rules, mut book: Book) -> Self {
        // A way that is configured no more delivers nothing.
        book.outbox.retain(|d| rules.channels.contains(&d.channel));
        Self { rules, book, sending: BTreeSet::new() }
    }

    /// What is to be written down.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Takes in what happened.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Seen { needs, all } => self.seen(now, needs, &all),
            Input::Time => {}
            Input::Delivered { id, channel } => drop(self.end(&id, &channel)),
            Input::Failed { id, channel, after } => self.failed(now, &id, &channel, after, &mut effects),
            Input::Refused { id, channel } => effects.extend(self.end(&id, &channel).map(Effect::GaveUp)),
        }
        self.tell(now, &mut effects);
        self.remind(now, &mut effects);
        self.send(now, &mut effects);
        effects
    }

    /// When something is to be done even if nothing happens.
    pub fn wakes(&self, now: Now) -> Option<Timestamp> {
        let idle = |d: &&Delivery| !self.sending.contains(&(d.message.id.clone(), d.channel.clone()));
        let sends = self.book.outbox.iter().filter(idle).map(|d| d.at);
        let open = self.book.known.iter().filter(|k| k.gone.is_none() && !k.reminded);
        let reminds =
            open.filter_map(|k| Some(self.not_quiet(now, &k.item, k.told?.after(self.rules.remind))));
        sends.chain(reminds).chain(self.book.due).min()
    }

    fn seen(&mut self, now: Now, needs: Vec<Item>, all: &BTreeSet<String>) {
        let wanted: Vec<_> = needs.into_iter().filter(|i| self.rules.needs.contains(&i.need)).collect();
        self.book.known.retain_mut(|known| {
            let is_there = wanted.iter().any(|i| i.is(&known.item));
            known.gone = if is_there { None } else { known.gone.or(Some(now.at)) };
            let is_over = !is_there && all.contains(&known.item.about);
            !is_over && known.gone.is_none_or(|gone| known.told.is_some() && now.at.since(gone) < REMEMBERED)
        });
        for item in wanted {
            if !self.book.known.iter().any(|k| k.item.is(&item)) {
                let due = self.not_quiet(now, &item, now.at.after(self.rules.window));
                self.book.due = Some(self.book.due.map_or(due, |d| d.min(due)));
                self.book.known.push(Known { item, told: None, reminded: false, gone: None });
            }
        }
        if !self.book.known.iter().any(|k| k.told.is_none()) {
            self.book.due = None;
        }
    }

    /// The first time from `then` on at which `item` may be told.
    fn not_quiet(&self, now: Now, item: &Item, then: Timestamp) -> Timestamp {
        match self.quiet(now) {
            Some(rest) if !self.rules.urgent.contains(&item.need) => then.max(now.at.after(rest)),
            _ => then,
        }
    }

    fn quiet(&self, now: Now) -> Option<Duration> {
        self.rules.quiet.and_then(|q| q.rest(now.minute))
    }

    /// Makes one message of all that is new, once its time has come.
    fn tell(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.book.due.is_none_or(|due| now.at < due) {
            return;
        }
        let quiet = self.quiet(now);
        let ready =
            |k: &Known| k.told.is_none() && (quiet.is_none() || self.rules.urgent.contains(&k.item.need));
        let items: Vec<_> = self.book.known.iter().filter(|k| ready(k)).map(|k| k.item.clone()).collect();
        for known in self.book.known.iter_mut().filter(|k| items.iter().any(|i| i.is(&k.item))) {
            known.told = Some(now.at);
        }
        let left = self.book.known.iter().any(|k| k.told.is_none());
        self.book.due = quiet.filter(|_| left).map(|rest| now.at.after(rest));
        self.make(now, Kind::Needs, items, effects);
    }

    /// Makes one message of all that was told long ago and still needs somebody.
    fn remind(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let quiet = self.quiet(now).is_some();
        let mut items = Vec::new();
        for known in self.book.known.iter_mut().filter(|k| k.gone.is_none() && !k.reminded) {
            let late = known.told.is_some_and(|told| now.at >= told.after(self.rules.remind));
            if late && (!quiet || self.rules.urgent.contains(&known.item.need)) {
                known.reminded = true;
                items.push(known.item.clone());
            }
        }
        self.make(now, Kind::Reminder, items, effects);
    }

    fn make(&mut self, now: Now, kind: Kind, items: Vec<Item>, effects: &mut Vec<Effect>) {
        if !items.is_empty() {
            let urgent = kind == Kind::Reminder || items.iter().any(|i| self.rules.urgent.contains(&i.need));
            let message = Message::of(self.book.next_id(), kind, now.at, items, urgent);
            self.post(message, now, effects);
        }
    }

    fn post(&mut self, message: Message, now: Now, effects: &mut Vec<Effect>) {
        for channel in self.rules.channels.clone() {
            let waiting = |d: &Delivery| d.channel == channel;
            if self.book.outbox.iter().filter(|d| waiting(d)).count() >= MOST_WAITING
                && let Some(oldest) = self.book.outbox.iter().position(waiting)
            {
                effects.push(Effect::GaveUp(self.book.outbox.remove(oldest)));
            }
            self.book.outbox.push(Delivery { message: message.clone(), channel, tries: 0, at: now.at });
        }
    }

    fn send(&mut self, now: Now, effects: &mut Vec<Effect>) {
        for delivery in self.book.outbox.iter().filter(|d| d.at <= now.at) {
            if self.sending.insert((delivery.message.id.clone(), delivery.channel.clone())) {
                effects.push(Effect::Send(delivery.clone()));
            }
        }
    }

    /// Takes a message off its way.
    fn end(&mut self, id: &str, channel: &str) -> Option<Delivery> {
        self.sending.remove(&(id.to_owned(), channel.to_owned()));
        let at = self.book.outbox.iter().position(|d| d.message.id == id && d.channel == channel)?;
        Some(self.book.outbox.remove(at))
    }

    fn failed(
        &mut self,
        now: Now,
        id: &str,
        channel: &str,
        after: Option<Duration>,
        effects: &mut Vec<Effect>,
    ) {
        self.sending.remove(&(id.to_owned(), channel.to_owned()));
        let found = self.book.outbox.iter_mut().find(|d| d.message.id == id && d.channel == channel);
        let Some(delivery) = found else { return };
        let pause = PAUSES.1.min(PAUSES.0.saturating_mul(1 << delivery.tries.min(16)));
        delivery.tries += 1;
        delivery.at = now.at.after(after.map_or(pause, |a| a.clamp(pause, PAUSES.1)));
        if now.at.since(delivery.message.at) >= PATIENCE {
            effects.extend(self.end(id, channel).map(Effect::GaveUp));
        }
    }
}
