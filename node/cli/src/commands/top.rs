//! `ikigai top`

mod keys;
mod live;
mod model;
mod page;
mod rows;
mod screen;
mod view;

use crate::env::Env;
use crate::output::Format;
use crate::run::Outcome;
use clap::Args;
use ikigai_wire::api::{Code, Filter, Problem};
use model::Model;
use std::io::IsTerminal;
use std::time::Duration;

/// A node that says nothing for this long is not connected.
const PATIENCE: Duration = Duration::from_secs(5);
/// Columns of one frame that no terminal shows.
const COLUMNS: usize = 120;

/// The whole mesh live in the terminal: what needs you, what runs, what it costs
#[derive(Debug, Args)]
#[command(
    after_help = "Keys: j k or arrows move, enter shows a task, l its lines, o its editor's link, a accepts its \
    patch\n(asks first), p pauses or resumes, / filters, ? helps, q quits. What is shown while the node does not \
    answer\nsays how old it is. Without colours where NO_COLOR is set.\n\n\
    Example:\n  ikigai top\n  ikigai top --once\n  ikigai top --once --json | jq .needsYou"
)]
pub(crate) struct Top {
    /// Print what it shows once, as text, and end
    #[arg(long)]
    once: bool,
}

impl Top {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.remote()?.patient(PATIENCE);
        if self.once {
            return once(&node, env).await;
        }
        if env.out.format != Format::Table {
            let text = format!("top shows a live picture, which has no form {:?}", env.out.format);
            return Err(Problem::new(Code::Usage, text.to_lowercase(), "run: ikigai top --once --json"));
        }
        if !env.out.terminal || !std::io::stdin().is_terminal() {
            let hint = "run: ikigai top --once, or ikigai task ls --watch";
            return Err(Problem::new(Code::Usage, "top needs a terminal to show and to read keys", hint));
        }
        let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        live::run(node, Model::new(env.now(), colour)).await
    }
}

async fn once(node: &dyn ikigai_ports::NodeHandle, env: &Env) -> Outcome {
    let snapshot = node.snapshot(Filter::default()).await?;
    let mut model = Model::new(env.now(), false);
    model.take(snapshot);
    let width = env.out.width().unwrap_or(COLUMNS);
    env.out.other("Top", &rows::document(&model), || view::text(&model, width))?;
    Ok(0)
}
