//! After a person accepted: merge, bring the person's checkout along, tick one box.

use super::{Chores, Done, change, patch_text};
use ikigai_ports::PortError;
use ikigai_ports::forge::Mark;
use ikigai_speckit::TickError;
use ikigai_task::{Observation, Task};
use ikigai_types::{Fence, TaskId};
use std::path::Path;

impl Chores {
    pub(super) async fn merge(&self, task: &Task, fence: Fence) -> Done {
        let lane = self.lane(&task.spec.project);
        let _next = lane.merges.lock().await;
        let _one_at_a_time = lane.checkout.lock().await;
        let spec = &task.spec;
        let checkout = Path::new(&spec.checkout);
        let last = task.attempts.last();
        let patch = last.and_then(|a| a.patch.clone());
        let patch = patch.ok_or_else(|| PortError::Corrupt(format!("{} has no patch", spec.id)))?;
        // What the person committed meanwhile is merged into, not overwritten.
        self.parts.workspaces.import(&spec.project, checkout, None).await?;
        if task.archived {
            // It was given up before somebody took it all the same.
            self.parts.forge.mark(&spec.project, &patch, Mark::Ready).await?;
        }
        let text = patch_text(task, &fence);
        let signer = self.parts.signer.clone();
        let merged =
            self.parts.forge.merge(&spec.project, &patch, &change(task)?.head, &text, &*signer).await;
        let commit = match merged {
            Err(PortError::Conflict(text)) => return Ok(Some(Observation::MergeConflict { fence, text })),
            other => other?,
        };
        if !self.parts.checkout.fast_forward(&spec.project, checkout, &commit).await? {
            tracing::info!(task = %spec.id, "the checkout was left as it is: run git pull there");
        }
        Ok(Some(Observation::Merged { fence, commit }))
    }

    /// Ticks the box by compare-and-swap on the file as it is now, and commits that one file.
    pub(super) async fn tick(&self, task: &Task, id: TaskId) -> Done {
        let lane = self.lane(&task.spec.project);
        let _one_at_a_time = lane.checkout.lock().await;
        let spec = &task.spec;
        let Some(file) = &spec.tasks_file else { return Ok(Some(Observation::Ticked { task: id })) };
        let checkout = Path::new(&spec.checkout);
        let read = self.parts.checkout.read(checkout, Path::new(file)).await?;
        let text =
            String::from_utf8(read.bytes).map_err(|_| PortError::Corrupt(format!("{file} (not UTF-8)")))?;
        let expected = read.hash;
        let ticked = match ikigai_speckit::tick(&text, id.short(), &(), |_| ()) {
            Ok(ticked) => ticked,
            // The person took the task out of the file: there is no box to tick.
            Err(TickError::NotFound { .. }) => return Ok(Some(Observation::Ticked { task: id })),
            Err(error) => return Err(PortError::Refused(format!("{file}: {error}; {}", error.hint()))),
        };
        if ticked != text {
            self.parts.checkout.write_if(checkout, Path::new(file), &expected, ticked.into_bytes()).await?;
        }
        // A commit on a checkout that could not follow the merge would part the two for good: the tick then
        // stays uncommitted in the person's file, and goes along with the next one.
        let head = self.parts.workspaces.import(&spec.project, checkout, None).await?;
        if !self.parts.checkout.fast_forward(&spec.project, checkout, &head).await? {
            return Ok(Some(Observation::Ticked { task: id }));
        }
        let message = format!("tasks: tick {}\n\nIkigai-Task: {}\n", id.short(), spec.id);
        let signer = self.parts.signer.clone();
        let committed =
            self.parts.checkout.commit_file(checkout, Path::new(file), &message, &*signer).await?;
        let head = match committed {
            Some(_) => self.parts.workspaces.import(&spec.project, checkout, None).await?,
            // Committed before, and perhaps not published.
            None => head,
        };
        self.parts.forge.publish(&spec.project, &head).await?;
        Ok(Some(Observation::Ticked { task: id }))
    }
}
