//! Which files of a project an agent never sees, and how git is told so.

/// Names that hold secrets by custom; `*` stands for any text, once per name.
const DENIED: [&str; 6] = [".env", ".env.*", "*.pem", "*.key", "credentials.json", "secrets.yaml"];

/// Names that look like a denied one and are written to be shared.
const SHOWN: [&str; 3] = [".env.example", ".env.sample", ".env.template"];

/// The files of a project that are kept out of every workspace, with their contents.
#[derive(Debug, Clone)]
pub struct View {
    denied: Vec<String>,
    shown: Vec<String>,
}

impl Default for View {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Self { denied: list(&DENIED), shown: list(&SHOWN) }
    }
}

impl View {
    /// Keeps files and folders called `name` out too; one `*` in it stands for any text.
    #[must_use]
    pub fn deny(mut self, name: impl Into<String>) -> Self {
        self.denied.push(name.into());
        self
    }

    /// Whether a workspace is without the file at `path`: the innermost name of it that a rule knows decides.
    pub fn hides(&self, path: &[u8]) -> bool {
        let any = |list: &[String], name: &[u8]| list.iter().any(|p| matches(p.as_bytes(), name));
        let decide = |name: &[u8]| match (any(&self.shown, name), any(&self.denied, name)) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            _ => None,
        };
        path.rsplit(|&b| b == b'/').find_map(decide).unwrap_or(false)
    }

    /// The same rule in git's sparse-checkout language.
    pub(crate) fn patterns(&self) -> String {
        let mut text = String::from("/*\n");
        self.denied.iter().for_each(|name| text.push_str(&format!("!{name}\n")));
        self.shown.iter().for_each(|name| text.push_str(&format!("{name}\n")));
        text
    }
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.iter().position(|&b| b == b'*') {
        None => pattern == name,
        Some(star) => {
            let (front, back) = (&pattern[..star], &pattern[star + 1..]);
            name.len() >= front.len() + back.len() && name.starts_with(front) && name.ends_with(back)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_are_and_examples_are_not() {
        let view = View::default().deny("id_*").deny(".codex");
        for hidden in [".env", "a/.env.local", "tls/server.pem", "x.key", "b/credentials.json", "a/.codex/x"]
        {
            assert!(view.hides(hidden.as_bytes()), "{hidden}");
        }
        for seen in ["env", ".environment", ".env.example", "key.rs", "monkey", "credentials.json.md"] {
            assert!(!view.hides(seen.as_bytes()), "{seen}");
        }
    }
}
