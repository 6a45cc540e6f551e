//! What is left to chance, and can be had again: `SEED` names it.

/// A row of numbers that its seed determines.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins with `SEED`, or 1, and prints it.
    pub fn seeded() -> Self {
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
        println!("SEED={seed}");
        Self(seed)
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("invariant: 31 bits") % count
    }
}
