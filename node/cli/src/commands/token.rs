//! `ikigai token …` and `ikigai session …`

use super::user::Role;
use crate::env::Env;
use crate::human::{Span, age, span};
use crate::output::Show;
use crate::run::Outcome;
use clap::{Args, Subcommand};
use ikigai_types::Timestamp;
use ikigai_wire::api::{PassView, TokenRequest};

/// Tokens, with which programs call this node
#[derive(Debug, Subcommand)]
#[command(after_help = "A token is shown once; the node keeps its hash.\n\n\
    Example:\n  ikigai token new --role viewer --for 7d --name grafana\n  ikigai token ls\n  ikigai token revoke 3f9a01c2")]
pub(crate) enum Token {
    New(New),
    #[command(visible_alias = "list")]
    Ls(Ls),
    #[command(visible_alias = "rm")]
    Revoke(Revoke),
}

/// Browser sessions of this node
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai session ls\n  ikigai session revoke 3f9a01c2")]
pub(crate) enum Session {
    #[command(visible_alias = "list")]
    Ls(Ls),
    #[command(visible_alias = "rm")]
    Revoke(Revoke),
}

/// Makes a token
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai token new --role viewer --for 7d --name grafana > token\n  \
    curl -H \"Authorization: Bearer $(cat token)\" http://127.0.0.1:7420/v1/tasks")]
pub(crate) struct New {
    /// What its holder may do at most
    #[arg(long, value_enum)]
    role: Role,
    /// How long it works, a year at most
    #[arg(long = "for", value_name = "TIME", default_value = "7d")]
    life: Span,
    /// What it is for
    #[arg(long, default_value = "")]
    name: String,
    /// Whose it is, when not yours: it may do no more than this user, and ends with it
    #[arg(long)]
    user: Option<String>,
}

/// Lists what works
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai token ls\n  ikigai session ls -o wide")]
pub(crate) struct Ls {}

/// Takes one back; it works no more from now on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai token revoke 3f9a01c2\n  ikigai session revoke 3f9a01c2")]
pub(crate) struct Revoke {
    /// The beginning of its id
    id: String,
}

impl Token {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.remote()?;
        match self {
            Self::New(New { role, life, name, user }) => {
                let ttl_seconds = Some(life.0.as_secs());
                let request = TokenRequest { name, role: role.word(), ttl_seconds, user };
                let made = node.new_token(&request).await?;
                let good = span(made.expires_at.since(made.created_at));
                env.out.say(&format!(
                    "token {} of {}: {} for {good}; it is shown this once",
                    made.id, made.user, made.role
                ));
                env.out.one(&made, || vec![made.token.clone().unwrap_or_default()])?;
            }
            Self::Ls(Ls {}) => env.out.list(node.tokens().await?, env.now())?,
            Self::Revoke(Revoke { id }) => {
                let gone = node.revoke_token(&id).await?;
                env.out.one(&gone, || vec![format!("token {} works no more", gone.id)])?;
            }
        }
        Ok(0)
    }
}

impl Session {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.remote()?;
        match self {
            Self::Ls(Ls {}) => env.out.list(node.sessions().await?, env.now())?,
            Self::Revoke(Revoke { id }) => {
                let gone = node.end_session(&id).await?;
                env.out.one(&gone, || vec![format!("session {} has ended", gone.id)])?;
            }
        }
        Ok(0)
    }
}

impl Show for PassView {
    const KIND: &'static str = "Pass";

    fn name(&self) -> String {
        self.id.clone()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["ID", "USER", "ROLE", "FOR", "AGE", "GOOD FOR"]
    }

    fn row(&self, wide: bool, now: Timestamp) -> Vec<String> {
        let what = self.task.as_ref().map_or_else(|| self.name.clone(), ToString::to_string);
        let what = if wide { what } else { what.chars().take(40).collect() };
        let left = span(self.expires_at.since(now));
        vec![self.id.clone(), self.user.clone(), self.role.clone(), what, age(self.created_at, now), left]
    }
}
