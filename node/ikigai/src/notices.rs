//! Telling people: what is configured of it becomes rules and ways, and runs beside the node.

use crate::config::NotifyConfig;
use crate::secrets::{ReferencedSecrets, is_there};
use crate::system::local_minute;
use ikigai_channels::{Desktop, Ntfy, Webhook};
use ikigai_notify::Rules;
use ikigai_ports::notice::{Channel, Notices};
use ikigai_ports::signer::Secrets;
use ikigai_ports::{Clock, NodeHandle, PortError, PortResult, Rng, Store};
use ikigai_runtime::notices::{Setup, Ways, run};
use ikigai_types::NodeId;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a node tells people and how, before there is a node.
#[derive(Debug)]
pub(crate) struct Telling {
    rules: Rules,
    channels: Vec<Arc<dyn Channel>>,
    only_own: bool,
    base: String,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

impl Telling {
    /// What `config` says; `port` is where the dashboard is on this machine.
    pub(crate) fn of(
        config: &NotifyConfig,
        port: u16,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> PortResult<Self> {
        let channels = channels(config, &clock)?;
        let usual = Rules::default();
        let secs = |secs: Option<u64>, usual: Duration| secs.map_or(usual, Duration::from_secs);
        let quiet = config.quiet.as_deref().map(str::parse).transpose();
        let rules = Rules {
            needs: config.needs.clone().map_or(usual.needs, |n| n.into_iter().collect()),
            urgent: config.urgent.clone().map_or(usual.urgent, |n| n.into_iter().collect()),
            window: secs(config.window_secs, usual.window),
            remind: secs(config.remind_secs, usual.remind),
            quiet: quiet.map_err(|text| PortError::Refused(format!("notify.quiet: {text}")))?,
            channels: channels.iter().map(|c| c.name().to_owned()).collect(),
        };
        let port = if port == 0 { 7420 } else { port };
        let base = config.link.clone().unwrap_or_else(|| format!("http://127.0.0.1:{port}"));
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { rules, channels, only_own: config.only_own, base, clock, rng })
    }

    /// Begins to tell what `handle` shows; ends with `stop`. Without a way to anybody nothing is looked at.
    pub(crate) fn start(
        self,
        handle: Arc<dyn NodeHandle>,
        own: NodeId,
        store: Arc<dyn Store>,
        stop: CancellationToken,
    ) -> Arc<dyn Notices> {
        let Self { rules, channels, only_own, base, clock, rng } = self;
        let minute = local_minute;
        let setup = Setup { handle, own, only_own, store, clock, rng, minute, rules, channels, base };
        let ways = Ways::of(&setup);
        if !setup.channels.is_empty() {
            let telling = ways.clone();
            tokio::spawn(async move {
                if let Err(error) = run(setup, telling, stop).await {
                    tracing::error!(error = error.chain(), "nobody is told anything");
                }
            });
        }
        Arc::new(ways)
    }
}

/// Every way that is configured and can be used here.
fn channels(config: &NotifyConfig, clock: &Arc<dyn Clock>) -> PortResult<Vec<Arc<dyn Channel>>> {
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    let secret = |name: &Option<String>| {
        let name = name.clone()?;
        if !is_there(&name) {
            tracing::warn!(secret = name, "a credential for messages is not there; they wait for it");
        }
        Some((Arc::new(ReferencedSecrets) as Arc<dyn Secrets>, name))
    };
    if let Some(to) = &config.webhook {
        channels.push(Arc::new(Webhook::new(&to.url, secret(&to.secret), clock.clone())?));
    }
    if let Some(to) = &config.ntfy {
        channels.push(Arc::new(Ntfy::new(&to.url, secret(&to.secret))?));
    }
    if config.desktop {
        match Desktop::new() {
            Ok(desktop) => channels.push(Arc::new(desktop)),
            Err(error) => tracing::warn!(error = error.chain(), "the desktop shows no messages"),
        }
    }
    Ok(channels)
}
