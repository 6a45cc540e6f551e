//! What people say and do on the forge, seen here and acted on: a note of somebody known sends the patch back to the
//! agent, a merge by a delegate takes it. What a stranger says is shown, and never told to an agent.

use crate::handle::Handle;
use ikigai_ports::PortResult;
use ikigai_ports::forge::{Note, Patch, Standing};
use ikigai_task::{Input, Observation, Owner, Task, TaskState};
use ikigai_types::{Commit, Fence, PatchId, ProjectId, TaskId};
use ikigai_wire::api::NoteView;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the forge is read while a task has a patch that is not decided, and at most how seldom while nothing
/// is new on it.
const EVERY: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(15));
/// Notes that are shown of one patch, the newest: of people who are known, and of strangers. Views of many tasks go
/// over the mesh in one answer, so that nobody may fill it.
const SHOWN: (usize, usize) = (30, 5);
/// What is shown of one note, in characters.
const SHOWN_OF_ONE: usize = 1_000;
/// Longest text that an agent is told in one turn, in characters. Notes that have no room wait for the next.
const TOLD: usize = 10_000;

/// What was said of each task's patch, as it was last read. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said(Arc<Mutex<HashMap<TaskId, Vec<NoteView>>>>);

impl Said {
    /// What was said of the patch of `task`.
    pub(crate) fn of(&self, task: &TaskId) -> Vec<NoteView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(task).cloned().unwrap_or_default()
    }

    /// Whether that is new.
    fn keep(&self, task: &TaskId, notes: Vec<NoteView>) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(task.clone(), notes.clone()).is_none_or(|before| before != notes)
    }

    /// Forgets every other task.
    fn only(&self, tasks: &BTreeSet<&TaskId>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|task, _| tasks.contains(task));
    }
}

/// A task whose patch is not decided.
#[derive(Debug, Clone)]
struct Open {
    task: TaskId,
    patch: PatchId,
    /// What a person looks at now, if it waits for one.
    reviewed: Option<Commit>,
    /// What each of its attempts brought to the patch.
    made: Vec<(Commit, Fence)>,
    /// Notes that were answered.
    heard: BTreeSet<String>,
    /// A person has to decide before any other note begins a turn.
    held: bool,
}

/// What follows from what is on the forge.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// What this attempt made is merged there.
    Landed(Fence),
    /// Somebody known wants it changed.
    SendBack { text: String, notes: Vec<String> },
}

/// Reads the forge again and again, until `stop`.
pub(crate) async fn follow(node: Handle, stop: CancellationToken) {
    let mut pause = EVERY.0;
    let mut waited: HashSet<Commit> = HashSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = node.parts.clock.sleep(pause) => {}
        }
        let Ok(projects) = node.owner.look(open).await else { return };
        node.said.only(&projects.values().flatten().map(|o| &o.task).collect());
        let wait: HashSet<Commit> = projects.values().flatten().filter_map(|o| o.reviewed.clone()).collect();
        let mut is_new = wait != std::mem::replace(&mut waited, wait.clone());
        for (project, tasks) in projects {
            match read(&node, &project, tasks).await {
                Ok(news) => is_new |= news,
                Err(error) => {
                    tracing::debug!(%project, error = error.chain(), "the forge cannot be read now");
                }
            }
        }
        pause = if is_new { EVERY.0 } else { EVERY.1.min(pause.saturating_mul(2)) };
    }
}

fn open(owner: &Owner) -> BTreeMap<ProjectId, Vec<Open>> {
    let mut projects: BTreeMap<ProjectId, Vec<Open>> = BTreeMap::new();
    for task in owner.tasks().values().filter(|t| !t.state.is_settled()) {
        if let Some(patch) = task.patch().cloned() {
            let (heard, held) = (task.heard.clone(), task.notes_held);
            let (task_id, reviewed, made) = (task.spec.id.clone(), reviewed(task), made(task));
            let open = Open { task: task_id, patch, reviewed, made, heard, held };
            projects.entry(task.spec.project.clone()).or_default().push(open);
        }
    }
    projects
}

