//! How a container ended, read from what the engine says of it.

use bollard::models::{
    ContainerState, ContainerStateStatusEnum as Status, ContainerSummaryStateEnum as Listed,
};
use ikigai_ports::executor::{Exit, Phase};

/// What an engine answers as exit code when it could not run a container at all.
const NEVER_STARTED: i32 = 125;

/// What the workload is doing.
pub fn phase(state: &ContainerState) -> Phase {
    match state.status {
        Some(Status::PAUSED) => Phase::Paused,
        Some(Status::RUNNING | Status::RESTARTING | Status::STOPPING) => Phase::Running,
        _ => Phase::Ended,
    }
}

/// The same, from a list.
pub fn listed(state: Option<Listed>) -> Phase {
    match state {
        Some(Listed::PAUSED) => Phase::Paused,
        Some(Listed::RUNNING | Listed::RESTARTING | Listed::STOPPING) => Phase::Running,
        _ => Phase::Ended,
    }
}

/// True if the container was made and never started, and no start was refused.
pub fn is_fresh(state: &ContainerState) -> bool {
    state.status == Some(Status::CREATED) && !start_failed(state)
}

/// True if the engine tried to start it and the command could not be run: that is the workload's end.
pub fn start_failed(state: &ContainerState) -> bool {
    state.status == Some(Status::CREATED) && matches!(state.exit_code, Some(126 | 127))
}

/// The end of a container that is not running. `killed_by_us` tells that this node sent it SIGKILL.
pub fn exit(state: &ContainerState, killed_by_us: bool) -> Exit {
    if is_fresh(state) {
        let detail = Some("it was made but never started; launch it again".to_owned());
        return Exit { code: NEVER_STARTED, out_of_memory: false, detail };
    }
    let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(NEVER_STARTED);
    // The engine's mark is also set when only a child was killed for memory; the first process then ended
    // some other way, or by our own signal.
    let out_of_memory = state.oom_killed == Some(true) && code == 128 + 9 && !killed_by_us;
    let detail = state.error.clone().filter(|error| !error.is_empty());
    Exit { code, out_of_memory, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: Status, code: i64, oom: bool) -> ContainerState {
        let (status, exit_code, oom_killed) = (Some(status), Some(code), Some(oom));
        ContainerState { status, exit_code, oom_killed, ..Default::default() }
    }

    #[test]
    fn out_of_memory_is_the_first_process_killed_by_the_kernel() {
        let ended = |code, oom, ours| exit(&state(Status::EXITED, code, oom), ours).out_of_memory;
        assert!(ended(137, true, false));
        assert!(!ended(137, false, false), "killed from outside");
        assert!(!ended(3, true, false), "only a child ran out");
        assert!(!ended(137, true, true), "a child ran out, then we killed it");
    }

    #[test]
    fn a_bad_command_is_an_end_with_its_reason() {
        let mut bad = state(Status::CREATED, 127, false);
        bad.error = Some("no such file".into());
        assert!(start_failed(&bad) && !is_fresh(&bad));
        let exit = exit(&bad, false);
        assert_eq!((exit.code, exit.detail.as_deref()), (127, Some("no such file")));
    }

    #[test]
    fn a_container_that_never_started_says_so() {
        let fresh = state(Status::CREATED, 0, false);
        assert!(is_fresh(&fresh) && phase(&fresh) == Phase::Ended);
        assert_eq!(exit(&fresh, false).code, NEVER_STARTED);
    }
}
