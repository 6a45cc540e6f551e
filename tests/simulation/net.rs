//! Links: late, lossy, doubling, cut in one direction or in both.

use crate::world::{Event, Message, World};

/// What links do to messages.
pub struct Net {
    nodes: usize,
    pub drop_percent: u64,
    pub double_percent: u64,
    /// Most messages take up to so many milliseconds.
    pub delay: u64,
    /// Messages from one node to another are lost until then.
    cut_until: Vec<u64>,
}

impl Net {
    pub fn new(nodes: usize) -> Self {
        Self { nodes, drop_percent: 0, double_percent: 0, delay: 30, cut_until: vec![0; nodes * nodes] }
    }

    pub fn cut(&mut self, from: usize, to: usize, until: u64) {
        self.cut_until[from * self.nodes + to] = until;
    }

    pub fn is_cut(&self, from: usize, to: usize, now: u64) -> bool {
        self.cut_until[from * self.nodes + to] > now
    }

    pub fn heal(&mut self) {
        *self = Self::new(self.nodes);
    }
}

impl World {
    /// Sends `message` on its way. What a node sends itself is neither lost nor doubled.
    pub fn send(&mut self, from: usize, to: usize, message: Message) {
        if from == to {
            return self.at(0, Event::Arrive { from, to, message });
        }
        if self.net.is_cut(from, to, self.now) {
            return self.counts.add("cut off");
        }
        if self.dice.millis(99) < self.net.drop_percent {
            return self.counts.add("dropped");
        }
        if self.dice.millis(99) < self.net.double_percent {
            self.counts.add("doubled");
            let wait = self.late();
            self.at(wait, Event::Arrive { from, to, message: message.clone() });
        }
        let wait = self.late();
        self.at(wait, Event::Arrive { from, to, message });
    }

    /// How long a message takes: sometimes so long that what was sent after it comes first, or that nobody
    /// waits for it any more.
    fn late(&mut self) -> u64 {
        if self.trouble(12) {
            self.counts.add("late");
            return self.between(100, 15_000);
        }
        1 + self.dice.millis(self.net.delay)
    }

    pub fn arrive(&mut self, from: usize, to: usize, message: Message) {
        if self.nodes[to].live.is_none() || from != to && self.net.is_cut(from, to, self.now) {
            return self.counts.add("undelivered");
        }
        match message {
            Message::Frame(frame) => self.hear(to, from, frame),
            Message::Ask { call, ask } => self.asked(to, from, call, *ask),
            Message::Answer { call, answer } => self.answered(to, call, answer),
        }
    }
}
