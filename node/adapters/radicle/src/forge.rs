//! The Forge port on Radicle.
//!
//! Everything is written to the node's own storage by `rad` and `git-remote-rad`, which need no running
//! node; the supervised `radicle-node` then tells the peers. So a patch can be opened while it is away.

use crate::cob;
use crate::home::Home;
use crate::patch;
use crate::programs::{Programs, RadicleOptions};
use crate::project;
use crate::signer::{KeySigner, nid};
use crate::supervisor::Supervisor;
use async_trait::async_trait;
use ikigai_git::{Copies, merge};
use ikigai_ports::forge::{ForgeProject, Mark, Opened, Patch, PatchText};
use ikigai_ports::{Forge, PortError, PortResult, Signer};
use ikigai_types::{Change, Commit, Fence, NodeId, PatchId, ProjectId};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

/// How often a patch is tried again whose writing met that of Radicle's own node.
const RACES: u32 = 3;
/// What was read of a patch, and of which state of its references.
pub(crate) type Seen = HashMap<(String, String), (String, u64, Patch)>;

/// A node's part of the Radicle network; the Radicle node ends when this is dropped.
#[derive(Debug)]
pub struct RadicleForge {
    pub(crate) copies: Copies,
    pub(crate) home: Home,
    pub(crate) programs: Programs,
    pub(crate) node: NodeId,
    pub(crate) seen: Mutex<Seen>,
    supervisor: Supervisor,
}

impl RadicleForge {
    /// Prepares the node's `RAD_HOME` and starts `radicle-node` on it; does not wait until that answers.
    ///
    /// # Errors
    /// [`PortError::Refused`] when the programs are not found, the folder holds another key, or another
    /// `radicle-node` runs on it.
    pub async fn start(options: RadicleOptions) -> PortResult<Self> {
        let copies = Copies::open(&options.workspaces)?;
        let node = KeySigner::from_seed(options.seed).node_id();
        let home = Home::prepare(&options)?;
        let programs = Programs::find(options.bin.as_deref(), copies.git().clone(), home.clone())?;
        if !home.path().join("cobs/cobs.db").is_file() {
            programs.rad("cob").arg("migrate").run().await?;
        }
        let supervisor =
            Supervisor::start(programs.clone(), home.clone(), nid(&node), options.connect.clone()).await?;
        Ok(Self { copies, home, programs, node, seen: Mutex::default(), supervisor })
    }

    /// This node's id as Radicle writes it: `z6Mk…`.
    pub fn nid(&self) -> String {
        nid(&self.node)
    }

    /// The project's id on Radicle: `rad:z…`, once it was adopted.
    pub fn rid(&self, project: &ProjectId) -> Option<String> {
        project::known(self, project).map(|known| known.id)
    }

    /// Where others connect to: `<nid>@<host>:<port>`. Waits until the Radicle node answers.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] when it does not.
    pub async fn address(&self) -> PortResult<String> {
        self.supervisor.ready().await?;
        let addresses = self.supervisor.control().addresses().await;
        let addresses = addresses.map_err(|e| PortError::unavailable("the Radicle node", e))?;
        let first = addresses
            .first()
            .ok_or_else(|| PortError::unavailable("the Radicle node", "it does not listen"))?;
        Ok(format!("{}@{first}", self.nid()))
    }

    /// Keeps the repository `rid` here too, as `from` (`<nid>@<host>:<port>`) has it, and lets others have it.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] when that node or this one is away.
    pub async fn seed(&self, rid: &str, from: &str) -> PortResult<()> {
        self.supervisor.ready().await?;
        let away = |e| PortError::unavailable(format!("the Radicle node {from}"), e);
        self.supervisor.control().connect(from).await.map_err(away)?;
        self.supervisor.control().seed(rid).await.map_err(away)?;
        let from = from.split('@').next().unwrap_or(from);
        self.programs.rad_online("seed").args([rid, "--scope", "all", "--from", from]).run().await?;
        Ok(())
    }

    /// Ends the Radicle node and waits for that.
    pub async fn stop(&self) {
        self.supervisor.stop().await;
    }

