//! From a request to tasks: reads the project, lets `speckit` and `placement` decide, and explains.

mod project;
mod specs;

use crate::handle::Handle;
use crate::owner::Gone;
use crate::owner::sight::{candidates, group_on, request};
use crate::view;
use ikigai_placement::{Candidate, Placement, Request, place};
use ikigai_ports::node::Answer;
use ikigai_ports::store::Batch;
use ikigai_speckit::Graph;
use ikigai_task::{Input, TaskSpec};
use ikigai_types::{NodeId, Submitter, TaskId};
use ikigai_wire::api::{
    Caller, Code, PlanView, PlannedTask, Problem, ProjectView, SubmitRequest, SubmitSource, SubmitView,
};
use ikigai_wire::record::{decode, encode};
use project::Project;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Where adopted projects are kept.
const PROJECTS: &[u8] = b"project/";

/// What a plan sees: the nodes, and where tasks of the same feature run.
#[derive(Clone)]
struct Sight {
    nodes: Vec<Candidate>,
    group: Vec<NodeId>,
}

/// Tasks of one request, with what a plan says of them.
struct Proposal {
    feature: String,
    tasks: Vec<Proposed>,
    warnings: Vec<String>,
}

/// One task and where it stands in its file's graph.
struct Proposed {
    spec: TaskSpec,
    wave: u32,
    after: Vec<ikigai_wire::api::EdgeView>,
}

impl Handle {
    /// Plans the request, and unless it is a dry run, accepts its tasks.
    pub(crate) async fn propose(&self, request: SubmitRequest) -> Answer<SubmitView> {
        let key = request.idempotency_key.clone().filter(|_| !request.dry_run);
        if let Some(earlier) = self.earlier(key.as_deref()).await? {
            return Ok(earlier);
        }
        let project = Project::open(&self.parts, &request.project).await?;
        let mut proposal = match &request.source {
            SubmitSource::Feature { feature, ids, with_deps } => {
                let read = project.feature(&self.parts, feature.as_deref()).await?;
                self.feature_tasks(&project, &read, ids, *with_deps, &request)?
            }
            SubmitSource::Text { text, story, parallel } => {
                self.text_task(&project, text, story.as_deref(), *parallel, &request).await?
            }
        };
        self.check_prices(&mut proposal, &request)?;
        let plan = self.plan(&proposal).await?;
        if request.dry_run {
            return Ok(SubmitView { plan, accepted: Vec::new() });
        }
        self.adopt(&project).await?;
        let specs: Vec<_> = proposal.tasks.into_iter().map(|t| t.spec).collect();
        let accepted: Vec<TaskId> = specs.iter().map(|s| s.id.clone()).collect();
        let by = request.by.as_ref().map(|caller| self.submitter(caller));
        self.owner.input(Input::Submit(specs, by)).await.map_err(problem)?;
        let answer = SubmitView { plan, accepted };
        self.remember(key.as_deref(), &answer).await?;
        Ok(answer)
    }

    /// Whom the tasks are of: a user of this node, or of the one that passed the request on.
    fn submitter(&self, caller: &Caller) -> Submitter {
        let node = caller.via.unwrap_or(self.node);
        let other = || self.neighbours.name(node).unwrap_or_else(|| node.short());
        let name = if node == self.node { self.options.name.clone() } else { other() };
        Submitter::new(&format!("{}@{name}", caller.user), node)
    }

    /// Makes the project known to the forge and to this node's own copy, before any task of it is accepted.
    async fn adopt(&self, project: &Project) -> Answer<()> {
        let checkout = Path::new(&project.path);
        self.parts.workspaces.import(&project.id, checkout, None).await.map_err(view::problem)?;
        let adopted = self.parts.forge.adopt(&project.id, checkout).await.map_err(view::problem)?;
        let known = ProjectView {
            id: project.id.clone(),
            checkout: project.path.clone(),
            forge: self.parts.forge.name().to_owned(),
            repository: adopted.id,
            branch: adopted.branch,
        };
        let key = [PROJECTS, project.id.as_str().as_bytes()].concat();
        self.parts.store.commit(Batch::default().put(key, encode(&known))).await.map_err(view::problem)
    }

    /// Projects that were adopted.
    pub(crate) async fn projects(&self) -> Answer<Vec<ProjectView>> {
        let rows = self.parts.store.scan(PROJECTS, PROJECTS, usize::MAX).await.map_err(view::problem)?;
        let read = |(_, entry): (_, ikigai_ports::store::Entry)| decode(&entry.value);
        let projects = rows.into_iter().map(read).collect::<Result<_, _>>();
        projects.map_err(|e| Problem::plain(Code::Failed, e.to_string()))
    }

    /// What a task may cost has to be known, or not to matter; a plan only says so.
    fn check_prices(&self, proposal: &mut Proposal, request: &SubmitRequest) -> Answer<()> {
        if request.options.allow_unknown_price {
            return Ok(());
        }
        for Proposed { spec, .. } in &proposal.tasks {
            let needed = self.options.provider_needed(&spec.adapter, &spec.provider);
            if !needed.is_empty() && self.options.prices.of(&needed, &spec.model).is_none() {
                let hint = format!(
                    "set the price of {needed}/{} under [prices] in ikigai.toml, or pass --allow-unknown-price",
                    spec.model
                );
                let message = format!("the price of model {} of provider {needed} is unknown", spec.model);
                if request.dry_run {
                    proposal.warnings.push(format!("{message}: {hint}"));
                    return Ok(());
                }
                return Err(Problem::new(Code::Denied, message, hint));
            }
        }
        Ok(())
    }

