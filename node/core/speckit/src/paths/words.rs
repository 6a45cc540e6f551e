//! The word lists that tell paths from other words with slashes and dots.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::document::PathRole;
use crate::lines::is_space;

/// Directories that projects begin their paths with.
#[rustfmt::skip]
const ROOTS: &[&str] = &[
    "src", "source", "sources", "tests", "test", "__tests__", "lib", "libs", "app", "apps", "packages",
    "package", "backend", "frontend", "docs", "doc", "scripts", "script", "cmd", "internal", "pkg",
    "crates", "api", "ios", "android", "infra", "infrastructure", "db", "database", "migrations", "public",
    "config", "configs", ".github", "specs", "spec", "contracts", "services", "service", "web", "server",
    "client", "core", "common", "shared", "modules", "components", "pages", "routes", "models", "views",
    "controllers", "utils", "helpers", "hooks", "assets", "static", "templates", "resources", "deploy",
    "deployment", "docker", "k8s", "helm", "terraform", "tools", "bin", "examples", "e2e", "fixtures",
    "data", "prisma", "supabase", "alembic", "schemas", "types", "node", "mobile", "desktop", "ui",
    "styles", "i18n", "locales", "cli", "sdk", "plugins", "extensions", "benches", "proto", ".specify",
    "Sources", "Tests", "Assets", "tasks", "features", "domain", "adapters", "workers", "worker",
    "functions", "admin",
];

/// Of these, two parts make a path even without an ending: `src/models`, but not `data/view`.
const STRONG_ROOTS: &[&str] =
    &["src", "tests", "crates", "packages", "apps", "pkg", "cmd", "docs", "migrations", ".github", "specs"];

/// Beginnings of file names that start with a dot; `.status-badge` is a style, not a file.
#[rustfmt::skip]
const HIDDEN: &[&str] = &[
    "git", "env", "docker", "eslint", "prettier", "editorconfig", "npm", "nvmrc", "node-version", "python-version",
    "tool-versions", "ruff", "flake8", "pre-commit", "pylintrc", "coveragerc", "babelrc", "browserslistrc", "stylelint",
    "golangci", "swiftlint", "cursor", "specify", "vscode", "husky", "devcontainer", "terraform", "yarnrc", "htaccess",
    "markdownlint", "nojekyll", "mise", "helmignore", "gcloudignore", "vercel", "clang-format", "rspec", "ruby-version",
    "dir-locals", "bazelrc", "cargo", "claude", "agents", "codex", "storybook", "circleci", "travis", "rustfmt",
];

/// Endings that make a word a file.
#[rustfmt::skip]
const EXTENSIONS: &[&str] = &[
    "rs", "py", "pyi", "ts", "tsx", "js", "jsx", "mjs", "cjs", "mts", "cts", "go", "java", "kt", "kts",
    "swift", "c", "h", "cc", "cpp", "cxx", "hpp", "hh", "m", "mm", "cs", "csx", "fs", "vb", "rb", "erb",
    "rake", "php", "twig", "vue", "svelte", "astro", "html", "htm", "css", "scss", "sass", "less", "sql",
    "md", "mdx", "rst", "txt", "json", "jsonl", "json5", "jsonc", "yaml", "yml", "toml", "xml", "ini",
    "cfg", "conf", "properties", "sh", "bash", "zsh", "fish", "ps1", "bat", "proto", "graphql", "gql",
    "prisma", "tf", "tfvars", "hcl", "lock", "env", "gradle", "dart", "arb", "ex", "exs", "erl", "hrl",
    "hs", "ml", "mli", "scala", "clj", "cljs", "lua", "jl", "zig", "nim", "nix", "razor", "cshtml",
    "csproj", "fsproj", "sln", "slnx", "ipynb", "csv", "tsv", "svg", "png", "jpg", "jpeg", "webp", "gif",
    "ico", "pdf", "feature", "bats", "cypher", "sol", "move", "wgsl", "glsl", "tmpl", "j2", "jinja", "hbs",
    "ejs", "pug", "plist", "storyboard", "xib", "entitlements", "resx", "http", "rest", "avsc", "xsd",
    "wsdl", "snap", "log", "db", "mod", "sum", "golden", "cppm", "gd", "tscn", "unity", "asmdef", "prefab",
    "r", "Rmd", "tex", "bib", "cmake", "mk", "service", "timer", "template", "example", "map", "wasm",
    "zip", "parquet", "pem", "crt",
];

