//! Layers of one configuration: each key remembers where its value came from.

use super::{Config, ConfigError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Values by dotted key, the last layer that set one on top.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    merged: Table,
    from: BTreeMap<String, Vec<(String, String)>>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The dotted key.
    pub key: String,
    /// Each layer that set it and to what, the winner last.
    pub layers: Vec<(String, String)>,
}

impl Layers {
    /// The usual layers of this process: `/etc/ikigai`, the user's folder, of the project `[task]`, `IKIGAI_…`.
    ///
    /// # Errors
    /// When a file that is there cannot be read or is not TOML.
    pub fn usual(project: Option<&Path>) -> Result<Self, ConfigError> {
        let mut layers = Self::default();
        layers.openai(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
        for file in files() {
            layers.file(&file)?;
        }
        if let Some(project) = project {
            layers.project(&project.join("ikigai.toml"))?;
        }
        layers.environment(std::env::vars());
        Ok(layers)
    }

    /// The provider of whoever has a key for it and configured nothing. The variables are those of other programs
    /// too, so whatever is configured goes before them.
    fn openai(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        if variable("OPENAI_API_KEY").is_none() {
            return Ok(());
        }
        let quoted = |text: String| Value::String(text).to_string();
        let url =
            quoted(variable("OPENAI_BASE_URL").unwrap_or_else(|| "https://api.openai.com/v1".to_owned()));
        let model = variable("OPENAI_MODEL").map(|name| format!("[task]\nmodel = {}\n", quoted(name)));
        let text = format!(
            "[models.openai]\nkind = \"responses\"\nbase_url = {url}\nsecret = \"env:OPENAI_API_KEY\"\n{}",
            model.unwrap_or_default()
        );
        self.text("built in, since OPENAI_API_KEY is set", &text)
    }

    /// Adds a project's file, if it is there. It comes from a repository, which may say what its tasks want and not
    /// what this machine does: an executor or a model provider of its own would lead agents and credentials astray.
    fn project(&mut self, file: &Path) -> Result<(), ConfigError> {
        let mut alone = Self::default();
        alone.file(file)?;
        if let Some(section) = alone.merged.keys().find(|section| *section != "task") {
            let message = format!(
                "`{section}` is not a project's to say, only `task` is; put it into ~/.config/ikigai/ikigai.toml"
            );
            return Err(ConfigError::Invalid { layer: file.display().to_string(), message });
        }
        if !alone.explain("task.egress").is_empty() {
            // What a person listed for one project is not another one's to use.
            let message =
                "`task.egress` is not a project's to say; give it to a task: ikigai task new --egress";
            return Err(ConfigError::Invalid {
                layer: file.display().to_string(),
                message: message.to_owned(),
            });
        }
        // What was looked at, and not what the file says by now.
        self.merge(&file.display().to_string(), alone.merged);
        Ok(())
    }

    /// Adds a file, if it is there.
    ///
    /// # Errors
    /// When it cannot be read or is not TOML.
    pub fn file(&mut self, file: &Path) -> Result<(), ConfigError> {
        match std::fs::read_to_string(file) {
            Ok(text) => self.text(&file.display().to_string(), &text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(ConfigError::Unreadable { file: file.to_owned(), source }),
        }
    }

    /// Adds TOML text under a name.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn text(&mut self, layer: &str, text: &str) -> Result<(), ConfigError> {
        let invalid = |message| ConfigError::Invalid { layer: layer.to_owned(), message };
        let table: Table = text.parse().map_err(|e: toml::de::Error| invalid(e.to_string()))?;
        // Checked alone, so that the message names the layer that is wrong.
        table.clone().try_into::<Config>().map_err(|e| invalid(e.to_string().trim_end().to_owned()))?;
        self.merge(layer, table);
        Ok(())
    }

    /// Adds `IKIGAI_HTTP_LISTEN` as `http.listen`, and so on for every key that has a plain value.
    fn environment(&mut self, vars: impl Iterator<Item = (String, String)>) {
        for (name, value) in vars {
            let alias = ALIASES.iter().find(|(variable, _)| *variable == name).map(|(_, key)| *key);
            let key = alias.or_else(|| KEYS.into_iter().find(|k| variable(k) == name));
            if let Some(key) = key.filter(|_| !value.is_empty()) {
                self.set(&name, key, &value);
            }
        }
    }

    /// Adds one value under a dotted key, read as TOML where it is TOML, as text elsewhere.
    pub fn set(&mut self, layer: &str, key: &str, value: &str) {
        let as_toml = || format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
        let value = as_toml().unwrap_or_else(|| Value::String(value.to_owned()));
        let nested = key
            .rsplit('.')
            .fold(value, |inner, part| Value::Table(Table::from_iter([(part.to_owned(), inner)])));
        if let Value::Table(table) = nested {
            self.merge(layer, table);
        }
    }

    /// The configuration.
    ///
    /// # Errors
    /// When a value is not what its key wants.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let invalid = |e: toml::de::Error| ConfigError::Invalid {
            layer: "configuration".to_owned(),
            message: e.to_string().trim_end().to_owned(),
        };
        let config: Config = self.merged.clone().try_into().map_err(invalid)?;
        config.check()?;
        Ok(config)
    }

    /// Where the value of `key`, and of every key below it, came from.
    pub fn explain(&self, key: &str) -> Vec<Explained> {
        let below = format!("{key}.");
        let found = self.from.iter().filter(|(k, _)| key.is_empty() || *k == key || k.starts_with(&below));
        found.map(|(k, layers)| Explained { key: k.clone(), layers: layers.clone() }).collect()
    }

    fn merge(&mut self, layer: &str, table: Table) {
        let mut leaves = Vec::new();
        flatten("", &table, &mut leaves);
        for (key, value) in leaves {
            self.from.entry(key).or_default().push((layer.to_owned(), value.to_string()));
        }
        deep_merge(&mut self.merged, table);
    }
}

