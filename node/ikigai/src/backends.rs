//! Which backend stands behind each port: the only place that names one.

use crate::config::{ArbiterConfig, Config, ModelConfig};
use crate::home::Home;
use crate::secrets::{ReferencedSecrets, is_there};
use ikigai_access::Role;
use ikigai_docker::{DockerExecutor, DockerOptions};
use ikigai_http::Oidc;
use ikigai_oidc::{OidcOptions, OidcProvider};
use ikigai_ports::{Arbiter, Clock, Executor, Forge, Logs, Model, PortError, PortResult, Secrets, Store};
use ikigai_postgres::{PostgresArbiter, PostgresOptions};
use ikigai_process::{ProcessExecutor, ProcessOptions};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The store of a node that names none.
pub const DEFAULT_STORE: &str = "sled";

/// Constructor of a store in a folder.
type OpenStore = fn(&Path) -> PortResult<Arc<dyn Store>>;

/// Every store by name.
pub const STORES: [(&str, OpenStore); 3] = [
    ("sled", |folder| Ok(Arc::new(ikigai_sled::SledStore::open(folder.join("sled"))?))),
    ("redb", |folder| Ok(Arc::new(ikigai_redb::RedbStore::open(folder.join("redb"))?))),
    ("memory", |_| Ok(Arc::new(ikigai_memory::MemoryStore::new()))),
];

fn named<T: Copy>(what: &str, name: &str, table: &[(&'static str, T)]) -> PortResult<T> {
    let known = || table.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ");
    let found = table.iter().find(|(n, _)| *n == name).map(|(_, t)| *t);
    found.ok_or_else(|| PortError::Refused(format!("{what} `{name}` is not known: use one of {}", known())))
}

pub(crate) fn store(config: &Config, home: &Home) -> PortResult<Arc<dyn Store>> {
    named("store", &config.store.backend, &STORES)?(&home.store())
}

pub(crate) fn logs(home: &Home) -> PortResult<Arc<dyn Logs>> {
    Ok(Arc::new(ikigai_embedded::SegmentLogs::open(home.logs())?))
}

/// The arbiter that is configured, if one is. It need not answer now.
pub(crate) fn arbiter(config: &Config) -> PortResult<Option<Arc<dyn Arbiter>>> {
    let ArbiterConfig { postgres, password, authority } = config.arbiter.clone();
    let Some(address) = postgres else { return Ok(None) };
    let secrets = |name| (name, Arc::new(ReferencedSecrets) as _);
    let options = PostgresOptions { address, password: password.map(secrets), authority };
    Ok(Some(Arc::new(PostgresArbiter::new(options)?)))
}

/// The executor that is configured. `auto` takes Docker, and says what to do when it does not answer: a
/// weaker sandbox is never taken in silence.
///
/// # Errors
/// When it does not answer, or is not known.
pub async fn executor(config: &Config, home: &Home) -> PortResult<Arc<dyn Executor>> {
    let options = &config.executor;
    match options.backend.as_str() {
        "docker" | "auto" => {
            let docker = DockerOptions { socket: Some(options.docker_socket()), ..DockerOptions::default() };
            Ok(Arc::new(DockerExecutor::connect(docker).await?))
        }
        "process" => Ok(Arc::new(ProcessExecutor::new(home.processes(), ProcessOptions::default())?)),
        other => {
            let text = format!("executor `{other}` is not known: use docker, process or auto");
            Err(PortError::Refused(text))
        }
    }
}

/// Every configured provider that has what it needs, by name.
pub(crate) fn models(config: &Config) -> PortResult<BTreeMap<String, Arc<dyn Model>>> {
    let mut models: BTreeMap<String, Arc<dyn Model>> = BTreeMap::new();
    for (name, model) in &config.models {
        match model {
            ModelConfig::Scripted { script } => {
                let text = std::fs::read_to_string(script)
                    .map_err(|e| PortError::failed(format!("reading {}", script.display()), e))?;
                models.insert(name.clone(), Arc::new(ikigai_models::ScriptedModel::load(&text)?));
            }
            ModelConfig::Responses { base_url, secret } => {
                let options = ikigai_models::HttpModelOptions::new(name, base_url);
                let options = match secret {
                    Some(secret) if !is_there(secret) => {
                        tracing::warn!(provider = name, secret, "no credential: the provider is left out");
                        continue;
                    }
                    Some(secret) => options.with_secret(Arc::new(ReferencedSecrets), secret),
                    None => options,
                };
                models.insert(name.clone(), Arc::new(ikigai_models::HttpModel::new(options)?));
            }
        }
    }
    Ok(models)
}

/// A forge, and what must be ended with the node when it runs programs of its own.
pub(crate) struct Forged {
    pub(crate) forge: Arc<dyn Forge>,
    pub(crate) radicle: Option<Arc<ikigai_radicle::RadicleForge>>,
}

/// The forge that is configured. `auto` takes Radicle, and says what to do when its programs are not found.
pub(crate) async fn forge(config: &Config, home: &Home, seed: [u8; 32], name: &str) -> PortResult<Forged> {
    match config.forge.backend.as_str() {
        "git" => Ok(Forged { forge: Arc::new(ikigai_git::GitForge::new(home.git())?), radicle: None }),
        "radicle" | "auto" => {
            let options = ikigai_radicle::RadicleOptions {
                bin: config.forge.radicle_bin.clone(),
                home: home.radicle(),
                alias: name.to_owned(),
                listen: config.forge.listen,
                connect: config.forge.connect.clone(),
                seed,
                workspaces: home.git(),
            };
            let radicle = Arc::new(ikigai_radicle::RadicleForge::start(options).await?);
            Ok(Forged { forge: radicle.clone(), radicle: Some(radicle) })
        }
        other => {
            let text = format!("forge `{other}` is not known: use radicle, git or auto");
            Err(PortError::Refused(text))
        }
    }
}

/// Who else says who somebody is.
pub(crate) fn oidc(config: &Config, clock: Arc<dyn Clock>) -> PortResult<Option<Oidc>> {
    let Some(oidc) = config.oidc.clone() else { return Ok(None) };
    if oidc.default_role == Some(Role::Admin) {
        return Err(PortError::Refused("oidc.default_role: nobody unknown becomes an admin".to_owned()));
    }
    let secret = oidc.client_secret.map(|name| (Arc::new(ReferencedSecrets) as Arc<dyn Secrets>, name));
    let name = oidc.name.unwrap_or_else(|| "your organisation".to_owned());
    let options =
        OidcOptions { name, issuer: oidc.issuer, client_id: oidc.client_id, secret, redirect: oidc.redirect };
    let provider = Arc::new(OidcProvider::new(options, clock)?);
    Ok(Some(Oidc { provider, default_role: oidc.default_role }))
}
