//! `ikigai completion`

use crate::completion::VARIABLE;
use crate::env::Env;
use crate::run::Outcome;
use clap::Args;
use clap_complete::env::Shells;
use ikigai_wire::api::{Code, Problem};

/// Prints what makes a shell complete commands, flags and live task ids
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ikigai completion bash > ~/.local/share/bash-completion/completions/ikigai\n  \
    source <(ikigai completion zsh)"
)]
pub(crate) struct Completion {
    /// Which shell
    #[arg(value_parser = ["bash", "zsh", "fish", "elvish", "powershell"])]
    shell: String,
}

impl Completion {
    pub(crate) fn run(self, env: &Env) -> Outcome {
        let shells = Shells::builtins();
        let shell = shells.completer(&self.shell);
        let shell =
            shell.ok_or_else(|| Problem::plain(Code::Usage, format!("{} is not known", self.shell)))?;
        let mut script = Vec::new();
        let written = shell.write_registration(VARIABLE, "ikigai", "ikigai", "ikigai", &mut script);
        written.map_err(|e| Problem::plain(Code::Failed, format!("cannot write the script: {e}")))?;
        env.out.raw(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}
