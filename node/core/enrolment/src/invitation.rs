//! Invitations: each lets one machine in, once, until it expires.

use crate::join::JoinRefusal;
use ikigai_types::{NodeId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most invitations that are open at a time.
pub const MAX_OPEN: usize = 64;
/// Longest time one may be open: a week.
pub const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long one that is over may still knock, so that whoever brings it is told why it does not count, and
/// whoever it let in can ask again when the answer was lost.
pub const KNOCKS_AFTER: Duration = Duration::from_secs(3600);
/// Most that are over and may knock; the rest are refused at the connection.
const MAX_KNOCKING: usize = 32;
/// How long one that is over is shown.
const KEPT_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most that are kept, open or over.
const MAX_KEPT: usize = 1000;

/// One invitation. Its secret is in the token alone; this is the public half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// The key it knocks with.
    pub guest: NodeId,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it is good.
    pub expires: Timestamp,
    /// What became of it.
    #[serde(default)]
    pub fate: Fate,
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Fate {
    /// It can be used until it expires.
    #[default]
    Open,
    /// It let someone in.
    Used {
        /// Whom.
        by: NodeId,
        /// When.
        at: Timestamp,
    },
    /// It was taken back.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

/// What an invitation that is good does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// It lets this machine in now; that is to be durable before anyone is told.
    Now,
    /// It let the same machine in before, which did not hear of it.
    Before,
}

/// Every invitation a node made, by its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invitations(BTreeMap<NodeId, Invitation>);

// === impl Invitation ===

impl Invitation {
    /// Whether it can be used at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.fate == Fate::Open && now < self.expires
    }

    /// Since when it is over.
    fn over(&self) -> Timestamp {
        match self.fate {
            Fate::Open => self.expires,
            Fate::Used { at, .. } | Fate::Revoked { at } => at.min(self.expires),
        }
    }
}

// === impl Invitations ===

impl Invitations {
    /// What was stored.
    pub fn stored(invitations: impl IntoIterator<Item = Invitation>) -> Self {
        Self(invitations.into_iter().map(|i| (i.guest, i)).collect())
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Invitation> {
        self.0.values()
    }

    /// A new one for the key `guest`, good for `ttl`.
    ///
    /// # Errors
    /// [`JoinRefusal::Full`] when as many as may be are open.
    pub fn issue(&mut self, guest: NodeId, ttl: Duration, now: Timestamp) -> Result<Invitation, JoinRefusal> {
        if self.0.values().filter(|i| i.is_open(now)).count() >= MAX_OPEN {
            return Err(JoinRefusal::Full);
        }
        let expires = now.after(ttl.min(MAX_TTL));
        let made = Invitation { guest, created: now, expires, fate: Fate::Open };
        self.0.insert(guest, made.clone());
        Ok(made)
    }

    /// Uses the one of `guest` to let `node` in.
    ///
    /// # Errors
    /// Why it does not.
    pub fn redeem(
        &mut self,
        guest: NodeId,
        node: NodeId,
        now: Timestamp,
    ) -> Result<(Redeemed, Invitation), JoinRefusal> {
        let found = self.0.get_mut(&guest).ok_or(JoinRefusal::Unknown)?;
        match found.fate {
            Fate::Used { by, .. } if by == node => Ok((Redeemed::Before, found.clone())),
            Fate::Used { .. } => Err(JoinRefusal::Used),
            Fate::Revoked { .. } => Err(JoinRefusal::Revoked),
            Fate::Open if now >= found.expires => Err(JoinRefusal::Expired),
            Fate::Open => {
                found.fate = Fate::Used { by: node, at: now };
                Ok((Redeemed::Now, found.clone()))
            }
        }
    }

    /// Takes back the one whose key begins with `prefix`; one that is over stays as it is.
    ///
    /// # Errors
    /// [`JoinRefusal::Unknown`] when there is none, or more than one.
    pub fn revoke(&mut self, prefix: &str, now: Timestamp) -> Result<Invitation, JoinRefusal> {
        let begins = |i: &&mut Invitation| i.guest.to_string().starts_with(prefix);
        let mut found: Vec<_> = self.0.values_mut().filter(begins).collect();
        match (&mut found[..], prefix.len() >= 4) {
            ([one], true) => {
                if one.is_open(now) {
                    one.fate = Fate::Revoked { at: now };
                }
                Ok(one.clone())
            }
            _ => Err(JoinRefusal::Unknown),
        }
    }

    /// Keys that may knock at `now`: those of open ones, and for a while of the newest that are over.
    pub fn guests(&self, now: Timestamp) -> Vec<NodeId> {
        let (open, over): (Vec<_>, Vec<_>) = self.0.values().partition(|i| i.is_open(now));
        let mut over: Vec<_> = over.into_iter().filter(|i| now < i.over().after(KNOCKS_AFTER)).collect();
        over.sort_by_key(|i| std::cmp::Reverse((i.over(), i.guest)));
        open.into_iter().chain(over.into_iter().take(MAX_KNOCKING)).map(|i| i.guest).collect()
    }

    /// When [`Self::guests`] answers something else next, if nothing else happens.
    pub fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.0.values().flat_map(|i| [i.expires, i.over().after(KNOCKS_AFTER)]);
        ends.filter(|t| *t > now).min()
    }

