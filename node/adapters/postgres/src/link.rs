//! One connection to the server, made when it is needed and made again when it broke.

mod tls;

use ikigai_ports::signer::Secrets;
use ikigai_ports::{PortError, PortResult};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tls::Tls;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};

/// How long the server may take for one question.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the server is reached.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Such as `postgres://ikigai@db.lan/ikigai` or `host=/run/postgresql dbname=ikigai`, without a password.
    pub address: String,
    /// Where the password is, by reference, and who resolves that.
    pub password: Option<(String, Arc<dyn Secrets>)>,
    /// Certificate of who signed the server's; needed for every server that is not on this machine.
    pub authority: Option<PathBuf>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    config: Config,
    password: Option<(String, Arc<dyn Secrets>)>,
    tls: Option<Tls>,
    /// Run once on each connection, under a lock of their own.
    tables: &'static str,
    client: Mutex<Option<Client>>,
}

impl Link {
    pub(crate) fn new(options: PostgresOptions, tables: &'static str) -> PortResult<Self> {
        let PostgresOptions { address, password, authority } = options;
        // The address may hold a password, so the vendor's error is not shown.
        let parsed = address.parse::<Config>();
        let mut config = parsed.map_err(|_| {
            refused(
                "the address of the arbiter is not one of PostgreSQL, such as postgres://ikigai@host/ikigai",
            )
        })?;
        if config.get_password().is_some() {
            let text = "the password of the arbiter is named by reference, such as env:PGPASSWORD, and never \
                        written into its address";
            return Err(refused(text));
        }
        config.connect_timeout(PATIENCE).application_name("ikigai").options("-c synchronous_commit=on");
        let tls = authority.as_deref().map(Tls::trusting).transpose()?;
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        if tls.is_none() && !config.get_hosts().iter().all(is_here) {
            let text = "the arbiter is on another machine: name the certificate that its own is signed by, as \
                        [arbiter] authority, so that nobody between can answer for it";
            return Err(refused(text));
        }
        Ok(Self { config, password, tls, tables, client: Mutex::default() })
    }

    /// The connection, for one question at a time.
    pub(crate) async fn client(&self) -> PortResult<MappedMutexGuard<'_, Client>> {
        let mut kept = self.client.lock().await;
        if kept.as_ref().is_none_or(Client::is_closed) {
            *kept = None;
            *kept = Some(self.in_time(self.connect()).await?);
        }
        MutexGuard::try_map(kept, Option::as_mut)
            .map_err(|_| PortError::unavailable("the arbiter", "it was not connected"))
    }

    /// What `work` answers, if it does in time. Whatever it left undone, the server takes back.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        tokio::time::timeout(PATIENCE, work)
            .await
            .unwrap_or_else(|_| Err(PortError::unavailable("the arbiter", "it did not answer in time")))
    }

    async fn connect(&self) -> PortResult<Client> {
        let mut config = self.config.clone();
        if let Some((name, secrets)) = &self.password {
            config.password(secrets.resolve(name, "the arbiter").await?.expose());
        }
        let away = |e| PortError::unavailable("the arbiter", e);
        let mut client = match &self.tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await.map_err(away)?;
                tokio::spawn(ends(connection));
                client
            }
            None => {
                let (client, connection) = config.connect(NoTls).await.map_err(away)?;
                tokio::spawn(ends(connection));
                client
            }
        };
        // Two that make the tables at once would meet in the server's own.
        let transaction = client.transaction().await.map_err(answers)?;
        transaction.execute("select pg_advisory_xact_lock(7421)", &[]).await.map_err(answers)?;
        transaction.batch_execute(self.tables).await.map_err(answers)?;
        transaction.commit().await.map_err(answers)?;
        Ok(client)
    }
}

/// The connection's own end; over when the client is dropped.
async fn ends(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::info!(%error, "the connection to the arbiter ended");
    }
}

/// What the server said, as the caller can use it.
pub(crate) fn answers(error: tokio_postgres::Error) -> PortError {
    // Class 57P: the server is being stopped, was killed, or is not up yet.
    let goes = |code: &str| code.starts_with("57P") || code.starts_with("08");
    match error.as_db_error() {
        Some(db) if goes(db.code().code()) => PortError::unavailable("the arbiter", error),
        Some(_) => PortError::failed("asking the arbiter", error),
        None => PortError::unavailable("the arbiter", error),
    }
}

fn refused(text: &str) -> PortError {
    PortError::Refused(text.to_owned())
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => ikigai_types::host::is_this_machine(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(address: &str) -> PostgresOptions {
        PostgresOptions { address: address.to_owned(), password: None, authority: None }
    }

    #[test]
    fn an_address_with_a_password_or_without_encryption_is_refused() {
        let text = |address: &str| Link::new(options(address), "").err().map(|e| e.to_string());
        for good in ["host=/run/postgresql dbname=x", "postgres://u@127.0.0.1/x", "host=localhost user=u"] {
            assert_eq!(text(good), None, "{good}");
        }
        for (bad, says) in [
            ("postgres://u:geheim@localhost/x", "by reference"),
            ("postgres://u@db.lan/x", "[arbiter] authority"),
            ("host=/run/x,db.lan user=u", "[arbiter] authority"),
            ("nonsense geheim", "is not one of PostgreSQL"),
        ] {
            let said = text(bad).unwrap();
            assert!(said.contains(says) && !said.contains("geheim"), "{bad}: {said}");
        }
    }
}
