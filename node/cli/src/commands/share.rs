//! `ikigai task share` and `ikigai share …`

use crate::completion::tasks;
use crate::env::Env;
use crate::human::{Span, span};
use crate::resolve;
use crate::run::Outcome;
use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use ikigai_wire::api::ShareRequest;

/// Makes a read-only link to one task for people outside
#[derive(Debug, Args)]
#[command(
    after_help = "The link shows the task's state, its attempts and the size of its patch: no logs, no diff, no paths, and\n\
    what looks like a secret is taken out of its title. It ends by itself.\n\n\
    Example:\n  ikigai task share T012 --for 1d\n  ikigai share ls\n  ikigai share revoke 3f9a01c2"
)]
pub(crate) struct New {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
    /// How long it works, a year at most
    #[arg(long = "for", value_name = "TIME", default_value = "1d")]
    life: Span,
    /// What it is for
    #[arg(long, default_value = "")]
    name: String,
}

/// Read-only links to tasks
#[derive(Debug, Subcommand)]
#[command(after_help = "A link is made with: ikigai task share T012\n\n\
    Example:\n  ikigai share ls\n  ikigai share revoke 3f9a01c2")]
pub(crate) enum Share {
    #[command(visible_alias = "list")]
    Ls(Ls),
    #[command(visible_alias = "rm")]
    Revoke(Revoke),
}

/// Lists links that work
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai share ls")]
pub(crate) struct Ls {}

/// Takes a link back; it shows nothing from now on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai share revoke 3f9a01c2")]
pub(crate) struct Revoke {
    /// The beginning of its id
    id: String,
}

impl New {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.remote()?;
        let task = resolve::task(&node, env, &self.task).await?;
        let request = ShareRequest { name: self.name, ttl_seconds: Some(self.life.0.as_secs()) };
        let made = node.share(&task.id, &request).await?;
        let good = span(made.expires_at.since(made.created_at));
        env.out.say(&format!("whoever has this link sees {} for {good}; it is shown this once", task.short));
        env.out.one(&made, || vec![made.url.clone().or(made.token.clone()).unwrap_or_default()])?;
        Ok(0)
    }
}

impl Share {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.remote()?;
        match self {
            Self::Ls(Ls {}) => env.out.list(node.shares().await?, env.now())?,
            Self::Revoke(Revoke { id }) => {
                let gone = node.revoke_share(&id).await?;
                env.out.one(&gone, || vec![format!("share link {} shows nothing any more", gone.id)])?;
            }
        }
        Ok(0)
    }
}
