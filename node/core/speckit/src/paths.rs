//! Files and directories named in running text.

use std::collections::BTreeSet;

use crate::document::{PathClaim, PathRole};
use crate::lines::is_space;

mod token;
mod words;

pub(crate) use token::code_span;
pub(crate) use words::is_program;

/// Most paths one task can name; further ones are left out.
const MAX_PATHS: usize = 256;

/// Longest path that is read.
const MAX_LEN: usize = 512;

/// Adds the paths named in `text` to `found`, each once, in order of appearance.
pub(crate) fn collect(text: &str, found: &mut Vec<PathClaim>) {
    let moves = words::moves(text);
    for piece in token::pieces(text) {
        let role = words::role(&text[..piece.start], piece.text, moves);
        for one in token::expand_braces(piece.text) {
            let Some(claim) = normalise(&one, role) else { continue };
            let full = found.len() >= MAX_PATHS;
            match found.iter_mut().find(|p| p.path == claim.path) {
                Some(known) => {
                    known.directory |= claim.directory;
                    known.role = known.role.min(claim.role);
                }
                None if full => return,
                None => found.push(claim),
            }
        }
    }
}

/// Drops file names without a directory when a full path with the same name is there.
pub(crate) fn drop_short_names(found: &mut Vec<PathClaim>) {
    if found.len() < 2 {
        return;
    }
    let names: BTreeSet<String> =
        found.iter().filter_map(|p| p.path.rsplit_once('/')).map(|(_, name)| name.to_owned()).collect();
    found.retain(|p| p.path.contains('/') || p.directory || !names.contains(&p.path));
}

/// Whether a path is one of tests, by the usual names.
pub(crate) fn is_test(path: &str) -> bool {
    let lower = path.to_lowercase();
    let (dirs, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let stem = name.split('.').next().unwrap_or(name);
    let in_dir = dirs.split('/').any(|d| {
        matches!(d, "test" | "tests" | "__tests__" | "spec" | "e2e" | "androidtest") || d.ends_with("tests")
    });
    in_dir
        || name.contains(".test.")
        || name.contains(".spec.")
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_spec")
        || path.rsplit('/').next().is_some_and(|n| n.split('.').next().is_some_and(camel_test))
}

fn camel_test(stem: &str) -> bool {
    stem.ends_with("Test") || stem.ends_with("Tests") || stem.ends_with("Spec")
}

/// One notation for one path; none when it leaves the project or is only pattern.
fn normalise(raw: &str, role: PathRole) -> Option<PathClaim> {
    let path = raw.replace('\\', "/");
    let mut directory = path.ends_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ if part.contains('*') => {
                directory = true;
                break;
            }
            _ => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    let path = format!("{root}{}", parts.join("/"));
    let fits = !parts.is_empty() && path.len() <= MAX_LEN && !path.contains(|c: char| c.is_control());
    fits.then_some(PathClaim { path: path.trim_matches(is_space).to_owned(), directory, role })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        let mut found = Vec::new();
        collect(text, &mut found);
        drop_short_names(&mut found);
        let one = |p: &PathClaim| {
            let slash = if p.directory { "/" } else { "" };
            let role = if p.role == PathRole::Reference { "?" } else { "" };
            format!("{}{slash}{role}", p.path)
        };
        found.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn plain_and_back_ticked_paths() {
        assert_eq!(show("Create User model in src/models/user.py."), "src/models/user.py");
        assert_eq!(show("Edit `src/a.rs`, `Cargo.toml` and docs/."), "src/a.rs Cargo.toml docs/");
        assert_eq!(show("in `./web//src/App.tsx:12` (see `App.tsx`)"), "web/src/App.tsx");
        assert_eq!(
            show("`.gitignore`, .env.example, `.clippy.toml`"),
            ".gitignore .env.example .clippy.toml"
        );
        assert_eq!(show(r"in src\Models\User.cs"), "src/Models/User.cs");
    }

    #[test]
    fn braces_globs_spaces_and_brackets() {
        assert_eq!(show("split `src/{tools,lib}` up"), "src/tools src/lib");
        assert_eq!(show("src/{a, b}/mod.rs"), "src/a/mod.rs src/b/mod.rs");
        assert_eq!(show("all of tests/unit/**/*.py"), "tests/unit/");
        assert_eq!(show("in `My App/Models/User Profile.swift`"), "My App/Models/User Profile.swift");
        assert_eq!(show("in src/app/(shell)/jobs/[id]/page.tsx"), "src/app/(shell)/jobs/[id]/page.tsx");
        assert_eq!(show("(`app/[slug]/page.tsx`)"), "app/[slug]/page.tsx");
    }

    #[test]
    fn other_scripts_around_a_path() {
        assert_eq!(show("src/モデル/利用者.tsを実装する、`lib/x.ts`を更新"), "src/モデル/利用者.ts lib/x.ts");
        assert_eq!(
            show("在src/models/user.go中创建模型（见data-model.md）"),
            "src/models/user.go data-model.md?"
        );
    }

    #[test]
    fn what_is_no_path() {
        for text in [
            "read and/or write",
            "US1/AC2 and T006/T007",
            "POST /api/v1/users and `/api/users/{id}`",
            "CI/CD",
            "`application/json`",
            "Node.js and Next.js",
            "https://example.org/a/b.html",
            "`npm run test:e2e`",
            "`pytest tests/unit/test_a.py -q`",
            "e.g. v1.2.3, i.e. 3.5",
            "`user.name` and `console.log`",
            "`@types/node`",
            "client/server",
            "`std::fs`",
            "on 2026/01/02",
            "input/output",
            "9/10",
            "`../..`",
            "`.status-badge` and `.withConfig`",
            "internal/external and admin/manager",
            "test/lint",
        ] {
            assert_eq!(show(text), "", "{text}");
        }
    }

    #[test]
    fn documents_are_referred_to_and_files_are_changed() {
        assert_eq!(show("Validate per specs/001-x/quickstart.md"), "specs/001-x/quickstart.md?");
        assert_eq!(show("Add model to src/a.rs per data-model.md"), "src/a.rs data-model.md?");
        assert_eq!(show("Update quickstart.md"), "quickstart.md");
        assert_eq!(show("like src/old.rs, write src/new.rs"), "src/old.rs? src/new.rs");
        assert_eq!(show("Move it from src/a.ts to src/b.ts"), "src/a.ts src/b.ts");
    }

    #[test]
    fn test_paths() {
        for path in
            ["tests/a.py", "src/x.test.ts", "pkg/a_test.go", "src/test/java/UserTest.java", "App.Tests/A.cs"]
        {
            assert!(is_test(path), "{path}");
        }
        for path in ["src/latest.rs", "src/contest/a.rs", "src/attestation.ts"] {
            assert!(!is_test(path), "{path}");
        }
    }

    #[test]
    fn nothing_explodes() {
        let bomb = format!("src/{}", "{a,b}".repeat(40));
        let mut found = Vec::new();
        collect(&bomb, &mut found);
        assert!(found.len() <= MAX_PATHS);
    }
}
