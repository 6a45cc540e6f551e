//! Who sits before the owner: accepts what is ready, tries again what was given up, and sees the tasks.

use crate::cluster::Cluster;
use ikigai_ports::NodeHandle as _;
use ikigai_remote::RemoteNode;
use ikigai_wire::api::{Command as Do, Filter, TaskView};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// One person; goes away when dropped.
pub struct Person {
    tasks: watch::Receiver<Arc<Vec<TaskView>>>,
    retries: Arc<AtomicUsize>,
    _sits: AbortOnDropHandle<()>,
}

impl Person {
    /// Looks at the tasks of the first node from now on, whether it is there or not.
    pub fn sit(cluster: &Cluster) -> Self {
        let (seen, tasks) = watch::channel(Arc::default());
        let retries = Arc::new(AtomicUsize::new(0));
        // Showing the tasks is work for a small machine, so a long list is looked at less often.
        let pause = Duration::from_millis(200 + 2 * cluster.shape.tasks as u64);
        let sits = look(cluster.owner().handle(), seen, retries.clone(), pause);
        Self { tasks, retries, _sits: AbortOnDropHandle::new(tokio::spawn(sits)) }
    }

    /// The tasks as they were seen last.
    pub fn tasks(&self) -> Arc<Vec<TaskView>> {
        self.tasks.borrow().clone()
    }

    /// Waits until the tasks were looked at once more, from the beginning.
    pub async fn look(&self) -> Arc<Vec<TaskView>> {
        let mut tasks = self.tasks.clone();
        tasks.mark_unchanged();
        for _ in 0..2 {
            tasks.changed().await.expect("somebody looks");
        }
        tasks.borrow().clone()
    }

    /// Waits until the tasks are as wanted; false when they are not in time.
    pub async fn until(&self, limit: Duration, wanted: impl Fn(&[TaskView]) -> bool) -> bool {
        let mut tasks = self.tasks.clone();
        tokio::time::timeout(limit, tasks.wait_for(|tasks| wanted(tasks))).await.is_ok()
    }

    /// Waits until all of `count` tasks are accepted.
    pub async fn until_all_accepted(&self, count: usize, limit: Duration) {
        let accepted =
            |tasks: &[TaskView]| tasks.len() == count && tasks.iter().all(|t| t.state == "accepted");
        if !self.until(limit, accepted).await {
            let tasks = self.tasks();
            let open = tasks.iter().filter(|t| t.state != "accepted");
            let open: Vec<_> = open.map(|t| format!("{} {}: {}", t.short, t.state, t.why.text)).collect();
            panic!("not all accepted within {limit:?}: {open:#?}");
        }
    }

    /// How often a task that was given up was tried again.
    pub fn retries(&self) -> usize {
        self.retries.load(Ordering::Relaxed)
    }
}

async fn look(
    node: RemoteNode,
    seen: watch::Sender<Arc<Vec<TaskView>>>,
    retries: Arc<AtomicUsize>,
    pause: Duration,
) {
    loop {
        if let Ok(snapshot) = node.snapshot(Filter::default()).await {
            for task in &snapshot.tasks {
                let order = match task.state.as_str() {
                    "review" => Do::Accept { force: false },
                    "lost" | "failed" => Do::Retry,
                    _ => continue,
                };
                let tries = matches!(order, Do::Retry);
                // What cannot be done now can be later.
                let done = node.command(&task.id, order).await;
                retries.fetch_add(usize::from(tries && done.is_ok()), Ordering::Relaxed);
            }
            seen.send_replace(Arc::new(snapshot.tasks));
        }
        tokio::time::sleep(pause).await;
    }
}
