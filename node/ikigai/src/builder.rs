//! Putting a node together: configuration and whatever ports an embedder brings, backends for the rest.

use crate::config::{Config, ConfigError};
use crate::home::{Home, Lock, default_home};
use crate::keys::AttemptKeys;
use crate::node::{Node, Serving};
use crate::notices::Telling;
use crate::web::Web;
use crate::{adapters, backends, mesh, system};
use ikigai_editor::{EditorOptions, EditorProxy};
use ikigai_gateway::{Gateway, GatewayOptions};
use ikigai_ports::executor::Mount;
use ikigai_ports::{Clock, Executor, Forge, PortError, Rng, Store};
use ikigai_radicle::KeySigner;
use ikigai_runtime::{AgentProgram, Defaults, Disk, Enrolment, Mesh, Options, Parts};
use ikigai_task::Policy as TaskPolicy;
use ikigai_types::{ClassSlots, InvalidShares, Limits, Resources, Tags};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often a folder is claimed, 50 ms apart, before another node is taken to have it.
const CLAIMS: u32 = 20;

/// Why a node is not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its configuration is wrong.
    #[error("the configuration is wrong")]
    Config(#[from] ConfigError),
    /// Its folder cannot be used.
    #[error("the folder {folder} cannot be used")]
    Home {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Another node has its folder.
    #[error("another node runs in {0}")]
    Running(PathBuf),
    /// A backend cannot be used.
    #[error("{what} cannot be used")]
    Backend {
        /// Which.
        what: &'static str,
        /// The cause.
        #[source]
        source: PortError,
    },
    /// Slots are shared out that are not there.
    #[error("[slots] is wrong")]
    Slots(#[from] InvalidShares),
    /// An adapter file is wrong.
    #[error("{0}")]
    Adapter(String),
    /// The policy of who may do what is wrong: nobody is let in by a policy that cannot be read.
    #[error("the policy is wrong")]
    Policy(#[from] ikigai_access::PolicyError),
    /// The policy is named and cannot be read.
    #[error("the policy {file} cannot be read")]
    NoPolicy {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen")]
    Listen(#[from] ikigai_http::ListenError),
    /// The certificate cannot be used.
    #[error("the node's certificate cannot be used")]
    Tls(#[source] std::io::Error),
    /// The address is none.
    #[error("`{0}` is not an address to listen on")]
    Address(String),
    /// The log cannot be read.
    #[error("the node does not start")]
    Start(#[from] ikigai_runtime::StartError),
}

impl BuildError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Config(_) | Self::Slots(_) | Self::Adapter(_) => "correct the file and start again".to_owned(),
            Self::Policy(_) => {
                "correct that line and start again; docs/access.md has the actions, and a policy to begin with".to_owned()
            }
            Self::NoPolicy { file, .. } => {
                format!("give this user the right to read {}, or set access.policy to another file", file.display())
            }
            Self::Home { .. } => "name another folder with --home, or give this user the right to it".to_owned(),
            Self::Running(_) => "run: ikigai node ls; or give this node a folder of its own with --home".to_owned(),
            Self::Backend { what: "executor", .. } => {
                "start Docker (run: make setup), or choose a weaker sandbox with IKIGAI_EXECUTOR_BACKEND=process"
                    .to_owned()
            }
            Self::Backend { what: "forge", .. } => {
                "run: make setup; or keep patches in a bare git repository with IKIGAI_FORGE_BACKEND=git".to_owned()
            }
            Self::Backend { what: "arbiter", .. } => "correct [arbiter] in ikigai.toml and start again".to_owned(),
            Self::Backend { what: "identity provider", .. } => {
                "correct [oidc]: addresses are https://…, or of this machine".to_owned()
            }
            Self::Backend { .. } | Self::Start(_) => "run: ikigai doctor".to_owned(),
            Self::Listen(error) => error.hint().to_owned(),
            Self::Tls(_) => {
                "correct tls.crt and tls.key in the node's folder, or remove both to have new ones made".to_owned()
            }
            Self::Address(_) => "write it as 127.0.0.1:7420, or \"off\"".to_owned(),
        }
    }
}

/// Collects what a node is to be made of.
#[derive(Debug, Default)]
pub struct NodeBuilder {
    home: Option<PathBuf>,
    config: Config,
    store: Option<Arc<dyn Store>>,
    executor: Option<Arc<dyn Executor>>,
    forge: Option<Arc<dyn Forge>>,
}

impl NodeBuilder {
    /// Its folder; [`default_home`] when none is named.
    #[must_use]
    pub fn home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// Its configuration.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// A store of the embedder's.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// An executor of the embedder's.
    #[must_use]
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = Some(executor);
        self
    }

    /// A forge of the embedder's.
    #[must_use]
    pub fn forge(mut self, forge: Arc<dyn Forge>) -> Self {
        self.forge = Some(forge);
        self
    }

    /// Starts it; it is ready when this answers.
    ///
    /// # Errors
    /// [`BuildError`], with advice in [`BuildError::hint`].
    pub async fn start(self) -> Result<Node, BuildError> {
        let home = Home::new(self.home.clone().unwrap_or_else(default_home));
        let unusable = |source| BuildError::Home { folder: home.path().to_owned(), source };
        let lock = claim(&home).await.map_err(unusable)?;
        let lock = lock.ok_or_else(|| BuildError::Running(home.path().to_owned()))?;
        let rng = Arc::new(system::SystemRng::default());
        let mut fresh = [0; 32];
        rng.fill(&mut fresh);
        let seed = home.key(fresh).map_err(unusable)?;
        let name = self.config.node.name.clone().unwrap_or_else(system::host_name);
        let config = self.config.clone();
        config.check()?;
        let web = Web::of(&config, &home, &name)?;
        let wrap = |what| move |source| BuildError::Backend { what, source };
        let store = match self.store {
            Some(store) => store,
            None => backends::store(&config, &home).map_err(wrap("store"))?,
        };
        let executor = match self.executor {
            Some(executor) => executor,
            None => backends::executor(&config, &home).await.map_err(wrap("executor"))?,
        };
        let workspaces = ikigai_git::GitWorkspaces::new(home.git(), ikigai_ports::executor::WORKLOAD_UID);
        let workspaces = Arc::new(workspaces.map_err(wrap("git"))?);
        let forge = match self.forge {
            Some(forge) => backends::Forged { forge, radicle: None },
            None => backends::forge(&config, &home, seed, &name).await.map_err(wrap("forge"))?,
        };
        let clock: Arc<dyn Clock> = Arc::new(system::SystemClock::default());
        let oidc = backends::oidc(&config, clock.clone()).map_err(wrap("identity provider"))?;
        let models = backends::models(&config).map_err(wrap("model provider"))?;
        let providers: Vec<_> = models.keys().cloned().collect();
        let (prices, egress) = (config.prices.clone(), config.egress.clone());
        let gateway = GatewayOptions { models, prices, egress, ..GatewayOptions::default() };
        let gates = Arc::new(Gateway::new(gateway));
        let editor = EditorOptions { port: web.port_here() };
        let links = mesh::links(&config.mesh, seed).await.map_err(wrap("mesh"))?;
        let fixed = mesh::fixed(&config.mesh).map_err(wrap("mesh"))?;
        let reachable = mesh::gates(links.as_ref(), gates.clone());
        let editor = Arc::new(EditorProxy::new(reachable, rng.clone(), clock.clone(), editor));
        let telling = Telling::of(&config.notify, web.port_here(), clock.clone(), rng.clone());
        let telling = telling.map_err(wrap("[notify]"))?;
        let parts = Parts {
            store: store.clone(),
            logs: backends::logs(&home).map_err(wrap("log storage"))?,
            executor,
            forge: forge.forge,
            objects: workspaces.clone(),
            workspaces,
            checkout: Arc::new(ikigai_git::GitCheckout::new(home.git()).map_err(wrap("git"))?),
            gates,
            links: editor.clone(),
            clock,
            rng,
            signer: Arc::new(KeySigner::from_seed(seed)),
            keys: Arc::new(AttemptKeys::new(&seed)),
            reach: links.as_ref().map(|l| l.reach.clone()),
            arbiter: backends::arbiter(&config).map_err(wrap("arbiter"))?,
        };
        let options = options(&config, &home, name, providers, &parts)?;
        let enrolment = Enrolment::open(mesh::enrolment(&parts, &options.name, fixed)).await;
        let enrolment = enrolment.map_err(wrap("store"))?;
        let mesh = links.as_ref().map(|l| Mesh { enrolment: enrolment.clone(), routes: l.routes.clone() });
        let running = ikigai_runtime::start(parts, options, mesh).await?;
        let radicle = forge.radicle;
        let serving =
            Serving { home, lock, web, running, enrolment, store, editor, radicle, links, telling, oidc };
        Node::serve(serving).await
    }
}

/// Claims the folder. A node that was killed while it started a program can hold it a moment longer: until that
/// program has begun, it has the killed node's files open.
async fn claim(home: &Home) -> std::io::Result<Option<Lock>> {
    for _ in 0..CLAIMS {
        if let Some(lock) = home.claim()? {
            return Ok(Some(lock));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    home.claim()
}

fn options(
    config: &Config,
    home: &Home,
    name: String,
    providers: Vec<String>,
    parts: &Parts,
) -> Result<Options, BuildError> {
    let capacity = system::capacity(home.path());
    let (allocatable, defaults) = (allocatable(config, capacity), defaults(config, &providers));
    let executor = parts.executor.isolation().name;
    let needs_image = executor == "docker";
    Ok(Options {
        name,
        version: crate::VERSION.to_owned(),
        run_folder: home.run(),
        sessions_folder: home.sessions(),
        disk: Disk {
            folder: home.path().to_owned(),
            workspaces: home.git().join("workspaces"),
            quota: config.node.disk_bytes,
            reserve: capacity.disk_bytes / 20,
            free: system::disk,
        },
        capacity,
        allocatable,
        classes: ClassSlots::shared(&allocatable, &defaults.request, config.slots.clone())?,
        tags: Tags(config.node.tags.clone()),
        taints: config.node.taints.clone(),
        adapters: adapters::load(&home.adapters()).map_err(BuildError::Adapter)?,
        prices: config.prices.clone(),
        egress: config.egress.clone(),
        image: config.executor.image.clone(),
        needs_image,
        agent: agent(config, needs_image),
        defaults,
        providers,
        reviewers: config.forge.reviewers.clone(),
        policy: policy(config),
    })
}

/// What tasks may use: a reserve stays for the machine itself.
fn allocatable(config: &Config, all: Resources) -> Resources {
    let reserve = (all.memory_bytes / 4).min(1 << 30);
    Resources {
        cpu_millis: config.node.cpu_millis.unwrap_or(all.cpu_millis.saturating_sub(500)),
        memory_bytes: config.node.memory_bytes.unwrap_or(all.memory_bytes - reserve),
        slots: config.node.slots.unwrap_or(all.slots),
        disk_bytes: config.node.disk_bytes.map_or(all.disk_bytes, |quota| quota.min(all.disk_bytes)),
        ..all
    }
}

/// How agentd is started: from the image, or from a host folder shown to the process.
fn agent(config: &Config, in_image: bool) -> AgentProgram {
    if in_image {
        let command = vec!["/usr/local/bin/ikigai-agentd".to_owned()];
        return AgentProgram { command, ..AgentProgram::default() };
    }
    let agentd = config.executor.agentd.clone();
    let agentd = agentd.or_else(|| std::env::current_exe().ok().map(|e| e.with_file_name("ikigai-agentd")));
    let agentd = agentd.unwrap_or_else(|| PathBuf::from("/usr/local/bin/ikigai-agentd"));
    let file = agentd.file_name().map_or_else(|| "ikigai-agentd".into(), ToOwned::to_owned);
    let folders = agentd.parent().map(ToOwned::to_owned).into_iter().chain(config.executor.tools.clone());
    // A folder of its own for each: where they are on the host is nothing a workload may walk through.
    let mount = |(n, source)| Mount { source, target: format!("/opt/ikigai/{n}").into(), read_only: true };
    let mounts: Vec<_> = folders.enumerate().map(mount).collect();
    let path = mounts.iter().map(|m| m.target.display().to_string());
    let path = path.chain(["/usr/local/bin", "/usr/bin", "/bin"].map(ToOwned::to_owned)).collect::<Vec<_>>();
    let command = mounts.first().map_or(agentd, |m| m.target.join(file));
    AgentProgram {
        command: vec![command.display().to_string()],
        mounts,
        env: [("PATH".to_owned(), path.join(":"))].into(),
    }
}

fn defaults(config: &Config, providers: &[String]) -> Defaults {
    let (t, base) = (&config.task, Limits::default());
    let memory = t.memory_bytes.unwrap_or(base.memory_bytes);
    let cpu = t.cpu_millis.unwrap_or(500);
    let disk = t.disk_bytes.unwrap_or(base.disk_bytes);
    Defaults {
        adapter: t.adapter.clone().unwrap_or_else(|| "codex".to_owned()),
        provider: t
            .provider
            .clone()
            .or_else(|| providers.first().cloned())
            .unwrap_or_else(|| "openai".to_owned()),
        model: t.model.clone().unwrap_or_else(|| "gpt-5.5".to_owned()),
        request: Resources { cpu_millis: cpu, memory_bytes: memory, disk_bytes: disk, gpus: 0, slots: 1 },
        limits: Limits {
            memory_bytes: memory,
            cpu_millis: cpu.max(1000),
            disk_bytes: disk,
            time: t.time_secs.map_or(base.time, Duration::from_secs),
            stall: t.stall_secs.map_or(base.stall, Duration::from_secs),
            max_turns: t.max_turns,
            ..base
        },
        max_attempts: t.max_attempts.unwrap_or(3),
        linger_secs: t.linger_secs.unwrap_or(0),
        egress: t.egress.clone(),
    }
}

fn policy(config: &Config) -> TaskPolicy {
    let base = TaskPolicy::default();
    TaskPolicy {
        lease: config.node.lease_secs.map_or(base.lease, Duration::from_secs),
        backoff: config.node.backoff_ms.map_or(base.backoff, Duration::from_millis),
        note_turns: config.forge.note_turns,
        ..base
    }
}
