//! `ikigai notify …`

use crate::env::Env;
use crate::human::age;
use crate::output::Show;
use crate::run::Outcome;
use clap::{Args, Subcommand};
use ikigai_types::Timestamp;
use ikigai_wire::api::ChannelView;

/// How the node tells you that it needs you: webhook, ntfy, desktop
#[derive(Debug, Subcommand)]
#[command(
    after_help = "The ways are configured under [notify] in ikigai.toml; docs/notifications.md has an example.\n\n\
    Example:\n  ikigai notify ls\n  ikigai notify test"
)]
pub(crate) enum Notify {
    #[command(visible_alias = "list")]
    Ls(Ls),
    Test(Test),
}

/// Lists the ways, what waits on each and what went wrong last
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai notify ls")]
pub(crate) struct Ls {}

/// Sends a message that says it is a test by every way
#[derive(Debug, Args)]
#[command(after_help = "Exits 1 when it did not arrive by one of them.\n\nExample:\n  ikigai notify test")]
pub(crate) struct Test {}

impl Notify {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.remote()?;
        match self {
            Self::Ls(Ls {}) => {
                let channels = node.channels().await?;
                if channels.is_empty() && env.out.for_people() {
                    env.out.say("the node tells nobody anything; see [notify] in docs/notifications.md");
                    return Ok(0);
                }
                env.out.list(channels, env.now())?;
                Ok(0)
            }
            Self::Test(Test {}) => {
                let channels = node.test_channels().await?;
                let failed = channels.iter().any(|c| c.trouble.is_some());
                env.out.list(channels, env.now())?;
                Ok(u8::from(failed))
            }
        }
    }
}

impl Show for ChannelView {
    const KIND: &'static str = "Channel";

    fn name(&self) -> String {
        self.name.clone()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["CHANNEL", "WAITING", "DELIVERED", "TROUBLE"]
    }

    fn row(&self, _: bool, now: Timestamp) -> Vec<String> {
        let delivered = self.delivered_at.map(|at| format!("{} ago", age(at, now))).unwrap_or_default();
        let trouble = self.trouble.clone().unwrap_or_default();
        vec![self.name.clone(), self.waiting.to_string(), delivered, trouble]
    }
}
