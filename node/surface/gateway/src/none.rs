//! The provider of agents that call no model: whatever they ask is refused, plainly.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use ikigai_ports::PortResult;
use ikigai_ports::model::{Model, ModelAnswer, ModelCall};

/// Answers every call with 403.
#[derive(Debug)]
pub(crate) struct NoModel;

const BODY: &[u8] =
    br#"{"error":{"code":"denied","message":"this agent was started without a model provider","hint":"name one: ikigai task new --provider"}}"#;

#[async_trait]
impl Model for NoModel {
    async fn call(&self, _: ModelCall) -> PortResult<ModelAnswer> {
        let body = futures::stream::iter([Ok(Bytes::from_static(BODY))]).boxed();
        Ok(ModelAnswer { status: 403, content_type: "application/json".to_owned(), retry_after: None, body })
    }

    async fn models(&self) -> PortResult<Vec<String>> {
        Ok(Vec::new())
    }

    fn name(&self) -> &str {
        "none"
    }
}
