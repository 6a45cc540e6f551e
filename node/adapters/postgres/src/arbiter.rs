//! Claims as rows. One lock for each task makes read, decision and write one step.

use crate::link::{Link, PostgresOptions, answers};
use async_trait::async_trait;
use ikigai_ports::arbiter::{self, Arbiter, Claim, Held, Ruling, Standing, Taking};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Epoch, NodeId, TaskId};
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};

/// The tables. What is added later is added by further statements.
const TABLES: &str = "\
    create table if not exists ikigai_standing (node text primary key, until timestamptz not null);\
    create table if not exists ikigai_claim (task text primary key, owner text not null, was text not null, \
    epoch bigint not null, held boolean not null, settled boolean not null)";
const STAND: &str = "\
    insert into ikigai_standing (node, until) values ($1, clock_timestamp() + make_interval(secs => $2)) \
    on conflict (node) do update set until = excluded.until";
const STANDING: &str = "select until > clock_timestamp() from ikigai_standing where node = $1";
/// Until the transaction ends, whether the task has a row or not.
const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('ikigai ' || $1::text, 0))";
const READ: &str =
    "select task, owner, was, epoch, held, settled from ikigai_claim where task = any($1) order by task";
const WRITE: &str = "\
    insert into ikigai_claim (task, owner, was, epoch, held, settled) values ($1, $2, $3, $4, $5, $6) \
    on conflict (task) do update set owner = excluded.owner, was = excluded.was, epoch = excluded.epoch, \
    held = excluded.held, settled = excluded.settled";

/// An arbiter in a PostgreSQL database, which all nodes of a mesh name.
#[derive(Debug)]
pub struct PostgresArbiter {
    link: Link,
}

impl PostgresArbiter {
    /// One that is asked at the first need: a database that is away then does not keep a node from starting.
    ///
    /// # Errors
    /// [`PortError::Refused`] when the options cannot be used: the text says what to change.
    pub fn new(options: PostgresOptions) -> PortResult<Self> {
        Ok(Self { link: Link::new(options, TABLES)? })
    }

    /// Reads the row of `task`, decides `change` by it, and writes what came of that.
    async fn swap(&self, task: &TaskId, change: Change<'_>) -> PortResult<Ruling> {
        let mut client = self.link.client().await?;
        let work = async {
            let transaction = client.transaction().await.map_err(answers)?;
            let name = task.as_str();
            transaction.execute(LOCK, &[&name]).await.map_err(answers)?;
            let row = transaction.query_opt(READ, &[&vec![name]]).await.map_err(answers)?;
            let row = row.map(|r| claim(&r)).transpose()?.map(|(_, claim)| claim);
            let Claim { owner, was, epoch, held, settled } = match change.decide(&transaction, row).await? {
                Ok(claim) => claim,
                Err(ruling) => return Ok(ruling),
            };
            let (owner, was, epoch) = (owner.to_string(), was.to_string(), epoch.0.cast_signed());
            let values: [&(dyn ToSql + Sync); 6] = [&name, &owner, &was, &epoch, &held, &settled];
            transaction.execute(WRITE, &values).await.map_err(answers)?;
            transaction.commit().await.map_err(answers)?;
            Ok(Ruling::Granted)
        };
        self.link.in_time(work).await
    }
}

/// What is to become of a claim.
enum Change<'a> {
    Take(&'a Taking),
    Settle { owner: NodeId, accepted: bool },
}

impl Change<'_> {
    async fn decide(&self, transaction: &Transaction<'_>, row: Option<Claim>) -> PortResult<Held> {
        let taking = match self {
            Self::Take(taking) => *taking,
            Self::Settle { owner, accepted } => return Ok(arbiter::settle(row, *owner, *accepted)),
        };
        let from = standing(transaction, taking.from).await?;
        let holder = match row {
            Some(c) => standing(transaction, c.owner).await?,
            None => from,
        };
        Ok(arbiter::take(row, |node| if node == taking.from { from } else { holder }, taking))
    }
}

#[async_trait]
impl Arbiter for PostgresArbiter {
    async fn stand(&self, node: NodeId, lasts: Duration) -> PortResult<()> {
        let client = self.link.client().await?;
        let (node, lasts) = (node.to_string(), lasts.as_secs_f64());
        let work = async { client.execute(STAND, &[&node, &lasts]).await.map_err(answers) };
        self.link.in_time(work).await?;
        Ok(())
    }

    async fn take(&self, taking: &Taking) -> PortResult<Ruling> {
        self.swap(&taking.task, Change::Take(taking)).await
    }

    async fn settle(&self, task: &TaskId, owner: NodeId, accepted: bool) -> PortResult<Ruling> {
        self.swap(task, Change::Settle { owner, accepted }).await
    }

    async fn claims(&self, tasks: &[TaskId]) -> PortResult<Vec<(TaskId, Claim)>> {
        let client = self.link.client().await?;
        let names: Vec<_> = tasks.iter().map(TaskId::as_str).collect();
        let work = async { client.query(READ, &[&names]).await.map_err(answers) };
        self.link.in_time(work).await?.iter().map(claim).collect()
    }
}

async fn standing(transaction: &Transaction<'_>, node: NodeId) -> PortResult<Standing> {
    let row = transaction.query_opt(STANDING, &[&node.to_string()]).await.map_err(answers)?;
    Ok(match row.map(|r| r.get(0)) {
        Some(true) => Standing::There,
        Some(false) => Standing::Gone,
        None => Standing::Unheard,
    })
}

fn claim(row: &Row) -> PortResult<(TaskId, Claim)> {
    let node = |column: &str| row.get::<_, &str>(column).parse::<NodeId>();
    let task = TaskId::new(row.get::<_, &str>("task"));
    let (Ok(task), Ok(owner), Ok(was)) = (task, node("owner"), node("was")) else {
        return Err(PortError::Corrupt("a row of ikigai_claim".to_owned()));
    };
    let epoch = Epoch(row.get::<_, i64>("epoch").cast_unsigned());
    let claim = Claim { owner, was, epoch, held: row.get("held"), settled: row.get("settled") };
    Ok((task, claim))
}
