//! Text made to fit: cut at a word, or wrapped over lines.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` in at most `width` columns; what is cut ends in `…`, after a whole word if one ends near.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let kept = head(text, width.saturating_sub(1));
    let whole = text[kept.len()..].starts_with(' ').then_some(kept.len()).or_else(|| kept.rfind(' '));
    let near = whole.filter(|at| kept[*at..].width() <= width / 4).unwrap_or(kept.len());
    format!("{}…", kept[..near].trim_end())
}

/// As much of `text` as fits into `width` columns.
fn head(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > width
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// The words of `text` on at most `most` lines of `width` columns; what does not fit is told by `…`.
pub(crate) fn wrap(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            match lines.last_mut() {
                Some(line) if line.width() + 1 + rest.width() <= width => {
                    line.push(' ');
                    line.push_str(rest);
                    rest = "";
                }
                _ => {
                    // A character wider than the line still goes somewhere.
                    let first = rest.chars().next().map_or(0, char::len_utf8);
                    let part = &rest[..head(rest, width).len().max(first)];
                    lines.push(part.to_owned());
                    rest = &rest[part.len()..];
                }
            }
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = cut(&format!("{last} …"), width).trim_end_matches('…').trim_end().to_owned() + "…";
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_after_a_word_when_one_ends_near() {
        for (text, width, shown) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("Create the Item model", 20, "Create the Item…"),
            ("Create the Item model", 16, "Create the Item…"),
            ("Create the Item model", 12, "Create the…"),
            ("a verylongwordindeed", 10, "a verylon…"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("abc", 0, "…"),
        ] {
            assert_eq!(cut(text, width), shown, "{text} in {width}");
        }
    }

    #[test]
    fn words_go_over_lines_and_the_rest_is_told() {
        assert_eq!(wrap("one two  three\nfour", 9, 9), ["one two", "three", "four"]);
        assert_eq!(wrap("one two three four", 9, 2), ["one two", "three…"]);
        assert_eq!(wrap("abcdefgh ij", 3, 9), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("abc def", 3, 1), ["ab…"]);
        assert_eq!(wrap("日本", 1, 9), ["日", "本"]);
        assert_eq!(wrap("", 3, 1), Vec::<String>::new());
    }
}
