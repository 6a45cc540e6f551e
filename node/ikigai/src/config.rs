//! What a node is configured to be: files, then environment, then flags; and which layer won.

mod layers;

pub use layers::{Explained, Layers};

use ikigai_access::Role;
use ikigai_docker::DEFAULT_SOCKET;
use ikigai_notify::Need;
use ikigai_types::price::Prices;
use ikigai_types::{Egress, ShareRules, Taint, WorkloadClass};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is there but cannot be read.
    #[error("{file} cannot be read")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file is not TOML, or a value is not what its key wants.
    #[error("{layer}: {message}")]
    Invalid {
        /// The file, `IKIGAI_…` variable or flag it is in.
        layer: String,
        /// What is wrong, with the line where there is one.
        message: String,
    },
}

/// The whole configuration; every field has a default that works on a lone machine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The node itself.
    pub node: NodeConfig,
    /// `[slots.<class>]`: what each class of work (agent, ci, ml, docs, security, observability, cache) may have of
    /// the node's slots, such as `{ reserve = 1, limit = 2 }`. One slot is kept for agents unless it is said otherwise.
    pub slots: BTreeMap<WorkloadClass, ShareRules>,
    /// The HTTP API.
    pub http: HttpConfig,
    /// Who may use it.
    pub access: AccessConfig,
    /// Who else says who somebody is.
    pub oidc: Option<OidcConfig>,
    /// Links to other nodes.
    pub mesh: MeshConfig,
    /// Who decides between nodes that cannot ask each other.
    pub arbiter: ArbiterConfig,
    /// Durable storage.
    pub store: StoreConfig,
    /// What runs workloads.
    pub executor: ExecutorConfig,
    /// Where patches go.
    pub forge: ForgeConfig,
    /// Model providers by name.
    pub models: BTreeMap<String, ModelConfig>,
    /// Prices by `<provider>/<model>`, in micro-USD per million tokens.
    pub prices: Prices,
    /// `[egress.<name>]`: hosts that agents may reach through the gate beside their model, such as
    /// `endpoints = [{ host = "docs.lan", port = 8080, access = "read-only" }]`. A task uses the entries it is given
    /// with `--egress` or `[task] egress`, and what is not listed is denied.
    pub egress: Egress,
    /// What a task gets that its submitter leaves open.
    pub task: TaskConfig,
    /// Who is told that they are needed, and when.
    pub notify: NotifyConfig,
}

impl Config {
    /// Looks at what no single value shows to be wrong.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let invalid = |message| Err(ConfigError::Invalid { layer: "configuration".to_owned(), message });
        if let Err(error) = self.egress.check() {
            return invalid(error.to_string());
        }
        match self.egress.named(&self.task.egress) {
            Err(unknown) => invalid(format!("task.egress: there is no [egress.{unknown}]")),
            Ok(_) => Ok(()),
        }
    }
}

/// `[node]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// Name for people; the host's name when absent.
    pub name: Option<String>,
    /// Tags, such as `{ gpu = "true" }`.
    pub tags: BTreeMap<String, String>,
    /// What keeps work off it, such as `["gpu=true:no-schedule", "spot:prefer-no-schedule"]`: tasks that do not
    /// tolerate it go elsewhere.
    pub taints: Vec<Taint>,
    /// Workloads at once; one per core, at least two, when absent.
    pub slots: Option<u64>,
    /// CPU, in thousandths of a core, that tasks may use; all but half a core when absent.
    pub cpu_millis: Option<u64>,
    /// Bytes of memory that tasks may use; all but 1 GiB or a quarter, whichever is less, when absent.
    pub memory_bytes: Option<u64>,
    /// Bytes the node's folder may hold, with the workspaces of its agents; all but a twentieth of what is free when
    /// it starts, when absent. Where that gets short, kept sessions of agent CLIs go, the oldest first, and then no
    /// attempt begins here.
    pub disk_bytes: Option<u64>,
    /// Seconds a lease is good for without being renewed.
    pub lease_secs: Option<u64>,
    /// Milliseconds of the first back-off after a fault.
    pub backoff_ms: Option<u64>,
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address of the API and the editors; `"off"` for the Unix socket alone. More than one, with commas between
    /// them: what is not a loopback address is served over TLS, with the node's own certificate. Editors are on
    /// the first loopback address.
    pub listen: String,
    /// Names this machine has for others, such as `["box.lan"]`: requests for any other name are refused.
    pub hosts: Vec<String>,
    /// Path of a Unix socket for the other Linux users of this machine, such as `/run/ikigai/shared.sock`, where the
    /// command line looks for it; none when absent. Who of them may do what, `ikigai user add --linux` says.
    pub shared_socket: Option<PathBuf>,
}

