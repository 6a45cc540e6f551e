//! Asks the running Radicle node over its control socket: one JSON line there, one back.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Greatest answer that is read, in bytes.
const ANSWER: u64 = 4 << 20;
/// How long an answer may take.
const TIME: Duration = Duration::from_secs(10);

/// The control socket of one node.
#[derive(Debug, Clone)]
pub(crate) struct Control(pub PathBuf);

impl Control {
    /// The node's id, if one is running.
    pub async fn nid(&self) -> io::Result<String> {
        self.ask(json!({"command": "nodeId"})).await
    }

    /// Addresses it listens on.
    pub async fn addresses(&self) -> io::Result<Vec<String>> {
        self.ask(json!({"command": "listenAddrs"})).await
    }

    /// Ids of the peers it is connected to.
    pub async fn peers(&self) -> io::Result<Vec<String>> {
        let sessions: Vec<Value> = self.ask(json!({"command": "sessions"})).await?;
        let connected = sessions.iter().filter(|s| s["state"].get("connected").is_some());
        Ok(connected.filter_map(|s| s["nid"].as_str().map(str::to_owned)).collect())
    }

    /// Connects to `<nid>@<host>:<port>`.
    pub async fn connect(&self, peer: &str) -> io::Result<()> {
        let opts = json!({"persistent": true, "timeout": {"secs": 5, "nanos": 0}});
        self.tell(json!({"command": "connect", "addr": peer, "opts": opts})).await
    }

    /// Tells peers that `nid`'s references of `rid` are new, and that the repository is here for them.
    pub async fn announce(&self, rid: &str, nid: &str) -> io::Result<()> {
        self.seed(rid).await?;
        self.tell(json!({"command": "addInventory", "rid": rid})).await?;
        self.tell(json!({"command": "announceRefsFor", "rid": rid, "namespaces": [nid]})).await
    }

    /// Keeps `rid` and lets others have it, whoever's references they are.
    pub async fn seed(&self, rid: &str) -> io::Result<()> {
        self.tell(json!({"command": "seed", "rid": rid, "scope": "all"})).await
    }

    async fn tell(&self, command: Value) -> io::Result<()> {
        self.ask::<Value>(command).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(&self, command: Value) -> io::Result<T> {
        let talk = async {
            let mut stream = UnixStream::connect(&self.0).await?;
            stream.write_all(format!("{command}\n").as_bytes()).await?;
            let mut line = String::new();
            BufReader::new(stream.take(ANSWER)).read_line(&mut line).await?;
            let value: Value = serde_json::from_str(&line)?;
            match value.get("error").and_then(Value::as_str) {
                Some(error) => Err(io::Error::other(error.to_owned())),
                None => Ok(serde_json::from_value(value)?),
            }
        };
        tokio::time::timeout(TIME, talk).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}
