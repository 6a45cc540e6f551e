//! The four roles.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a user is to a node. Not a line: an operator and a reviewer may each do something the other may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Gives work and steers it.
    Operator,
    /// Decides about patches.
    Reviewer,
    /// Everything, users included.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Reviewer, Self::Admin];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Reviewer => "reviewer",
            Self::Admin => "admin",
        }
    }

    /// What it is at once: an operator and a reviewer are viewers too, an admin is everything.
    pub const fn held(self) -> &'static [Self] {
        match self {
            Self::Viewer => &[Self::Viewer],
            Self::Operator => &[Self::Viewer, Self::Operator],
            Self::Reviewer => &[Self::Viewer, Self::Reviewer],
            Self::Admin => &Self::ALL,
        }
    }

    /// What is in both: a token of one role in the hands of a user of another.
    #[must_use]
    pub const fn meet(self, other: Self) -> Self {
        match (self, other) {
            (Self::Admin, role) | (role, Self::Admin) => role,
            (Self::Operator, Self::Operator) => Self::Operator,
            (Self::Reviewer, Self::Reviewer) => Self::Reviewer,
            _ => Self::Viewer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|r| r.name() == text);
        found.ok_or_else(|| "a role is one of viewer, operator, reviewer, admin".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_both_never_widens() {
        for a in Role::ALL {
            assert_eq!((a.meet(a), a.meet(Role::Admin), a.meet(Role::Viewer)), (a, a, Role::Viewer));
            for b in Role::ALL {
                assert_eq!(a.meet(b), b.meet(a));
                assert_eq!(a.meet(b).meet(a), a.meet(b), "{a} {b}");
            }
        }
        assert_eq!(Role::Operator.meet(Role::Reviewer), Role::Viewer);
        assert!("root".parse::<Role>().is_err() && "Admin".parse::<Role>().is_err());
    }
}
