//! Who may see what: one-time tokens that become sessions. Time is an argument; secrets are hashed.

use crate::Hash;
use ikigai_types::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Tokens and sessions of one place; the oldest goes when there is one more.
const PER_PLACE: usize = 16;
/// Places with tokens or sessions; the one whose last secret is oldest goes when there is one more.
const PLACES: usize = 1024;

/// How long secrets work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// A link that is not used.
    pub token: Duration,
    /// A session.
    pub session: Duration,
}

/// Every token and session there is, by the place they open.
pub struct Access {
    lives: Lives,
    places: BTreeMap<String, Secrets>,
}

#[derive(Default)]
struct Secrets {
    tokens: Vec<(Hash, Timestamp)>,
    sessions: Vec<(Hash, Timestamp)>,
    touched: Timestamp,
}

impl Access {
    /// Nobody may come in yet.
    pub const fn new(lives: Lives) -> Self {
        Self { lives, places: BTreeMap::new() }
    }

    /// Takes note of a link's token.
    pub fn mint(&mut self, place: &str, token: &str, now: Timestamp) {
        let until = now.after(self.lives.token);
        keep(&mut self.at(place, now).tokens, Hash::of(token), until);
    }

    /// Makes `session` a session of `place` if `token` is a link's that was not used; it is used then.
    pub fn redeem(&mut self, place: &str, token: &str, session: &str, now: Timestamp) -> bool {
        let hash = Hash::of(token);
        let Some(secrets) = self.places.get_mut(place) else { return false };
        let before = secrets.tokens.len();
        let valid = secrets.tokens.iter().fold(false, |any, (h, until)| any | (h.is(&hash) & (now < *until)));
        secrets.tokens.retain(|(h, until)| !h.is(&hash) && now < *until);
        if !valid || secrets.tokens.len() == before {
            return false;
        }
        secrets.touched = now;
        keep(&mut secrets.sessions, Hash::of(session), now.after(self.lives.session));
        true
    }

    /// Until when `session` is a session of `place`.
    pub fn admits(&self, place: &str, session: &str, now: Timestamp) -> Option<Timestamp> {
        let hash = Hash::of(session);
        let sessions = self.places.get(place).map(|s| &*s.sessions).unwrap_or_default();
        let until = sessions.iter().filter(|(h, _)| h.is(&hash)).map(|(_, until)| *until).max()?;
        (now < until).then_some(until)
    }

    /// Takes back a session that was kept over a restart.
    pub fn restore(&mut self, place: &str, session: Hash, until: Timestamp, now: Timestamp) {
        if now < until {
            keep(&mut self.at(place, now).sessions, session, until);
        }
    }

    /// Ends one session; whether it was there.
    pub fn close(&mut self, place: &str, session: &str) -> bool {
        let hash = Hash::of(session);
        let Some(secrets) = self.places.get_mut(place) else { return false };
        let before = secrets.sessions.len();
        secrets.sessions.retain(|(h, _)| !h.is(&hash));
        secrets.sessions.len() < before
    }

    /// Nothing is at `place` any more: none of its secrets opens anything.
    pub fn end(&mut self, place: &str) {
        self.places.remove(place);
    }

    /// The secrets of `place`, which is made when there is none; what is too old goes first.
    fn at(&mut self, place: &str, now: Timestamp) -> &mut Secrets {
        self.forget_old(now);
        if !self.places.contains_key(place) && self.places.len() >= PLACES {
            let oldest = self.places.iter().min_by_key(|(_, s)| s.touched).map(|(name, _)| name.clone());
            self.places.remove(&oldest.unwrap_or_default());
        }
        let secrets = self.places.entry(place.to_owned()).or_default();
        secrets.touched = now;
        secrets
    }

    fn forget_old(&mut self, now: Timestamp) {
        self.places.retain(|_, secrets| {
            secrets.tokens.retain(|(_, until)| now < *until);
            secrets.sessions.retain(|(_, until)| now < *until);
            !(secrets.tokens.is_empty() && secrets.sessions.is_empty())
        });
    }
}

