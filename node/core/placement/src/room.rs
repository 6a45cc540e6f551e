//! What of a node stays free after a task: the part of its score that changes with every placement.

use crate::Fit;
use ikigai_types::Resources;

/// Quantities that room is measured by; the first three always count, the others for tasks that ask for them.
pub(crate) const QUANTITIES: usize = 5;

const NAMES: [&str; QUANTITIES] = ["cpu", "memory", "slots", "disk", "gpus"];

/// How many of them always count.
pub(crate) const ALWAYS: usize = 3;

/// Thousandths one unit is worth where there is none.
const NONE: f32 = 1e9;

fn list(r: &Resources) -> [u64; QUANTITIES] {
    [r.cpu_millis, r.memory_bytes, r.slots, r.disk_bytes, r.gpus]
}

/// A node's room: per quantity, thousandths that are free, and thousandths one unit is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Room {
    pub share: [f32; QUANTITIES],
    pub unit: [f32; QUANTITIES],
}

impl Room {
    pub(crate) fn of(allocatable: &Resources, free: &Resources) -> Self {
        let (all, free) = (list(allocatable), list(free));
        // Of what a node has none at all nothing gets scarce, and whoever asks for it asks too much.
        let mut room = Self { share: [1000.0; QUANTITIES], unit: [NONE; QUANTITIES] };
        for q in 0..QUANTITIES {
            if all[q] > 0 {
                room.share[q] = (free[q].min(all[q]) as f64 * 1000.0 / all[q] as f64) as f32;
                room.unit[q] = (1000.0 / all[q] as f64) as f32;
            }
        }
        room
    }
}

/// What a task takes of a node's room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Take {
    pub amount: [f32; QUANTITIES],
    pub counts: [bool; QUANTITIES],
}

impl Take {
    pub(crate) fn of(request: &Resources) -> Self {
        let amounts = list(request);
        let counts = std::array::from_fn(|q| q < ALWAYS || amounts[q] > 0);
        Self { amount: amounts.map(|a| a as f32), counts }
    }

    /// How many quantities count, inverted: a mean is a sum times this.
    pub(crate) fn each(&self) -> f32 {
        1.0 / self.counts.iter().filter(|c| **c).count() as f32
    }
}

/// Thousandths of one quantity that stay free. The one formula, for one node as for sixty-four.
#[inline(always)]
pub(crate) fn left(share: f32, unit: f32, amount: f32) -> f32 {
    share - amount * unit
}

/// Points of a node whose scarcest quantity keeps `least` and whose quantities keep `sum` together: a whole number.
#[inline(always)]
pub(crate) fn points(fit: Fit, least: f32, sum: f32, each: f32) -> f32 {
    let raw = match fit {
        Fit::Spread => least,
        Fit::Pack => 1000.0 - sum * each,
    };
    let bounded = if raw > 0.0 { raw } else { 0.0 };
    // At this size a float has no room for a fraction: the sum is rounded to the nearest whole number. Unlike
    // a conversion to an integer this costs two additions, for four nodes at once.
    const WHOLE: f32 = 12_582_912.0;
    (bounded + WHOLE) - WHOLE
}

/// Points of one node, and the name of its scarcest quantity with the whole percents that stay free of it.
pub(crate) fn room(fit: Fit, room: &Room, take: &Take) -> (i32, &'static str, u32) {
    let (mut least, mut name, mut sum) = (f32::MAX, NAMES[0], 0.0);
    for q in (0..QUANTITIES).filter(|q| take.counts[*q]) {
        let left = left(room.share[q], room.unit[q], take.amount[q]);
        sum += left;
        if left < least {
            (least, name) = (left, NAMES[q]);
        }
    }
    let percent = points(Fit::Spread, least, sum, take.each()) as u32 / 10;
    (points(fit, least, sum, take.each()) as i32, name, percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_what_stays_free_of_the_scarcest() {
        let all =
            Resources { cpu_millis: 3000, memory_bytes: 9 << 30, slots: 3, gpus: 2, ..Default::default() };
        let free = Resources { cpu_millis: 2000, slots: 2, ..all };
        let one = Resources { cpu_millis: 1000, memory_bytes: 1 << 30, slots: 1, ..Default::default() };
        let of = |fit, take: &Resources| room(fit, &Room::of(&all, &free), &Take::of(take));
        assert_eq!(of(Fit::Spread, &one), (333, "cpu", 33));
        assert_eq!(of(Fit::Pack, &one).0, 481);
        assert_eq!(of(Fit::Spread, &Resources { gpus: 2, ..one }), (0, "gpus", 0));
        let whole = Room::of(&all, &all);
        assert_eq!(room(Fit::Spread, &whole, &Take::of(&Resources { slots: 3, ..one })), (0, "slots", 0));
    }
}
