//! Models behind one wire: the Responses API, passed through as it is.

use crate::PortResult;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use ikigai_types::AttemptId;
use std::fmt;

/// Answers model calls of one provider. Adds the credential itself; the caller never has it.
#[async_trait]
pub trait Model: fmt::Debug + Send + Sync + 'static {
    /// Passes one call on. The body streams back as it arrives. A provider's own refusal (429, 400) is an
    /// answer, not an error; [`crate::PortError::Unavailable`] when it cannot be reached.
    async fn call(&self, call: ModelCall) -> PortResult<ModelAnswer>;

    /// Names of the models it offers, cheapest first when known.
    async fn models(&self) -> PortResult<Vec<String>>;

    /// `scripted` or the provider's configured name, for people and for the task's record.
    fn name(&self) -> &str;
}

/// One call as the agent made it.
#[derive(Debug, Clone)]
pub struct ModelCall {
    /// Whose call it is.
    pub attempt: AttemptId,
    /// Path under the provider's base, such as `/responses`.
    pub path: String,
    /// The JSON body.
    pub body: Bytes,
}

/// The provider's answer.
pub struct ModelAnswer {
    /// HTTP status.
    pub status: u16,
    /// Content type, such as `text/event-stream`.
    pub content_type: String,
    /// Seconds until the provider's quota resets, when it said so.
    pub retry_after: Option<u64>,
    /// The body as it arrives.
    pub body: BoxStream<'static, PortResult<Bytes>>,
}

impl fmt::Debug for ModelAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}
