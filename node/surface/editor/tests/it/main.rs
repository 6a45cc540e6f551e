//! The proxy between a browser that may be anyone and an agent that may be hostile.

mod harness;
mod hostile;
mod links;
mod passing;
mod websockets;
