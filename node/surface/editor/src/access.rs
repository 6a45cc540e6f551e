//! Who may see which editor: one-time tokens that become sessions. Time is an argument; secrets are hashed.

use ikigai_types::Timestamp;
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a link works.
pub const TOKEN_LIFE: Duration = Duration::from_secs(60);
/// How long a session lasts.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// Tokens and sessions of one agent; the oldest goes when there is one more.
const PER_AGENT: usize = 16;
/// Agents with tokens or sessions; the one whose last secret is oldest goes when there is one more.
const AGENTS: usize = 1024;

/// The hash of a token or cookie; the secret itself is not kept.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hash([u8; 32]);

impl Hash {
    fn of(secret: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(hash)
    }

    /// Takes the same time whatever the answer is.
    fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
    }
}

/// Every token and session there is.
#[derive(Default)]
pub struct Access {
    agents: BTreeMap<String, Secrets>,
}

#[derive(Default)]
struct Secrets {
    tokens: Vec<(Hash, Timestamp)>,
    sessions: Vec<(Hash, Timestamp)>,
    touched: Timestamp,
}

impl Access {
    /// Takes note of a link's token.
    pub fn mint(&mut self, agent: &str, token: &str, now: Timestamp) {
        self.forget_old(now);
        if !self.agents.contains_key(agent) && self.agents.len() >= AGENTS {
            let oldest = self.agents.iter().min_by_key(|(_, s)| s.touched).map(|(name, _)| name.clone());
            self.agents.remove(&oldest.unwrap_or_default());
        }
        let secrets = self.agents.entry(agent.to_owned()).or_default();
        secrets.touched = now;
        keep(&mut secrets.tokens, Hash::of(token), now.after(TOKEN_LIFE));
    }

    /// Makes `session` a session of `agent` if `token` is a link's that was not used; it is used then.
    pub fn redeem(&mut self, agent: &str, token: &str, session: &str, now: Timestamp) -> bool {
        let hash = Hash::of(token);
        let Some(secrets) = self.agents.get_mut(agent) else { return false };
        let before = secrets.tokens.len();
        let valid = secrets.tokens.iter().fold(false, |any, (h, until)| any | (h.is(&hash) & (now < *until)));
        secrets.tokens.retain(|(h, until)| !h.is(&hash) && now < *until);
        if !valid || secrets.tokens.len() == before {
            return false;
        }
        secrets.touched = now;
        keep(&mut secrets.sessions, Hash::of(session), now.after(SESSION_LIFE));
        true
    }

    /// Until when `session` is a session of `agent`.
    pub fn admits(&self, agent: &str, session: &str, now: Timestamp) -> Option<Timestamp> {
        let hash = Hash::of(session);
        let sessions = self.agents.get(agent).map(|s| &*s.sessions).unwrap_or_default();
        let until = sessions.iter().filter(|(h, _)| h.is(&hash)).map(|(_, until)| *until).max()?;
        (now < until).then_some(until)
    }

    /// The agent ended: none of its secrets opens anything any more.
    pub fn end(&mut self, agent: &str) {
        self.agents.remove(agent);
    }

    fn forget_old(&mut self, now: Timestamp) {
        self.agents.retain(|_, secrets| {
            secrets.tokens.retain(|(_, until)| now < *until);
            secrets.sessions.retain(|(_, until)| now < *until);
            !(secrets.tokens.is_empty() && secrets.sessions.is_empty())
        });
    }
}

fn keep(secrets: &mut Vec<(Hash, Timestamp)>, hash: Hash, until: Timestamp) {
    if secrets.len() >= PER_AGENT {
        secrets.remove(0);
    }
    secrets.push((hash, until));
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({} agents, [redacted])", self.agents.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp(1_000_000);

    fn at(secs: u64) -> Timestamp {
        T0.after(Duration::from_secs(secs))
    }

    #[test]
    fn a_token_opens_once_for_its_agent_within_a_minute() {
        let mut a = Access::default();
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
        let mut a = Access::default();
        a.mint("x", "late", T0);
        assert!(!a.redeem("x", "late", "s", at(60)));
        a.mint("x", "in time", T0);
        assert!(a.redeem("x", "in time", "s", T0));
        assert_eq!(a.admits("x", "s", at(12 * 3600 - 1)), Some(T0.after(SESSION_LIFE)));
        assert_eq!(a.admits("x", "s", at(12 * 3600)), None);
    }

    #[test]
    fn an_agent_that_ended_has_nothing_left() {
        let mut a = Access::default();
        a.mint("x", "one", T0);
        a.mint("x", "two", T0);
        assert!(a.redeem("x", "one", "s", T0));
        a.end("x");
        assert_eq!(a.admits("x", "s", T0), None);
        assert!(!a.redeem("x", "two", "s", T0));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_newest_stays() {
        let mut a = Access::default();
        for n in 0..100 {
            a.mint("x", &format!("t{n}"), T0);
        }
        assert!(!a.redeem("x", "t83", "s", T0));
        assert!(a.redeem("x", "t84", "s", T0) && a.redeem("x", "t99", "s", T0));
        for n in 0..2 * AGENTS {
            a.mint(&format!("a{n}"), "t", at(n as u64 / 100));
        }
        assert_eq!(a.agents.len(), AGENTS);
        assert!(!a.redeem("a0", "t", "s", at(1)));
        assert!(a.redeem(&format!("a{}", 2 * AGENTS - 1), "t", "s", at(21)));
    }

    #[test]
    fn nothing_of_a_secret_is_kept_or_printed() {
        let mut a = Access::default();
        a.mint("x", "hunter2", T0);
        assert_eq!(format!("{a:?}"), "Access(1 agents, [redacted])");
    }
}