fn made(task: &Task) -> Vec<(Commit, Fence)> {
    let pushed = task.attempts.iter().filter(|a| a.patch.is_some() && task.accepted.is_none());
    pushed.filter_map(|a| Some((a.change.as_ref()?.head.clone(), a.fence.clone()))).collect()
}

fn reviewed(task: &Task) -> Option<Commit> {
    let waits = task.state == TaskState::Review && task.accepted.is_none();
    task.attempts.last().filter(|_| waits)?.change.as_ref().map(|c| c.head.clone())
}

/// Acts on what is on the forge; whether anything of it is new.
async fn read(node: &Handle, project: &ProjectId, tasks: Vec<Open>) -> PortResult<bool> {
    let patches = node.parts.forge.list(project).await?;
    let mut is_new = false;
    for open in tasks {
        let Some(patch) = patches.iter().find(|p| p.id == open.patch) else { continue };
        is_new |= node.said.keep(&open.task, shown(&patch.notes, &node.options.reviewers));
        let answer = answer(&open, patch, &node.options.reviewers);
        let mut _accepting = None;
        let input = match answer {
            Some(Answer::Landed(fence)) => {
                // As before any acceptance: the task may have been taken over by another node.
                _accepting = match node.claims.settle(&open.task).await {
                    Ok(settled) => settled,
                    Err(problem) => {
                        tracing::warn!(%fence, error = problem.message, "a merge on the forge is not taken yet");
                        continue;
                    }
                };
                tracing::info!(%fence, %project, "its result is merged on the forge");
                Input::Observation(Observation::Landed { fence })
            }
            // Reading took its time: what a person decided or an agent made meanwhile is not what this is about.
            Some(Answer::SendBack { text, notes }) if still(node, &open).await => {
                let back = ikigai_task::Command::Reject { text, retry: true, notes };
                Input::Command(open.task.clone(), back)
            }
            _ => continue,
        };
        is_new = true;
        let done = node.owner.input(input).await.map_err(crate::submit::problem);
        if let Err(problem) = done {
            tracing::warn!(task = %open.task, error = problem.message, "what the forge says was not taken");
        }
    }
    Ok(is_new)
}

/// Whether what is reviewed is still what was.
async fn still(node: &Handle, open: &Open) -> bool {
    let task = open.task.clone();
    let now = node.owner.look(move |owner| owner.tasks().get(&task).and_then(reviewed)).await;
    now.is_ok_and(|now| now == open.reviewed)
}

/// The newest notes of people who are known, and of strangers.
fn shown(notes: &[Note], reviewers: &[String]) -> Vec<NoteView> {
    let mut room = SHOWN;
    let newest = notes.iter().rev().filter(|note| {
        let stranger = note.standing == Standing::Stranger && !is_known(note, reviewers);
        let left = if stranger { &mut room.1 } else { &mut room.0 };
        std::mem::replace(left, left.saturating_sub(1)) > 0
    });
    let mut views: Vec<_> = newest.map(|n| view(n, reviewers)).collect();
    views.reverse();
    views
}

/// What follows for a task from its patch as the forge has it. Notes wait for as long as no result does for a person.
fn answer(open: &Open, patch: &Patch, reviewers: &[String]) -> Option<Answer> {
    let landed = open.made.iter().rev().find(|(head, _)| Some(head) == patch.landed.as_ref());
    if let Some((_, fence)) = landed {
        return Some(Answer::Landed(fence.clone()));
    }
    open.reviewed.as_ref().filter(|_| !open.held)?;
    let fresh = |n: &&Note| n.asks && is_known(n, reviewers) && !open.heard.contains(&n.id);
    let notes: Vec<&Note> = patch.notes.iter().filter(fresh).collect();
    let mut room = TOLD;
    let mut fits = |text: &str| {
        let left = room.checked_sub(text.chars().count());
        room = left.unwrap_or(0);
        left.is_some()
    };
    let now: Vec<_> = notes.iter().map(|n| (&n.id, told(n))).take_while(|(_, text)| fits(text)).collect();
    let (notes, texts): (Vec<String>, Vec<String>) =
        now.into_iter().map(|(id, text)| (id.clone(), text)).unzip();
    (!notes.is_empty()).then(|| Answer::SendBack { text: texts.join("\n\n"), notes })
}

