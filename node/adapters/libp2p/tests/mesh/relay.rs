//! Links through a third node, for enrolled nodes alone.

use crate::{SOON, TCP, answer, call_until, linked, with_options};
use futures::StreamExt as _;
use ikigai_libp2p::Libp2pMesh;
use ikigai_ports::mesh::{Allowed, Mesh};
use ikigai_types::NodeId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, identify, identity, noise, ping, relay, tcp, yamux};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::timeout;

/// A node that others can dial, or cannot, and that relays and is relayed.
async fn node(seed: u8, listen: &[&str]) -> Arc<Libp2pMesh> {
    let node = Arc::new(with_options(seed, listen, true).await);
    answer(Arc::clone(&node));
    node
}

fn allow(me: &Libp2pMesh, peers: &[(NodeId, Vec<String>)], guests: &[NodeId]) {
    me.allow(Allowed { peers: peers.iter().cloned().collect::<BTreeMap<_, _>>(), guests: guests.into() });
}

/// What libp2p calls a node.
fn peer_id(node: NodeId) -> PeerId {
    let key = identity::ed25519::PublicKey::try_from_bytes(node.as_bytes()).unwrap();
    identity::PublicKey::from(key).to_peer_id()
}

fn through(relay: &Libp2pMesh) -> Multiaddr {
    let address: Multiaddr = relay.addresses()[0].parse().unwrap();
    address.with(Protocol::P2p(peer_id(relay.id()))).with(Protocol::P2pCircuit)
}

/// Two that nobody can dial meet through one that both dial, and lose each other with it.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_dialled_is_reached_through_a_peer() {
    let (a, b, relay) = (node(50, &[]).await, node(51, &[]).await, node(52, &[TCP]).await);
    allow(&relay, &[(a.id(), vec![]), (b.id(), vec![])], &[]);
    allow(&a, &[(relay.id(), relay.addresses()), (b.id(), vec![])], &[]);
    allow(&b, &[(relay.id(), relay.addresses()), (a.id(), vec![])], &[]);
    linked(&a, b.id(), true).await;
    linked(&b, a.id(), true).await;
    for (me, other) in [(&a, &b), (&b, &a)] {
        let link = me.links().borrow()[&other.id()].clone();
        assert!(link.relayed, "{link:?}");
        call_until(me, other.id()).await;
    }
    relay.stop().await;
    linked(&a, b.id(), false).await;
    linked(&b, a.id(), false).await;
}

/// A relay that enrolled nobody here is not dialled, whatever an address says.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_relay_for_us() {
    let (a, b, relay) = (node(53, &[]).await, node(54, &[]).await, node(55, &[TCP]).await);
    allow(&relay, &[(a.id(), vec![]), (b.id(), vec![])], &[]);
    allow(&b, &[(relay.id(), relay.addresses()), (a.id(), vec![])], &[]);
    linked(&b, relay.id(), true).await;
    let way = vec![through(&relay).to_string()];
    allow(&a, &[(b.id(), way.clone())], &[]);
    assert!(a.open(b.id(), ikigai_ports::mesh::Lane::Control).await.is_err());
    assert!(a.links().borrow().is_empty());
    assert!(!relay.links().borrow().contains_key(&a.id()), "the stranger was dialled");
    // The same once it is enrolled.
    allow(&a, &[(b.id(), way), (relay.id(), vec![])], &[]);
    linked(&a, b.id(), true).await;
    assert!(a.links().borrow()[&b.id()].relayed);
}

#[derive(NetworkBehaviour)]
struct Plain {
    relay: relay::client::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// Somebody with a key of their own and a libp2p of their own.
fn somebody(seed: u8) -> Swarm<Plain> {
    let pair = identity::Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    SwarmBuilder::with_existing_identity(pair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|pair, relay| Plain {
            relay,
            identify: identify::Behaviour::new(identify::Config::new("/x/1".into(), pair.public())),
            ping: ping::Behaviour::default(),
        })
        .unwrap()
        .build()
}

/// Whether `swarm` gets a place with the relay.
async fn gets_a_place(swarm: &mut Swarm<Plain>, relay: &Libp2pMesh) -> bool {
    let listener = swarm.listen_on(through(relay)).unwrap();
    let answer = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { listener_id, .. } if listener_id == listener => return true,
                SwarmEvent::ListenerClosed { listener_id, .. } if listener_id == listener => return false,
                _ => {}
            }
        }
    };
    timeout(SOON, answer).await.expect("an answer")
}

/// Whether `swarm` gets through the relay to `target`.
async fn gets_through(swarm: &mut Swarm<Plain>, relay: &Libp2pMesh, target: NodeId) -> bool {
    let target = peer_id(target);
    swarm.dial(through(relay).with(Protocol::P2p(target))).unwrap();
    let answer = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == target => return true,
                SwarmEvent::OutgoingConnectionError { peer_id, .. } if peer_id == Some(target) => {
                    return false;
                }
                _ => {}
            }
        }
    };
    timeout(SOON, answer).await.expect("an answer")
}

/// Neither a stranger nor a guest is relayed; an enrolled node is, to whoever enrolled it too.
#[tokio::test(flavor = "multi_thread")]
async fn only_enrolled_nodes_are_relayed() {
    let (b, relay) = (node(56, &[]).await, node(57, &[TCP]).await);
    let mut other = somebody(58);
    let id = with_options(58, &[], false).await.id();
    let peers = [(b.id(), vec![])];
    allow(&b, &[(relay.id(), relay.addresses()), (id, vec![])], &[]);
    allow(&relay, &peers, &[]);
    linked(&relay, b.id(), true).await;
    assert!(!gets_a_place(&mut other, &relay).await, "a stranger has a place");
    assert!(!gets_through(&mut other, &relay, b.id()).await, "a stranger is relayed");
    allow(&relay, &peers, &[id]);
    assert!(!gets_a_place(&mut other, &relay).await, "a guest has a place");
    assert!(!gets_through(&mut other, &relay, b.id()).await, "a guest is relayed");
    // Anew, as a connection that was made for a guest ends with the invitation.
    let mut other = somebody(58);
    allow(&relay, &[(b.id(), vec![]), (id, vec![])], &[]);
    assert!(gets_a_place(&mut other, &relay).await, "an enrolled node has no place");
    assert!(gets_through(&mut other, &relay, b.id()).await, "an enrolled node is not relayed");
    let turned = tokio::spawn(async move { while other.next().await.is_some() {} });
    linked(&b, id, true).await;
    turned.abort();
    // Who is at the other end decides for itself.
    let peer_id_of_b = peer_id(b.id());
    allow(&b, &[(relay.id(), relay.addresses())], &[]);
    linked(&b, id, false).await;
    let mut other = somebody(58);
    // Its handshake is over before it is refused.
    if gets_through(&mut other, &relay, b.id()).await {
        let end = async {
            while !matches!(
                other.select_next_some().await,
                SwarmEvent::ConnectionClosed { peer_id, .. } if peer_id == peer_id_of_b
            ) {}
        };
        timeout(SOON, end).await.expect("who was thrown out is refused");
    }
    assert!(!b.links().borrow().contains_key(&id));
}
