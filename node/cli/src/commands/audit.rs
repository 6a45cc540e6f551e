//! `ikigai audit …`

use crate::env::Env;
use crate::human::age;
use crate::output::Show;
use crate::run::Outcome;
use clap::{Args, Subcommand};
use ikigai_types::Timestamp;
use ikigai_wire::api::{AuditEntry, Code, Problem};

/// Who changed what on this node, and what was refused
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  ikigai audit\n  ikigai audit ls --limit 500 -o ndjson\n  ikigai audit verify"
)]
pub(crate) struct Audit {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    #[command(visible_alias = "list")]
    Ls(Ls),
    Verify(Verify),
}

/// Lists what was decided, the newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai audit ls --limit 20")]
struct Ls {
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// Follows the whole log and says where it is not what was written
#[derive(Debug, Args)]
#[command(
    after_help = "Each entry has the hash of the one before. Keep the last hash elsewhere, and you see later that\n\
    the end was not cut off.\n\nExample:\n  ikigai audit verify"
)]
struct Verify {}

impl Audit {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        match self.action.unwrap_or(Action::Ls(Ls { limit: 100 })) {
            Action::Ls(Ls { limit }) => env.out.list(env.remote()?.audit(limit).await?, env.now())?,
            Action::Verify(Verify {}) => {
                let check = env.remote()?.verify_audit().await?;
                env.out.other("AuditCheck", &check, || {
                    let hash = check.hash.as_deref().unwrap_or("-");
                    vec![format!(
                        "{} entries are as they were written; the last hash is {hash}",
                        check.entries
                    )]
                })?;
                if let Some(fault) = &check.fault {
                    let hint = "somebody changed the node's store; compare with a backup";
                    return Err(Problem::new(
                        Code::Failed,
                        format!("the log is not what was written: {fault}"),
                        hint,
                    ));
                }
            }
        }
        Ok(0)
    }
}

impl Show for AuditEntry {
    const KIND: &'static str = "AuditEntry";

    fn name(&self) -> String {
        self.number.to_string()
    }

    fn head(wide: bool) -> Vec<&'static str> {
        let more = if wide { &["VIA"][..] } else { &[] };
        [&["NUMBER", "AGE", "WHO", "RESULT", "ACTION", "WHAT"], more].concat()
    }

    fn row(&self, wide: bool, now: Timestamp) -> Vec<String> {
        let words = [&self.who, &self.result, &self.action, &self.what].map(Clone::clone);
        let more = wide.then(|| self.via.clone());
        [self.number.to_string(), age(self.at, now)].into_iter().chain(words).chain(more).collect()
    }
}
