//! A patch as Radicle keeps it: a collaborative object, signed by its authors and read as JSON.

use crate::programs::Programs;
use ikigai_git::Git;
use ikigai_ports::forge::{Note, Patch, Place, Standing};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Commit, PatchId, Timestamp};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

/// Radicle's name of the type.
const TYPE: &str = "xyz.radicle.patch";
/// Longest note that is kept, in characters.
const NOTE: usize = 4000;
/// Longest path that is kept, in characters.
const PATH: usize = 1000;
/// Greatest object that is read, in bytes.
const OBJECT: usize = 8 << 20;

/// A patch, as `rad cob show` prints it. Others write these too: nothing in it is trusted.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Cob {
    pub title: String,
    author: Author,
    state: Status,
    /// What was redacted is there without content.
    revisions: BTreeMap<String, Option<Revision>>,
    timeline: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Status {
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Author {
    id: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Revision {
    author: Author,
    oid: String,
    description: Vec<Text>,
    discussion: Discussion,
    #[serde(default)]
    reviews: BTreeMap<String, Option<Review>>,
    timestamp: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Review {
    id: String,
    author: Author,
    verdict: Option<String>,
    #[serde(default)]
    summary: Vec<Text>,
    comments: Discussion,
    timestamp: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Discussion {
    comments: BTreeMap<String, Option<Comment>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Comment {
    author: String,
    body: String,
    #[serde(default)]
    edits: Vec<Edit>,
    #[serde(default)]
    resolved: bool,
    #[serde(default)]
    location: Option<Location>,
}

/// The lines a comment is about. Line numbers are counted from 1, and a range does not have its end.
#[derive(Debug, Clone, Deserialize)]
struct Location {
    commit: String,
    path: String,
    #[serde(default)]
    old: Option<Span>,
    #[serde(default)]
    new: Option<Span>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Span {
    Lines { range: Range<u64> },
    Chars { line: u64 },
}

#[derive(Debug, Clone, Deserialize)]
struct Edit {
    author: String,
    timestamp: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Text {
    body: String,
}

impl Cob {
    /// `draft`, `open`, `merged` or `archived`.
    pub fn state(&self) -> &str {
        &self.state.status
    }

    /// Whether the holder of `did` opened it.
    pub fn is_by(&self, did: &str) -> bool {
        self.author.id == did
    }

    /// Revisions by whoever opened it, with their ids, the oldest first. Others may propose revisions too: those
    /// are no state of the patch.
    fn revisions(&self) -> impl DoubleEndedIterator<Item = (&str, &Revision)> {
        let own = |id: &String| {
            let (id, revision) = self.revisions.get_key_value(id)?;
            Some((&**id, revision.as_ref()?)).filter(|(_, r)| r.author == self.author)
        };
        self.timeline.iter().filter_map(own)
    }

    /// The id of the newest revision.
    pub fn revision(&self) -> Option<&str> {
        self.revisions().next_back().map(|(id, _)| id)
    }

    /// Which revision says the line `trailer` of itself, from 1.
    pub fn number_of(&self, trailer: &str) -> Option<u32> {
        let says = |(_, r): (_, &Revision)| r.text().lines().any(|line| line == trailer);
        self.revisions().position(says).and_then(|i| u32::try_from(i + 1).ok())
    }

    /// What the first revision says of the patch, as it was last edited.
    pub fn description(&self) -> &str {
        self.revisions().next().map_or("", |(_, r)| r.text())
    }

    /// Whether `own` said `body` on its newest revision already: of another one the same may have to be said again.
    pub fn says(&self, body: &str, own: &str) -> bool {
        let newest = self.revisions().next_back().into_iter();
        let mut said = newest.flat_map(|(_, r)| r.discussion.comments.values().flatten());
        said.any(|c| c.author.strip_prefix("did:key:").unwrap_or(&c.author) == own && c.body.trim() == body)
    }

    /// Every comment on every revision, with its id.
    fn comments(&self) -> impl Iterator<Item = (&String, &Comment)> {
        let all = self.revisions.values().flatten();
        all.flat_map(|r| &r.discussion.comments).filter_map(|(id, c)| Some((id, c.as_ref()?)))
    }

    /// All that was said of it, the oldest first.
    fn notes(&self, own: &str, delegates: &[String]) -> Vec<Note> {
        let standing = |author: &str| match author {
            author if author == own => Standing::Own,
            author if delegates.iter().any(|d| d == author) => Standing::Delegate,
            _ => Standing::Stranger,
        };
        let note = |id: &String, author: &str, asks, text: &str, at: u64| {
            let author = author.strip_prefix("did:key:").unwrap_or(author);
            let text: String = text.chars().take(NOTE).collect();
            let (standing, at) = (standing(author), Timestamp(at));
            Note { id: id.clone(), author: author.to_owned(), standing, asks, text, place: None, at }
        };
        let said = |id: &String, c: &Comment| {
            let id = c.note_id(id);
            let at = c.edits.first().map_or(0, |e| e.timestamp);
            let mut note = note(&id, &c.author, !c.resolved, &c.body, at);
            note.place = c.location.as_ref().and_then(Location::place);
            // Words that somebody else put under a name are that one's words.
            if let Some(edit) = c.edits.last().filter(|e| e.author != c.author) {
                let by = edit.author.strip_prefix("did:key:").unwrap_or(&edit.author);
                note.author = by.to_owned();
                note.standing = standing(by);
            }
            note
        };
        let mut notes: Vec<Note> = self.comments().map(|(id, c)| said(id, c)).collect();
        for review in self.revisions.values().flatten().flat_map(|r| r.reviews.values().flatten()) {
            let (asks, text) = (review.verdict.as_deref() != Some("accept"), review.text());
            notes.push(note(&review.id, &review.author.id, asks, text, review.timestamp));
            let lines = review.comments.comments.iter().filter_map(|(id, c)| Some((id, c.as_ref()?)));
            notes.extend(lines.map(|(id, c)| said(id, c)));
        }
        notes.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        notes
    }

    /// Where the lines stand that comments are about: `<commit>:<path>`, and which lines, by the id of the note.
    pub fn quoted(&self) -> HashMap<String, (String, Range<u64>)> {
        let reviews = self.revisions.values().flatten().flat_map(|r| r.reviews.values().flatten());
        let lines = reviews.flat_map(|r| &r.comments.comments).filter_map(|(id, c)| Some((id, c.as_ref()?)));
        let all = lines.chain(self.comments());
        all.filter_map(|(id, c)| Some((c.note_id(id), c.location.as_ref()?.quoted()?))).collect()
    }

    /// The patch as the port lists it, with the time of its newest revision.
    pub fn patch(&self, id: &str, own: &str, delegates: &[String]) -> Option<(u64, Patch)> {
        let (_, latest) = self.revisions().next_back()?;
        let heads: Vec<Commit> = self.revisions().map(|(_, r)| Commit(r.oid.clone())).collect();
        let good = heads.iter().all(|head| is_id(&head.0));
        let patch = Patch {
            id: PatchId::new(id).ok()?,
            title: self.title.clone(),
            state: self.state.status.clone(),
            head: heads.last()?.clone(),
            revisions: heads,
            landed: None,
            notes: self.notes(own, delegates),
        };
        good.then_some((latest.timestamp, patch))
    }
}

impl Comment {
    /// The id of the note made of it: another one when it was edited.
    fn note_id(&self, id: &str) -> String {
        if self.edits.len() > 1 { format!("{id}.{}", self.edits.len()) } else { id.to_owned() }
    }
}

impl Location {
    /// The lines it names on the new side, else those on the old one.
    fn lines(&self) -> Option<(bool, Range<u64>)> {
        let (is_new, span) = match (&self.new, &self.old) {
            (Some(new), _) => (true, new),
            (None, Some(old)) => (false, old),
            (None, None) => return None,
        };
        Some(match span {
            Span::Lines { range } => (is_new, range.clone()),
            Span::Chars { line } => (is_new, *line..line.saturating_add(1)),
        })
    }

    fn quoted(&self) -> Option<(String, Range<u64>)> {
        let (is_new, lines) = self.lines().filter(|_| is_id(&self.commit))?;
        let from = format!("{}:{}", self.commit, self.path);
        // What was there before is in no commit that the comment names.
        is_new.then_some((from, lines))
    }

    fn place(&self) -> Option<Place> {
        let (_, lines) = self.lines()?;
        let path: String = self.path.chars().take(PATH).collect();
        Some(Place { path, line: lines.start, quote: String::new() })
    }
}

impl Review {
    fn text(&self) -> &str {
        self.summary.last().map_or("", |text| &text.body)
    }
}

impl Revision {
    /// What it says of itself, as it was last edited.
    fn text(&self) -> &str {
        self.description.last().map_or("", |text| &text.body)
    }
}

/// Ids of all patches of the repository at `storage`, each with the tips its authors have of it.
pub(crate) async fn tips(git: &Git, storage: &Path) -> PortResult<HashMap<String, String>> {
    let pattern = format!("refs/namespaces/*/refs/cobs/{TYPE}/*");
    let list = git.bare(storage, "for-each-ref").args(["--format=%(objectname) %(refname)", &pattern]);
    let mut tips: HashMap<String, String> = HashMap::new();
    for line in list.text().await?.lines() {
        let id = line.rsplit('/').next().unwrap_or_default();
        if is_id(id) {
            tips.entry(id.to_owned()).or_default().push_str(line);
        }
    }
    Ok(tips)
}

/// Reads the patch `id` of `rid`; [`PortError::NotFound`] when there is none.
pub(crate) async fn show(programs: &Programs, rid: &str, id: &str) -> PortResult<Cob> {
    let missing = || PortError::NotFound(format!("patch {}", id.chars().take(80).collect::<String>()));
    if !is_id(id) {
        return Err(missing());
    }
    let call = programs.rad("cob").args(["show", "--repo", rid, "--type", TYPE, "--object", id]);
    let answer = call.limit(OBJECT).answer().await?;
    if answer.code != 0 && answer.complaint().contains("not found") {
        return Err(missing());
    }
    let text = answer.good()?;
    serde_json::from_slice(&text).map_err(|e| PortError::failed(format!("reading patch {id}"), e))
}

fn is_id(id: &str) -> bool {
    id.len() == 40 && id.bytes().all(|b| b.is_ascii_hexdigit())
}
