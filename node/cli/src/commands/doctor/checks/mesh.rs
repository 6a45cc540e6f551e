//! What the node says of itself and of the machines beside it.

use super::Check;
use crate::env::Env;
use crate::human::age;
use ikigai_wire::api::{Filter, NodeView, Snapshot};

pub(super) async fn snapshot(env: &Env) -> Result<Snapshot, Check> {
    let none = Filter { states: vec!["-".into()], ..Filter::default() };
    let asked = async { env.node()?.snapshot(none).await };
    asked.await.map_err(|p| Check::fail("node", p.message, p.hint.unwrap_or_default()))
}

pub(super) fn seen(snapshot: &Snapshot) -> Vec<Check> {
    let (own, others): (Vec<_>, Vec<_>) = snapshot.nodes.iter().partition(|n| n.id == snapshot.node);
    let Some(own) = own.first() else {
        return vec![Check::fail(
            "node",
            "the node does not know itself",
            "run: ikigai down, then ikigai up",
        )];
    };
    let mut checks = of_node(own);
    checks.extend(others.iter().flat_map(|peer| of_peer(own, peer)));
    if !others.is_empty() && checks.iter().all(|c| c.name != "peer") {
        checks.push(Check::ok("peer", format!("{} others answer", others.len())));
    }
    checks
}

fn of_node(own: &NodeView) -> Vec<Check> {
    let mut checks = vec![Check::ok("node", format!("{} {} answers", own.name, own.version))];
    let program = env!("CARGO_PKG_VERSION");
    if own.version != program {
        let found = format!("the node is {}, this program {program}", own.version);
        checks.push(Check::warn("version", found, "run: ikigai down, then ikigai up"));
    }
    if own.cordoned {
        let fix = format!("when it may have work again: ikigai node uncordon {}", own.name);
        checks.push(Check::warn("cordon", "it takes no new work", fix));
    }
    checks.push(isolation(own));
    checks.push(if own.providers.is_empty() {
        Check::warn("model", "no model provider", "set OPENAI_API_KEY, or configure one under [models]")
    } else {
        Check::ok("model", own.providers.join(", "))
    });
    checks
}

fn isolation(own: &NodeView) -> Check {
    if own.isolation_missing.is_empty() {
        return Check::ok("isolation", format!("{} holds agents to every limit", own.executor));
    }
    let found = format!("{} does not isolate: {}", own.executor, own.isolation_missing.join("; "));
    let hint = if own.executor == "docker" {
        "run agents you would not trust with that on a machine of their own"
    } else {
        "use Docker, or accept that"
    };
    Check::warn("isolation", found, hint)
}

/// What is wrong with another node, as this one sees it.
fn of_peer(own: &NodeView, peer: &NodeView) -> Vec<Check> {
    let name = &peer.name;
    if peer.liveness != "alive" {
        let found =
            format!("{name} does not answer, last heard of {} ago", age(peer.observed_at, own.observed_at));
        let fix = format!(
            "start it, or mend the network between; if it is gone for good: ikigai node remove {name}"
        );
        return vec![Check::warn("peer", found, fix)];
    }
    if peer.version != own.version {
        let found = format!("{name} is {}, this node {}", peer.version, own.version);
        let fix = "neighbouring versions work together; bring the older one up to the newer";
        return vec![Check::warn("peer", found, fix)];
    }
    Vec::new()
}
