//! `ikigai config …`

use crate::commands::up::chain;
use crate::env::Env;
use crate::output::{Format, Show};
use crate::run::Outcome;
use clap::{Args, Subcommand};
use ikigai::{ConfigError, Layers};
use ikigai_types::Timestamp;
use ikigai_wire::api::{Code, Problem};
use serde::Serialize;

/// Configuration: which value holds and where it comes from
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai config explain http.listen")]
pub(crate) enum Config {
    Explain(Explain),
}

/// Names the value of a key, or of every key that is set, and the layer that won
#[derive(Debug, Args)]
#[command(after_help = "-o wide also shows the layers that lost.\n\n\
    Example:\n  ikigai config explain\n  ikigai config explain http.listen -o wide")]
pub(crate) struct Explain {
    /// The key, with dots; all keys below it too
    #[arg(default_value = "")]
    key: String,
}

/// A value and where it was set.
#[derive(Debug, Serialize)]
struct Setting {
    key: String,
    value: String,
    /// The file, variable or flag.
    layer: String,
    /// Whether a later layer set it again.
    #[serde(rename = "overridden")]
    lost: bool,
}

impl Show for Setting {
    const KIND: &'static str = "Setting";

    fn name(&self) -> String {
        self.key.clone()
    }

    fn head(wide: bool) -> Vec<&'static str> {
        if wide { vec!["KEY", "VALUE", "HOLDS", "SET-BY"] } else { vec!["KEY", "VALUE", "SET-BY"] }
    }

    fn row(&self, wide: bool, _: Timestamp) -> Vec<String> {
        let mut row = vec![self.key.clone(), self.value.clone()];
        if wide {
            row.push(if self.lost { "no" } else { "yes" }.to_owned());
        }
        row.push(self.layer.clone());
        row
    }
}

impl Config {
    pub(crate) fn run(self, env: &Env) -> Outcome {
        let Self::Explain(Explain { key }) = self;
        let wrong = |e: ConfigError| Problem::new(Code::Usage, chain(&e), "correct the file or the variable");
        let layers = crate::settings::layers(env).map_err(wrong)?;
        let mut settings: Vec<_> = layers.explain(&key).into_iter().flat_map(all).collect();
        if matches!(env.out.format, Format::Table | Format::Name) {
            settings.retain(|s| !s.lost);
        }
        if settings.is_empty() {
            if !key.is_empty() && !is_known(&key) {
                return Err(Problem::new(
                    Code::NotFound,
                    format!("there is no key `{key}`"),
                    "run: ikigai config explain",
                ));
            }
            env.out.say("nothing is set; the defaults hold");
            return Ok(0);
        }
        env.out.list(settings, env.now())?;
        Ok(0)
    }
}

fn all(explained: ikigai::config::Explained) -> Vec<Setting> {
    let winner = explained.layers.len().saturating_sub(1);
    let one = |(i, (layer, value)): (usize, (String, String))| Setting {
        key: explained.key.clone(),
        value,
        layer,
        lost: i != winner,
    };
    explained.layers.into_iter().enumerate().map(one).collect()
}

/// Whether the configuration has such a key: whatever else is wrong with a value, the key is not unknown.
fn is_known(key: &str) -> bool {
    let mut layers = Layers::default();
    layers.set("asked", key, "127");
    layers.config().err().is_none_or(|e| !chain(&e).contains("unknown field"))
}
