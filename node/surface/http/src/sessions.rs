//! Who came in by browser: one-time codes that become sessions, which outlive the node's restarts.
//!
//! A session has two halves. One is a cookie no page can read; cookies are sent to every port of a host, so the
//! other half is kept by the page, under its own origin, and comes as a header. Neither opens anything alone, and
//! a request that another page makes has no such header.

use crate::auth::random_hex;
use crate::guard::one;
use http::header::{COOKIE, HeaderMap, HeaderName};
use ikigai_access::{Access, Hash, Lives};
use ikigai_ports::store::Batch;
use ikigai_ports::{PortResult, Store};
use ikigai_types::Timestamp;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Header with the half that the page keeps.
pub const KEY: HeaderName = HeaderName::from_static("x-ikigai-key");
/// How long a link and a session work.
const LIVES: Lives =
    Lives { token: Duration::from_secs(5 * 60), session: Duration::from_secs(7 * 24 * 60 * 60) };
/// What sessions are of, in [`Access`].
const PLACE: &str = "dashboard";
/// Where sessions are stored: this, then the hash.
const PREFIX: &[u8] = b"session/";
/// Most sessions that are read back; more than there can be.
const MOST: usize = 256;

/// A session that was just opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) cookie: String,
    pub(crate) key: String,
    pub(crate) until: Timestamp,
}

/// Every session of one node.
pub struct Sessions {
    access: Mutex<Access>,
    store: Option<Arc<dyn Store>>,
}

impl Default for Sessions {
    /// Sessions that end with the process.
    fn default() -> Self {
        Self { access: Mutex::new(Access::new(LIVES)), store: None }
    }
}

impl Sessions {
    /// Sessions that are kept in `store`; those that are there and not too old go on.
    ///
    /// # Errors
    /// What the store says.
    pub async fn kept_in(store: Arc<dyn Store>) -> PortResult<Self> {
        let mut access = Access::new(LIVES);
        let mut old = Batch::default();
        for (key, entry) in store.scan(PREFIX, PREFIX, MOST).await? {
            let hash = key.strip_prefix(PREFIX).and_then(|h| h.try_into().ok()).map(Hash::stored);
            let until = entry.value.try_into().map(u64::from_be_bytes).map(Timestamp);
            match (hash, until) {
                (Some(hash), Ok(until)) if now() < until => access.restore(PLACE, hash, until, now()),
                _ => old = old.delete(key),
            }
        }
        if !old.writes.is_empty() {
            store.commit(old).await?;
        }
        Ok(Self { access: Mutex::new(access), store: Some(store) })
    }

    /// A new one-time code, and until when it works.
    pub(crate) fn code(&self) -> (String, Timestamp) {
        let code = random_hex::<32>();
        self.access().mint(PLACE, &code, now());
        (code, now().after(LIVES.token))
    }

    /// Opens a session for who has a code; the code is used then.
    pub(crate) async fn open(&self, code: &str) -> PortResult<Option<Opened>> {
        let opened =
            Opened { cookie: random_hex::<32>(), key: random_hex::<32>(), until: now().after(LIVES.session) };
        let secret = join(&opened.cookie, &opened.key);
        if !self.access().redeem(PLACE, code, &secret, now()) {
            return Ok(None);
        }
        self.write(&secret, Some(opened.until)).await?;
        Ok(Some(opened))
    }

    /// Until when the session lasts that a request names.
    pub(crate) fn admits(&self, headers: &HeaderMap, port: u16) -> Option<Timestamp> {
        self.access().admits(PLACE, &named(headers, port)?, now())
    }

    /// Ends the session that a request names.
    pub(crate) async fn close(&self, headers: &HeaderMap, port: u16) -> PortResult<()> {
        let Some(secret) = named(headers, port) else { return Ok(()) };
        if self.access().close(PLACE, &secret) {
            self.write(&secret, None).await?;
        }
        Ok(())
    }

    async fn write(&self, secret: &str, until: Option<Timestamp>) -> PortResult<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let key = [PREFIX, Hash::of(secret).bytes()].concat();
        let batch = match until {
            Some(until) => Batch::default().put(key, until.0.to_be_bytes()),
            None => Batch::default().delete(key),
        };
        store.commit(batch).await
    }

    fn access(&self) -> MutexGuard<'_, Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("access", &self.access()).finish_non_exhaustive()
    }
}

/// Name of the cookie: several nodes of one machine are one host to a browser.
pub(crate) fn cookie_name(port: u16) -> String {
    format!("ikigai-{port}")
}

fn join(cookie: &str, key: &str) -> String {
    format!("{cookie}.{key}")
}

/// The session a request names, both halves of it.
fn named(headers: &HeaderMap, port: u16) -> Option<String> {
    let name = cookie_name(port);
    let key = one(headers, KEY).ok()??;
    let values = headers.get_all(COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let pairs = values.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(n, _)| *n == name).map(|(_, value)| value);
    match (ours.next(), ours.next()) {
        (Some(cookie), None) => Some(join(cookie, key)),
        _ => None,
    }
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
