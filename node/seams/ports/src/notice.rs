//! Telling a person who does not look: the ways a message takes, and what is asked of them.

use crate::PortResult;
use crate::node::Answer;
use async_trait::async_trait;
use ikigai_notify::Message;
use ikigai_wire::api::ChannelView;
use std::fmt;

/// One way to a person.
///
/// * A message that answered arrived at the other side. It may have arrived too when it did not answer: whoever reads
///   it may drop another with the same id.
/// * [`crate::PortError::Unavailable`] is tried again; any other error would be the same again.
#[async_trait]
pub trait Channel: fmt::Debug + Send + Sync + 'static {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// Delivers `message`, or says why not. `link` opens what it is about.
    async fn deliver(&self, message: &Message, link: &str) -> PortResult<()>;
}

/// What surfaces ask of a node's ways to a person.
#[async_trait]
pub trait Notices: fmt::Debug + Send + Sync + 'static {
    /// Every configured way, and what waits on it.
    async fn channels(&self) -> Answer<Vec<ChannelView>>;

    /// Sends a message that says it is a test by every way, at once and once, and answers what came of it.
    async fn test(&self) -> Answer<Vec<ChannelView>>;
}
