//! The arbiter on a real server keeps what the port promises.

use ikigai_ports::arbiter::Ruling;
use ikigai_ports::testsuite::arbiter::conforms;
use ikigai_ports::{Arbiter, PortError};
use ikigai_postgres::PostgresArbiter;
use ikigai_postgres::testsuite::Server;
use ikigai_types::{NodeId, TaskId};
use std::io::Write as _;
use std::sync::Arc;

fn server(test: &str) -> Option<Server> {
    let Some(why) = Server::missing() else { return Some(Server::start()) };
    let text = format!("SKIPPED {test}: {why} (run: make setup-tests)");
    assert!(std::env::var("IKIGAI_REQUIRE_POSTGRES").as_deref() != Ok("1"), "{text}");
    // Not by the macro: what a test prints with it is shown only when the test fails.
    let _ = writeln!(std::io::stderr(), "{text}");
    None
}

fn arbiter(server: &Server) -> Arc<dyn Arbiter> {
    Arc::new(PostgresArbiter::new(server.options()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_what_the_port_promises() {
    let Some(server) = server("postgres_keeps_what_the_port_promises") else { return };
    conforms(&arbiter(&server), &arbiter(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_remembers_and_is_found_again() {
    let Some(mut server) = server("a_server_that_was_killed_remembers_and_is_found_again") else { return };
    let (arbiter, task) = (arbiter(&server), TaskId::new("p.T1").unwrap());
    let settle = async |key: u8| arbiter.settle(&task, NodeId::from_bytes([key; 32]), true).await;
    assert_eq!(settle(1).await.unwrap(), Ruling::Granted);
    server.kill();
    let away = settle(2).await;
    assert!(matches!(away, Err(PortError::Unavailable { .. })), "{away:?}");
    server.up();
    assert_eq!(settle(2).await.unwrap(), Ruling::Settled(NodeId::from_bytes([1; 32])));
}
