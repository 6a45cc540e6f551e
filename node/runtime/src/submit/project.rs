//! A project's checkout as a source of tasks. Everything read from it is untrusted.

use crate::{Parts, view};
use ikigai_ports::PortError;
use ikigai_ports::checkout::ContentHash;
use ikigai_ports::node::Answer;
use ikigai_speckit::{Document, Graph};
use ikigai_types::ProjectId;
use ikigai_wire::api::{Code, Problem};
use ikigai_wire::project::{ActiveFeature, ProjectConfig};
use std::path::{Component, Path};

/// A checkout.
pub(super) struct Project {
    pub(super) id: ProjectId,
    pub(super) path: String,
    pub(super) config: ProjectConfig,
}

/// A feature of it, read and understood.
pub(super) struct Feature {
    /// `001-shop`.
    pub(super) name: String,
    /// `specs/001-shop/tasks.md`.
    pub(super) file: String,
    pub(super) text: String,
    pub(super) hash: ContentHash,
    pub(super) document: Document,
    pub(super) graph: Graph,
    pub(super) warnings: Vec<String>,
}

impl Project {
    pub(super) async fn open(parts: &Parts, path: &str) -> Answer<Self> {
        if !Path::new(path).is_absolute() {
            let hint = "give the absolute path of a checkout on this node";
            return Err(Problem::new(Code::Usage, format!("`{path}` is not an absolute path"), hint));
        }
        let mut config = ProjectConfig::default();
        for file in ProjectConfig::PATHS {
            if let Some((text, _)) = read_text(parts, path, file).await? {
                let own = ProjectConfig::parse(file, &text);
                let hint = "correct the file and try again";
                config = own.map_err(|e| Problem::new(Code::Usage, e.to_string(), hint))?.over(config);
            }
        }
        Ok(Self { id: project_id(path)?, path: path.to_owned(), config })
    }

    /// The feature called `name`, or the active one.
    pub(super) async fn feature(&self, parts: &Parts, name: Option<&str>) -> Answer<Feature> {
        let folder = match name {
            Some(name) => name.to_owned(),
            None => self.active(parts).await?.ok_or_else(no_active)?,
        };
        let folder = inside(&folder)?;
        let file = format!("{folder}/tasks.md");
        let Some((text, hash)) = read_text(parts, &self.path, &file).await? else {
            let hint = "write it with Spec-Kit's tasks command, or name another feature with --feature";
            return Err(Problem::new(Code::NotFound, format!("{file} not found"), hint));
        };
        let parsed = ikigai_speckit::parse(&text, &file);
        refuse(&parsed.errors)?;
        let graph = Graph::build(&parsed.document).map_err(|e| refuse(&e).err().unwrap_or_else(no_active))?;
        let warnings = parsed.warnings.iter().chain(&graph.warnings).map(ToString::to_string).collect();
        let name = folder.rsplit('/').next().unwrap_or(&folder).to_owned();
        Ok(Feature { name, file, text, hash, document: parsed.document, graph, warnings })
    }

    /// The folder `.specify/feature.json` names; `None` outside Spec-Kit.
    pub(super) async fn active(&self, parts: &Parts) -> Answer<Option<String>> {
        let Some((text, _)) = read_text(parts, &self.path, ActiveFeature::PATH).await? else {
            return Ok(None);
        };
        let active = ActiveFeature::parse(&text);
        let active = active
            .map_err(|e| Problem::new(Code::Usage, e.to_string(), "name the feature with --feature"))?;
        Ok(Some(active.feature_directory))
    }
}

fn no_active() -> Problem {
    let hint =
        "name one: ikigai task new --feature specs/001-…, or start one with Spec-Kit's specify command";
    Problem::new(Code::Usage, "this checkout has no active Spec-Kit feature", hint)
}

/// A text file of the checkout and the hash of its bytes, or `None` when there is none.
async fn read_text(parts: &Parts, checkout: &str, file: &str) -> Answer<Option<(String, ContentHash)>> {
    match parts.checkout.read(Path::new(checkout), Path::new(file)).await {
        Ok(read) => match String::from_utf8(read.bytes) {
            Ok(text) => Ok(Some((text, read.hash))),
            Err(_) => {
                let hint = "save the file as UTF-8";
                Err(Problem::new(Code::Usage, format!("{file} is not UTF-8"), hint))
            }
        },
        Err(PortError::NotFound(_)) => Ok(None),
        Err(error) => Err(view::problem(error)),
    }
}

/// A folder that stays inside the checkout, without a trailing slash or `tasks.md`.
fn inside(folder: &str) -> Answer<String> {
    let folder = folder.strip_suffix("tasks.md").unwrap_or(folder).trim_end_matches('/');
    let plain = |c: Component| matches!(c, Component::Normal(_));
    if folder.is_empty() || !Path::new(folder).components().all(plain) {
        let hint = "give a folder of the checkout, such as specs/001-shop";
        return Err(Problem::new(Code::Usage, format!("`{folder}` is not a feature folder"), hint));
    }
    Ok(if folder.contains('/') { folder.to_owned() } else { format!("specs/{folder}") })
}

/// All that is wrong with the file, the first lines of it, and what to do about the first.
fn refuse(errors: &[ikigai_speckit::Error]) -> Answer<()> {
    let Some(first) = errors.first() else { return Ok(()) };
    let lines: Vec<_> = errors.iter().take(10).map(ToString::to_string).collect();
    let more = errors.len().saturating_sub(lines.len());
    let more = if more > 0 { format!("\n… and {more} more") } else { String::new() };
    Err(Problem::new(Code::Usage, format!("{}{more}", lines.join("\n")), first.hint()))
}

/// The same checkout is always the same project of this node.
fn project_id(path: &str) -> Answer<ProjectId> {
    let hash = ring::digest::digest(&ring::digest::SHA256, path.trim_end_matches('/').as_bytes());
    let hex: String = hash.as_ref().iter().take(4).map(|b| format!("{b:02x}")).collect();
    ProjectId::new(hex).map_err(|e| Problem::plain(Code::Failed, e.to_string()))
}
