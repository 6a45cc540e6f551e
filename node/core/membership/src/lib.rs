//! Who is in the mesh, alive, suspect or dead, and what each node advertises, as a deterministic machine.
//!
//! Knows the nodes that are enrolled, how to find out which of them live, and how a record of one reaches all
//! the others; deliberately knows no clock, no socket, no key and nothing of what an advertisement says.
//! Start reading at [`input`] and [`effect`], then [`machine`]; `docs/adr/0005-membership.md` says why it is so.
//!
//! Invariants: nothing is kept or told of a node that is not enrolled; a record replaces another only if it is
//! strictly newer and its seal holds; only a node itself raises its incarnation; no bytes from a peer can make
//! the machine panic or grow beyond the enrolled set. What it says is a hint: it never grants anything.
#![deny(missing_docs)]

pub mod book;
pub mod chance;
pub mod config;
pub mod effect;
pub mod frame;
pub mod input;
pub mod machine;
pub mod member;
pub mod record;
pub mod seal;

pub use book::Book;
pub use config::Config;
pub use effect::Effect;
pub use frame::FrameError;
pub use input::{Input, Me};
pub use machine::Membership;
pub use member::{Liveness, Member};
pub use record::{ADVERTISEMENT_MAX, Record};
pub use seal::{Seal, Unsealed};
