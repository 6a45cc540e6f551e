//! `ikigai spec extension`: Ikigai as an extension of Spec-Kit.

use crate::env::Env;
use crate::programs::specify;
use crate::run::Outcome;
use clap::Args;
use ikigai_wire::api::{Code, Problem};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The files of the extension.
const FILES: [(&str, &str); 4] = [
    ("extension.yml", include_str!("extension/extension.yml")),
    ("commands/speckit.ikigai.dispatch.md", include_str!("extension/commands/speckit.ikigai.dispatch.md")),
    ("commands/speckit.ikigai.status.md", include_str!("extension/commands/speckit.ikigai.status.md")),
    ("commands/speckit.ikigai.review.md", include_str!("extension/commands/speckit.ikigai.review.md")),
];

/// Gives Spec-Kit the commands /speckit.ikigai.dispatch, status and review, and offers a feature's tasks after /speckit.tasks
#[derive(Debug, Args)]
#[command(
    after_help = "Spec-Kit's own program `specify` installs it into the project. Undo it with: specify extension remove ikigai\n\n\
    Example:\n  ikigai spec extension\n  ikigai spec extension --to ../ikigai-extension"
)]
pub(crate) struct Extension {
    /// Only write the extension's folder here
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

impl Extension {
    pub(super) fn run(self, env: &Env) -> Outcome {
        if let Some(folder) = self.to {
            write(&folder)?;
            env.out.lines(&[folder.display().to_string()])?;
            return Ok(0);
        }
        let project = env.project().filter(|p| p.spec_kit).ok_or_else(|| {
            let hint = "go to its folder, or make one: specify init .";
            Problem::new(Code::NotFound, "there is no Spec-Kit project here", hint)
        })?;
        let specify = specify().ok_or_else(|| {
            let hint = "install it: uv tool install specify-cli; or write the folder alone: --to FOLDER";
            Problem::new(Code::NotFound, "Spec-Kit's program specify is not installed", hint)
        })?;
        let folder = tempfile::tempdir().map_err(|e| failed("make a folder", &e))?;
        write(folder.path())?;
        install(&specify, folder.path(), &project.root)?;
        let commands =
            FILES.iter().filter_map(|(name, _)| name.strip_prefix("commands/")?.strip_suffix(".md"));
        env.out.lines(&commands.map(|name| format!("/{name}")).collect::<Vec<_>>())?;
        Ok(0)
    }
}

fn write(folder: &Path) -> Result<(), Problem> {
    std::fs::create_dir_all(folder.join("commands")).map_err(|e| failed("make the folder", &e))?;
    FILES
        .iter()
        .try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
        .map_err(|e| failed("write", &e))
}

/// Has `specify` install what is in `folder`, in place of an older one.
fn install(specify: &Path, folder: &Path, project: &Path) -> Result<(), Problem> {
    let mut command = Command::new(specify);
    command
        .args(["extension", "add", "--force", "--dev"])
        .arg(folder)
        .current_dir(project)
        .env("NO_COLOR", "1");
    let out = command.stdin(Stdio::null()).output().map_err(|e| failed("run specify", &e))?;
    if out.status.success() {
        return Ok(());
    }
    let said = [out.stdout, out.stderr].concat();
    let text = format!("specify did not take the extension: {}", String::from_utf8_lossy(&said).trim());
    Err(Problem::new(Code::Failed, text, "run: specify version; Ikigai's extension wants 1.0 or newer"))
}

fn failed(what: &str, error: &std::io::Error) -> Problem {
    Problem::plain(Code::Failed, format!("cannot {what}: {error}"))
}
