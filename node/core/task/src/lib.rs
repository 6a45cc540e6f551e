//! The life of a task, its leases and attempts, as a deterministic machine.
//!
//! Knows who may act on a task and what follows from it; deliberately knows no clock, no store, no executor
//! and no forge. Start reading at [`state`] (the published table), then [`event`], then [`machine`].
//!
//! Invariants: an epoch only grows, and is recorded before the offer that carries it; at most one attempt of
//! a task is accepted; an observation under another fence than the task's present lease changes nothing but
//! the record that it was refused.
#![deny(missing_docs)]

pub mod attempt;
pub mod disconnect;
pub mod effect;
pub mod event;
pub mod follow;
pub mod host;
pub mod input;
pub mod lock;
pub mod machine;
mod path_claims;
pub mod prompt;
pub mod reply;
pub mod retry;
pub mod spec;
pub mod state;
pub mod task;
pub mod why;

pub use attempt::{Attempt, Continues, Phase, Silent, Verification};
pub use effect::Effect;
pub use event::{Event, Record};
pub use follow::{Follow, Kept};
pub use input::{Adoption, Command, Input, Observation, Refusal};
pub use lock::Lock;
pub use machine::Owner;
pub use retry::{Policy, Reason};
pub use spec::{TaskSpec, Wants};
pub use state::{Moves, TaskState, WaitReason};
pub use task::Task;
pub use why::Why;
