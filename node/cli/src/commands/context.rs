//! `ikigai context …`

use crate::completion::contexts as names;
use crate::contexts::{self, Contexts, LOCAL, Place};
use crate::env::Env;
use crate::output::Show;
use crate::run::Outcome;
use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use ikigai_remote::RemoteNode;
use ikigai_types::Timestamp;
use ikigai_wire::api::{Code, Problem};
use serde::Serialize;
use std::path::PathBuf;

/// Which node the commands talk to
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai context ls\n  ikigai context use server")]
pub(crate) enum ContextAction {
    Ls(Ls),
    Use(Use),
    Add(Add),
    Rm(Rm),
}

/// Lists contexts
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai context ls")]
pub(crate) struct Ls {}

/// Makes a context the one in use
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai context use server\n  ikigai context use local")]
pub(crate) struct Use {
    /// Its name
    #[arg(add = ArgValueCandidates::new(names))]
    name: String,
}

/// Adds a context
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ssh -NL 7430:127.0.0.1:7420 server &\n  \
    ikigai context add server --url http://127.0.0.1:7430 --token-file ~/server.token\n  \
    ikigai context add box --url https://box.lan:7420 --fingerprint sha256:… --token-file ~/box.token")]
pub(crate) struct Add {
    /// Its name
    name: String,
    /// A node's Unix socket
    #[arg(long, value_name = "PATH", required_unless_present = "url", conflicts_with_all = ["url", "token_file"])]
    socket: Option<PathBuf>,
    /// Or a node's address: http://127.0.0.1:7420, or https:// with --fingerprint
    #[arg(long)]
    url: Option<String>,
    /// With https: what its certificate must be, as `ikigai up` prints it on that machine
    #[arg(long, value_name = "SHA256", requires = "url")]
    fingerprint: Option<String>,
    /// Then the file with its token
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,
}

/// Removes a context
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai context rm server")]
pub(crate) struct Rm {
    /// Its name
    #[arg(add = ArgValueCandidates::new(names))]
    name: String,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    current: bool,
    place: String,
}

impl Show for Row {
    const KIND: &'static str = "Context";

    fn name(&self) -> String {
        self.name.clone()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["CONTEXT", "IN-USE", "PLACE"]
    }

    fn row(&self, _: bool, _: Timestamp) -> Vec<String> {
        let mark = if self.current { "yes" } else { "" };
        vec![self.name.clone(), mark.to_owned(), self.place.clone()]
    }
}

impl ContextAction {
    pub(crate) fn run(self, env: &Env) -> Outcome {
        let mut contexts = contexts::load()?;
        match self {
            Self::Ls(Ls {}) => return list(env, &contexts),
            Self::Use(c) => {
                if c.name != LOCAL && !contexts.contexts.contains_key(&c.name) {
                    return Err(contexts::unknown(&c.name));
                }
                env.out.say(&format!("commands talk to {} from now on", c.name));
                contexts.current = Some(c.name);
            }
            Self::Add(c) => c.add(env, &mut contexts)?,
            Self::Rm(c) => {
                contexts.contexts.remove(&c.name).ok_or_else(|| contexts::unknown(&c.name))?;
                contexts.current = contexts.current.filter(|current| *current != c.name);
            }
        }
        contexts::save(&contexts)?;
        Ok(0)
    }
}

impl Add {
    fn add(self, env: &Env, contexts: &mut Contexts) -> Result<(), Problem> {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name == LOCAL || self.name.is_empty() || !self.name.chars().all(good) {
            let text = format!("`{}` cannot be the name of a context", self.name);
            return Err(Problem::new(Code::Usage, text, "use letters, digits, - and _; `local` is taken"));
        }
        if let Some(url) = &self.url {
            // Only to have the address checked now and not at the next command.
            match &self.fingerprint {
                Some(fingerprint) => RemoteNode::https(url, "token", fingerprint)?,
                None => RemoteNode::http(url, "token")?,
            };
        }
        let whole = |p: PathBuf| env.cwd.join(p);
        let place = Place {
            socket: self.socket.map(whole),
            url: self.url,
            fingerprint: self.fingerprint,
            token_file: self.token_file.map(whole),
        };
        contexts.contexts.insert(self.name, place);
        Ok(())
    }
}

fn list(env: &Env, contexts: &Contexts) -> Outcome {
    let current = contexts.current(env.global.context.as_deref());
    let local = env.reach().map(|s| s.display().to_string()).unwrap_or_default();
    let place =
        |p: &Place| p.socket.as_ref().map(|s| s.display().to_string()).or(p.url.clone()).unwrap_or_default();
    let others = contexts.contexts.iter().map(|(name, p)| (name.clone(), place(p)));
    let all = std::iter::once((LOCAL.to_owned(), local)).chain(others);
    let rows = all.map(|(name, place)| Row { current: name == current, name, place }).collect();
    env.out.list(rows, env.now())?;
    Ok(0)
}
