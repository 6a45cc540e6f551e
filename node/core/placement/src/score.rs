//! Points of a node that could have the task, and what they are made of.

use crate::crowd::Crowd;
use crate::filter::untolerated;
use crate::room::{Room, Take, room};
use crate::{Candidate, Fit, Policy, Request};
use ikigai_types::{Apart, Domain, Preference, Taint, TaintEffect};
use std::fmt;
use std::time::Duration;

/// What adds to a node's room, or takes from it.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    Wish(&'a Preference),
    Repository,
    Image,
    Taint(&'a Taint),
    Crowd(&'a Crowd<'a>, u32),
    GpuKept,
    Age(Duration),
}

/// Most of one domain that still make a difference, so that points stay bounded.
pub(crate) const CROWD: u32 = 10;

/// Points that age costs.
pub(crate) fn age(policy: &Policy, age: Duration) -> i32 {
    let over = age.saturating_sub(policy.fresh).as_secs().min(u64::from(policy.age));
    -(over as i32)
}

/// Calls `each` with every part and its points.
pub(crate) fn parts<'a>(
    policy: &Policy,
    request: &'a Request,
    c: &'a Candidate,
    crowds: &'a [Crowd<'a>],
    mut each: impl FnMut(Part<'a>, i32),
) {
    for wish in request.prefers.0.iter().filter(|w| w.condition.met(&c.tags)) {
        each(Part::Wish(wish), i32::from(wish.weight));
    }
    if request.repository.as_ref().is_some_and(|r| c.repositories.contains(r)) {
        each(Part::Repository, i32::from(policy.repository));
    }
    if !request.image.is_empty() && c.images.contains(&request.image) {
        each(Part::Image, i32::from(policy.image));
    }
    if let Some(taint) = untolerated(request, c, TaintEffect::PreferNoSchedule) {
        each(Part::Taint(taint), -i32::from(policy.taint));
    }
    for crowd in crowds {
        let (count, weight) = (crowd.count(c).min(CROWD), crowd.spread.weight.unwrap_or(0));
        if count > 0 && weight > 0 {
            each(Part::Crowd(crowd, count), -(i32::from(weight) * count as i32));
        }
    }
    if request.resources.gpus == 0 && c.allocatable.gpus > 0 {
        each(Part::GpuKept, -i32::from(policy.gpu_kept));
    }
    let old = age(policy, c.age);
    if old < 0 {
        each(Part::Age(c.age), old);
    }
}

/// All points of a node that no filter refuses.
pub(crate) fn total(policy: &Policy, request: &Request, c: &Candidate, crowds: &[Crowd<'_>]) -> i32 {
    let take = Take::of(&request.resources);
    let (mut sum, ..) = room(policy.fit, &Room::of(&c.allocatable, &c.free), &take);
    parts(policy, request, c, crowds, |_, points| sum += points);
    sum
}

/// The points, and in words what they are made of.
pub(crate) fn explain(
    policy: &Policy,
    request: &Request,
    c: &Candidate,
    crowds: &[Crowd<'_>],
) -> (u32, String) {
    let take = Take::of(&request.resources);
    let (mut sum, what, percent) = room(policy.fit, &Room::of(&c.allocatable, &c.free), &take);
    let mut text = match policy.fit {
        Fit::Spread => format!("{percent} % of its {what} stays free"),
        Fit::Pack => format!("packs it to {} %", sum / 10),
    };
    parts(policy, request, c, crowds, |part, points| {
        sum += points;
        text.push_str(&format!(", {part} {points:+}"));
    });
    (u32::try_from(sum).unwrap_or(0), text)
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wish(wish) => wish.condition.fmt(f),
            Self::Repository => f.write_str("has the repository"),
            Self::Image => f.write_str("has the image"),
            Self::Taint(taint) => write!(f, "taint {taint}"),
            Self::Crowd(crowd, count) => {
                let what = match crowd.spread.apart {
                    Apart::Task => "attempts",
                    Apart::Group => "of the group",
                };
                let place = match &crowd.spread.by {
                    Domain::Node => "there",
                    Domain::Tag(key) => return write!(f, "{count} {what} in its {key}"),
                };
                write!(f, "{count} {what} {place}")
            }
            Self::GpuKept => f.write_str("its gpus are kept for others"),
            Self::Age(age) => write!(f, "heard of {} s ago", age.as_secs()),
        }
    }
}
