//! Whom a workload is inside its container.

use ikigai_ports::executor::WORKLOAD_UID;
use rustix::process::{getegid, geteuid};
use std::fmt;

/// A user and a group id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl User {
    /// The user without rights.
    pub const NOBODY: Self = Self { uid: WORKLOAD_UID, gid: WORKLOAD_UID };

    /// The user without rights, if this process may give it the workspace. Else this process's own: any other could
    /// not write there.
    pub fn of_workloads() -> Self {
        let (uid, gid) = (geteuid(), getegid());
        if uid.is_root() { Self::NOBODY } else { Self { uid: uid.as_raw(), gid: gid.as_raw() } }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}
