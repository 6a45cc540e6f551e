//! The document is the API: it is regenerated, every path of it is served, and what is served is as it says.

use crate::served::Served;
use serde_json::{Value, json};
use std::path::Path;

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/openapi.json")
}

#[test]
fn regenerating_changes_nothing() {
    let fresh = ikigai_http::openapi::text();
    if std::env::var_os("IKIGAI_REGENERATE").is_some() {
        std::fs::write(committed(), &fresh).unwrap();
    }
    let text = std::fs::read_to_string(committed()).unwrap_or_default();
    assert!(
        text == fresh,
        "docs/openapi.json is old; run: IKIGAI_REGENERATE=1 cargo test -p ikigai-http regenerating"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_served() {
    let served = Served::shop().await;
    let document = ikigai_http::openapi::document();
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            if path == "/v1/events" {
                continue; // Never ends; tried with the streams.
            }
            let real = path
                .replace("{id}", if path.contains("nodes") { "laptop" } else { "T003" })
                .replace("{n}", "1")
                .replace("{name}", "ana");
            let answer = served.local(&method.to_uppercase(), &real, "").await;
            assert_ne!(answer.status, 405, "{method} {real}");
            assert!(
                answer.status != 404 || !answer.body.contains("no such path"),
                "{method} {real}: {answer:?}"
            );
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operation id is there twice");
    assert!(count >= 25, "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_as_the_document_says() {
    let served = Served::shop().await;
    let document = ikigai_http::openapi::document();
    assert_eq!(served.local("GET", "/openapi.json", "").await.json(), document);
    let submit = json!({"project": "/srv/shop", "source": {"kind": "feature"}}).to_string();
    for (method, path, real, body) in [
        ("get", "/health", "/health", ""),
        ("get", "/capacity", "/capacity", ""),
        ("get", "/pods", "/pods", ""),
        ("get", "/v1/snapshot", "/v1/snapshot", ""),
        ("get", "/v1/tasks", "/v1/tasks?limit=2", ""),
        ("get", "/v1/tasks/{id}", "/v1/tasks/T002", ""),
        ("get", "/v1/tasks/{id}", "/v1/tasks/T007", ""),
        ("get", "/v1/nodes", "/v1/nodes", ""),
        ("get", "/v1/nodes/{id}", "/v1/nodes/laptop", ""),
        ("get", "/v1/patches", "/v1/patches", ""),
        ("post", "/v1/tasks/{id}/open", "/v1/tasks/T003/open", ""),
        ("post", "/v1/tasks/{id}/pause", "/v1/tasks/T003/pause", ""),
        ("post", "/v1/nodes/{id}/drain", "/v1/nodes/laptop/drain", r#"{"graceSeconds":1}"#),
        ("post", "/v1/tasks", "/v1/tasks", &submit),
    ] {
        let answer = served.local(&method.to_uppercase(), real, body).await;
        assert_eq!(answer.status, 200, "{method} {real}: {answer:?}");
        let operation = &document["paths"][path][method];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let mut faults = Vec::new();
        check(&document, schema, &answer.json(), "", &mut faults);
        assert!(faults.is_empty(), "{method} {real}: {faults:#?}");
        if !body.is_empty() {
            let taken = &operation["requestBody"]["content"]["application/json"]["schema"];
            check(&document, taken, &serde_json::from_str(body).unwrap(), "", &mut faults);
            assert!(faults.is_empty(), "body of {method} {real}: {faults:#?}");
        }
    }
    let error = served.local("GET", "/v1/tasks/T404", "").await;
    let mut faults = Vec::new();
    let schema = &document["components"]["responses"]["Error"]["content"]["application/json"]["schema"];
    check(&document, schema, &error.json(), "", &mut faults);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_operation_says_what_it_does_for_the_policy() {
    let document = ikigai_http::openapi::document();
    let known = ikigai_access::Action::ALL.map(ikigai_access::Action::name);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let action = operation["x-ikigai-action"].as_str();
            let action =
                action.unwrap_or_else(|| panic!("{method} {path} declares no action: add .may(Action::…)"));
            assert!(known.contains(&action), "{method} {path}: {action}");
            // Whoever may only look changes nothing.
            let reads = ["read", "read-shared"].contains(&action);
            assert!(!reads || method == "get", "{method} {path} is called {action}");
        }
    }
}

/// One style in all documents: camelCase, and a quantity has its unit in its name.
#[test]
fn every_field_is_camel_case_and_no_duration_is_a_pair() {
    let document = ikigai_http::openapi::document();
    let mut names = Vec::new();
    fields(&document, &mut names);
    assert!(names.len() > 100, "{}", names.len());
    let wrong: Vec<&String> =
        names.iter().filter(|n| n.contains(['_', '-']) || n.starts_with(char::is_uppercase)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(document["components"]["schemas"].get("Duration").is_none());
}

fn fields(schema: &Value, out: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            out.extend(
                map.get("properties")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .map(|(k, _)| k.clone()),
            );
            map.values().for_each(|v| fields(v, out));
        }
        Value::Array(list) => list.iter().for_each(|v| fields(v, out)),
        _ => {}
    }
}

/// The checker itself finds what is wrong.
#[test]
fn a_wrong_answer_would_be_found() {
    let document = ikigai_http::openapi::document();
    let schema =
        &document["paths"]["/health"]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    let good = json!({"apiVersion": "ikigai.dev/v1", "kind": "Health", "status": "ok", "node": "01".repeat(32),
        "name": "x", "version": "0", "observedAt": 1});
    let faults = |value: &Value| {
        let mut faults = Vec::new();
        check(&document, schema, value, "", &mut faults);
        faults.len()
    };
    assert_eq!(faults(&good), 0);
    for (field, value) in [
        ("kind", json!("Wealth")),
        ("observedAt", json!("now")),
        ("colour", json!("red")),
        ("name", Value::Null),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert_eq!(faults(&bad), 1, "{field}");
    }
    let mut less = good.clone();
    less.as_object_mut().unwrap().remove("status");
    assert_eq!(faults(&less), 1);
}

/// Whether `value` is as `schema` says: the part of JSON Schema that our document uses, and no unknown field.
fn check(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let schema = follow(document, schema);
    if let Some(options) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        let fits = options.iter().any(|option| {
            let mut inner = Vec::new();
            check(document, option, value, at, &mut inner);
            inner.is_empty()
        });
        if !fits {
            faults.push(format!("{at}: {value} fits none of the options"));
        }
        return;
    }
    if schema.get("const").is_some_and(|c| c != value) {
        faults.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    };
    let fits = match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if !fits {
        return faults.push(format!("{at}: {value} is not of type {}", schema["type"]));
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        values.iter().enumerate().for_each(|(i, v)| check(document, items, v, &format!("{at}[{i}]"), faults));
    }
    if let Some(fields) = value.as_object() {
        check_fields(document, &schema, fields, at, faults);
    }
}

fn check_fields(
    document: &Value,
    schema: &Value,
    fields: &serde_json::Map<String, Value>,
    at: &str,
    faults: &mut Vec<String>,
) {
    let parts: Vec<Value> = match schema["allOf"].as_array() {
        Some(parts) => parts.iter().map(|p| follow(document, p)).collect(),
        None => vec![schema.clone()],
    };
    for required in parts.iter().filter_map(|p| p["required"].as_array()).flatten() {
        if !fields.contains_key(required.as_str().unwrap()) {
            faults.push(format!("{at}: {required} is missing"));
        }
    }
    for (name, value) in fields {
        let known = parts.iter().find_map(|p| p["properties"].get(name));
        let open = parts.iter().find_map(|p| p.get("additionalProperties")).filter(|a| a.is_object());
        match known.or(open) {
            Some(schema) => check(document, schema, value, &format!("{at}.{name}"), faults),
            None => faults.push(format!("{at}: `{name}` is not in the document")),
        }
    }
}

fn follow(document: &Value, schema: &Value) -> Value {
    match schema["$ref"].as_str() {
        Some(path) => {
            follow(document, document.pointer(path.trim_start_matches('#')).expect("a schema that is there"))
        }
        None => schema.clone(),
    }
}
