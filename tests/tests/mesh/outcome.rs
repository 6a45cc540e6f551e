//! What must be true of the tasks at the end, whatever happened on the way.

use crate::cluster::Cluster;
use crate::project;
use futures::StreamExt as _;
use ikigai_ports::NodeHandle as _;
use ikigai_types::AttemptId;
use ikigai_wire::api::LogEntry;
use std::time::Duration;

/// What an agent says before each number it counts.
const COUNTS: &str = " still works: ";

impl Cluster {
    /// Every task was merged once, and the log of every attempt is without gap and repeat; that of an attempt that
    /// was taken is complete.
    pub async fn check_accepted_once(&self) {
        self.until_ticked(Duration::from_secs(60)).await;
        project::check(&self.project(), self.shape.tasks);
        let tasks = self.owner().tasks().await;
        let (mut logs, mut lines) = (0, 0);
        for task in &tasks {
            assert_eq!(task.state, "accepted", "{}", task.short);
            let taken = task.patch.as_ref().map(|p| p.attempt).unwrap();
            assert!(
                task.attempts.iter().any(|a| a.id.number == taken),
                "{} has no attempt {taken}",
                task.short
            );
            for attempt in &task.attempts {
                let log = self.log_of(&attempt.id).await;
                check_numbers(&attempt.id, &log);
                if attempt.id.number == taken {
                    let last = log.last().map(|l| l.text.as_str());
                    assert_eq!(last, Some("the agent exited with 0"), "{}", attempt.id);
                    let counted = log.iter().filter(|l| l.text.contains(COUNTS)).count();
                    assert_eq!(
                        counted, self.shape.tenths as usize,
                        "{} says too little or too much",
                        attempt.id
                    );
                }
                (logs, lines) = (logs + 1, lines + log.len());
            }
        }
        println!("{} tasks accepted; {logs} logs with {lines} lines have no gap and no repeat", tasks.len());
    }

    /// A box is ticked after its task was accepted.
    async fn until_ticked(&self, limit: Duration) {
        let ticked = async {
            while project::open_boxes(&self.project()) > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let ticked = tokio::time::timeout(limit, ticked).await;
        assert!(ticked.is_ok(), "{} boxes are open after {limit:?}", project::open_boxes(&self.project()));
    }

    async fn log_of(&self, attempt: &AttemptId) -> Vec<LogEntry> {
        let stream = self.owner().handle().logs(attempt, 1, false).await.unwrap();
        stream.map(|line| line.unwrap()).collect().await
    }
}

/// Lines are numbered without gap or repeat, and so is what the agent itself counted.
fn check_numbers(attempt: &AttemptId, log: &[LogEntry]) {
    let numbers: Vec<_> = log.iter().map(|l| l.n).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{attempt} has a gap or a repeat");
    let counted = log.iter().filter_map(|l| l.text.split_once(COUNTS)).map(|(_, n)| n.parse().unwrap());
    let counted: Vec<u64> = counted.collect();
    assert_eq!(counted, (1..=counted.len() as u64).collect::<Vec<_>>(), "{attempt} lacks or repeats a line");
}
