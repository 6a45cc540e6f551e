//! Gates tried from inside (as an agent would) and from outside (as the runtime does), with providers on loopback.
#![allow(clippy::unwrap_used)]

mod bounds;
mod calls;
mod denied;
mod editor;
mod egress;
mod held;
mod life;
mod scripted;
mod secrets;
mod support;
