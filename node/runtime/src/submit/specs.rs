//! Tasks of a file, or a text, as the owner will accept them.

use super::project::{Feature, Project};
use super::{Proposal, Proposed, waves};
use crate::handle::Handle;
use crate::view;
use ikigai_ports::node::Answer;
use ikigai_speckit::{AppendOptions, AskKind, Task, TaskIdx};
use ikigai_task::{TaskSpec, Wants};
use ikigai_types::tags::InvalidTags;
use ikigai_types::{Disconnect, Egress, Limits, Preferences, Selector, TaskId};
use ikigai_wire::api::{Code, EdgeView, Problem, SubmitRequest, TaskOptions};
use std::collections::BTreeSet;
use std::path::Path;

impl Handle {
    pub(super) fn feature_tasks(
        &self,
        project: &Project,
        feature: &Feature,
        ids: &[String],
        with_deps: bool,
        request: &SubmitRequest,
    ) -> Answer<Proposal> {
        let wanted = wanted(feature, ids, with_deps)?;
        let (waves, urgency) = (waves(&feature.graph), feature.graph.chain_behind());
        let mut tasks = Vec::new();
        for index in wanted {
            let task = &feature.document.tasks[index.0];
            let after = feature.graph.waiting_for(index, |t| feature.document.tasks[t.0].done);
            let mut spec = self.spec(project, &request.options, &task.description)?;
            spec.id = mesh_id(project, &feature.name, task.id.as_str())?;
            spec.feature.clone_from(&feature.name);
            spec.tasks_file = Some(feature.file.clone());
            spec.text = text(feature, task);
            spec.urgency = urgency.get(index.0).copied().unwrap_or(0);
            let id_of = |t: TaskIdx| mesh_id(project, &feature.name, feature.document.tasks[t.0].id.as_str());
            spec.depends_on = after.iter().map(|e| id_of(e.from)).collect::<Answer<_>>()?;
            spec.claims = claims(task);
            let own: Vec<_> = task.checks.iter().flat_map(|c| c.commands.clone()).collect();
            if request.options.verify.is_none() && !own.is_empty() {
                spec.verify = own;
            }
            asked(&mut spec, &request.options, task).map_err(|e| unread(&feature.file, &e))?;
            let edge = |e: &ikigai_speckit::Edge| EdgeView {
                task: feature.document.tasks[e.from.0].id.as_str().to_owned(),
                reason: e.reason.to_string(),
            };
            let wave = waves.get(&index.0).copied().unwrap_or(1);
            tasks.push(Proposed { spec, wave, after: after.iter().map(edge).collect() });
        }
        Ok(Proposal { feature: feature.name.clone(), tasks, warnings: feature.warnings.clone() })
    }

    /// A task in words: appended to the active feature, or on its own outside Spec-Kit.
    pub(super) async fn text_task(
        &self,
        project: &Project,
        text: &str,
        story: Option<&str>,
        parallel: bool,
        request: &SubmitRequest,
    ) -> Answer<Proposal> {
        let title = text.lines().next().unwrap_or_default().trim();
        if title.is_empty() {
            return Err(Problem::new(Code::Usage, "the task is empty", "say what is to be done"));
        }
        let Some(folder) = project.active(&self.parts).await? else {
            let spec = self.lone_spec(project, text, request).await?;
            let tasks = vec![Proposed { spec, wave: 1, after: Vec::new() }];
            return Ok(Proposal { feature: String::new(), tasks, warnings: Vec::new() });
        };
        let feature = project.feature(&self.parts, Some(&folder)).await?;
        let options = AppendOptions { story: story.map(story_number).transpose()?, parallel };
        let appended = ikigai_speckit::append_task(&feature.text, text, &options)
            .map_err(|e| Problem::new(Code::Usage, e.to_string(), e.hint()))?;
        let id = appended.id.as_str().to_owned();
        if request.dry_run {
            let warnings = vec![format!("{id} would be added to {} at line {}", feature.file, appended.line)];
            return Ok(Proposal { feature: feature.name, tasks: Vec::new(), warnings });
        }
        let (checkout, file) = (Path::new(&project.path), Path::new(&feature.file));
        let written = self.parts.checkout.write_if(checkout, file, &feature.hash, appended.text.into_bytes());
        written.await.map_err(view::problem)?;
        let feature = project.feature(&self.parts, Some(&folder)).await?;
        self.feature_tasks(project, &feature, &[id], false, request)
    }

