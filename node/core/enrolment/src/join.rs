//! Whether a machine may join: asked by itself before it knocks, and by the node that it knocks at.

use crate::{MeshId, Roster};
use ikigai_types::NodeId;
use serde::{Deserialize, Serialize};

/// Why a machine does not join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum JoinRefusal {
    /// The invitation is none of this node's.
    #[error("this invitation is not known to the node that it names")]
    Unknown,
    /// It let another machine in.
    #[error("this invitation was used already")]
    Used,
    /// Its time is over.
    #[error("this invitation has expired")]
    Expired,
    /// It was taken back.
    #[error("this invitation was revoked")]
    Revoked,
    /// The node it names is not in that mesh any more.
    #[error("the node that made this invitation is not in that mesh any more")]
    OtherMesh,
    /// The machine is in this mesh.
    #[error("this machine is in that mesh already")]
    AlreadyMember,
    /// Its key was removed from this mesh.
    #[error("this machine was removed from that mesh, and its key stays out")]
    Removed,
    /// There is no room.
    #[error("there is no room for more")]
    Full,
    /// The machine is in another mesh with others.
    #[error("this machine is in another mesh, with {others} other nodes")]
    Elsewhere {
        /// How many others.
        others: u64,
    },
    /// The machine has tasks of its own that are not over.
    #[error("this machine owns {open} open tasks")]
    Owns {
        /// How many.
        open: u64,
    },
    /// The two programs do not speak the same version of this protocol.
    #[error("that node speaks version {speaks} of the enrolment protocol")]
    Version {
        /// The one that was asked.
        speaks: u32,
    },
    /// What was said cannot be believed.
    #[error("what was said is not proven: {text}")]
    Unproven {
        /// What is wrong with it.
        text: String,
    },
    /// For a reason this program does not know.
    #[error("that node refused, for a reason this version does not know")]
    #[serde(other)]
    Other,
}

impl JoinRefusal {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Used | Self::Expired | Self::Revoked | Self::OtherMesh => {
                "make another on a machine of the mesh: ikigai invite"
            }
            Self::AlreadyMember => "run: ikigai node ls",
            Self::Removed => "stop it, give it a new state folder with --home, start it and join again",
            Self::Full => "revoke what is not needed: ikigai invite ls, ikigai invite revoke",
            Self::Elsewhere { .. } => {
                "take it out there first: ikigai node remove, on a machine of that mesh"
            }
            Self::Owns { .. } => "finish or stop them first: ikigai task ls",
            Self::Version { .. } | Self::Other => "use the same version on both machines: ikigai version",
            Self::Unproven { .. } => "make another invitation; if that fails too, run: ikigai doctor",
        }
    }

    /// Whether the state of things is in the way, and not the right to join.
    pub const fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::AlreadyMember | Self::Elsewhere { .. } | Self::Owns { .. } | Self::Version { .. }
        )
    }
}

/// A machine that would join, as it knows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joiner {
    /// Its key.
    pub node: NodeId,
    /// Tasks it owns that are not over.
    pub open_tasks: u64,
}

impl Joiner {
    /// Whether it may leave what it is in, which is `own`, for `mesh`.
    ///
    /// # Errors
    /// What is in the way.
    pub fn may_leave(&self, own: &Roster, mesh: MeshId) -> Result<(), JoinRefusal> {
        let out = own.is_removed(self.node);
        match (own.mesh() == mesh, out) {
            (true, true) => return Err(JoinRefusal::Removed),
            // It may have been in once, by the word of someone who is out; then it may ask again.
            (true, false) if own.is_enrolled(self.node) => return Err(JoinRefusal::AlreadyMember),
            _ => {}
        }
        let others = own.len().saturating_sub(1) as u64;
        if own.mesh() != mesh && !out && own.is_enrolled(self.node) && others > 0 {
            return Err(JoinRefusal::Elsewhere { others });
        }
        if self.open_tasks > 0 {
            return Err(JoinRefusal::Owns { open: self.open_tasks });
        }
        Ok(())
    }
}

/// Whether the node `host`, which knows `roster`, may let `node` in at all.
///
/// # Errors
/// What is in the way.
pub fn may_enter(roster: &Roster, host: NodeId, node: NodeId) -> Result<(), JoinRefusal> {
    if !roster.is_enrolled(host) {
        return Err(JoinRefusal::OtherMesh);
    }
    if roster.is_removed(node) {
        return Err(JoinRefusal::Removed);
    }
    if node == host || roster.is_enrolled(node) {
        return Err(JoinRefusal::AlreadyMember);
    }
    Ok(())
}
