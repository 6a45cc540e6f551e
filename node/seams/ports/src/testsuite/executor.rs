//! The suite of [`Executor`]: what Docker, local processes and every later backend must do alike.
//!
//! Workloads are `/bin/sh` scripts, so that an image needs no more than a shell and the usual small programs.

use crate::executor::{Exit, Mount, Role, Running, WorkloadSpec};
use crate::{Executor, PortError};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::StreamExt;
use ikigai_types::{AttemptId, Epoch, Fence, Limits, NodeId, WorkloadId};
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

mod ends;
mod held;
mod life;
mod output;

/// No case takes this long unless something hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a backend brings to its suite.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The image workloads run from; `None` when the backend runs programs of the machine itself.
    pub image: Option<String>,
    /// An empty folder under which mounts are made.
    pub folder: PathBuf,
}

/// Holds a backend to the port. `open` answers another executor over the same place each time, as a node
/// that was started again would make it.
///
/// # Panics
/// At the first promise that is not kept, once everything launched is removed again.
pub async fn executor(open: impl AsyncFn() -> Arc<dyn Executor>, fixture: Fixture) {
    let node = NodeId::from_bytes(std::array::from_fn(|_| RandomState::new().hash_one(0).to_le_bytes()[0]));
    let bench = Bench { first: open().await, second: open().await, node, fixture };
    println!("{:?}", bench.first.isolation());
    let result = AssertUnwindSafe(bench.all()).catch_unwind().await;
    bench.sweep().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
    assert_eq!(bench.first.list(node).await.unwrap(), []);
}

/// Two executors over one place, and what to launch there.
struct Bench {
    first: Arc<dyn Executor>,
    second: Arc<dyn Executor>,
    node: NodeId,
    fixture: Fixture,
}

impl Bench {
    async fn all(&self) {
        let cases: Vec<(&str, BoxFuture<'_, ()>)> = vec![
            ("launching twice runs once", life::launching_twice_runs_once(self).boxed()),
            ("each fence and role is its own", life::each_fence_and_role_is_its_own(self).boxed()),
            ("another executor finds it", life::another_executor_finds_it(self).boxed()),
            ("pause stops all its processes", life::pause_stops_all_its_processes(self).boxed()),
            ("stop leaves time to end", life::stop_leaves_time_to_end(self).boxed()),
            ("a paused workload is killed", life::a_paused_workload_is_killed(self).boxed()),
            ("removal leaves nothing", life::removal_leaves_nothing(self).boxed()),
            ("what is unknown is not found", life::what_is_unknown_is_not_found(self).boxed()),
            ("no line is lost or repeated", output::no_line_is_lost_or_repeated(self).boxed()),
            ("lines come as they are written", output::lines_come_as_they_are_written(self).boxed()),
            ("short lives are told whole", output::short_lives_are_told_whole(self).boxed()),
            ("odd output comes through", output::odd_output_comes_through(self).boxed()),
            ("exit codes are the first process's", ends::exit_codes_are_the_first_processs(self).boxed()),
            ("a bad command is an end", ends::a_bad_command_is_an_end(self).boxed()),
            ("out of memory is told apart", ends::out_of_memory_is_told_apart(self).boxed()),
            ("an image must be there, by digest", ends::an_image_must_be_there_by_digest(self).boxed()),
            ("it has no rights", held::it_has_no_rights(self).boxed()),
            ("it writes only where it may", held::it_writes_only_where_it_may(self).boxed()),
            ("it sees only what is mounted", held::it_sees_only_what_is_mounted(self).boxed()),
            ("it has no network", held::it_has_no_network(self).boxed()),
            ("it is held to its limits", held::it_is_held_to_its_limits(self).boxed()),
            ("some mounts are refused", held::some_mounts_are_refused(self).boxed()),
        ];
        for (name, case) in cases {
            let began = Instant::now();
            assert!(tokio::time::timeout(PATIENCE, case).await.is_ok(), "{name}: hangs");
            println!("executor: {name}: {:.1} s", began.elapsed().as_secs_f32());
        }
    }

    async fn sweep(&self) {
        for left in self.first.list(self.node).await.unwrap() {
            self.first.remove(&left.id).await.unwrap();
        }
    }

    /// A workload that runs `script`, of a task called `name`.
    fn spec(&self, name: &str, script: &str) -> WorkloadSpec {
        let attempt = AttemptId { task: format!("suite.{name}").parse().unwrap(), number: 1 };
        WorkloadSpec {
            node: self.node,
            fence: Fence { attempt, epoch: Epoch(1) },
            role: Role::Agent,
            image: self.fixture.image.clone().unwrap_or_default(),
            command: ["/bin/sh", "-c", script].map(str::to_owned).into(),
            env: [("GIVEN".to_owned(), "as given".to_owned())].into(),
            mounts: Vec::new(),
            workdir: "/tmp".into(),
            limits: Limits { memory_bytes: 96 << 20, pids: 48, disk_bytes: 8 << 20, ..Limits::default() },
        }
    }

    /// The same with a folder of its own at `/work`, which is answered too.
    fn with_folder(&self, name: &str, script: &str) -> (WorkloadSpec, PathBuf) {
        let folder = self.folder(name);
        let mut spec = self.spec(name, script);
        spec.mounts.push(Mount { source: folder.clone(), target: "/work".into(), read_only: false });
        (spec, folder)
    }

    fn folder(&self, name: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.fixture.folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        // The workload's user is not this one; the suite need not be root.
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        folder
    }

    async fn launch(&self, spec: &WorkloadSpec) -> WorkloadId {
        self.first.launch(spec).await.unwrap_or_else(|e| panic!("launch {}: {}", spec.fence, e.chain()))
    }

    /// Runs it to its end: what it wrote to stdout, and how it ended.
    async fn run(&self, spec: &WorkloadSpec) -> (Vec<String>, Exit) {
        let id = self.launch(spec).await;
        let lines = lines(&*self.first, &id).await;
        (lines, self.first.wait(&id).await.unwrap())
    }

    async fn script(&self, name: &str, script: &str) -> (Vec<String>, Exit) {
        self.run(&self.spec(name, script)).await
    }

    async fn listed(&self, id: &WorkloadId) -> Option<Running> {
        self.first.list(self.node).await.unwrap().into_iter().find(|r| r.id == *id)
    }

    /// True if the backend says that it enforces `what`; one that does not must say that.
    fn enforces(&self, what: &str) -> bool {
        let isolation = self.first.isolation();
        let says = |list: &[String]| list.iter().any(|phrase| phrase.contains(what));
        let enforced = says(&isolation.enforced);
        assert_ne!(enforced, says(&isolation.missing), "{what}: {isolation:?}");
        if !enforced {
            println!("NOT HELD here: {what} ({} lists it as missing)", isolation.name);
        }
        enforced
    }
}

async fn lines(executor: &dyn Executor, id: &WorkloadId) -> Vec<String> {
    let stream = executor.logs(id).await.unwrap();
    stream.map(|line| line.unwrap_or_else(|e| panic!("logs of {id}: {}", e.chain()))).collect().await
}

/// Waits until `path` exists: the workload's way to say where it is.
async fn appears(path: &Path) {
    while !path.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_not_found<T>(answer: &Result<T, PortError>) -> bool {
    matches!(answer, Err(PortError::NotFound(_)))
}
