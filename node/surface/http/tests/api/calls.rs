//! What the calls answer.

use crate::served::Served;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_five_calls_of_an_orchestrator() {
    let served = Served::shop().await;
    let health = served.call("GET", "/health", "", "").await.json();
    assert_eq!(
        (&health["kind"], &health["status"], &health["name"]),
        (&json!("Health"), &json!("ok"), &json!("laptop"))
    );
    assert_eq!(health["apiVersion"], "ikigai.dev/v1");
    let capacity = served.call("GET", "/capacity", "", "").await.json();
    assert_eq!(capacity["free"]["cpuMillis"], 6000);
    let pods = served.call("GET", "/pods", "", "").await.json();
    assert_eq!(pods["items"].as_array().unwrap().len(), 1);
    assert_eq!(pods["items"][0]["agent"], "t003-1");

    let body = json!({"project": "/srv/shop", "source": {"kind": "feature", "ids": ["T008"]}}).to_string();
    let scheduled = served.call("POST", "/schedule", "", &body).await.json();
    assert_eq!(scheduled["accepted"], json!(["1f0c2a77.001-shop.T008"]));
    let evicted = served.call("POST", "/evict", "", r#"{"agent":"t003-1","graceSeconds":3}"#).await.json();
    assert_eq!((&evicted["kind"], &evicted["state"]), (&json!("Task"), &json!("queued")));
    assert_eq!(served.fake.asked()[1], "T003 Evict { grace: 3 }");
    for (body, status) in [
        ("{}", 400),
        (r#"{"task":"T001","agent":"x"}"#, 400),
        (r#"{"agent":"x"}"#, 404),
        (r#"{"pod":"x"}"#, 400),
    ] {
        assert_eq!(served.call("POST", "/evict", "", body).await.status, status, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_listed_by_pages_and_filters() {
    let served = Served::shop().await;
    let mut seen = Vec::new();
    let mut path = "/v1/tasks?limit=3".to_owned();
    loop {
        let page = served.call("GET", &path, "", "").await.json();
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|t| t["short"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/tasks?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["T001", "T002", "T003", "T004", "T005", "T006", "T007"]);
    let count =
        async |path: &str| served.call("GET", path, "", "").await.json()["items"].as_array().map(Vec::len);
    assert_eq!(count("/v1/tasks?state=review,failed").await, Some(3));
    assert_eq!(count("/v1/tasks?project=/elsewhere").await, Some(0));
    assert_eq!(count("/v1/tasks?feature=001-shop").await, Some(7));
    assert_eq!(count("/v1/patches").await, Some(3));
    assert_eq!(count("/v1/nodes").await, Some(2));
    for bad in ["?limit=0", "?limit=1001", "?limit=x", "?colour=red"] {
        assert_eq!(served.call("GET", &format!("/v1/tasks{bad}"), "", "").await.status, 400, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_done_once_per_key() {
    let served = Served::shop().await;
    let comment = r#"{"body":"look at the empty cart"}"#;
    for _ in 0..3 {
        let answer = served.call("POST", "/v1/tasks/T002/comment", "Idempotency-Key: k1\r\n", comment).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(served.fake.asked().len(), 1);
    let other =
        served.call("POST", "/v1/tasks/T002/comment", "Idempotency-Key: k1\r\n", r#"{"body":"x"}"#).await;
    assert_eq!(other.status, 409, "{other:?}");
    let submit = json!({"project": "/srv/shop", "source": {"kind": "text", "text": "a b"}}).to_string();
    let first = served.call("POST", "/v1/tasks", "Idempotency-Key: s1\r\n", &submit).await;
    let again = served.call("POST", "/v1/tasks", "Idempotency-Key: s1\r\n", &submit).await;
    assert_eq!(first.body, again.body);
    assert_eq!(served.fake.asked().len(), 2);
    let long = format!("Idempotency-Key: {}\r\n", "k".repeat(256));
    assert_eq!(served.call("POST", "/v1/tasks/T002/comment", &long, comment).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let served = Served::shop().await;
    let body = json!({"project": "/srv/shop", "source": {"kind": "feature"}, "dryRun": true}).to_string();
    let plan = served.call("POST", "/v1/tasks", "", &body).await.json();
    assert_eq!(plan["accepted"], json!([]));
    assert_eq!(plan["plan"]["tasks"].as_array().map(Vec::len), Some(4));
    assert_eq!(served.fake.asked(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_to_do_and_which_request_it_was() {
    let served = Served::shop().await;
    for (method, path, body, status, code) in [
        ("GET", "/v1/tasks/T404", "", 404, "not-found"),
        ("GET", "/nowhere", "", 404, "not-found"),
        ("DELETE", "/v1/tasks/T001", "", 405, "usage"),
        ("POST", "/v1/tasks/T003/resume", "", 409, "conflict"),
        ("POST", "/v1/tasks/T007/accept", "", 403, "denied"),
        ("POST", "/v1/tasks/T007/accept", r#"{"forse":true}"#, 400, "usage"),
        ("POST", "/v1/tasks/T007/explode", "", 400, "usage"),
        ("POST", "/v1/tasks", "{", 400, "usage"),
        ("POST", "/v1/tasks", r#"{"projekt":"x"}"#, 400, "usage"),
        ("GET", "/v1/tasks/T003/attempts/9/logs", "", 404, "not-found"),
        ("GET", "/v1/tasks/T003/attempts/x/logs", "", 400, "usage"),
        ("GET", "/v1/tasks/T004/diff", "", 404, "not-found"),
        ("GET", "/v1/nodes/nowhere", "", 404, "not-found"),
        ("GET", "/v1/events?cursor=bad", "", 400, "usage"),
        ("GET", "/v1/tasks/%ff", "", 400, "usage"),
    ] {
        let answer = served.call(method, path, "", body).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let error = answer.json();
        assert_eq!(error["code"], code, "{path}: {error}");
        assert_eq!(error["requestId"].as_str(), answer.header("x-request-id"), "{path}");
        assert_ne!(error["hint"], Value::Null, "{path}: {error}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_steered_and_editors_opened() {
    let served = Served::shop().await;
    let node = served.call("POST", "/v1/nodes/laptop/drain", "", r#"{"graceSeconds":9}"#).await.json();
    assert_eq!(node["cordoned"], true);
    assert_eq!(served.call("GET", "/health", "", "").await.json()["status"], "cordoned");
    assert_eq!(served.call("POST", "/v1/nodes/01010101/uncordon", "", "").await.json()["cordoned"], false);
    assert_eq!(served.call("POST", "/v1/nodes/0101/uncordon", "", "").await.status, 404);
    let link = served.call("POST", "/v1/tasks/T003/open", "", "").await.json();
    assert_eq!((&link["kind"], &link["agent"]), (&json!("EditorLink"), &json!("t003-1")));
    let diff = served.call("GET", "/v1/tasks/T002/diff", "", "").await;
    assert!(diff.body.starts_with("--- a/src/cart.py"), "{diff:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_in_no_mesh_says_so_and_nobody_is_removed_by_a_name() {
    let served = Served::shop().await;
    for (method, path, body, status) in [
        ("GET", "/v1/mesh", "", 403),
        ("POST", "/v1/mesh/join", r#"{"token":"ik1_x"}"#, 403),
        ("POST", "/v1/invitations", "{}", 403),
        ("POST", "/v1/invitations", r#"{"ttl":"1h"}"#, 400),
        ("DELETE", "/v1/invitations/0101", "", 403),
        ("DELETE", "/v1/nodes/laptop", "", 400),
    ] {
        let answer = served.call(method, path, "", body).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_ne!(answer.json()["hint"], Value::Null, "{path}: {answer:?}");
    }
}
