//! Clearing away what nobody owns. What may hold someone's work is never cleared here.

use super::Shared;
use ikigai_types::Fence;
use std::collections::HashSet;

impl Shared {
    /// Removes workloads, workspaces and run folders whose fence is not in `known`.
    pub(super) async fn clear_orphans(&self, known: &[Fence]) {
        let known: HashSet<_> = known.iter().collect();
        match self.parts.executor.list(self.node).await {
            Ok(running) => {
                for orphan in running.into_iter().filter(|r| !known.contains(&r.fence)) {
                    tracing::info!(fence = %orphan.fence, workload = %orphan.id, "removes a workload nobody owns");
                    log_failure("remove", self.parts.executor.remove(&orphan.id).await);
                }
            }
            Err(error) => tracing::warn!(error = error.chain(), "cannot list workloads"),
        }
        match self.parts.workspaces.list().await {
            Ok(fences) => {
                for fence in fences.iter().filter(|f| !known.contains(f)) {
                    self.discard(fence).await;
                }
            }
            Err(error) => tracing::warn!(error = error.chain(), "cannot list workspaces"),
        }
        self.clear_run_folders(&known).await;
    }

    /// Deletes a checkout made for checks: it holds nothing of anybody's. Every other workspace has a note
    /// until it is saved and gone; one without is kept for a person to look at.
    async fn discard(&self, fence: &Fence) {
        if crate::checker::is_check(fence) {
            log_failure("remove", self.parts.workspaces.remove(fence).await);
        } else {
            tracing::warn!(%fence, "a workspace without a note is kept");
        }
    }

    async fn clear_run_folders(&self, known: &HashSet<&Fence>) {
        let keep: HashSet<_> = known.iter().map(|f| self.run_folder(f)).collect();
        let Ok(mut entries) = tokio::fs::read_dir(&self.options.run_folder).await else { return };
        while let Ok(Some(entry)) = entries.next_entry().await {
            if !keep.contains(&entry.path()) {
                let _ = tokio::fs::remove_dir_all(entry.path()).await;
            }
        }
    }
}

/// What could not be cleared stays for the next start; it is said, not fatal.
pub(super) fn log_failure<T>(what: &str, result: ikigai_ports::PortResult<T>) {
    if let Err(error) = result {
        tracing::warn!(error = error.chain(), "{what} failed");
    }
}
