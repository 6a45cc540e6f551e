//! Who belongs to the mesh, as a person changes it: what `ikigai invite`, `join` and `node remove` ask.

use crate::node::Answer;
use async_trait::async_trait;
use ikigai_types::NodeId;
use ikigai_wire::api::{InvitationView, InviteRequest, JoinRequest, JoinView, MemberView, MeshView};
use std::fmt;

/// A node's side of enrolment. What answered is durable here; the rest of the mesh learns of it by itself.
#[async_trait]
pub trait Enrolment: fmt::Debug + Send + Sync + 'static {
    /// The mesh, as this node knows it.
    async fn mesh(&self) -> Answer<MeshView>;

    /// Makes an invitation; its token is in this answer and nowhere else.
    async fn invite(&self, request: InviteRequest) -> Answer<InvitationView>;

    /// Every invitation this node made and still remembers, the newest first.
    async fn invitations(&self) -> Answer<Vec<InvitationView>>;

    /// Takes back the one whose id begins with `id`, if it is open.
    async fn revoke(&self, id: &str) -> Answer<InvitationView>;

    /// Joins the mesh of an invitation, leaving the one it has alone. A join that broke can be asked again.
    async fn join(&self, request: JoinRequest) -> Answer<JoinView>;

    /// Takes `node` out of the mesh for good; answers what it was.
    async fn remove(&self, node: &NodeId) -> Answer<MemberView>;
}
