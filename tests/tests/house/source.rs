//! Rust files as text with comments, strings and tests blanked out.

use std::path::{Path, PathBuf};

/// One production file.
pub struct Source {
    /// Path below the repository.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Comments, strings and test modules blanked, line breaks kept.
    pub code: String,
}

/// Every production file: nothing below `tests`, `benches`, `examples` or `testsuite`.
pub fn production() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["node", "agent-image"] {
        walk(&crate::root().join(folder), &mut found);
    }
    found.sort();
    let sources: Vec<_> = found.into_iter().map(|path| read(&path)).collect();
    assert!(sources.len() > 50, "the walk found {} files", sources.len());
    sources
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let skip =
        ["tests", "benches", "examples", "testsuite", "target", "node_modules", "tests.rs", "testsuite.rs"];
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if skip.contains(&name.as_str()) || name.ends_with("_tests.rs") {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap();
    let code = without_tests(&blank(&text));
    let path = path.strip_prefix(crate::root()).unwrap().display().to_string();
    Source { path, text, code }
}

/// Replaces every byte of comments, strings and character literals by a space.
fn blank(text: &str) -> String {
    let b = text.as_bytes();
    let mut out = b.to_vec();
    let mut i = 0;
    while i < b.len() {
        let end = match b[i] {
            b'/' if b.get(i + 1) == Some(&b'/') => find(b, i, b"\n"),
            b'/' if b.get(i + 1) == Some(&b'*') => find(b, i + 2, b"*/") + 2,
            b'r' if raw_string(b, i).is_some() => raw_string(b, i).unwrap(),
            b'"' => quoted(b, i),
            b'\'' if is_char(b, i) => quoted_char(b, i),
            _ => i,
        };
        for byte in &mut out[i..end.min(b.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        i = end.max(i + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn find(b: &[u8], from: usize, what: &[u8]) -> usize {
    (from..b.len()).find(|i| b[*i..].starts_with(what)).unwrap_or(b.len())
}

fn quoted(b: &[u8], start: usize) -> usize {
    let mut i = start + 1;
    while i < b.len() && b[i] != b'"' {
        i += if b[i] == b'\\' { 2 } else { 1 };
    }
    i + 1
}

fn raw_string(b: &[u8], start: usize) -> Option<usize> {
    if start > 0 && (b[start - 1].is_ascii_alphanumeric() || b[start - 1] == b'_') && b[start - 1] != b'b' {
        return None;
    }
    let hashes = b[start + 1..].iter().take_while(|c| **c == b'#').count();
    if b.get(start + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    Some(find(b, start + 2 + hashes, &close) + close.len())
}

fn is_char(b: &[u8], i: usize) -> bool {
    b.get(i + 1) == Some(&b'\\')
        || (2..=5).any(|n| {
            b.get(i + n) == Some(&b'\'')
                && !b[i + 1..i + n].contains(&b'\n')
                && b[i + 1..i + n].len() <= 4
                && std::str::from_utf8(&b[i + 1..i + n]).is_ok_and(|s| s.chars().count() == 1)
        })
}

fn quoted_char(b: &[u8], start: usize) -> usize {
    let mut i = start + 1;
    while i < b.len() && b[i] != b'\'' {
        i += if b[i] == b'\\' { 2 } else { 1 };
    }
    i + 1
}

/// Blanks modules under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(at) = code[from..].find("#[cfg(test)]").map(|i| i + from) {
        let rest = &code[at..];
        let end = match (rest.find('{'), rest.find(';')) {
            (Some(open), Some(semi)) if semi < open => at + semi,
            (Some(open), _) => close(code, at + open),
            _ => code.len() - 1,
        };
        for byte in &mut out[at..=end.min(code.len() - 1)] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        from = end;
    }
    String::from_utf8(out).unwrap()
}

/// The bracket that closes the one at `open`.
pub fn close(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return open + i;
                }
            }
            _ => {}
        }
    }
    code.len() - 1
}

/// Name, first line and length of every function.
pub fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("fn ").map(|i| i + from) {
        from = at + 3;
        if at > 0 && !code[..at].ends_with([' ', '\n', '(']) {
            continue;
        }
        let name: String = code[from..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let mut depth = 0_i32;
        let body = code[from..].char_indices().find(|(_, c)| {
            depth += i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'));
            depth == 0 && matches!(c, '{' | ';')
        });
        if let (false, Some((open, '{'))) = (name.is_empty(), body) {
            let end = close(code, from + open);
            let line = |i: usize| code[..i].matches('\n').count() + 1;
            found.push((name, line(at), line(end) - line(at) + 1));
        }
    }
    found
}
