//! A whole program with two nodes in it: they share the process and nothing else.
//!
//! ```text
//! cargo run -p ikigai --example embed
//! ```
//!
//! What runs agents is chosen by the usual configuration (`IKIGAI_EXECUTOR_BACKEND`, `ikigai.toml`): Docker where
//! nothing else is said. The plan it prints changes nothing.

use ikigai::wire::api::{SubmitRequest, SubmitSource};
use ikigai::{Config, Layers, Node};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

const FEATURE: &str = "specs/001-text-stats";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let project = checkout(&folder.path().join("project"))?;

    let one = start(&folder.path().join("one"), config("one", "redb")?).await?;
    let two = start(&folder.path().join("two"), config("two", "memory")?).await?;
    for node in [&one, &two] {
        println!("node {} at {}", node.id(), node.socket().display());
    }

    let source =
        SubmitSource::Feature { feature: Some(FEATURE.to_owned()), ids: Vec::new(), with_deps: false };
    let request = SubmitRequest { project, source, dry_run: true, ..SubmitRequest::default() };
    let plan = two.handle().submit(request).await?.plan;
    println!("{}: {} tasks", plan.feature, plan.tasks.len());
    for task in &plan.tasks {
        let node = task.node.as_deref().unwrap_or("no node");
        println!("  wave {}  {} on {node}: {}", task.wave, task.short, task.title);
    }

    one.stop().await;
    two.stop().await;
    Ok(())
}

/// A node in a folder of its own. What is wrong comes with what to do about it.
async fn start(home: &Path, config: Config) -> Result<Node, Box<dyn Error>> {
    let started = Node::builder().home(home).config(config).start().await;
    started.map_err(|error| {
        let hint = error.hint();
        let cause = error.source().map(|c| format!(": {c}")).unwrap_or_default();
        format!("{error}{cause}\nhint: {hint}").into()
    })
}

/// The machine's own configuration, and above it what this program wants.
fn config(name: &str, store: &str) -> Result<Config, Box<dyn Error>> {
    let script = source().join("model.toml");
    let mut layers = Layers::usual(None)?;
    let own = format!(
        "node.name = {name:?}\nhttp.listen = \"off\"\nstore.backend = {store:?}\nforge.backend = \"git\"\n\
         models.scripted = {{ kind = \"scripted\", script = {script:?} }}\n\
         prices.\"scripted/*\" = {{ input = 0, output = 0 }}\ntask.provider = \"scripted\"\n"
    );
    layers.text("embed.rs", &own)?;
    Ok(layers.config()?)
}

/// The feature of this repository that is planned.
fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FEATURE)
}

/// A git checkout with a feature to plan.
fn checkout(path: &Path) -> Result<String, Box<dyn Error>> {
    let feature = path.join(FEATURE);
    std::fs::create_dir_all(&feature)?;
    for file in ["spec.md", "plan.md", "tasks.md"] {
        std::fs::copy(source().join(file), feature.join(file))?;
    }
    for args in ["init -qb main", "add -A", "-c user.name=me -c user.email=me@example.org commit -qm spec"] {
        let done = Command::new("git").args(args.split(' ')).current_dir(path).status()?;
        if !done.success() {
            return Err(format!("git {args} failed").into());
        }
    }
    Ok(path.display().to_string())
}
