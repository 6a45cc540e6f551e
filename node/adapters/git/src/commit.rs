//! Commit objects: reading one that git checked, and writing one that is signed.

use crate::command::Git;
use crate::signature;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult, Signer};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Greatest commit message that is taken over, in bytes; the rest is cut.
const MESSAGE: usize = 64 << 10;
/// The identity that commits for the node.
pub(crate) const NODE: &str = "Ikigai node <node@ikigai.invalid>";

/// Whether `text` is a full object id: 40 or 64 lower-case hex digits.
pub(crate) fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// `commit` as an object id that can stand in a command line.
///
/// # Errors
/// [`PortError::Refused`] when it is not one.
pub(crate) fn checked(commit: &Commit) -> PortResult<&str> {
    if is_object_id(&commit.0) {
        Ok(&commit.0)
    } else {
        let given: String = commit.0.chars().take(80).collect();
        Err(PortError::Refused(format!("`{given}` is not a commit id (40 or 64 hex digits)")))
    }
}

/// The parts of a commit object that are kept when it is made anew.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub tree: String,
    /// The author line's value, as written.
    pub author: Vec<u8>,
    pub encoding: Option<Vec<u8>>,
    pub message: Vec<u8>,
}

impl Parsed {
    /// Reads a commit object; `None` when it is not one.
    pub fn read(raw: &[u8]) -> Option<Self> {
        let split = raw.windows(2).position(|w| w == b"\n\n")?;
        let (mut tree, mut author, mut encoding) = (None, None, None);
        for line in raw[..split].split(|&b| b == b'\n') {
            let space = line.iter().position(|&b| b == b' ')?;
            let (name, value) = (&line[..space], &line[space + 1..]);
            let id = || std::str::from_utf8(value).ok().filter(|v| is_object_id(v)).map(str::to_owned);
            match name {
                b"tree" => tree = Some(id()?),
                b"author" => author = Some(value.to_vec()),
                b"encoding" => encoding = Some(value.to_vec()),
                _ => {}
            }
        }
        let message = raw[split + 2..].to_vec();
        Some(Self { tree: tree?, author: author?, encoding, message })
    }
}

/// A commit to be made.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub tree: &'a str,
    pub parents: Vec<&'a str>,
    /// The author line's value; the committer when `None`.
    pub author: Option<&'a [u8]>,
    pub encoding: Option<&'a [u8]>,
    pub message: Vec<u8>,
}

impl Draft<'_> {
    /// The object's bytes, committed now by the node, signed if there is a signer.
    pub fn bytes(&self, signer: Option<&dyn Signer>) -> PortResult<Vec<u8>> {
        let committer = stamp();
        let mut head = format!("tree {}\n", self.tree).into_bytes();
        for parent in &self.parents {
            head.extend_from_slice(format!("parent {parent}\n").as_bytes());
        }
        field(&mut head, "author", self.author.unwrap_or(committer.as_bytes()));
        field(&mut head, "committer", committer.as_bytes());
        if let Some(encoding) = self.encoding {
            field(&mut head, "encoding", encoding);
        }
        let Some(signer) = signer else {
            return Ok([&head[..], b"\n", &self.message].concat());
        };
        let content = [&head[..], b"\n", &self.message].concat();
        let armour = signature::armoured(&content, signer)?;
        let name = if self.tree.len() == 64 { "gpgsig-sha256" } else { "gpgsig" };
        field(&mut head, name, armour.trim_end().replace('\n', "\n ").as_bytes());
        Ok([&head[..], b"\n", &self.message].concat())
    }

    /// Writes the object into the bare repository at `bare`.
    pub async fn write(&self, git: &Git, bare: &Path, signer: Option<&dyn Signer>) -> PortResult<Commit> {
        let bytes = self.bytes(signer)?;
        let id =
            git.bare(bare, "hash-object").args(["-t", "commit", "-w", "--stdin"]).input(bytes).text().await?;
        Ok(Commit(id))
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// The node's identity and the time, as a commit writes them.
fn stamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    format!("{NODE} {now} +0000")
}

