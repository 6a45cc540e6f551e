//! The keys that detach: ctrl-p, then ctrl-q, as docker has them.

/// ctrl-p
const FIRST: u8 = 0x10;
/// ctrl-q
const SECOND: u8 = 0x11;
/// What a person presses.
pub(super) const KEYS: &str = "ctrl-p ctrl-q";

/// Looks for the keys in what is typed.
#[derive(Debug, Default)]
pub(super) struct Keys {
    first: bool,
}

/// What of some keys is to be typed on, and whether the rest is dropped since they detach.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) bytes: Vec<u8>,
    pub(super) detaches: bool,
}

impl Keys {
    pub(super) fn read(&mut self, keys: &[u8]) -> Typed {
        let mut bytes = Vec::with_capacity(keys.len() + 1);
        for key in keys {
            match (std::mem::take(&mut self.first), *key) {
                (true, SECOND) => return Typed { bytes, detaches: true },
                (true, FIRST) => {
                    bytes.push(FIRST);
                    self.first = true;
                }
                (true, other) => bytes.extend([FIRST, other]),
                (false, FIRST) => self.first = true,
                (false, other) => bytes.push(other),
            }
        }
        Typed { bytes, detaches: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&[u8]], bytes: &[u8], detaches: bool) {
        let mut keys = Keys::default();
        let typed: Vec<_> = pieces.iter().map(|p| keys.read(p)).collect();
        assert_eq!(typed.iter().flat_map(|t| t.bytes.clone()).collect::<Vec<_>>(), bytes);
        assert_eq!(typed.iter().any(|t| t.detaches), detaches);
    }

    #[test]
    fn two_keys_detach_and_everything_else_is_typed() {
        check(&[b"ls\r"], b"ls\r", false);
        check(&[b"a\x10\x11b"], b"a", true);
        check(&[b"\x10", b"\x11"], b"", true);
        check(&[b"\x10", b"x\x11"], b"\x10x\x11", false);
        check(&[b"\x10\x10\x11"], b"\x10", true);
        check(&[b"\x11\x10"], b"\x11", false);
    }
}
