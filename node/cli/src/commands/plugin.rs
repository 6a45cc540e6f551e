//! `ikigai foo` runs `ikigai-foo` of PATH.

use crate::args::Cli;
use crate::env::Env;
use crate::run::Outcome;
use clap::CommandFactory as _;
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
        let hint = meant(&shown).map_or("run: ikigai help".to_owned(), |words| format!("run: {words}"));
        Problem::new(Code::Usage, text, hint)
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

/// What docker and kubectl have other words for.
const ELSEWHERE: [(&str, &str); 6] = [
    ("ps", "task ls"),
    ("get", "task ls"),
    ("run", "task new"),
    ("exec", "attach"),
    ("place", "task why"),
    ("sandbox", "doctor"),
];

/// The command that `word` is short for: `why` is `ikigai task why`.
fn meant(word: &str) -> Option<String> {
    let all = Cli::command();
    let mut nouns = all.get_subcommands();
    let found = nouns.find_map(|noun| {
        let verb = noun.find_subcommand(word)?;
        Some(format!("{} {}", noun.get_name(), verb.get_name()))
    });
    let elsewhere = || ELSEWHERE.iter().find(|(w, _)| *w == word).map(|(_, ours)| (*ours).to_owned());
    Some(format!("ikigai {}", found.or_else(elsewhere)?))
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn who_leaves_out_the_noun_is_told_it() {
        assert_eq!(meant("why").as_deref(), Some("ikigai task why"));
        assert_eq!(meant("accept").as_deref(), Some("ikigai patch accept"));
        assert_eq!(meant("ps").as_deref(), Some("ikigai task ls"));
        assert_eq!(meant("frobnicate"), None);
    }
}
