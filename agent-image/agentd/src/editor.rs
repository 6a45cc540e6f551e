//! The editor: code-server on a Unix socket, there only while somebody has it open.

use crate::frames::Frames;
use crate::gateway::read_head;
use crate::program::end_group;
use crate::reaper::{Exit, Reaper, Role};
use rustix::process::{Pid, Signal};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};

/// How long the editor may take from its start to its first answer.
const READY: Duration = Duration::from_secs(30);
/// Pause between two looks whether it answers.
const LOOK: Duration = Duration::from_millis(25);
/// How long its backlog may stay full before it is taken to hang.
const BACKLOG: Duration = Duration::from_secs(10);
/// How long it lives without a stream: a reload and a short break of the network find it alive.
const IDLE: Duration = Duration::from_secs(45);
/// Streams at once; a workbench needs about ten.
const STREAMS: usize = 256;
/// Where the image keeps the settings.
const SETTINGS: &str = "/usr/share/ikigai/editor/settings.json";
/// The same file, for workloads that do not run from the image.
const OWN_SETTINGS: &str = include_str!("../../rootfs/usr/share/ikigai/editor/settings.json");

/// How the editor is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The program, `code-server`.
    pub program: String,
    /// Home folder; its socket, log and settings are in there.
    pub home: PathBuf,
    /// The folder it shows.
    pub workdir: PathBuf,
    /// Environment on top of agentd's own.
    pub env: BTreeMap<String, String>,
}

/// Why there is no editor.
#[derive(Debug, thiserror::Error)]
pub enum EditorError {
    /// Its program or files are not there.
    #[error("cannot start the editor {program}: {source}")]
    Start {
        /// Which program.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("the editor ended with code {code} before it answered: {log}")]
    Ended {
        /// Its exit code.
        code: i32,
        /// The last lines of its log.
        log: String,
    },
    /// It runs but does not answer.
    #[error("the editor did not answer within 30 s: {log}")]
    Silent {
        /// The last lines of its log.
        log: String,
    },
    /// `STREAMS` are open.
    #[error("256 streams to the editor are open; close some tabs")]
    TooMany,
}

/// A stream to the editor; the editor lives while one is open.
#[derive(Debug)]
pub struct Open {
    /// The stream.
    pub stream: UnixStream,
    _counted: Counted,
}

/// The editor of this workload. Cloned freely.
#[derive(Debug, Clone)]
pub struct Editor {
    setup: Arc<Setup>,
    reaper: Reaper,
    frames: Frames,
    streams: Arc<watch::Sender<usize>>,
    process: Arc<Mutex<Option<Process>>>,
}

#[derive(Debug)]
struct Process {
    pid: Pid,
    exit: Exit,
}

impl Editor {
    /// An editor that nobody has opened yet.
    pub fn new(setup: Setup, reaper: Reaper, frames: Frames) -> Self {
        let streams = Arc::new(watch::channel(0).0);
        let editor = Self { setup: Arc::new(setup), reaper, frames, streams, process: Arc::default() };
        tokio::spawn(editor.clone().retire());
        editor
    }

    /// A new stream; starts the editor when it does not run.
    pub async fn open(&self) -> Result<Open, EditorError> {
        let counted = Counted::one(&self.streams).ok_or(EditorError::TooMany)?;
        let mut process = self.process.lock().await;
        if process.is_some()
            && let Ok(stream) = self.connect().await
        {
            return Ok(Open { stream, _counted: counted });
        }
        if let Some(old) = process.take() {
            old.end(Signal::KILL).await;
        }
        let began = Instant::now();
        let mut new = self.start().map_err(|source| self.not_started(source))?;
        let ready = self.ready(&mut new).await;
        *process = Some(new);
        let stream = ready?;
        drop(process);
        self.frames.note(format!("editor started in {} ms", began.elapsed().as_millis())).await;
        Ok(Open { stream, _counted: counted })
    }

    /// Returns when nobody has it open, and nobody opened it again within `grace`.
    pub async fn closed(&self, grace: Duration) {
        let mut streams = self.streams.subscribe();
        loop {
            // It cannot fail: this editor holds the sender.
            streams.wait_for(|n| *n == 0).await.ok();
            if timeout(grace, streams.wait_for(|n| *n > 0)).await.is_err() {
                return;
            }
        }
    }

