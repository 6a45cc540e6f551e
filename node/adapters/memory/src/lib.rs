//! Every port in memory, for tests, simulation and embedders.
//!
//! Knows how each port behaves when nothing can fail; deliberately knows no disk, no clock and no chance but
//! its seed. Start reading at [`store`]; [`clock`] is what a simulation turns by hand.

pub mod arbiter;
pub mod clock;
pub mod logs;
pub mod mesh;
pub mod rng;
pub mod store;

pub use arbiter::MemoryArbiter;
pub use clock::VirtualClock;
pub use logs::MemoryLogs;
pub use mesh::{MemoryHub, MemoryMesh};
pub use rng::SeededRng;
pub use store::MemoryStore;
