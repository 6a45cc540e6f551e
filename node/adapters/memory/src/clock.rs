//! A clock that moves only when told.

use async_trait::async_trait;
use ikigai_ports::Clock;
use ikigai_types::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Time for tests and simulations: [`Self::advance`] is the only thing that makes it pass.
#[derive(Debug)]
pub struct VirtualClock {
    start: Timestamp,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    passed: Duration,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    next_id: u64,
}

impl VirtualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self { start, state: Mutex::default() }
    }

    /// Lets `d` pass and wakes who slept no longer than that, the earliest first.
    pub fn advance(&self, d: Duration) {
        let mut state = self.state();
        state.passed += d;
        let passed = state.passed;
        while let Some(entry) = state.sleepers.first_entry() {
            if entry.key().0 > passed {
                break;
            }
            // Who gave up sleeping does not want to be woken.
            let _ = entry.remove().send(());
        }
    }

    /// How long until the next sleeper wakes; `None` when nobody sleeps.
    pub fn next_wake(&self) -> Option<Duration> {
        let state = self.state();
        let (wake, _) = *state.sleepers.first_key_value()?.0;
        Some(wake.saturating_sub(state.passed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.start.after(self.state().passed)
    }

    async fn sleep(&self, d: Duration) {
        let (woken, bed) = {
            let mut state = self.state();
            if d.is_zero() {
                return;
            }
            let (wake, woken) = oneshot::channel();
            let bed = (state.passed.saturating_add(d), state.next_id);
            state.next_id += 1;
            state.sleepers.insert(bed, wake);
            (woken, Bed { clock: self, bed })
        };
        // The sender lives in the clock until it sends, and the clock outlives this borrow of it.
        let _ = woken.await;
        drop(bed);
    }
}

/// Takes a sleeper off the list when its future is dropped, so that it is no longer waited for.
struct Bed<'a> {
    clock: &'a VirtualClock,
    bed: (Duration, u64),
}

impl Drop for Bed<'_> {
    fn drop(&mut self) {
        self.clock.state().sleepers.remove(&self.bed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn sleepers_wake_when_their_time_has_come() {
        let clock = Arc::new(VirtualClock::new(Timestamp(1_000)));
        clock.sleep(Duration::ZERO).await;
        let (told, mut woken) = tokio::sync::mpsc::channel(10);
        for ms in [30, 10, 20] {
            let (clock, told) = (Arc::clone(&clock), told.clone());
            tokio::spawn(async move {
                clock.sleep(Duration::from_millis(ms)).await;
                told.send((ms, clock.now())).await.unwrap();
            });
        }
        while clock.state().sleepers.len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(clock.next_wake(), Some(Duration::from_millis(10)));
        clock.advance(Duration::from_millis(9));
        tokio::task::yield_now().await;
        assert!(woken.try_recv().is_err());
        clock.advance(Duration::from_micros(1_500));
        assert_eq!(woken.recv().await, Some((10, Timestamp(1_010))));
        assert_eq!(clock.next_wake(), Some(Duration::from_micros(9_500)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(woken.recv().await.unwrap().0, 20);
        assert_eq!(woken.recv().await, Some((30, Timestamp(2_010))));
        assert_eq!(clock.next_wake(), None);
    }

    #[tokio::test]
    async fn a_dropped_sleep_is_forgotten() {
        let clock = Arc::new(VirtualClock::new(Timestamp(0)));
        let sleep = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move { clock.sleep(Duration::MAX).await }
        });
        while clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        sleep.abort();
        let _ = sleep.await;
        assert_eq!(clock.next_wake(), None);
    }
}
