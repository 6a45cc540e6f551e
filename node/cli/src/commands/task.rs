//! `ikigai task …`

mod act;
mod logs;
mod ls;
mod new;
mod show;
mod wait;

use crate::commands::attach::{self, Attach};
use crate::env::Env;
use crate::run::Outcome;
use clap::Subcommand;

/// Tasks: start, look, steer
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai task new\n  ikigai task ls --watch\n  ikigai task why T014")]
pub(crate) enum Task {
    New(Box<new::New>),
    #[command(visible_alias = "list")]
    Ls(ls::Ls),
    Show(show::Show),
    Logs(logs::Logs),
    Why(show::Why),
    #[command(alias = "cancel")]
    Stop(act::Stop),
    Pause(act::Pause),
    Resume(act::Resume),
    Retry(act::Retry),
    Adopt(act::Adopt),
    Share(super::share::New),
    Wait(wait::Wait),
    Attach(Attach),
    HandBack(attach::HandBack),
}

impl Task {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        match self {
            Self::New(c) => c.run(env).await,
            Self::Ls(c) => c.run(env).await,
            Self::Show(c) => c.run(env).await,
            Self::Logs(c) => c.run(env).await,
            Self::Why(c) => c.run(env).await,
            Self::Stop(c) => c.run(env).await,
            Self::Pause(c) => c.run(env).await,
            Self::Resume(c) => c.run(env).await,
            Self::Retry(c) => c.run(env).await,
            Self::Share(c) => c.run(env).await,
            Self::Adopt(c) => c.run(env).await,
            Self::Wait(c) => c.run(env).await,
            Self::Attach(c) => c.run(env).await,
            Self::HandBack(c) => c.run(env).await,
        }
    }
}
