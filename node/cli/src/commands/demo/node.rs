//! The demo's node: started by `ikigai up`, spoken to by the commands a person would type.

use super::programs::Programs;
use super::seed::Seed;
use super::{Place, failed, run};
use ikigai_ports::NodeHandle;
use ikigai_remote::RemoteNode;
use ikigai_wire::api::{Code, Problem};
use std::path::{Path, PathBuf};

/// Who answers the agents' model calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Model {
    /// The script that belongs to the feature.
    Scripted,
    /// An endpoint of the user's.
    Responses { base_url: String, model: String },
}

/// A real model when there is a key for one, the script otherwise.
pub(super) fn model() -> Model {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    match set("OPENAI_API_KEY") {
        Some(_) => Model::Responses {
            base_url: set("OPENAI_BASE_URL").unwrap_or_else(|| "https://api.openai.com/v1".to_owned()),
            model: set("OPENAI_MODEL").unwrap_or_else(|| "gpt-5.5".to_owned()),
        },
        None => Model::Scripted,
    }
}

impl Model {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Scripted => {
                "No OPENAI_API_KEY is set: the agents are the real Codex CLI, but what answers it is a \
                script\nthat belongs to the feature, not a model. Tokens are counted, they cost nothing."
                    .to_owned()
            }
            Self::Responses { base_url, model } => {
                format!("The agents' model is {model} at {base_url}; its calls cost what your provider asks.")
            }
        }
    }

    fn config(&self, place: &Place) -> String {
        match self {
            Self::Scripted => format!(
                "[models.scripted]\nkind = \"scripted\"\nscript = {:?}\n\n[prices]\n\"scripted/*\" = {{ input = 0, output = 0 }}\n\n\
                 [task]\nprovider = \"scripted\"\n",
                place.script()
            ),
            Self::Responses { base_url, model } => format!(
                "[models.openai]\nkind = \"responses\"\nbase_url = {base_url:?}\nsecret = \"env:OPENAI_API_KEY\"\n\n\
                 [task]\nprovider = \"openai\"\nmodel = {model:?}\n"
            ),
        }
    }
}

/// The running node.
#[derive(Debug)]
pub(super) struct DemoNode {
    home: PathBuf,
    project: PathBuf,
    programs: Programs,
    real: bool,
    /// Asked directly where a person would watch.
    pub(super) handle: RemoteNode,
}

/// What every node of the demo is configured to be; `links` is where it listens for others, if it does.
pub(super) fn config(
    place: &Place,
    programs: &Programs,
    model: &Model,
    (name, links): (&str, Option<String>),
) -> Result<String, Problem> {
    let http = if is_free(7420) { 7420 } else { free_port()? };
    let listen: Vec<String> = links.into_iter().flat_map(listens).collect();
    // Short, so that a node that is gone is noticed while somebody watches.
    // And one task at a time: two that are ready go to two machines.
    let more = if listen.is_empty() { "" } else { "lease_secs = 10\nslots = 1\n" };
    Ok(format!(
        "[node]\nname = {name:?}\nbackoff_ms = 1000\n{more}\n[http]\nlisten = \"127.0.0.1:{http}\"\n\n\
         [mesh]\nlisten = {listen:?}\nmdns = false\n\n[executor]\nbackend = \"docker\"\nimage = {:?}\n\n{}\n",
        programs.image,
        model.config(place),
    ))
}

fn listens(address: String) -> [String; 2] {
    [format!("/ip4/{address}/tcp/7421"), format!("/ip4/{address}/udp/7421/quic-v1")]
}

/// Configures and starts it.
pub(super) async fn start(
    place: &Place,
    programs: &Programs,
    seed: &Seed,
    model: &Model,
    links: Option<String>,
) -> Result<DemoNode, Problem> {
    let text = format!(
        "{}[forge]\nbackend = \"radicle\"\nradicle_bin = {:?}\nlisten = \"127.0.0.1:{}\"\nconnect = [{:?}]\n",
        config(place, programs, model, ("demo", links))?,
        programs.radicle,
        free_port()?,
        seed.address,
    );
    std::fs::write(place.config(), text).map_err(|e| failed("write the configuration", e))?;
    let node = DemoNode {
        home: place.home(),
        project: place.project(),
        programs: programs.clone(),
        real: *model != Model::Scripted,
        handle: RemoteNode::unix(place.home().join("ikigai.sock")),
    };
    let config = place.config();
    node.typed(&["up", "--detach", "--config", &config.display().to_string()]).await?;
    Ok(node)
}

