//! Every role and every action, and policies that are refused.

use super::*;
use crate::Via;

fn user(role: Role) -> Principal {
    Principal::User { name: "ana".into(), role, via: Via::Session("1".into()) }
}

/// What the table of docs/access.md says: `v`iewer, `o`perator, `r`eviewer, `a`dmin.
const TABLE: [(Action, &str); 14] = [
    (Action::Read, "vora"),
    (Action::Submit, "oa"),
    (Action::Steer, "oa"),
    (Action::Open, "oa"),
    (Action::Comment, "ora"),
    (Action::Decide, "ra"),
    (Action::Share, "ora"),
    (Action::ReadShared, ""),
    (Action::Operate, "oa"),
    (Action::Enrol, "a"),
    (Action::Administer, "a"),
    (Action::Audit, "a"),
    (Action::Identify, "vora"),
    (Action::LogIn, "vora"),
];

#[test]
fn each_role_may_do_what_the_table_says_and_nothing_else() {
    let policy = Policy::standard();
    assert_eq!(TABLE.map(|(action, _)| action), Action::ALL);
    for (action, may) in TABLE {
        for role in Role::ALL {
            let wanted = may.contains(&role.name()[..1]);
            for resource in [Resource::Node, Resource::Task("n.shop.T001".into())] {
                if action == Action::LogIn && resource != Resource::Node {
                    continue;
                }
                let said = policy.decide(&user(role), action, &resource) == Decision::Allowed;
                assert_eq!(said, wanted, "{role} {action:?} {resource:?}");
            }
        }
        let nobody = policy.decide(&Principal::Nobody, action, &Resource::Node) == Decision::Allowed;
        assert_eq!(nobody, action == Action::LogIn, "nobody {action:?}");
    }
    assert_eq!(
        policy.roles(&user(Role::Viewer), Action::Decide, &Resource::Node),
        [Role::Reviewer, Role::Admin]
    );
}

#[test]
fn a_share_link_shows_its_task_and_nothing_else() {
    let policy = Policy::standard();
    let share = Principal::Share { id: "1".into(), task: "n.shop.T001".into() };
    for action in Action::ALL {
        for (resource, is_its) in [
            (Resource::Task("n.shop.T001".into()), true),
            (Resource::Task("n.shop.T002".into()), false),
            (Resource::Node, false),
        ] {
            let said = policy.decide(&share, action, &resource) == Decision::Allowed;
            let log_in = action == Action::LogIn && resource == Resource::Node;
            assert_eq!(said, (action == Action::ReadShared && is_its) || log_in, "{action:?} {resource:?}");
        }
    }
}

#[test]
fn an_organisation_writes_its_own() {
    let text = format!(
        "{DEFAULT}\nforbid (principal, action == Action::\"decide\", resource) unless {{ principal.name == \"ana\" }};\n\
         forbid (principal, action, resource == Task::\"n.shop.T001\") when {{ principal is User && principal.via == \"token\" }};"
    );
    let policy = Policy::read(&text, "policy.cedar").unwrap();
    let named = |name: &str, via| Principal::User { name: name.into(), role: Role::Admin, via };
    let task = Resource::Task("n.shop.T001".into());
    let asks = [
        (named("ana", Via::Socket), Action::Decide, Decision::Allowed),
        (named("ben", Via::Socket), Action::Decide, Decision::Denied),
        (named("ana", Via::Token("1".into())), Action::Decide, Decision::Denied),
        (named("ana", Via::Token("1".into())), Action::Steer, Decision::Denied),
        (named("ben", Via::Socket), Action::Steer, Decision::Allowed),
    ];
    for (who, action, said) in asks {
        assert_eq!(policy.decide(&who, action, &task), said, "{who:?} {action:?}");
    }
    assert!(policy.is_own() && !Policy::standard().is_own());
}

#[test]
fn a_broken_policy_is_refused_with_its_line() {
    for (text, line, word) in [
        ("permit (principal, action, resource);\n\npermit (principal, action resource);\n", 3, "unexpected"),
        ("permit (principal, action == Action::\"raed\", resource);", 1, "raed"),
        ("\n\npermit (principal in Role::\"root\", action == Action::\"read\", resource);", 3, "root"),
        (
            "permit (principal, action == Action::\"read\", resource)\nwhen { principal.nmae == \"ana\" };",
            2,
            "nmae",
        ),
        (
            "permit (principal, action == Action::\"read\", resource)\nwhen { principal.name == 1 };",
            2,
            "type",
        ),
        ("", 1, "nothing"),
        ("// only a remark", 1, "nothing"),
    ] {
        let error = Policy::read(text, "/etc/x.cedar").unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.message.contains(word), "{text}: {error}");
        assert!(error.to_string().starts_with(&format!("/etc/x.cedar:{line}: ")), "{error}");
    }
    assert!(Policy::read(&" ".repeat(MOST + 1), "x").unwrap_err().message.contains("larger"));
}

#[test]
fn what_a_user_is_called_is_no_policy() {
    let policy = Policy::standard();
    for name in ["", "\"", "x\" || true", "owner\\", "\u{0}", "Role::\"admin\""] {
        let who = Principal::User { name: name.into(), role: Role::Viewer, via: Via::Socket };
        assert_eq!(policy.decide(&who, Action::Read, &Resource::Node), Decision::Allowed, "{name}");
        assert_eq!(policy.decide(&who, Action::Administer, &Resource::Node), Decision::Denied, "{name}");
    }
}
