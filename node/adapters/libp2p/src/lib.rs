//! The Mesh port on rust-libp2p.
//!
//! Knows how links between nodes are made, proven, kept and bounded; deliberately knows nothing of what is said
//! over them, and decides nobody's enrolment. Start reading at [`mesh`], then `driver` (what happens when), `door`
//! (who gets in) and `lanes` (streams). [`guest`] is the way in of a node that is not enrolled yet.

mod address;
mod book;
mod door;
mod driver;
mod forpeers;
mod frames;
pub mod guest;
mod intake;
mod key;
mod lanes;
pub mod mesh;
mod muxer;
mod onesocket;
mod opener;
mod options;
mod relays;
mod resolve;
mod roles;
mod stream;
mod swarm;
mod table;

pub use guest::dial_as_guest;
pub use mesh::Libp2pMesh;
pub use options::MeshOptions;
