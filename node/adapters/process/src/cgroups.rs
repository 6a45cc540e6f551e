//! Control groups: what holds a sandbox to its memory, processes and CPU, and what stops it as a whole.
//!
//! Both kinds: one tree per controller (version 1), or one tree (version 2).

use ikigai_types::Limits;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder under which a node's groups are, in each tree.
const OURS: &str = "ikigai";

/// The period over which CPU time is counted, in microseconds.
const PERIOD: u64 = 100_000;

/// What of a machine's control groups this process may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroups {
    kind: Kind,
    /// Whether memory is held to its limit.
    pub memory: bool,
    /// Whether processes are.
    pub pids: bool,
    /// Whether CPU time is.
    pub cpu: bool,
    /// Whether a workload can be paused as a whole.
    pub freezer: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    None,
    /// The folder with a folder per controller.
    Trees(PathBuf),
    /// The folder of the one tree.
    Tree(PathBuf),
}

impl Cgroups {
    /// Finds out by making our folder where control groups are mounted; what cannot be made is not used.
    pub fn detect(mount: &Path) -> Self {
        if mount.join("cgroup.controllers").exists() {
            return Self::detect_tree(mount);
        }
        let usable = |controller: &str, file: &str| {
            let ours = mount.join(controller).join(OURS);
            let made = ours.is_dir() || fs::create_dir(&ours).is_ok();
            made && fs::OpenOptions::new().write(true).open(ours.join(file)).is_ok()
        };
        Self {
            memory: usable("memory", "memory.limit_in_bytes"),
            pids: usable("pids", "pids.max"),
            cpu: usable("cpu", "cpu.cfs_quota_us"),
            freezer: usable("freezer", "freezer.state"),
            kind: Kind::Trees(mount.to_owned()),
        }
    }

    fn detect_tree(mount: &Path) -> Self {
        let ours = mount.join(OURS);
        if !ours.is_dir() && fs::create_dir(&ours).is_err() {
            return Self::default();
        }
        // Each by itself: one that is not there must not take the others along.
        for controller in ["+memory", "+pids", "+cpu"] {
            for folder in [mount, &ours] {
                let _ = fs::write(folder.join("cgroup.subtree_control"), controller);
            }
        }
        let granted = fs::read_to_string(ours.join("cgroup.subtree_control")).unwrap_or_default();
        let has = |controller: &str| granted.split_whitespace().any(|c| c == controller);
        let writable = fs::OpenOptions::new().write(true).open(ours.join("cgroup.procs")).is_ok();
        Self {
            memory: writable && has("memory"),
            pids: writable && has("pids"),
            cpu: writable && has("cpu"),
            freezer: writable && ours.join("cgroup.freeze").exists(),
            kind: Kind::Tree(mount.to_owned()),
        }
    }

    /// Makes the groups of workload `id` and sets its limits; answers their folders.
    ///
    /// # Errors
    /// When a group that is ours to make cannot be made.
    pub fn create(&self, id: &str, limits: &Limits) -> io::Result<Vec<PathBuf>> {
        let groups = self.groups(id);
        for group in &groups {
            fs::create_dir_all(group)?;
        }
        for (file, value) in self.settings(limits) {
            let found = groups.iter().map(|group| group.join(file)).find(|path| path.exists());
            if let Some(path) = found {
                fs::write(&path, value)?;
            }
        }
        Ok(groups)
    }

    /// One more process than the workload may have: the sandbox's own parent is counted too.
    fn settings(&self, limits: &Limits) -> Vec<(&'static str, String)> {
        let memory = limits.memory_bytes.to_string();
        let pids = limits.pids.saturating_add(1).to_string();
        let quota = (limits.cpu_millis.saturating_mul(PERIOD) / 1000).max(1000);
        match self.kind {
            Kind::None => Vec::new(),
            Kind::Trees(_) => vec![
                ("memory.limit_in_bytes", memory.clone()),
                // After the first: memory and swap together may not be less than memory.
                ("memory.memsw.limit_in_bytes", memory),
                ("memory.swappiness", "0".to_owned()),
                ("pids.max", pids),
                ("cpu.cfs_period_us", PERIOD.to_string()),
                ("cpu.cfs_quota_us", quota.to_string()),
            ],
            Kind::Tree(_) => vec![
                ("memory.max", memory),
                ("memory.swap.max", "0".to_owned()),
                ("pids.max", pids),
                ("cpu.max", format!("{quota} {PERIOD}")),
            ],
        }
    }