/// `message` with `trailers` at its end; lines in it that claim to be ours are dropped, so that only the
/// node can say which attempt a commit is of.
pub(crate) fn with_trailers(message: &[u8], trailers: &[(&str, String)]) -> Vec<u8> {
    let message = &message[..message.len().min(MESSAGE)];
    let ours = |line: &&[u8]| !(line.len() >= 7 && line[..7].eq_ignore_ascii_case(b"ikigai-"));
    let lines: Vec<&[u8]> = message.split(|&b| b == b'\n').filter(ours).collect();
    let mut out = lines.join(&b'\n');
    out.truncate(out.trim_ascii_end().len());
    if out.is_empty() {
        out.extend_from_slice(b"(no message)");
    }
    let last = out.windows(2).rposition(|w| w == b"\n\n").map(|at| &out[at + 2..]);
    let block = last.is_some_and(|p| p.split(|&b| b == b'\n').all(is_trailer));
    out.extend_from_slice(if block { b"\n" } else { b"\n\n" });
    for (name, value) in trailers {
        out.extend_from_slice(format!("{name}: {value}\n").as_bytes());
    }
    out
}

/// The value of the last trailer `name` of a message.
pub(crate) fn trailer(message: &[u8], name: &str) -> Option<String> {
    let prefix = format!("{name}: ");
    let text = String::from_utf8_lossy(message);
    text.lines().rev().find_map(|line| line.strip_prefix(&prefix).map(|v| v.trim().to_owned()))
}

fn is_trailer(line: &[u8]) -> bool {
    let name = line.split(|&b| b == b':').next().unwrap_or_default();
    line.len() > name.len() + 1
        && line[name.len() + 1] == b' '
        && !name.is_empty()
        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// Reads commit `id` of the bare repository at `bare`.
pub(crate) async fn read(git: &Git, bare: &Path, id: &str) -> PortResult<Parsed> {
    let raw = git.bare(bare, "cat-file").args(["commit", id]).limit(4 << 20).run().await?;
    Parsed::read(&raw).ok_or_else(|| PortError::Corrupt(format!("commit {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_follow_a_paragraph_or_join_a_block() {
        let trailers = [("Ikigai-Task", "T1".to_owned())];
        let text = |m: &str| String::from_utf8(with_trailers(m.as_bytes(), &trailers)).unwrap();
        assert_eq!(text("title\n"), "title\n\nIkigai-Task: T1\n");
        assert_eq!(text("title\n\nSigned-off-by: A\n"), "title\n\nSigned-off-by: A\nIkigai-Task: T1\n");
        assert_eq!(text(""), "(no message)\n\nIkigai-Task: T1\n");
        assert_eq!(text("fix: title"), "fix: title\n\nIkigai-Task: T1\n");
    }

    #[test]
    fn an_agent_cannot_forge_our_trailers() {
        let forged = b"title\n\nikigai-attempt: other/9@9\nIkigai-Task: T9\n";
        let out = with_trailers(forged, &[("Ikigai-Attempt", "mine/1@1".to_owned())]);
        assert_eq!(trailer(&out, "Ikigai-Attempt").as_deref(), Some("mine/1@1"));
        assert_eq!(String::from_utf8(out).unwrap(), "title\n\nIkigai-Attempt: mine/1@1\n");
    }

    #[test]
    fn a_commit_is_read_back() {
        let raw = format!(
            "tree {0}\nparent {0}\nauthor A <a@b> 1 +0000\ncommitter C <c@d> 2 +0000\ngpgsig x\n y\n\nhello\n",
            "a".repeat(40)
        );
        let parsed = Parsed::read(raw.as_bytes()).unwrap();
        assert_eq!(parsed.tree, "a".repeat(40));
        assert_eq!(parsed.author, b"A <a@b> 1 +0000");
        assert_eq!(parsed.message, b"hello\n");
        assert!(Parsed::read(b"tree zz\n\n").is_none());
    }
}
