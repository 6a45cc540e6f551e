//! Task ids: `T`, at least three digits, sometimes a suffix.

use std::fmt;

/// Longest id that is read; anything longer is text, not an id.
const MAX_LEN: usize = 24;

/// The id of a task, as written: `T012`, `T1000`, `T012a`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Box<str>);

impl TaskId {
    /// Reads an id that makes up the whole of `text`.
    pub fn parse(text: &str) -> Option<Self> {
        (scan(text)? == text.len()).then(|| Self(text.into()))
    }

    /// Writes the id with this number: three digits at least, more when it needs more.
    pub fn from_number(number: u64) -> Self {
        Self(format!("T{number:03}").into())
    }

    /// The id as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number without suffix; very long ones saturate.
    pub fn number(&self) -> u64 {
        let digits: &str = &self.0[1..1 + digits(&self.0[1..])];
        digits.parse().unwrap_or(u64::MAX)
    }

    /// What follows the digits: `a` in `T012a`, empty for an id of the plain grammar.
    pub fn suffix(&self) -> &str {
        &self.0[1 + digits(&self.0[1..])..]
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for TaskId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for TaskId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Length of the id at the start of `text`, if one is there and a non-word character follows.
pub(crate) fn scan(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('T')?;
    let count = digits(rest);
    if count < 3 {
        return None;
    }
    let plain = 1 + count;
    let end = plain + suffix(&text[plain..]);
    (ends_word(&text[end..]) && end <= MAX_LEN).then_some(end)
}

/// Whether a word may end where `rest` begins. Only ASCII counts: `T005を通す` ends after the digits.
pub(crate) fn ends_word(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a word may begin after `before`.
pub(crate) fn starts_word(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

/// Letters (`T012a`, `T012B2`) or a decimal part (`T052.4`) that authors add to squeeze a task in.
fn suffix(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    if bytes.first() == Some(&b'.') {
        let count = digits(&rest[1..]);
        return if (1..=2).contains(&count) { 1 + count } else { 0 };
    }
    let letters = bytes.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    if !(1..=2).contains(&letters) {
        return 0;
    }
    letters + digits(&rest[letters..]).min(2)
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_length_and_with_suffixes() {
        for (text, number, suffix) in [
            ("T001", 1, ""),
            ("T1000", 1000, ""),
            ("T012a", 12, "a"),
            ("T052.4", 52, ".4"),
            ("T018D", 18, "D"),
        ] {
            let id = TaskId::parse(text).expect(text);
            assert_eq!((id.number(), id.suffix()), (number, suffix), "{text}");
        }
    }

    #[test]
    fn what_is_no_id() {
        for text in
            ["T12", "t012", "TXXX", "T012abc", "T", "", "T0123_", "T-012", "T000000000000000000000000012"]
        {
            assert_eq!(TaskId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_id_ends_before_other_scripts_and_punctuation() {
        assert_eq!(scan("T005を通す"), Some(4));
        assert_eq!(scan("T005. Then"), Some(4));
        assert_eq!(scan("T005-T007"), Some(4));
    }

    #[test]
    fn numbers_are_padded_to_three_digits_as_a_floor() {
        assert_eq!(TaskId::from_number(7).as_str(), "T007");
        assert_eq!(TaskId::from_number(1000).as_str(), "T1000");
    }
}
