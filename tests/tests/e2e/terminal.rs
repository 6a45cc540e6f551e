//! A person in the terminal of an agent on another node: what they see, who may type, and what the agent waits for.

use crate::dashboard::{browser, link, script};
use crate::mesh::Mesh;
use crate::node::{NodeProcess, Runs};
use crate::{parts, project};
use ikigai_ports::NodeHandle as _;
use ikigai_remote::Terminal;
use ikigai_wire::api::{Command, Filter, NodeCommand, TaskOptions, TaskView};
use ikigai_wire::terminal::{ClientWord, FromClient, FromTerminal, Size, TerminalWord, Want};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// Nothing here takes this long unless it hangs.
const HANG: Duration = Duration::from_secs(60);

/// Ends when somebody makes the file `go`, and hands in what is there then.
const AGENT: &str = "#!/bin/sh\ncat > /dev/null\nuntil [ -e go ]; do sleep 0.05; done\nrm go\n\
    echo its > its.txt\ngit add -A\ngit commit -qm its\n";

/// A client of a terminal.
struct Client {
    open: Terminal,
    terminal: String,
    next: u64,
    got: Vec<u8>,
    locks: Vec<(Option<String>, bool)>,
    refused: Vec<String>,
}

impl Client {
    async fn open(node: &NodeProcess, task: &TaskView, name: &str, want: Want) -> Self {
        Self::back(node, task, name, want, None).await
    }

    async fn back(
        node: &NodeProcess,
        task: &TaskView,
        name: &str,
        want: Want,
        at: Option<(String, u64)>,
    ) -> Self {
        let open = node.handle().attach(&task.id, name).await.unwrap();
        let (terminal, next, got) = (String::new(), 0, Vec::new());
        let mut this = Self { open, terminal, next, got, locks: Vec::new(), refused: Vec::new() };
        let (terminal, from) = at.unzip();
        let client = format!("client of {name}");
        let word = ClientWord::Open { client, terminal, from, size: Size::default(), want };
        this.word(word).await;
        this.until("it opens", |c| !c.locks.is_empty()).await;
        this
    }

    async fn word(&mut self, word: ClientWord) {
        self.open.say(&FromClient::Word(word)).await.unwrap();
    }

    async fn types(&mut self, text: &str) {
        self.open.say(&FromClient::Input(text.as_bytes().to_vec())).await.unwrap();
    }

