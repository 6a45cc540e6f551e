//! A gate's life: opened, opened again, replaced, closed.

use crate::support::{AGENT, Reply, Rig, SOON, Upstream, ask, completed, fence, gateway, text};
use ikigai_gateway::GateLimits;
use ikigai_ports::PortError;
use ikigai_ports::gate::{GateEvent, GateOrder, GatePolicy, Gates};
use ikigai_types::{Epoch, Fence, MicroUsd, Usage};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

async fn provider() -> Upstream {
    Upstream::start(|_| Reply::events(completed(10, 0, 5))).await
}

fn policy(spent: Usage) -> (GatePolicy, mpsc::Receiver<(Fence, GateEvent)>) {
    let (events, receiver) = mpsc::channel(64);
    (GatePolicy { provider: "fake".into(), egress: Default::default(), events, spent }, receiver)
}

#[tokio::test]
async fn the_workload_may_connect_whoever_it_runs_as() {
    let upstream = provider().await;
    let rig = Rig::new(upstream.model()).await;
    let metadata = std::fs::symlink_metadata(rig.socket()).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o666);
    assert_eq!(
        std::fs::read_dir(rig.folder.path()).unwrap().count(),
        1,
        "nothing else is left in the folder"
    );
}

#[tokio::test]
async fn a_gate_that_is_opened_again_after_a_restart_counts_on() {
    let upstream = provider().await;
    let rig = Rig::new(upstream.model()).await;
    text(rig.call(&ask()).await).await;
    let before = rig.gateway.close(&rig.fence).await.unwrap();
    // A node that was killed leaves its socket behind.
    let stale = std::os::unix::net::UnixListener::bind(rig.socket()).unwrap();
    drop(stale);
    let next = gateway(upstream.model(), GateLimits::default());
    let (policy, mut events) = policy(before);
    next.open(&fence(1), AGENT, rig.folder.path(), policy).await.unwrap();
    text(rig.call(&ask()).await).await;
    let total = Usage { calls: 2, input_tokens: 20, output_tokens: 10, cost: Some(MicroUsd(40)) };
    assert_eq!(timeout(SOON, events.recv()).await.unwrap(), Some((fence(1), GateEvent::Used { total })));
    assert_eq!(next.close(&fence(1)).await.unwrap(), total);
}

#[tokio::test]
async fn opening_twice_is_opening_once() {
    let upstream = provider().await;
    let rig = Rig::new(upstream.model()).await;
    text(rig.call(&ask()).await).await;
    rig.gateway.open(&rig.fence, AGENT, rig.folder.path(), policy(Usage::default()).0).await.unwrap();
    text(rig.call(&ask()).await).await;
    assert_eq!(rig.gateway.close(&rig.fence).await.unwrap().calls, 2);
}

#[tokio::test]
async fn a_stale_epoch_is_refused_and_a_newer_one_takes_over() {
    let upstream = provider().await;
    let rig = Rig::new(upstream.model()).await;
    text(rig.call(&ask()).await).await;
    let open = |epoch| {
        rig.gateway.open(
            Box::leak(Box::new(fence(epoch))),
            AGENT,
            rig.folder.path(),
            policy(Usage::default()).0,
        )
    };
    let stale = open(0).await;
    assert!(
        matches!(&stale, Err(PortError::Conflict(why)) if why.contains('0') && why.contains('1')),
        "{stale:?}"
    );
    open(2).await.unwrap();
    assert_eq!(rig.gateway.close(&fence(1)).await.unwrap().calls, 1, "the old one is closed and remembered");
    assert_eq!(rig.call(&ask()).await.status(), 200, "its closing left the new one's socket alone");
    assert_eq!(rig.gateway.close(&fence(2)).await.unwrap().calls, 1);
}

#[tokio::test]
async fn a_closed_gate_is_gone() {
    let upstream = provider().await;
    let rig = Rig::new(upstream.model()).await;
    let mut idle = rig.connect().await;
    let busy = rig.connect().await;
    rig.gateway.close(&rig.fence).await.unwrap();
    assert!(!rig.socket().exists());
    let mut rest = Vec::new();
    timeout(SOON, tokio::io::AsyncReadExt::read_to_end(&mut idle, &mut rest)).await.unwrap().ok();
    drop(busy);
    let unknown = Fence { epoch: Epoch(9), ..rig.fence.clone() };
    assert!(matches!(rig.gateway.close(&unknown).await, Err(PortError::NotFound(_))));
    assert!(matches!(rig.gateway.dial_editor(AGENT).await.err(), Some(PortError::NotFound(_))));
    assert!(matches!(rig.gateway.tell(&rig.fence, GateOrder::Finish).await, Err(PortError::NotFound(_))));
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_to_do() {
    let upstream = provider().await;
    let gateway = gateway(upstream.model(), GateLimits::default());
    let folder = tempfile::tempdir().unwrap();
    let mut unknown = policy(Usage::default()).0;
    unknown.provider = "openai".into();
    let refused = gateway.open(&fence(1), AGENT, folder.path(), unknown).await.unwrap_err().to_string();
    assert_eq!(refused, "no model provider `openai` is configured (there is: fake)");
    let deep = folder.path().join("x".repeat(100));
    let refused =
        gateway.open(&fence(1), AGENT, &deep, policy(Usage::default()).0).await.unwrap_err().to_string();
    assert!(refused.contains("choose a shorter state folder"), "{refused}");
    let missing = folder.path().join("no");
    assert!(gateway.open(&fence(1), AGENT, &missing, policy(Usage::default()).0).await.is_err());
    gateway.open(&fence(1), AGENT, folder.path(), policy(Usage::default()).0).await.unwrap();
}
