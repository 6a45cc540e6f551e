//! The users of a node, and what lets them in: tokens, sessions, share links. Each change is told, to be stored.

mod user;

pub use user::{User, linux, name};

use crate::{Hash, OWNER, Principal, Role, Via};
use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most users.
const USERS: usize = 1000;
/// Most passes of one kind that a user has. The oldest session goes when there is one more; a token or a share
/// link is refused then.
const PASSES: usize = 64;
/// Most one-time links that wait to be used.
const LINKS: usize = 64;
/// Longest label of a pass, in characters.
const LABEL: usize = 80;

/// What a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// For a program: sent with each request.
    Token,
    /// For a browser.
    Session,
    /// For whoever has the link: shows one task.
    Share,
}

/// Something that lets its holder in. What the holder shows is a secret; this is what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// Its name: the beginning of its secret's hash.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub user: String,
    /// What its holder may be at most.
    pub role: Role,
    /// What it is for, in the words of who made it.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// It works until then.
    pub until: Timestamp,
    /// The one task it shows, by its whole id.
    #[serde(default)]
    pub task: Option<String>,
}

/// A pass that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub user: String,
    /// What its holder may be at most.
    pub role: Role,
    /// What it is for.
    pub label: String,
    /// How long it works.
    pub life: Duration,
    /// The one task it shows.
    pub task: Option<String>,
}

/// What is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A user is as this says.
    User(User),
    /// A user is no more.
    NoUser(String),
    /// There is a pass with this hash.
    Pass(Hash, Pass),
    /// There is none.
    NoPass(Hash),
}

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A name nobody can have.
    #[error("a name is 1 to 40 lower-case letters, digits and `.-_@`, and begins with a letter")]
    Name,
    /// A user of this name is there, or the name is the owner's.
    #[error("there is a user `{0}` already")]
    Taken(String),
    /// A Linux user or an identity can be one user only.
    #[error("this identity is the user `{0}` already")]
    Identity(String),
    /// A text that names no Linux user.
    #[error("a Linux user is given by its name, or, when it has none, as `uid:` and its number")]
    Linux,
    /// Nobody has this name.
    #[error("there is no user `{0}`")]
    Unknown(String),
    /// The owner is who runs the node, not somebody a list can name.
    #[error("the owner is who runs the node and cannot be changed")]
    Owner,
    /// What a token opens ends with it, so it does not become a session.
    #[error("a token opens no session")]
    Token,
    /// There is no such token, session or link.
    #[error("there is nothing called `{0}` that could be taken back")]
    NoPass(String),
    /// A bound was reached.
    #[error("there are {0} already, which is the most")]
    Full(&'static str),
    /// Nothing works for no time, or for longer than a year.
    #[error("it must work for a second at least and a year at most")]
    Life,
}

/// A one-time link that waits to be used.
#[derive(Debug, Clone)]
struct Link {
    hash: Hash,
    user: String,
    role: Role,
    until: Timestamp,
    session: Timestamp,
}

/// Users and passes. Nothing here is a secret.
#[derive(Debug, Default)]
pub struct Directory {
    users: BTreeMap<String, User>,
    passes: BTreeMap<Hash, Pass>,
    links: Vec<Link>,
}

// === impl Directory ===

impl Directory {
    /// Takes back what was stored; the other two changes mean nothing here.
    pub fn restore(&mut self, change: Change) {
        match change {
            Change::User(user) => drop(self.users.insert(user.name.clone(), user)),
            Change::Pass(hash, pass) => drop(self.passes.insert(hash, pass)),
            Change::NoUser(_) | Change::NoPass(_) => {}
        }
    }

    /// Every user, by name.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// The user called `name`.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// Adds a user.
    ///
    /// # Errors
    /// A name that cannot be, a name or identity that is somebody's, or too many users.
    pub fn add(&mut self, user: User) -> Result<Change, Wrong> {
        if !name(&user.name) {
            return Err(Wrong::Name);
        }
        if user.name == OWNER || self.users.contains_key(&user.name) {
            return Err(Wrong::Taken(user.name));
        }
        if self.users.len() >= USERS {
            return Err(Wrong::Full("1000 users"));
        }
        self.put(user)
    }

    /// Changes a user: it is `user` from now on, whatever it holds.
    ///
    /// # Errors
    /// Nobody of this name, or an identity that is somebody else's.
    pub fn set(&mut self, user: User) -> Result<Change, Wrong> {
        self.check_user(&user.name)?;
        self.put(user)
    }

