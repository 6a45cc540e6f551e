//! References to what came from other nodes: each is dropped once something else keeps the same.

use crate::commit::{checked, is_object_id};
use crate::copies::Copies;
use ikigai_ports::PortResult;
use ikigai_types::{Commit, ProjectId};
use std::collections::HashSet;
use std::fs;

/// Where the copy keeps what came from other nodes.
pub(crate) const MOVED: &str = "refs/ikigai/objects/";
/// How many there are before it is worth a look at what can go.
const MANY: usize = 32;
/// Most that are looked at in one call.
const LOOKED: usize = 2_000;

impl Copies {
    /// Keeps `commit`, which came from another node and is whole.
    pub(crate) async fn keep_moved(&self, project: &ProjectId, commit: &Commit) -> PortResult<()> {
        let id = checked(commit)?;
        let _held = self.hold(project).await?;
        let name = format!("{MOVED}{id}");
        self.patiently(|| self.call(project, "update-ref").args([name.as_str(), id])).await?.good()?;
        Ok(())
    }

    /// Drops the references to moved commits that a branch or another of them reaches, and to those in `kept`, which
    /// are kept elsewhere. Does nothing while there are few; nor, where nothing is said to be kept, most of the times.
    ///
    /// # Errors
    /// When git fails.
    pub async fn let_go(&self, project: &ProjectId, kept: &[Commit]) -> PortResult<()> {
        let there = fs::read_dir(self.path(project).join(MOVED)).into_iter().flatten().count();
        if there < MANY || (kept.is_empty() && !there.is_multiple_of(MANY)) {
            return Ok(());
        }
        // Two who look at once would each find the other's gone.
        let _held = self.hold(project).await?;
        let list = self.call(project, "for-each-ref").arg("--format=%(objectname) %(refname)");
        let list = list.arg("refs/heads/").arg(MOVED).text().await?;
        let refs = list.lines().filter_map(|line| line.split_once(' ')).filter(|(id, _)| is_object_id(id));
        let (moved, heads): (Vec<_>, Vec<_>) = refs.partition(|(_, name)| name.starts_with(MOVED));
        let mut reached: HashSet<&str> = kept.iter().map(|c| c.0.as_str()).collect();
        reached.extend(heads.iter().map(|(id, _)| *id));
        let asked: Vec<&str> = heads.iter().chain(&moved).map(|(id, _)| *id).take(LOOKED).collect();
        let ends = self.call(project, "merge-base").arg("--independent").args(&asked).text().await?;
        let ends: HashSet<&str> = ends.lines().collect();
        reached.extend(asked.into_iter().filter(|id| !ends.contains(id)));
        let gone = moved.iter().filter(|(id, _)| reached.contains(id));
        let text: String = gone.map(|(id, name)| format!("delete {name} {id}\n")).collect();
        if text.is_empty() {
            return Ok(());
        }
        let drop = || self.call(project, "update-ref").arg("--stdin").input(text.as_str());
        self.patiently(drop).await?.good()?;
        Ok(())
    }
}