    fn told(&self, known: &ForgeProject) {
        self.supervisor.announce(&known.id);
    }
}

#[async_trait]
impl Forge for RadicleForge {
    fn name(&self) -> &'static str {
        "radicle"
    }

    async fn adopt(&self, project: &ProjectId, checkout: &Path) -> PortResult<ForgeProject> {
        self.copies.existing(project)?;
        let _held = self.copies.hold(project).await?;
        let known = match project::known(self, project) {
            Some(known) => known,
            None => project::adopt(self, project, checkout).await?,
        };
        self.told(&known);
        Ok(known)
    }

    async fn open(
        &self,
        project: &ProjectId,
        fence: &Fence,
        onto: Option<&PatchId>,
        change: &Change,
        text: &PatchText,
    ) -> PortResult<Opened> {
        let known = project::get(self, project)?;
        let _held = self.copies.hold(project).await?;
        let mut tries = 0;
        let opened = loop {
            match patch::open(self, project, &known, fence, onto, change, text).await {
                Err(error) if tries < RACES && patch::raced(&error) => tries += 1,
                done => break done?,
            }
        };
        self.told(&known);
        Ok(opened)
    }

    async fn comment(&self, project: &ProjectId, patch: &PatchId, body: &str) -> PortResult<()> {
        let known = project::get(self, project)?;
        let _held = self.copies.hold(project).await?;
        let body = body.replace('\0', "");
        let body = body.trim();
        let cob = cob::show(&self.programs, &known.id, patch.as_str()).await?;
        if body.is_empty() || cob.says(body, &self.nid()) {
            return Ok(());
        }
        let revision = cob.revision().ok_or_else(|| PortError::Corrupt(format!("patch {patch}")))?;
        let call =
            self.programs.rad("patch").args(["comment", "--no-announce", "--repo", &known.id, revision]);
        call.arg(format!("--message={body}")).run().await?;
        self.told(&known);
        Ok(())
    }

    async fn mark(&self, project: &ProjectId, patch: &PatchId, mark: Mark) -> PortResult<()> {
        let known = project::get(self, project)?;
        let _held = self.copies.hold(project).await?;
        let cob = cob::show(&self.programs, &known.id, patch.as_str()).await?;
        patch::mark(self, &known, patch.as_str(), &cob, mark).await?;
        self.told(&known);
        Ok(())
    }

    async fn merge(
        &self,
        project: &ProjectId,
        patch: &PatchId,
        head: &Commit,
        text: &PatchText,
        signer: &dyn Signer,
    ) -> PortResult<Commit> {
        let known = project::get(self, project)?;
        let _held = self.copies.hold(project).await?;
        cob::show(&self.programs, &known.id, patch.as_str()).await?;
        let landed = patch::landed(self, project, &known, head).await?;
        let ours = match (patch::ours(self, project, &known).await, landed) {
            // What is merged there is merged, also while the checkout has gone on by itself.
            (Err(PortError::Refused(_)), Some(theirs)) => {
                return merge::merge(&self.copies, project, &theirs, head, text, signer).await;
            }
            (ours, _) => ours?,
        };
        let merged = merge::merge(&self.copies, project, &ours, head, text, signer).await?;
        patch::advance(self, project, &known, &ours, &merged).await?;
        self.told(&known);
        Ok(merged)
    }

    async fn publish(&self, project: &ProjectId, commit: &Commit) -> PortResult<()> {
        let known = project::get(self, project)?;
        let _held = self.copies.hold(project).await?;
        let ours = patch::ours(self, project, &known).await?;
        if !self.copies.is_ancestor(project, &ours, commit).await? {
            return merge::behind(&self.copies, project, &known.branch, &ours, commit).await;
        }
        patch::advance(self, project, &known, &ours, commit).await?;
        self.told(&known);
        Ok(())
    }

    async fn list(&self, project: &ProjectId) -> PortResult<Vec<Patch>> {
        let known = project::get(self, project)?;
        let _held = self.copies.hold(project).await?;
        patch::list(self, project, &known).await
    }
}