    /// Ends it now.
    pub async fn end(&self) {
        if let Some(process) = self.process.lock().await.take() {
            process.end(Signal::KILL).await;
        }
    }

    /// Ends the editor each time nobody has had it open for a while.
    async fn retire(self) {
        loop {
            self.streams.subscribe().wait_for(|n| *n > 0).await.ok();
            self.closed(IDLE).await;
            let mut process = self.process.lock().await;
            if *self.streams.borrow() == 0
                && let Some(old) = process.take()
            {
                old.end(Signal::TERM).await;
                drop(process);
                self.frames.note("editor ended: nobody has it open").await;
            }
        }
    }

    /// Connects to an editor that runs. Its backlog may be full for a moment, which does not mean it is gone.
    async fn connect(&self) -> io::Result<UnixStream> {
        let until = Instant::now() + BACKLOG;
        loop {
            match UnixStream::connect(self.socket()).await {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {
                    sleep(LOOK).await
                }
                result => return result,
            }
        }
    }

    fn socket(&self) -> PathBuf {
        self.setup.home.join(".ikigai-editor.sock")
    }

    fn log(&self) -> PathBuf {
        self.setup.home.join(".ikigai-editor.log")
    }

    fn not_started(&self, source: io::Error) -> EditorError {
        EditorError::Start { program: self.setup.program.clone(), source }
    }

    fn start(&self) -> io::Result<Process> {
        let Setup { program, home, workdir, env } = &*self.setup;
        write_settings(&home.join(".local/share/code-server/User/settings.json"))?;
        std::fs::remove_file(self.socket()).or_else(|e| match e.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(e),
        })?;
        let log = File::create(self.log())?;
        let mut command = Command::new(program);
        command.arg("--socket").arg(self.socket()).args(FLAGS).arg(workdir);
        command.envs(env).env("HOME", home).env("EXTENSIONS_GALLERY", "{}").current_dir(workdir);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let started = self.reaper.spawn(&mut command, Role::Editor)?;
        Ok(Process { pid: started.pid, exit: started.exit })
    }

    /// Waits until it answers, and gives a stream.
    async fn ready(&self, process: &mut Process) -> Result<UnixStream, EditorError> {
        let socket = self.socket();
        let answers = async {
            while !healthy(&socket).await {
                sleep(LOOK).await;
            }
            self.connect().await
        };
        tokio::select! {
            stream = answers => stream.map_err(|source| self.not_started(source)),
            code = process.exit.code() => Err(EditorError::Ended { code, log: tail(&self.log()) }),
            () = sleep(READY) => Err(EditorError::Silent { log: tail(&self.log()) }),
        }
    }
}

/// No login and no port proxy: the node asks who it is, and `/proxy/PORT/` would lead to our own port.
/// A closed tab is forgotten after 20 s instead of three hours. The time-out is for an agentd that is gone.
const FLAGS: [&str; 9] = [
    "--auth=none",
    "--disable-proxy",
    "--disable-telemetry",
    "--disable-update-check",
    "--disable-getting-started-override",
    "--reconnection-grace-time",
    "20",
    "--idle-timeout-seconds",
    "90",
];

impl Process {
    async fn end(mut self, with: Signal) {
        end_group(self.pid, &mut self.exit, with).await;
    }
}

/// One of the streams that are open.
#[derive(Debug)]
struct Counted(Arc<watch::Sender<usize>>);

impl Counted {
    fn one(streams: &Arc<watch::Sender<usize>>) -> Option<Self> {
        let counted = streams.send_if_modified(|n| {
            let room = *n < STREAMS;
            *n += usize::from(room);
            room
        });
        counted.then(|| Self(streams.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}

/// Settings a person changed are left alone.
fn write_settings(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let settings = std::fs::read_to_string(SETTINGS).unwrap_or_else(|_| OWN_SETTINGS.to_owned());
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    std::fs::write(path, settings)
}

async fn healthy(socket: &Path) -> bool {
    let asked = async {
        let mut stream = BufReader::new(UnixStream::connect(socket).await?);
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        read_head(&mut stream).await
    };
    matches!(timeout(Duration::from_secs(5), asked).await, Ok(Ok(200)))
}

/// The last 1,000 characters of a log, on one line.
fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let start = text.len().saturating_sub(1000);
    String::from_utf8_lossy(&text[start..]).trim().replace('\n', " | ")
}
