//! What agents used.

use crate::RemoteNode;
use crate::call::encode;
use ikigai_ports::node::Answer;
use ikigai_wire::api::{CostBy, CostView};

/// Of what the use is summed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CostOf {
    /// Only of tasks that this user submitted.
    pub user: Option<String>,
    /// Only of this project checkout.
    pub project: Option<String>,
    /// Only of this feature.
    pub feature: Option<String>,
}

impl RemoteNode {
    /// What agents used, summed by `by`.
    ///
    /// # Errors
    /// When the node cannot be reached or does not let this caller see it.
    pub async fn cost(&self, by: CostBy, of: CostOf) -> Answer<CostView> {
        let fields = [("user", of.user), ("project", of.project), ("feature", of.feature)];
        let more = fields.into_iter().filter_map(|(k, v)| Some(format!("&{k}={}", encode(&v?))));
        self.get(format!("/v1/cost?by={by}{}", more.collect::<String>())).await
    }
}