/// Keys that an environment variable may set.
const KEYS: [&str; 28] = [
    "access.policy",
    "node.name",
    "node.slots",
    "node.cpu_millis",
    "node.memory_bytes",
    "node.lease_secs",
    "node.backoff_ms",
    "http.listen",
    "http.shared_socket",
    "notify.desktop",
    "notify.link",
    "notify.quiet",
    "store.backend",
    "executor.backend",
    "executor.socket",
    "executor.image",
    "executor.agentd",
    "forge.backend",
    "forge.radicle_bin",
    "forge.listen",
    "task.adapter",
    "task.provider",
    "task.model",
    "task.max_attempts",
    "task.linger_secs",
    "task.max_turns",
    "task.time_secs",
    "task.memory_bytes",
];

/// Variables that setup writes, and the keys they mean.
const ALIASES: [(&str, &str); 2] =
    [("IKIGAI_AGENT_IMAGE", "executor.image"), ("IKIGAI_RADICLE_BIN", "forge.radicle_bin")];

fn variable(key: &str) -> String {
    format!("IKIGAI_{}", key.replace('.', "_").to_ascii_uppercase())
}

fn files() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".config"));
    let user = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or(home);
    let mut files = vec![PathBuf::from("/etc/ikigai/ikigai.toml")];
    files.extend(user.map(|u| u.join("ikigai/ikigai.toml")));
    files
}

fn flatten(prefix: &str, table: &Table, leaves: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, leaves),
            leaf => leaves.push((key, leaf.clone())),
        }
    }
}

fn deep_merge(into: &mut Table, from: Table) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Table(old)), Value::Table(new)) => deep_merge(old, new),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_layer_wins_and_is_named() {
        let mut layers = Layers::default();
        layers
            .text("/etc/ikigai/ikigai.toml", "[http]\nlisten = \"127.0.0.1:1\"\n[node]\nslots = 3")
            .unwrap();
        layers.environment([("IKIGAI_HTTP_LISTEN".to_owned(), "127.0.0.1:2".to_owned())].into_iter());
        layers.environment([("IKIGAI_NODE_SLOTS".to_owned(), "5".to_owned())].into_iter());
        let config = layers.config().unwrap();
        assert_eq!((config.http.listen.as_str(), config.node.slots), ("127.0.0.1:2", Some(5)));
        let explained = layers.explain("http.listen");
        assert_eq!(explained[0].layers.last().unwrap().0, "IKIGAI_HTTP_LISTEN");
    }

    #[test]
    fn a_wrong_key_names_its_file_and_line() {
        let mut layers = Layers::default();
        let error = layers.text("a.toml", "[http]\nlissen = 1").unwrap_err().to_string();
        assert!(error.starts_with("a.toml: ") && error.contains("lissen"), "{error}");
    }

    #[test]
    fn whoever_has_a_key_and_configured_nothing_has_a_provider() {
        let explained = |set: &[(&str, &str)]| {
            let mut layers = Layers::default();
            let find = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            layers.openai(find).unwrap();
            layers.config().unwrap()
        };
        assert!(
            explained(&[("OPENAI_BASE_URL", "http://x/v1")]).models.is_empty(),
            "without a key there is none"
        );
        let config = explained(&[("OPENAI_API_KEY", "k")]);
        assert!(format!("{:?}", config.models["openai"]).contains("https://api.openai.com/v1"));
        let set =
            [("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/\"v1"), ("OPENAI_MODEL", "m")];
        let config = explained(&set);
        assert!(format!("{:?}", config.models["openai"]).contains("127.0.0.1:1"));
        assert_eq!(config.task.model.as_deref(), Some("m"));
    }

    #[test]
    fn every_key_of_the_environment_exists() {
        for key in KEYS {
            let mut layers = Layers::default();
            layers.set("test", key, "127");
            let unknown =
                layers.config().err().map(|e| e.to_string()).filter(|e| e.contains("unknown field"));
            assert_eq!(unknown, None, "{key}");
        }
    }
}
