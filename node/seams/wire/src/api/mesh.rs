//! Who is in the mesh, and how a machine comes in.

use ikigai_types::{NodeId, Timestamp};
use serde::{Deserialize, Serialize};

/// The mesh this node is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MeshView {
    /// Its id: 64 hex digits.
    pub id: String,
    /// This node.
    pub node: NodeId,
    /// This node was removed from it: no other node talks to it any more.
    pub removed: bool,
    /// Who is in.
    pub members: Vec<MemberView>,
}

/// A node that is in the mesh, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    /// Its id.
    pub id: NodeId,
    /// Its name, as it gave it when it was enrolled.
    pub name: String,
    /// Where it says it is.
    pub addresses: Vec<String>,
    /// Who enrolled it; itself for the founder.
    pub enrolled_by: NodeId,
    /// When, by that node's clock.
    pub enrolled_at: Timestamp,
    /// Whether there is a link to it now.
    pub linked: bool,
}

/// A new invitation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct InviteRequest {
    /// Seconds until it expires: an hour when absent, at most a week.
    pub ttl_seconds: Option<u64>,
    /// Where this node is for the other machine, beside what it knows itself: multiaddresses or `host:port`.
    pub addresses: Vec<String>,
}

/// An invitation, as the node that made it knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InvitationView {
    /// The key it knocks with.
    pub id: NodeId,
    /// `open`, `used`, `revoked`, `expired`.
    pub state: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// Whom it let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<NodeId>,
    /// What to hand to the other machine; said once, when it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Joining by an invitation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct JoinRequest {
    /// What the other machine's `ikigai invite` printed.
    pub token: String,
}

/// What came of joining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct JoinView {
    /// The mesh this node is in now.
    pub mesh: MeshView,
    /// The node that let it in.
    pub inviter: NodeId,
    /// Milliseconds this machine's clock is ahead of that node's; negative when it is behind.
    pub clock_ahead_ms: i64,
}
