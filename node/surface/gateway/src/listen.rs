//! The gate's socket, and what arrives on it.

use crate::answer::{Body, json_body, problem, switching};
use crate::egress;
use crate::gate::Gate;
use crate::relay;
use crate::route::{Route, clean, route};
use http::header::{CONNECTION, HeaderMap, UPGRADE};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ikigai_ports::{PortError, PortResult};
use serde_json::json;
use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Longest path a Unix socket can have.
const PATH_MAX: usize = 107;
/// Pause after `accept` failed, as it does while the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens at `path`. A socket that is there from before is replaced in one step, so that whoever connects
/// meets the old one or the new one, never none.
pub(crate) fn bind(path: &Path) -> PortResult<UnixListener> {
    let new = path.with_extension("new");
    if new.as_os_str().len() > PATH_MAX {
        return Err(PortError::Refused(format!(
            "`{}` is longer than the {PATH_MAX} bytes a socket's path may have: choose a shorter state folder",
            new.display()
        )));
    }
    let bound = || {
        fs::remove_file(&new)
            .or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
        let listener = UnixListener::bind(&new)?;
        // The workload runs as another user. Who may come here is decided by the folders above.
        fs::set_permissions(&new, Permissions::from_mode(0o666))?;
        fs::rename(&new, path)?;
        Ok(listener)
    };
    bound().map_err(|e: std::io::Error| PortError::failed(format!("listening at {}", path.display()), e))
}

/// Accepts until the gate is closed.
pub(crate) async fn accept(gate: Arc<Gate>, listener: UnixListener) {
    let places = Arc::new(Semaphore::new(gate.limits.connections));
    let serving = async {
        loop {
            let place = places.clone().acquire_owned().await.expect("invariant: the places are never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let gate = gate.clone();
                    tokio::spawn(async move {
                        serve(gate, stream).await;
                        drop(place);
                    });
                }
                Err(e) => {
                    tracing::warn!(attempt = %gate.fence, error = %e, "a gate cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = serving => {}
        () = gate.closed.cancelled() => {}
    }
}

async fn serve(gate: Arc<Gate>, stream: UnixStream) {
    let asked = gate.clone();
    let service = service_fn(move |request| {
        let gate = asked.clone();
        async move { Ok::<_, Infallible>(answer(gate, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(gate.limits.head_time)
        .max_headers(gate.limits.headers)
        .max_buf_size(gate.limits.head)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let ended = tokio::select! {
        ended = connection => ended,
        () = gate.closed.cancelled() => return,
    };
    if ended.is_err_and(|e| e.is_parse()) {
        gate.notices.denied("a request that is not HTTP/1.1, or whose head is too long");
    }
}

async fn answer(gate: Arc<Gate>, request: Request<Incoming>) -> Response<Body> {
    match route(request.method(), request.uri()) {
        Route::Responses => relay::responses(gate, request).await,
        Route::Models => models(&gate).await,
        Route::Control => control(gate, request),
        Route::Stream(id) => stream(&gate, id, request),
        Route::Outside => egress::plain(gate, request).await,
        Route::Tunnel => egress::tunnel(gate, request).await,
        Route::Denied => denied(&gate, &request),
    }
}

fn denied(gate: &Gate, request: &Request<Incoming>) -> Response<Body> {
    let what = clean(&format!("{} {}", request.method(), request.uri()));
    gate.notices.denied(&what);
    tracing::debug!(attempt = %gate.fence, what, "denied");
    let hint = "an agent reaches POST /v1/responses, GET /v1/models, and through this proxy the hosts listed for its task";
    problem(StatusCode::FORBIDDEN, "denied", &format!("`{what}` is not allowed from here"), hint)
}

async fn models(gate: &Gate) -> Response<Body> {
    match gate.model.models().await {
        Ok(names) => {
            let owner = gate.model.name();
            let model = |id: &String| json!({"id": id, "object": "model", "owned_by": owner});
            let data: Vec<_> = names.iter().map(model).collect();
            json_body(StatusCode::OK, &json!({"object": "list", "data": data}))
        }
        Err(e) => relay::unreachable(gate, &e),
    }
}

fn control(gate: Arc<Gate>, request: Request<Incoming>) -> Response<Body> {
    const PROTOCOL: &str = "ikigai-control";
    if !wants(request.headers(), PROTOCOL) {
        return not_upgraded(PROTOCOL);
    }
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        tokio::select! {
            () = gate.agentd.serve(TokioIo::new(upgraded)) => {}
            () = gate.closed.cancelled() => {}
        }
    });
    switching(PROTOCOL)
}

fn stream(gate: &Gate, id: u64, request: Request<Incoming>) -> Response<Body> {
    const PROTOCOL: &str = "ikigai-stream";
    if !wants(request.headers(), PROTOCOL) {
        return not_upgraded(PROTOCOL);
    }
    let Some(waiting) = gate.agentd.take(id) else {
        return problem(
            StatusCode::NOT_FOUND,
            "not_found",
            "nobody waits for this stream",
            "wait for an order",
        );
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            // Whoever asked may have given up; the stream ends with that.
            waiting.send(Ok(TokioIo::new(upgraded))).ok();
        }
    });
    switching(PROTOCOL)
}

fn wants(headers: &HeaderMap, protocol: &str) -> bool {
    let says = |name, word: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    says(CONNECTION, "upgrade") && says(UPGRADE, protocol)
}

fn not_upgraded(protocol: &'static str) -> Response<Body> {
    let hint = format!("send `Connection: Upgrade` and `Upgrade: {protocol}`");
    let mut response =
        problem(StatusCode::UPGRADE_REQUIRED, "upgrade_required", "this path changes protocol", &hint);
    response.headers_mut().insert(UPGRADE, http::HeaderValue::from_static(protocol));
    response
}
