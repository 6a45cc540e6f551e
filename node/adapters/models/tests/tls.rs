//! TLS as a company has it: its own certificate authority, named by `SSL_CERT_FILE`, and no other one trusted.
#![allow(clippy::unwrap_used)]

use ikigai_models::{HttpModel, HttpModelOptions};
use ikigai_ports::{Model, PortError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Tells the child process, in which alone the environment is as it must be, where to call.
const URL: &str = "IKIGAI_TEST_TLS_URL";
const MODELS: &str = r#"{"data":[{"id":"behind-tls"}]}"#;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A provider behind TLS whose certificate is for `name`.
async fn provider(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> u16 {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"GET /v1/models HTTP/1.1\r\n"));
            let length = MODELS.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{MODELS}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    });
    port
}

/// What the child prints when it calls `port` and trusts `trusted`.
async fn called(trusted: &CertifiedIssuer<'static, KeyPair>, port: u16) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(trusted.pem().as_bytes()).unwrap();
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "only_the_authority_that_is_named_is_trusted", "--nocapture"])
        .env("SSL_CERT_FILE", file.path())
        .env_remove("SSL_CERT_DIR")
        .env(URL, format!("https://127.0.0.1:{port}/v1"))
        .stdin(Stdio::null())
        .output();
    let output = tokio::time::timeout(Duration::from_secs(20), child).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn call(url: &str) {
    let model = HttpModel::new(HttpModelOptions::new("company", url)).unwrap();
    match model.models().await {
        Ok(models) => println!("models: {models:?}"),
        Err(e) => println!("{}: {}", matches!(e, PortError::Unavailable { .. }), e.chain()),
    }
}

#[tokio::test]
async fn only_the_authority_that_is_named_is_trusted() {
    if let Ok(url) = std::env::var(URL) {
        return call(&url).await;
    }
    let (ours, theirs) = (authority(), authority());
    let port = provider(&ours, "127.0.0.1").await;
    let said = called(&ours, port).await;
    assert!(said.contains(r#"models: ["behind-tls"]"#), "{said}");
    let said = called(&theirs, port).await;
    assert!(
        said.contains("true: model provider `company`") && said.contains("invalid peer certificate"),
        "{said}"
    );
    let another = provider(&ours, "127.0.0.9").await;
    let said = called(&ours, another).await;
    assert!(said.contains("true: ") && said.contains("not valid for name"), "{said}");
}
