//! [`Enrolment`] over HTTP.

use crate::RemoteNode;
use crate::call::encode;
use async_trait::async_trait;
use ikigai_ports::Enrolment;
use ikigai_ports::node::Answer;
use ikigai_types::NodeId;
use ikigai_wire::api::{InvitationView, InviteRequest, JoinRequest, JoinView, List, MemberView, MeshView};

#[async_trait]
impl Enrolment for RemoteNode {
    async fn mesh(&self) -> Answer<MeshView> {
        self.get("/v1/mesh".to_owned()).await
    }

    async fn invite(&self, request: InviteRequest) -> Answer<InvitationView> {
        self.post("/v1/invitations", &request, None).await
    }

    async fn invitations(&self) -> Answer<Vec<InvitationView>> {
        let list: List<InvitationView> = self.get("/v1/invitations".to_owned()).await?;
        Ok(list.items)
    }

    async fn revoke(&self, id: &str) -> Answer<InvitationView> {
        self.delete(format!("/v1/invitations/{}", encode(id))).await
    }

    async fn join(&self, request: JoinRequest) -> Answer<JoinView> {
        self.post("/v1/mesh/join", &request, None).await
    }

    async fn remove(&self, node: &NodeId) -> Answer<MemberView> {
        self.delete(format!("/v1/nodes/{node}")).await
    }
}
