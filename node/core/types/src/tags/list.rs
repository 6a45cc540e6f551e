//! Lists people write: items between commas, each with its place in the text.

/// Most items one list may have.
const ITEMS: usize = 64;

/// Longest key, in bytes.
const KEY: usize = 128;

/// Longest value, in bytes.
const VALUE: usize = 256;

/// A list of tags or conditions that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` at {at} is not {wanted}")]
pub struct InvalidTags {
    /// The item that was refused, cut to 80 characters.
    pub given: String,
    /// Where it begins: characters from 1.
    pub at: usize,
    /// What it should have been.
    pub wanted: &'static str,
}

/// One item of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub text: &'a str,
    /// Characters from 1.
    pub at: usize,
}

impl<'a> Item<'a> {
    pub(crate) fn not(&self, wanted: &'static str) -> InvalidTags {
        InvalidTags { given: self.text.chars().take(80).collect(), at: self.at, wanted }
    }

    /// `text` as a key: not empty, of bounded length, and without what has a meaning in conditions.
    pub(crate) fn key(&self, text: &str, wanted: &'static str) -> Result<String, InvalidTags> {
        let key = text.trim();
        let bad = |c: char| c.is_whitespace() || c.is_control() || "!=()@,".contains(c);
        if key.is_empty() || key.contains(bad) {
            return Err(self.not(wanted));
        }
        if key.len() > KEY {
            return Err(self.not("a tag with a key of at most 128 bytes"));
        }
        Ok(key.to_owned())
    }

    /// `text` as a value, of bounded length.
    pub(crate) fn value(&self, text: &str) -> Result<String, InvalidTags> {
        let value = text.trim();
        if value.len() > VALUE || value.contains(char::is_control) {
            return Err(self.not("a tag with a printable value of at most 256 bytes"));
        }
        Ok(value.to_owned())
    }

    /// The same item without its end.
    pub(crate) fn cut(&self, text: &'a str) -> Self {
        Self { text, at: self.at }
    }
}

/// The items of `s`; commas in parentheses divide nothing, empty items are none.
pub(crate) fn items(s: &str) -> Result<Vec<Item<'_>>, InvalidTags> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (i, c) in s.char_indices().chain([(s.len(), ',')]) {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 || i == s.len() => {
                push(s, start, i, &mut found);
                start = i + 1;
            }
            _ => {}
        }
    }
    match (found.last(), depth, found.len()) {
        (Some(last), 1.., _) => Err(last.not("closed: a `)` is missing")),
        (Some(last), _, n) if n > ITEMS => Err(last.not("one of at most 64 items")),
        _ => Ok(found),
    }
}

fn push<'a>(s: &'a str, start: usize, end: usize, found: &mut Vec<Item<'a>>) {
    let raw = &s[start..end];
    let text = raw.trim();
    if !text.is_empty() {
        let skipped = raw.len() - raw.trim_start().len();
        found.push(Item { text, at: s[..start + skipped].chars().count() + 1 });
    }
}
