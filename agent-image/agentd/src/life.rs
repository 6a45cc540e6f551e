//! The whole of it: read the launch file, run what it says, stay while somebody looks, end.

use crate::control::Obeying;
use crate::editor::{self, Editor};
use crate::frames::{Frames, Room};
use crate::gateway::Gateway;
use crate::launch::{self, LaunchError, Plan, Words};
use crate::program::{NotStarted, OWN_FAULT, Running};
use crate::reaper::Reaper;
use crate::stop::{self, Stop};
use crate::terminal::{self, Terminal};
use crate::{control, forward};
use ikigai_wire::agent::{
    Adapter, FrameBody, GATEWAY_PORT, GATEWAY_SOCKET, Launch, Program, RUN_FOLDER, Resumed, SESSION_FOLDER,
};
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// After its time, how long nobody may have the editor open before agentd ends.
const LINGER_GRACE: Duration = Duration::from_secs(20);

/// Where things are; only tests and executors without containers say otherwise.
#[derive(Debug)]
struct Settings {
    run: PathBuf,
    port: u16,
    editor: String,
    home: Option<String>,
}

impl Settings {
    fn from_env() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        Self {
            run: var("IKIGAI_RUN").unwrap_or_else(|| RUN_FOLDER.into()).into(),
            port: var("IKIGAI_GATEWAY_PORT").and_then(|p| p.parse().ok()).unwrap_or(GATEWAY_PORT),
            editor: var("IKIGAI_EDITOR").unwrap_or_else(|| "code-server".into()),
            home: var("HOME"),
        }
    }
}

/// Runs agentd and answers its exit code.
pub fn run() -> u8 {
    let code = start().unwrap_or_else(|error| {
        eprintln!("ikigai-agentd: {error}");
        OWN_FAULT
    });
    u8::try_from(code & 0xff).unwrap_or(1)
}

fn start() -> io::Result<i32> {
    // The agent has the same user id. Without this it could write frames of its own to our standard output
    // through /proc, or read the memory of this process.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // Orphans come to us also where we are not PID 1.
    set_child_subreaper(Some(getpid()))?;
    let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let (frames, writer) = Frames::start(out);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(live(&Settings::from_env(), &frames));
    // Its tasks hold frames; the writer ends when the last of them is gone and all is written.
    drop(runtime);
    drop(frames);
    writer.join().map_err(|_| io::Error::other("the writer of frames panicked"))?;
    Ok(code)
}

async fn live(settings: &Settings, frames: &Frames) -> i32 {
    let ended = match prepare(settings, frames).await {
        Ok(life) => return life.through(frames).await,
        Err(error) => FrameBody::Ended { code: OWN_FAULT, error: Some(error.to_string()) },
    };
    frames.say(vec![ended]).await;
    OWN_FAULT
}

/// Everything a program needs around it.
struct Life {
    launch: Launch,
    gateway_url: String,
    home: String,
    reaper: Reaper,
    editor: Editor,
    terminal: Terminal,
    /// A person types in the terminal.
    held: watch::Receiver<bool>,
    stop: Stop,
}

async fn prepare(settings: &Settings, frames: &Frames) -> Result<Life, PrepareError> {
    let (stopper, stop) = stop::pair();
    stopper.clone().ask_on_signals(frames.clone()).map_err(PrepareError::Signals)?;
    let reaper = Reaper::start().map_err(PrepareError::Signals)?;
    let launch = launch::read(&settings.run)?;
    let home = launch::home(&launch, settings.home.clone())?;
    let gateway = Gateway::at(settings.run.join(GATEWAY_SOCKET));
    let port = settings.port;
    let port =
        forward::start(port, gateway.clone()).await.map_err(|source| PrepareError::Port { port, source })?;
    let (workdir, env) = (PathBuf::from(&launch.workdir), launch.env.clone());
    let shell = terminal::Setup { home: home.clone().into(), workdir: workdir.clone(), env: env.clone() };
    let terminal = Terminal::new(shell, reaper.clone(), frames.clone());
    let setup = editor::Setup { program: settings.editor.clone(), home: home.clone().into(), workdir, env };
    let editor = Editor::new(setup, reaper.clone(), frames.clone());
    let (hold, held) = watch::channel(false);
    let (editing, term) = (editor.clone(), terminal.clone());
    let over = Obeying { editor: editing, terminal: term, held: Arc::new(hold), stopper };
    tokio::spawn(control::keep(gateway, over));
    let gateway_url = format!("http://127.0.0.1:{port}/v1");
    Ok(Life { launch, gateway_url, home, reaper, editor, terminal, held, stop })
}

/// Why agentd cannot do its part.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("cannot listen on 127.0.0.1:{port}, which leads to the gateway: {source}")]
    Port { port: u16, source: io::Error },
}

