//! `ikigai node remove`

use crate::args::Dry;
use crate::completion::nodes;
use crate::env::Env;
use crate::output::Show;
use crate::run::Outcome;
use clap::Args;
use clap_complete::ArgValueCandidates;
use ikigai_ports::{Enrolment as _, NodeHandle as _};
use ikigai_remote::RemoteNode;
use ikigai_types::{NodeId, Timestamp};
use ikigai_wire::api::{Code, Filter, MemberView, Problem};

/// Takes a node out of the mesh for good: no other node talks to it any more
#[derive(Debug, Args)]
#[command(
    visible_alias = "rm",
    after_help = "It may be gone already. To let its work end first: ikigai node drain. Its key stays out: \
        the machine comes in again with a new invitation and a new --home.\n\nExample:\n  ikigai node remove server"
)]
pub(crate) struct Remove {
    /// Its name or the beginning of its id
    #[arg(add = ArgValueCandidates::new(nodes))]
    node: String,
    #[command(flatten)]
    dry: Dry,
}

impl Remove {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let remote = env.remote()?;
        let called = self.called(&remote).await?;
        let member = pick(&self.node, called.as_ref(), remote.mesh().await?.members)?;
        let name = crate::clean::clean(&member.name).into_owned();
        if self.dry.dry_run {
            env.out.lines(&[format!("would remove {name} ({})", member.id)])?;
            return Ok(0);
        }
        let removed = remote.remove(&member.id).await?;
        env.out.one(&removed, || vec![format!("{name} is out of the mesh")])?;
        Ok(0)
    }

    /// The node that calls itself so now; the list of members has the names they came in with.
    async fn called(&self, remote: &RemoteNode) -> Result<Option<NodeId>, Problem> {
        let none = Filter { states: vec!["-".into()], ..Filter::default() };
        let nodes = remote.snapshot(none).await?.nodes;
        let mut named = nodes.into_iter().filter(|n| n.name == self.node).map(|n| n.id);
        let first = named.next();
        // Of two with one name neither is meant for sure.
        Ok(first.filter(|_| named.next().is_none()))
    }
}

/// The member called `given`, by its name or by eight digits or more of its id; `called` has that name now.
fn pick(given: &str, called: Option<&NodeId>, members: Vec<MemberView>) -> Result<MemberView, Problem> {
    let named = |m: &MemberView| called.map_or_else(|| m.name == given, |id| m.id == *id);
    let fits = |m: &MemberView| named(m) || (given.len() >= 8 && m.id.to_string().starts_with(given));
    let mut found: Vec<_> = members.into_iter().filter(fits).collect();
    let shown: String = given.chars().take(80).collect();
    match (found.pop(), found.is_empty()) {
        (Some(member), true) => Ok(member),
        (None, _) => {
            let text = format!("no node `{shown}` is in the mesh");
            Err(Problem::new(Code::NotFound, text, "run: ikigai node ls -o wide"))
        }
        (Some(last), false) => {
            found.push(last);
            let ids: Vec<_> = found.iter().map(|m| m.id.to_string()).collect();
            let text = format!("`{shown}` is more than one node: {}", ids.join(", "));
            Err(Problem::new(Code::Usage, text, "use one of these ids"))
        }
    }
}

impl Show for MemberView {
    const KIND: &'static str = "Member";

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["NODE", "ID", "LINKED", "ADDRESSES"]
    }

    fn row(&self, wide: bool, _: Timestamp) -> Vec<String> {
        let id = if wide { self.id.to_string() } else { self.id.short() };
        let linked = if self.linked { "yes" } else { "no" };
        vec![self.name.clone(), id, linked.to_owned(), self.addresses.join(",")]
    }
}
