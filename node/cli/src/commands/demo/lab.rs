//! Machines without machines: a network namespace for each further node, on a switch in a namespace of its own.
//!
//! The first node stays in the machine's namespace, where the browser is. The addresses are those that are set
//! aside for tests of networks (RFC 2544), so that they are nobody's.

use super::{failed, run};
use ikigai_wire::api::{Code, Problem};
use std::path::Path;

/// The namespace of the switch.
const SWITCH: &str = "ikigai-demo-net";

/// The address of node `n`, counted from 1.
pub(super) fn address(n: usize) -> String {
    format!("198.18.211.{n}")
}

/// The words that start a program on the machine of node `n`.
pub(super) fn on(n: usize) -> Vec<String> {
    match n {
        1 => Vec::new(),
        _ => vec!["nsenter".to_owned(), format!("--net=/run/netns/{}", namespace(n)), "--".to_owned()],
    }
}

fn namespace(n: usize) -> String {
    format!("ikigai-demo-{n}")
}

/// Whether the demo may have more nodes than one.
pub(super) fn check() -> Result<(), Problem> {
    let missing = ["ip", "nsenter"].into_iter().find(|p| crate::programs::on_path(p).is_none());
    let text = match (rustix::process::geteuid().is_root(), missing) {
        (true, None) => return Ok(()),
        (false, _) => "more nodes need network namespaces, which only root can make here".to_owned(),
        (true, Some(program)) => format!("more nodes need the program {program}"),
    };
    Err(Problem::new(Code::Denied, text, "as root: apt install iproute2 util-linux; or leave --nodes away"))
}

/// Makes the switch and connects `count` nodes to it.
pub(super) async fn make(count: usize) -> Result<(), Problem> {
    ip(&["netns", "add", SWITCH]).await?;
    ip(&["-n", SWITCH, "link", "add", "switch", "type", "bridge"]).await?;
    ip(&["-n", SWITCH, "link", "set", "switch", "up"]).await?;
    for n in 1..=count {
        connect(n).await?;
    }
    Ok(())
}

async fn connect(n: usize) -> Result<(), Problem> {
    let (own, port, address) = (namespace(n), format!("port{n}"), format!("{}/24", address(n)));
    let wire = "ikigai-demo";
    let here = std::process::id().to_string();
    let (within, far) =
        if n == 1 { (vec![], here.as_str()) } else { (vec!["-n", own.as_str()], own.as_str()) };
    if n > 1 {
        ip(&["netns", "add", &own]).await?;
        ip(&["-n", &own, "link", "set", "lo", "up"]).await?;
    }
    ip(&["-n", SWITCH, "link", "add", &port, "type", "veth", "peer", "name", wire, "netns", far]).await?;
    ip(&["-n", SWITCH, "link", "set", &port, "master", "switch", "up"]).await?;
    ip(&[&within[..], &["address", "add", &address, "dev", wire]].concat()).await?;
    ip(&[&within[..], &["link", "set", wire, "up"]].concat()).await
}

/// Removes what [`make`] made, as far as it is there: with a namespace go its ends of the wires, and the others.
pub(super) async fn remove() {
    let Ok(list) = std::fs::read_dir("/run/netns") else { return };
    let names = list.flatten().filter_map(|e| e.file_name().into_string().ok());
    let own = |name: &String| {
        let number = name.strip_prefix("ikigai-demo-").unwrap_or_default();
        name == SWITCH || (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    for name in names.filter(own).collect::<Vec<_>>() {
        // One that is there and cannot be removed is told by the next `make`.
        let _ = ip(&["netns", "delete", &name]).await;
    }
}

async fn ip(args: &[&str]) -> Result<(), Problem> {
    run(Path::new("ip"), args, Path::new("/"), &[])
        .await
        .map(drop)
        .map_err(|e| failed("make a network", e.message))
}
