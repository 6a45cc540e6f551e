//! Tunnels for TLS. Nothing in them can be read, but whom they are for: the name in their first message has to
//! be the one that was judged, since one address may serve many names.

use super::{denied, hello, open};
use crate::answer::{Body, tunnelling};
use crate::gate::Gate;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ikigai_types::egress::EgressHost;
use std::sync::Arc;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Answers CONNECT.
pub(crate) async fn tunnel(gate: Arc<Gate>, request: Request<Incoming>) -> Response<Body> {
    let (outside, place) = match open(&gate, &request).await {
        Ok(opened) => opened,
        Err(refused) => return *refused,
    };
    tokio::spawn(async move {
        tokio::select! {
            () = carry(&gate, request, outside) => {}
            () = gate.closed.cancelled() => {}
        }
        drop(place);
    });
    tunnelling()
}

async fn carry(gate: &Gate, request: Request<Incoming>, mut outside: TcpStream) {
    let what = super::ask::shown(request.method(), request.uri());
    let host = request.uri().host().and_then(|host| EgressHost::exact(host).ok());
    let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
    let mut inside = TokioIo::new(upgraded);
    let read = timeout(gate.limits.body_time, hello::read(&mut inside)).await;
    let first = match read.unwrap_or(Err("its tunnel stays empty")) {
        Ok(first) => first,
        Err(why) => return drop(denied(gate, &what, why)),
    };
    if let Err(why) = same(&first, host.as_ref()) {
        return drop(denied(gate, &what, &why));
    }
    if outside.write_all(&first).await.is_ok() {
        // Either side may end it as it likes; both see that themselves.
        copy_bidirectional(&mut inside, &mut outside).await.ok();
    }
}

/// Whether the hello is for the host that was judged. For an address, clients ask for no name.
fn same(first: &[u8], host: Option<&EgressHost>) -> Result<(), String> {
    let Some(host) = host else { return Err("it names no host".to_owned()) };
    match hello::server_name(first)? {
        None if host.address().is_some() => Ok(()),
        None => Err("its TLS hello names no host".to_owned()),
        Some(name) if EgressHost::exact(name).as_ref() == Ok(host) => Ok(()),
        Some(name) => Err(format!("its TLS hello is for {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::hello::tests::hello;
    use super::*;

    #[test]
    fn a_tunnel_is_for_the_host_that_was_judged() {
        let judged = |name, host: &str| same(&hello(name), EgressHost::exact(host).ok().as_ref());
        assert_eq!(judged("Docs.lan", "docs.lan"), Ok(()));
        assert_eq!(judged("evil.example", "docs.lan"), Err("its TLS hello is for evil.example".to_owned()));
        assert!(judged("docs.lan", "10.0.0.1").is_err());
        assert!(same(b"", EgressHost::exact("docs.lan").ok().as_ref()).is_err());
    }
}
