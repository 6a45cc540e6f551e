//! What is said of the API itself.

use super::App;
use crate::metrics::page;
use crate::openapi;
use crate::reply::Reply;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use ikigai_wire::api::Filter;
use std::sync::LazyLock;

pub(super) async fn metrics(State(app): App) -> Reply {
    let snapshot = app.handle.snapshot(Filter::default()).await?;
    let page = page(&snapshot, &app.refusals);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response())
}

pub(super) async fn openapi(State(_): App) -> Reply {
    static DOCUMENT: LazyLock<String> = LazyLock::new(openapi::text);
    Ok(([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response())
}
