//! The `ikigai` command: text and exit codes around a node's handle.
//!
//! Knows arguments, tables and exit codes; deliberately decides nothing about tasks. stdout is data, stderr is
//! for people. Start reading at [`args`], then [`run`], then the command's own file under `commands/`.

mod agentlog;
mod args;
mod clean;
mod commands;
mod completion;
mod contexts;
mod env;
mod fit;
mod human;
mod output;
mod programs;
mod project;
mod resolve;
mod run;
mod settings;
mod table;
mod views;
mod wait;

fn main() -> std::process::ExitCode {
    run::main()
}
