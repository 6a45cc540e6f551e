//! Which paths are the proxy's own, however they are written.

/// Where a link leads.
pub const OPEN: &str = "/.ikigai/open";
/// The first segment of every path that is ours.
const OURS: &str = ".ikigai";

/// Whether anyone could take this path to be below `/.ikigai`: escapes, empty and dot segments are resolved
/// first, since what stands behind the proxy may do so too.
pub fn is_ours(path: &str) -> bool {
    let mut segments: Vec<String> = Vec::new();
    let once = decode(path);
    for segment in decode(&once).split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name.split(';').next().unwrap_or_default().to_ascii_lowercase()),
        }
    }
    segments.first().is_some_and(|first| first == OURS)
}

/// Whether a service worker from this path could have the whole origin as its scope, and so see our links.
pub fn is_at_root(path: &str) -> bool {
    let once = decode(path);
    decode(&once).split(['/', '\\']).filter(|s| !s.is_empty() && *s != ".").count() <= 1
        || path.contains("..")
}

/// `%41` → `A`; what is no escape stays. Bytes that are no UTF-8 cannot spell a name of ours.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_paths_are_ours_however_they_are_written() {
        for ours in [
            "/.ikigai",
            "/.ikigai/",
            "/.ikigai/open",
            "//.ikigai/open",
            "/./.ikigai/x",
            "/a/../.ikigai/x",
            "/%2eikigai/open",
            "/.IKIGAI/open",
            "/.ikiga%69",
            "/%2Eikigai%2fopen",
            "/%252eikigai/open",
            "/..%2f.ikigai",
            "/a/%2e%2e/.ikigai",
            "\\.ikigai\\open",
            "/.ikigai;x/open",
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["/", "", "/ikigai", "/a/.ikigai", "/.ikigai2", "/.ikigai/../x", "/%", "/%zz", "/é"] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_worker_below_a_folder_cannot_see_the_root() {
        for root in ["/sw.js", "//sw.js", "/./sw.js", "/", "/%2fsw.js", "/a/../sw.js"] {
            assert!(is_at_root(root), "{root}");
        }
        for below in ["/stable/static/service-worker.js", "/_static/sw.js"] {
            assert!(!is_at_root(below), "{below}");
        }
    }
}
