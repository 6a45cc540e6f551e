//! Other people of the node's machine, as Linux users of their own who run the same program.

use crate::node::{NodeProcess, Runs, turn};
use crate::{parts, project};
use ikigai_wire::api::TaskOptions;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A Linux user that every machine has, and a number that none has.
const KNOWN: (&str, &str) = ("daemon", "1");
const UNKNOWN: &str = "54321";

/// Runs `ikigai <line>` as the Linux user `uid`, in a mount namespace whose `/run/ikigai` is the folder of the node's
/// socket: where the program looks by itself, and no other node of this machine is met.
fn ikigai(node: &NodeProcess, uid: &str, line: &str) -> Output {
    let script = r#"mount -t tmpfs tmpfs /run && mkdir /run/ikigai && mount --bind "$1" /run/ikigai &&
        touch /run/program && mount --bind "$2" /run/program && cd / && export HOME=/nonexistent &&
        exec setpriv --reuid "$3" --regid "$3" --clear-groups /run/program $4"#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec", script, "sh"]);
    command.arg(node.shared().parent().unwrap()).arg(parts::built("ikigai")).args([uid, line]);
    command
        .env_remove("IKIGAI_HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .unwrap()
}

fn own(node: &NodeProcess, line: &str) -> String {
    let mut command = Command::new(parts::built("ikigai"));
    let out = command.arg("--home").arg(node.home()).args(line.split(' ')).output().unwrap();
    assert!(out.status.success(), "{line}: {out:?}");
    String::from_utf8(out.stdout).unwrap()
}

fn shows(out: &Output, code: i32, text: &str) {
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(
        (out.status.code(), said.contains(text)),
        (Some(code), true),
        "wanted {code} {text:?}:\n{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linux_user_of_the_machine_is_who_the_kernel_says() {
    if !parts::root("a_linux_user_of_the_machine_is_who_the_kernel_says") {
        return;
    }
    let _turn = turn().await;
    let runs = Runs::Process(PathBuf::from("/nonexistent"));
    let script = project::feature().join("model.toml");
    let mesh = "[mesh]\nlisten = []";
    let node = NodeProcess::prepare("people", &runs, "backend = \"git\"", mesh, &script);
    let shared = format!("shared_socket = {:?}", node.shared());
    let mut node = node.with_http(&shared);
    node.up().await;
    node.submit(&["T001"], TaskOptions::default()).await;

    // Nobody is let in unasked, and is told what to do.
    let (name, uid) = KNOWN;
    shows(&ikigai(&node, uid, "task ls"), 4, "--linux daemon");
    shows(&ikigai(&node, UNKNOWN, "task ls"), 4, &format!("--linux uid:{UNKNOWN}"));
    own(&node, &format!("user add ana --role viewer --linux {name}"));
    own(&node, &format!("user add ben --role operator --linux uid:{UNKNOWN}"));

    // A viewer looks and stops nothing, an operator does.
    shows(&ikigai(&node, uid, "task ls"), 0, "T001");
    shows(&ikigai(&node, uid, "task stop T001"), 5, "`ana` may not steer here: its role is viewer");
    shows(&ikigai(&node, uid, "user ls"), 5, "may not administer");
    shows(&ikigai(&node, UNKNOWN, "task stop T001"), 0, "T001");
    let audit = own(&node, "audit -o json");
    let entries: serde_json::Value = serde_json::from_str(&audit).unwrap();
    let has = |who: &str, via: &str, result: &str| {
        let fits = |e: &&serde_json::Value| e["who"] == who && e["via"] == via && e["result"] == result;
        assert!(
            entries["items"].as_array().unwrap().iter().any(|e| fits(&e)),
            "{who} {via} {result}: {audit}"
        );
    };
    has("ana", "linux daemon", "denied");
    has("ben", &format!("linux uid:{UNKNOWN}"), "done");
    has("nobody", "linux daemon", "refused");

    // What is taken away counts at once; the node's own socket is nobody else's all the while.
    own(&node, "user set ana --linux ");
    shows(&ikigai(&node, uid, "task ls"), 4, "no user of this node");
    own(&node, "user rm ben");
    shows(&ikigai(&node, UNKNOWN, "task ls"), 4, "no user of this node");
    let home = node.home().display().to_string();
    shows(&ikigai(&node, uid, &format!("--home {home} task ls")), 4, "belongs to another user");
}
