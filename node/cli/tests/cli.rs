//! The command against a node that pretends, over a real socket: every table, every error, every exit code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cli/scene.rs"]
mod scene;

#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/errors.rs"]
mod errors;
#[path = "cli/extension.rs"]
mod extension;
#[path = "cli/follow.rs"]
mod follow;
#[path = "cli/forms.rs"]
mod forms;
#[path = "cli/local.rs"]
mod local;
#[path = "cli/steer.rs"]
mod steer;
#[path = "cli/tables.rs"]
mod tables;
#[path = "cli/terminal.rs"]
mod terminal;
#[path = "cli/top.rs"]
mod top;
