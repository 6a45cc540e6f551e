//! Text for people outside: what looks like a secret is taken out. What is shown is chosen field by field before;
//! this is the second line, for names and titles that somebody wrote a secret into.

/// What stands where something was.
const MARK: &str = "[redacted]";
/// Beginnings of well-known kinds of secrets.
const STARTS: [&str; 18] = [
    "sk-",
    "sk_",
    "pk_",
    "rk_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "ASIA",
    "eyJ",
    "ik_",
    "iks_",
    "ik1_",
];
/// Words after which a value follows that is nobody's business.
const NAMES: [&str; 8] =
    ["password", "passwd", "secret", "token", "api_key", "apikey", "api-key", "authorization"];
/// From this length on a word of letters and digits that is no word is taken for a secret.
const LONG: usize = 24;

/// `text` without what looks like a secret; and on one line, without control and direction characters.
pub fn redact(text: &str) -> String {
    let clean: String = text.chars().map(|c| if is_unseen(c) { ' ' } else { c }).collect();
    if clean.contains("-----BEGIN") {
        return MARK.to_owned();
    }
    let mut out = Vec::new();
    let mut hides_next = false;
    for word in clean.split(' ') {
        let lower = word.to_ascii_lowercase();
        let named = NAMES.iter().find(|n| lower.contains(*n));
        let (shown, hides) = match (hides_next && !word.is_empty(), named) {
            // `Authorization: Bearer x`: the value is behind the next word.
            (true, _) if ["bearer", "basic", "is", "=", ":"].contains(&&*lower) => (word.to_owned(), true),
            (true, _) => (MARK.to_owned(), false),
            (false, Some(_)) => match word.find(['=', ':']) {
                Some(at) if at + 1 < word.len() => (format!("{}{MARK}", &word[..=at]), false),
                Some(_) => (word.to_owned(), true),
                None => (secret_free(word), false),
            },
            (false, None) => (secret_free(word), hides_next),
        };
        hides_next = hides;
        out.push(shown);
    }
    out.join(" ")
}

fn secret_free(word: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-+/=.".contains(c);
    let core = word.trim_matches(|c: char| !is_part(c));
    let pieces = core.split(|c: char| !(c.is_ascii_alphanumeric() || "_-+".contains(c)));
    let is_secret = pieces.clone().any(is_long_and_random)
        || word
            .split(|c: char| !is_part(c))
            .any(|piece| STARTS.iter().any(|s| piece.starts_with(s) && piece.len() >= s.len() + 8))
        || word.contains("://") && word.contains('@');
    if is_secret { MARK.to_owned() } else { word.to_owned() }
}

/// Long, with digits among its letters, and not the words-with-dashes of a file name.
fn is_long_and_random(piece: &str) -> bool {
    let digits = piece.bytes().filter(u8::is_ascii_digit).count();
    let longest = piece.split(['-', '_']).map(str::len).max().unwrap_or(0);
    piece.len() >= LONG && digits >= 3 && longest >= 16
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_taken_out() {
        for secret in [
            "sk-proj-abcdef0123456789",
            "ghp_0123456789abcdefABCDEF",
            "AKIAIOSFODNN7EXAMPLE",
            "0123456789abcdef0123456789abcdef",
            "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
            "hunter2",
        ] {
            for text in [
                format!("password={secret}"),
                format!("use the token: {secret} please"),
                format!("Authorization: Bearer {secret}"),
                format!("DB_PASSWORD={secret}"),
                format!("https://ana:{secret}@db.example/shop"),
            ] {
                let shown = redact(&text);
                assert!(!shown.contains(secret), "{text} -> {shown}");
            }
            if secret != "hunter2" {
                for text in
                    [format!("fix ({secret})"), format!("\"{secret}\","), format!("x\u{200b}{secret}")]
                {
                    assert!(!redact(&text).contains(secret), "{text} -> {}", redact(&text));
                }
            }
        }
        assert_eq!(redact("-----BEGIN OPENSSH PRIVATE KEY----- b3Bl"), MARK);
    }

    #[test]
    fn what_does_not_stays() {
        for text in [
            "Create project structure per implementation plan",
            "src/models/user_account_settings.py",
            "specs/001-shopping-cart/contracts/cart-api-v2.yaml",
            "T012 in tests/integration/test_checkout_2024.py",
            "a cart with 3 items",
        ] {
            assert_eq!(redact(text), text);
        }
        assert_eq!(redact("a\nb\u{202e}c\u{1b}[2J"), "a b c [2J");
    }
}
