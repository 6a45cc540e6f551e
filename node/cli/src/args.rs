//! The arguments every command shares, and the list of commands.

use crate::commands::{
    api, attach, audit, completion, config, context, cost, demo, doctor, down, init, invite, join, man, node,
    notify, open, patch, place, plan, sandbox, share, spec, task, token, top, up, user, version,
};
use crate::human::Span;
use crate::output::Format;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Coding agents on the machines you already have.
#[derive(Debug, Parser)]
#[command(
    name = "ikigai",
    version,
    about,
    disable_help_subcommand = false,
    after_help = "Example:\n  ikigai up --detach\n  ikigai plan\n  ikigai task new\n  ikigai task ls --watch\n\n\
        Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 needs auth, 5 denied, 6 conflict,\n\
        7 node unreachable, 8 timed out, 9 differs, 130 on Ctrl-C.\n\
        A program called ikigai-foo on PATH is run by `ikigai foo`."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value = "table", help_heading = "Everywhere")]
    pub(crate) output: Format,
    /// Short for -o json
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// Accepted for scripts: no command ever asks
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) no_input: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub(crate) quiet: bool,
    /// Which node to talk to (see `ikigai context ls`)
    #[arg(long, global = true, value_name = "NAME", env = "IKIGAI_CONTEXT", help_heading = "Everywhere")]
    pub(crate) context: Option<String>,
    /// The node's state folder
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub(crate) home: Option<PathBuf>,
}

/// Waiting for what was asked to come true.
#[derive(Debug, Clone, Args)]
pub(crate) struct Waiting {
    /// Wait until it is done
    #[arg(long)]
    pub(crate) wait: bool,
    /// Give up after this long, such as 90s, 10m, 2h (exit code 8)
    #[arg(long, value_name = "TIME", requires = "wait")]
    pub(crate) timeout: Option<Span>,
}

/// Trying without doing.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Dry {
    /// Say what would be done and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// The commands; each has its file under `commands/`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(up::Up),
    Down(down::Down),
    Init(init::Init),
    Invite(invite::Invite),
    Join(join::Join),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    #[command(subcommand)]
    Sandbox(sandbox::Sandbox),
    Version(version::Version),
    #[command(subcommand)]
    Node(node::Node),
    Nodes(node::Ls),
    Plan(plan::Plan),
    #[command(subcommand)]
    Place(place::Place),
    #[command(subcommand)]
    Task(task::Task),
    #[command(subcommand)]
    Spec(spec::Spec),
    Top(top::Top),
    Open(open::Open),
    Attach(attach::Attach),
    #[command(subcommand)]
    Patch(patch::Patch),
    #[command(subcommand)]
    Share(share::Share),
    Cost(cost::Cost),
    Audit(audit::Audit),
    #[command(subcommand)]
    Api(api::Api),
    #[command(subcommand)]
    User(user::User),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand)]
    Session(token::Session),
    #[command(subcommand)]
    Config(config::Config),
    #[command(subcommand)]
    Notify(notify::Notify),
    #[command(subcommand)]
    Context(context::ContextAction),
    Completion(completion::Completion),
    Man(man::Man),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

impl Command {
    /// Whether Ctrl-C is the command's own business.
    pub(crate) fn ends_by_itself(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Demo(_) | Self::Other(_))
    }
}

/// Whether the caller wants JSON, read without clap because clap just failed.
pub(crate) fn wants_json(args: &[OsString]) -> bool {
    let text: Vec<_> = args.iter().map(|a| a.to_string_lossy()).collect();
    text.iter()
        .any(|a| matches!(&**a, "--json" | "-ojson" | "-ondjson" | "--output=json" | "--output=ndjson"))
        || text.windows(2).any(|w| matches!(&*w[0], "-o" | "--output") && matches!(&*w[1], "json" | "ndjson"))
}
