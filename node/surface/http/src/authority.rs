//! Who may call: who a request is of, by what it shows, and whether the policy lets them. What is stored of a
//! secret is its hash.

mod kept;
mod passes;
mod who;

pub(crate) use passes::Opened;
pub(crate) use who::{cookie, cookie_name};

use crate::audit::Audit;
use ikigai_access::{
    Action, Change, Decision, Directory, Journeys, Policy, Principal, Resource, Role, Wrong,
};
use ikigai_ports::identity::Journey;
use ikigai_ports::{PortResult, Store};
use ikigai_types::Timestamp;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Why a change of users or passes is not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotMade {
    #[error(transparent)]
    Wrong(#[from] Wrong),
    #[error("it cannot be stored")]
    Store(#[from] ikigai_ports::PortError),
}

/// Users, what lets them in, and the policy, of one node.
pub struct Authority {
    directory: Mutex<Directory>,
    journeys: Mutex<Journeys<Journey>>,
    policy: Policy,
    audit: Audit,
    store: Option<Arc<dyn Store>>,
    /// Told of each change that may end something.
    changed: watch::Sender<()>,
}

impl Default for Authority {
    /// Nobody but the owner, by the standard policy; what is added ends with the process.
    fn default() -> Self {
        Self::with(Directory::default(), Policy::standard(), Audit::default(), None)
    }
}

impl Authority {
    fn with(directory: Directory, policy: Policy, audit: Audit, store: Option<Arc<dyn Store>>) -> Self {
        Self {
            directory: Mutex::new(directory),
            journeys: Mutex::default(),
            policy,
            audit,
            store,
            changed: watch::Sender::new(()),
        }
    }

    /// Users and passes that are kept in `store`; those that are there go on.
    ///
    /// # Errors
    /// What the store says.
    pub async fn kept_in(store: Arc<dyn Store>, policy: Policy) -> PortResult<Self> {
        let directory = kept::read(&*store, now()).await?;
        let audit = Audit::kept_in(store.clone()).await?;
        Ok(Self::with(directory, policy, audit, Some(store)))
    }

    /// What was decided.
    pub(crate) const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Whether `principal` may do `action` to `resource`.
    pub(crate) fn allows(&self, principal: &Principal, action: Action, resource: &Resource) -> bool {
        self.policy.decide(principal, action, resource) == Decision::Allowed
    }

    /// The roles that may.
    pub(crate) fn roles(&self, principal: &Principal, action: Action, resource: &Resource) -> Vec<Role> {
        self.policy.roles(principal, action, resource)
    }

    /// Whether the policy may tell one task from another.
    pub(crate) const fn tells_tasks_apart(&self) -> bool {
        self.policy.is_own()
    }

    /// Until `who` may do `action` to `resource` no more: what it came with was taken back or is too old, it is no
    /// user any more, or it has a role now that may not.
    pub(crate) async fn ended(self: Arc<Self>, who: Principal, action: Action, resource: Resource) {
        /// How late a pass that got too old may be noticed.
        const LOOK: std::time::Duration = std::time::Duration::from_secs(1);
        let mut changed = self.changed.subscribe();
        while self.may_still(&who, action, &resource) {
            let _ = tokio::time::timeout(LOOK, changed.changed()).await;
        }
    }

    /// Whether `who`, who was let in to do `action` to `resource`, still would be.
    pub(crate) fn may_still(&self, who: &Principal, action: Action, resource: &Resource) -> bool {
        let is = self.directory().current(who, now());
        is.is_some_and(|is| is == *who || self.allows(&is, action, resource))
    }

    /// A browser that shows `browser` leaves for the identity provider.
    pub(crate) fn leave(&self, browser: &str, journey: Journey) {
        let state = journey.state.clone();
        self.journeys().leave(&state, browser, journey, now());
    }

    /// The journey of the browser that comes back with `state`, once.
    pub(crate) fn back(&self, state: &str, browser: &str) -> Option<Journey> {
        self.journeys().back(state, browser, now())
    }

    fn journeys(&self) -> MutexGuard<'_, Journeys<Journey>> {
        self.journeys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change and stores it before it is answered.
    async fn change<T>(
        &self,
        make: impl FnOnce(&mut Directory) -> Result<(T, Vec<Change>), Wrong>,
    ) -> Result<T, NotMade> {
        let (made, changes) = make(&mut self.directory())?;
        self.changed.send_replace(());
        if let Some(store) = &self.store
            && !changes.is_empty()
            && let Err(error) = kept::write(&**store, &changes).await
        {
            // A pass that was not stored is not handed out. A user is as was asked until the next start, and the
            // answer says that it was not stored.
            self.directory().undo(&changes);
            return Err(error.into());
        }
        Ok(made)
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("policy", &self.policy).finish_non_exhaustive()
    }
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
