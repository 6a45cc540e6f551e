//! Ways by which a node tells people that it needs them.

use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};

/// One way to a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChannelView {
    /// Its name in the configuration: `webhook`, `ntfy`, `desktop`.
    pub name: String,
    /// Messages that wait to be delivered by it.
    pub waiting: u64,
    /// When a message last arrived, since the node was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// What went wrong with the last message, when it did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}
