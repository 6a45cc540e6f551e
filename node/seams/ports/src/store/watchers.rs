//! Who waits for commits under which prefix: shared by every backend of [`Store`](super::Store).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The watchers of one store, by prefix.
#[derive(Debug, Default)]
pub struct Watchers {
    by_prefix: Mutex<BTreeMap<Vec<u8>, watch::Sender<u64>>>,
}

impl Watchers {
    /// A receiver that changes with every later [`Self::tell`] of a key with `prefix`.
    pub fn watch(&self, prefix: &[u8]) -> watch::Receiver<u64> {
        let mut by_prefix = self.lock();
        by_prefix.retain(|_, sender| sender.receiver_count() > 0);
        by_prefix.entry(prefix.to_vec()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Wakes whoever watches a prefix of one of `keys`: each watcher once, however many keys.
    pub fn tell<'a>(&self, keys: impl IntoIterator<Item = &'a [u8]>) {
        let by_prefix = self.lock();
        if by_prefix.is_empty() {
            return;
        }
        let mut touched: Vec<&watch::Sender<u64>> = Vec::new();
        for key in keys {
            let prefixes = (0..=key.len()).filter_map(|end| by_prefix.get(&key[..end]));
            for sender in prefixes {
                if !touched.iter().any(|seen| std::ptr::eq(*seen, sender)) {
                    touched.push(sender);
                }
            }
        }
        for sender in touched {
            sender.send_modify(|count| *count += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, watch::Sender<u64>>> {
        // A panic while the map is held leaves it whole: every change of it is one call.
        self.by_prefix.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_watcher_is_told_once_and_only_of_its_prefix() {
        let watchers = Watchers::default();
        let (mut all, mut tasks, mut other) =
            (watchers.watch(b""), watchers.watch(b"task/"), watchers.watch(b"x"));
        watchers.tell([b"task/1".as_slice(), b"task/2"]);
        assert_eq!(*all.borrow_and_update(), 1);
        assert_eq!(*tasks.borrow_and_update(), 1);
        assert!(!other.has_changed().unwrap());
        watchers.tell([b"x".as_slice()]);
        assert!(other.has_changed().unwrap() && !tasks.has_changed().unwrap());
        assert_eq!(*other.borrow_and_update(), 1);
    }

    #[test]
    fn watchers_that_left_are_forgotten() {
        let watchers = Watchers::default();
        for i in 0..100_u32 {
            drop(watchers.watch(&i.to_be_bytes()));
        }
        let _held = watchers.watch(b"held");
        assert_eq!(watchers.lock().len(), 1);
    }
}
