//! `ikigai config …`

use crate::env::Env;
use crate::run::Outcome;
use clap::{Args, Subcommand};
use ikigai_wire::api::{Code, Problem};

/// Configuration: which value holds and where it comes from
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai config explain placement.slots")]
pub(crate) enum Config {
    Explain(Explain),
}

/// Names the value of a key and the layer that won
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai config explain placement.slots")]
pub(crate) struct Explain {
    /// The key, with dots
    key: String,
}

impl Config {
    pub(crate) fn run(self, _env: &Env) -> Outcome {
        let Self::Explain(Explain { key }) = self;
        Err(Problem::new(
            Code::NotFound,
            format!("there is no key `{key}`"),
            "see docs/guide/configuration.md",
        ))
    }
}
