//! From the launch file to what is really run: placeholders replaced, environment put together.

use ikigai_wire::agent::{Adapter, EventFormat, LAUNCH_FILE, Launch, Pointers, PromptMode};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A launch file is at most this long; prompts are the only large thing in it.
pub const MAX_LAUNCH_BYTES: u64 = 16 << 20;

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The launch file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The launch file is no launch file.
    #[error("{path} is not a launch file: {source}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// The launch file is longer than [`MAX_LAUNCH_BYTES`].
    #[error("{0} is longer than 16 MiB")]
    TooLong(PathBuf),
    /// Neither the launch file nor the environment names a home folder.
    #[error("HOME is not set; the executor must name a folder the agent may write")]
    NoHome,
    /// The adapter's command has no program.
    #[error("adapter {0} has an empty command")]
    EmptyCommand(String),
    /// A file of the adapter cannot be written.
    #[error("cannot write {path} of the adapter: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Reads the launch file in `folder`.
pub fn read(folder: &Path) -> Result<Launch, LaunchError> {
    let path = folder.join(LAUNCH_FILE);
    let fail = |source| LaunchError::Read { path: path.clone(), source };
    if std::fs::metadata(&path).map_err(fail)?.len() > MAX_LAUNCH_BYTES {
        return Err(LaunchError::TooLong(path));
    }
    let bytes = std::fs::read(&path).map_err(fail)?;
    serde_json::from_slice(&bytes).map_err(|source| LaunchError::Parse { path, source })
}

/// One program to run, nothing left to replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Program and arguments; never empty.
    pub command: Vec<String>,
    /// Environment on top of agentd's own.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub workdir: PathBuf,
    /// What goes to its standard input, which is then closed.
    pub stdin: Option<String>,
    /// Session it was asked to go on with.
    pub asked: Option<String>,
    /// Whether its lines may be events.
    pub events: EventFormat,
    /// Where in an event things are.
    pub pointers: Pointers,
}

/// What placeholders stand for.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// `{prompt}`
    pub prompt: &'a str,
    /// `{model}`
    pub model: &'a str,
    /// `{session}`
    pub session: &'a str,
    /// `{gateway}`
    pub gateway: &'a str,
    /// `{home}`
    pub home: &'a str,
}

impl Words<'_> {
    /// `text` with every placeholder replaced, in one pass: what a placeholder stands for is never read again.
    pub fn replace(&self, text: &str) -> String {
        let pairs = [
            ("{prompt}", self.prompt),
            ("{model}", self.model),
            ("{session}", self.session),
            ("{gateway}", self.gateway),
            ("{home}", self.home),
        ];
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            match pairs.iter().find(|(name, _)| rest.starts_with(name)) {
                Some((name, value)) => {
                    out.push_str(value);
                    rest = &rest[name.len()..];
                }
                None => {
                    out.push('{');
                    rest = &rest[1..];
                }
            }
        }
        out.push_str(rest);
        out
    }
}

/// The home folder: the launch file's word, else the environment's.
pub fn home(launch: &Launch, own: Option<String>) -> Result<String, LaunchError> {
    launch.env.get("HOME").cloned().or(own).filter(|h| !h.is_empty()).ok_or(LaunchError::NoHome)
}

/// What to run for an agent; an empty `session` in `words` is none.
pub fn agent_plan(launch: &Launch, adapter: &Adapter, words: Words<'_>) -> Result<Plan, LaunchError> {
    let template = match &adapter.resume {
        Some(resume) if !words.session.is_empty() => resume,
        _ => &adapter.command,
    };
    let asked = (!words.session.is_empty() && adapter.resume.is_some()).then(|| words.session.to_owned());
    if template.first().is_none_or(String::is_empty) {
        return Err(LaunchError::EmptyCommand(adapter.name.clone()));
    }
    let mut env: BTreeMap<_, _> = adapter.env.iter().map(|(k, v)| (k.clone(), words.replace(v))).collect();
    env.extend(launch.env.clone());
    Ok(Plan {
        command: template.iter().map(|part| words.replace(part)).collect(),
        env,
        workdir: launch.workdir.clone().into(),
        stdin: (adapter.prompt == PromptMode::Stdin).then(|| words.prompt.to_owned()),
        asked,
        events: adapter.events,
        pointers: adapter.pointers.clone(),
    })
}

/// What to run for one check command.
pub fn check_plan(launch: &Launch, command: &str) -> Plan {
    Plan {
        command: vec!["bash".into(), "-c".into(), command.into()],
        env: launch.env.clone(),
        workdir: launch.workdir.clone().into(),
        stdin: None,
        asked: None,
        events: EventFormat::Lines,
        pointers: Pointers::default(),
    }
}

