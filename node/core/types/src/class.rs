//! Workload classes: kinds of work that share a node without one taking all of it.

use crate::Resources;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A kind of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadClass {
    /// An agent that does a task.
    #[default]
    Agent,
    /// Builds and tests.
    Ci,
    /// Data and machine learning.
    Ml,
    /// Documentation.
    Docs,
    /// Security scans.
    Security,
    /// Collecting logs and figures.
    Observability,
    /// Caches and mirrors.
    Cache,
}

impl WorkloadClass {
    /// Every class, in the order of [`Self::index`].
    pub const ALL: [Self; 7] =
        [Self::Agent, Self::Ci, Self::Ml, Self::Docs, Self::Security, Self::Observability, Self::Cache];

    /// Its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Ci => "ci",
            Self::Ml => "ml",
            Self::Docs => "docs",
            Self::Security => "security",
            Self::Observability => "observability",
            Self::Cache => "cache",
        }
    }
}

impl fmt::Display for WorkloadClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a workload class; they are agent, ci, ml, docs, security, observability and cache")]
pub struct InvalidClass(String);

impl FromStr for WorkloadClass {
    type Err = InvalidClass;

    fn from_str(s: &str) -> Result<Self, InvalidClass> {
        let named = Self::ALL.into_iter().find(|c| c.name() == s);
        named.ok_or_else(|| InvalidClass(s.chars().take(80).collect()))
    }
}

/// What a node keeps for a class, and what it gives it at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ClassShare {
    /// Slots no other class may take.
    pub reserve: u64,
    /// Slots it may take at most; `None` is no limit.
    pub limit: Option<u64>,
    /// What each reserved slot that is not taken keeps free besides itself.
    pub each: Resources,
}

/// What is said of a class; the rest is as usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShareRules {
    /// Slots that no other class may take: one for agents when absent, none for the others.
    pub reserve: Option<u64>,
    /// Slots it may take at most; as many as there are when absent.
    pub limit: Option<u64>,
}

/// Why the slots of a node cannot be shared out as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShares {
    /// There are not so many.
    #[error("{kept} slots are kept for classes, and there are {slots}")]
    TooMany {
        /// All reserves together.
        kept: u64,
        /// What the node has.
        slots: u64,
    },
    /// What is kept for it could never be used.
    #[error("{reserve} slots are kept for class {class}, which may have {limit} at most")]
    Unusable {
        /// The class.
        class: WorkloadClass,
        /// Its reserve.
        reserve: u64,
        /// Its limit.
        limit: u64,
    },
}

/// The slots of a node by class: what each may have, and what each has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ClassSlots {
    /// What each class may have; a class that is not named may have all that is not kept for others.
    pub shares: BTreeMap<WorkloadClass, ClassShare>,
    /// Slots each class has taken.
    pub used: BTreeMap<WorkloadClass, u64>,
}

impl ClassSlots {
    /// What a node of `slots` slots does when nothing else is configured: its last slot is for agents.
    pub fn standard(slots: u64) -> Self {
        let agents = ClassShare { reserve: u64::from(slots > 1), ..ClassShare::default() };
        Self { shares: BTreeMap::from([(WorkloadClass::Agent, agents)]), used: BTreeMap::new() }
    }

    /// The slots of a node that gives `all` to tasks which each ask for `usual` unless they say otherwise: as
    /// `said`, and for agents as [`Self::standard`] when nothing is said of them.
    ///
    /// A slot that is kept keeps what a usual task needs besides, if the node holds two such tasks: on a smaller
    /// one nothing but agents could ever run.
    ///
    /// # Errors
    /// When more is kept than there is, or than its class may have.
    pub fn shared(
        all: &Resources,
        usual: &Resources,
        said: impl IntoIterator<Item = (WorkloadClass, ShareRules)>,
    ) -> Result<Self, InvalidShares> {
        let mut slots = Self::standard(all.slots);
        for (class, said) in said {
            let share = slots.shares.entry(class).or_default();
            share.reserve = said.reserve.unwrap_or(share.reserve);
            share.limit = said.limit;
        }
        let kept = slots.shares.values().fold(0, |sum: u64, s| sum.saturating_add(s.reserve));
        if kept > all.slots {
            return Err(InvalidShares::TooMany { kept, slots: all.slots });
        }
        let each = if all.covers(&times(usual, 2)) { *usual } else { Resources::default() };
        for (class, share) in &mut slots.shares {
            if let Some(limit) = share.limit.filter(|limit| *limit < share.reserve) {
                return Err(InvalidShares::Unusable { class: *class, reserve: share.reserve, limit });
            }
            share.each = each;
        }
        Ok(slots)
    }

    /// Slots `class` has taken.
    pub fn used(&self, class: WorkloadClass) -> u64 {
        self.used.get(&class).copied().unwrap_or(0)
    }

