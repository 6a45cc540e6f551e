//! Paths to files: a name of `dist/` is that file, a page of the site is `index.html`, anything else is nothing.

/// Where a page of the site may get what from: its own origin alone, no inline script, no frame around it.
///
/// `svelte-trusted-html` is the one maker of markup: the compiled templates, which are constants.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types svelte-trusted-html";

/// The first part of each path that the site draws itself.
const PAGES: [&str; 14] = [
    "login", "now", "tasks", "task", "review", "nodes", "features", "feature", "spec", "agents", "settings",
    "more", "access", "share",
];

/// Every file of `dist/`: its name and bytes. Made by `build.rs`.
const DIST: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// What is served when the site was not built.
const UNBUILT: &[u8] = b"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Ikigai</title>\
    <h1>The dashboard is not in this program</h1>\
    <p>It was compiled without the files of the site. In a checkout of Ikigai, run <code>make dashboard</code>, \
    then <code>make build</code>. The API and the command line work without it.</p>\n";

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its media type.
    pub kind: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// The file that answers `path`; `None` when the site has nothing there.
pub fn file(path: &str) -> Option<File> {
    find(path, DIST)
}

fn find(path: &str, dist: &[(&str, &'static [u8])]) -> Option<File> {
    let name = path.strip_prefix('/')?;
    let named = |name: &str| dist.iter().find(|(n, _)| *n == name).map(|(_, bytes)| *bytes);
    if let Some(bytes) = named(name) {
        return Some(File { kind: kind(name), bytes });
    }
    let first = name.split('/').next().unwrap_or_default();
    let is_page = name.is_empty() || PAGES.contains(&first);
    let page = || File { kind: kind("index.html"), bytes: named("index.html").unwrap_or(UNBUILT) };
    is_page.then(page)
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "webmanifest" => "application/manifest+json",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &[(&str, &[u8])] = &[("index.html", b"<p>"), ("assets/app.js", b"1")];

    #[test]
    fn names_are_files_and_pages_are_the_index() {
        assert_eq!(find("/assets/app.js", SITE).map(|f| (f.kind, f.bytes)), Some((kind("x.js"), &b"1"[..])));
        for page in ["/", "/login", "/task/p.f.T001/log", "/nodes"] {
            assert_eq!(find(page, SITE).map(|f| f.bytes), Some(&b"<p>"[..]), "{page}");
        }
        for nothing in
            ["", "/v1/tasks", "/health", "/assets/none.js", "/assets", "//evil", "/../etc", "/.git"]
        {
            assert_eq!(find(nothing, SITE), None, "{nothing}");
        }
    }

    #[test]
    fn without_the_site_the_page_says_how_to_make_it() {
        let page = find("/", &[]).map(|f| String::from_utf8_lossy(f.bytes).into_owned()).unwrap_or_default();
        assert!(page.contains("make dashboard"), "{page}");
        assert_eq!(find("/assets/app.js", &[]), None);
    }

    #[test]
    fn the_built_site_has_no_inline_script_and_stays_light() {
        let Some(index) = DIST.iter().find(|(n, _)| *n == "index.html") else {
            use std::io::Write as _;
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED the_built_site_has_no_inline_script_and_stays_light: dist/ is not there"
            );
            return;
        };
        let text = String::from_utf8_lossy(index.1);
        assert!(text.matches("<script").count() == text.matches("<script type=\"module\"").count(), "{text}");
        assert!(
            !text.contains("<style") && !text.contains(" style=") && !text.contains(" onclick="),
            "{text}"
        );
        assert!(!text.contains("//fonts.") && !text.contains("https://"), "{text}");
    }
}
