//! What is said to whom in one turn, packed into frames; and how much one peer may have said to it.

use super::Turn;
use crate::book::Place;
use crate::effect::Effect;
use crate::frame::{self, Part};
use ikigai_types::Timestamp;

/// Bytes of records and tables that one peer may ask for at once.
const CREDIT_MAX: u64 = 512 * 1024;
/// How much of it comes back, in bytes a millisecond.
const CREDIT_RATE: u64 = 256;
/// How often one that is taken for dead is told so, in milliseconds.
const REMIND_EVERY: u64 = 200;

/// What a peer may still ask for. Kept for those who asked only.
#[derive(Debug)]
pub(super) struct Credit {
    left: u64,
    at: Timestamp,
    reminded: Timestamp,
}

impl Turn<'_> {
    pub(super) fn say(&mut self, to: Place, part: Part) {
        debug_assert!(to != self.m.here);
        self.out.entry(to).or_default().push(part);
    }

    fn credit(&mut self, of: Place) -> &mut Credit {
        let now = self.now;
        let credit =
            self.m.credits.entry(of).or_insert(Credit { left: CREDIT_MAX, at: now, reminded: Timestamp(0) });
        let back = (now.0.saturating_sub(credit.at.0)).saturating_mul(CREDIT_RATE);
        credit.left = credit.left.saturating_add(back).min(CREDIT_MAX);
        credit.at = now;
        credit
    }

    /// Whether `of` may still have `bytes`.
    pub(super) fn spend(&mut self, of: Place, bytes: usize) -> bool {
        let credit = self.credit(of);
        let Some(left) = credit.left.checked_sub(bytes as u64) else { return false };
        credit.left = left;
        true
    }

    /// Whether it is time to tell `of` what is thought of it.
    pub(super) fn remind(&mut self, of: Place) -> bool {
        let now = self.now;
        let credit = self.credit(of);
        let due = now.0 >= credit.reminded.0.saturating_add(REMIND_EVERY) || credit.reminded.0 == 0;
        if due {
            credit.reminded = now;
        }
        due
    }

    /// Announcements ride along; then everything said becomes frames.
    pub(super) fn finish(mut self) -> Vec<Effect> {
        for (to, mut parts) in std::mem::take(&mut self.out) {
            let waiting = self.m.overlay.slot_mut(to).map(|slot| std::mem::take(&mut slot.lazy));
            for about in waiting.unwrap_or_default() {
                if let Some(key) = self.m.row(about).map(crate::member::Row::key) {
                    parts.push(Part::Have { about, key });
                }
            }
            let Some(to) = self.m.node_at(to) else { continue };
            self.effects.extend(frame::write(&parts).into_iter().map(|frame| Effect::Send { to, frame }));
        }
        self.effects
    }
}
