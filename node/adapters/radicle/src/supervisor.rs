//! Keeps `radicle-node` running, connected to its peers and up to date on what to announce.

use crate::control::Control;
use crate::home::Home;
use crate::process::Process;
use crate::programs::Programs;
use ikigai_ports::{PortError, PortResult};
use std::collections::BTreeSet;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::process::Child;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How long a start may take.
const START: Duration = Duration::from_secs(20);
/// First and greatest wait before a node that ended is started again.
const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A node that ran this long had a good start.
const GOOD: Duration = Duration::from_secs(60);
/// How often peers are looked after without anything new.
const TEND: Duration = Duration::from_secs(10);

/// A supervised node; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    stop: CancellationToken,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    programs: Programs,
    home: Home,
    control: Control,
    nid: String,
    peers: Vec<String>,
    /// Repositories to announce, for when the node answers.
    unannounced: Mutex<BTreeSet<String>>,
    news: Notify,
    state: watch::Sender<State>,
}

/// How the node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Starting,
    Ready,
    /// It ended, and why; it is started again after a while.
    Away(String),
}

impl Supervisor {
    /// Ends what an earlier run of this node left, and starts the node; does not wait for it.
    pub async fn start(programs: Programs, home: Home, nid: String, peers: Vec<String>) -> PortResult<Self> {
        let control = Control(home.socket());
        clear_left_over(&home, &control).await?;
        let shared = Arc::new(Shared {
            programs,
            home,
            control,
            nid,
            peers,
            unannounced: Mutex::default(),
            news: Notify::new(),
            state: watch::Sender::new(State::Starting),
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(keep(shared.clone(), stop.clone()));
        Ok(Self { shared, stop, task: Mutex::new(Some(task)) })
    }

    /// The socket the running node is asked on.
    pub fn control(&self) -> &Control {
        &self.shared.control
    }

    /// Waits until the node answers.
    pub async fn ready(&self) -> PortResult<()> {
        let mut state = self.shared.state.subscribe();
        let ready = state.wait_for(|state| *state != State::Starting);
        let now = tokio::time::timeout(START, ready).await;
        match now.ok().and_then(Result::ok).map(|state| state.clone()) {
            Some(State::Ready) => Ok(()),
            Some(State::Away(why)) => Err(PortError::unavailable("the Radicle node", why)),
            _ => Err(PortError::unavailable("the Radicle node", "it is still starting")),
        }
    }

    /// Announces `rid` to peers now, or as soon as the node answers and is connected.
    pub fn announce(&self, rid: &str) {
        let mut waiting = self.shared.unannounced.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(rid.to_owned());
        drop(waiting);
        self.shared.news.notify_one();
    }

    /// Ends the node and waits for that.
    pub async fn stop(&self) {
        self.stop.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // The task ends the node; where the runtime ends first, the child is killed with it.
        self.stop.cancel();
    }
}

/// Ends a node an earlier process of ours left; one that is not ours is left alone and reported.
async fn clear_left_over(home: &Home, control: &Control) -> PortResult<()> {
    for process in Process::noted(&home.process(), home.path()) {
        tracing::info!("ending the Radicle node of an earlier run");
        process.end().await.map_err(|e| PortError::failed("ending the Radicle node of an earlier run", e))?;
    }
    match control.nid().await {
        Ok(_) => Err(PortError::Refused(format!(
            "a radicle-node that this node did not start runs on {}; stop it: rad node stop",
            home.path().display()
        ))),
        Err(_) => Ok(()),
    }
}

async fn keep(shared: Arc<Shared>, stop: CancellationToken) {
    let mut wait = WAIT.0;
    loop {
        let began = Instant::now();
        let why = match launch(&shared) {
            Ok(mut child) => tokio::select! {
                status = attend(&shared, &mut child) => ended(&shared, status),
                () = stop.cancelled() => return end(&shared, child).await,
            },
            Err(error) => error.to_string(),
        };
        tracing::warn!(%why, again_in_ms = wait.as_millis(), "the Radicle node ended");
        shared.state.send_replace(State::Away(why));
        wait = if began.elapsed() > GOOD { WAIT.0 } else { wait };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
        wait = (wait * 2).min(WAIT.1);
    }
}

fn launch(shared: &Shared) -> std::io::Result<Child> {
    let log = std::fs::File::create(shared.home.log())?;
    let mut command = shared.programs.node();
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Process::will_start(&shared.home.process())?;
    let child = command.kill_on_drop(true).process_group(0).spawn()?;
    if let Some(process) = child.id().and_then(Process::of) {
        process.note(&shared.home.process())?;
    }
    Ok(child)
}

/// Looks after a node until it ends.
async fn attend(shared: &Shared, child: &mut Child) -> std::io::Result<ExitStatus> {
    let care = async {
        while shared.control.nid().await.is_err() {
            // The socket has no event to wait for before it is there.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        shared.state.send_replace(State::Ready);
        tokio::join!(keep_announced(shared), keep_connected(shared));
    };
    tokio::select! {
        status = child.wait() => status,
        // Both go on for as long as there is a node.
        () = care => child.wait().await,
    }
}

/// Announces what is new, as soon as it is.
async fn keep_announced(shared: &Shared) {
    loop {
        let waiting = std::mem::take(&mut *shared.unannounced.lock().unwrap_or_else(PoisonError::into_inner));
        for rid in waiting {
            if let Err(error) = shared.control.announce(&rid, &shared.nid).await {
                tracing::debug!(%rid, %error, "cannot announce now");
                shared.unannounced.lock().unwrap_or_else(PoisonError::into_inner).insert(rid);
            }
        }
        let _ = tokio::time::timeout(TEND, shared.news.notified()).await;
    }
}

/// Connects to peers that are away: the node itself waits a minute before it tries again.
async fn keep_connected(shared: &Shared) {
    loop {
        let connected = shared.control.peers().await.unwrap_or_default();
        let away = |peer: &&String| !connected.iter().any(|nid| peer.starts_with(nid.as_str()));
        for peer in shared.peers.iter().filter(away) {
            if let Err(error) = shared.control.connect(peer).await {
                tracing::debug!(%peer, %error, "a Radicle peer is away");
            }
        }
        tokio::time::sleep(TEND).await;
    }
}

async fn end(shared: &Shared, mut child: Child) {
    if let Some(process) = child.id().and_then(Process::of)
        && let Err(error) = process.end().await
    {
        tracing::warn!(%error, "cannot end the Radicle node gently");
    }
    let _ = child.kill().await;
    let _ = std::fs::remove_file(shared.home.process());
}

/// Why the node ended: the last line it wrote.
fn ended(shared: &Shared, status: std::io::Result<ExitStatus>) -> String {
    let log = std::fs::read_to_string(shared.home.log()).unwrap_or_default();
    let last: String =
        log.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("").chars().take(300).collect();
    let status = status.map_or_else(|e| e.to_string(), |s| s.to_string());
    format!("radicle-node ended ({status}): {last}")
}
