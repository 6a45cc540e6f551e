//! What is known of one node.

use crate::record::Record;
use ikigai_types::{NodeId, Timestamp};
use std::sync::Arc;

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Liveness {
    /// It is.
    Alive,
    /// It did not answer someone, and may still say that it is there.
    Suspect,
    /// It did not, or it left, or it was never heard of.
    Dead,
}

/// What this node knows of one that is enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Which.
    pub node: NodeId,
    /// Whether it is there.
    pub liveness: Liveness,
    /// Said itself that it goes.
    pub left: bool,
    /// The number of its life and of its refutations; 0 if it was never heard of.
    pub incarnation: u64,
    /// The number of its record within its incarnation.
    pub version: u64,
    /// What it says of itself; empty if it was never heard of.
    pub advertisement: &'a [u8],
    /// When a newer record of it or a frame from itself last came, by this node's clock; none if never.
    pub heard_at: Option<Timestamp>,
    /// The record as it came, for [`crate::Book::remember`]; empty if it was never heard of.
    pub record: &'a [u8],
}

/// One row of the table; its node stands in the same row of the book.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) incarnation: u64,
    pub(crate) version: u64,
    /// [`NEVER`] if it was never heard of.
    pub(crate) heard: u64,
    pub(crate) record: Option<Arc<[u8]>>,
    /// Bit i: its records go to neighbour i by announcement only.
    pub(crate) lazy: u16,
    /// How often the present record came along its tree.
    pub(crate) copies: u8,
    pub(crate) liveness: Liveness,
}

const NEVER: u64 = u64::MAX;

impl Row {
    pub(crate) const UNKNOWN: Self = Self {
        incarnation: 0,
        version: 0,
        heard: NEVER,
        record: None,
        lazy: 0,
        copies: 0,
        liveness: Liveness::Dead,
    };

    pub(crate) fn hear(&mut self, now: Timestamp) {
        self.heard = now.0.min(NEVER - 1);
    }

    pub(crate) const fn key(&self) -> (u64, u64) {
        (self.incarnation, self.version)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.liveness == Liveness::Dead
    }

    pub(crate) fn left(&self) -> bool {
        self.record.as_deref().and_then(|raw| Record::parse(raw).ok()).is_some_and(|record| record.left)
    }

    pub(crate) fn member(&self, node: NodeId) -> Member<'_> {
        let raw = self.record.as_deref().unwrap_or_default();
        let record = Record::parse(raw).ok();
        Member {
            node,
            liveness: self.liveness,
            left: record.is_some_and(|record| record.left),
            incarnation: self.incarnation,
            version: self.version,
            advertisement: record.map_or(&[], |record| record.advertisement),
            heard_at: (self.heard != NEVER).then_some(Timestamp(self.heard)),
            record: raw,
        }
    }
}
