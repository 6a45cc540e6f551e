//! `ikigai join`

use crate::env::Env;
use crate::run::Outcome;
use clap::Args;
use ikigai_ports::Enrolment as _;
use ikigai_wire::api::{Code, JoinRequest, JoinView, Problem};
use std::io::Read as _;

/// More than any token has.
const MAX_TOKEN: u64 = 64 << 10;
/// Clocks further apart than this are told.
const SKEW_MS: u64 = 2_000;

/// Takes this machine into the mesh of another one, with the token of its `ikigai invite`
#[derive(Debug, Args)]
#[command(after_help = "This machine leaves the mesh it has alone and must have no open task.\n\n\
        Example:\n  ikigai join <token>\n  ssh laptop ikigai invite -o name | ikigai join -")]
pub(crate) struct Join {
    /// The token; `-` reads it from stdin
    token: String,
}

impl Join {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let token = if self.token == "-" { piped()? } else { self.token };
        let joined = env.remote()?.join(JoinRequest { token: token.trim().to_owned() }).await?;
        env.out.other("Joined", &joined, || told(&joined))?;
        if let Some(remark) = skew(joined.clock_ahead_ms) {
            env.out.say(&remark);
        }
        Ok(0)
    }
}

fn piped() -> Result<String, Problem> {
    let mut token = String::new();
    let read = std::io::stdin().take(MAX_TOKEN).read_to_string(&mut token);
    read.map_err(|e| Problem::plain(Code::Usage, format!("the token cannot be read from stdin: {e}")))?;
    Ok(token)
}

fn told(joined: &JoinView) -> Vec<String> {
    let members = &joined.mesh.members;
    let inviter = members.iter().find(|m| m.id == joined.inviter);
    let name = inviter.map_or_else(|| joined.inviter.short(), |m| crate::clean::clean(&m.name).into_owned());
    vec![format!("joined the mesh of {name}: {} machines; see: ikigai node ls", members.len())]
}

fn skew(ahead_ms: i64) -> Option<String> {
    let apart = ahead_ms.unsigned_abs();
    (apart > SKEW_MS).then(|| {
        let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
        format!(
            "this machine's clock is {} s {side} the other's: set it, ages and dates are wrong",
            apart / 1000
        )
    })
}
