//! What refuses a node, without a word of text until somebody asks.

use crate::candidate::Quota;
use crate::crowd::Crowd;
use crate::{Candidate, Request};
use ikigai_types::{
    Apart, Condition, Domain, Filter, Liveness, Spread, Taint, TaintEffect, Toleration, WorkloadClass,
};
use std::fmt;

/// Why a node cannot have the task.
#[derive(Debug)]
pub(crate) enum Refusal<'a> {
    Liveness(Liveness),
    Tag(&'a Condition, &'a Candidate),
    Taint(&'a Taint),
    Adapter(&'a str),
    Credential(&'a str),
    Image,
    TooSmall(&'static str, u64, u64),
    Draining,
    Cordoned,
    Quota(&'a Quota),
    Declined,
    Spread(&'a Spread, &'a Candidate),
    Capacity(&'static str, u64, u64),
    Limit(WorkloadClass, u64),
    Reserve { what: &'static str, want: u64, left: u64, class: WorkloadClass, node: &'a Candidate },
}

/// The first filter that refuses `c`. What can never change by waiting comes first.
pub(crate) fn refusal<'a>(
    request: &'a Request,
    c: &'a Candidate,
    crowds: &[Crowd<'a>],
) -> Option<Refusal<'a>> {
    lasting(request, c).or_else(|| closed(request, c, crowds)).or_else(|| full(request, c))
}

/// What neither waiting nor the end of other tasks changes.
pub(crate) fn lasting<'a>(request: &'a Request, c: &'a Candidate) -> Option<Refusal<'a>> {
    if !c.alive() {
        return Some(Refusal::Liveness(c.liveness));
    }
    if let Some(condition) = request.requires.unmet(&c.tags) {
        return Some(Refusal::Tag(condition, c));
    }
    if let Some(taint) = untolerated(request, c, TaintEffect::NoSchedule) {
        return Some(Refusal::Taint(taint));
    }
    if !c.adapters.contains(&request.adapter) {
        return Some(Refusal::Adapter(&request.adapter));
    }
    if !request.provider.is_empty() && !c.providers.contains(&request.provider) {
        return Some(Refusal::Credential(&request.provider));
    }
    if !c.image {
        return Some(Refusal::Image);
    }
    c.allocatable.lacks(&request.resources).map(|(what, want, have)| Refusal::TooSmall(what, want, have))
}

/// What the end of other tasks does not change.
pub(crate) fn closed<'a>(
    request: &'a Request,
    c: &'a Candidate,
    crowds: &[Crowd<'a>],
) -> Option<Refusal<'a>> {
    if c.draining {
        return Some(Refusal::Draining);
    }
    if c.cordoned {
        return Some(Refusal::Cordoned);
    }
    if let Some(quota) = c.exhausted(&request.provider) {
        return Some(Refusal::Quota(quota));
    }
    if request.declined.contains(&c.id) {
        return Some(Refusal::Declined);
    }
    let met = crowds.iter().find(|k| k.spread.weight.is_none() && k.count(c) > 0);
    met.map(|k| Refusal::Spread(k.spread, c))
}

/// What the end of other tasks may change: no room, or none for this class.
pub(crate) fn full<'a>(request: &'a Request, c: &'a Candidate) -> Option<Refusal<'a>> {
    let asked = &request.resources;
    if let Some((what, want, have)) = c.free.lacks(asked) {
        return Some(Refusal::Capacity(what, want, have));
    }
    if c.classes.shares.is_empty() {
        return None;
    }
    if let Some(limit) = c.classes.over_limit(request.class, asked.slots) {
        return Some(Refusal::Limit(request.class, limit));
    }
    let held = c.classes.held_back(request.class);
    let (what, want, left) = c.free.minus(&held).lacks(asked)?;
    Some(Refusal::Reserve { what, want, left, class: request.class, node: c })
}

/// The first taint with `effect` that the request does not tolerate.
pub(crate) fn untolerated<'a>(request: &Request, c: &'a Candidate, effect: TaintEffect) -> Option<&'a Taint> {
    uncovered(&request.tolerations, c, effect)
}

/// The first taint with `effect` that `tolerations` do not cover.
pub(crate) fn uncovered<'a>(
    tolerations: &[Toleration],
    c: &'a Candidate,
    effect: TaintEffect,
) -> Option<&'a Taint> {
    c.taints.iter().find(|t| t.effect == effect && !t.tolerated(tolerations))
}

impl Refusal<'_> {
    /// The filter it came from.
    pub(crate) const fn filter(&self) -> Filter {
        match self {
            Self::Liveness(_) => Filter::Liveness,
            Self::Tag(..) => Filter::Tag,
            Self::Taint(_) => Filter::Taint,
            Self::Adapter(_) => Filter::Adapter,
            Self::Credential(_) => Filter::Credential,
            Self::Image => Filter::ImageMissing,
            Self::TooSmall(..) | Self::Capacity(..) => Filter::Capacity,
            Self::Draining => Filter::Draining,
            Self::Cordoned => Filter::Cordoned,
            Self::Quota(_) => Filter::Quota,
            Self::Declined => Filter::Declined,
            Self::Spread(..) => Filter::Spread,
            Self::Limit(..) | Self::Reserve { .. } => Filter::Class,
        }
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Liveness(Liveness::Suspect) => f.write_str("is suspected to be gone"),
            Self::Liveness(_) => f.write_str("is not alive"),
            Self::Tag(condition, c) => f.write_str(&condition.refusal(&c.tags)),
            Self::Taint(taint) => write!(f, "taint {taint} is not tolerated"),
            Self::Adapter(adapter) => write!(f, "no adapter {adapter}"),
            Self::Credential(provider) => write!(f, "no credential for provider {provider}"),
            Self::Image => f.write_str("no agent image"),
            Self::TooSmall(what, want, have) => write!(f, "too small: asks {what} {want}, has {have} in all"),
            Self::Draining => f.write_str("is draining"),
            Self::Cordoned => f.write_str("is cordoned"),
            Self::Quota(Quota { provider, resets_in, .. }) => {
                write!(f, "quota of provider {provider} is used up")?;
                resets_in.map_or(Ok(()), |t| write!(f, " for {} s", t.as_millis().div_ceil(1000)))
            }
            Self::Declined => f.write_str("declined the offer"),
            Self::Spread(spread, c) => met(f, spread, c),
            Self::Capacity(what, want, have) => write!(f, "no capacity: asks {what} {want}, free {have}"),
            Self::Limit(class, limit) => write!(f, "class {class} has its limit of {limit} slots"),
            Self::Reserve { what, want, left, class, node } => {
                let others: Vec<_> = node.classes.waiting(*class).map(|c| c.name()).collect();
                let others = others.join(", ");
                write!(f, "class {class}: asks {what} {want}, free {left} beside what is kept for {others}")
            }
        }
    }
}

/// `runs another attempt`, `zone=a runs another task of the group`.
fn met(f: &mut fmt::Formatter<'_>, spread: &Spread, c: &Candidate) -> fmt::Result {
    if let Domain::Tag(key) = &spread.by
        && let Some(value) = c.tags.0.get(key)
    {
        write!(f, "{key}={value} ")?;
    }
    f.write_str(match spread.apart {
        Apart::Task => "runs another attempt",
        Apart::Group => "runs another task of the group",
    })
}
