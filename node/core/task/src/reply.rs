//! What a terminal emulator says by itself, which nobody typed.
//!
//! A program may ask the emulator where the cursor is, what colours it has, and so on; the answer comes as if it
//! were typed. Whatever runs in the workload can ask, and must not make a writer of whoever only looks.

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// Whether `bytes` are answers of a terminal emulator, whole ones and nothing else.
pub fn is_reply(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        match one(rest) {
            Some(length) => rest = &rest[length..],
            None => return false,
        }
    }
    !bytes.is_empty()
}

/// The length of the answer that `bytes` begin with.
fn one(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [ESC, b'[', ..] => control(bytes),
        // Colours and the clipboard; settings and versions; pictures.
        [ESC, b']' | b'P' | b'_', ..] => string(bytes),
        _ => None,
    }
}

/// `ESC [ parameters intermediates final`, when it is one that a key or a mouse does not send.
fn control(bytes: &[u8]) -> Option<usize> {
    let body = &bytes[2..];
    let parameters = body.iter().take_while(|b| (0x30..=0x3f).contains(*b)).count();
    let between = body[parameters..].iter().take_while(|b| (0x20..=0x2f).contains(*b)).count();
    let last = *body.get(parameters + between)?;
    let (parameters, between) = (&body[..parameters], &body[parameters..parameters + between]);
    let is_list = |p: &[u8]| !p.is_empty() && p.iter().all(|b| b.is_ascii_digit() || *b == b';');
    let is_asked = |marks: &[u8]| parameters.split_first().is_some_and(|(mark, _)| marks.contains(mark));
    let is_reply = match (last, between) {
        // Where the cursor is. F3 with a modifier looks the same; it is lost on who does not type.
        (b'R', []) => {
            is_list(parameters.strip_prefix(b"?").unwrap_or(parameters)) && parameters.contains(&b';')
        }
        // What it is; its keyboard's mode.
        (b'c', []) => is_asked(b"?>="),
        (b'u', []) => is_asked(b"?"),
        // How it is; its window; its parameters.
        (b'n', []) => is_list(parameters.strip_prefix(b"?").unwrap_or(parameters)),
        (b't' | b'x', []) => is_list(parameters),
        // Its modes.
        (b'y', b"$") => true,
        // Its window is in front, or not.
        (b'I' | b'O', []) => parameters.is_empty(),
        _ => false,
    };
    is_reply.then_some(2 + parameters.len() + between.len() + 1)
}

/// `ESC ] … BEL` or `ESC ] … ESC \`, with text between them that holds no other key, such as the end of a line.
fn string(bytes: &[u8]) -> Option<usize> {
    let text = bytes.iter().skip(2).take_while(|b| **b >= b' ' && **b != 0x7f).count();
    match bytes.get(2 + text..)? {
        [BEL, ..] => Some(2 + text + 1),
        [ESC, b'\\', ..] => Some(2 + text + 2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_an_emulator_answers_is_not_typed() {
        for reply in [
            "\x1b[24;80R",
            "\x1b[?1;1R",
            "\x1b[?1;2c",
            "\x1b[>0;276;0c",
            "\x1b[0n",
            "\x1b[?997;1n",
            "\x1b[?2026;2$y",
            "\x1b[8;24;80t",
            "\x1b[?1u",
            "\x1b[I",
            "\x1b[O",
            "\x1b]11;rgb:0000/0000/0000\x1b\\",
            "\x1b]10;rgb:ff/ff/ff\x07",
            "\x1bP>|xterm(370)\x1b\\",
            "\x1b_Gi=1;OK\x1b\\",
            "\x1b[1;1R\x1b[?1;2c",
        ] {
            assert!(is_reply(reply.as_bytes()), "{reply:?}");
        }
    }

    #[test]
    fn what_a_person_does_is() {
        for typed in [
            "",
            "a",
            "ls\n",
            "\x1b",
            "\x1b[A",
            "\x1b[1;5C",
            "\x1b[15~",
            "\x1b[200~pasted\x1b[201~",
            "\x1bOP",
            "\x1b[R",
            "\x1b[<0;1;1M",
            "\x1b[97;5u",
            "\x1b[c",
            "\x1b[24;80Rx",
            "x\x1b[24;80R",
            "\x1b[24;80",
            "\x1b]11;rgb:0",
            "\x1b]0;a\x1b[A",
            "\x1b]0;a\rreboot\r\x07",
            "\x1bPa\nb\x1b\\",
        ] {
            assert!(!is_reply(typed.as_bytes()), "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_ends_in_text_is_a_reply(bytes: Vec<u8>, last in b'a'..=b'b') {
            let typed = [bytes, vec![b'\r', last]].concat();
            prop_assert!(!is_reply(&typed));
        }
    }
}
