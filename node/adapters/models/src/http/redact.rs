//! Takes a credential out of a stream of bytes, also where it is split between two chunks.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use ikigai_ports::PortResult;
use ikigai_ports::signer::Secret;
use std::future::ready;

/// What stands where a credential stood.
const REDACTED: &[u8] = b"[redacted]";

/// Replaces one credential, as it is and in the encodings an answer may repeat it in.
///
/// Bytes pass at once, but for a tail that may be the beginning of the credential.
pub(super) struct Redact {
    needles: Vec<Vec<u8>>,
    kept: Vec<u8>,
}

impl Redact {
    pub(super) fn new(secret: &Secret) -> Self {
        let raw = secret.expose().as_bytes();
        let mut needles = vec![raw.to_vec(), percent(raw), json(secret.expose()), hex(raw)];
        // Base64 of a text that holds the credential depends on where in it the credential begins.
        needles.extend((0..3).flat_map(|offset| [base64(raw, offset, b"+/"), base64(raw, offset, b"-_")]));
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        needles.dedup();
        Self { needles, kept: Vec::new() }
    }

    /// `body` without the credential.
    pub(super) fn stream(
        self,
        body: impl Stream<Item = PortResult<Bytes>> + Send,
    ) -> impl Stream<Item = PortResult<Bytes>> + Send {
        let end = futures::stream::once(ready(None));
        let marked = body.map(Some).chain(end);
        marked
            .scan(self, |redact, chunk| {
                let out = match chunk {
                    Some(Ok(bytes)) => Ok(redact.push(&bytes)),
                    Some(Err(e)) => Err(e),
                    None => Ok(redact.end()),
                };
                ready(Some(out))
            })
            .filter(|out| ready(!matches!(out, Ok(bytes) if bytes.is_empty())))
    }

    fn push(&mut self, chunk: &[u8]) -> Bytes {
        self.kept.extend_from_slice(chunk);
        let mut out = Vec::with_capacity(self.kept.len());
        let mut rest = self.kept.as_slice();
        while let Some((at, len)) = self.find(rest) {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(REDACTED);
            rest = &rest[at + len..];
        }
        let (sure, tail) = rest.split_at(rest.len() - self.tail(rest));
        out.extend_from_slice(sure);
        self.kept = tail.to_vec();
        out.into()
    }

    fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.kept).into()
    }

    /// The first needle in `text`, the longest of those that begin there.
    fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        let here = |at: usize| self.needles.iter().find(|needle| text[at..].starts_with(needle));
        (0..text.len()).find_map(|at| here(at).map(|needle| (at, needle.len())))
    }

    /// How many bytes at the end of `text` may be the beginning of a needle.
    fn tail(&self, text: &[u8]) -> usize {
        let longest = self.needles.first().map_or(0, Vec::len).saturating_sub(1).min(text.len());
        let may_begin =
            |len: &usize| self.needles.iter().any(|needle| needle.starts_with(&text[text.len() - len..]));
        (1..=longest).rev().find(may_begin).unwrap_or(0)
    }
}

fn percent(raw: &[u8]) -> Vec<u8> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.~".contains(b);
    let encode = |b: &u8| if plain(b) { vec![*b] } else { format!("%{b:02X}").into_bytes() };
    raw.iter().flat_map(encode).collect()
}

fn json(raw: &str) -> Vec<u8> {
    let quoted = serde_json::Value::from(raw).to_string().into_bytes();
    quoted[1..quoted.len() - 1].to_vec()
}

fn hex(raw: &[u8]) -> Vec<u8> {
    raw.iter().flat_map(|b| format!("{b:02x}").into_bytes()).collect()
}

/// The characters of base64 that depend on `raw` alone, when `offset` bytes of something else stand before it.
fn base64(raw: &[u8], offset: usize, last: &[u8; 2]) -> Vec<u8> {
    let digit = |value: u8| match value {
        0..=25 => b'A' + value,
        26..=51 => b'a' + value - 26,
        52..=61 => b'0' + value - 52,
        _ => last[usize::from(value - 62)],
    };
    let bit = |i: usize| raw[i / 8] >> (7 - i % 8) & 1;
    // Characters are groups of six bits counted from the beginning of the whole text, not of `raw`.
    let before = offset * 8;
    let first = before.next_multiple_of(6) - before;
    let whole = (first..raw.len() * 8).step_by(6).filter(|i| i + 6 <= raw.len() * 8);
    whole.map(|i| digit((i..i + 6).fold(0, |value, i| value << 1 | bit(i)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "sk-canary+123/\"x\"";

    fn redacted(chunks: &[&[u8]]) -> String {
        let mut redact = Redact::new(&Secret::new(SECRET));
        let mut out: Vec<u8> = chunks.iter().flat_map(|chunk| redact.push(chunk)).collect();
        out.extend(redact.end());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn wherever_it_is_split_it_is_found() {
        let text = format!("a{SECRET}b{SECRET}{SECRET}sk-canar");
        for split in 0..=text.len() {
            let (a, b) = text.as_bytes().split_at(split);
            assert_eq!(redacted(&[a, b]), "a[redacted]b[redacted][redacted]sk-canar", "split at {split}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(redacted(&bytes), "a[redacted]b[redacted][redacted]sk-canar");
    }

    #[test]
    fn usual_encodings_are_found_too() {
        let encoded = ["sk-canary%2B123%2F%22x%22", r#"sk-canary+123/\"x\""#];
        for text in encoded {
            assert_eq!(redacted(&[text.as_bytes()]), "[redacted]", "{text}");
        }
        for last in [b"+/", b"-_"] {
            for before in 0..6 {
                let after = 3 - (before + SECRET.len()) % 3;
                let text = format!("{}{SECRET}{}", "x".repeat(before), "y".repeat(after));
                let encoded = String::from_utf8(base64(text.as_bytes(), 0, last)).unwrap();
                let out = redacted(&[encoded.as_bytes()]);
                let left = out.len() - REDACTED.len();
                // What is left of the secret is less than two characters at each end.
                assert!(
                    out.contains("[redacted]") && left <= (before + after) * 4 / 3 + 4,
                    "{encoded} -> {out}"
                );
            }
        }
    }

    #[test]
    fn other_text_passes_at_once_and_unchanged() {
        let mut redact = Redact::new(&Secret::new(SECRET));
        assert_eq!(redact.push(b"data: hello\n\n"), "data: hello\n\n");
        assert_eq!(redact.push(b"data: s"), "data: ");
        assert_eq!(redact.push(b"o it is\n"), "so it is\n");
    }
}
