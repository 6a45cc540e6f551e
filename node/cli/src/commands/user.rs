//! `ikigai user …`

use crate::env::Env;
use crate::human::age;
use crate::output::Show;
use crate::run::Outcome;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
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
    after_help = "A Linux user of this machine comes in over the socket that http.shared_socket names.\n\n\
        Example:\n  ikigai user add ana --role reviewer\n  ikigai user add ben --role viewer --linux ben\n  \
        ikigai user add eve --role viewer --oidc email:eve@example.org"
)]
pub(crate) struct Add {
    /// Lower-case letters, digits and .-_@
    name: String,
    /// What it may do
    #[arg(long, value_enum)]
    role: Role,
    #[command(flatten)]
    identity: Identity,
}

/// As whom else a user is known
#[derive(Debug, Args)]
struct Identity {
    /// The Linux user of this machine it is; `uid:1234` for one without a name
    #[arg(long, value_name = "NAME")]
    linux: Option<String>,
    /// What the identity provider calls it, or `email:` and the address that it verified
    #[arg(long, value_name = "SUBJECT")]
    oidc: Option<String>,
}

/// Lists users
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai user ls")]
pub(crate) struct Ls {}

/// Changes a user, at once and for what it holds already
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true).multiple(true).args(["role", "linux", "oidc"]),
    after_help = "With --linux '' it is no Linux user any more.\n\nExample:\n  ikigai user set ana --role admin\n  ikigai user set ana --linux ana\n  ikigai user set ana --linux ''"
)]
pub(crate) struct Set {
    /// Its name
    name: String,
    /// What it may do from now on
    #[arg(long, value_enum)]
    role: Option<Role>,
    #[command(flatten)]
    identity: Identity,
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
            Self::Add(Add { name, role, identity: Identity { linux, oidc: subject } }) => {
                let request = UserRequest { name, role: role.word(), linux, subject };
                let user = node.add_user(&request).await?;
                env.out
                    .one(&user, || vec![format!("{} is a user of this node: {}", user.name, user.role)])?;
                let way = match (&user.linux, &user.subject) {
                    (Some(linux), _) => format!("ikigai, as the Linux user {linux}"),
                    (_, Some(_)) => "the login page of the dashboard".to_owned(),
                    _ => format!("ikigai user link {}", user.name),
                };
                env.out.say(&format!("hint: it comes in by: {way}"));
            }
            Self::Set(Set { name, role, identity: Identity { linux, oidc: subject } }) => {
                let change = UserChange { role: role.map(Role::word), linux, subject };
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

    fn head(wide: bool) -> Vec<&'static str> {
        let more = if wide { &["LINUX", "OIDC"][..] } else { &[] };
        [&["USER", "ROLE", "AGE"], more].concat()
    }

    fn row(&self, wide: bool, now: Timestamp) -> Vec<String> {
        let mut row = vec![self.name.clone(), self.role.clone(), age(self.created_at, now)];
        if wide {
            row.extend([&self.linux, &self.subject].map(|t| t.clone().unwrap_or_default()));
        }
        row
    }
}
