//! Text of agents and repositories, made harmless for whoever is shown it.

use std::borrow::Cow;

/// `text` without what could move the cursor, hide itself or turn around what is read: escape sequences,
/// control characters but tab, bidirectional marks and zero-width characters.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            c if is_bad(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What follows an escape character, up to the end of its sequence.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        // Operating system command, device control, privacy message, application command, start of string:
        // a string up to BEL or ST. Without one it would swallow the line, so only the introducer goes then.
        Some(']' | 'P' | '^' | '_' | 'X') => skip_string(chars),
        Some(c) if ('\u{20}'..='\u{2f}').contains(c) => {
            while chars.next_if(|c| ('\u{20}'..='\u{2f}').contains(c)).is_some() {}
            chars.next();
        }
        Some(c) if c.is_ascii_graphic() => {
            chars.next();
        }
        _ => {}
    }
}

fn skip_control_sequence(chars: &mut Chars<'_>) {
    while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
    chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
}

fn skip_string(chars: &mut Chars<'_>) {
    let rest = chars.clone();
    let mut before = None;
    for (i, c) in rest.enumerate() {
        if c == '\u{7}' || c == '\u{9c}' || (c == '\\' && before == Some('\u{1b}')) {
            chars.nth(i);
            return;
        }
        before = Some(c);
    }
    chars.next();
}

fn is_bad(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_controls_bidi_and_zero_width_go_and_the_rest_stays() {
        for (dirty, good) in [
            ("plain\ttext é 日本", "plain\ttext é 日本"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]no end", "no end"),
            ("\u{1b}Pq\u{1b}\\x", "x"),
            ("\u{9b}2Jx", "x"),
            ("a\u{8}b\rc\u{7f}\u{0}", "abc"),
            ("\u{202e}evil\u{202c}", "evil"),
            ("zero\u{200b}\u{feff}width\u{2060}", "zerowidth"),
            ("\u{1b}(Bx\u{1b}cy", "xy"),
            ("tag\u{e0041}", "tag"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}[\u{1b}[31mx", "x"),
        ] {
            assert_eq!(clean(dirty), good, "{dirty:?}");
            assert_eq!(clean(&clean(dirty)), good, "{dirty:?} twice");
        }
    }
}