/// `[access]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// The policy of who may do what, in Cedar; `policy.cedar` of the node's folder, or the standard one, when absent.
    pub policy: Option<PathBuf>,
}

/// `[oidc]`: an identity provider that speaks OpenID Connect.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// Its address, exactly as its tokens say it.
    pub issuer: String,
    /// What it calls this node.
    pub client_id: String,
    /// Where the client's secret is: `env:NAME` or `file:/path`. Never the secret itself.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// Where it sends browsers back to: the node's address and `/login`.
    pub redirect: String,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// What somebody becomes that it knows and the node does not; they are refused when absent.
    #[serde(default)]
    pub default_role: Option<Role>,
}

/// `[mesh]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeshConfig {
    /// Multiaddresses to listen on: TCP and QUIC on port 7421 of every interface when absent, none at all for
    /// `[]`. Only enrolled nodes get past the handshake.
    pub listen: Option<Vec<String>>,
    /// Look for enrolled nodes on the local network.
    pub mdns: bool,
    /// Carry links of enrolled nodes that cannot reach each other.
    pub relay: bool,
    /// Nodes that are enrolled by this file alone, as `<node id>@<multiaddress>`.
    pub peers: Vec<String>,
}

/// `[arbiter]`: the same on every node of a mesh; none when it is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArbiterConfig {
    /// A PostgreSQL database, such as `postgres://ikigai@db.lan/ikigai` or `host=/run/postgresql dbname=ikigai`.
    pub postgres: Option<String>,
    /// Where its password is: `env:PGPASSWORD` or `file:/path`. Never the password itself.
    pub password: Option<String>,
    /// Certificate that the server's own is signed by; needed unless it is on this machine.
    pub authority: Option<PathBuf>,
}

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// A name of `backends.rs`: `sled`, `redb` or `memory`.
    pub backend: String,
}

/// `[executor]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutorConfig {
    /// `docker`, `process`, or `auto`: Docker where its engine answers. `auto` never falls back in silence.
    pub backend: String,
    /// Unix socket of the Docker engine; that of `DOCKER_HOST`, or else `/var/run/docker.sock`, when absent.
    pub socket: Option<PathBuf>,
    /// Agent image by digest (`sha256:…`).
    pub image: Option<String>,
    /// agentd on the host, for the process executor.
    pub agentd: Option<PathBuf>,
    /// Host folders the process executor shows its workloads read-only, such as the one with `codex`.
    pub tools: Vec<PathBuf>,
}

/// `[forge]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForgeConfig {
    /// `radicle`, `git`, or `auto`: Radicle where its programs are found.
    pub backend: String,
    /// Folder with `rad`, `radicle-node` and `git-remote-rad`; the PATH when absent.
    pub radicle_bin: Option<PathBuf>,
    /// Where this node's Radicle node listens.
    pub listen: SocketAddr,
    /// Radicle nodes to connect to, as `<nid>@<host>:<port>`.
    pub connect: Vec<String>,
    /// Keys (`z6Mk…`) whose notes on a patch go to its agent as if they were written in the dashboard; those of the
    /// repository's delegates do anyway.
    pub reviewers: Vec<String>,
    /// Turns that notes on a task's patch may begin before a person has to decide.
    pub note_turns: u32,
}