impl Life {
    async fn through(mut self, frames: &Frames) -> i32 {
        let (code, error) = match self.program(frames).await {
            Ok(code) => (code, None),
            Err(error) => (error.code, Some(error.why)),
        };
        self.handed_back(frames).await;
        frames.say(vec![FrameBody::Ended { code, error }]).await;
        self.linger().await;
        self.terminal.end().await;
        self.editor.end().await;
        self.reaper.sweep().await;
        code
    }

    async fn program(&mut self, frames: &Frames) -> Result<i32, NotStarted> {
        let room = frames.room().await;
        match self.launch.program.clone() {
            Program::Agent { adapter, prompt, model, session, resume_prompt, sessions } => {
                let (gateway, home) = (self.gateway_url.clone(), self.home.clone());
                let words =
                    Words { prompt: &prompt, model: &model, session: "", gateway: &gateway, home: &home };
                if let Some(own) = &sessions {
                    launch::link_sessions(own, words, SESSION_FOLDER).map_err(NotStarted::own_fault)?;
                }
                let session = session.filter(|s| !s.is_empty() && adapter.resume.is_some());
                let mut room = Some(room);
                if let Some(session) = &session {
                    let again = Words { prompt: &resume_prompt, session, ..words };
                    if let Some(code) = self.resume(&adapter, again, &mut room, frames).await? {
                        return Ok(code);
                    }
                    frames.say(vec![FrameBody::Resumed { how: Resumed::Cold }]).await;
                }
                self.run(&adapter, words, &mut room, frames).await.map(|(code, _)| code)
            }
            Program::Checks { commands, timeout_secs } => {
                room.say(vec![FrameBody::Started]);
                Ok(self.checks(&commands, Duration::from_secs(timeout_secs), frames).await)
            }
        }
    }

    /// Goes on with a session. `None` when the CLI ended before its first event: it does not know the session, or
    /// cannot use it, and begins anew.
    async fn resume(
        &mut self,
        adapter: &Adapter,
        words: Words<'_>,
        room: &mut Option<Room<'_>>,
        frames: &Frames,
    ) -> Result<Option<i32>, NotStarted> {
        let (code, began) = self.run(adapter, words, room, frames).await?;
        if began || self.stop.now().is_some() {
            return Ok(Some(code));
        }
        frames.note(format!("the agent's CLI did not take its session, and exited with {code}")).await;
        Ok(None)
    }

    /// Runs the CLI to its end: its exit code, and whether it named a session.
    async fn run(
        &mut self,
        adapter: &Adapter,
        words: Words<'_>,
        room: &mut Option<Room<'_>>,
        frames: &Frames,
    ) -> Result<(i32, bool), NotStarted> {
        let plan = self.agent(adapter, words).map_err(NotStarted::own_fault)?;
        let running = Running::start(&plan, &self.reaper, frames)?;
        if let Some(room) = room.take() {
            room.say(vec![FrameBody::Started]);
        }
        let began = running.began();
        let code = running.finish(&mut self.stop, None).await;
        Ok((code, began.load(Ordering::Relaxed)))
    }

    fn agent(&self, adapter: &Adapter, words: Words<'_>) -> Result<Plan, LaunchError> {
        launch::write_files(adapter, words)?;
        launch::agent_plan(&self.launch, adapter, words)
    }

    /// Runs every check, also after one failed; told to stop, it leaves out the rest.
    async fn checks(&mut self, commands: &[String], limit: Duration, frames: &Frames) -> i32 {
        let mut worst = 0;
        for command in commands {
            let began = Instant::now();
            let plan = launch::check_plan(&self.launch, command);
            let code = match Running::start(&plan, &self.reaper, frames) {
                Ok(running) => running.finish(&mut self.stop, Some(limit)).await,
                Err(error) => {
                    frames.note(error.why).await;
                    error.code
                }
            };
            let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            frames.say(vec![FrameBody::Checked { command: command.clone(), code, ms }]).await;
            if let Some(signal) = self.stop.now() {
                return 128 + signal.as_raw();
            }
            worst = i32::from(worst != 0 || code != 0);
        }
        worst
    }

    /// Waits while a person types: what they change is part of the result.
    async fn handed_back(&mut self, frames: &Frames) {
        if !*self.held.borrow() {
            return;
        }
        frames.note("the agent has ended; its result is taken when the terminal is handed back").await;
        tokio::select! {
            _ = self.stop.asked() => {}
            _ = self.held.wait_for(|held| !held) => {}
        }
    }

    /// Stays for the time the launch file gives, and while somebody has the editor or the terminal open.
    async fn linger(&mut self) {
        let stay = Duration::from_secs(self.launch.linger_secs);
        if stay.is_zero() {
            return;
        }
        let stayed = async {
            tokio::time::sleep(stay).await;
            tokio::join!(self.editor.closed(LINGER_GRACE), self.terminal.closed(LINGER_GRACE));
        };
        tokio::select! {
            _ = self.stop.asked() => {}
            () = stayed => {}
        }
    }
}
