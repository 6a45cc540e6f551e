//! Workloads outlive the node that launched them, at whatever moment it is killed.
//!
//! The node is this very program, run again to launch one workload and killed with SIGKILL.

use futures::StreamExt;
use ikigai_ports::Executor;
use ikigai_ports::executor::{Mount, Phase, Role, WorkloadSpec};
use ikigai_process::{ProcessExecutor, ProcessOptions};
use ikigai_types::{AttemptId, Epoch, Fence, Limits, NodeId};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Set in the node that is killed: the folder it works in, and which workload it launches.
const NODE: &str = "IKIGAI_TEST_NODE";
const NUMBER: &str = "IKIGAI_TEST_NUMBER";

fn executor(base: &Path) -> ProcessExecutor {
    ProcessExecutor::new(base.join("state"), ProcessOptions::default()).unwrap()
}

/// Notes that it runs, says two lines with a pause that the test ends, and leaves with a code of its own.
fn spec(base: &Path, number: u32) -> WorkloadSpec {
    let script =
        "echo run >> /work/runs; echo one; while [ ! -e /work/go ]; do sleep 0.01; done; echo two; exit 6";
    let attempt = AttemptId { task: "suite.outlive".parse().unwrap(), number };
    WorkloadSpec {
        node: NodeId::from_bytes([0xdd; 32]),
        fence: Fence { attempt, epoch: Epoch(1) },
        role: Role::Agent,
        image: String::new(),
        command: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        env: Default::default(),
        mounts: vec![Mount { source: work(base, number), target: "/work".into(), read_only: false }],
        workdir: "/work".into(),
        limits: Limits { memory_bytes: 64 << 20, ..Limits::default() },
    }
}

fn work(base: &Path, number: u32) -> PathBuf {
    base.join(format!("work{number}"))
}

fn node(base: &Path, number: u32) -> Child {
    let folder = work(base, number);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "outlive::inside", "--nocapture"])
        .env(NODE, base)
        .env(NUMBER, number.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The node: launches its workload and reads its output until it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn inside() {
    let (Some(base), Ok(number)) = (std::env::var_os(NODE), std::env::var(NUMBER)) else {
        println!("NOT ASKED here: `inside` is run as a node by the other tests of this file");
        return;
    };
    let base = PathBuf::from(base);
    let executor = executor(&base);
    let id = executor.launch(&spec(&base, number.parse().unwrap())).await.unwrap();
    executor.logs(&id).await.unwrap().for_each(|_| async {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_finds_its_workload_and_its_whole_output() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let mut killed = node(&base, 1);
    while !work(&base, 1).join("runs").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.kill().await.unwrap();

    let executor = executor(&base);
    let found = executor.list(NodeId::from_bytes([0xdd; 32])).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].phase, &found[0].fence), (Phase::Running, &spec(&base, 1).fence));
    std::fs::write(work(&base, 1).join("go"), "").unwrap();
    let lines: Vec<_> = executor.logs(&found[0].id).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(lines, ["one", "two"]);
    assert_eq!(executor.wait(&found[0].id).await.unwrap().code, 6);
    executor.remove(&found[0].id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_launch_it_still_runs_once() {
    const ROUNDS: u32 = 40;
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let (mut before, mut after) = (0, 0);
    for number in 1..=ROUNDS {
        let mut killed = node(&base, number);
        // From before anything is recorded to after the command runs; the program itself starts in a few ms.
        tokio::time::sleep(Duration::from_micros(u64::from(number) * 1500)).await;
        killed.kill().await.unwrap();

        let executor = executor(&base);
        let spec = spec(&base, number);
        let known = executor.list(spec.node).await.unwrap().iter().any(|r| r.fence == spec.fence);
        *if known { &mut after } else { &mut before } += 1;
        let id = executor.launch(&spec).await.unwrap();
        std::fs::write(work(&base, number).join("go"), "").unwrap();
        let lines: Vec<_> = executor.logs(&id).await.unwrap().map(Result::unwrap).collect().await;
        assert_eq!(lines, ["one", "two"], "round {number}");
        assert_eq!(executor.wait(&id).await.unwrap().code, 6, "round {number}");
        let runs = std::fs::read_to_string(work(&base, number).join("runs")).unwrap();
        assert_eq!(runs, "run\n", "round {number}");
        executor.remove(&id).await.unwrap();
    }
    println!("killed before it was recorded: {before}, after: {after}");
    assert!(before > 0 && after > 0, "the kills missed the launch: {before} before, {after} after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_supervisor_is_told_and_nothing_runs_on() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    for (number, cgroups) in [(1, ProcessOptions::default().cgroups), (2, None)] {
        let options = ProcessOptions { cgroups, ..ProcessOptions::default() };
        let executor = ProcessExecutor::new(base.join("state"), options).unwrap();
        std::fs::create_dir_all(work(&base, number)).unwrap();
        std::fs::set_permissions(work(&base, number), std::fs::Permissions::from_mode(0o777)).unwrap();
        let spec = spec(&base, number);
        let id = executor.launch(&spec).await.unwrap();
        assert_eq!(executor.logs(&id).await.unwrap().next().await.unwrap().unwrap(), "one");
        let recorded = std::fs::read_dir(base.join("state")).unwrap().flatten();
        let pid = recorded.filter_map(|e| std::fs::read_to_string(e.path().join("pid")).ok()).next().unwrap();
        let pid: i32 = pid.split(' ').next().unwrap().parse().unwrap();
        let supervisor = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(supervisor, rustix::process::Signal::KILL).unwrap();

        let exit = executor.wait(&id).await.unwrap();
        assert_eq!((exit.code, exit.out_of_memory), (137, false));
        assert!(exit.detail.unwrap().contains("supervisor"));
        // Were it still there, it would say its second line now.
        std::fs::write(work(&base, number).join("go"), "").unwrap();
        let lines: Vec<_> = executor.logs(&id).await.unwrap().map(Result::unwrap).collect().await;
        assert_eq!(lines, ["one"]);
        executor.remove(&id).await.unwrap();
    }
}
