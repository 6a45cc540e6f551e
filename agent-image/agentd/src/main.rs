//! PID 1 in the agent's container.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(ikigai_agentd::run())
}