    async fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        while !is(self) {
            let said = tokio::time::timeout(HANG, self.open.next()).await;
            let said = said.unwrap_or_else(|_| panic!("never: {what}: {}", self.text())).unwrap();
            match said.unwrap_or_else(|| panic!("it ended before {what}: {}", self.text())) {
                FromTerminal::Output { offset, bytes } => {
                    assert_eq!(offset, self.next, "no byte is left out or sent again");
                    self.next += bytes.len() as u64;
                    self.got.extend(bytes);
                }
                FromTerminal::Word(TerminalWord::Opened { terminal, from, .. }) => {
                    (self.terminal, self.next) = (terminal, from);
                }
                FromTerminal::Word(TerminalWord::Lock { writer, you }) => self.locks.push((writer, you)),
                FromTerminal::Word(TerminalWord::Refused { text, .. }) => self.refused.push(text),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn until_text(&mut self, text: &str) {
        self.until(text, |c| c.text().contains(text)).await;
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.got).into_owned()
    }
}

/// Two nodes of which the first owns the task and the second runs it.
async fn mesh() -> (Mesh, TaskView) {
    let more = "adapter = \"command\"";
    let tools = parts::built("ikigai-agentd").parent().unwrap().to_owned();
    let runs = Runs::Process(tools);
    let mesh = Mesh::start(2, &runs, more).await;
    let owner = &mesh.nodes[0];
    let (path, own) = (owner.project(), owner.handle().snapshot(Filter::default()).await.unwrap().node);
    std::fs::create_dir_all(path.join(".ikigai")).unwrap();
    let agent = path.join(".ikigai/agent");
    std::fs::write(&agent, AGENT).unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    project::git(&path, &["add", "-A"]);
    project::git(&path, &["commit", "-qm", "agent"]);
    owner.handle().steer(&own, NodeCommand::Cordon).await.unwrap();
    owner.submit(&["T001"], TaskOptions::default()).await;
    let task = until(owner, "it runs", |t| t.state == "running").await;
    assert_ne!(task.attempts[0].node, own);
    (mesh, task)
}

async fn until(node: &NodeProcess, what: &str, is: impl Fn(&TaskView) -> bool) -> TaskView {
    let looking = async {
        loop {
            let task = node.task("T001").await;
            if is(&task) {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = tokio::time::timeout(HANG, looking).await;
    seen.unwrap_or_else(|_| panic!("never: {what}:\n{}", node.log_text()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_takes_over_an_agent_on_another_node_and_hands_it_back() {
    if !Path::new("/usr/bin/bwrap").is_file() {
        let test = "a_person_takes_over_an_agent_on_another_node_and_hands_it_back";
        return parts::missing(test, "bubblewrap is not installed", "IKIGAI_REQUIRE_SANDBOX");
    }
    let (mesh, task) = mesh().await;
    let [owner, holder] = &mesh.nodes[..] else { unreachable!() };
    let mut alice = Client::open(owner, &task, "alice", Want::Type).await;
    assert_eq!(alice.locks, [(None, false)]);
    // Where her cursor is, her terminal says by itself: had that taken the lock, the events below would tell.
    alice.types("\x1b[24;80R").await;
    alice.word(ClientWord::HandBack { all: false }).await;
    alice.types("seq 1 200000; echo al''l\r").await;
    alice.until("some of it", |c| c.got.len() > 400_000).await;
    assert_eq!(alice.locks.last(), Some(&(Some("alice@n1".to_owned()), true)));

    // Her connection breaks, and she comes back: every byte once, and she still types.
    let (mut got, place) = (std::mem::take(&mut alice.got), (alice.terminal.clone(), alice.next));
    drop(alice);
    let mut alice = Client::back(owner, &task, "alice", Want::Type, Some(place)).await;
    assert_eq!(alice.locks, [(Some("alice@n1".to_owned()), true)]);
    alice.until_text("all").await;
    got.append(&mut alice.got);
    assert!(got.len() > 1_000_000, "{}", got.len());
    let lines: String = (1..=200_000).map(|n| format!("{n}\r\n")).collect();
    assert!(String::from_utf8_lossy(&got).contains(&lines));

    // Another, by the node that runs it, sees the same bytes and may not type.
    let mut bob = Client::open(holder, &task, "bob", Want::Type).await;
    assert_eq!(bob.locks, [(Some("alice@n1".to_owned()), false)]);
    bob.until("all of it", |c| c.next >= alice.next).await;
    assert!(bob.got == got, "the two differ");
    bob.types("touch bobs\r").await;
    bob.until("a refusal", |c| !c.refused.is_empty()).await;
    assert_eq!(bob.refused, ["locked by alice@n1"]);
    let seen = until(owner, "who types is shown", |t| t.attempts[0].writer.is_some()).await;
    assert_eq!(seen.attempts[0].writer.as_deref(), Some("alice@n1"));

    // The agent ends meanwhile, and what she makes after that is part of its result.
    alice
        .types("touch go; until git log -1 --format=%s | grep -qx its; do sleep 0.05; done; echo en''ded\r")
        .await;
    alice.until_text("ended").await;
    alice.types("echo hers > hers.txt; git add -A; git commit -qm hers; echo fin''ished\r").await;
    alice.until_text("finished").await;
    assert_eq!(owner.task("T001").await.state, "running");

    // Bob takes over, and hands back.
    bob.word(ClientWord::Take { force: true }).await;
    bob.until("he types", |c| c.locks.last() == Some(&(Some("bob@n2".to_owned()), true))).await;
    alice.until("she is told", |c| c.locks.last() == Some(&(Some("bob@n2".to_owned()), false))).await;
    alice.types("touch late\r").await;
    alice.until("a refusal", |c| c.refused == ["locked by bob@n2"]).await;
    bob.word(ClientWord::HandBack { all: false }).await;
    let ended = until(owner, "its result", |t| t.patch.is_some()).await;
    let files: Vec<_> = ended.patch.unwrap().files;
    assert!(["its.txt", "hers.txt"].iter().all(|f| files.contains(&(*f).to_owned())), "{files:?}");
    assert!(!files.contains(&"late".to_owned()), "{files:?}");

    let told = owner.events().await;
    let told: Vec<_> = told.iter().filter(|e| e.what.contains("-over") || e.what.contains("-back")).collect();
    let told: Vec<_> = told.iter().map(|e| e.text.as_str()).collect();
    assert_eq!(
        told,
        [
            "alice@n1 types; the agent waits",
            "bob@n2 types instead of alice@n1; the agent waits",
            "bob@n2 types no more; the agent goes on",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_that_is_ended_frees_no_lock() {
    if !Path::new("/usr/bin/bwrap").is_file() {
        let test = "a_shell_that_is_ended_frees_no_lock";
        return parts::missing(test, "bubblewrap is not installed", "IKIGAI_REQUIRE_SANDBOX");
    }
    let (mesh, task) = mesh().await;
    let owner = &mesh.nodes[0];
    let mut alice = Client::open(owner, &task, "alice", Want::Type).await;
    // As the agent may, which is the same user there.
    alice.types("kill -9 $$\r").await;
    let ended = async {
        loop {
            if let Some(FromTerminal::Word(TerminalWord::Exited { code })) = alice.open.next().await.unwrap()
            {
                return code;
            }
        }
    };
    assert_eq!(tokio::time::timeout(HANG, ended).await, Ok(137));
    let mut bob = Client::open(owner, &task, "bob", Want::Look).await;
    assert_eq!(bob.locks, [(Some("alice@n1".to_owned()), false)]);
    let mut alice = Client::open(owner, &task, "alice", Want::Type).await;
    assert_eq!(alice.locks, [(Some("alice@n1".to_owned()), true)]);
    alice.word(ClientWord::HandBack { all: false }).await;
    bob.until("it is free", |c| c.locks.last() == Some(&(None, false))).await;
    owner.handle().command(&task.id, Command::Stop).await.unwrap();
    until(owner, "it is stopped", |t| t.attempts[0].phase == "ended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pages_share_the_terminal_of_an_agent_elsewhere() {
    let test = "two_pages_share_the_terminal_of_an_agent_elsewhere";
    if !Path::new("/usr/bin/bwrap").is_file() {
        return parts::missing(test, "bubblewrap is not installed", "IKIGAI_REQUIRE_SANDBOX");
    }
    let Some(()) = browser(test) else { return };
    let (mesh, task) = mesh().await;
    let pages = script("terminal.cjs", &[&link(&mesh.nodes[0]).await, task.id.as_str()]);
    let said = tokio::time::timeout(3 * HANG, pages.wait_with_output()).await.expect("the browser hangs");
    let said = said.unwrap();
    // The agent waits for ever, and would outlive its node.
    mesh.nodes[0].handle().command(&task.id, Command::Stop).await.unwrap();
    until(&mesh.nodes[0], "it is stopped", |t| t.attempts[0].phase == "ended").await;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_piped_is_done_and_its_code_comes_back() {
    if !Path::new("/usr/bin/bwrap").is_file() {
        let test = "what_is_piped_is_done_and_its_code_comes_back";
        return parts::missing(test, "bubblewrap is not installed", "IKIGAI_REQUIRE_SANDBOX");
    }
    let (mesh, task) = mesh().await;
    let owner = &mesh.nodes[0];
    let mut command = tokio::process::Command::new(parts::built("ikigai"));
    command.arg("--home").arg(owner.home()).args(["attach", task.id.as_str()]).kill_on_drop(true);
    let mut attach = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = attach.stdin.take().unwrap();
    // The rest is there before the first command is over.
    stdin.write_all(b"sleep 1; echo sl''ept\n(exit 7)").await.unwrap();
    drop(stdin);
    let done = tokio::time::timeout(HANG, attach.wait_with_output()).await.expect("it ends").unwrap();
    owner.handle().command(&task.id, Command::Stop).await.unwrap();
    until(owner, "it is stopped", |t| t.attempts[0].phase == "ended").await;
    assert!(String::from_utf8_lossy(&done.stdout).contains("slept"), "{done:?}");
    assert_eq!(done.status.code(), Some(7), "{done:?}");
}
