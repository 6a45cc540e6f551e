//! Which node a task runs on, and why not the others.
//!
//! Knows filters and scores; deliberately knows no task's life and no network: what it is given of other
//! nodes is a hint, and the node it picks still admits or refuses by itself. Start reading at [`place`].
#![deny(missing_docs)]

mod candidate;
mod place;

pub use candidate::{Candidate, Request};
pub use place::{Placement, place};
