//! While a person types, the agent gets no new turn.

use crate::support::{Reply, Rig, SOON, Upstream, ask, completed, text};
use ikigai_gateway::GateLimits;
use ikigai_ports::gate::{GateOrder, Gates};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Long enough for a call that nothing holds.
const A_WHILE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_model_call_waits_until_the_terminal_is_handed_back() {
    let upstream = Upstream::start(|_| Reply::events(completed(1, 0, 1))).await;
    let rig = Arc::new(Rig::with(upstream.model(), GateLimits::default(), 64).await);
    rig.gateway.tell(&rig.fence, GateOrder::Hold).await.unwrap();
    let call = || {
        let rig = rig.clone();
        tokio::spawn(async move { text(rig.call(&ask()).await).await })
    };
    let (mut held, mut gives_up) = (call(), call());
    assert!(timeout(A_WHILE, &mut held).await.is_err(), "it was not held");
    assert!(timeout(A_WHILE, &mut gives_up).await.is_err(), "it was not held");
    gives_up.abort();
    drop(gives_up.await);
    assert_eq!(upstream.seen().len(), 0);
    rig.gateway.tell(&rig.fence, GateOrder::Release).await.unwrap();
    assert!(timeout(SOON, held).await.unwrap().unwrap().contains("response.completed"));
    assert_eq!(rig.gateway.close(&rig.fence).await.unwrap().calls, 1, "who gave up called nobody");
}
