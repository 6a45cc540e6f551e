//! The ways by which a node tells people that it needs them.

use crate::RemoteNode;
use ikigai_ports::node::Answer;
use ikigai_wire::api::{ChannelView, List};
use serde_json::Value;

impl RemoteNode {
    /// Every way, and what waits on it.
    ///
    /// # Errors
    /// When the node cannot be reached or does not let this caller see it.
    pub async fn channels(&self) -> Answer<Vec<ChannelView>> {
        Ok(self.get::<List<ChannelView>>("/v1/notifications".to_owned()).await?.items)
    }

    /// Sends a test by every way; what came of it.
    ///
    /// # Errors
    /// When the node has no way, or as above.
    pub async fn test_channels(&self) -> Answer<Vec<ChannelView>> {
        let nothing = Value::Object(Default::default());
        Ok(self.post::<_, List<ChannelView>>("/v1/notifications/test", &nothing, None).await?.items)
    }
}