/// `[models.<name>]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum ModelConfig {
    /// Any endpoint that speaks the Responses API.
    Responses {
        /// Such as `https://api.openai.com/v1`.
        base_url: String,
        /// Where the credential is: `env:OPENAI_API_KEY` or `file:/path`. Never the credential itself.
        #[serde(default)]
        secret: Option<String>,
    },
    /// Answers from a script file: for demos and tests, never a model.
    Scripted {
        /// The script.
        script: PathBuf,
    },
}

/// `[task]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskConfig {
    /// Agent CLI adapter.
    pub adapter: Option<String>,
    /// Model provider; the first configured one when absent.
    pub provider: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// CPU asked of a node, in thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Memory asked of a node, and the limit of an attempt, in bytes.
    pub memory_bytes: Option<u64>,
    /// Bytes a workspace may hold.
    pub disk_bytes: Option<u64>,
    /// Seconds an attempt may run.
    pub time_secs: Option<u64>,
    /// Seconds an agent may be silent.
    pub stall_secs: Option<u64>,
    /// Model calls an attempt may make; as many as it wants when absent.
    pub max_turns: Option<u64>,
    /// Attempts blamed on the agent.
    pub max_attempts: Option<u32>,
    /// Seconds an agent stays for its editor.
    pub linger_secs: Option<u64>,
    /// Entries of `[egress]` that agents may use, such as `["docs"]`; none when absent. A project's own file
    /// cannot say it.
    pub egress: Vec<String>,
}

/// `[notify]`. With none of `webhook`, `ntfy` and `desktop` nobody is told anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyConfig {
    /// Signed JSON to an address.
    pub webhook: Option<NotifyTo>,
    /// A topic of ntfy, or of what speaks as it does.
    pub ntfy: Option<NotifyTo>,
    /// On this machine's desktop.
    pub desktop: bool,
    /// Of what: `answer`, `budget`, `credential`, `failed`, `lost`, `node-lost`, `review`; all when absent.
    pub needs: Option<Vec<Need>>,
    /// Of what also in quiet hours; `["budget", "node-lost"]` when absent.
    pub urgent: Option<Vec<Need>>,
    /// Hours of every day, by the local clock, such as `22:00-07:00`.
    pub quiet: Option<String>,
    /// Seconds after the first thing within which others go into the same message; 30 when absent.
    pub window_secs: Option<u64>,
    /// Seconds after which what nobody did anything about is told once more; a day when absent.
    pub remind_secs: Option<u64>,
    /// Only tasks this node owns, where more than one node of a mesh tells people.
    pub only_own: bool,
    /// Where links lead, such as `https://box.lan:7420`; to this machine's own address when absent.
    pub link: Option<String>,
}

/// `[notify.webhook]`, `[notify.ntfy]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyTo {
    /// The address.
    pub url: String,
    /// Where the key that signs, or the access token, is: `env:NAME` or `file:/path`.
    #[serde(default)]
    pub secret: Option<String>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:7420".to_owned(), hosts: Vec::new(), shared_socket: None }
    }
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self { listen: None, mdns: true, relay: true, peers: Vec::new() }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { backend: crate::backends::DEFAULT_STORE.to_owned() }
    }
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        let backend = "auto".to_owned();
        Self { backend, socket: None, image: None, agentd: None, tools: Vec::new() }
    }
}

impl ExecutorConfig {
    /// The engine's socket: the configured one, else `DOCKER_HOST` where that names one, else the usual.
    pub fn docker_socket(&self) -> PathBuf {
        let host = || std::env::var("DOCKER_HOST").ok()?.strip_prefix("unix://").map(PathBuf::from);
        self.socket.clone().or_else(host).unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET))
    }
}

impl Default for ForgeConfig {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8776));
        Self {
            backend: "auto".to_owned(),
            radicle_bin: None,
            listen,
            connect: Vec::new(),
            reviewers: Vec::new(),
            note_turns: 20,
        }
    }
}
