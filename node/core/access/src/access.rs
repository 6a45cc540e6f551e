//! Who may see what: one-time tokens that become sessions. Time is an argument; secrets are hashed. To each may be
//! tied a holder `H`: somebody else decides by it for how long the secret opens anything.

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
pub struct Access<H> {
    lives: Lives,
    places: BTreeMap<String, Secrets<H>>,
}

struct Secrets<H> {
    tokens: Vec<Secret<H>>,
    sessions: Vec<Secret<H>>,
    touched: Timestamp,
}

struct Secret<H> {
    hash: Hash,
    until: Timestamp,
    holder: Option<H>,
}

impl<H: Clone> Access<H> {
    /// Nobody may come in yet.
    pub const fn new(lives: Lives) -> Self {
        Self { lives, places: BTreeMap::new() }
    }

    /// Takes note of a link's token.
    pub fn mint(&mut self, place: &str, token: &str, now: Timestamp) {
        let until = now.after(self.lives.token);
        keep(&mut self.at(place, now).tokens, Secret { hash: Hash::of(token), until, holder: None });
    }

    /// Ties a link that was not used, and what it becomes, to a holder.
    pub fn tie(&mut self, place: &str, token: &str, holder: H) {
        let hash = Hash::of(token);
        let tokens = self.places.get_mut(place).map(|s| s.tokens.iter_mut());
        if let Some(token) = tokens.and_then(|mut t| t.find(|t| t.hash.is(&hash))) {
            token.holder = Some(holder);
        }
    }

    /// Makes `session` a session of `place` if `token` is a link's that was not used; it is used then.
    pub fn redeem(&mut self, place: &str, token: &str, session: &str, now: Timestamp) -> bool {
        let hash = Hash::of(token);
        let Some(secrets) = self.places.get_mut(place) else { return false };
        secrets.tokens.retain(|t| now < t.until);
        let Some(found) = secrets.tokens.iter().position(|t| t.hash.is(&hash)) else { return false };
        let holder = secrets.tokens.remove(found).holder;
        secrets.touched = now;
        let until = now.after(self.lives.session);
        keep(&mut secrets.sessions, Secret { hash: Hash::of(session), until, holder });
        true
    }

    /// Until when `session` is a session of `place`, and whose it is.
    pub fn admits(&self, place: &str, session: &str, now: Timestamp) -> Option<(Timestamp, Option<H>)> {
        let hash = Hash::of(session);
        let mut sessions = self.places.get(place)?.sessions.iter();
        let found = sessions.find(|s| s.hash.is(&hash) && now < s.until)?;
        Some((found.until, found.holder.clone()))
    }

    /// Ends one session; whether it was there.
    pub fn close(&mut self, place: &str, session: &str) -> bool {
        let hash = Hash::of(session);
        let Some(secrets) = self.places.get_mut(place) else { return false };
        let before = secrets.sessions.len();
        secrets.sessions.retain(|s| !s.hash.is(&hash));
        secrets.sessions.len() < before
    }

    /// Nothing is at `place` any more: none of its secrets opens anything.
    pub fn end(&mut self, place: &str) {
        self.places.remove(place);
    }

    /// The secrets of `place`, which is made when there is none; what is too old goes first.
    fn at(&mut self, place: &str, now: Timestamp) -> &mut Secrets<H> {
        self.forget_old(now);
        if !self.places.contains_key(place) && self.places.len() >= PLACES {
            let oldest = self.places.iter().min_by_key(|(_, s)| s.touched).map(|(name, _)| name.clone());
            self.places.remove(&oldest.unwrap_or_default());
        }
        let none = || Secrets { tokens: Vec::new(), sessions: Vec::new(), touched: now };
        let secrets = self.places.entry(place.to_owned()).or_insert_with(none);
        secrets.touched = now;
        secrets
    }

    fn forget_old(&mut self, now: Timestamp) {
        self.places.retain(|_, secrets| {
            secrets.tokens.retain(|t| now < t.until);
            secrets.sessions.retain(|s| now < s.until);
            !(secrets.tokens.is_empty() && secrets.sessions.is_empty())
        });
    }
}

fn keep<H>(secrets: &mut Vec<Secret<H>>, secret: Secret<H>) {
    if secrets.len() >= PER_PLACE {
        secrets.remove(0);
    }
    secrets.push(secret);
}

impl<H> std::fmt::Debug for Access<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({} places, [redacted])", self.places.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp(1_000_000);

    const LIVES: Lives = Lives { token: Duration::from_secs(60), session: Duration::from_secs(12 * 60 * 60) };

    fn access() -> Access<&'static str> {
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
        assert_eq!(a.admits("x", "s", at(12 * 3600 - 1)), Some((T0.after(LIVES.session), None)));
        assert_eq!(a.admits("x", "s", at(12 * 3600)), None);
    }

    #[test]
    fn a_session_can_be_ended() {
        let mut a = access();
        a.mint("x", "token", T0);
        assert!(a.redeem("x", "token", "s", T0) && a.admits("x", "s", T0).is_some());
        assert!(a.close("x", "s") && !a.close("x", "s") && !a.close("y", "s"));
        assert_eq!(a.admits("x", "s", T0), None);
    }

    #[test]
    fn a_session_is_of_whom_its_link_was_for() {
        let mut a = access();
        a.mint("x", "one", T0);
        a.mint("x", "two", T0);
        a.tie("x", "one", "ana");
        a.tie("y", "two", "eve");
        a.tie("x", "three", "eve");
        assert!(a.redeem("x", "one", "s1", T0) && a.redeem("x", "two", "s2", T0));
        a.tie("x", "one", "eve");
        let holder = |s| a.admits("x", s, T0).unwrap().1;
        assert_eq!((holder("s1"), holder("s2")), (Some("ana"), None));
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