/// Endings that are too common as words when no directory is named: `console.log`, `user.name`.
const WEAK: &[&str] =
    &["log", "db", "env", "move", "rest", "http", "m", "r", "service", "map", "feature", "example", "mod"];

/// File names without an ending.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "Dockerfile", "Makefile", "Justfile", "justfile", "Procfile", "Gemfile", "Rakefile", "Jenkinsfile",
    "Vagrantfile", "Caddyfile", "CODEOWNERS", "LICENSE", "Containerfile", "Podfile", "Fastfile", "Brewfile",
    "Taskfile",
];

/// First words that make a code span a command.
#[rustfmt::skip]
const COMMANDS: &[&str] = &[
    "npm", "npx", "pnpm", "yarn", "bun", "bunx", "deno", "node", "tsc", "vite", "vitest", "jest", "eslint",
    "prettier", "cargo", "rustup", "rustc", "go", "gofmt", "golangci-lint", "git", "gh", "rad", "python",
    "python3", "pytest", "pip", "pip3", "uv", "uvx", "poetry", "ruff", "mypy", "black", "flake8", "tox",
    "alembic", "django-admin", "docker", "docker-compose", "podman", "make", "just", "task", "bash", "sh",
    "zsh", "sudo", "cd", "ls", "cat", "grep", "rg", "sed", "awk", "find", "test", "mkdir", "rm", "cp", "mv",
    "touch", "chmod", "curl", "wget", "http", "php", "composer", "artisan", "phpunit", "bundle", "rails",
    "rake", "rspec", "ruby", "dotnet", "nuget", "java", "javac", "mvn", "gradle", "kotlinc", "swift",
    "xcodebuild", "flutter", "dart", "terraform", "tofu", "kubectl", "helm", "aws", "gcloud", "az", "psql",
    "sqlite3", "mysql", "redis-cli", "openssl", "ssh", "scp", "cmake", "ctest", "ninja", "gcc", "clang",
    "mix", "elixir", "iex", "stack", "cabal", "ghc", "sbt", "lein", "zig", "nix", "playwright", "cypress",
    "k6", "locust", "specify", "ikigai", "diff", "jq", "yq", "bats", "shellcheck", "exec", "echo", "env",
    "timeout", "supabase", "prisma", "wrangler", "turbo", "nx", "lerna", "pre-commit", "act", "true",
    "false",
];

/// Words before a path that say it is only looked at.
#[rustfmt::skip]
const REFERENCE: &[&str] = &[
    "per", "see", "from", "via", "against", "following", "follow", "follows", "matching", "matches",
    "match", "cf", "cf.", "like", "mirrors", "mirroring", "mirror", "reference", "references", "ref",
    "ref:", "refs", "according to", "as in", "based on", "defined in", "described in", "documented in",
    "specified in", "listed in", "imports", "import", "reuse", "reusing", "reads", "read", "consult",
    "conforme", "segundo", "según", "selon", "参照", "参考", "按照", "根据", "详见", "见", "gemäß", "laut", "using",
    "as per",
];

/// Words before a document of the feature that say it is changed all the same.
#[rustfmt::skip]
const CHANGE: &[&str] = &[
    "update", "write", "create", "edit", "amend", "extend", "revise", "add to", "append to", "fill",
    "rewrite", "document", "atualizar", "actualizar", "criar", "crear", "更新", "编写", "创建", "modify",
    "author", "draft",
];

