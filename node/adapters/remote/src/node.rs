//! [`NodeHandle`] over HTTP.

use crate::call::{Call, encode};
use crate::resume::{self, Events, Lines};
use crate::target::Target;
use async_trait::async_trait;
use futures::stream::BoxStream;
use ikigai_ports::NodeHandle;
use ikigai_ports::node::Answer;
use ikigai_types::{AttemptId, NodeId, TaskId};
use ikigai_wire::api::{
    Code, Command, Event, Filter, LogEntry, LoginLink, NodeCommand, NodeView, OpenView, Problem, Snapshot,
    SubmitRequest, SubmitView, TaskView,
};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// How long a call may take unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node somewhere else: in another process of this machine, or behind a forwarded port.
///
/// Commands carry an idempotency key of their own, so that one that broke on the way is sent once more.
#[derive(Debug, Clone)]
pub struct RemoteNode {
    target: Target,
    patience: Duration,
}

// === impl RemoteNode ===

impl RemoteNode {
    /// The node that listens on the Unix socket `path`.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { target: Target::Unix(path.into()), patience: PATIENCE }
    }

    /// The node at `base` (`http://127.0.0.1:7420`), shown `token`.
    ///
    /// # Errors
    /// When `base` is no such address, is not loopback, or the token cannot be a token.
    pub fn http(base: &str, token: &str) -> Answer<Self> {
        Ok(Self { target: Target::http(base, token)?, patience: PATIENCE })
    }

    /// The node at `base` (`https://box.lan:7420`) whose certificate has `fingerprint`, shown `token`.
    ///
    /// # Errors
    /// When `base` is no such address, `fingerprint` is none, or the token cannot be a token.
    pub fn https(base: &str, token: &str, fingerprint: &str) -> Answer<Self> {
        Ok(Self { target: Target::https(base, token, fingerprint)?, patience: PATIENCE })
    }

    /// The same node, with calls that give up after `patience`; streams are not bound by it.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// A one-time link that opens its dashboard in a browser.
    ///
    /// # Errors
    /// When it cannot be reached, or serves no browser.
    pub async fn login_link(&self) -> Answer<LoginLink> {
        self.post("/v1/session/links", &Value::Object(Default::default()), None).await
    }

    /// Its own description of its API.
    ///
    /// # Errors
    /// When it cannot be reached, or answers no JSON.
    pub async fn openapi(&self) -> Answer<Value> {
        let bytes = Call::get("/openapi.json").bytes(&self.target, self.patience).await?;
        serde_json::from_slice(&bytes).map_err(|e| {
            let text = format!("what {} says of its API cannot be read: {e}", self.target);
            Problem::new(Code::Failed, text, "is it the same version? run: ikigai version")
        })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: String) -> Answer<T> {
        Call::get(path).document(&self.target, self.patience).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: String) -> Answer<T> {
        Call::delete(path).document(&self.target, self.patience).await
    }

    /// Sends a command, and once more with the same key when the connection broke under it.
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        key: Option<&str>,
    ) -> Answer<T> {
        let mut call = Call::post(path, body)?;
        if let Some(key) = key {
            call = call.header("idempotency-key", key);
        }
        match call.clone().document(&self.target, self.patience).await {
            Err(p) if key.is_some() && p.code == Code::Unreachable && p.message.contains("went away") => {
                call.document(&self.target, self.patience).await
            }
            other => other,
        }
    }
}

#[async_trait]
impl NodeHandle for RemoteNode {
    async fn snapshot(&self, filter: Filter) -> Answer<Snapshot> {
        let states = Some(filter.states.join(",")).filter(|s| !s.is_empty());
        let fields = [("project", filter.project), ("feature", filter.feature), ("state", states)];
        let pairs = fields.into_iter().filter_map(|(k, v)| Some(format!("{k}={}", encode(&v?))));
        let query: Vec<_> = pairs.collect();
        let mark = if query.is_empty() { "" } else { "?" };
        self.get(format!("/v1/snapshot{mark}{}", query.join("&"))).await
    }

    async fn task(&self, task: &str) -> Answer<TaskView> {
        self.get(format!("/v1/tasks/{}", segment(task)?)).await
    }

    async fn submit(&self, request: SubmitRequest) -> Answer<SubmitView> {
        let key = request.idempotency_key.clone();
        self.post("/v1/tasks", &request, key.as_deref()).await
    }

    async fn command(&self, task: &TaskId, command: Command) -> Answer<TaskView> {
        let (action, body) = split(&command)?;
        let path = format!("/v1/tasks/{}/{action}", encode(task.as_str()));
        self.post(&path, &body, Some(&random_key())).await
    }

    async fn steer(&self, node: &NodeId, command: NodeCommand) -> Answer<NodeView> {
        let (action, body) = split(&command)?;
        self.post(&format!("/v1/nodes/{node}/{action}"), &body, None).await
    }

    async fn logs(
        &self,
        attempt: &AttemptId,
        from: u64,
        follow: bool,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
        let lines = Lines { attempt: attempt.clone(), next: from.max(1), follow };
        resume::open(self.target.clone(), lines).await
    }

    async fn events(&self, cursor: Option<String>) -> Answer<BoxStream<'static, Answer<Event>>> {
        resume::open(self.target.clone(), Events { cursor }).await
    }

    async fn open(&self, task: &TaskId) -> Answer<OpenView> {
        self.post(
            &format!("/v1/tasks/{}/open", encode(task.as_str())),
            &Value::Object(Default::default()),
            None,
        )
        .await
    }

    async fn diff(&self, task: &TaskId) -> Answer<String> {
        let call = Call::get(format!("/v1/tasks/{}/diff", encode(task.as_str())));
        let bytes = call.bytes(&self.target, self.patience).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A name as a path segment; a name that would be a step in the path is none.
fn segment(name: &str) -> Answer<String> {
    if name.is_empty() || name == "." || name == ".." {
        return Err(Problem::new(
            Code::Usage,
            format!("`{name}` is no name of a task"),
            "run: ikigai task ls",
        ));
    }
    Ok(encode(name))
}

/// A command as the word in the path and the fields of the body.
fn split<C: Serialize>(command: &C) -> Answer<(String, Value)> {
    let failed =
        |e: serde_json::Error| Problem::plain(Code::Failed, format!("cannot write the command: {e}"));
    let mut body = serde_json::to_value(command).map_err(failed)?;
    let action = body.as_object_mut().and_then(|fields| fields.remove("kind"));
    Ok((action.and_then(|a| a.as_str().map(str::to_owned)).unwrap_or_default(), body))
}

/// A key nobody used before.
fn random_key() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("invariant: the kernel gives random bytes");
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
