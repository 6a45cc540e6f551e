//! Getting in by browser: a one-time link, and the session it becomes.

use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};

/// A link that opens the dashboard once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LoginLink {
    /// For a browser; its code stands behind the `#`, which browsers keep to themselves.
    pub url: String,
    /// It works until then.
    pub expires_at: Timestamp,
}

/// What a link's page sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LoginRequest {
    /// The link's code.
    pub code: String,
}

/// By what else than a one-time link a browser gets in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LoginWays {
    /// What the identity provider is called, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<String>,
}

/// Where a browser is sent to log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LoginStart {
    /// An address of the identity provider.
    pub url: String,
}

/// What the identity provider sent a browser back with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LoginReturn {
    /// Its code, which is good once.
    pub code: String,
    /// What names the log-in.
    pub state: String,
}

/// A browser's session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// It ends then.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub user: String,
    /// The user's role: `viewer`, `operator`, `reviewer`, `admin`.
    pub role: String,
    /// What the policy lets it do to this node, by the policy's names.
    pub may: Vec<String>,
    /// The half of the session that the page keeps, sent as `X-Ikigai-Key`; said once, at log-in. The other half
    /// is a cookie that the page cannot read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
