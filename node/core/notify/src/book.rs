//! What is remembered over a restart.

use crate::message::Message;
use crate::need::Item;
use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};

/// All of it. It is written down before anything is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// Begins the id of each message of this node.
    pub(crate) name: String,
    /// Number of the last message.
    pub(crate) last: u64,
    /// When what is not told yet is told.
    pub(crate) due: Option<Timestamp>,
    pub(crate) known: Vec<Known>,
    pub(crate) outbox: Vec<Delivery>,
}

/// An occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) item: Item,
    pub(crate) told: Option<Timestamp>,
    pub(crate) reminded: bool,
    /// Since when it is not seen.
    pub(crate) gone: Option<Timestamp>,
}

/// A message on one of its ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// What is sent.
    pub message: Message,
    /// By which way.
    pub channel: String,
    /// How often it was tried in vain.
    pub tries: u32,
    /// Not before this.
    pub at: Timestamp,
}

impl Book {
    /// An empty one; `name` is nobody else's.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// What is still to be delivered.
    pub fn outbox(&self) -> &[Delivery] {
        &self.outbox
    }

    pub(crate) fn next_id(&mut self) -> String {
        self.last += 1;
        format!("{}-{}", self.name, self.last)
    }
}
