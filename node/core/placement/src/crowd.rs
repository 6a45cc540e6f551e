//! Where those are that are to be kept apart.

use crate::{Candidate, Request};
use ikigai_types::{Apart, Domain, NodeId, Spread};

/// One domain's name: a node, or the value of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place<'a> {
    Node(NodeId),
    Value(&'a str),
}

impl<'a> Place<'a> {
    /// The domain `c` is in.
    pub(crate) fn of(c: &'a Candidate, by: &Domain) -> Self {
        match by {
            Domain::Node => Self::Node(c.id),
            Domain::Tag(key) => c.tags.0.get(key).map_or(Self::Node(c.id), |v| Self::Value(v)),
        }
    }
}

/// A rule, and how many each domain has of those it keeps apart.
#[derive(Debug)]
pub(crate) struct Crowd<'a> {
    pub spread: &'a Spread,
    pub counts: Vec<(Place<'a>, u32)>,
}

impl Crowd<'_> {
    /// How many are in the domain of `c`.
    pub(crate) fn count(&self, c: &Candidate) -> u32 {
        let place = Place::of(c, &self.spread.by);
        self.counts.iter().find(|(p, _)| *p == place).map_or(0, |(_, n)| *n)
    }
}

/// The crowd of each rule of `request`. A node that is not known is in no domain.
pub(crate) fn crowds<'a>(
    request: &'a Request,
    find: impl Fn(&NodeId) -> Option<&'a Candidate>,
) -> Vec<Crowd<'a>> {
    let crowd = |spread: &'a Spread| {
        let nodes = match spread.apart {
            Apart::Task => &request.attempts_on,
            Apart::Group => &request.group_on,
        };
        let mut places: Vec<_> = nodes.iter().filter_map(&find).map(|c| Place::of(c, &spread.by)).collect();
        places.sort_unstable();
        let counts = places.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32));
        Crowd { spread, counts: counts.collect() }
    };
    request.spread.iter().map(crowd).collect()
}
