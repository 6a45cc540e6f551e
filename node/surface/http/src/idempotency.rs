//! Answers kept by `Idempotency-Key`, so that a command sent twice is done once.
//!
//! Holds the last [`KEPT`] answers in memory; over a restart, the task's own state table refuses what was
//! done already. Errors are not kept: what failed may be tried again.

use crate::reply::Failure;
use bytes::Bytes;
use ikigai_wire::api::{Code, Problem};
use ring::digest::{SHA256, digest};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Most answers that are kept.
const KEPT: usize = 1024;
/// SHA-256 of a request's body.
type Print = [u8; 32];

#[derive(Debug, Default)]
pub(crate) struct Answered(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<String, (Print, Arc<OnceCell<Bytes>>)>,
    order: VecDeque<String>,
}

impl Answered {
    /// Runs `act` once per `key`; later calls with the same `body` get the first answer, while it runs they
    /// wait for it.
    pub(crate) async fn once<F>(&self, key: Option<String>, body: &Bytes, act: F) -> Result<Bytes, Failure>
    where
        F: Future<Output = Result<Bytes, Failure>>,
    {
        let Some(key) = key else { return act.await };
        let mut print = [0; 32];
        print.copy_from_slice(digest(&SHA256, body).as_ref());
        let (first, cell) = self.entry(key, print);
        if first != print {
            let text = "this idempotency key was used for another request";
            return Err(Problem::new(Code::Conflict, text, "use a new key for a new request").into());
        }
        cell.get_or_try_init(|| act).await.cloned()
    }

    fn entry(&self, key: String, print: Print) -> (Print, Arc<OnceCell<Bytes>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.answers.get(&key) {
            return entry.clone();
        }
        if kept.order.len() >= KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.answers.remove(&oldest);
        }
        let entry = (print, Arc::default());
        kept.order.push_back(key.clone());
        kept.answers.insert(key, entry.clone());
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn the_same_key_acts_once_and_another_body_is_refused() {
        let (answered, runs) = (Answered::default(), AtomicU32::new(0));
        let body = Bytes::from_static(b"{}");
        let act = async || Ok(Bytes::from(runs.fetch_add(1, Ordering::SeqCst).to_string()));
        for _ in 0..3 {
            assert_eq!(answered.once(Some("k".into()), &body, act()).await.unwrap(), "0");
        }
        assert_eq!(answered.once(None, &body, act()).await.unwrap(), "1");
        let other = Bytes::from_static(b"{\"x\":1}");
        assert!(answered.once(Some("k".into()), &other, act()).await.is_err());
        for n in 0..KEPT {
            answered.once(Some(format!("k{n}")), &body, act()).await.unwrap();
        }
        assert_ne!(answered.once(Some("k".into()), &body, act()).await.unwrap(), "0");
    }

    #[tokio::test]
    async fn a_failure_may_be_tried_again() {
        let (answered, body) = (Answered::default(), Bytes::new());
        let fail = async { Err(Failure::usage("no", "yes")) };
        assert!(answered.once(Some("k".into()), &body, fail).await.is_err());
        assert_eq!(
            answered.once(Some("k".into()), &body, async { Ok(Bytes::from_static(b"ok")) }).await.unwrap(),
            "ok"
        );
    }
}