/// Has what the CLI writes into its folder of sessions, `own`, kept in `kept`, which outlives the container.
pub fn link_sessions(own: &str, words: Words<'_>, kept: &str) -> Result<(), LaunchError> {
    let path = PathBuf::from(words.replace(own));
    let linked = std::fs::read_link(&path).is_ok_and(|to| to == Path::new(kept));
    let link = || {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        std::os::unix::fs::symlink(kept, &path)
    };
    if linked { Ok(()) } else { link().map_err(|source| LaunchError::File { path: path.clone(), source }) }
}

/// Writes the files the adapter needs before its program starts.
pub fn write_files(adapter: &Adapter, words: Words<'_>) -> Result<(), LaunchError> {
    for (path, content) in &adapter.files {
        let path = PathBuf::from(words.replace(path));
        let folder = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, words.replace(content)))
            .map_err(|source| LaunchError::File { path, source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_wire::agent::Program;

    const WORDS: Words<'_> =
        Words { prompt: "say {model}", model: "m", session: "s", gateway: "http://g/v1", home: "/h" };

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(WORDS.replace(text), expect);
    }

    #[test]
    fn placeholders_are_replaced_once_and_nothing_else_is() {
        check("", "");
        check("{prompt}", "say {model}");
        check("a{model}b{model}", "ambm");
        check("{home}/.codex {gateway} {session}", "/h/.codex http://g/v1 s");
        check("{{model}} {unknown} {model", "{m} {unknown} {model");
        check("{", "{");
        check("é{model}é", "émé");
    }

    fn plan(adapter: &str, session: &str) -> Result<Plan, LaunchError> {
        let adapter: Adapter = serde_json::from_str(adapter).unwrap();
        let launch = Launch {
            program: Program::Checks { commands: vec![], timeout_secs: 0 },
            workdir: "/w".into(),
            env: [("A".to_string(), "launch".to_string())].into(),
            linger_secs: 0,
        };
        agent_plan(&launch, &adapter, Words { session, ..WORDS })
    }

    #[test]
    fn an_agent_resumes_only_with_a_session_and_a_resume_command() {
        let can = r#"{"name":"x","command":["x","{prompt}"],"resume":["x","resume","{session}"]}"#;
        let cannot = r#"{"name":"x","command":["x","{prompt}"]}"#;
        let command = |adapter, session| plan(adapter, session).unwrap().command;
        assert_eq!(command(can, ""), ["x", "say {model}"]);
        assert_eq!(command(can, "s"), ["x", "resume", "s"]);
        assert_eq!(command(cannot, "s"), ["x", "say {model}"]);
    }

    #[test]
    fn the_launch_file_wins_over_the_adapter() {
        let adapter = r#"{"name":"x","command":["x"],"env":{"A":"adapter","B":"{home}"},"prompt":"stdin"}"#;
        let plan = plan(adapter, "").unwrap();
        assert_eq!(plan.env["A"], "launch");
        assert_eq!(plan.env["B"], "/h");
        assert_eq!(plan.stdin.as_deref(), Some("say {model}"));
    }

    #[test]
    fn an_empty_command_is_an_error() {
        for adapter in [r#"{"name":"x","command":[]}"#, r#"{"name":"x","command":[""]}"#] {
            assert_eq!(plan(adapter, "").unwrap_err().to_string(), "adapter x has an empty command");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(LaunchError::Read { .. })));
        std::fs::write(folder.path().join(LAUNCH_FILE), "{").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("launch.json is not a launch file"), "{error}");
    }

    #[test]
    fn sessions_are_kept_outside_and_linked_once() {
        let (home, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let words = Words { home: home.path().to_str().unwrap(), ..WORDS };
        let own = "{home}/.x/sessions";
        for _ in 0..2 {
            link_sessions(own, words, kept.path().to_str().unwrap()).unwrap();
        }
        std::fs::write(home.path().join(".x/sessions/one"), "turns").unwrap();
        assert_eq!(std::fs::read_to_string(kept.path().join("one")).unwrap(), "turns");
        assert!(link_sessions(own, words, "/elsewhere").is_err(), "what is there is not taken away");
    }

    #[test]
    fn files_are_written_where_the_adapter_says() {
        let folder = tempfile::tempdir().unwrap();
        let words = Words { home: folder.path().to_str().unwrap(), ..WORDS };
        let adapter: Adapter = serde_json::from_str(
            r#"{"name":"x","command":["x"],"files":{"{home}/.x/config":"url = {gateway}"}}"#,
        )
        .unwrap();
        write_files(&adapter, words).unwrap();
        let written = std::fs::read_to_string(folder.path().join(".x/config")).unwrap();
        assert_eq!(written, "url = http://g/v1");
    }
}