/// Whether what it says may become part of a prompt.
fn is_known(note: &Note, reviewers: &[String]) -> bool {
    let listed = |key: &String| key.strip_prefix("did:key:").unwrap_or(key) == note.author;
    note.standing == Standing::Delegate || (note.standing != Standing::Own && reviewers.iter().any(listed))
}

fn told(note: &Note) -> String {
    let text = said(note);
    if text.trim().is_empty() { "(refused without a word)".to_owned() } else { text.trim().to_owned() }
}

/// What it says, and of which lines.
fn said(note: &Note) -> String {
    let Some(place) = &note.place else { return plain(&note.text) };
    let quote: String = plain(&place.quote).lines().map(|line| format!("> {line}\n")).collect();
    let path = plain(&place.path).replace(['\n', '\t'], " ");
    format!("{path}:{}\n{quote}{}", place.line, plain(&note.text))
}

fn view(note: &Note, reviewers: &[String]) -> NoteView {
    let standing = match note.standing {
        Standing::Own => "node",
        Standing::Delegate => "delegate",
        Standing::Stranger if is_known(note, reviewers) => "reviewer",
        Standing::Stranger => "stranger",
    };
    NoteView {
        author: note.author.clone(),
        standing: standing.to_owned(),
        asks: note.asks,
        text: said(note).chars().take(SHOWN_OF_ONE).collect(),
        at: note.at,
    }
}

