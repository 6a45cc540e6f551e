//! Files a project keeps for us and for Spec-Kit that are not Markdown.

use crate::api::DisconnectOptions;
use serde::Deserialize;

/// `.specify/extensions/ikigai/ikigai-config.yml`: what holds for every task of a project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// Check commands for tasks that declare none.
    pub verify: Vec<String>,
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
    /// Where it is in a checkout; of a local override, the first that exists counts field by field.
    pub const PATH: &str = ".specify/extensions/ikigai/ikigai-config.yml";

    /// Reads the YAML text.
    ///
    /// # Errors
    /// When it is not YAML or has a field that is not known.
    pub fn parse(text: &str) -> Result<Self, ProjectFileError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_yaml_ng::from_str(text)
            .map_err(|e| ProjectFileError { file: Self::PATH, message: e.to_string() })
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
