//! Two nodes in one process share nothing; a folder has one node at a time.

use async_trait::async_trait;
use futures::stream::BoxStream;
use ikigai::ports::executor::{Exit, Isolation, Running, WorkloadSpec};
use ikigai::ports::{Executor, PortError, PortResult};
use ikigai::types::{NodeId, WorkloadId};
use ikigai::wire::api::{Filter, SubmitRequest};
use ikigai::{BuildError, Config, Layers, Node};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// An executor of the embedder's that starts nothing: what is looked at here happens before a start.
#[derive(Debug)]
struct StartsNothing;

const NO: PortError = PortError::Unsupported("starting anything");

#[async_trait]
impl Executor for StartsNothing {
    async fn launch(&self, _: &WorkloadSpec) -> PortResult<WorkloadId> {
        Err(NO)
    }
    async fn wait(&self, _: &WorkloadId) -> PortResult<Exit> {
        Err(NO)
    }
    async fn logs(&self, _: &WorkloadId) -> PortResult<BoxStream<'static, PortResult<String>>> {
        Err(NO)
    }
    async fn pause(&self, _: &WorkloadId) -> PortResult<()> {
        Err(NO)
    }
    async fn resume(&self, _: &WorkloadId) -> PortResult<()> {
        Err(NO)
    }
    async fn stop(&self, _: &WorkloadId, _: Duration) -> PortResult<()> {
        Ok(())
    }
    async fn remove(&self, _: &WorkloadId) -> PortResult<()> {
        Ok(())
    }
    async fn list(&self, _: NodeId) -> PortResult<Vec<Running>> {
        Ok(Vec::new())
    }
    fn isolation(&self) -> Isolation {
        Isolation { name: "nothing".to_owned(), ..Isolation::default() }
    }
}

fn config(name: &str, store: &str) -> Config {
    let feature = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/001-text-stats");
    let text = format!(
        "[node]\nname = {name:?}\n[http]\nlisten = \"off\"\n[store]\nbackend = {store:?}\n[forge]\nbackend = \"git\"\n\
         [models.scripted]\nkind = \"scripted\"\nscript = {:?}\n[prices]\n\"scripted/*\" = {{ input = 0, output = 0 }}\n",
        feature.join("model.toml")
    );
    let mut layers = Layers::default();
    layers.text("the test", &text).unwrap();
    layers.config().unwrap()
}

async fn start(home: &Path, name: &str, store: &str) -> Result<Node, BuildError> {
    Node::builder().home(home).config(config(name, store)).executor(Arc::new(StartsNothing)).start().await
}

/// A git checkout with the demo's feature.
fn project(at: &Path) -> String {
    let feature = at.join("specs/001-text-stats");
    std::fs::create_dir_all(&feature).unwrap();
    for file in ["spec.md", "plan.md", "tasks.md"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/001-text-stats").join(file);
        std::fs::copy(from, feature.join(file)).unwrap();
    }
    std::fs::create_dir(at.join(".specify")).unwrap();
    let active = r#"{"feature_directory":"specs/001-text-stats"}"#;
    std::fs::write(at.join(".specify/feature.json"), active).unwrap();
    for args in [
        &["init", "-qb", "main"][..],
        &["add", "-A"],
        &["-c", "user.name=t", "-c", "user.email=t@t.invalid", "commit", "-qm", "spec"],
    ] {
        assert!(Command::new("git").args(args).current_dir(at).status().unwrap().success(), "git {args:?}");
    }
    at.display().to_string()
}

async fn tasks(node: &Node) -> usize {
    node.handle().snapshot(Filter::default()).await.unwrap().tasks.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_of_one_process_share_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let first = start(&one, "one", "redb").await.unwrap();
    let second = start(&two, "two", "memory").await.unwrap();

    assert_ne!(first.id(), second.id());
    assert_ne!(first.socket(), second.socket());
    assert_eq!((first.listen().len(), second.listen().len()), (0, 0));
    let token = |home: &Path| std::fs::read_to_string(home.join("token")).unwrap();
    assert_ne!(token(&one), token(&two));

    let request = SubmitRequest { project: project(&folder.path().join("shop")), ..SubmitRequest::default() };
    let dry = SubmitRequest { dry_run: true, ..request.clone() };
    let plan = second.handle().submit(dry).await.unwrap().plan;
    assert_eq!(plan.tasks.len(), 10);
    assert_eq!(plan.tasks[0].node.as_deref(), Some("two"), "each plans with itself alone");
    first.handle().submit(request).await.unwrap();
    assert_eq!((tasks(&first).await, tasks(&second).await), (10, 0));

    // What one does in the end does not end the other.
    first.stop().await;
    assert_eq!(tasks(&second).await, 0);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_node_at_a_time_and_keeps_its_identity() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let node = start(&home, "one", "redb").await.unwrap();
    let id = node.id();
    match start(&home, "other", "memory").await {
        Err(error @ BuildError::Running(_)) => {
            assert!(error.to_string().contains(&home.display().to_string()), "{error}");
            assert!(error.hint().contains("--home"), "{}", error.hint());
        }
        other => panic!("a second node of one folder: {other:?}"),
    }
    let request = SubmitRequest { project: project(&folder.path().join("shop")), ..SubmitRequest::default() };
    node.handle().submit(request).await.unwrap();
    node.stop().await;

    let again = start(&home, "one", "redb").await.unwrap();
    assert_eq!((again.id(), tasks(&again).await), (id, 10));
    again.stop().await;
}