/// Without what a terminal would act on and what nobody sees.
fn plain(text: &str) -> String {
    let unseen = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    text.chars().filter(|&c| c == '\n' || c == '\t' || !(c.is_control() || unseen(c))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::Timestamp;

    fn note(id: &str, standing: Standing, text: &str) -> Note {
        let (author, at) = (format!("z6Mk{standing:?}"), Timestamp(1));
        Note { id: id.to_owned(), author, standing, asks: true, text: text.to_owned(), place: None, at }
    }

    fn patch(landed: Option<&str>, notes: Vec<Note>) -> Patch {
        let landed = landed.map(|head| Commit(head.to_owned()));
        let (id, head) = (PatchId::new("p").unwrap(), Commit("h2".to_owned()));
        let revisions = vec![Commit("h1".to_owned()), head.clone()];
        Patch { id, title: String::new(), state: "open".to_owned(), head, revisions, landed, notes }
    }

    fn fence(number: u32) -> Fence {
        let task = TaskId::new("p.f.T001").unwrap();
        Fence {
            attempt: ikigai_types::AttemptId { task, number },
            epoch: ikigai_types::Epoch(u64::from(number)),
        }
    }

    fn waiting(heard: &[&str]) -> Open {
        Open {
            task: TaskId::new("p.f.T001").unwrap(),
            patch: PatchId::new("p").unwrap(),
            reviewed: Some(Commit("h2".to_owned())),
            made: [1, 2].map(|n| (Commit(format!("h{n}")), fence(n))).to_vec(),
            held: false,
            heard: heard.iter().map(|h| (*h).to_owned()).collect(),
        }
    }

    fn back(text: &str, notes: &[&str]) -> Option<Answer> {
        let notes = notes.iter().map(|n| (*n).to_owned()).collect();
        Some(Answer::SendBack { text: text.to_owned(), notes })
    }

    #[test]
    fn only_somebody_known_is_told_to_the_agent() {
        let said = |standing| patch(None, vec![note("n", standing, "sort by\u{202e} number\u{1b}[2J")]);
        assert_eq!(answer(&waiting(&[]), &said(Standing::Delegate), &[]), back("sort by number[2J", &["n"]));
        assert_eq!(answer(&waiting(&[]), &said(Standing::Own), &["z6MkOwn".to_owned()]), None);
        assert_eq!(answer(&waiting(&[]), &said(Standing::Stranger), &[]), None);
        let listed = ["did:key:z6MkStranger".to_owned()];
        assert!(answer(&waiting(&[]), &said(Standing::Stranger), &listed).is_some());
    }

    #[test]
    fn a_note_is_answered_once_and_an_approval_asks_for_nothing() {
        let notes = vec![note("n1", Standing::Delegate, "one"), note("n2", Standing::Delegate, "two")];
        assert_eq!(answer(&waiting(&["n1"]), &patch(None, notes.clone()), &[]), back("two", &["n2"]));
        assert_eq!(answer(&waiting(&["n1", "n2"]), &patch(None, notes), &[]), None);
        let good = Note { asks: false, ..note("n3", Standing::Delegate, "fine") };
        assert_eq!(answer(&waiting(&[]), &patch(None, vec![good]), &[]), None);
    }

    #[test]
    fn a_merge_counts_whichever_revision_it_has_and_whatever_runs() {
        let late = vec![note("n", Standing::Delegate, "too late")];
        let landed = |n| Some(Answer::Landed(fence(n)));
        assert_eq!(answer(&waiting(&[]), &patch(Some("h2"), late.clone()), &[]), landed(2));
        assert_eq!(answer(&waiting(&[]), &patch(Some("h1"), late.clone()), &[]), landed(1));
        let busy = Open { reviewed: None, ..waiting(&[]) };
        assert_eq!(answer(&busy, &patch(Some("h1"), late.clone()), &[]), landed(1));
        assert_eq!(answer(&busy, &patch(None, late.clone()), &[]), None);
        assert_eq!(answer(&busy, &patch(Some("somebody else's"), late), &[]), None);
    }

    #[test]
    fn a_task_that_a_person_has_to_decide_hears_of_merges_only() {
        let held = Open { held: true, ..waiting(&[]) };
        let notes = vec![note("n", Standing::Delegate, "and again")];
        assert_eq!(answer(&held, &patch(None, notes.clone()), &[]), None);
        assert_eq!(answer(&held, &patch(Some("h1"), notes), &[]), Some(Answer::Landed(fence(1))));
    }

    #[test]
    fn the_agent_is_told_which_lines_a_note_is_about() {
        let place = ikigai_ports::forge::Place {
            path: "src/a\u{1b}.rs".to_owned(),
            line: 12,
            quote: "let a = 1;\nlet b = 2;".to_owned(),
        };
        let on = Note { place: Some(place), ..note("n", Standing::Delegate, "one line will do") };
        let resolved = Note { asks: false, id: "r".to_owned(), ..on.clone() };
        let told = back("src/a.rs:12\n> let a = 1;\n> let b = 2;\none line will do", &["n"]);
        assert_eq!(answer(&waiting(&[]), &patch(None, vec![on, resolved]), &[]), told);
    }

    #[test]
    fn what_has_no_room_in_a_turn_waits_for_the_next() {
        let long = |id| note(id, Standing::Delegate, &"x".repeat(4_000));
        let said = patch(None, vec![long("n1"), long("n2"), long("n3")]);
        let heard = |open: &Open| match answer(open, &said, &[]) {
            Some(Answer::SendBack { notes, .. }) => notes,
            other => panic!("{other:?}"),
        };
        assert_eq!(heard(&waiting(&[])), ["n1", "n2"]);
        assert_eq!(heard(&waiting(&["n1", "n2"])), ["n3"]);
    }

    #[test]
    fn strangers_hide_nobody() {
        let mut notes = vec![note("d", Standing::Delegate, "first")];
        notes.extend((0..100).map(|n| note(&n.to_string(), Standing::Stranger, &"y".repeat(4_000))));
        let shown = shown(&notes, &[]);
        assert_eq!((shown.len(), shown[0].text.as_str()), (1 + SHOWN.1, "first"));
        assert!(shown.iter().all(|n| n.text.len() <= SHOWN_OF_ONE));
    }

    #[test]
    fn what_is_shown_says_who_said_it() {
        let who = |standing| view(&note("n", standing, "x"), &[]).standing;
        let all = [Standing::Own, Standing::Delegate, Standing::Stranger].map(who);
        assert_eq!(all, ["node", "delegate", "stranger"]);
    }
}
