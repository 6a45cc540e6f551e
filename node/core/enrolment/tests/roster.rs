//! Whatever the order statements come in, and whoever wrote them: the same nodes are in, and only those that should.

use ikigai_enrolment::roster::{MAX_REMOVALS_EACH, found};
use ikigai_enrolment::{Address, Enrol, Flaw, MeshId, Remove, Roster, Said, Statement, StatementId};
use ikigai_types::{NodeId, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn key(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

/// Stands for a signed statement: the bytes are what it says.
fn signed(by: u8, said: Said) -> Statement {
    let bytes = format!("{said:?}");
    Statement::verified(key(by), said, bytes.as_bytes()).unwrap()
}

/// One node's copy, and every statement it holds, so that it can be sent on.
#[derive(Debug, Clone)]
struct Copy {
    roster: Roster,
    all: BTreeMap<StatementId, Statement>,
}

impl Copy {
    /// A mesh that node 0 founded.
    fn founded() -> Self {
        let root = found(key(0), "zero", vec![], "n".to_owned(), Timestamp(1));
        let mut copy = Self { roster: Roster::new(root.mesh), all: BTreeMap::new() };
        copy.take([signed(0, Said::Enrol(root))]);
        copy
    }

    fn mesh() -> MeshId {
        MeshId::of(key(0), "n")
    }

    fn empty() -> Self {
        Self { roster: Roster::new(Self::mesh()), all: BTreeMap::new() }
    }

    fn take(&mut self, statements: impl IntoIterator<Item = Statement>) -> ikigai_enrolment::Changes {
        let statements: Vec<_> = statements.into_iter().collect();
        let changes = self.roster.merge(statements.clone());
        self.all.extend(statements.into_iter().map(|s| (s.id(), s)));
        changes
    }

    fn list(&self) -> Vec<Statement> {
        self.roster.statements().into_iter().map(|id| self.all[&id].clone()).collect()
    }

    fn enrol(&mut self, by: u8, node: u8) {
        let enrol = self.roster.enrol(key(by), key(node), "", vec![], Timestamp(u64::from(node)));
        self.take([signed(by, Said::Enrol(enrol))]);
    }

    fn remove(&mut self, by: u8, node: u8) {
        let remove = self.roster.remove(key(by), key(node), Timestamp(9));
        self.take([signed(by, Said::Remove(remove))]);
    }

    /// Both ends know what either knew.
    fn meet(&mut self, other: &mut Self) {
        let (mine, theirs) = (self.list(), other.list());
        self.take(theirs);
        other.take(mine);
    }

    /// `node` and those by whose word it is in, up to the founder; all there are when that is a ring.
    fn standing_on(&self, node: NodeId) -> Vec<NodeId> {
        let mut found = vec![node];
        while let Some(last) = found.last().copied().filter(|n| *n != key(0)) {
            match self.roster.member(last).map(|m| m.enrolled_by) {
                Some(by) if !found.contains(&by) => found.push(by),
                _ => return (0..NODES).map(key).collect(),
            }
        }
        found
    }

    fn members(&self) -> Vec<u8> {
        self.roster.members().map(|m| m.node.as_bytes()[0]).collect()
    }
}

#[test]
fn the_founder_is_pinned_by_the_mesh() {
    let mut copy = Copy::empty();
    let root = |node, nonce: &str| found(key(node), "", vec![], nonce.to_owned(), Timestamp(1));
    let posing = Enrol { mesh: Copy::mesh(), ..root(1, "n") };
    assert_eq!(copy.take([signed(1, Said::Enrol(posing))]).refused[0].1, Flaw::Signer);
    assert_eq!(copy.take([signed(0, Said::Enrol(root(0, "m")))]).refused[0].1, Flaw::Mesh);
    assert_eq!(copy.take([signed(0, Said::Enrol(root(0, "n")))]).enrolled, [key(0)]);
    assert_eq!(copy.members(), [0]);
}

#[test]
fn who_was_enrolled_by_a_removed_node_stays_when_the_remover_knew_of_it() {
    let mut a = Copy::founded();
    a.enrol(0, 1);
    a.enrol(1, 2);
    let mut late = a.clone();
    a.remove(2, 1);
    assert_eq!(a.members(), [0, 2]);
    // The removed node goes on signing, and reaches a node that has not heard of it.
    late.enrol(1, 3);
    late.remove(1, 0);
    assert_eq!(late.members(), [1, 2, 3]);
    late.meet(&mut a);
    assert_eq!(late.roster, a.roster);
    assert_eq!(a.members(), [0, 2]);
    assert!(a.roster.is_removed(key(1)));
    assert!(!a.roster.is_removed(key(0)), "its removals count as little as its enrolments");
}

#[test]
fn even_the_founder_can_be_removed_and_nobody_falls_with_it() {
    let mut copy = Copy::founded();
    copy.enrol(0, 1);
    copy.enrol(0, 2);
    copy.remove(1, 0);
    assert_eq!(copy.members(), [1, 2]);
    copy.enrol(2, 3);
    assert_eq!(copy.members(), [1, 2, 3]);
}

#[test]
fn two_that_remove_each_other_are_both_out_and_a_third_stays() {
    let mut a = Copy::founded();
    a.enrol(0, 1);
    a.enrol(0, 2);
    let mut b = a.clone();
    a.remove(1, 2);
    b.remove(2, 1);
    a.meet(&mut b);
    assert_eq!(a.roster, b.roster);
    assert_eq!(a.members(), [0]);
}

#[test]
fn nobody_removes_itself() {
    let said = Said::Remove(Copy::founded().roster.remove(key(0), key(0), Timestamp(1)));
    assert_eq!(Statement::verified(key(0), said, b"x"), Err(Flaw::Itself));
}

#[test]
fn a_removed_key_that_strikes_back_falls_with_who_removed_it_and_enrols_nobody() {
    let mut copy = Copy::founded();
    (1..=3).for_each(|n| copy.enrol(0, n));
    copy.enrol(1, 4);
    copy.remove(1, 2);
    // Node 2 reaches a node that has not heard of it.
    let said = Remove { keeps: None, ..copy.roster.remove(key(2), key(1), Timestamp(9)) };
    let back = signed(2, Said::Remove(said));
    copy.take([back.clone()]);
    let said = Enrol { prev: Some(back.id()), ..copy.roster.enrol(key(2), key(5), "", vec![], Timestamp(9)) };
    copy.take([signed(2, Said::Enrol(said))]);
    assert_eq!(copy.members(), [0, 3]);
    // Who fell with its enroller was not removed: another enrols it again.
    copy.enrol(3, 4);
    copy.enrol(3, 2);
    assert_eq!(copy.members(), [0, 3, 4]);
}

#[test]
fn the_newest_address_counts_whatever_comes_first() {
    let at = |by, n: u64| {
        let addresses = vec![format!("/ip4/10.0.0.{n}/tcp/7421")];
        signed(by, Said::Address(Address { mesh: Copy::mesh(), addresses, at: Timestamp(n) }))
    };
    let mut copy = Copy::founded();
    copy.enrol(0, 1);
    assert_eq!(copy.take([at(1, 2)]).moved, [key(1)]);
    assert_eq!(copy.take([at(1, 1)]).fresh, []);
    assert_eq!(copy.take([at(1, 3), at(1, 2)]).moved, [key(1)]);
    assert_eq!(copy.take([at(2, 3)]).refused[0].1, Flaw::Signer);
    assert_eq!(copy.roster.member(key(1)).unwrap().addresses, ["/ip4/10.0.0.3/tcp/7421"]);
    let mut other = Copy::empty();
    other.meet(&mut copy);
    assert_eq!(other.roster, copy.roster);
}

#[test]
fn names_and_addresses_are_bounded_and_clean() {
    let enrol = |name: &str, address: &str| {
        let said = Enrol {
            name: name.to_owned(),
            addresses: vec![address.to_owned()],
            ..Copy::founded().roster.enrol(key(0), key(1), "", vec![], Timestamp(1))
        };
        Statement::verified(key(0), Said::Enrol(said), b"x")
    };
    assert_eq!(enrol(&"x".repeat(257), "/a"), Err(Flaw::Bounds));
    assert_eq!(enrol("x", "/\u{1b}"), Err(Flaw::Bounds));
    let mut copy = Copy::founded();
    copy.take([enrol("a\u{202e}b\n", "/a").unwrap()]);
    assert_eq!(copy.roster.member(key(1)).unwrap().name, "ab");
}

#[test]
fn removals_of_one_node_are_bounded_and_the_first_is_enough() {
    let mut copy = Copy::founded();
    copy.enrol(0, 1);
    for n in 0..100 {
        let said = Remove { mesh: Copy::mesh(), node: key(1), at: Timestamp(n), keeps: None, prev: None };
        let changes = copy.take([signed(0, Said::Remove(said))]);
        assert_eq!(changes.refused.is_empty(), n < MAX_REMOVALS_EACH as u64);
    }
    assert_eq!(copy.members(), [0]);
}

#[test]
fn a_long_chain_of_removals_ends() {
    let mut copy = Copy::founded();
    (1..=200).for_each(|n| copy.enrol(0, n));
    let before = copy.clone();
    for n in 1..200 {
        // Each removes the one before it and leaves out that one's removal.
        let said = Remove { keeps: None, ..before.roster.remove(key(n + 1), key(n), Timestamp(1)) };
        copy.take([signed(n + 1, Said::Remove(said))]);
    }
    assert!(copy.roster.is_removed(key(199)));
    assert!(copy.roster.is_enrolled(key(200)) && copy.roster.is_enrolled(key(0)));
}

// === Any order, any signer ===

const NODES: u8 = 6;

/// Something that happens on one of three copies.
#[derive(Debug, Clone)]
enum Act {
    Enrol { on: usize, by: u8, node: u8 },
    Remove { on: usize, by: u8, node: u8, all: bool },
    Address { on: usize, by: u8, at: u64 },
    Meet { a: usize, b: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let (on, node) = (0..3_usize, 0..NODES);
    prop_oneof![
        4 => (on.clone(), node.clone(), node.clone()).prop_map(|(on, by, node)| Act::Enrol { on, by, node }),
        2 => (on.clone(), node.clone(), node.clone(), any::<bool>())
            .prop_map(|(on, by, node, all)| Act::Remove { on, by, node, all }),
        1 => (on.clone(), node, 0..9_u64).prop_map(|(on, by, at)| Act::Address { on, by, at }),
        2 => (on.clone(), on).prop_map(|(a, b)| Act::Meet { a, b }),
    ]
}

/// Runs acts on three copies of one mesh. `by` need not be in: then it changes nothing, or it is hostile.
fn run(acts: &[Act]) -> [Copy; 3] {
    let mut copies = [Copy::founded(), Copy::founded(), Copy::founded()];
    for act in acts {
        match *act {
            Act::Enrol { on, by, node } => copies[on].enrol(by, node),
            Act::Remove { on, by, node, all: true } if by == node => copies[on].enrol(by, node),
            Act::Remove { on, by, node, all: true } => copies[on].remove(by, node),
            Act::Remove { on, by, node, all: false } => {
                let said =
                    Remove { keeps: None, ..copies[on].roster.remove(key(by), key(node), Timestamp(3)) };
                if by != node {
                    copies[on].take([signed(by, Said::Remove(said))]);
                }
            }
            Act::Address { on, by, at } => {
                let said = copies[on].roster.address(vec![format!("/dns/{by}/{at}")], Timestamp(at));
                copies[on].take([signed(by, Said::Address(said))]);
            }
            Act::Meet { a, b } if a != b => {
                let mut other = copies[b].clone();
                copies[a].meet(&mut other);
                copies[b] = other;
            }
            Act::Meet { .. } => {}
        }
    }
    copies
}

proptest! {
    #[test]
    fn copies_that_met_agree_in_whatever_order(
        acts in prop::collection::vec(act(), 0..40),
        seed in any::<u64>(),
    ) {
        let [mut a, mut b, mut c] = run(&acts);
        a.meet(&mut b);
        b.meet(&mut c);
        a.meet(&mut c);
        prop_assert_eq!(&a.roster, &b.roster);
        prop_assert_eq!(&a.roster, &c.roster);
        // The same statements in any order, at once, and again.
        let mut shuffled = a.list();
        let mut state = seed;
        for n in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(n, (state >> 33) as usize % (n + 1));
        }
        let mut once = Copy::empty();
        prop_assert_eq!(once.take(shuffled.clone()).refused, vec![]);
        prop_assert_eq!(&once.roster, &a.roster);
        prop_assert_eq!(once.take(shuffled), ikigai_enrolment::Changes::default());
        // One by one, in the order in which they are listed.
        let mut slowly = Copy::empty();
        for statement in a.list() {
            prop_assert_eq!(slowly.take([statement]).refused, vec![]);
        }
        prop_assert_eq!(&slowly.roster, &a.roster);
    }

    #[test]
    fn who_was_never_enrolled_changes_nothing(
        acts in prop::collection::vec(act(), 0..30),
        hostile in prop::collection::vec((NODES..NODES + 3, 0..NODES + 3, any::<bool>()), 1..10),
    ) {
        let [mut copy, ..] = run(&acts);
        let before = copy.roster.clone();
        let said = |by: u8, node: u8, enrols: bool| match enrols {
            true => Said::Enrol(before.enrol(key(by), key(node), "", vec![], Timestamp(1))),
            false => Said::Remove(before.remove(key(by), key(node), Timestamp(1))),
        };
        let hostile = hostile.iter().filter(|(by, node, _)| by != node);
        let changes = copy.take(hostile.map(|(by, node, e)| signed(*by, said(*by, *node, *e))));
        prop_assert!(changes.refused.iter().all(|(_, flaw)| *flaw == Flaw::Signer));
        prop_assert_eq!(copy.roster, before);
    }

    #[test]
    fn a_removed_key_stays_out_and_lets_nobody_in(
        acts in prop::collection::vec(act(), 0..30),
        pick in any::<[prop::sample::Index; 2]>(),
        hostile in prop::collection::vec((0..NODES + 3, 0..3_u8, any::<prop::sample::Index>()), 1..12),
        honest in prop::collection::vec((0..NODES, any::<bool>()), 0..6),
    ) {
        let first = (0..3).flat_map(|on| [1, 2, 3].map(|node| Act::Enrol { on, by: 0, node }));
        let [mut copy, ..] = run(&first.chain(acts).collect::<Vec<_>>());
        let mut members = copy.members();
        prop_assume!(members.len() >= 2);
        let remover = members.remove(pick[0].index(members.len()));
        let out = *pick[1].get(&members);
        let calm = copy.roster.removed().next().is_none();
        let old = copy.list();
        copy.remove(remover, out);
        prop_assert!(copy.roster.is_removed(key(out)));
        let before = copy.members();
        let standing_on = copy.standing_on(key(remover));
        // Whatever the removed key signs from now on, following whatever it signed before.
        let mut last = None;
        let mut struck_back = false;
        for (node, what, follow) in hostile {
            let prev = follow.get(&[None, last, copy.roster.remove(key(out), key(out), Timestamp(0)).prev]).to_owned();
            let said = match what {
                0 => Said::Remove(Remove { prev, ..copy.roster.remove(key(out), key(node), Timestamp(99)) }),
                1 => Said::Remove(Remove { keeps: None, prev, mesh: Copy::mesh(), node: key(node), at: Timestamp(99) }),
                _ => Said::Enrol(Enrol { prev, ..copy.roster.enrol(key(out), key(node), "", vec![], Timestamp(99)) }),
            };
            // Who was out before could come to strike as well, were it not for whom this one strikes.
            struck_back |= matches!(&said, Said::Remove(r) if !calm || standing_on.contains(&r.node));
            let bytes = format!("{said:?}");
            let Ok(statement) = Statement::verified(key(out), said, bytes.as_bytes()) else { continue };
            last = Some(statement.id());
            copy.take([statement]);
        }
        // And everything from before once more, and enrolments of it by those who are in.
        copy.take(old);
        for (by, again) in honest {
            if copy.roster.is_enrolled(key(by)) {
                let enrol = copy.roster.enrol(key(by), key(out), if again { "again" } else { "" }, vec![], Timestamp(100));
                copy.take([signed(by, Said::Enrol(enrol))]);
            }
        }
        prop_assert!(copy.roster.is_removed(key(out)) && !copy.roster.is_enrolled(key(out)));
        let after = copy.members();
        for node in before.iter().filter(|_| !struck_back) {
            prop_assert!(after.contains(node), "{node} fell: {before:?} {after:?}");
        }
        for node in &after {
            prop_assert!(before.contains(node), "{node} came in: {before:?} {after:?}");
        }
    }
}
