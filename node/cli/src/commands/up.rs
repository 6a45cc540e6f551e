//! `ikigai up`

use crate::env::Env;
use crate::human::Span;
use crate::run::Outcome;
use clap::Args;
use ikigai_wire::api::{Code, Problem};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};

/// What the node prints on stdout, before its socket, once it is ready.
pub(crate) const READY: &str = "ready ";
/// Name of the log of a detached node in the state folder.
const LOG: &str = "ikigai.log";

/// Makes this machine a node
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai up\n  ikigai up --detach\n  ikigai up --listen 127.0.0.1:7500")]
pub(crate) struct Up {
    /// Run in the background; returns when the node is ready
    #[arg(short, long)]
    detach: bool,
    /// Loopback address for HTTP
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// A configuration file read after the usual ones
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long a detached node may take to be ready
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "detach")]
    timeout: Span,
}

impl Up {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        if self.detach { self.detached(env).await } else { self.foreground(env).await }
    }

    /// The node itself. Prints [`READY`] and the socket's path on stdout once it answers there.
    async fn foreground(&self, env: &Env) -> Outcome {
        let layers = self.layers(env)?;
        let config = layers.config().map_err(wrong)?;
        let home = env.state_dir()?;
        let node = ikigai::Node::builder().home(home).config(config).start().await;
        let node = node.map_err(|e| Problem::new(Code::Failed, chain(&e), e.hint()))?;
        if let Some(address) = node.listen() {
            env.out.say(&format!("the node {} listens on http://{address}", node.id().short()));
        }
        env.out.lines(&[format!("{READY}{}", node.socket().display())])?;
        stopped().await;
        env.out.say("the node stops; its agents go on and are found again by the next `ikigai up`");
        node.stop().await;
        Ok(0)
    }

    /// Files, environment, then flags.
    fn layers(&self, env: &Env) -> Result<ikigai::Layers, Problem> {
        let project = env.project().map(|p| p.root);
        let mut layers = ikigai::Layers::usual(project.as_deref()).map_err(wrong)?;
        if let Some(file) = &self.config {
            if !file.is_file() {
                let text = format!("{} is not there", file.display());
                return Err(Problem::new(Code::NotFound, text, "name a file with --config"));
            }
            layers.file(file).map_err(wrong)?;
        }
        if let Some(listen) = &self.listen {
            layers.set("--listen", "http.listen", listen);
        }
        Ok(layers)
    }

    async fn detached(&self, env: &Env) -> Outcome {
        let state = env.state_dir()?;
        std::fs::create_dir_all(&state).map_err(|e| failed("make the state folder", &e))?;
        let log = state.join(LOG);
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&log);
        let file = file.map_err(|e| failed("open the log", &e))?;
        let before = file.metadata().map(|m| m.len()).unwrap_or(0);
        let mut command = Command::new(std::env::current_exe().map_err(|e| failed("find this program", &e))?);
        command.arg("--home").arg(&state).arg("up");
        command.args(self.listen.iter().flat_map(|l| ["--listen", l]));
        command.args(self.config.iter().flat_map(|c| ["--config".as_ref(), c.as_os_str()]));
        // A group of its own, so that Ctrl-C here does not reach it.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).process_group(0);
        let mut child = tokio::process::Command::from(command);
        let mut child = child.kill_on_drop(false).spawn().map_err(|e| failed("start the node", &e))?;
        let out =
            child.stdout.take().ok_or_else(|| Problem::plain(Code::Failed, "the node has no stdout"))?;
        let mut lines = BufReader::new(out).lines();
        let ready = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(socket) = line.strip_prefix(READY) {
                    return Some(socket.to_owned());
                }
            }
            None
        };
        match tokio::time::timeout(self.timeout.0, ready).await {
            Ok(Some(socket)) => {
                env.out.lines(&[socket])?;
                env.out.say(&format!("the node is up; its log is {}", log.display()));
                Ok(0)
            }
            Ok(None) => Err(died(&log, before)),
            Err(_) => {
                let text = format!("the node was not ready within {}", crate::human::span(self.timeout.0));
                Err(Problem::new(Code::TimedOut, text, format!("it goes on; look at {}", log.display())))
            }
        }
    }
}

/// Returns on Ctrl-C or SIGTERM.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

fn wrong(error: ikigai::ConfigError) -> Problem {
    Problem::new(
        Code::Usage,
        chain(&error),
        "correct it and start again; ikigai config explain names each layer",
    )
}

/// An error and each of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source()).map(|e| format!(": {e}"));
    format!("{error}{}", causes.collect::<String>())
}

fn failed(what: &str, error: &std::io::Error) -> Problem {
    Problem::plain(Code::Failed, format!("cannot {what}: {error}"))
}

/// The node's own last words since `before`.
fn died(log: &Path, before: u64) -> Problem {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(log)
        && file.seek(SeekFrom::Start(before)).is_ok()
    {
        let _ = file.take(64 << 10).read_to_string(&mut text);
    }
    let last = |start: &str| text.lines().rev().find_map(|l| l.strip_prefix(start)).map(str::to_owned);
    let message = last("error: ").unwrap_or_else(|| "the node ended before it was ready".into());
    Problem::new(
        Code::Failed,
        message,
        last("hint: ").unwrap_or_else(|| format!("look at {}", log.display())),
    )
}
