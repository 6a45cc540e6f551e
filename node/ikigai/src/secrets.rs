//! Secrets by reference: the configuration names where one is, never what it is.

use async_trait::async_trait;
use ikigai_ports::signer::Secret;
use ikigai_ports::{PortError, PortResult, Secrets};

/// Resolves `env:NAME` and `file:/path` at the moment of use.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReferencedSecrets;

#[async_trait]
impl Secrets for ReferencedSecrets {
    async fn resolve(&self, name: &str, audience: &str) -> PortResult<Secret> {
        let value = match name.split_once(':') {
            Some(("env", variable)) => std::env::var(variable)
                .map_err(|_| PortError::NotFound(format!("the credential for {audience} in ${variable}")))?,
            Some(("file", path)) => tokio::fs::read_to_string(path)
                .await
                .map_err(|e| PortError::failed(format!("reading the credential for {audience}"), e))?,
            _ => {
                let text =
                    "a secret is named as env:NAME or file:/path, never written into the configuration";
                return Err(PortError::Refused(text.to_owned()));
            }
        };
        Ok(Secret::new(value.trim()))
    }
}

/// Whether what `name` refers to is there now, without reading it into a log.
pub fn is_there(name: &str) -> bool {
    match name.split_once(':') {
        Some(("env", variable)) => std::env::var_os(variable).is_some_and(|v| !v.is_empty()),
        Some(("file", path)) => std::path::Path::new(path).is_file(),
        _ => false,
    }
}
