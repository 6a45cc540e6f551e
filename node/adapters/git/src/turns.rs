//! Who goes first where only some can: lines that a person's command passes to the front of.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::oneshot;

/// Whose work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Somebody waits for it: a merge, an import, a word on a patch. It is short.
    Person,
    /// What comes of an agent by itself.
    Work,
}

/// A line in front of so many places.
#[derive(Debug)]
pub(crate) struct Line(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    people: VecDeque<oneshot::Sender<Place>>,
    work: VecDeque<oneshot::Sender<Place>>,
}

/// A place, left to the next when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Line>);

impl Line {
    fn new(places: usize) -> Arc<Self> {
        let (people, work) = (VecDeque::new(), VecDeque::new());
        Arc::new(Self(Mutex::new(State { free: places, people, work })))
    }

    /// Waits for a place; one that is not wanted any more goes to the next.
    pub async fn enter(self: &Arc<Self>, turn: Turn) -> Place {
        let called = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Place(self.clone());
            }
            let (call, called) = oneshot::channel();
            match turn {
                Turn::Person => state.people.push_back(call),
                Turn::Work => state.work.push_back(call),
            }
            called
        };
        called.await.expect("invariant: whoever has a place calls the next")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.state();
            let next = state.people.pop_front().or_else(|| state.work.pop_front());
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        if let Some(next) = next {
            // Whoever gave up waiting drops the place it is given, and so calls the next.
            let _ = next.send(Self(self.0.clone()));
        }
    }
}

/// Lines in front of projects, by the file that locks each: however many copies of a folder are open in this process.
static PROJECTS: LazyLock<Mutex<HashMap<PathBuf, Weak<Line>>>> = LazyLock::new(Mutex::default);
/// In front of what takes long where much is moved: workspaces that are made, packs that are taken in.
static MOVES: LazyLock<Arc<Line>> = LazyLock::new(|| Line::new(cores()));
/// In front of what is short: what is written on patches.
static WORDS: LazyLock<Arc<Line>> = LazyLock::new(|| Line::new(cores()));

/// More at once than there are cores would only make each of them late.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().max(2))
}

/// The line in front of the project that `lock` locks.
pub(crate) fn project(lock: &std::path::Path) -> Arc<Line> {
    let mut lines = PROJECTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(line) = lines.get(lock).and_then(Weak::upgrade) {
        return line;
    }
    lines.retain(|_, line| line.strong_count() > 0);
    let line = Line::new(1);
    lines.insert(lock.to_owned(), Arc::downgrade(&line));
    line
}

/// Waits until there is a core for a workspace or a pack. Whoever holds a project must not wait here.
pub(crate) async fn to_move() -> Place {
    MOVES.enter(Turn::Work).await
}

/// Waits until there is a core for something short. Whoever holds a project must not wait here.
pub(crate) async fn to_write(turn: Turn) -> Place {
    WORDS.enter(turn).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everybody who waits, in the order in which they are called.
    async fn order(line: &Arc<Line>, turns: &[(Turn, &'static str)]) -> Vec<&'static str> {
        let busy = line.enter(Turn::Work).await;
        let (seen, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = Vec::new();
        for (turn, name) in turns {
            let (line, seen) = (line.clone(), seen.clone());
            let mut enter = Box::pin(async move {
                let _place = line.enter(*turn).await;
                let _ = seen.send(*name);
            });
            assert!(futures::poll!(&mut enter).is_pending());
            waiting.push(enter);
        }
        drop(busy);
        futures::future::join_all(waiting).await;
        drop(seen);
        let mut names = Vec::new();
        while let Some(name) = order.recv().await {
            names.push(name);
        }
        names
    }

    #[tokio::test]
    async fn people_go_first_and_each_kind_in_its_order() {
        let line = Line::new(1);
        let turns = [(Turn::Work, "a"), (Turn::Work, "b"), (Turn::Person, "c"), (Turn::Person, "d")];
        // Each is woken when the one before has left, whatever order they are looked at in.
        assert_eq!(order(&line, &turns).await, ["c", "d", "a", "b"]);
        assert_eq!(line.state().free, 1);
    }

    #[tokio::test]
    async fn a_place_that_is_not_wanted_any_more_goes_to_the_next() {
        let line = Line::new(1);
        let busy = line.enter(Turn::Work).await;
        let mut first = Box::pin(line.enter(Turn::Person));
        let mut second = Box::pin(line.enter(Turn::Work));
        let mut third = Box::pin(line.enter(Turn::Work));
        for waiting in [&mut first, &mut second, &mut third] {
            assert!(futures::poll!(waiting).is_pending());
        }
        drop(second);
        drop(busy);
        // It was called, and gives up before it looked.
        drop(first);
        drop(third.await);
        assert_eq!(line.state().free, 1);
    }

    #[test]
    fn one_project_has_one_line() {
        let line = project(std::path::Path::new("/a"));
        assert!(Arc::ptr_eq(&line, &project(std::path::Path::new("/a"))));
        assert!(!Arc::ptr_eq(&line, &project(std::path::Path::new("/b"))));
    }
}
