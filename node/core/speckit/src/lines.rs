//! The file as lines, with code fences and HTML comments told apart from text.

use std::borrow::Cow;

/// One line. Offsets into `text` are offsets into the file minus `start`.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// Line number, from 1.
    pub(crate) number: u32,
    /// Byte offset of the line in the file.
    pub(crate) start: usize,
    /// The line without its newline; comments are blanked, byte for byte.
    pub(crate) text: Cow<'a, str>,
    pub(crate) kind: LineKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    Text,
    /// Inside a code fence, or one of its two delimiters.
    Code,
    /// Begins inside a comment.
    Comment,
}

/// A fence or comment that never ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unclosed {
    Fence { line: u32 },
    Comment { line: u32, column: u32 },
}

/// Splits `text` into lines. Understands LF, CRLF, lone CR and a byte order mark.
pub(crate) fn scan(text: &str) -> (Vec<Line<'_>>, Vec<Unclosed>) {
    let bom = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut scanner =
        Scanner { last_close: text.rfind("-->"), fence: None, in_comment: false, unclosed: Vec::new() };
    let mut lines = Vec::new();
    let mut start = bom;
    while start < text.len() {
        let rest = &text[start..];
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let number = u32::try_from(lines.len() + 1).unwrap_or(u32::MAX);
        lines.push(scanner.line(number, start, &rest[..length]));
        start += length + newline_len(&rest[length..]);
    }
    if let Some(fence) = scanner.fence {
        scanner.unclosed.push(Unclosed::Fence { line: fence.line });
    }
    (lines, scanner.unclosed)
}

/// 1-based column, in characters, of a byte offset in `line`.
pub(crate) fn column(line: &str, offset: usize) -> u32 {
    let count = line.get(..offset).unwrap_or(line).chars().count();
    u32::try_from(count + 1).unwrap_or(u32::MAX)
}

/// White space as people type it: spaces, tabs, no-break and ideographic spaces.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{200b}' || c == '\u{feff}'
}

/// Width of the leading white space (a tab goes to the next multiple of four) and its bytes.
pub(crate) fn indent(line: &str) -> (usize, usize) {
    let mut width = 0;
    for (offset, c) in line.char_indices() {
        match c {
            '\t' => width = (width / 4 + 1) * 4,
            c if is_space(c) => width += 1,
            _ => return (width, offset),
        }
    }
    (width, line.len())
}

#[derive(Clone, Copy)]
struct Fence {
    mark: u8,
    length: usize,
    line: u32,
}

struct Scanner {
    last_close: Option<usize>,
    fence: Option<Fence>,
    in_comment: bool,
    unclosed: Vec<Unclosed>,
}

impl Scanner {
    fn line<'a>(&mut self, number: u32, start: usize, text: &'a str) -> Line<'a> {
        if let Some(fence) = self.fence {
            if closes(fence, text) {
                self.fence = None;
            }
            return Line { number, start, text: Cow::Borrowed(text), kind: LineKind::Code };
        }
        let kind = if self.in_comment { LineKind::Comment } else { LineKind::Text };
        if !self.in_comment {
            self.fence = opens(text, number);
            if self.fence.is_some() {
                return Line { number, start, text: Cow::Borrowed(text), kind: LineKind::Code };
            }
        }
        Line { number, start, text: self.blank_comments(number, start, text), kind }
    }

    fn blank_comments<'a>(&mut self, number: u32, start: usize, text: &'a str) -> Cow<'a, str> {
        if !self.in_comment && !text.contains("<!--") {
            return Cow::Borrowed(text);
        }
        let last_tick = text.rfind('`').unwrap_or(0);
        let mut out = String::with_capacity(text.len());
        let (mut at, mut ticks) = (0, 0);
        while at < text.len() {
            let rest = &text[at..];
            if self.in_comment {
                let close = rest.find("-->");
                self.in_comment = close.is_none();
                at += close.map_or(rest.len(), |i| i + 3);
                out.extend(std::iter::repeat_n(' ', at - out.len()));
                continue;
            }
            let open = at + rest.find("<!--").unwrap_or(rest.len());
            ticks += text[at..open].bytes().filter(|b| *b == b'`').count();
            out.push_str(&text[at..open]);
            at = open;
            if open == text.len() {
                break;
            }
            let in_code = ticks % 2 == 1 && last_tick > open;
            if !in_code && self.last_close.is_some_and(|close| close > start + open) {
                self.in_comment = true;
                continue;
            }
            if !in_code && self.unclosed.is_empty() {
                self.unclosed.push(Unclosed::Comment { line: number, column: column(text, open) });
            }
            out.push_str("<!--");
            at += 4;
        }
        Cow::Owned(out)
    }
}

fn opens(text: &str, line: u32) -> Option<Fence> {
    let text = text.trim_start_matches(is_space);
    let mark = *text.as_bytes().first().filter(|b| matches!(b, b'`' | b'~'))?;
    let length = text.bytes().take_while(|b| *b == mark).count();
    let inline = mark == b'`' && text[length..].contains('`');
    (length >= 3 && !inline).then_some(Fence { mark, length, line })
}

fn closes(fence: Fence, text: &str) -> bool {
    let text = text.trim_matches(is_space);
    text.len() >= fence.length && text.bytes().all(|b| b == fence.mark)
}

fn newline_len(rest: &str) -> usize {
    match rest.as_bytes() {
        [b'\r', b'\n', ..] => 2,
        [] => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> String {
        let (lines, _) = scan(text);
        lines
            .iter()
            .map(|l| match l.kind {
                LineKind::Text => 't',
                LineKind::Code => 'c',
                LineKind::Comment => '#',
            })
            .collect()
    }

    #[test]
    fn newlines_of_every_kind_and_a_byte_order_mark() {
        let (lines, _) = scan("\u{feff}a\r\nb\nc\rd");
        let seen: Vec<_> = lines.iter().map(|l| (l.number, l.start, l.text.as_ref())).collect();
        assert_eq!(seen, [(1, 3, "a"), (2, 6, "b"), (3, 8, "c"), (4, 10, "d")]);
    }

    #[test]
    fn fences_of_both_kinds_close_only_with_their_own_mark() {
        assert_eq!(kinds("a\n```\n~~~\nb\n```\nc"), "tcccct");
        assert_eq!(kinds("~~~~ text\n~~~\n~~~~\nx"), "ccct");
        assert_eq!(kinds("``` `inline` ```\nx"), "tt");
    }

    #[test]
    fn comments_are_blanked_and_keep_every_offset() {
        let (lines, _) = scan("a <!-- ü -->b\n<!--\n- [ ] T001\n--> c");
        assert_eq!(lines[0].text, format!("a {}b", " ".repeat("<!-- ü -->".len())));
        assert_eq!(lines[2].kind, LineKind::Comment);
        assert_eq!(lines[3].text, "    c");
    }

    #[test]
    fn a_comment_mark_in_back_ticks_is_text() {
        let (lines, unclosed) = scan("write `<!--` here\nnext -->");
        assert_eq!(lines[0].text, "write `<!--` here");
        assert!(unclosed.is_empty());
    }

    #[test]
    fn what_is_never_closed_is_reported_and_a_comment_hides_nothing() {
        let (lines, unclosed) = scan("x <!-- y\n- [ ] T001 a\n```\nz");
        assert_eq!(lines[1].text, "- [ ] T001 a");
        assert!(matches!(
            unclosed.as_slice(),
            [Unclosed::Comment { line: 1, column: 3 }, Unclosed::Fence { line: 3 }]
        ));
    }
}
