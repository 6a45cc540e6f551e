//! The other nodes of a mesh, asked over gRPC.
//!
//! Knows how a call leaves over a lane of the [`Mesh`](ikigai_ports::Mesh) and what its failure means to the
//! caller; deliberately knows neither whom to ask nor when to ask again. The calls themselves are in
//! [`ikigai_ports::rpc`], their bytes in [`ikigai_wire::rpc`]. Start reading at [`GrpcPeers`], then `link.rs`.

mod call;
mod codec;
mod failure;
mod link;
mod node;
mod peer;
mod peers;
mod stream;

pub use peers::GrpcPeers;