impl DemoNode {
    /// Runs a command of this program in the project, shown as it would be typed.
    pub(super) async fn typed(&self, args: &[&str]) -> Result<(), Problem> {
        let mut all: Vec<&str> = args.to_vec();
        if self.real && args.starts_with(&["task", "new"]) {
            all.push("--allow-unknown-price");
        }
        eprintln!("\n  $ ikigai {}", all.join(" "));
        let program = std::env::current_exe().map_err(|e| failed("find this program", e))?;
        let mut command = tokio::process::Command::new(program);
        command.args(&all).current_dir(&self.project).env("IKIGAI_HOME", &self.home);
        command.env("PATH", self.programs.path()).stdin(std::process::Stdio::null());
        let status = command.status().await.map_err(|e| failed(args[0], e))?;
        // `plan` ends with 9 when there is something to do.
        if status.success() || (args[0] == "plan" && status.code() == Some(9)) {
            return Ok(());
        }
        Err(failed(&format!("ikigai {}", args.join(" ")), status))
    }

    /// A one-time token for another node, asked for as a person would.
    pub(super) async fn invite(&self) -> Result<String, Problem> {
        eprintln!("\n  $ ikigai invite");
        let program = std::env::current_exe().map_err(|e| failed("find this program", e))?;
        let home = self.home.display().to_string();
        run(&program, &["invite", "-q", "-o", "name"], &self.project, &[("IKIGAI_HOME", &home)]).await
    }

    /// Waits until it sees all `count` nodes.
    pub(super) async fn until_all_are_there(&self, count: usize) -> Result<(), Problem> {
        let there = async {
            loop {
                let nodes = self.handle.snapshot(ikigai_wire::api::Filter::default()).await?.nodes;
                if nodes.iter().filter(|n| n.liveness == "alive").count() >= count {
                    return Ok(());
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        let late = |_| Err(failed("the mesh", "its nodes do not see each other"));
        tokio::time::timeout(std::time::Duration::from_secs(30), there).await.unwrap_or_else(late)
    }

    async fn rad(&self, args: &[&str]) -> Result<String, Problem> {
        let home = self.home.join("radicle").display().to_string();
        let path = self.programs.path();
        let env =
            [("RAD_HOME", home.as_str()), ("RAD_PASSPHRASE", ""), ("NO_COLOR", "1"), ("PATH", path.as_str())];
        run(&self.programs.radicle("rad"), args, &self.project, &env).await
    }

    /// The project's Radicle id.
    pub(super) async fn rid(&self) -> Result<String, Problem> {
        let projects = self.handle.snapshot(ikigai_wire::api::Filter::default()).await?.projects;
        let found = projects.into_iter().find(|p| Path::new(&p.checkout) == self.project);
        found.map(|p| p.repository).ok_or_else(|| failed("find the project", "the node does not know it"))
    }

    /// This node's Radicle id: of its key, whether its Radicle node is up already or not.
    pub(super) async fn nid(&self) -> Result<String, Problem> {
        let did = self.rad(&["self", "--did"]).await?;
        Ok(did.trim_start_matches("did:key:").to_owned())
    }

    /// Tasks as they are now.
    pub(super) async fn tasks(&self) -> Result<Vec<ikigai_wire::api::TaskView>, Problem> {
        Ok(self.handle.snapshot(ikigai_wire::api::Filter::default()).await?.tasks)
    }
}

fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A port nobody listens on now.
pub(super) fn free_port() -> Result<u16, Problem> {
    let bound = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr());
    bound.map(|a| a.port()).map_err(|e| Problem::plain(Code::Failed, format!("no free port: {e}")))
}
