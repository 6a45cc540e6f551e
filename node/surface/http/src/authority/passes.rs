//! Users and passes as they are made and taken back.

use super::{Authority, NotMade, now};
use crate::auth::random_hex;
use ikigai_access::{Change, Kind, OWNER, Pass, Principal, Request, Role, User, Via, Wrong};
use ikigai_ports::identity::Identity;
use ikigai_types::Timestamp;
use std::time::Duration;

/// How long a one-time link works.
const LINK: Duration = Duration::from_secs(5 * 60);
/// How long a session works.
const SESSION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long one works that an identity provider vouched for: whoever it knows no more is out by then.
const OIDC: Duration = Duration::from_secs(12 * 60 * 60);

/// A session that was just opened. It has two halves. One is a cookie no page can read; cookies are sent to every
/// port of a host, so the other half is kept by the page, under its own origin, and comes as a header. Neither
/// opens anything alone, and a request that another page makes has no such header.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) cookie: String,
    pub(crate) key: String,
    pub(crate) pass: Pass,
}

impl Authority {
    /// A one-time code that becomes a session of whoever asks, and until when it works. The session is nothing
    /// more than the asker. Not for a token: taking it back would leave the session.
    pub(crate) fn code(&self, asker: &Principal) -> Result<(String, Timestamp), Wrong> {
        let Principal::User { name, role, via } = asker else {
            return Err(Wrong::Unknown("nobody".to_owned()));
        };
        if let Via::Token(_) = via {
            return Err(Wrong::Token);
        }
        let session = now().after(SESSION);
        let until = asker.pass().and_then(|id| self.pass(id)).map_or(session, |p| p.until.min(session));
        self.mint(name, *role, until)
    }

    /// A one-time code that becomes a session of the user `name`.
    pub(crate) fn code_for(&self, name: &str) -> Result<(String, Timestamp), Wrong> {
        if name == OWNER {
            return Err(Wrong::Owner);
        }
        self.mint(name, Role::Admin, now().after(SESSION))
    }

    fn mint(&self, user: &str, role: Role, session: Timestamp) -> Result<(String, Timestamp), Wrong> {
        let (code, until) = (random_hex::<32>(), now().after(LINK));
        self.directory().link(user, role, &code, until, session)?;
        Ok((code, until))
    }

    /// Opens a session for who has a code; the code is used then.
    pub(crate) async fn open(&self, code: &str, label: &str) -> Result<Option<Opened>, NotMade> {
        let (cookie, key) = (random_hex::<32>(), random_hex::<32>());
        let secret = format!("{cookie}.{key}");
        let opened = self.change(|d| match d.redeem(code, &secret, label, now()) {
            Some((pass, changes)) => Ok((Some(pass), changes)),
            None => Ok((None, Vec::new())),
        });
        Ok(opened.await?.map(|pass| Opened { cookie, key, pass }))
    }

    /// Opens a session for who came back from the identity provider; `None` when that is no user. Somebody unknown
    /// becomes one when there is a role for them.
    pub(crate) async fn open_for(
        &self,
        who: &Identity,
        unknown: Option<Role>,
        label: &str,
    ) -> Result<Option<Opened>, NotMade> {
        let (cookie, key) = (random_hex::<32>(), random_hex::<32>());
        let secret = format!("{cookie}.{key}");
        let pass = self.change(|d| {
            let known = d.identity(&who.subject, who.email.as_deref()).cloned();
            let mut changes = Vec::new();
            let user = match (known, unknown) {
                (Some(user), _) => {
                    // An address may be somebody else's one day; what the provider calls a person never is.
                    if user.subject.as_deref() != Some(&who.subject) {
                        changes.push(d.set(User { subject: Some(who.subject.clone()), ..user.clone() })?);
                    }
                    user.name
                }
                (None, None) => return Ok((None, changes)),
                (None, Some(role)) => {
                    let user = User::known_as(&who.subject, who.email.as_deref(), role, now());
                    changes.push(d.add(user.clone())?);
                    user.name
                }
            };
            let request = Request {
                kind: Kind::Session,
                user,
                role: Role::Admin,
                label: label.to_owned(),
                life: OIDC,
                task: None,
            };
            let (pass, more) = d.issue(request, &secret, now())?;
            changes.extend(more);
            Ok((Some(pass), changes))
        });
        Ok(pass.await?.map(|pass| Opened { cookie, key, pass }))
    }

    /// A new pass and what its holder shows.
    pub(crate) async fn issue(&self, request: Request) -> Result<(Pass, String), NotMade> {
        let start = if request.kind == Kind::Share { "iks_" } else { "ik_" };
        let secret = format!("{start}{}", random_hex::<32>());
        let pass = self.change(|d| d.issue(request, &secret, now())).await?;
        Ok((pass, secret))
    }

    /// Who holds a session.
    pub(crate) fn holder(&self, pass: &Pass) -> Principal {
        self.directory().holder(pass, now()).unwrap_or(Principal::Nobody)
    }

    /// What works of `kind`, the newest first.
    pub(crate) fn passes(&self, kind: Kind) -> Vec<Pass> {
        self.directory().passes(kind, now())
    }

    /// What works and is called `id`.
    pub(crate) fn pass(&self, id: &str) -> Option<Pass> {
        let all = [Kind::Token, Kind::Session, Kind::Share];
        all.into_iter().flat_map(|kind| self.passes(kind)).find(|p| p.id == id)
    }

    /// Takes a pass back; answers what it was.
    pub(crate) async fn revoke(&self, kind: Kind, id: &str) -> Result<Pass, NotMade> {
        self.change(|d| d.revoke(kind, id).map(|(pass, change)| (pass, vec![change]))).await
    }

    /// Every user, by name.
    pub(crate) fn users(&self) -> Vec<User> {
        self.directory().users().cloned().collect()
    }

    /// Adds a user.
    pub(crate) async fn add(&self, user: User) -> Result<User, NotMade> {
        self.change(|d| one(d.add(user)?)).await
    }

    /// Changes a user.
    pub(crate) async fn set(&self, name: &str, change: impl FnOnce(&mut User)) -> Result<User, NotMade> {
        self.change(|d| {
            let unknown = || match name {
                OWNER => Wrong::Owner,
                name => Wrong::Unknown(name.chars().take(40).collect()),
            };
            let mut user = d.user(name).cloned().ok_or_else(unknown)?;
            change(&mut user);
            one(d.set(user)?)
        })
        .await
    }

    /// Removes a user, and what lets it in.
    pub(crate) async fn remove(&self, name: &str) -> Result<User, NotMade> {
        self.change(|d| {
            let user = d.user(name).cloned();
            let changes = d.remove(name)?;
            Ok((user.ok_or_else(|| Wrong::Unknown(String::new()))?, changes))
        })
        .await
    }
}

fn one(change: Change) -> Result<(User, Vec<Change>), Wrong> {
    match &change {
        Change::User(user) => Ok((user.clone(), vec![change])),
        _ => Err(Wrong::Unknown(String::new())),
    }
}
