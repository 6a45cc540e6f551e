//! The ways to a person, as surfaces ask for them.

use super::Setup;
use async_trait::async_trait;
use futures::future::join_all;
use ikigai_notify::{Delivery, Message};
use ikigai_ports::node::Answer;
use ikigai_ports::notice::{Channel, Notices};
use ikigai_ports::{Clock, PortResult, Rng};
use ikigai_types::Timestamp;
use ikigai_wire::api::{ChannelView, Code, Problem};
use std::sync::{Arc, Mutex, MutexGuard};

/// Every way, and how it stands with each. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ways {
    channels: Vec<Arc<dyn Channel>>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    base: String,
    views: Arc<Mutex<Vec<ChannelView>>>,
}

impl Ways {
    /// The ways of `setup`.
    pub fn of(setup: &Setup) -> Self {
        let view = |c: &Arc<dyn Channel>| ChannelView { name: c.name().to_owned(), ..ChannelView::default() };
        let views = Arc::new(Mutex::new(setup.channels.iter().map(view).collect()));
        let (channels, clock, rng) = (setup.channels.clone(), setup.clock.clone(), setup.rng.clone());
        Self { channels, clock, rng, base: setup.base.clone(), views }
    }

    /// What came of a message by the way called `name`.
    pub(super) fn note(&self, name: &str, at: Timestamp, sent: &PortResult<()>) {
        if let Some(view) = self.views().iter_mut().find(|v| v.name == name) {
            view.trouble = sent.as_ref().err().map(ikigai_ports::PortError::chain);
            if sent.is_ok() {
                view.delivered_at = Some(at);
            }
        }
        if let Err(error) = sent {
            tracing::warn!(channel = name, error = error.chain(), "a message did not arrive");
        }
    }

    pub(super) fn waiting(&self, outbox: &[Delivery]) {
        for view in self.views().iter_mut() {
            view.waiting = outbox.iter().filter(|d| d.channel == view.name).count() as u64;
        }
    }

    fn views(&self) -> MutexGuard<'_, Vec<ChannelView>> {
        self.views.lock().expect("invariant: no panic while the views are held")
    }
}

#[async_trait]
impl Notices for Ways {
    async fn channels(&self) -> Answer<Vec<ChannelView>> {
        Ok(self.views().clone())
    }

    async fn test(&self) -> Answer<Vec<ChannelView>> {
        if self.channels.is_empty() {
            let hint =
                "name one under [notify] in ikigai.toml and start the node again; see docs/notifications.md";
            return Err(Problem::new(Code::NotFound, "no way to tell anybody is configured", hint));
        }
        let message = Message::test(format!("test-{}", self.rng.hex(8)), self.clock.now());
        let link = format!("{}/", self.base);
        let sends = self.channels.iter().map(|c| c.deliver(&message, &link));
        let sent = join_all(sends).await;
        for (channel, sent) in self.channels.iter().zip(&sent) {
            self.note(channel.name(), self.clock.now(), sent);
        }
        Ok(self.views().clone())
    }
}
