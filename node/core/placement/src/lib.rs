//! Which node a task runs on, and why not the others.
//!
//! Knows filters and scores; deliberately knows no task's life and no network: what it is given of other
//! nodes is a hint, and the node it picks still admits or refuses by itself. Start reading at [`place`];
//! docs/placement.md says what each reason means.
#![deny(missing_docs)]

mod candidate;
mod choose;
mod crowd;
mod filter;
mod index;
mod place;
mod policy;
mod preempt;
mod room;
mod score;
mod seed;

pub use candidate::{Candidate, Quota, Request};
pub use index::Index;
pub use place::{Placement, decide, place, place_by, refuses};
pub use policy::{Fit, Policy};
pub use preempt::{Held, Occupied, Preemption, preempt};
pub use seed::seed;
