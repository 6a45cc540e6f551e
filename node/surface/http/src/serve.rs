//! Connections: who is on the other end, which host is asked, and what is refused before a handler.

use crate::api::{Came, Peer};
use crate::authority::now;
use crate::guard::{self, MAX_BODY, MAX_HEAD, MAX_HEADERS, Refusal, Transport};
use crate::reply::{REQUEST_ID, finish};
use crate::{Api, HostBody, Listener, Tls, linux, routes, site};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::Request;
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ikigai_access::Principal;
use ikigai_access::audit::Deed;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

/// Most connections of one listener at a time; the next one waits to be accepted.
const MAX_CONNECTIONS: usize = 512;
/// How long the head of a request may take to come in.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long connections get to end by themselves when the server stops.
const GRACE: Duration = Duration::from_secs(3);

impl Api {
    /// Serves on `listeners` until `stop`, then lets open answers end within three seconds; streams are cut
    /// so that their readers know to come back.
    pub async fn serve(self, listeners: Vec<Listener>, stop: CancellationToken) {
        let connections = TaskTracker::new();
        for listener in &listeners {
            if let Some(address) = listener.page(&self.shared.options.auth.hosts) {
                if matches!(listener, Listener::Tls(..)) {
                    let _ = self.shared.outside.set(address.clone());
                }
                let _ = self.shared.address.set(address);
            }
        }
        let loops = listeners.into_iter().map(|l| accept(self.clone(), l, stop.clone(), connections.clone()));
        futures::future::join_all(loops).await;
        self.shared.stop.cancel();
        connections.close();
        self.shared.writes.close();
        let ended = async { tokio::join!(connections.wait(), self.shared.writes.wait()) };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!(left = connections.len(), "connections did not end in time");
        }
    }
}

async fn accept(api: Api, listener: Listener, stop: CancellationToken, connections: TaskTracker) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => return,
            place = places.clone().acquire_owned() => place.expect("invariant: never closed"),
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accept_one(&api, &listener, &stop, &connections, place) => accepted,
        };
        if let Err(error) = accepted {
            tracing::warn!(%error, place = listener.place(), "cannot accept");
            // Out of file descriptors, most likely: going on at once would only spin.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn accept_one(
    api: &Api,
    listener: &Listener,
    stop: &CancellationToken,
    connections: &TaskTracker,
    place: OwnedSemaphorePermit,
) -> std::io::Result<()> {
    match listener {
        Listener::Unix(socket, _) => {
            let (stream, _) = socket.accept().await?;
            if is_same_user(&stream) {
                connections.spawn(connection(
                    api.clone(),
                    stream,
                    Transport::Unix.into(),
                    stop.clone(),
                    place,
                ));
            } else {
                tracing::warn!("a connection of another user was refused");
            }
        }
        Listener::Shared(socket, _) => {
            let (stream, _) = socket.accept().await?;
            connections.spawn(shared(api.clone(), stream, stop.clone(), place));
        }
        Listener::Tcp(socket, bound) => {
            let (stream, _) = socket.accept().await?;
            let transport = Transport::Tcp { port: bound.port() };
            let _ = stream.set_nodelay(true);
            connections.spawn(connection(api.clone(), stream, transport.into(), stop.clone(), place));
        }
        Listener::Tls(socket, _, tls) => {
            let (stream, _) = socket.accept().await?;
            let _ = stream.set_nodelay(true);
            connections.spawn(secured(api.clone(), stream, tls.clone(), stop.clone(), place));
        }
    }
    Ok(())
}

/// A connection whose first bytes must be a handshake.
async fn secured(
    api: Api,
    stream: TcpStream,
    tls: Tls,
    stop: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    let Ok(at) = stream.local_addr() else { return };
    match tokio::time::timeout(HEAD_TIMEOUT, tls.acceptor.accept(stream)).await {
        Ok(Ok(stream)) => connection(api, stream, Transport::Tls { at }.into(), stop, place).await,
        Ok(Err(error)) => tracing::debug!(%error, "no handshake"),
        Err(_) => tracing::debug!("a handshake did not come in time"),
    }
}

