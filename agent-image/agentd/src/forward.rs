//! The loopback port that leads through the gateway socket, for programs that speak only TCP.

use crate::gateway::Gateway;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 128;
/// How long a connection is held while the gateway is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Listens on `port` of the loopback (0: any) and answers the port.
pub async fn start(port: u16, gateway: Gateway) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(accept(listener, gateway));
    Ok(port)
}

async fn accept(listener: TcpListener, gateway: Gateway) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(permit) = free.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let gateway = gateway.clone();
                tokio::spawn(async move {
                    // Either side may end a connection as it likes; both ends see that themselves.
                    splice(stream, gateway).await.ok();
                    drop(permit);
                });
            }
            // Out of file descriptors: those in use must end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn splice(mut inside: TcpStream, gateway: Gateway) -> io::Result<()> {
    inside.set_nodelay(true)?;
    let mut outside = gateway.connect(PATIENCE).await?;
    copy_bidirectional(&mut inside, &mut outside).await?;
    Ok(())
}
