//! Agent CLIs by name: the built-in adapter files, and those of the node's folder in their place.

use ikigai_wire::agent::Adapter;
use std::collections::BTreeMap;
use std::path::Path;

const BUILT_IN: [&str; 2] = [
    include_str!("../../../agent-image/rootfs/usr/share/ikigai/adapters/codex.toml"),
    include_str!("../../../agent-image/rootfs/usr/share/ikigai/adapters/command.toml"),
];

/// Every adapter; one in `folder` replaces a built-in one of its name.
///
/// # Errors
/// With the file and what is wrong in it.
pub(crate) fn load(folder: &Path) -> Result<BTreeMap<String, Adapter>, String> {
    let mut adapters = BTreeMap::new();
    for text in BUILT_IN {
        let adapter: Adapter = toml::from_str(text).map_err(|e| format!("built-in adapter: {e}"))?;
        adapters.insert(adapter.name.clone(), adapter);
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(adapters) };
    for path in entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml")) {
        let wrong = |e: String| format!("{}: {e}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|e| wrong(e.to_string()))?;
        let adapter: Adapter = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        adapters.insert(adapter.name.clone(), adapter);
    }
    Ok(adapters)
}

#[cfg(test)]
mod tests {
    #[test]
    fn built_in_adapters_are_whole() {
        let adapters = super::load(std::path::Path::new("/nowhere")).unwrap();
        assert_eq!(adapters.keys().collect::<Vec<_>>(), ["codex", "command"]);
        assert!(adapters["codex"].files.values().any(|f| f.contains("{gateway}")));
    }
}