    async fn lone_spec(&self, project: &Project, text: &str, request: &SubmitRequest) -> Answer<TaskSpec> {
        let prefix = format!("{}.", project.id);
        let is_lone = move |id: &TaskId| id.as_str().strip_prefix(&prefix).is_some_and(|r| !r.contains('.'));
        let last = self.owner.look(move |o| {
            o.tasks().keys().filter(|id| is_lone(id)).filter_map(|id| id.short().parse::<u64>().ok()).max()
        });
        let number = last.await.map_err(super::problem)?.unwrap_or(0) + 1;
        let mut spec = self.spec(project, &request.options, text)?;
        spec.id = TaskId::new(format!("{}.{number}", project.id)).map_err(unusable)?;
        // Read as the line of a file would be.
        let line = format!("- [ ] T001 {}\n", text.split_whitespace().collect::<Vec<_>>().join(" "));
        spec.claims = ikigai_speckit::parse(&line, "").document.tasks.first().map(claims).unwrap_or_default();
        Ok(spec)
    }

    /// What is the same for every task of a request: its options, the project's, the node's.
    fn spec(&self, project: &Project, options: &TaskOptions, text: &str) -> Answer<TaskSpec> {
        let d = &self.options.defaults;
        let pick = |own: &Option<String>, of_project: &Option<String>, default: &str| {
            own.clone().or_else(|| of_project.clone()).unwrap_or_else(|| default.to_owned())
        };
        let adapter = pick(&options.adapter, &project.config.adapter, &d.adapter);
        if !self.options.adapters.contains_key(&adapter) {
            let known: Vec<_> = self.options.adapters.keys().cloned().collect();
            let message = format!("adapter {adapter} is not known");
            return Err(Problem::new(Code::Usage, message, format!("use one of: {}", known.join(", "))));
        }
        Ok(TaskSpec {
            id: TaskId::new("0").map_err(unusable)?,
            project: project.id.clone(),
            checkout: project.path.clone(),
            feature: String::new(),
            tasks_file: None,
            title: ikigai_types::title(text),
            text: text.to_owned(),
            depends_on: Vec::new(),
            claims: Vec::new(),
            verify: options
                .verify
                .clone()
                .unwrap_or_else(|| project.config.verify.clone().unwrap_or_default()),
            adapter,
            provider: pick(&options.provider, &project.config.provider, &d.provider),
            model: pick(&options.model, &project.config.model, &d.model),
            request: options.request.unwrap_or(d.request),
            limits: limits(options, d.limits),
            requires: options.requires.clone().unwrap_or_default(),
            tolerates: options.tolerates.clone(),
            wants: wants(options)?,
            max_attempts: options.max_attempts.unwrap_or(d.max_attempts).max(1),
            linger_secs: options.linger_secs.unwrap_or(d.linger_secs),
            urgency: 0,
            egress: self.egress(options)?,
            disconnect: options
                .disconnect
                .unwrap_or_default()
                .over(project.config.disconnect.over(Disconnect::default())),
            owner: self.node,
        })
    }
}

impl Handle {
    /// The entries the tasks may use, written out: whoever runs them judges by what is signed, not by a name.
    fn egress(&self, options: &TaskOptions) -> Answer<Egress> {
        let (all, names) = (&self.options.egress, options.egress.as_ref());
        all.named(names.unwrap_or(&self.options.defaults.egress)).map_err(|unknown| {
            let known: Vec<_> = all.0.keys().map(String::as_str).collect();
            let hint = match known[..] {
                [] => "list it in the node's ikigai.toml; docs/network.md has an example".to_owned(),
                _ => format!("use one of: {}", known.join(", ")),
            };
            Problem::new(Code::Usage, format!("egress `{unknown}` is not known"), hint)
        })
    }
}

/// What the file asks for a task, as far as whoever submits it says nothing of it. A file can say where its tasks
/// run and not that they go before others or onto machines that keep work off.
fn asked(spec: &mut TaskSpec, options: &TaskOptions, task: &Task) -> Result<(), (u32, InvalidTags)> {
    for ask in ikigai_speckit::asks(task) {
        let (wants, at) = (&mut spec.wants, |e| (ask.line, e));
        match ask.kind {
            AskKind::Requires if options.requires.is_none() => {
                let more: Selector = ask.value.parse().map_err(at)?;
                let all = spec.requires.conditions().iter().chain(more.conditions());
                spec.requires = Selector::new(all.cloned());
            }
            AskKind::Prefers if options.prefers.is_none() => {
                wants.prefers.0.extend(ask.value.parse::<Preferences>().map_err(at)?.0);
            }
            AskKind::Spread if options.spread.is_empty() => wants.spread.push(ask.value.parse().map_err(at)?),
            // A word that is no class is prose.
            AskKind::Class if options.class.is_none() => {
                wants.class = ask.value.parse().unwrap_or(wants.class);
            }
            _ => {}
        }
    }
    Ok(())
}

