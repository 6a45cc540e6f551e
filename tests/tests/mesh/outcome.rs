//! What must be true at the end, whatever happened on the way.

use crate::cluster::Cluster;
use crate::project;
use futures::StreamExt as _;
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::Event;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Cluster {
    /// Every task was accepted once, with its log complete and its file merged once. Answers the events.
    pub async fn check_accepted_once(&self) -> Vec<Event> {
        project::check(&self.project(), self.shape.tasks);
        let (events, tasks) = (self.owner().events().await, self.owner().tasks().await);
        for task in &tasks {
            let accepted = events.iter().filter(|e| e.task == task.id && e.what == "accepted").count();
            assert_eq!(accepted, 1, "{} was accepted {accepted} times", task.short);
            let taken = task.patch.as_ref().map(|p| p.attempt);
            let taken = task.attempts.iter().find(|a| Some(a.id.number) == taken).unwrap();
            let stream = self.owner().handle().logs(&taken.id, 1, false).await.unwrap();
            let lines: Vec<_> = stream.map(|l| l.unwrap()).collect().await;
            let numbers: Vec<_> = lines.iter().map(|l| l.n).collect();
            assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{} has a gap", taken.id);
            assert_eq!(
                lines.last().map(|l| l.text.as_str()),
                Some("the agent exited with 0"),
                "{}",
                taken.id
            );
            let said = lines.iter().filter(|l| l.text.contains("still works")).count();
            assert_eq!(said, self.shape.tenths as usize, "{} says too little or too much", taken.id);
        }
        println!("{} tasks accepted, each once, their logs complete", tasks.len());
        events
    }

    /// No workspace, run folder, workload or note of an attempt remains on any node.
    pub async fn nothing_is_left(&self, limit: Duration) {
        let clear = async {
            while !self.left().is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let cleared = tokio::time::timeout(limit, clear).await;
        assert!(cleared.is_ok(), "left after {limit:?}: {:#?}", self.left());
        println!("nothing is left on {} nodes", self.nodes.len());
    }

    fn left(&self) -> Vec<PathBuf> {
        let homes = self.nodes.iter().map(|n| n.home());
        homes
            .flat_map(|home| {
                let workspaces = below(&home.join("git/workspaces"), 8);
                workspaces
                    .into_iter()
                    .chain(below(&home.join("run"), 1))
                    .chain(below(&home.join("processes"), 1))
            })
            .collect()
    }
}

/// Files below a folder, and folders at its depth; hidden ones of the node's own left out.
fn below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let shown = entries.flatten().filter(|e| !e.file_name().to_string_lossy().starts_with('.'));
    let deeper =
        |path: PathBuf| if depth > 1 && path.is_dir() { below(&path, depth - 1) } else { vec![path] };
    shown.flat_map(|e| deeper(e.path())).collect()
}
