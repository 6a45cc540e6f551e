//! Who links, what flows, what is refused.

use crate::{QUIC, SOON, TCP, allow, linked, start};
use ikigai_libp2p::dial_as_guest;
use ikigai_ports::PortError;
use ikigai_ports::mesh::{Allowed, Lane, Mesh};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn two_link_and_talk() {
    let began = Instant::now();
    let a = start(1, &[TCP]).await;
    let b = start(2, &[TCP]).await;
    allow(&a, &[&b]);
    allow(&b, &[&a]);
    linked(&a, b.id(), true).await;
    linked(&b, a.id(), true).await;
    println!("linked after {:?}: {:?}", began.elapsed(), a.links().borrow());
    let mut out = a.open(b.id(), Lane::Control).await.unwrap();
    out.write_all(b"hello").await.unwrap();
    out.shutdown().await.unwrap();
    let (from, mut stream) = b.accept(Lane::Control).await.unwrap();
    assert_eq!(from, a.id());
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
    stream.write_all(b"back").await.unwrap();
    stream.shutdown().await.unwrap();
    text.clear();
    out.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "back");
    a.send(b.id(), b"frame".to_vec());
    assert_eq!(timeout(SOON, b.receive()).await.unwrap().unwrap(), (a.id(), b"frame".to_vec()));
    b.stop().await;
    let mut links = a.links();
    timeout(SOON, links.wait_for(|l| l.is_empty())).await.expect("seen in time").unwrap();
    assert!(b.accept(Lane::Control).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_gets_in_on_one_lane() {
    let host = start(3, &[TCP, QUIC]).await;
    let seed = [4; 32];
    let refused = dial_as_guest(seed, host.id(), host.addresses()).await.err().unwrap();
    assert!(matches!(refused, PortError::Refused(_)), "{refused}");
    let guest = start(4, &[]).await.id();
    host.allow(Allowed { guests: vec![guest], ..Allowed::default() });
    let mut stream = dial_as_guest(seed, host.id(), host.addresses()).await.unwrap();
    stream.write_all(b"let me in").await.unwrap();
    stream.shutdown().await.unwrap();
    let (from, mut taken) = timeout(SOON, host.accept(Lane::Join)).await.unwrap().unwrap();
    assert_eq!(from, guest);
    let mut text = String::new();
    taken.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "let me in");
    assert!(host.links().borrow().is_empty(), "a guest is no link");
    assert!(host.open(guest, Lane::Control).await.is_err(), "a guest is not opened to");
    let other = start(5, &[]).await.id();
    let wrong = dial_as_guest(seed, other, host.addresses()).await.err().unwrap();
    assert!(matches!(wrong, PortError::Refused(_)), "{wrong}");
}
