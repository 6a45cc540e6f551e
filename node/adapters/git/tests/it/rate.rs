//! How many git processes a delivery and an acceptance take, and how fast they are: a queue of results in front of one
//! project is as long as each of them takes.
//!
//! The count is what is held to: it is the same on every machine. The times are printed (`--nocapture`).

use crate::support::*;
use ikigai_git::{GitCheckout, GitForge, GitWorkspaces};
use ikigai_ports::forge::{Mark, PatchText};
use ikigai_ports::objects::Objects as _;
use ikigai_ports::workspace::{Change, Commit};
use ikigai_ports::{Checkout as _, Forge as _, Workspaces as _};
use ikigai_types::{Fence, PatchId};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// An owner's node with a checkout and a forge, and the node that runs its agents.
struct Scene {
    world: World,
    holder: GitWorkspaces,
    forge: GitForge,
    checkouts: GitCheckout,
    base: Commit,
}

impl Scene {
    async fn new() -> Self {
        let (world, base) = World::new(&[("a", "0\n"), ("specs/001/tasks.md", "- [ ] T001\n")]).await;
        let home = world.dir.path().join("node");
        let forge = GitForge::new(home.clone()).unwrap();
        let holder = GitWorkspaces::new(world.dir.path().join("holder"), AGENT).unwrap();
        let pack = world.spaces.pack(&world.project, &base, &[]).await.unwrap();
        holder.unpack(&world.project, &base, pack).await.unwrap();
        forge.adopt(&world.project, &world.checkout()).await.unwrap();
        Self { checkouts: GitCheckout::new(home).unwrap(), world, holder, forge, base }
    }

    /// An agent's work, committed in its workspace at the holder.
    async fn work(&self, n: usize) -> Fence {
        let fence = fence(&format!("shop.001.T{n:03}"), 1, 1);
        let space = self.holder.create(&self.world.project, &fence, &self.base).await.unwrap();
        write(&space, &format!("out/{n}"), "done\n");
        commit_all(&space, "done");
        fence
    }

    /// At the holder, when the agent has ended.
    async fn collect(&self, fence: &Fence) -> Change {
        let project = &self.world.project;
        let change = self.holder.collect(project, fence, &self.base, &self.world.signer).await;
        change.unwrap().unwrap()
    }

    /// At the owner: the objects come, a patch is opened, checked, and said to be ready.
    async fn take(&self, fence: &Fence, change: &Change) -> PatchId {
        let (project, owner) = (&self.world.project, &self.world.spaces);
        assert!(!owner.has(project, &change.head).await.unwrap());
        let have = owner.tips(project, 64).await.unwrap();
        let pack = self.holder.pack(project, &change.head, &have).await.unwrap();
        owner.unpack(project, &change.head, pack).await.unwrap();
        let text = PatchText { title: fence.to_string(), body: "What was asked.".into() };
        let patch = self.forge.open(project, fence, None, change, &text).await.unwrap().patch;
        self.forge.comment(project, &patch, "VERIFIED").await.unwrap();
        self.forge.mark(project, &patch, Mark::Ready).await.unwrap();
        patch
    }

    /// At the owner, when a person said yes: the merge, the person's checkout, the box.
    async fn accept(&self, patch: &PatchId, change: &Change) {
        let (project, owner, signer) = (&self.world.project, &self.world.spaces, &self.world.signer);
        let checkout = self.world.checkout();
        owner.import(project, &checkout, None).await.unwrap();
        let text = PatchText { title: "merge".into(), body: String::new() };
        let merged = self.forge.merge(project, patch, &change.head, &text, signer).await.unwrap();
        assert!(self.checkouts.fast_forward(project, &checkout, &merged).await.unwrap());

        let file = Path::new("specs/001/tasks.md");
        let read = self.checkouts.read(&checkout, file).await.unwrap();
        let ticked = [&read.bytes[..], b"- [X] one more\n"].concat();
        self.checkouts.write_if(&checkout, file, &read.hash, ticked).await.unwrap();
        let head = owner.import(project, &checkout, None).await.unwrap();
        assert!(self.checkouts.fast_forward(project, &checkout, &head).await.unwrap());
        self.checkouts.commit_file(&checkout, file, "tick", signer).await.unwrap().unwrap();
        let head = owner.import(project, &checkout, None).await.unwrap();
        self.forge.publish(project, &head).await.unwrap();
    }
}

