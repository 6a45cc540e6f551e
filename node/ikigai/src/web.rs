//! Where a node is reached by people and programs, and by what policy they are let in.

use crate::builder::BuildError;
use crate::config::{AccessConfig, Config, HttpConfig};
use crate::home::Home;
use ikigai_access::Policy;
use ikigai_http::{Listener, Tls};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Addresses, the names it has there, its certificate, its policy.
pub(crate) struct Web {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) hosts: Vec<String>,
    pub(crate) shared: Option<PathBuf>,
    pub(crate) policy: Policy,
    pub(crate) tls: Option<Tls>,
}

impl Web {
    /// What `config` says, with a certificate where other machines are served.
    pub(crate) fn of(config: &Config, home: &Home, name: &str) -> Result<Self, BuildError> {
        let policy = policy_of(&config.access, home)?;
        let listen = addresses(&config.http.listen)?;
        let tls = tls(&config.http, home, name, &listen)?;
        let HttpConfig { hosts, shared_socket, .. } = config.http.clone();
        Ok(Self { listen, hosts, shared: shared_socket, policy, tls })
    }

    /// The port of this machine's own address; 0 when there is none.
    pub(crate) fn port_here(&self) -> u16 {
        self.listen.iter().find(|a| a.ip().is_loopback()).map_or(0, SocketAddr::port)
    }

    /// Begins to listen: over TLS wherever other machines can call.
    pub(crate) async fn listeners(&self, home: &Home) -> Result<Vec<Listener>, BuildError> {
        let mut listeners = vec![Listener::unix(&home.socket()).await?];
        if let Some(path) = &self.shared {
            listeners.push(Listener::shared(path).await?);
        }
        for address in &self.listen {
            listeners.push(match &self.tls {
                Some(tls) if !address.ip().is_loopback() => Listener::tls(*address, tls.clone()).await?,
                _ => Listener::tcp(*address).await?,
            });
        }
        Ok(listeners)
    }
}

fn addresses(text: &str) -> Result<Vec<SocketAddr>, BuildError> {
    if text == "off" {
        return Ok(Vec::new());
    }
    let one = |text: &str| text.trim().parse().map_err(|_| BuildError::Address(text.to_owned()));
    text.split(',').map(one).collect()
}

/// The certificate, when other machines are served.
fn tls(
    config: &HttpConfig,
    home: &Home,
    name: &str,
    listen: &[SocketAddr],
) -> Result<Option<Tls>, BuildError> {
    let outside: Vec<_> = listen.iter().filter(|a| !a.ip().is_loopback()).collect();
    if outside.is_empty() {
        return Ok(None);
    }
    let addresses = outside.iter().filter(|a| !a.ip().is_unspecified()).map(|a| a.ip().to_string());
    let names = config.hosts.iter().cloned().chain(addresses).chain(["localhost".to_owned()]);
    let names: Vec<_> = names.chain(name.is_ascii().then(|| name.to_owned())).collect();
    Tls::load_or_create(home.path(), &names).map(Some).map_err(BuildError::Tls)
}

/// Who may do what: the organisation's file, else `policy.cedar` of the node's folder, else the standard one.
fn policy_of(config: &AccessConfig, home: &Home) -> Result<Policy, BuildError> {
    let (file, is_named) = match &config.policy {
        Some(file) => (file.clone(), true),
        None => (home.policy(), false),
    };
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Policy::read(&text, &file.display().to_string())?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !is_named => Ok(Policy::standard()),
        Err(source) => Err(BuildError::NoPolicy { file, source }),
    }
}
