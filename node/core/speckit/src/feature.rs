//! Names of feature directories, byte for byte as Spec-Kit's `create-new-feature.sh` makes them.

mod letters;

use letters::is_word;

/// Longest name of a feature directory, in bytes.
const MAX_NAME: usize = 244;

/// The largest feature number there is.
const MAX_NUMBER: u64 = i64::MAX as u64;

/// Words that say nothing about a feature.
const STOP_WORDS: &[&str] = &[
    "i", "a", "an", "the", "to", "for", "of", "in", "on", "at", "by", "with", "from", "is", "are", "was",
    "were", "be", "been", "being", "have", "has", "had", "do", "does", "did", "will", "would", "should",
    "could", "can", "may", "might", "must", "shall", "this", "that", "these", "those", "my", "your", "our",
    "their", "want", "need", "add", "get", "set",
];

/// Why no name was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// White space only.
    #[error("the description is empty")]
    Empty,
    /// Neither letter nor digit in it.
    #[error("the description has no letter and no digit")]
    Nameless,
    /// The numbers are used up.
    #[error("no feature number after {MAX_NUMBER}")]
    NumbersUsedUp,
}

impl FeatureError {
    /// What a person should do, in one sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::Nameless => "describe the feature in a few words, or give a short name",
            Self::NumbersUsedUp => "name the feature directory by a time stamp",
        }
    }
}

/// The number after the highest `NNN-` (three digits or more) among these directory names.
///
/// Names that begin with a time stamp (`20260102-030405-`) do not count, nor do numbers beyond 2⁶³ − 1.
pub fn next_feature_number<S: AsRef<str>>(
    existing: impl IntoIterator<Item = S>,
) -> Result<u64, FeatureError> {
    let highest = existing.into_iter().filter_map(|name| number(name.as_ref())).max().unwrap_or(0);
    if highest >= MAX_NUMBER { Err(FeatureError::NumbersUsedUp) } else { Ok(highest + 1) }
}

/// The words of a description that name it: the first three that mean something, or four if there are just four.
///
/// `None` when there is neither letter nor digit.
pub fn feature_words(description: &str) -> Option<String> {
    let words = split(description);
    let meaningful: Vec<&str> =
        words.iter().map(String::as_str).filter(|w| means_something(w, description)).collect();
    let chosen = match meaningful.len() {
        0 => words.iter().map(String::as_str).take(3).collect(),
        4 => meaningful,
        _ => meaningful.into_iter().take(3).collect::<Vec<_>>(),
    };
    (!chosen.is_empty()).then(|| chosen.join("-"))
}

/// The cleaned form of a name somebody chose: separators folded to single hyphens.
pub fn short_name(name: &str) -> Option<String> {
    let words = split(name);
    (!words.is_empty()).then(|| words.join("-"))
}

/// The directory name of a feature: `001-photo-album-sharing`, at most 244 bytes.
pub fn feature_name(number: u64, description: &str) -> Result<String, FeatureError> {
    if description.trim().is_empty() {
        return Err(FeatureError::Empty);
    }
    let words = feature_words(description).ok_or(FeatureError::Nameless)?;
    Ok(fit(number, &words))
}

/// Number and words joined, cut at a character to fit, without a hyphen at the end.
pub fn fit(number: u64, words: &str) -> String {
    let prefix = format!("{number:03}-");
    let mut end = words.len().min(MAX_NAME - prefix.len());
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    let cut = if end < words.len() { words[..end].strip_suffix('-').unwrap_or(&words[..end]) } else { words };
    prefix + cut
}

fn number(name: &str) -> Option<u64> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &name[digits..];
    if digits < 3 || !rest.starts_with('-') || is_time_stamp(digits, rest) {
        return None;
    }
    name[..digits].parse().ok().filter(|n| *n <= MAX_NUMBER)
}

/// `YYYYMMDD-HHMMSS-`
fn is_time_stamp(digits: usize, rest: &str) -> bool {
    let time = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
    digits == 8 && time == 6 && rest[7..].starts_with('-')
}

/// Runs of letters and digits, ASCII letters in lower case.
fn split(text: &str) -> Vec<String> {
    text.split(|c: char| !is_word(c)).filter(|w| !w.is_empty()).map(str::to_ascii_lowercase).collect()
}

fn means_something(word: &str, description: &str) -> bool {
    if STOP_WORDS.contains(&word) {
        return false;
    }
    word.len() >= 3 || !word.is_ascii() || is_acronym(&word.to_ascii_uppercase(), description)
}

/// The word stands in the description in capitals, on its own.
fn is_acronym(upper: &str, description: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = description.as_bytes();
    description.match_indices(upper).any(|(at, _)| {
        let before = at.checked_sub(1).is_none_or(|i| !word(bytes[i]));
        before && bytes.get(at + upper.len()).is_none_or(|b| !word(*b))
    })
}
