//! Who answers what is no call of the API: an agent's editor for its host, the dashboard for its paths.

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use ikigai_editor::EditorProxy;
use ikigai_http::{HostBody, HostService, Site, SiteFile};
use std::sync::Arc;

/// Hands requests for `<agent>.localhost` to the editor proxy.
#[derive(Debug)]
pub(crate) struct Editors(pub(crate) Arc<EditorProxy>);

impl HostService for Editors {
    fn answers(&self, host: &str) -> bool {
        EditorProxy::agent_of_host(host).is_some()
    }

    fn serve(&self, request: Request<Incoming>) -> BoxFuture<'static, Response<HostBody>> {
        let proxy = self.0.clone();
        Box::pin(async move {
            let body = |b: ikigai_editor::Body| HostBody::new(b.map_err(Into::into));
            proxy.serve(request).await.map(body)
        })
    }
}

/// The dashboard's files.
#[derive(Debug)]
pub(crate) struct Dashboard;

impl Site for Dashboard {
    fn file(&self, path: &str) -> Option<SiteFile> {
        ikigai_dashboard::file(path).map(|f| SiteFile { kind: f.kind, bytes: f.bytes })
    }

    fn policy(&self) -> &'static str {
        ikigai_dashboard::CONTENT_SECURITY_POLICY
    }
}