    /// Removes a user and everything that lets it in.
    ///
    /// # Errors
    /// Nobody of this name.
    pub fn remove(&mut self, name: &str) -> Result<Vec<Change>, Wrong> {
        self.check_user(name)?;
        self.users.remove(name);
        self.links.retain(|l| l.user != name);
        let held: Vec<_> = self.passes.iter().filter(|(_, p)| p.user == name).map(|(h, _)| *h).collect();
        let mut changes = vec![Change::NoUser(name.to_owned())];
        for hash in held {
            self.passes.remove(&hash);
            changes.push(Change::NoPass(hash));
        }
        Ok(changes)
    }

    /// Takes note of a one-time link for `user`, which becomes a session that lasts until `session` at most.
    ///
    /// # Errors
    /// Nobody of this name.
    pub fn link(
        &mut self,
        user: &str,
        role: Role,
        secret: &str,
        until: Timestamp,
        session: Timestamp,
    ) -> Result<(), Wrong> {
        if user != OWNER {
            self.check_user(user)?;
        }
        if self.links.len() >= LINKS {
            self.links.remove(0);
        }
        self.links.push(Link { hash: Hash::of(secret), user: user.to_owned(), role, until, session });
        Ok(())
    }

    /// Makes `session` a session of whom a one-time link is for, if `link` is one that was not used; it is then.
    pub fn redeem(
        &mut self,
        link: &str,
        session: &str,
        label: &str,
        now: Timestamp,
    ) -> Option<(Pass, Vec<Change>)> {
        let hash = Hash::of(link);
        let found = self.links.iter().position(|l| l.hash.is(&hash) && now < l.until)?;
        let link = self.links.remove(found);
        let life = link.session.since(now);
        let request = Request {
            kind: Kind::Session,
            user: link.user,
            role: link.role,
            label: label.to_owned(),
            life,
            task: None,
        };
        self.issue(request, session, now).ok()
    }

    /// Makes a pass whose holder shows `secret`; also answers what it replaced.
    ///
    /// # Errors
    /// Nobody of this name, a time that is none, or too many of a kind.
    pub fn issue(
        &mut self,
        request: Request,
        secret: &str,
        now: Timestamp,
    ) -> Result<(Pass, Vec<Change>), Wrong> {
        const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
        let Request { kind, user, role, label, life, task } = request;
        if user != OWNER {
            self.check_user(&user)?;
        }
        if life < Duration::from_secs(1) || life > YEAR {
            return Err(Wrong::Life);
        }
        let mut changes = self.forget_old(now);
        changes.extend(self.make_room(kind, &user)?);
        let hash = Hash::of(secret);
        let label = label.chars().filter(|c| !c.is_control()).take(LABEL).collect();
        let until = now.after(life);
        let pass = Pass { id: hash.id(), kind, user, role, label, created: now, until, task };
        self.passes.insert(hash, pass.clone());
        changes.push(Change::Pass(hash, pass.clone()));
        Ok((pass, changes))
    }

    /// Who shows `secret` as something of `kind`, while it works.
    pub fn admit(&self, kind: Kind, secret: &str, now: Timestamp) -> Option<(Principal, &Pass)> {
        let pass = self.passes.get(&Hash::of(secret)).filter(|p| p.kind == kind)?;
        Some((self.holder(pass, now)?, pass))
    }

    /// What `who` is now, whose role may be another one than when it came. `None` when what it came with lets
    /// nobody in any more.
    pub fn current(&self, who: &Principal, now: Timestamp) -> Option<Principal> {
        match (who, who.pass()) {
            (_, Some(id)) => self.passes.values().find(|p| p.id == id).and_then(|p| self.holder(p, now)),
            (Principal::User { name, via: Via::Linux(linux), .. }, _) => {
                self.linux(linux).filter(|found| found.name() == name)
            }
            _ => Some(who.clone()),
        }
    }

    /// Who the Linux user called `linux` is.
    pub fn linux(&self, linux: &str) -> Option<Principal> {
        let user = self.users.values().find(|u| u.linux.as_deref() == Some(linux))?;
        let via = Via::Linux(linux.to_owned());
        Some(Principal::User { name: user.name.clone(), role: user.role, via })
    }

    /// The user that an identity provider calls `subject`.
    pub fn subject(&self, subject: &str) -> Option<&User> {
        self.users.values().find(|u| u.subject.as_deref() == Some(subject))
    }

