//! A webhook as [Standard Webhooks](https://www.standardwebhooks.com) has it: JSON, an id that stays over all tries, and
//! a signature over id, time and body.

use crate::post::{Post, header};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ikigai_notify::{Item, Message, Need};
use ikigai_ports::notice::Channel;
use ikigai_ports::signer::{Secret, Secrets};
use ikigai_ports::{Clock, PortError, PortResult};
use ikigai_types::Timestamp;
use ikigai_wire::api::Document;
use ring::hmac;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Bytes that a key has at least.
const KEY_MIN: usize = 16;

/// Posts signed messages to one address.
pub struct Webhook {
    post: Post,
    secret: Option<(Arc<dyn Secrets>, String)>,
    clock: Arc<dyn Clock>,
}

/// The body.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: ikigai_notify::Kind,
    at: Timestamp,
    title: &'a str,
    text: &'a str,
    urgent: bool,
    link: &'a str,
    counts: &'a BTreeMap<Need, usize>,
    items: &'a [Item],
}

impl Webhook {
    /// The webhook at `url`, signed with the key that `secret` names: `whsec_…` in base64, or plain text.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn new(
        url: &str,
        secret: Option<(Arc<dyn Secrets>, String)>,
        clock: Arc<dyn Clock>,
    ) -> PortResult<Self> {
        // The key signs and is not sent.
        Ok(Self { post: Post::new("webhook", url, false)?, secret, clock })
    }

    async fn headers(&self, id: &str, body: &[u8]) -> PortResult<HeaderMap> {
        let seconds = (self.clock.now().0 / 1000).to_string();
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", header(id));
        headers.insert("webhook-timestamp", header(&seconds));
        if let Some((secrets, name)) = &self.secret {
            let key = key(&secrets.resolve(name, self.post.host()).await?)?;
            let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
            let signature = STANDARD.encode(hmac::sign(&key, &signed));
            headers.insert("webhook-signature", header(&format!("v1,{signature}")));
        }
        Ok(headers)
    }
}

fn key(secret: &Secret) -> PortResult<hmac::Key> {
    let text = secret.expose();
    let bytes = match text.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| {
            PortError::Refused(
                "notify.webhook: the secret begins with whsec_ and is not base64 after it".to_owned(),
            )
        })?,
        None => text.as_bytes().to_vec(),
    };
    if bytes.len() < KEY_MIN {
        let text =
            format!("notify.webhook: the secret has {} bytes, and {KEY_MIN} are the least", bytes.len());
        return Err(PortError::Refused(text));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &str {
        "webhook"
    }

    async fn deliver(&self, message: &Message, link: &str) -> PortResult<()> {
        let Message { id, kind, at, title, text, urgent, counts, items } = message;
        let body = Body { id, kind: *kind, at: *at, title, text, urgent: *urgent, link, counts, items };
        let body = serde_json::to_vec(&Document::new("Notification", body))
            .map_err(|e| PortError::failed("writing a message", e))?;
        let headers = self.headers(id, &body).await?;
        self.post.send(headers, "application/json", body.into()).await
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.secret.as_ref().map(|(_, name)| name);
        f.debug_struct("Webhook").field("post", &self.post).field("secret", &secret).finish_non_exhaustive()
    }
}
