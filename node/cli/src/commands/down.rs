//! `ikigai down`

use crate::args::Dry;
use crate::env::Env;
use crate::human::Span;
use crate::run::Outcome;
use clap::Args;
use ikigai_wire::api::{Code, Problem};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// Stops this machine's node; its tasks go on when it is back
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai down\n  ikigai down --timeout 10s")]
pub(crate) struct Down {
    /// Give up waiting after this long (exit code 8)
    #[arg(long, value_name = "TIME", default_value = "60s")]
    timeout: Span,
    #[command(flatten)]
    dry: Dry,
}

impl Down {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let socket = env.socket()?;
        let pid = owner(&socket).await?;
        if self.dry.dry_run {
            env.out.lines(&[format!("would stop the node with process id {}", pid.as_raw_nonzero())])?;
            return Ok(0);
        }
        let failed = |e: rustix::io::Errno| {
            Problem::plain(Code::Failed, format!("cannot stop process {}: {e}", pid.as_raw_nonzero()))
        };
        // A process descriptor: the id cannot come to mean another process in between.
        let process = pidfd_open(pid, PidfdFlags::NONBLOCK).map_err(failed)?;
        pidfd_send_signal(&process, Signal::TERM).map_err(failed)?;
        let limit = self.timeout.0;
        let ended = tokio::task::spawn_blocking(move || ended(&process, limit)).await;
        if !ended.is_ok_and(|ended| ended) {
            let text = format!("the node did not stop within {}", crate::human::span(limit));
            return Err(Problem::new(
                Code::TimedOut,
                text,
                "it was told to; look again, or use a longer --timeout",
            ));
        }
        env.out.say("the node stopped");
        Ok(0)
    }
}

/// Whether the process has ended, waiting for that up to `limit`: its descriptor is readable from then on.
fn ended(process: &OwnedFd, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).ok();
    let mut wanted = [PollFd::new(process, PollFlags::IN)];
    poll(&mut wanted, limit.as_ref()).is_ok_and(|ready| ready > 0)
}

/// The process on the other end of the socket, as the kernel says.
async fn owner(socket: &Path) -> Result<Pid, Problem> {
    let none = |_| {
        Problem::new(Code::Unreachable, format!("no node answers on {}", socket.display()), "run: ikigai up")
    };
    let stream = UnixStream::connect(socket).await.map_err(none)?;
    let pid = stream.peer_cred().ok().and_then(|c| c.pid()).filter(|pid| *pid > 1).and_then(Pid::from_raw);
    let hint = "if it runs in a container, stop that: docker stop ikigai";
    pid.ok_or_else(|| Problem::new(Code::Failed, "the node is not a process of this machine", hint))
}
