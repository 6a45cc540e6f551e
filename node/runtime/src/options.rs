//! What a node is configured to be, already read and checked.

use ikigai_ports::executor::Mount;
use ikigai_task::Policy;
use ikigai_types::price::Prices;
use ikigai_types::{ClassSlots, Egress, Limits, Resources, Tags, Taint};
use ikigai_wire::agent::Adapter;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A node's configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name for people.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Folder for what containers see: launch files and gateway sockets.
    pub run_folder: PathBuf,
    /// Folder for the sessions of agent CLIs, kept from one attempt to the next.
    pub sessions_folder: PathBuf,
    /// What it may use of the disk.
    pub disk: crate::Disk,
    /// All the machine has.
    pub capacity: Resources,
    /// What tasks may use of it.
    pub allocatable: Resources,
    /// Tags.
    pub tags: Tags,
    /// What keeps work off it.
    pub taints: Vec<Taint>,
    /// What each class of work may have of its slots.
    pub classes: ClassSlots,
    /// Agent CLIs by name.
    pub adapters: BTreeMap<String, Adapter>,
    /// Model providers it has what they need for.
    pub providers: Vec<String>,
    /// What models cost.
    pub prices: Prices,
    /// The hosts agents here may reach beside their model, as far as their task lists them too.
    pub egress: Egress,
    /// The agent image by digest; `None` when there is none.
    pub image: Option<String>,
    /// Whether the executor needs that image.
    pub needs_image: bool,
    /// How agentd is started inside a workload.
    pub agent: AgentProgram,
    /// What a task gets that its submitter leaves open.
    pub defaults: Defaults,
    /// Keys, as the forge writes them, whose notes on a patch go to its agent although they are no delegates.
    pub reviewers: Vec<String>,
    /// Leases, back-off, retries.
    pub policy: Policy,
}

/// How agentd is started inside a workload.
#[derive(Debug, Clone, Default)]
pub struct AgentProgram {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Folders it needs there beside workspace and run folder.
    pub mounts: Vec<Mount>,
    /// Environment.
    pub env: BTreeMap<String, String>,
}

/// What a task gets that its submitter leaves open.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// Agent CLI.
    pub adapter: String,
    /// Model provider.
    pub provider: String,
    /// Model.
    pub model: String,
    /// What it asks of a node.
    pub request: Resources,
    /// What an attempt is held to.
    pub limits: Limits,
    /// Attempts blamed on the agent.
    pub max_attempts: u32,
    /// Seconds the agent stays for its editor.
    pub linger_secs: u64,
    /// Entries of [`Options::egress`] that its agent may use.
    pub egress: Vec<String>,
}

impl Options {
    /// The provider a task of this adapter needs a credential for; empty when its CLI calls no model.
    pub fn provider_needed(&self, adapter: &str, provider: &str) -> String {
        let calls = |a: &Adapter| {
            let texts = a.command.iter().chain(a.files.values()).chain(a.env.values());
            texts.into_iter().any(|t| t.contains("{gateway}"))
        };
        if self.adapters.get(adapter).is_some_and(|a| !calls(a)) {
            String::new()
        } else {
            provider.to_owned()
        }
    }
}
