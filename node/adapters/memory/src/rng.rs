//! Chance that repeats itself.

use ikigai_ports::Rng;
use std::sync::{Mutex, PoisonError};

/// SplitMix64: the same seed gives the same bytes. For tests and simulations, never for keys or tokens that
/// anyone relies on.
#[derive(Debug)]
pub struct SeededRng(Mutex<u64>);

impl SeededRng {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// The next eight bytes as a number.
    pub fn next_u64(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let (a, b, c) = (SeededRng::new(1), SeededRng::new(1), SeededRng::new(2));
        assert_eq!(a.hex(20), b.hex(20));
        assert_ne!(a.hex(20), c.hex(20));
        assert_ne!(a.hex(8), a.hex(8));
        // The reference sequence of SplitMix64 from seed 1234567.
        assert_eq!(SeededRng::new(1_234_567).next_u64(), 6_457_827_717_110_365_317);
    }
}
