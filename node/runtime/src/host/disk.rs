//! How much of the disk attempts may still use. It is measured now and then, because the disk fills with what this node
//! keeps and with what others write; where it gets short, the oldest sessions of agent CLIs go.

use super::sessions::{prune, untrusted};
use super::{Host, Shared};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it is measured.
const EVERY: Duration = Duration::from_secs(60);

/// What this node may use of the disk its folder is on.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The node's folder.
    pub folder: PathBuf,
    /// Of that, where attempts work: what they use there is what they asked for, and not counted again.
    pub workspaces: PathBuf,
    /// Bytes that all of it may hold.
    pub quota: Option<u64>,
    /// Bytes that stay free for the rest of the machine.
    pub reserve: u64,
    /// Tells what is free on the disk of a folder.
    pub free: fn(&Path) -> u64,
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
struct Measured {
    /// Bytes this node keeps outside of workspaces.
    kept: u64,
    /// Bytes free on the disk.
    free: u64,
}

impl Disk {
    /// What there is for workspaces: what the quota leaves, and what the disk does.
    fn room(&self, found: Measured) -> u64 {
        let of_quota = self.quota.map_or(u64::MAX, |quota| quota.saturating_sub(found.kept));
        of_quota.min(found.free.saturating_sub(self.reserve))
    }

    fn measure(&self) -> Measured {
        Measured { kept: bytes(&self.folder, &self.workspaces), free: (self.free)(&self.folder) }
    }
}

/// Bytes below `folder`, but not below `without`.
fn bytes(folder: &Path, without: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter(|e| e.path() != without).map(|e| {
        let is_folder = e.file_type().is_ok_and(|t| t.is_dir());
        match is_folder {
            true if without.starts_with(e.path()) => bytes(&e.path(), without),
            true => untrusted::bytes(&e.path()),
            false => e.metadata().map_or(0, |m| m.len()),
        }
    });
    sizes.fold(0, u64::saturating_add)
}

impl Host {
    /// Measures the disk now, and then again and again.
    pub(crate) fn watch_disk(&self) {
        let (shared, stop) = (self.shared.clone(), self.shared.stop.clone());
        self.shared.tracker.spawn(stop.run_until_cancelled_owned(async move {
            loop {
                shared.measure_disk().await;
                shared.parts.clock.sleep(EVERY).await;
            }
        }));
    }
}

impl Shared {
    async fn disk_room(&self) -> Option<u64> {
        let disk = self.options.disk.clone();
        tokio::task::spawn_blocking(move || disk.room(disk.measure())).await.ok()
    }

    async fn measure_disk(&self) {
        let enough = self.options.defaults.request.disk_bytes;
        let Some(mut room) = self.disk_room().await else { return };
        if room < enough {
            // Who is busy is asked after measuring, which may take long: attempts begin meanwhile.
            let (sessions, busy) = (self.options.sessions_folder.clone(), self.busy_sessions());
            let pruned = tokio::task::spawn_blocking(move || prune(&sessions, &busy, 0)).await;
            if matches!(pruned, Ok(Ok(()))) {
                room = self.disk_room().await.unwrap_or(room);
            }
        }
        let before = self.room.swap(room, Ordering::Relaxed);
        if room < enough && before >= enough {
            let (room, quota) = (room >> 20, self.options.disk.quota.map(|q| q >> 20));
            tracing::warn!(room_mib = room, quota_mib = quota, "the disk is short: no attempt begins here");
        }
        // Small changes are nobody's business.
        if room.abs_diff(before) >= (enough / 8).max(1) {
            self.changed.send_modify(|n| *n += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(quota: Option<u64>) -> Disk {
        let (folder, workspaces) = (PathBuf::new(), PathBuf::new());
        Disk { folder, workspaces, quota, reserve: 10, free: |_| 0 }
    }

    #[test]
    fn there_is_what_quota_and_disk_both_leave() {
        let room = |quota, kept, free| disk(quota).room(Measured { kept, free });
        assert_eq!(room(None, 500, 100), 90, "the reserve is the machine's");
        assert_eq!(room(Some(60), 20, 100), 40);
        assert_eq!(room(Some(60), 61, 100), 0, "what is kept is over the quota by itself");
        assert_eq!((room(Some(1_000), 20, 100), room(Some(1_000), 20, 5)), (90, 0));
    }

    #[test]
    fn all_but_the_workspaces_is_counted() {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: usize| {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![1; bytes]).unwrap();
        };
        file("node.key", 32);
        file("git/projects/p.git/pack", 5_000);
        file("git/workspaces/p/a", 70_000);
        let counted = bytes(home.path(), &home.path().join("git/workspaces"));
        assert!((5_032..60_000).contains(&counted), "{counted}");
    }
}
