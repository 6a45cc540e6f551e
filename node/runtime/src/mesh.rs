//! The other nodes: who they are, what they have, and the way to them.

mod advertise;
mod book;
mod drive;
mod enrol;
mod neighbours;
mod objects;
mod routes;

pub(crate) use drive::{Setup, drive, look_again};
pub use enrol::{DialGuest, Enrolment, EnrolmentParts};
pub(crate) use neighbours::{Neighbour, Neighbours};
pub(crate) use objects::Fetches;
pub use routes::{RoutedGates, Routes};
pub(crate) use routes::{open_terminal, serve_agents};
