//! `ikigai init`

use crate::args::Dry;
use crate::env::Env;
use crate::run::Outcome;
use clap::Args;
use ikigai_wire::api::{Code, Problem};
use std::io::Write;

/// What a new `ikigai.toml` says: every line is a comment until someone wants it otherwise.
const TEMPLATE: &str = include_str!("init/ikigai.toml");

/// Writes an ikigai.toml with commented defaults into the project
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai init")]
pub(crate) struct Init {
    #[command(flatten)]
    dry: Dry,
}

impl Init {
    pub(crate) fn run(self, env: &Env) -> Outcome {
        let hint = "go to a project's folder, or make one: git init && specify init .";
        let project =
            env.project().ok_or_else(|| Problem::new(Code::NotFound, "there is no project here", hint))?;
        let path = project.root.join("ikigai.toml");
        if self.dry.dry_run {
            env.out.lines(&[format!("would write {}", path.display())])?;
            return Ok(0);
        }
        let opened = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
        let written = opened.and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
        match written {
            Ok(()) => {
                env.out.lines(&[path.display().to_string()])?;
                if !project.spec_kit {
                    env.out.say("no Spec-Kit here yet; for features with tasks, run: specify init .");
                }
                Ok(0)
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Problem::new(Code::Conflict, format!("{} is there already", path.display()), "edit it"))
            }
            Err(e) => Err(Problem::plain(Code::Failed, format!("cannot write {}: {e}", path.display()))),
        }
    }
}