    /// What must stay free when `class` takes something: the reserves of the other classes, as far as they are
    /// not taken.
    pub fn held_back(&self, class: WorkloadClass) -> Resources {
        let others = self.shares.iter().filter(|(c, _)| **c != class);
        others.fold(Resources::default(), |sum, (c, share)| {
            let empty = share.reserve.saturating_sub(self.used(*c));
            sum.plus(&times(&Resources { slots: 1, ..share.each }, empty))
        })
    }

    /// The classes whose reserves [`Self::held_back`] sums up.
    pub fn waiting(&self, class: WorkloadClass) -> impl Iterator<Item = WorkloadClass> {
        let empty =
            move |(c, share): &(&WorkloadClass, &ClassShare)| **c != class && share.reserve > self.used(**c);
        self.shares.iter().filter(empty).map(|(c, _)| *c)
    }

    /// Slots `class` may take at most, if it would have more with `slots` more.
    pub fn over_limit(&self, class: WorkloadClass, slots: u64) -> Option<u64> {
        let limit = self.shares.get(&class)?.limit?;
        (self.used(class).saturating_add(slots) > limit).then_some(limit)
    }

    /// Notes that `class` took `slots`.
    pub fn take(&mut self, class: WorkloadClass, slots: u64) {
        let used = self.used.entry(class).or_default();
        *used = used.saturating_add(slots);
    }

    /// Notes that `class` gave `slots` back.
    pub fn give_back(&mut self, class: WorkloadClass, slots: u64) {
        let used = self.used.entry(class).or_default();
        *used = used.saturating_sub(slots);
    }
}

fn times(r: &Resources, n: u64) -> Resources {
    Resources {
        cpu_millis: r.cpu_millis.saturating_mul(n),
        memory_bytes: r.memory_bytes.saturating_mul(n),
        disk_bytes: r.disk_bytes.saturating_mul(n),
        gpus: r.gpus.saturating_mul(n),
        slots: r.slots.saturating_mul(n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_held_back_from_others_until_it_is_taken() {
        let mut slots = ClassSlots::standard(4);
        assert_eq!(slots.held_back(WorkloadClass::Ci).slots, 1);
        assert_eq!(slots.held_back(WorkloadClass::Agent).slots, 0);
        slots.take(WorkloadClass::Agent, 1);
        assert_eq!(slots.held_back(WorkloadClass::Ci).slots, 0);
        slots.give_back(WorkloadClass::Agent, 1);
        assert_eq!(slots.waiting(WorkloadClass::Ci).collect::<Vec<_>>(), [WorkloadClass::Agent]);
        assert_eq!(ClassSlots::standard(1).held_back(WorkloadClass::Ci).slots, 0);
    }

    #[test]
    fn a_limit_is_a_limit() {
        let share = ClassShare { limit: Some(2), ..ClassShare::default() };
        let mut slots =
            ClassSlots { shares: BTreeMap::from([(WorkloadClass::Ci, share)]), ..Default::default() };
        assert_eq!(slots.over_limit(WorkloadClass::Ci, 2), None);
        slots.take(WorkloadClass::Ci, 2);
        assert_eq!(slots.over_limit(WorkloadClass::Ci, 1), Some(2));
        assert_eq!(slots.over_limit(WorkloadClass::Ml, 9), None);
    }

    #[test]
    fn slots_are_shared_out_as_it_is_said() {
        let all = Resources { cpu_millis: 4000, slots: 4, ..Resources::default() };
        let usual = Resources { cpu_millis: 1000, slots: 1, ..Resources::default() };
        let share = |reserve: u64, limit| ShareRules { reserve: Some(reserve), limit };
        let shared = |said: &[_]| ClassSlots::shared(&all, &usual, said.iter().copied());
        let kept = |s: ClassSlots| s.held_back(WorkloadClass::Ml);
        assert_eq!(kept(shared(&[]).unwrap()), usual, "the last slot, and what an agent needs in it");
        let own = [(WorkloadClass::Agent, share(0, None)), (WorkloadClass::Ci, share(3, Some(3)))];
        assert_eq!(kept(shared(&own).unwrap()).slots, 3);
        let small = Resources { slots: 1, ..Resources { cpu_millis: 4001, ..usual } };
        assert_eq!(kept(ClassSlots::shared(&all, &small, []).unwrap()).cpu_millis, 0);
        assert_eq!(
            shared(&[(WorkloadClass::Ci, share(4, None))]),
            Err(InvalidShares::TooMany { kept: 5, slots: 4 })
        );
        let error = shared(&[(WorkloadClass::Ci, share(2, Some(1)))]).unwrap_err().to_string();
        assert_eq!(error, "2 slots are kept for class ci, which may have 1 at most");
    }

    #[test]
    fn classes_read_what_they_print() {
        for (i, class) in WorkloadClass::ALL.into_iter().enumerate() {
            assert_eq!((class.to_string().parse(), class.index()), (Ok(class), i));
        }
        assert!("CI".parse::<WorkloadClass>().is_err());
    }
}
