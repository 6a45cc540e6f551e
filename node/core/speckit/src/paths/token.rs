//! Cuts running text into pieces that may be paths.

use crate::lines::is_space;
use crate::paths::words;

/// Most paths one brace expression stands for.
const MAX_EXPANSION: usize = 64;

/// A piece of text that looks like a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) start: usize,
    pub(crate) text: &'a str,
}

/// Pieces in order of appearance: back-ticked ones and plain words.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if let Some((inside, length)) = code_span(rest) {
            quoted(inside, at + (length - inside.len()) / 2, &mut found);
            at += length;
            continue;
        }
        let skip = rest.starts_with('`');
        let until = rest[usize::from(skip)..].find('`').map_or(rest.len(), |i| i + usize::from(skip));
        plain(&rest[..until], at, &mut found);
        at += until;
    }
    found
}

/// `` `inside` `` at the start of `rest`: the inside and the length with ticks.
pub(crate) fn code_span(rest: &str) -> Option<(&str, usize)> {
    let ticks = rest.bytes().take_while(|b| *b == b'`').count();
    let inside = &rest[ticks..];
    let close = (ticks > 0).then(|| inside.find(&rest[..ticks]))??;
    Some((&inside[..close], close + 2 * ticks))
}

/// Writes out `src/{a,b}/x` as `src/a/x` and `src/b/x`; a brace without a comma stays.
pub(crate) fn expand_braces(path: &str) -> Vec<String> {
    let mut done = vec![String::new()];
    let mut rest = path;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}').map(|i| open + i) else { break };
        let inside = &rest[open + 1..close];
        let choices: Vec<&str> = inside.split(',').map(|c| c.trim_matches(is_space)).collect();
        let whole = [&rest[open..=close]];
        let choices: &[&str] = if choices.len() > 1 && !inside.contains('{') { &choices } else { &whole };
        if done.len() * choices.len() > MAX_EXPANSION {
            break;
        }
        let before = &rest[..open];
        done = done.iter().flat_map(|d| choices.iter().map(move |c| format!("{d}{before}{c}"))).collect();
        rest = &rest[close + 1..];
    }
    done.iter().map(|d| format!("{d}{rest}")).collect()
}

/// A code span: one path (spaces allowed), or several with commas between; commands are none.
fn quoted<'a>(inside: &'a str, start: usize, found: &mut Vec<Piece<'a>>) {
    let text = trim_path(inside.trim_matches(is_space));
    if words::is_command(text) {
        return;
    }
    let start = start + (text.as_ptr() as usize - inside.as_ptr() as usize);
    let spaced = text.contains(is_space) && !text.contains('{');
    if !spaced {
        if words::is_path(text, true) {
            found.push(Piece { start, text });
        }
        return;
    }
    let listed = text.contains(", ");
    let one = !listed && text.contains('/') && words::has_extension(text) && words::is_path_with_spaces(text);
    if one {
        found.push(Piece { start, text });
    } else if listed || !text.contains(" -") {
        plain(text, start, found);
    }
}

fn plain<'a>(text: &'a str, offset: usize, found: &mut Vec<Piece<'a>>) {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let skip = rest.find(|c: char| !is_break(c)).unwrap_or(rest.len());
        let word = &rest[skip..];
        let length = word_length(word);
        if words::may_be_path(&word[..length]) {
            let piece = trim_path(&word[..length]);
            if let Some(part) = Some(own_script(piece)).filter(|p| words::is_path(p, false)) {
                let start = part.as_ptr() as usize - text.as_ptr() as usize;
                found.push(Piece { start: offset + start, text: part });
            }
        }
        at += skip + length.max(1).min(word.len().max(1));
        while at < text.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
}

/// A word ends at a break, but not inside braces: `src/{a, b}`.
fn word_length(word: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in word.char_indices() {
        match c {
            '{' if word[at..].find('}').is_some_and(|n| n < 200) => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if depth == 0 && is_break(c) => return at,
            _ => {}
        }
    }
    word.len()
}

fn is_break(c: char) -> bool {
    is_space(c)
        || matches!(
            c,
            '（' | '）'
                | '、'
                | '，'
                | '。'
                | '：'
                | '；'
                | '「'
                | '」'
                | '『'
                | '』'
                | '`'
                | '"'
                | ','
                | ';'
                | '|'
        )
        || matches!(
            c,
            '→' | '“'
                | '”'
                | '‘'
                | '’'
                | '<'
                | '>'
                | '…'
                | '《'
                | '》'
                | '【'
                | '】'
                | '・'
                | '＋'
                | '+'
                | '='
        )
}

/// Takes quotes, brackets that are not balanced, and the full stop of the sentence off.
fn trim_path(word: &str) -> &str {
    let mut word = word
        .trim_matches(|c: char| matches!(c, '\'' | '*' | '"' | '!' | '?' | '~') && !word_is_glob(word, c));
    loop {
        let before = word.len();
        word = word.trim_end_matches(['.', ',', ':', ';', '!', '?', '\'', '"']);
        for (open, close) in [('(', ')'), ('[', ']'), ('{', '}')] {
            let balance = word.matches(open).count().cmp(&word.matches(close).count());
            if balance.is_lt() && word.ends_with(close) {
                word = &word[..word.len() - 1];
            } else if balance.is_gt() && word.starts_with(open) {
                word = &word[1..];
            } else if word.starts_with(open) && word.ends_with(close) && !word[1..].contains(open) {
                word = &word[1..word.len() - 1];
            } else if balance.is_gt() && word.rfind(open).is_some_and(|at| !word[at..].contains('/')) {
                // `file.ts(see` : the bracket begins something else
                word = &word[..word.rfind(open).unwrap_or(word.len())];
            }
        }
        if word.len() == before {
            break;
        }
    }
    let word = match word.split_once("::") {
        Some((file, _)) if words::has_extension(file) => file,
        _ => word,
    };
    match word.split_once('#') {
        Some((path, _)) if path.contains('.') => path,
        _ => match word.rsplit_once(':') {
            Some((path, line)) if line.bytes().all(|b| b.is_ascii_digit() || b == b'-') => path,
            _ => word,
        },
    }
}

fn word_is_glob(word: &str, c: char) -> bool {
    c == '*' && (word.contains("/*") || word.contains("*."))
}

/// `在src/a.go中` has no spaces around the path: a change of script ends it after a known extension.
fn own_script(word: &str) -> &str {
    if word.is_ascii() {
        return word;
    }
    let end = words::extension_before_other_script(word).unwrap_or(word.len());
    let word = &word[..end];
    let lead = word.find(|c: char| c.is_ascii()).unwrap_or(word.len());
    let root = lead > 0 && words::starts_with_root(&word[lead..]);
    let word = if root { &word[lead..] } else { word };
    // `lib/core/ディレクトリ作成`: what follows the last slash is no name
    match word.rsplit_once('/') {
        Some((dir, rest)) if dir.is_ascii() && !rest.is_ascii() && !rest.contains('.') => &word[..=dir.len()],
        _ => word,
    }
}
