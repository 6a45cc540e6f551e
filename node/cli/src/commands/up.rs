//! `ikigai up`

use crate::env::Env;
use crate::human::Span;
use crate::run::{INTERRUPTED, Outcome};
use clap::Args;
use ikigai::BuildError;
use ikigai_http::ListenError;
use ikigai_wire::api::{Code, Problem};
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{EnvFilter, fmt};

/// What is logged unless `IKIGAI_LOG` says otherwise: of the transport only what is wrong.
const LEVELS: &str = "info,libp2p_swarm=warn,libp2p_mdns=warn";

/// What the node prints on stdout, before its socket, once it is ready.
pub(crate) const READY: &str = "ready ";
/// What it prints before that, when it serves other machines over TLS.
const FINGERPRINT: &str = "fingerprint ";
/// Name of the log of a detached node in the state folder.
const LOG: &str = "ikigai.log";

/// Makes this machine a node
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ikigai up\n  ikigai up --detach\n  ikigai up --config work.toml\n  ikigai up --listen 127.0.0.1:7500\n  ikigai up --listen 127.0.0.1:7420,192.168.1.5:7420"
)]
pub(crate) struct Up {
    /// Run in the background; returns when the node is ready
    #[arg(short, long)]
    detach: bool,
    /// Addresses for HTTP, with commas between them; what is not loopback is served over TLS
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// A configuration file read after the usual ones; remembered for the next time
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Forget the file that an earlier --config named
    #[arg(long, conflicts_with = "config")]
    no_config: bool,
    /// How long a detached node may take to be ready
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "detach")]
    timeout: Span,
    /// Go on when the terminal goes away (what --detach starts)
    #[arg(long, hide = true)]
    orphan: bool,
}

impl Up {
    pub(crate) async fn run(mut self, env: &Env) -> Outcome {
        self.remember(env)?;
        if self.detach { self.detached(env).await } else { self.foreground(env).await }
    }

    /// A node that was started with a file is started with it again.
    fn remember(&mut self, env: &Env) -> Result<(), Problem> {
        if self.config.is_some() || self.no_config {
            return Ok(());
        }
        let Some(file) = crate::settings::remembered(env) else { return Ok(()) };
        if !file.is_file() {
            let text = format!("{}, which --config named before, is not there", file.display());
            let hint = "name a file with --config, or forget it: ikigai up --no-config";
            return Err(Problem::new(Code::NotFound, text, hint));
        }
        let shown = file.display();
        env.out.say(&format!("reads {shown} as before; to forget it: ikigai up --no-config"));
        self.config = Some(file);
        Ok(())
    }

    /// The node itself. Prints [`READY`] and the socket's path on stdout once it answers there.
    async fn foreground(&self, env: &Env) -> Outcome {
        log();
        let layers = self.layers(env)?;
        let config = layers.config().map_err(wrong)?;
        let home = env.state_dir()?;
        let node = ikigai::Node::builder().home(home.clone()).config(config).start().await;
        let node = node.map_err(|e| refused(&e))?;
        let remembered = crate::settings::remember(&home, self.config.as_deref());
        remembered.map_err(|e| failed("write down which configuration it has", &e))?;
        for address in node.listen() {
            let scheme = if address.ip().is_loopback() { "http" } else { "https" };
            env.out.say(&format!("the node {} listens on {scheme}://{address}", node.id().short()));
        }
        if let Some(shared) = node.shared_socket() {
            env.out.say(&format!("other users of this machine reach it at {}", shared.display()));
        }
        if let Some(fingerprint) = node.fingerprint() {
            env.out.lines(&[format!("{FINGERPRINT}{fingerprint}")])?;
        }
        env.out.lines(&[format!("{READY}{}", node.socket().display())])?;
        let code = tokio::select! {
            code = stopped(self.orphan) => Some(code),
            () = node.given_up() => None,
        };
        env.out.say("the node stops; its agents go on and are found again by the next `ikigai up`");
        node.stop().await;
        code.ok_or_else(|| {
            let text = "the node gave up: its log cannot be written any more";
            Problem::new(Code::Failed, text, "run: ikigai doctor; then: ikigai up")
        })
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
        command.arg("--home").arg(&state).args(["up", "--orphan"]);
        command.args(self.listen.iter().flat_map(|l| ["--listen", l]));
        command.args(self.no_config.then_some("--no-config"));
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
                if line.starts_with(FINGERPRINT) {
                    env.out.say(&line);
                }
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

/// Logs to stderr; `IKIGAI_LOG` says what, such as `debug` or `ikigai_http=debug`.
fn log() {
    let filter = EnvFilter::try_from_env("IKIGAI_LOG").unwrap_or_else(|_| EnvFilter::new(LEVELS));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    // Fails only when somebody set one already; then theirs is the one that counts.
    let _ = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).try_init();
}

/// Waits for a signal to stop, and answers the exit code that goes with it.
async fn stopped(orphan: bool) -> u8 {
    let listen = |kind| signal(kind).expect("invariant: these signals can be caught");
    let (mut interrupt, mut term) = (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    let mut hangup = listen(SignalKind::hangup());
    loop {
        tokio::select! {
            _ = interrupt.recv() => return INTERRUPTED,
            _ = term.recv() => return 0,
            _ = hangup.recv() => if !orphan { return 0 },
        }
    }
}

fn refused(error: &BuildError) -> Problem {
    let code = match error {
        BuildError::Running(_) => Code::Conflict,
        BuildError::Config(_) | BuildError::Address(_) | BuildError::Adapter(_) | BuildError::Policy(_) => {
            Code::Usage
        }
        BuildError::Listen(ListenError::NotLoopback(_)) => Code::Denied,
        _ => Code::Failed,
    };
    Problem::new(code, chain(error), error.hint())
}

fn wrong(error: ikigai::ConfigError) -> Problem {
    Problem::new(
        Code::Usage,
        chain(&error),
        "correct it and start again; ikigai config explain names each layer",
    )
}

/// An error and each of its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
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
