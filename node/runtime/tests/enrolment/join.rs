//! One machine lets another in: once, in time, and only the one that proves itself.

use crate::node::{Key, Node, World, dial};
use ikigai_ports::{Enrolment as _, Signer as _};
use ikigai_types::NodeId;
use ikigai_wire::api::{Code, InviteRequest, Problem};
use ikigai_wire::peer::join::{self, Answer, Hello, REQUEST, Request};
use ikigai_wire::peer::{Envelope, Token};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn two() -> (World, Node, Node) {
    let world = World::new();
    let (a, b) = (world.machine(1).start().await, world.machine(2).start().await);
    (world, a, b)
}

fn said(problem: Result<impl std::fmt::Debug, Problem>) -> (Code, String) {
    let problem = problem.expect_err("refused");
    assert!(problem.hint.is_some(), "{problem:?} says what to do");
    (problem.code, problem.message)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_each_and_two_machines_are_a_mesh() {
    let (_, a, b) = two().await;
    assert_ne!(a.enrolment.mesh_id(), b.enrolment.mesh_id());
    let joined = b.join(&a.invite().await).await.unwrap();
    assert_eq!((joined.inviter, joined.clock_ahead_ms), (a.id, 0));
    assert_eq!(a.enrolment.mesh_id(), b.enrolment.mesh_id());
    a.linked(b.id, true).await;
    b.linked(a.id, true).await;
    for node in [&a, &b] {
        let mut names = node.names().await;
        names.sort();
        assert_eq!(names, ["node-1", "node-2"]);
    }
    let used = &a.enrolment.invitations().await.unwrap()[0];
    assert_eq!((used.state.as_str(), used.used_by, &used.token), ("used", Some(b.id), &None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_works_once_also_after_a_restart() {
    let world = World::new();
    let machine = world.machine(1);
    let (a, b, c) = (machine.start().await, world.machine(2).start().await, world.machine(3).start().await);
    let (used, open) = (a.invite().await, a.invite().await);
    b.join(&used).await.unwrap();
    assert_eq!(said(c.join(&used).await), (Code::Denied, "this invitation was used already".to_owned()));
    a.stop().await;
    let a = machine.start().await;
    assert_eq!(said(c.join(&used).await), (Code::Denied, "this invitation was used already".to_owned()));
    // The open one was not forgotten, and nobody fell out.
    c.join(&open).await.unwrap();
    assert_eq!(a.names().await.len(), 3);
    // Later it is not even heard.
    world.pass(Duration::from_secs(2 * 3600));
    a.until_allowed(|allowed| allowed.guests.is_empty()).await;
    let d = world.machine(4).start().await;
    let (code, text) = said(d.join(&used).await);
    assert_eq!(code, Code::Denied);
    assert!(text.contains("by this machine's clock it has expired"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_expires_and_can_be_revoked() {
    let (world, a, b) = two().await;
    let token = a.invite().await;
    world.pass(Duration::from_secs(3601));
    assert_eq!(said(b.join(&token).await), (Code::Denied, "this invitation has expired".to_owned()));
    let made = a.enrolment.invite(InviteRequest::default()).await.unwrap();
    assert_eq!(a.enrolment.revoke(&made.id.short()).await.unwrap().state, "revoked");
    let refused = said(b.join(&made.token.unwrap()).await);
    assert_eq!(refused, (Code::Denied, "this invitation was revoked".to_owned()));
    assert_eq!(said(a.enrolment.revoke("ffff").await).0, Code::NotFound);
    assert_eq!(b.names().await, ["node-2"]);
    let states: Vec<_> = a.enrolment.invitations().await.unwrap().into_iter().map(|i| i.state).collect();
    assert_eq!(states, ["revoked", "expired"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_an_invitation_is_told_so() {
    let (_, a, b) = two().await;
    assert_eq!(said(b.join("hello").await).0, Code::Usage);
    let token = a.invite().await;
    assert_eq!(said(b.join(&token[..token.len() - 1]).await).0, Code::Usage);
    assert_eq!(
        said(a.join(&token).await),
        (Code::Usage, "this invitation was made by this very machine".to_owned())
    );
    for (ttl_seconds, address) in [(Some(1), "x:1"), (Some(1_000_000), "x:1"), (None, "http://x")] {
        let request = InviteRequest { ttl_seconds, addresses: vec![address.to_owned()] };
        assert_eq!(said(a.enrolment.invite(request).await).0, Code::Usage);
    }
    let request = InviteRequest { ttl_seconds: Some(60), addresses: vec!["server:9".to_owned()] };
    let made = a.enrolment.invite(request).await.unwrap();
    assert_eq!(Token::decode(&made.token.unwrap()).unwrap().addresses[0], "/dns/server/tcp/9");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_a_mesh_with_others_does_not_leave_it_by_joining() {
    let (world, a, b) = two().await;
    b.join(&a.invite().await).await.unwrap();
    let again = a.invite().await;
    assert_eq!(
        said(b.join(&again).await),
        (Code::Conflict, "this machine is in that mesh already".to_owned())
    );
    let c = world.machine(3).start().await;
    let refused = said(b.join(&c.invite().await).await);
    assert_eq!(refused, (Code::Conflict, "this machine is in another mesh, with 1 other nodes".to_owned()));
    // The invitation was not used up by that.
    c.join(&again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_answer_was_lost_asks_again() {
    let (world, a, b) = two().await;
    let token = a.invite().await;
    let read = Token::decode(&token).unwrap();
    // Enrolled there, and gone before it heard of it.
    let mut guest = Guest::dial(&world, &read).await;
    let nonce = guest.hello(&read, b.id).await;
    guest.send(&request(&read, &Key::of([2; 32]), nonce)).await;
    assert!(matches!(guest.receive().await, Answer::Page { .. }));
    drop(guest);
    assert_eq!(a.names().await.len(), 2);
    assert_eq!(b.names().await, ["node-2"]);
    b.join(&token).await.unwrap();
    assert_eq!(b.names().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_proof_lets_nobody_in() {
    let (world, a, b) = two().await;
    let token = Token::decode(&a.invite().await).unwrap();
    let other = Token::decode(&a.invite().await).unwrap();
    let (key, thief) = (Key::of([2; 32]), Key::of([9; 32]));
    let refusal = |answer| match answer {
        Answer::Refused { refusal } => refusal.to_string(),
        other => panic!("{other:?}"),
    };
    // Signed by another key than the one that is claimed.
    let mut guest = Guest::dial(&world, &token).await;
    let nonce = guest.hello(&token, b.id).await;
    guest.send(&request(&token, &thief, nonce)).await;
    assert!(refusal(guest.receive().await).contains("not proven"));
    // Signed for another invitation, and for another time.
    let mut guest = Guest::dial(&world, &token).await;
    let nonce = guest.hello(&token, b.id).await;
    guest.send(&request(&other, &key, nonce.clone())).await;
    assert!(refusal(guest.receive().await).contains("not proven"));
    let mut guest = Guest::dial(&world, &token).await;
    assert_ne!(guest.hello(&token, b.id).await, nonce);
    guest.send(&request(&token, &key, nonce)).await;
    assert!(refusal(guest.receive().await).contains("not proven"));
    // Changed on the way.
    let mut guest = Guest::dial(&world, &token).await;
    let nonce = guest.hello(&token, b.id).await;
    let signed = request(&token, &key, nonce);
    guest.send(&Envelope { payload: signed.payload.replace("tester", "stranger"), ..signed }).await;
    assert!(refusal(guest.receive().await).contains("not proven"));
    // Of a mesh that this node is not in.
    let mut guest = Guest::dial(&world, &token).await;
    let elsewhere = Token { mesh: b.enrolment.mesh_id(), ..token.clone() };
    let nonce = guest.hello(&elsewhere, b.id).await;
    guest.send(&request(&elsewhere, &key, nonce)).await;
    assert!(refusal(guest.receive().await).contains("not in that mesh"));
    assert_eq!(a.names().await, ["node-1"]);
    // None of that used the invitation up.
    b.join(&token.encode()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_the_way_in_changes_nothing() {
    let (world, a, _) = two().await;
    let token = Token::decode(&a.invite().await).unwrap();
    let frames: [&[u8]; 6] =
        [b"", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x02{}", b"\0\0\0\x05hello", b"\0\x01\0\0"];
    for bytes in frames {
        let mut guest = Guest::dial(&world, &token).await;
        guest.0.write_all(bytes).await.unwrap();
        guest.0.shutdown().await.unwrap();
        let mut rest = Vec::new();
        guest.0.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    }
    let mut guest = Guest::dial(&world, &token).await;
    guest.send(&Hello { version: 9, mesh: token.mesh, node: token.inviter }).await;
    assert!(matches!(guest.receive().await, Answer::Refused { .. }));
    assert_eq!(a.names().await, ["node-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_go_on_is_given_up() {
    let (world, a, b) = two().await;
    let token = a.invite().await;
    let mut guest = Guest::dial(&world, &Token::decode(&token).unwrap()).await;
    guest.0.write_all(b"\0\0").await.unwrap();
    // The host waits ten seconds, by its clock.
    while world.clock.next_wake().is_none_or(|left| left > Duration::from_secs(10)) {
        tokio::task::yield_now().await;
    }
    world.pass(Duration::from_secs(10));
    assert_eq!(guest.0.read(&mut [0; 1]).await.unwrap(), 0);
    b.join(&token).await.unwrap();
}

/// The other end of a way in, by hand.
struct Guest(Box<dyn ikigai_ports::gate::Duplex>);

impl Guest {
    async fn dial(world: &World, token: &Token) -> Self {
        Self(dial(world.hub.clone(), token.seed, token.inviter).await.unwrap())
    }

    async fn hello(&mut self, token: &Token, node: NodeId) -> String {
        self.send(&Hello { version: 1, mesh: token.mesh, node }).await;
        match self.receive().await {
            Answer::Challenge { nonce, .. } => nonce,
            other => panic!("{other:?}"),
        }
    }

    async fn send(&mut self, message: &impl serde::Serialize) {
        self.0.write_all(&join::encode(message).unwrap()).await.unwrap();
    }

    async fn receive<T: DeserializeOwned>(&mut self) -> T {
        let mut head = [0; 4];
        self.0.read_exact(&mut head).await.unwrap();
        let mut body = vec![0; join::length(head).unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        join::decode(&body).unwrap()
    }
}

fn request(token: &Token, key: &Key, nonce: String) -> Envelope {
    let guest = Key::of(token.seed).id();
    let (name, addresses) = ("tester".to_owned(), Vec::new());
    let request = Request { mesh: token.mesh, host: token.inviter, guest, nonce, name, addresses };
    Envelope::seal(REQUEST, &request, key.id(), |bytes| key.sign(bytes)).unwrap()
}
