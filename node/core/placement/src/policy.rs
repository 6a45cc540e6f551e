//! What counts how much.

use std::time::Duration;

/// How room is scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fit {
    /// The freest node is best: work spreads, and each task has air.
    #[default]
    Spread,
    /// The fullest node that still fits is best: few machines are used, and big tasks find whole ones.
    Pack,
}

/// What counts how much. Points add up; room alone is worth 0 to 1000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How room is scored.
    pub fit: Fit,
    /// Points below the best within which a node is nearly as good.
    pub margin: u16,
    /// How many of the nearly as good are drawn, to take the best of those; 1 to 4.
    pub choices: u8,
    /// Points for having the project's objects.
    pub repository: u16,
    /// Points for having the image.
    pub image: u16,
    /// Points a taint that asks not to be preferred costs, however many there are.
    pub taint: u16,
    /// Points a node with GPUs loses for a task that asks for none.
    pub gpu_kept: u16,
    /// What is known of a node counts in full up to this age. Above it each second costs a point.
    pub fresh: Duration,
    /// Most points that age costs.
    pub age: u16,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            fit: Fit::Spread,
            margin: 50,
            choices: 3,
            repository: 150,
            image: 250,
            taint: 400,
            gpu_kept: 200,
            // A node that nothing changes on is heard of once a heartbeat, at most a minute apart.
            fresh: Duration::from_secs(75),
            age: 300,
        }
    }
}
