//! The credential is where it must be, and nowhere else.

use crate::support::{Keys, Reply, Rig, Upstream, ask, completed, log, post, text};
use bytes::Bytes;
use http::HeaderValue;
use ikigai_models::{HttpModel, HttpModelOptions};
use ikigai_ports::Model;
use ikigai_ports::gate::GateEvent;
use std::sync::Arc;

const CANARY: &str = "sk-canary-3f9a72c1d5e84b06";
const PROMPT: &str = "prompt-canary-88";

/// Every form in which the canary must not be seen.
fn forms() -> Vec<String> {
    let hex: String = CANARY.bytes().map(|b| format!("{b:02x}")).collect();
    // Base64 of the canary at the three positions it can have, without the ends that depend on what is around.
    let base64 = [
        "c2stY2FuYXJ5LTNmOWE3MmMxZDVlODRiM",
        "NrLWNhbmFyeS0zZjlhNzJjMWQ1ZTg0Yj",
        "zay1jYW5hcnktM2Y5YTcyYzFkNWU4NGIw",
    ];
    let mut forms: Vec<String> = base64.iter().map(|s| s[..s.len() - 3].to_owned()).collect();
    forms.extend([CANARY.to_owned(), CANARY[3..].to_owned(), hex]);
    forms
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for form in forms() {
        assert!(!text.contains(&form), "{what} shows the credential as {form}: {text}");
    }
}

/// Repeats every header it got, in its body and in its own headers, in pieces of `size` bytes.
async fn echo(size: usize) -> Upstream {
    Upstream::start(move |seen| {
        let key = CANARY.bytes().map(|b| format!("{b:02x}")).collect::<String>();
        let base64 = "QmVhcmVyIHNrLWNhbmFyeS0zZjlhNzJjMWQ1ZTg0YjA2";
        let echo = serde_json::json!({"head": seen.head, "hex": key, "base64": base64});
        let body = format!("event: echo\ndata: {echo}\n\n{}", completed(1, 0, 1));
        let pieces = body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let mut reply = Reply::of(200, &format!("text/event-stream; key={CANARY}"), pieces);
        for name in ["x-echo", "set-cookie", "www-authenticate", "location", "retry-after"] {
            reply.headers.push((name, format!("Bearer {CANARY}")));
        }
        reply
    })
    .await
}

fn model(upstream: &Upstream, keys: &Arc<Keys>) -> Arc<dyn Model> {
    let options = HttpModelOptions::new("fake", &upstream.url).with_secret(keys.clone(), "openai");
    Arc::new(HttpModel::new(options).unwrap())
}

#[tokio::test]
async fn the_credential_reaches_the_provider_and_nothing_else() {
    for size in [1, 7, 64 << 10] {
        let upstream = echo(size).await;
        let model = model(&upstream, &Keys::with("openai", CANARY));
        let mut rig = Rig::new(model.clone()).await;
        let mut ask = ask();
        ask["input"] = PROMPT.into();
        let mut request = post(&ask);
        for name in [
            "authorization",
            "api-key",
            "x-api-key",
            "cookie",
            "proxy-authorization",
            "openai-organization",
            "x-codex-turn-metadata",
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static("Bearer from-the-agent"));
        }
        let response = rig.send(request).await;
        let head = format!("{:?}", response.headers());
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = text(response).await;
        assert_clean("the answer's head", &head);
        assert_clean("the answer", &body);
        assert!(
            body.contains("authorization: Bearer [redacted]") && body.ends_with(&completed(1, 0, 1)),
            "{body}"
        );
        assert!(body.matches("[redacted]").count() >= 3, "{body}");

        let seen = &upstream.seen()[0];
        assert_eq!(seen.head.matches(CANARY).count(), 1, "{}", seen.head);
        assert!(seen.head.contains(&format!("\nauthorization: Bearer {CANARY}\n")), "{}", seen.head);
        assert!(!seen.head.contains("from-the-agent") && !seen.head.contains("codex"), "{}", seen.head);
        let event = rig.event().await;
        assert_clean("what is told", &format!("{event:?}"));
        assert_clean("what is printed", &format!("{model:?} {:?}", rig.gateway));
        for entry in std::fs::read_dir(rig.folder.path()).unwrap() {
            assert_eq!(entry.unwrap().file_name(), "gateway.sock");
        }
    }
    let log = log();
    assert!(log.contains("model call"), "{log}");
    assert_clean("the log", &log);
    assert!(!log.contains(PROMPT) && !log.contains("from-the-agent"), "{log}");
}

#[tokio::test]
async fn a_redirect_takes_the_credential_nowhere() {
    for status in [301, 302, 303, 307, 308] {
        let thief = echo(100).await;
        let to = format!("{}/responses", thief.url.replace("127.0.0.1", "127.0.0.2"));
        let same = thief.url.clone();
        let upstream = Upstream::start(move |_| {
            let mut reply = Reply::events("");
            reply.status = status;
            reply.headers.push(("location", if status == 308 { same.clone() } else { to.clone() }));
            reply
        })
        .await;
        let mut rig = Rig::new(model(&upstream, &Keys::with("openai", CANARY))).await;
        assert_eq!(rig.call(&ask()).await.status(), 502);
        let GateEvent::Upstream { what } = rig.event().await else { panic!("not told") };
        assert!(what.contains("redirect"), "{what}");
        assert_eq!((upstream.seen().len(), thief.seen().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_compressed_answer_is_not_passed_on() {
    let upstream = Upstream::start(|_| {
        let mut reply = Reply::events("x");
        reply.headers.push(("content-encoding", "gzip".into()));
        reply
    })
    .await;
    let rig = Rig::new(model(&upstream, &Keys::with("openai", CANARY))).await;
    assert_eq!(rig.call(&ask()).await.status(), 502);
    assert!(upstream.seen()[0].head.contains("accept-encoding: identity"));
}

#[tokio::test]
async fn a_revoked_or_unfit_credential_is_not_used() {
    let upstream = echo(100).await;
    let keys = Keys::with("openai", CANARY);
    let mut rig = Rig::new(model(&upstream, &keys)).await;
    assert_eq!(rig.call(&ask()).await.status(), 200);
    rig.event().await;
    keys.revoke();
    assert_eq!(rig.call(&ask()).await.status(), 502);
    assert_eq!(rig.event().await, GateEvent::Upstream { what: "secret `openai` not found".into() });
    for (value, said) in [("short", "shorter than 8"), ("sk-canary-with-a-newline\n", "no header may hold")] {
        let mut rig = Rig::new(model(&upstream, &Keys::with("openai", value))).await;
        assert_eq!(rig.call(&ask()).await.status(), 502);
        let GateEvent::Upstream { what } = rig.event().await else { panic!("not told") };
        assert!(what.contains(said) && !what.contains("canary"), "{what}");
    }
    assert_eq!(upstream.seen().len(), 1);
}
