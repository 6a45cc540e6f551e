//! The `RAD_HOME` of a node: its key and its settings, written from what the node already has.

use crate::programs::RadicleOptions;
use crate::signer::{KeySigner, nid};
use ikigai_ports::{PortError, PortResult, Signer};
use serde_json::json;
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{LineEnding, PrivateKey};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Longest path of a Unix socket Linux takes, in bytes.
const SOCKET_PATH: usize = 107;

/// A node's `RAD_HOME`.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// Makes the folder, and writes key and settings where they differ.
    pub fn prepare(options: &RadicleOptions) -> PortResult<Self> {
        let home = Self(options.home.clone());
        let socket = home.socket();
        if socket.as_os_str().len() > SOCKET_PATH {
            let text =
                format!("{} is too long for a socket: give the node a shorter data folder", socket.display());
            return Err(PortError::Refused(text));
        }
        let failed = |e| PortError::failed(format!("preparing {}", options.home.display()), e);
        for folder in [home.0.clone(), home.0.join("keys"), home.0.join("ikigai")] {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        home.write_key(options)?;
        home.write_settings(options).map_err(failed)?;
        Ok(home)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the running node is asked.
    pub fn socket(&self) -> PathBuf {
        self.0.join("node/control.sock")
    }

    /// What the node program prints.
    pub fn log(&self) -> PathBuf {
        self.0.join("ikigai/node.log")
    }

    /// Which process was started on this home.
    pub fn process(&self) -> PathBuf {
        self.0.join("ikigai/node.pid")
    }

    /// A bare repository with all that is known of `rid`.
    pub fn storage(&self, rid: &str) -> PathBuf {
        self.0.join("storage").join(rid.trim_start_matches("rad:"))
    }

    /// A note of ours called `name`.
    pub fn note(&self, kind: &str, name: &str) -> PathBuf {
        self.0.join("ikigai").join(kind).join(name)
    }

    /// Writes the key in the form `rad` reads; one that is there must be the same.
    fn write_key(&self, options: &RadicleOptions) -> PortResult<()> {
        let own = KeySigner::from_seed(options.seed);
        let (private, public) = (self.0.join("keys/radicle"), self.0.join("keys/radicle.pub"));
        if let Ok(text) = std::fs::read_to_string(&public) {
            let there = ssh_key::PublicKey::from_openssh(&text).ok();
            let there = there.and_then(|key| key.key_data().ed25519().map(|key| key.0));
            return match there {
                Some(key) if key == own.public_key() => Ok(()),
                _ => Err(PortError::Refused(format!(
                    "{} holds another key than this node's ({}); move that folder away",
                    private.display(),
                    nid(&own.node_id())
                ))),
            };
        }
        let pair = Ed25519Keypair {
            public: Ed25519PublicKey(own.public_key()),
            private: Ed25519PrivateKey::from_bytes(&options.seed),
        };
        let key = PrivateKey::new(KeypairData::Ed25519(pair), "radicle")
            .map_err(|e| PortError::failed("encoding a key", e))?;
        let secret = key.to_openssh(LineEnding::LF).map_err(|e| PortError::failed("encoding a key", e))?;
        let open = key.public_key().to_openssh().map_err(|e| PortError::failed("encoding a key", e))?;
        // The public half last: where it is, both are whole.
        let write = || {
            replace(&private, secret.as_bytes(), 0o600)?;
            replace(&public, open.as_bytes(), 0o644)
        };
        write().map_err(|e: io::Error| PortError::failed("writing the key for Radicle", e))
    }

    /// Only peers that were named are ever dialled: Radicle's own settings would dial public seeds.
    fn write_settings(&self, options: &RadicleOptions) -> io::Result<()> {
        let listen = options.listen.to_string();
        let external: Vec<&str> = if options.listen.port() == 0 || options.listen.ip().is_unspecified() {
            Vec::new()
        } else {
            vec![&listen]
        };
        let settings = json!({
            "preferredSeeds": options.connect,
            "publicExplorer": "https://radicle.network/nodes/$host/$rid$path",
            "cli": { "hints": false },
            "node": {
                "alias": alias(&options.alias),
                "listen": [listen],
                "externalAddresses": external,
                "peers": { "type": "static" },
                "connect": options.connect,
                "network": "main",
                "relay": "never",
                "seedingPolicy": { "default": "block" },
                // Older signed references can be replayed.
                "fetch": { "signedReferences": { "featureLevel": { "minimum": "parent" } } },
            },
        });
        replace(&self.0.join("config.json"), format!("{settings:#}\n").as_bytes(), 0o600)
    }
}

/// `name` as an alias Radicle takes: at most 32 bytes, no white space or control characters.
fn alias(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let alias: String = name.chars().map(plain).take(32).collect();
    if alias.is_empty() { "ikigai".to_owned() } else { alias }
}

/// Replaces a file whole; on disk before it has its name.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let _ = std::fs::remove_file(&fresh);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}