fn keep(secrets: &mut Vec<(Hash, Timestamp)>, hash: Hash, until: Timestamp) {
    if secrets.len() >= PER_PLACE {
        secrets.remove(0);
    }
    secrets.push((hash, until));
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({} places, [redacted])", self.places.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp(1_000_000);

    const LIVES: Lives = Lives { token: Duration::from_secs(60), session: Duration::from_secs(12 * 60 * 60) };

    fn access() -> Access {
        Access::new(LIVES)
    }

    fn at(secs: u64) -> Timestamp {
        T0.after(Duration::from_secs(secs))
    }

    #[test]
    fn a_token_opens_once_for_its_agent_within_a_minute() {
        let mut a = access();
        a.mint("x", "token", T0);
        assert!(!a.redeem("y", "token", "s", T0), "another agent");
        assert!(!a.redeem("x", "Token", "s", T0), "another token");
        assert!(a.redeem("x", "token", "s", at(59)));
        assert!(!a.redeem("x", "token", "s2", at(59)), "used");
        assert!(a.admits("x", "s", at(60)).is_some());
        assert_eq!(a.admits("x", "s2", at(60)), None);
        assert_eq!(a.admits("y", "s", at(60)), None);
        assert_eq!(a.admits("x", "token", at(60)), None, "a token is no session");
    }

    #[test]
    fn a_token_is_too_old_after_a_minute_and_a_session_after_half_a_day() {
        let mut a = access();
        a.mint("x", "late", T0);
        assert!(!a.redeem("x", "late", "s", at(60)));
        a.mint("x", "in time", T0);
        assert!(a.redeem("x", "in time", "s", T0));
        assert_eq!(a.admits("x", "s", at(12 * 3600 - 1)), Some(T0.after(LIVES.session)));
        assert_eq!(a.admits("x", "s", at(12 * 3600)), None);
    }

    #[test]
    fn a_session_can_be_kept_elsewhere_and_ended() {
        let mut a = access();
        a.restore("x", Hash::stored(*Hash::of("s").bytes()), at(100), T0);
        a.restore("x", Hash::of("old"), T0, T0);
        assert_eq!(a.admits("x", "s", at(99)), Some(at(100)));
        assert_eq!((a.admits("x", "s", at(100)), a.admits("x", "old", T0)), (None, None));
        assert!(a.close("x", "s") && !a.close("x", "s") && !a.close("y", "s"));
        assert_eq!(a.admits("x", "s", T0), None);
    }

    #[test]
    fn an_agent_that_ended_has_nothing_left() {
        let mut a = access();
        a.mint("x", "one", T0);
        a.mint("x", "two", T0);
        assert!(a.redeem("x", "one", "s", T0));
        a.end("x");
        assert_eq!(a.admits("x", "s", T0), None);
        assert!(!a.redeem("x", "two", "s", T0));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_newest_stays() {
        let mut a = access();
        for n in 0..100 {
            a.mint("x", &format!("t{n}"), T0);
        }
        assert!(!a.redeem("x", "t83", "s", T0));
        assert!(a.redeem("x", "t84", "s", T0) && a.redeem("x", "t99", "s", T0));
        for n in 0..2 * PLACES {
            a.mint(&format!("a{n}"), "t", at(n as u64 / 100));
        }
        assert_eq!(a.places.len(), PLACES);
        assert!(!a.redeem("a0", "t", "s", at(1)));
        assert!(a.redeem(&format!("a{}", 2 * PLACES - 1), "t", "s", at(21)));
    }

    #[test]
    fn nothing_of_a_secret_is_kept_or_printed() {
        let mut a = access();
        a.mint("x", "hunter2", T0);
        assert_eq!(format!("{a:?}"), "Access(1 places, [redacted])");
    }
}
