//! A link that can be frozen: nothing passes and nobody is told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Passes on what comes to `address`, unless it is frozen.
pub struct Proxy {
    /// Where to dial, as a multiaddress.
    pub address: String,
    frozen: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// In front of a multiaddress of TCP or QUIC.
    pub async fn before(target: &str) -> Self {
        let parts: Vec<&str> = target.split('/').collect();
        let (ip, kind, port) = (parts[2], parts[3], parts[4]);
        let target: SocketAddr = format!("{ip}:{port}").parse().unwrap();
        let frozen = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let address = if kind == "tcp" {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tasks.spawn(tcp(listener, target, frozen.clone()));
            format!("/ip4/127.0.0.1/tcp/{port}")
        } else {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let port = socket.local_addr().unwrap().port();
            tasks.spawn(udp(socket, target, frozen.subscribe()));
            format!("/ip4/127.0.0.1/udp/{port}/quic-v1")
        };
        Self { address, frozen, _tasks: tasks }
    }

    /// From now on nothing passes, or all does again. Bytes of TCP wait, packets are lost.
    pub fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }
}

async fn thawed(frozen: &mut watch::Receiver<bool>) {
    frozen.wait_for(|f| !f).await.unwrap();
}

async fn tcp(listener: TcpListener, target: SocketAddr, frozen: watch::Sender<bool>) {
    let mut tasks = JoinSet::new();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let mut frozen = frozen.subscribe();
        tasks.spawn(async move {
            thawed(&mut frozen).await;
            let Ok(far) = TcpStream::connect(target).await else { return };
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            tokio::select! {
                () = copy(near_read, far_write, frozen.clone()) => {}
                () = copy(far_read, near_write, frozen.clone()) => {}
            }
        });
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut frozen: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return };
        thawed(&mut frozen).await;
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn udp(near: UdpSocket, target: SocketAddr, frozen: watch::Receiver<bool>) {
    let near = Arc::new(near);
    let mut ways: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let (length, from) = near.recv_from(&mut buffer).await.unwrap();
        if *frozen.borrow() {
            continue;
        }
        if let Entry::Vacant(way) = ways.entry(from) {
            let far = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
            far.connect(target).await.unwrap();
            way.insert(Arc::clone(&far));
            let (near, frozen) = (Arc::clone(&near), frozen.clone());
            tasks.spawn(async move {
                let mut buffer = vec![0; 65_536];
                loop {
                    match far.recv(&mut buffer).await {
                        Ok(length) if !*frozen.borrow() => {
                            let _ = near.send_to(&buffer[..length], from).await;
                        }
                        Ok(_) => {}
                        // Nobody listens there now.
                        Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                    }
                }
            });
        }
        let _ = ways[&from].send(&buffer[..length]).await;
    }
}
