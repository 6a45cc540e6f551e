//! `ikigai open`

use crate::completion::tasks;
use crate::env::Env;
use crate::resolve;
use crate::run::Outcome;
use clap::Args;
use clap_complete::ArgValueCandidates;
use std::process::{Command, Stdio};

/// Opens the dashboard in the browser, or with a task the editor of its running agent
#[derive(Debug, Args)]
#[command(
    visible_alias = "dashboard",
    after_help = "Each link works once: the dashboard's for five minutes, an editor's for one.\n\n\
        Example:\n  ikigai open\n  ikigai open --print\n  ikigai open T013"
)]
pub(crate) struct Open {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: Option<String>,
    /// Only print the link
    #[arg(long)]
    print: bool,
}

impl Open {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        match &self.task {
            Some(task) => self.editor(env, task).await,
            None => self.dashboard(env).await,
        }
    }

    async fn dashboard(&self, env: &Env) -> Outcome {
        let link = env.remote()?.login_link().await?;
        if self.browses(env, &link.url) {
            env.out.say("the dashboard opens in the browser");
        } else {
            env.out.other("LoginLink", &link, || vec![link.url.clone()])?;
        }
        Ok(0)
    }

    async fn editor(&self, env: &Env, task: &str) -> Outcome {
        let node = env.node()?;
        let task = resolve::task(&*node, env, task).await?;
        let link = node.open(&task.id).await?;
        if self.browses(env, &link.url) {
            env.out.say(&format!("the editor of {} opens in the browser", task.short));
        } else {
            env.out.other("EditorLink", &link, || vec![link.url.clone()])?;
        }
        Ok(0)
    }

    fn browses(&self, env: &Env, url: &str) -> bool {
        !self.print && env.out.for_people() && browse(url)
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
