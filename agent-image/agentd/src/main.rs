//! PID 1 in the agent's container.

fn main() -> std::process::ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == ikigai_agentd::pty::ARGUMENT) {
        return std::process::ExitCode::from(ikigai_agentd::pty::become_shell(args));
    }
    std::process::ExitCode::from(ikigai_agentd::run())
}
