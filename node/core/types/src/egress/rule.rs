//! Rules: which methods on which paths.

use serde::{Deserialize, Serialize};

/// One rule of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressRule {
    /// What it allows.
    pub allow: Allow,
}

/// A method and the paths it is allowed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// In capitals, or `*`.
    pub method: String,
    /// `*` stands for anything within one part of a path, `**` for any number of parts; every path when absent.
    #[serde(default = "every")]
    pub path: String,
}

fn every() -> String {
    "/**".to_owned()
}

impl EgressRule {
    /// Whether a request may be sent. The query is not looked at.
    pub(crate) fn allows(&self, method: &str, path: &str) -> bool {
        let Allow { method: listed, path: pattern } = &self.allow;
        (listed == "*" || listed == method) && plain(path) && matches(pattern, path)
    }

    /// What is wrong with it.
    pub(crate) fn wrong(&self) -> Option<&'static str> {
        let Allow { method, path } = &self.allow;
        if method != "*"
            && (method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'))
        {
            return Some("a method is written in capitals, or as *");
        }
        (!path.starts_with('/') || !plain(path)).then_some("a path begins with / and has no . or .. in it")
    }
}

/// Whether a path means to every server what it says: no parts that lead up, and none that are hidden.
fn plain(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    // What a server behind a proxy would read as the end of the path, a part of it, or once more encoded.
    let hidden = ["%2e", "%2f", "%5c", "%25", "%3f", "%23", "%3b", "%c0", "%c1", "%u", "\\", "//", ";"];
    let control = |pair: &[u8]| pair[0] == b'%' && matches!(pair[1], b'0' | b'1');
    let is_hidden = hidden.iter().any(|h| lower.contains(h)) || lower.as_bytes().windows(2).any(control);
    lower.is_ascii() && !is_hidden && !path.split('/').any(|part| part == "." || part == "..")
}

fn matches(pattern: &str, path: &str) -> bool {
    let parts = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    // Row by row: whether the first parts of the pattern meet the first parts of the path.
    let (pattern, path) = (parts(pattern), parts(path));
    let mut meets = vec![false; path.len() + 1];
    meets[0] = true;
    for wanted in &pattern {
        let before = meets.clone();
        if wanted == "**" {
            (1..=path.len()).for_each(|n| meets[n] = before[n] || meets[n - 1]);
        } else {
            meets[0] = false;
            (1..=path.len()).for_each(|n| meets[n] = before[n - 1] && part(wanted, &path[n - 1]));
        }
    }
    meets[path.len()]
}

/// The same within one part, where `*` stands for any letters.
fn part(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}
