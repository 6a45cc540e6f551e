//! The commands, one file each.

pub(crate) mod api;
pub(crate) mod attach;
pub(crate) mod audit;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod cost;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod init;
pub(crate) mod invite;
pub(crate) mod join;
pub(crate) mod man;
pub(crate) mod node;
pub(crate) mod notify;
pub(crate) mod open;
pub(crate) mod patch;
pub(crate) mod place;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod remove;
pub(crate) mod sandbox;
pub(crate) mod share;
pub(crate) mod spec;
pub(crate) mod task;
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod up;
pub(crate) mod user;
pub(crate) mod version;

use crate::args::Command;
use crate::env::Env;
use crate::run::Outcome;

/// Runs one command.
pub(crate) async fn run(command: Command, env: &Env) -> Outcome {
    match command {
        Command::Up(c) => c.run(env).await,
        Command::Down(c) => c.run(env).await,
        Command::Init(c) => c.run(env),
        Command::Invite(c) => c.run(env).await,
        Command::Join(c) => c.run(env).await,
        Command::Demo(c) => c.run(env).await,
        Command::Doctor(c) => c.run(env).await,
        Command::Sandbox(c) => c.run(env).await,
        Command::Version(c) => c.run(env).await,
        Command::Node(c) => c.run(env).await,
        Command::Nodes(c) => c.run(env).await,
        Command::Plan(c) => c.run(env).await,
        Command::Place(c) => c.run(env).await,
        Command::Task(c) => c.run(env).await,
        Command::Spec(c) => c.run(env),
        Command::Notify(c) => c.run(env).await,
        Command::Open(c) => c.run(env).await,
        Command::Attach(c) => c.run(env).await,
        Command::Patch(c) => c.run(env).await,
        Command::Share(c) => c.run(env).await,
        Command::Cost(c) => c.run(env).await,
        Command::Audit(c) => c.run(env).await,
        Command::Api(c) => c.run(env).await,
        Command::User(c) => c.run(env).await,
        Command::Token(c) => c.run(env).await,
        Command::Top(c) => c.run(env).await,
        Command::Session(c) => c.run(env).await,
        Command::Config(c) => c.run(env),
        Command::Context(c) => c.run(env),
        Command::Completion(c) => c.run(env),
        Command::Man(c) => c.run(env),
        Command::Other(words) => plugin::run(words, env),
    }
}
