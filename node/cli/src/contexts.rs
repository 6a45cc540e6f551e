//! Contexts: names for nodes, in `$XDG_CONFIG_HOME/ikigai/contexts.toml`.

use ikigai_remote::RemoteNode;
use ikigai_wire::api::{Code, Problem};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The context that needs no file: this machine's node over its socket.
pub(crate) const LOCAL: &str = "local";

/// The file.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The one in use.
    pub(crate) current: Option<String>,
    /// The others.
    pub(crate) contexts: BTreeMap<String, Place>,
}

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Place {
    /// A Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) socket: Option<PathBuf>,
    /// Or loopback HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// With `https`: what its certificate must be, as `ikigai up` prints it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<String>,
    /// Then the file with its token; `IKIGAI_TOKEN_FILE` goes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
}

// === impl Contexts ===

impl Contexts {
    /// The name that is in use.
    pub(crate) fn current<'a>(&'a self, asked: Option<&'a str>) -> &'a str {
        asked.or(self.current.as_deref()).unwrap_or(LOCAL)
    }

    /// The node called `asked`, or the one in use.
    pub(crate) fn open(
        &self,
        asked: Option<&str>,
        local: impl FnOnce() -> Result<PathBuf, Problem>,
    ) -> Result<RemoteNode, Problem> {
        let name = self.current(asked);
        match self.contexts.get(name) {
            None if name == LOCAL => Ok(RemoteNode::unix(local()?)),
            None => Err(unknown(name)),
            Some(Place { socket: Some(socket), .. }) => Ok(RemoteNode::unix(socket)),
            Some(place) => {
                let url = place.url.as_deref().unwrap_or("http://127.0.0.1:7420");
                match &place.fingerprint {
                    Some(fingerprint) => RemoteNode::https(url, &token(place)?, fingerprint),
                    None => RemoteNode::http(url, &token(place)?),
                }
            }
        }
    }
}

pub(crate) fn unknown(name: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no context `{name}`"), "run: ikigai context ls")
}

fn token(place: &Place) -> Result<String, Problem> {
    let path = std::env::var_os("IKIGAI_TOKEN_FILE").map(PathBuf::from).or_else(|| place.token_file.clone());
    let hint = "name the file with the token in IKIGAI_TOKEN_FILE";
    let path = path.ok_or_else(|| Problem::new(Code::Unauthenticated, "this context has no token", hint))?;
    let read = std::fs::read_to_string(&path);
    read.map_err(|e| {
        Problem::new(Code::Unauthenticated, format!("cannot read {}: {e}", path.display()), hint)
    })
}

/// The file's path.
pub(crate) fn path() -> Result<PathBuf, Problem> {
    let var = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = var("XDG_CONFIG_HOME").or_else(|| var("HOME").map(|h| h.join(".config")));
    let base =
        base.ok_or_else(|| Problem::new(Code::Usage, "there is no home folder", "set XDG_CONFIG_HOME"))?;
    Ok(base.join("ikigai/contexts.toml"))
}

/// The file; none is an empty one.
pub(crate) fn load() -> Result<Contexts, Problem> {
    let Ok(path) = path() else { return Ok(Contexts::default()) };
    match std::fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).map_err(|e| {
            let text = format!("{} cannot be read: {}", path.display(), e.message());
            Problem::new(Code::Usage, text, format!("correct or remove {}", path.display()))
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Contexts::default()),
        Err(e) => Err(Problem::plain(Code::Failed, format!("cannot read {}: {e}", path.display()))),
    }
}

/// Writes the file as a whole, under another name first.
pub(crate) fn save(contexts: &Contexts) -> Result<(), Problem> {
    let path = path()?;
    let failed =
        |e: std::io::Error| Problem::plain(Code::Failed, format!("cannot write {}: {e}", path.display()));
    let text = toml::to_string(contexts).map_err(|e| Problem::plain(Code::Failed, e.to_string()))?;
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
    let fresh = path.with_extension("toml.new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    std::fs::rename(&fresh, &path).map_err(failed)
}