    fn groups(&self, id: &str) -> Vec<PathBuf> {
        match &self.kind {
            Kind::None => Vec::new(),
            Kind::Tree(_) if !(self.memory || self.pids || self.cpu || self.freezer) => Vec::new(),
            Kind::Tree(mount) => vec![mount.join(OURS).join(id)],
            Kind::Trees(mount) => {
                let held = [
                    ("memory", self.memory),
                    ("pids", self.pids),
                    ("cpu", self.cpu),
                    ("freezer", self.freezer),
                ];
                let held = held.into_iter().filter(|(_, held)| *held);
                held.map(|(controller, _)| mount.join(controller).join(OURS).join(id)).collect()
            }
        }
    }

    /// The file in which the kernel counts kills for want of memory, when memory is held.
    pub fn out_of_memory_file(&self, id: &str) -> Option<PathBuf> {
        match &self.kind {
            Kind::Trees(mount) if self.memory => {
                Some(mount.join("memory").join(OURS).join(id).join("memory.oom_control"))
            }
            Kind::Tree(mount) if self.memory => Some(mount.join(OURS).join(id).join("memory.events")),
            _ => None,
        }
    }

    /// The file that pauses a group, what it takes, and the file and text that tell it is paused.
    fn freezer(&self, id: &str) -> Option<(PathBuf, [&'static str; 2], PathBuf, &'static str)> {
        match &self.kind {
            Kind::Trees(mount) if self.freezer => {
                let state = mount.join("freezer").join(OURS).join(id).join("freezer.state");
                Some((state.clone(), ["THAWED", "FROZEN"], state, "FROZEN"))
            }
            Kind::Tree(mount) if self.freezer => {
                let group = mount.join(OURS).join(id);
                Some((group.join("cgroup.freeze"), ["0", "1"], group.join("cgroup.events"), "frozen 1"))
            }
            _ => None,
        }
    }

    /// Stops or lets go all of a workload; answers when the kernel has done so.
    ///
    /// # Errors
    /// When the kernel refuses, or has not done it within two seconds.
    pub async fn freeze(&self, id: &str, frozen: bool) -> io::Result<()> {
        let Some((file, words, ..)) = self.freezer(id) else { return Ok(()) };
        fs::write(file, words[usize::from(frozen)])?;
        for _ in 0..1000 {
            if self.is_frozen(id) == frozen {
                return Ok(());
            }
            // The kernel tells nobody when the last process has stopped.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Whether a workload is paused.
    pub fn is_frozen(&self, id: &str) -> bool {
        let Some((.., file, word)) = self.freezer(id) else { return false };
        fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line == word))
    }

    /// Every process of a workload, when it has a group.
    pub fn members(&self, id: &str) -> Vec<i32> {
        let Some(group) = self.groups(id).into_iter().next() else { return Vec::new() };
        let listed = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        listed.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Removes the groups of a workload whose processes have ended; those that linger are waited for.
    ///
    /// # Errors
    /// When one is still there after two seconds.
    pub async fn remove(&self, id: &str) -> io::Result<()> {
        for group in self.groups(id) {
            for attempt in 0.. {
                match fs::remove_dir(&group) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(error) if attempt == 400 => return Err(error),
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                    Ok(()) => break,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let mount = tempfile::tempdir().unwrap();
        for file in files {
            let path = mount.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        mount
    }

    #[test]
    fn a_machine_without_control_groups_holds_nothing() {
        let none = Cgroups::detect(Path::new("/nowhere"));
        assert!(!none.memory && !none.pids && !none.cpu && !none.freezer);
        assert!(none.create("w", &Limits::default()).unwrap().is_empty());
    }

    #[test]
    fn one_tree_gets_each_limit_in_its_words() {
        let mount = tree(&["cgroup.controllers", "ikigai/cgroup.procs", "ikigai/cgroup.freeze"]);
        let ours = mount.path().join(OURS);
        // Of three grants a plain folder keeps the last alone; the kernel keeps all.
        let found = Cgroups::detect(mount.path());
        assert!(found.freezer && !found.memory);
        let groups = Cgroups { memory: true, pids: true, ..found };
        let group = ours.join("w");
        fs::create_dir(&group).unwrap();
        for file in ["memory.max", "memory.swap.max", "pids.max", "cpu.max"] {
            fs::write(group.join(file), "").unwrap();
        }
        assert_eq!(groups.create("w", &Limits::default()).unwrap(), std::slice::from_ref(&group));
        let written = |file: &str| fs::read_to_string(group.join(file)).unwrap();
        assert_eq!(written("memory.max"), (2_u64 << 30).to_string());
        assert_eq!(written("memory.swap.max"), "0");
        assert_eq!(written("pids.max"), "513");
        assert_eq!(written("cpu.max"), "100000 100000");
    }
}
