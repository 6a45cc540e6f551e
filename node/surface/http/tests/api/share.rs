//! Share links and the audit log over real sockets.

use crate::served::{Served, request};
use ikigai_access::Policy;
use ikigai_http::{Authority, Front};
use ikigai_memory::MemoryStore;
use ikigai_ports::Store;
use ikigai_ports::store::Batch;
use ikigai_wire::api::CheckView;
use serde_json::Value;
use std::sync::Arc;

/// Secrets of several kinds, put wherever a person, an agent or a program can put a text.
const CANARIES: [&str; 3] =
    ["sk-proj-CANARY0123456789abcdef", "CANARY4f9c1e77b0a2d3e84f9c1e77b0a2d3e8", "hunter2CANARY"];

async fn served(store: &Arc<MemoryStore>) -> Served {
    let authority = Authority::kept_in(store.clone(), Policy::standard()).await.unwrap();
    Served::fronted(None, Front { authority: Arc::new(authority), ..Front::default() }).await
}

async fn own(served: &Served, method: &str, path: &str, body: &str) -> Value {
    let answer = served.local(method, path, body).await;
    assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
    answer.json()
}

/// A task with a canary in each text of it.
fn bait(served: &Served) {
    let [key, random, password] = CANARIES;
    served.fake.edit("T002", |task| {
        task.title = format!("use {key} and {random}, password={password}");
        task.project = format!("/srv/{random}");
        task.why.text = format!("waits for {key}");
        task.why.hint = Some(random.to_owned());
        for attempt in &mut task.attempts {
            attempt.detail = Some(format!("{key} {password}"));
            attempt.agent = random.to_owned();
            attempt.workload = Some(random.to_owned());
            attempt.isolation_missing = vec![key.to_owned()];
            attempt.salvage = Some(format!("refs/{random}"));
        }
        let patch = task.patch.as_mut().unwrap();
        patch.files = vec![format!("src/{random}.py"), key.to_owned()];
        patch.head = random.to_owned();
        let mut evidence = patch.evidence.clone().unwrap_or_default();
        evidence.gaps = vec![key.to_owned()];
        evidence.checks = vec![CheckView {
            command: format!("curl -H 'Authorization: Bearer {key}'"),
            code: 0,
            ms: 1,
            tail: vec![random.to_owned(), password.to_owned()],
        }];
        patch.evidence = Some(evidence);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_link_shows_its_task_without_any_canary_and_nothing_else() {
    let served = served(&Arc::new(MemoryStore::new())).await;
    bait(&served);
    let made = own(&served, "POST", "/v1/tasks/T002/share", r#"{"ttlSeconds":60,"name":"for ben"}"#).await;
    let token = made["token"].as_str().unwrap().to_owned();
    let call = |method: &'static str, path: String| {
        let text = request(method, &path, &format!("Authorization: Bearer {token}\r\n"), "");
        let served = &served;
        async move { served.raw(&text).await }
    };
    let shown = call("GET", "/v1/shared".into()).await;
    assert_eq!((shown.status, shown.json()["short"].as_str()), (200, Some("T002")), "{shown:?}");
    assert!(shown.body.contains("[redacted]") && shown.json()["patch"]["checksPassed"] == 1, "{shown:?}");
    // Whatever is asked with the link: the canary is nowhere, and nothing but the one page is there.
    let document = ikigai_http::openapi::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let real = path.replace("{id}", "T002").replace("{n}", "1").replace("{name}", "ana");
            let method: &'static str = match method.as_str() {
                "get" => "GET",
                "post" => "POST",
                _ => "DELETE",
            };
            let answer = call(method, real.clone()).await;
            let is_its = path == "/v1/shared" || operation["x-ikigai-action"] == "log-in";
            assert_eq!(answer.status == 403, !is_its, "{method} {real}: {answer:?}");
            let text = format!("{}{}", answer.head, answer.body);
            assert!(!CANARIES.iter().any(|c| text.contains(c)), "{method} {real}: {answer:?}");
            assert!(!text.contains("CANARY"), "{method} {real}: {answer:?}");
        }
    }
    let id = own(&served, "GET", "/v1/shares", "").await["items"][0]["id"].as_str().unwrap().to_owned();
    own(&served, "DELETE", &format!("/v1/shares/{id}"), "").await;
    assert_eq!(call("GET", "/v1/shared".into()).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_and_every_denial_is_in_the_log_and_outlives_the_node() {
    let store = Arc::new(MemoryStore::new());
    let first = served(&store).await;
    let token = own(&first, "POST", "/v1/tokens", r#"{"role":"viewer","name":"x"}"#).await;
    let (token, id) = (token["token"].as_str().unwrap().to_owned(), token["id"].as_str().unwrap().to_owned());
    let auth = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(first.raw(&request("POST", "/v1/tasks/T002/accept", &auth, "{}")).await.status, 403);
    assert_eq!(first.raw(&request("GET", "/v1/tasks", &auth, "")).await.status, 200);
    assert_eq!(first.raw(&request("GET", "/v1/tasks", "Authorization: Bearer x\r\n", "")).await.status, 401);
    own(&first, "POST", "/v1/tasks/T003/pause", "{}").await;
    assert_eq!(first.local("POST", "/v1/tasks/T003/pause", "{}").await.status, 409);
    drop(first);
    let second = served(&store).await;
    let told = |list: Value| {
        let items = list["items"].as_array().unwrap().clone();
        let text = |e: &Value, f: &str| e[f].as_str().unwrap().to_owned();
        let line = |e: &Value| ["who", "via", "action", "result", "what"].map(|f| text(e, f)).join(" | ");
        items.iter().map(line).collect::<Vec<_>>()
    };
    // Refusals of nobody are written soon, not at once: wait for the one there is.
    let list = loop {
        let list = own(&second, "GET", "/v1/audit", "").await;
        if list["items"].as_array().unwrap().len() >= 5 {
            break list;
        }
        tokio::task::yield_now().await;
    };
    let mut lines = told(list);
    lines.sort();
    let wanted = [
        "nobody | - | - | refused | GET /v1/tasks: token".to_owned(),
        "owner | socket | administer | done | POST /v1/tokens: token ID of owner, viewer".replace("ID", &id),
        "owner | socket | steer | done | POST /v1/tasks/T003/pause".to_owned(),
        "owner | socket | steer | failed | POST /v1/tasks/T003/pause".to_owned(),
        format!("owner | token {id} | decide | denied | POST /v1/tasks/T002/accept"),
    ];
    assert_eq!(lines, wanted);
    assert!(!lines.join("\n").contains(&token));
    let check = own(&second, "GET", "/v1/audit/check", "").await;
    assert_eq!((check["entries"].as_u64(), check["fault"].is_null()), (Some(5), true), "{check}");
    let page = own(&second, "GET", "/v1/audit?limit=2", "").await;
    assert_eq!((page["items"][0]["number"].as_u64(), page["next"].as_str()), (Some(5), Some("4")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_taken_out_or_changed_is_found() {
    let store = Arc::new(MemoryStore::new());
    let served = served(&store).await;
    for _ in 0..4 {
        own(&served, "POST", "/v1/tokens", r#"{"role":"viewer"}"#).await;
    }
    let check = || async { own(&served, "GET", "/v1/audit/check", "").await };
    assert!(check().await["fault"].is_null());
    let entries = store.scan(b"access/audit/", b"access/audit/", 9).await.unwrap();
    let (key, entry) = &entries[2];
    let forged = String::from_utf8(entry.value.clone()).unwrap().replace("owner", "eva");
    store.commit(Batch::default().put(key.clone(), forged)).await.unwrap();
    assert_eq!(check().await["fault"], "entry 3 is not what was written");
    store.commit(Batch::default().delete(key.clone())).await.unwrap();
    let found = check().await;
    assert_eq!(
        (found["fault"].as_str(), found["last"].as_u64()),
        (Some("entries 3 to 3 are missing"), Some(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_fill_the_log() {
    let store = Arc::new(MemoryStore::new());
    let served = served(&store).await;
    for _ in 0..80 {
        assert_eq!(served.raw(&request("GET", "/v1/tasks", "", "")).await.status, 401);
    }
    own(&served, "POST", "/v1/tokens", r#"{"role":"viewer"}"#).await;
    let noted = own(&served, "GET", "/v1/audit?limit=1000", "").await["items"].as_array().unwrap().len();
    // At most two minutes' worth, and the owner's own entry.
    assert!((2..=61).contains(&noted), "{noted}");
}