    /// Forgets those long over, and answers their keys.
    pub fn forget(&mut self, now: Timestamp) -> Vec<NodeId> {
        let old = |i: &Invitation| !i.is_open(now) && now >= i.over().after(KEPT_AFTER);
        let mut over: Vec<_> = self.0.values().filter(|i| !i.is_open(now)).collect();
        over.sort_by_key(|i| std::cmp::Reverse((i.over(), i.guest)));
        let crowd = over.iter().skip(MAX_KEPT - MAX_OPEN);
        let gone: Vec<_> =
            crowd.copied().chain(over.iter().copied().filter(|i| old(i))).map(|i| i.guest).collect();
        gone.iter().filter(|guest| self.0.remove(guest).is_some()).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn key(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    #[test]
    fn an_invitation_lets_one_machine_in_once() {
        let mut all = Invitations::default();
        all.issue(key(1), HOUR, Timestamp(0)).unwrap();
        assert_eq!(all.redeem(key(9), key(2), Timestamp(5)), Err(JoinRefusal::Unknown));
        assert_eq!(all.redeem(key(1), key(2), Timestamp(5)).unwrap().0, Redeemed::Now);
        assert_eq!(all.redeem(key(1), key(2), Timestamp(6)).unwrap().0, Redeemed::Before);
        assert_eq!(all.redeem(key(1), key(3), Timestamp(7)), Err(JoinRefusal::Used));
        assert_eq!(
            all.revoke(&key(1).short(), Timestamp(8)).unwrap().fate,
            Fate::Used { by: key(2), at: Timestamp(5) }
        );
    }

    #[test]
    fn it_expires_and_can_be_taken_back() {
        let mut all = Invitations::default();
        let made = all.issue(key(1), 1000 * HOUR, Timestamp(0)).unwrap();
        assert_eq!(made.expires, Timestamp(0).after(MAX_TTL));
        assert_eq!(all.redeem(key(1), key(2), made.expires), Err(JoinRefusal::Expired));
        all.issue(key(2), HOUR, Timestamp(0)).unwrap();
        assert_eq!(all.revoke("02", Timestamp(1)), Err(JoinRefusal::Unknown));
        all.revoke("0202", Timestamp(1)).unwrap();
        assert_eq!(all.redeem(key(2), key(3), Timestamp(2)), Err(JoinRefusal::Revoked));
    }

    #[test]
    fn who_may_knock_is_bounded_in_number_and_time() {
        let mut all = Invitations::default();
        for n in 0..64 {
            all.issue(key(n), HOUR, Timestamp(0)).unwrap();
        }
        assert_eq!(all.issue(key(99), HOUR, Timestamp(0)), Err(JoinRefusal::Full));
        assert_eq!(all.guests(Timestamp(1)).len(), 64);
        let over = Timestamp(0).after(HOUR);
        assert_eq!(all.next_wake(Timestamp(1)), Some(over));
        assert_eq!(all.guests(over).len(), MAX_KNOCKING);
        let silent = over.after(KNOCKS_AFTER);
        assert_eq!(all.next_wake(over), Some(silent));
        assert_eq!(all.guests(silent), []);
        assert_eq!(all.next_wake(silent), None);
        assert_eq!(all.forget(silent), []);
        assert_eq!(all.forget(over.after(KEPT_AFTER)).len(), 64);
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let mut all = Invitations::default();
        for n in 0..2000_u64 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_be_bytes());
            let guest = NodeId::from_bytes(id);
            all.issue(guest, HOUR, Timestamp(n)).unwrap();
            all.redeem(guest, key(1), Timestamp(n)).unwrap();
        }
        assert_eq!(all.forget(Timestamp(2000)).len(), 2000 - (MAX_KEPT - MAX_OPEN));
        assert!(all.all().all(|i| i.created >= Timestamp(1000)));
    }
}