    /// What would happen now, changing nothing.
    async fn plan(&self, proposal: &Proposal) -> Answer<PlanView> {
        let (host, neighbours) = (self.host.clone(), self.neighbours.clone());
        let (image, now) = (self.options.image.clone(), self.parts.clock.now());
        let first = proposal.tasks.first().map(|t| t.spec.clone());
        let looked = self.owner.look(move |o| {
            let states = o.tasks().iter().map(|(id, t)| (id.clone(), t.state.to_string()));
            let group = first.map(|spec| group_on(o, &spec)).unwrap_or_default();
            let nodes = candidates(o, &host, &neighbours, image.as_deref(), now);
            (states.collect::<HashMap<_, _>>(), Sight { nodes, group })
        });
        let (states, now) = looked.await.map_err(problem)?;
        let mut waves: BTreeMap<u32, Sight> = BTreeMap::new();
        let mut tasks = Vec::new();
        for task in &proposal.tasks {
            let left = waves.entry(task.wave).or_insert_with(|| now.clone());
            let placement = self.foresee(task, left, &now);
            let cost = self.options.prices.bound(&self.provider_of(task), &task.spec.model);
            tasks.push(planned(task, &placement, &states, cost.map(|c| c.0)));
        }
        let (feature, warnings) = (proposal.feature.clone(), proposal.warnings.clone());
        Ok(PlanView { feature, tasks, warnings })
    }

    fn provider_of(&self, task: &Proposed) -> String {
        self.options.provider_needed(&task.spec.adapter, &task.spec.provider)
    }

    /// Where a task would go when those of its wave before it have gone; where it would wait for room otherwise.
    fn foresee(&self, task: &Proposed, left: &mut Sight, now: &Sight) -> Placement {
        let request =
            |group: &[NodeId]| Request { group_on: group.to_vec(), ..request(&self.options, &task.spec, 1) };
        let asked = request(&left.group);
        let placement = place(&asked, &left.nodes);
        let Some(chosen) = placement.chosen else { return place(&request(&now.group), &now.nodes) };
        left.group.push(chosen);
        if let Some(node) = left.nodes.iter_mut().find(|c| c.id == chosen) {
            node.take(asked.class, &asked.resources);
        }
        placement
    }

    async fn earlier(&self, key: Option<&str>) -> Answer<Option<SubmitView>> {
        let Some(key) = key else { return Ok(None) };
        let entry = self.parts.store.get(&idempotency_key(key)?).await.map_err(view::problem)?;
        Ok(entry.and_then(|e| serde_json::from_slice(&e.value).ok()))
    }

    async fn remember(&self, key: Option<&str>, answer: &SubmitView) -> Answer<()> {
        let Some(key) = key else { return Ok(()) };
        let bytes = serde_json::to_vec(answer).map_err(|e| Problem::plain(Code::Failed, e.to_string()))?;
        let batch = Batch::default().put(idempotency_key(key)?, bytes);
        self.parts.store.commit(batch).await.map_err(view::problem)
    }
}

fn planned(
    task: &Proposed,
    placement: &Placement,
    states: &HashMap<TaskId, String>,
    cost_limit: Option<u64>,
) -> PlannedTask {
    let spec = &task.spec;
    let chosen = placement.rows.iter().find(|r| r.chosen);
    PlannedTask {
        id: spec.id.clone(),
        short: spec.id.short().to_owned(),
        title: spec.title.clone(),
        wave: task.wave,
        state: states.get(&spec.id).cloned().unwrap_or_else(|| "new".to_owned()),
        after: task.after.clone(),
        node: chosen.map(|r| r.name.clone()),
        placement: placement.rows.iter().map(view::placement).collect(),
        verify: spec.verify.clone(),
        cost_limit,
    }
}

fn idempotency_key(key: &str) -> Answer<Vec<u8>> {
    if key.is_empty() || key.len() > 200 {
        let hint = "use 1 to 200 characters, such as a UUID";
        return Err(Problem::new(Code::Usage, "the idempotency key is not usable", hint));
    }
    Ok(format!("idem/{key}").into_bytes())
}

/// The document of what the owner answered.
pub(crate) fn problem(gone: Gone) -> Problem {
    use ikigai_task::Refusal;
    match gone {
        Gone::Stopping => Problem::new(Code::Unreachable, "the node is stopping", "run: ikigai up"),
        Gone::Refused(refusal) => match &refusal {
            Refusal::Unknown(_) => {
                Problem::new(Code::NotFound, refusal.to_string(), "run: ikigai task ls --all")
            }
            Refusal::Illegal { task, .. } => {
                let hint = format!("run: ikigai task why {}", task.short());
                Problem::new(Code::Conflict, refusal.to_string(), hint)
            }
            Refusal::Stale { fence, .. } => {
                let hint = format!("run: ikigai task show {}", fence.attempt.task.short());
                Problem::new(Code::Conflict, refusal.to_string(), hint)
            }
            Refusal::Ceded { .. } => {
                Problem::new(Code::Conflict, refusal.to_string(), "ask that node: ikigai task ls")
            }
            Refusal::NotVerified(task) => {
                let hint = format!("run: ikigai patch show {}, or pass --force", task.short());
                Problem::new(Code::Denied, refusal.to_string(), hint)
            }
        },
    }
}

/// Wave of each task of a graph, from 1.
fn waves(graph: &Graph) -> HashMap<usize, u32> {
    let numbered = graph.waves().into_iter().zip(1_u32..);
    numbered.flat_map(|(tasks, wave)| tasks.into_iter().map(move |t| (t.0, wave))).collect()
}