const MOVES: &[&str] = &[
    "move", "rename", "remove", "extract", "migrat", "delete", "strip", "split", "drop", "relocate", "export",
];

/// Whether the text is about moving things, so that "from a to b" changes both.
pub(crate) fn moves(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    MOVES.iter().any(|w| lower.contains(w))
}

/// Whether the task changes the path that follows `before`.
pub(crate) fn role(before: &str, path: &str, moves: bool) -> PathRole {
    let before = tail(before, 40)
        .trim_end_matches(|c: char| is_space(c) || matches!(c, '`' | '*' | '(' | '[' | '（' | '"'));
    let before = before.trim_end_matches(['\'', ':']).to_lowercase();
    let ends = |words: &[&str]| {
        words
            .iter()
            .any(|w| before.strip_suffix(w).is_some_and(|rest| !w.is_ascii() || crate::id::starts_word(rest)))
    };
    if is_document(path) {
        let changed = ends(CHANGE)
            || before.strip_suffix(" the").is_some_and(|b| CHANGE.iter().any(|w| b.ends_with(w)));
        return if changed { PathRole::Claim } else { PathRole::Reference };
    }
    let from = before.ends_with("from") && moves;
    if ends(REFERENCE) && !from { PathRole::Reference } else { PathRole::Claim }
}

/// The documents of a feature, which every task points to.
fn is_document(path: &str) -> bool {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    let documents = [
        "spec.md",
        "plan.md",
        "research.md",
        "data-model.md",
        "quickstart.md",
        "tasks.md",
        "constitution.md",
    ];
    let folders = ["specs/", "contracts/", "checklists/"];
    documents.contains(&name)
        || folders.iter().any(|f| path.starts_with(f))
        || path.contains("/specs/") && path.ends_with(".md")
}

pub(crate) fn is_command(text: &str) -> bool {
    let Some((first, _)) = text.split_once(is_space) else { return false };
    is_program(first)
}

/// Whether a word is a program people run.
pub(crate) fn is_program(word: &str) -> bool {
    let plain = word.trim_start_matches(['$', '>', '#', ' ']);
    COMMANDS.contains(&plain)
        || plain.starts_with("./")
        || plain.starts_with(".venv/")
        || plain.contains('=') && plain.starts_with(|c: char| c.is_ascii_uppercase())
}

fn is_extension(word: &str) -> bool {
    static SET: LazyLock<HashSet<&str>> = LazyLock::new(|| EXTENSIONS.iter().copied().collect());
    SET.contains(word)
}

/// Quick: whether it is worth looking at.
pub(crate) fn may_be_path(word: &str) -> bool {
    word.bytes().any(|b| matches!(b, b'/' | b'.' | b'\\'))
        || word.ends_with(|c: char| c.is_ascii_alphabetic()) && NAMES.iter().any(|n| word.contains(n))
}

/// Whether a word without spaces is a path.
pub(crate) fn is_path(word: &str, quoted: bool) -> bool {
    let bad = |c: char| matches!(c, '"' | '\'' | '?' | '&' | ';' | '|' | '^' | '!') || c.is_control();
    if word.len() < 3 || word.len() > 512 || word.contains("://") || word.contains("::") || word.contains(bad)
    {
        return false;
    }
    if word.contains(':')
        || word.contains("..") && !word.contains("../")
        || word.starts_with(['-', '$', '#', '~'])
    {
        return false;
    }
    let slashed = word.contains('/') || word.contains('\\');
    if slashed { is_slashed_path(word) } else { is_file_name(word, quoted) }
}

