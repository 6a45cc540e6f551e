//! PID 1 in the agent's container: starts the agent, numbers its output, leads its model calls out.
//!
//! Knows the launch file, the numbered frames and the gateway socket; deliberately knows no task, no node, no
//! credential and no TOML. Start reading at [`life`], then [`program`].

pub mod control;
pub mod editor;
pub mod events;
pub mod forward;
pub mod frames;
pub mod gateway;
pub mod launch;
pub mod life;
pub mod lines;
pub mod program;
pub mod pty;
pub mod reaper;
pub mod scrollback;
pub mod stop;
pub mod terminal;

pub use life::run;
