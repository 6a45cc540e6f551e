//! What can be asked of a node, as the policy names it.

/// One kind of thing to do. Each operation of the API declares which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// See nodes, tasks, patches, logs, events and counters.
    Read,
    /// Give tasks to the mesh.
    Submit,
    /// Stop, pause, resume, retry, evict or adopt a task.
    Steer,
    /// Get into an agent's container: its editor, its terminal.
    Open,
    /// Say something about a patch.
    Comment,
    /// Accept or reject a patch.
    Decide,
    /// Hand out a read-only link to a task, list such links, take them back.
    Share,
    /// See what such a link shows.
    ReadShared,
    /// Cordon, uncordon or drain a node.
    Operate,
    /// Invite machines, join a mesh, take machines out.
    Enrol,
    /// Users, tokens and sessions of anybody.
    Administer,
    /// Read the audit log.
    Audit,
    /// See and end one's own session.
    Identify,
    /// Come in: the request shows a secret, not a session.
    LogIn,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 14] = [
        Self::Read,
        Self::Submit,
        Self::Steer,
        Self::Open,
        Self::Comment,
        Self::Decide,
        Self::Share,
        Self::ReadShared,
        Self::Operate,
        Self::Enrol,
        Self::Administer,
        Self::Audit,
        Self::Identify,
        Self::LogIn,
    ];

    /// Its name in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Steer => "steer",
            Self::Open => "open",
            Self::Comment => "comment",
            Self::Decide => "decide",
            Self::Share => "share",
            Self::ReadShared => "read-shared",
            Self::Operate => "operate",
            Self::Enrol => "enrol",
            Self::Administer => "administer",
            Self::Audit => "audit",
            Self::Identify => "identify",
            Self::LogIn => "log-in",
        }
    }
}