/// Counts each process of git that reads the settings of these folders, those git itself starts too.
struct Counter(PathBuf);

impl Counter {
    fn new(dir: &Path, nodes: &[&str]) -> Self {
        let folder = dir.join("processes");
        std::fs::create_dir(&folder).unwrap();
        for node in nodes {
            let file = dir.join(node).join("home/gitconfig");
            let settings = std::fs::read_to_string(&file).unwrap();
            let trace = format!("[trace2]\n\teventTarget = {}\n", folder.display());
            std::fs::write(file, settings + &trace).unwrap();
        }
        Self(folder)
    }

    /// Since the last time it was asked.
    fn count(&self) -> usize {
        let mut verbs = Vec::new();
        for entry in std::fs::read_dir(&self.0).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let verb = text.lines().find_map(|l| l.split_once("\"name\":\"")?.1.split('"').next());
            verbs.push(verb.unwrap_or("?").to_owned());
            std::fs::remove_file(path).unwrap();
        }
        verbs.sort_unstable();
        println!("{:4} {}", verbs.len(), verbs.join(" "));
        verbs.len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_and_an_acceptance_take_few_processes() {
    let scene = Scene::new().await;
    // What is done once is done.
    let first = scene.work(0).await;
    let change = scene.collect(&first).await;
    let patch = scene.take(&first, &change).await;
    scene.accept(&patch, &change).await;

    let counter = Counter::new(scene.world.dir.path(), &["node", "holder"]);
    let next = scene.work(1).await;
    let create = counter.count();
    let change = scene.collect(&next).await;
    let collect = counter.count();
    let patch = scene.take(&next, &change).await;
    let take = counter.count();
    scene.accept(&patch, &change).await;
    let accept = counter.count();
    println!("processes: {create} for a workspace, {collect} to collect, {take} to take, {accept} to accept");
    let most = (4, 16, 25, 52);
    assert!(
        create <= most.0 && collect <= most.1 && take <= most.2 && accept <= most.3,
        "({create}, {collect}, {take}, {accept}), at most {most:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_and_an_acceptance_among_them() {
    let soak = std::env::var("IKIGAI_SOAK").as_deref() == Ok("1");
    let count = if soak { 100 } else { 8 };
    let scene = Scene::new().await;
    let early = scene.work(0).await;
    let change = scene.collect(&early).await;
    let patch = scene.take(&early, &change).await;
    let began = Instant::now();
    let fences: Vec<Fence> = futures::future::join_all((1..=count).map(|n| scene.work(n))).await;
    println!("{count} workspaces and commits: {:?}", began.elapsed());
    let began = Instant::now();
    let changes: Vec<Change> = futures::future::join_all(fences.iter().map(|f| scene.collect(f))).await;
    println!("{count} collected: {:?}", began.elapsed());
    let began = Instant::now();
    let deliveries = futures::future::join_all(fences.iter().zip(&changes).map(|(f, c)| scene.take(f, c)));
    let accept = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        scene.accept(&patch, &change).await;
        began.elapsed()
    };
    let (patches, waited) = futures::future::join(deliveries, accept).await;
    let took = began.elapsed();
    println!("{:.1} deliveries/s, an acceptance took {waited:?}", patches.len() as f64 / took.as_secs_f64());
    let listed = scene.forge.list(&scene.world.project).await.unwrap();
    assert_eq!(listed.len(), count + 1);
    assert_eq!(listed.iter().filter(|p| p.state == "merged").count(), 1);
}
