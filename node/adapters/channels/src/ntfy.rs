//! [ntfy](https://ntfy.sh), or what speaks as it does: a post to the address of a topic, the rest in headers.

use crate::post::{Post, header};
use async_trait::async_trait;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use ikigai_notify::{Kind, Message};
use ikigai_ports::PortResult;
use ikigai_ports::notice::Channel;
use ikigai_ports::signer::Secrets;
use std::fmt;
use std::sync::Arc;

/// Posts messages to one topic.
pub struct Ntfy {
    post: Post,
    token: Option<(Arc<dyn Secrets>, String)>,
}

impl Ntfy {
    /// The topic at `url`, with the access token that `token` names when it wants one.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn new(url: &str, token: Option<(Arc<dyn Secrets>, String)>) -> PortResult<Self> {
        Ok(Self { post: Post::new("ntfy", url, token.is_some())?, token })
    }
}

#[async_trait]
impl Channel for Ntfy {
    fn name(&self) -> &str {
        "ntfy"
    }

    async fn deliver(&self, message: &Message, link: &str) -> PortResult<()> {
        let mut headers = HeaderMap::new();
        headers.insert("title", header(&message.title));
        headers.insert("click", header(link));
        headers.insert("priority", header(if message.urgent { "high" } else { "default" }));
        let tag = match message.kind {
            Kind::Needs if message.urgent => "warning",
            Kind::Needs => "bell",
            Kind::Reminder => "hourglass",
            Kind::Test => "white_check_mark",
        };
        headers.insert("tags", header(tag));
        if let Some((secrets, name)) = &self.token {
            let token = secrets.resolve(name, self.post.host()).await?;
            let mut value = header(&format!("Bearer {}", token.expose()));
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        self.post.send(headers, "text/plain; charset=utf-8", message.text.clone().into()).await
    }
}

impl fmt::Debug for Ntfy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|(_, name)| name);
        f.debug_struct("Ntfy").field("post", &self.post).field("token", &token).finish()
    }
}
