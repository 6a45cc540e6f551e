//! Who is let in until when, and as what.

use super::*;

const T0: Timestamp = Timestamp(1_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn user(name: &str, role: Role) -> User {
    User { name: name.into(), role, linux: Some(format!("{name}-linux")), subject: None, created: T0 }
}

fn ask(kind: Kind, user: &str, role: Role) -> Request {
    Request { kind, user: user.into(), role, label: "CI\n".into(), life: DAY, task: Some("t".into()) }
}

fn team() -> Directory {
    let mut d = Directory::default();
    for (name, role) in [("ana", Role::Reviewer), ("ben", Role::Admin)] {
        d.add(user(name, role)).unwrap();
    }
    d
}

fn role(d: &Directory, kind: Kind, secret: &str, now: Timestamp) -> Option<Role> {
    match d.admit(kind, secret, now)?.0 {
        Principal::User { role, .. } => Some(role),
        _ => None,
    }
}

#[test]
fn a_token_is_good_for_its_kind_and_its_time() {
    let mut d = team();
    let (pass, changes) = d.issue(ask(Kind::Token, "ben", Role::Viewer), "s", T0).unwrap();
    assert_eq!((pass.label.as_str(), pass.id.len(), changes.len()), ("CI", 12, 1));
    assert_eq!(role(&d, Kind::Token, "s", T0), Some(Role::Viewer), "no more than it says");
    assert_eq!(role(&d, Kind::Session, "s", T0), None);
    assert_eq!(role(&d, Kind::Token, "S", T0), None);
    assert_eq!(role(&d, Kind::Token, "s", T0.after(DAY)), None);
    let (who, _) = d.admit(Kind::Token, "s", T0).unwrap();
    assert_eq!((d.current(&who, T0), d.current(&who, T0.after(DAY))), (Some(who.clone()), None));
    assert_eq!(d.forget_old(T0.after(DAY)).len(), 1);
    assert!(format!("{d:?}{pass:?}").contains("[redacted]") || !format!("{d:?}").contains("\"s\""));
}

#[test]
fn what_a_user_is_now_counts_and_not_what_it_was() {
    let mut d = team();
    d.issue(ask(Kind::Token, "ana", Role::Admin), "s", T0).unwrap();
    assert_eq!(role(&d, Kind::Token, "s", T0), Some(Role::Reviewer));
    d.set(user("ana", Role::Operator)).unwrap();
    assert_eq!(role(&d, Kind::Token, "s", T0), Some(Role::Operator));
    let gone = d.remove("ana").unwrap();
    assert_eq!(gone, [Change::NoUser("ana".into()), Change::NoPass(Hash::of("s"))]);
    assert_eq!(role(&d, Kind::Token, "s", T0), None);
    d.add(user("ana", Role::Admin)).unwrap();
    assert_eq!(role(&d, Kind::Token, "s", T0), None, "somebody else of the same name");
}

#[test]
fn a_link_becomes_one_session_and_no_longer_one_than_it_says() {
    let mut d = team();
    d.link("ana", Role::Viewer, "link", T0.after(DAY), T0.after(DAY)).unwrap();
    assert!(d.redeem("other", "s", "", T0).is_none());
    let half = T0.after(DAY / 2);
    let (pass, _) = d.redeem("link", "s", "Firefox", half).unwrap();
    assert_eq!((pass.until, pass.label.as_str()), (T0.after(DAY), "Firefox"));
    assert!(d.redeem("link", "s2", "", half).is_none(), "used");
    assert_eq!(role(&d, Kind::Session, "s", half), Some(Role::Viewer));
    d.link(OWNER, Role::Admin, "o", T0.after(DAY), T0.after(DAY)).unwrap();
    assert!(d.redeem("o", "s3", "", T0.after(DAY)).is_none(), "too old");
    assert_eq!(d.link("eve", Role::Admin, "l", T0, T0), Err(Wrong::Unknown("eve".into())));
    d.link("ana", Role::Viewer, "late", T0.after(DAY), T0.after(DAY)).unwrap();
    d.remove("ana").unwrap();
    assert!(d.redeem("late", "s4", "", T0).is_none(), "a link of somebody who is no more");
}

#[test]
fn a_share_link_is_nobody_and_shows_one_task() {
    let mut d = team();
    d.issue(ask(Kind::Share, "ana", Role::Viewer), "s", T0).unwrap();
    let (who, pass) = d.admit(Kind::Share, "s", T0).unwrap();
    assert_eq!(who, Principal::Share { id: pass.id.clone(), task: "t".into() });
    d.issue(Request { task: None, ..ask(Kind::Share, "ana", Role::Viewer) }, "all", T0).unwrap();
    assert!(d.admit(Kind::Share, "all", T0).is_none(), "a link without a task shows nothing");
}

#[test]
fn what_is_taken_back_is_named_without_doubt() {
    let mut d = team();
    let (pass, _) = d.issue(ask(Kind::Token, "ana", Role::Viewer), "s", T0).unwrap();
    for wrong in ["", "abc", "zzzz", &pass.id[..3]] {
        assert!(d.revoke(Kind::Token, wrong).is_err(), "{wrong}");
    }
    assert!(d.revoke(Kind::Session, &pass.id).is_err(), "another kind");
    assert_eq!(d.revoke(Kind::Token, &pass.id[..4]).unwrap().1, Change::NoPass(Hash::of("s")));
    assert_eq!(role(&d, Kind::Token, "s", T0), None);
}

#[test]
fn names_identities_and_numbers_are_bounded() {
    let mut d = team();
    for bad in ["", "Ana", "1a", "a b", "a/b", "é", "-a", &"a".repeat(41)] {
        assert_eq!(d.add(user(bad, Role::Viewer)), Err(Wrong::Name), "{bad}");
    }
    for taken in ["ana", OWNER] {
        assert_eq!(d.add(user(taken, Role::Viewer)), Err(Wrong::Taken(taken.into())));
    }
    let twin = User { linux: Some("ana-linux".into()), ..user("eve", Role::Admin) };
    assert_eq!(d.add(twin), Err(Wrong::Identity("ana".into())));
    assert_eq!(
        (d.set(user(OWNER, Role::Viewer)), d.remove(OWNER).err()),
        (Err(Wrong::Owner), Some(Wrong::Owner))
    );
    for n in 0..2 * PASSES {
        let made = d.issue(ask(Kind::Token, "ana", Role::Viewer), &format!("t{n}"), T0);
        assert_eq!(made.is_ok(), n < PASSES, "{n}");
        let now = T0.after(Duration::from_secs(n as u64));
        d.issue(ask(Kind::Session, "ana", Role::Viewer), &format!("s{n}"), now).unwrap();
        d.link("ana", Role::Viewer, &format!("l{n}"), T0.after(DAY), T0.after(DAY)).unwrap();
    }
    assert_eq!(d.passes(Kind::Session, T0).len(), PASSES);
    assert!(d.redeem("l0", "x", "", T0).is_none() && d.redeem("l127", "x", "", T0).is_some());
    for life in [Duration::ZERO, Duration::from_secs(400 * 24 * 60 * 60)] {
        let request = Request { life, ..ask(Kind::Token, "ben", Role::Viewer) };
        assert_eq!(d.issue(request, "x", T0).err(), Some(Wrong::Life));
    }
    assert_eq!(d.linux("ana-linux").map(|p| p.name().to_owned()).as_deref(), Some("ana"));
    assert!(d.linux("root").is_none() && d.subject("x").is_none());
}

#[test]
fn what_was_stored_is_taken_back_as_it_was() {
    let mut d = team();
    let (_, changes) = d.issue(ask(Kind::Token, "ana", Role::Viewer), "s", T0).unwrap();
    let mut again = Directory::default();
    let users: Vec<_> = d.users().cloned().map(Change::User).collect();
    users.into_iter().chain(changes).for_each(|c| again.restore(c));
    assert_eq!(role(&again, Kind::Token, "s", T0), Some(Role::Viewer));
    assert_eq!(again.users().count(), 2);
}

#[test]
fn a_linux_user_is_who_names_it_and_what_that_is_now() {
    let mut d = team();
    assert_eq!(d.linux("eve"), None);
    let ana = d.linux("ana-linux").unwrap();
    let came = |role| Principal::User { name: "ana".into(), role, via: Via::Linux("ana-linux".into()) };
    assert_eq!((&ana, ana.pass()), (&came(Role::Reviewer), None));
    d.set(user("ana", Role::Viewer)).unwrap();
    assert_eq!(d.current(&ana, T0), Some(came(Role::Viewer)));
    d.set(User { linux: None, ..user("ana", Role::Admin) }).unwrap();
    assert_eq!(d.current(&ana, T0), None, "she comes as this Linux user no more");
    d.add(User { linux: Some("ana-linux".into()), ..user("eve", Role::Admin) }).unwrap();
    assert_eq!(d.current(&ana, T0), None, "the Linux user is somebody else now");
    let owner = Principal::owner(Via::Socket);
    assert_eq!(d.current(&owner, T0), Some(owner));
}

#[test]
fn whom_the_kernel_cannot_tell_apart_is_nobody() {
    let mut d = team();
    for good in ["ana", "corp\\ana", "ana@corp.example", "uid:0", "uid:4242"] {
        assert!(d.set(User { linux: Some(good.into()), ..user("ana", Role::Viewer) }).is_ok(), "{good}");
    }
    for bad in ["", "a b", "a:b", "uid:", "uid:65534", "uid:042", "uid:-1", "nobody:65534", "a\n"] {
        let wrong = d.set(User { linux: Some(bad.into()), ..user("ana", Role::Viewer) });
        assert_eq!(wrong, Err(Wrong::Linux), "{bad}");
    }
}

#[test]
fn an_identity_is_a_user_by_its_subject_or_by_a_verified_address() {
    let mut d = team();
    let as_known =
        |name: &str, subject: &str| User { subject: Some(subject.into()), ..user(name, Role::Viewer) };
    d.set(as_known("ana", "subject-1")).unwrap();
    d.set(as_known("ben", "email:ben@example.org")).unwrap();
    let who = |s: &str, e: Option<&str>| d.identity(s, e).map(|u| u.name.clone());
    assert_eq!(who("subject-1", None).as_deref(), Some("ana"));
    assert_eq!(who("subject-1", Some("ben@example.org")).as_deref(), Some("ana"), "the subject goes first");
    assert_eq!(who("other", Some("Ben@Example.org")).as_deref(), Some("ben"));
    for (subject, email) in [("other", None), ("email:ben@example.org", None), ("ben@example.org", None)] {
        assert_eq!(who(subject, email), None, "{subject}");
    }
    assert_eq!(d.set(as_known("ben", "subject-1")), Err(Wrong::Identity("ana".into())));
}
