//! News and deaths among thousands of simulated nodes: `ikigai-membership` and what it is compared to, in one
//! event loop of virtual time, from one seed.
//!
//! Nothing here depends on the load of the machine but how long it takes.

#[path = "../../bench/common/bar.rs"]
pub mod bar;
pub mod chitchat_mesh;
pub mod event;
pub mod foca_mesh;
pub mod heard;
pub mod iroh_mesh;
pub mod ours;
pub mod rule;
pub mod swim;
