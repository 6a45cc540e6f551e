//! Log-ins that are on their way to an identity provider and back. Time is an argument; secrets are hashed.

use crate::Hash;
use ikigai_types::Timestamp;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How long a browser may be away.
const AWAY: Duration = Duration::from_secs(10 * 60);
/// Log-ins on their way at once; the oldest is forgotten when there is one more.
const MOST: usize = 256;

/// What is kept of each log-in, by the state it has to come back with.
pub struct Journeys<T> {
    away: VecDeque<Away<T>>,
}

struct Away<T> {
    state: Hash,
    /// What the browser keeps that began it.
    browser: Hash,
    until: Timestamp,
    kept: T,
}

impl<T> Journeys<T> {
    /// Nobody is on their way.
    pub const fn new() -> Self {
        Self { away: VecDeque::new() }
    }

    /// A browser that shows `browser` leaves, and has to come back with `state`.
    pub fn leave(&mut self, state: &str, browser: &str, kept: T, now: Timestamp) {
        self.away.retain(|a| now < a.until);
        if self.away.len() >= MOST {
            self.away.pop_front();
        }
        let (state, browser) = (Hash::of(state), Hash::of(browser));
        self.away.push_back(Away { state, browser, until: now.after(AWAY), kept });
    }

    /// What was kept of who comes back with `state`, once. Only the browser that left may come back: a link that
    /// somebody else began must not log anybody in.
    pub fn back(&mut self, state: &str, browser: &str, now: Timestamp) -> Option<T> {
        let (state, browser) = (Hash::of(state), Hash::of(browser));
        let is_it = |a: &Away<T>| a.state.is(&state) && a.browser.is(&browser) && now < a.until;
        let found = self.away.iter().position(is_it)?;
        self.away.remove(found).map(|a| a.kept)
    }
}

impl<T> Default for Journeys<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Journeys<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Journeys({}, [redacted])", self.away.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp(1_000_000);

    #[test]
    fn a_browser_comes_back_once_with_what_it_was_sent_away_with() {
        let mut j = Journeys::new();
        j.leave("state", "browser", 1, T0);
        assert_eq!(j.back("other", "browser", T0), None);
        assert_eq!(j.back("state", "another browser", T0), None);
        assert_eq!(j.back("state", "browser", T0), Some(1));
        assert_eq!(j.back("state", "browser", T0), None, "it came back");
        j.leave("late", "browser", 2, T0);
        assert_eq!(j.back("late", "browser", T0.after(AWAY)), None);
    }

    #[test]
    fn what_is_kept_is_bounded_and_no_secret_is_printed() {
        let mut j = Journeys::new();
        for n in 0..=MOST {
            j.leave(&format!("s{n}"), "hunter2", n, T0);
        }
        assert_eq!((j.back("s0", "hunter2", T0), j.back("s1", "hunter2", T0)), (None, Some(1)));
        assert_eq!(format!("{j:?}"), "Journeys(255, [redacted])");
    }
}