/// A condition that is not understood may be the one that keeps a task off the wrong machine.
fn unread(file: &str, (line, error): &(u32, InvalidTags)) -> Problem {
    Problem::new(
        Code::Usage,
        format!("{file}:{line}: {error}"),
        "write it as `requires: gpu=true, region=eu`",
    )
}

/// The highest priority, and below zero the lowest.
const PRIORITY: i32 = 100;

/// What its attempts are held to.
fn limits(options: &TaskOptions, usual: Limits) -> Limits {
    let limits = options.limits.unwrap_or(usual);
    Limits { max_turns: options.max_turns.or(limits.max_turns), ..limits }
}

fn wants(options: &TaskOptions) -> Answer<Wants> {
    if options.max_turns.or(options.limits.and_then(|l| l.max_turns)) == Some(0) {
        let hint = "use 1 or more, or leave it out for no limit";
        return Err(Problem::new(Code::Usage, "an agent with no model call can do nothing", hint));
    }
    let priority = options.priority.unwrap_or(0);
    if !(-PRIORITY..=PRIORITY).contains(&priority) {
        let message = format!("priority {priority} is not possible");
        return Err(Problem::new(Code::Usage, message, "use -100 to 100; 0 is usual, higher goes first"));
    }
    Ok(Wants {
        class: options.class.unwrap_or_default(),
        priority,
        prefers: options.prefers.clone().unwrap_or_default(),
        spread: options.spread.clone(),
    })
}

/// Tasks the request means: those ids (with what they wait for), or every open one.
fn wanted(feature: &Feature, ids: &[String], with_deps: bool) -> Answer<BTreeSet<TaskIdx>> {
    let document = &feature.document;
    if ids.is_empty() {
        return Ok((0..document.tasks.len()).filter(|i| !document.tasks[*i].done).map(TaskIdx).collect());
    }
    let mut wanted = BTreeSet::new();
    for id in ids {
        let Some(index) = document.index_of(id) else {
            let message = format!("{}: no task {id}", feature.file);
            return Err(Problem::new(Code::NotFound, message, "run: ikigai spec graph"));
        };
        if document.tasks[index.0].done {
            let hint = "take the X out of its box to have it done again";
            return Err(Problem::new(
                Code::Conflict,
                format!("{id} is already ticked in {}", feature.file),
                hint,
            ));
        }
        wanted.insert(index);
    }
    let mut open: Vec<_> = if with_deps { wanted.iter().copied().collect() } else { Vec::new() };
    while let Some(index) = open.pop() {
        for edge in feature.graph.waiting_for(index, |t| document.tasks[t.0].done) {
            if wanted.insert(edge.from) {
                open.push(edge.from);
            }
        }
    }
    Ok(wanted)
}

/// Everything the author wrote of a task: its line, its sub-bullets, its phase's own test.
fn text(feature: &Feature, task: &Task) -> String {
    let mut text = format!("{} {}", task.id.as_str(), task.text.trim());
    for detail in &task.details {
        text.push_str("\n  - ");
        text.push_str(detail.text.trim());
    }
    let phase = feature.document.phase_of(task);
    text.push_str(&format!("\nPhase: {}", phase.title));
    if let Some(test) = &phase.independent_test {
        text.push_str(&format!("\nIndependent test of this story: {test}"));
    }
    text
}

/// The paths it changes, as it names them.
fn claims(task: &Task) -> Vec<String> {
    task.claims().map(|claim| claim.path.clone()).collect()
}

/// `<project>.<feature>.<T012>`; letters that no id may hold become `-`, told apart by a hash.
fn mesh_id(project: &Project, feature: &str, id: &str) -> Answer<TaskId> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let mut slug: String = feature.chars().map(plain).take(60).collect();
    if slug != feature {
        let hash = ring::digest::digest(&ring::digest::SHA256, feature.as_bytes());
        slug.push_str(&hash.as_ref().iter().take(3).map(|b| format!("{b:02x}")).collect::<String>());
    }
    TaskId::new(format!("{}.{slug}.{id}", project.id)).map_err(unusable)
}

fn story_number(story: &str) -> Answer<u32> {
    let digits = story.strip_prefix("US").or_else(|| story.strip_prefix("us")).unwrap_or(story);
    let hint = "write it as US1";
    digits.parse().map_err(|_| Problem::new(Code::Usage, format!("`{story}` is not a story"), hint))
}

fn unusable(error: ikigai_types::InvalidId) -> Problem {
    Problem::new(Code::Usage, error.to_string(), "use letters, digits and ._:- only")
}
