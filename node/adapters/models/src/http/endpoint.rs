//! The one place a provider's calls go to.

use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::host::is_this_machine;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// A base URL that was checked.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    base: Uri,
}

impl Endpoint {
    /// Checks `url`; with a credential only TLS or this machine will do.
    pub(super) fn parse(url: &str, credential: bool) -> Result<Self, String> {
        let base: Uri =
            url.trim_end_matches('/').parse().map_err(|e| format!("base_url `{url}` is not a URL: {e}"))?;
        let scheme = base.scheme().filter(|&s| *s == Scheme::HTTP || *s == Scheme::HTTPS);
        let Some(scheme) = scheme else {
            return Err(format!("base_url `{url}` must begin with https:// or http://"));
        };
        if base.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err("base_url holds a credential: put it into a secret and name that".into());
        }
        if base.query().is_some() {
            return Err(format!("base_url `{url}` must not have a `?` part"));
        }
        let host = base.host().unwrap_or_default();
        if credential && *scheme == Scheme::HTTP && !is_this_machine(host) {
            return Err(format!(
                "a credential is never sent to {host} without TLS: use https://, or configure no secret"
            ));
        }
        Ok(Self { base })
    }

    /// The host alone: the audience of the credential.
    pub(super) fn host(&self) -> &str {
        self.base.host().unwrap_or_default()
    }

    /// The URL of `path` under the base; the host cannot change, whatever `path` is.
    pub(super) fn at(&self, path: &str) -> PortResult<Uri> {
        let refuse =
            || PortError::Refused(format!("`{}` is no path of a model provider", path.escape_debug()));
        let plain = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
        if !path.starts_with('/') || path.contains("//") || !path.chars().all(plain) {
            return Err(refuse());
        }
        let mut parts = self.base.clone().into_parts();
        let joined = format!("{}{path}", self.base.path().trim_end_matches('/'));
        parts.path_and_query = Some(PathAndQuery::try_from(joined).map_err(|_| refuse())?);
        Uri::from_parts(parts).map_err(|_| refuse())
    }

    fn is_tls(&self) -> bool {
        self.base.scheme() == Some(&Scheme::HTTPS)
    }
}

/// TLS with this machine's certificate authorities, or those in `SSL_CERT_FILE` and `SSL_CERT_DIR`, by *ring*.
pub(super) fn connector(
    http: HttpConnector,
    endpoint: &Endpoint,
) -> PortResult<HttpsConnector<HttpConnector>> {
    let builder = HttpsConnectorBuilder::new();
    if !endpoint.is_tls() {
        // Never dials TLS: the roots would be read for nothing, and may be missing.
        let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| PortError::failed("preparing TLS", e))?;
        let none = versions.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        return Ok(builder.with_tls_config(none).https_or_http().enable_http1().wrap_connector(http));
    }
    let hint = "reading the certificate authorities (install ca-certificates, or set SSL_CERT_FILE)";
    let builder = builder
        .with_provider_and_native_roots(ring::default_provider())
        .map_err(|e| PortError::failed(hint, e))?;
    Ok(builder.https_only().enable_http1().wrap_connector(http))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_goes_over_tls_or_stays_on_this_machine() {
        for good in
            ["https://api.openai.com/v1", "http://127.0.0.1:1234/v1", "http://[::1]:1/", "http://localhost"]
        {
            assert!(Endpoint::parse(good, true).is_ok(), "{good}");
        }
        for bad in ["http://10.0.0.2/v1", "http://localhost.evil.example", "http://127.0.0.1.evil.example/v1"]
        {
            assert!(Endpoint::parse(bad, true).unwrap_err().contains("without TLS"), "{bad}");
            assert!(Endpoint::parse(bad, false).is_ok(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for bad in [
            "",
            "api.openai.com",
            "ftp://x/",
            "https://",
            "https://key@host/v1",
            "https://host/v1?key=x",
            "/v1",
        ] {
            assert!(Endpoint::parse(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_path_leaves_the_base() {
        let endpoint = Endpoint::parse("https://host/v1/", false).unwrap();
        assert_eq!(endpoint.at("/responses").unwrap(), "https://host/v1/responses");
        for bad in
            ["", "responses", "@evil/x", "//evil/x", "/../x", "/a?b", "/a#b", "/a b", "/%2e", "/a\\b", "/a\n"]
        {
            assert!(endpoint.at(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Endpoint::parse("http://host", false).unwrap().at("/models").unwrap(),
            "http://host/models"
        );
    }
}
