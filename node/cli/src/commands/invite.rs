//! `ikigai invite …`

use crate::env::Env;
use crate::human::{Span, age, span};
use crate::output::Show;
use crate::run::Outcome;
use clap::{Args, Subcommand};
use ikigai_ports::Enrolment as _;
use ikigai_types::Timestamp;
use ikigai_wire::api::{InvitationView, InviteRequest};

/// Makes a one-time token that lets another machine into the mesh
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "The token is shown once. Whoever has it can join, once, until it expires: hand it over as you \
        would a password.\n\nExample:\n  ikigai invite\n  ikigai invite --ttl 10m --address laptop.example:7421\n  \
        ikigai invite ls"
)]
pub(crate) struct Invite {
    #[command(subcommand)]
    action: Option<Action>,
    /// How long it is good, a week at most
    #[arg(long, value_name = "TIME", default_value = "1h")]
    ttl: Span,
    /// Where the other machine finds this one, beside what is known: HOST:PORT or a multiaddress
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    Ls(Ls),
    Revoke(Revoke),
}

/// Lists the invitations this node made
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai invite ls")]
struct Ls {}

/// Takes an invitation back
#[derive(Debug, Args)]
#[command(visible_alias = "rm", after_help = "Example:\n  ikigai invite revoke 3f9a01c2")]
struct Revoke {
    /// The beginning of its id
    id: String,
}

impl Invite {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        match self.action {
            Some(Action::Ls(_)) => {
                env.out.list(env.remote()?.invitations().await?, env.now())?;
            }
            Some(Action::Revoke(c)) => {
                let revoked = env.remote()?.revoke(&c.id).await?;
                env.out.one(&revoked, || vec![format!("invitation {} is revoked", revoked.id.short())])?;
            }
            None => invite(env, self.ttl, self.address).await?,
        }
        Ok(0)
    }
}

async fn invite(env: &Env, ttl: Span, addresses: Vec<String>) -> Result<(), ikigai_wire::api::Problem> {
    let request = InviteRequest { ttl_seconds: Some(ttl.0.as_secs()), addresses };
    let made = env.remote()?.invite(request).await?;
    let good = span(made.expires_at.since(made.created_at));
    if env.out.for_people() {
        env.out.say(&format!("on the other machine, once, within {good}:"));
    }
    env.out.one(&made, || vec![format!("ikigai join {}", made.token.as_deref().unwrap_or_default())])
}

impl Show for InvitationView {
    const KIND: &'static str = "Invitation";

    fn name(&self) -> String {
        self.token.clone().unwrap_or_else(|| self.id.to_string())
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["INVITATION", "STATE", "AGE", "GOOD FOR", "USED BY"]
    }

    fn row(&self, wide: bool, now: Timestamp) -> Vec<String> {
        let id = |id: &ikigai_types::NodeId| if wide { id.to_string() } else { id.short() };
        let left = if self.state == "open" { span(self.expires_at.since(now)) } else { String::new() };
        vec![
            id(&self.id),
            self.state.clone(),
            age(self.created_at, now),
            left,
            self.used_by.as_ref().map(id).unwrap_or_default(),
        ]
    }
}
