//! Users, tokens and roles over real sockets: each operation for each role, and what ends when it is taken back.

use crate::served::{Answer, Served, request};
use ikigai_access::{Action, Decision, Policy, Principal, Resource, Role, Via};
use ikigai_http::{Authority, Front};
use ikigai_memory::MemoryStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn with_policy(policy: Policy) -> Served {
    let authority = Authority::kept_in(Arc::new(MemoryStore::new()), policy).await.unwrap();
    Served::fronted(None, Front { authority: Arc::new(authority), ..Front::default() }).await
}

/// Something the owner asks over the Unix socket.
async fn own(served: &Served, method: &str, path: &str, body: &str) -> serde_json::Value {
    let answer = served.local(method, path, body).await;
    assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
    answer.json()
}

/// A user of `role` and a token of it.
async fn token(served: &Served, name: &str, role: Role) -> String {
    own(served, "POST", "/v1/users", &format!(r#"{{"name":"{name}","role":"{role}"}}"#)).await;
    let body = format!(r#"{{"role":"{role}","user":"{name}","name":"test","ttlSeconds":60}}"#);
    own(served, "POST", "/v1/tokens", &body).await["token"].as_str().unwrap().to_owned()
}

async fn call(served: &Served, token: &str, method: &str, path: &str, body: &str) -> Answer {
    served.raw(&request(method, path, &format!("Authorization: Bearer {token}\r\n"), body)).await
}

/// A request that fits an operation of the document, as far as its path goes.
fn real(path: &str) -> String {
    let id = if path.contains("nodes") { "laptop" } else { "T003" };
    path.replace("{id}", id).replace("{n}", "1").replace("{name}", "nobody")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_lets_each_role_in_or_not_as_the_policy_says() {
    let served = with_policy(Policy::standard()).await;
    let document = ikigai_http::openapi::document();
    let policy = Policy::standard();
    let mut tried = 0;
    for role in Role::ALL {
        let token = token(&served, role.name(), role).await;
        let who = Principal::User { name: role.name().into(), role, via: Via::Token(String::new()) };
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = operation["x-ikigai-action"].as_str().unwrap();
                let action = Action::ALL.into_iter().find(|a| a.name() == name).unwrap();
                if path == "/v1/events" && role != Role::Viewer {
                    continue; // Never ends; the viewer's is cut when its answer began.
                }
                let of_task = path.starts_with("/v1/tasks/{id}");
                let resource = if of_task { Resource::Task("T003".into()) } else { Resource::Node };
                let may = policy.decide(&who, action, &resource) == Decision::Allowed;
                let before = served.fake.asked().len();
                let (verb, path_asked) = (method.to_uppercase(), real(path));
                let asked = call(&served, &token, &verb, &path_asked, "");
                // A stream that began is an answer.
                let Ok(answer) = tokio::time::timeout(Duration::from_secs(2), asked).await else {
                    assert!(may && path == "/v1/events", "{role} {method} {path}");
                    continue;
                };
                let refused = answer.status == 403 && answer.body.contains(&format!("may not {name} here"));
                assert_eq!(refused, !may, "{role} {method} {path} ({name}): {answer:?}");
                assert!(may || served.fake.asked().len() == before, "{role} {method} {path} was handled");
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_which_roles_may() {
    let served = with_policy(Policy::standard()).await;
    let token = token(&served, "ana", Role::Operator).await;
    let answer = call(&served, &token, "POST", "/v1/tasks/T002/accept", "{}").await;
    let error = answer.json();
    assert_eq!((answer.status, error["code"].as_str()), (403, Some("denied")));
    assert_eq!(error["message"], "`ana` may not decide here: its role is operator");
    assert!(error["hint"].as_str().unwrap().starts_with("who may is reviewer, admin;"), "{error}");
    for command in ["explode", "accept%00", "Accept"] {
        let answer = call(&served, &token, "POST", &format!("/v1/tasks/T002/{command}"), "{}").await;
        assert_eq!(answer.status, 400, "{command}: {answer:?}");
    }
    assert_eq!(served.fake.asked(), Vec::<String>::new());
    // HEAD is no way around.
    let users = call(&served, &token, "HEAD", "/v1/users", "").await;
    assert_eq!(users.status, 403, "{users:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_works_no_more_also_in_the_middle_of_a_stream() {
    let served = with_policy(Policy::standard()).await;
    let token = token(&served, "ana", Role::Viewer).await;
    let mut stream = served.tcp().await;
    let events = request("GET", "/v1/events", &format!("Authorization: Bearer {token}\r\n"), "");
    let events = events.replace("PORT", &served.address.port().to_string());
    stream.write_all(events.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let id = own(&served, "GET", "/v1/tokens", "").await["items"][0]["id"].as_str().unwrap().to_owned();
    own(&served, "DELETE", &format!("/v1/tokens/{id}"), "").await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(4), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the stream goes on");
    assert_eq!(call(&served, &token, "GET", "/v1/tasks", "").await.status, 401);
    assert_eq!(served.local("DELETE", &format!("/v1/tokens/{id}"), "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_what_it_is_now_and_nothing_when_it_is_gone() {
    let served = with_policy(Policy::standard()).await;
    let token = token(&served, "ana", Role::Admin).await;
    assert_eq!(call(&served, &token, "GET", "/v1/users", "").await.status, 200);
    own(&served, "POST", "/v1/users/ana", r#"{"role":"viewer"}"#).await;
    assert_eq!(call(&served, &token, "GET", "/v1/users", "").await.status, 403);
    assert_eq!(call(&served, &token, "GET", "/v1/tasks", "").await.status, 200);
    own(&served, "DELETE", "/v1/users/ana", "").await;
    assert_eq!(call(&served, &token, "GET", "/v1/tasks", "").await.status, 401);
    for (method, path, body, status) in [
        ("POST", "/v1/users", r#"{"name":"owner","role":"viewer"}"#, 409),
        ("POST", "/v1/users", r#"{"name":"Eve","role":"viewer"}"#, 400),
        ("POST", "/v1/users", r#"{"name":"eve","role":"root"}"#, 400),
        ("POST", "/v1/users/owner", r#"{"role":"viewer"}"#, 403),
        ("DELETE", "/v1/users/owner", "", 403),
        ("POST", "/v1/users/eve", r#"{"role":"viewer"}"#, 404),
        ("POST", "/v1/tokens", r#"{"role":"viewer","user":"eve"}"#, 404),
        ("POST", "/v1/tokens", r#"{"role":"viewer","ttlSeconds":0}"#, 400),
        ("POST", "/v1/tokens", r#"{"role":"viewer","ttlSeconds":99999999}"#, 400),
        ("DELETE", "/v1/tokens/0", "", 404),
    ] {
        let answer = served.local(method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_the_organisation_knows_a_task_by_all_its_names() {
    let served = with_policy(Policy::standard()).await;
    let task = own(&served, "GET", "/v1/tasks/T003", "").await["id"].as_str().unwrap().to_owned();
    let text = format!(
        "{}\nforbid (principal, action == Action::\"steer\", resource == Task::\"{task}\");",
        ikigai_access::DEFAULT
    );
    let served = with_policy(Policy::read(&text, "policy.cedar").unwrap()).await;
    for name in ["T003", &task, "%54003", "T%30%303"] {
        let answer = served.local("POST", &format!("/v1/tasks/{name}/pause"), "{}").await;
        assert_eq!(answer.status, 403, "{name}: {answer:?}");
    }
    assert_eq!(served.fake.asked(), Vec::<String>::new());
    assert_eq!(served.local("GET", "/v1/tasks/T003", "").await.status, 200);
}

/// The table of docs/access.md is what the standard policy says.
#[test]
fn the_documented_table_is_the_policy() {
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/access.md");
    let text = std::fs::read_to_string(text).unwrap();
    let policy = Policy::standard();
    for action in Action::ALL {
        let row = text.lines().find(|l| l.starts_with(&format!("| `{}` |", action.name())));
        let row = row.unwrap_or_else(|| panic!("docs/access.md has no row of {}", action.name()));
        let said: Vec<_> = row.split('|').skip(3).take(4).map(|cell| cell.trim() == "yes").collect();
        let may = |role| {
            let who = Principal::User { name: "ana".into(), role, via: Via::Socket };
            policy.decide(&who, action, &Resource::Node) == Decision::Allowed
        };
        assert_eq!(said, Role::ALL.map(may), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_becomes_nothing_that_outlives_it() {
    let authority = Authority::kept_in(Arc::new(MemoryStore::new()), Policy::standard()).await.unwrap();
    let served = crate::front::served(authority).await;
    let admin = token(&served, "ana", Role::Admin).await;
    let link = call(&served, &admin, "POST", "/v1/session/links", "").await;
    assert!(link.status == 403 && link.body.contains("a token opens no session"), "{link:?}");
    let body = r#"{"user":"owner","role":"admin","name":"mine for ever","ttlSeconds":3600}"#;
    let owners = call(&served, &admin, "POST", "/v1/tokens", body).await;
    assert!(owners.status == 403 && owners.body.contains("the owner is who runs the node"), "{owners:?}");
    assert_eq!(served.local("POST", "/v1/tokens", body).await.status, 200, "the owner may");
}
