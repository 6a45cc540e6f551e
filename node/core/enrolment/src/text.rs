//! What other nodes call themselves and where they say they are, made fit to be shown and dialled.

/// Most addresses of a node.
pub const MAX_ADDRESSES: usize = 8;
/// Longest address, in bytes.
pub const MAX_ADDRESS: usize = 256;
/// Longest name that is read, in bytes.
pub const MAX_NAME: usize = 256;
/// Longest name that is shown, in characters.
const SHOWN_NAME: usize = 64;

/// A name without what steers a terminal or turns text around, at most 64 characters long; may be empty.
pub fn clean_name(name: &str) -> String {
    let kept: String = name.chars().filter(|c| !steers(*c)).collect();
    let words: Vec<&str> = kept.split_whitespace().collect();
    words.join(" ").chars().take(SHOWN_NAME).collect()
}

/// Control characters, direction marks, and what has no width.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether `address` looks like a multiaddress: `/` and visible ASCII, at most 256 bytes.
pub fn is_address(address: &str) -> bool {
    address.starts_with('/')
        && (2..=MAX_ADDRESS).contains(&address.len())
        && address.bytes().all(|b| b.is_ascii_graphic())
}

/// The addresses among `given` that look like some, each once, at most eight, in their order.
pub fn clean_addresses<S: AsRef<str>>(given: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for address in given {
        let address = address.as_ref();
        if kept.len() < MAX_ADDRESSES && is_address(address) && !kept.iter().any(|a| a == address) {
            kept.push(address.to_owned());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_a_terminal_or_pose_as_another() {
        assert_eq!(clean_name("server\u{1b}[31m \u{202e}pot\u{200b}pal\n"), "server[31m potpal");
        assert_eq!(clean_name("  a \t b "), "a b");
        assert_eq!(clean_name(&"é".repeat(100)).chars().count(), 64);
        assert_eq!(clean_name("\u{feff}\u{0}"), "");
    }

    #[test]
    fn addresses_are_bounded() {
        let many: Vec<_> = (0..20).map(|n| format!("/ip4/10.0.0.{n}/tcp/7421")).collect();
        assert_eq!(clean_addresses(&many).len(), MAX_ADDRESSES);
        assert_eq!(clean_addresses(["/a", "b", "/a", "/\u{7f}", "/é", "/"]), ["/a"]);
        assert!(!is_address(&format!("/{}", "a".repeat(256))));
    }
}
