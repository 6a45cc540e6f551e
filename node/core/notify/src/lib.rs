//! What needs a person, and when they are told of it in how many messages, as a deterministic machine.
//!
//! Knows which states of a task a person has to do something about, quiet hours, windows, reminders and what was
//! delivered; deliberately knows no clock, no network and no form a message takes on its way.
//! Start reading at [`need`], then [`machine`].
//!
//! Invariants: an occurrence is told in one message and in at most one reminder, over restarts too; in quiet hours only
//! what is urgent is told; what is over before it was told is never told; a message keeps its id over all tries.
#![deny(missing_docs)]

pub mod book;
pub mod machine;
pub mod message;
pub mod need;
pub mod rules;

pub use book::{Book, Delivery};
pub use machine::{Effect, Input, Notify, Now};
pub use message::{Kind, Message};
pub use need::{Item, Need};
pub use rules::{Quiet, Rules};
