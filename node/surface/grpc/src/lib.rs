//! What other nodes of the mesh may ask this one, over gRPC.
//!
//! Knows how a call comes in over a lane of the [`Mesh`](ikigai_ports::Mesh), who makes it, and how much of
//! everything one peer gets; deliberately knows neither what a call decides nor how the other end is found.
//! The calls themselves are in [`ikigai_ports::rpc`], their bytes in [`ikigai_wire::rpc`]. Start reading at
//! [`serve()`], then `service.rs`.

mod codec;
mod connection;
mod limits;
mod node;
mod peer;
mod serve;
mod service;
mod status;
mod stream;

pub use serve::serve;
