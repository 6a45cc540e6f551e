//! Who may use a node, asked over HTTP.

use crate::RemoteNode;
use crate::call::encode;
use ikigai_ports::node::Answer;
use ikigai_types::TaskId;
use ikigai_wire::api::{
    AuditCheck, AuditEntry, List, LoginLink, PassView, ShareRequest, TokenRequest, UserChange, UserRequest,
    UserView,
};
use serde_json::Value;

/// Users, tokens and sessions. Each answers as the API does: with the documented problem.
#[allow(clippy::missing_errors_doc, reason = "every one of them is the API's problem")]
impl RemoteNode {
    /// Every user.
    pub async fn users(&self) -> Answer<Vec<UserView>> {
        self.get::<List<_>>("/v1/users".to_owned()).await.map(|l| l.items)
    }

    /// Adds a user.
    pub async fn add_user(&self, request: &UserRequest) -> Answer<UserView> {
        self.post("/v1/users", request, None).await
    }

    /// Changes the user `name`.
    pub async fn set_user(&self, name: &str, change: &UserChange) -> Answer<UserView> {
        self.post(&format!("/v1/users/{}", encode(name)), change, None).await
    }

    /// Removes the user `name` and what lets it in.
    pub async fn remove_user(&self, name: &str) -> Answer<UserView> {
        self.delete(format!("/v1/users/{}", encode(name))).await
    }

    /// A one-time link that opens the dashboard as the user `name`.
    pub async fn user_link(&self, name: &str) -> Answer<LoginLink> {
        let path = format!("/v1/users/{}/link", encode(name));
        self.post(&path, &Value::Object(Default::default()), None).await
    }

    /// A new token.
    pub async fn new_token(&self, request: &TokenRequest) -> Answer<PassView> {
        self.post("/v1/tokens", request, None).await
    }

    /// Tokens that work.
    pub async fn tokens(&self) -> Answer<Vec<PassView>> {
        self.get::<List<_>>("/v1/tokens".to_owned()).await.map(|l| l.items)
    }

    /// Takes back the token whose id begins with `id`.
    pub async fn revoke_token(&self, id: &str) -> Answer<PassView> {
        self.delete(format!("/v1/tokens/{}", encode(id))).await
    }

    /// Browser sessions that last.
    pub async fn sessions(&self) -> Answer<Vec<PassView>> {
        self.get::<List<_>>("/v1/sessions".to_owned()).await.map(|l| l.items)
    }

    /// Ends the session whose id begins with `id`.
    pub async fn end_session(&self, id: &str) -> Answer<PassView> {
        self.delete(format!("/v1/sessions/{}", encode(id))).await
    }

    /// A read-only link to `task` for people outside.
    pub async fn share(&self, task: &TaskId, request: &ShareRequest) -> Answer<PassView> {
        self.post(&format!("/v1/tasks/{}/share", encode(task.as_str())), request, None).await
    }

    /// Share links that work.
    pub async fn shares(&self) -> Answer<Vec<PassView>> {
        self.get::<List<_>>("/v1/shares".to_owned()).await.map(|l| l.items)
    }

    /// Takes back the share link whose id begins with `id`.
    pub async fn revoke_share(&self, id: &str) -> Answer<PassView> {
        self.delete(format!("/v1/shares/{}", encode(id))).await
    }

    /// What was decided: up to `limit` entries, the newest first.
    pub async fn audit(&self, limit: usize) -> Answer<Vec<AuditEntry>> {
        let mut all: Vec<AuditEntry> = Vec::new();
        let mut before = None;
        while all.len() < limit {
            let page = (limit - all.len()).min(1000);
            let more = before.map(|n: String| format!("&before={n}")).unwrap_or_default();
            let list: List<AuditEntry> = self.get(format!("/v1/audit?limit={page}{more}")).await?;
            all.extend(list.items);
            before = list.next;
            if before.is_none() {
                break;
            }
        }
        Ok(all)
    }

    /// What comes of following the whole audit log.
    pub async fn verify_audit(&self) -> Answer<AuditCheck> {
        self.get("/v1/audit/check".to_owned()).await
    }
}
