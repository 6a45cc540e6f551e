//! Who asks, and of what.

use crate::Role;
use std::fmt;

/// Who runs the node: its own Linux user and root, over the Unix socket or with the token of its folder.
pub const OWNER: &str = "owner";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular: the request shows nothing.
    Nobody,
    /// A user.
    User {
        /// Its name; [`OWNER`] for who runs the node.
        name: String,
        /// What it may be now: its role, or less when it shows something of a lesser one.
        role: Role,
        /// How it came.
        via: Via,
    },
    /// Whoever has a link that shows one task.
    Share {
        /// The link's id.
        id: String,
        /// The task, by its whole id.
        task: String,
    },
}

/// How a user came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Over the node's own Unix socket: the kernel said who it is.
    Socket,
    /// Over the Unix socket for everybody: the kernel said that it is the Linux user of this name.
    Linux(String),
    /// With the token in the node's folder.
    Folder,
    /// With the token of this id.
    Token(String),
    /// With the browser session of this id.
    Session(String),
}

impl Via {
    /// Its name in a policy.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Linux(_) => "linux",
            Self::Folder => "folder",
            Self::Token(_) => "token",
            Self::Session(_) => "session",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket | Self::Folder => f.write_str(self.name()),
            Self::Token(id) | Self::Session(id) | Self::Linux(id) => write!(f, "{} {id}", self.name()),
        }
    }
}

impl Principal {
    /// Who runs the node.
    pub fn owner(via: Via) -> Self {
        Self::User { name: OWNER.to_owned(), role: Role::Admin, via }
    }

    /// Its name for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Nobody => "nobody",
            Self::User { name, .. } => name,
            Self::Share { .. } => "a share link",
        }
    }

    /// The id of what it showed, when that can be revoked.
    pub fn pass(&self) -> Option<&str> {
        match self {
            Self::User { via: Via::Token(id) | Via::Session(id), .. } | Self::Share { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// Of what it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// The node as a whole, or the mesh as it sees it.
    Node,
    /// One task, by its whole id.
    Task(String),
}