fn is_slashed_path(word: &str) -> bool {
    let word = word.replace('\\', "/");
    let absolute = word.starts_with('/');
    let package = word.starts_with('@') && !word.starts_with("@/");
    let address = word.split('/').next().is_some_and(|first| {
        first.contains('.') && !first.starts_with('.') && !matches!(first, "..") && !has_extension(&word)
    });
    if word.contains("//") && absolute || address {
        return false;
    }
    if has_extension(&word) {
        return true;
    }
    let first = word.trim_start_matches("./").split('/').next().unwrap_or("");
    let last = word.rsplit('/').next().unwrap_or("");
    let deep = word.split('/').filter(|p| !p.is_empty()).count() > 2 || STRONG_ROOTS.contains(&first);
    let root = !absolute && ROOTS.contains(&first) && deep;
    let glob = last.contains('*') && !absolute;
    let dir = last.is_empty() && !absolute && !package && word.chars().any(char::is_alphabetic);
    let named =
        NAMES.contains(&last) || last.starts_with("Dockerfile") || (last.starts_with('.') && last.len() > 3);
    let numbers = word.bytes().all(|b| b.is_ascii_digit() || b == b'/');
    !numbers && !package && (root && !is_pair(&word) || dir || named && !absolute || glob)
}

/// `test/lint`, `api/web`: two bare words that happen to begin like a path, as in "api/web parity".
fn is_pair(word: &str) -> bool {
    let parts: Vec<&str> = word.split('/').collect();
    matches!(parts.as_slice(), [a, b] if *a != "src" && ROOTS.contains(b) && *b != "src" && !b.is_empty())
}

fn is_file_name(word: &str, quoted: bool) -> bool {
    if NAMES.contains(&word) {
        return true;
    }
    if let Some(hidden) = word.strip_prefix('.') {
        let plain = hidden.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        let file = hidden.rsplit_once('.').is_some_and(|(_, ending)| is_extension(ending));
        return plain && (file || HIDDEN.iter().any(|known| hidden.starts_with(known)));
    }
    let Some((stem, ending)) = word.rsplit_once('.') else { return false };
    let known = is_extension(ending) && !WEAK.contains(&ending);
    let framework = ending == "js" && !quoted && stem.starts_with(|c: char| c.is_ascii_uppercase());
    let stem_ok = stem.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '[' | '+'))
        && stem
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']' | '+' | '{' | '}' | ','));
    known && stem_ok && !framework
}

/// A back-ticked path with spaces in its names: no operators, no options.
pub(crate) fn is_path_with_spaces(text: &str) -> bool {
    let bad = |c: char| matches!(c, '=' | ';' | '|' | '"' | '$' | '&' | '<' | '>' | '→' | ':' | '{' | '?');
    let first = text.split('/').next().unwrap_or("");
    !text.contains(bad)
        && !text.contains(" -")
        && !text.contains(" + ")
        && first.split(is_space).count() <= 4
        && !text.contains(" and ")
        && !text.starts_with(['/', '@'])
        && !matches!(
            first.split(is_space).next(),
            Some("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "import")
        )
}

/// Whether the last part of a path ends like a file.
pub(crate) fn has_extension(path: &str) -> bool {
    let last = path.rsplit(['/', '\\']).next().unwrap_or(path);
    last.rsplit_once('.')
        .is_some_and(|(stem, ending)| (!stem.is_empty() || path.contains('/')) && is_extension(ending))
}

/// End of the first known ending that is followed by another script: `a.ts` in `a.tsを`.
pub(crate) fn extension_before_other_script(word: &str) -> Option<usize> {
    word.match_indices('.').find_map(|(dot, _)| {
        let ending = &word[dot + 1..];
        let length = ending.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let known = is_extension(&ending[..length]);
        let follows = ending[length..].chars().next().is_some_and(|c| !c.is_ascii());
        (known && follows).then_some(dot + 1 + length)
    })
}

pub(crate) fn starts_with_root(text: &str) -> bool {
    text.split(['/', '.']).next().is_some_and(|first| ROOTS.contains(&first)) || has_extension(text)
}

fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
