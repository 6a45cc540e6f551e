//! What model calls cost, by configured prices; what has no price is unknown, never free.

use crate::MicroUsd;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tokens of one model call, as its provider counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read by the model, cached ones included.
    pub input: u64,
    /// The part of `input` that came from the provider's cache.
    pub cached: u64,
    /// Written by the model, reasoning included.
    pub output: u64,
}

/// Price of one model, in millionths of a US dollar per million tokens: $1.25 per million is 1 250 000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Per million input tokens that were not cached.
    pub input: u64,
    /// Per million cached input tokens; as `input` when absent.
    #[serde(default)]
    pub cached: Option<u64>,
    /// Per million output tokens.
    pub output: u64,
}

/// Prices by `<provider>/<model>`, `<provider>/*` or `<model>`; the first of these that is there counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prices(BTreeMap<String, Price>);

impl Prices {
    /// The price of `provider`'s `model`, if it is known.
    pub fn of(&self, provider: &str, model: &str) -> Option<Price> {
        let keys = [format!("{provider}/{model}"), format!("{provider}/*"), model.to_owned()];
        keys.iter().find_map(|key| self.0.get(key)).copied()
    }

    /// What `tokens` of `provider`'s `model` cost, rounded up; `None` when its price is unknown.
    pub fn cost(&self, provider: &str, model: &str, tokens: Tokens) -> Option<MicroUsd> {
        Some(self.of(provider, model)?.cost(tokens))
    }

    /// The most that any use of `provider`'s `model` costs: nothing when it is free or no provider is called (an
    /// empty name), `None` when its price is unknown or nothing bounds what is used.
    pub fn bound(&self, provider: &str, model: &str) -> Option<MicroUsd> {
        let free = provider.is_empty() || self.of(provider, model).is_some_and(Price::is_free);
        free.then_some(MicroUsd(0))
    }
}

impl Price {
    /// Whether every token is free.
    pub fn is_free(self) -> bool {
        self.input == 0 && self.cached.unwrap_or(0) == 0 && self.output == 0
    }

    /// What `tokens` cost, rounded up to the next millionth of a dollar.
    pub fn cost(self, tokens: Tokens) -> MicroUsd {
        let cached = tokens.cached.min(tokens.input);
        let part = |count: u64, price: u64| u128::from(count) * u128::from(price);
        let sum = part(tokens.input - cached, self.input)
            .saturating_add(part(cached, self.cached.unwrap_or(self.input)))
            .saturating_add(part(tokens.output, self.output));
        MicroUsd(u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

impl<K: Into<String>> FromIterator<(K, Price)> for Prices {
    fn from_iter<I: IntoIterator<Item = (K, Price)>>(prices: I) -> Self {
        Self(prices.into_iter().map(|(key, price)| (key.into(), price)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: Tokens = Tokens { input: 1200, cached: 200, output: 34 };

    #[test]
    fn cached_tokens_have_their_own_price_and_the_sum_is_rounded_up() {
        let price = Price { input: 1_250_000, cached: Some(125_000), output: 10_000_000 };
        assert_eq!(price.cost(TOKENS), MicroUsd(1250 + 25 + 340));
        assert_eq!(Price { input: 1, cached: None, output: 0 }.cost(TOKENS), MicroUsd(1));
        let huge = Tokens { input: u64::MAX, cached: 0, output: u64::MAX };
        assert_eq!(Price { input: u64::MAX, cached: None, output: u64::MAX }.cost(huge), MicroUsd(u64::MAX));
        let more_cached_than_read = Tokens { input: 1, cached: 9, output: 0 };
        assert_eq!(price.cost(more_cached_than_read), MicroUsd(1));
    }

    #[test]
    fn the_narrowest_price_counts_and_an_unknown_model_has_none() {
        let flat = |input| Price { input, cached: None, output: 0 };
        let prices: Prices =
            [("openai/gpt-5.5", flat(3_000_000)), ("scripted/*", flat(0)), ("gpt-5.5", flat(2_000_000))]
                .into_iter()
                .collect();
        let one = Tokens { input: 1, ..Tokens::default() };
        assert_eq!(prices.cost("openai", "gpt-5.5", one), Some(MicroUsd(3)));
        assert_eq!(prices.cost("azure", "gpt-5.5", one), Some(MicroUsd(2)));
        assert_eq!(prices.cost("scripted", "gpt-5.5", one), Some(MicroUsd(0)));
        assert_eq!(prices.cost("openai", "gpt-9", one), None);
        let bound = |provider: &str| prices.bound(provider, "gpt-5.5");
        assert_eq!(
            (bound("scripted"), bound(""), bound("openai")),
            (Some(MicroUsd(0)), Some(MicroUsd(0)), None)
        );
    }
}
