//! `ikigai user …`

use crate::env::Env;
use crate::human::age;
use crate::output::Show;
use crate::run::Outcome;
use clap::{Args, Subcommand, ValueEnum};
use ikigai_types::Timestamp;
use ikigai_wire::api::{UserChange, UserRequest, UserView};

/// Users of this node and what they may do
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Who runs the node is its owner and may do everything. Everybody else is a user with a role:\n  \
    viewer    looks\n  operator  gives work, steers it, opens editors\n  reviewer  accepts and rejects patches\n  \
    admin     everything\n\n\
    Example:\n  ikigai user add ana --role reviewer\n  ikigai user link ana\n  ikigai user set ana --role operator"
)]
pub(crate) enum User {
    Add(Add),
    #[command(visible_alias = "list")]
    Ls(Ls),
    Set(Set),
    Rm(Rm),
    Link(Link),
}

/// What a user may do
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Looks
    Viewer,
    /// Gives work, steers it, opens editors
    Operator,
    /// Accepts and rejects patches
    Reviewer,
    /// Everything
    Admin,
}

impl Role {
    /// As the API says it.
    pub(crate) fn word(self) -> String {
        self.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default()
    }
}

/// Adds a user
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ikigai user add ana --role reviewer\n  ikigai user add ben --role viewer"
)]
pub(crate) struct Add {
    /// Lower-case letters, digits and .-_@
    name: String,
    /// What it may do
    #[arg(long, value_enum)]
    role: Role,
}

/// Lists users
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai user ls")]
pub(crate) struct Ls {}

/// Changes a user, at once and for what it holds already
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai user set ana --role admin")]
pub(crate) struct Set {
    /// Its name
    name: String,
    /// What it may do from now on
    #[arg(long, value_enum)]
    role: Role,
}

/// Removes a user; its sessions and tokens end
#[derive(Debug, Args)]
#[command(visible_alias = "remove", after_help = "Example:\n  ikigai user rm ana")]
pub(crate) struct Rm {
    /// Its name
    name: String,
}

/// Makes a one-time link that opens the dashboard as this user
#[derive(Debug, Args)]
#[command(after_help = "The link works once within five minutes: hand it over as you would a password.\n\n\
    Example:\n  ikigai user link ana")]
pub(crate) struct Link {
    /// Its name
    name: String,
}

impl User {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.remote()?;
        match self {
            Self::Ls(Ls {}) => env.out.list(node.users().await?, env.now())?,
            Self::Add(Add { name, role }) => {
                let request = UserRequest { name, role: role.word(), ..UserRequest::default() };
                let user = node.add_user(&request).await?;
                env.out
                    .one(&user, || vec![format!("{} is a user of this node: {}", user.name, user.role)])?;
                env.out.say(&format!("hint: it comes in by: ikigai user link {}", user.name));
            }
            Self::Set(Set { name, role }) => {
                let change = UserChange { role: Some(role.word()), ..UserChange::default() };
                let user = node.set_user(&name, &change).await?;
                env.out.one(&user, || vec![format!("{} is {} from now on", user.name, user.role)])?;
            }
            Self::Rm(Rm { name }) => {
                let user = node.remove_user(&name).await?;
                env.out.one(&user, || vec![format!("{} is no user any more", user.name)])?;
            }
            Self::Link(Link { name }) => {
                let link = node.user_link(&name).await?;
                env.out.other("LoginLink", &link, || vec![link.url.clone()])?;
            }
        }
        Ok(0)
    }
}

impl Show for UserView {
    const KIND: &'static str = "User";

    fn name(&self) -> String {
        self.name.clone()
    }

    fn head(_wide: bool) -> Vec<&'static str> {
        vec!["USER", "ROLE", "AGE"]
    }

    fn row(&self, _wide: bool, now: Timestamp) -> Vec<String> {
        vec![self.name.clone(), self.role.clone(), age(self.created_at, now)]
    }
}