/// The kernel says who is on the other end: only our own user and root may call.
fn is_same_user(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

/// A connection of any Linux user of this machine. The node's own user and root are its owner here too.
async fn shared(api: Api, stream: UnixStream, stop: CancellationToken, place: OwnedSemaphorePermit) {
    let Ok(peer) = stream.peer_cred() else { return };
    let linux = match is_same_user(&stream) {
        true => None,
        false => Some(linux::name(peer.uid()).await.into()),
    };
    connection(api, stream, Peer { transport: Transport::Unix, linux }, stop, place).await;
}

async fn connection<S>(api: Api, stream: S, peer: Peer, stop: CancellationToken, place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (api, peer) = (api.clone(), peer.clone());
        async move { Ok::<_, Infallible>(api.dispatch(request, peer).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS).half_close(false);
    let serving = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
    drop(place);
}

impl Api {
    async fn dispatch(&self, request: Request<Incoming>, peer: Peer) -> Response<HostBody> {
        let transport = peer.transport;
        let id = self.shared.next_request();
        let (mut parts, body) = request.into_parts();
        guard::terminal::take_key(&mut parts);
        let host = match guard::host(&parts, transport) {
            Ok(host) => host,
            Err(refusal) => return self.refuse(refusal, &parts, &peer, &id),
        };
        if let (Transport::Tcp { .. }, Some(service)) = (transport, &self.shared.options.fallback)
            && !guard::is_own_name(&host, transport, &self.shared.options.auth)
            && service.answers(&host)
        {
            return service.serve(Request::from_parts(parts, body)).await;
        }
        let auth = &self.shared.options.auth;
        if let Some(site) =
            self.shared.front.site.as_deref().filter(|_| guard::is_own_name(&host, transport, auth))
            && let Some(answer) = site::answer(site, &parts)
        {
            return answer
                .map_or_else(|r| self.refuse(r, &parts, &peer, &id), |page| boxed(finish_page(page, &id)));
        }
        let who = match self.who(&parts, &host, &peer) {
            Ok(who) => who,
            Err(refusal) => return self.refuse(refusal, &parts, &peer, &id),
        };
        let mut request = Request::from_parts(parts, Body::new(Limited::new(body, MAX_BODY)));
        request.headers_mut().remove(REQUEST_ID);
        request.extensions_mut().insert(Came(transport));
        request.extensions_mut().insert(who);
        let response = match self.router.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        tracing::debug!(request = %id, status = response.status().as_u16(), "answered");
        boxed(finish(response, &id))
    }

    /// Who a request is of that may reach a handler. What the policy lets them do, each route asks.
    fn who(&self, parts: &Parts, host: &str, peer: &Peer) -> Result<Principal, Refusal> {
        let auth = &self.shared.options.auth;
        guard::check(parts, host, peer.transport, auth)?;
        let who = self.shared.front.authority.who(&parts.headers, peer, auth)?;
        if who == Principal::Nobody && !routes::is_open(&parts.method, parts.uri.path()) {
            return Err(guard::unknown("a token is needed"));
        }
        guard::check_body(&parts.headers)?;
        Ok(who)
    }

    fn refuse(&self, refusal: Refusal, parts: &Parts, peer: &Peer, id: &str) -> Response<HostBody> {
        self.shared.refused(refusal.reason);
        let deed = Deed {
            at: now(),
            who: Principal::Nobody.name().to_owned(),
            via: peer.linux.as_ref().map_or_else(|| "-".to_owned(), |name| format!("linux {name}")),
            action: "-".to_owned(),
            what: format!("{} {}: {}", parts.method, parts.uri.path(), refusal.reason.name()),
            result: "refused".to_owned(),
        };
        self.shared.front.authority.audit().refused(deed);
        tracing::warn!(request = %id, reason = refusal.reason.name(), "refused");
        let mut response = finish(refusal.failure.into_response(), id);
        // Whatever else is in the pipe is not read as a request.
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        boxed(response)
    }
}

/// A page may be kept by the browser, which asks each time whether it is still the one.
fn finish_page(page: Response, id: &str) -> Response {
    let mut page = finish(page, id);
    page.headers_mut().insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-cache"));
    page
}

fn boxed(response: Response) -> Response<HostBody> {
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}