    /// The user that an identity provider means: by what it calls them, else by an e-mail address that it verified,
    /// which a user has as `email:<address>`.
    pub fn identity(&self, subject: &str, email: Option<&str>) -> Option<&User> {
        const EMAIL: &str = "email:";
        let by_email = || email.and_then(|e| self.subject(&format!("{EMAIL}{}", e.to_ascii_lowercase())));
        let own = Some(subject).filter(|s| !s.starts_with(EMAIL));
        own.and_then(|s| self.subject(s)).or_else(by_email)
    }

    /// What works of `kind`, the newest first.
    pub fn passes(&self, kind: Kind, now: Timestamp) -> Vec<Pass> {
        let works = self.passes.values().filter(|p| p.kind == kind && self.holder(p, now).is_some());
        let mut all: Vec<_> = works.cloned().collect();
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        all
    }

    /// Takes back the one of `kind` whose id begins with `id`, at least four characters of it.
    ///
    /// # Errors
    /// None of this id, or more than one.
    pub fn revoke(&mut self, kind: Kind, id: &str) -> Result<(Pass, Change), Wrong> {
        let fits = |p: &Pass| p.kind == kind && id.len() >= 4 && p.id.starts_with(id);
        let mut found = self.passes.iter().filter(|(_, p)| fits(p)).map(|(h, _)| *h);
        let (Some(hash), None) = (found.next(), found.next()) else {
            return Err(Wrong::NoPass(id.chars().take(40).collect()));
        };
        let pass = self.passes.remove(&hash).ok_or_else(|| Wrong::NoPass(String::new()))?;
        Ok((pass, Change::NoPass(hash)))
    }

    /// What is too old to be kept.
    pub fn forget_old(&mut self, now: Timestamp) -> Vec<Change> {
        self.links.retain(|l| now < l.until);
        let old: Vec<_> = self.passes.iter().filter(|(_, p)| p.until <= now).map(|(h, _)| *h).collect();
        old.into_iter()
            .map(|hash| {
                self.passes.remove(&hash);
                Change::NoPass(hash)
            })
            .collect()
    }

    /// Forgets passes that were made and then could not be stored.
    pub fn undo(&mut self, changes: &[Change]) {
        for change in changes {
            if let Change::Pass(hash, _) = change {
                self.passes.remove(hash);
            }
        }
    }

    fn put(&mut self, user: User) -> Result<Change, Wrong> {
        if user.linux.as_deref().is_some_and(|l| !linux(l)) {
            return Err(Wrong::Linux);
        }
        let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        let other = self.users.values().find(|u| {
            u.name != user.name && (same(&u.linux, &user.linux) || same(&u.subject, &user.subject))
        });
        if let Some(other) = other {
            return Err(Wrong::Identity(other.name.clone()));
        }
        self.users.insert(user.name.clone(), user.clone());
        Ok(Change::User(user))
    }

    fn check_user(&self, name: &str) -> Result<(), Wrong> {
        match name {
            OWNER => Err(Wrong::Owner),
            name if self.users.contains_key(name) => Ok(()),
            name => Err(Wrong::Unknown(name.chars().take(40).collect())),
        }
    }

    fn make_room(&mut self, kind: Kind, user: &str) -> Result<Option<Change>, Wrong> {
        let held = self.passes.iter().filter(|(_, p)| p.kind == kind && p.user == user);
        if held.clone().count() < PASSES {
            return Ok(None);
        }
        match (kind, held.min_by_key(|(_, p)| p.created).map(|(h, _)| *h)) {
            (Kind::Session, Some(oldest)) => {
                self.passes.remove(&oldest);
                Ok(Some(Change::NoPass(oldest)))
            }
            (Kind::Share, _) => Err(Wrong::Full("64 share links of one user")),
            _ => Err(Wrong::Full("64 tokens of one user")),
        }
    }

    /// Who holds a pass: what the user is now, and no more than the pass says. Nobody once it is too old.
    pub fn holder(&self, pass: &Pass, now: Timestamp) -> Option<Principal> {
        if now >= pass.until {
            return None;
        }
        let role = match &*pass.user {
            OWNER => Role::Admin,
            name => self.users.get(name)?.role,
        };
        let user = |via| Principal::User { name: pass.user.clone(), role: role.meet(pass.role), via };
        match pass.kind {
            Kind::Token => Some(user(Via::Token(pass.id.clone()))),
            Kind::Session => Some(user(Via::Session(pass.id.clone()))),
            Kind::Share => Some(Principal::Share { id: pass.id.clone(), task: pass.task.clone()? }),
        }
    }
}

#[cfg(test)]
mod tests;
