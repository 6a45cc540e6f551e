//! The one line that stands for a text.

/// The longest title, in characters.
pub const TITLE: usize = 100;

/// The first line of `text` that says something, at most [`TITLE`] characters: a longer one ends after a whole word,
/// with `…`.
pub fn title(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
    if line.chars().count() <= TITLE {
        return line.to_owned();
    }
    let end = line.char_indices().nth(TITLE - 1).map_or(line.len(), |(at, _)| at);
    let kept = &line[..end];
    let next_is_space = line[end..].starts_with(char::is_whitespace);
    // Where words are very long, or not parted by spaces, the cut is within one.
    let word = if next_is_space { Some(kept.len()) } else { kept.rfind(char::is_whitespace) };
    let word = word.filter(|at| kept[..*at].chars().count() >= TITLE / 2).unwrap_or(kept.len());
    format!("{}…", kept[..word].trim_end_matches(|c: char| c.is_whitespace() || ",;:-–—(".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_ends_after_a_word() {
        assert_eq!(title("  Create it\nand more"), "Create it");
        assert_eq!(title("\n \nlate"), "late");
        assert_eq!(title(""), "");
        let exact = "x".repeat(TITLE);
        assert_eq!(title(&exact), exact);
        assert_eq!(title(&format!("{exact}y")), format!("{}…", "x".repeat(TITLE - 1)));
        let words = "word, ".repeat(40);
        let cut = title(&words);
        assert!(cut.ends_with("word…") && cut.chars().count() <= TITLE, "{cut}");
        assert_eq!(title(&"漢字".repeat(80)).chars().count(), TITLE);
        let at_the_edge = format!("{} end of it", "y".repeat(TITLE - 1));
        assert_eq!(title(&at_the_edge), format!("{}…", "y".repeat(TITLE - 1)));
        let early = format!("a {}", "z".repeat(TITLE));
        assert_eq!(title(&early), format!("a {}…", "z".repeat(TITLE - 3)), "one word would say nothing");
    }
}
