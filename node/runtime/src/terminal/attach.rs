//! From a task to the terminal of its agent, wherever that runs.

use crate::handle::Handle;
use crate::mesh::open_terminal;
use crate::mesh_handle::MeshHandle;
use crate::view;
use async_trait::async_trait;
use ikigai_ports::gate::Duplex;
use ikigai_ports::node::Answer;
use ikigai_ports::{NodeHandle, Terminals};
use ikigai_types::Writer;
use ikigai_wire::api::{AttemptView, Code, Problem, TaskView};

#[async_trait]
impl Terminals for Handle {
    async fn attach(&self, task: &str, person: &str) -> Answer<Box<dyn Duplex>> {
        let view = NodeHandle::task(self, task).await?;
        let attempt = running(&view)?;
        if attempt.node != self.node {
            let message = format!("the agent of {} runs on node {}", view.short, attempt.node.short());
            return Err(Problem::new(Code::Unreachable, message, "run: ikigai node ls"));
        }
        Ok(self.terminals.open(&attempt.agent, self.writer(person)))
    }
}

#[async_trait]
impl Terminals for MeshHandle {
    async fn attach(&self, task: &str, person: &str) -> Answer<Box<dyn Duplex>> {
        let view = NodeHandle::task(self, task).await?;
        let attempt = running(&view)?;
        let own = self.own();
        if attempt.node == own.node {
            return Ok(own.terminals.open(&attempt.agent, own.writer(person)));
        }
        let opened = open_terminal(self.mesh(), attempt.node, &attempt.agent, &own.writer(person)).await;
        opened.map_err(view::problem)
    }
}

impl Handle {
    /// Somebody called `person` who came in here.
    fn writer(&self, person: &str) -> Writer {
        Writer::new(&format!("{person}@{}", self.options.name), self.node)
    }
}

/// The attempt whose agent may have a terminal. Whether it is there its node says.
fn running(view: &TaskView) -> Answer<&AttemptView> {
    let last = view.attempts.last().filter(|a| a.phase != "preparing");
    last.ok_or_else(|| {
        let message = format!("no agent of {} is running", view.short);
        Problem::new(Code::Conflict, message, format!("run: ikigai task why {}", view.short))
    })
}
