//! `ikigai foo` runs `ikigai-foo` of PATH.

use crate::env::Env;
use crate::run::Outcome;
use ikigai_wire::api::{Code, Problem};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Becomes the program; it finds the node by the same variables that this program reads.
pub(crate) fn run(words: Vec<OsString>, env: &Env) -> Outcome {
    let mut words = words.into_iter();
    let name = words.next().unwrap_or_default();
    let shown: String = name.to_string_lossy().chars().filter(|c| !c.is_control()).take(40).collect();
    let unknown = || {
        let text = format!("`{shown}` is no command, and there is no ikigai-{shown} on PATH");
        Problem::new(Code::Usage, text, "run: ikigai help")
    };
    if shown.is_empty() || name.to_string_lossy().contains('/') {
        return Err(unknown());
    }
    let mut program = OsString::from("ikigai-");
    program.push(&name);
    let mut command = Command::new(&program);
    command.args(words);
    if let Some(context) = &env.global.context {
        command.env("IKIGAI_CONTEXT", context);
    }
    if let Some(home) = &env.global.home {
        command.env("IKIGAI_HOME", env.cwd.join(home));
    }
    let error = command.exec();
    if error.kind() == std::io::ErrorKind::NotFound {
        return Err(unknown());
    }
    Err(Problem::plain(Code::Failed, format!("cannot run ikigai-{shown}: {error}")))
}
