//! Messages posted to a server made here, and shown by a program made here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ikigai_channels::{Desktop, Ntfy, Webhook};
use ikigai_notify::Message;
use ikigai_ports::notice::Channel;
use ikigai_ports::signer::{Secret, Secrets};
use ikigai_ports::{Clock, PortError, PortResult};
use ikigai_types::Timestamp;
use ring::hmac;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One request as it came.
#[derive(Debug)]
struct Came {
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// A server that answers each request with the next of `answers`.
async fn server(answers: &'static [&'static str]) -> (String, mpsc::UnboundedReceiver<Came>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (came, comes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let head = loop {
                assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
                if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                    break at;
                }
            };
            let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
            let mut lines = text.lines();
            let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
            let header = |l: &str| l.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
            let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
            let length: usize = headers["content-length"].parse().unwrap();
            while bytes.len() < head + 4 + length {
                stream.read_buf(&mut bytes).await.unwrap();
            }
            let body = bytes.split_off(head + 4);
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            came.send(Came { path, headers, body }).unwrap();
        }
    });
    (base, comes)
}

#[derive(Debug)]
struct Fixed;

#[async_trait]
impl Secrets for Fixed {
    async fn resolve(&self, name: &str, _: &str) -> PortResult<Secret> {
        Ok(Secret::new(name))
    }
}

#[async_trait]
impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(1_795_300_000_123)
    }

    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }
}

fn secret(name: &str) -> Option<(Arc<dyn Secrets>, String)> {
    Some((Arc::new(Fixed), name.to_owned()))
}

fn message() -> Message {
    let mut message = Message::test("n-1".to_owned(), Timestamp(5));
    message.title = "T001 waits for your review · é\r\nx-evil: 1".to_owned();
    message.urgent = true;
    message
}

#[tokio::test]
async fn a_webhook_is_signed_over_id_time_and_body() {
    let (base, mut comes) = server(&["204 No Content"]).await;
    let webhook = Webhook::new(&format!("{base}/hook?x=1"), secret(KEY), Arc::new(Fixed)).unwrap();
    webhook.deliver(&message(), "http://127.0.0.1:7420/").await.unwrap();
    let came = comes.recv().await.unwrap();
    assert_eq!((came.path.as_str(), came.headers["webhook-id"].as_str()), ("/hook?x=1", "n-1"));
    assert_eq!(came.headers["webhook-timestamp"], "1795300000");
    assert_eq!(came.headers["content-type"], "application/json");
    let signature = came.headers["webhook-signature"].strip_prefix("v1,").unwrap();
    let key = STANDARD.decode(KEY.trim_start_matches("whsec_")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = [b"n-1.1795300000.", &came.body[..]].concat();
    hmac::verify(&key, &signed, &STANDARD.decode(signature).unwrap()).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&came.body).unwrap();
    assert_eq!((body["kind"].as_str(), body["type"].as_str()), (Some("Notification"), Some("test")));
    assert_eq!(body["link"], "http://127.0.0.1:7420/");
    assert!(!format!("{:?}", Secret::new(KEY)).contains("MfKQ"));
}

#[tokio::test]
async fn ntfy_gets_its_headers_and_none_that_a_title_brings() {
    let (base, mut comes) = server(&["200 OK"]).await;
    let ntfy = Ntfy::new(&format!("{base}/my-topic"), secret("tk_0123456789")).unwrap();
    ntfy.deliver(&message(), "https://box.lan:7420/task/p.f.T001").await.unwrap();
    let came = comes.recv().await.unwrap();
    assert_eq!(came.path, "/my-topic");
    assert_eq!(came.headers["title"], "T001 waits for your review · é  x-evil: 1");
    assert!(!came.headers.contains_key("x-evil"));
    assert_eq!(came.headers["click"], "https://box.lan:7420/task/p.f.T001");
    assert_eq!(
        (came.headers["priority"].as_str(), came.headers["tags"].as_str()),
        ("high", "white_check_mark")
    );
    assert_eq!(came.headers["authorization"], "Bearer tk_0123456789");
    assert_eq!(String::from_utf8(came.body).unwrap(), message().text);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_will_not_is_refused() {
    let answers = &[
        "503 Busy\r\nretry-after: 7",
        "429 Slow",
        "404 Not Found",
        "307 Moved\r\nlocation: http://127.0.0.1:1/",
    ];
    let (base, _comes) = server(answers).await;
    let webhook = Webhook::new(&base, None, Arc::new(Fixed)).unwrap();
    let mut got = Vec::new();
    for _ in answers.iter() {
        got.push(webhook.deliver(&message(), "").await.unwrap_err());
    }
    let after = Some(Duration::from_secs(7));
    assert!(
        matches!(&got[0], PortError::Unavailable { retry_after, .. } if *retry_after == after),
        "{got:?}"
    );
    assert!(matches!(&got[1], PortError::Unavailable { retry_after: None, .. }), "{got:?}");
    assert!(matches!(&got[2], PortError::Refused(t) if t.contains("404")), "{got:?}");
    assert!(matches!(&got[3], PortError::Refused(t) if t.contains("moved")), "{got:?}");
    let nobody = Webhook::new("http://127.0.0.1:1/", None, Arc::new(Fixed)).unwrap();
    assert!(matches!(nobody.deliver(&message(), "").await, Err(PortError::Unavailable { .. })));
}

#[tokio::test]
async fn addresses_and_keys_that_are_not_safe_are_refused() {
    for bad in ["", "hook", "ftp://x/", "https://user:key@host/"] {
        assert!(Webhook::new(bad, None, Arc::new(Fixed)).is_err(), "{bad}");
    }
    let clear = Ntfy::new("http://ntfy.example/topic", secret("tk_x")).unwrap_err().to_string();
    assert!(clear.contains("without TLS"), "{clear}");
    assert!(Ntfy::new("http://ntfy.example/topic", None).is_ok());
    for bad in ["short", "whsec_!!!"] {
        let webhook = Webhook::new("http://127.0.0.1:1/", secret(bad), Arc::new(Fixed)).unwrap();
        assert!(matches!(webhook.deliver(&message(), "").await, Err(PortError::Refused(_))), "{bad}");
    }
}

#[tokio::test]
async fn the_desktop_gets_text_and_no_markup() {
    let dir = tempfile::tempdir().unwrap();
    let (program, said) = (dir.path().join("notify-send"), dir.path().join("said"));
    let script = format!("#!/bin/sh\nfor a; do printf '%s|' \"$a\"; done > {}\n", said.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut message = message();
    (message.title, message.text) = ("-u low".to_owned(), "<b>a & b</b>".to_owned());
    Desktop::with(&program).deliver(&message, "http://x/").await.unwrap();
    let said = std::fs::read_to_string(said).unwrap();
    assert_eq!(
        said,
        "--app-name=Ikigai|--urgency=critical|--|-u low|&lt;b&gt;a &amp; b&lt;/b&gt;\nhttp://x/|"
    );
    let fails = dir.path().join("fails");
    std::fs::write(&fails, "#!/bin/sh\necho no bus >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&fails, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = Desktop::with(&fails).deliver(&message, "").await.unwrap_err();
    assert!(matches!(&error, PortError::Unavailable { .. }) && error.chain().contains("no bus"), "{error:?}");
}
