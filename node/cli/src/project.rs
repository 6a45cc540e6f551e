//! The project around a folder, and features as people name them.

use ikigai_wire::api::{Code, Problem};
use ikigai_wire::project::ActiveFeature;
use std::path::{Component, Path, PathBuf};

/// A project's checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// Its folder.
    pub(crate) root: PathBuf,
    /// Whether it is a Spec-Kit project.
    pub(crate) spec_kit: bool,
}

/// The nearest folder from `from` upwards that has `.specify`, or else `.git`.
pub(crate) fn find(from: &Path) -> Option<Project> {
    let with = |name: &'static str| from.ancestors().find(move |dir| dir.join(name).exists());
    let spec = with(".specify").map(|root| Project { root: root.to_owned(), spec_kit: true });
    spec.or_else(|| with(".git").map(|root| Project { root: root.to_owned(), spec_kit: false }))
}

// === impl Project ===

impl Project {
    /// The path as it is sent to the node.
    pub(crate) fn text(&self) -> Result<String, Problem> {
        let text = self.root.to_str().map(str::to_owned);
        text.ok_or_else(|| Problem::plain(Code::Usage, format!("{} is no UTF-8 path", self.root.display())))
    }

    /// The feature of a project that has one alone and says of none that it is active.
    pub(crate) fn only_feature(&self) -> Option<String> {
        if self.root.join(ActiveFeature::PATH).exists() {
            return None;
        }
        let entries = std::fs::read_dir(self.root.join("specs")).ok()?.flatten();
        let mut with_tasks = entries.filter(|e| e.path().join("tasks.md").is_file());
        let only = with_tasks.next()?;
        with_tasks.next().is_none().then(|| only.file_name().into_string().ok())?
    }

    /// A feature's folder relative to the project: `001-shop`, `specs/001-shop`, or a path to its tasks.md.
    pub(crate) fn feature(&self, given: &str, cwd: &Path) -> Result<String, Problem> {
        let wrong = || {
            Problem::new(Code::Usage, format!("`{given}` is not a feature of this project"), "run: ls specs")
        };
        let given_path = Path::new(given);
        let path = if given.contains('/') || given.ends_with(".md") {
            let inside = self.root.join(given_path);
            let path = if given_path.is_absolute() || cwd.join(given_path).exists() {
                cwd.join(given_path)
            } else {
                inside
            };
            if path.extension().is_some_and(|e| e == "md") {
                path.parent().map(Path::to_owned).unwrap_or(path)
            } else {
                path
            }
        } else {
            self.root.join("specs").join(given)
        };
        let relative = plain(&path).strip_prefix(&self.root).map(Path::to_owned).map_err(|_| wrong())?;
        relative.to_str().filter(|r| !r.is_empty()).map(str::to_owned).ok_or_else(wrong)
    }
}

/// `path` without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_spec_kit_project_wins_over_git() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir_all(dir.path().join("a/.git")).unwrap();
        assert_eq!(find(&deep).unwrap(), Project { root: dir.path().join("a"), spec_kit: false });
        std::fs::create_dir_all(dir.path().join(".specify")).unwrap();
        assert_eq!(find(&deep).unwrap(), Project { root: dir.path().into(), spec_kit: true });
    }

    #[test]
    fn one_feature_needs_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let project = Project { root: dir.path().to_owned(), spec_kit: true };
        let feature = |name: &str| {
            std::fs::create_dir_all(dir.path().join("specs").join(name)).unwrap();
            std::fs::write(dir.path().join("specs").join(name).join("tasks.md"), "").unwrap();
        };
        assert_eq!(project.only_feature(), None);
        feature("001-shop");
        std::fs::create_dir_all(dir.path().join("specs/002-not-planned-yet")).unwrap();
        assert_eq!(project.only_feature().as_deref(), Some("001-shop"));
        feature("002-not-planned-yet");
        assert_eq!(project.only_feature(), None, "which of two is for the person to say");
    }

    #[test]
    fn features_are_named_in_many_ways() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        std::fs::create_dir_all(root.join("specs/001-shop")).unwrap();
        std::fs::write(root.join("specs/001-shop/tasks.md"), "").unwrap();
        let project = Project { root: root.clone(), spec_kit: true };
        let whole = root.join("specs/001-shop/tasks.md");
        for given in [
            "001-shop",
            "specs/001-shop",
            "specs/001-shop/",
            "specs/001-shop/tasks.md",
            whole.to_str().unwrap(),
        ] {
            assert_eq!(project.feature(given, &root).unwrap(), "specs/001-shop", "{given}");
        }
        assert_eq!(project.feature("tasks.md", &root.join("specs/001-shop")).unwrap(), "specs/001-shop");
        assert_eq!(project.feature("../001-shop", &root.join("specs/001-shop")).unwrap(), "specs/001-shop");
        assert!(project.feature("../../elsewhere", &root).is_err());
        assert!(project.feature("/etc/tasks.md", &root).is_err());
    }
}
