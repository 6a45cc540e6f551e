//! The words every part of Ikigai shares: ids, resources, tags, time, usage.
//!
//! Knows no behaviour beyond parsing and printing its own words; deliberately knows nothing of tasks'
//! life, of placement or of any wire. Start reading at [`id`], then [`claim`].
#![deny(missing_docs)]

pub mod change;
pub mod check;
pub mod claim;
pub mod class;
pub mod clean;
pub mod disconnect;
pub mod egress;
pub mod host;
pub mod id;
pub mod placement;
pub mod price;
pub mod resources;
pub mod resumed;
pub mod spread;
pub mod submitter;
pub mod tags;
pub mod taint;
mod text;
pub mod time;
pub mod title;
pub mod usage;
pub mod writer;

pub use change::{Change, Commit};
pub use check::{CheckResult, Verdict};
pub use claim::{Fence, Lease};
pub use class::{ClassShare, ClassSlots, InvalidShares, ShareRules, WorkloadClass};
pub use disconnect::{Disconnect, Reconcile};
pub use egress::{Egress, EgressEntry, Endpoint, InvalidEgress};
pub use id::{AttemptId, Epoch, InvalidId, NodeId, PatchId, ProjectId, TaskId, WorkloadId};
pub use placement::{Filter, Liveness, PlacementRow};
pub use price::{Price, Prices, Tokens};
pub use resources::{Limits, Resources};
pub use resumed::Resumed;
pub use spread::{Apart, Domain, Spread};
pub use submitter::Submitter;
pub use tags::{Condition, Preference, Preferences, Selector, Tags};
pub use taint::{Taint, TaintEffect, Toleration};
pub use time::Timestamp;
pub use title::title;
pub use usage::{MicroUsd, Usage};
pub use writer::Writer;
