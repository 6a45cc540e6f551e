//! `ikigai open`

use crate::completion::tasks;
use crate::env::Env;
use crate::resolve;
use crate::run::Outcome;
use clap::Args;
use clap_complete::ArgValueCandidates;
use std::process::{Command, Stdio};

/// Opens the editor of a task's running agent in the browser
#[derive(Debug, Args)]
#[command(
    after_help = "The link works once, within a minute.\n\nExample:\n  ikigai open T013\n  ikigai open T013 --print"
)]
pub(crate) struct Open {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
    /// Only print the link
    #[arg(long)]
    print: bool,
}

impl Open {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.node()?;
        let task = resolve::task(&*node, env, &self.task).await?;
        let link = node.open(&task.id).await?;
        let opened = !self.print && env.out.for_people() && browse(&link.url);
        if opened {
            env.out.say(&format!("the editor of {} opens in the browser", task.short));
        } else {
            env.out.other("EditorLink", &link, || vec![link.url.clone()])?;
        }
        Ok(0)
    }
}

/// Starts the browser of a graphical session; false where there is none.
fn browse(url: &str) -> bool {
    let graphical = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if !graphical || !url.starts_with("http://") {
        return false;
    }
    let quiet = |program: &str| {
        Command::new(program)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    };
    quiet("xdg-open").is_ok()
}
