//! Which nodes have what requests ask for, remembered as bits.

use super::Bits;
use crate::Candidate;
use crate::filter::uncovered;
use ikigai_types::{Condition, ProjectId, TaintEffect, Toleration};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Most facts that are remembered; one more, and all are found out anew.
const FACTS: usize = 2048;

/// Something that is so on some nodes, as a request says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asked<'a> {
    /// There, and takes new work, and has an agent image.
    Open,
    Condition(&'a Condition),
    /// None of its taints refuses who uncovered these.
    Tolerated(&'a [Toleration]),
    /// One of its taints asks not to be preferred by who uncovered these.
    Avoided(&'a [Toleration]),
    Adapter(&'a str),
    /// Has a credential, and a quota that is not used up.
    Provider(&'a str),
    Image(&'a str),
    Repository(&'a ProjectId),
    Gpus,
}

/// The same, kept.
#[derive(Debug, Clone)]
enum Fact {
    Open,
    Condition(Condition),
    Tolerated(Vec<Toleration>),
    Avoided(Vec<Toleration>),
    Adapter(String),
    Provider(String),
    Image(String),
    Repository(ProjectId),
    Gpus,
}

impl Asked<'_> {
    fn keep(self) -> Fact {
        match self {
            Self::Open => Fact::Open,
            Self::Condition(c) => Fact::Condition(c.clone()),
            Self::Tolerated(t) => Fact::Tolerated(t.to_vec()),
            Self::Avoided(t) => Fact::Avoided(t.to_vec()),
            Self::Adapter(a) => Fact::Adapter(a.to_owned()),
            Self::Provider(p) => Fact::Provider(p.to_owned()),
            Self::Image(i) => Fact::Image(i.to_owned()),
            Self::Repository(r) => Fact::Repository(r.clone()),
            Self::Gpus => Fact::Gpus,
        }
    }

    fn holds(self, c: &Candidate) -> bool {
        match self {
            Self::Open => c.alive() && !c.draining && !c.cordoned && c.image,
            Self::Condition(condition) => condition.met(&c.tags),
            Self::Tolerated(t) => uncovered(t, c, TaintEffect::NoSchedule).is_none(),
            Self::Avoided(t) => uncovered(t, c, TaintEffect::PreferNoSchedule).is_some(),
            Self::Adapter(adapter) => c.adapters.iter().any(|a| a == adapter),
            Self::Provider(provider) => {
                c.exhausted(provider).is_none() && c.providers.iter().any(|p| p == provider)
            }
            Self::Image(image) => c.images.iter().any(|i| i == image),
            Self::Repository(project) => c.repositories.contains(project),
            Self::Gpus => c.allocatable.gpus > 0,
        }
    }
}

impl Fact {
    fn asked(&self) -> Asked<'_> {
        match self {
            Self::Open => Asked::Open,
            Self::Condition(c) => Asked::Condition(c),
            Self::Tolerated(t) => Asked::Tolerated(t),
            Self::Avoided(t) => Asked::Avoided(t),
            Self::Adapter(a) => Asked::Adapter(a),
            Self::Provider(p) => Asked::Provider(p),
            Self::Image(i) => Asked::Image(i),
            Self::Repository(r) => Asked::Repository(r),
            Self::Gpus => Asked::Gpus,
        }
    }
}

/// What is remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Place of each fact by its hash, or by the next number after it that no other fact has.
    places: HashMap<u64, usize>,
    known: Vec<(Fact, Bits)>,
}

impl Facts {
    /// Makes room, before a decision asks: places stay good until this is called again.
    pub(super) fn tidy(&mut self) {
        if self.known.len() >= FACTS {
            *self = Self::default();
        }
    }

    /// The place of a fact, which is found out if nobody asked before.
    pub(super) fn place(&mut self, asked: Asked<'_>, nodes: &[Candidate]) -> usize {
        let mut hasher = DefaultHasher::new();
        asked.hash(&mut hasher);
        let mut hash = hasher.finish();
        while let Some(place) = self.places.get(&hash) {
            if self.known[*place].0.asked() == asked {
                return *place;
            }
            hash = hash.wrapping_add(1);
        }
        let mut bits = vec![0; nodes.len().div_ceil(64)];
        nodes.iter().enumerate().for_each(|(i, c)| assign(&mut bits, i, asked.holds(c)));
        self.places.insert(hash, self.known.len());
        self.known.push((asked.keep(), bits));
        self.known.len() - 1
    }

    pub(super) fn bits(&self, place: usize) -> &[u64] {
        &self.known[place].1
    }

    /// After the `i`th node changed.
    pub(super) fn refresh(&mut self, i: usize, c: &Candidate) {
        self.known.iter_mut().for_each(|(fact, bits)| assign(bits, i, fact.asked().holds(c)));
    }
}

/// Makes the `i`th bit say `yes`.
pub(super) fn assign(bits: &mut [u64], i: usize, yes: bool) {
    let bit = 1 << (i % 64);
    if yes {
        bits[i / 64] |= bit;
    } else {
        bits[i / 64] &= !bit;
    }
}
