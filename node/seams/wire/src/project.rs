//! Files a project keeps for us and for Spec-Kit that are not Markdown.

use crate::api::DisconnectOptions;
use serde::Deserialize;

/// `.specify/extensions/ikigai/ikigai-config.yml`: what holds for every task of a project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// Check commands for tasks that declare none.
    pub verify: Option<Vec<String>>,
    /// Agent CLI adapter.
    pub adapter: Option<String>,
    /// Model provider.
    pub provider: Option<String>,
    /// Model name.
    pub model: Option<String>,
    /// What is done when the node that runs an attempt goes silent.
    pub disconnect: DisconnectOptions,
}

/// `.specify/feature.json`: the active feature of a checkout.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ActiveFeature {
    /// Such as `specs/001-shop`.
    pub feature_directory: String,
}

/// A project file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {message}")]
pub struct ProjectFileError {
    /// The file.
    pub file: &'static str,
    /// What is wrong, with its line.
    pub message: String,
}

impl ProjectConfig {
    /// Where it may be in a checkout, the strongest last: what the project shares, then what one person keeps for
    /// themself, under the name Spec-Kit's own extensions use and under the one its .gitignore covers.
    pub const PATHS: [&str; 3] = [
        ".specify/extensions/ikigai/ikigai-config.yml",
        ".specify/extensions/ikigai/ikigai-config.local.yml",
        ".specify/extensions/ikigai/local-config.yml",
    ];

    /// Reads the YAML text of `file`.
    ///
    /// # Errors
    /// When it is not YAML or has a field that is not known.
    pub fn parse(file: &'static str, text: &str) -> Result<Self, ProjectFileError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_yaml_ng::from_str(text).map_err(|e| ProjectFileError { file, message: e.to_string() })
    }

    /// This in place of `below`, field by field, as far as it says anything.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let (own, lower) = (self.disconnect, below.disconnect);
        Self {
            verify: self.verify.or(below.verify),
            adapter: self.adapter.or(below.adapter),
            provider: self.provider.or(below.provider),
            model: self.model.or(below.model),
            disconnect: DisconnectOptions {
                lost_after_secs: own.lost_after_secs.or(lower.lost_after_secs),
                replace: own.replace.or(lower.replace),
                reconcile: own.reconcile.or(lower.reconcile),
            },
        }
    }
}

impl ActiveFeature {
    /// Where it is in a checkout.
    pub const PATH: &str = ".specify/feature.json";

    /// Reads the JSON text.
    ///
    /// # Errors
    /// When it is not the file Spec-Kit writes.
    pub fn parse(text: &str) -> Result<Self, ProjectFileError> {
        serde_json::from_str(text).map_err(|e| ProjectFileError { file: Self::PATH, message: e.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_keeps_for_themself_goes_first_field_by_field() {
        let [shared, own, _] = ProjectConfig::PATHS;
        let read = |file, text| ProjectConfig::parse(file, text).unwrap();
        let below = read(shared, "verify: [make test]\nadapter: codex\ndisconnect: {replace: false}\n");
        let above = read(own, "verify: []\nmodel: small\ndisconnect: {lost_after_seconds: 9}\n");
        let both = above.over(below.clone());
        assert_eq!((both.verify.clone(), both.adapter.as_deref()), (Some(Vec::new()), Some("codex")));
        assert_eq!(both.model.as_deref(), Some("small"));
        assert_eq!((both.disconnect.lost_after_secs, both.disconnect.replace), (Some(9), Some(false)));
        assert_eq!(read(own, "\n").over(below.clone()), below);
        let error = ProjectConfig::parse(own, "modle: x").unwrap_err().to_string();
        assert!(error.starts_with(own) && error.contains("modle"), "{error}");
    }
}
