//! The first message of a TLS client, as far as it says whom it wants.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes before a record's content.
const HEAD: usize = 5;
/// Longest record.
const RECORD_MAX: usize = 1 << 14;

/// Reads one record, whole.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, &'static str> {
    const CUT: &str = "its tunnel ended before TLS began";
    let mut record = vec![0; HEAD];
    stream.read_exact(&mut record).await.map_err(|_| CUT)?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    if record[..2] != [22, 3] || length > RECORD_MAX {
        return Err("its tunnel does not begin with TLS");
    }
    record.resize(HEAD + length, 0);
    stream.read_exact(&mut record[HEAD..]).await.map_err(|_| CUT)?;
    Ok(record)
}

/// The name a client asks for in `record`; `None` when it asks for none.
pub(crate) fn server_name(record: &[u8]) -> Result<Option<&str>, &'static str> {
    const WRONG: &str = "its tunnel does not begin with a TLS hello";
    let hello = record.get(HEAD..).ok_or(WRONG)?;
    if hello.first() != Some(&1) {
        return Err(WRONG);
    }
    names(hello).ok_or(WRONG)
}

/// `None` when it cannot be read, or asks for more than one name.
fn names(hello: &[u8]) -> Option<Option<&str>> {
    let mut rest = Rest(Rest(hello.get(1..)?).sized(3)?);
    rest.take(2 + 32)?;
    rest.sized(1)?;
    rest.sized(2)?;
    rest.sized(1)?;
    let mut extensions = Rest(if rest.0.is_empty() { &[] } else { rest.sized(2)? });
    let mut found = None;
    while !extensions.0.is_empty() {
        let (kind, content) = (extensions.number(2)?, extensions.sized(2)?);
        if kind == 0 && found.replace(name(content)?).is_some() {
            return None;
        }
    }
    Some(found)
}

/// The one name of the extension.
fn name(content: &[u8]) -> Option<&str> {
    let mut list = Rest(Rest(content).sized(2)?);
    let (kind, name) = (list.number(1)?, list.sized(2)?);
    if kind == 0 && list.0.is_empty() { std::str::from_utf8(name).ok() } else { None }
}

struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |n, byte| (n << 8) | usize::from(*byte)))
    }

    /// What stands behind its own length of so many bytes.
    fn sized(&mut self, bytes: usize) -> Option<&'b [u8]> {
        let length = self.number(bytes)?;
        self.take(length)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn sized(bytes: usize, content: &[u8]) -> Vec<u8> {
        let length = content.len().to_be_bytes();
        [&length[length.len() - bytes..], content].concat()
    }

    /// A hello that asks for `name`, after an extension of another kind.
    pub(crate) fn hello(name: &str) -> Vec<u8> {
        let entry = [&[0][..], &sized(2, name.as_bytes())].concat();
        let extension = |kind: u8, content: &[u8]| [&[0, kind][..], &sized(2, content)].concat();
        let extensions = [extension(23, &[]), extension(0, &sized(2, &entry))].concat();
        let body = [
            &[3, 3][..],
            &[7; 32],
            &sized(1, &[9; 32]),
            &sized(2, &[0x13, 1]),
            &sized(1, &[0]),
            &sized(2, &extensions),
        ]
        .concat();
        let message = [&[1][..], &sized(3, &body)].concat();
        [&[22, 3, 1][..], &sized(2, &message)].concat()
    }

    #[test]
    fn the_name_is_found_and_a_cut_hello_is_none() {
        let whole = hello("docs.lan");
        assert_eq!(server_name(&whole), Ok(Some("docs.lan")));
        for end in 0..whole.len() {
            assert!(server_name(&whole[..end]).is_err(), "cut at {end}");
        }
        assert!(server_name(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00").is_err(), "no client's hello");
    }

    #[tokio::test]
    async fn only_tls_is_read() {
        let whole = hello("docs.lan");
        assert_eq!(read(&mut &whole[..]).await, Ok(whole.clone()));
        for other in
            [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff", &whole[..20], b""]
        {
            assert!(read(&mut &other[..]).await.is_err());
        }
    }
}
