//! The desktop of this machine's user, by `notify-send`.

use async_trait::async_trait;
use ikigai_notify::Message;
use ikigai_ports::notice::Channel;
use ikigai_ports::{PortError, PortResult};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows messages on the desktop.
#[derive(Debug)]
pub struct Desktop {
    program: PathBuf,
}

impl Desktop {
    /// With the `notify-send` of this machine.
    ///
    /// # Errors
    /// [`PortError::Refused`] when it is not installed, or there is no session to show anything in.
    pub fn new() -> PortResult<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path).map(|d| d.join("notify-send")).find(|p| p.is_file());
        let missing = "notify.desktop: notify-send is not installed; run: apt install libnotify-bin";
        let program = program.ok_or_else(|| PortError::Refused(missing.to_owned()))?;
        if !has_session(|name| std::env::var_os(name)) {
            let text = "notify.desktop: the node runs outside a desktop session (no session bus); start it within one";
            return Err(PortError::Refused(text.to_owned()));
        }
        Ok(Self::with(program))
    }

    /// With another program that takes the same arguments.
    pub fn with(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }
}

/// Whether a session bus can be found, as `notify-send` itself would.
fn has_session(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> bool {
    let named = variable("DBUS_SESSION_BUS_ADDRESS").is_some_and(|v| !v.is_empty());
    named || variable("XDG_RUNTIME_DIR").is_some_and(|dir| Path::new(&dir).join("bus").exists())
}

#[async_trait]
impl Channel for Desktop {
    fn name(&self) -> &str {
        "desktop"
    }

    async fn deliver(&self, message: &Message, link: &str) -> PortResult<()> {
        let urgency = if message.urgent { "critical" } else { "normal" };
        let body = format!("{}\n{link}", message.text);
        let mut command = Command::new(&self.program);
        command.args(["--app-name=Ikigai", &format!("--urgency={urgency}"), "--"]);
        command.args([&message.title, &escape(&body)]).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let away = |source: ikigai_ports::error::Source| PortError::unavailable("the desktop", source);
        let ended = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = ended.map_err(|e| away(e.into()))?.map_err(|e| away(e.into()))?;
        if output.status.success() {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&output.stderr).chars().take(200).collect();
        Err(away(format!("notify-send ended with {}: {}", output.status, said.trim()).into()))
    }
}

/// The text is markup there.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_one_with_a_bus() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = dir.path().as_os_str().to_owned();
        let with = |bus: &str, dir: bool| {
            has_session(|name| match name {
                "DBUS_SESSION_BUS_ADDRESS" => Some(bus.into()),
                _ => dir.then(|| runtime.clone()),
            })
        };
        assert!(with("unix:path=/x", false) && !with("", false) && !with("", true));
        std::fs::write(dir.path().join("bus"), "").unwrap();
        assert!(with("", true));
    }
}
