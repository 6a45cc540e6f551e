//! What a mesh may have left behind: files, processes, control groups, notes.

use crate::cluster::Cluster;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where control groups are mounted.
const GROUPS: &str = "/sys/fs/cgroup";

impl Cluster {
    /// No workspace, run folder, workload, process or control group of an attempt remains, and no node holds one.
    pub async fn nothing_is_left(&self, limit: Duration) {
        let clear = async {
            while !self.left().await.is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let cleared = tokio::time::timeout(limit, clear).await;
        assert!(cleared.is_ok(), "left after {limit:?}: {:#?}", self.left().await);
        println!("nothing is left on {} nodes", self.nodes.len());
    }

    async fn left(&self) -> Vec<String> {
        let mut left = self.processes();
        left.extend(self.groups());
        for (at, node) in self.nodes.iter().enumerate() {
            let running = node.running().await;
            if running != Some(0) {
                left.push(format!("node {at} runs {running:?}"));
            }
            let home = node.home();
            let below = |folder: &str, depth| below(&home.join(folder), depth);
            let files = [below("git/workspaces", 8), below("git/staging", 1), below("git/trash", 1)];
            let files = files.into_iter().chain([below("run", 1), below("processes", 1)]).flatten();
            left.extend(files.map(|path| path.display().to_string()));
        }
        left
    }

    /// Processes but the nodes that were called with a path of this mesh, or see one of its folders.
    fn processes(&self) -> Vec<String> {
        let name = self.name();
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let all = all.filter_map(|e| e.file_name().to_string_lossy().parse::<i32>().ok());
        let others = all.filter(|id| !self.nodes.iter().any(|n| n.is(*id)));
        others
            .filter_map(|id| {
                let read = |file: &str| std::fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
                let called = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
                let is_ours =
                    called.contains(&name) || String::from_utf8_lossy(&read("mountinfo")).contains(&name);
                is_ours.then(|| format!("process {id}: {called}"))
            })
            .collect()
    }

    /// Control groups of workloads that nodes of this mesh launched: they are named after their node's process.
    fn groups(&self) -> Vec<String> {
        let ours = |group: &&PathBuf| {
            let name = group.file_name().unwrap_or_default().to_string_lossy();
            let process = name.split('-').nth(1).and_then(|hex| i32::from_str_radix(hex, 16).ok());
            process.is_some_and(|id| self.nodes.iter().any(|n| n.was(id)))
        };
        let since = groups().difference(&self.groups_before).cloned().collect::<BTreeSet<_>>();
        since.iter().filter(ours).map(|group| group.display().to_string()).collect()
    }
}

/// Control groups of all workloads on this machine.
pub fn groups() -> BTreeSet<PathBuf> {
    let trees = std::fs::read_dir(GROUPS).into_iter().flatten().flatten().map(|e| e.path());
    let folders = trees.chain([GROUPS.into()]).filter_map(|tree| std::fs::read_dir(tree.join("ikigai")).ok());
    folders.flat_map(|entries| entries.flatten().map(|e| e.path())).filter(|path| path.is_dir()).collect()
}

/// Files below a folder, and folders at its depth, but what an executor keeps for itself.
fn below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let deeper =
        |path: PathBuf| if depth > 1 && path.is_dir() { below(&path, depth - 1) } else { vec![path] };
    entries.flatten().filter(|e| e.file_name() != ".etc").flat_map(|e| deeper(e.path())).collect()
}
