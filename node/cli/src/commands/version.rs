//! `ikigai version`

use crate::env::Env;
use crate::run::Outcome;
use clap::Args;
use ikigai_wire::api::Filter;
use serde::Serialize;

/// Versions of this program and of the node it talks to
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai version --json")]
pub(crate) struct Version {}

#[derive(Debug, Serialize)]
struct Versions {
    client: &'static str,
    api: &'static str,
    node: Option<String>,
}

impl Version {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = match env.node() {
            Ok(node) => node.snapshot(Filter { states: vec!["-".into()], ..Filter::default() }).await.ok(),
            Err(_) => None,
        };
        let own = node.and_then(|s| s.nodes.into_iter().find(|n| n.id == s.node)).map(|n| n.version);
        let versions =
            Versions { client: env!("CARGO_PKG_VERSION"), api: ikigai_wire::api::API_VERSION, node: own };
        let text = || {
            let node = versions.node.as_deref().unwrap_or("not reached");
            vec![format!("ikigai {} ({})", versions.client, versions.api), format!("node   {node}")]
        };
        env.out.other("Version", &versions, text)?;
        Ok(0)
    }
}
