//! What a model call cost, counted from the upstream's own figures.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MicroUsd(pub u64);

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("$0.00"),
            1..100 => f.write_str("<$0.0001"),
            n => write!(f, "${}.{:04}", n / 1_000_000, n % 1_000_000 / 100),
        }
    }
}

/// Model use of an attempt, as the gateway counted it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// Model calls that were passed on.
    pub calls: u64,
    /// Tokens read by the model, cached ones included.
    pub input_tokens: u64,
    /// Tokens written by the model.
    pub output_tokens: u64,
    /// What that costs by the configured price; `None` when the price is unknown.
    #[serde(rename = "costMicroUsd")]
    pub cost: Option<MicroUsd>,
}

impl Usage {
    /// Adds `other`; an unknown cost makes the sum unknown, unless nothing was used on that side.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let cost = match (self.cost, other.cost) {
            (Some(a), Some(b)) => Some(MicroUsd(a.0.saturating_add(b.0))),
            (known, None) if other.calls == 0 => known,
            (None, known) if self.calls == 0 => known,
            _ => None,
        };
        Self {
            calls: self.calls.saturating_add(other.calls),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost,
        }
    }

    /// This or `other`, whichever was counted later: an attempt's count only grows, and is heard more than once.
    #[must_use]
    pub const fn later(self, other: Self) -> Self {
        if other.calls > self.calls { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_cost_is_never_shown_as_zero() {
        let free = Usage { calls: 1, cost: Some(MicroUsd(0)), ..Default::default() };
        let unknown = Usage { calls: 1, ..Default::default() };
        assert_eq!(free.plus(unknown).cost, None);
        assert_eq!(Usage::default().plus(free).cost, Some(MicroUsd(0)));
        let (first, second) = (Usage { calls: 1, ..free }, Usage { calls: 2, input_tokens: 7, ..free });
        assert_eq!((first.later(second), second.later(first)), (second, second));
        let shown = [0, 1, 99, 100, 1_234_567].map(|n| MicroUsd(n).to_string());
        assert_eq!(shown, ["$0.00", "<$0.0001", "<$0.0001", "$0.0001", "$1.2345"]);
    }
}
