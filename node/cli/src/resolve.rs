//! Which task a person means.

use crate::env::Env;
use ikigai_ports::NodeHandle;
use ikigai_wire::api::{Code, Filter, Problem, TaskView};

/// Most candidates that an error lists.
const MAX_LISTED: usize = 10;

/// The task called `given` on `node`.
pub(crate) async fn task(node: &dyn NodeHandle, env: &Env, given: &str) -> Result<TaskView, Problem> {
    // A whole id needs no list; `T052.4` is none.
    if given.contains('.') && !given.contains('/') && ikigai_speckit::TaskId::parse(given).is_none() {
        return node.task(given).await;
    }
    let tasks = node.snapshot(Filter::default()).await?.tasks;
    let project = env.project().and_then(|p| p.text().ok());
    let id = pick(given, &tasks, project.as_deref())?.id.clone();
    node.task(id.as_str()).await
}

/// `T012`, `001-shop/T012` or a whole id; among equals those of `project` go first.
pub(crate) fn pick<'a>(
    given: &str,
    tasks: &'a [TaskView],
    project: Option<&str>,
) -> Result<&'a TaskView, Problem> {
    let (feature, short) = given.rsplit_once('/').map_or((None, given), |(f, s)| (Some(f), s));
    let fits = |t: &&TaskView| match feature {
        _ if t.id.as_str() == given => true,
        Some(f) => t.feature == f && t.short.eq_ignore_ascii_case(short),
        None => t.short.eq_ignore_ascii_case(short),
    };
    let all: Vec<_> = tasks.iter().filter(fits).collect();
    let here: Vec<_> = all.iter().copied().filter(|t| project.is_some_and(|p| t.project == p)).collect();
    let found = if here.is_empty() { all } else { here };
    match found[..] {
        [task] => Ok(task),
        [] => {
            let text = format!("there is no task `{}`", given.chars().take(80).collect::<String>());
            Err(Problem::new(Code::NotFound, text, "run: ikigai task ls --all"))
        }
        _ => Err(ambiguous(given, &found)),
    }
}

fn ambiguous(given: &str, found: &[&TaskView]) -> Problem {
    let mut names: Vec<_> = found.iter().take(MAX_LISTED).map(|t| t.id.to_string()).collect();
    if found.len() > MAX_LISTED {
        names.push(format!("and {} more", found.len() - MAX_LISTED));
    }
    let text = format!("`{given}` is more than one task: {}", names.join(", "));
    Problem::new(Code::Usage, text, "use one of these ids")
}
