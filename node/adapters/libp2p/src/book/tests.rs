//! When whom is dialled.

use super::*;

const A: &str = "/ip4/192.0.2.7/tcp/7421";
const B: &str = "/ip4/192.0.2.8/udp/7421/quic-v1";
const RELAY: &str =
    "/ip4/192.0.2.9/tcp/7421/p2p/12D3KooWSahP5pFRCEfaziPEba7urXGeif6T1y8jmodzdFUvzBHj/p2p-circuit";

fn node(seed: u8) -> (NodeId, PeerId) {
    let node = key::node(&key::pair([seed; 32]));
    (node, key::peer(&node).unwrap())
}

fn book(now: Instant, addresses: &[&str]) -> (Book, PeerId) {
    let (node, peer) = node(1);
    let mut book = Book::default();
    set(&mut book, node, addresses, now);
    (book, peer)
}

fn set(book: &mut Book, node: NodeId, addresses: &[&str], now: Instant) {
    let addresses = addresses.iter().map(|&a| a.to_owned()).collect();
    book.set(self::node(9).0, &[(node, addresses)].into(), now);
}

fn texts(dials: &[Dial]) -> Vec<String> {
    dials.iter().flat_map(|d| &d.addresses).map(Multiaddr::to_string).collect()
}

#[test]
fn an_absent_peer_is_dialled_at_least_every_two_seconds_for_ten_minutes() {
    let start = Instant::now();
    let (mut book, peer) = book(start, &[A]);
    let (mut last, mut count) = (start, 0);
    while last < start + Duration::from_secs(600) {
        let due = book.next_due().unwrap();
        assert!(due - last <= RETRY, "{:?}", due - last);
        last = due;
        for dial in book.take_due(due) {
            assert_eq!(dial.peer, peer);
            count += 1;
        }
    }
    assert!(count > 400, "{count}");
    for _ in 0..PATIENCE {
        let due = book.next_due().unwrap();
        book.take_due(due);
    }
    let now = book.next_due().unwrap();
    book.take_due(now);
    assert_eq!(book.next_due(), Some(now + RETRY_LATE));
    // Who is asked for does not wait.
    book.want(&peer, now + Duration::from_secs(1));
    assert_eq!(book.next_due(), Some(now + Duration::from_secs(1)));
}

#[test]
fn dials_overlap_within_a_bound() {
    let mut now = Instant::now();
    let (mut book, peer) = book(now, &[A]);
    let mut ids = Vec::new();
    for i in 0..2 * OVERLAP {
        let dials = book.take_due(now);
        assert_eq!(dials.len(), usize::from(i < OVERLAP), "dial {i}");
        if !dials.is_empty() {
            ids.push(ConnectionId::new_unchecked(i));
            book.dialling(&peer, ids[i]);
        }
        now = book.next_due().unwrap();
    }
    book.dialled(&peer, ids[0]);
    assert_eq!(book.take_due(now).len(), 1);
}

#[test]
fn who_refuses_is_not_dialled_without_a_pause() {
    let now = Instant::now();
    let (mut book, peer) = book(now, &[A]);
    book.take_due(now);
    book.linked(&peer, true, now);
    assert_eq!(book.next_due(), None);
    book.unlinked(&peer, Duration::from_millis(3), now);
    assert_eq!(book.next_due(), Some(now + RETRY));
    book.linked(&peer, true, now);
    book.unlinked(&peer, PROVEN, now);
    assert_eq!(book.next_due(), Some(now), "a link that broke is made again at once");
}

#[test]
fn addresses_are_told_learned_and_found_wrong() {
    let now = Instant::now();
    let (mut book, peer) = book(now, &[A, "nonsense"]);
    let b: Multiaddr = B.parse().unwrap();
    assert!(book.learn(&peer, &b));
    assert!(!book.learn(&peer, &b), "no news");
    assert!(!book.learn(&peer, &A.parse().unwrap()), "no news");
    assert!(!book.learn(&node(2).1, &b), "not enrolled");
    assert!(!book.learn(&peer, &"/ip4/192.0.2.8/tcp/0".parse().unwrap()));
    assert_eq!(texts(&book.take_due(now)), [A, B]);
    // A wrong one that was told returns after a while, a learned one is forgotten.
    book.wrong(&peer, &A.parse().unwrap(), now);
    assert_eq!(texts(&book.take_due(now + RETRY)), [B]);
    book.wrong(&peer, &b, now);
    assert_eq!(texts(&book.take_due(now + 2 * RETRY)), [A], "a wrong address is better than none");
    assert_eq!(texts(&book.take_due(now + 2 * WRONG)), [A]);
    // Learned addresses are bounded, the newest stay.
    for port in 1..100 {
        book.learn(&peer, &format!("/ip4/192.0.2.8/tcp/{port}").parse().unwrap());
    }
    let dialled = texts(&book.take_due(now + 3 * WRONG));
    assert_eq!(dialled.len(), 1 + LEARNED);
    assert_eq!(dialled[1], "/ip4/192.0.2.8/tcp/99");
}

#[test]
fn enrolment_changes_who_is_dialled() {
    let now = Instant::now();
    let (mut book, peer) = book(now, &[A]);
    book.take_due(now);
    set(&mut book, node(1).0, &[A], now);
    assert!(book.take_due(now).is_empty(), "nothing new");
    set(&mut book, node(1).0, &[A, B], now);
    assert_eq!(texts(&book.take_due(now)), [A, B], "a new address is tried at once");
    book.linked(&peer, true, now);
    set(&mut book, node(1).0, &[B], now);
    assert_eq!(book.next_due(), None, "a linked one is left alone");
    set(&mut book, node(9).0, &[A], now);
    assert_eq!(book.next_due(), None, "nobody dials itself");
    assert!(book.0.is_empty());
}

#[test]
fn relays_come_second_and_are_left_again() {
    let mut now = Instant::now();
    let (mut book, peer) = book(now, &[RELAY, A]);
    for _ in 0..DIRECT_FIRST {
        let dials = book.take_due(now);
        assert_eq!((texts(&dials), dials[0].relays), (vec![A.to_owned()], false));
        now = book.next_due().unwrap();
    }
    let dials = book.take_due(now);
    assert_eq!((texts(&dials), dials[0].relays), (vec![RELAY.to_owned(), A.to_owned()], true));
    book.linked(&peer, false, now);
    book.want(&peer, now);
    assert_eq!(book.next_due(), Some(now + DIRECT_AGAIN));
    let dials = book.take_due(now + DIRECT_AGAIN);
    assert_eq!((texts(&dials), dials[0].upgrade), (vec![A.to_owned()], true));
    book.linked(&peer, true, now);
    assert_eq!(book.next_due(), None);
}
