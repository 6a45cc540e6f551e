//! Every port a node runs on.

use ikigai_ports::{
    Checkout, Clock, EditorLinks, Executor, Forge, Gates, Keys, Logs, Rng, Signer, Store, Workspaces,
};
use std::sync::Arc;

/// The world, as one node sees it. Cheap to clone.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each field is its port")]
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub logs: Arc<dyn Logs>,
    pub executor: Arc<dyn Executor>,
    pub forge: Arc<dyn Forge>,
    pub workspaces: Arc<dyn Workspaces>,
    pub checkout: Arc<dyn Checkout>,
    pub gates: Arc<dyn Gates>,
    pub links: Arc<dyn EditorLinks>,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub signer: Arc<dyn Signer>,
    pub keys: Arc<dyn Keys>,
}
