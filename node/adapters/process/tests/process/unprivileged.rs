//! The same promises for a node without root: this very program is run again as an ordinary user.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use tokio::process::Command;

/// A user that no account has.
const USER: &str = "54321";

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_users_node_keeps_them_too() {
    if !rustix::process::geteuid().is_root() {
        println!("NOT ASKED here: the other tests of this file's folder run as an ordinary user already");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let open = |path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    open(folder.path().to_owned());
    let program = folder.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();

    if let Err(why) = lets_users_make_namespaces().await {
        let _ = writeln!(std::io::stderr(), "SKIPPED an_ordinary_users_node_keeps_them_too: {why}");
        return;
    }
    let mut test = as_user(program.to_str().unwrap());
    test.args(["conformance::", "escape::nothing_gets_out", "--nocapture", "--test-threads=1"]);
    let output = test.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("5 passed"), "{text}");
    assert!(
        text.contains("missing: ") && text.contains("a user of its own"),
        "it says what it cannot hold: {text}"
    );
}

fn as_user(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--", program]).stdin(Stdio::null());
    command.current_dir("/").env("TMPDIR", "/tmp");
    command
}

async fn lets_users_make_namespaces() -> Result<(), String> {
    let output = as_user("unshare").args(["--user", "--net", "true"]).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("this machine lets no user make namespaces: {said}"))
    }
}
