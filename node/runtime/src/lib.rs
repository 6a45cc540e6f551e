//! Drivers that feed the machines and carry out their effects.
//!
//! Knows how decisions become acts: persist first, then act, then feed back what came of it. Deliberately
//! knows no vendor and no surface: it holds ports only. Start reading at `owner` (the loop that owns
//! tasks), then `host` (the side that runs attempts), then [`handle`] (what surfaces ask).

mod checker;
mod chores;
mod claims;
mod copies;
mod desk;
pub mod handle;
mod host;
mod journal;
mod mesh;
pub mod mesh_handle;
pub mod notices;
mod options;
mod owner;
mod parts;
mod peer;
mod reviews;
mod running;
mod submit;
mod terminal;
mod view;

pub use handle::Handle;
pub use host::Disk;
pub use journal::Journal;
pub use mesh::{DialGuest, Enrolment, EnrolmentParts, RoutedGates, Routes};
pub use mesh_handle::MeshHandle;
pub use options::{AgentProgram, Defaults, Options};
pub use parts::{Parts, Reach};
pub use peer::LocalPeer;
pub use running::{Mesh, Running, StartError, start};
