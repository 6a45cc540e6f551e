//! `ikigai man`: manual pages, for packagers.

use crate::args::Cli;
use crate::env::Env;
use crate::run::Outcome;
use clap::{Args, CommandFactory};
use ikigai_wire::api::{Code, Problem};
use std::path::PathBuf;

/// Writes a manual page per command
#[derive(Debug, Args)]
#[command(hide = true, after_help = "Example:\n  ikigai man /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// Folder to write to; without it, the main page goes to stdout
    folder: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self, env: &Env) -> Outcome {
        let failed =
            |e: std::io::Error| Problem::plain(Code::Failed, format!("cannot write the manual: {e}"));
        let Some(folder) = self.folder else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(failed)?;
            env.out.raw(&String::from_utf8_lossy(&page))?;
            return Ok(0);
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), &folder).map_err(failed)?;
        Ok(0)
    }
}
