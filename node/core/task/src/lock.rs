//! Who may type into an agent's terminal: one person at a time, and while one does, the agent gets no new turn.
//!
//! The node that runs the agent keeps one lock for each; every client of the terminal, from whichever node it
//! comes, is judged by it. Nobody holds a lock for ever: it is lost by whoever types nothing for a while, and by
//! a client that went away without a word and did not come back.

use ikigai_types::{Timestamp, Writer};
use std::time::Duration;

/// How long a writer may type nothing before anybody may type, and the agent goes on.
pub const IDLE: Duration = Duration::from_secs(5 * 60);
/// How long a writer whose connection broke has to come back.
pub const AWAY: Duration = Duration::from_secs(20);

/// The lock of one terminal.
#[derive(Debug, Default)]
pub struct Lock {
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    /// What the client calls itself; one that comes back says the same.
    client: String,
    writer: Writer,
    typed: Timestamp,
    /// Its connection broke, then.
    away: Option<Timestamp>,
}

/// Somebody else types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked(pub Writer);

/// What came of asking to type: the lock has another writer than before, or the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Another than before.
    New,
    /// The same.
    Same,
}

impl Lock {
    /// Who types.
    pub fn writer(&self) -> Option<&Writer> {
        self.held.as_ref().map(|h| &h.writer)
    }

    /// Whether it is `client` that types.
    pub fn is_held_by(&self, client: &str) -> bool {
        self.held.as_ref().is_some_and(|h| h.client == client)
    }

    /// `client` types something, or wants to; `force`: also if somebody else does.
    ///
    /// # Errors
    /// [`Locked`] when somebody else types.
    pub fn take(
        &mut self,
        client: &str,
        writer: &Writer,
        force: bool,
        now: Timestamp,
    ) -> Result<Turn, Locked> {
        let over = self.is_over(now);
        match &mut self.held {
            // A name alone opens nothing: it has to be the same person.
            Some(held) if held.client == client && held.writer == *writer => {
                (held.typed, held.away) = (now, None);
                return Ok(Turn::Same);
            }
            Some(held) if !force && !over => return Err(Locked(held.writer.clone())),
            _ => {}
        }
        let (client, writer) = (client.to_owned(), writer.clone());
        self.held = Some(Held { client, writer, typed: now, away: None });
        Ok(Turn::New)
    }

    /// `client` came back after its connection broke. Answers whether it types.
    pub fn back(&mut self, client: &str, writer: &Writer, now: Timestamp) -> bool {
        let over = self.is_over(now);
        match &mut self.held {
            Some(held) if !over && held.client == client && held.writer == *writer => {
                held.away = None;
                true
            }
            _ => false,
        }
    }

    /// `client` types no more; `None`: nor does whoever it is. Answers whether that freed the lock.
    pub fn hand_back(&mut self, client: Option<&str>) -> bool {
        let frees = self.held.as_ref().is_some_and(|h| client.is_none_or(|c| h.client == c));
        if frees {
            self.held = None;
        }
        frees
    }

    /// The connection of `client` broke.
    pub fn away(&mut self, client: &str, now: Timestamp) {
        if let Some(held) = self.held.as_mut().filter(|h| h.client == client) {
            held.away.get_or_insert(now);
        }
    }

    /// Time has passed. Answers whether that freed the lock.
    pub fn wake(&mut self, now: Timestamp) -> bool {
        let over = self.is_over(now);
        if over {
            self.held = None;
        }
        over
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.next_wake().is_some_and(|at| at <= now)
    }

    /// When [`Lock::wake`] frees it, if nothing else happens.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let held = self.held.as_ref()?;
        let idle = held.typed.after(IDLE);
        Some(held.away.map_or(idle, |away| idle.min(away.after(AWAY))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::NodeId;

    fn who(name: &str) -> Writer {
        Writer::new(name, NodeId::from_bytes([1; 32]))
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp(secs * 1000)
    }

    fn alice_types() -> Lock {
        let mut lock = Lock::default();
        assert_eq!(lock.take("a", &who("alice"), false, at(0)), Ok(Turn::New));
        lock
    }

    #[test]
    fn there_is_one_writer_at_a_time_and_the_others_are_told_who() {
        let mut lock = alice_types();
        assert_eq!(lock.take("b", &who("bob"), false, at(1)), Err(Locked(who("alice"))));
        assert_eq!(lock.take("a", &who("alice"), false, at(2)), Ok(Turn::Same));
        assert!(lock.hand_back(Some("a")) && lock.writer().is_none());
        assert_eq!(lock.take("b", &who("bob"), false, at(3)), Ok(Turn::New));
    }

    #[test]
    fn whoever_takes_over_is_the_writer_and_the_one_before_is_not() {
        let mut lock = alice_types();
        assert_eq!(lock.take("b", &who("bob"), true, at(1)), Ok(Turn::New));
        assert_eq!(lock.take("a", &who("alice"), false, at(1)), Err(Locked(who("bob"))));
        assert!(!lock.hand_back(Some("a")), "it is not hers to hand back");
        assert!(lock.is_held_by("b"));
    }

    #[test]
    fn an_idle_writer_loses_the_lock() {
        let mut lock = alice_types();
        lock.take("a", &who("alice"), false, at(200)).unwrap();
        assert!(!lock.wake(at(499)));
        assert_eq!(lock.next_wake(), Some(at(500)));
        assert_eq!(lock.take("b", &who("bob"), false, at(499)), Err(Locked(who("alice"))));
        assert!(lock.wake(at(500)) && lock.writer().is_none());
        assert!(!lock.wake(at(501)), "it is freed once");
    }

    #[test]
    fn a_connection_that_broke_may_come_back_for_a_while() {
        let mut lock = alice_types();
        lock.away("a", at(10));
        assert!(!lock.back("b", &who("bob"), at(15)));
        assert!(lock.back("a", &who("alice"), at(29)));
        lock.away("a", at(40));
        assert_eq!(lock.next_wake(), Some(at(60)));
        assert!(!lock.back("a", &who("alice"), at(60)));
        assert!(lock.wake(at(60)), "that it is over is told once, by whoever watches the time");
    }

    #[test]
    fn the_name_of_a_client_is_no_credential() {
        let mut lock = alice_types();
        assert!(!lock.back("a", &who("mallory"), at(1)));
        assert_eq!(lock.take("a", &who("mallory"), false, at(1)), Err(Locked(who("alice"))));
        assert!(lock.is_held_by("a"));
    }

    #[test]
    fn anybody_may_hand_back_for_all() {
        assert!(alice_types().hand_back(None));
        assert!(!Lock::default().hand_back(None));
    }
}
