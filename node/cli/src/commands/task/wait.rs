//! `ikigai task wait`

use crate::completion::tasks;
use crate::env::Env;
use crate::human::Span;
use crate::resolve;
use crate::run::Outcome;
use crate::wait::{self, Board};
use clap::Args;
use clap_complete::ArgValueCandidates;
use ikigai_wire::api::TaskView;

/// Waits until tasks need a person, or are in a state
#[derive(Debug, Args)]
#[command(
    after_help = "Exits 0 when every task is in review or accepted (or in the state asked for), 1 when one \
    ended otherwise, 8 when it took too long.\n\nExample:\n  ikigai task wait T012 T013 --timeout 30m\n  \
    ikigai task wait T012 --state accepted"
)]
pub(crate) struct Wait {
    /// T012, 001-shop/T012 or a whole id
    #[arg(required = true, value_name = "TASK", add = ArgValueCandidates::new(tasks))]
    tasks: Vec<String>,
    /// Until each is in this state
    #[arg(long)]
    state: Option<String>,
    /// Give up after this long, such as 90s, 10m, 2h
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
}

impl Wait {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.node()?;
        let mut ids = Vec::new();
        for name in &self.tasks {
            ids.push(resolve::task(&*node, env, name).await?.id);
        }
        let verdict = |board: &Board<'_>, t: &TaskView| match &self.state {
            None => board.outcome(t),
            Some(state) if *state == t.state => Some(true),
            Some(_) => Some(false).filter(|_| ["accepted", "cancelled"].contains(&t.state.as_str())),
        };
        let (done, good) = wait::until(&*node, &ids, self.timeout.map(|s| s.0), verdict).await?;
        super::act::show(env, done)?;
        Ok(u8::from(!good))
    }
}
